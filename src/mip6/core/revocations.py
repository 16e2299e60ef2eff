"""Bindings that the home agent is about to end (RFC 5846 §6, §7)."""

from collections.abc import Callable
from ipaddress import IPv6Address

from mip6.wire.record import record

from .timers import Timers

RETRIES_MAX = 1
"""BRIMaxRetriesNumber (RFC 5846 §11)."""
DELAY = 1.0
"""InitMINDelayBRIs, seconds; it is doubled for each repetition."""


@record
class _Pending:
    sequence_number: int
    sent: int


class Revocations:
    """What was said to whom, until it is acknowledged or given up."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._pending: dict[IPv6Address, _Pending] = {}
        self._timers: Timers[IPv6Address] = Timers()

    def __contains__(self, home_address: IPv6Address) -> bool:
        return home_address in self._pending

    @property
    def deadline(self) -> float | None:
        return self._timers.deadline

    def begin(self, home_address: IPv6Address, now: float) -> int:
        """The sequence number of the first indication.  An acknowledgement comes from
        the home address, so numbers need to differ for that one only."""
        number = int.from_bytes(self._random(2))
        self._pending[home_address] = _Pending(number, 1)
        self._timers.set(home_address, now + DELAY)
        return number

    def matches(self, home_address: IPv6Address, sequence_number: int) -> bool:
        """Whether an acknowledgement is one of ours (RFC 5846 §6.2.2)."""
        pending = self._pending.get(home_address)
        return pending is not None and pending.sequence_number == sequence_number

    def end(self, home_address: IPv6Address) -> None:
        if self._pending.pop(home_address, None) is not None:
            self._timers.stop(home_address)

    def due(self, now: float) -> list[tuple[IPv6Address, int | None]]:
        """Whom to tell again, with the number; None: nobody answers, it is over."""
        due: list[tuple[IPv6Address, int | None]] = []
        for home_address in self._timers.expire(now):
            pending = self._pending.pop(home_address)
            if pending.sent > RETRIES_MAX:
                due.append((home_address, None))
                continue
            number, sent = pending.sequence_number, pending.sent
            self._pending[home_address] = _Pending(number, sent + 1)
            self._timers.set(home_address, now + DELAY * 2**sent)
            due.append((home_address, number))
        return due
