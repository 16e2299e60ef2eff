"""The home addresses of a mobile node: one, and while its home link is renumbered one
in each of its prefixes, with the same interface identifier (§11.4.3, decision 0034)."""

from collections.abc import Callable, Iterator
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.messages import BindingStatus

from .attachments import Attachments
from .binding_update_list import BindingUpdateList
from .holding import Holding
from .home_agents import HomeAgents
from .path_mtu import PathMtu
from .prefix_solicitation import PrefixSolicitation
from .registration import Registration

HOMES_MAX = 4
"""Home addresses at the same time."""
IDENTIFIER_LENGTH = 64


class Home:
    """One home address: what home agents and correspondents know of it, and the packets
    that wait for its tunnel."""

    def __init__(
        self,
        home_address: IPv6Address,
        home_prefix: IPv6Network,
        home_agents: HomeAgents,
        correspondents: BindingUpdateList,
        held_max: int,
    ) -> None:
        self.home_address = home_address
        self.home_prefix = home_prefix
        self.home_agents = home_agents
        self.correspondents = correspondents
        self.path = PathMtu()
        self.holding = Holding(home_address, held_max)
        self._was_open = False

    @property
    def registration(self) -> Registration:
        """With the home agent that is asked now."""
        return self.home_agents.current

    def open(self, attachments: Attachments, now: float) -> bool:
        """Whether packets from this address have a way out."""
        here = attachments.here
        if here is None:
            return False
        if here.at_home:
            return self.registration.sent or now >= self.registration.bound_until
        return self.home_agents.standing(here.care_of_address, now) is not None

    def opened(self, attachments: Attachments, now: float) -> bool:
        """Whether that is new."""
        before, self._was_open = self._was_open, self.open(attachments, now)
        return self._was_open and not before


class Homes:
    """The first one is for new connections.

    make: a home for an address in another prefix.
    """

    def __init__(
        self, first: Home, make: Callable[[IPv6Address, IPv6Network], Home]
    ) -> None:
        self._homes = [first]
        self._make = make

    def __iter__(self) -> Iterator[Home]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)

    @property
    def first(self) -> Home:
        return self._homes[0]

    @property
    def others(self) -> list[Home]:
        return self._homes[1:]

    @property
    def addresses(self) -> tuple[IPv6Address, ...]:
        return tuple(home.home_address for home in self._homes)

    @property
    def prefixes(self) -> tuple[IPv6Network, ...]:
        return tuple(home.home_prefix for home in self._homes)

    def find(self, home_address: IPv6Address) -> Home | None:
        for home in self._homes:
            if home.home_address == home_address:
                return home
        return None

    def deadline(self, prefixes: PrefixSolicitation, now: float) -> float:
        """When `renumber` has something to do; inf for never."""
        moments = [prefixes.valid_until(address) for address in self.addresses]
        moments += (prefixes.preferred_until(address) for address in self.addresses)
        return min((at for at in moments if at > now), default=inf)

    def renumber(
        self, prefixes: PrefixSolicitation, attachments: Attachments, now: float
    ) -> bool:
        """Form an address in each new prefix and leave those that are over; a
        deprecated one is not first while another works.  True if anything changed."""
        before = list(self._homes)
        for network in prefixes.usable(now):
            self._form(network)
        for home in before:
            if len(self._homes) > 1 and self._is_over(home, prefixes, attachments, now):
                self._homes.remove(home)
        if prefixes.preferred_until(self.first.home_address) <= now:
            for home in self.others:
                preferred = prefixes.preferred_until(home.home_address) > now
                if preferred and home.open(attachments, now):
                    self._homes.remove(home)
                    self._homes.insert(0, home)
                    break
        return before != self._homes

    def _form(self, network: IPv6Network) -> None:
        first = self.first
        if (
            len(self._homes) == HOMES_MAX
            or first.home_prefix.prefixlen != IDENTIFIER_LENGTH
            or any(home.home_address in network for home in self._homes)
        ):
            return
        identifier = first.home_address.packed[IDENTIFIER_LENGTH // 8 :]
        prefix = network.network_address.packed[: IDENTIFIER_LENGTH // 8]
        self._homes.append(self._make(IPv6Address(prefix + identifier), network))

    def _is_over(
        self,
        home: Home,
        prefixes: PrefixSolicitation,
        attachments: Attachments,
        now: float,
    ) -> bool:
        """Whether its prefix has ended, or the home agent knows it no more."""
        if prefixes.valid_until(home.home_address) <= now:
            return True
        if home.registration.status != BindingStatus.NOT_HOME_SUBNET or home.open(
            attachments, now
        ):
            return False  # what was granted stands, until then
        if not any(other.open(attachments, now) for other in self._homes):
            return False
        prefixes.forget(home.home_prefix)
        return True
