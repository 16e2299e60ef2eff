"""ICMPv6 errors from inside a tunnel, for who sent the packet in it (RFC 2473 §8)."""

from ipaddress import IPv6Address

from mip6.wire.buffer import WireError
from mip6.wire.icmpv6 import (
    DestinationUnreachable,
    ErrorMessage,
    ParameterProblem,
    TimeExceeded,
)
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, read_packet

from .binding_cache import Binding, BindingCache
from .effects import Effect, Send
from .icmp_error import QUOTED_MAX, may_be_reported
from .packet import Packet
from .rate import TokenBucket

TunnelError = DestinationUnreachable | TimeExceeded | ParameterProblem
"""Those that say the same to the inner sender: address unreachable."""
ADDRESS_UNREACHABLE = 3
HOP_LIMIT_EXCEEDED = 0
RELAYED_RATE = 10
"""Errors a second that are passed on."""


class TunnelErrors:
    """What routers say about the packets that a home agent tunnels.

    address: the home agent's, from which they were tunnelled.
    """

    def __init__(self, address: IPv6Address, cache: BindingCache) -> None:
        self._address = address
        self._cache = cache
        self._rate = TokenBucket(RELAYED_RATE, RELAYED_RATE)

    def relay(self, message: TunnelError, now: float) -> list[Effect] | None:
        """The error for the inner sender; None if the quote is of no tunnel of ours, or
        nobody may be told."""
        if isinstance(message, TimeExceeded) and message.code != HOP_LIMIT_EXCEEDED:
            return None  # a fragment got lost, which is no reason to give up
        inner = self._tunnelled(message)
        if inner is None:
            return None
        headers, octets = inner
        if not may_be_reported(headers) or not self._rate.take(now):
            return None
        error = DestinationUnreachable(
            code=ADDRESS_UNREACHABLE, packet=octets[:QUOTED_MAX]
        )
        packet = Packet(source=self._address, destination=headers.source, message=error)
        return [Send(packet)]

    def _tunnelled(self, message: ErrorMessage) -> tuple[IPv6Packet, bytes] | None:
        """The packet inside, if what is quoted was in the tunnel of a binding."""
        try:
            outer = read_packet(message.packet, quoted=True)
            if outer.next_header != NextHeader.IPV6:
                return None
            inner = read_packet(outer.payload, quoted=True)
        except WireError:
            return None
        binding = self._cache.find(inner.destination)
        if binding is None or outer.source != self._address:
            return None
        if outer.destination not in _care_of_addresses(binding):
            return None
        return inner, outer.payload


def _care_of_addresses(binding: Binding) -> tuple[IPv6Address | None, ...]:
    return (binding.care_of_address, binding.previous)
