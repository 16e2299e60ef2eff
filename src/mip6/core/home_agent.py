"""Home agent operation (§10): registrations, and the tunnels they make."""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

from mip6.wire.icmpv6 import (
    HomeAgentAddressDiscoveryRequest,
    MobilePrefixSolicitation,
    PacketTooBig,
)
from mip6.wire.messages import BindingUpdate
from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborSolicitation,
    RouterAdvertisement,
)
from mip6.wire.revocation import (
    BindingRevocation,
    RevocationTrigger,
    RevocationType,
)

from .addresses import is_unicast_routable
from .binding_cache import EXPIRED_MAX, Binding, BindingCache
from .effects import Effect, Notify, Send, difference
from .events import Dropped, Problem
from .groups import Groups
from .home_agents_list import HomeAgentsList, ListedHomeAgent, home_agents_anycast
from .home_link import CHECK_TIME, HomeLink
from .home_registrations import HomeRegistrations
from .home_updates import (
    dropped,
)
from .interception import Interception
from .link import Link
from .packet import Packet
from .path_mtu import MTU_LIFETIME, too_big
from .policy import Permission, Policy
from .prefix_delivery import INTERVAL_MAX, INTERVAL_MIN, PrefixDelivery, Round
from .prefix_discovery import PrefixDiscovery
from .prefixes import HomePrefix, HomePrefixes
from .rate import TokenBucket
from .revocations import Revocations
from .state import End, Membership, ProxyNeighbor, Route, State, Tunnel
from .timers import earliest
from .tunnel_errors import TunnelError, TunnelErrors

DISCOVERY_RATE = 10
"""Answers a second to who asks for home agents."""


