"""RFC 6275 §11.1, §11.3.5, §11.3.6, §11.6, §11.7.2 to §11.8: the mobile node and its
correspondents."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from itertools import pairwise
from typing import Any

import pytest
from tests.conformance.nodes import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import PREFIX_B, PREFIX_C, ROUTER_B
from tests.support.optimizing import Optimizer

from mip6.core.effects import Effect, Notify
from mip6.core.events import Dropped
from mip6.core.packet import Packet, write
from mip6.core.return_routability import BLANK, sign
from mip6.core.route_optimization import CorrespondentPolicy, Mode, Why
from mip6.core.state import RouteOptimization
from mip6.wire.icmpv6 import ParameterProblem
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingError,
    BindingRefreshRequest,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    Message,
    write_message,
)
from mip6.wire.next_header import NextHeader
from mip6.wire.options import (
    BindingAuthorizationData,
    BindingRefreshAdvice,
    NonceIndices,
)
from mip6.wire.packet import (
    IPv6Packet,
    RoutingHeaderType2,
    read_packet,
    write_packet,
)

CARE_OF_ADDRESS = IPv6Address("2001:db8:b::ff:fe00:5")
NEXT_CARE_OF_ADDRESS = IPv6Address("2001:db8:c::ff:fe00:5")
OTHER_CORRESPONDENT = IPv6Address("2001:db8:d::2")
TUNNEL = (HOME_AGENT, CARE_OF_ADDRESS)


def talking(**more: Any) -> Optimizer:
    """Both tests were sent, and not answered yet."""
    roamer = Optimizer(**more)
    roamer.register()
    roamer.talk()
    return roamer


def optimized(**more: Any) -> Optimizer:
    roamer = Optimizer(**more)
    roamer.optimize()
    return roamer


def home_and_care_of_test(roamer: Optimizer) -> tuple[Packet, Packet]:
    """The answers to the two tests that were sent last."""
    home, care_of = (roamer.answers(sent.packet) for sent in roamer.tests[-2:])
    return home[0], care_of[0]


def updating(**more: Any) -> Optimizer:
    """The Binding Update was sent, and not answered yet."""
    roamer = talking(**more)
    for packet in home_and_care_of_test(roamer):
        roamer.hear_from_peer(packet)
    return roamer


def reasons(effects: list[Effect]) -> list[str]:
    """Why something was dropped, if it was."""
    return [
        effect.event.reason
        for effect in effects
        if isinstance(effect, Notify) and isinstance(effect.event, Dropped)
    ]


def from_peer(message: Message, **more: Any) -> bytes:
    fields: dict[str, Any] = {
        "source": CORRESPONDENT,
        "destination": CARE_OF_ADDRESS,
        **more,
    }
    return write(Packet(message=message, **fields))


def acknowledged(roamer: Optimizer) -> Packet:
    """The correspondent's answer to the last Binding Update."""
    [answer] = roamer.answers(roamer.peer_updates[-1].packet)
    assert isinstance(answer.message, BindingAcknowledgement)
    return answer


def resigned(roamer: Optimizer, packet: Packet, **changes: Any) -> Packet:
    """The Acknowledgement with something else in it, signed as the correspondent
    would."""
    message = packet.message
    assert isinstance(message, BindingAcknowledgement)
    entry = roamer.mobile_node.correspondents.find(CORRESPONDENT)
    assert entry is not None
    [*_, sent] = entry._outstanding.values()
    options = tuple(
        option
        for option in changes.pop("options", message.options)
        if not isinstance(option, BindingAuthorizationData)
    )
    bare = replace(message, options=options, **changes)
    signed = sign(bare, sent.key, sent.signed, CORRESPONDENT)
    return replace(packet, message=signed, octets=b"", payload=b"")


# §11.6.1 Sending Test Init messages


