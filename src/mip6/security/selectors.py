"""Which packets need which security association (RFC 3776 §5, RFC 4877 §4)."""

from mip6.core.packet import Wrapping
from mip6.wire.buffer import Reader, WireError
from mip6.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    HomeTest,
    HomeTestInit,
)
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, read_packet
from mip6.wire.revocation import BindingRevocation

from .association import SecurityAssociation, Use
from .keys import Direction, Purpose

TRANSPORT = {
    (Direction.TO_HOME_AGENT, NextHeader.MOBILITY, BindingUpdate.TYPE): Purpose.BINDING,
    (
        Direction.TO_MOBILE_NODE,
        NextHeader.MOBILITY,
        BindingAcknowledgement.TYPE,
    ): Purpose.BINDING,
    # A revocation is protected as what it revokes was (RFC 5846 §6.1).
    (
        Direction.TO_HOME_AGENT,
        NextHeader.MOBILITY,
        BindingRevocation.TYPE,
    ): Purpose.BINDING,
    (
        Direction.TO_MOBILE_NODE,
        NextHeader.MOBILITY,
        BindingRevocation.TYPE,
    ): Purpose.BINDING,
    (
        Direction.TO_HOME_AGENT,
        NextHeader.ICMPV6,
        MobilePrefixSolicitation.TYPE,
    ): Purpose.PREFIX_DISCOVERY,
    (
        Direction.TO_MOBILE_NODE,
        NextHeader.ICMPV6,
        MobilePrefixAdvertisement.TYPE,
    ): Purpose.PREFIX_DISCOVERY,
}
"""Which messages need which association in transport mode, by Next Header and type."""

TUNNEL = {
    (Direction.TO_HOME_AGENT, HomeTestInit.TYPE): Purpose.RETURN_ROUTABILITY,
    (Direction.TO_MOBILE_NODE, HomeTest.TYPE): Purpose.RETURN_ROUTABILITY,
}
"""Which Mobility Headers need which one inside the tunnel, in tunnel mode."""

# Looking into an enum for each packet is slow.
_MOBILITY = int(NextHeader.MOBILITY)
_BINDING = Purpose.BINDING


def needed(headers: IPv6Packet, wrapping: Wrapping, direction: Direction) -> Use | None:
    """What a packet without ESP would need, going in this direction."""
    source = wrapping.home_address or headers.source
    destination = wrapping.routing_address or headers.destination
    next_header = headers.next_header
    if next_header == NextHeader.IPV6:
        try:
            inner = read_packet(headers.payload)
        except WireError:
            return None
        if inner.next_header != NextHeader.MOBILITY:
            return None
        purpose = TUNNEL.get((direction, _type(inner.next_header, inner.payload)))
        source, destination = inner.source, inner.destination
    else:
        purpose = _in_transport_mode(direction, next_header, headers.payload)
    if purpose is None:
        return None
    if direction is Direction.TO_HOME_AGENT:
        return purpose, source, headers.destination
    return purpose, destination, headers.source


def _in_transport_mode(
    direction: Direction, next_header: int, payload: bytes
) -> Purpose | None:
    if next_header not in (NextHeader.MOBILITY, NextHeader.ICMPV6):
        return None
    return TRANSPORT.get(
        (direction, NextHeader(next_header), _type(next_header, payload))
    )


def admits(association: SecurityAssociation, next_header: int, payload: bytes) -> bool:
    """Whether an association may carry what was found in it (RFC 4301 §5.2 step 4).

    Other implementations send any Mobility Header by the associations made for Binding
    Updates and for Home Tests (RFC 3776 §5.2), so the type plays no part there.
    """
    if association.purpose is _BINDING:
        return next_header == _MOBILITY
    if association.purpose is Purpose.PREFIX_DISCOVERY:
        purpose = _in_transport_mode(association.direction, next_header, payload)
        return purpose is Purpose.PREFIX_DISCOVERY
    if next_header != NextHeader.IPV6:
        return False
    try:
        inner = read_packet(payload)
    except WireError:
        return False
    if inner.next_header != NextHeader.MOBILITY or inner.extensions:
        return False
    to_home_agent = association.direction is Direction.TO_HOME_AGENT
    owner = inner.source if to_home_agent else inner.destination
    return owner == association.home_address


def _type(next_header: int, payload: bytes) -> int:
    """MH Type or ICMPv6 type; -1 for others and for what is too short to have one."""
    reader = Reader(payload)
    try:
        if next_header == NextHeader.MOBILITY:
            reader.octets(2)
            return reader.u8()
        if next_header == NextHeader.ICMPV6:
            return reader.u8()
    except WireError:
        pass
    return -1
