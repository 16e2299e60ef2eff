"""Groups of the home link reach who listens to them through its tunnel (§10.4.2,
§10.4.3)."""

import contextlib
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address

import pytest
from tests.support.daemons import HOME_ADDRESS, HOME_AGENT, World, until
from tests.support.mld import report_1
from tests.support.namespaces import Namespace
from tests.support.octets import IPV6, UDP, ipv6, udp

from mip6.core.home_link import link_local_of
from mip6.wire.multicast_listener import general_query

pytestmark = pytest.mark.root

GROUP = "ff0e::1:1"
NEWS = b"news of the home link"
MINE = b"news of the mobile node"
PORT = 5000
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


def send(here: Namespace, link: str, source: str, group: str, octets: bytes) -> None:
    with (
        here.entered(),
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender,
    ):
        index = socket.if_nametoindex(link)
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 9)
        sender.bind((source, 0))
        sender.sendto(octets, (group, PORT))


def send_news(world: World, group: str = GROUP) -> None:
    """What a host on the home link does."""
    send(world.cables, "home", SOURCE, group, NEWS)


@contextlib.contextmanager
def listening(world: World, group: str) -> Iterator[socket.socket]:
    """A host on the home link that listens to a group."""
    with (
        world.cables.entered(),
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as host,
    ):
        host.bind(("::", PORT))
        wanted = IPv6Address(group).packed
        wanted += struct.pack("=i", socket.if_nametoindex("home"))
        host.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, wanted)
        host.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        host.setblocking(False)
        yield host


def got(host: socket.socket) -> tuple[bytes, str, int] | None:
    """What came, from where, with what hop limit."""
    try:
        octets, [(_, _, hop_limit)], _, sender = host.recvmsg(2000, 64)
    except BlockingIOError:
        return None
    return octets, sender[0], int.from_bytes(hop_limit, sys.byteorder)


def send_away(world: World, group: str, octets: bytes = MINE) -> None:
    """What an application of the mobile node does."""
    send(world.mobile, "mip0", HOME_ADDRESS, group, octets)


def arrives_at_home(world: World, group: str, octets: bytes = MINE) -> None:
    """From the home address, a hop further; the first may come before the kernel is
    ready to send it."""
    with listening(world, group) as host:

        def arrived() -> bool:
            send_away(world, group, octets)
            return got(host) == (octets, HOME_ADDRESS, 8)

        until(arrived, f"what is sent to {group} is on the home link")


def joined(world: World, group: str = GROUP) -> bool:
    return group in world.agent.ip("maddr show dev eth1")


def switch_on(world: World) -> None:
    file = world.home_agent.file
    text = file.read_text()
    file.write_text(text.replace("[home_agent]", "[home_agent]\nmulticast = true", 1))


def away(world: World) -> None:
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")


def test_a_group_through_the_tunnel(world: World) -> None:
    switch_on(world)
    world.cables.ip(f"address add {SOURCE}/64 dev home nodad")
    world.home_agent.start()
    world.mobile_node.start()
    query = general_query(link_local_of(IPv6Address(HOME_AGENT)))
    with ear(world) as listener:
        world.plug("visited")
        until(lambda: world.mobile_node.place() == "registered", "registered")
        until(lambda: heard(listener, lambda got: got[40:] == query), "asked")

        def arrives(told: bytes) -> bool:
            return told[8:40] == tunnel and told[80:].endswith(NEWS) and told[47] == 8

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
    until(world.pings, "what is for one mobile node goes on as ever")


@pytest.mark.rfc("11.3.4-6", "what is sent through the tunnel is on the home link")
def test_sent_to_a_group_through_the_tunnel(world: World) -> None:
    switch_on(world)
    away(world)
    for group in (GROUP, "ff05::1:1"):
        arrives_at_home(world, group)

    def counted() -> dict[str, int]:
        packets: dict[str, int] = world.home_agent.read("stats")["data_plane"]
        return packets

    # Those of the link do not get out of the tunnel.
    before = counted()["dropped_link_scope"]
    inner = ipv6(HOME_ADDRESS, "ff02::1", UDP, udp(MINE))
    say(world, inner)
    until(lambda: counted()["dropped_link_scope"] > before, "dropped")
    assert counted()["dropped_multicast"] == 0
    until(world.pings, "what is for one mobile node goes on as ever")


def test_sent_to_a_group_in_fragments(world: World) -> None:
    """A link of 1280 octets on the way."""
    switch_on(world)
    for link in ("visited", "visited0", "mobile"):
        world.cables.ip(f"link set {link} mtu 1280")
    world.mobile.ip("link set eth0 mtu 1280")
    world.router.ip("link set visited mtu 1280")
    away(world)
    arrives_at_home(world, GROUP, MINE + bytes(1280 - 48 - len(MINE)))
    assert world.home_agent.read("stats")["data_plane"]["long_in"] >= 2


def test_sent_to_a_group_that_stays_away(world: World) -> None:
    """As it is without `multicast = true`: dropped, and counted."""
    away(world)

    def counted() -> bool:
        send_away(world, GROUP)
        stats = world.home_agent.read("stats")
        return bool(stats["data_plane"]["dropped_multicast"])

    with listening(world, GROUP) as host:
        until(counted, "dropped")
        until(world.pings, "what is for one mobile node goes on as ever")
        assert got(host) is None
