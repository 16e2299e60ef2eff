"""Settings of the kernel under /proc/sys."""

from collections.abc import Mapping
from pathlib import Path

_ROOT = Path("/proc/sys")


def ipv6(link: str, name: str) -> str:
    """The name of a per-link IPv6 setting (slashes: link names may hold dots)."""
    return f"net/ipv6/conf/{link}/{name}"


def read(name: str) -> str:
    """Raises OSError (FileNotFoundError: no such link, or a kernel without it)."""
    return (_ROOT / name).read_text().strip()


def write(name: str, value: str) -> None:
    """Raises OSError."""
    (_ROOT / name).write_text(value)


def restore(originals: Mapping[str, str]) -> None:
    """Puts former values back, the last changed first; what is gone with its link is
    forgotten."""
    for name, value in reversed(list(originals.items())):
        try:
            write(name, value)
        except OSError:
            continue


def line(name: str, value: str | int) -> str:
    """The sysctl(8) command that would do it."""
    return f"sysctl -w {name}={value}"
