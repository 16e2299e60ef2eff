"""Bounds-checked cursors.  Beside them only the loop over options (`tlv`) indexes
bytes: a call for each octet would cost more than all that it does."""

from functools import lru_cache
from ipaddress import IPv6Address
from struct import Struct
from typing import Any

address = lru_cache(maxsize=1024)(IPv6Address)
"""An address from its octets.  The same few come again and again: ours in every packet,
and each peer's some times in a row."""


class WireError(ValueError):
    """Bytes that no sender may produce.

    `reason` is a fixed snake_case word that is counted and that tests assert; `offset`
    the guilty octet, counted from the start of the octets that were to be read.  A
    Parameter Problem points there (RFC 4443 §3.4).
    """

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} at octet {offset}")
        self.reason = reason
        self.offset = offset


def check_bits(name: str, value: int, bits: int) -> None:
    """Raise `ValueError` for a number that its field cannot hold."""
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{name} {value} does not fit {bits} bits")


class Reader:
    """Octets and a position in them; never reads beyond `end`.

    `position` counts from the start of the octets given, so it is the offset of every
    error.  Reads raise `WireError("truncated", position)` when the octets run out.
    """

    __slots__ = ("end", "position", "whole")

    def __init__(self, octets: bytes) -> None:
        self.whole = octets
        self.position = 0
        self.end = len(octets)
        """Who lowers it, to stay inside an option or a header, has checked first that
        it lies within."""

    def u8(self) -> int:
        position = self.position
        if position >= self.end:
            raise WireError("truncated", self.end)
        self.position = position + 1
        return self.whole[position]

    def octets(self, count: int) -> bytes:
        start = self.position
        stop = start + count
        if stop > self.end:
            raise WireError("truncated", self.end)
        self.position = stop
        return self.whole[start:stop]

    def unpack(self, layout: Struct) -> tuple[Any, ...]:
        """The fixed part of a figure in one step."""
        start = self.position
        stop = start + layout.size
        if stop > self.end:
            raise WireError("truncated", self.end)
        self.position = stop
        return layout.unpack_from(self.whole, start)

    def address(self) -> IPv6Address:
        return address(self.octets(16))

    def rest(self) -> bytes:
        return self.octets(self.end - self.position)


class Writer:
    """Octets that grow at the end."""

    __slots__ = ("_octets",)

    def __init__(self) -> None:
        self._octets = bytearray()

    def __len__(self) -> int:
        return len(self._octets)

    def __bytes__(self) -> bytes:
        return bytes(self._octets)

    def u8(self, value: int) -> None:
        self._octets.append(value)

    def octets(self, value: bytes) -> None:
        self._octets += value

    def pack(self, layout: Struct, *values: object) -> None:
        self._octets += layout.pack(*values)

    def address(self, value: IPv6Address) -> None:
        self._octets += value.packed

    def put_u8(self, value: int, at: int) -> None:
        """Fill in a length that is known only now."""
        self._octets[at] = value

    def put_u16(self, value: int, at: int) -> None:
        """Fill in a checksum or a length that is known only now."""
        self._octets[at : at + 2] = value.to_bytes(2)
