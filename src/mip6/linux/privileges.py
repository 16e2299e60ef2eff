"""What the daemon may still do once everything is set up (capabilities(7)).

It begins with whatever it was given: all of root's, or what a systemd unit grants.  A
process of root's becomes the daemon's own user first (`become`), so that all it makes
is that user's, and gives up the rest when everything stands (`reduce`).
"""

import ctypes
import errno
import os
import struct
from pathlib import Path
from pwd import struct_passwd

NET_ADMIN, NET_RAW, BPF = 12, 13, 39
KEPT = (NET_ADMIN, NET_RAW, BPF)
"""Routes, addresses, tc; raw packets; maps, and programs for links that come later."""

_VERSION_3 = 0x20080522
_HEADER = struct.Struct("=Ii")
_SETS = struct.Struct("=IIIIII")
"""Effective, permitted, inheritable of the low 32 capabilities, then of the high."""
_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS = 4, 8
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4


def become(user: struct_passwd) -> None:
    """Goes on as `user`, with all the capabilities there are now.

    Call it before there are other threads.  Raises OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0):
        _allow()
    os.initgroups(user.pw_name, user.pw_gid)
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    # The change of user left them permitted, but in effect no longer.
    _set(libc, _permitted())
    if libc.prctl(_PR_SET_KEEPCAPS, 0, 0, 0, 0):
        _allow()


def reduce() -> None:
    """Gives up, for good, every capability but `KEPT`, and the way to get new ones.

    For this thread and those it starts, so call it before there are others.  Raises
    OSError where the kernel refuses, which it does not for what one has.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    held = _permitted()
    for capability in range(last + 1):
        # Without CAP_SETPCAP the bounding set stays, and no_new_privs makes it idle.
        if capability not in KEPT and libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            _allow(errno.EPERM)
    if libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0):
        _allow(errno.EINVAL)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        _allow()
    # There are keys in its memory: no core dumps, and no debugger of the same user's.
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        _allow()
    _set(libc, sum(1 << capability for capability in KEPT) & held)


def lacking() -> bool:
    """Whether one of those that the daemon keeps is not there to begin with."""
    wanted = sum(1 << capability for capability in KEPT)
    return _permitted() & wanted != wanted


def _set(libc: ctypes.CDLL, capabilities: int) -> None:
    low, high = capabilities & 0xFFFFFFFF, capabilities >> 32
    header = _HEADER.pack(_VERSION_3, 0)
    if libc.capset(header, _SETS.pack(low, low, 0, high, high, 0)):
        _allow()


def _permitted() -> int:
    for line in Path("/proc/thread-self/status").read_text().splitlines():
        if line.startswith("CapPrm:"):
            return int(line.split()[1], 16)
    return 0


def _allow(*harmless: int) -> None:
    code = ctypes.get_errno()
    if code not in harmless:
        raise OSError(code, f"change user or capabilities: {os.strerror(code)}")
