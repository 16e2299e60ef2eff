"""A router that advertises itself on links where mobile nodes are (§7.5, §8.3; RFC 4861
§6.2), as an access router or beside a home agent."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv6Interface

from mip6.wire.neighbor_discovery import RouterAdvertisement, RouterSolicitation
from mip6.wire.neighbor_options import (
    AdvertisementInterval,
    HomeAgentInformation,
    NeighborOption,
    PrefixInformation,
    SourceLinkLayerAddress,
)
from mip6.wire.record import record

from .effects import Effect, Notify, Send
from .events import Dropped
from .link import Link
from .neighbor_discovery import ALL_NODES, HOP_LIMIT
from .packet import Packet
from .prefixes import HomePrefix
from .state import State

INTERVAL_MAX = 600.0
"""MaxRtrAdvInterval where nobody says otherwise, seconds (RFC 4861 §6.2.1)."""
INTERVAL_MAX_LEAST, INTERVAL_MIN_LEAST = 0.07, 0.03
"""The shortest that may be configured, seconds (§7.5)."""
MIN_DELAY_BETWEEN_RAS = 3.0
"""Seconds between two that are multicast, where nobody says otherwise (RFC 4861 §10);
0.03 at the least (§12)."""
MAX_RA_DELAY_TIME = 0.5
"""Seconds that an answer waits at most, so that many are answered at once."""
MAX_INITIAL_RTR_ADVERT_INTERVAL = 16.0
MAX_INITIAL_RTR_ADVERTISEMENTS = 3
ADVERTISED_LIFETIME_MAX = 9000
"""Seconds of the longest Router Lifetime (RFC 4861 §6.2.1)."""
SCHEDULING_ALLOWANCE = 20
"""Milliseconds added to an advertised interval below `SHORT_INTERVAL` (§7.5)."""
SHORT_INTERVAL = 200


@record(kw_only=True)
class Advertising:
    """What is advertised on one link, and how often.

    Raises `ValueError` for what §7 or RFC 4861 §6.2.1 does not allow.
    """

    link: str
    addresses: tuple[IPv6Interface, ...]
    """The router's own, with the length of their prefixes: both are advertised (R bit),
    always all of them in the same order."""
    interval_max: float = INTERVAL_MAX
    """MaxRtrAdvInterval, seconds."""
    interval_min: float | None = None
    """MinRtrAdvInterval, seconds; None: a third of the other."""
    delay_min: float | None = None
    """MinDelayBetweenRas, seconds, which answers keep too; None: that of RFC 4861, or
    `interval_min` where that is shorter."""
    unsolicited: bool = True
    """If not, advertisements are only answers (§7.5)."""
    interval_told: bool = True
    """With the Advertisement Interval option (§7.3)."""
    lifetime: int | None = None
    """Router Lifetime, seconds; 0: no default router; None: three intervals."""
    valid_lifetime: int = 2_592_000
    """Seconds, of the prefixes."""
    preferred_lifetime: int = 604_800
    home_prefixes: tuple[HomePrefix, ...] = ()
    """What the home agent tells mobile nodes of these they hear at home too, in place
    of the two above (§10.6.1)."""
    home_agent: bool = False
    """With the H bit."""
    home_agent_preference: int = 0
    home_agent_lifetime: int | None = None
    """Seconds; None: the Router Lifetime."""

    def __post_init__(self) -> None:
        if not self.addresses:
            raise ValueError(f"{self.link}: no address, and so no prefix with it (7.2)")
        if not INTERVAL_MAX_LEAST <= self.interval_max <= 1800:
            raise ValueError(f"interval_max is {INTERVAL_MAX_LEAST} to 1800 seconds")
        if self.interval_min is not None and not (
            INTERVAL_MIN_LEAST <= self.interval_min <= self.interval_max
        ):
            raise ValueError(
                f"interval_min is {INTERVAL_MIN_LEAST} seconds to interval_max"
            )
        if self.delay < INTERVAL_MIN_LEAST:
            raise ValueError(f"delay_min is at least {INTERVAL_MIN_LEAST} seconds")
        if not 0 <= self.router_lifetime <= ADVERTISED_LIFETIME_MAX:
            raise ValueError(f"lifetime is 0 to {ADVERTISED_LIFETIME_MAX} seconds")
        if self.preferred_lifetime > self.valid_lifetime:
            raise ValueError("preferred_lifetime is longer than valid_lifetime")
        if self.home_agent and not 0 < self.serves_for <= 0xFFFF:
            raise ValueError("home_agent_lifetime is 1 to 65535 seconds (7.4)")
        if not 0 <= self.home_agent_preference <= 0xFFFF:
            raise ValueError("home_agent_preference has 16 bits")

    @property
    def intervals(self) -> tuple[float, float]:
        """Between one and the next, at least and at most, seconds."""
        if self.interval_min is not None:
            return self.interval_min, self.interval_max
        return max(0.33 * self.interval_max, INTERVAL_MIN_LEAST), self.interval_max

    @property
    def delay(self) -> float:
        """Between any two, seconds."""
        if self.delay_min is not None:
            return self.delay_min
        return min(MIN_DELAY_BETWEEN_RAS, self.intervals[0])

    @property
    def router_lifetime(self) -> int:
        """Seconds; never 0 by a short interval alone (§7.5)."""
        if self.lifetime is not None:
            return self.lifetime
        return max(1, int(3 * self.interval_max))

    @property
    def serves_for(self) -> int:
        """The Home Agent Lifetime, seconds."""
        if self.home_agent_lifetime is not None:
            return self.home_agent_lifetime
        return self.router_lifetime

    @property
    def information(self) -> tuple[int, int] | None:
        """Preference and lifetime in the Home Agent Information option; None without
        one, which is left out where it would say nothing new (§7.4)."""
        preference, lifetime = self.home_agent_preference, self.serves_for
        told = preference or lifetime != self.router_lifetime
        return (preference, lifetime) if self.home_agent and told else None

    @property
    def interval_ms(self) -> int:
        """What the Advertisement Interval option says: a little more than is true where
        so little would be lost in the scheduling of either end (§7.5)."""
        interval = round(self.interval_max * 1000)
        return interval + SCHEDULING_ALLOWANCE * (interval < SHORT_INTERVAL)

    def prefix(self, address: IPv6Interface, now: float) -> PrefixInformation:
        """What is said of the prefix of one of our addresses (§7.2)."""
        for home_prefix in self.home_prefixes:
            if home_prefix.network == address.network:
                return home_prefix.option(now, address.ip)
        return PrefixInformation(
            prefix=address.ip,
            prefix_length=address.network.prefixlen,
            valid_lifetime=self.valid_lifetime,
            preferred_lifetime=self.preferred_lifetime,
            on_link=True,
            autonomous_address_configuration=True,
            router_address=True,
        )

    def message(
        self, link: Link, now: float, *, ceasing: bool = False
    ) -> RouterAdvertisement:
        """`ceasing`: it is a router, and a home agent, no longer (RFC 4861 §6.2.5)."""
        options: list[NeighborOption] = [
            SourceLinkLayerAddress(link.link_layer_address)
        ]
        options += (self.prefix(address, now) for address in self.addresses)
        if self.interval_told:
            options.append(AdvertisementInterval(self.interval_ms))
        if self.information is not None and not ceasing:
            preference, lifetime = self.information
            options.append(
                HomeAgentInformation(preference=preference, lifetime=lifetime)
            )
        return RouterAdvertisement(
            router_lifetime=0 if ceasing else self.router_lifetime,
            cur_hop_limit=64,
            home_agent=self.home_agent and not ceasing,
            options=tuple(options),
        )


@dataclass(slots=True)
class _Sending:
    """One link that is up: when the next one leaves."""

    link: Link
    next_at: float | None
    initial: int = MAX_INITIAL_RTR_ADVERTISEMENTS
    sent_at: float | None = None


class AdvertisingRouter:
    """Sends Router Advertisements, and answers Router Solicitations with them.

    All are multicast, and many solicitations have one answer.  A link is used while it
    is up and has a link-local address that is ours for certain.

    random: `random(n)` gives n unpredictable octets.
    """

    def __init__(
        self, advertising: Iterable[Advertising], *, random: Callable[[int], bytes]
    ) -> None:
        self._advertising = {one.link: one for one in advertising}
        self._random = random
        self._sending: dict[str, _Sending] = {}

    @property
    def links(self) -> tuple[str, ...]:
        return tuple(self._advertising)

    @property
    def deadline(self) -> float | None:
        times = [s.next_at for s in self._sending.values() if s.next_at is not None]
        return min(times, default=None)

    @property
    def installed(self) -> set[State]:
        return set()

    def failed(self, state: State, now: float) -> list[Effect]:
        """No kernel state is ours."""
        return []

    def link_up(self, link: Link, now: float) -> list[Effect]:
        """A link is up, or what is known of it has changed."""
        advertising = self._advertising.get(link.name)
        if advertising is None or link.link_local is None:
            return self.link_down(link.name, now)
        sending = self._sending.get(link.name)
        if sending is not None:
            sending.link = link
        else:
            first = now if advertising.unsolicited else None
            self._sending[link.name] = _Sending(link, first)
        return []

    def link_down(self, name: str, now: float) -> list[Effect]:
        self._sending.pop(name, None)
        return []

    def stop(self, now: float) -> list[Effect]:
        """The last words: this is no router any more."""
        sending, self._sending = self._sending, {}
        return [self._send(s, now, ceasing=True) for s in sending.values()]

    def renumber(
        self, home_prefixes: tuple[HomePrefix, ...], now: float
    ) -> list[Effect]:
        """This is known of the home link's prefixes from now on; those on the link are
        told soon, and three times (RFC 4861 §6.2.4)."""
        for name, advertising in self._advertising.items():
            if not advertising.home_agent or advertising.home_prefixes == home_prefixes:
                continue
            self._advertising[name] = replace(advertising, home_prefixes=home_prefixes)
            sending = self._sending.get(name)
            if sending is not None and sending.next_at is not None:
                sending.initial = MAX_INITIAL_RTR_ADVERTISEMENTS
                last = now if sending.sent_at is None else sending.sent_at
                soon = max(now, last + advertising.delay)
                sending.next_at = min(sending.next_at, soon)
        return []

    def receive(self, packet: Packet, now: float) -> list[Effect]:
        sending = self._sending.get(packet.link or "")
        if not isinstance(packet.message, RouterSolicitation) or sending is None:
            return [Notify(Dropped("not_advertising", "8.3", packet.source))]
        advertising = self._advertising[sending.link.name]
        at = now + self._chance(0.0, MAX_RA_DELAY_TIME)
        if sending.sent_at is not None:
            at = max(at, sending.sent_at + advertising.delay)
        if sending.next_at is None or at < sending.next_at:
            sending.next_at = at
        return []

    def tick(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for sending in self._sending.values():
            if sending.next_at is None or sending.next_at > now:
                continue
            effects.append(self._send(sending, now))
            sending.sent_at = now
            sending.next_at = self._next(sending, now)
        return effects

    def _next(self, sending: _Sending, now: float) -> float | None:
        advertising = self._advertising[sending.link.name]
        if not advertising.unsolicited:
            return None
        wait = self._chance(*advertising.intervals)
        if sending.initial:
            sending.initial -= 1
            wait = min(wait, MAX_INITIAL_RTR_ADVERT_INTERVAL)
        return now + max(wait, advertising.delay)

    def _send(self, sending: _Sending, now: float, *, ceasing: bool = False) -> Send:
        link = sending.link
        assert link.link_local is not None
        message = self._advertising[link.name].message(link, now, ceasing=ceasing)
        return Send(
            Packet(
                source=link.link_local,
                destination=ALL_NODES,
                hop_limit=HOP_LIMIT,
                link=link.name,
                message=message,
            )
        )

    def _chance(self, least: float, most: float) -> float:
        share = int.from_bytes(self._random(4)) / 0xFFFF_FFFF
        return least + (most - least) * share
