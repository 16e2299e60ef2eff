"""The mobile node (§11): where it is, what it registers, what the kernel must hold.

Every input changes one of the parts it is made of: the managed links (`movement`),
the home registration (`registration`), the packets that wait (`holding`).  Then
`_settle` derives everything else anew, so no input has a path of its own.
"""

from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.icmpv6 import (
    MobilePrefixAdvertisement,
    PacketTooBig,
    ParameterProblem,
)
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingError,
    BindingStatus,
)
from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborMessage,
    NeighborSolicitation,
    RouterAdvertisement,
)
from mip6.wire.revocation import BindingRevocation

from . import home_signalling
from .adopted import Adopted
from .attachments import Attachments
from .binding_update_list import (
    BindingUpdateList,
    CorrespondentMessage,
)
from .effects import Effect, Notify, Send
from .events import Dropped, Phase, PhaseReached, Place, PlaceChanged, Problem
from .holding import Holding
from .home_signalling import HomeSignalling
from .ledger import Ledger
from .link import Link
from .mobile_state import away_states, home_states, home_tunnel
from .movement import CONFLICTS_MAX
from .packet import Packet
from .path_mtu import PathMtu, too_big
from .prefix_solicitation import PrefixSolicitation
from .progress import Progress
from .refusals import Refusals
from .registration import Registration
from .route_optimization import CorrespondentPolicy
from .state import End, HomeAddress, Neighbor, RouteOptimization, State, Tunnel
from .whereabouts import whereabouts

OF_THE_LINK = {BindingStatus.INVALID_CARE_OF_ADDRESS}
"""Refusals that another link may not meet with."""
STOP_MAX = 3.0
"""Seconds that stopping waits for the home agent."""


