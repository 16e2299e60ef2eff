"""Decisions read off octets, so that whoever changes octets changes decisions."""

from collections.abc import Sequence
from typing import TypeVar

Choice = TypeVar("Choice")


class Choices:
    """Every decision is the first one once the octets have run out."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._position = 0

    @property
    def left(self) -> bool:
        return self._position < len(self._octets)

    def octets(self, count: int) -> bytes:
        """At most `count` of them."""
        start = self._position
        self._position = min(start + count, len(self._octets))
        return self._octets[start : self._position]

    def number(self, octets: int = 1) -> int:
        return int.from_bytes(self.octets(octets))

    def flag(self) -> bool:
        return self.number() % 2 == 1

    def one_of(self, choices: Sequence[Choice]) -> Choice:
        """Of at most 256."""
        return choices[self.number() % len(choices)]

    def changed(self, octets: bytes) -> bytes:
        """`octets` with some of them set, some taken out, or cut, or none of it."""
        changed = bytearray(octets)
        for _ in range(self.one_of((0, 0, 1, 2, 4))):
            at = self.number(2) % (len(changed) + 1)
            match self.one_of(("set", "set", "insert", "remove", "cut")):
                case "set" if at < len(changed):
                    changed[at] = self.number()
                case "insert":
                    changed[at:at] = self.octets(self.number() % 16)
                case "remove":
                    del changed[at : at + self.number() % 16]
                case "cut":
                    del changed[at:]
        return bytes(changed)
