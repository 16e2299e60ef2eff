"""ICMPv6 (RFC 4443): the errors, the four messages of RFC 6275 §6.5 to §6.8, and
Neighbor Discovery, which has a file of its own.

    |     Type      |     Code      |            Checksum           |

Figures in the classes show what follows; `BODY` is the fixed part of it.
"""

from ipaddress import IPv6Address
from struct import Struct
from typing import ClassVar, Self

from .buffer import Reader, WireError, Writer, check_bits
from .checksum import checksum
from .neighbor_discovery import (
    NeighborAdvertisement,
    NeighborMessage,
    NeighborSolicitation,
    RouterAdvertisement,
    RouterSolicitation,
)
from .neighbor_options import (
    NeighborOption,
    read_neighbor_options,
    write_neighbor_options,
)
from .next_header import NextHeader
from .record import record

HEADER = Struct(">BBH")
"""Type, Code, Checksum."""

CHECKSUM_OFFSET = 2

HOME_AGENT_ADDRESSES_MAX = 128
"""Addresses in one discovery reply.  Senders stay within the minimum MTU (§10.5.1): 77
are the most that 1280 octets hold."""


@record(kw_only=True)
class DestinationUnreachable:
    """A packet could not be delivered (RFC 4443 §3.1).

    |                             Unused                            |
    |  As much of the invoking packet as fits 1280 octets
    """

    TYPE: ClassVar[int] = 1
    BODY: ClassVar[Struct] = Struct(">4x")

    code: int
    packet: bytes
    """The invoking packet from its IPv6 header on, possibly cut off."""

    def __post_init__(self) -> None:
        check_bits("code", self.code, 8)

    @classmethod
    def read(cls, code: int, reader: Reader) -> Self:
        reader.unpack(cls.BODY)
        return cls(code=code, packet=reader.rest())

    def write(self, writer: Writer) -> None:
        writer.pack(self.BODY)
        writer.octets(self.packet)


@record(kw_only=True)
class PacketTooBig:
    """A packet exceeds the MTU of the next link (RFC 4443 §3.2).

    |                              MTU                              |
    |  As much of the invoking packet as fits 1280 octets
    """

    TYPE: ClassVar[int] = 2
    BODY: ClassVar[Struct] = Struct(">I")

    mtu: int
    """Octets."""
    packet: bytes
    """The invoking packet from its IPv6 header on, possibly cut off."""

    def __post_init__(self) -> None:
        check_bits("mtu", self.mtu, 32)

    @classmethod
    def read(cls, code: int, reader: Reader) -> Self:
        """The code is ignored, as RFC 4443 §3.2 wants."""
        (mtu,) = reader.unpack(cls.BODY)
        return cls(mtu=mtu, packet=reader.rest())

    def write(self, writer: Writer) -> None:
        writer.pack(self.BODY, self.mtu)
        writer.octets(self.packet)


@record(kw_only=True)
class TimeExceeded:
    """The hop limit ran out, or a fragment is missing (RFC 4443 §3.3).

    |                             Unused                            |
    |  As much of the invoking packet as fits 1280 octets
    """

    TYPE: ClassVar[int] = 3
    BODY: ClassVar[Struct] = Struct(">4x")

    code: int
    packet: bytes
    """The invoking packet from its IPv6 header on, possibly cut off."""

    def __post_init__(self) -> None:
        check_bits("code", self.code, 8)

    @classmethod
    def read(cls, code: int, reader: Reader) -> Self:
        reader.unpack(cls.BODY)
        return cls(code=code, packet=reader.rest())

    def write(self, writer: Writer) -> None:
        writer.pack(self.BODY)
        writer.octets(self.packet)


