"""Mobile Prefix Discovery at the home agent (§10.6): answers, and what is new."""

from collections.abc import Iterable
from ipaddress import IPv6Address

from mip6.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation

from .binding_cache import EXPIRED_MAX, Binding, BindingCache
from .effects import Effect, Notify, Send
from .events import PrefixesTold
from .home_updates import dropped
from .packet import Packet
from .prefix_delivery import PrefixDelivery, Round
from .prefixes import HomePrefixes
from .timers import earliest

SETTLED = 10.0
"""Seconds that changes are gathered: who sends Router Advertisements on the home link
must not make us go through a million bindings for each."""


class PrefixDiscovery:
    """address: the home agent's.

    delivery: None answers nobody and tells nobody anything.
    """

    def __init__(
        self,
        address: IPv6Address,
        prefixes: HomePrefixes,
        cache: BindingCache,
        delivery: PrefixDelivery | None,
    ) -> None:
        self._address = address
        self._prefixes = prefixes
        self._cache = cache
        self._delivery = delivery
        self._round = Round(EXPIRED_MAX)
        self._round_at: float | None = None

    @property
    def deadline(self) -> float | None:
        delivery = self._delivery
        if delivery is None:
            return None
        again = self._round_at if len(self._cache) else None
        return earliest(delivery.deadline, self._round.deadline, again)

    def solicited(
        self, packet: Packet, message: MobilePrefixSolicitation, now: float
    ) -> list[Effect]:
        """A bound mobile node asks: the answer, at once or, where it has got one just
        now, when `tick` comes by it (§6.8)."""
        delivery = self._delivery
        if delivery is None:
            return [Notify(dropped("prefix_discovery_off", "8.4", packet))]
        replaced = delivery.ask(packet.origin, message.identifier, now)
        effects = self._deliver(now)
        if replaced:
            effects.append(Notify(dropped("rate", "6.8", packet)))
        return effects

    def changed(self, now: float) -> None:
        """The list of prefixes is another: everybody is told, not at once."""
        if self._delivery is not None:
            at = now + SETTLED
            self._round_at = at if self._round_at is None else min(self._round_at, at)

    def registered(self, binding: Binding, now: float) -> None:
        """A binding was made or renewed."""
        delivery = self._delivery
        if delivery is None:
            return
        if self._round_at is None:
            self._round_at = now + delivery.interval_max
        if len(delivery):
            delivery.resume(binding.home_address, now)

    def ended(self, home_address: IPv6Address) -> None:
        """A binding is gone, and what was to be sent with it."""
        if self._delivery is not None and len(self._delivery):
            self._delivery.end(home_address)

    def tick(self, now: float) -> list[Effect]:
        delivery = self._delivery
        if delivery is None:
            return []
        effects: list[Effect] = []
        if self._round_at is not None and self._round_at <= now:
            # Nobody goes without for longer than a round, and the wait in it.
            self._round_at = now + delivery.interval_max if len(self._cache) else None
            self._round.begin([b.home_address for b in self._cache], now)
            told = tuple(prefix.network for prefix in self._prefixes)
            effects.append(Notify(PrefixesTold(told)))
        for binding in self._bound(self._round.part()):
            prefix = self._prefixes.find(binding.home_address)
            if prefix is not None:
                delivery.schedule(binding.home_address, prefix.preferred(now), now)
        return effects + self._deliver(now)

    def _deliver(self, now: float) -> list[Effect]:
        """What is due to be sent."""
        assert self._delivery is not None
        return [
            self._advertise(home_address, binding.care_of_address, identifier, now)
            for home_address, identifier in self._delivery.due(now)
            if (binding := self._cache.find(home_address)) is not None
        ]

    def _bound(self, home_addresses: Iterable[IPv6Address]) -> Iterable[Binding]:
        return [b for a in home_addresses if (b := self._cache.find(a)) is not None]

    def _advertise(
        self,
        home_address: IPv6Address,
        destination: IPv6Address,
        identifier: int,
        now: float,
    ) -> Send:
        """§10.6.3.  M and O stay clear: no DHCPv6 passes the tunnel (§10.4.4)."""
        return Send(
            Packet(
                source=self._address,
                destination=destination,
                routing_address=home_address,
                message=MobilePrefixAdvertisement(
                    identifier=identifier,
                    options=self._prefixes.options(now, self._address),
                ),
            )
        )
