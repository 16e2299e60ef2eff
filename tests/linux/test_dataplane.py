"""The data plane with real traffic between namespaces.

Each trap that the first sketch of the data plane fell into has its test here or in
tests/bpf, found by `# gotcha N`.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from tests.support.namespaces import Namespace
from tests.support.octets import (
    DESTINATION_OPTIONS,
    IPV6,
    MOBILITY,
    UDP,
    home_address_option,
    ipv6,
    mobility,
    udp,
)
from tests.support.roaming import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    MTU,
    OTHER_HOME_ADDRESS,
    Network,
    carry_home_address,
    network,
    node,
    read_all,
    send_raw,
    serve_home_address,
    tunnel,
    udp_socket,
)
from tests.support.traffic import ping, send_gso, transfer

from mip6.core.state import End
from mip6.linux import dataplane

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def one_network() -> Iterator[Network]:
    with network() as made:
        yield made


@pytest.fixture
def net(one_network: Network) -> Iterator[Network]:
    """Registered, neighbours known."""
    one_network.register()
    ping(one_network.correspondent, HOME_ADDRESS, wait=5)
    yield one_network


def offloads(net: Network, setting: str) -> None:
    for one in net.nodes:
        one.namespace.run(f"ethtool -K eth0 {setting}")


# The tunnel


def test_ping_both_ways(net: Network) -> None:
    mobile = net.mobile_node.namespace
    assert ping(net.correspondent, HOME_ADDRESS, count=5) == 5
    assert ping(mobile, CORRESPONDENT, count=5) == 5
    assert ping(mobile, HOME_AGENT, count=5) == 5
    assert ping(net.home_agent.namespace, HOME_ADDRESS, count=5) == 5


def test_traffic_really_goes_through_the_tunnel(net: Network) -> None:
    before = [
        n.counted(reason) for n in net.nodes for reason in ("tunnel_in", "tunnel_out")
    ]
    assert ping(net.correspondent, HOME_ADDRESS, count=5) == 5
    after = [
        n.counted(reason) for n in net.nodes for reason in ("tunnel_in", "tunnel_out")
    ]
    assert [b - a for a, b in zip(before, after, strict=True)] == [5, 5, 5, 5]


def test_first_packet_is_not_lost(net: Network) -> None:
    """Until the neighbour is known it waits, and not in the device.  # gotcha 1"""
    for one in net.nodes:
        one.namespace.ip("neighbor flush dev eth0")
    assert ping(net.correspondent, HOME_ADDRESS, wait=3) == 1
    for one in net.nodes:
        one.namespace.ip("neighbor flush dev eth0")
    assert ping(net.mobile_node.namespace, CORRESPONDENT, wait=3) == 1
    assert [one.counted("dropped_loop") for one in net.nodes] == [0, 0]


@pytest.mark.parametrize("setting", ["tso on tx on gro on", "tso off tx off"])
def test_tcp_both_ways(net: Network, setting: str) -> None:
    """Segmentation is left to the outer link, checksums stay right.  # gotcha 2, 5"""
    mobile = net.mobile_node.namespace
    offloads(net, setting)
    try:
        assert transfer(net.correspondent, CORRESPONDENT, mobile, HOME_ADDRESS)
        assert transfer(mobile, HOME_ADDRESS, net.correspondent, CORRESPONDENT)
    finally:
        offloads(net, "tso on tx on")


@pytest.mark.parametrize("setting", ["tx on tso on", "tx off tso off"])
def test_udp_segmentation_both_ways(net: Network, setting: str) -> None:
    """QUIC's super-packets stay whole, with and without help.  # gotcha 4"""
    mobile = net.mobile_node.namespace
    offloads(net, setting)
    try:
        at, to = CORRESPONDENT, HOME_ADDRESS
        assert send_gso(net.correspondent, at, mobile, to) == 20
        assert send_gso(mobile, to, net.correspondent, at) == 20
    finally:
        offloads(net, "tso on tx on")


def test_inner_fragments_pass(net: Network) -> None:
    ping(net.correspondent, HOME_ADDRESS, "-s 4000")  # learns the MTU of the tunnel
    assert ping(net.correspondent, HOME_ADDRESS, "-s 4000", count=3) == 3
    assert ping(net.mobile_node.namespace, CORRESPONDENT, "-s 4000", count=3) == 3


