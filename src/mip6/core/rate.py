"""How often we may answer: a token bucket (RFC 4443 §2.4 (f))."""


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
