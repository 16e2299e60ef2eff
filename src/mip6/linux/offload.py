"""What the kernel leaves to network cards, done in Python: checksums, segments.

Packets of local sockets reach the mobility device unfinished; `struct virtio_net_hdr`
in front of each says what is missing.  Few packets come this way: simple is enough.
"""

import struct
from collections.abc import Iterator

HEADER = struct.Struct("=BBHHHH")  # flags, kind, header length, size, start, offset
FINISHED = bytes(HEADER.size)
"""In front of a packet that lacks nothing."""
_NEEDS_CHECKSUM = 1
_TCP6, _UDP = 4, 5
_IPV6, _ROUTING, _DESTINATION_OPTIONS, _HOME_ADDRESS = 41, 43, 60, 0xC9
_WITH_CONGESTION = 0x80
_NEXT_HEADER = {_TCP6: 6, _UDP: 17}
_FIN_AND_PUSH, _CONGESTION_REDUCED = 0x09, 0x80


def packets(frame: bytes) -> Iterator[bytes]:
    """The whole IPv6 packets that `frame`, as read from the device, stands for.

    None for what is not IPv6 or makes no sense.
    """
    if len(frame) < HEADER.size + 40 or frame[HEADER.size] >> 4 != 6:
        return
    packet = frame[HEADER.size :]
    if frame.startswith(FINISHED):
        yield packet
        return
    flags, kind, _, size, start, offset = HEADER.unpack_from(frame)
    kind &= ~_WITH_CONGESTION
    if kind:
        if kind in _NEXT_HEADER and size:
            yield from _segments(packet, kind, size, start)
    elif not flags & _NEEDS_CHECKSUM:
        yield packet
    elif start + offset + 2 <= len(packet):
        # The field holds the sum over the pseudo-header already.
        yield _with_checksum(packet, start + offset, _sum(packet[start:]))


def with_udp_checksum(packet: bytes) -> bytes:
    """A packet that stayed on this machine's wires so far, where nobody needs the
    checksum: completed if it is a datagram without extension headers."""
    if len(packet) < 48 or packet[6] != _NEXT_HEADER[_UDP]:
        return packet
    return _with_checksum(packet, 46, _sum(packet[40:]))


def _segments(packet: bytes, kind: int, size: int, start: int) -> Iterator[bytes]:
    """One segment for each `size` octets of the payload; `start` is where TCP is."""
    tcp = kind == _TCP6
    if len(packet) < start + (20 if tcp else 8):
        return
    payload = start + ((packet[start + 12] >> 4) * 4 if tcp else 8)
    headers, addresses = _follow(packet, start)
    for at in range(payload, len(packet), size):
        part = packet[at : at + size]
        head = bytearray(packet[:payload])
        for header in headers:
            octets = payload - header - 40 + len(part)
            struct.pack_into("!H", head, header + 4, octets)
        length = payload - start + len(part)
        if tcp:
            (sequence,) = struct.unpack_from("!I", head, start + 4)
            struct.pack_into(
                "!I", head, start + 4, (sequence + at - payload) & 0xFFFFFFFF
            )
            if at + size < len(packet):
                head[start + 13] &= ~_FIN_AND_PUSH
            if at > payload:
                head[start + 13] &= ~_CONGESTION_REDUCED
        else:
            struct.pack_into("!H", head, start + 4, length)
        field = start + (16 if tcp else 6)
        head[field : field + 2] = bytes(2)
        pseudo = addresses + struct.pack("!II", length, _NEXT_HEADER[kind])
        segment = bytes(head) + part
        yield _with_checksum(segment, field, _sum(pseudo) + _sum(segment[start:]))


def _follow(packet: bytes, end: int) -> tuple[list[int], bytes]:
    """Where the IPv6 headers before `end` are, and the addresses that the upper layer
    knows: of the innermost, out of the headers that our programs put behind it."""
    header, at, next_header = 0, 40, packet[6]
    headers, source, destination = [0], packet[8:24], packet[24:40]
    while at < end:
        if next_header == _IPV6:
            header, at, next_header = at, at + 40, packet[at + 6]
            headers.append(header)
            source, destination = (
                packet[header + 8 : header + 24],
                packet[header + 24 : at],
            )
            continue
        if next_header == _ROUTING:
            destination = packet[at + 8 : at + 24]
        elif next_header == _DESTINATION_OPTIONS and packet[at + 6] == _HOME_ADDRESS:
            source = packet[at + 8 : at + 24]
        next_header, at = packet[at], at + 8 + 8 * packet[at + 1]
    return headers, source + destination


def _sum(octets: bytes) -> int:
    """Congruent to the ones' complement sum of the 16-bit words."""
    if len(octets) % 2:
        octets += b"\0"
    return int.from_bytes(octets) % 0xFFFF


def _with_checksum(packet: bytes, field: int, total: int) -> bytes:
    # 0xFFFF for 0: the same number, and for UDP zero would mean "none"
    checksum = 0xFFFF - total % 0xFFFF
    return packet[:field] + checksum.to_bytes(2) + packet[field + 2 :]
