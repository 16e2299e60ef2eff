"""The first packet of a mobile node by a care-of address, in each direction: told once,
with its moment (DESIGN §5, the timeline)."""

import pytest
from tests.support.bench import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    DROP,
    HOME_ADDRESS,
    HOME_AGENT,
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

pytestmark = pytest.mark.root

OUT = ipv6(HOME_ADDRESS, CORRESPONDENT, UDP, udp())
BACK = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp())
TUNNELLED = ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, BACK)
TO_CARE_OF = ipv6(
    CORRESPONDENT, CARE_OF_ADDRESS, ROUTING, routing(UDP, HOME_ADDRESS) + udp()
)
OTHER = "2001:db8:b::200"
FIRST_IN, FIRST_OUT = (CARE_OF_ADDRESS, False), (CARE_OF_ADDRESS, True)


def test_by_the_tunnel_once(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    for _ in range(3):
        bench.out(OUT)
        bench.arrive(TUNNELLED)
    assert bench.first_packets() == [FIRST_OUT, FIRST_IN]


def test_directly_once(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(End.MOBILE_NODE)
    for _ in range(3):
        bench.arrive(TO_CARE_OF)
        bench.out(OUT)
    assert bench.first_packets() == [FIRST_IN, FIRST_OUT]


def test_directly_from_who_is_not_expected(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.arrive(TO_CARE_OF)
    assert bench.first_packets() == [FIRST_IN]


def test_by_another_care_of_address_again(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.out(OUT)
    bench.arrive(TUNNELLED)
    bench.first_packets()
    bench.tunnel(End.MOBILE_NODE, care_of_address=OTHER)
    bench.out(OUT)
    bench.arrive(ipv6(HOME_AGENT, OTHER, IPV6, BACK))
    assert bench.first_packets() == [(OTHER, True), (OTHER, False)]


def test_late_ones_by_the_care_of_address_before_do_not_count(bench: Bench) -> None:
    bench.tunnel(
        End.MOBILE_NODE, care_of_address=OTHER, previous=CARE_OF_ADDRESS, grace=60
    )
    assert bench.arrive(TUNNELLED).counted == {"tunnel_in": 1}
    assert bench.arrive(TO_CARE_OF).counted == {"direct_in": 1}
    assert bench.first_packets() == []


def test_a_new_move_is_told_by_the_same_address(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.out(OUT)
    bench.data_plane.forget_first_packets()
    bench.out(OUT)
    assert bench.first_packets() == [FIRST_OUT, FIRST_OUT]


def test_what_does_not_leave_does_not_count(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE, home_agent="2001:db8:ffff::1")
    result = bench.out(OUT)
    assert (result.verdict, result.counted) == (DROP, {"dropped_route": 1})
    assert bench.first_packets() == []


def test_others_have_no_moves(bench: Bench) -> None:
    """A home agent, and a correspondent."""
    bench.tunnel(End.HOME_AGENT)
    bench.out(BACK)
    bench.arrive(ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, OUT))
    bench.direct(End.CORRESPONDENT)
    bench.out(BACK)
    option = home_address_option(UDP, HOME_ADDRESS) + udp()
    bench.arrive(ipv6(CARE_OF_ADDRESS, CORRESPONDENT, DESTINATION_OPTIONS, option))
    assert bench.first_packets() == []
