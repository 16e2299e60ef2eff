"""What the daemon may still do once everything is set up (capabilities(7))."""

import ctypes
import errno
import os
import struct
from pathlib import Path

NET_ADMIN, NET_RAW, BPF = 12, 13, 39
KEPT = (NET_ADMIN, NET_RAW, BPF)
"""Routes, addresses, tc; raw packets; maps, and programs for links that come later."""

_VERSION_3 = 0x20080522
_HEADER = struct.Struct("=Ii")
_SETS = struct.Struct("=IIIIII")
"""Effective, permitted, inheritable of the low 32 capabilities, then of the high."""
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4


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
    kept = sum(1 << capability for capability in KEPT) & held
    low, high = kept & 0xFFFFFFFF, kept >> 32
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
        raise OSError(code, f"give up capabilities: {os.strerror(code)}")
