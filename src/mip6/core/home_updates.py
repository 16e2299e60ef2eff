"""Binding Updates as a home agent reads them (§9.5.1, §10.3.1)."""

from ipaddress import IPv6Address

from mip6.wire.messages import BindingUpdate
from mip6.wire.options import (
    AlternateCareOfAddress,
    BindingAuthorizationData,
    MobilityMessageAuthentication,
    NonceIndices,
)

from .addresses import is_unicast_routable
from .events import Dropped
from .packet import Packet


def malformed(
    packet: Packet, update: BindingUpdate, address: IPv6Address
) -> Dropped | None:
    """Why a Binding Update is silently discarded at the home agent with this address
    (§9.5.1); None if it is answered."""
    if int(packet.destination) != int(address):
        return dropped("not_for_us", "10.3.1", packet)
    if packet.tunnel is not None:
        return dropped("tunnelled", "11.7.1", packet)
    if not is_unicast_routable(packet.source):
        return dropped("source_address", "9.5.4", packet)
    if not is_unicast_routable(packet.origin):
        return dropped("home_address", "9.5.1", packet)
    if not is_unicast_routable(wanted_care_of_address(packet, update)):
        return dropped("care_of_address", "6.1.7", packet)
    nonces = any(isinstance(option, NonceIndices) for option in update.options)
    if update.home_registration:
        if nonces:
            return dropped("nonce_indices", "9.5.1", packet)
        if packet.home_address is None and update.lifetime:
            # Only a mobile node that is at home may leave it out (§10.3.2).
            return dropped("home_address_option_missing", "10.3.1", packet)
    elif not nonces:
        return dropped("nonce_indices_missing", "9.5.1", packet)
    elif not isinstance(update.options[-1], BindingAuthorizationData):
        return dropped("binding_authorization_data_missing", "9.5.1", packet)
    return None


def wanted_care_of_address(packet: Packet, update: BindingUpdate) -> IPv6Address:
    """The Alternate Care-of Address where there is one, else the source (§9.5.1)."""
    for option in update.options:
        if isinstance(option, AlternateCareOfAddress):
            return option.care_of_address
    return packet.source


def care_of_address_unprotected(packet: Packet, update: BindingUpdate) -> bool:
    """Whether anybody on the path could have changed the care-of address: ESP does not
    protect the source of a packet, the MN-HA option does (§11.7.1, RFC 4285 §5.1)."""
    covered = AlternateCareOfAddress | MobilityMessageAuthentication
    return (
        packet.protected_for is not None
        and update.lifetime > 0
        and not any(isinstance(option, covered) for option in update.options)
    )


def dropped(reason: str, section: str, packet: Packet) -> Dropped:
    return Dropped(reason, section, packet.source)
