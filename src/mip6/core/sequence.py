"""Sequence numbers of Binding Updates (§9.5.1, §11.7.1)."""

NUMBERS_PER_SECOND = 8
"""By which the beginning moves on: more than twice as fast as Binding Updates may be
sent (MAX_UPDATE_RATE), with the few that may leave at once made up for in half a
second."""


def beginning(now: float) -> int:
    """The number before the first one that a process uses.

    Any would do (§11.7.1), but a process that was killed a moment ago may have a
    Binding Update on its way yet; what this one sends must be the newer.  So the
    numbers begin with the boot clock, which goes on while processes come and go.
    """
    return int(now * NUMBERS_PER_SECOND) % 0x10000


def follows(new: int, last: int) -> bool:
    """Whether `new` is greater than `last`, compared modulo 2**16.

    The 32767 numbers after `last` follow it; `last` and the 32768 before it do not.
    """
    return 1 <= (new - last) % 0x10000 <= 0x7FFF
