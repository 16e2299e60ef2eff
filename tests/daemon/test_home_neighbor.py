"""Returning home where the router of the home link is not the home agent (§11.5.5)."""

from ipaddress import IPv6Address

import pytest
from tests.support.attacker import listening
from tests.support.daemons import HOME_ADDRESS, HOME_AGENT, World, until
from tests.support.namespaces import connect

from mip6.core.packet import Packet, read
from mip6.wire.buffer import WireError
from mip6.wire.neighbor_discovery import NeighborAdvertisement, NeighborSolicitation

pytestmark = pytest.mark.root


@pytest.mark.rfc("11.5.5-5", "on a real home link the home agent answers, multicast")
def test_the_home_agent_is_found_without_an_address_war(world: World) -> None:
    # Another router advertises the home prefix; the home agent does not advertise.
    radvd = world.processes[0]
    radvd.terminate()
    radvd.wait(60)
    connect(world.router, "home1", world.cables, "home2")
    world.cables.ip("link set home2 master home")
    world.router.ip("addr add 2001:db8:a::9/64 dev home1 nodad")
    world.radvd(world.router, "home1", "2001:db8:a::/64", "off")
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")
    with listening(world.cables, "home") as ear:  # what is multicast there
        world.plug("home")
        until(lambda: world.mobile_node.place() == "at_home", "at home")
        until(lambda: world.pings(), "it is reached there")
        passed = neighbors(ear.packets())
    told = [p for p in passed if isinstance(p.message, NeighborAdvertisement)]
    asked = [p for p in passed if isinstance(p.message, NeighborSolicitation)]
    assert world.home_agent.read("bindings")["bindings"] == []
    home_address, nowhere = IPv6Address(HOME_ADDRESS), IPv6Address("::")
    question = next(p for p in asked if about(p, home_address))
    assert isinstance(question.message, NeighborSolicitation)
    assert question.source == nowhere
    assert question.destination == IPv6Address("ff02::1:ff00:100")
    answer = next(p for p in told if about(p, home_address))
    assert isinstance(answer.message, NeighborAdvertisement)
    assert answer.destination == IPv6Address("ff02::1")
    assert not answer.message.solicited
    # Nobody was asked from the home address for the home agent's.
    from_home = [p for p in asked if p.source == home_address]
    assert not [p for p in from_home if about(p, IPv6Address(HOME_AGENT))]


def neighbors(packets: list[bytes]) -> list[Packet]:
    """The Neighbor Solicitations and Advertisements among them."""
    return [packet for octets in packets if (packet := neighbor(octets))]


def neighbor(octets: bytes) -> Packet | None:
    """A Neighbor Solicitation or Advertisement."""
    try:
        packet = read(octets)
    except WireError:
        return None
    kinds = NeighborSolicitation | NeighborAdvertisement
    return packet if isinstance(packet.message, kinds) else None


def about(packet: Packet, target: IPv6Address) -> bool:
    message = packet.message
    assert isinstance(message, NeighborSolicitation | NeighborAdvertisement)
    return message.target_address == target
