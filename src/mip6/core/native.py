"""What goes out natively while the mobile node is away: from its care-of address, by
the link, and not from the home address through the tunnel.

That is what the operator wants for some destinations, and what the name servers of a
visited network need: they answer only its own addresses.  Connections that are bound to
the home address keep to the tunnel, so a change of this policy breaks none.
"""

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network

from .addresses import is_unicast_routable
from .link import NAME_SERVERS_MAX, Attachment
from .state import Route, Rule, State

NATIVE_MAX = 64
"""Destinations that can be configured."""
METRIC = 512
"""Of the routes: as those of the link have."""
MAIN_TABLE = 254


def is_native(state: State) -> bool:
    """Whether it is of a native destination: without it everything else works."""
    if isinstance(state, Rule):
        return state.destination is not None
    if isinstance(state, Route):
        return state.table == MAIN_TABLE and state.source is not None
    return False


class Native:
    """The destinations that are reached natively.

    prefixes: those of the operator.
    with_name_servers: whether name servers are among them, but for those of the home
        prefix, which serve the home address.
    """

    def __init__(
        self,
        home_prefix: IPv6Network,
        *,
        prefixes: tuple[IPv6Network, ...] = (),
        with_name_servers: bool = True,
    ) -> None:
        self.prefixes = prefixes
        self.with_name_servers = with_name_servers
        self._home_prefix = home_prefix
        self._home_agent: IPv6Address | None = None
        self._configured: tuple[IPv6Address, ...] = ()
        self._advertised: tuple[IPv6Address, ...] = ()
        self._before: tuple[IPv6Address, ...] = ()
        self._prefix: IPv6Network | None = None

    @property
    def name_servers(self) -> tuple[IPv6Address, ...]:
        """Those that are asked natively.  Those of the link before are among them as
        long as somebody may not have heard of the new ones."""
        if not self.with_name_servers:
            return ()
        known = (*self._advertised, *self._configured, *self._before)
        return tuple(dict.fromkeys(known))

    def configured(self, servers: Iterable[IPv6Address]) -> None:
        """What the machine's resolver is configured to ask."""
        self._configured = self._usable(servers)

    def attached(
        self,
        here: Attachment | None,
        advertised: Iterable[IPv6Address],
        home_agent: IPv6Address | None,
    ) -> None:
        """Where we are now, and the name servers that routers tell there.  Nowhere the
        last ones stay: a question that waited would come from the home address."""
        self._home_agent = home_agent
        if here is None or here.at_home:
            return
        if here.prefix != self._prefix:
            self._prefix, self._before = here.prefix, self._advertised
        self._advertised = self._usable(advertised)

    def states(self, here: Attachment | None) -> list[State]:
        """Away; by another link than ours if the main table has such a way."""
        states: list[State] = []
        networks = (*self.prefixes, *map(IPv6Network, self.name_servers))
        for network in dict.fromkeys(networks):
            if route := self._route(network, here):
                states.append(route)
            states.append(Rule(priority=1000, table=MAIN_TABLE, destination=network))
        return states

    def takes(self, octets: bytes) -> bool:
        """Whether a packet is not to wait for a tunnel, given where it goes: with no
        link the kernel finds no source for it but the home address."""
        destination = octets[24:40]
        return len(destination) == 16 and IPv6Address(destination) in self

    def __contains__(self, destination: IPv6Address) -> bool:
        servers = self.name_servers
        return destination in servers or any(destination in n for n in self.prefixes)

    def _route(self, network: IPv6Network, here: Attachment | None) -> Route | None:
        if here is None or here.care_of_address is None or not here.usable:
            return None
        if network == here.prefix:
            return None  # it has one
        return Route(
            destination=network,
            link=here.link,
            gateway=None if network.subnet_of(here.prefix) else here.gateway,
            source=here.care_of_address,
            metric=METRIC,
        )

    def _usable(self, servers: Iterable[IPv6Address]) -> tuple[IPv6Address, ...]:
        """A link-local one needs nothing; and nobody is to take what is for home."""
        usable = dict.fromkeys(
            server
            for server in servers
            if is_unicast_routable(server)
            and server not in self._home_prefix
            and server != self._home_agent
        )
        return tuple(usable)[:NAME_SERVERS_MAX]  # from each of the three sources
