"""Packets in pieces (RFC 8200 §4.5), where the headers that we add make one too long.

No sender is told to send less than 1280 octets, so who adds an outer header to such a
packet cuts it up, and the other end of the tunnel puts it together (RFC 2473 §7.1).
"""

from dataclasses import dataclass, field
from ipaddress import IPv6Address

from mip6.wire.next_header import NextHeader
from mip6.wire.packet import HEADER

from .events import Dropped

FRAGMENT_HEADER = 8
"""Octets."""
FRAGMENT = int(NextHeader.FRAGMENT)
_BEFORE = (
    NextHeader.HOP_BY_HOP_OPTIONS,
    NextHeader.ROUTING,
    NextHeader.DESTINATION_OPTIONS,
)
"""What stands before a Fragment header: a Home Address option does, too (§6.3)."""
NEXT_HEADER_AT, LENGTH_AT = 6, 4
PACKET_MAX = 0xFFFF
"""Octets behind the IPv6 header."""

TIME_MAX = 60.0
"""Seconds that pieces wait for the others."""
PACKETS_MAX = 256
"""Packets in pieces at a time."""
SOURCE_MAX = 32
"""Those of one source: it takes no place from others."""
PIECES_MAX = 64
"""Of one packet: enough for the longest in pieces of 1280 octets."""


def split(octets: bytes, mtu: int, identification: int) -> list[bytes]:
    """The packet in pieces of at most `mtu` octets, at least 1280.

    octets: a whole packet that we are the source of, its headers well formed and no
        more than fits into one piece.  One that is a piece already is cut further.
    """
    at, field_at = HEADER.size, NEXT_HEADER_AT
    while octets[field_at] in _BEFORE:
        field_at, at = at, at + 8 + 8 * octets[at + 1]
    inside, offset, more = octets[field_at], 0, 0
    front = bytearray(octets[:at])
    front[field_at] = FRAGMENT
    if inside == FRAGMENT:
        inside = octets[at]
        word = int.from_bytes(octets[at + 2 : at + 4])
        offset, more = word & ~7, word & 1
        identification = int.from_bytes(octets[at + 4 : at + 8])
        at += FRAGMENT_HEADER
    room = (mtu - len(front) - FRAGMENT_HEADER) // 8 * 8
    pieces = []
    for start in range(at, len(octets), room):
        part = octets[start : start + room]
        last = start + room >= len(octets)
        word = offset + start - at | (more if last else 1)
        length = len(front) - HEADER.size + FRAGMENT_HEADER + len(part)
        front[LENGTH_AT : LENGTH_AT + 2] = length.to_bytes(2)
        header = bytes([inside, 0]) + word.to_bytes(2) + identification.to_bytes(4)
        pieces.append(bytes(front) + header + part)
    return pieces


@dataclass(slots=True)
class _Pieces:
    """What has come of one packet."""

    since: float
    parts: dict[int, bytes] = field(default_factory=dict)
    """By where they begin."""
    first: bytes = b""
    """The IPv6 header of the first, what follows named in it."""
    length: int | None = None
    """Octets of the whole, once the last has come."""
    received: int = 0
    congested: int = 0
    """The congestion marks of all of them (RFC 3168 §5.3)."""

    def whole(self) -> bytes | None:
        """None: some overlap, or reach beyond the last."""
        payload = b""
        for begin, octets in sorted(self.parts.items()):
            if begin != len(payload):
                return None
            payload += octets
        if len(payload) != self.length:
            return None
        return _marked(_whole(self.first, payload), self.congested)


