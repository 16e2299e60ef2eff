"""What programs on a mobile node join on its mobility device comes through the tunnel
(§11.3.4)."""

import socket
import struct
from ipaddress import IPv6Address

import pytest
from tests.daemon.test_multicast import (
    GROUP,
    NEWS,
    PORT,
    SOURCE,
    away,
    heard,
    joined,
    send_news,
    switch_on,
)
from tests.support.daemons import World, until
from tests.support.namespaces import connect

pytestmark = pytest.mark.root

OTHER = "ff0e::1:2"


def program(world: World, group: str) -> socket.socket:
    """That wants to hear what is sent to `group`."""
    with world.mobile.entered():
        made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        device = socket.if_nametoindex("mip0")
    made.bind((group, PORT))
    wanted = IPv6Address(group).packed + struct.pack("=i", device)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, wanted)
    return made


@pytest.mark.rfc("8.5-17", "what comes out of the tunnel reaches who listens")
def test_what_a_program_joins_comes_through_the_tunnel(world: World) -> None:
    world.cables.ip("link add other type bridge mcast_snooping 0")
    world.cables.ip("link set other up")
    connect(world.router, "other", world.cables, "other0")
    world.cables.ip("link set other0 master other")
    world.router.ip("addr add 2001:db8:c::1/64 dev other nodad")
    world.radvd(world.router, "other", "2001:db8:c::/64", "off")
    world.cables.ip(f"address add {SOURCE}/64 dev home nodad")
    switch_on(world)
    away(world)

    def arrives(ear: socket.socket, group: str) -> bool:
        send_news(world, group)
        return heard(ear, lambda got: got == NEWS)

    with program(world, GROUP) as first:
        until(lambda: arrives(first, GROUP), "what is joined")
        with program(world, OTHER) as second:
            until(lambda: arrives(second, OTHER), "what is joined beside it")
            world.plug("other")
            there = "2001:db8:c:"
            until(lambda: there in world.mobile.ip("addr show dev eth0"), "moved")
            until(lambda: arrives(second, OTHER), "it goes on after a move")
            until(lambda: arrives(first, GROUP), "and the first")
        until(lambda: not joined(world, OTHER), "left")
        assert joined(world)
    until(lambda: not joined(world), "left as well")
