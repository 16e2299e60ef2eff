"""Groups of the home link reach who listens to them through its tunnel (§10.4.2,
§10.4.3)."""

import socket
from collections.abc import Callable
from ipaddress import IPv6Address

import pytest
from tests.support.daemons import HOME_AGENT, World, until
from tests.support.mld import report_1
from tests.support.octets import IPV6, ipv6

from mip6.core.home_link import link_local_of
from mip6.wire.multicast_listener import general_query

pytestmark = pytest.mark.root

GROUP = "ff0e::1:1"
NEWS = b"news of the home link"
SOURCE = "2001:db8:a::50"
ETH_P_IPV6 = 0x86DD


def ear(world: World) -> socket.socket:
    """What comes to the mobile node by its link."""
    with world.mobile.entered():
        made = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0
        )
        made.bind(("eth0", ETH_P_IPV6))
    return made


def heard(listener: socket.socket, wanted: Callable[[bytes], bool]) -> bool:
    while True:
        try:
            if wanted(listener.recv(2000)):
                return True
        except BlockingIOError:
            return False


def say(world: World, inner: bytes) -> None:
    """Through the tunnel, as the mobile node's kernel would."""
    [binding] = world.home_agent.read("bindings")["bindings"]
    packet = ipv6(binding["care_of_address"], HOME_AGENT, IPV6, inner)
    with (
        world.mobile.entered(),
        socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw,
    ):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        raw.sendto(packet, (HOME_AGENT, 0))


def send_news(world: World) -> None:
    with (
        world.cables.entered(),
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender,
    ):
        link = socket.if_nametoindex("home")
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link)
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 9)
        sender.bind((SOURCE, 0))
        sender.sendto(NEWS, (GROUP, 5000))


def joined(world: World) -> bool:
    return GROUP in world.agent.ip("maddr show dev eth1")


def test_a_group_through_the_tunnel(world: World) -> None:
    file = world.home_agent.file
    text = file.read_text()
    file.write_text(text.replace("[home_agent]", "[home_agent]\nmulticast = true", 1))
    world.cables.ip(f"address add {SOURCE}/64 dev home nodad")
    world.home_agent.start()
    world.mobile_node.start()
    query = general_query(link_local_of(IPv6Address(HOME_AGENT)))
    with ear(world) as listener:
        world.plug("visited")
        until(lambda: world.mobile_node.place() == "registered", "registered")
        until(lambda: heard(listener, lambda got: got[40:] == query), "asked")

        def arrives(got: bytes) -> bool:
            return got[8:40] == tunnel and got[80:].endswith(NEWS) and got[47] == 8

        [binding] = world.home_agent.read("bindings")["bindings"]
        tunnel = (
            IPv6Address(HOME_AGENT).packed
            + IPv6Address(binding["care_of_address"]).packed
        )
        assert not joined(world)

        def join() -> bool:
            say(world, report_1(GROUP))
            return joined(world)

        until(join, "joined on the home link")

        def told() -> bool:
            send_news(world)
            return heard(listener, arrives)

        until(told, "the news came through the tunnel")

        def leave() -> bool:
            say(world, report_1(GROUP, kind=132))
            return not joined(world)

        until(leave, "left on the home link")
    # What is for one mobile node goes on as ever.
    assert world.pings()