@pytest.mark.rfc("11.6.1-1", "both leave at the same moment")
@pytest.mark.rfc("11.6.1-2", "from the home address, through the home agent")
@pytest.mark.rfc("11.6.1-3", "from the care-of address, directly")
@pytest.mark.rfc("8.5-9", "the procedure begins")
def test_test_init_messages() -> None:
    roamer = talking()
    home, care_of = roamer.tests
    assert home.at == care_of.at
    assert home.packet.tunnel == (CARE_OF_ADDRESS, HOME_AGENT)
    assert (home.packet.source, home.packet.destination) == (
        HOME_ADDRESS,
        CORRESPONDENT,
    )
    assert care_of.packet.tunnel is None
    assert (care_of.packet.source, care_of.packet.destination) == (
        CARE_OF_ADDRESS,
        CORRESPONDENT,
    )
    for sent in (home, care_of):
        assert sent.packet.home_address is None
        assert sent.packet.routing_address is None


@pytest.mark.rfc("11.6.1-4", "the answers find what they answer, and nothing else does")
@pytest.mark.rfc("11.6.2-2", "it is dropped; one that counts leaves its token")
@pytest.mark.rfc("11.6.2-1", "what a Home Test must be like")
def test_home_tests_that_do_not_count() -> None:
    roamer = talking()
    good, _ = home_and_care_of_test(roamer)
    message = good.message
    assert isinstance(message, HomeTest)
    wrong = replace(message, home_init_cookie=bytes(8))
    for packet, reason in (
        (replace(good, tunnel=None), "not_out_of_the_tunnel"),
        (replace(good, message=wrong), "cookie"),
        (replace(good, source=OTHER_CORRESPONDENT), "not_in_binding_update_list"),
        (replace(good, destination=CARE_OF_ADDRESS), "not_for_tested_address"),
    ):
        assert reasons(roamer.receive(write(packet))) == [reason]
    assert roamer.entry.home_token_until is None
    roamer.hear_from_peer(good)
    assert roamer.entry.home_token_until == roamer.now + 210
    again = roamer.receive(write(good))
    assert reasons(again) == ["no_test_under_way"], "there is a home token"


def test_a_home_test_that_must_be_protected() -> None:
    roamer = Optimizer(authentication_required=True)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.receive(roamer.acknowledgement(), protected_for=HOME_ADDRESS)
    roamer.talk()
    good, _ = home_and_care_of_test(roamer)
    assert reasons(roamer.receive(write(good))) == ["unauthenticated"]
    roamer.receive(write(good), protected_for=HOME_ADDRESS)
    assert roamer.entry.home_token_until is not None


@pytest.mark.rfc("11.6.2-5", "it is dropped; one that counts leaves its token")
@pytest.mark.rfc("11.6.2-4", "what a Care-of Test must be like")
def test_care_of_tests_that_do_not_count() -> None:
    roamer = talking()
    home, good = home_and_care_of_test(roamer)
    message = good.message
    assert isinstance(message, CareOfTest)
    wrong = replace(message, care_of_init_cookie=bytes(8))
    for packet, reason in (
        (replace(good, message=wrong), "cookie"),
        (replace(good, tunnel=TUNNEL), "tunnelled"),
        (replace(good, destination=NEXT_CARE_OF_ADDRESS), "not_for_tested_address"),
        (replace(good, source=OTHER_CORRESPONDENT), "not_in_binding_update_list"),
    ):
        assert reasons(roamer.receive(write(packet))) == [reason]
    roamer.hear_from_peer(good)
    assert reasons(roamer.receive(write(good))) == ["no_test_under_way"]
    roamer.hear_from_peer(home)
    assert len(roamer.peer_updates) == 1


@pytest.mark.rfc("11.6.2-3", "the other one is waited for")
@pytest.mark.rfc("11.6.2-6", "whichever comes first")
@pytest.mark.rfc("11.6.2-7", "and then the Binding Update leaves")
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_both_tests_bring_the_binding_update(order: tuple[int, int]) -> None:
    roamer = talking()
    answers = home_and_care_of_test(roamer)
    roamer.hear_from_peer(answers[order[0]])
    assert roamer.peer_updates == []
    roamer.hear_from_peer(answers[order[1]])
    assert len(roamer.peer_updates) == 1


