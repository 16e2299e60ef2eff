"""`[mobile_node]` of the configuration file."""

from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator, model_validator

from mip6.core.native import NATIVE_MAX

from .home_agent_names import DISCOVER, HomeAgentEntries
from .route_optimization import RouteOptimizationSection
from .section import Address, Interface, Lifetime, LinkName, Network, usable
from .trust import Trust


def _command(value: object) -> object:
    """A program alone is a list of one."""
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words or not words[0]:
        raise ValueError('must be a program, or a list: ["/usr/bin/logger", "moved"]')
    if not str(words[0]).startswith("/"):
        raise ValueError(f"{words[0]} must be a whole path: /usr/local/bin/moved")
    return words


Command = Annotated[tuple[str, ...], Field(strict=False), BeforeValidator(_command)]
"""A program and its arguments."""


class MobileNodeSection(Trust, RouteOptimizationSection):
    """`[mobile_node]` (§11)."""

    home_address: Interface
    """With the length of the home prefix: 2001:db8:a::100/64."""
    home_prefix: Network | None = None
    """And `interface_identifier`, in place of `home_address`: that is formed of the
    two, as it is in other prefixes of the home link (decision 0034)."""
    interface_identifier: Address | None = None
    """The last 64 bits: "::100"."""
    home_agent: HomeAgentEntries = (DISCOVER,)
    """Addresses, names, or "discover"; of several the first that serves us."""
    interfaces: Annotated[tuple[LinkName, ...], Field(strict=False)]
    """In order of preference."""
    manage: bool
    """mip6 solicits routers and configures addresses on these interfaces itself; else
    it takes what the kernel, NetworkManager, networkd or DHCPv6 configured."""
    lifetime: Lifetime = 600
    """Seconds that are asked for in a registration."""
    fallback: bool = True
    """Unregistered, new connections leave with the visited network's address."""
    table: Annotated[int, Field(ge=1, le=4294967295)] = 100
    """The routing table for packets from the home address; and the three after it."""
    probe_tunnel: bool = True
    """The home agent is asked for an echo through each new tunnel: some networks drop
    what is tunnelled, and let pass what registers (protocol 41, ESP)."""
    native: Annotated[
        tuple[Network, ...], Field(strict=False, max_length=NATIVE_MAX)
    ] = ()
    """Destinations that go out from the care-of address, not through the tunnel."""
    native_name_servers: bool = True
    """So do questions to name servers, but for those in the home prefix."""
    never_return_home: bool = False
    """No advertisement makes it believe that it is on the home link."""
    on_handover: Command = ()
    """Programs to be run, with the facts in their environment (hooks.py): registered
    with another care-of address than before."""
    on_registered: Command = ()
    on_home: Command = ()
    on_failure: Command = ()

    @model_validator(mode="before")
    @classmethod
    def _formed(cls, value: object) -> object:
        """`home_address` of its two parts."""
        if not isinstance(value, dict):
            return value
        parts = ("home_prefix", "interface_identifier")
        lacking = [part for part in parts if part not in value]
        if len(lacking) == len(parts):
            return value
        if lacking:
            raise ValueError(f'lacks "{lacking[0]}": the home address is made of both')
        if "home_address" in value:
            raise ValueError("write home_address, or home_prefix, not both")
        texts = [value[part] for part in parts]
        try:
            network, identifier = IPv6Network(texts[0]), IPv6Address(texts[1])
        except ValueError as error:
            raise ValueError(f"home_prefix and interface_identifier: {error}") from None
        if network.prefixlen != 64:
            raise ValueError(f"home_prefix {network} is no /64")
        if not 0 < int(identifier) < 1 << 64:
            raise ValueError(f"interface_identifier {identifier} is not one of 64 bits")
        address = IPv6Address(int(network.network_address) | int(identifier))
        return {**value, "home_address": f"{address}/64"}

    @property
    def home_agents(self) -> tuple[IPv6Address, ...]:
        """Those that are given by address."""
        return tuple(e for e in self.home_agent if isinstance(e, IPv6Address))

    @property
    def discovers(self) -> bool:
        """Whether the home link is asked for others (§11.4.1)."""
        return DISCOVER in self.home_agent

    @property
    def has_fixed_home_agents(self) -> bool:
        """Whether no others than `home_agents` can come."""
        return len(self.home_agents) == len(self.home_agent)

    @field_validator("home_address")
    @classmethod
    def _home_address(cls, value: IPv6Interface) -> IPv6Interface:
        usable(value.ip)
        if value.network.prefixlen == 128:
            raise ValueError(f"write the home prefix's length too: {value.ip}/64")
        return value

    @field_validator("interfaces")
    @classmethod
    def _interfaces(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("must name at least one interface")
        return value

    @field_validator("native")
    @classmethod
    def _native(cls, value: tuple[IPv6Network, ...]) -> tuple[IPv6Network, ...]:
        for network in value:
            if not network.prefixlen:
                raise ValueError("must leave something to go through the tunnel")
            if network.is_multicast or network.is_link_local:
                raise ValueError(f"{network} goes out natively anyway")
        return value

    @field_validator("table")
    @classmethod
    def _table(cls, value: int) -> int:
        if {253, 254, 255} & set(range(value, value + 4)):
            raise ValueError(
                "is one of the kernel's own tables (253-255), or one of the three "
                "before them: the next three tables are used too"
            )
        return value