@record(kw_only=True)
class ParameterProblem:
    """A field of a packet is wrong or not known (RFC 4443 §3.4).

    |                            Pointer                            |
    |  As much of the invoking packet as fits 1280 octets
    """

    TYPE: ClassVar[int] = 4
    BODY: ClassVar[Struct] = Struct(">I")

    code: int
    """0 erroneous field, 1 unrecognized Next Header, 2 unrecognized option."""
    pointer: int
    """Octets from the start of the invoking packet."""
    packet: bytes
    """The invoking packet from its IPv6 header on, possibly cut off."""

    def __post_init__(self) -> None:
        check_bits("code", self.code, 8)
        check_bits("pointer", self.pointer, 32)

    @classmethod
    def read(cls, code: int, reader: Reader) -> Self:
        (pointer,) = reader.unpack(cls.BODY)
        return cls(code=code, pointer=pointer, packet=reader.rest())

    def write(self, writer: Writer) -> None:
        writer.pack(self.BODY, self.pointer)
        writer.octets(self.packet)


@record(kw_only=True)
class HomeAgentAddressDiscoveryRequest:
    """Which home agents are on my home link? (§6.5; R flag RFC 3963 §7.1)

    |          Identifier           |R|          Reserved           |
    """

    TYPE: ClassVar[int] = 144
    BODY: ClassVar[Struct] = Struct(">HH")

    identifier: int
    mobile_router_support: bool = False

    def __post_init__(self) -> None:
        check_bits("identifier", self.identifier, 16)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        identifier, flags = reader.unpack(cls.BODY)
        return cls(identifier=identifier, mobile_router_support=flags & 0x8000 != 0)

    def write(self, writer: Writer) -> None:
        writer.pack(self.BODY, self.identifier, self.mobile_router_support << 15)


@record(kw_only=True)
class HomeAgentAddressDiscoveryReply:
    """The home agents of a link, the most preferred first (§6.6; R flag RFC 3963 §7.2).

    |           Identifier          |R|           Reserved          |
    |                      Home Agent Addresses                     |
    """

    TYPE: ClassVar[int] = 145
    BODY: ClassVar[Struct] = Struct(">HH")

    identifier: int
    mobile_router_support: bool = False
    home_agent_addresses: tuple[IPv6Address, ...] = ()

    def __post_init__(self) -> None:
        check_bits("identifier", self.identifier, 16)
        if len(self.home_agent_addresses) > HOME_AGENT_ADDRESSES_MAX:
            raise ValueError(f"more than {HOME_AGENT_ADDRESSES_MAX} home agents")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        identifier, flags = reader.unpack(cls.BODY)
        addresses: list[IPv6Address] = []
        while reader.position < reader.end:
            if len(addresses) == HOME_AGENT_ADDRESSES_MAX:
                raise WireError("too_many_addresses", reader.position)
            addresses.append(reader.address())
        return cls(
            identifier=identifier,
            mobile_router_support=flags & 0x8000 != 0,
            home_agent_addresses=tuple(addresses),
        )

    def write(self, writer: Writer) -> None:
        writer.pack(self.BODY, self.identifier, self.mobile_router_support << 15)
        for address in self.home_agent_addresses:
            writer.address(address)


@record(kw_only=True)
class MobilePrefixSolicitation:
    """Which prefixes does my home link have? (§6.7)

    |          Identifier           |            Reserved           |
    """

    TYPE: ClassVar[int] = 146
    BODY: ClassVar[Struct] = Struct(">H2x")

    identifier: int
    options: tuple[NeighborOption, ...] = ()

    def __post_init__(self) -> None:
        check_bits("identifier", self.identifier, 16)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        (identifier,) = reader.unpack(cls.BODY)
        return cls(identifier=identifier, options=read_neighbor_options(reader))

    def write(self, writer: Writer) -> None:
        writer.pack(self.BODY, self.identifier)
        write_neighbor_options(writer, self.options)