@pytest.mark.rfc("11.8-8", "each with another cookie")
def test_repeated_tests() -> None:
    """Back-off, and after MAX_RO_FAILURE the home agent alone (§5.2.9)."""
    roamer = talking()
    roamer.wait(14.9)
    for kind in (HomeTestInit, CareOfTestInit):
        sent = roamer.to_peer(kind)
        assert [one.at - sent[0].at for one in sent] == [0, 1, 3, 7]
        messages = [one.packet.message for one in sent]
        assert len(set(messages)) == 4
    roamer.wait(0.2)
    assert roamer.entry.why is Why.NO_ANSWER
    assert roamer.entry.until == roamer.now - 0.1 + 300
    roamer.wait(280)
    assert len(roamer.tests) == 8
    roamer.answer_home()
    roamer.wait(20)
    roamer.talk()
    assert len(roamer.tests) == 10, "asked again"


def test_a_late_answer_counts() -> None:
    """It took longer than the wait for it."""
    roamer = talking()
    home, care_of = home_and_care_of_test(roamer)
    roamer.wait(1.5)
    roamer.hear_from_peer(home)
    roamer.hear_from_peer(care_of)
    assert len(roamer.peer_updates) == 1
    assert roamer.entry.home_token_until == 1210, "counted from sending"


def test_only_the_last_cookies_count() -> None:
    roamer = optimized(lifetime=4000)
    roamer.move()
    first = roamer.tests[-1].packet
    [late] = roamer.answers(first)
    roamer.wait(40)
    assert len(roamer.to_peer(CareOfTestInit)) > 6, "it goes on: it must be told"
    assert reasons(roamer.receive(write(late))) == ["cookie"]


# §11.6.2 and §11.3.5 Parameter Problems


def problem(quoted: bytes, code: int = 1, pointer: int = 6) -> bytes:
    """A Parameter Problem of the correspondent's, about a packet of ours."""
    packet = read_packet(quoted)
    message = ParameterProblem(code=code, pointer=pointer, packet=quoted)
    to_home = packet.source == HOME_ADDRESS
    return write(
        Packet(
            source=packet.destination,
            destination=packet.source,
            message=message,
            tunnel=TUNNEL if to_home else None,
        )
    )


@pytest.mark.rfc("11.6.2-8", "and all goes through the home agent")
@pytest.mark.rfc("11.3.5-1", "it is remembered")
@pytest.mark.rfc("11.3.5-2", "nothing more is sent to it")
@pytest.mark.rfc("11.3.5-3", "for a while")
@pytest.mark.rfc("8.5-6", "what the error quotes decides")
@pytest.mark.parametrize("which", [0, 1])
def test_a_correspondent_without_mobile_ipv6(which: int) -> None:
    roamer = talking()
    inner = replace(roamer.tests[which].packet, tunnel=None)
    roamer.receive(problem(write(inner)))
    assert roamer.entry.why is Why.NOT_UNDERSTOOD
    assert not roamer.direct
    roamer.wait(290)
    roamer.talk()
    assert len(roamer.tests) == 2
    roamer.wait(10.5)
    assert len(roamer.tests) == 4, "there still is traffic"


def test_a_binding_update_that_is_not_understood() -> None:
    roamer = updating()
    roamer.receive(problem(write(roamer.peer_updates[-1].packet)))
    assert roamer.entry.why is Why.NOT_UNDERSTOOD
    assert not roamer.direct


