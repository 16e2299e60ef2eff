"""What the mobile node's kernel says on a visited link, and what others configure."""

import socket
import struct

import pytest
from tests.support.attacker import listening
from tests.support.daemons import HOME_ADDRESS, World, until

from mip6.wire.next_header import NextHeader
from mip6.wire.packet import read_packet

pytestmark = pytest.mark.root

GROUP = "ff0e::6275"
LISTENER_REPORT = 143


def test_groups_are_joined_on_the_visited_link_and_not_as_the_home_address(
    world: World,
) -> None:
    """RFC 6275 §11.3.4; from its link-local address there, as RFC 3810 §5 has it."""
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")
    with (
        listening(world.cables, "visited") as ear,
        world.mobile.entered(),
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as member,
    ):
        index = socket.if_nametoindex("eth0")
        wanted = socket.inet_pton(socket.AF_INET6, GROUP) + struct.pack("=i", index)
        member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, wanted)
        reports: list[bytes] = []

        def reported() -> bool:
            group = socket.inet_pton(socket.AF_INET6, GROUP)
            reports.extend(p for p in ear.packets() if group in p)
            return bool(reports)

        until(reported, "the kernel reports its membership")
    home_address = socket.inet_pton(socket.AF_INET6, HOME_ADDRESS)
    for report in reports:
        headers = read_packet(report)
        assert headers.next_header == NextHeader.ICMPV6
        assert headers.payload[0] == LISTENER_REPORT
        assert headers.source.is_link_local
        assert home_address not in report, "nor in a Home Address option"


def test_an_address_as_dhcpv6_gives_it_is_taken(world: World) -> None:
    """One of 128 bits, with lifetimes; the router advertises no prefix to form one in,
    and the kernel takes its default route from there."""
    file = world.mobile_node.file
    file.write_text(file.read_text().replace("manage = true", "manage = false"))
    radvd = world.processes[1]
    radvd.terminate()
    radvd.wait(60)
    conf = world.directory / "radvd-visited.conf"
    text = conf.read_text().replace(
        "AdvSendAdvert on;", "AdvSendAdvert on; AdvManagedFlag on;"
    )
    conf.write_text(text.replace("{ AdvRouterAddr off;", "{ AdvAutonomous off;"))
    pid = world.directory / "radvd-visited.pid"
    world.processes[1] = world.router.spawn(f"radvd -n -m none -C {conf} -p {pid}")
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: "default" in world.mobile.ip("route"), "the kernel hears the router")
    assert world.mobile_node.place() != "registered"
    address = "2001:db8:b::d6"
    lifetimes = "valid_lft 600 preferred_lft 300 noprefixroute"
    world.mobile.ip(f"addr add {address}/128 dev eth0 nodad {lifetimes}")

    def registered() -> bool:
        status = world.mobile_node.read("status")["mobile_node"]
        return (status["place"], status["care_of_address"]) == ("registered", address)

    until(registered, "registered with it")
    assert world.pings()
    # Renewed it stays, released it is left.
    world.mobile.ip(f"addr change {address}/128 dev eth0 {lifetimes}")
    assert world.pings() and registered()
    world.mobile.ip(f"addr del {address}/128 dev eth0")
    until(lambda: world.mobile_node.place() != "registered", "it is gone")
