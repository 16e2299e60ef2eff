"""The mobile node (§11): where it is, what it registers, what the kernel must hold.

What happens to it; `mobile_parts` has what follows from that.
"""

from ipaddress import IPv6Address, IPv6Network

from mip6.wire.icmpv6 import (
    DestinationUnreachable,
    HomeAgentAddressDiscoveryReply,
    MobilePrefixAdvertisement,
    PacketTooBig,
    ParameterProblem,
    TimeExceeded,
    UnknownIcmp,
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
from mip6.wire.packet import IPv6Packet
from mip6.wire.revocation import BindingRevocation

from . import home_signalling
from .adopted import Adopted
from .binding_update_list import CorrespondentMessage
from .direct_errors import quote
from .effects import Effect, Notify, Send
from .events import Dropped, Phase, PhaseReached, Place, PlaceChanged, Problem
from .home_signalling import HomeSignalling
from .homes import Home
from .link import Link
from .mobile_parts import MobileParts, check_lifetime
from .movement import CONFLICTS_MAX
from .packet import Packet
from .path_mtu import too_big
from .registration import Aim
from .route_optimization import CorrespondentPolicy
from .state import RouteOptimization, State
from .tunnel_probe import Passage, is_echo_reply

OF_THE_LINK = {BindingStatus.INVALID_CARE_OF_ADDRESS}
"""Refusals that another link may not meet with."""
HOME = {Place.AT_HOME, Place.RETURNING}
STOP_MAX = 3.0
"""Seconds that stopping waits for the home agent."""


class MobileNode(MobileParts):
    """One home address that is reachable wherever this machine is attached."""

    def configure(
        self,
        lifetime: float,
        now: float,
        *,
        fallback: bool,
        native: tuple[IPv6Network, ...] = (),
        native_name_servers: bool = True,
    ) -> list[Effect]:
        """Work by these from now on (see the class): the lifetime is asked for when the
        registration is refreshed next."""
        check_lifetime(lifetime)
        for home in self.homes:
            home.home_agents.lifetime = lifetime
        self.fallback = fallback
        self.native.prefixes = native
        self.native.with_name_servers = native_name_servers
        return self._settle(now)

    def home_agents_found(
        self, home_agents: tuple[IPv6Address, ...], now: float
    ) -> list[Effect]:
        """These are all of them now, in the order in which they are asked; those that
        were discovered come after them.  Who has accepted is kept."""
        for home in self.homes:
            home.home_agents.found(home_agents)
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

    def name_servers(
        self, servers: tuple[IPv6Address, ...], now: float
    ) -> list[Effect]:
        """Whom the machine's resolver asks, as others have configured it."""
        self.native.configured(servers)
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
        home = self._sender(octets)
        holding, registration = home.holding, home.registration
        if registration.refused or registration.given_up:
            return holding.refuse(octets, now, "registration_refused")
        if self.place not in HOME and self.native.takes(octets):
            # It would have been native if there were a link; through the tunnel it is
            # nothing for who it is for.
            return holding.refuse(octets, now, "native")
        if not home.open(self.attachments, self._now):
            return holding.hold(octets, now)
        return holding.late(octets, now)

    def listens_to(self, groups: tuple[IPv6Address, ...], now: float) -> list[Effect]:
        """These groups are joined on the mobility device now (§11.3.4)."""
        self.listening.joined(groups, now)
        return self._settle(now)

    def asked_for_groups(
        self, outer: IPv6Packet, inner: IPv6Packet, now: float
    ) -> list[Effect]:
        """The home agent asks through its tunnel which groups are listened to."""
        dropped = self.listening.asked(outer, inner, self.care_of_address)
        return self._settle(now) if dropped is None else [Notify(dropped)]

    def _sender(self, octets: bytes) -> Home:
        """By the source address of a packet (RFC 8200 §3)."""
        for home in self.homes.others:
            if home.home_address.packed == octets[8:24]:
                return home
        return self.homes.first

    def talks_to(
        self, local: IPv6Address, peer: IPv6Address, now: float
    ) -> list[Effect]:
        """Traffic between an address of ours and `peer` was seen, either way."""
        home = self.homes.find(local)
        if home is None or self._stopped:
            return []
        home.correspondents.talks_to(peer, now)
        return self._settle(now)

    def prefer(
        self, policies: tuple[CorrespondentPolicy, ...], now: float
    ) -> list[Effect]:
        """The operator wants another way for some correspondents from now on."""
        for home in self.homes:
            home.correspondents.prefer(policies)
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
        for effect in self._footprint.refused(state, now):
            match effect:
                case Notify(PhaseReached(phase=phase)):
                    self._progress.undone(phase)
                case Notify(PlaceChanged()):
                    self._placement.untold()
        home = None
        if isinstance(state, RouteOptimization):
            home = self.homes.find(state.home_address)
        if home is not None and isinstance(state, RouteOptimization):
            home.correspondents.refused(state, now)
        return self._settle(now)

    def receive(self, packet: Packet, now: float) -> list[Effect]:
        home = self._whose(packet)
        # A home agent of ours answers as such, whatever else it is to us.
        known = (
            home.correspondents.find(packet.source) is not None
            and home.home_agents.find(packet.source) is None
        )
        match packet.message:
            case RouterAdvertisement() | NeighborAdvertisement() as message:
                return self._neighbor_said(packet, message, now)
            case NeighborSolicitation() as message:
                return self._neighbor_said(packet, message, now)
            case BindingAcknowledgement() as message if not known:
                return self._acknowledged(home, packet, message, now)
            case BindingError() | BindingRevocation() | ParameterProblem() as message:
                return self._home_signalled(packet, message, now)
            case HomeAgentAddressDiscoveryReply() as message:
                return self._home_signalled(packet, message, now)
            case DestinationUnreachable() | TimeExceeded() as message:
                return self._home_signalled(packet, message, now)
            case PacketTooBig() as message:
                return self._too_big(packet, message, now)
            case MobilePrefixAdvertisement() as message:
                return self._prefixes_told(packet, message, now)
            case message if is_echo_reply(message):
                return self._echoed(packet, message, now)
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
        if isinstance(message, NeighborAdvertisement) and packet.link is not None:
            up = self.attachments.up.get(packet.link)
            if up is not None and self._home_neighbor.waiting:
                own = up.link.link_layer_address
                problem = self._home_neighbor.answered(packet, message, own)
                if not self._home_neighbor.waiting:
                    return self._settle(now, *([Notify(problem)] if problem else ()))
        if dropped := self.attachments.heard(packet, message, now):
            return [Notify(dropped)]
        phase = Phase.ROUTER_ADVERTISEMENT
        return self._settle(now, *self._progress.reached(phase, packet.link or ""))

    def _acknowledged(
        self,
        home: Home,
        packet: Packet,
        message: BindingAcknowledgement,
        now: float,
    ) -> list[Effect]:
        registration = home.home_agents.find(packet.source) or home.registration
        told = registration.problem
        if reason := registration.acknowledged(packet, message, now):
            return _dropped(reason, "11.7.3", packet)
        if registration is not home.registration:
            return self._settle(now)  # that it has let go, or why not
        effects: list[Effect] = []
        first = home is self.homes.first
        status, aim = registration.status, registration.aim
        assert aim is not None  # else nothing would have been asked
        if status is not None and status < 128:
            if first:
                self._footprint.left = None
            self._footprint.refusals.overcome()
            home.home_agents.accepted()
            necessary = status == (
                BindingStatus.ACCEPTED_BUT_PREFIX_DISCOVERY_NECESSARY
            )
            self.prefixes.registered(now, necessary=necessary)
            if first:
                self._way_works(aim, packet.source, now)
                phase = Phase.BINDING_ACKNOWLEDGEMENT
                effects += self._progress.reached(phase, aim.link)
        elif registration.refused:
            if first and (aim.tentative or status in OF_THE_LINK):
                self.attachments.reached(aim.care_of_address, now, answered=False)
            if status not in OF_THE_LINK and not aim.delete:
                home.home_agents.failed(now, status)
        if (problem := registration.problem) and problem != told:
            effects.append(Notify(problem))
        returning = self.place is Place.RETURNING
        effects = self._settle(now, *effects)
        here = self.attachments.here
        if returning and self.place is Place.AT_HOME and here:
            up = self.attachments.up[here.link]
            for address in self.homes.addresses:
                effects += map(Send, up.announcements(address))
        return effects

    def _way_works(self, aim: Aim, home_agent: IPv6Address, now: float) -> None:
        """The home agent has accepted what was sent this way.  Where the tunnel was
        blocked the last time, that alone is not enough."""
        at = self.attachments.way_of(aim.care_of_address)
        if self.probe is not None and at is not None:
            self.probe.begin(at, home_agent, now)
            if self.probe.is_blocked(at):
                return
        self.attachments.reached(aim.care_of_address, now, answered=True)

    def _echoed(self, packet: Packet, message: UnknownIcmp, now: float) -> list[Effect]:
        """The home agent answers what asked for an echo, through the tunnel or not."""
        probe, here = self.probe, self.attachments.here
        if probe is None:
            return _dropped("unexpected_message", "9.2", packet)
        if reason := probe.answered(packet, message):
            return _dropped(reason, "RFC 4443 4.2", packet)
        if probe.passage is Passage.OPEN and here and here.care_of_address:
            self.attachments.reached(here.care_of_address, now, answered=True)
        return self._settle(now)

    def _home_signalled(
        self, packet: Packet, message: HomeSignalling, now: float
    ) -> list[Effect]:
        """About the home registration, or else about a correspondent's."""
        agents = self._whose(packet).home_agents
        brought = home_signalling.heard(agents, packet, message, now)
        if isinstance(brought, Dropped):
            return [Notify(brought)]
        if brought is None:
            assert isinstance(message, CorrespondentMessage)
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
            or self.home_agents.find(quoted.destination) is None
            or (home := self.homes.find(quoted.inner_source)) is None
        ):
            return _dropped("icmp_error_quote", "RFC 2473 8.1", packet)
        if not home.path.learn(quoted, now):
            return _dropped("mtu_not_smaller", "RFC 8201 4", packet)
        return self._settle(now)

    def _prefixes_told(
        self, packet: Packet, message: MobilePrefixAdvertisement, now: float
    ) -> list[Effect]:
        home = self._whose(packet)
        registration = home.home_agents.find(packet.source) or home.registration
        reason = self.prefixes.receive(packet, message, registration, now)
        dropped = _dropped(reason, "11.4.3", packet) if reason else []
        return self._settle(now, *dropped)

    def _corresponded(
        self, packet: Packet, message: CorrespondentMessage, now: float
    ) -> list[Effect]:
        """From a correspondent, or about packets to one."""
        whose = self._whose(packet)
        # A Care-of Test and an error name no home address in their headers.
        others = (home for home in self.homes if home is not whose)
        for home in (whose, *others):
            dropped = home.correspondents.receive(packet, message, now)
            if dropped is None:
                return self._settle(now)
        assert dropped is not None  # there is one at least
        return [Notify(dropped)]

    def _whose(self, packet: Packet) -> Home:
        """The home address that a message is about; the first where none is named."""
        named = packet.target
        match packet.message:
            case BindingError(home_address=home_address):
                named = home_address
            case ParameterProblem(packet=octets):
                quoted = quote(octets)
                named = (quoted.home_address if quoted else None) or named
        return self.homes.find(named) or self.homes.first


def _dropped(reason: str, section: str, packet: Packet) -> list[Effect]:
    return [Notify(Dropped(reason, section, packet.source))]