def test_parameter_problems_that_nobody_need_believe() -> None:
    roamer = talking()
    test = roamer.tests[1].packet
    update = BindingUpdate(sequence_number=1, lifetime=40)
    other = replace(test, message=CareOfTestInit(care_of_init_cookie=bytes(8)))
    stranger = replace(test, destination=OTHER_CORRESPONDENT)
    request = BindingRefreshRequest()
    for packet, reason in (
        (other, "icmp_error"),
        (stranger, "icmp_error"),
        (replace(test, message=update), "icmp_error"),
        (replace(test, message=request), "icmp_error"),
    ):
        assert reasons(roamer.receive(problem(write(packet)))) == [reason]
    assert reasons(roamer.receive(problem(write(test), code=0))) == ["icmp_error"]
    assert roamer.entry.why is Why.TESTING


# §11.3.6 Binding Errors


def binding_error(status: int, **more: Any) -> bytes:
    address = more.pop("home_address", HOME_ADDRESS)
    return from_peer(BindingError(status=status, home_address=address), **more)


@pytest.mark.rfc("11.3.6-3", "what was direct goes through the home agent at once")
def test_binding_error_about_an_unknown_binding() -> None:
    roamer = optimized()
    roamer.wait(5)
    roamer.restart_correspondent()
    tests = len(roamer.tests)
    roamer.receive(binding_error(1))
    assert not roamer.direct
    assert len(roamer.tests) == tests + 2, "and a new procedure begins"
    roamer.exchange()
    assert roamer.direct


def test_binding_errors_that_prove_nothing() -> None:
    """A moment after an acknowledgement it is known better; each one that was believed
    makes that moment longer."""
    roamer = optimized(lifetime=4000)
    assert reasons(roamer.receive(binding_error(1))) == ["binding_error_too_soon"]
    waits = []
    for _ in range(6):
        acknowledged_at = roamer.now
        while roamer.direct:
            roamer.live(0.5)
            roamer.receive(binding_error(1))
        waits.append(roamer.now - acknowledged_at)
        roamer.exchange()
        assert roamer.direct
    assert waits == [1, 2, 4, 8, 8, 8]


@pytest.mark.parametrize(
    "changes",
    [
        {"source": OTHER_CORRESPONDENT},
        {"destination": NEXT_CARE_OF_ADDRESS},
        {"home_address": OTHER_CORRESPONDENT},
    ],
)
def test_binding_errors_that_nobody_need_believe(
    changes: dict[str, IPv6Address],
) -> None:
    roamer = optimized()
    roamer.wait(5)
    [reason] = reasons(roamer.receive(binding_error(1, **changes)))
    assert reason in (
        "not_in_binding_update_list",
        "no_binding",
        "binding_error_not_expected",
    )
    assert roamer.direct


@pytest.mark.rfc("11.3.6-5", "while an answer is waited for")
def test_binding_error_about_an_unknown_message() -> None:
    roamer = talking()
    roamer.receive(binding_error(2))
    assert roamer.entry.why is Why.NOT_UNDERSTOOD
    roamer = optimized()
    effects = roamer.receive(binding_error(2))
    assert reasons(effects) == ["binding_error_not_expected"]
    assert roamer.direct


# §11.7.2 Correspondent registration


@pytest.mark.rfc("8.5-10", "to the correspondent as well")
@pytest.mark.rfc("11.7.2-9", "its address")
@pytest.mark.rfc("6.1.7-3", "K is 0")
@pytest.mark.rfc("6.2-1", "as octets, too")
@pytest.mark.rfc("8.5-2", "with a Home Address option")
@pytest.mark.rfc("11.4.2-6", "no longer than the home registration")
@pytest.mark.rfc("11.7.2-5", "nor than the care-of address")
def test_the_binding_update() -> None:
    roamer = updating()
    [sent] = roamer.peer_updates
    update = sent.update
    assert sent.packet.destination == CORRESPONDENT
    assert sent.packet.source == CARE_OF_ADDRESS
    assert sent.packet.home_address == HOME_ADDRESS
    assert update.acknowledge
    assert not update.home_registration
    assert not update.key_management_mobility_capability
    assert update.lifetime == 400
    indices, authorization = update.options
    assert isinstance(indices, NonceIndices)
    assert isinstance(authorization, BindingAuthorizationData)
    octets = write_message(update, HOME_ADDRESS, CORRESPONDENT)
    assert octets.endswith(b"\x05\x0c" + authorization.authenticator)


