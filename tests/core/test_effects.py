"""From one list of kernel state to another."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
)

from mip6.core.effects import Effect, Install, Remove, difference
from mip6.core.state import (
    CareOfAddress,
    End,
    HomeAddress,
    Neighbor,
    ProxyNeighbor,
    Route,
    RouteOptimization,
    State,
    Tunnel,
)

TUNNEL = Tunnel(
    end=End.HOME_AGENT,
    home_address=HOME_ADDRESS,
    home_agent=HOME_AGENT,
    care_of_address=CARE_OF_ADDRESS,
    expires=60.0,
)
MOVED = replace(TUNNEL, care_of_address=NEXT_CARE_OF_ADDRESS)
PROXY = ProxyNeighbor(address=HOME_ADDRESS, link="eth1")
ROUTES = [
    Route(destination=IPv6Network((n << 64, 64)), link="eth0") for n in range(1, 7)
]


@pytest.mark.parametrize(
    ("before", "after", "effects"),
    [
        ([], [], []),
        ([], [TUNNEL, PROXY], [Install(TUNNEL), Install(PROXY)]),
        ([TUNNEL], [], [Remove(TUNNEL)]),
        ([TUNNEL], [TUNNEL], []),
        ((TUNNEL,), [TUNNEL], []),
        ([TUNNEL], [MOVED], [Install(MOVED)]),
        ([TUNNEL], [PROXY], [Remove(TUNNEL), Install(PROXY)]),
        ([TUNNEL, PROXY], [MOVED, PROXY], [Install(MOVED)]),
        ([TUNNEL, PROXY], [PROXY], [Remove(TUNNEL)]),
        ([PROXY], [TUNNEL, PROXY], [Install(TUNNEL)]),
        ([TUNNEL, PROXY], [], [Remove(PROXY), Remove(TUNNEL)]),
        (ROUTES, ROUTES[:5], [Remove(ROUTES[5])]),
        (ROUTES[:4], ROUTES, [Install(ROUTES[4]), Install(ROUTES[5])]),
    ],
)
def test_difference(
    before: list[State], after: list[State], effects: list[Effect]
) -> None:
    assert difference(before, after) == effects


ADDRESS = CareOfAddress(address=CARE_OF_ADDRESS, link="eth0", prefix_length=64)
NEIGHBOR = Neighbor(address=HOME_AGENT, link="eth0", link_layer_address=bytes(6))
OPTIMIZATION = RouteOptimization(
    end=End.CORRESPONDENT,
    home_address=HOME_ADDRESS,
    correspondent=CORRESPONDENT,
    care_of_address=CARE_OF_ADDRESS,
    expires=60.0,
)


def test_what_stands_side_by_side() -> None:
    """As many as the kernel may have at a time: each has a key of its own."""
    states: list[State] = [
        TUNNEL,
        replace(TUNNEL, end=End.MOBILE_NODE),
        replace(TUNNEL, home_address=OTHER_HOME_ADDRESS),
        OPTIMIZATION,
        replace(OPTIMIZATION, end=End.MOBILE_NODE),
        replace(OPTIMIZATION, home_address=OTHER_HOME_ADDRESS),
        replace(OPTIMIZATION, correspondent=IPv6Address("2001:db8:e::3")),
        ADDRESS,
        replace(ADDRESS, address=NEXT_CARE_OF_ADDRESS),
        replace(ADDRESS, link="eth1"),
        NEIGHBOR,
        replace(NEIGHBOR, address=CORRESPONDENT),
        replace(NEIGHBOR, link="eth1"),
        PROXY,
        replace(PROXY, address=OTHER_HOME_ADDRESS),
        replace(PROXY, link="eth0"),
        HomeAddress(address=HOME_ADDRESS, link="mip0"),
        HomeAddress(address=HOME_ADDRESS, link="eth0"),
        *ROUTES,
    ]
    assert len({state.key for state in states}) == len(states)


@pytest.mark.parametrize(
    "state",
    [
        MOVED,
        replace(OPTIMIZATION, care_of_address=NEXT_CARE_OF_ADDRESS),
        replace(NEIGHBOR, link_layer_address=bytes(5) + b"\1"),
    ],
)
def test_what_takes_the_place_of_its_like(state: State) -> None:
    assert state.key in {TUNNEL.key, OPTIMIZATION.key, NEIGHBOR.key}
