"""RFC 6275 §11.1, §11.3.5, §11.3.6, §11.6, §11.7.2 to §11.8: the mobile node and its
correspondents."""

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest
from tests.conformance.nodes import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import PREFIX_B, ROUTER_B
from tests.support.optimizing import Optimizer

from mip6.core.effects import Effect, Notify
from mip6.core.events import Dropped
from mip6.core.packet import Packet, write
from mip6.core.return_routability import sign
from mip6.core.route_optimization import Why
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
)
from mip6.wire.options import (
    BindingAuthorizationData,
)
from mip6.wire.packet import (
    read_packet,
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
