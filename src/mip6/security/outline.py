"""Where things stand in a packet of the usual form, found without decoding it.

Each Binding Update and its acknowledgement are looked at by `security` and then by the
core; to take all headers apart and put them together again for that is most of what ESP
costs.  Almost all packets have one of three forms, and in those it is enough to know
where to cut; for all others this says nothing, and they are decoded.
"""

from typing import NamedTuple

_IPV6_HEADER = 40
_EXTENSION = 24
_ROUTING, _DESTINATION_OPTIONS, _MOBILITY = 43, 60, 135
_EXTENSIONS = frozenset((0, 43, 44, 51, 60))
_HOME_ADDRESS_OPTION = bytes((2, 1, 2, 0, 0, 0xC9, 16))
"""Hdr Ext Len, four octets of padding, type and length (§6.3)."""
_ROUTING_TYPE_2 = bytes((2, 2, 1))
"""Hdr Ext Len, Routing Type, Segments Left (§6.4)."""


class Outline(NamedTuple):
    next_header: int
    """What the payload is; no extension header."""
    next_header_at: int
    """The octet that says so."""
    payload_at: int
    home_address_at: int
    """That of a Home Address option; 0 where there is none, as below."""
    routing_address_at: int


def outline(octets: bytes) -> Outline | None:
    """Of a whole packet with no extension header, or a Home Address option, or a type 2
    routing header; None if it is anything else, or anything is strange about it."""
    if (
        len(octets) < _IPV6_HEADER
        or octets[0] >> 4 != 6
        or int.from_bytes(octets[4:6]) != len(octets) - _IPV6_HEADER
    ):
        return None
    next_header, at, payload_at = octets[6], 6, _IPV6_HEADER
    home_address_at = routing_address_at = 0
    if next_header in _EXTENSIONS:
        payload_at += _EXTENSION
        if len(octets) < payload_at:
            return None
        if next_header == _DESTINATION_OPTIONS:
            if octets[41:48] != _HOME_ADDRESS_OPTION:
                return None
            home_address_at = 48
        elif next_header == _ROUTING and octets[41:44] == _ROUTING_TYPE_2:
            routing_address_at = 48
        else:
            return None
        next_header, at = octets[_IPV6_HEADER], _IPV6_HEADER
        if next_header in _EXTENSIONS:
            return None
    if next_header == _MOBILITY and excess(octets[payload_at:]):
        return None
    return Outline(next_header, at, payload_at, home_address_at, routing_address_at)


def excess(mobility_header: bytes) -> bool:
    """Whether octets stand behind a Mobility Header, which is the last (§6.1.1)."""
    length = len(mobility_header)
    return length >= 8 and length > 8 + 8 * mobility_header[1]


def with_payload(
    octets: bytes, found: Outline, next_header: int, payload: bytes
) -> bytes:
    """The same packet with another payload.  Raises ValueError for one too long."""
    head = bytearray(octets[: found.payload_at])
    head[found.next_header_at] = next_header
    length = found.payload_at - _IPV6_HEADER + len(payload)
    if length > 0xFFFF:
        raise ValueError(f"a payload of {length} octets is too long")
    head[4:6] = length.to_bytes(2)
    return bytes(head) + payload
