"""Who talks to whom: told once, and again after a while."""

import select
import time
from collections.abc import Iterator

import pytest
from tests.support.bench import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    NOTICE,
    Bench,
)
from tests.support.octets import (
    DESTINATION_OPTIONS,
    IPV6,
    ROUTING,
    UDP,
    home_address_option,
    ipv6,
    routing,
    udp,
)

from mip6.core.state import End
from mip6.linux import bpf, dataplane

pytestmark = pytest.mark.root

OUT = ipv6(HOME_ADDRESS, CORRESPONDENT, UDP, udp())
BACK = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp())
TALK = (HOME_ADDRESS, CORRESPONDENT)


@pytest.fixture(autouse=True)
def as_it_was(bench: Bench) -> Iterator[None]:
    yield
    tell_after(bench, dataplane.TELL)


def tell_after(bench: Bench, seconds: float) -> None:
    bench.data_plane.configure(told_interval=seconds)


def told_of_two(bench: Bench, first: bytes, second: bytes) -> int:
    """How often, of packets out and in: those after the second not, until the interval
    is over."""
    tell_after(bench, 3600)
    bench.out(first)
    told = bench.told()
    bench.out(first)
    bench.arrive(second)
    assert bench.told() == []
    tell_after(bench, 0)
    bench.arrive(second)
    told += bench.told()
    bench.out(first)
    told += bench.told()
    assert len(set(told)) == 1
    return len(told)


def readable(bench: Bench) -> bool:
    poll = select.epoll()
    poll.register(bench.data_plane.notices.fileno(), select.EPOLLIN)
    return bool(poll.poll(0))


TUNNELLED = ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, BACK)
TO_CARE_OF = ipv6(
    CORRESPONDENT, CARE_OF_ADDRESS, ROUTING, routing(UDP, HOME_ADDRESS) + udp()
)
WITH_OPTION = ipv6(
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    DESTINATION_OPTIONS,
    home_address_option(UDP, HOME_ADDRESS) + udp(),
)


def test_readable_until_it_is_read(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    assert not readable(bench)
    bench.out(OUT)
    assert readable(bench)
    assert bench.told() == [TALK]
    assert not readable(bench)


def test_mobile_node_by_the_tunnel(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    assert told_of_two(bench, OUT, TUNNELLED) == 3


def test_mobile_node_directly(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(End.MOBILE_NODE)
    assert told_of_two(bench, OUT, TO_CARE_OF) == 3


def test_mobile_node_hears_from_who_is_not_expected(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    for _ in range(3):
        bench.arrive(TO_CARE_OF)
    assert bench.told() == [TALK]


def test_correspondent_both_ways(bench: Bench) -> None:
    bench.direct(End.CORRESPONDENT)
    assert told_of_two(bench, BACK, WITH_OPTION) == 3
    bench.out(BACK)
    assert bench.told() == [(CORRESPONDENT, HOME_ADDRESS)]


def test_between_two_mobile_nodes_once(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(
        End.CORRESPONDENT, home_address=CORRESPONDENT, correspondent=HOME_ADDRESS
    )
    bench.out(OUT)
    assert bench.told() == [TALK]


def test_nobody_is_told_of_what_a_home_agent_forwards(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    bench.out(BACK)
    bench.arrive(ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, OUT))
    assert bench.told() == []


def test_no_talk_with_groups(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.out(ipv6(HOME_ADDRESS, "ff0e::1", UDP, udp()))
    assert bench.told() == []


def test_each_pair_is_told(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    peers = [f"2001:db8:c::{number:x}" for number in range(1, 100)]
    for peer in peers * 2:
        bench.out(ipv6(HOME_ADDRESS, peer, UDP, udp()))
    assert bench.told() == [(HOME_ADDRESS, peer) for peer in peers]


def test_what_is_too_much_is_told_later(bench: Bench) -> None:
    """Who floods with sources does not get the daemon to listen to nothing else."""
    bench.tunnel(End.MOBILE_NODE)
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    bench.full_again(NOTICE, at=now + 60)
    assert bench.out(OUT).counted == {"tunnel_out": 1}
    assert bench.told() == []
    bench.full_again(NOTICE, at=0)
    bench.out(OUT)
    assert bench.told() == [TALK]


def test_the_budget_of_notices(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    start = time.monotonic()
    for number in range(1, 1000):
        bench.out(ipv6(HOME_ADDRESS, f"2001:db8:c::{number:x}", UDP, udp()))
    limit = dataplane.NOTICE_BURST + dataplane.NOTICE_RATE * (time.monotonic() - start)
    told = len(bench.told())
    # A test run may change the CPU, and each has its own budget.
    assert dataplane.NOTICE_BURST <= told <= bpf.possible_cpus() * (limit + 1)


def test_ring_that_nobody_reads(bench: Bench) -> None:
    """It fills, packets go on, and what was not told is told when there is room; the
    reader goes around the ring many times."""
    bench.tunnel(End.MOBILE_NODE)
    bench.data_plane.configure(notice_rate=1e9, notice_burst=10**6)
    bench.out(OUT)
    assert bench.first_packets() == [(CARE_OF_ADDRESS, True)]  # told of no more
    room = 65536 // 40
    try:
        for turn in range(3):
            for number in range(room + 100):
                peer = f"2001:db8:c:{turn + 1:x}::{number + 1:x}"
                result = bench.out(ipv6(HOME_ADDRESS, peer, UDP, udp()))
                assert result.counted == {"tunnel_out": 1}
            told = bench.told()
            assert room - 1 <= len(told) <= room
            assert {local for local, _ in told} == {HOME_ADDRESS}
            assert len({peer for _, peer in told}) == len(told)
            bench.out(ipv6(HOME_ADDRESS, peer, UDP, udp()))
            assert bench.told() == [(HOME_ADDRESS, peer)]
    finally:
        bench.data_plane.configure(
            notice_rate=dataplane.NOTICE_RATE, notice_burst=dataplane.NOTICE_BURST
        )