def test_hop_limit_counts_the_home_agent_and_no_tunnel(net: Network) -> None:
    """Router, home agent: two hops; the tunnel itself is one link (RFC 2473 §3.1)."""
    assert ping(net.correspondent, HOME_ADDRESS, "-t 3") == 1
    answer = net.correspondent.run(f"ping -n -c 1 -t 2 {HOME_ADDRESS}", check=False)
    assert f"From {HOME_AGENT}" in answer
    assert "Hop limit" in answer


def test_mobile_node_to_mobile_node(net: Network) -> None:
    """Out of one tunnel and into the next, at one home agent.  # gotcha 3"""
    agent, other_place = net.home_agent, net.correspondent
    with node(other_place) as other:
        carry_home_address(other_place, OTHER_HOME_ADDRESS, CORRESPONDENT)
        serve_home_address(agent.namespace, OTHER_HOME_ADDRESS)
        both = {"home_address": OTHER_HOME_ADDRESS, "care_of_address": CORRESPONDENT}
        agent.data_plane.put(tunnel(End.HOME_AGENT, **both))
        other.data_plane.put(tunnel(End.MOBILE_NODE, **both))
        mobile = net.mobile_node.namespace
        try:
            source = f"-I {OTHER_HOME_ADDRESS}"
            assert ping(other_place, HOME_ADDRESS, source, count=5) == 5
            assert transfer(other_place, OTHER_HOME_ADDRESS, mobile, HOME_ADDRESS)
            assert transfer(mobile, HOME_ADDRESS, other_place, OTHER_HOME_ADDRESS)
            assert send_gso(other_place, OTHER_HOME_ADDRESS, mobile, HOME_ADDRESS) == 20
            assert send_gso(mobile, HOME_ADDRESS, other_place, OTHER_HOME_ADDRESS) == 20
        finally:
            for priority in (999, 1000, 1001, 1002):
                other_place.ip(f"rule del priority {priority}")
            agent.namespace.ip(f"route del {OTHER_HOME_ADDRESS}/128 dev mip0")
            agent.namespace.ip(f"neighbor del proxy {OTHER_HOME_ADDRESS} dev eth0")
            agent.data_plane.drop(tunnel(End.HOME_AGENT, **both))
    assert agent.counted("dropped_header") == 0
    # In by the device and out by the device: still no reason to send a Redirect.
    assert sent_redirects(agent.namespace) == 0


def sent_redirects(place: Namespace) -> int:
    words = place.run("cat /proc/net/snmp6").split()
    return int(words[words.index("Icmp6OutRedirects") + 1])


# MTU


def test_largest_packet_and_one_octet_more(net: Network) -> None:
    """The sender learns of the device's MTU from the home agent.  # gotcha 6"""
    fits, headers = MTU - 48, 48
    net.correspondent.ip("route flush cache")
    assert ping(net.correspondent, HOME_ADDRESS, f"-M do -s {fits}") == 1
    answer = net.correspondent.run(
        f"ping -n -c 1 -M do -s {1500 - headers} {HOME_ADDRESS}", check=False
    )
    assert f"Packet too big: mtu={MTU}" in answer
    mobile = net.mobile_node.namespace
    assert ping(mobile, CORRESPONDENT, f"-M do -s {fits}") == 1
    answer = mobile.run(
        f"ping -n -c 1 -M do -s {fits + 1} {CORRESPONDENT}", check=False
    )
    assert f"mtu: {MTU}" in answer or f"mtu={MTU}" in answer


def test_smaller_path_reaches_the_sender_by_the_route(net: Network) -> None:
    """What a router's Packet Too Big said becomes the route's MTU.  # gotcha 7"""
    agent = net.home_agent.namespace
    agent.ip(f"route replace {HOME_ADDRESS}/128 dev mip0 mtu 1360")
    try:
        command = f"ping -n -c 1 -M do -s 1392 {HOME_ADDRESS}"
        answer = net.correspondent.run(command, check=False)
        assert "Packet too big: mtu=1360" in answer
        assert ping(net.correspondent, HOME_ADDRESS, "-M do -s 1312") == 1
    finally:
        agent.ip(f"route replace {HOME_ADDRESS}/128 dev mip0")
        net.correspondent.ip("route flush cache")


# What others do to packets


STRICT = """
table ip6 strict {
  chain prerouting {
    type filter hook prerouting priority -290;
    fib saddr . iif oif missing counter drop
  }
}
"""


