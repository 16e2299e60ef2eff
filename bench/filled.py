"""A home agent's file with as many bindings as one wants, as if they had registered."""

from ipaddress import IPv6Address

from mip6.core.binding_cache import Binding
from mip6.daemon.machine import store_path
from mip6.daemon.store import Store
from mip6.linux import clock

from .mobile_nodes import LIFETIME, care_of_address, home_address

AT_ONCE = 10_000
"""Bindings in one commit."""


class _Filled:
    """Bindings of the first mobile nodes, as the store asks for them."""

    def __init__(self) -> None:
        self.bindings: dict[IPv6Address, Binding] = {}
        self.known = 0

    def add(self, number: int) -> IPv6Address:
        home = home_address(number)
        self.bindings[home] = Binding(
            home_address=home,
            care_of_address=care_of_address(number, 0),
            home_registration=True,
            sequence_number=1,
            lifetime=LIFETIME,
            expires=clock.now() + LIFETIME,
        )
        self.known += 1
        return home

    def binding(self, home: IPv6Address) -> Binding | None:
        return self.bindings.get(home)

    def last_sequence_number(self, home: IPv6Address) -> int | None:
        return self.bindings[home].sequence_number


def fill(name: str, count: int) -> None:
    """As many bindings in its file as if they had registered."""
    store, filled = Store(store_path(name), clock.wall_ahead), _Filled()
    store.follow(filled)
    for number in range(count):
        store.changed(filled.add(number))
        if number % AT_ONCE == AT_ONCE - 1:
            store.commit()
            filled.bindings.clear()
    store.commit()
    store.close()
