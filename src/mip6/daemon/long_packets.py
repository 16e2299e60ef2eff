"""What programs cannot do: cut packets up, and put them together (RFC 2473 §7.1); and
what mobile nodes send to groups.

A packet of 1280 octets must pass, also where the headers that the data plane puts
before it make it too long for its way.  It comes here with these headers, and leaves in
fragments; a tunnelled packet that comes in fragments is taken out of its tunnel here.
"""

import contextlib
import os
from ipaddress import IPv6Address
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
_INSIDE = 40
"""Where a packet in a tunnel begins."""
_INSIDE_AT = 46
"""The next header of it."""


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
            elif self._is_for_us(octets):
                self._receive(octets)
            else:
                self._send(octets)
        self._daemon.finish()

    def _is_for_us(self, octets: bytes) -> bool:
        """Out of a tunnel that ends here; what is too long is on its way into one."""
        home_agent = self._daemon.home_agent
        return home_agent is not None and octets[24:40] == home_agent.address.packed

    def _receive(self, octets: bytes) -> None:
        """From a mobile node to a group (§11.3.4)."""
        daemon = self._daemon
        daemon.perform(daemon.node.receive(octets, daemon.now()))

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
            if self._is_for_us(whole) and IPv6Address(inner[24:40]).is_multicast:
                self._receive(whole[:_INSIDE] + inner)
                return
        elif inner is not None:
            inner = whole  # somebody else's tunnel ends on this machine, too
        if inner is not None:
            with contextlib.suppress(OSError):  # its queue is full
                self._daemon.machine.device.write(inner)
