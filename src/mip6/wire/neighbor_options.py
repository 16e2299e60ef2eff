"""Options of Neighbor Discovery (RFC 4861 §4.6), with those of RFC 6275 §7, RFC 8106
and RFC 8910."""

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network
from struct import Struct
from typing import ClassVar, Self

from .buffer import Reader, WireError, Writer, check_bits
from .record import record

OPTIONS_MAX = 128
"""Options in one message.  RFC 4861 sets no limit, but a packet of 64 KiB could bring
8000, and each costs the receiver memory and time; no router needs this many."""

OPTION_LENGTH_MAX = 255 * 8

INFINITE_LIFETIME = 0xFFFFFFFF
"""Seconds; the value that means for ever in a Prefix Information option (§4.6.2)."""


def _check_link_layer_address(octets: bytes) -> None:
    if len(octets) % 8 != 6 or len(octets) + 2 > OPTION_LENGTH_MAX:
        raise ValueError("a link-layer address fills the option: 6, 14, 22 … octets")


@record
class SourceLinkLayerAddress:
    """The sender's link-layer address (RFC 4861 §4.6.1).

    |     Type 1    |    Length     |    Link-Layer Address ...
    """

    TYPE: ClassVar[int] = 1

    link_layer_address: bytes
    """6 octets on Ethernet; on other links with the padding the link defines."""

    def __post_init__(self) -> None:
        _check_link_layer_address(self.link_layer_address)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.rest())

    def write(self, writer: Writer) -> None:
        writer.octets(self.link_layer_address)


@record
class TargetLinkLayerAddress:
    """The target's link-layer address (RFC 4861 §4.6.1).

    |     Type 2    |    Length     |    Link-Layer Address ...
    """

    TYPE: ClassVar[int] = 2

    link_layer_address: bytes
    """6 octets on Ethernet; on other links with the padding the link defines."""

    def __post_init__(self) -> None:
        _check_link_layer_address(self.link_layer_address)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.rest())

    def write(self, writer: Writer) -> None:
        writer.octets(self.link_layer_address)


@record(kw_only=True)
class PrefixInformation:
    """A prefix of the link (RFC 4861 §4.6.2, RFC 6275 §7.2).

    |     Type 3    |   Length 4    | Prefix Length |L|A|R|Reserved1|
    |                         Valid Lifetime                        |
    |                       Preferred Lifetime                      |
    |                           Reserved2                           |
    |                            Prefix                             |
    """

    TYPE: ClassVar[int] = 3
    DATA: ClassVar[Struct] = Struct(">BBII4x16s")

    prefix: IPv6Address
    """With the R flag the router's whole address, otherwise bits behind the prefix
    length mean nothing; `network` is the prefix alone in both cases."""
    prefix_length: int
    valid_lifetime: int
    """Seconds, or `INFINITE_LIFETIME`."""
    preferred_lifetime: int
    """Seconds, or `INFINITE_LIFETIME`."""
    on_link: bool = False
    autonomous_address_configuration: bool = False
    router_address: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.prefix_length <= 128:
            raise ValueError(f"prefix_length {self.prefix_length} is beyond 128")
        check_bits("valid_lifetime", self.valid_lifetime, 32)
        check_bits("preferred_lifetime", self.preferred_lifetime, 32)

    @property
    def network(self) -> IPv6Network:
        return IPv6Network((self.prefix, self.prefix_length), strict=False)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        start = reader.position
        prefix_length, flags, valid, preferred, prefix = reader.unpack(cls.DATA)
        if prefix_length > 128:
            raise WireError("prefix_length", start)
        return cls(
            prefix=IPv6Address(prefix),
            prefix_length=prefix_length,
            valid_lifetime=valid,
            preferred_lifetime=preferred,
            on_link=flags & 0x80 != 0,
            autonomous_address_configuration=flags & 0x40 != 0,
            router_address=flags & 0x20 != 0,
        )

    def write(self, writer: Writer) -> None:
        writer.pack(
            self.DATA,
            self.prefix_length,
            self.on_link << 7
            | self.autonomous_address_configuration << 6
            | self.router_address << 5,
            self.valid_lifetime,
            self.preferred_lifetime,
            self.prefix.packed,
        )


@record
class Mtu:
    """The MTU all nodes of the link should use (RFC 4861 §4.6.4).

    |     Type 5    |   Length 1    |           Reserved            |
    |                              MTU                              |
    """

    TYPE: ClassVar[int] = 5
    DATA: ClassVar[Struct] = Struct(">2xI")

    mtu: int
    """Octets."""

    def __post_init__(self) -> None:
        check_bits("mtu", self.mtu, 32)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(*reader.unpack(cls.DATA))

    def write(self, writer: Writer) -> None:
        writer.pack(self.DATA, self.mtu)


@record
class AdvertisementInterval:
    """How often the router advertises unasked (RFC 6275 §7.3).

    |     Type 7    |   Length 1    |           Reserved            |
    |                     Advertisement Interval                    |
    """

    TYPE: ClassVar[int] = 7
    DATA: ClassVar[Struct] = Struct(">2xI")

    advertisement_interval: int
    """Milliseconds, the longest time between two advertisements."""

    def __post_init__(self) -> None:
        check_bits("advertisement_interval", self.advertisement_interval, 32)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(*reader.unpack(cls.DATA))

    def write(self, writer: Writer) -> None:
        writer.pack(self.DATA, self.advertisement_interval)


