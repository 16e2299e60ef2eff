"""Groups on the home link: joined and heard, for who listens through a tunnel."""

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

from .packet_sockets import (
    AND,
    EQUAL,
    ETH_P_IPV6,
    LOAD_16,
    RETURN,
    packet_socket,
    tell_of_checksums,
    waiting,
)

_FILTER = (
    # To a group of global scope.
    (LOAD_16, 0, 0, 24),
    (AND, 0, 0, 0xFF0F),
    (EQUAL, 0, 1, 0xFF0E),
    (RETURN, 0, 0, 0xFFFF),
    (RETURN, 0, 0, 0),
)


_JOINED = Path("/proc/thread-self/net/igmp6")


def joined(index: int) -> tuple[IPv6Address, ...]:
    """The groups that this machine listens to on a link, by the kernel's list."""
    lines = (line.split() for line in _JOINED.read_text().splitlines())
    return tuple(
        IPv6Address(bytes.fromhex(words[2]))
        for words in lines
        if int(words[0]) == index
    )


class HomeLinkGroups:
    """Listens on the link from the first group on."""

    def __init__(self) -> None:
        self._packets = packet_socket(_FILTER)
        tell_of_checksums(self._packets)
        self._groups = socket.socket(
            socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
        )
        self._joined: set[tuple[IPv6Address, str]] = set()

    def fileno(self) -> int:
        return self._packets.fileno()

    def close(self) -> None:
        self._packets.close()
        self._groups.close()

    def join(self, group: IPv6Address, link: str) -> None:
        """The routers of the link are told (MLD); twice is fine.  Raises OSError."""
        index = socket.if_nametoindex(link)
        try:
            self._change(socket.IPV6_JOIN_GROUP, group, index)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        if not self._joined:
            self._packets.bind((link, ETH_P_IPV6))
        self._joined.add((group, link))

    def leave(self, group: IPv6Address, link: str) -> None:
        """One that is not joined is fine, or gone with its link."""
        self._joined.discard((group, link))
        with contextlib.suppress(OSError):
            index = socket.if_nametoindex(link)
            self._change(socket.IPV6_LEAVE_GROUP, group, index)

    def read(self) -> Iterator[bytes]:
        """The packets that wait, whole."""
        return waiting(self._packets)

    def _change(self, option: int, group: IPv6Address, index: int) -> None:
        wanted = group.packed + struct.pack("=i", index)
        self._groups.setsockopt(socket.IPPROTO_IPV6, option, wanted)
