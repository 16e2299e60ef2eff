"""Who is to be told of the home prefixes, and when (§10.6.2)."""

from collections.abc import Callable
from ipaddress import IPv6Address
from math import inf

from .timers import Timers

PREFIX_ADV_RETRIES = 3
PREFIX_ADV_TIMEOUT = 3.0
"""Seconds until an advertisement is repeated for the first time (§12)."""
INTERVAL_MIN = 600.0
INTERVAL_MAX = 86_400.0
"""MinMobPfxAdvInterval and MaxMobPfxAdvInterval, seconds (§13)."""
APART_MIN = 1.0
"""Seconds between two advertisements to one mobile node (§6.8)."""
DUE_MAX = 250
"""Advertisements that are sent in one go."""


class PrefixDelivery:
    """One schedule for each home address that has not acknowledged what changed.

    interval_min, interval_max: seconds between which an unsolicited advertisement is
        put off, so that thousands do not go out at once.
    """

    def __init__(
        self,
        random: Callable[[int], bytes],
        interval_min: float = INTERVAL_MIN,
        interval_max: float = INTERVAL_MAX,
    ) -> None:
        self._random = random
        self._interval_min = interval_min
        self.interval_max = interval_max
        self._timers: Timers[IPv6Address] = Timers()
        # How often it was sent without an acknowledgement.
        self._sent: dict[IPv6Address, int] = {}
        # Identifiers of solicitations that are to be answered.
        self._asked: dict[IPv6Address, int] = {}
        # When each got an advertisement, in that order; for a moment only.
        self._last: dict[IPv6Address, float] = {}

    def __len__(self) -> int:
        """How many have something to be told."""
        return len(self._sent) + len(self._asked)

    @property
    def deadline(self) -> float | None:
        return self._timers.deadline

    def schedule(self, home_address: IPv6Address, preferred: float, now: float) -> None:
        """There is something new; one delivery that is scheduled already will do, and
        so will an answer that is put off.

        preferred: seconds that the home address stays so.
        """
        if self._sent.get(home_address) == 0 or home_address in self._asked:
            return
        longest = min(self.interval_max, preferred)
        spread = int(abs(longest - self._interval_min))
        delay = self._interval_min
        if spread:
            delay += int.from_bytes(self._random(4)) % spread
        self._sent[home_address] = 0
        self._timers.set(home_address, now + delay)

    def resume(self, home_address: IPv6Address, now: float) -> None:
        """It has registered again from away: what it has not acknowledged is sent
        again, from the beginning."""
        if self._sent.get(home_address):
            self._sent[home_address] = 0
            self._timers.set(home_address, now)

    def end(self, home_address: IPv6Address) -> None:
        """Its binding is over."""
        self._asked.pop(home_address, None)
        self._sent.pop(home_address, None)
        self._timers.stop(home_address)

    def ask(self, home_address: IPv6Address, identifier: int, now: float) -> bool:
        """It has solicited, which acknowledges what it was sent; the answer is `due`
        at once, or when the second since the last advertisement is over.  True if it
        takes the place of another answer that has been waiting for that."""
        self._sent.pop(home_address, None)
        former = self._asked.get(home_address)
        self._asked[home_address] = identifier
        self._timers.set(home_address, now)
        return former is not None

    def due(self, now: float) -> list[tuple[IPv6Address, int]]:
        """Whom to send one now, with which identifier; beyond DUE_MAX of them
        `deadline` stays due.  What nobody asked for comes up again until it is
        acknowledged, PREFIX_ADV_RETRIES times."""
        while self._last and next(iter(self._last.values())) + APART_MIN <= now:
            del self._last[next(iter(self._last))]
        due: list[tuple[IPv6Address, int]] = []
        for home_address in self._timers.expire(now, DUE_MAX):
            if home_address in self._last:
                self._timers.set(home_address, self._last[home_address] + APART_MIN)
                continue
            self._last[home_address] = now
            identifier = self._asked.pop(home_address, None)
            if identifier is None:
                identifier = int.from_bytes(self._random(2))
                sent = self._sent[home_address] + 1
                self._sent[home_address] = sent
                if sent <= PREFIX_ADV_RETRIES:
                    wait = PREFIX_ADV_TIMEOUT * 2 ** (sent - 1)
                    self._timers.set(home_address, now + wait)
            due.append((home_address, identifier))
        return due


class Round:
    """Everybody's turn, a part at a time: packets must not wait for a million."""

    def __init__(self, part_max: int) -> None:
        self._part_max = part_max
        self._left: list[IPv6Address] = []
        self._due = inf

    @property
    def deadline(self) -> float | None:
        return self._due if self._left else None

    def begin(self, home_addresses: list[IPv6Address], now: float) -> None:
        """These are who is left, in place of any others."""
        self._left = home_addresses
        self._due = now

    def part(self) -> list[IPv6Address]:
        """The next of them."""
        part = self._left[-self._part_max :]
        del self._left[-self._part_max :]
        return part
