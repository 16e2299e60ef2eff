"""Networks that are not what they seem: `mip6 status` names what is wrong with them."""

import shutil
import socket
from ipaddress import IPv6Address
from typing import Any

import pytest
from tests.support.daemons import World, until
from tests.support.namespaces import connect

from mip6.core.packet import Packet, write
from mip6.linux.sockets import Sender
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import CaptivePortal

pytestmark = pytest.mark.root

NEEDS_NFT = pytest.mark.skipif(shutil.which("nft") is None, reason="there is no nft")


def status(world: World) -> Any:
    return world.mobile_node.read("status")["mobile_node"]


def conditions(world: World) -> dict[str, str]:
    return {one["name"]: one["condition"] for one in status(world)["interfaces"]}


def wall(world: World, link: str) -> None:
    """The router of a link lets ESP pass and drops IPv6 in IPv6, both ways."""
    file = world.directory / "wall.nft"
    file.write_text(
        "table ip6 wall { chain pass { type filter hook forward priority 0;\n"
        f"iifname {link} meta l4proto 41 counter drop\n"
        f"oifname {link} meta l4proto 41 counter drop\n}}\n}}\n"
    )
    world.router.run(f"nft -f {file}")


def second_interface(world: World) -> None:
    """eth1, on link C at the same router; worse than eth0."""
    world.cables.ip("link add other type bridge mcast_snooping 0")
    world.cables.ip("link set other up")
    connect(world.router, "other", world.cables, "other0")
    connect(world.mobile, "eth1", world.cables, "mobile1")
    for port in ("other0", "mobile1"):
        world.cables.ip(f"link set {port} master other")
    world.router.ip("addr add 2001:db8:c::1/64 dev other nodad")
    world.radvd(world.router, "other", "2001:db8:c::/64", "off")
    file = world.mobile_node.file
    file.write_text(file.read_text().replace('["eth0"]', '["eth0", "eth1"]'))


def advertise_portal(world: World, uri: bytes) -> None:
    """radvd cannot say it (RFC 8910)."""
    [line] = world.router.ip("-o addr show dev visited scope link").splitlines()
    advertisement = Packet(
        source=IPv6Address(line.split()[3].partition("/")[0]),
        destination=IPv6Address("ff02::1"),
        message=RouterAdvertisement(
            router_lifetime=1800, options=(CaptivePortal(uri),)
        ),
        hop_limit=255,
    )
    with world.router.entered():
        sender = Sender()
        sender.send(write(advertisement), socket.if_nametoindex("visited"))
        sender.close()


@NEEDS_NFT
def test_a_network_that_drops_protocol_41_is_named_and_found_open_again(
    world: World,
) -> None:
    wall(world, "visited")
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: status(world)["tunnel"] == "blocked", "it is found out")
    assert status(world)["place"] == "registered"
    assert conditions(world) == {"eth0": "tunnel_blocked"}
    assert not world.pings()
    shown = world.mobile_node.call("status").stdout
    assert "tunnel blocked (protocol 41)" in shown
    problems = world.mobile_node.read("status")["problems"]
    assert any(p.startswith("tunnel blocked (protocol 41)") for p in problems)
    world.router.run("nft delete table ip6 wall")
    until(lambda: status(world)["tunnel"] == "open", "it is tried again", 60)
    assert conditions(world) == {"eth0": "works"}
    assert world.pings()


@NEEDS_NFT
def test_another_interface_is_taken_where_protocol_41_is_dropped(world: World) -> None:
    wall(world, "visited")
    second_interface(world)
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")

    def settled() -> bool:
        now = status(world)
        return bool(
            now["link"] == "eth1"
            and now["place"] == "registered"
            and now["tunnel"] == "open"
            and conditions(world)["eth0"] == "tunnel_blocked"
        )

    until(settled, "eth1, which works")
    assert conditions(world) == {"eth0": "tunnel_blocked", "eth1": "works"}
    assert world.pings()


def test_an_open_tunnel_is_known_after_one_echo(world: World) -> None:
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: status(world)["tunnel"] == "open", "the home agent answers")
    assert conditions(world) == {"eth0": "works"}
    world.plug("home")
    until(lambda: conditions(world) == {"eth0": "home"}, "at home")
    assert status(world)["tunnel"] == "untested"


@NEEDS_NFT
@pytest.mark.slow
def test_a_home_agent_that_answers_no_echo_is_not_taken_for_a_wall(
    world: World,
) -> None:
    """Nothing is known then, and nothing is held against the network."""
    file = world.directory / "no-echo.nft"
    file.write_text(
        "table ip6 quiet { chain in { type filter hook input priority 0;\n"
        "icmpv6 type echo-request drop\n}\n}\n"
    )
    world.agent.run(f"nft -f {file}")
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: status(world)["tunnel"] == "unknown", "it gives up", 120)
    assert conditions(world) == {"eth0": "works"}


def test_networks_without_ipv6_and_without_a_way(world: World) -> None:
    radvd = world.processes[1]
    radvd.terminate()
    radvd.wait(60)
    world.home_agent.start()
    world.mobile_node.start()
    assert conditions(world) == {"eth0": "down"}
    world.plug("visited")
    until(lambda: conditions(world) == {"eth0": "no_router"}, "nobody answers")
    world.mobile.run("ip addr add 192.0.2.5/24 dev eth0")
    assert conditions(world) == {"eth0": "ipv4_only"}
    assert "eth0: IPv4 only" in world.mobile_node.call("status").stdout
    # A router, behind which nothing leads to the home agent.
    world.router.ip("route del 2001:db8:a::/64")
    world.radvd(world.router, "visited", "2001:db8:b::/64", "off")
    until(lambda: conditions(world) == {"eth0": "broken"}, "no answer", 60)
    assert "eth0: broken" in world.mobile_node.call("status").stdout
    # It says that one has to log in.
    advertise_portal(world, b"https://login.example.net/api")
    until(lambda: conditions(world) == {"eth0": "captive"}, "a portal", 60)
    [interface] = status(world)["interfaces"]
    assert interface["captive_portal"] == "https://login.example.net/api"
    # And once one has, it leads to the home agent.
    world.router.ip("route add 2001:db8:a::/64 via 2001:db8:f::2")
    until(lambda: conditions(world) == {"eth0": "works"}, "the way is free", 90)
    assert world.pings()
