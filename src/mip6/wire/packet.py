"""The IPv6 header and the chain of extension headers behind it (RFC 8200 §3, §4), with
the Home Address option and the type 2 routing header (RFC 6275 §6.3, §6.4).

The chain ends at the first header that is not an extension header here: an upper layer,
ESP, an inner IPv6 header, a Mobility Header, or the middle of a fragmented packet.
Whether the headers stand in an order that RFC 8200 allows is for the core to judge.
"""

from collections.abc import Callable, Sequence
from dataclasses import field
from ipaddress import IPv6Address
from struct import Struct
from typing import ClassVar, Self

from .buffer import Reader, WireError, address, check_bits
from .next_header import NextHeader
from .record import record
from .tlv import PAD_1, PAD_N, read_tlvs, write_tlvs

HEADER = Struct(">IHBB16s16s")
"""Version, traffic class and flow label; Payload Length; Next Header; Hop Limit;
Source Address; Destination Address."""

HEAD = Struct("BB")
"""Next Header and Hdr Ext Len, with which every extension header begins."""

PAYLOAD_LENGTH_MAX = 0xFFFF

EXTENSION_HEADERS_MAX = 16
"""Extension headers in one packet.  RFC 8200 sets no limit and needs at most 7; without
one a packet of 64 KiB could make the chain 8000 headers long."""

OPTIONS_MAX = 128
"""Options in one extension header, likewise (RFC 8504 §5.3 lets a host choose)."""

EXTENSION_LENGTH_MAX = 256 * 8

# Looking into an enum for each packet is slow.
_MOBILITY = int(NextHeader.MOBILITY)
_DESTINATION_OPTIONS = int(NextHeader.DESTINATION_OPTIONS)
_USUAL_OPTIONS = bytes((2, 1, 2, 0, 0, 0xC9, 16))
"""Hdr Ext Len, padding, type and length: how a Home Address option stands in a header
of its own (§6.3)."""
_USUAL_END = HEADER.size + 24


@record
class HomeAddressOption:
    """The home address of the sender, which is away from home (RFC 6275 §6.3).

    |  Type = 0xC9  |  Length = 16  |
    |                          Home Address                         |
    """

    TYPE: ClassVar[int] = 0xC9
    LENGTH: ClassVar[int] = 16
    VARIES: ClassVar[bool] = False
    HEAD: ClassVar[bytes] = bytes((TYPE, LENGTH))
    ALIGN: ClassVar[tuple[int, int]] = (8, 6)

    home_address: IPv6Address

    @classmethod
    def read(cls, data: bytes) -> Self:
        return cls(address(data))

    def write(self) -> bytes:
        return self.HEAD + self.home_address.packed


@record
class UnknownDestinationOption:
    """An option of a type not known here, of either options header.  The two highest
    bits of its type say what becomes of the packet (RFC 8200 §4.2)."""

    ALIGN: ClassVar[tuple[int, int]] = (1, 0)

    type: int
    data: bytes

    def __post_init__(self) -> None:
        if self.type in KNOWN_OPTIONS or self.type in (PAD_1, PAD_N):
            raise ValueError(f"option {self.type} is known")
        check_bits("type", self.type, 8)
        check_bits("length", len(self.data), 8)

    def write(self) -> bytes:
        return bytes((self.type, len(self.data))) + self.data


DestinationOption = HomeAddressOption | UnknownDestinationOption

KNOWN_OPTIONS: dict[int, type[HomeAddressOption]] = {
    HomeAddressOption.TYPE: HomeAddressOption
}


