"""The name servers that this machine asks, as NetworkManager, systemd-networkd or a
DHCPv6 client have written them down."""

import contextlib
import os
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path

from mip6.linux.inotify import Watch

FILES = (
    Path("/etc/resolv.conf"),
    Path("/run/systemd/resolve/resolv.conf"),
)
"""The second holds the real ones where the first names systemd-resolved."""
SIZE_MAX = 1 << 16
"""Octets of a file that are looked at."""


def name_servers(files: tuple[Path, ...] = FILES) -> tuple[IPv6Address, ...]:
    """The IPv6 addresses in the files, in their order; none of a file that cannot be
    read."""
    found: dict[IPv6Address, None] = {}
    for file in files:
        try:
            with file.open("rb") as opened:
                text = opened.read(SIZE_MAX).decode(errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            words = line.split()
            if words[:1] == ["nameserver"] and len(words) > 1:
                with contextlib.suppress(ValueError):
                    found[IPv6Address(words[1])] = None
    return tuple(found)


class NameServers:
    """Tells them, at the start and whenever they have changed.  Raises OSError."""

    def __init__(
        self,
        changed: Callable[[tuple[IPv6Address, ...]], None],
        files: tuple[Path, ...] = FILES,
    ) -> None:
        self._changed = changed
        self._files = files
        self._told: tuple[IPv6Address, ...] = ()
        self._watch = Watch()

    def fileno(self) -> int:
        return self._watch.fileno()

    def read(self) -> None:
        self._watch.read()
        # Where links lead may have changed too, so the directories are found anew; and
        # before the files are read, that no change in between is missed.
        directories = {file.parent for file in self._files}
        directories |= {Path(os.path.realpath(file)).parent for file in self._files}
        self._watch.follow(directories)
        if (found := name_servers(self._files)) != self._told:
            self._told = found
            self._changed(found)

    def close(self) -> None:
        self._watch.close()
