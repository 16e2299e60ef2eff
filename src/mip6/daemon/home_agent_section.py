"""`[home_agent]` in the configuration file."""

from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network
from typing import Annotated

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from mip6.core.policy import Permission
from mip6.core.prefix_delivery import INTERVAL_MAX, INTERVAL_MIN
from mip6.core.prefixes import HomePrefix

from .home_prefixes import PrefixSection, elsewhere, home_prefix
from .section import Address, Lifetime, LinkName, Network, Section, usable
from .trust import Trust


def _trust(value: object) -> object:
    """A key file alone stands for the table that names it."""
    return {"key": value} if isinstance(value, str | list) else value


def _each_once(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError('must be a table: "2001:db8:a::100" = "laptop.key"')
    known: set[IPv6Address] = set()
    for text in value:
        try:
            address = IPv6Address(text)
        except ValueError:
            continue  # told where the addresses are read
        if address in known:
            raise ValueError(f"has {address} twice")
        known.add(address)
    return value


LIST, TABLE = "(list)", "(table)"
"""Tags of the two forms; they stand in pydantic's locations."""

MobileNodes = Annotated[
    Annotated[tuple[Network, ...], Field(strict=False), Tag(LIST)]
    | Annotated[
        dict[Address, Annotated[Trust, BeforeValidator(_trust)]],
        BeforeValidator(_each_once),
        Tag(TABLE),
    ],
    Discriminator(lambda value: LIST if isinstance(value, list | tuple) else TABLE),
]


class HomeAgentSection(Section):
    """`[home_agent]` (§10)."""

    address: Address
    home_prefix: Network
    home_link: LinkName | None = None
    """None: a virtual home link, its prefix is routed to this machine."""
    mobile_nodes: MobileNodes = ()
    """Which home addresses may register: a table with the key of each, or, without
    authentication, a list of addresses and prefixes."""
    lifetime_max: Lifetime = 3600
    """Seconds that a registration is granted at most."""
    bindings_max: Annotated[int, Field(ge=1, le=4_000_000)] = 16384
    grace: Annotated[float, Field(ge=0, le=60)] = 2.0
    """Seconds that packets from the previous care-of address still count; 0: none."""
    updates_max: Annotated[int, Field(ge=1, le=1000)] = 10
    """Binding Updates of one mobile node in a second; the others are ignored.  It sends
    three at most (MAX_UPDATE_RATE, §12), but they may get here together."""

    allow: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    """Home addresses and prefixes that may register; without any all may.  Of several
    entries that hold a home address the longest counts."""
    refuse: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    """Those that may not: they are answered by status 129."""
    lifetimes: dict[Network, Lifetime] = Field(default_factory=dict)
    """Seconds that these are granted at most, where it is less than `lifetime_max`."""
    prefix_interval_min: Annotated[float, Field(gt=0, le=86_400)] = INTERVAL_MIN
    """Seconds that mobile nodes wait at least for what is new about the prefixes, so
    that not all are told at once; and at most (MinMobPfxAdvInterval and
    MaxMobPfxAdvInterval, §13)."""
    prefix_interval_max: Annotated[float, Field(gt=0, le=86_400)] = INTERVAL_MAX
    preference: Annotated[int, Field(ge=0, le=65535)] = 0
    """Among the home agents of the home link; the highest is named first (§10.5.1)."""

    multicast: bool = False
    """Packets for groups of global scope on the home link are sent to mobile nodes that
    are away and listen to them (§10.4.2, §10.4.3); what these send to groups of more
    than the link is sent on there (§11.3.4)."""
    prefixes: Annotated[dict[Network, PrefixSection], Field(max_length=32)] = Field(
        default_factory=dict
    )
    """Prefixes of the home link beside `home_prefix`, or what its lifetimes are.  To
    renumber the home link add the new one, deprecate the old one, then remove it."""

    _address = field_validator("address")(usable)

    @field_validator("multicast")
    @classmethod
    def _multicast(cls, value: bool, information: ValidationInfo) -> bool:
        if value and information.data.get("home_link") is None:
            raise ValueError("needs home_link: no multicast gets to a virtual one")
        return value

    @field_validator("prefix_interval_max")
    @classmethod
    def _prefix_interval_max(cls, value: float, information: ValidationInfo) -> float:
        if value < information.data.get("prefix_interval_min", INTERVAL_MIN):
            raise ValueError("is less than prefix_interval_min")
        return value

    @property
    def home_prefixes(self) -> tuple[HomePrefix, ...]:
        said = {self.home_prefix: PrefixSection(), **self.prefixes}
        return tuple(home_prefix(network, one) for network, one in said.items())

    @property
    def prefixes_said(self) -> tuple[HomePrefix, ...]:
        """Those whose lifetimes are in `prefixes`."""
        return tuple(
            home_prefix(network, one) for network, one in self.prefixes.items()
        )

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """`allow`, `refuse` and `lifetimes`; what is both allowed and refused is
        refused."""
        return (
            *(Permission(network=n, allowed=True) for n in self.allow),
            *(Permission(network=n, allowed=False) for n in self.refuse),
            *(
                Permission(network=n, lifetime_max=seconds)
                for n, seconds in self.lifetimes.items()
            ),
        )

    @property
    def home_networks(self) -> tuple[IPv6Network, ...]:
        """The home addresses that may register."""
        listed = tuple(IPv6Network(entry) for entry in self.mobile_nodes)
        return (*listed, *(other for _, other in self._elsewhere(listed)))

    @property
    def formed(self) -> Iterator[tuple[IPv6Address, IPv6Address]]:
        """Home addresses of the table, and those that the same mobile nodes have in the
        other prefixes of the home link (decision 0034)."""
        listed = tuple(IPv6Network(entry) for entry in self.mobile_nodes)
        for network, other in self._elsewhere(listed):
            yield network.network_address, other.network_address

    def _elsewhere(
        self, listed: tuple[IPv6Network, ...]
    ) -> Iterator[tuple[IPv6Network, IPv6Network]]:
        """With their originals.  What is listed itself has a key of its own."""
        prefixes = {self.home_prefix, *self.prefixes}
        if len(prefixes) == 1:
            return
        known = set(listed)
        for network in listed:
            for other in elsewhere(network, prefixes):
                if other not in known and self.address not in other:
                    yield network, other