def test_strict_reverse_path_filter(net: Network, tmp_path: Path) -> None:
    """Inner packets arrive on the device that their answers leave by.  # gotcha 10"""
    for one in net.nodes:
        filter_packets(one.namespace, STRICT, tmp_path)
    try:
        assert ping(net.correspondent, HOME_ADDRESS, count=3) == 3
        assert ping(net.mobile_node.namespace, CORRESPONDENT, count=3) == 3
        for one in net.nodes:
            assert "packets 0 bytes 0 drop" in one.namespace.run("nft list ruleset")
    finally:
        for one in net.nodes:
            one.namespace.run("nft flush ruleset")


def filter_packets(place: Namespace, rules: str, directory: Path) -> None:
    path = directory / "rules.nft"
    path.write_text(rules)
    if words := place.run(f"nft -f {path}", check=False):
        pytest.skip(f"this kernel's nftables cannot do it: {words.strip()}")


def test_firewall_on_the_device_sees_the_inner_packet(
    net: Network, tmp_path: Path
) -> None:
    """Netfilter never sees the outer one: filter on the device.  # gotcha 15"""
    mobile = net.mobile_node.namespace
    rules = """
    table ip6 seen {
      chain input {
        type filter hook input priority 0;
        meta l4proto 41 counter comment "outer"
        iifname mip0 icmpv6 type echo-request counter comment "inner"
      }
    }
    """
    filter_packets(mobile, rules, tmp_path)
    try:
        assert ping(net.correspondent, HOME_ADDRESS, count=3) == 3
        listed = mobile.run("nft list ruleset").splitlines()
        outer = next(line for line in listed if "outer" in line)
        inner = next(line for line in listed if "inner" in line)
        assert "packets 0 " in outer
        assert "packets 3 " in inner
    finally:
        mobile.run("nft flush ruleset")


@pytest.mark.parametrize(("vlan", "taken"), [(0, True), (5, False)])
def test_frames_of_another_vlan(net: Network, vlan: int, taken: bool) -> None:
    """Those of a VLAN belong to its own device; VLAN 0 only says a priority."""
    mobile = net.mobile_node.namespace
    peer = net.router
    with mobile.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as any_one:
        any_one.bind(("eth0", 0))
        hardware = any_one.getsockname()[4]
    inner = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp(b"tagged"))
    packet = ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, inner)
    tag = b"\x81\x00" + (7 << 13 | vlan).to_bytes(2) + b"\x86\xdd"
    before = net.mobile_node.counted("tunnel_in")
    with peer.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("to-b", 0))
        wire.send(hardware + bytes.fromhex("020000000001") + tag + packet)
    end = time.monotonic() + (40 if taken else 0.05)
    while time.monotonic() < end and net.mobile_node.counted("tunnel_in") == before:
        time.sleep(0.01)
    assert net.mobile_node.counted("tunnel_in") - before == taken


# To the daemon


UPDATE = ipv6(
    CARE_OF_ADDRESS,
    HOME_AGENT,
    DESTINATION_OPTIONS,
    home_address_option(MOBILITY, HOME_ADDRESS) + mobility(),
    hop_limit=63,
)


@pytest.fixture
def diverted(net: Network) -> Iterator[Network]:
    address = IPv6Address(HOME_AGENT)
    net.home_agent.data_plane.divert(address)
    read_all(net.home_agent, "data", seconds=0.05)
    yield net
    net.home_agent.data_plane.undivert(address)


def arriving(packet: bytes) -> bytes:
    """As it was sent, one router before."""
    return packet[:7] + bytes([packet[7] + 1]) + packet[8:]


def test_binding_update_arrives_whole(diverted: Network) -> None:
    """Home Address option and all, which the kernel would refuse.  # gotcha 12, 16"""
    send_raw(diverted.mobile_node.namespace, arriving(UPDATE))
    assert read_all(diverted.home_agent, "signalling") == [UPDATE]
    assert read_all(diverted.home_agent, "data", seconds=0.05) == []


def test_tunnelled_signalling_keeps_its_outer_header(diverted: Network) -> None:
    inner = ipv6(HOME_ADDRESS, HOME_AGENT, MOBILITY, mobility(kind=1))
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, inner, hop_limit=63)
    send_raw(diverted.mobile_node.namespace, arriving(packet))
    assert read_all(diverted.home_agent, "signalling") == [packet]


