"""Which Neighbor Discovery messages are valid (RFC 4861 §6.1, §7.1)."""

from ipaddress import IPv6Address, IPv6Network

from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborSolicitation,
    RouterAdvertisement,
    RouterSolicitation,
)
from mip6.wire.neighbor_options import SourceLinkLayerAddress

from .packet import Packet

HOP_LIMIT = 255
"""No router can have forwarded a packet that arrives with it."""

LINK_LOCAL = IPv6Network("fe80::/10")
ALL_NODES = IPv6Address("ff02::1")
SOLICITED_NODE = IPv6Network("ff02::1:ff00:0/104")
UNSPECIFIED = IPv6Address("::")


def solicited_node(address: IPv6Address) -> IPv6Address:
    """The group that whoever holds `address` listens to (RFC 4291 §2.7.1)."""
    return IPv6Address(int(SOLICITED_NODE.network_address) | int(address) & 0xFF_FFFF)


def invalid_neighbor_message(packet: Packet) -> str | None:
    """Why the Neighbor Discovery message in `packet` must be silently discarded; None
    if it is valid, or no such message.  Checksum, code and lengths are the reader's.
    """
    match packet.message:
        case RouterAdvertisement():
            reason = _wrong_source(packet)
        case RouterSolicitation() as solicitation:
            reason = _wrong_unspecified(packet, solicitation)
        case NeighborSolicitation() as solicitation:
            if solicitation.target_address.is_multicast:
                reason = "target_address"
            elif packet.source == UNSPECIFIED and (
                packet.destination not in SOLICITED_NODE
            ):
                reason = "destination_address"
            else:
                reason = _wrong_unspecified(packet, solicitation)
        case NeighborAdvertisement() as advertisement:
            if advertisement.target_address.is_multicast:
                reason = "target_address"
            elif advertisement.solicited and packet.destination.is_multicast:
                reason = "solicited_flag"
            else:
                reason = None
        case _:
            return None
    if packet.hop_limit != HOP_LIMIT:
        return "hop_limit"
    if packet.tunnel or packet.home_address or packet.routing_address:
        # Then the hop limit proves nothing.
        return "not_on_link"
    return reason


def _wrong_source(packet: Packet) -> str | None:
    return None if packet.source in LINK_LOCAL else "source_address"


def _wrong_unspecified(
    packet: Packet, message: RouterSolicitation | NeighborSolicitation
) -> str | None:
    if packet.source == UNSPECIFIED and any(
        isinstance(option, SourceLinkLayerAddress) for option in message.options
    ):
        return "source_link_layer_address"
    return None
