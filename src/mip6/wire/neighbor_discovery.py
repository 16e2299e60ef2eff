"""Neighbor Discovery (RFC 4861), with what RFC 6275 §7, RFC 4191, RFC 8106 and
RFC 8910 add.

Figures in the messages show what follows the ICMPv6 Checksum; `BODY` is the fixed part
of it, options follow.  Redirects are not known here: they decode as `UnknownIcmp`.
"""

from ipaddress import IPv6Address
from struct import Struct
from typing import ClassVar, Self

from .buffer import Reader, Writer, check_bits
from .neighbor_options import (
    NeighborOption,
    read_neighbor_options,
    write_neighbor_options,
)
from .record import record


@record(kw_only=True)
class RouterSolicitation:
    """Asks routers to advertise at once (RFC 4861 §4.1).

    |                            Reserved                           |
    """

    TYPE: ClassVar[int] = 133
    BODY: ClassVar[Struct] = Struct(">4x")

    options: tuple[NeighborOption, ...] = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        reader.unpack(cls.BODY)
        return cls(options=read_neighbor_options(reader))

    def write(self, writer: Writer) -> None:
        writer.pack(self.BODY)
        write_neighbor_options(writer, self.options)


@record(kw_only=True)
class RouterAdvertisement:
    """A router, its prefixes, and whether it is a home agent (RFC 4861 §4.2; H flag
    RFC 6275 §7.1, Prf RFC 4191 §2.2, P RFC 4389).

    | Cur Hop Limit |M|O|H|Prf|P|Rsv|       Router Lifetime         |
    |                         Reachable Time                        |
    |                          Retrans Timer                        |
    """

    TYPE: ClassVar[int] = 134
    BODY: ClassVar[Struct] = Struct(">BBHII")

    router_lifetime: int
    """Seconds; 0 is not a default router."""
    cur_hop_limit: int = 0
    managed_address_configuration: bool = False
    other_configuration: bool = False
    home_agent: bool = False
    default_router_preference: int = 0
    """-1 low, 0 medium, 1 high; the reserved value reads as medium (RFC 4191 §2.2)."""
    proxy: bool = False
    reachable_time: int = 0
    """Milliseconds; 0 is unspecified."""
    retrans_timer: int = 0
    """Milliseconds; 0 is unspecified."""
    options: tuple[NeighborOption, ...] = ()

    def __post_init__(self) -> None:
        check_bits("router_lifetime", self.router_lifetime, 16)
        check_bits("cur_hop_limit", self.cur_hop_limit, 8)
        check_bits("reachable_time", self.reachable_time, 32)
        check_bits("retrans_timer", self.retrans_timer, 32)
        if self.default_router_preference not in (-1, 0, 1):
            raise ValueError("default_router_preference is -1, 0 or 1")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        hop_limit, flags, lifetime, reachable, retrans = reader.unpack(cls.BODY)
        return cls(
            router_lifetime=lifetime,
            cur_hop_limit=hop_limit,
            managed_address_configuration=flags & 0x80 != 0,
            other_configuration=flags & 0x40 != 0,
            home_agent=flags & 0x20 != 0,
            default_router_preference=(0, 1, 0, -1)[flags >> 3 & 3],
            proxy=flags & 0x04 != 0,
            reachable_time=reachable,
            retrans_timer=retrans,
            options=read_neighbor_options(reader),
        )

    def write(self, writer: Writer) -> None:
        flags = (
            self.managed_address_configuration << 7
            | self.other_configuration << 6
            | self.home_agent << 5
            | (self.default_router_preference & 3) << 3
            | self.proxy << 2
        )
        writer.pack(
            self.BODY,
            self.cur_hop_limit,
            flags,
            self.router_lifetime,
            self.reachable_time,
            self.retrans_timer,
        )
        write_neighbor_options(writer, self.options)


@record(kw_only=True)
class NeighborSolicitation:
    """Asks for the link-layer address of the target, or whether it is taken
    (RFC 4861 §4.3).

    |                           Reserved                            |
    |                         Target Address                        |
    """

    TYPE: ClassVar[int] = 135
    BODY: ClassVar[Struct] = Struct(">4x16s")

    target_address: IPv6Address
    options: tuple[NeighborOption, ...] = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        (target,) = reader.unpack(cls.BODY)
        return cls(
            target_address=IPv6Address(target), options=read_neighbor_options(reader)
        )

    def write(self, writer: Writer) -> None:
        writer.pack(self.BODY, self.target_address.packed)
        write_neighbor_options(writer, self.options)


@record(kw_only=True)
class NeighborAdvertisement:
    """Tells the link-layer address of the target (RFC 4861 §4.4).

    |R|S|O|                     Reserved                            |
    |                         Target Address                        |
    """

    TYPE: ClassVar[int] = 136
    BODY: ClassVar[Struct] = Struct(">B3x16s")

    target_address: IPv6Address
    router: bool = False
    solicited: bool = False
    override: bool = False
    options: tuple[NeighborOption, ...] = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        flags, target = reader.unpack(cls.BODY)
        return cls(
            target_address=IPv6Address(target),
            router=flags & 0x80 != 0,
            solicited=flags & 0x40 != 0,
            override=flags & 0x20 != 0,
            options=read_neighbor_options(reader),
        )

    def write(self, writer: Writer) -> None:
        flags = self.router << 7 | self.solicited << 6 | self.override << 5
        writer.pack(self.BODY, flags, self.target_address.packed)
        write_neighbor_options(writer, self.options)


NeighborMessage = (
    RouterSolicitation
    | RouterAdvertisement
    | NeighborSolicitation
    | NeighborAdvertisement
)
