"""Security associations, and which can stand side by side (RFC 3776 §5).

They come one by one, or as the key that six of them are derived from.  A home agent
with a million keys derives what a mobile node needs when it hears of it: to make all of
them takes minutes and gigabytes.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import field
from functools import lru_cache
from ipaddress import IPv6Address

from mip6.wire.record import record

from .esp import SEQUENCE_NUMBER_MAX, SPI_MIN, Encryption, Integrity, Transform
from .keys import KEYS_MAX, Derivation, Direction, Purpose, Secret

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
    def purposes(self) -> tuple[Purpose, ...]:
        """As of a `SharedKey`, and so are those that follow."""
        return (self.purpose,)

    def spis_of(self, direction: Direction) -> tuple[int, ...]:
        return (self.spi,) if direction is self.direction else ()

    def purpose_of(self, spi: int) -> Purpose | None:
        return self.purpose if spi == self.spi else None

    def made(self, purpose: Purpose) -> "tuple[SecurityAssociation, ...]":
        return (self,) if purpose is self.purpose else ()

    @property
    def name(self) -> str:
        """What its numbers are stored under: not the same for another key."""
        secret = self.transform.integrity_key.reveal()
        mark = hashlib.sha256(b"mip6 name" + secret).hexdigest()[:8]
        peers = f"{_text(self.home_address)}/{_text(self.home_agent)}"
        return f"{peers}/{self.purpose}/{self.direction}/{self.spi:#x}/{mark}"


@lru_cache(maxsize=64)
def _text(address: IPv6Address) -> str:
    """To write it takes as long as two keys."""
    return str(address)


_PURPOSES = tuple(Purpose)
_DIRECTIONS = tuple(Direction)


@record
class SharedKey:
    """What one shared key stands for at one end: three purposes, both directions.

    All with AES-CBC and HMAC-SHA2-256-128, and with replay protection: both ends are
    ours and keep their counters.  Only the SPIs of what is received are at hand.
    """

    key: Secret
    home_address: IPv6Address
    home_agent: IPv6Address
    inward: Direction = field(compare=False)
    """The direction of what this end receives."""
    spis: tuple[int, ...] = field(compare=False)
    """Those it receives by, one for each `Purpose` in turn (`at`)."""

    @classmethod
    def at(
        cls,
        inward: Direction,
        key: Secret,
        home_address: IPv6Address,
        home_agent: IPv6Address,
    ) -> "SharedKey":
        """At the end that receives in the direction `inward`."""
        spi = Derivation(key, home_address, home_agent).spi
        spis = tuple([spi(purpose, inward) for purpose in _PURPOSES])
        return cls(key, home_address, home_agent, inward, spis)

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """What it protects."""
        return _PURPOSES

    def spis_of(self, direction: Direction) -> tuple[int, ...]:
        """The SPIs in one direction."""
        if direction is self.inward:
            return self.spis
        spi = Derivation(self.key, self.home_address, self.home_agent).spi
        return tuple([spi(purpose, direction) for purpose in _PURPOSES])

    def purpose_of(self, spi: int) -> Purpose | None:
        """What comes by an SPI; None if it is none of those to receive by."""
        spis = self.spis
        return _PURPOSES[spis.index(spi)] if spi in spis else None

    def made(self, purpose: Purpose) -> tuple[SecurityAssociation, ...]:
        """Both associations for one purpose."""
        derivation = Derivation(self.key, self.home_address, self.home_agent)
        associations = []
        for direction in _DIRECTIONS:
            integrity = derivation.octets(purpose, direction, "integrity", 32)
            encryption = derivation.octets(purpose, direction, "encryption", 32)
            transform = Transform(
                integrity=Integrity.HMAC_SHA2_256_128,
                integrity_key=Secret(integrity),
                encryption=Encryption.AES_CBC,
                encryption_key=Secret(encryption),
            )
            associations.append(
                SecurityAssociation(
                    purpose=purpose,
                    direction=direction,
                    spi=derivation.spi(purpose, direction),
                    home_address=self.home_address,
                    home_agent=self.home_agent,
                    transform=transform,
                    anti_replay=True,
                )
            )
        return tuple(associations)


Source = SecurityAssociation | SharedKey
"""Where associations come from: one that was made by hand, or a key."""


def from_key(
    key: Secret, home_address: IPv6Address, home_agent: IPv6Address
) -> tuple[SecurityAssociation, ...]:
    """The associations that one shared key stands for, of both ends."""
    shared = SharedKey(key, home_address, home_agent, Direction.TO_HOME_AGENT, ())
    return tuple([one for purpose in Purpose for one in shared.made(purpose)])


def by_home_address(sources: Iterable[Source]) -> dict[int, tuple[Source, ...]]:
    """Whose is what, by the home address as a number; the order counts.

    Raises `ValueError` for associations that cannot stand side by side.
    """
    found: dict[int, tuple[Source, ...]] = {}
    for source in sources:
        home_address = int(source.home_address)
        found[home_address] = (*found.get(home_address, ()), source)
    made: list[SecurityAssociation] = []
    for own in found.values():
        if len(own) == 1 and _stands_alone(own[0]):
            continue
        for source in own:
            made += [one for purpose in source.purposes for one in source.made(purpose)]
    check(made)
    return found


def _stands_alone(source: Source) -> bool:
    """Whether there is nothing to `check`: one key has as many associations each way,
    and whose key it is its own integrity keys cannot tell."""
    return isinstance(source, SharedKey) and len(set(source.spis)) == len(source.spis)


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
