"""A table of deadlines.  It never looks at a clock: callers bring `now`."""

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

GARBAGE_MIN = 64
"""Below this many stale heap entries a compaction would cost more than it frees."""


class Timers(Generic[K]):
    """One deadline per key, in seconds of the caller's clock.

    Deadlines stand on a heap.  Moving or stopping one leaves its old heap entry behind,
    stale; when the stale outnumber the live, the heap is built anew.  So `set` and
    `stop` cost O(log n) amortized and memory stays within twice what is live, however
    often a million bindings are refreshed.
    """

    __slots__ = ("_count", "_heap", "_live")

    def __init__(self) -> None:
        self._live: dict[K, tuple[float, int, K]] = {}
        self._heap: list[tuple[float, int, K]] = []
        # Breaks ties in the order of setting, and keeps keys from being compared.
        self._count = 0

    def __len__(self) -> int:
        return len(self._live)

    def set(self, key: K, at: float) -> None:
        """Expire `key` at `at`, in place of any deadline it had."""
        self._count += 1
        entry = (at, self._count, key)
        self._live[key] = entry
        heappush(self._heap, entry)
        self._compact()

    def stop(self, key: K) -> None:
        """Forget the deadline of `key`, if it has one."""
        if self._live.pop(key, None) is not None:
            self._compact()

    @property
    def deadline(self) -> float | None:
        """The earliest deadline, or None."""
        while self._heap and self._stale(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def expire(self, now: float, keys_max: int | None = None) -> list[K]:
        """Remove and return the keys whose deadline is not after `now`, in order; no
        more than `keys_max`, so that `deadline` may still be due."""
        due: list[K] = []
        while (at := self.deadline) is not None and at <= now and len(due) != keys_max:
            key = heappop(self._heap)[2]
            del self._live[key]
            due.append(key)
        return due

    def _stale(self, entry: tuple[float, int, K]) -> bool:
        return self._live.get(entry[2]) is not entry

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._live) + GARBAGE_MIN:
            self._heap = list(self._live.values())
            heapify(self._heap)
