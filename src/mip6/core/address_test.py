"""The two address tests of return routability, at the mobile node (§11.6, §11.8).

A test is one cookie on its way; what it brings is a keygen token.
"""

from collections import deque
from dataclasses import field
from ipaddress import IPv6Address
from math import inf

from mip6.wire.record import record

from .registration import (
    INITIAL_BINDACK_TIMEOUT,
    MAX_BINDACK_TIMEOUT,
    MAX_UPDATE_RATE,
    UPDATE_WINDOW,
)

MAX_RO_FAILURE = 3
"""Retransmissions without an answer before traffic stays with the home agent (§12)."""
MAX_TOKEN_LIFETIME = 210.0
"""Seconds for which a keygen token is used (§12)."""
COOKIES_MAX = 4
"""Messages of one test whose answer still counts."""
REPEAT_AFTER = 0.02
"""Seconds that an early test has left for its answer."""
FRESH_SHARE = 0.75
"""Part of that lifetime after which a home keygen token that may be needed is renewed:
time for several losses."""


@record
class KeygenToken:
    """What a test brought.  Times are counted from sending the cookie."""

    token: bytes = field(repr=False)
    nonce_index: int
    tested_at: float

    @property
    def until(self) -> float:
        return self.tested_at + MAX_TOKEN_LIFETIME

    @property
    def renew_at(self) -> float:
        return self.tested_at + MAX_TOKEN_LIFETIME * FRESH_SHARE


class Allowance:
    """No more than MAX_UPDATE_RATE messages of one type to one node within a second
    (§11.8)."""

    __slots__ = ("_recent",)

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=MAX_UPDATE_RATE)

    @property
    def at(self) -> float:
        """When the next message may leave."""
        full = len(self._recent) == MAX_UPDATE_RATE
        return self._recent[0] + UPDATE_WINDOW if full else -inf

    def used(self, now: float) -> None:
        self._recent.append(now)


class AddressTest:
    """Either the home test or the care-of test of one correspondent.

    An answer to each of the last messages counts, as one may be slower than the wait
    for it.
    """

    def __init__(self) -> None:
        self.running = False
        self.tries = 0
        """Messages sent in this test."""
        self._sent: dict[bytes, tuple[IPv6Address, float]] = {}
        # By cookie: from where, and when.
        self._send_at = inf
        self._timeout = INITIAL_BINDACK_TIMEOUT
        self._allowance = Allowance()

    def begin(self, now: float) -> None:
        """Test from now on, if it is not under way."""
        if self.running:
            return
        self.running = True
        self.tries = 0
        self._sent.clear()
        self._send_at = now
        self._timeout = INITIAL_BINDACK_TIMEOUT

    def repeat(self, now: float) -> None:
        """Send once more if no answer comes now: the last one may have left too early
        to be answered."""
        if self.tries:
            self._send_at = now + REPEAT_AFTER

    def stop(self) -> None:
        self.running = False

    @property
    def deadline(self) -> float:
        """When to send the message, again or for the first time."""
        return max(self._send_at, self._allowance.at) if self.running else inf

    def failed(self, now: float) -> bool:
        """Whether it is due again and was sent as often as it may be in vain."""
        return self.deadline <= now and self.tries > MAX_RO_FAILURE

    def sent(self, address: IPv6Address, cookie: bytes, now: float) -> None:
        """The message left from `address` with a new cookie (§11.8)."""
        if self.tries:
            self._timeout = min(self._timeout * 2, MAX_BINDACK_TIMEOUT)
        self.tries += 1
        if len(self._sent) == COOKIES_MAX:
            del self._sent[next(iter(self._sent))]
        self._sent[cookie] = (address, now)
        self._send_at = now + self._timeout
        self._allowance.used(now)

    def expects(self, address: IPv6Address, cookie: bytes) -> str:
        """Why an answer does not count (§11.6.2), or ""."""
        if not self.running or not self._sent:
            return "no_test_under_way"
        if cookie not in self._sent:
            return "cookie"
        return "" if address == self._sent[cookie][0] else "not_for_tested_address"

    def is_of(self, cookie: bytes) -> bool:
        """Whether a message that somebody quotes is one of this test."""
        return self.running and cookie in self._sent

    def passed(self, cookie: bytes, token: bytes, nonce_index: int) -> KeygenToken:
        self.running = False
        return KeygenToken(token, nonce_index, self._sent[cookie][1])