def test_junk_does_not_starve_signalling(diverted: Network) -> None:
    """Data without a binding has its own queue and a budget.  # gotcha 16"""
    agent = diverted.home_agent
    agent.data_plane.drop(tunnel(End.HOME_AGENT))
    before = agent.counted("unmatched") + agent.counted("dropped_unmatched")
    mobile = diverted.mobile_node.namespace
    packet = arriving(UPDATE)
    with (
        udp_socket(diverted.correspondent, "::") as junk,
        udp_socket(mobile, CARE_OF_ADDRESS) as _,
    ):
        for number in range(20000):
            junk.sendto(b"junk", (HOME_ADDRESS, 9))
            if number % 200 == 0:
                send_raw(mobile, packet)
    assert read_all(agent, "signalling") == [UPDATE] * 100
    seen = agent.counted("unmatched") + agent.counted("dropped_unmatched") - before
    assert seen == 20000
    data = read_all(agent, "data")
    cpus = os.cpu_count() or 1
    # A few seconds at the most: what may come is the burst and the rate of each CPU.
    limit = cpus * (dataplane.UNMATCHED_BURST + 10 * dataplane.UNMATCHED_RATE)
    assert 0 < len(data) <= limit
    assert {packet[24:40] for packet in data} == {IPv6Address(HOME_ADDRESS).packed}


def test_unregistered_data_is_whole_at_the_daemon(net: Network) -> None:
    """Cut up and with its checksum, though the kernel had left both to the card."""
    mobile = net.mobile_node
    mobile.data_plane.drop(tunnel(End.MOBILE_NODE))
    read_all(mobile, "data", seconds=0.05)
    payload = os.urandom(3000)
    with udp_socket(mobile.namespace, HOME_ADDRESS) as sender:
        sender.setsockopt(17, 103, 1200)
        sender.sendto(payload, (CORRESPONDENT, 9))
        port = sender.getsockname()[1]
    packets = read_all(mobile, "data")
    assert [len(packet) for packet in packets] == [1248, 1248, 648]
    assert b"".join(packet[48:] for packet in packets) == payload
    for packet in packets:
        assert packet[:4] == b"\x60" + packet[1:4]
        assert int.from_bytes(packet[4:6]) == len(packet) - 40
        assert packet[40:42] == port.to_bytes(2)
        assert pseudo_sum(packet) == 0xFFFF


def pseudo_sum(packet: bytes) -> int:
    octets = packet[8:40] + len(packet[40:]).to_bytes(4) + packet[6:7].rjust(4, b"\0")
    octets += packet[40:] + b"\0" * (len(packet) % 2)
    total = sum(int.from_bytes(octets[i : i + 2]) for i in range(0, len(octets), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


# Without the daemon


def test_traffic_goes_on_when_the_daemon_dies(net: Network) -> None:
    """Not one packet is lost while the descriptors close and open.  # gotcha 20"""
    received = 0

    def pinging() -> None:
        nonlocal received
        received = ping(net.correspondent, HOME_ADDRESS, "-i 0.01", count=150, wait=2)

    thread = threading.Thread(target=pinging)
    thread.start()
    time.sleep(0.3)
    for one in net.nodes:
        one.device.close()
        one.data_plane.close()
    time.sleep(0.6)
    for one in net.nodes:
        one.reopen()
    thread.join()
    assert received == 150
    assert {t.home_address for t in net.home_agent.data_plane.tunnels()}


def test_lifetime_ends_without_the_daemon(net: Network) -> None:
    """No binding outlives its lifetime because nobody is there to remove it."""
    net.register(lifetime=5)
    over = time.monotonic() + 5.1
    for one in net.nodes:
        one.device.close()
        one.data_plane.close()
    try:
        assert ping(net.correspondent, HOME_ADDRESS) == 1
        time.sleep(max(0.0, over - time.monotonic()))
        assert ping(net.correspondent, HOME_ADDRESS) == 0
        assert ping(net.mobile_node.namespace, CORRESPONDENT) == 0
    finally:
        for one in net.nodes:
            one.reopen()
    net.register()
    assert ping(net.correspondent, HOME_ADDRESS) == 1


def test_wrong_care_of_address_gets_no_further(net: Network) -> None:
    agent = net.home_agent
    agent.data_plane.divert(IPv6Address(HOME_AGENT))
    before = agent.counted("dropped_care_of_address")
    with udp_socket(net.correspondent, CORRESPONDENT, timeout=0.3) as sink:
        port = sink.getsockname()[1]
        inner = ipv6(HOME_ADDRESS, CORRESPONDENT, UDP, udp(b"forged", destination=port))
        send_raw(net.correspondent, ipv6(CORRESPONDENT, HOME_AGENT, IPV6, inner))
        with pytest.raises(TimeoutError):
            sink.recv(100)
    assert agent.counted("dropped_care_of_address") == before + 1
    agent.data_plane.undivert(IPv6Address(HOME_AGENT))
