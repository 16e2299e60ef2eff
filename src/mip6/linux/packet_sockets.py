"""Packet sockets: what comes by one link, as far as a filter lets it through."""

import ctypes
import errno
import socket
import struct
from collections.abc import Iterator

SOL_PACKET, ADD_MEMBERSHIP = 263, 1
ETH_P_IPV6 = 0x86DD
PACKET_SIZE_MAX = 65535
READ_MAX = 64
"""Packets taken in one go, so that a flood does not starve the rest of the loop."""
LOAD_8, LOAD_16, LOAD_32, AND, EQUAL, RETURN = 0x30, 0x28, 0x20, 0x54, 0x15, 0x06
Filter = tuple[tuple[int, int, int, int], ...]
"""Instructions of classic BPF: (code, jump if true, jump if false, value)."""

_IGNORE_OUTGOING = 23
_SO_ATTACH_FILTER = 26


def packet_socket(wanted: Filter) -> socket.socket:
    """Of no protocol until it is bound to a link, and deaf to what leaves by it."""
    made = socket.socket(
        socket.AF_PACKET,
        socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
        0,
    )
    attach_filter(made, wanted)
    made.setsockopt(SOL_PACKET, _IGNORE_OUTGOING, 1)
    return made


def attach_filter(to: socket.socket, wanted: Filter) -> None:
    program = b"".join(struct.pack("=HBBI", *line) for line in wanted)
    octets = ctypes.create_string_buffer(program)
    pointer = struct.pack("@HP", len(wanted), ctypes.addressof(octets))
    to.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)


def waiting(packets: socket.socket) -> Iterator[bytes]:
    """The packets that wait, whole; that their link went down is no error."""
    for _ in range(READ_MAX):
        try:
            yield packets.recv(PACKET_SIZE_MAX)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENETDOWN:
                raise
