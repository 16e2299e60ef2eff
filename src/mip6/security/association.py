"""One security association, and which can stand side by side (RFC 3776 §5)."""

import hashlib
from collections.abc import Iterable
from ipaddress import IPv6Address

from mip6.wire.record import record

from .esp import SEQUENCE_NUMBER_MAX, SPI_MIN, Encryption, Integrity, Transform
from .keys import KEYS_MAX, Direction, Purpose, Secret, derive, derive_spi

Use = tuple[Purpose, IPv6Address, IPv6Address]
"""What a packet needs: purpose, home address, home agent."""


@record(kw_only=True)
class SecurityAssociation:
    """One direction of one purpose between one home address and one home agent."""

    purpose: Purpose
    direction: Direction
    spi: int
    home_address: IPv6Address
    home_agent: IPv6Address
    transform: Transform
    anti_replay: bool
    """Replays are rejected.  Only where the sender's counter survives its restarts
    (RFC 4303 §3.3.3, §5), so not with another implementation and manual keys."""

    def __post_init__(self) -> None:
        if not SPI_MIN <= self.spi <= SEQUENCE_NUMBER_MAX:
            raise ValueError(f"SPI {self.spi:#x} is not one of 0x100 … 0xffffffff")
        if (
            self.purpose is Purpose.RETURN_ROUTABILITY
            and self.transform.encryption is Encryption.NULL
        ):
            # Who can read a Home Test can bind the home address (RFC 3776 §4.3).
            raise ValueError(f"{self.purpose} must be encrypted (RFC 3776 4.3)")

    @property
    def use(self) -> Use:
        return self.purpose, self.home_address, self.home_agent

    @property
    def name(self) -> str:
        """What its numbers are stored under: not the same for another key."""
        secret = self.transform.integrity_key.reveal()
        mark = hashlib.sha256(b"mip6 name" + secret).hexdigest()[:8]
        return (
            f"{self.home_address}/{self.home_agent}/{self.purpose}/{self.direction}"
            f"/{self.spi:#x}/{mark}"
        )


def from_key(
    key: Secret, home_address: IPv6Address, home_agent: IPv6Address
) -> tuple[SecurityAssociation, ...]:
    """The associations that one shared key stands for: three purposes, both directions.

    All with AES-CBC and HMAC-SHA2-256-128, and with replay protection: both ends are
    ours and keep their counters.
    """
    associations = []
    for purpose in Purpose:
        for direction in Direction:
            use = (key, purpose, direction, home_address, home_agent)
            transform = Transform(
                integrity=Integrity.HMAC_SHA2_256_128,
                integrity_key=Secret(derive(*use, "integrity", 32)),
                encryption=Encryption.AES_CBC,
                encryption_key=Secret(derive(*use, "encryption", 32)),
            )
            associations.append(
                SecurityAssociation(
                    purpose=purpose,
                    direction=direction,
                    spi=derive_spi(*use),
                    home_address=home_address,
                    home_agent=home_agent,
                    transform=transform,
                    anti_replay=True,
                )
            )
    return tuple(associations)


def check(associations: Iterable[SecurityAssociation]) -> None:
    """Raise `ValueError` for associations that cannot stand side by side."""
    numbers: set[tuple[Direction, IPv6Address, IPv6Address, int]] = set()
    count: dict[tuple[Use, Direction], int] = {}
    owners: dict[Secret, IPv6Address] = {}
    for association in associations:
        home_address, direction = association.home_address, association.direction
        number = (direction, home_address, association.home_agent, association.spi)
        if number in numbers:
            raise ValueError(
                f"{home_address} has SPI {association.spi:#x} {direction} twice"
            )
        numbers.add(number)
        one_way = (association.use, direction)
        count[one_way] = count.get(one_way, 0) + 1
        if count[one_way] > KEYS_MAX:
            raise ValueError(
                f"{home_address} has more than {KEYS_MAX} security associations "
                f"for {association.purpose} {direction}"
            )
        key = association.transform.integrity_key
        owner = owners.setdefault(key, home_address)
        if owner != home_address:
            raise ValueError(
                f"{owner} and {home_address} have the same key; each mobile node "
                "needs its own (RFC 6275 5.1)"
            )
    for use, direction in count:
        other = next(way for way in Direction if way is not direction)
        if count[use, direction] != count.get((use, other)):
            purpose, home_address, _ = use
            raise ValueError(
                f"{home_address} needs as many security associations {other} as "
                f"{direction} for {purpose}"
            )
