"""The direct way when things go wrong with it: errors from routers, a kernel that
refuses, a list that is full."""

from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.conformance.nodes import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT
from tests.support.optimizing import Optimizer

from mip6.core.binding_update_list import BEGINNINGS_BURST, ERRORS_MIN
from mip6.core.correspondent import Correspondent
from mip6.core.direct_errors import quote
from mip6.core.effects import Effect, Notify
from mip6.core.events import Dropped, Problem, WayChanged
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.route_optimization import CorrespondentPolicy, Mode, Why
from mip6.core.state import End, Route, RouteOptimization
from mip6.wire.icmpv6 import (
    DestinationUnreachable,
    ErrorMessage,
    PacketTooBig,
    ParameterProblem,
    TimeExceeded,
)
from mip6.wire.messages import BindingError, CareOfTestInit
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    write_packet,
)

CARE_OF_ADDRESS = IPv6Address("2001:db8:b::ff:fe00:5")
ROUTER = IPv6Address("2001:db8:f::1")
UDP = 17
OTHERS = [IPv6Address(f"2001:db8:d::{number:x}") for number in range(2, 60)]


def data(
    *,
    source: IPv6Address = CARE_OF_ADDRESS,
    destination: IPv6Address = CORRESPONDENT,
    home_address: IPv6Address | None = HOME_ADDRESS,
    care_of_address: IPv6Address | None = None,
    payload: int = 1400,
) -> bytes:
    """A packet on the direct way; with `care_of_address` to a mobile correspondent."""
    extensions: list[RoutingHeaderType2 | DestinationOptions] = []
    if care_of_address is not None:
        extensions.append(RoutingHeaderType2(destination))
        destination = care_of_address
    if home_address is not None:
        option = HomeAddressOption(home_address)
        extensions.append(DestinationOptions((option,)))
    return write_packet(
        IPv6Packet(
            source=source,
            destination=destination,
            extensions=tuple(extensions),
            next_header=UDP,
            payload=bytes(payload),
        )
    )


def told(roamer: Optimizer, message: ErrorMessage) -> list[Effect]:
    packet = Packet(source=ROUTER, destination=CARE_OF_ADDRESS, message=message)
    return roamer.receive(write(packet))


def reasons(effects: list[Effect]) -> list[str]:
    return [
        effect.event.reason
        for effect in effects
        if isinstance(effect, Notify) and isinstance(effect.event, Dropped)
    ]


def optimized() -> Optimizer:
    roamer = Optimizer(lifetime=4000)
    roamer.optimize()
    return roamer


