"""Packets written by hand: independent of the code under test."""

import struct
from ipaddress import IPv6Address

NONE, HOP_BY_HOP, TCP, UDP, IPV6, ROUTING, FRAGMENT = 59, 0, 6, 17, 41, 43, 44
ESP, AUTHENTICATION, ICMPV6, DESTINATION_OPTIONS, MOBILITY = 50, 51, 58, 60, 135


def ipv6(
    source: str,
    destination: str,
    next_header: int,
    payload: bytes = b"",
    *,
    hop_limit: int = 64,
    traffic_class: int = 0,
    flow_label: int = 0,
) -> bytes:
    first = 6 << 28 | traffic_class << 20 | flow_label
    head = struct.pack("!IHBB", first, len(payload), next_header, hop_limit)
    addresses = IPv6Address(source).packed + IPv6Address(destination).packed
    return head + addresses + payload


def udp(payload: bytes = b"", *, source: int = 1000, destination: int = 2000) -> bytes:
    """With a checksum that is none."""
    return struct.pack("!HHHH", source, destination, 8 + len(payload), 0x1234) + payload


def mobility(kind: int = 5, *, length: int = 1) -> bytes:
    """A Mobility Header; kind 5 is the Binding Update."""
    return struct.pack("!BBBBH", NONE, length, kind, 0, 0) + bytes(2 + 8 * length)


def routing(next_header: int, address: str, *, kind: int = 2, left: int = 1) -> bytes:
    head = struct.pack("!BBBBI", next_header, 2, kind, left, 0)
    return head + IPv6Address(address).packed


def home_address_option(next_header: int, address: str) -> bytes:
    """A Destination Options header with PadN and a Home Address option."""
    head = bytes([next_header, 2, 1, 2, 0, 0, 0xC9, 16])
    return head + IPv6Address(address).packed


def options(next_header: int, *, blocks: int = 1) -> bytes:
    """A header of options that has only padding in it."""
    return bytes([next_header, blocks - 1]) + b"\1\4" + bytes(4) + bytes(8 * blocks - 8)


def checksum(source: str, destination: str, next_header: int, octets: bytes) -> int:
    """What the checksum field has to hold, over octets in which it is zero."""
    pseudo = IPv6Address(source).packed + IPv6Address(destination).packed
    pseudo += struct.pack("!II", len(octets), next_header)
    octets = pseudo + octets + b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
