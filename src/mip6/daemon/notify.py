"""Tells systemd that the daemon is ready (sd_notify(3)), where it asked to be told."""

import os
import socket


def notify(message: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.sendto(message.encode(), address.replace("@", "\0", 1))
