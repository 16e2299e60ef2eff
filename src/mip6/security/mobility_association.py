"""What mobile node and home agent share for RFC 4285, and the proof made of it."""

import hmac
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address

from mip6.core.packet import Packet
from mip6.wire.buffer import Reader
from mip6.wire.messages import HEADER, BindingUpdate
from mip6.wire.options import (
    AlternateCareOfAddress,
    MobileNodeIdentifier,
    MobilityMessageAuthentication,
    Option,
)
from mip6.wire.record import record
from mip6.wire.tlv import PAD_1

from .esp import SPI_MIN
from .keys import KEYS_MAX, Derivation, Direction, Purpose, Secret

KEY_LENGTH = 16
"""Octets of the shared key (RFC 4285 §5.1)."""
AUTHENTICATION_DATA_LENGTH = 12
"""First (96, HMAC_SHA1 (…))."""
IDENTIFIER_LENGTH_MAX = 253
DIFFERENCE_MAX = 7.0
"""Seconds that the two clocks may differ (RFC 4285 §6); not below 3."""


@record(kw_only=True)
class MobilitySecurityAssociation:
    """What a mobile node and its home agent share (RFC 4285 §5.1)."""

    mobility_spi: int
    key: Secret
    home_address: IPv6Address
    home_agent: IPv6Address
    network_access_identifier: str
    """user@realm (RFC 4283 §3.1); required, because RFC 4285 §4 does."""
    timestamps: bool = True
    """Replays are told by the time of day; else by the sequence number alone, which
    ends with the memory of the binding."""
    difference_max: float = DIFFERENCE_MAX

    def __post_init__(self) -> None:
        if not SPI_MIN <= self.mobility_spi < 2**32:
            raise ValueError(
                f"mobility SPI {self.mobility_spi:#x} is not one of 0x100 … 0xffffffff"
            )
        if len(self.key) != KEY_LENGTH:
            raise ValueError(f"MN-HA needs a key of {KEY_LENGTH} octets")
        if (
            not 0
            < len(self.network_access_identifier.encode())
            <= IDENTIFIER_LENGTH_MAX
        ):
            raise ValueError("a network access identifier has 1 to 253 octets")
        if self.difference_max <= 3:
            raise ValueError("clocks must be allowed to differ by more than 3 s")

    @property
    def identifier(self) -> MobileNodeIdentifier:
        subtype = MobileNodeIdentifier.NETWORK_ACCESS_IDENTIFIER
        return MobileNodeIdentifier(subtype, self.network_access_identifier.encode())

    @property
    def name(self) -> str:
        """What its last timestamp is stored under, whatever the key."""
        return f"{self.home_address}/{self.home_agent}/timestamp"


def from_key(
    key: Secret,
    home_address: IPv6Address,
    home_agent: IPv6Address,
    network_access_identifier: str,
) -> MobilitySecurityAssociation:
    """The association that one shared key stands for, with timestamps."""
    derivation = Derivation(key, home_address, home_agent)
    use = (Purpose.BINDING, Direction.TO_HOME_AGENT)
    return MobilitySecurityAssociation(
        mobility_spi=derivation.spi(*use),
        key=Secret(derivation.octets(*use, "mn-ha", KEY_LENGTH)),
        home_address=home_address,
        home_agent=home_agent,
        network_access_identifier=network_access_identifier,
    )


Peers = tuple[IPv6Address, IPv6Address]
"""Home address, home agent."""


def check(
    associations: Mapping[Peers, Iterable[MobilitySecurityAssociation]],
) -> None:
    """Raise `ValueError` for associations that cannot stand side by side."""
    owners: dict[Secret, IPv6Address] = {}
    for (home_address, _), group in associations.items():
        numbers = [association.mobility_spi for association in group]
        if len(set(numbers)) != len(numbers):
            raise ValueError(f"{home_address} has a mobility SPI twice")
        if len(numbers) > KEYS_MAX:
            raise ValueError(
                f"{home_address} has more than {KEYS_MAX} mobility security "
                "associations"
            )
        for association in group:
            owner = owners.setdefault(association.key, home_address)
            if owner != home_address:
                raise ValueError(
                    f"{owner} and {home_address} have the same key; each mobile node "
                    "needs its own (RFC 6275 5.1)"
                )


def mn_ha_option(
    options: tuple[Option, ...],
) -> MobilityMessageAuthentication | None:
    """The option that proves the message: the last, and the only one of its type.

    One for an AAA server beside it (RFC 4285 §5.2) is not supported.
    """
    proofs = [o for o in options if isinstance(o, MobilityMessageAuthentication)]
    if len(proofs) != 1 or proofs[0] is not options[-1]:
        return None
    return (
        proofs[0] if proofs[0].subtype == MobilityMessageAuthentication.MN_HA else None
    )


def authentication_data(key: Secret, packet: Packet, payload: bytes) -> bytes:
    """First (96, HMAC_SHA1 (key, care-of address | home address | MH Data)).

    payload: the Mobility Header of `packet` as it is on the wire; what counts are its
        octets up to the SPI of its `mn_ha_option`, which it must have, with the
        checksum taken for zero (RFC 4285 §5.1).

    As in RFC 6275 §6.2.7 the care-of address is the one that is registered, so that an
    Alternate Care-of Address is what counts.
    """
    message = packet.message
    if isinstance(message, BindingUpdate):
        care_of_address, home_address = packet.source, packet.origin
        for option in message.options:
            if isinstance(option, AlternateCareOfAddress):
                care_of_address = option.care_of_address
    else:
        care_of_address, home_address = packet.destination, packet.target
    reader = Reader(payload)
    reader.position = HEADER.size + BindingUpdate.DATA.size  # an Acknowledgement's too
    while True:
        type_ = reader.u8()
        if type_ == PAD_1:
            continue
        length = reader.u8()
        if type_ == MobilityMessageAuthentication.TYPE:
            break
        reader.position += length
    covered = payload[: reader.position + MobilityMessageAuthentication.DATA.size]
    data = care_of_address.packed + home_address.packed
    data += covered[:4] + bytes(2) + covered[HEADER.size :]
    return hmac.digest(key.reveal(), data, "sha1")[:AUTHENTICATION_DATA_LENGTH]
