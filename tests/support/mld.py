"""What listeners say of groups (RFC 2710, RFC 3810), written by hand."""

from ipaddress import IPv6Address

from .octets import HOP_BY_HOP, ICMPV6, checksum, ipv6

ALERT = bytes([ICMPV6, 0, 5, 2, 0, 0, 1, 0])
"""Hop-by-hop options: Router Alert, PadN."""


def listener(
    message: bytes,
    *,
    source: str = "fe80::2",
    destination: str = "ff02::16",
    hop_limit: int = 1,
    alert: bytes = ALERT,
    wrong: int = 0,
) -> bytes:
    """A whole packet; the message's checksum field, if it has one, is filled in."""
    if len(message) >= 4:
        value = checksum(source, destination, ICMPV6, message) ^ wrong
        message = message[:2] + value.to_bytes(2) + message[4:]
    first = HOP_BY_HOP if alert else ICMPV6
    return ipv6(source, destination, first, alert + message, hop_limit=hop_limit)


def report_1(
    group: str,
    *,
    kind: int = 131,
    source: str = "fe80::2",
    hop_limit: int = 1,
    alert: bytes = ALERT,
    wrong: int = 0,
) -> bytes:
    """Version 1: I listen to it (131), or no longer (132)."""
    return listener(
        bytes([kind]) + bytes(7) + IPv6Address(group).packed,
        source=source,
        destination=group,
        hop_limit=hop_limit,
        alert=alert,
        wrong=wrong,
    )


def report_2(*records: bytes, source: str = "fe80::2") -> bytes:
    head = bytes([143]) + bytes(5) + len(records).to_bytes(2)
    return listener(head + b"".join(records), source=source)


def group_record(
    kind: int, group: str, *, sources: int = 0, auxiliary: int = 0
) -> bytes:
    head = bytes([kind, auxiliary]) + sources.to_bytes(2)
    return head + IPv6Address(group).packed + bytes(16 * sources + 4 * auxiliary)
