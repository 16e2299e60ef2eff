"""How often we may answer: a token bucket (RFC 4443 §2.4 (f)); how often somebody else
may ask."""

from collections.abc import Hashable

COUNTED_MAX = 65536
"""Who is counted in one second; who comes beyond them may ask."""


class TokenBucket:
    """`rate` tokens a second, at most `burst` of them saved up; full at the start."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        if rate < 0 or burst < 1:
            raise ValueError(f"no token could ever be taken: {rate=} {burst=}")
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take one token; False if there is none at `now` (seconds)."""
        if self._at is None:
            self._at = now
        elif now > self._at:
            gained = (now - self._at) * self.rate
            self._tokens = min(self.burst, self._tokens + gained)
            self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class AskingRate:
    """At most `count_max` in one second from each, where it is not None.

    Seconds begin anew with the first that is counted, so that all that is kept is who
    asked in this one: a million that ask in turn need no room.  Where two of them meet
    it may be twice as many.
    """

    __slots__ = ("_counts", "_end", "count_max")

    def __init__(self, count_max: int | None) -> None:
        self.count_max = count_max
        self._counts: dict[Hashable, int] = {}
        self._end: float | None = None

    def allows(self, who: Hashable, now: float) -> bool:
        """Count one more; False if it is one too many."""
        if self.count_max is None:
            return True
        if self._end is None or now >= self._end:
            self._counts.clear()
            self._end = now + 1
        count = self._counts.get(who, 0) + 1
        if count > self.count_max:
            return False
        if count > 1 or len(self._counts) < COUNTED_MAX:
            self._counts[who] = count
        return True


class Persistence:
    """Tells errors that go on from one alone, which anybody can make up.

    errors_min, within: so many within so many seconds go on.
    """

    def __init__(self, errors_min: int, within: float) -> None:
        self._errors_min = errors_min
        self._within = within
        self._errors: list[float] = []

    def again(self, now: float) -> bool:
        """Whether another error makes it one too many; then counting begins anew."""
        recent = [at for at in self._errors if now - at < self._within]
        self._errors = [*recent, now]
        if len(self._errors) < self._errors_min:
            return False
        self._errors = []
        return True
