"""Where a mobile node could be attached (§11.5): its links, the routers heard there,
and the care-of addresses their prefixes give.

`ManagedLink` is everything known about one link that is up.  It only learns and
answers; what follows from a change is the mobile node's business.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    RouterAdvertisement,
    RouterSolicitation,
)
from mip6.wire.neighbor_options import (
    AdvertisementInterval,
    CaptivePortal,
    PrefixInformation,
    RecursiveDnsServers,
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
)

from . import memory
from .link import (
    PREFIXES_MAX,
    Attachment,
    Link,
    Prefix,
    Router,
    interface_identifier,
    learn,
    learn_name_servers,
)
from .memory import Place
from .packet import Packet
from .reputation import Reputation, Way

SOLICITATION_FIRST = 0.5
"""Seconds to the second Router Solicitation, doubling from there.  RFC 4861 §6.3.7 has
4 s and gives up after three; a moving node has neither time (§11.5.1)."""
DOUBLINGS = 6
SOLICITATION_MAX = SOLICITATION_FIRST * 2**DOUBLINGS

UNHEARD = 4
"""Router Solicitations without an answer, after which that is told: 3.5 seconds."""

MISSED_MAX = 3
"""Advertisement Intervals (§7.3) without an advertisement before we ask."""
ANSWER_TIME = 1.0
"""Seconds a router has to answer that advertises its interval: RFC 4861 lets it take
0.5 s, and the first solicitation may be lost."""
ANSWER_TIME_SLOW = 4.5
"""The same for other routers: they may keep 3 s between multicast advertisements."""

ROUTERS_MAX = 16
UNRESTRICTED = b"urn:ietf:params:capport:unrestricted"
"""There is no portal (RFC 8910 §2)."""
CONFLICTS_MAX = 3
"""Duplicates after which a link is left alone (IDGEN_RETRIES, RFC 7217)."""

UNSPECIFIED = IPv6Address("::")
ALL_NODES = IPv6Address("ff02::1")
ALL_ROUTERS = IPv6Address("ff02::2")


class ManagedLink:
    """One link that is up, and what was heard on it."""

    def __init__(
        self,
        link: Link,
        home_prefix: IPv6Network,
        home_agent: IPv6Address | None,
        random: Callable[[int], bytes],
        now: float,
        *,
        never_return_home: bool = False,
        remembered: tuple[Place, ...] = (),
    ) -> None:
        self.link = link
        self.routers: dict[IPv6Address, Router] = {}
        self.conflicts = 0
        self.home_agent = home_agent
        self.home_prefixes: tuple[IPv6Network, ...] = (home_prefix,)
        self._random = random
        self._never_return_home = never_return_home
        self.captive_portal = b""
        """Where one has to log in, as a router says (RFC 8910)."""
        self._reputation = Reputation()
        self._current: tuple[IPv6Address, IPv6Network] | None = None
        self._unique: set[IPv6Address] = set()
        try:
            self._identifier = interface_identifier(link.link_layer_address)
        except ValueError:
            self._identifier = random(8)
        self._remembered = remembered
        self._probed = False
        self._asked = 0
        self._asked_at = -inf
        self._ask_at = now
        self._answer_by = inf
        self._now = now

    def probes(self) -> list[Packet]:
        """Questions to the routers that were here before, once there is a source for
        them (RFC 6059 §5.5.2)."""
        if self._probed or self.link.link_local is None:
            return []
        self._probed = True
        return [memory.probe(place, self.link) for place in self._remembered]

    def confirmed(self, packet: Packet, message: NeighborAdvertisement) -> bool:
        """A router that was here before is here again, and its addresses with it.

        What it advertises now counts more than what it once did: RFC 6059 §5.7.3.
        """
        place = memory.answered(self._remembered, packet, message)
        if place is None or place.router.address in self.routers:
            return False
        if len(self.routers) == ROUTERS_MAX:
            return False
        router = place.again(self._now)
        self.routers[router.address] = router
        self._identifier = place.identifier
        self._unique |= place.unique
        if place.proven:
            self._reputation.answered(_way(router))
        return True

    def places(self) -> list[Place]:
        """What is worth remembering of this link: the router in use, and those by which
        the home agent was reached."""
        worth = [
            router
            for router in self.routers.values()
            if not router.silent
            and router.link_layer_address is not None
            and (router is self._used or self._reputation.proven(_way(router)))
        ]
        return [
            Place(
                router,
                self._identifier,
                frozenset(self._unique),
                self._reputation.proven(_way(router)),
            )
            for router in worth
        ]

    def hint(self, now: float) -> None:
        """The link may have changed without going down: see who is there (§11.5.1)."""
        self._ask(now)

    def lost(self, address: IPv6Address, now: float) -> bool:
        """A neighbour is unreachable; True if it is the router in use."""
        used = self._used
        if used is None or used.address != address or used.silent:
            return False
        self._ask(now)
        return True

    def heard(self, packet: Packet, message: RouterAdvertisement, now: float) -> str:
        """Learn from a Router Advertisement; the reason if it was ignored, or ""."""
        address = packet.source
        router = self.routers.get(address)
        if message.router_lifetime == 0:
            self.routers.pop(address, None)
            return ""
        link_layer_address, interval = self._described(message)
        if router and link_layer_address not in (None, router.link_layer_address):
            # Another router with the same link-local address (§11.5.1).
            router = None
        if address not in self.routers and len(self.routers) == ROUTERS_MAX:
            proven = self._reputation.proven((address, link_layer_address))
            if not self._make_room(proven, now):
                return "too_many_routers"
        prefixes = {p.network: p for p in router.prefixes} if router else {}
        addresses = set(router.addresses) if router else set()
        name_servers = router.name_servers if router else ()
        for option in message.options:
            if isinstance(option, CaptivePortal):
                self.captive_portal = option.uri.replace(UNRESTRICTED, b"")
            if isinstance(option, RecursiveDnsServers):
                name_servers = learn_name_servers(name_servers, option, now)
            if not isinstance(option, PrefixInformation):
                continue
            if option.router_address and len(addresses) < PREFIXES_MAX:
                addresses.add(option.prefix)
            learn(prefixes, option, now)
        self.routers[address] = Router(
            address=address,
            link_layer_address=link_layer_address
            or (router.link_layer_address if router else None),
            home_agent=message.home_agent,
            addresses=tuple(sorted(addresses)),
            preference=message.default_router_preference,
            expires=now + message.router_lifetime,
            quiet_at=now + MISSED_MAX * interval,
            prefixes=tuple(prefixes.values()),
            name_servers=name_servers,
        )
        if self._current is None or self._current[0] == address:
            self._ask_at = self._answer_by = inf
        elif router is None:
            # A newcomer: has the router we use gone, or have they met on this link?
            self._ask(now)
        return ""

    def _described(self, message: RouterAdvertisement) -> tuple[bytes | None, float]:
        """The router's link-layer address, and the seconds between advertisements."""
        link_layer_address: bytes | None = None
        interval = inf
        for option in message.options:
            match option:
                case SourceLinkLayerAddress():
                    # Links other than Ethernet pad it; ours tells how long it is.
                    length = len(self.link.link_layer_address)
                    link_layer_address = option.link_layer_address[:length]
                case AdvertisementInterval() if option.advertisement_interval:
                    interval = option.advertisement_interval / 1000
        return link_layer_address, interval

    def checked(self, address: IPv6Address, unique: bool) -> bool:
        """The outcome of duplicate address detection; True if it was ours to lose."""
        if unique:
            self._unique.add(address)
            return False
        if self._identifier != address.packed[8:]:
            return False
        self.conflicts += 1
        self._identifier = self._random(8)
        return True

    def update(self, now: float) -> bool:
        """Forget what has expired; True if a Router Solicitation is to be sent now."""
        self._now = now
        for address, router in list(self.routers.items()):
            if router.expires <= now:
                del self.routers[address]
            elif any(prefix.valid_until <= now for prefix in router.prefixes):
                left = tuple(p for p in router.prefixes if p.valid_until > now)
                self.routers[address] = replace(router, prefixes=left)
        used = self._used
        if used is None:
            self._answer_by = inf
            if self._ask_at == inf and not self.routers:
                self._ask(now)
        elif not used.silent:
            if self._answer_by <= now:
                self.routers[used.address] = replace(used, silent=True)
                self._answer_by = inf
            elif used.quiet_at <= now and self._answer_by == inf:
                self._ask(now)
        if self._ask_at > now:
            return False
        # The exponent has a bound of its own: a link can be silent for days.
        self._ask_at = now + SOLICITATION_FIRST * 2 ** min(self._asked, DOUBLINGS)
        self._asked += 1
        self._asked_at = now
        return True

    @property
    def deadline(self) -> float:
        """When `update` must be called next; inf for never."""
        return min((at for at in self._moments() if at > self._now), default=inf)

    def solicitation(self) -> Packet:
        """A Router Solicitation; from the unspecified address, and then without our
        link-layer address, while the link-local one is not ours for certain."""
        source = self.link.link_local
        address = self.link.link_layer_address
        option = SourceLinkLayerAddress(address) if len(address) % 8 == 6 else None
        return Packet(
            source=source or UNSPECIFIED,
            destination=ALL_ROUTERS,
            message=RouterSolicitation(options=(option,) if source and option else ()),
            hop_limit=255,
            link=self.link.name,
        )

    def announcements(self, home_address: IPv6Address) -> list[Packet]:
        """Home again: every node on the link learns that the addresses are ours, not
        the home agent's (§11.5.5)."""
        octets = self.link.link_layer_address
        # Only what fills the option can be said in it: 6 octets, 14, 22 …
        options = (TargetLinkLayerAddress(octets),) if len(octets) % 8 == 6 else ()
        return [
            Packet(
                source=address,
                destination=ALL_NODES,
                message=NeighborAdvertisement(
                    target_address=address, override=True, options=options
                ),
                hop_limit=255,
                link=self.link.name,
            )
            for address in (home_address, self.link.link_local)
            if address is not None
        ]

    def attachment(self, now: float) -> Attachment | None:
        """The best way to be attached here, and from now on the current one.

        The router in use stays while it answers (§11.5.1), and so does its prefix
        while it is preferred; the home link goes before both (§11.5.2).
        """
        best: tuple[Router, Prefix] | None = None
        best_rank: tuple[float, ...] = ()
        if self.conflicts < CONFLICTS_MAX:
            for router, prefix in self._candidates():
                is_router = bool(self._current and self._current[0] == router.address)
                is_prefix = bool(self._current and self._current[1] == prefix.network)
                preferred = prefix.preferred_until > now
                at_home = prefix.network in self.home_prefixes
                if not at_home and not preferred and not (is_router and is_prefix):
                    continue
                way = _way(router)
                rank = (
                    not router.silent,
                    -self._reputation.distrusted_at(way, now),
                    at_home,
                    self._reputation.proven(way),
                    is_router,
                    preferred,
                    is_prefix,
                    router.preference > 0,
                    router.preference >= 0,
                )
                if rank > best_rank:
                    best, best_rank = (router, prefix), rank
        if best is None:
            self._current = None
            return None
        router, prefix = best
        if self._current is None or self._current[0] != router.address:
            # Somebody answers: no more questions, whoever they were about.
            self._answer_by = inf
            if router.silent:
                self._ask_at = self._now + SOLICITATION_MAX
            elif not self._is_remembered(router):
                self._ask_at = inf
        self._current = (router.address, prefix.network)
        return self._attached(router, prefix)

    def knows(self, network: IPv6Network) -> bool:
        """Whether some router still advertises this prefix."""
        prefixes = (p for router in self.routers.values() for p in router.prefixes)
        return any(prefix.network == network for prefix in prefixes)

    def name_servers(self, now: float) -> Iterator[IPv6Address]:
        """That routers here tell of."""
        for router in self.routers.values():
            for server in router.name_servers:
                if server.valid_until > now:
                    yield server.address

    def reached(self, router: IPv6Address, now: float, *, answered: bool) -> None:
        """Whether the home agent answered what was sent by this router."""
        found = self.routers.get(router)
        if found is None:
            return
        if answered:
            self._reputation.answered(_way(found))
        else:
            self._reputation.failed(_way(found), now)

    def deserted(self, now: float) -> bool:
        """Whether no router has answered, though they were asked for seconds."""
        return not self.routers and self._asked >= UNHEARD

    def distrusts(self, router: IPv6Address, now: float) -> bool:
        """Whether the home agent did not answer what was sent by it not long ago."""
        found = self.routers.get(router)
        way = _way(found) if found else (router, None)
        return self._reputation.distrusted_at(way, now) > -inf

    def _is_remembered(self, router: Router) -> bool:
        """Whether it was found again, and has not advertised yet."""
        return any(p.again(self._now) == router for p in self._remembered)

    def forgive(self) -> None:
        """Nothing is held against any router here."""
        self._reputation = Reputation()

    def unheard(self, now: float) -> bool:
        """Whether the moment has come to say that nobody answers here."""
        return self._asked == UNHEARD and self._asked_at == now and not self.routers

    def _make_room(self, proven: bool, now: float) -> bool:
        """Forget a router that led nowhere, or for one that is `proven` to lead to the
        home agent any that is not; False if there is none."""
        for router in self.routers.values():
            way = _way(router)
            failed = self._reputation.distrusted_at(way, now) > -inf
            if failed or (proven and not self._reputation.proven(way)):
                del self.routers[router.address]
                return True
        return False

    def _attached(self, router: Router, prefix: Prefix) -> Attachment:
        at_home = prefix.network in self.home_prefixes
        care_of_address = None
        if not at_home:
            network = prefix.network.network_address.packed[:8]
            care_of_address = IPv6Address(network + self._identifier)
        known = router.link_layer_address is not None
        return Attachment(
            link=self.link.name,
            router=router.address,
            router_link_layer_address=router.link_layer_address,
            home_agent_here=at_home
            and known
            and (
                self.home_agent in router.addresses
                # Of several on the link it may be another.
                or (router.home_agent and not router.addresses)
            ),
            prefix=prefix.network,
            care_of_address=care_of_address,
            silent=router.silent,
            distrusted_at=self._reputation.distrusted_at(_way(router), self._now),
            valid_until=prefix.valid_until,
            usable=at_home or known or care_of_address in self._unique,
            unique=care_of_address in self._unique,
        )

    def _candidates(self) -> Iterator[tuple[Router, Prefix]]:
        for router in self.routers.values():
            for prefix in router.prefixes:
                at_home = prefix.network in self.home_prefixes
                if at_home and self._never_return_home:
                    continue  # neither home nor a place for a care-of address
                if at_home or prefix.autonomous:
                    yield router, prefix

    def _ask(self, now: float) -> None:
        """Solicit from now on; the router in use has a while to answer."""
        self._asked = 0
        self._ask_at = max(now, self._asked_at + SOLICITATION_FIRST)
        used = self._used
        if used and not used.silent and self._answer_by == inf:
            patience = ANSWER_TIME_SLOW if used.quiet_at == inf else ANSWER_TIME
            self._answer_by = now + patience

    @property
    def _used(self) -> Router | None:
        return self.routers.get(self._current[0]) if self._current else None

    def _moments(self) -> Iterable[float]:
        yield self._ask_at
        yield self._answer_by
        yield from self._reputation.moments()
        for router in self.routers.values():
            yield router.expires
            yield router.quiet_at
            for prefix in router.prefixes:
                yield prefix.valid_until
                yield prefix.preferred_until
            for server in router.name_servers:
                yield server.valid_until


def _way(router: Router) -> Way:
    return router.address, router.link_layer_address
