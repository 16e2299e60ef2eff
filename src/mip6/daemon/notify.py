"""Tells systemd that the daemon is ready (sd_notify(3)), where it asked to be told."""

import contextlib
import os
import socket


def notify(message: str) -> None:
    """Whoever asked may be gone by now: that is no trouble of ours."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
    ):
        systemd.sendto(message.encode(), address.replace("@", "\0", 1))
