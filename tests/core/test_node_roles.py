"""Which role a message is for, and whose tunnel it came by."""

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any, cast

import pytest
from tests.core.bare_nodes import ACKNOWLEDGEMENT, Roamer
from tests.core.test_groups import GROUP, Agent
from tests.core.test_router import HOST, LINK, advertising
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
    acknowledgement,
    binding_update,
    discarded,
    dropped,
    home_agent,
    sent,
)
from tests.support.mld import report_1
from tests.support.optimizing import Optimizer

from mip6.core.effects import Forward, Notify
from mip6.core.events import Dropped
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.router import AdvertisingRouter
from mip6.core.state import Membership
from mip6.wire.icmpv6 import DestinationUnreachable, HomeAgentAddressDiscoveryRequest
from mip6.wire.messages import HomeTestInit
from mip6.wire.multicast_listener import QUERY
from mip6.wire.neighbor_discovery import NeighborAdvertisement, RouterSolicitation
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, write_packet
from mip6.wire.revocation import BindingRevocation, RevocationType

SOLICITATION = Packet(
    source=HOST,
    destination=IPv6Address("ff02::2"),
    message=RouterSolicitation(),
    hop_limit=255,
)


def node(**changes: object) -> Node:
    made = Node(home_agent=home_agent(**changes))
    made.receive(write(binding_update(1)), 0.0)
    made.receive(write(binding_update(2, source=NEXT_CARE_OF_ADDRESS)), 10.0)
    return made


@pytest.mark.rfc("10.4.5", "the outer source is the registered care-of address")
@pytest.mark.parametrize(
    ("source", "now", "ours"),
    [
        (NEXT_CARE_OF_ADDRESS, 10.5, True),
        (CARE_OF_ADDRESS, 10.5, True),
        (CARE_OF_ADDRESS, 11.99, True),
        (CARE_OF_ADDRESS, 12.0, False),
        (IPv6Address("2001:db8:d::64"), 10.5, False),
        (IPv6Address("2001:db8:d::64"), 20.0, False),
    ],
)
def test_whose_tunnel_it_is_within_the_grace(
    source: IPv6Address, now: float, ours: bool
) -> None:
    made = node(grace=2.0)
    init = Packet(
        source=HOME_ADDRESS,
        destination=IPv6Address("2001:db8:e::2"),
        message=HomeTestInit(home_init_cookie=bytes(8)),
        tunnel=(source, HOME_AGENT),
    )
    effects = made.receive(write(init), now)
    if ours:
        assert [type(effect) for effect in effects] == [Forward]
    else:
        assert dropped(effects) == ("tunnel_source", "10.4.5")


def test_a_router_that_is_a_home_agent_hears_both() -> None:
    router = AdvertisingRouter([advertising(unsolicited=False)], random=bytes)
    router.link_up(LINK, 0.0)
    made = Node(home_agent=home_agent(), router=router)
    effects = made.receive(write(binding_update(1)), 1.0)
    assert acknowledgement(effects).status == 0
    assert router.deadline is None
    assert made.receive(write(SOLICITATION), 2.0, link="eth1") == []
    assert router.deadline == 2.0


def test_who_is_no_router_answers_no_solicitation() -> None:
    made = Node(home_agent=home_agent())
    effects = made.receive(write(SOLICITATION), 2.0, link="eth1")
    assert discarded(effects) == ("unexpected_message", "9.2")


@pytest.mark.parametrize(("home_link", "link"), [(None, None), ("eth1", "eth0")])
def test_neighbors_of_other_links_are_no_home_agents_business(
    home_link: str | None, link: str | None
) -> None:
    made = Node(home_agent=home_agent(home_link=home_link))
    message = NeighborAdvertisement(target_address=HOME_ADDRESS)
    packet = replace(SOLICITATION, message=message, destination=IPv6Address("ff02::1"))
    effects = made.receive(write(packet), 2.0, link=link)
    assert discarded(effects) == ("unexpected_message", "9.2")


# A home agent that is a mobile node of another one.


def both(**changes: object) -> tuple[Node, Roamer]:
    role = Roamer()
    return Node(home_agent=home_agent(**changes), mobile_node=cast(Any, role)), role


def heard(made: Node, role: Roamer, packet: Packet, link: str | None = None) -> bool:
    """Whether it is the mobile node that it went to."""
    made.receive(write(packet), 1.0, link=link)
    return bool(role.heard)


