"""What programs cannot do: cut packets up, and put them together (RFC 2473 §7.1).

A packet of 1280 octets must pass, also where the headers that the data plane puts
before it make it too long for its way.  It comes here with these headers, and leaves in
fragments; a tunnelled packet that comes in fragments is taken out of its tunnel here.
"""

import contextlib
import os
from itertools import islice
from typing import TYPE_CHECKING

from mip6.core.events import Dropped
from mip6.core.fragments import FRAGMENT, Reassembly, out_of_tunnel, split
from mip6.wire.next_header import NextHeader

if TYPE_CHECKING:
    from .daemon import Daemon

MTU_MIN = 1280
"""Every link carries as much, so that nobody has to know the path any better."""
_READ_MAX = 64
"""Packets in one go: some milliseconds, in which signalling waits."""
_INSIDE_AT = 46
"""The next header of a packet in a tunnel."""


class LongPackets:
    """Reads the queue for them."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon
        self._reassembly = Reassembly()

    def read(self) -> None:
        device = self._daemon.machine.device
        for octets in islice(device.read(device.long), _READ_MAX):
            if octets[6] == FRAGMENT:
                self._put_together(octets)
            else:
                self._send(octets)

    def _send(self, octets: bytes) -> None:
        """What cannot leave is lost, as on any link."""
        pieces = split(octets, MTU_MIN, int.from_bytes(os.urandom(4)))
        with contextlib.suppress(OSError):
            for piece in pieces:
                self._daemon.outbox.send_routed(piece)

    def _put_together(self, octets: bytes) -> None:
        daemon = self._daemon
        now = daemon.now()
        whole = self._reassembly.add(octets, now)
        if isinstance(whole, Dropped):
            daemon.report(whole)
        elif whole is not None:
            self._take(whole, now)

    def _take(self, whole: bytes, now: float) -> None:
        """As the programs take a packet that came in one piece; signalling, which is
        never as long, apart."""
        inner = out_of_tunnel(whole)
        if inner is not None and self._daemon.machine.data_plane.tunnel_of(whole, now):
            if whole[_INSIDE_AT] == NextHeader.MOBILITY:
                self._daemon.report(Dropped("fragmented_signalling", "10.4.5"))
                return
        elif inner is not None:
            inner = whole  # somebody else's tunnel ends on this machine, too
        if inner is not None:
            with contextlib.suppress(OSError):  # its queue is full
                self._daemon.machine.device.write(inner)
