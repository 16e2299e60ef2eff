"""Sequence numbers of ESP: what the sender reserves, what the receiver has seen
(RFC 4303 §3.3.3, §3.4.3).

With keys that outlive a restart both must survive it too: a sender that began again at
1 would be taken for a replay, a receiver that forgot would take one (RFC 3776 §4.4).
"""

from .esp import SEQUENCE_NUMBER_MAX, EspError

RESERVED_AT_ONCE = 256
"""Numbers reserved by one write to disk; at most so many are lost in a restart."""

WINDOW = 64
"""Numbers below the highest seen that may still arrive, in any order."""
_ALL = (1 << WINDOW) - 1


class Counter:
    """The sender's sequence numbers, reserved in blocks.

    stored: what an earlier process reserved last, 0 if none did.
    first: the number to begin with when nothing is stored.  The seconds of the wall
        clock are a good one: should the file be lost, the peer's window is not ahead.
    """

    __slots__ = ("_next", "reserved")

    def __init__(self, stored: int = 0, first: int = 1) -> None:
        if not (0 <= stored <= SEQUENCE_NUMBER_MAX and first >= 1):
            raise ValueError("a sequence number has 32 bits")
        self._next = stored + 1 if stored else min(first, SEQUENCE_NUMBER_MAX)
        self.reserved = self._next - 1
        """Numbers up to this one may have been used, for all that others know."""

    @property
    def needs_reservation(self) -> bool:
        """Whether `reserve` must come before the next `take`."""
        return self._next > self.reserved

    def reserve(self) -> int:
        """A new block; the number returned is to be on disk before any is sent.

        Raises `EspError` "sequence_numbers_exhausted" after 2^32 packets: the number
        never comes round (§3.3.3), so the key must be replaced.
        """
        if self._next > SEQUENCE_NUMBER_MAX:
            raise EspError("sequence_numbers_exhausted", "RFC 4303 3.3.3")
        last = self._next + RESERVED_AT_ONCE - 1
        self.reserved = min(last, SEQUENCE_NUMBER_MAX)
        return self.reserved

    def take(self) -> int:
        """The number for one packet."""
        assert not self.needs_reservation
        number = self._next
        self._next += 1
        return number


class Window:
    """The receiver's sliding window.

    stored: the highest number accepted by an earlier process: it and all before it are
        replays from then on.
    """

    __slots__ = ("_seen", "highest")

    def __init__(self, stored: int = 0) -> None:
        self.highest = stored
        # Bit n stands for `highest` - n.
        self._seen = _ALL

    def replayed(self, number: int) -> bool:
        """Whether `number` was accepted before, or is too old to know (§3.4.3)."""
        age = self.highest - number
        if age < 0:
            return number == 0
        return age >= WINDOW or bool(self._seen >> age & 1)

    def accept(self, number: int) -> None:
        """Remember `number`, of a packet that was found authentic."""
        age = self.highest - number
        if age < 0:
            seen = ((self._seen << -age if -age < WINDOW else 0) | 1) & _ALL
            # Mostly nothing is missing: one object for a million windows.
            self._seen = _ALL if seen == _ALL else seen
            self.highest = number
        else:
            self._seen |= 1 << age
