"""Groups: what of them goes into a tunnel, and that nothing carries an option."""

import time
from ipaddress import IPv6Address

import pytest
from tests.support.bench import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    DROP,
    HOME_ADDRESS,
    HOME_AGENT,
    LONG,
    PASS,
    REDIRECT,
    Bench,
)
from tests.support.octets import HOP_BY_HOP, ICMPV6, IPV6, UDP, ipv6, options, udp

from mip6.core.state import End
from mip6.linux.layout import MARK, MARK_LONG, Traffic

pytestmark = pytest.mark.root

GROUPS = ["ff05::1", "ff08::1", "ff0e::1"]
REPORTS = (131, 132, 143)
"""Multicast Listener Discovery: report, done, report of version 2."""


def report(kind: int, source: str, group: str) -> bytes:
    body = bytes([kind, 0]) + bytes(22)
    return ipv6(source, group, HOP_BY_HOP, options(ICMPV6) + body, hop_limit=1)


@pytest.mark.rfc("10.4.2-7", "nothing to a group goes into a mobile node's tunnel")
@pytest.mark.parametrize("group", GROUPS)
def test_home_agent_tunnels_no_groups(bench: Bench, group: str) -> None:
    bench.tunnel(End.HOME_AGENT)
    packet = ipv6(CORRESPONDENT, group, UDP, udp())
    result = bench.out(packet)
    assert (result.verdict, result.packet) == (PASS, packet)
    assert result.counted == {"unmatched": 1}


@pytest.mark.rfc("11.3.4-6", "from the home address, which stays the inner source")
@pytest.mark.parametrize("group", GROUPS)
def test_mobile_node_sends_to_groups_through_the_tunnel(
    bench: Bench, group: str
) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(End.MOBILE_NODE)
    packet = ipv6(HOME_ADDRESS, group, UDP, udp())
    assert bench.out(packet).packet == ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, packet)


@pytest.mark.rfc("11.3.4-5", "from the care-of address: no option")
@pytest.mark.parametrize("group", GROUPS)
def test_from_the_care_of_address_nothing_is_added(bench: Bench, group: str) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(End.MOBILE_NODE)
    packet = ipv6(CARE_OF_ADDRESS, group, UDP, udp())
    result = bench.out(packet)
    assert (result.verdict, result.packet) == (PASS, packet)


@pytest.mark.rfc("11.3.4-2", "group membership on the link: no option")
@pytest.mark.rfc("11.3.4-3", "group membership: not through the tunnel by itself")
@pytest.mark.parametrize("kind", REPORTS)
def test_group_membership_is_the_daemons(bench: Bench, kind: int) -> None:
    """Its source is a link-local address (RFC 3590), or none."""
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(End.MOBILE_NODE)
    for source in (CARE_OF_ADDRESS, HOME_ADDRESS, "fe80::1", "::"):
        for group in ("ff02::16", "ff0e::1"):
            packet = report(kind, source, group)
            result = bench.out(packet)
            assert (result.verdict, result.packet) == (PASS, packet)
            assert result.counted == {"unmatched": 1}


def test_other_messages_to_the_link_stay_there(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    for kind in (130, 133, 142, 144):
        packet = report(kind, HOME_ADDRESS, "ff02::16")
        assert bench.out(packet).counted == {"dropped_link_scope": 1}


@pytest.mark.parametrize("kind", REPORTS)
def test_who_is_no_mobile_node_tells_nobody_of_groups(bench: Bench, kind: int) -> None:
    bench.tunnel(End.HOME_AGENT)
    packet = report(kind, "fe80::1", "ff02::16")
    assert bench.out(packet).counted == {"dropped_link_scope": 1}


@pytest.mark.rfc("8.5-17", "what comes from the home agent, and nobody else's")
def test_packets_of_a_group_come_out_of_the_tunnel(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.divert(CARE_OF_ADDRESS)
    news = ipv6(CORRESPONDENT, "ff0e::1", UDP, udp())
    packet = ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, news)
    assert bench.arrive(packet).counted == {"unknown_tunnel": 1}, "not joined"
    bench.tunnel(End.MOBILE_NODE, home_address="ff0e::1")
    result = bench.arrive(packet)
    assert (result.verdict, result.packet) == (REDIRECT, news)
    assert result.counted == {"tunnel_in": 1}
    forged = ipv6(CORRESPONDENT, CARE_OF_ADDRESS, IPV6, news)
    assert bench.arrive(forged).counted == {"dropped_home_agent": 1}


@pytest.mark.rfc("10.4.3-1", "out of the tunnel, to the daemon")
@pytest.mark.parametrize("source", ["fe80::2", "::", HOME_ADDRESS])
@pytest.mark.parametrize("kind", REPORTS)
def test_reports_in_the_tunnel_are_the_daemons(
    bench: Bench, kind: int, source: str
) -> None:
    bench.tunnel(End.HOME_AGENT)
    bench.divert(HOME_AGENT)
    bench.data_plane.configure(multicast=True)
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, report(kind, source, "ff02::16"))
    result = bench.arrive(packet)
    assert (result.verdict, result.packet, result.mark) == (REDIRECT, packet, MARK)
    assert result.counted == {"signalling": 1}


