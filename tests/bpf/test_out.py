"""Out of the mobility device, octet by octet."""

import os
import time
from collections.abc import Iterator

import pytest
from tests.support.bench import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    DROP,
    ETHERNET,
    HOME_ADDRESS,
    HOME_AGENT,
    PASS,
    REDIRECT,
    UNMATCHED,
    Bench,
)
from tests.support.octets import IPV6, NONE, UDP, ipv6, mobility, udp

from mip6.core.state import End
from mip6.linux import bpf, dataplane
from mip6.linux.layout import MARK

pytestmark = pytest.mark.root

DOWN = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp(b"downlink"), hop_limit=63)
UP = ipv6(HOME_ADDRESS, CORRESPONDENT, UDP, udp(b"uplink"))


@pytest.mark.rfc("10.4.2", "packets for the mobile node go into the tunnel")
@pytest.mark.rfc("10.4.2-1", "to the care-of address")
@pytest.mark.rfc("8.4-3", "encapsulated at the home agent")
def test_home_agent_encapsulates(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    result = bench.out(DOWN)
    assert result.packet == ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, DOWN)
    assert result.verdict == REDIRECT
    assert result.counted == {"tunnel_out": 1}


@pytest.mark.rfc("11.3.1", "reverse tunnel: from the care-of address to the home agent")
@pytest.mark.rfc("11.3.1-4", "without a binding there, through the home agent")
@pytest.mark.rfc("8.5-3", "encapsulation")
def test_mobile_node_encapsulates(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    result = bench.out(UP)
    assert result.packet == ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, UP)
    assert result.verdict == REDIRECT
    assert result.counted == {"tunnel_out": 1}


def test_source_decides_before_destination(bench: Bench) -> None:
    """Between two mobile nodes of which one is us, ours goes to its own home agent."""
    other = "2001:db8:a::200"
    bench.tunnel(End.MOBILE_NODE)
    bench.tunnel(End.HOME_AGENT, home_address=other, care_of_address="2001:db8:c::9")
    packet = ipv6(HOME_ADDRESS, other, UDP, udp())
    assert bench.out(packet).packet == ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, packet)


def test_signalling_for_the_mobile_node_is_data_to_the_home_agent(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    packet = ipv6(CORRESPONDENT, HOME_ADDRESS, 135, mobility(kind=3))
    outer = ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, packet)
    assert bench.out(packet).packet == outer


@pytest.mark.parametrize("size", [0, 1, 7, 8, 1400])
def test_packets_of_any_size(bench: Bench, size: int) -> None:
    """Bounds are checked header by header: the tiniest packet passes.  # gotcha 14"""
    bench.tunnel(End.HOME_AGENT)
    packet = ipv6(CORRESPONDENT, HOME_ADDRESS, NONE, bytes(size))
    result = bench.out(packet)
    assert result.packet == ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, packet)


@pytest.mark.parametrize("traffic_class", [0, 1, 2, 3, 0xB8, 0xBB])
def test_traffic_class_and_flow_label_are_copied(
    bench: Bench, traffic_class: int
) -> None:
    """With the congestion marks in it: RFC 6040 §4.1, normal mode."""
    bench.tunnel(End.HOME_AGENT)
    of = {"traffic_class": traffic_class, "flow_label": 0xABCDE}
    packet = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp(), **of)
    outer = ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, packet, **of)
    assert bench.out(packet).packet == outer


@pytest.mark.parametrize("hop_limit", [1, 2, 255])
def test_outer_hop_limit_is_our_own(bench: Bench, hop_limit: int) -> None:
    """RFC 2473 §6.3; forwarding has taken one off the inner already."""
    bench.tunnel(End.HOME_AGENT)
    packet = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp(), hop_limit=hop_limit)
    outer = ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, packet, hop_limit=64)
    assert bench.out(packet).packet == outer


@pytest.mark.parametrize("end", [End.HOME_AGENT, End.MOBILE_NODE])
def test_expired_tunnel_takes_nothing(bench: Bench, end: End) -> None:
    bench.tunnel(end, lifetime=-0.001)
    packet = DOWN if end is End.HOME_AGENT else UP
    result = bench.out(packet)
    assert (result.verdict, result.packet) == (PASS, packet)
    assert result.counted == {"unmatched": 1}


def test_tunnel_ends_while_nobody_looks(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT, lifetime=1)
    assert bench.out(DOWN).verdict == REDIRECT
    time.sleep(1.01)
    assert bench.out(DOWN).verdict == PASS


def test_inbound_only_tunnel_takes_nothing(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE, inbound_only=True)
    result = bench.out(UP)
    assert (result.verdict, result.packet) == (PASS, UP)
    assert result.counted == {"unmatched": 1}


def test_no_tunnel_goes_to_the_daemon(bench: Bench) -> None:
    result = bench.out(UP)
    assert (result.verdict, result.packet, result.mark) == (PASS, UP, 0)
    assert result.counted == {"unmatched": 1}


