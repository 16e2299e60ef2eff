"""What stands in the kernel for a role, and the way back when the kernel refuses."""

from collections.abc import Iterable

from .effects import Effect, Install, Remove, difference
from .state import State


class Ledger:
    """The states that stand, by key.

    `begin` opens the answers of one moment, which may be carried out as one list;
    `reconcile` turns what is wanted into effects; `answered` takes the whole answer.
    When the kernel refuses a state, nothing behind it in the list has happened, and
    `refused` makes that true here as well.
    """

    def __init__(self) -> None:
        self._standing: dict[object, State] = {}
        self._before: dict[object, State] = {}
        self._answers: list[Effect] = []

    @property
    def standing(self) -> set[State]:
        return set(self._standing.values())

    def find(self, key: object) -> State | None:
        return self._standing.get(key)

    def found(self, state: State) -> None:
        """It stood before there was an answer: an earlier process installed it."""
        self._standing[state.key] = state

    def begin(self) -> None:
        self._before, self._answers = dict(self._standing), []

    def reconcile(self, wanted: Iterable[State]) -> list[Effect]:
        after = list(wanted)
        effects = difference(list(self._standing.values()), after)
        self._standing = {state.key: state for state in after}
        return effects

    def answered(self, effects: list[Effect]) -> None:
        self._answers += effects

    def refused(self, state: State) -> list[Effect]:
        """Go back to what stands now; the effects that have not happened."""
        refused = Install(state)
        if refused not in self._answers:
            # Not an answer of ours: a repair of what somebody else had removed.
            self._before, self._answers = self._standing, [refused]
            self._before.pop(state.key, None)
        self._standing = self._before
        reached = len(self._answers) - 1 - self._answers[::-1].index(refused)
        for effect in self._answers[:reached]:
            match effect:
                case Install(done):
                    self._standing[done.key] = done
                case Remove(gone):
                    self._standing.pop(gone.key, None)
        undone = self._answers[reached:]
        self.begin()
        return undone
