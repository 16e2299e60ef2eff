"""A correspondent that is a home agent too, or a mobile node."""

from ipaddress import IPv6Address
from typing import Any

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
    binding_update,
    home_agent,
    told,
)
from tests.support.correspondents import (
    CORRESPONDENT,
    MobileNode,
    acknowledgement,
    correspondent,
    dropped,
    one,
    optimized,
    sent,
    unreachable,
)

from mip6.core.effects import Effect, Send
from mip6.core.node import Node
from mip6.core.packet import Packet, read, write
from mip6.core.path_mtu import optimized as quoted
from mip6.core.state import End, Route, RouteOptimization, State, Tunnel
from mip6.wire.icmpv6 import PacketTooBig
from mip6.wire.messages import (
    BindingError,
    BindingRefreshRequest,
    BindingUpdate,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
)
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    write_packet,
)

STRANGER = IPv6Address("2001:db8:1::100")
"""A home address that another home agent serves."""


# A home agent


def both() -> Node:
    role = home_agent()
    return Node(
        home_agent=role,
        correspondent=correspondent(
            addresses=(HOME_AGENT, CORRESPONDENT), home_agent=role
        ),
    )


def test_h_decides_which_role_it_is_for() -> None:
    node = both()
    effects = node.receive(write(binding_update(1)), 0.0)
    assert acknowledgement(effects).status == 0
    for end in (HOME_AGENT, CORRESPONDENT):
        MobileNode(node=node, home_address=STRANGER, correspondent=end).bind()
    assert optimized(node) == {
        (HOME_AGENT, STRANGER): CARE_OF_ADDRESS,
        (CORRESPONDENT, STRANGER): CARE_OF_ADDRESS,
    }
    assert [s for s in node.installed if isinstance(s, Tunnel)]
    assert node.deadline == 45.0
    assert len(told(node.tick(100.0))) == 3
    assert node.installed == set()


@pytest.mark.rfc("9.5.1-15", "the other kind of binding: status 139")
@pytest.mark.rfc("9.5.1-16", "and the binding stays what it is")
@pytest.mark.parametrize("lifetime", [60, 0])
def test_a_home_registration_stays_one(lifetime: int) -> None:
    node = both()
    node.receive(write(binding_update(1)), 0.0)
    before = node.installed
    mobile_node = MobileNode(node=node).tested()
    packet = mobile_node.update(lifetime=lifetime)
    answer = one(node.receive(packet, 0.0))
    assert mobile_node.believes(answer, lifetime=lifetime)
    assert acknowledgement(node.receive(packet, 0.0)).status == 139
    assert node.installed == before


@pytest.mark.rfc("9.5.1-15", "and the other way about")
def test_a_binding_of_a_correspondent_becomes_no_home_registration() -> None:
    node = both()
    mobile_node = MobileNode(node=node, home_address=STRANGER)
    mobile_node.bind()
    before = node.installed
    update = binding_update(7, home_address=STRANGER, protected_for=STRANGER)
    effects = node.receive(write(update), 1.0, protected_for=STRANGER)
    assert acknowledgement(effects).status == 139
    assert node.installed == before
    node.receive(mobile_node.update(lifetime=0), 1.0)
    effects = node.receive(write(update), 1.0, protected_for=STRANGER)
    assert acknowledgement(effects).status == 132


def test_home_addresses_of_the_home_prefix_need_a_home_registration() -> None:
    """Decision 0010."""
    node = both()
    mobile_node = MobileNode(node=node).tested()
    assert acknowledgement(node.receive(mobile_node.update(), 0.0)).status == 129
    role = home_agent()
    found = RouteOptimization(
        end=End.CORRESPONDENT,
        home_address=HOME_ADDRESS,
        correspondent=CORRESPONDENT,
        care_of_address=CARE_OF_ADDRESS,
        expires=60.0,
    )
    assert not correspondent(home_agent=role, restored=[found]).installed
    assert correspondent(restored=[found]).installed


def test_the_kernel_refuses_either() -> None:
    node = both()
    node.receive(write(binding_update(1)), 0.0)
    MobileNode(node=node, home_address=STRANGER).bind()
    for state in list(node.installed):
        if isinstance(state, Tunnel | RouteOptimization):
            node.failed(state, 10.0)
    assert node.installed == set()