class MobileNode:
    """One home address that is reachable wherever this machine is attached.

    home_prefix: of the home link; a router that advertises it means home (§11.5.2).
    device: the mobility device, which always holds the home address.
    links: names of the managed links, the preferred first.
    lifetime: seconds to ask for, a multiple of 4.
    random: that many random octets.
    fallback: whether connections that began elsewhere than at the home address go out
        directly while there is no registration; otherwise they wait too.
    table: the routing table of the home address.
    managed: routers are solicited and care-of addresses formed by us; else `configured`
        tells what others have made of the links.
    never_return_home: no advertisement means home, whatever its prefix: where the home
        link is virtual, only a forger would say so.
    authentication_required: whether only protected acknowledgements count.
    restored: the tunnel an earlier process left; it stays until it is replaced.
    held_max: packets that wait for a tunnel.
    optimistic: whether the kernel lets a care-of address be used while it checks it
        (RFC 4429); without, we check it (decision 0027).
    route_optimization: whether correspondents are asked to send here directly.
    policies: which of them, and how.
    correspondents_max: how many of them at the same time.
    restored_ways: the direct ways that an earlier process left.
    prefix_discovery: whether the home agent is asked for the home link's prefixes.
    """

    def __init__(
        self,
        home_address: IPv6Address,
        home_prefix: IPv6Network,
        home_agent: IPv6Address,
        *,
        device: str = "mip0",
        links: tuple[str, ...] = ("eth0",),
        lifetime: float = 600,
        random: Callable[[int], bytes],
        fallback: bool = True,
        table: int = 100,
        never_return_home: bool = False,
        managed: bool = True,
        authentication_required: bool,
        restored: Tunnel | None = None,
        held_max: int = 64,
        optimistic: bool = True,
        route_optimization: bool = True,
        policies: tuple[CorrespondentPolicy, ...] = (),
        correspondents_max: int = 256,
        restored_ways: tuple[RouteOptimization, ...] = (),
        prefix_discovery: bool = False,
    ) -> None:
        _check_lifetime(lifetime)
        self.home_address = home_address
        self.home_prefix = home_prefix
        self.home_agent = home_agent
        self.device = device
        self.links = links
        self.fallback = fallback
        self.table = table
        self.registration = Registration(
            home_address,
            home_agent,
            lifetime=lifetime,
            authentication_required=authentication_required,
        )
        self.attachments = Attachments(
            links,
            home_prefix,
            home_agent,
            random,
            optimistic=optimistic,
            never_return_home=never_return_home,
            managed=managed,
            away_at=restored.care_of_address if restored else None,
        )
        self.correspondents = BindingUpdateList(
            home_address,
            home_agent,
            device=device,
            table=table,
            random=random,
            authentication_required=authentication_required,
            policies=policies,
            correspondents_max=correspondents_max if route_optimization else 0,
            restored=restored_ways,
        )
        self.prefixes = PrefixSolicitation(
            home_address, enabled=prefix_discovery, random=random
        )
        self._optimistic = optimistic
        self._path = PathMtu()
        self._holding = Holding(home_address, held_max)
        self._restored = restored
        self._place = Place.NOWHERE
        self._progress = Progress()
        self._stop_by: float | None = None
        self._stopped = False
        self._refused = Refusals()
        self._now = -inf
        self._where: tuple[Place, IPv6Address | None, str | None] | None = (
            Place.NOWHERE,
            None,
            None,
        )
        self._ledger = Ledger()
        if restored is not None:
            self._ledger.found(restored)
            self.registration.restore(restored.expires)
        for way in restored_ways:
            self._ledger.found(way)

    # What `mip6 status` shows.

    @property
    def place(self) -> Place:
        return self._place

    @property
    def care_of_address(self) -> IPv6Address | None:
        """The one in use, registered or not; None at home and nowhere."""
        return self.attachments.care_of_address

    @property
    def link(self) -> str | None:
        here = self.attachments.here
        return here.link if here else None

    @property
    def held(self) -> int:
        """Packets that wait for the tunnel."""
        return len(self._holding)

    @property
    def stopped(self) -> bool:
        """After `stop`: nothing more will be sent, and nothing is installed."""
        return self._stopped

    @property
    def installed(self) -> set[State]:
        return self._ledger.standing

    @property
    def deadline(self) -> float | None:
        if self._stopped:
            return None
        moments = [self.registration.deadline, self._path.deadline(self._now)]
        moments += (self.attachments.deadline, self.correspondents.deadline)
        moments += (self._refused.deadline, self.prefixes.deadline)
        if self._stop_by is not None:
            moments.append(self._stop_by)
        ends = [self.registration.expires, self.registration.bound_until]
        if tunnel := self._standing_tunnel:
            ends.append(tunnel.expires)
        moments += (at for at in ends if at > self._now)
        at = min(moments)
        return None if at == inf else at

    # What happens to it.

    def configure(self, lifetime: float, now: float, *, fallback: bool) -> list[Effect]:
        """Work by these from now on (see the class): the lifetime is asked for when the
        registration is refreshed next."""
        _check_lifetime(lifetime)
        self.registration.lifetime = lifetime
        self.fallback = fallback
        return self._settle(now)

    def link_up(self, link: Link, now: float) -> list[Effect]:
        """A managed link has come up, or its link-local address has become usable."""
        if link.name not in self.links or self._stopped:
            return []
        began: list[Effect] = []
        if self.attachments.link_up(link, now):
            began = self._progress.begin(link.name)
        return self._settle(now, *began)

    def link_down(self, name: str, now: float) -> list[Effect]:
        """The link has no carrier any more; nothing learned there holds."""
        if not self.attachments.link_down(name):
            return []
        return self._settle(now)

    def configured(
        self,
        link: str,
        addresses: tuple[Adopted, ...],
        gateways: tuple[IPv6Address, ...],
        now: float,
    ) -> list[Effect]:
        """What others have configured on a link that we do not manage: its global
        addresses, and the routers of its default routes, the best first."""
        self.attachments.configured(link, addresses, gateways)
        return self._settle(now)

    def neighbor_lost(
        self, address: IPv6Address, link: str, now: float
    ) -> list[Effect]:
        """A neighbour no longer answers (RFC 4861 §7.3).  If it is the router in use it
        is asked for an advertisement, and has as long for it as ever (§11.5.1)."""
        up = self.attachments.up.get(link)
        if up is None or not up.lost(address, now):
            return []
        return self._settle(now)

    def handover(self, link: str, now: float) -> list[Effect]:
        """A person wants to be on this link: it is used while it is up and answers."""
        if link not in self.links or self._stopped:
            return []
        self.attachments.want(link)
        began: list[Effect] = []
        if link in self.attachments.up and link != self.link:
            began = self._progress.begin(link)
        return self._settle(now, *began)

    def address_checked(
        self, address: IPv6Address, link: str, unique: bool, now: float
    ) -> list[Effect]:
        """Duplicate address detection of an address has ended (RFC 4862 §5.4)."""
        up = self.attachments.up.get(link)
        if up is None or (unique and not self._optimistic):
            return []  # without optimistic addresses the kernel checks nothing
        if not up.checked(address, unique):
            return self._settle(now)
        self.attachments.lost(address)
        advice = "the next care-of address is a random one"
        if up.conflicts == CONFLICTS_MAX:
            advice = f"{link} is left alone until it goes down and up"
        what = f"another node on {link} uses {address}"
        return self._settle(now, Notify(Problem(what, advice)))

    def unmatched(self, octets: bytes, now: float) -> list[Effect]:
        """A packet from the home address found no tunnel: it waits if there is hope."""
        if self._stopped:
            return []
        if self.registration.refused or self.registration.given_up:
            return self._holding.refuse(octets, now, "registration_refused")
        if not self._open:
            return self._holding.hold(octets, now)
        return self._holding.late(octets, now)

    def talks_to(
        self, local: IPv6Address, peer: IPv6Address, now: float
    ) -> list[Effect]:
        """Traffic between an address of ours and `peer` was seen, either way."""
        if local != self.home_address or self._stopped:
            return []
        self.correspondents.talks_to(peer, now)
        return self._settle(now)

    def prefer(
        self, policies: tuple[CorrespondentPolicy, ...], now: float
    ) -> list[Effect]:
        """The operator wants another way for some correspondents from now on."""
        self.correspondents.prefer(policies)
        return self._settle(now)

    def stop(self, now: float) -> list[Effect]:
        """De-register and let go of everything; `stopped` tells when that is done."""
        if self._stop_by is None:
            self._stop_by = now + STOP_MAX
        return self._settle(now)

    def tick(self, now: float) -> list[Effect]:
        return self._settle(now)

    def failed(self, state: State, now: float) -> list[Effect]:
        """The kernel refused `state`: what stands is what was done before it, and all
        that makes no sense without it goes, to be tried again later."""
        for effect in self._ledger.refused(state):
            match effect:
                case Notify(PhaseReached(phase=phase)):
                    self._progress.undone(phase)
                case Notify(PlaceChanged()):
                    self._where = None  # nobody was told, so it is to be told again
        if isinstance(state, RouteOptimization):
            self.correspondents.refused(state, now)
        self._refused.add(state, now)
        return self._settle(now)

    def receive(self, packet: Packet, now: float) -> list[Effect]:
        known = self.correspondents.find(packet.source) is not None
        match packet.message:
            case RouterAdvertisement() | NeighborAdvertisement() as message:
                return self._neighbor_said(packet, message, now)
            case NeighborSolicitation() as message:
                return self._neighbor_said(packet, message, now)
            case BindingAcknowledgement() as message if not known:
                return self._acknowledged(packet, message, now)
            case BindingError() as message if packet.source == self.home_agent:
                return self._home_signalled(packet, message, now)
            case BindingRevocation() | ParameterProblem() as message:
                return self._home_signalled(packet, message, now)
            case PacketTooBig() as message:
                return self._too_big(packet, message, now)
            case MobilePrefixAdvertisement() as message:
                return self._prefixes_told(packet, message, now)
            case message if isinstance(message, CorrespondentMessage):
                return self._corresponded(packet, message, now)
            case _:
                return _dropped("unexpected_message", "9.2", packet)

    def _neighbor_said(
        self, packet: Packet, message: NeighborMessage, now: float
    ) -> list[Effect]:
        """A router advertises or answers, or a node has the address that we use."""
        if isinstance(message, NeighborAdvertisement | NeighborSolicitation):
            taken = self.attachments.objected(packet, message)
            if taken is not None and packet.link is not None:
                return self.address_checked(taken, packet.link, False, now)
        if dropped := self.attachments.heard(packet, message, now):
            return [Notify(dropped)]
        phase = Phase.ROUTER_ADVERTISEMENT
        return self._settle(now, *self._progress.reached(phase, packet.link or ""))

    def _acknowledged(
        self, packet: Packet, message: BindingAcknowledgement, now: float
    ) -> list[Effect]:
        told = self.registration.problem
        if reason := self.registration.acknowledged(packet, message, now):
            return _dropped(reason, "11.7.3", packet)
        effects: list[Effect] = []
        status = self.registration.status
        aim = self.registration.aim
        assert aim is not None  # else nothing would have been asked
        if status is not None and status < 128:
            self._restored = None
            self._refused.overcome()
            necessary = status == (
                BindingStatus.ACCEPTED_BUT_PREFIX_DISCOVERY_NECESSARY
            )
            self.prefixes.registered(now, necessary=necessary)
            self.attachments.reached(aim.care_of_address, now, answered=True)
            phase = Phase.BINDING_ACKNOWLEDGEMENT
            effects += self._progress.reached(phase, aim.link)
        elif self.registration.refused and (aim.tentative or status in OF_THE_LINK):
            self.attachments.reached(aim.care_of_address, now, answered=False)
        if (problem := self.registration.problem) and problem != told:
            effects.append(Notify(problem))
        returning = self._place is Place.RETURNING
        effects = self._settle(now, *effects)
        here = self.attachments.here
        if returning and self._place is Place.AT_HOME and here:
            up = self.attachments.up[here.link]
            effects += map(Send, up.announcements(self.home_address))
        return effects

    def _home_signalled(
        self, packet: Packet, message: HomeSignalling, now: float
    ) -> list[Effect]:
        """About the home registration, or else about a correspondent's."""
        brought = home_signalling.heard(self.registration, packet, message, now)
        if isinstance(brought, Dropped):
            return [Notify(brought)]
        if brought is None:
            assert isinstance(message, CorrespondentMessage)  # an ICMP error
            return self._corresponded(packet, message, now)
        return self._settle(now, *brought)

    def _too_big(
        self, packet: Packet, message: PacketTooBig, now: float
    ) -> list[Effect]:
        """A router between here and the home agent (RFC 2473 §7.1): applications learn
        it from the route into the tunnel."""
        quoted = too_big(message)
        if quoted is None:
            return self._corresponded(packet, message, now)
        if (
            quoted.source != self.care_of_address
            or quoted.destination != self.home_agent
            or quoted.inner_source != self.home_address
        ):
            return _dropped("icmp_error_quote", "RFC 2473 8.1", packet)
        if not self._path.learn(quoted, now):
            return _dropped("mtu_not_smaller", "RFC 8201 4", packet)
        return self._settle(now)

    def _prefixes_told(
        self, packet: Packet, message: MobilePrefixAdvertisement, now: float
    ) -> list[Effect]:
        reason = self.prefixes.receive(packet, message, self.registration, now)
        dropped = _dropped(reason, "11.4.3", packet) if reason else []
        return self._settle(now, *dropped)

    def _corresponded(
        self, packet: Packet, message: CorrespondentMessage, now: float
    ) -> list[Effect]:
        """From a correspondent, or about packets to one."""
        dropped = self.correspondents.receive(packet, message, now)
        return [Notify(dropped)] if dropped else self._settle(now)

    # What follows.

    def _settle(self, now: float, *first: Effect) -> list[Effect]:
        """Bring everything in line with what is known at `now`."""
        effects = list(first)
        if self._stopped:
            return effects
        if now > self._now:
            # Answers of one moment may be carried out as one list.
            self._ledger.begin()
        self._now = now
        self._refused.update(now)
        if self._restored and self._restored.expires <= now:
            self._restored = None
        for name, solicitation in self.attachments.update(now):
            effects.append(Send(solicitation))
            effects += self._progress.reached(Phase.ROUTER_SOLICITATION, name)
        effects += map(Notify, self.attachments.problems(self.registration, now))
        if self.registration.fruitless(now) and (tried := self.registration.aim):
            self.attachments.reached(tried.care_of_address, now, answered=False)
        self._attach(now)
        aim = self.attachments.aim(
            self.registration, now, stopping=self._stop_by is not None
        )
        self.registration.take_aim(aim, now)
        effects += self._reconcile(now)
        here = self.attachments.here
        if self._stop_by is not None and (
            here is None or now >= self._stop_by or now >= self.registration.bound_until
        ):
            self._stopped = True
        if here is not None and not self._stopped:
            there = self.attachments.trial or here
            if there.care_of_address:
                effects += self._progress.reached(Phase.CARE_OF_ADDRESS, there.link)
            until = min(there.valid_until, self._valid_until)
            update = self.registration.update(now, until)
            if update is not None:
                effects.append(Send(update))
                link = update.link or there.link
                effects += self._progress.reached(Phase.BINDING_UPDATE, link)
            effects += map(Send, self.attachments.questions(now))
        arrived = self._placed(now)
        stopping = self._stop_by is not None
        at = whereabouts(
            self.attachments.here,
            self.registration,
            stopping,
            now,
            valid_until=self._valid_until,
        )
        packets = self.correspondents.update(now, at)
        asked = self.prefixes.update(self.registration, at, now)
        packets += [asked] if asked else []
        effects += self._reconcile(now)
        effects += map(Send, packets)
        effects += arrived
        effects += map(Notify, self.correspondents.events())
        if self._open:
            effects += self._holding.release(now)
        self._ledger.answered(effects)
        return effects

    @property
    def _valid_until(self) -> float:
        return self.prefixes.valid_until(self.home_address)

    def _attach(self, now: float) -> None:
        """Choose where to be; what an earlier process left is of use only there."""
        spared = (Neighbor, RouteOptimization)
        possible = all(isinstance(state, spared) for state in self._refused)
        here = self.attachments.here
        at = here.care_of_address if here else None
        stands = self.registration.stands(at, now) and self._stop_by is None
        self.attachments.choose(now, possible=possible, stands=stands)
        here, left = self.attachments.here, self._restored
        if left and here and here.care_of_address != left.care_of_address:
            self._restored = None

    def _placed(self, now: float) -> list[Effect]:
        """Where that is in people's words, and what arriving there brings."""
        here, registration = self.attachments.here, self.registration
        if here is None:
            place = Place.NOWHERE
        elif here.at_home:
            returning = now < registration.bound_until
            place = Place.RETURNING if returning else Place.AT_HOME
        else:
            stands = registration.stands(here.care_of_address, now)
            place = Place.REGISTERED if stands else Place.REGISTERING
        moved = (place, self.care_of_address, self.link)
        if moved == self._where:
            return []
        self._where = moved
        self._place = place
        self._holding.arrived(now)
        if place is Place.REGISTERED:
            self.attachments.registered(now)
        elif place is Place.AT_HOME:
            self.attachments.previous = None
        return [
            Notify(
                PlaceChanged(place, self.home_address, self.care_of_address, self.link)
            )
        ]

    @property
    def _open(self) -> bool:
        """Whether packets from the home address have a way out."""
        if self._place is Place.RETURNING:
            return self.registration.sent
        return self._place in (Place.REGISTERED, Place.AT_HOME)

    def _reconcile(self, now: float) -> list[Effect]:
        """The effects from what stands to what is wanted."""
        wanted: list[State] = []
        for state in [] if self._stopped else self._wanted(now):
            if state.key not in self._refused:
                wanted.append(state)
            elif isinstance(state, Tunnel) and (left := self._standing_tunnel):
                # Better the old entry than none: if this process dies now, it tells the
                # next one that the home agent may hold a binding.
                wanted += [left] if now < left.expires else []
        return self._ledger.reconcile(wanted)

    def _wanted(self, now: float) -> list[State]:
        """All the kernel state that this place and this registration need."""
        attachments, registration = self.attachments, self.registration
        here, kept = attachments.here, attachments.previous
        states: list[State] = [HomeAddress(address=self.home_address, link=self.device)]
        if here and here.at_home:
            told = registration.sent or now >= registration.bound_until
            states += home_states(
                here,
                self.home_address,
                self.home_agent,
                table=self.table,
                address_on_link=told,
            )
        else:
            states += away_states(
                here,
                kept.attachment if kept else None,
                attachments.trial,
                self.home_address,
                device=self.device,
                table=self.table,
                home_by_default=registration.alive(now) or not self.fallback,
                checked_by_kernel=self._optimistic,
                mtu=self._path.mtu(here.care_of_address if here else None, now),
            )
        if tunnel := self._tunnel(now):
            states.append(tunnel)
        states += self.correspondents.states(now)
        return states

    @property
    def _standing_tunnel(self) -> Tunnel | None:
        standing = self._ledger.find((Tunnel, End.MOBILE_NODE, self.home_address))
        return standing if isinstance(standing, Tunnel) else None

    def _tunnel(self, now: float) -> Tunnel | None:
        if self._stop_by is not None:
            return self._standing_tunnel
        return home_tunnel(self.attachments, self.registration, self._restored, now)


def _dropped(reason: str, section: str, packet: Packet) -> list[Effect]:
    return [Notify(Dropped(reason, section, packet.source))]


def _check_lifetime(lifetime: float) -> None:
    if lifetime < 4 or lifetime % 4:
        raise ValueError(f"lifetime {lifetime} s is not a positive multiple of 4")
