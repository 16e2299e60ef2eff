"""The moves of a mobile node, with the time of each step: one type for `mip6 trace`,
the lab and events (DESIGN §5, the timeline)."""

from collections import deque
from dataclasses import dataclass, field

from mip6.core.events import Phase, PhaseReached

_MOVES_MAX = 100


@dataclass(slots=True)
class Move:
    link: str
    started_at: float
    """When the carrier came up, in seconds of the boot clock."""
    phases_ms: dict[Phase, float] = field(default_factory=dict)
    """Milliseconds since `started_at`."""


class Timeline:
    """The last hundred moves."""

    def __init__(self) -> None:
        self.moves: deque[Move] = deque(maxlen=_MOVES_MAX)

    def is_under_way(self, link: str, at: float) -> bool:
        """Whether what happened on `link` at `at` is of the last move."""
        return (
            bool(self.moves)
            and self.moves[-1].link == link
            and self.moves[-1].started_at <= at
        )

    def reached(self, event: PhaseReached, now: float) -> None:
        if event.phase == Phase.LINK_UP or not self.moves:
            self.moves.append(Move(event.link, now))
        move = self.moves[-1]
        elapsed_ms = round((now - move.started_at) * 1000, 3)
        move.phases_ms.setdefault(event.phase, elapsed_ms)