def test_our_addresses_change_but_not_the_home_agents() -> None:
    node = both()
    for end in (HOME_AGENT, CORRESPONDENT):
        MobileNode(node=node, home_address=STRANGER, correspondent=end).bind()
    node.addresses_changed((), 1.0)
    assert optimized(node) == {(HOME_AGENT, STRANGER): CARE_OF_ADDRESS}


def test_errors_about_a_tunnel_are_the_home_agents() -> None:
    node = both()
    node.receive(write(binding_update(1)), 0.0)
    inner = write_packet(
        IPv6Packet(
            source=CORRESPONDENT,
            destination=HOME_ADDRESS,
            next_header=17,
            payload=bytes(1400),
        )
    )
    outer = IPv6Packet(
        source=HOME_AGENT, destination=CARE_OF_ADDRESS, next_header=41, payload=inner
    )
    error = Packet(
        source=STRANGER,
        destination=HOME_AGENT,
        message=PacketTooBig(mtu=1400, packet=write_packet(outer)[:1200]),
    )
    node.receive(write(error), 1.0)
    assert [s.mtu for s in node.installed if isinstance(s, Route)] == [1360]


# A mobile node


class Roamer:
    """A mobile node with, or without, a tunnel to its home agent."""

    home_address = CORRESPONDENT
    home_addresses = (CORRESPONDENT,)
    home_agent = HOME_AGENT
    deadline = None

    def __init__(self, *states: State) -> None:
        self.installed = set(states)
        self.heard: list[Any] = []

    def receive(self, packet: Packet, now: float) -> list[Effect]:
        self.heard.append(packet.message)
        return []

    def failed(self, state: State, now: float) -> list[Effect]:
        self.heard.append(state)
        return []

    def tick(self, now: float) -> list[Effect]:
        # What it says from its home address is its own business.
        return [
            Send(Packet(source=CORRESPONDENT, destination=HOME_AGENT, message=LATE))
        ]

    def talks_to(self, *arguments: Any) -> list[Effect]:
        return []


LATE = BindingUpdate(sequence_number=1, lifetime=0)
OWN_CARE_OF_ADDRESS = IPv6Address("2001:db8:d::64")
TUNNEL = Tunnel(
    end=End.MOBILE_NODE,
    home_address=CORRESPONDENT,
    care_of_address=OWN_CARE_OF_ADDRESS,
    home_agent=HOME_AGENT,
    expires=600.0,
)


def mobile(*states: State) -> tuple[Node, Roamer]:
    role: Any = Roamer(*states)
    return (
        Node(mobile_node=role, correspondent=correspondent(addresses=(CORRESPONDENT,))),
        role,
    )


def tunnels(effects: list[Effect]) -> list[tuple[IPv6Address, IPv6Address] | None]:
    return [effect.packet.tunnel for effect in effects if isinstance(effect, Send)]


def test_a_correspondent_away_from_home_answers_through_its_tunnel() -> None:
    node, _ = mobile(TUNNEL)
    mobile_node = MobileNode(node=node)
    through = (OWN_CARE_OF_ADDRESS, HOME_AGENT)
    message = HomeTestInit(home_init_cookie=bytes(8))
    inner = mobile_node.packet(message, HOME_ADDRESS)
    octets = write_packet(
        IPv6Packet(
            source=HOME_AGENT,
            destination=OWN_CARE_OF_ADDRESS,
            next_header=41,
            payload=inner,
        )
    )
    effects = node.receive(octets, 0.0)
    assert tunnels(effects) == [through]
    assert isinstance(one(effects).message, HomeTest)
    effects = mobile_node.bind()
    assert tunnels(effects) == [through]
    assert mobile_node.believes(one(effects))
    node.talks_to(CORRESPONDENT, HOME_ADDRESS, 40.0)
    first, second = sent(node.tick(45.0))
    assert (first.message, first.tunnel) == (LATE, None)
    assert isinstance(second.message, BindingRefreshRequest)
    assert second.tunnel == through
    (state,) = [s for s in node.installed if isinstance(s, RouteOptimization)]
    assert tunnels(node.failed(state, 50.0)) == []
    mobile_node.bind(51.0)
    (state,) = [s for s in node.installed if isinstance(s, RouteOptimization)]
    assert tunnels(node.failed(state, 51.0)) == [through]


