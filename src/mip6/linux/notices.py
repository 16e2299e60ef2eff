"""What the programs tell: who talks to whom, the first packet after a move.

A ring of octets that both map.  The kernel writes at the producer's position, this
reads up to it from the consumer's; the positions are on a page each, the ring behind
them, twice in a row, so that what wraps around is in one piece (BPF_MAP_TYPE_RINGBUF,
Linux 5.8).
"""

import mmap
import struct

from . import bpf
from .layout import FirstPacket, Talk, read_notice

_POSITION = struct.Struct("=Q")
_HEADER = struct.Struct("=II")
_BUSY, _DISCARD = 1 << 31, 1 << 30


class Notices:
    """Give it to `add_reader`: readable when there is something to read."""

    def __init__(self, ring: bpf.Map) -> None:
        self._ring = ring
        self._size = ring.info.entries_max
        self._consumer = mmap.mmap(ring.fd, mmap.PAGESIZE)
        self._producer = mmap.mmap(
            ring.fd,
            mmap.PAGESIZE + 2 * self._size,
            prot=mmap.PROT_READ,
            offset=mmap.PAGESIZE,
        )

    def fileno(self) -> int:
        return self._ring.fd

    def read(self) -> list[Talk | FirstPacket]:
        """All that is there.

        A talk is told with its first packet, and again with the first one after `TELL`
        seconds; a first packet of each direction when the care-of address is another
        than it was, or after `DataPlane.forget_first_packets`.
        """
        told: list[Talk | FirstPacket] = []
        (position,) = _POSITION.unpack_from(self._consumer)
        (end,) = _POSITION.unpack_from(self._producer)
        while position < end:
            at = mmap.PAGESIZE + position % self._size
            length, _ = _HEADER.unpack_from(self._producer, at)
            if length & _BUSY:  # being written on another core: it will wake us
                break
            size = length & ~_DISCARD
            if not length & _DISCARD:
                start = at + _HEADER.size
                told.append(read_notice(self._producer[start : start + size]))
            position += _HEADER.size + (size + 7) // 8 * 8
            _POSITION.pack_into(self._consumer, 0, position)
        return told

    def close(self) -> None:
        self._consumer.close()
        self._producer.close()
