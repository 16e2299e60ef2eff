"""Settings of the kernel under /proc/sys: changed with their former values kept."""

from collections.abc import Mapping
from pathlib import Path

_ROOT = Path("/proc/sys")


def path(name: str) -> Path:
    """`net/ipv6/conf/eth0/accept_ra` (slashes, since link names may hold dots)."""
    return _ROOT / name


def ipv6(link: str, name: str) -> str:
    """The name of a per-link IPv6 setting."""
    return f"net/ipv6/conf/{link}/{name}"


class Sysctls:
    """Settings we changed and what they were before.

    `originals` survives this process (the daemon keeps it in a file): what an earlier,
    killed daemon found is what counts, not what it had set.
    """

    def __init__(self, originals: Mapping[str, str] | None = None) -> None:
        self.originals = dict(originals or {})

    def set(self, name: str, value: str | int) -> None:
        """Raises OSError (FileNotFoundError: no such link, or a kernel without it)."""
        wanted = str(value)
        former = path(name).read_text().strip()
        if former != wanted:
            self.originals.setdefault(name, former)
            path(name).write_text(wanted)

    def restore(self) -> None:
        """Puts every former value back; what is gone with its link is forgotten."""
        for name, value in reversed(self.originals.items()):
            try:
                path(name).write_text(value)
            except OSError:
                continue  # the link is gone, and its settings with it
        self.originals.clear()


def line(name: str, value: str | int) -> str:
    """The sysctl(8) command that would do it."""
    return f"sysctl -w {name}={value}"