class HomeAgent:
    """One home agent for one home prefix.

    address: where Binding Updates and reverse-tunnelled packets arrive.
    home_prefix: home addresses are in it, care-of addresses are not (decision 0004).
    home_link: the link where home addresses are intercepted; None when the prefix is
        routed to this node and no such link exists.
    device: the mobility device that packets for home addresses are routed to.
    lifetime_max: seconds, at least 4; no binding is granted more.
    bindings_max: home registrations beyond it are refused with status 130.
    authentication_required: if not, a Binding Update is believed as it stands, but only
        for home addresses in `mobile_nodes`.
    permissions: who may register and for how long, by the longest network that holds
        the home address; who is in none may, unless `refuse_others`.  Who may not gets
        status 129.
    prefixes: those of the home link, with lifetimes; without any it is `home_prefix`,
        for ever.
    prefix_interval: seconds, MinMobPfxAdvInterval and MaxMobPfxAdvInterval (§13); None
        sends no Mobile Prefix Advertisements at all.
    preference: of this home agent among those of the home link (§10.5.1).
    random: octets nobody can guess, as many as asked for.
    grace: seconds that packets from and for the previous care-of address still count
        after a move (decision 0003); 0 switches it off.
    updates_max: Binding Updates of one mobile node in a second; what comes beyond them
        is ignored, since it sends fewer (MAX_UPDATE_RATE, §12).  None: any number.
    check_time: seconds of duplicate address detection on the home link; 0 for none.
    multicast: packets for groups that mobile nodes listen to through their tunnels are
        sent there from the home link (§10.4.2, §10.4.3), and what they send to groups
        is sent on there (§11.3.4).
    restored: bindings that were kept on disk, and tunnels found in the kernel at the
        start.  They are bindings again, with what is left of their lifetime.
    sequence_numbers: the last one of each home address, as `last_sequence_number` told
        an earlier process; without it any number follows.
    """

    def __init__(
        self,
        address: IPv6Address,
        home_prefix: IPv6Network,
        *,
        home_link: str | None,
        device: str = "mip0",
        lifetime_max: float = 3600,
        bindings_max: int,
        authentication_required: bool,
        mobile_nodes: tuple[IPv6Network, ...] = (),
        permissions: tuple[Permission, ...] = (),
        refuse_others: bool = False,
        prefixes: tuple[HomePrefix, ...] = (),
        prefix_interval: tuple[float, float] | None = (INTERVAL_MIN, INTERVAL_MAX),
        preference: int = 0,
        random: Callable[[int], bytes] = bytes,
        grace: float = 2.0,
        updates_max: int | None = None,
        check_time: float = CHECK_TIME,
        multicast: bool = False,
        restored: Iterable[Tunnel | Binding] = (),
        sequence_numbers: Iterable[tuple[IPv6Address, int]] = (),
    ) -> None:
        self.address = address
        self.home_prefix = home_prefix
        self.home_link = home_link
        self._link: HomeLink | None = None
        if home_link is not None:
            self._link = HomeLink(home_link, address, bindings_max, check_time)
        self._device = device
        self._unrouted: set[IPv6Network] = set()
        """Prefixes whose routes the kernel refused, until the next change."""
        self.groups: Groups | None = None
        """None: no multicast goes into the tunnels."""
        if multicast and home_link is not None:
            self.groups = Groups(address, home_link, random)
        self._interception = Interception(address, device, self._link, self.groups)
        policy = Policy(
            mobile_nodes=mobile_nodes,
            permissions=permissions,
            refuse_others=refuse_others,
            lifetime_max=lifetime_max,
        )
        self.authentication_required = authentication_required
        self._cache = BindingCache(bindings_max, sequence_numbers)
        self._prefixes = HomePrefixes(prefixes or (HomePrefix(network=home_prefix),))
        self._prefix_discovery = PrefixDiscovery(
            address,
            self._prefixes,
            self._cache,
            PrefixDelivery(random, *prefix_interval) if prefix_interval else None,
        )
        self._home_agents = HomeAgentsList(address, preference, random)
        self._discovery_replies = TokenBucket(DISCOVERY_RATE, DISCOVERY_RATE)
        self._tunnel_errors = TunnelErrors(address, self._cache)
        self._revocations = Revocations(random)
        # Bindings that prefixes or the policy may have taken the ground from.
        self._reviewed = Round(EXPIRED_MAX)
        self._registrations = HomeRegistrations(
            address,
            cache=self._cache,
            policy=policy,
            prefixes=self._prefixes,
            prefix_discovery=self._prefix_discovery,
            revocations=self._revocations,
            interception=self._interception,
            link=self._link,
            authentication_required=authentication_required,
            grace=grace,
            updates_max=updates_max,
        )
        self._cache.restore(self._restored(restored))
        if self._link is not None:
            for binding in self._cache:  # who shares a link-local address
                self._interception.change(None, binding)

    @property
    def bindings(self) -> Iterator[Binding]:
        return iter(self._cache)

    @property
    def bindings_count(self) -> int:
        return len(self._cache)

    def binding(self, home_address: IPv6Address) -> Binding | None:
        return self._cache.find(home_address)

    def is_bound(self, home_address: int) -> bool:
        """Whether the home address with this number has a binding, for who has only
        octets and cannot look at each closely."""
        return self._cache.holds(home_address)

    def last_sequence_number(self, home_address: IPv6Address) -> int | None:
        """Of the last valid Binding Update; the next must follow it (§9.5.1).

        After an authenticated one it is to be on disk before the acknowledgement
        leaves, so that a replay fails when the binding is gone (decision 0007).
        """
        return self._cache.last_sequence_number(home_address)

    @property
    def corresponds(self) -> Container[IPv6Address]:
        """Home addresses that have bindings of the other kind here (§9.5.1); the
        correspondent that this node is too puts its own there."""
        return self._registrations.corresponds

    @corresponds.setter
    def corresponds(self, home_addresses: Container[IPv6Address]) -> None:
        self._registrations.corresponds = home_addresses

    @property
    def known(self) -> int:
        """Of how many home addresses it knows something; perhaps a few more."""
        return self._cache.known

    @property
    def deadline(self) -> float | None:
        """When `tick` must be called, at the latest."""
        return earliest(
            self._cache.deadline,
            self._link.deadline if self._link else None,
            self._prefixes.deadline,
            self._prefix_discovery.deadline,
            self._home_agents.deadline,
            self._revocations.deadline,
            self._reviewed.deadline,
            self.groups.deadline if self.groups else None,
        )

    @property
    def installed(self) -> set[State]:
        """All the kernel state that the bindings stand for, and the prefixes."""
        return {*self.tunnels(), *self.states_beside_tunnels()}

    def tunnels(self) -> Iterator[Tunnel]:
        """Those of them that are in maps, one by one, for a million bindings."""
        return map(self._interception.tunnel, self._cache)

    def states_beside_tunnels(self) -> Iterator[State]:
        """Those in the kernel's tables: few where the prefix has its route."""
        yield from self._prefix_routes()
        yield from self.groups.states() if self.groups else ()
        for binding in self._cache:
            if self._link is not None or binding.path_mtu is not None:
                for state in self._interception.states(binding):
                    if not isinstance(state, Tunnel):
                        yield state

    @property
    def preference(self) -> int:
        """Our own among them."""
        return self._home_agents.preference

    @property
    def home_agents(self) -> tuple[ListedHomeAgent, ...]:
        """The others on the home link (§10.1)."""
        return tuple(self._home_agents)

    @property
    def anycast_addresses(self) -> tuple[IPv6Address, ...]:
        """Where mobile nodes ask for home agents (§10.5)."""
        return tuple(home_agents_anycast(network) for network in self._prefixes.own)

    def serves(self, home_address: IPv6Address) -> bool:
        """Whether it is an address of the home link, by our own prefixes."""
        return self._prefixes.find(home_address) is not None

    # What the administrator says.

    def prefixes_changed(
        self, prefixes: tuple[HomePrefix, ...], now: float
    ) -> list[Effect]:
        """The home link is renumbered: these are its prefixes from now on.

        Mobile nodes are told (§10.6.2); the bindings of a prefix that is gone end.
        """
        before = self._prefix_routes()
        self._unrouted.clear()
        if self._prefixes.change(prefixes):
            self._prefix_discovery.changed(now)
            self._review(now)
        return difference(before, self._prefix_routes())

    def prefixes_restored(
        self, heard: tuple[HomePrefix, ...], now: float, *, changed: bool
    ) -> list[Effect]:
        """What an earlier process knew: prefixes that others advertise on the home
        link.  `changed`: ours are others since, or mobile nodes may not have been told
        yet that they are."""
        self._prefixes.restore(heard, now)
        if changed:
            self._prefix_discovery.changed(now)
        return []

    @property
    def prefixes_heard(self) -> tuple[HomePrefix, ...]:
        """Those that other home agents advertise on the home link."""
        return self._prefixes.heard_from_others

    def configure(
        self,
        mobile_nodes: tuple[IPv6Network, ...],
        now: float,
        *,
        lifetime_max: float,
        grace: float,
        updates_max: int | None = None,
        permissions: tuple[Permission, ...] = (),
        refuse_others: bool = False,
    ) -> list[Effect]:
        """Work by these from now on (see the class).  What was granted stays, but for
        home addresses that may not have it any more.

        Those outside `mobile_nodes` have no key any more by which they could be told:
        their bindings end at once.  Who is only refused is told first (`revoke`).
        """
        registrations = self._registrations
        registrations.policy = Policy(
            mobile_nodes=mobile_nodes,
            permissions=permissions,
            refuse_others=refuse_others,
            lifetime_max=lifetime_max,
        )
        registrations.grace = grace
        registrations.updates.count_max = updates_max
        listed = registrations.policy.is_listed
        effects: list[Effect] = []
        for binding in [b for b in self._cache if not listed(b.home_address)]:
            effects += registrations.end(binding.home_address, now)
        if self._link is not None:
            for home_address in self._link.asked:
                if not listed(home_address):
                    self._link.stop(home_address)
        self._review(now)
        return effects

    def revoke(self, home_address: IPv6Address, now: float) -> list[Effect]:
        """End a binding: the mobile node is told (RFC 5846 §7), and when it has
        answered, or has not twice, the binding is gone.  It may register again; who
        must not is to be refused by `configure`."""
        if self._cache.find(home_address) is None or home_address in self._revocations:
            return []
        return self._indicate(home_address, self._revocations.begin(home_address, now))

    def overloaded(self, overloaded: bool, now: float) -> list[Effect]:
        """Whether more Binding Updates come than can be answered: then who has no
        binding gets none, but status 130, and tries another home agent (§10.3.1)."""
        self._registrations.overloaded = overloaded
        return []

    def link_up(self, link: Link, now: float) -> list[Effect]:
        """The home link is there, or its link-layer address has changed."""
        if self._link is not None and link.name == self._link.name:
            octets = link.link_layer_address
            self._link.link_layer_address = octets if len(octets) == 6 else None
        return []

    def receive(self, packet: Packet, now: float) -> list[Effect]:
        match packet.message:
            case BindingUpdate() as update:
                return self._registrations.receive(packet, update, now)
            case PacketTooBig() as message:
                return self._too_big(packet, message, now)
            case message if isinstance(message, TunnelError):
                relayed = self._tunnel_errors.relay(message, now)
                return relayed or [_dropped("icmp_error", "RFC 2473 8.1", packet)]
            case NeighborAdvertisement() | NeighborSolicitation():
                return self._registrations.neighbor_heard(packet)
            case RouterAdvertisement() as advertisement:
                return self._router_heard(packet, advertisement, now)
            case HomeAgentAddressDiscoveryRequest() as request:
                return self._asked_for_home_agents(packet, request, now)
            case MobilePrefixSolicitation() as solicitation:
                return self._prefixes_solicited(packet, solicitation, now)
            case BindingRevocation() as revocation:
                return self._revocation_acknowledged(packet, revocation, now)
            case _:
                return [_dropped("unexpected_message", "10", packet)]

    def _too_big(
        self, packet: Packet, message: PacketTooBig, now: float
    ) -> list[Effect]:
        """A router on the way to a care-of address (RFC 2473 §7.1): the route into the
        tunnel gets the smaller MTU, so that the kernel tells the inner sender."""
        quoted = too_big(message)
        binding = self._cache.find(quoted.inner_destination) if quoted else None
        if (
            quoted is None
            or binding is None
            or quoted.source != self.address
            or quoted.destination != binding.care_of_address
        ):
            return [_dropped("icmp_error_quote", "RFC 2473 8.1", packet)]
        known = binding.path_mtu if binding.path_mtu_until > now else None
        if known is not None and quoted.mtu >= known:
            return [_dropped("mtu_not_smaller", "RFC 8201 4", packet)]
        smaller = replace(
            binding, path_mtu=quoted.mtu, path_mtu_until=now + MTU_LIFETIME
        )
        self._cache.put(smaller)
        return self._interception.change(binding, smaller)

    def multicast(self, octets: bytes, now: float) -> list[Effect]:
        """A packet to a group of global scope came on the home link (§10.4.2)."""
        return self.groups.copies(octets, now) if self.groups is not None else []

    def sent_to_group(self, octets: bytes, now: float) -> list[Effect]:
        """A packet to a group came out of the tunnel of a mobile node that is bound
        there (§11.3.4)."""
        if self.groups is None:
            source = IPv6Address(octets[8:24])
            return [Notify(Dropped("multicast", "10.4.3", source))]
        return self.groups.sent(octets, now)

    def tick(self, now: float) -> list[Effect]:
        """End what is over (§10.3.1, §10.6); `deadline` is still due when there is too
        much for one go."""
        effects: list[Effect] = []
        self._home_agents.expire(now)
        before = self._prefix_routes()
        if over := self._prefixes.expire(now):
            effects += difference(before, self._prefix_routes())
            for network in over:
                self._home_agents.forget(network)
            self._prefix_discovery.changed(now)
            self._review(now)
        for home_address in self._reviewed.part():
            effects += self._judge(home_address, now)
        for home_address, number in self._revocations.due(now):
            if number is None:
                effects += self._registrations.end(home_address, now)
            else:
                effects += self._indicate(home_address, number)
        effects += self._prefix_discovery.tick(now)
        if self.groups is not None:
            effects += self.groups.tick(now)
        return effects + self._registrations.tick(now)

    def failed(self, state: State, now: float) -> list[Effect]:
        """The kernel refused `state`, and what stood behind it in the list is undone.

        Right after the Binding Update that wanted it, the binding goes back to what it
        was and the mobile node is told 130.  The acknowledgement that promised the
        binding stood behind the state, so it never left.  At any other time there is
        nobody to tell, and the binding ends.
        """
        if isinstance(state, Membership):
            assert self.groups is not None
            self.groups.refused(state)
            return [Notify(Problem(f"the kernel joins no more groups: {state.group}"))]
        if state in self._prefix_routes():
            assert isinstance(state, Route)
            self._unrouted.add(state.destination)
            return [Notify(Problem(f"{state.destination} does not get here"))]
        return self._registrations.failed(state, now)

    def _review(self, now: float) -> None:
        self._reviewed.begin([binding.home_address for binding in self._cache], now)

    def _judge(self, home_address: IPv6Address, now: float) -> list[Effect]:
        """Whether a binding may stay, after prefixes or the policy have changed."""
        if self._cache.find(home_address) is None:
            return []
        if not self.serves(home_address):
            return self._registrations.end(home_address, now)
        if self._registrations.policy.allows(home_address):
            return []
        return self.revoke(home_address, now)

    def _indicate(self, home_address: IPv6Address, number: int) -> list[Effect]:
        binding = self._cache.find(home_address)
        assert binding is not None  # a revocation ends with it
        message = BindingRevocation(
            revocation_type=RevocationType.INDICATION,
            code=RevocationTrigger.ADMINISTRATIVE_REASON,
            sequence_number=number,
        )
        return [
            Send(
                Packet(
                    source=self.address,
                    destination=binding.care_of_address,
                    routing_address=home_address,
                    message=message,
                )
            )
        ]

    def _revocation_acknowledged(
        self, packet: Packet, message: BindingRevocation, now: float
    ) -> list[Effect]:
        """RFC 5846 §6.2.2.  Whatever it says, the binding is ours to end."""
        if message.revocation_type != RevocationType.ACKNOWLEDGEMENT:
            return [_dropped("unexpected_message", "RFC 5846 7", packet)]
        if ignored := self._registrations.untrusted(packet):
            return [Notify(ignored)]
        if not self._revocations.matches(packet.origin, message.sequence_number):
            return [_dropped("revocation_unknown", "RFC 5846 6.2.2", packet)]
        return self._registrations.end(packet.origin, now)

    # The home link's routers, and its prefixes.

    def _router_heard(
        self, packet: Packet, message: RouterAdvertisement, now: float
    ) -> list[Effect]:
        self._home_agents.heard(packet.source, message, now)
        if message.home_agent and self._prefixes.heard(message, now):
            self._prefix_discovery.changed(now)
        return []

    def _asked_for_home_agents(
        self, packet: Packet, request: HomeAgentAddressDiscoveryRequest, now: float
    ) -> list[Effect]:
        """§10.5.1.  Anybody may ask, and the answer may be long, so it is rare."""
        if packet.destination not in self.anycast_addresses:
            return [_dropped("not_for_us", "10.5.1", packet)]
        if not is_unicast_routable(packet.source):
            return [_dropped("source_address", "10.5.1", packet)]
        if not self._discovery_replies.take(now):
            return [_dropped("rate", "10.5.1", packet)]
        message = self._home_agents.reply(request)
        return [
            Send(
                Packet(source=self.address, destination=packet.source, message=message)
            )
        ]

    def _prefixes_solicited(
        self, packet: Packet, message: MobilePrefixSolicitation, now: float
    ) -> list[Effect]:
        if packet.destination != self.address or packet.tunnel is not None:
            return [_dropped("not_for_us", "10.6.2", packet)]
        if ignored := self._registrations.untrusted(packet):
            return [Notify(ignored)]
        binding = self._cache.find(packet.origin)
        if binding is None or packet.source != binding.care_of_address:
            return [_dropped("no_binding", "10.6.2", packet)]
        return self._prefix_discovery.solicited(packet, message, now)

    def _prefix_routes(self) -> tuple[State, ...]:
        """Where packets for the whole prefixes are routed here, all but the first,
        whose route stands as long as the daemon."""
        if self._link is not None:
            return ()
        return tuple(
            Route(destination=network, link=self._device)
            for network in self._prefixes.own
            if network != self.home_prefix and network not in self._unrouted
        )

    def owns(self, state: State) -> bool:
        """Whether `state` is wanted by a binding here, or a prefix."""
        if isinstance(state, Membership) or state in self._prefix_routes():
            return True
        address = self._interception.home_address_of(state)
        if address is None:
            return False
        if self._link is not None and self._link.serves(address):
            return state == ProxyNeighbor(address=address, link=self._link.name)
        return state in self._interception.states(self._cache.find(address))

    def _restored(self, found: Iterable[Tunnel | Binding]) -> Iterator[Binding]:
        for one in found:
            binding = self._found(one) if isinstance(one, Tunnel) else one
            if binding is not None and self.serves(binding.home_address):
                yield binding

    def _found(self, tunnel: Tunnel) -> Binding | None:
        if tunnel.end is not End.HOME_AGENT or tunnel.home_agent != self.address:
            return None
        return Binding(
            home_address=tunnel.home_address,
            care_of_address=tunnel.care_of_address,
            home_registration=True,
            sequence_number=None,
            lifetime=0,
            expires=tunnel.expires,
            previous=tunnel.previous,
            previous_until=tunnel.previous_until,
        )


def _dropped(reason: str, section: str, packet: Packet) -> Notify:
    return Notify(dropped(reason, section, packet))
