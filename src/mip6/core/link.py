"""What is known of a link: itself, its routers, their prefixes, and the way to be
attached to it that follows from them (§11.5)."""

from dataclasses import field
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.neighbor_options import (
    INFINITE_LIFETIME,
    PrefixInformation,
    RecursiveDnsServers,
)
from mip6.wire.record import record

from .addresses import is_unicast_routable

NO_GATEWAY = IPv6Address("::")
"""The router of a link that has another end and nothing else, such as a tunnel."""
PREFIXES_MAX = 32
NAME_SERVERS_MAX = 8
"""That one router tells of."""


@record
class Link:
    """A managed link that is up."""

    name: str
    link_layer_address: bytes
    link_local: IPv6Address | None = None
    """None while it is not known, tentative or optimistic: then it is no source yet."""
    mtu: int = 1500
    """Octets."""


@record(kw_only=True)
class Prefix:
    """One prefix of a router, with the moments its lifetimes end."""

    network: IPv6Network
    autonomous: bool
    valid_until: float
    preferred_until: float


@record
class NameServer:
    """A router told of it (RFC 8106)."""

    address: IPv6Address
    valid_until: float


@record(kw_only=True)
class Router:
    """A default router as its advertisements describe it."""

    address: IPv6Address
    link_layer_address: bytes | None
    home_agent: bool
    addresses: tuple[IPv6Address, ...]
    """Its global addresses, from prefixes with the R bit (§7.2)."""
    preference: int
    expires: float
    quiet_at: float
    """By then another advertisement should have been heard; inf if it does not say."""
    prefixes: tuple[Prefix, ...]
    silent: bool = False
    """It did not answer when asked: used only while there is nothing better."""
    name_servers: tuple[NameServer, ...] = ()


@record(kw_only=True)
class Attachment:
    """One way to be on the network: a link, its router and an address of the prefix."""

    link: str
    router: IPv6Address
    router_link_layer_address: bytes | None
    home_agent_here: bool
    """At home, and the home agent's link-layer address is the router's (§11.5.5)."""
    prefix: IPv6Network
    care_of_address: IPv6Address | None
    """None on the home link."""
    silent: bool
    distrusted_at: float = field(default=-inf, compare=False)
    """When the home agent did not answer what was sent this way, not long ago."""
    valid_until: float = field(compare=False)
    adopted: bool = False
    """Others configured it: addresses and routes of the link are theirs."""
    unique: bool = False
    """Whether the care-of address is known to be nobody else's."""
    usable: bool
    """Whether the care-of address may be a source now: it is known to be unique, or it
    may be optimistic because the router's link-layer address is known (RFC 4429)."""

    @property
    def gateway(self) -> IPv6Address | None:
        """For routes; None: the other end takes everything."""
        return None if self.router == NO_GATEWAY else self.router

    @property
    def at_home(self) -> bool:
        return self.care_of_address is None


def interface_identifier(link_layer_address: bytes) -> bytes:
    """The modified EUI-64 of a link-layer address (RFC 4291 appendix A).

    Raises ValueError for one that is neither 6 nor 8 octets long.
    """
    match len(link_layer_address):
        case 6:
            eui = link_layer_address[:3] + b"\xff\xfe" + link_layer_address[3:]
        case 8:
            eui = link_layer_address
        case length:
            raise ValueError(f"no EUI-64 from a link-layer address of {length} octets")
    return bytes((eui[0] ^ 0x02,)) + eui[1:]


def learn(
    prefixes: dict[IPv6Network, Prefix], option: PrefixInformation, now: float
) -> None:
    network = option.network
    prefixes.pop(network, None)
    if option.valid_lifetime == 0 or len(prefixes) == PREFIXES_MAX:
        return
    if option.preferred_lifetime > option.valid_lifetime:
        return  # RFC 4862 §5.5.3 (c)
    if not is_unicast_routable(network.network_address):
        return
    prefixes[network] = Prefix(
        network=network,
        autonomous=option.autonomous_address_configuration and network.prefixlen == 64,
        valid_until=now + _seconds(option.valid_lifetime),
        preferred_until=now + _seconds(option.preferred_lifetime),
    )


def learn_name_servers(
    known: tuple[NameServer, ...], option: RecursiveDnsServers, now: float
) -> tuple[NameServer, ...]:
    """Those of one router, the latest first."""
    valid_until = now + _seconds(option.lifetime)
    kept = (one for one in known if one.address not in option.addresses)
    told = (NameServer(a, valid_until) for a in option.addresses if option.lifetime)
    return (*told, *kept)[:NAME_SERVERS_MAX]


def _seconds(lifetime: int) -> float:
    return inf if lifetime == INFINITE_LIFETIME else lifetime