def test_no_update_before_the_home_agent_has_acknowledged() -> None:
    roamer = optimized()
    roamer.move(answered=False)
    roamer.exchange()
    assert len(roamer.peer_updates) == 1
    roamer.answer_home(status=130, lifetime=0)
    assert len(roamer.peer_updates) == 1
    assert not roamer.direct


def test_lifetimes_end_with_the_care_of_address() -> None:
    roamer = Optimizer(lifetime=4000)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B, valid=103, preferred=103)
    roamer.answer_home()
    roamer.talk()
    roamer.exchange()
    assert roamer.peer_updates[0].update.lifetime == 100


def test_nothing_is_asked_for_that_would_end_at_once() -> None:
    roamer = Optimizer()
    roamer.register()
    roamer.wait(397)
    roamer.talk()
    roamer.exchange()
    assert roamer.peer_updates == []


@pytest.mark.rfc("11.7.2-1", "each of them")
def test_a_move_is_told_to_each_correspondent() -> None:
    roamer = optimized()
    roamer.talk(OTHER_CORRESPONDENT)
    roamer.move()
    asked = {
        sent.packet.destination
        for sent in roamer.sent
        if isinstance(sent.packet.message, CareOfTestInit)
        and sent.packet.source == NEXT_CARE_OF_ADDRESS
    }
    assert asked == {CORRESPONDENT, OTHER_CORRESPONDENT}


@pytest.mark.rfc("11.7.2-2", "none but ours")
@pytest.mark.rfc("11.7.2-3", "the address that the packet inside comes from")
def test_between_which_addresses() -> None:
    roamer = talking()
    home, care_of = roamer.tests
    assert home.packet.source == HOME_ADDRESS
    assert care_of.packet.destination == home.packet.destination == CORRESPONDENT


@pytest.mark.rfc("11.7.2-6", "no care-of nonce plays a part")
@pytest.mark.rfc("11.7.2-7", "at home the home address is both")
@pytest.mark.rfc("9.5.1-19", "the home nonce does")
def test_deletion_at_home() -> None:
    roamer = optimized()
    home_nonce_index = roamer.peer_updates[0].update.options[0]
    assert isinstance(home_nonce_index, NonceIndices)
    roamer.go_home()
    roamer.answer_home()
    sent = roamer.peer_updates[-1]
    assert (sent.packet.source, sent.packet.home_address) == (HOME_ADDRESS, None)
    assert sent.update.lifetime == 0
    index = home_nonce_index.home_nonce_index
    assert sent.update.options[0] == NonceIndices(index, 0)


def test_deletion_away_from_home() -> None:
    roamer = optimized()
    never = CorrespondentPolicy(IPv6Network("::/0"), Mode.NEVER)
    roamer.do(roamer.mobile_node.prefer((never,), roamer.now))
    sent = roamer.peer_updates[-1]
    assert (sent.packet.source, sent.packet.home_address) == (
        CARE_OF_ADDRESS,
        HOME_ADDRESS,
    )
    assert sent.update.lifetime == 0
    roamer.exchange()
    assert roamer.way is None


def test_a_deletion_is_repeated_until_the_binding_is_over() -> None:
    roamer = optimized()
    roamer.go_home()
    roamer.answer_home()
    roamer.lose()
    roamer.wait(60)
    deletions = [sent for sent in roamer.peer_updates if not sent.update.lifetime]
    assert len(deletions) > 1
    assert roamer.way is not None
    assert roamer.way.inbound_only
    roamer.wait(400)
    assert roamer.way is None


# §11.7.3 Binding Acknowledgements


