"""The answers of several roles to one input, carried out as one list.

The executor stops at the first state that the kernel refuses, and a role knows what of
its own answer has so not happened.  The other roles' answers behind it are none of its
business, and must still be carried out.
"""

from .effects import Effect, Install
from .state import State

REFUSAL_MAX = 1.0
"""Seconds within which the kernel's refusal can be about the last answers, so that a
Binding Update can still be answered by it."""


class Joined:
    """The last answers that were joined."""

    def __init__(self) -> None:
        self._answers: list[list[Effect]] = []
        self._at = 0.0

    def join(self, answers: list[list[Effect]], now: float) -> list[Effect]:
        """One list of them."""
        self._answers, self._at = answers, now
        return [effect for answer in answers for effect in answer]

    def behind(self, state: State, now: float) -> list[list[Effect]]:
        """The answers behind the one in which `state` was refused."""
        answers, self._answers = self._answers, []
        if now - self._at <= REFUSAL_MAX:
            for place, answer in enumerate(answers):
                if Install(state) in answer:
                    return answers[place + 1 :]
        return []
