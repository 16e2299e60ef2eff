"""What a router on the path of a tunnel says about its size (RFC 2473 §7.1, RFC 8201).

The Packet Too Big reaches the end of the tunnel that sent the outer packet, and teaches
its kernel nothing, as no socket and no route sent that packet.  Either role turns it
into the MTU of the route into the tunnel; the kernel then tells the inner sender.
"""

from ipaddress import IPv6Address
from math import inf

from mip6.wire.buffer import WireError
from mip6.wire.icmpv6 import PacketTooBig
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import HEADER, read_packet
from mip6.wire.record import record

from .packet import unwrap

OVERHEAD = 40
"""Octets of the tunnel's outer header."""
EXTENSION = 24
"""Octets of a type 2 routing header, and of a header with a Home Address option."""
MTU_MIN = 1280
"""No IPv6 sender is told less (RFC 2473 §7.1 (b))."""
MTU_LIFETIME = 600.0
"""Seconds after which the path may have grown (RFC 8201 §4)."""


@record
class TooBig:
    """A packet in a tunnel that did not fit, and what would have."""

    source: IPv6Address
    """Outer addresses: our end, and the other."""
    destination: IPv6Address
    inner_source: IPv6Address
    inner_destination: IPv6Address
    mtu: int
    """Octets of the largest packet that fits, outer header included; at least 1280."""


def too_big(message: PacketTooBig) -> TooBig | None:
    """What the error says about a tunnel; None if the packet it quotes was in none.

    The quote is what tells an error about our packet from one that was made up without
    having seen any (RFC 4443 §5.2), so the caller compares all four addresses; and a
    packet that would have fitted was never too big.
    """
    if length_of(message.packet) <= message.mtu:
        return None
    try:
        outer = read_packet(message.packet, quoted=True)
        if outer.next_header != NextHeader.IPV6:
            return None
        inner = read_packet(outer.payload, quoted=True)
    except WireError:
        return None
    return TooBig(
        outer.source,
        outer.destination,
        inner.source,
        inner.destination,
        max(message.mtu, MTU_MIN),
    )


def inner_mtu(mtu: int | None, overhead: int = OVERHEAD) -> int | None:
    """What senders are told of a path where packets are longer by `overhead`: at least
    1280 octets."""
    return None if mtu is None else max(mtu - overhead, MTU_MIN)


def outer_mtu(mtu: int | None, overhead: int = OVERHEAD) -> int | None:
    """What the data plane must know of such a path: where packets that no sender makes
    any smaller do not fit (RFC 2473 §7.1 (b)); None: nothing."""
    return mtu if mtu is not None and mtu < MTU_MIN + overhead else None


def length_of(octets: bytes) -> int:
    """Octets of the packet that this is the beginning of, as its header has it."""
    return HEADER.size + int.from_bytes(octets[4:6])


@record
class Optimized:
    """A packet that was to take the direct way to a care-of address (§9.3.2)."""

    source: IPv6Address
    destination: IPv6Address
    """As on the wire: the care-of address."""
    origin: IPv6Address
    target: IPv6Address
    """As the upper layers know them: the home address."""
    overhead: int
    """Octets of the headers that were added."""


def optimized(octets: bytes) -> Optimized | None:
    """What an error quotes; None if it has no type 2 routing header."""
    try:
        headers = read_packet(octets, quoted=True)
        wrapping = unwrap(headers)
    except WireError:
        return None
    home_address, target = wrapping.home_address, wrapping.routing_address
    if target is None:
        return None
    return Optimized(
        headers.source,
        headers.destination,
        home_address or headers.source,
        target,
        EXTENSION if home_address is None else 2 * EXTENSION,
    )


class PathMtu:
    """The path of one tunnel whose near end moves: known for one source at a time."""

    def __init__(self) -> None:
        self._source: IPv6Address | None = None
        self._mtu = 0
        self._until = -inf

    def learn(self, quoted: TooBig, now: float) -> bool:
        """False if that, or less, is known already: an error never widens a path."""
        known = self.mtu(quoted.source, now)
        if known is not None and quoted.mtu >= known:
            return False
        self._source, self._mtu = quoted.source, quoted.mtu
        self._until = now + MTU_LIFETIME
        return True

    def mtu(self, source: IPv6Address | None, now: float) -> int | None:
        """Octets of the largest packet that fits; None: as the device has it."""
        return self._mtu if source == self._source and now < self._until else None

    def deadline(self, now: float) -> float:
        """When it is forgotten, in the future; or never."""
        return self._until if self._until > now else inf
