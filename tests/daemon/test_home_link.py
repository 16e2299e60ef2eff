"""A real home link: who else is there, who asks, and a home agent without memory."""

import select
import shutil
import signal
import socket
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from tests.linux.test_sockets import index_of
from tests.support.daemons import HOME_ADDRESS, HOME_AGENT, World, until

from mip6.core.packet import Packet, write
from mip6.linux.netlink import Netlink
from mip6.linux.sockets import Sender
from mip6.wire.icmpv6 import (
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
    read_icmpv6,
)

pytestmark = pytest.mark.root


def away_with_a_namesake_at_home(world: World, transmits: int) -> None:
    world.agent.sysctl(f"eth1.dad_transmits={transmits}")
    world.cables.sysctl("home.disable_ipv6=0")
    world.cables.ip(f"address add {HOME_ADDRESS}/64 dev home nodad")
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")


@pytest.mark.rfc("10.3.1-17", "who has the home address already keeps it")
def test_a_namesake_is_found(world: World) -> None:
    away_with_a_namesake_at_home(world, transmits=1)

    def status() -> object:
        [home] = world.mobile_node.read("updates")["updates"]
        return home["status"]

    until(lambda: status() == 134, "refused for the namesake")
    assert world.home_agent.read("bindings")["bindings"] == []


def test_nobody_is_asked_where_the_link_is_configured_so(world: World) -> None:
    """DupAddrDetectTransmits = 0 (RFC 4862 §5.1) is the administrator's word."""
    away_with_a_namesake_at_home(world, transmits=0)
    until(lambda: world.mobile_node.place() == "registered", "registered")


@pytest.mark.rfc("8.4-9", "from the anycast address's link and from elsewhere")
@pytest.mark.parametrize("place", ["correspondent", "home link"])
def test_home_agents_are_discovered(world: World, place: str) -> None:
    world.home_agent.start()
    if place == "home link":
        asking, link, source = world.mobile, "eth0", "2001:db8:a::77"
        world.plug("home")
        asking.ip(f"addr add {source}/64 dev {link} nodad")
    else:
        asking, link, source = world.correspondent, "eth0", "2001:db8:e::2"
    request = Packet(
        source=IPv6Address(source),
        destination=IPv6Address("2001:db8:a:0:fdff:ffff:ffff:fffe"),
        message=HomeAgentAddressDiscoveryRequest(identifier=99),
    )
    with asking.entered():
        sender, listener = (
            Sender(),
            socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
        )
    index = index_of(asking, link)

    def answer() -> bytes | None:
        sender.send(write(request), index)
        while select.select([listener], [], [], 0.3)[0]:
            octets = listener.recv(2000)
            if octets[0] == HomeAgentAddressDiscoveryReply.TYPE:
                return octets
        return None

    reply = read_icmpv6(until(answer, "answered"))
    assert reply == HomeAgentAddressDiscoveryReply(
        identifier=99, home_agent_addresses=(IPv6Address(HOME_AGENT),)
    )
    sender.close()
    listener.close()


@pytest.mark.rfc("11.3.6", "who is told that its binding is lost registers again")
def test_a_home_agent_that_has_lost_everything(world: World) -> None:
    """Its disk too: what the mobile node goes on sending is what brings it back."""
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")
    world.home_agent.end(signal.SIGKILL)
    assert world.home_agent.call("down").returncode == 0
    shutil.rmtree(Path("/var/lib/mip6", world.home_agent.name))
    world.home_agent.start()
    assert world.home_agent.read("bindings")["bindings"] == []
    ping = f"ping -q -c 1 -W 1 -I {HOME_ADDRESS} 2001:db8:e::2"
    until(lambda: "1 received" in world.mobile.run(ping, check=False), "back")
    assert world.home_agent.read("bindings")["bindings"] != []


@pytest.mark.rfc("10.4.1-11", "a neighbour's stale entry is overridden")
def test_a_neighbour_learns_at_once_where_packets_go_now(world: World) -> None:
    world.cables.sysctl("home.disable_ipv6=0")
    world.cables.ip("address add 2001:db8:a::9/64 dev home nodad")
    stale = f"{HOME_ADDRESS} lladdr 02:00:00:00:00:99 dev home nud reachable"
    world.cables.ip(f"neigh replace {stale}")
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")
    answered = world.cables.run(f"ping -c 2 -i 0.5 -W 1 {HOME_ADDRESS}", check=False)
    assert " 0 received" not in answered
    with world.agent.entered():
        netlink = Netlink()
        [own] = [link for link in netlink.links() if link.name == "eth1"]
        netlink.close()
    learned = world.cables.ip(f"neigh show {HOME_ADDRESS} dev home")
    assert own.link_layer_address.hex(":") in learned
    # At home again the mobile node has its address for itself.
    world.plug("home")
    until(lambda: world.mobile_node.place() == "at_home", "at home")
    back = world.cables.run(f"ping -c 3 -i 0.5 -W 1 {HOME_ADDRESS}", check=False)
    assert " 0 received" not in back
    learned = world.cables.ip(f"neigh show {HOME_ADDRESS} dev home")
    assert own.link_layer_address.hex(":") not in learned