@record(kw_only=True)
class HomeAgentInformation:
    """What the router is worth as a home agent, and how long (RFC 6275 §7.4; R flag
    RFC 3963 §7.3).

    |     Type 8    |   Length 1    |R|         Reserved            |
    |     Home Agent Preference     |      Home Agent Lifetime      |
    """

    TYPE: ClassVar[int] = 8
    DATA: ClassVar[Struct] = Struct(">HHH")

    preference: int
    """Higher is preferred; 0 is what a router without this option has."""
    lifetime: int
    """Seconds.  0 is not to be sent, and is kept for the core to judge when it is."""
    mobile_router_support: bool = False

    def __post_init__(self) -> None:
        check_bits("preference", self.preference, 16)
        check_bits("lifetime", self.lifetime, 16)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        flags, preference, lifetime = reader.unpack(cls.DATA)
        return cls(
            preference=preference,
            lifetime=lifetime,
            mobile_router_support=flags & 0x8000 != 0,
        )

    def write(self, writer: Writer) -> None:
        flags = self.mobile_router_support << 15
        writer.pack(self.DATA, flags, self.preference, self.lifetime)


@record
class RecursiveDnsServers:
    """Name servers that answer on this link (RFC 8106 §5.1).

    |    Type 25    |    Length     |           Reserved            |
    |                           Lifetime                            |
    |            Addresses of IPv6 Recursive DNS Servers ...        |

    Half an address at the end is left out: such an option is no reason to do without
    the rest of the message.
    """

    TYPE: ClassVar[int] = 25
    DATA: ClassVar[Struct] = Struct(">2xI")

    lifetime: int
    """Seconds, or `INFINITE_LIFETIME`; 0: they are not to be used any more."""
    addresses: tuple[IPv6Address, ...]

    def __post_init__(self) -> None:
        check_bits("lifetime", self.lifetime, 32)
        if 8 + 16 * len(self.addresses) > OPTION_LENGTH_MAX:
            raise ValueError(f"{len(self.addresses)} addresses do not fit an option")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        (lifetime,) = reader.unpack(cls.DATA)
        count = (reader.end - reader.position) // 16
        addresses = tuple(reader.address() for _ in range(count))
        reader.rest()
        return cls(lifetime, addresses)

    def write(self, writer: Writer) -> None:
        writer.pack(self.DATA, self.lifetime)
        for address in self.addresses:
            writer.address(address)


@record
class CaptivePortal:
    """One has to log in on this link before it leads anywhere (RFC 8910 §2.3).

    |    Type 37    |    Length     |              URI ...          |
    """

    TYPE: ClassVar[int] = 37

    uri: bytes
    """Of the portal's interface; without the padding."""

    def __post_init__(self) -> None:
        if self.uri.endswith(b"\0") or len(self.uri) + 2 > OPTION_LENGTH_MAX:
            raise ValueError("a URI is at most 2038 octets, the last of them not 0")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.rest().rstrip(b"\0"))

    def write(self, writer: Writer) -> None:
        writer.octets(self.uri + bytes(-(len(self.uri) + 2) % 8))


@record
class UnknownNeighborOption:
    """An option of a type not known here: kept, and ignored (RFC 4861 §4.6)."""

    type: int
    data: bytes
    """All behind the length: 6 octets and a multiple of 8."""

    def __post_init__(self) -> None:
        if self.type in KNOWN_OPTIONS:
            raise ValueError(f"Neighbor Discovery option {self.type} is known")
        check_bits("type", self.type, 8)
        if len(self.data) % 8 != 6 or len(self.data) + 2 > OPTION_LENGTH_MAX:
            raise ValueError("an option is a multiple of 8 octets up to 2040")

    def write(self, writer: Writer) -> None:
        writer.octets(self.data)


KnownNeighborOption = (
    SourceLinkLayerAddress
    | TargetLinkLayerAddress
    | PrefixInformation
    | Mtu
    | AdvertisementInterval
    | HomeAgentInformation
    | RecursiveDnsServers
    | CaptivePortal
)
NeighborOption = KnownNeighborOption | UnknownNeighborOption

KNOWN_OPTIONS: dict[int, type[KnownNeighborOption]] = {
    kind.TYPE: kind
    for kind in (
        SourceLinkLayerAddress,
        TargetLinkLayerAddress,
        PrefixInformation,
        Mtu,
        AdvertisementInterval,
        HomeAgentInformation,
        RecursiveDnsServers,
        CaptivePortal,
    )
}


def read_neighbor_options(reader: Reader) -> tuple[NeighborOption, ...]:
    """Read options to the reader's end.

    Raises `WireError`: "option_length" for 0 (RFC 4861 §4.6), for a length beyond the
    message or one that the type does not have; "too_many_options"; "prefix_length".
    """
    options: list[NeighborOption] = []
    message_end = reader.end
    while reader.position < message_end:
        start = reader.position
        type_ = reader.u8()
        option_end = start + reader.u8() * 8
        if not start < option_end <= message_end:
            raise WireError("option_length", start + 1)
        if len(options) == OPTIONS_MAX:
            raise WireError("too_many_options", start)
        reader.end = option_end
        kind = KNOWN_OPTIONS.get(type_)
        if kind is None:
            options.append(UnknownNeighborOption(type_, reader.rest()))
        else:
            options.append(kind.read(reader))
        if reader.position != option_end:
            raise WireError("option_length", start + 1)
        reader.end = message_end
    return tuple(options)


def _type_of(option: NeighborOption) -> int:
    return option.type if isinstance(option, UnknownNeighborOption) else option.TYPE


def write_neighbor_options(writer: Writer, options: Iterable[NeighborOption]) -> None:
    for option in options:
        start = len(writer)
        writer.u8(_type_of(option))
        writer.u8(0)
        option.write(writer)
        writer.put_u8((len(writer) - start) // 8, at=start + 1)
