"""What was done in a run, and when: what is found is held against it at the end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from . import story
from .capture import Frame
from .lab import Move
from .measure import Result

UPDATES_MAX = 3
"""Binding Updates in a second (MAX_UPDATE_RATE, §12)."""

WITHOUT_S = 40.0
"""Beyond the lifetime; it takes eleven, and duplicate address detection."""

Check = Callable[[str, bool, str], None]
"""Something that must be so, whether it is, and details."""


@dataclass(slots=True)
class Account:
    """Moments are in seconds of the boot clock."""

    moves: list[Move] = field(default_factory=list)
    hurried: set[Move] = field(default_factory=set)
    """Moves that were not waited for: only what follows them is checked."""
    cuts: list[float] = field(default_factory=list)
    """Moments from which on a silence is no move's doing."""
    quiet: list[tuple[str, float, float]] = field(default_factory=list)
    """Times in which no packet may be lost, nor come twice."""
    updates: list[tuple[str, float, float, range]] = field(default_factory=list)
    """Times with the number of Binding Updates that may be sent in them."""
    rates: list[tuple[str, float, float]] = field(default_factory=list)
    """Times in which the rate of Binding Updates is looked at."""
    without: list[tuple[str, float, float]] = field(default_factory=list)
    """Times in which somebody who was needed had gone for good, and who."""
    trace: list[dict[str, Any]] = field(default_factory=list)
    """What `mip6 trace` said of the moves, time and again."""

    def moved(self, move: Move) -> str:
        """What the move is called."""
        self.moves.append(move)
        return f"move {len(self.moves)} {move.origin} → {move.destination}"

    def spans(self, end: float) -> list[tuple[Move, float]]:
        """The moves, each with the moment until which it counts: the next one's, a cut,
        or the end of the run."""
        cuts = [*(move.unplugged_at for move in self.moves), *self.cuts, end]
        return [
            (move, min(x for x in cuts if x > move.plugged_at)) for move in self.moves
        ]

    def check_quiet(self, results: list[Result], check: Check) -> None:
        for name, begin, end in self.quiet:
            down = sum(result.down.lost(begin, end) for result in results)
            up = sum(result.up.lost(begin, end) for result in results)
            detail = f"lost {down} down, {up} up"
            check(f"{name}: no packet lost", down == up == 0, detail)
            twice = sum(
                stream.duplicated(begin, end)
                for result in results
                for stream in (result.down, result.up)
            )
            check(f"{name}: none came twice", not twice, str(twice))

    def check_without(self, result: Result, lifetime: float, check: Check) -> None:
        """How long that took: silence shows when a registration is refreshed, at three
        quarters of its lifetime; then seven seconds and a little more."""
        for who, begin, end in self.without:
            down, up = (
                stream.outage_ms(begin, end) / 1000
                for stream in (result.down, result.up)
            )
            detail = f"{down:.1f} s down, {up:.1f} s up"
            most = lifetime + WITHOUT_S
            check(f"without {who}: traffic goes on", max(down, up) < most, detail)

    def check_updates(self, frames: dict[str, list[Frame]], check: Check) -> None:
        for name, begin, end, wanted in self.updates:
            sent = story.updates(frames, begin, end)
            detail = f"sequence numbers {sent or 'none'}"
            check(name, len(set(sent)) in wanted, detail)
        for name, begin, end in self.rates:
            moments = story.update_moments(frames, begin, end)
            close = [
                b - a for a, b in zip(moments, moments[UPDATES_MAX:], strict=False)
            ]
            fine = min(close, default=inf) >= 1.0
            detail = f"{len(moments)} in {end - begin:.1f} s"
            check(f"{name}: at most {UPDATES_MAX} updates a second", fine, detail)