def test_unmatched_data_is_limited(bench: Bench) -> None:
    start = time.monotonic()
    passed = sum(bench.out(UP).verdict == PASS for _ in range(500))
    seconds = time.monotonic() - start
    # A test run may change the CPU, and each has its own budget.
    limit = dataplane.UNMATCHED_BURST + dataplane.UNMATCHED_RATE * seconds + 1
    assert dataplane.UNMATCHED_BURST <= passed <= bpf.possible_cpus() * limit


def test_spent_budget_comes_back_with_time(bench: Bench) -> None:
    burst = (dataplane.UNMATCHED_BURST - 1) / dataplane.UNMATCHED_RATE
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    bench.full_again(UNMATCHED, at=now + burst + 1)
    result = bench.out(UP)
    assert (result.verdict, result.counted) == (DROP, {"dropped_unmatched": 1})
    time.sleep(1.05)
    assert bench.out(UP).counted == {"unmatched": 1}


def test_spent_budget_leaves_tunnels_alone(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    bench.full_again(UNMATCHED, at=time.clock_gettime(time.CLOCK_BOOTTIME) + 60)
    assert bench.out(UP).verdict == DROP
    assert bench.out(DOWN).verdict == REDIRECT


def test_marked_packets_are_for_the_daemon(bench: Bench) -> None:
    """What ingress diverts passes the device untouched.  # gotcha 16"""
    bench.tunnel(End.HOME_AGENT)
    result = bench.out(DOWN, mark=MARK)
    assert (result.verdict, result.packet, result.counted) == (PASS, DOWN, {})


@pytest.mark.rfc("10.4.2-5", "not tunnelled")
@pytest.mark.rfc("10.4.2-6", "silently dropped")
@pytest.mark.parametrize(
    "destination", ["ff02::1", "ff01::1", "ff12::1", "fe80::1", "febf::1"]
)
@pytest.mark.rfc("10.4.2", "link-local destinations never go into the tunnel")
def test_link_scope_stays(bench: Bench, destination: str) -> None:
    bench.tunnel(End.MOBILE_NODE)
    result = bench.out(ipv6(HOME_ADDRESS, destination, UDP, udp()))
    assert result.verdict == DROP
    assert result.counted == {"dropped_link_scope": 1}


@pytest.mark.parametrize("destination", ["ff05::1", "ff0e::1", "fec0::1", "fd00::1"])
def test_wider_scopes_are_tunnelled(bench: Bench, destination: str) -> None:
    bench.tunnel(End.MOBILE_NODE)
    packet = ipv6(HOME_ADDRESS, destination, UDP, udp())
    outer = ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, packet)
    assert bench.out(packet).packet == outer


@pytest.mark.rfc("10.4.2-7", "multicast of no scope goes to a mobile node")
@pytest.mark.parametrize("destination", ["ff05::1", "ff08::1", "ff0e::1"])
def test_a_home_agent_tunnels_no_multicast(bench: Bench, destination: str) -> None:
    """Decision 0015."""
    bench.tunnel(End.HOME_AGENT)
    packet = ipv6(CORRESPONDENT, destination, UDP, udp())
    result = bench.out(packet)
    assert (result.verdict, result.packet) == (PASS, packet)
    assert result.counted == {"unmatched": 1}


def test_no_route_to_the_other_end(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT, care_of_address="2001:db8:dead::1")
    result = bench.out(DOWN)
    assert (result.verdict, result.counted) == (DROP, {"dropped_route": 1})


def test_way_that_leads_back_into_the_device(bench: Bench) -> None:
    bench.namespace.ip("route add 2001:db8:f::/64 dev mip0")
    bench.tunnel(End.HOME_AGENT, care_of_address="2001:db8:f::1")
    result = bench.out(DOWN)
    assert (result.verdict, result.counted) == (DROP, {"dropped_loop": 1})


def test_rules_see_the_outer_source(bench: Bench) -> None:
    """The mobile node's `from CARE_OF_ADDRESS lookup main` decides.  # gotcha 9"""
    bench.tunnel(End.MOBILE_NODE)
    bench.namespace.ip("rule add priority 900 lookup 77")
    bench.namespace.ip("route add unreachable default table 77")
    assert bench.out(UP).counted == {"dropped_route": 1}
    bench.namespace.ip(f"rule add priority 899 from {CARE_OF_ADDRESS} lookup main")
    assert bench.out(UP).verdict == REDIRECT
    bench.namespace.ip("rule del priority 899")
    bench.namespace.ip("rule del priority 900")
    bench.namespace.ip("route flush table 77")


