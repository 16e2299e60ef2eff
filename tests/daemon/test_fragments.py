"""Links of 1280 octets on the tunnel's path: packets of 1280 octets pass all the same,
the tunnel's in fragments (RFC 2473 §7.1 (b))."""

import hashlib
import os
import socket
import threading

import pytest
from tests.support.daemons import CORRESPONDENT, HOME_ADDRESS, World, until
from tests.support.traffic import transfer

pytestmark = pytest.mark.root

LARGEST = 1280 - 40 - 8
"""What ping and UDP can carry in the smallest packet that every link must take."""


def narrow(world: World) -> None:
    """The whole visited link, at the mobile node too."""
    for link in ("visited", "visited0", "mobile"):
        world.cables.ip(f"link set {link} mtu 1280")
    world.mobile.ip("link set eth0 mtu 1280")
    world.router.ip("link set visited mtu 1280")


def register(world: World) -> None:
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")


def down(world: World, size: int = LARGEST) -> bool:
    """Whether the correspondent reaches the mobile node with so much; the first of them
    may be what teaches somebody the path."""
    command = f"ping -q -c 3 -i 0.1 -W 2 -s {size} {HOME_ADDRESS}"
    return " 3 received" in world.correspondent.run(command, check=False)


def up(world: World, size: int = LARGEST) -> bool:
    command = f"ping -q -c 3 -i 0.1 -W 2 -I {HOME_ADDRESS} -s {size} {CORRESPONDENT}"
    return " 3 received" in world.mobile.run(command, check=False)


def counted(world: World, name: str) -> tuple[int, int]:
    """At the home agent and at the mobile node."""
    at_home, away = world.home_agent.read("stats"), world.mobile_node.read("stats")
    return at_home["data_plane"][name], away["data_plane"][name]


def datagrams(world: World, count: int = 50) -> tuple[bytes, bytes]:
    """So many of the largest that need not be cut, as they are echoed, and as sent."""
    sent = [os.urandom(LARGEST) for _ in range(count)]
    with world.mobile.entered():
        echo = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        echo.bind((HOME_ADDRESS, 0))
    with world.correspondent.entered():
        sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    echo.settimeout(20)
    sender.settimeout(20)

    def answer() -> None:
        for _ in sent:
            octets, peer = echo.recvfrom(2000)
            echo.sendto(octets, peer)

    thread = threading.Thread(target=answer)
    thread.start()
    got = b""
    for octets in sent:
        sender.sendto(octets, echo.getsockname()[:2])
        got += sender.recv(2000)
    thread.join()
    echo.close()
    sender.close()
    return hashlib.sha256(got).digest(), hashlib.sha256(b"".join(sent)).digest()


def test_a_link_of_1280_octets(world: World) -> None:
    narrow(world)
    register(world)
    # A router tells the home agent; the mobile node sees its link.
    until(lambda: down(world), "the home agent knows the path")
    assert up(world)
    got, sent = datagrams(world)
    assert got == sent
    for name in ("long_in", "long_out"):
        assert all(number >= 50 for number in counted(world, name))
    # What is larger its sender cuts up.
    until(lambda: down(world, 3000), "the correspondent knows the path")
    until(lambda: up(world, 3000), "the mobile node knows the path")
    mobile, correspondent = world.mobile, world.correspondent
    assert transfer(correspondent, CORRESPONDENT, mobile, HOME_ADDRESS, megabytes=1)
    assert transfer(mobile, HOME_ADDRESS, correspondent, CORRESPONDENT, megabytes=1)
    assert "fragments_overlap" not in world.home_agent.read("stats")["dropped"]


def test_narrow_behind_the_mobile_nodes_link(world: World) -> None:
    """Both ends learn it from Packet Too Big."""
    world.router.ip("link set agent mtu 1280")
    world.agent.ip("link set eth0 mtu 1280")
    register(world)
    until(lambda: up(world), "the mobile node knows the path")
    assert down(world)
    got, sent = datagrams(world)
    assert got == sent


def test_without_the_tunnel(world: World) -> None:
    """Home Address option and routing header are too long for it, too."""
    narrow(world)
    world.correspondent_node.start()
    register(world)

    def direct() -> bool:
        down(world, 56)
        status = world.mobile_node.read("status")["mobile_node"]
        return any(one["way"] == "direct" for one in status["correspondents"])

    until(direct, "directly")
    until(lambda: down(world) and up(world), "both know the path")
    got, sent = datagrams(world)
    assert got == sent