class Reassembly:
    """Puts packets together whose Fragment header stands right behind the IPv6 header.

    Pieces that overlap throw their packet away (RFC 5722), those that nobody completes
    are forgotten: in 60 seconds, or for want of room, the oldest first.
    """

    def __init__(self) -> None:
        self._packets: dict[tuple[bytes, bytes], _Pieces] = {}
        self._of_source: dict[bytes, int] = {}

    def __len__(self) -> int:
        """How many packets wait for pieces."""
        return len(self._packets)

    def add(self, octets: bytes, now: float) -> bytes | Dropped | None:
        """One piece: the whole packet, if it was the last that was missing."""
        self._forget(now)
        at = HEADER.size + FRAGMENT_HEADER
        source = IPv6Address(octets[8:24])
        end = HEADER.size + int.from_bytes(octets[LENGTH_AT : LENGTH_AT + 2])
        if not at <= end <= len(octets):
            return _dropped("fragment_length", source)
        word = int.from_bytes(octets[42:44])
        offset, more, part = word & ~7, word & 1, octets[at:end]
        if (more and (len(part) % 8 or not part)) or offset + len(part) > PACKET_MAX:
            return _dropped("fragment_length", source)
        header = _header(octets)
        if not offset and not more:  # whole already (RFC 6946)
            return _whole(header, part)
        # Addresses, and the identification.
        key = (octets[8:40], octets[44:48])
        pieces = self._packets.get(key) or self._begin(key, now)
        if pieces.parts.get(offset) == part:
            return None  # the network has doubled it
        if offset in pieces.parts:
            self._drop(key)
            return _dropped("fragments_overlap", source)
        pieces.parts[offset] = part
        pieces.received += len(part)
        pieces.congested |= 1 << (octets[1] >> 4 & 3)
        if not offset:
            pieces.first = header
        if not more:
            pieces.length = offset + len(part)
        if len(pieces.parts) > PIECES_MAX:
            self._drop(key)
            return _dropped("fragments_max", source)
        if pieces.length is None or pieces.received < pieces.length:
            return None
        self._drop(key)
        return pieces.whole() or _dropped("fragments_overlap", source)

    def _begin(self, key: tuple[bytes, bytes], now: float) -> _Pieces:
        source = key[0][:16]
        if self._of_source.get(source, 0) >= SOURCE_MAX:
            self._drop(next(k for k in self._packets if k[0][:16] == source))
        elif len(self._packets) >= PACKETS_MAX:
            self._drop(next(iter(self._packets)))
        self._of_source[source] = self._of_source.get(source, 0) + 1
        pieces = self._packets[key] = _Pieces(now)
        return pieces

    def _drop(self, key: tuple[bytes, bytes]) -> None:
        source = key[0][:16]
        del self._packets[key]
        self._of_source[source] -= 1
        if not self._of_source[source]:
            del self._of_source[source]

    def _forget(self, now: float) -> None:
        while self._packets:
            key, pieces = next(iter(self._packets.items()))
            if now - pieces.since < TIME_MAX:
                return
            self._drop(key)


def out_of_tunnel(whole: bytes) -> bytes | None:
    """The packet inside an IPv6-in-IPv6 packet that was in pieces, congestion marks
    taken over (RFC 6040 §4.2); None: there is none, or it is to be dropped."""
    inner = whole[HEADER.size :]
    if whole[NEXT_HEADER_AT] != NextHeader.IPV6 or len(inner) < HEADER.size:
        return None
    if inner[0] >> 4 != 6:
        return None
    outside, inside = whole[1] >> 4 & 3, inner[1] >> 4 & 3
    if inside == _NOT_CAPABLE:
        return None if outside == _CONGESTED else inner
    if outside == _CONGESTED or (inside == _ECT_0 and outside == _ECT_1):
        return _with_mark(inner, outside)
    return inner


_NOT_CAPABLE, _ECT_1, _ECT_0, _CONGESTED = range(4)


def _marked(whole: bytes, seen: int) -> bytes:
    """One congested piece is a congested packet."""
    return _with_mark(whole, _CONGESTED) if seen >> _CONGESTED & 1 else whole


def _with_mark(octets: bytes, mark: int) -> bytes:
    return octets[:1] + bytes([octets[1] & 0xCF | mark << 4]) + octets[2:]


def _header(octets: bytes) -> bytes:
    """The IPv6 header as it is without the Fragment header."""
    following = octets[HEADER.size : HEADER.size + 1]
    return octets[:NEXT_HEADER_AT] + following + octets[7 : HEADER.size]


def _whole(header: bytes, payload: bytes) -> bytes:
    return header[:LENGTH_AT] + len(payload).to_bytes(2) + header[6:] + payload


def _dropped(reason: str, source: IPv6Address) -> Dropped:
    return Dropped(reason, "RFC 8200 4.5", source)
