"""Section 11: bindings of the mobile node with correspondents (§11.7.2 to §11.8)."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from itertools import pairwise

import pytest
from tests.conformance.nodes import CORRESPONDENT, HOME_ADDRESS
from tests.conformance.roamer import PREFIX_B, PREFIX_C, ROUTER_B
from tests.conformance.test_section_11_correspondents import (
    CARE_OF_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
    OTHER_CORRESPONDENT,
    TUNNEL,
    acknowledged,
    from_peer,
    home_and_care_of_test,
    optimized,
    reasons,
    resigned,
    talking,
    updating,
)
from tests.support.optimizing import Optimizer

from mip6.core.packet import Packet, write
from mip6.core.return_routability import BLANK
from mip6.core.route_optimization import CorrespondentPolicy, Mode, Why
from mip6.core.state import RouteOptimization
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingRefreshRequest,
    BindingUpdate,
    CareOfTestInit,
    HomeTestInit,
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
    write_packet,
)

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
