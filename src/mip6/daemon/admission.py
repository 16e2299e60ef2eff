"""Whose turn it is when more signalling comes than can be answered.

Who has a binding comes first: a refresh that is late costs a mobile node its
connections, a first registration only time.  Who has none and finds no room in time is
turned away: as many as may be are refused with status 130, if their key is good, and
try another home agent; the rest is dropped and counted, and sent again by who sent it,
later each time.  So refusing never takes more than a part of the work, and nothing is
answered that its sender no longer waits for.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

BATCH = 256
"""Packets that are answered together, by one commit."""
REFUSALS = 32
"""Packets of those turned away that are looked at beside them."""
WAITING_MAX = 4096
"""Packets that wait, of either kind."""
REFUSED_MAX = 256
"""Packets that wait to be refused."""
PATIENCE = 1.0
"""Seconds until a mobile node asks again, and an answer to the former question counts
no more (§11.8, INITIAL_BINDACK_TIMEOUT)."""
_OPTION, _ADDRESS = slice(46, 48), slice(48, 64)
_HOME_ADDRESS_OPTION = bytes((0xC9, 16))
"""Where a Home Address option stands when it is the first header and aligned (§6.3), as
everybody sends it.  Elsewhere it is not looked for: that packet waits a little more."""

Waiting = deque[tuple[float, bytes]]
"""Since when, and the packet; the first has waited longest."""


@dataclass(slots=True)
class Turn:
    """What is looked at now."""

    answered: list[bytes] = field(default_factory=list)
    """In the order of their coming in either kind."""
    refused: list[bytes] = field(default_factory=list)
    """No new binding may come of these."""
    dropped: int = 0
    """Packets that have waited too long."""


class Admission:
    """is_bound: whether the home address with this number has a binding."""

    def __init__(self, is_bound: Callable[[int], bool]) -> None:
        self._is_bound = is_bound
        self._bound: Waiting = deque()
        self._others: Waiting = deque()
        self._refused: Waiting = deque()

    def __len__(self) -> int:
        return len(self._bound) + len(self._others) + len(self._refused)

    def take(self, packets: Iterable[bytes], now: float) -> tuple[int, int]:
        """How many came, and how many of them found no room."""
        # Of a flood this is all that is done to most packets.
        bound, others, is_bound = self._bound, self._others, self._is_bound
        count = dropped = 0
        for octets in packets:
            count += 1
            if (
                octets[_OPTION] == _HOME_ADDRESS_OPTION
                and len(octets) >= _ADDRESS.stop
                and is_bound(int.from_bytes(octets[_ADDRESS]))
            ):
                if len(bound) < WAITING_MAX:
                    bound.append((now, octets))
                else:
                    dropped += 1
            elif len(others) < WAITING_MAX:
                others.append((now, octets))
            else:
                dropped += not self._turn_away(now, octets)
        return count, dropped

    def turn(self, now: float) -> Turn:
        """Those that are looked at now: a batch, and some that are only refused."""
        turn = Turn()
        oldest = now - PATIENCE
        turn.dropped += _drop_late(self._bound, oldest)
        while self._others and self._others[0][0] < oldest:
            turn.dropped += not self._turn_away(*self._others.popleft())
        # These have waited once more.
        turn.dropped += _drop_late(self._refused, oldest - PATIENCE)
        for _ in range(min(REFUSALS, len(self._refused))):
            turn.refused.append(self._refused.popleft()[1])
        for _ in range(BATCH):
            queue = self._bound or self._others
            if not queue:
                break
            turn.answered.append(queue.popleft()[1])
        return turn

    def _turn_away(self, since: float, octets: bytes) -> bool:
        """Whether there is room to tell it."""
        if len(self._refused) >= REFUSED_MAX:
            return False
        self._refused.append((since, octets))
        return True


def _drop_late(queue: Waiting, oldest: float) -> int:
    """How many had come before `oldest`."""
    count = 0
    while queue and queue[0][0] < oldest:
        queue.popleft()
        count += 1
    return count
