"""Mobile Prefix Discovery at the mobile node (§11.4.2, §11.4.3): which prefixes its
home link has, and for how long, by the word of its home agent."""

from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from mip6.wire.neighbor_options import PrefixInformation

from .link import Prefix, learn
from .packet import Packet
from .registration import MAX_BINDACK_TIMEOUT, Registration
from .whereabouts import Whereabouts

INITIAL_SOLICIT_TIMER = 3.0
"""Seconds until a solicitation is repeated for the first time (§12)."""
TRIES = 6
"""Solicitations without an answer; then this home agent has none."""
RESPITE = 3600.0
"""Seconds for which that is believed, unless it says otherwise."""
APART = 1.0
"""Seconds after an advertisement in which the home agent sends no other (§6.8)."""
SHARE = 0.75
"""Part of what is left of a lifetime after which it is asked for anew."""


class PrefixSolicitation:
    """What is known of the home link's prefixes, and what is asked about them.

    enabled: else nothing is asked and nothing is believed (RFC 4285 §2).
    random: that many random octets.
    """

    def __init__(
        self,
        home_address: IPv6Address,
        *,
        enabled: bool,
        random: Callable[[int], bytes],
    ) -> None:
        self._home_addresses: tuple[IPv6Address, ...] = (home_address,)
        self.asks_for = home_address
        """The one that asks: an advertisement for any of them wants its own answer."""
        self._enabled = enabled
        self._random = random
        self._prefixes: dict[IPv6Network, Prefix] = {}
        self._identifier: int | None = None
        # Of the last solicitation, while none has answered it.
        self._sent = 0
        self._send_at = inf
        self._ask_at = -inf
        # When there is reason to ask, without anybody's word.
        self._may_send = False

    @property
    def home_address(self) -> IPv6Address:
        """The one for new connections; the lifetimes of its prefix tell when to ask."""
        return self._home_addresses[0]

    @property
    def prefixes(self) -> tuple[Prefix, ...]:
        """As the home agent told them last."""
        return tuple(self._prefixes.values())

    @property
    def deadline(self) -> float:
        """When `update` has something to send; inf for never."""
        if not (self._enabled and self._may_send):
            return inf
        return self._send_at if self._asking else self._ask_at

    def valid_until(self, home_address: IPv6Address) -> float:
        """When a home address ends with its prefix; inf if nobody said."""
        found = self._find(home_address)
        return found.valid_until if found else inf

    def preferred_until(self, home_address: IPv6Address) -> float:
        """When it is not for new connections any more; inf if nobody said."""
        found = self._find(home_address)
        return found.preferred_until if found else inf

    def usable(self, now: float) -> list[IPv6Network]:
        """Those in which home addresses may be formed."""
        return [
            network
            for network, prefix in self._prefixes.items()
            if prefix.autonomous and prefix.preferred_until > now
        ]

    def forget(self, network: IPv6Network) -> None:
        """It is none of the home link's, until somebody says so again."""
        self._prefixes.pop(network, None)

    def renumbered(self, home_addresses: tuple[IPv6Address, ...]) -> None:
        """These are the home addresses now, the one for new connections first."""
        self._home_addresses = home_addresses
        if self.asks_for not in home_addresses:
            self.asks_for = self.home_address

    def registered(self, now: float, *, necessary: bool) -> None:
        """The home agent has accepted a registration; `necessary`: with status 1, which
        says that the prefixes change (§11.7.3)."""
        if necessary and not self._asking:
            self._ask(now)

    def update(self, at: Whereabouts, now: float) -> Packet | None:
        """The solicitation to send now, if one is due; only a registered mobile node
        away from home has an answer to expect (§10.6.2)."""
        self._may_send = at.confirmed and not (at.at_home or at.stopping)
        if now < self.deadline:
            return None
        if not self._asking:
            self._ask(now)
        elif self._sent == TRIES:
            self._identifier, self._send_at = None, inf
            self._ask_at = now + RESPITE
            return None
        if self._identifier is None:
            self._identifier = int.from_bytes(self._random(2))
        # Else nothing would be confirmed.
        assert at.care_of_address is not None and at.home_agent is not None
        wait = min(INITIAL_SOLICIT_TIMER * 2**self._sent, MAX_BINDACK_TIMEOUT)
        self._sent += 1
        self._send_at = now + wait
        return Packet(
            source=at.care_of_address,
            destination=at.home_agent,
            home_address=self.asks_for,
            message=MobilePrefixSolicitation(identifier=self._identifier),
            link=at.link,
        )

    def receive(
        self,
        packet: Packet,
        message: MobilePrefixAdvertisement,
        registration: Registration,
        now: float,
    ) -> str:
        """Take a Mobile Prefix Advertisement in; the reason if it is ignored, or ""."""
        if not self._enabled:
            return "prefix_discovery_off"
        if reason := registration.not_from_home_agent(packet):
            return reason
        if packet.routing_address is None:
            return "no_routing_header"
        if message.identifier != self._identifier:
            if not self._asking:
                # It wants to tell something: the question that it must be an answer
                # to, when the home agent may send again.
                self._ask(now + APART)
                self.asks_for = packet.target
            return "unsolicited_advertisement"
        self._identifier, self._send_at = None, inf
        for option in message.options:
            if isinstance(option, PrefixInformation):
                self._learn(option, now)
        for network, prefix in list(self._prefixes.items()):
            if prefix.valid_until <= now and not self._lived_in(network):
                del self._prefixes[network]
        self._ask_at = self._doubtful_at(now)
        return ""

    def _learn(self, option: PrefixInformation, now: float) -> None:
        """By an authenticated word a prefix may end at once (RFC 4862 §5.5.3 (e)), and
        then it is remembered as long as a home address of ours is in it."""
        network = option.network
        if option.valid_lifetime == 0:
            self._prefixes[network] = Prefix(
                network=network, autonomous=False, valid_until=now, preferred_until=now
            )
        else:
            learn(self._prefixes, option, now)

    def _lived_in(self, network: IPv6Network) -> bool:
        return any(address in network for address in self._home_addresses)

    @property
    def _asking(self) -> bool:
        return self._send_at < inf

    def _ask(self, at: float) -> None:
        self._identifier, self._sent, self._send_at = None, 0, at
        self.asks_for = self.home_address

    def _doubtful_at(self, now: float) -> float:
        """When most of what was left of the home address's prefix has passed: the
        preferred lifetime first, then the valid one (§11.4.2)."""
        found = self._find(self.home_address)
        if found is None:
            return inf
        ends = [at for at in (found.preferred_until, found.valid_until) if at > now]
        left = min(ends, default=inf) - now
        return inf if left == inf else now + max(left * SHARE, INITIAL_SOLICIT_TIMER)

    def _find(self, home_address: IPv6Address) -> Prefix | None:
        fitting = (p for p in self._prefixes.values() if home_address in p.network)
        return max(fitting, key=lambda p: p.network.prefixlen, default=None)
