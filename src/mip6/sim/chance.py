"""Chance from one seed, in one stream for each concern: a new kind of fault then leaves
what old seeds did as it was."""

from random import Random


class Chance:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, Random] = {}

    def stream(self, concern: str) -> Random:
        if concern not in self._streams:
            self._streams[concern] = Random(f"{self.seed}/{concern}")
        return self._streams[concern]

    def strikes(self, concern: str, probability: float) -> bool:
        """True so often; the stream moves on in any case."""
        return self.stream(concern).random() < probability
