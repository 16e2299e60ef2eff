"""When an ICMPv6 error may be sent, and how much it quotes (RFC 4443 §2.4)."""

from mip6.wire.buffer import Reader
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import FragmentHeader, IPv6Packet

QUOTED_MAX = 1280 - 40 - 8
"""Octets of the offending packet in an error that fits the minimum MTU."""

INFORMATIONAL = 128
"""ICMPv6 types from here on are no errors."""

REDIRECT = 137


def may_be_reported(headers: IPv6Packet) -> bool:
    """Whether an error about this packet may be sent at all, rate apart.

    Not to a source that is no single node; not about a multicast packet, an ICMPv6
    error, a redirect, or a fragment of nobody knows what.
    """
    source = headers.source
    if source.is_multicast or source.is_unspecified or source.is_loopback:
        return False
    if headers.destination.is_multicast:
        return False
    for extension in headers.extensions:
        if isinstance(extension, FragmentHeader) and extension.offset:
            return False
    if headers.next_header != NextHeader.ICMPV6:
        return True
    if not headers.payload:
        return False
    type_ = Reader(headers.payload).u8()
    return type_ >= INFORMATIONAL and type_ != REDIRECT
