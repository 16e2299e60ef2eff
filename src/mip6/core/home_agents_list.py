"""The Home Agents List (§10.1, §10.5.1): who else serves the home link, and what a
mobile node that asks is told."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

from mip6.wire.icmpv6 import (
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
)
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import HomeAgentInformation, PrefixInformation
from mip6.wire.record import record

from .addresses import is_unicast_routable
from .timers import Timers

HOME_AGENTS_MAX = 64
"""Of a link; whoever can send there could make up more."""
ADDRESSES_MAX = 8
"""Of one home agent."""
REPLIED_MAX = (1280 - 40 - 8) // 16
"""Addresses that a reply holds within the minimum MTU (§10.5.1): 77."""


def home_agents_anycast(prefix: IPv6Network) -> IPv6Address:
    """The address that all home agents of a subnet share (RFC 2526 §2, §3).

    An interface identifier has 64 bits; of a longer prefix all that is left is taken.
    """
    if prefix.prefixlen > 64:
        return IPv6Address(int(prefix.network_address) | int(prefix.hostmask) & ~1)
    return IPv6Address(int(prefix.network_address) | 0xFDFF_FFFF_FFFF_FFFE)


@record(kw_only=True)
class ListedHomeAgent:
    """One home agent of the home link."""

    link_local: IPv6Address
    preference: int
    expires: float
    """Seconds of the boot clock."""
    addresses: tuple[IPv6Address, ...]
    """Global ones."""
    mobile_router_support: bool = False


class HomeAgentsList:
    """address, preference: this home agent's own, which is always there.
    random: for the order of equals.
    """

    def __init__(
        self,
        address: IPv6Address,
        preference: int,
        random: Callable[[int], bytes],
    ) -> None:
        self._address = address
        self._preference = preference
        self._random = random
        self._listed: dict[IPv6Address, ListedHomeAgent] = {}
        self._timers: Timers[IPv6Address] = Timers()

    def __iter__(self) -> Iterator[ListedHomeAgent]:
        return iter(self._listed.values())

    @property
    def preference(self) -> int:
        return self._preference

    @property
    def deadline(self) -> float | None:
        return self._timers.deadline

    def expire(self, now: float) -> None:
        """Who has not advertised for its lifetime is not listed any more."""
        for link_local in self._timers.expire(now):
            del self._listed[link_local]

    def heard(
        self, source: IPv6Address, message: RouterAdvertisement, now: float
    ) -> None:
        """Take a Router Advertisement of the home link, valid by RFC 4861 §6.1.2."""
        said = next(
            (o for o in message.options if isinstance(o, HomeAgentInformation)), None
        )
        lifetime = message.router_lifetime if said is None else said.lifetime
        if not message.home_agent or not lifetime:
            if self._listed.pop(source, None) is not None:
                self._timers.stop(source)
            return
        former = self._listed.get(source)
        if former is None and len(self._listed) >= HOME_AGENTS_MAX:
            return
        addresses = list(former.addresses) if former else []
        for option in message.options:
            if (
                isinstance(option, PrefixInformation)
                and option.router_address
                and is_unicast_routable(option.prefix)
                and option.prefix not in addresses
            ):
                addresses.append(option.prefix)
        if self._address in addresses:
            return  # ourselves: a router daemon on this machine
        self._listed[source] = ListedHomeAgent(
            link_local=source,
            preference=0 if said is None else said.preference,
            expires=now + lifetime,
            # The newest stay: a home agent may be given others.
            addresses=tuple(addresses[-ADDRESSES_MAX:]),
            mobile_router_support=said is not None and said.mobile_router_support,
        )
        self._timers.set(source, now + lifetime)

    def forget(self, prefix: IPv6Network) -> None:
        """`prefix` is no longer valid: nor are the addresses in it (§10.1)."""
        for link_local, listed in self._listed.items():
            left = tuple(a for a in listed.addresses if a not in prefix)
            self._listed[link_local] = replace(listed, addresses=left)

    def reply(
        self, request: HomeAgentAddressDiscoveryRequest
    ) -> HomeAgentAddressDiscoveryReply:
        """The answer: the most preferred first, equals in an order drawn anew.

        Asked for home agents that support mobile routers it names those, if there is
        one; else all, and says so (RFC 3963 §7.2).
        """
        own: tuple[IPv6Address, ...] = (self._address,)
        listed = [(self._preference, own)]
        support = False
        if request.mobile_router_support:
            routers = [h for h in self if h.mobile_router_support]
            support = bool(routers)
            if support:
                listed = [(home.preference, home.addresses) for home in routers]
        if not support:
            listed += [(home.preference, home.addresses) for home in self]
        ordered = sorted((-preference, self._random(8), a) for preference, a in listed)
        addresses = [
            address
            for _, _, several in ordered
            for address in sorted(several, key=lambda _: self._random(8))
        ]
        return HomeAgentAddressDiscoveryReply(
            identifier=request.identifier,
            mobile_router_support=support,
            home_agent_addresses=tuple(addresses[:REPLIED_MAX]),
        )
