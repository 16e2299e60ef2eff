"""The prefixes of the home link, with lifetimes (§10.6.1): what home addresses may be
in, and what a mobile node away from home is told of."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import INFINITE_LIFETIME, PrefixInformation
from mip6.wire.record import record

PREFIXES_MAX = 32
"""In one Mobile Prefix Advertisement, which stays below the minimum MTU with ESP."""


@record(kw_only=True)
class HomePrefix:
    """A prefix as this home agent has it.

    Lifetimes stay as they are, or end at a moment, or both (RFC 4861 §6.2.1); the
    preferred one ends with the valid one at the latest.
    """

    network: IPv6Network
    valid_lifetime: float = inf
    """Seconds."""
    preferred_lifetime: float = inf
    valid_until: float = inf
    """Seconds of the boot clock."""
    preferred_until: float = inf
    on_link: bool = True
    autonomous_address_configuration: bool = True

    @property
    def ends(self) -> bool:
        """Whether any lifetime is not for ever."""
        return inf > min(
            self.valid_lifetime,
            self.preferred_lifetime,
            self.valid_until,
            self.preferred_until,
        )

    def valid(self, now: float) -> float:
        """Seconds that are left; 0 if it is over."""
        return max(0.0, min(self.valid_lifetime, self.valid_until - now))

    def preferred(self, now: float) -> float:
        """Seconds until it is deprecated; 0 if it is."""
        left = min(self.preferred_lifetime, self.preferred_until - now)
        return max(0.0, min(left, self.valid(now)))

    def option(self, now: float, router: IPv6Address) -> PrefixInformation:
        """As a Mobile Prefix Advertisement has it; with the R bit where `router`, our
        address, is in it (§7.2)."""
        ours = router in self.network
        return PrefixInformation(
            prefix=router if ours else self.network.network_address,
            prefix_length=self.network.prefixlen,
            valid_lifetime=_seconds(self.valid(now)),
            preferred_lifetime=_seconds(self.preferred(now)),
            on_link=self.on_link,
            autonomous_address_configuration=self.autonomous_address_configuration,
            router_address=ours,
        )


def _seconds(lifetime: float) -> int:
    return (
        min(int(lifetime), INFINITE_LIFETIME) if lifetime < inf else (INFINITE_LIFETIME)
    )


class HomePrefixes:
    """Our own prefixes, and others that other home agents advertise on the home link.

    Home addresses are in our own only: who is believed about those is the
    configuration, not whoever can send a Router Advertisement.
    """

    def __init__(self, own: Iterable[HomePrefix]) -> None:
        self._own = {prefix.network: prefix for prefix in own}
        self._heard: dict[IPv6Network, HomePrefix] = {}
        # Once ours: whoever has not heard yet that they ended is told so, and nobody
        # else's advertisement brings them back.
        self._over: dict[IPv6Network, None] = {}
        self.deadline: float | None = None
        """When the next one is over."""
        self._masks: list[tuple[int, int, HomePrefix]] = []
        self._look()

    def __iter__(self) -> Iterator[HomePrefix]:
        """Our own, and then those of others."""
        yield from self._own.values()
        yield from self._heard.values()

    @property
    def own(self) -> tuple[IPv6Network, ...]:
        return tuple(self._own)

    @property
    def heard_from_others(self) -> tuple[HomePrefix, ...]:
        return tuple(self._heard.values())

    def restore(self, heard: Iterable[HomePrefix], now: float) -> None:
        """What an earlier process has heard, as far as it is not over."""
        for prefix in heard:
            known = prefix.network in self._own or prefix.network in self._heard
            if known or prefix.valid_until <= now or self._full:
                continue
            self._heard[prefix.network] = prefix
        self._look()

    def find(self, address: IPv6Address) -> HomePrefix | None:
        """The prefix of ours that `address` is in; the longest."""
        value = int(address)
        for mask, network, prefix in self._masks:
            if value & mask == network:
                return prefix
        return None

    def change(self, own: Iterable[HomePrefix]) -> bool:
        """Our prefixes are these from now on; whether anything is new."""
        before = self._own
        self._own = {prefix.network: prefix for prefix in own}
        for network in self._own:
            self._heard.pop(network, None)
            self._over.pop(network, None)
        for network in before:
            if network not in self._own:
                self._end(network)
        self._look()
        return before != self._own

    def heard(self, message: RouterAdvertisement, now: float) -> bool:
        """Take what another home agent advertises; whether that is news."""
        news = False
        for option in message.options:
            if not isinstance(option, PrefixInformation) or not option.on_link:
                continue
            network = option.network
            if network.is_link_local or network in self._own or network in self._over:
                continue
            former = self._heard.pop(network, None)
            if not option.valid_lifetime:
                news |= former is not None
                continue
            if self._full:
                continue
            self._heard[network] = HomePrefix(
                network=network,
                valid_until=_moment(option.valid_lifetime, now),
                preferred_until=_moment(option.preferred_lifetime, now),
                on_link=option.on_link,
                autonomous_address_configuration=(
                    option.autonomous_address_configuration
                ),
            )
            news |= former is None
        self._look()
        return news

    def expire(self, now: float) -> list[IPv6Network]:
        """The networks that are not valid any more; they are gone."""
        over = [prefix.network for prefix in self if prefix.valid_until <= now]
        for network in over:
            self._heard.pop(network, None)
            if self._own.pop(network, None):
                self._end(network)
        self._look()
        return over

    def options(self, now: float, router: IPv6Address) -> tuple[PrefixInformation, ...]:
        """The whole list (§10.6.2); ours that are over come last, with lifetimes of 0,
        for who was told of them before."""
        over = (HomePrefix(network=network, valid_lifetime=0) for network in self._over)
        listed = tuple(prefix.option(now, router) for prefix in (*self, *over))
        return listed[:PREFIXES_MAX]

    def _end(self, network: IPv6Network) -> None:
        """One of ours is over; the latest of them are kept."""
        self._over[network] = None
        if len(self._over) > PREFIXES_MAX:
            del self._over[next(iter(self._over))]

    @property
    def _full(self) -> bool:
        return len(self._own) + len(self._heard) >= PREFIXES_MAX

    def _look(self) -> None:
        """Keep what is asked for with every packet."""
        longest_first = sorted(self._own.values(), key=lambda p: -p.network.prefixlen)
        self._masks = [
            (int(p.network.netmask), int(p.network.network_address), p)
            for p in longest_first
        ]
        ends = min((prefix.valid_until for prefix in self), default=inf)
        self.deadline = None if ends == inf else ends


def _moment(lifetime: int, now: float) -> float:
    return inf if lifetime == INFINITE_LIFETIME else now + lifetime
