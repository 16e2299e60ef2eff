"""Node keys and nonces (§5.2.1, §5.2.2, §5.2.7): what keygen tokens are made of, and
for whom they count no more (§5.2.8)."""

from collections.abc import Callable
from dataclasses import field
from ipaddress import IPv6Address

from mip6.wire.record import record

from .return_routability import (
    TokenFunction,
    care_of_test,
    home_test,
    keygen_token,
)

MAX_NONCE_LIFETIME = 240.0
"""Seconds that a nonce counts from its first use on (§12)."""
INTERVAL = 30.0
"""Seconds that one nonce is handed out, as §5.2.7 recommends."""
INTERVAL_MIN = 1.0
"""Seconds between two nonces even if one is worn out before its time; so there are
never more than 241."""
KEY_LENGTH = 20
NONCE_LENGTH = 8

Ends = tuple[int, int]
"""An address of ours and the home address that it is the correspondent of, as numbers:
the hash of an address takes thirty times as long as that of its number."""


def ends_of(correspondent: IPv6Address, home_address: IPv6Address) -> Ends:
    return int(correspondent), int(home_address)


@record
class Nonce:
    """A nonce with a node key of its own, so that one index names both (§5.2.7)."""

    serial: int
    """Counts up; `index` repeats itself, this does not."""
    node_key: bytes = field(repr=False)
    value: bytes = field(repr=False)
    made: float
    """When it was made, which is when it was first used."""
    token: TokenFunction = field(default=keygen_token, repr=False)

    @property
    def index(self) -> int:
        return self.serial & 0xFFFF

    def home_keygen_token(self, home_address: IPv6Address) -> bytes:
        return self.token(self.node_key, home_test(home_address, self.value))

    def care_of_keygen_token(self, care_of_address: IPv6Address) -> bytes:
        tested = care_of_test(care_of_address, self.value)
        return self.token(self.node_key, tested)


class Nonces:
    """The nonces that count, made when they are needed.

    When a binding ends, its nonces must not make it again (§9.5.3, §9.6).  So for these
    two ends all nonces up to the last one used are spent, until that one is too old for
    anybody; a fresh one is handed out from then on, so that a mobile node which comes
    back gets one that counts.

    random: octets nobody can guess, as many as asked for.
    first: what comes before the first nonce's index.  Left to chance, so that indices
        of before a restart are unlikely to be known, and get a status, not silence.
    token: makes keygen tokens out of them.
    spent_max: ends remembered.  Beyond it the oldest of these nonces count no more for
        anybody, "as a last measure" (§5.2.8): safe, at the price of new tests.
    """

    def __init__(
        self,
        random: Callable[[int], bytes],
        *,
        first: int,
        token: TokenFunction = keygen_token,
        spent_max: int = 10_000,
    ) -> None:
        self._random = random
        self._token = token
        self.spent_max = spent_max
        self._serial = first
        self._valid: dict[int, Nonce] = {}  # by index, the oldest first
        self._worn_out = False
        self._spent: dict[Ends, int] = {}  # the serial up to which they are
        self._spent_by: dict[int, set[Ends]] = {}  # the same by serial

    def __len__(self) -> int:
        return len(self._valid)

    @property
    def newest(self) -> int:
        """Serial of the last nonce made."""
        return self._serial

    @property
    def deadline(self) -> float | None:
        """When the oldest nonce is to be discarded."""
        for nonce in self._valid.values():
            return nonce.made + MAX_NONCE_LIFETIME
        return None

    def current(self, now: float) -> Nonce:
        """The nonce for tests that are answered now."""
        newest = self._valid.get(self._serial & 0xFFFF)
        if newest is not None:
            age = now - newest.made
            if age < INTERVAL_MIN or (age < INTERVAL and not self._worn_out):
                return newest
        self.expire(now)
        self._serial += 1
        key, value = self._random(KEY_LENGTH), self._random(NONCE_LENGTH)
        nonce = Nonce(self._serial, key, value, now, self._token)
        self._valid[nonce.index] = nonce
        self._worn_out = False
        return nonce

    def find(self, index: int, now: float) -> Nonce | None:
        """The nonce of an index, if it still counts."""
        nonce = self._valid.get(index)
        if nonce is None or now - nonce.made >= MAX_NONCE_LIFETIME:
            return None
        return nonce

    def expire(self, now: float) -> None:
        """Discard the nonces that are too old."""
        while (at := self.deadline) is not None and at <= now:
            self._discard_oldest()

    def spend(self, ends: Ends, serial: int | None = None) -> None:
        """A binding between these ends is gone: no nonce up to `serial`, or any so far,
        is to make it again."""
        if serial is None:
            serial = self._serial
        before = self._spent.pop(ends, None)
        if before is not None:
            serial = max(serial, before)
            self._forget(ends, before)
        while len(self._spent) >= self.spent_max and self._is_valid(serial):
            self._discard_oldest()
        if not self._is_valid(serial):
            return
        self._spent[ends] = serial
        self._spent_by.setdefault(serial, set()).add(ends)
        self._worn_out |= serial == self._serial

    def is_spent(self, ends: Ends, *nonces: Nonce) -> bool:
        """Whether every one of `nonces` may have made a binding that is gone."""
        serial = self._spent.get(ends)
        return serial is not None and all(nonce.serial <= serial for nonce in nonces)

    def _is_valid(self, serial: int) -> bool:
        """Whether the nonce is there, and not one that took its index later."""
        nonce = self._valid.get(serial & 0xFFFF)
        return nonce is not None and nonce.serial == serial

    def _forget(self, ends: Ends, serial: int) -> None:
        those = self._spent_by[serial]
        those.remove(ends)
        if not those:
            del self._spent_by[serial]

    def _discard_oldest(self) -> None:
        index = next(iter(self._valid))
        nonce = self._valid.pop(index)
        for ends in self._spent_by.pop(nonce.serial, ()):
            del self._spent[ends]
