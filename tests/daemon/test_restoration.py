"""What a home agent knows again: from disk, and what its maps hold."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import cast

import pytest
from tests.support.security import HOME_ADDRESS

from mip6.core.binding_cache import Binding
from mip6.core.state import End, Tunnel
from mip6.daemon.restoration import bring_up, restore
from mip6.daemon.store import Store
from mip6.linux.dataplane import DataPlane

HOME_AGENT = IPv6Address("2001:db8:a::1")
BINDING = Binding(
    home_address=HOME_ADDRESS,
    care_of_address=IPv6Address("2001:db8:b::7"),
    home_registration=True,
    sequence_number=7,
    lifetime=600,
    expires=1600.0,
)
TUNNEL = Tunnel(
    end=End.HOME_AGENT,
    home_address=HOME_ADDRESS,
    care_of_address=BINDING.care_of_address,
    home_agent=HOME_AGENT,
    expires=1600.0,
)
OTHER = replace(TUNNEL, home_address=HOME_ADDRESS + 1)


class Maps:
    """As much of a data plane as is asked."""

    def __init__(self, *standing: Tunnel) -> None:
        self.standing = {tunnel.home_address: tunnel for tunnel in standing}

    def tunnels(self, known: Container[bytes] = ()) -> Iterator[Tunnel]:
        for tunnel in list(self.standing.values()):
            if tunnel.home_address.packed not in known:
                yield tunnel

    def put_many(self, tunnels: Iterable[Tunnel]) -> None:
        self.standing |= {tunnel.home_address: tunnel for tunnel in tunnels}

    def drop(self, tunnel: Tunnel) -> None:
        del self.standing[tunnel.home_address]


class Cache:
    """A home agent that knows these."""

    def __init__(self, *bindings: Binding) -> None:
        self.bindings = {binding.home_address: binding for binding in bindings}
        self.known = len(bindings)

    def binding(self, home_address: IPv6Address) -> Binding | None:
        return self.bindings.get(home_address)

    def last_sequence_number(self, home_address: IPv6Address) -> int | None:
        return 9


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "state.sqlite", lambda: 0.0)
    yield made
    made.close()


def kept(store: Store, *bindings: Binding) -> None:
    store.follow(Cache(*bindings))
    for binding in bindings:
        store.changed(binding.home_address)
    store.commit()


def plane(*standing: Tunnel) -> DataPlane:
    return cast(DataPlane, Maps(*standing))


def test_what_is_on_disk_counts_and_the_tunnel_of_nobody_counts_too(
    store: Store,
) -> None:
    kept(store, BINDING)
    moved = replace(TUNNEL, care_of_address=IPv6Address("2001:db8:c::7"))
    found = restore(store, plane(moved, OTHER), HOME_AGENT, 1000.0, numbers=False)
    assert found.bindings == [BINDING, OTHER]


def test_a_tunnel_does_not_bring_back_what_has_ended_on_disk(store: Store) -> None:
    kept(store, replace(BINDING, expires=999.0))
    found = restore(store, plane(TUNNEL), HOME_AGENT, 1000.0, numbers=False)
    assert found.bindings == []


@pytest.mark.parametrize(
    "foreign",
    [
        replace(OTHER, home_agent=HOME_ADDRESS),
        replace(OTHER, end=End.MOBILE_NODE),
        replace(OTHER, expires=1000.0),
    ],
)
def test_tunnels_that_are_nothing_to_it(store: Store, foreign: Tunnel) -> None:
    found = restore(store, plane(foreign), HOME_AGENT, 1000.0, numbers=False)
    assert found.bindings == []


def test_a_wall_clock_that_was_put_back_gives_nobody_more(store: Store) -> None:
    kept(store, replace(BINDING, expires=9000.0))
    [binding] = restore(store, plane(), HOME_AGENT, 1000.0, numbers=False).bindings
    assert binding.expires == 1600.0


@pytest.mark.parametrize("numbers", [True, False])
def test_numbers_that_outlive_bindings_where_they_are_wanted(
    store: Store, numbers: bool
) -> None:
    kept(store, BINDING)
    found = restore(store, plane(), HOME_AGENT, 1000.0, numbers=numbers)
    assert found.sequence_numbers == ([(HOME_ADDRESS, 7)] if numbers else [])


@pytest.mark.parametrize("before", [(), (OTHER,), (TUNNEL, OTHER)])
def test_exactly_what_is_wanted_stands(before: tuple[Tunnel, ...]) -> None:
    maps = Maps(*before)
    bring_up(cast(DataPlane, maps), iter([TUNNEL]))
    assert maps.standing == {HOME_ADDRESS: TUNNEL}
