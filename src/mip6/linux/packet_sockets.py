"""Packet sockets: what comes by one link, as far as a filter lets it through."""

import ctypes
import errno
import socket
import struct
from collections.abc import Iterator

from .offload import with_udp_checksum

SOL_PACKET, ADD_MEMBERSHIP = 263, 1
ETH_P_IPV6 = 0x86DD
PACKET_SIZE_MAX = 65535
READ_MAX = 64
"""Packets taken in one go, so that a flood does not starve the rest of the loop."""
LOAD_8, LOAD_16, LOAD_32, AND, EQUAL, RETURN = 0x30, 0x28, 0x20, 0x54, 0x15, 0x06
Filter = tuple[tuple[int, int, int, int], ...]
"""Instructions of classic BPF: (code, jump if true, jump if false, value)."""

_IGNORE_OUTGOING = 23
_AUXILIARY = 8
_AUXILIARY_DATA = struct.Struct("=IIIHHHH")
_CHECKSUM_NOT_READY = 8
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


def tell_of_checksums(packets: socket.socket) -> None:
    """`waiting` completes checksums, from now on."""
    packets.setsockopt(SOL_PACKET, _AUXILIARY, 1)


def waiting(packets: socket.socket) -> Iterator[bytes]:
    """The packets that wait, whole; that their link went down is no error."""
    for _ in range(READ_MAX):
        try:
            octets, told, _, _ = packets.recvmsg(
                PACKET_SIZE_MAX, socket.CMSG_SPACE(_AUXILIARY_DATA.size)
            )
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENETDOWN:
                raise
        else:
            yield octets if _is_complete(told) else with_udp_checksum(octets)


def _is_complete(told: list[tuple[int, int, bytes]]) -> bool:
    return not any(
        level == SOL_PACKET
        and kind == _AUXILIARY
        and _AUXILIARY_DATA.unpack(data)[0] & _CHECKSUM_NOT_READY
        for level, kind, data in told
    )
