"""Packets of applications that wait for a tunnel (pitfall of every handover, decision
0005): few, not long, and in order."""

from collections import deque
from ipaddress import IPv6Address
from math import inf

from mip6.wire.buffer import WireError
from mip6.wire.icmpv6 import DestinationUnreachable
from mip6.wire.packet import read_packet

from .effects import Effect, Forward, Notify, Send
from .events import Dropped
from .icmp_error import QUOTED_MAX, may_be_reported
from .packet import Packet
from .rate import TokenBucket

HELD_MAX_SECONDS = 3.0
"""Older packets are not worth sending: their sender has long sent them again."""
LATE_MAX_SECONDS = 1.0
"""After registration: a packet that missed the tunnel until then was only slow."""
ADDRESS_UNREACHABLE = 3


class Holding:
    """The queue in front of a tunnel that does not stand."""

    def __init__(self, home_address: IPv6Address, held_max: int) -> None:
        self._home_address = home_address
        self._held_max = held_max
        self._held: deque[tuple[float, bytes]] = deque()
        self._errors = TokenBucket(rate=10, burst=10)
        self._arrived_at = -inf
        self._late_max = 0

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, octets: bytes, now: float) -> list[Effect]:
        """Keep the packet; without room its sender is told (RFC 4443 §3.1)."""
        effects = self._prune(now)
        if len(self._held) >= self._held_max:
            return effects + self.refuse(octets, now, "held_max")
        self._held.append((now, octets))
        return effects

    def release(self, now: float) -> list[Effect]:
        """The tunnel stands: what still waits goes, in the order it came."""
        effects = self._prune(now)
        effects += [Forward(octets) for _, octets in self._held]
        self._held.clear()
        return effects

    def arrived(self, now: float) -> None:
        """The mobile node is somewhere else, or registered now."""
        self._arrived_at = now
        self._late_max = self._held_max

    def late(self, octets: bytes, now: float) -> list[Effect]:
        """The packet missed a tunnel that stands by now, or there is none for it."""
        if now - self._arrived_at < LATE_MAX_SECONDS and self._late_max:
            # Each packet comes here once, unless the kernel's routing leads in circles.
            self._late_max -= 1
            return [Forward(octets)]
        return self.refuse(octets, now, "no_tunnel")

    def refuse(self, octets: bytes, now: float, reason: str) -> list[Effect]:
        """The packet goes nowhere; tell its sender, an application on this machine."""
        effects: list[Effect] = [Notify(Dropped(reason, "11.3.1", self._home_address))]
        if _may_be_reported(octets) and self._errors.take(now):
            error = DestinationUnreachable(
                code=ADDRESS_UNREACHABLE, packet=octets[:QUOTED_MAX]
            )
            home_address = self._home_address
            effects.append(
                Send(
                    Packet(source=home_address, destination=home_address, message=error)
                )
            )
        return effects

    def _prune(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        while self._held and self._held[0][0] + HELD_MAX_SECONDS <= now:
            _, octets = self._held.popleft()
            effects += self.refuse(octets, now, "held_too_long")
        return effects


def _may_be_reported(octets: bytes) -> bool:
    try:
        return may_be_reported(read_packet(octets))
    except WireError:
        return False
