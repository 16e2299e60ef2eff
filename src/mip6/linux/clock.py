"""The clock that goes on while the machine sleeps, and one timer on it.

A binding's lifetime runs during suspend, so `now` is CLOCK_BOOTTIME; asyncio's own
timers run on CLOCK_MONOTONIC, which does not.
"""

import ctypes
import os
import struct
import time

_TFD_TIMER_ABSTIME = 1
_TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_SPEC = struct.Struct("@qqqq")  # interval seconds, nanoseconds; value the same


def now() -> float:
    """Seconds since boot, suspend included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wall_ahead() -> float:
    """Seconds that the wall clock is ahead of `now`, for what outlives a boot."""
    return time.time() - now()


class Timer:
    """One deadline: the descriptor is readable from then on (timerfd_create(2))."""

    def __init__(self) -> None:
        # Python 3.11 has no os.timerfd_create.
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = self._libc.timerfd_create(time.CLOCK_BOOTTIME, _TFD_FLAGS)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._armed: float | None = None

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)

    def arm(self, deadline: float | None) -> None:
        """Fires at `deadline` (boot clock), at once if it is past; None: never."""
        if deadline == self._armed:
            return
        self._armed = deadline
        # All zero would disarm: the smallest time that means "at once" is 1 ns.
        value = 0 if deadline is None else max(1, round(deadline * 1e9))
        spec = _SPEC.pack(0, 0, value // 10**9, value % 10**9)
        if self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, spec, None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def fired(self) -> float:
        """The deadline that has come; never earlier than what was asked for, so that a
        role is not called before its own deadline by a rounding error."""
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return now()
        armed, self._armed = self._armed, None
        return max(now(), armed or 0.0)