@pytest.mark.rfc("11.7.3-2", "nothing else counts")
@pytest.mark.rfc("11.7.3-3", "nothing may stand behind it")
@pytest.mark.rfc("11.7.3-4", "no padding either")
def test_acknowledgements_that_do_not_count() -> None:
    roamer = updating()
    good = acknowledged(roamer)
    message = good.message
    assert isinstance(message, BindingAcknowledgement)
    number = message.sequence_number
    advice = BindingRefreshAdvice(refresh_interval=4)
    for packet, reason in (
        (replace(good, message=replace(message, options=())), "unauthenticated"),
        (replace(good, message=replace(message, options=(BLANK,))), "unauthenticated"),
        (replace(good, message=replace(message, lifetime=4)), "unauthenticated"),
        (
            replace(good, message=replace(message, options=(*message.options, advice))),
            "unauthenticated",
        ),
        (replace(good, message=replace(message, status=135)), "unauthenticated"),
        (resigned(roamer, good, sequence_number=number + 1), "sequence_number"),
        (resigned(roamer, good, status=136, sequence_number=9), "sequence_number"),
        (replace(good, routing_address=None), "not_for_home_address"),
        (replace(good, source=OTHER_CORRESPONDENT), "not_from_home_agent"),
    ):
        assert reasons(roamer.receive(write(packet))) == [reason]
        assert not roamer.direct
    assert reasons(roamer.receive(padded(good))) == ["unauthenticated"]
    roamer.hear_from_peer(good)
    assert roamer.direct


def padded(packet: Packet) -> bytes:
    """Eight octets of padding behind the last option."""
    message = packet.message
    assert isinstance(message, BindingAcknowledgement)
    octets = bytearray(write_message(message, CORRESPONDENT, HOME_ADDRESS))
    octets += b"\x01\x06" + bytes(6)
    octets[1] += 1
    octets[4:6] = bytes(2)
    headers = IPv6Packet(
        source=packet.source,
        destination=packet.destination,
        extensions=(RoutingHeaderType2(HOME_ADDRESS),),
        next_header=NextHeader.MOBILITY,
        payload=bytes(octets),
    )
    total = sum_of(HOME_ADDRESS, headers)
    octets[4:6] = total.to_bytes(2)
    return write_packet(replace(headers, payload=bytes(octets)))


def sum_of(destination: IPv6Address, headers: IPv6Packet) -> int:
    from mip6.wire.checksum import checksum

    return checksum(headers.source, destination, headers.next_header, headers.payload)


@pytest.mark.rfc("11.7.3-16", "only the home agent may advise")
def test_advice_of_a_correspondent() -> None:
    roamer = updating()
    advice = BindingRefreshAdvice(refresh_interval=4)
    answer = resigned(roamer, acknowledged(roamer), options=(advice,))
    roamer.hear_from_peer(answer)
    assert roamer.direct
    sent = len(roamer.to_peer())
    roamer.wait(50)
    assert len(roamer.to_peer()) == sent


def test_a_shorter_lifetime_counts_from_sending() -> None:
    roamer = updating()
    answer = resigned(roamer, acknowledged(roamer), lifetime=40)
    roamer.now += 0.5
    roamer.hear_from_peer(answer)
    assert roamer.entry.until == roamer.now - 0.5 + 40


@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        (136, [HomeTestInit]),
        (137, [CareOfTestInit]),
        (138, [HomeTestInit, CareOfTestInit]),
    ],
)
def test_nonces_that_are_not_known_any_more(status: int, kinds: list[type]) -> None:
    roamer = updating()
    number = roamer.peer_updates[-1].update.sequence_number
    refused = BindingAcknowledgement(status=status, sequence_number=number, lifetime=0)
    before = len(roamer.to_peer())
    roamer.receive(from_peer(refused, routing_address=HOME_ADDRESS))
    after = [type(sent.packet.message) for sent in roamer.to_peer()[before:]]
    assert after == kinds
    roamer.exchange()
    assert roamer.direct
    assert roamer.peer_updates[-1].update.sequence_number == number + 1


