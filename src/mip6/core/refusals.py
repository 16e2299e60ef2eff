"""What the kernel refused, and when it is tried again."""

from collections.abc import Iterator
from math import inf

from .state import State

REFUSED_FIRST = 1.0
REFUSED_MAX = 32.0
"""Seconds after which state that the kernel refused is tried again, doubling."""


class Refusals:
    """States by their keys; all are tried again at the same time."""

    def __init__(self) -> None:
        self._states: dict[object, State] = {}
        self._until = -inf
        self._for = 0.0

    def __contains__(self, key: object) -> bool:
        return key in self._states

    def __iter__(self) -> Iterator[State]:
        return iter(self._states.values())

    @property
    def deadline(self) -> float:
        """When they are tried again; inf for never."""
        return self._until if self._states else inf

    def add(self, state: State, now: float) -> None:
        self._states[state.key] = state
        self._for = min(max(self._for * 2, REFUSED_FIRST), REFUSED_MAX)
        self._until = now + self._for

    def update(self, now: float) -> None:
        if now >= self._until:
            self._states.clear()

    def overcome(self) -> None:
        """All went well: the next refusal is the first again."""
        self._for = 0.0