@pytest.mark.rfc("11.3.5-6", "logged and dropped; if it goes on, that way is left")
@pytest.mark.parametrize(
    ("message", "why"),
    [
        (ParameterProblem(code=2, pointer=42, packet=data()), "option_not_understood"),
        (DestinationUnreachable(code=1, packet=data()), "unreachable"),
        (TimeExceeded(code=0, packet=data()), "unreachable"),
        (PacketTooBig(mtu=1280, packet=data()), "path_too_narrow"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_errors_that_persist(message: ErrorMessage, why: str) -> None:
    """One alone, from nowhere, moves nothing."""
    roamer = optimized()
    for _ in range(ERRORS_MIN - 1):
        roamer.now += 1
        assert reasons(told(roamer, message)) == ["icmp_error_alone"]
        assert roamer.direct
    roamer.now += 1
    effects = told(roamer, message)
    assert not roamer.direct
    assert roamer.entry.why == why
    problems = [
        effect.event
        for effect in effects
        if isinstance(effect, Notify) and isinstance(effect.event, Problem)
    ]
    assert len(problems) == (why == "option_not_understood")
    assert Notify(WayChanged(CORRESPONDENT, False, Why(why))) in effects


def test_errors_now_and_then() -> None:
    roamer = optimized()
    for _ in range(5):
        told(roamer, DestinationUnreachable(code=1, packet=data()))
        roamer.wait(8)
    assert roamer.direct


@pytest.mark.parametrize(
    "quoted",
    [
        data(home_address=None),
        data(home_address=CORRESPONDENT),
        data(source=ROUTER),
        data(destination=ROUTER),
        b"nothing",
    ],
    ids=["plain", "another home address", "another source", "another peer", "noise"],
)
def test_errors_about_packets_that_are_not_ours(quoted: bytes) -> None:
    roamer = optimized()
    for _ in range(ERRORS_MIN + 1):
        unreachable = DestinationUnreachable(code=1, packet=quoted)
        assert reasons(told(roamer, unreachable)) == ["icmp_error"]
        too_big = PacketTooBig(mtu=1300, packet=quoted)
        assert reasons(told(roamer, too_big)) == ["icmp_error_quote"]
    assert roamer.direct
    assert mtu(roamer) is None


@pytest.mark.parametrize("kind", [DestinationUnreachable, TimeExceeded])
def test_where_a_mobile_correspondent_was(
    kind: type[DestinationUnreachable | TimeExceeded],
) -> None:
    """Both have moved, and routers still say that it is not there any more: that is
    nothing against the direct way (§9.3.4 is the correspondent's)."""
    roamer = optimized()
    left = data(care_of_address=IPv6Address("2001:db8:c::ff:fe00:65"))
    for _ in range(ERRORS_MIN + 1):
        roamer.now += 1
        assert reasons(told(roamer, kind(code=0, packet=left))) == ["icmp_error"]
    assert roamer.direct
    # But that it does not know the option, it says itself.
    for _ in range(ERRORS_MIN):
        told(roamer, ParameterProblem(code=2, pointer=42, packet=left))
    assert roamer.entry.why == "option_not_understood"


def mtu(roamer: Optimizer) -> int | None:
    """Of the route to the correspondent."""
    for route in roamer.standing(Route):
        if route.destination == IPv6Network(CORRESPONDENT):
            assert (route.table, route.source) == (100, HOME_ADDRESS)
            return route.mtu
    return None


def test_packet_too_big() -> None:
    """Less what the Home Address option takes; forgotten after ten minutes."""
    roamer = optimized()
    told(roamer, PacketTooBig(mtu=1400, packet=data()))
    assert mtu(roamer) == 1376
    assert roamer.entry.mtu == 1376
    assert reasons(told(roamer, PacketTooBig(mtu=1400, packet=data()))) == [
        "mtu_not_smaller"
    ]
    assert reasons(told(roamer, PacketTooBig(mtu=1279, packet=data()))) == [
        "mtu_below_minimum"
    ]
    fits = PacketTooBig(mtu=1304, packet=data(payload=1240))
    assert reasons(told(roamer, fits)) == ["icmp_error_quote"]
    told(roamer, PacketTooBig(mtu=1304, packet=data()))
    assert mtu(roamer) == 1280
    for _ in range(60):
        roamer.live(10)
        roamer.talk()
        roamer.exchange()
    assert roamer.direct
    assert mtu(roamer) is None


def test_packet_too_big_on_the_way_to_a_mobile_correspondent() -> None:
    """Both headers count, and its home address is the correspondent."""
    found = quote(data(care_of_address=ROUTER))
    assert found is not None
    assert (found.destination, found.overhead) == (CORRESPONDENT, 48)


def test_a_quote_that_was_cut_and_one_of_the_plain_way() -> None:
    found = quote(data()[:80])
    assert found is not None and found.overhead == 24
    plain = IPv6Packet(
        source=HOME_ADDRESS, destination=CORRESPONDENT, next_header=17, payload=bytes(8)
    )
    found = quote(write_packet(plain))
    assert found is not None
    assert (found.home_address, found.overhead, found.message) == (None, 0, None)


def test_a_quote_that_ends_within_a_message() -> None:
    packet = Packet(
        source=CARE_OF_ADDRESS,
        destination=CORRESPONDENT,
        message=CareOfTestInit(care_of_init_cookie=bytes(8)),
    )
    assert quote(write(packet)) is not None
    assert quote(write(packet)[:44]) is None


def test_the_route_goes_with_the_direct_way() -> None:
    roamer = optimized()
    told(roamer, PacketTooBig(mtu=1400, packet=data()))
    roamer.link_down()
    assert mtu(roamer) is None


def test_a_route_that_the_kernel_refuses_is_no_reason_to_stop() -> None:
    roamer = optimized()
    told(roamer, PacketTooBig(mtu=1400, packet=data()))
    assert roamer.way is not None
    way = roamer.way
    roamer.do(roamer.node.failed(way, roamer.now))
    assert roamer.entry.why is Why.KERNEL


def test_the_kernel_refuses_the_direct_way() -> None:
    """Nothing was asked for that it could not keep; what stands is deleted."""
    roamer = Optimizer(lifetime=4000)
    roamer.register()
    roamer.talk()
    for sent in list(roamer.tests):
        for answer in roamer.answers(sent.packet):
            effects = roamer.hear_from_peer(answer)
    [install] = [e for e in effects if getattr(e, "state", None)]
    refused = install.state  # type: ignore[union-attr]
    assert isinstance(refused, RouteOptimization)
    roamer.do(roamer.node.failed(refused, roamer.now))
    assert roamer.way is None
    assert roamer.entry.why is Why.KERNEL
    assert roamer.tunnel is not None, "the tunnel is not touched by it"
    deletion = roamer.peer_updates[-1]
    assert deletion.update.lifetime == 0
    roamer.exchange()
    roamer.wait(290)
    roamer.talk()
    roamer.wait(11)
    roamer.exchange()
    assert roamer.direct, "tried again"


def test_a_way_of_somebody_unknown_may_be_refused() -> None:
    roamer = optimized()
    assert roamer.way is not None
    roamer.mobile_node.correspondents._entries.clear()
    roamer.do(roamer.node.failed(roamer.way, roamer.now))
    assert roamer.way is None


def test_a_mobile_correspondent_complains_from_where_it_is() -> None:
    """Packets to it carry a type 2 routing header, so the Binding Error does not come
    from its home address."""
    roamer = optimized()
    there = IPv6Address("2001:db8:c::77")
    binding = RouteOptimization(
        end=End.CORRESPONDENT,
        home_address=CORRESPONDENT,
        correspondent=HOME_ADDRESS,
        care_of_address=there,
        expires=roamer.now + 400,
    )
    role = Correspondent((HOME_ADDRESS,), random=bytes, restored=(binding,))
    roamer.node = Node(mobile_node=roamer.mobile_node, correspondent=role)
    roamer.wait(5)
    error = BindingError(status=1, home_address=HOME_ADDRESS)
    for source, direct in ((ROUTER, True), (there, False)):
        packet = Packet(source=source, destination=CARE_OF_ADDRESS, message=error)
        roamer.receive(write(packet))
        assert roamer.direct == direct


# The list has a limit.


def test_who_talked_least_recently_makes_room() -> None:
    roamer = Optimizer(correspondents_max=2, lifetime=4000)
    roamer.optimize()
    roamer.talk(OTHERS[0])
    roamer.talk(OTHERS[1])
    entries = roamer.mobile_node.correspondents
    assert entries.find(OTHERS[1]) is None, "both places are in use"
    roamer.wait(20)
    assert roamer.mobile_node.correspondents.find(OTHERS[0]) is not None
    roamer.talk(OTHERS[1])
    assert entries.find(OTHERS[0]) is None, "it did not answer"
    assert entries.find(OTHERS[1]) is not None
    assert entries.find(CORRESPONDENT) is not None, "it has a binding"
    assert len(entries) == 2


def test_an_idle_one_without_a_binding_makes_room() -> None:
    roamer = Optimizer(correspondents_max=1, lifetime=4000)
    roamer.talk(OTHERS[0])
    roamer.now += 100
    roamer.talk(OTHERS[1])
    entries = roamer.mobile_node.correspondents
    assert entries.find(OTHERS[0]) is None
    assert entries.find(OTHERS[1]) is not None


def test_who_scans_the_network_does_not_test_it() -> None:
    roamer = Optimizer(lifetime=4000)
    roamer.register()
    for peer in OTHERS:
        roamer.talk(peer)
    assert len(roamer.mobile_node.correspondents) == BEGINNINGS_BURST


def test_at_home_nobody_is_remembered() -> None:
    roamer = Optimizer()
    roamer.go_home()
    roamer.talk()
    assert len(roamer.mobile_node.correspondents) == 0


def test_policies_that_name_somebody() -> None:
    """An address is talked to from the start; who is no destination never is."""
    named = [
        CorrespondentPolicy(IPv6Network(address), Mode.ALWAYS)
        for address in (CORRESPONDENT, HOME_AGENT)
    ]
    prefix = CorrespondentPolicy(IPv6Network("2001:db8:d::/64"), Mode.ALWAYS)
    roamer = Optimizer(policies=(*named, prefix))
    roamer.register()
    entries = roamer.mobile_node.correspondents
    assert len(entries) == 1
    assert entries.find(CORRESPONDENT) is not None


def test_who_was_given_up_is_asked_again_when_the_operator_says_so() -> None:
    roamer = Optimizer(lifetime=4000)
    roamer.register()
    roamer.talk()
    roamer.wait(16)
    assert roamer.entry.why is Why.NO_ANSWER
    roamer.do(roamer.mobile_node.prefer((), roamer.now))
    assert roamer.entry.why is Why.TESTING


def test_an_entry_that_nobody_needs() -> None:
    """Idle and bound: not refreshed, but told of a move; idle and unbound: gone."""
    roamer = optimized()
    roamer.wait(100)
    assert roamer.entry.why is Why.REGISTERED
    roamer.link_down()
    roamer.wait(1)
    assert roamer.entry.why is Why.HOME_REGISTRATION
    roamer.wait(400)
    assert len(roamer.mobile_node.correspondents) == 0
