"""Groups on the home link: joined and heard, for who listens through a tunnel."""

import contextlib
import ctypes
import errno
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address

_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23
_SO_ATTACH_FILTER = 26
_ETH_P_IPV6 = 0x86DD
_PACKET_SIZE_MAX = 65535
_READ_MAX = 64
"""Packets taken in one go, so that a stream does not starve the rest of the loop."""
_LOAD_16, _AND, _EQUAL, _RETURN = 0x28, 0x54, 0x15, 0x06
_FILTER = (
    # To a group of global scope: (code, jump if true, jump if false, value).
    (_LOAD_16, 0, 0, 24),
    (_AND, 0, 0, 0xFF0F),
    (_EQUAL, 0, 1, 0xFF0E),
    (_RETURN, 0, 0, 0xFFFF),
    (_RETURN, 0, 0, 0),
)


class HomeLinkGroups:
    """Listens on the link from the first group on."""

    def __init__(self) -> None:
        self._packets = socket.socket(
            socket.AF_PACKET,
            socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
            0,  # of no protocol, until there is a link
        )
        program = b"".join(struct.pack("=HBBI", *line) for line in _FILTER)
        octets = ctypes.create_string_buffer(program)
        pointer = struct.pack("@HP", len(_FILTER), ctypes.addressof(octets))
        self._packets.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
        self._packets.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
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
            self._packets.bind((link, _ETH_P_IPV6))
        self._joined.add((group, link))

    def leave(self, group: IPv6Address, link: str) -> None:
        """One that is not joined is fine, or gone with its link."""
        self._joined.discard((group, link))
        with contextlib.suppress(OSError):
            index = socket.if_nametoindex(link)
            self._change(socket.IPV6_LEAVE_GROUP, group, index)

    def read(self) -> Iterator[bytes]:
        """The packets that wait, whole."""
        for _ in range(_READ_MAX):
            try:
                yield self._packets.recv(_PACKET_SIZE_MAX)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENETDOWN:
                    raise

    def _change(self, option: int, group: IPv6Address, index: int) -> None:
        wanted = group.packed + struct.pack("=i", index)
        self._groups.setsockopt(socket.IPPROTO_IPV6, option, wanted)
