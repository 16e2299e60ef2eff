"""The key files that a configuration names, read into security associations."""

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from itertools import product
from pathlib import Path

from mip6.security import association, mobility_association
from mip6.security.association import SecurityAssociation, SharedKey, Source
from mip6.security.esp import (
    Encryption,
    Transform,
    encryption_named,
    integrity_named,
)
from mip6.security.keys import (
    KEYS_MAX,
    Direction,
    KeyTextError,
    Purpose,
    Secret,
    fingerprint,
    parse_keys,
    parse_octets,
    shared_keys,
)
from mip6.security.mobility_association import MobilitySecurityAssociation
from mip6.wire.record import record

from .configuration import Configuration
from .errors import ConfigurationError
from .trust import OneWay, Pair, Trust
from .user import own_user

KEY_FILE_SIZE_MAX = 64 * 1024
"""Octets; a key file has a few lines."""


@record
class Shared:
    """The keys of one mobile node, of which those for each of its home agents are
    derived: also for one that is found later.

    identifier: with the MN-HA option; None with ESP.
    """

    home_address: IPv6Address
    keys: tuple[Secret, ...]
    identifier: str | None
    inward: Direction
    """Of what this end receives."""

    def credentials(
        self,
        home_agents: Iterable[IPv6Address],
        fingerprints: dict[IPv6Address, list[str]],
        home_addresses: Iterable[IPv6Address] = (),
    ) -> "Credentials":
        """What they come to with these home agents, for the home address and perhaps
        others that were formed like it."""
        found = Credentials(fingerprints=dict(fingerprints), shared=self)
        every = dict.fromkeys((self.home_address, *home_addresses))
        for home_address in every:
            if self.home_address in fingerprints:
                found.fingerprints[home_address] = fingerprints[self.home_address]
        for peers in product(every, home_agents):
            for key in self.keys:
                if self.identifier is None:
                    one = SharedKey.at(self.inward, key, *peers)
                    found.associations.append(one)
                else:
                    own = mobility_association.from_key(key, *peers, self.identifier)
                    found.mobility.append(own)
        return found


@dataclass(slots=True)
class Credentials:
    """What the keys of a configuration come to."""

    associations: list[Source] = field(default_factory=list)
    """For ESP (shared_key, manual)."""
    mobility: list[MobilitySecurityAssociation] = field(default_factory=list)
    """For the MN-HA option (mn_ha)."""
    fingerprints: dict[IPv6Address, list[str]] = field(default_factory=dict)
    """By which people compare the shared keys of two machines."""
    shared: Shared | None = None
    """At a mobile node whose keys are derived."""

    @property
    def by_esp(self) -> bool:
        """Whether it is ESP that protects, also while no home agent is known."""
        return bool(self.associations) or (
            self.shared is not None and self.shared.identifier is None
        )

    @property
    def by_option(self) -> bool:
        """Whether it is the MN-HA option."""
        return bool(self.mobility) or (
            self.shared is not None and self.shared.identifier is not None
        )

    def with_home_agents(
        self,
        home_agents: Iterable[IPv6Address],
        home_addresses: Iterable[IPv6Address] = (),
    ) -> "Credentials":
        """The same keys with these home agents, where they can be for any; for these
        home addresses, too."""
        if self.shared is None:
            return self
        return self.shared.credentials(home_agents, self.fingerprints, home_addresses)

    @property
    def by_home_address(
        self,
    ) -> dict[IPv6Address, list[Source | MobilitySecurityAssociation]]:
        """Whose is what; the order counts."""
        found: dict[IPv6Address, list[Source | MobilitySecurityAssociation]] = {}
        every = [*self.associations, *self.mobility]
        for one in every:
            found.setdefault(one.home_address, []).append(one)
        return found


def load(configuration: Configuration) -> Credentials:
    """Reads the key files.  ConfigurationError holds every error, none quotes a key."""
    if configuration.authentication is None:
        return Credentials()  # a correspondent shares no keys with anybody
    return _Reader(configuration).read()


