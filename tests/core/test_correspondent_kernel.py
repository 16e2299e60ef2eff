"""The correspondent: what the kernel refuses, own addresses, errors on the way."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from tests.core.test_correspondent import (
    ENDS,
    ROUTE,
    changes,
    role,
    route_optimization,
)
from tests.support.core import Kernel
from tests.support.correspondents import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
    OTHER_CORRESPONDENT,
    OTHER_HOME_ADDRESS,
    MobileNode,
    acknowledgement,
    correspondent,
    correspondent_node,
    dropped,
    optimized,
    sent,
    unreachable,
)

from mip6.core.effects import Install, Notify, Remove
from mip6.core.events import Change, Problem, Refused
from mip6.core.node import Node
from mip6.core.packet import Packet
from mip6.core.state import (
    End,
    HomeAddress,
    Route,
    RouteOptimization,
    State,
)
from mip6.wire.icmpv6 import PacketTooBig
from mip6.wire.messages import (
    BindingAcknowledgement,
    HomeTestInit,
)
from mip6.wire.packet import HEADER, IPv6Packet, write_packet


@pytest.fixture
def mobile_node() -> MobileNode:
    return MobileNode(node=correspondent_node())


# The kernel refuses


@pytest.mark.parametrize("refused", [RouteOptimization, Route])
def test_the_kernel_refuses_a_binding(refused: type[State]) -> None:
    node = correspondent_node()
    mobile_node = MobileNode(node=node).tested()
    kernel = Kernel(node, [refused])
    kernel.perform(node.receive(mobile_node.update(acknowledge=False), 0.0), 0.0)
    assert kernel.standing == {}
    assert node.installed == set()
    (answer,) = kernel.sent
    assert isinstance(answer.message, BindingAcknowledgement)
    assert answer.message.status == 130
    assert [type(event) for event in kernel.told] == [Refused, Problem]
    # The same tokens are good for another try.
    kernel.refuse = ()
    kernel.perform(node.receive(mobile_node.update(), 0.1), 0.1)
    assert optimized(node) == {ENDS: CARE_OF_ADDRESS}


def test_the_kernel_refuses_a_move() -> None:
    node = correspondent_node()
    mobile_node = MobileNode(node=node)
    kernel = Kernel(node)
    kernel.perform(mobile_node.bind(), 0.0)
    before = dict(kernel.standing)
    mobile_node.care_of_address = NEXT_CARE_OF_ADDRESS
    mobile_node.tested()
    kernel.refuse = (RouteOptimization,)
    kernel.perform(node.receive(mobile_node.update(), 1.0), 1.0)
    assert kernel.standing == before
    assert set(before.values()) == node.installed
    binding = role(node).binding(*ENDS)
    assert binding is not None
    # The update was valid, so its number counts.
    assert binding.sequence_number == 2


def test_the_kernel_refuses_a_repair() -> None:
    """Nobody asked for it just now, so there is nobody to tell."""
    node = correspondent_node()
    mobile_node = MobileNode(node=node)
    mobile_node.bind()
    (state,) = [s for s in node.installed if isinstance(s, RouteOptimization)]
    effects = node.failed(state, 10.0)
    assert effects[0] == Remove(ROUTE)
    assert changes(effects) == [(Change.DELETED, 0)]
    assert sent(effects) == []
    assert node.installed == set()
    assert acknowledgement(node.receive(mobile_node.update(), 10.0)).status == 137


def test_the_kernel_refuses_the_route_that_two_bindings_share() -> None:
    """Both end, and nobody asks for the route again meanwhile."""
    node = correspondent_node()
    MobileNode(node=node).bind()
    MobileNode(node=node, correspondent=OTHER_CORRESPONDENT).bind()
    effects = node.failed(ROUTE, 10.0)
    assert changes(effects) == [(Change.DELETED, 0)] * 2
    assert [e.state.key for e in effects if isinstance(e, Install | Remove)] == [
        route_optimization(correspondent=OTHER_CORRESPONDENT).key,
        route_optimization().key,
    ]
    assert node.installed == set()


def test_the_kernel_refuses_one_of_two_that_share_the_route() -> None:
    node = correspondent_node()
    MobileNode(node=node).bind()
    MobileNode(node=node, correspondent=OTHER_CORRESPONDENT).bind()
    effects = node.failed(route_optimization(), 10.0)
    assert [e for e in effects if isinstance(e, Install | Remove)] == []
    other = route_optimization(correspondent=OTHER_CORRESPONDENT)
    assert node.installed == {other, ROUTE}


@pytest.mark.parametrize("refused", [Route, RouteOptimization])
@pytest.mark.parametrize("others", [(), (OTHER_CORRESPONDENT,)])
def test_the_kernel_refuses_a_smaller_mtu(
    others: tuple[IPv6Address, ...], refused: type[State]
) -> None:
    """The route with the former one stands, and must not be left behind."""
    node = correspondent_node()
    kernel = Kernel(node)
    mobile_node = MobileNode(node=node)
    kernel.perform(mobile_node.bind(), 0.0)
    for own in others:
        other = MobileNode(node=node, correspondent=own)
        kernel.perform(other.bind(), 0.0)
    kernel.refuse = (refused,)
    kernel.perform(node.receive(too_big(mobile_node, 1280), 10.0), 10.0)
    assert set(kernel.standing.values()) == node.installed
    assert not any(isinstance(state, Route) and state.mtu for state in node.installed)
    assert role(node).binding(*ENDS) is None


def test_the_kernel_refuses_a_larger_mtu() -> None:
    """Of two that shared the route the one whose way was narrow has ended."""
    node = correspondent_node()
    kernel = Kernel(node)
    mobile_node = MobileNode(node=node)
    kernel.perform(mobile_node.bind(), 0.0)
    kernel.perform(node.receive(too_big(mobile_node, 1400), 1.0), 1.0)
    other = MobileNode(node=node, correspondent=OTHER_CORRESPONDENT)
    kernel.perform(other.bind(), 1.0)
    kernel.refuse = (Route,)
    kernel.perform(node.addresses_changed([OTHER_CORRESPONDENT], 2.0), 2.0)
    assert kernel.standing == {}
    assert node.installed == set()


@pytest.mark.parametrize("later", ["message", "tick", "addresses", "configure"])
def test_what_was_replaced_long_ago_does_not_stand(later: str) -> None:
    """A repair is refused, when the smaller MTU had been taken."""
    node = correspondent_node()
    mobile_node = MobileNode(node=node)
    mobile_node.bind()
    node.receive(too_big(mobile_node, 1400), 1.0)
    match later:
        case "message":
            mobile_node.tested()
        case "tick":
            node.tick(2.0)
        case "addresses":
            node.addresses_changed([CORRESPONDENT], 2.0)
        case _:
            role(node).configure(
                2.0, lifetime_max=420, allowed=(IPv6Network("::/0"),), refused=()
            )
    effects = node.failed(replace(ROUTE, mtu=1376), 3.0)
    assert [e for e in effects if isinstance(e, Install | Remove)] == [
        Remove(route_optimization())
    ]


def test_states_of_others() -> None:
    others = (
        HomeAddress(address=HOME_ADDRESS, link="mip0"),
        route_optimization(),
        route_optimization(end=End.MOBILE_NODE),
        ROUTE,
    )
    role = correspondent()
    assert not any(role.owns(state) for state in others)
    assert [type(effect) for effect in role.failed(others[1], 0.0)] == [Notify]
    mobile_node = MobileNode(node=Node(correspondent=role))
    mobile_node.bind()
    assert role.owns(ROUTE)
    assert role.owns(route_optimization())
    assert not role.owns(route_optimization(expires=61.0))
    assert not role.owns(replace(ROUTE, link="eth0"))


# What was there at the start


def test_restored() -> None:
    found = route_optimization(previous=NEXT_CARE_OF_ADDRESS, previous_until=1.0)
    node = correspondent_node(restored=[found])
    assert node.installed == {found, ROUTE}
    # The nonces of before are not known; then any number will do.
    mobile_node = MobileNode(node=node)
    packet = mobile_node.update(77)
    assert acknowledgement(node.receive(packet, 0.0)).status == 138
    mobile_node.bind(number=5)
    assert node.deadline is not None


def test_what_is_not_restored() -> None:
    node = correspondent_node(
        bindings_max=1,
        restored=[
            route_optimization(end=End.MOBILE_NODE),
            route_optimization(correspondent=IPv6Address("2001:db8:e::9")),
            route_optimization(),
            route_optimization(home_address=OTHER_HOME_ADDRESS),
        ],
    )
    assert optimized(node) == {ENDS: CARE_OF_ADDRESS}


# Our addresses


def test_an_address_vanishes() -> None:
    node = correspondent_node()
    MobileNode(node=node).bind()
    other = MobileNode(node=node, correspondent=OTHER_CORRESPONDENT)
    other.bind()
    new = IPv6Address("2001:db8:e::4")
    effects = node.addresses_changed([OTHER_CORRESPONDENT, new], 1.0)
    assert changes(effects) == [(Change.DELETED, 0)]
    assert optimized(node) == {(OTHER_CORRESPONDENT, HOME_ADDRESS): CARE_OF_ADDRESS}
    gone = MobileNode(node=node)
    packet = gone.packet(HomeTestInit(home_init_cookie=bytes(8)), HOME_ADDRESS)
    assert dropped(node.receive(packet, 1.0)) == "not_for_us"
    MobileNode(node=node, correspondent=new).bind()


# Errors on the way


def too_big(mobile_node: MobileNode, mtu: int, **changed: Any) -> bytes:
    quoted = mobile_node.data()
    return mobile_node.error(PacketTooBig(mtu=mtu, packet=quoted))


def mtus(node: Node) -> list[int | None]:
    return [state.mtu for state in node.installed if isinstance(state, Route)]


def test_packet_too_big(mobile_node: MobileNode) -> None:
    node = mobile_node.node
    mobile_node.bind(lifetime=400)
    assert node.receive(too_big(mobile_node, 1400), 1.0) == [
        Install(replace(ROUTE, mtu=1376))
    ]
    assert dropped(node.receive(too_big(mobile_node, 1400), 2.0)) == "mtu_not_smaller"
    node.receive(too_big(mobile_node, 100), 3.0)
    assert mtus(node) == [1280]
    # It lasts as long as the care-of address, and ten minutes at most.
    mobile_node.bind(300.0, lifetime=400)
    assert mtus(node) == [1280]
    mobile_node.bind(603.0)
    assert mtus(node) == [None]
    node.receive(too_big(mobile_node, 1400), 603.0)
    mobile_node.care_of_address = NEXT_CARE_OF_ADDRESS
    mobile_node.bind(604.0)
    assert mtus(node) == [None]


def test_where_the_smallest_packets_need_fragments(mobile_node: MobileNode) -> None:
    """With a routing header; no sender is told less than 1280."""
    node = mobile_node.node

    def way() -> RouteOptimization:
        [state] = [s for s in node.installed if isinstance(s, RouteOptimization)]
        return state

    mobile_node.bind(lifetime=400)
    for told, known in ((1304, None), (1303, 1303), (1280, 1280)):
        node.receive(too_big(mobile_node, told), 1.0)
        assert mtus(node) == [1280]
        assert way().path_mtu == known
    mobile_node.bind(300.0, lifetime=400)
    assert way().path_mtu == 1280
    mobile_node.bind(603.0)
    assert way().path_mtu is None


def test_the_narrowest_path_to_a_home_address_counts() -> None:
    node = correspondent_node()
    first = MobileNode(node=node)
    second = MobileNode(node=node, correspondent=OTHER_CORRESPONDENT)
    for mobile_node, mtu in ((first, 1400), (second, 1340)):
        mobile_node.bind()
        node.receive(too_big(mobile_node, mtu), 0.0)
    assert mtus(node) == [1316]
    node.receive(second.update(lifetime=0), 1.0)
    assert mtus(node) == [1376]


def misquoted(mobile_node: MobileNode) -> list[bytes]:
    """Packets that we have never sent: as many ways to be wrong."""
    right = mobile_node.data()
    plain = write_packet(
        IPv6Packet(
            source=CORRESPONDENT,
            destination=CARE_OF_ADDRESS,
            next_header=17,
            payload=bytes(8),
        )
    )
    return [
        b"",
        plain,
        replace_address(right, CORRESPONDENT, OTHER_CORRESPONDENT),
        replace_address(right, CARE_OF_ADDRESS, NEXT_CARE_OF_ADDRESS),
        replace_address(right, HOME_ADDRESS, OTHER_HOME_ADDRESS),
    ]


def replace_address(octets: bytes, old: IPv6Address, new: IPv6Address) -> bytes:
    assert old.packed in octets
    return octets.replace(old.packed, new.packed)


@pytest.mark.parametrize("which", range(5))
def test_errors_about_packets_that_were_never_sent(
    mobile_node: MobileNode, which: int
) -> None:
    node = mobile_node.node
    mobile_node.bind()
    quoted = misquoted(mobile_node)[which]
    before = node.installed
    for n in range(20):
        for message in (
            unreachable(quoted),
            PacketTooBig(mtu=1300, packet=quoted),
        ):
            packet = Packet(
                source=CARE_OF_ADDRESS, destination=CORRESPONDENT, message=message
            )
            assert dropped(role(node).receive(packet, n)) == "icmp_error_quote"
            through = mobile_node.error(message)
            assert dropped(node.receive(through, n)) == "unexpected_message"
    assert node.installed == before


def test_the_quote_may_be_short(mobile_node: MobileNode) -> None:
    mobile_node.bind()
    quoted = mobile_node.data()[: HEADER.size + 24]
    error = mobile_node.error(PacketTooBig(mtu=1400, packet=quoted))
    mobile_node.node.receive(error, 0.0)
    assert mtus(mobile_node.node) == [1376]


def test_port_unreachable_comes_from_the_mobile_node(mobile_node: MobileNode) -> None:
    mobile_node.bind()
    error = mobile_node.error(unreachable(mobile_node.data(), code=4))
    for now in range(30):
        assert dropped(mobile_node.node.receive(error, now)) == "port_unreachable"


def test_unreachable_at_last(mobile_node: MobileNode) -> None:
    mobile_node.bind()
    error = mobile_node.error(unreachable(mobile_node.data()))
    for now in (0.0, 4.0, 8.0):
        mobile_node.node.receive(error, now)
    effects = mobile_node.node.receive(error, 12.0)
    assert changes(effects) == [(Change.UNREACHABLE, 0)]
    # What was heard of it is no more a binding's.
    assert dropped(mobile_node.node.receive(error, 13.0)) == "unexpected_message"