def test_reports_are_nobodys_where_groups_stay_at_home(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    bench.divert(HOME_AGENT)
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, report(143, "::", "ff02::16"))
    assert bench.arrive(packet).counted == {"unknown_tunnel": 1}
    bench.data_plane.configure(multicast=True)
    for kind in (128, 130, 144):
        packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, report(kind, "::", "ff02::16"))
        assert bench.arrive(packet).counted == {"unknown_tunnel": 1}
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, report(143, "::", CORRESPONDENT))
    assert bench.arrive(packet).counted == {"unknown_tunnel": 1}
    elsewhere = ipv6(
        CARE_OF_ADDRESS, CORRESPONDENT, IPV6, report(143, "::", "ff02::16")
    )
    assert bench.arrive(elsewhere).counted == {}


def counted(bench: Bench) -> Traffic:
    traffic = bench.data_plane.traffic(End.HOME_AGENT, IPv6Address(HOME_ADDRESS))
    assert traffic is not None
    return traffic


def to_group(group: str, **header: int) -> bytes:
    inner = ipv6(HOME_ADDRESS, group, UDP, udp(), traffic_class=1)
    return ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, inner, **header)


@pytest.mark.parametrize("group", GROUPS)
def test_what_a_mobile_node_sends_to_a_group_is_the_daemons(
    bench: Bench, group: str
) -> None:
    """Whole, congestion marks taken over, and counted."""
    bench.tunnel(End.HOME_AGENT)
    bench.divert(HOME_AGENT)
    bench.data_plane.configure(multicast=True)
    inner = ipv6(HOME_ADDRESS, group, UDP, udp(), traffic_class=3)
    result = bench.arrive(to_group(group, traffic_class=3))
    assert (result.verdict, result.mark) == (REDIRECT, MARK_LONG)
    assert result.packet[40:] == inner
    assert result.counted == {"multicast": 1}
    traffic = counted(bench)
    assert (traffic.packets_in, traffic.octets_in) == (1, len(inner))


@pytest.mark.parametrize("group", GROUPS)
def test_where_groups_stay_at_home_it_is_dropped(bench: Bench, group: str) -> None:
    bench.tunnel(End.HOME_AGENT)
    result = bench.arrive(to_group(group))
    assert (result.verdict, result.counted) == (DROP, {"dropped_multicast": 1})
    assert counted(bench).packets_in == 0


@pytest.mark.parametrize("multicast", [False, True])
@pytest.mark.parametrize("group", ["ff01::1", "ff02::1", "ff12::7"])
def test_groups_of_the_link_do_not_come_out(
    bench: Bench, group: str, multicast: bool
) -> None:
    bench.tunnel(End.HOME_AGENT)
    bench.data_plane.configure(multicast=multicast)
    result = bench.arrive(to_group(group))
    assert (result.verdict, result.counted) == (DROP, {"dropped_link_scope": 1})


def test_packets_to_groups_have_a_budget(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    bench.data_plane.configure(multicast=True)
    bench.full_again(LONG, at=time.clock_gettime(time.CLOCK_BOOTTIME) + 3600)
    assert bench.arrive(to_group(GROUPS[0])).counted == {"dropped_multicast": 1}


def test_only_a_mobile_node_of_ours_sends_to_groups_here(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT, care_of_address="2001:db8:b::9")
    bench.divert(HOME_AGENT)
    bench.data_plane.configure(multicast=True)
    assert bench.arrive(to_group(GROUPS[0])).counted == {"dropped_care_of_address": 1}