@record(kw_only=True)
class MobilePrefixAdvertisement:
    """The prefixes of the home link, as Prefix Information options (§6.8).

    |          Identifier           |M|O|        Reserved           |
    """

    TYPE: ClassVar[int] = 147
    BODY: ClassVar[Struct] = Struct(">HH")

    identifier: int
    managed_address_configuration: bool = False
    other_stateful_configuration: bool = False
    options: tuple[NeighborOption, ...] = ()

    def __post_init__(self) -> None:
        check_bits("identifier", self.identifier, 16)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        identifier, flags = reader.unpack(cls.BODY)
        return cls(
            identifier=identifier,
            managed_address_configuration=flags & 0x8000 != 0,
            other_stateful_configuration=flags & 0x4000 != 0,
            options=read_neighbor_options(reader),
        )

    def write(self, writer: Writer) -> None:
        flags = (
            self.managed_address_configuration << 15
            | self.other_stateful_configuration << 14
        )
        writer.pack(self.BODY, self.identifier, flags)
        write_neighbor_options(writer, self.options)


@record(kw_only=True)
class UnknownIcmp:
    """A message of a type not known here, such as an echo request."""

    type: int
    code: int
    data: bytes
    """All behind the Checksum."""

    def __post_init__(self) -> None:
        check_bits("type", self.type, 8)
        check_bits("code", self.code, 8)
        if self.type in ERRORS or self.type in MESSAGES:
            raise ValueError(f"ICMPv6 message {self.type} is known")

    def write(self, writer: Writer) -> None:
        writer.octets(self.data)


ErrorMessage = DestinationUnreachable | PacketTooBig | TimeExceeded | ParameterProblem
MobilityMessage = (
    HomeAgentAddressDiscoveryRequest
    | HomeAgentAddressDiscoveryReply
    | MobilePrefixSolicitation
    | MobilePrefixAdvertisement
)
IcmpMessage = ErrorMessage | MobilityMessage | NeighborMessage | UnknownIcmp

ERRORS: dict[int, type[ErrorMessage]] = {
    kind.TYPE: kind
    for kind in (DestinationUnreachable, PacketTooBig, TimeExceeded, ParameterProblem)
}

MESSAGES: dict[int, type[MobilityMessage | NeighborMessage]] = {
    kind.TYPE: kind
    for kind in (
        HomeAgentAddressDiscoveryRequest,
        HomeAgentAddressDiscoveryReply,
        MobilePrefixSolicitation,
        MobilePrefixAdvertisement,
        RouterSolicitation,
        RouterAdvertisement,
        NeighborSolicitation,
        NeighborAdvertisement,
    )
}


def read_icmpv6(octets: bytes) -> IcmpMessage:
    """Decode one ICMPv6 message, from its Type to the end of the packet.

    The checksum is the caller's business: it needs the addresses.  Raises `WireError`:
    "truncated", "icmp_code" for a code other than 0 where there is only 0 (RFC 4861
    §6.1, §7.1), "too_many_addresses", or what the options say.
    """
    reader = Reader(octets)
    type_, code, _ = reader.unpack(HEADER)
    error = ERRORS.get(type_)
    if error is not None:
        return error.read(code, reader)
    kind = MESSAGES.get(type_)
    if kind is None:
        return UnknownIcmp(type=type_, code=code, data=reader.rest())
    if code:
        raise WireError("icmp_code", 1)
    return kind.read(reader)


def write_icmpv6(
    message: IcmpMessage, source: IPv6Address, destination: IPv6Address
) -> bytes:
    """Encode one ICMPv6 message, checksum included (RFC 4443 §2.3).

    The addresses are those the upper layer sees, as for `write_message`.
    """
    type_ = message.type if isinstance(message, UnknownIcmp) else message.TYPE
    code: int = getattr(message, "code", 0)
    writer = Writer()
    writer.pack(HEADER, type_, code, 0)
    message.write(writer)
    sum_ = checksum(source, destination, NextHeader.ICMPV6, bytes(writer))
    writer.put_u16(sum_, at=CHECKSUM_OFFSET)
    return bytes(writer)
