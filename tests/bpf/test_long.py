"""Packets that no sender makes any smaller, and that do not fit with our headers; and
what is counted of each tunnel."""

import time
from collections.abc import Iterator
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
from tests.support.octets import (
    DESTINATION_OPTIONS,
    IPV6,
    NONE,
    ROUTING,
    home_address_option,
    ipv6,
    routing,
)

from mip6.core.state import End
from mip6.linux.layout import MARK_LONG, Traffic

pytestmark = pytest.mark.root

TUNNEL, DIRECT = 40, 24


def down(length: int) -> bytes:
    return ipv6(CORRESPONDENT, HOME_ADDRESS, NONE, bytes(length - 40))


def up(length: int) -> bytes:
    return ipv6(HOME_ADDRESS, CORRESPONDENT, NONE, bytes(length - 40))


@pytest.fixture
def narrow(bench: Bench) -> Iterator[Bench]:
    """A link of 1280 octets to everywhere."""
    bench.namespace.ip("link set eth0 mtu 1280")
    yield bench
    bench.namespace.ip("link set eth0 mtu 1500")


@pytest.mark.parametrize("length", [1241, 1279, 1280])
@pytest.mark.parametrize("end", [End.HOME_AGENT, End.MOBILE_NODE])
def test_a_packet_of_1280_goes_to_the_daemon_in_its_tunnel(
    narrow: Bench, end: End, length: int
) -> None:
    """RFC 2473 §7.1 (b)."""
    narrow.tunnel(end)
    packet = down(length) if end is End.HOME_AGENT else up(length)
    ends = (HOME_AGENT, CARE_OF_ADDRESS)
    source, destination = ends if end is End.HOME_AGENT else ends[::-1]
    result = narrow.out(packet)
    assert result.packet == ipv6(source, destination, IPV6, packet)
    assert (result.verdict, result.mark) == (PASS, MARK_LONG)
    assert result.counted == {"long_out": 1}


def test_what_fits_goes_on(narrow: Bench) -> None:
    narrow.tunnel(End.HOME_AGENT)
    result = narrow.out(down(1240))
    assert (result.verdict, result.counted) == (REDIRECT, {"tunnel_out": 1})


def test_longer_ones_are_their_senders_fault(narrow: Bench) -> None:
    """§7.1 (a): the kernel tells them, by the device's MTU."""
    narrow.tunnel(End.HOME_AGENT)
    result = narrow.out(down(1281))
    assert (result.verdict, result.counted) == (DROP, {"dropped_size": 1})


def test_with_the_headers_of_the_direct_way(narrow: Bench) -> None:
    narrow.direct(End.CORRESPONDENT)
    packet = down(1280)
    wanted = ipv6(
        CORRESPONDENT,
        CARE_OF_ADDRESS,
        ROUTING,
        routing(NONE, HOME_ADDRESS) + packet[40:],
    )
    result = narrow.out(packet)
    assert (result.verdict, result.mark) == (PASS, MARK_LONG)
    assert (result.packet, result.counted) == (wanted, {"long_out": 1})
    narrow.clear()
    narrow.direct(End.MOBILE_NODE)
    packet = up(1280 - DIRECT + 1)
    wanted = ipv6(
        CARE_OF_ADDRESS,
        CORRESPONDENT,
        DESTINATION_OPTIONS,
        home_address_option(NONE, HOME_ADDRESS) + packet[40:],
    )
    result = narrow.out(packet)
    assert (result.packet, result.counted) == (wanted, {"long_out": 1})
    assert narrow.out(up(1280 - DIRECT)).counted == {"direct_out": 1}


@pytest.mark.parametrize(
    ("length", "path_mtu", "counted"),
    [
        (1241, 1280, "long_out"),
        (1240, 1280, "tunnel_out"),
        (1280, 1319, "long_out"),
        (1280, 1320, "tunnel_out"),
        (1281, 1300, "dropped_size"),
        (1400, None, "tunnel_out"),
    ],
)
def test_a_path_that_is_narrower_than_the_link(
    bench: Bench, length: int, path_mtu: int | None, counted: str
) -> None:
    bench.tunnel(End.HOME_AGENT, path_mtu=path_mtu)
    for _ in range(2):  # the second by the way that is remembered
        assert bench.out(down(length)).counted == {counted: 1}


def test_a_narrow_direct_path(bench: Bench) -> None:
    bench.direct(End.CORRESPONDENT, path_mtu=1280)
    assert bench.out(down(1257)).counted == {"long_out": 1}
    assert bench.out(down(1256)).counted == {"direct_out": 1}


def test_they_have_a_budget(narrow: Bench) -> None:
    narrow.tunnel(End.HOME_AGENT)
    narrow.full_again(LONG, at=time.clock_gettime(time.CLOCK_BOOTTIME) + 60)
    result = narrow.out(down(1280))
    assert (result.verdict, result.counted) == (DROP, {"dropped_long": 1})
    assert narrow.out(down(1240)).counted == {"tunnel_out": 1}


def test_they_pass_the_device_untouched(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    result = bench.out(down(100), mark=MARK_LONG)
    assert (result.verdict, result.packet, result.counted) == (PASS, down(100), {})


# What is counted of each tunnel


@pytest.mark.parametrize("end", [End.HOME_AGENT, End.MOBILE_NODE])
def test_each_tunnel_counts(bench: Bench, end: End) -> None:
    home_address = IPv6Address(HOME_ADDRESS)
    assert bench.data_plane.traffic(end, home_address) is None
    bench.tunnel(end)
    bench.tunnel(end, home_address="2001:db8:a::999")
    assert bench.data_plane.traffic(end, home_address) == Traffic(0, 0, 0, 0)
    there = (HOME_AGENT, CARE_OF_ADDRESS)
    leaving, coming = down, up
    if end is End.MOBILE_NODE:
        leaving, coming, there = up, down, there[::-1]
    for length in (100, 60):
        bench.out(leaving(length))
    for length in (50, 51, 52):
        bench.arrive(ipv6(*there[::-1], IPV6, coming(length)))
    counted = Traffic(packets_in=3, octets_in=153, packets_out=2, octets_out=160)
    assert bench.data_plane.traffic(end, home_address) == counted
    other = IPv6Address("2001:db8:a::999")
    assert bench.data_plane.traffic(end, other) == Traffic(0, 0, 0, 0)


def test_what_was_counted_outlives_a_move(bench: Bench) -> None:
    home_address = IPv6Address(HOME_ADDRESS)
    bench.tunnel(End.HOME_AGENT)
    bench.out(down(100))
    moved = bench.tunnel(End.HOME_AGENT, care_of_address="2001:db8:c::7")
    bench.out(down(100))
    two = Traffic(0, 0, 2, 200)
    assert bench.data_plane.traffic(End.HOME_AGENT, home_address) == two
    bench.data_plane.put_many([moved])
    assert bench.data_plane.traffic(End.HOME_AGENT, home_address) == two
    bench.data_plane.drop(moved)
    bench.data_plane.put(moved)
    assert bench.data_plane.traffic(End.HOME_AGENT, home_address) == Traffic(0, 0, 0, 0)


def test_what_is_dropped_is_not_counted(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT, path_mtu=1280)
    bench.divert(HOME_AGENT)
    bench.out(down(1300))
    bench.arrive(ipv6("2001:db8:c::7", HOME_AGENT, IPV6, up(50)))
    found = bench.data_plane.traffic(End.HOME_AGENT, IPv6Address(HOME_ADDRESS))
    assert found == Traffic(0, 0, 0, 0)
