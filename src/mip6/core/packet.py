"""One whole IPv6 packet as the core sees it: addresses, wrapping, decoded message."""

from dataclasses import field
from ipaddress import IPv6Address

from mip6.wire.buffer import WireError
from mip6.wire.checksum import checksum
from mip6.wire.icmpv6 import IcmpMessage, read_icmpv6, write_icmpv6
from mip6.wire.messages import (
    Message,
    read_message,
    write_message,
)
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    DestinationOption,
    DestinationOptions,
    FragmentHeader,
    HomeAddressOption,
    HopByHopOptions,
    IPv6Packet,
    RoutingHeaderType2,
    UnknownRoutingHeader,
    assemble,
    read_packet,
)
from mip6.wire.record import record

# Looking into an enum for each packet is slow.
_IPV6 = int(NextHeader.IPV6)
_MOBILITY = int(NextHeader.MOBILITY)
_ICMPV6 = int(NextHeader.ICMPV6)


@record(kw_only=True)
class Packet:
    """The same value on the way in and on the way out.

    `source` and `destination` are those of the IPv6 header on the link.  A Home Address
    option and a type 2 routing header stand beside them, undone; `origin` and `target`
    are the addresses the upper layer, and so its checksum, sees (§6.1.1, §9.3.1).
    """

    source: IPv6Address
    destination: IPv6Address
    message: Message | IcmpMessage
    home_address: IPv6Address | None = None
    """Home Address option (§6.3)."""
    routing_address: IPv6Address | None = None
    """Home address in the type 2 routing header (§6.4)."""
    tunnel: tuple[IPv6Address, IPv6Address] | None = None
    """Outer source and destination, when it came or goes through a tunnel."""
    hop_limit: int = 64
    link: str | None = None
    """In: the link it came by, where known.  Out: the link it must leave by."""
    link_layer_destination: bytes | None = None
    """Out: whose frame it must be, whatever the neighbour cache says (RFC 6059)."""
    protected_for: IPv6Address | None = None
    """The home address whose security association protected it; only `security` sets
    it (DESIGN §5, Trust)."""
    octets: bytes = field(default=b"", repr=False, compare=False)
    """As received, without the tunnel's outer header; empty on the way out."""
    payload: bytes = field(default=b"", repr=False, compare=False)
    """The message as received, which is what a signature covers."""

    @property
    def origin(self) -> IPv6Address:
        return self.home_address or self.source

    @property
    def target(self) -> IPv6Address:
        return self.routing_address or self.destination


@record
class Wrapping:
    """The extension headers of one IPv6 header, as far as Mobile IPv6 cares."""

    home_address: IPv6Address | None = None
    routing_address: IPv6Address | None = None


PLAIN = Wrapping()

EXTENSIONS = 40
"""Where the extension headers begin: the offset of errors about them."""


def read(
    octets: bytes, *, link: str | None = None, protected_for: IPv6Address | None = None
) -> Packet:
    """Decode one whole packet, out of its tunnel where it is IPv6-in-IPv6.

    Raises `WireError` for what no sender may produce, a wrong checksum included, with
    the offset counted from the start of `octets`.  A message that the core has no use
    for (data, ESP) is "not_signalling".
    """
    tunnel: tuple[IPv6Address, IPv6Address] | None = None
    start = 0
    headers = read_packet(octets)
    wrapping = unwrap(headers)
    try:
        if headers.next_header == _IPV6:
            tunnel = (headers.source, headers.destination)
            start = headers.payload_offset
            octets = headers.payload
            headers = read_packet(octets)
            wrapping = unwrap(headers)
        return decode(
            headers,
            wrapping,
            octets,
            tunnel=tunnel,
            link=link,
            protected_for=protected_for,
        )
    except WireError as error:
        raise WireError(error.reason, start + error.offset) from error


def write(packet: Packet) -> bytes:
    """Encode a packet: its IPv6 header, what stands between, and its message.

    The type 2 routing header comes before the Home Address option (§6.3); the checksum
    covers `origin` and `target`.  `link`, `protected_for` and `octets` play no part.
    """
    extensions: list[RoutingHeaderType2 | DestinationOptions] = []
    if packet.routing_address is not None:
        extensions.append(RoutingHeaderType2(packet.routing_address))
    if packet.home_address is not None:
        option = HomeAddressOption(packet.home_address)
        extensions.append(DestinationOptions((option,)))
    message = packet.message
    if isinstance(message, Message):
        next_header = _MOBILITY
        payload = write_message(message, packet.origin, packet.target)
    else:
        next_header = _ICMPV6
        payload = write_icmpv6(message, packet.origin, packet.target)
    octets = assemble(
        packet.source,
        packet.destination,
        extensions,
        next_header,
        payload,
        hop_limit=packet.hop_limit,
    )
    if packet.tunnel is None:
        return octets
    return assemble(*packet.tunnel, (), _IPV6, octets)


