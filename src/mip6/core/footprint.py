"""What a mobile node has in the kernel: what stands, what was refused, and what an
earlier process left."""

from collections.abc import Iterable

from .effects import Effect
from .ledger import Ledger
from .listening import is_of_group
from .native import is_native
from .refusals import Refusals
from .state import End, Neighbor, RouteOptimization, State, Tunnel

SPARED = (Neighbor, RouteOptimization)
"""Without these an attachment is of use, too."""


class Footprint:
    """left: the tunnel of an earlier process; it stays until it is replaced.
    ways: its direct ways.
    """

    def __init__(self, left: Tunnel | None, ways: Iterable[RouteOptimization]) -> None:
        self.left = left
        self.refusals = Refusals()
        self._ledger = Ledger()
        if left is not None:
            self._ledger.found(left)
        for way in ways:
            self._ledger.found(way)

    @property
    def installed(self) -> set[State]:
        return self._ledger.standing

    @property
    def deadline(self) -> float:
        """When what was refused is tried again; inf for never."""
        return self.refusals.deadline

    @property
    def possible(self) -> bool:
        """Whether the kernel takes what an attachment needs."""
        return all(
            isinstance(s, SPARED) or is_native(s) or is_of_group(s)
            for s in self.refusals
        )

    def tunnel(self, of: object) -> Tunnel | None:
        """The tunnel of a home address that stands."""
        standing = self._ledger.find((Tunnel, End.MOBILE_NODE, of))
        return standing if isinstance(standing, Tunnel) else None

    def begin(self, now: float, *, later: bool) -> None:
        """An input comes, `later` than the last: answers of one moment may be carried
        out as one list."""
        if later:
            self._ledger.begin()
        self.refusals.update(now)
        if self.left and self.left.expires <= now:
            self.left = None

    def answered(self, effects: list[Effect]) -> None:
        self._ledger.answered(effects)

    def refused(self, state: State, now: float) -> list[Effect]:
        """The kernel refused it; the effects that have not happened."""
        undone = self._ledger.refused(state)
        self.refusals.add(state, now)
        return undone

    def reconcile(self, wanted: Iterable[State], now: float) -> list[Effect]:
        """The effects from what stands to what is wanted."""
        possible: list[State] = []
        for state in wanted:
            if state.key not in self.refusals:
                possible.append(state)
            elif isinstance(state, Tunnel) and (
                (standing := self.tunnel(state.home_address)) and now < standing.expires
            ):
                # Better the old entry than none: if this process dies now, it tells the
                # next one that the home agent may hold a binding.
                possible.append(standing)
        return self._ledger.reconcile(possible)
