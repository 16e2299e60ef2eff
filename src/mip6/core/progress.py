"""How far the last move has come (DESIGN §5, the timeline)."""

from .effects import Effect, Notify
from .events import Phase, PhaseReached


class Progress:
    """The phases of the move that began when a link last came up."""

    def __init__(self) -> None:
        self._link: str | None = None
        self._phases: set[Phase] = set()

    def begin(self, link: str) -> list[Effect]:
        self._link = link
        self._phases = set()
        return self.reached(Phase.LINK_UP, link)

    def reached(self, phase: Phase, link: str) -> list[Effect]:
        """Only the link that came up moves on, and each phase counts once."""
        if link != self._link or phase in self._phases:
            return []
        self._phases.add(phase)
        return [Notify(PhaseReached(phase, link))]

    def undone(self, phase: Phase) -> None:
        """Nobody was told, so it is to be told again."""
        self._phases.discard(phase)
