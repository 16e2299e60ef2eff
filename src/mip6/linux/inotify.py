"""Which files others have changed (inotify), for an event loop."""

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterable
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_CLOSE_WRITE, _MOVED_TO, _CREATE, _DELETE = 0x8, 0x80, 0x100, 0x200
_CHANGES = _CLOSE_WRITE | _MOVED_TO | _CREATE | _DELETE
_READ_SIZE = 1 << 16
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES)


class Watch:
    """Wakes whoever reads `fileno` when something in one of some directories has
    changed: files are replaced by others of their name, so a file cannot be watched.
    Raises OSError."""

    def __init__(self) -> None:
        self._descriptor = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._watched: dict[Path, int] = {}

    def fileno(self) -> int:
        return self._descriptor

    def follow(self, directories: Iterable[Path]) -> None:
        """These from now on; those that are not there are left out."""
        wanted = set(directories)
        for directory in self._watched.keys() - wanted:
            _libc.inotify_rm_watch(self._descriptor, self._watched.pop(directory))
        for directory in wanted:
            number = _libc.inotify_add_watch(
                self._descriptor, os.fsencode(directory), _CHANGES
            )
            try:
                self._watched[directory] = _checked(number)
            except OSError as error:
                if error.errno not in _GONE:
                    raise
                self._watched.pop(directory, None)

    def read(self) -> None:
        """Everything that has happened is known now."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._descriptor, _READ_SIZE):
                pass

    def close(self) -> None:
        os.close(self._descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