@pytest.mark.parametrize("routing_address", [HOME_ADDRESS, None])
def test_whose_revocation_it_is(routing_address: IPv6Address | None) -> None:
    message = BindingRevocation(
        revocation_type=RevocationType.INDICATION, code=1, sequence_number=1
    )
    packet = Packet(
        source=IPv6Address("2001:db8:f::1"),
        destination=CARE_OF_ADDRESS if routing_address else HOME_AGENT,
        routing_address=routing_address,
        message=message,
    )
    assert heard(*both(), packet) is (routing_address is not None)


@pytest.mark.parametrize("destination", [CARE_OF_ADDRESS, HOME_AGENT])
def test_whose_path_an_error_is_about(destination: IPv6Address) -> None:
    """Both ends of a tunnel hear from its path, each at its own address."""
    packet = Packet(
        source=IPv6Address("2001:db8:f::1"),
        destination=destination,
        message=DestinationUnreachable(code=0, packet=bytes(40)),
    )
    assert heard(*both(), packet) is (destination == CARE_OF_ADDRESS)


@pytest.mark.parametrize(
    ("home_link", "link", "ours"),
    [(None, None, True), ("eth1", "eth0", True), ("eth1", "eth1", False)],
)
def test_whose_neighbor_it_is(
    home_link: str | None, link: str | None, ours: bool
) -> None:
    message = NeighborAdvertisement(target_address=HOME_ADDRESS)
    packet = replace(SOLICITATION, message=message, destination=IPv6Address("ff02::1"))
    assert heard(*both(home_link=home_link), packet, link) is ours


@pytest.mark.parametrize("link", ["eth0", "eth1"])
def test_an_acknowledgement_is_the_mobile_nodes_on_every_link(link: str) -> None:
    """The home link of the home agent that this node is, too."""
    packet = Packet(
        source=IPv6Address("2001:db8:f::1"),
        destination=CARE_OF_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=ACKNOWLEDGEMENT,
    )
    assert heard(*both(home_link="eth1"), packet, link)


def test_who_is_no_mobile_node_is_asked_for_no_groups() -> None:
    """A query out of a tunnel is a packet to a group as any other (§10.4.3)."""
    query = IPv6Packet(
        source=HOME_ADDRESS,
        destination=IPv6Address("ff02::1"),
        next_header=NextHeader.ICMPV6,
        payload=bytes([QUERY]) + bytes(27),
    )
    outer = IPv6Packet(
        source=CARE_OF_ADDRESS,
        destination=HOME_AGENT,
        next_header=NextHeader.IPV6,
        payload=write_packet(query),
    )
    made = Node(home_agent=home_agent())
    made.receive(write(binding_update(1)), 0.0)
    effects = made.receive(write_packet(outer), 1.0)
    assert discarded(effects) == ("multicast", "10.4.3")


@pytest.mark.rfc("10.5", "home agents are asked at their anycast address")
def test_an_anycast_address_of_the_home_link_is_for_us() -> None:
    role = home_agent()
    [anycast] = role.anycast_addresses
    request = Packet(
        source=CARE_OF_ADDRESS,
        destination=anycast,
        message=HomeAgentAddressDiscoveryRequest(identifier=1),
    )
    made = Node(home_agent=role)
    assert len(sent(made.receive(write(request), 1.0))) == 1
    elsewhere = replace(request, destination=anycast - 1)
    effects = made.receive(write(elsewhere), 1.0)
    assert discarded(effects) == ("not_for_us", "RFC 8200 3")


def test_what_a_home_agent_listens_to_stands_beside_the_tunnels() -> None:
    agent = Agent()
    agent.bind()
    agent.say(report_1(GROUP))
    [membership] = [s for s in agent.role.installed if isinstance(s, Membership)]
    assert membership in set(agent.node.states_beside_tunnels())


def test_the_tunnels_are_those_of_every_role() -> None:
    roamer = Optimizer()
    roamer.register()
    assert list(roamer.node.tunnels()) == [roamer.tunnel]
    both = {*roamer.node.tunnels(), *roamer.node.states_beside_tunnels()}
    assert both == roamer.node.installed
    assert [tunnel.home_address for tunnel in node().tunnels()] == [HOME_ADDRESS]


def test_nonsense_in_a_tunnel_is_who_sent_its() -> None:
    inner = IPv6Packet(
        source=HOME_ADDRESS, destination=HOME_AGENT, next_header=59, payload=b""
    )
    outer = IPv6Packet(
        source=CARE_OF_ADDRESS,
        destination=HOME_AGENT,
        next_header=NextHeader.IPV6,
        payload=write_packet(inner)[:20],
    )
    [effect] = Node(home_agent=home_agent()).receive(write_packet(outer), 1.0)
    assert isinstance(effect, Notify) and isinstance(effect.event, Dropped)
    assert effect.event.source == CARE_OF_ADDRESS