@pytest.mark.parametrize("state", [None, Tunnel], ids=["at home", "not registered"])
def test_a_correspondent_without_a_tunnel_of_its_own(state: Any) -> None:
    """The kernel's routes know what to do with it."""
    not_yet = Tunnel(
        end=End.MOBILE_NODE,
        home_address=CORRESPONDENT,
        care_of_address=OWN_CARE_OF_ADDRESS,
        home_agent=HOME_AGENT,
        expires=600.0,
        inbound_only=True,
    )
    node, _ = mobile(*([not_yet] if state else []))
    assert tunnels(MobileNode(node=node).bind()) == [None]


def test_only_the_home_address_of_a_mobile_node_is_a_correspondent() -> None:
    node, _ = mobile(TUNNEL)
    mobile_node = MobileNode(node=node, correspondent=OWN_CARE_OF_ADDRESS)
    message = CareOfTestInit(care_of_init_cookie=bytes(8))
    packet = mobile_node.packet(message, CARE_OF_ADDRESS)
    assert dropped(node.receive(packet, 0.0)) == "not_for_us"


def both_ways(octets: int, *, to_us: bool = False) -> bytes:
    """What two mobile nodes send each other: two headers more."""
    ours, theirs = (OWN_CARE_OF_ADDRESS, CORRESPONDENT), (CARE_OF_ADDRESS, HOME_ADDRESS)
    (source, origin), (destination, target) = (
        (theirs, ours) if to_us else (ours, theirs)
    )
    return write_packet(
        IPv6Packet(
            source=source,
            destination=destination,
            extensions=(
                RoutingHeaderType2(target),
                DestinationOptions((HomeAddressOption(origin),)),
            ),
            next_header=17,
            payload=bytes(octets),
        )
    )


@pytest.mark.rfc("9.3.1", "the binding is that of our home address, wherever we are")
def test_a_home_address_option_beside_a_routing_header() -> None:
    node, _ = mobile(TUNNEL)
    packet = both_ways(20, to_us=True)
    [answer] = sent(node.receive(packet, 0.0))
    assert isinstance(answer.message, BindingError)
    MobileNode(node=node).bind()
    assert dropped(node.receive(packet, 0.0)) == "not_signalling"


def test_errors_between_two_mobile_nodes() -> None:
    node, roamer = mobile(TUNNEL)
    MobileNode(node=node).bind()
    packet = both_ways(1400)
    found = quoted(packet)
    assert found is not None
    assert (found.origin, found.target) == (CORRESPONDENT, HOME_ADDRESS)

    def error(message: Any) -> bytes:
        packet = Packet(
            source=STRANGER, destination=OWN_CARE_OF_ADDRESS, message=message
        )
        return write(packet)

    node.receive(error(PacketTooBig(mtu=1400, packet=packet)), 1.0)
    assert Route in [type(s) for s in node.installed]
    assert [s.mtu for s in node.installed if isinstance(s, Route)] == [1352]
    assert roamer.heard == []
    # What is about no binding of the correspondent's is for the mobile node.
    other = packet.replace(CARE_OF_ADDRESS.packed, NEXT_CARE_OF_ADDRESS.packed)
    for message in (
        PacketTooBig(mtu=1400, packet=other),
        unreachable(other),
    ):
        node.receive(error(message), 1.0)
    assert [type(m).__name__ for m in roamer.heard] == [
        "PacketTooBig",
        "DestinationUnreachable",
    ]


def test_states_of_the_mobile_node_are_its_own() -> None:
    node, roamer = mobile(TUNNEL)
    MobileNode(node=node).bind()
    beside = set(node.states_beside_tunnels())
    assert beside == node.installed - {TUNNEL} != set()
    node.failed(TUNNEL, 0.0)
    assert roamer.heard == [TUNNEL]


def test_an_acknowledgement_is_written_inside_the_tunnel() -> None:
    node, _ = mobile(TUNNEL)
    mobile_node = MobileNode(node=node).tested()
    (packet,) = [
        effect.packet
        for effect in node.receive(mobile_node.update(), 0.0)
        if isinstance(effect, Send)
    ]
    again = read(write(packet))
    assert again.tunnel == (OWN_CARE_OF_ADDRESS, HOME_AGENT)
    assert again.routing_address == HOME_ADDRESS
    assert again.destination == CARE_OF_ADDRESS
