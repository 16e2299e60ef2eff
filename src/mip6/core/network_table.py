"""What is said about networks, found by the longest one that holds an address."""

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network
from typing import Generic, TypeVar

V = TypeVar("V")


class NetworkTable(Generic[V]):
    """A thousand addresses of one length are one look-up."""

    __slots__ = ("_lengths", "_tables")

    def __init__(self, entries: Iterable[tuple[IPv6Network, V]]) -> None:
        tables: dict[int, dict[int, V]] = {}
        for network, value in entries:
            bits = 128 - network.prefixlen
            key = int(network.network_address) >> bits
            tables.setdefault(bits, {})[key] = value
        self._tables = [(bits, tables[bits]) for bits in sorted(tables)]

    def __bool__(self) -> bool:
        return bool(self._tables)

    def find(self, address: IPv6Address) -> V | None:
        value = int(address)
        for bits, table in self._tables:
            found = table.get(value >> bits)
            if found is not None:
                return found
        return None