class _Reader:
    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._errors: list[str] = []
        self._found = Credentials()
        user = own_user(configuration)
        self._group = user.pw_gid if user is not None and user.pw_gid else None
        if configuration.home_agent is not None:
            self._home_agents: tuple[IPv6Address, ...] = (
                configuration.home_agent.address,
            )
            self._inward = Direction.TO_HOME_AGENT
        else:
            assert configuration.mobile_node is not None
            self._home_agents = configuration.mobile_node.home_agents
            self._inward = Direction.TO_MOBILE_NODE

    def read(self) -> Credentials:
        seen: set[tuple[str, ...]] = set()
        places: dict[str, tuple[str, ...]] = {}
        keys: dict[str, list[Secret]] = {}
        for where, home_address, trust in self._configuration.trusts():
            found = self._one(where, home_address, trust)
            if where not in seen:
                # Else another home address of a mobile node that was there.
                seen.add(where)
                places[str(home_address)] = where
                keys[str(home_address)] = found
        for first, second in shared_keys(keys):
            self._wrong(
                places[second],
                f"{first} and {second} have the same key; each mobile node needs its "
                "own (RFC 6275 5.1)",
            )
        if not self._errors:
            self._check()
        if self._errors:
            raise ConfigurationError(self._errors)
        return self._found

    def _check(self) -> None:
        """What single associations cannot tell."""
        mobility: dict[
            tuple[IPv6Address, IPv6Address], list[MobilitySecurityAssociation]
        ] = {}
        for one in self._found.mobility:
            mobility.setdefault((one.home_address, one.home_agent), []).append(one)
        section = "home_agent" if self._configuration.home_agent else "mobile_node"
        try:
            association.by_home_address(self._found.associations)
            mobility_association.check(mobility)
        except ValueError as error:
            self._wrong((section,), str(error))

    def _wrong(self, where: tuple[str, ...], what: str) -> None:
        self._errors.append(f"{self._configuration.where(*where)}: {what}")

    def _one(
        self, where: tuple[str, ...], home_address: IPv6Address, trust: Trust
    ) -> list[Secret]:
        """Adds what one mobile node's keys come to; the keys, to be compared."""
        if self._configuration.authentication == "manual":
            [home_agent] = self._home_agents
            return self._manual(where, (home_address, home_agent), trust)
        where = (*where, "key")
        if trust.mobility_spi is not None:
            [home_agent] = self._home_agents
            return self._mobility_by_hand(where, (home_address, home_agent), trust)
        keys = [
            key for file in trust.key for key in self._file(where, file, parse_keys)
        ]
        if len(keys) > KEYS_MAX:
            self._wrong(where, f"more than {KEYS_MAX} keys of {home_address}")
            return []
        if len(set(keys)) < len(keys):
            self._wrong(where, f"the same key twice for {home_address}")
            return []
        by_option = self._configuration.authentication == "mn_ha"
        identifier = trust.identifier or "" if by_option else None
        shared = Shared(home_address, tuple(keys), identifier, self._inward)
        found = shared.credentials(self._home_agents, {})
        self._found.associations += found.associations
        self._found.mobility += found.mobility
        if keys and self._configuration.mobile_node is not None:
            self._found.shared = shared
        self._found.fingerprints[home_address] = [fingerprint(key) for key in keys]
        return keys

    def _mobility_by_hand(
        self,
        where: tuple[str, ...],
        peers: tuple[IPv6Address, IPv6Address],
        trust: Trust,
    ) -> list[Secret]:
        if len(trust.key) != 1:
            self._wrong(where, "one key file for one mobility_spi")
            return []
        [keys] = [self._file(where, file, _octets) for file in trust.key]
        if len(keys) != 1:
            if keys:
                self._wrong(where, f"{trust.key[0]}: one key for one mobility_spi")
            return []
        try:
            one = MobilitySecurityAssociation(
                mobility_spi=trust.mobility_spi or 0,
                key=keys[0],
                home_address=peers[0],
                home_agent=peers[1],
                network_access_identifier=trust.identifier or "",
            )
        except ValueError as error:
            self._wrong(where, str(error))
            return []
        self._found.mobility.append(one)
        return list(keys)

    def _manual(
        self,
        where: tuple[str, ...],
        peers: tuple[IPv6Address, IPv6Address],
        trust: Trust,
    ) -> list[Secret]:
        keys = []
        for purpose in Purpose:
            pairs: tuple[Pair, ...] = getattr(trust, purpose.value)
            for pair, direction in product(pairs, Direction):
                way: OneWay = getattr(pair, direction.value)
                place = (*where, purpose.value, direction.value)
                octets = self._file(place, way.key, _octets)
                if not octets:
                    continue
                try:
                    transform = _transform(pair, octets)
                    one = SecurityAssociation(
                        purpose=purpose,
                        direction=direction,
                        spi=way.spi,
                        home_address=peers[0],
                        home_agent=peers[1],
                        transform=transform,
                        # The other implementation's counter begins anew at each boot.
                        anti_replay=False,
                    )
                except ValueError as error:
                    self._wrong(place, f"{way.key}: {error}")
                    continue
                self._found.associations.append(one)
                keys.append(octets[0])
        return keys

    def _file(
        self,
        where: tuple[str, ...],
        name: str,
        parse: Callable[[str], tuple[Secret, ...]],
    ) -> tuple[Secret, ...]:
        """The keys in one file; none, with the error noted, if it cannot be used."""
        path = self._configuration.directory / name
        try:
            return parse(_read(path, self._group))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not text"
            advice = ""
            if isinstance(error, FileNotFoundError):
                advice = f" (mip6 keygen > {path})"
            elif isinstance(error, PermissionError) and self._group is not None:
                advice = f" (chgrp {self._group} {path}; chmod 640 {path})"
            self._wrong(where, f"{name}: {reason}{advice}")
        except _OpenToOthersError:
            self._wrong(where, f"{name} can be read by others: chmod 600 {path}")
        except KeyTextError as error:
            self._wrong(where, f"{name}: {error}")
        return ()


class _OpenToOthersError(Exception):
    """The mode of a key file lets others have the key, or put another in its place."""


def _read(path: Path, group: int | None) -> str:
    """`group`: whose members are this daemon alone; it may read."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "is not a file")
        ours = group is not None and status.st_gid == group
        if status.st_mode & (0o037 if ours else 0o077):
            raise _OpenToOthersError
        return file.read(KEY_FILE_SIZE_MAX).decode()


def _octets(text: str) -> tuple[Secret, ...]:
    """The keys of a file of the manual kind, one a line in hexadecimal."""
    lines = [line.strip() for line in text.splitlines()]
    keys = tuple(parse_octets(x) for x in lines if x and not x.startswith("#"))
    if not keys:
        raise KeyTextError("there is no key in it")
    return keys


def _transform(pair: Pair, keys: tuple[Secret, ...]) -> Transform:
    encryption = encryption_named(pair.encryption)
    wanted = 1 if encryption is Encryption.NULL else 2
    if len(keys) != wanted:
        raise ValueError(
            f"{pair.integrity} with {pair.encryption} needs {wanted} "
            f"key{'s'[: wanted - 1]}, one a line, not {len(keys)}"
        )
    return Transform(
        integrity=integrity_named(pair.integrity),
        integrity_key=keys[0],
        encryption=encryption,
        encryption_key=keys[1] if wanted == 2 else Secret(b""),
    )
