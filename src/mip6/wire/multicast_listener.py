"""Multicast Listener Discovery (RFC 2710, RFC 3810): what a home agent asks, and what
mobile nodes answer, through their tunnels (RFC 6275 §10.4.3)."""

from collections.abc import Sequence
from ipaddress import IPv6Address
from struct import Struct

from .buffer import Reader, WireError
from .checksum import checksum
from .next_header import NextHeader
from .packet import (
    HEADER,
    DestinationOption,
    HopByHopOptions,
    IPv6Packet,
    UnknownDestinationOption,
)
from .record import record

QUERY, REPORT_1, DONE, REPORT_2 = 130, 131, 132, 143
"""ICMPv6 types; the first two of a listener are version 1's."""
IS_INCLUDE, IS_EXCLUDE, TO_INCLUDE, TO_EXCLUDE, ALLOW, BLOCK = range(1, 7)
"""Record types of version 2 (RFC 3810 §5.2.12)."""
ROUTER_ALERT = 5
ALL_NODES = IPv6Address("ff02::1")
ALL_ROUTERS = IPv6Address("ff02::16")
"""Those that understand version 2 (RFC 3810 §11)."""
QUERY_INTERVAL = 125
RESPONSE_INTERVAL_MS = 10_000
ROBUSTNESS = 2

_VERSION_1 = Struct(">BxHH2x16s")
_VERSION_2 = Struct(">BxH2xH")
_QUERY_LENGTH_MIN = 24
"""Octets of a question of version 1."""
_RECORD = Struct(">BBH16s")
_QUERY = Struct(">BBHH2x16sBBH")
_ALERT = bytes([NextHeader.ICMPV6, 0, ROUTER_ALERT, 2, 0, 0, 1, 0])


@record
class Membership:
    """What a listener says of a group: whether it listens, to whomever."""

    group: IPv6Address
    listens: bool


def general_query(source: IPv6Address) -> bytes:
    """A whole packet: which groups do you listen to (RFC 3810 §5.1).

    source: link-local.
    """

    def message(value: int) -> bytes:
        return _QUERY.pack(
            QUERY,
            0,
            value,
            RESPONSE_INTERVAL_MS,
            bytes(16),
            ROBUSTNESS,
            QUERY_INTERVAL,
            0,
        )

    value = checksum(source, ALL_NODES, NextHeader.ICMPV6, message(0))
    return _on_link(source, ALL_NODES, message(value))


def report(source: IPv6Address, records: Sequence[tuple[int, IPv6Address]]) -> bytes:
    """A whole packet of version 2: these groups, each with its record type, without
    sources (RFC 3810 §5.2).

    source: link-local.
    """
    said = b"".join(_RECORD.pack(kind, 0, 0, group.packed) for kind, group in records)

    def message(value: int) -> bytes:
        return _VERSION_2.pack(REPORT_2, value, len(records)) + said

    value = checksum(source, ALL_ROUTERS, NextHeader.ICMPV6, message(0))
    return _on_link(source, ALL_ROUTERS, message(value))


def is_query(packet: IPv6Packet) -> bool:
    """Whether its sender wants to know who listens to what."""
    return (
        packet.next_header == NextHeader.ICMPV6
        and packet.destination.is_multicast
        and packet.payload[:1] == bytes([QUERY])
    )


def check_query(packet: IPv6Packet) -> None:
    """Raises `WireError` for a question that no listener answers (`is_query`; RFC 3810
    §6.2): "hop_limit", "router_alert", "checksum", "truncated", and "source_address"
    for one that is not link-local."""
    _check(packet)
    if not packet.source.is_link_local:
        raise WireError("source_address", 8)
    Reader(packet.payload).octets(_QUERY_LENGTH_MIN)


def is_report_of_link(octets: bytes) -> bool:
    """Whether a whole packet is what this machine's kernel says of groups on a link."""
    return (
        octets[6:7] == bytes([NextHeader.HOP_BY_HOP_OPTIONS])
        and octets[24:25] == b"\xff"
        and octets[40:41] == bytes([NextHeader.ICMPV6])
        and octets[48:49] in (b"\x83", b"\x84", b"\x8f")
    )


def is_from_listener(packet: IPv6Packet) -> bool:
    """Whether it says something of groups that its sender listens to."""
    return (
        packet.next_header == NextHeader.ICMPV6
        and packet.destination.is_multicast
        and packet.payload[:1] in (b"\x83", b"\x84", b"\x8f")
    )


def read_memberships(packet: IPv6Packet) -> tuple[Membership, ...]:
    """What a listener says (`is_from_listener`).  Sources are left out: who listens to
    one of them counts as listening to all.

    Raises `WireError`: "hop_limit" and "router_alert" for what may have come from
    beyond the link, here the tunnel (RFC 3810 §6.2), "checksum", "truncated".
    """
    _check(packet)
    payload = packet.payload
    reader = Reader(payload)
    if payload[0] != REPORT_2:
        kind, _, _, group = reader.unpack(_VERSION_1)
        return (Membership(group=IPv6Address(group), listens=kind == REPORT_1),)
    _, _, count = reader.unpack(_VERSION_2)
    return tuple(said for _ in range(count) if (said := _read_record(reader)))


def _check(packet: IPv6Packet) -> None:
    """What holds for questions and answers alike."""
    if packet.hop_limit != 1:
        raise WireError("hop_limit", 7)
    if not any(
        isinstance(extension, HopByHopOptions)
        and any(_is_router_alert(option) for option in extension.options)
        for extension in packet.extensions
    ):
        raise WireError("router_alert", 40)
    payload = packet.payload
    if checksum(packet.source, packet.destination, NextHeader.ICMPV6, payload):
        raise WireError("checksum", 2)


def _on_link(source: IPv6Address, destination: IPv6Address, message: bytes) -> bytes:
    """A whole packet that goes no further."""
    payload = _ALERT + message
    first = 6 << 28
    header = HEADER.pack(
        first,
        len(payload),
        NextHeader.HOP_BY_HOP_OPTIONS,
        1,
        source.packed,
        destination.packed,
    )
    return header + payload


def _is_router_alert(option: DestinationOption) -> bool:
    return isinstance(option, UnknownDestinationOption) and option.type == ROUTER_ALERT


def _read_record(reader: Reader) -> Membership | None:
    """None: that changes sources only."""
    kind, auxiliary, sources, group = reader.unpack(_RECORD)
    reader.octets(16 * sources + 4 * auxiliary)
    if kind in (IS_EXCLUDE, TO_EXCLUDE):
        return Membership(group=IPv6Address(group), listens=True)
    if kind in (IS_INCLUDE, TO_INCLUDE):
        return Membership(group=IPv6Address(group), listens=sources > 0)
    return Membership(group=IPv6Address(group), listens=True) if kind == ALLOW else None