def test_who_never_knows_its_nonces_is_left_alone() -> None:
    roamer = updating()
    for _ in range(20):
        refused = BindingAcknowledgement(
            status=138,
            sequence_number=roamer.peer_updates[-1].update.sequence_number,
            lifetime=0,
        )
        roamer.receive(from_peer(refused, routing_address=HOME_ADDRESS))
        roamer.wait(10)
        if roamer.entry.why is Why.NO_ANSWER:
            break
        for packet in home_and_care_of_test(roamer):
            roamer.hear_from_peer(packet)
    assert roamer.entry.why is Why.NO_ANSWER
    assert len(roamer.peer_updates) <= 5


def test_sequence_number_out_of_window() -> None:
    roamer = updating()
    answer = acknowledged(roamer)
    number = roamer.peer_updates[-1].update.sequence_number
    stale = resigned(roamer, answer, status=135, sequence_number=number - 1)
    assert reasons(roamer.hear_from_peer(stale)) == ["sequence_number_in_window"]
    other = resigned(roamer, answer, status=135, sequence_number=number + 100)
    roamer.hear_from_peer(other)
    assert roamer.peer_updates[-1].update.sequence_number == number + 101
    again = resigned(roamer, answer, status=135, sequence_number=number + 300)
    roamer.hear_from_peer(again)
    assert roamer.peer_updates[-1].update.sequence_number == number + 101
    roamer.wait(1)
    assert roamer.peer_updates[-1].update.sequence_number == number + 301


@pytest.mark.parametrize(("status", "lifetime"), [(128, 0), (129, 0), (0, 0)])
def test_refusals(status: int, lifetime: int) -> None:
    roamer = updating()
    answer = acknowledged(roamer)
    roamer.hear_from_peer(resigned(roamer, answer, status=status, lifetime=lifetime))
    assert roamer.entry.why is Why.REFUSED
    assert roamer.entry.status == status
    assert not roamer.direct
    sent = len(roamer.to_peer())
    roamer.wait(100)
    assert len(roamer.to_peer()) == sent


# §11.7.4 Binding Refresh Requests


def refresh_request(roamer: Optimizer) -> list[str]:
    octets = from_peer(BindingRefreshRequest(), destination=HOME_ADDRESS, tunnel=TUNNEL)
    return reasons(roamer.receive(octets))


@pytest.mark.rfc("8.5-12", "with new tests before it")
@pytest.mark.rfc("11.7.4-1", "then a Binding Update")
@pytest.mark.rfc("11.7.4-2", "for longer")
@pytest.mark.rfc("11.7.4-3", "no longer than the home registration")
@pytest.mark.rfc("11.7.4-4", "and the entry says so")
def test_binding_refresh_request() -> None:
    roamer = optimized(lifetime=600)
    roamer.live(100)
    roamer.talk()
    assert refresh_request(roamer) == []
    assert refresh_request(roamer) == ["binding_refresh_request_too_soon"]
    assert roamer.direct
    roamer.exchange()
    assert roamer.peer_updates[-1].update.lifetime == 420
    assert roamer.entry.until == roamer.now + 420
    roamer.live(170)
    roamer.talk()
    assert refresh_request(roamer) == []
    roamer.exchange()
    assert roamer.peer_updates[-1].update.lifetime == 328


def test_binding_refresh_requests_that_are_ignored() -> None:
    roamer = optimized(lifetime=4000)
    assert refresh_request(roamer) == ["binding_refresh_request_too_soon"]
    roamer.wait(70)
    assert refresh_request(roamer) == ["binding_not_needed"]
    stranger = from_peer(
        BindingRefreshRequest(),
        source=OTHER_CORRESPONDENT,
        destination=HOME_ADDRESS,
        tunnel=TUNNEL,
    )
    assert reasons(roamer.receive(stranger)) == ["not_in_binding_update_list"]
    roamer = talking()
    assert refresh_request(roamer) == ["no_binding"]


# §11.8 Retransmissions and rates


