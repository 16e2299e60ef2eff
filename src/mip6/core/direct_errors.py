"""What ICMPv6 errors say about the direct way to a correspondent (§11.3.5).

The packet that an error quotes tells it from one made up without having seen any (RFC
4443 §5.2): a message of ours that waits for its answer, or a packet of ours with our
home address in its Home Address option.
"""

from ipaddress import IPv6Address

from mip6.wire.buffer import WireError
from mip6.wire.messages import Message, read_message
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import read_packet
from mip6.wire.record import record

from .packet import unwrap

HOME_ADDRESS_OPTION = 24
"""Octets of a Destination Options header with a Home Address option (§6.3)."""
ROUTING_HEADER = 24
"""Octets of a type 2 routing header (§6.4)."""


@record
class Quote:
    """A packet of ours as an error quotes it."""

    source: IPv6Address
    """As on the wire."""
    destination: IPv6Address
    """Behind a type 2 routing header: the home address of a mobile node."""
    home_address: IPv6Address | None
    """In the Home Address option."""
    routed: bool
    """Whether that header was there, by what the binding cache said."""
    overhead: int
    """Octets that route optimization added."""
    message: Message | None
    """The Mobility Header, where all of it is quoted."""


def quote(packet: bytes) -> Quote | None:
    """What the quoted `packet` was; None for octets that are none."""
    try:
        headers = read_packet(packet, quoted=True)
        wrapping = unwrap(headers)
    except WireError:
        return None
    message = None
    if headers.next_header == NextHeader.MOBILITY:
        try:
            message = read_message(headers.payload)
        except WireError:
            return None
    return Quote(
        headers.source,
        wrapping.routing_address or headers.destination,
        wrapping.home_address,
        wrapping.routing_address is not None,
        (HOME_ADDRESS_OPTION if wrapping.home_address else 0)
        + (ROUTING_HEADER if wrapping.routing_address else 0),
        message,
    )