def test_rules_see_the_traffic_class(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    bench.namespace.ip("rule add priority 900 tos 0x10 lookup 77")
    bench.namespace.ip("route add unreachable default table 77")
    lowered = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp(), traffic_class=0x10)
    assert bench.out(lowered).counted == {"dropped_route": 1}
    assert bench.out(DOWN).counted == {"tunnel_out": 1}
    bench.namespace.ip("rule del priority 900")
    bench.namespace.ip("route flush table 77")


def test_forwarding_off_is_told_apart(bench: Bench) -> None:
    """The look-up asks for forwarding on the device, and on it alone.  # gotcha 8"""
    bench.tunnel(End.HOME_AGENT)
    assert bench.namespace.run("sysctl -n net.ipv6.conf.eth0.forwarding").strip() == "0"
    bench.namespace.sysctl("mip0.forwarding=0")
    result = bench.out(DOWN)
    bench.namespace.sysctl("mip0.forwarding=1")
    assert (result.verdict, result.counted) == (DROP, {"dropped_forwarding": 1})
    assert bench.out(DOWN).verdict == REDIRECT


def test_too_large_for_the_link(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    fits = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, bytes(1500 - 40 - 40))
    assert bench.out(fits).verdict == REDIRECT
    large = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, bytes(1500 - 40 - 39))
    result = bench.out(large)
    assert (result.verdict, result.counted) == (DROP, {"dropped_size": 1})


def test_too_large_for_the_route(bench: Bench) -> None:
    """The daemon can tell the data plane what a Packet Too Big said.  # gotcha 7"""
    bench.tunnel(End.HOME_AGENT, care_of_address="2001:db8:d::1")
    bench.namespace.ip("route add 2001:db8:d::/64 via 2001:db8:1::1 mtu lock 1400")
    fits = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, bytes(1400 - 40 - 40))
    assert bench.out(fits).verdict == REDIRECT
    result = bench.out(fits + b"1")
    assert (result.verdict, result.counted) == (DROP, {"dropped_size": 1})


def test_what_is_not_ipv6(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    frame = ETHERNET[:12] + b"\x08\x00" + bytes.fromhex("45") + bytes(39)
    program = bench.data_plane.program("device_egress_l2")
    before = bench.data_plane.counters()["dropped_malformed"]
    assert program.run(frame).verdict == DROP
    assert bench.data_plane.counters()["dropped_malformed"] == before + 1


# The way that is remembered


def link_destination(bench: Bench, packet: bytes) -> str:
    """The Ethernet address that the program itself wrote; zeros: it left that to the
    neighbour entry."""
    with bench.namespace.entered():
        program = bench.data_plane.program("device_egress_l2")
        outcome = program.run(ETHERNET + packet)
    assert outcome.verdict == REDIRECT
    return outcome.packet[:6].hex(":")


def remembered(bench: Bench, packet: bytes) -> set[str]:
    """Of several packets: this machine may be busy for longer than a way is kept."""
    return {link_destination(bench, packet) for _ in range(5)}


NOBODY, ROUTER = "00:00:00:00:00:00", "02:00:00:00:00:01"


@pytest.fixture
def one_cpu() -> Iterator[None]:
    """Each CPU remembers for itself."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_cpu")
def test_way_is_remembered_for_the_same_outer_header(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    assert link_destination(bench, DOWN) == NOBODY
    assert ROUTER in remembered(bench, DOWN)
    assert bench.out(DOWN).packet == ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, DOWN)
    assert bench.out(DOWN).counted == {"tunnel_out": 1}
    other_flow = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp(), flow_label=7)
    assert link_destination(bench, other_flow) == NOBODY
    bench.tunnel(End.HOME_AGENT, care_of_address="2001:db8:c::7")
    assert link_destination(bench, DOWN) == NOBODY


@pytest.mark.usefixtures("one_cpu")
def test_way_is_forgotten_after_a_moment(bench: Bench) -> None:
    """And with it a neighbour's old link-layer address."""
    bench.tunnel(End.HOME_AGENT)
    router = "neighbor replace 2001:db8:1::1 dev eth0 nud permanent lladdr"
    link_destination(bench, DOWN)
    bench.namespace.ip(f"{router} 02:00:00:00:00:99")
    time.sleep(0.11)
    assert link_destination(bench, DOWN) == NOBODY
    assert remembered(bench, DOWN) <= {NOBODY, "02:00:00:00:00:99"}
    bench.namespace.ip(f"{router} {ROUTER}")


@pytest.mark.usefixtures("one_cpu")
def test_only_what_is_known_to_fit_goes_the_remembered_way(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    small = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, bytes(100))
    larger = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, bytes(1500 - 40 - 40))
    too_large = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, bytes(1500 - 40 - 39))
    assert link_destination(bench, small) == NOBODY
    assert link_destination(bench, larger) == NOBODY
    assert ROUTER in remembered(bench, larger)
    assert ROUTER in remembered(bench, small)
    assert bench.out(too_large).counted == {"dropped_size": 1}
