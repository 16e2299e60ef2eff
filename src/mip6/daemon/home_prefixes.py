"""`[home_agent.prefixes]`: the prefixes of the home link, and what renumbering it means
for who may register (decision 0034)."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from ipaddress import IPv6Network
from math import inf
from typing import Annotated, Self

from pydantic import Field, model_validator

from mip6.core.prefixes import HomePrefix
from mip6.linux import clock

from .section import Section


class PrefixSection(Section):
    """A prefix of the home link, as mobile nodes are told of it (§10.6)."""

    valid_lifetime: Annotated[int, Field(ge=4, lt=2**32)] | None = None
    """Seconds; for ever if it is not said, as are the others."""
    preferred_lifetime: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """Seconds; 0: home addresses in it are not for new connections any more."""
    valid_until: datetime | None = None
    """A moment, with its time zone: 2027-01-31T12:00:00Z.  What is left of it is told,
    less each time, and nothing stands beyond it."""
    preferred_until: datetime | None = None

    @model_validator(mode="after")
    def _zoned(self) -> Self:
        for name in ("valid_until", "preferred_until"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name} needs a time zone: {moment.isoformat()}Z")
        return self


def home_prefix(network: IPv6Network, said: PrefixSection) -> HomePrefix:
    return HomePrefix(
        network=network,
        valid_lifetime=_or_for_ever(said.valid_lifetime),
        preferred_lifetime=_or_for_ever(said.preferred_lifetime),
        valid_until=_moment(said.valid_until),
        preferred_until=_moment(said.preferred_until),
    )


def _or_for_ever(seconds: int | None) -> float:
    return inf if seconds is None else seconds


def _moment(said: datetime | None) -> float:
    """By the boot clock, as the wall clock is now; to a second, so that it is the same
    moment when the file is read again."""
    return inf if said is None else round(said.timestamp() - clock.wall_ahead())


def elsewhere(
    network: IPv6Network, prefixes: Iterable[IPv6Network]
) -> Iterator[IPv6Network]:
    """The same home addresses in the other prefixes of the home link: who may register
    2001:db8:a::100 may register 2001:db8:1a::100, when 2001:db8:1a::/64 is one."""
    prefixes = tuple(prefixes)
    within = [p for p in prefixes if network.subnet_of(p)]
    if not within:
        return
    home = max(within, key=lambda prefix: prefix.prefixlen)
    rest = int(network.network_address) & int(home.hostmask)
    for other in prefixes:
        if other != home and other.prefixlen == home.prefixlen:
            yield IPv6Network((int(other.network_address) | rest, network.prefixlen))