def test_binding_updates_are_repeated() -> None:
    """After the second try new tokens are asked for: the correspondent may take the
    old ones for wrong, and is silent then."""
    roamer = updating()
    numbers = [roamer.peer_updates[0].update.sequence_number]
    roamer.wait(1)
    assert len(roamer.peer_updates) == 2
    roamer.lose()
    roamer.wait(2)
    assert len(roamer.peer_updates) == 2
    assert len(roamer.tests) == 4
    for packet in home_and_care_of_test(roamer):
        roamer.hear_from_peer(packet)
    assert len(roamer.peer_updates) == 3
    numbers = [sent.update.sequence_number for sent in roamer.peer_updates]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    roamer.wait(4)
    assert len(roamer.peer_updates) == 4
    roamer.wait(8)
    assert roamer.entry.why is Why.NO_ANSWER
    assert not roamer.direct


def test_an_update_that_must_arrive_is_repeated_for_long() -> None:
    """The correspondent sends to where we were, so it is told until it hears."""
    roamer = optimized(lifetime=4000)
    roamer.move()
    roamer.exchange(lost=lambda packet: isinstance(packet.message, BindingUpdate))
    for _ in range(300):
        roamer.wait(1)
        roamer.exchange(lost=lambda packet: isinstance(packet.message, BindingUpdate))
    assert roamer.entry.why is Why.UPDATING
    gaps = [later.at - one.at for one, later in pairwise(roamer.peer_updates[1:])]
    assert gaps[:6] == [1, 2, 4, 8, 16, 32]
    assert len(gaps) > 10
    roamer.exchange()
    roamer.wait(32)
    roamer.exchange()
    assert roamer.direct


@pytest.mark.parametrize("kind", [HomeTestInit, CareOfTestInit, BindingUpdate])
def test_never_more_than_three_a_second(kind: type) -> None:
    roamer = optimized(lifetime=4000)
    places: tuple[Callable[[], None], ...] = (roamer.move, lambda: back(roamer))
    for number in range(40):
        places[number % 2]()
        roamer.exchange()
        roamer.live(0.05)
    moments = [sent.at for sent in roamer.to_peer(kind)]
    for first, fourth in zip(moments, moments[3:], strict=False):
        assert fourth - first >= 1.0
    roamer.live(3)
    roamer.answer_home()
    roamer.exchange()
    assert roamer.direct


def back(roamer: Optimizer) -> None:
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer_home()


# §11.3.1 Which way packets take


@pytest.mark.rfc("11.3.1-3", "the direct one")
@pytest.mark.rfc(
    "11.3.1-7", "only once it was acknowledged, and no longer than it lasts"
)
@pytest.mark.rfc("11.3.1-8", "by the data plane")
@pytest.mark.rfc("11.3.1-9", "that of the binding")
@pytest.mark.rfc("11.3.1-10", "which is one of the link in use")
def test_what_the_data_plane_is_told() -> None:
    roamer = updating()
    assert roamer.way is not None
    assert roamer.way.inbound_only
    roamer.hear_from_peer(acknowledged(roamer))
    assert roamer.direct
    assert roamer.way.care_of_address in PREFIX_B
    assert roamer.way.expires == roamer.now + 400
    roamer.move()
    assert not roamer.direct
    assert roamer.way.care_of_address in PREFIX_C
    assert roamer.care_of_addresses == {roamer.way.care_of_address}


@pytest.mark.rfc("11.3.1-5", "none is ever begun with them")
def test_link_local_peers() -> None:
    roamer = Optimizer()
    roamer.register()
    roamer.talk(IPv6Address("fe80::1"))
    assert len(roamer.mobile_node.correspondents) == 0
    assert roamer.standing(RouteOptimization) == []


@pytest.mark.rfc("8.5-15", "for each prefix, also while it runs")
@pytest.mark.rfc("8.5-16", "without being asked")
def test_the_administrator_decides() -> None:
    assert optimized().direct
    off = Optimizer(route_optimization=False)
    off.register()
    off.talk()
    assert off.to_peer() == []