def unwrap(headers: IPv6Packet) -> Wrapping:
    """Judge the extension headers of one IPv6 header by their form.

    Raises `WireError` where their order, number or kind allows no further processing;
    whether the addresses in them are ours to accept is the node's question.
    """
    if not headers.extensions:
        return PLAIN
    home_addresses: list[IPv6Address] = []
    routing_address: IPv6Address | None = None
    fragment = False
    for extension in headers.extensions:
        match extension:
            case HopByHopOptions() | DestinationOptions():
                found = _home_addresses(extension.options)
                if found and (fragment or isinstance(extension, HopByHopOptions)):
                    raise WireError("home_address_option_misplaced", EXTENSIONS)
                home_addresses += found
            case RoutingHeaderType2() | UnknownRoutingHeader():
                # A Home Address option stands behind the routing headers (§6.3).
                if routing_address or home_addresses:
                    raise WireError("routing_header_misplaced", EXTENSIONS)
                routing_address = _routing_address(extension)
            case FragmentHeader():
                fragment = True
                if extension.offset or extension.more:
                    raise WireError("fragment", EXTENSIONS)
            case _:  # an Authentication Header, which nobody here verifies
                raise WireError("authentication_header", EXTENSIONS)
    if len(home_addresses) > 1:
        raise WireError("home_address_option_repeated", EXTENSIONS)
    return Wrapping(home_addresses[0] if home_addresses else None, routing_address)


def _home_addresses(options: tuple[DestinationOption, ...]) -> list[IPv6Address]:
    home_addresses = []
    for option in options:
        if isinstance(option, HomeAddressOption):
            home_addresses.append(option.home_address)
        elif option.type >> 6:  # not to be skipped (RFC 8200 §4.2)
            raise WireError("unknown_option", EXTENSIONS)
    return home_addresses


def _routing_address(
    header: RoutingHeaderType2 | UnknownRoutingHeader,
) -> IPv6Address | None:
    """The home address in a type 2 routing header; None for one that is used up."""
    if isinstance(header, RoutingHeaderType2):
        if header.segments_left != 1:
            raise WireError("routing_header_segments_left", EXTENSIONS)
        return header.home_address
    if header.segments_left:
        raise WireError("routing_header_unknown", EXTENSIONS)
    return None


def decode(
    headers: IPv6Packet,
    wrapping: Wrapping,
    octets: bytes,
    *,
    tunnel: tuple[IPv6Address, IPv6Address] | None = None,
    link: str | None = None,
    protected_for: IPv6Address | None = None,
) -> Packet:
    """Decode what `headers` carry; `octets` are the packet they were read from, and
    `wrapping` what `unwrap` made of them.

    Raises `WireError` like `read`, offsets counted from the start of `octets`.
    """
    source = wrapping.home_address or headers.source
    destination = wrapping.routing_address or headers.destination
    message: Message | IcmpMessage
    try:
        if headers.next_header == _MOBILITY:
            _check(source, destination, headers, 4)
            message = read_message(headers.payload)
        elif headers.next_header == _ICMPV6:
            _check(source, destination, headers, 2)
            message = read_icmpv6(headers.payload)
        else:
            raise WireError("not_signalling", 0)
    except WireError as error:
        offset = headers.payload_offset + error.offset
        raise WireError(error.reason, offset) from error
    return Packet(
        source=headers.source,
        destination=headers.destination,
        message=message,
        home_address=wrapping.home_address,
        routing_address=wrapping.routing_address,
        tunnel=tunnel,
        hop_limit=headers.hop_limit,
        link=link,
        protected_for=protected_for,
        octets=octets,
        payload=headers.payload,
    )


def _check(
    source: IPv6Address, destination: IPv6Address, headers: IPv6Packet, at: int
) -> None:
    """The checksum, which stands `at` so many octets."""
    if len(headers.payload) < at + 2:
        raise WireError("truncated", len(headers.payload))
    if checksum(source, destination, headers.next_header, headers.payload):
        raise WireError("checksum", at)