def _write_options_header(
    next_header: int, options: tuple[DestinationOption, ...]
) -> bytes:
    octets = write_tlvs(options, HEAD.size)
    length = HEAD.size + len(octets)
    if length > EXTENSION_LENGTH_MAX:
        raise ValueError(f"options of {length} octets do not fit one header")
    return HEAD.pack(next_header, length // 8 - 1) + octets


@record
class HopByHopOptions:
    """Options for every node on the way (RFC 8200 §4.3).

    |  Next Header  |  Hdr Ext Len  |   Options ...
    """

    HEADER: ClassVar[int] = NextHeader.HOP_BY_HOP_OPTIONS
    LENGTH_UNIT: ClassVar[int] = 8

    options: tuple[DestinationOption, ...] = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        options = read_tlvs(
            reader, KNOWN_OPTIONS, UnknownDestinationOption, OPTIONS_MAX
        )
        return cls(options)

    def write(self, next_header: int) -> bytes:
        return _write_options_header(next_header, self.options)


@record
class DestinationOptions:
    """Options for the destination (RFC 8200 §4.6).

    |  Next Header  |  Hdr Ext Len  |   Options ...
    """

    HEADER: ClassVar[int] = NextHeader.DESTINATION_OPTIONS
    LENGTH_UNIT: ClassVar[int] = 8

    options: tuple[DestinationOption, ...] = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        options = read_tlvs(
            reader, KNOWN_OPTIONS, UnknownDestinationOption, OPTIONS_MAX
        )
        return cls(options)

    def write(self, next_header: int) -> bytes:
        return _write_options_header(next_header, self.options)


@record
class RoutingHeaderType2:
    """The home address of the receiver, which is away from home (RFC 6275 §6.4).

    |  Next Header  | Hdr Ext Len=2 | Routing Type=2|Segments Left=1|
    |                            Reserved                           |
    |                         Home Address                          |
    """

    HEADER: ClassVar[int] = NextHeader.ROUTING
    TYPE: ClassVar[int] = 2
    LENGTH: ClassVar[int] = 24
    BODY: ClassVar[Struct] = Struct(">BB4x16s")

    home_address: IPv6Address
    segments_left: int = 1
    """1 is the only legal value; the core discards others (§11.3.3)."""

    def __post_init__(self) -> None:
        check_bits("segments_left", self.segments_left, 8)

    def write(self, next_header: int) -> bytes:
        return HEAD.pack(next_header, self.LENGTH // 8 - 1) + self.BODY.pack(
            self.TYPE, self.segments_left, self.home_address.packed
        )


@record
class UnknownRoutingHeader:
    """A routing header of a type not known here (RFC 8200 §4.4).

    |  Next Header  |  Hdr Ext Len  |  Routing Type | Segments Left |
    |  Type-specific data ...
    """

    HEADER: ClassVar[int] = NextHeader.ROUTING
    BODY: ClassVar[Struct] = Struct(">BB")

    type: int
    segments_left: int
    data: bytes
    """Type-specific: 4 octets and a multiple of 8."""

    def __post_init__(self) -> None:
        check_bits("type", self.type, 8)
        check_bits("segments_left", self.segments_left, 8)
        if self.type == RoutingHeaderType2.TYPE:
            raise ValueError("routing header 2 is known")
        if len(self.data) % 8 != 4 or len(self.data) + 4 > EXTENSION_LENGTH_MAX:
            raise ValueError("a routing header is a multiple of 8 octets up to 2048")

    def write(self, next_header: int) -> bytes:
        head = HEAD.pack(next_header, len(self.data) // 8)
        return head + self.BODY.pack(self.type, self.segments_left) + self.data


def _read_routing_header(reader: Reader) -> RoutingHeaderType2 | UnknownRoutingHeader:
    start = reader.position - 2
    type_, segments_left = reader.unpack(UnknownRoutingHeader.BODY)
    if type_ != RoutingHeaderType2.TYPE:
        return UnknownRoutingHeader(type_, segments_left, reader.rest())
    # Longer ones could send the packet on to other nodes: never accepted (§6.4).
    if reader.end - start != RoutingHeaderType2.LENGTH:
        raise WireError("routing_header_length", start + 1)
    reader.octets(4)  # Reserved
    return RoutingHeaderType2(reader.address(), segments_left)


@record(kw_only=True)
class FragmentHeader:
    """Where this piece of a packet belongs (RFC 8200 §4.5).

    |  Next Header  |   Reserved    |      Fragment Offset    |Res|M|
    |                         Identification                        |
    """

    HEADER: ClassVar[int] = NextHeader.FRAGMENT
    LENGTH_UNIT: ClassVar[int] = 0
    """Always 8 octets long: where others have a length, it has a Reserved octet."""
    BODY: ClassVar[Struct] = Struct(">HI")

    offset: int
    """Octets, a multiple of 8."""
    more: bool
    identification: int

    def __post_init__(self) -> None:
        if self.offset % 8:
            raise ValueError(f"fragment offset {self.offset} is not a multiple of 8")
        check_bits("offset", self.offset, 16)
        check_bits("identification", self.identification, 32)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        bits, identification = reader.unpack(cls.BODY)
        return cls(
            offset=bits & 0xFFF8, more=bits & 1 != 0, identification=identification
        )

    def write(self, next_header: int) -> bytes:
        place = self.BODY.pack(self.offset | self.more, self.identification)
        return HEAD.pack(next_header, 0) + place


@record
class AuthenticationHeader:
    """Integrity of the whole packet (RFC 4302 §2), not looked into here.

    |  Next Header  |  Payload Len  |          Reserved             |
    |  SPI, Sequence Number, Integrity Check Value ...
    """

    HEADER: ClassVar[int] = NextHeader.AUTHENTICATION
    LENGTH_UNIT: ClassVar[int] = 4

    data: bytes
    """All behind the Payload Len, which counts units of 4 octets: 6, 10 … 1026."""

    def __post_init__(self) -> None:
        if len(self.data) % 4 != 2 or not 6 <= len(self.data) <= 1026:
            raise ValueError("an authentication header has 8, 12 … 1028 octets")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.rest())

    def write(self, next_header: int) -> bytes:
        return HEAD.pack(next_header, (len(self.data) + 2) // 4 - 2) + self.data


Extension = (
    HopByHopOptions
    | DestinationOptions
    | RoutingHeaderType2
    | UnknownRoutingHeader
    | FragmentHeader
    | AuthenticationHeader
)

READ: dict[int, tuple[Callable[[Reader], Extension], int]] = {
    int(NextHeader.ROUTING): (_read_routing_header, 8),
    **{
        kind.HEADER: (kind.read, kind.LENGTH_UNIT)
        for kind in (
            HopByHopOptions,
            DestinationOptions,
            FragmentHeader,
            AuthenticationHeader,
        )
    },
}
"""By Next Header: what reads it, and the unit in which its length octet counts what
there is beyond 8 octets."""


@record(kw_only=True)
class IPv6Packet:
    """One IPv6 packet (RFC 8200 §3), its upper layer not decoded.

    |Version| Traffic Class |           Flow Label                  |
    |         Payload Length        |  Next Header  |   Hop Limit   |
    |                         Source Address                        |
    |                      Destination Address                      |
    """

    source: IPv6Address
    destination: IPv6Address
    hop_limit: int = 64
    traffic_class: int = 0
    flow_label: int = 0
    extensions: tuple[Extension, ...] = ()
    """In the order of the packet."""
    next_header: int
    """What `payload` is: a `NextHeader`, or another number of the IANA registry."""
    payload: bytes
    """From the first octet of that header to the end of the packet."""
    payload_offset: int = field(default=0, compare=False)
    """Where `payload` began in the octets read; offsets of errors in it count from
    there.  0 in a packet that was not read."""

    def __post_init__(self) -> None:
        # One test for what is almost never wrong; the calls cost more than it.
        if (
            self.hop_limit >> 8
            or self.traffic_class >> 8
            or self.flow_label >> 20
            or self.next_header >> 8
        ):
            check_bits("hop_limit", self.hop_limit, 8)
            check_bits("traffic_class", self.traffic_class, 8)
            check_bits("flow_label", self.flow_label, 20)
            check_bits("next_header", self.next_header, 8)
        extensions = self.extensions
        if extensions:
            if len(extensions) > EXTENSION_HEADERS_MAX:
                raise ValueError(f"more than {EXTENSION_HEADERS_MAX} extension headers")
            for extension in extensions[:-1]:
                if _ends_chain(extension):
                    raise ValueError("nothing is known behind a fragment's start")
            if _ends_chain(extensions[-1]):
                return
        if self.next_header in READ:
            raise ValueError(f"header {self.next_header} belongs to the extensions")
        if self.next_header == _MOBILITY and _excess(self.payload) > 0:
            raise ValueError("octets behind the Mobility Header")


def _ends_chain(extension: Extension) -> bool:
    """A fragment that is not the first begins somewhere inside a header or its data."""
    return isinstance(extension, FragmentHeader) and extension.offset > 0


def _excess(mobility_header: bytes) -> int:
    """Octets behind a Mobility Header, which is the last of the chain (§6.1.1); not
    above 0 where there are none."""
    length = len(mobility_header)
    return length - 8 - 8 * mobility_header[1] if length > 8 else 0


def read_packet(octets: bytes, *, quoted: bool = False) -> IPv6Packet:
    """Decode one IPv6 packet down to its upper layer; octets behind it are cut off.

    quoted: it stands in an ICMPv6 error, so its payload may end early.

    Raises `WireError`: "truncated"; "version"; "header_length_beyond_packet";
    "too_many_extension_headers"; "routing_header_length" for a type 2 routing header
    that is not 24 octets long; "octets_behind_mobility_header"; what options say.
    """
    given, payload_offset = len(octets), HEADER.size
    if given < payload_offset:
        raise WireError("truncated", given)
    first, length, next_header, hop_limit, source, destination = HEADER.unpack_from(
        octets
    )
    if first >> 28 != 6:
        raise WireError("version", 0)
    end = payload_offset + length
    if end > given:
        if not quoted:
            raise WireError("truncated", given)
        end = given
    extensions: tuple[Extension, ...] = ()
    whole = True
    if (
        next_header == _DESTINATION_OPTIONS
        and octets[41:48] == _USUAL_OPTIONS
        and end >= _USUAL_END
        and octets[HEADER.size] not in READ
    ):
        # What all mobile nodes send all the time, in a third of the time.
        home_address = HomeAddressOption(address(octets[48:_USUAL_END]))
        extensions = (DestinationOptions((home_address,)),)
        next_header, payload_offset = octets[HEADER.size], _USUAL_END
    elif next_header in READ:
        reader = Reader(octets)
        reader.position, reader.end = payload_offset, end
        next_header, extensions = _read_extensions(reader, next_header)
        whole = not _ends_chain(extensions[-1])
        payload_offset = reader.position
    payload = octets[payload_offset:end]
    if next_header == _MOBILITY and whole and (excess := _excess(payload)) > 0:
        raise WireError("octets_behind_mobility_header", end - excess)
    return IPv6Packet(
        source=address(source),
        destination=address(destination),
        hop_limit=hop_limit,
        traffic_class=first >> 20 & 0xFF,
        flow_label=first & 0xFFFFF,
        extensions=extensions,
        next_header=next_header,
        payload=payload,
        payload_offset=payload_offset,
    )


def _read_extensions(
    reader: Reader, next_header: int
) -> tuple[int, tuple[Extension, ...]]:
    """The chain that begins here with a header of this kind, and what comes behind."""
    extensions: list[Extension] = []
    end = reader.end
    while next_header in READ:
        if len(extensions) == EXTENSION_HEADERS_MAX:
            raise WireError("too_many_extension_headers", reader.position)
        read, length_unit = READ[next_header]
        start = reader.position
        next_header, length = reader.unpack(HEAD)
        header_end = start + 8 + length * length_unit
        if header_end > end:
            raise WireError("header_length_beyond_packet", start + 1)
        reader.end = header_end
        extensions.append(read(reader))
        reader.end = end
        if _ends_chain(extensions[-1]):
            break
    return next_header, tuple(extensions)


def write_packet(packet: IPv6Packet) -> bytes:
    """Encode one IPv6 packet; Next Headers and lengths follow from its parts.

    Raises `ValueError` when it is longer than a Payload Length can say.
    """
    return assemble(
        packet.source,
        packet.destination,
        packet.extensions,
        packet.next_header,
        packet.payload,
        hop_limit=packet.hop_limit,
        flow=packet.traffic_class << 20 | packet.flow_label,
    )


def assemble(
    source: IPv6Address,
    destination: IPv6Address,
    extensions: Sequence[Extension],
    next_header: int,
    payload: bytes,
    *,
    hop_limit: int = 64,
    flow: int = 0,
) -> bytes:
    """The same from its parts, for who made them and need not have them checked.

    flow: traffic class and flow label, as they stand behind the version.
    """
    for extension in reversed(extensions):
        payload = extension.write(next_header) + payload
        next_header = extension.HEADER
    length = len(payload)
    if length > PAYLOAD_LENGTH_MAX:
        raise ValueError(f"a payload of {length} octets is too long")
    flow |= 6 << 28  # the version
    addresses = source.packed, destination.packed
    return HEADER.pack(flow, length, next_header, hop_limit, *addresses) + payload
