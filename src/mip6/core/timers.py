"""A table of deadlines.  It never looks at a clock: callers bring `now`."""

from collections.abc import Hashable, Iterable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

GARBAGE_MIN = 64
"""Below this many stale heap entries a compaction would cost more than it frees."""


def earliest(*deadlines: float | None) -> float | None:
    """The first of some deadlines, of which any may not be set."""
    first = None
    for at in deadlines:
        if at is not None and (first is None or at < first):
            first = at
    return first


class Timers(Generic[K]):
    """One deadline per key, in seconds of the caller's clock.

    A heap holds for each key an entry that is due no later than the key is.  Putting a
    deadline off leaves it there, and when it comes up it is put where it belongs; so a
    million bindings that are refreshed need neither memory nor time for the deadlines
    they never reach.  Entries that nothing needs, of keys that are stopped or due
    earlier, are thrown out when they outnumber the others.
    """

    __slots__ = ("_count", "_heap", "_live")

    def __init__(self) -> None:
        self._live: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        # Breaks ties in the order of setting, and keeps keys from being compared.
        self._count = 0

    def __len__(self) -> int:
        return len(self._live)

    def set(self, key: K, at: float) -> None:
        """Expire `key` at `at`, in place of any deadline it had."""
        former = self._live.get(key)
        self._live[key] = at
        if former is None or at < former:
            self._push(key, at)
            self._compact()

    def set_many(self, deadlines: Iterable[tuple[K, float]]) -> None:
        """The same for each of them, which costs much less at once."""
        for key, at in deadlines:
            self._live[key] = at
            self._count += 1
            self._heap.append((at, self._count, key))
        heapify(self._heap)

    def stop(self, key: K) -> None:
        """Forget the deadline of `key`, if it has one."""
        if self._live.pop(key, None) is not None:
            self._compact()

    @property
    def deadline(self) -> float | None:
        """The earliest deadline, or None."""
        while self._heap:
            at, _, key = self._heap[0]
            wanted = self._live.get(key)
            if wanted == at:
                return at
            heappop(self._heap)
            if wanted is not None:  # put off
                self._push(key, wanted)
        return None

    def expire(self, now: float, keys_max: int | None = None) -> list[K]:
        """Remove and return the keys whose deadline is not after `now`, in order; no
        more than `keys_max`, so that `deadline` may still be due."""
        due: list[K] = []
        while (at := self.deadline) is not None and at <= now and len(due) != keys_max:
            key = heappop(self._heap)[2]
            del self._live[key]
            due.append(key)
        return due

    def _push(self, key: K, at: float) -> None:
        self._count += 1
        heappush(self._heap, (at, self._count, key))

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._live) + GARBAGE_MIN:
            self._heap = []
            for key, at in self._live.items():
                self._push(key, at)
