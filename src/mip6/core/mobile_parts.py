"""The parts of a mobile node (§11), and how all else follows from them.

The managed links (`attachments`), the home registrations (`home_agents`), the
correspondents, the packets that wait (`holding`), the kernel's side (`footprint`): an
input changes one of them, then `_settle` derives everything else anew, so that no input
has a path of its own.
"""

from collections import deque
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.messages import BindingUpdate

from .attachments import Attachments
from .binding_update_list import BindingUpdateList
from .effects import Effect, Notify, Send
from .events import HomeAddressesChanged, Phase, Place, Problem
from .footprint import Footprint
from .home_agents import HomeAgents
from .home_neighbor import HomeNeighbor
from .homes import Home, Homes
from .link import Attachment
from .listening import Listening
from .mobile_state import away_states, further_states, home_states, home_tunnel
from .native import Native
from .packet import Packet
from .path_mtu import inner_mtu
from .placement import Placement
from .prefix_solicitation import PrefixSolicitation
from .progress import Progress
from .registration import Aim, Registration
from .route_optimization import CorrespondentPolicy
from .state import HomeAddress, Route, RouteOptimization, State, Tunnel
from .tunnel_probe import Passage, TunnelProbe
from .whereabouts import whereabouts


class MobileParts:
    """One home address, and what keeps it reachable wherever this machine is attached.

    home_prefix: of the home link; a router that advertises it means home (§11.5.2).
    home_agents: in the order in which they are asked.
    discover: when none of these accepts, the home link is asked for others (§11.4.1).
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
    renumbering: whether home addresses are formed in other prefixes of the home link:
        not where keys are made for this one alone (decision 0034).
    home_check_time: seconds that another holder of the home address has to object on
        the home link, where there is no binding; 0: nobody is asked.
    probe_tunnel: whether the home agent is asked for an echo through each new tunnel.
    native: destinations that go out from the care-of address; see `Native`.
    native_name_servers: whether the name servers of visited links are among them.
    """

    def __init__(
        self,
        home_address: IPv6Address,
        home_prefix: IPv6Network,
        home_agents: Iterable[IPv6Address] = (),
        *,
        discover: bool = False,
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
        renumbering: bool = True,
        home_check_time: float = 0.0,
        probe_tunnel: bool = False,
        native: tuple[IPv6Network, ...] = (),
        native_name_servers: bool = True,
    ) -> None:
        check_lifetime(lifetime)
        self.device = device
        self.links = links
        self.fallback = fallback
        self.table = table
        recent: dict[IPv6Address, deque[float]] = {}

        def home(
            address: IPv6Address,
            prefix: IPv6Network,
            listed: Iterable[IPv6Address],
            left: Tunnel | None = None,
            ways: tuple[RouteOptimization, ...] = (),
        ) -> Home:
            agents = HomeAgents(
                address,
                prefix,
                listed,
                discover=discover,
                lifetime=lifetime,
                authentication_required=authentication_required,
                random=random,
                restored=left,
                recent=recent,
            )
            correspondents = BindingUpdateList(
                address,
                device=device,
                table=table,
                random=random,
                authentication_required=authentication_required,
                policies=policies,
                correspondents_max=correspondents_max if route_optimization else 0,
                restored=ways,
            )
            return Home(address, prefix, agents, correspondents, held_max)

        def another(address: IPv6Address, prefix: IPv6Network) -> Home:
            """As the first one is served by now."""
            agents, current = self.home_agents, self.registration.home_agent
            made = home(
                address, prefix, (*((current,) if current else ()), *agents.listed)
            )
            made.home_agents.lifetime = agents.lifetime
            made.correspondents.policies = self.correspondents.policies
            return made

        first = home(home_address, home_prefix, home_agents, restored, restored_ways)
        self.homes = Homes(first, another)
        self.attachments = Attachments(
            links,
            home_prefix,
            random,
            optimistic=optimistic,
            never_return_home=never_return_home,
            managed=managed,
            away_at=restored.care_of_address if restored else None,
        )
        self.prefixes = PrefixSolicitation(
            home_address, enabled=prefix_discovery, random=random
        )
        self.native = Native(
            home_prefix, prefixes=native, with_name_servers=native_name_servers
        )
        self.probe = TunnelProbe(home_address, random) if probe_tunnel else None
        self.listening = Listening()
        self._renumbering = renumbering
        self._home_neighbor = HomeNeighbor(home_address, check_time=home_check_time)
        self._optimistic = optimistic
        self._footprint = Footprint(restored, restored_ways)
        self._placement = Placement(home_address)
        self._progress = Progress()
        self._stop_by: float | None = None
        self._stopped = False
        self._now = -inf

    # What `mip6 status` shows.

    @property
    def home_address(self) -> IPv6Address:
        """The one for new connections."""
        return self.homes.first.home_address

    @property
    def home_addresses(self) -> tuple[IPv6Address, ...]:
        """All of them, that one first."""
        return self.homes.addresses

    @property
    def home_agents(self) -> HomeAgents:
        return self.homes.first.home_agents

    @property
    def correspondents(self) -> BindingUpdateList:
        return self.homes.first.correspondents

    @property
    def registration(self) -> Registration:
        """With the home agent that is asked now."""
        return self.home_agents.current

    @property
    def home_agent(self) -> IPv6Address | None:
        """The one at the other end of the tunnel, or else the one that is asked; None
        while none is known."""
        standing = self.home_agents.standing(self.care_of_address, self._now)
        return (standing or self.registration).home_agent

    @property
    def place(self) -> Place:
        return self._placement.place

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
        return sum(len(home.holding) for home in self.homes)

    @property
    def stopped(self) -> bool:
        """After `stop`: nothing more will be sent, and nothing is installed."""
        return self._stopped

    @property
    def installed(self) -> set[State]:
        return self._footprint.installed

    @property
    def deadline(self) -> float | None:
        if self._stopped:
            return None
        moments = [self.attachments.deadline, self._footprint.deadline]
        moments += (
            self.prefixes.deadline,
            self.homes.deadline(self.prefixes, self._now),
        )
        if self._stop_by is not None:
            moments.append(self._stop_by)
        moments += (self._home_neighbor.deadline, self.listening.deadline)
        if self.probe is not None:
            moments.append(self.probe.deadline)
        for home in self.homes:
            moments += (home.home_agents.deadline, home.correspondents.deadline)
            moments.append(home.path.deadline(self._now))
            tunnel = self._footprint.tunnel(home.home_address)
            if tunnel and tunnel.expires > self._now:
                moments.append(tunnel.expires)
        at = min(moments)
        return None if at == inf else at

    # What follows.

    def _settle(self, now: float, *first: Effect) -> list[Effect]:
        """Bring everything in line with what is known at `now`."""
        effects = list(first)
        if self._stopped:
            return effects
        self._footprint.begin(now, later=now > self._now)
        self._now = now
        for name, solicitation in self.attachments.update(now):
            effects.append(Send(solicitation))
            effects += self._progress.reached(Phase.ROUTER_SOLICITATION, name)
        effects += self._renumber(now)
        aims = [self._aim(now, effects)]
        aims += [self._further_aim(home, now) for home in self.homes.others]
        for home in self.homes:
            effects += map(Notify, home.home_agents.events())
        effects += self._footprint.reconcile(self._wanted(now), now)
        here, stopping = self.attachments.here, self._stop_by is not None
        bound_until = max(home.registration.bound_until for home in self.homes)
        if self._stop_by is not None and (
            here is None or now >= self._stop_by or now >= bound_until
        ):
            self._stopped = True
        if here is not None and not self._stopped:
            there = self.attachments.trial or here
            if there.care_of_address:
                effects += self._progress.reached(Phase.CARE_OF_ADDRESS, there.link)
            effects += self._registrations(there, aims, now)
            effects += map(Send, self.attachments.questions(now))
            effects += map(Send, self._home_neighbor.questions(now))
        arrived = self._placed(now)
        packets = self._beside_registrations(stopping, now)
        effects += self._footprint.reconcile(self._wanted(now), now)
        effects += map(Send, packets)
        effects += self._probed(now)
        effects += self._told_of_groups(now)
        effects += arrived
        for home in self.homes:
            effects += map(Notify, home.correspondents.events())
            if home.open(self.attachments, now):
                effects += home.holding.release(now)
        self._footprint.answered(effects)
        return effects

    def _registrations(
        self, there: Attachment, aims: list[Aim | None], now: float
    ) -> list[Effect]:
        """Binding Updates to home agents, and the question who else is there."""
        effects: list[Effect] = []
        for home, aim in zip(self.homes, aims, strict=True):
            until = min(there.valid_until, self._valid_until(home))
            for packet in home.home_agents.packets(now, aim, until):
                effects.append(Send(packet))
                link = packet.link or there.link
                if isinstance(packet.message, BindingUpdate):
                    effects += self._progress.reached(Phase.BINDING_UPDATE, link)
        return effects

    def _probed(self, now: float) -> list[Effect]:
        """Whether anything comes through the tunnel is asked while there is one."""
        if self.probe is None:
            return []
        if self.place is not Place.REGISTERED:
            self.probe.attached(None)
        return [Send(question) for question in self.probe.questions(now)]

    def _told_of_groups(self, now: float) -> list[Effect]:
        """Nothing is said before the home agent asks, nor without a binding."""
        bound, tunnel = self.listening.asker, None
        registration = self.home_agents.find(bound) if bound else None
        if registration is None or now >= registration.bound_until:
            bound = None
        elif self.place is Place.REGISTERED:
            tunnel = self._footprint.tunnel(self.home_address)
        return self.listening.reports(tunnel, bound, now)

    def _beside_registrations(self, stopping: bool, now: float) -> list[Packet]:
        """Messages to correspondents, and the question for prefixes."""
        packets: list[Packet] = []
        for home in self.homes:
            at = whereabouts(
                self.attachments.here,
                home.home_agents,
                stopping,
                now,
                valid_until=self._valid_until(home),
            )
            packets += home.correspondents.update(now, at)
            if home.home_address == self.prefixes.asks_for:
                asked = self.prefixes.update(at, now)
                packets += [asked] if asked else []
        return packets

    def _valid_until(self, home: Home) -> float:
        return self.prefixes.valid_until(home.home_address)

    def _renumber(self, now: float) -> list[Effect]:
        """Take up and leave home addresses as the home link's prefixes are."""
        if not self._renumbering or not self.homes.renumber(
            self.prefixes, self.attachments, now
        ):
            return []
        self.prefixes.renumbered(self.homes.addresses)
        self._placement.home_address = self.home_address
        self._home_neighbor.home_address = self.home_address
        if self.probe is not None:
            self.probe.home_address = self.home_address
        self.attachments.renumbered(self.homes.prefixes)
        return [Notify(HomeAddressesChanged(self.homes.addresses))]

    def _further_aim(self, home: Home, now: float) -> Aim | None:
        """What the home agent is to know of a home address beside the first, which
        decides where we are."""
        stopping = self._stop_by is not None
        aim = self.attachments.aim(home.home_address, stopping=stopping)
        home.home_agents.choose(aim, now, silent=False)
        home.home_agents.take_aim(aim, now)
        return aim

    def _aim(self, now: float, effects: list[Effect]) -> Aim | None:
        """Decide where to be, and which home agent is to know what of it."""
        tried, registration = self.registration.aim, self.registration
        effects += map(Notify, self.attachments.problems(registration, now))
        fruitless = registration.fruitless(now)
        if fruitless and tried:
            self.attachments.reached(tried.care_of_address, now, answered=False)
        if self.probe is not None:
            effects += self._judge(self.probe, now)
        self._attach(now)
        stopping = self._stop_by is not None
        aim = self._aimed(stopping)
        # Where no way is left that has not failed, it is the home agent.
        silent = fruitless and aim is not None and aim.patient
        if self.home_agents.choose(aim, now, silent=silent):
            self.attachments.forgive()
            self._attach(now)
            aim = self._aimed(stopping)
        self.attachments.look_for(self.registration.home_agent)
        self.home_agents.take_aim(aim, now)
        return aim

    def _aimed(self, stopping: bool) -> Aim | None:
        if self._home_neighbor.waiting:
            return None  # nothing is said from the home address yet (§11.5.5)
        return self.attachments.aim(self.home_address, stopping=stopping)

    def _judge(self, probe: TunnelProbe, now: float) -> list[Effect]:
        """A way by which nothing comes through the tunnel is as good as none."""
        found, here = probe.judge(now), self.attachments.here
        if found is None or here is None or here.care_of_address is None:
            return []
        blocked = found is Passage.BLOCKED
        self.attachments.reached(here.care_of_address, now, answered=not blocked)
        if not blocked:
            return []
        what = f"tunnel blocked (protocol 41) by the network on {here.link}"
        advice = "registering works there and data does not: use another network"
        return [Notify(Problem(what, advice))]

    def _attach(self, now: float) -> None:
        """Choose where to be; what an earlier process left is of use only there."""
        footprint = self._footprint
        here = self.attachments.here
        at = here.care_of_address if here else None
        stands = self.home_agents.standing(at, now) and self._stop_by is None
        self.attachments.choose(now, possible=footprint.possible, stands=bool(stands))
        here, left = self.attachments.here, footprint.left
        if left and here and here.care_of_address != left.care_of_address:
            footprint.left = None
        servers = self.attachments.name_servers(now)
        self.native.attached(here, servers, self.home_agent)
        bound = now < self.registration.bound_until
        self._home_neighbor.attached(here, bound, now)
        if self.probe is not None:
            self.probe.attached(here)

    def _placed(self, now: float) -> list[Effect]:
        """What arriving somewhere brings."""
        arrived = self._placement.update(
            self.attachments,
            self.home_agents,
            now,
            waiting=self._home_neighbor.waiting,
        )
        for home in self.homes:
            opened = home.opened(self.attachments, now)
            if opened or (arrived and home is self.homes.first):
                home.holding.arrived(now)
        if arrived:
            if self.place is Place.REGISTERED:
                self.attachments.registered(now)
            elif self.place is Place.AT_HOME:
                self.attachments.previous = None
        return arrived

    def _wanted(self, now: float) -> list[State]:
        """All the kernel state that this place and this registration need."""
        if self._stopped:
            return []
        attachments, home_agents = self.attachments, self.home_agents
        states: list[State] = [HomeAddress(address=self.home_address, link=self.device)]
        if attachments.at_home:
            states += self._home_neighbor.neighbor(home_agents.current.home_agent)
            quiet = self._home_neighbor.waiting or self._home_neighbor.conflict
            states += home_states(
                attachments, home_agents, self.table, now, address_on_link=not quiet
            )
        else:
            states += away_states(
                attachments,
                self.home_address,
                device=self.device,
                table=self.table,
                home_by_default=home_agents.alive(now) or not self.fallback,
                checked_by_kernel=self._optimistic,
                mtu=self._mtu(now),
            )
            states += self.native.states(attachments.here)
        left = self._footprint.left
        for tunnel in self._tunnel(self.homes.first, left, now):
            states += (tunnel, *self.listening.states(tunnel))
        states += self.correspondents.states(now)
        for home in self.homes.others:
            states += further_states(
                attachments, home.home_agents, self.device, self.table, now
            )
            states += self._tunnel(home, None, now)
            # Routes to correspondents are for the address that is used from now on.
            every = home.correspondents.states(now)
            states += (state for state in every if not isinstance(state, Route))
        return states

    def _tunnel(self, home: Home, left: Tunnel | None, now: float) -> list[Tunnel]:
        """`left`: by an earlier process."""
        if self._stop_by is not None:
            tunnel = self._footprint.tunnel(home.home_address)
        else:
            tunnel = home_tunnel(
                self.attachments, home.home_agents, left, home.path, now
            )
        return [] if tunnel is None else [tunnel]

    def _mtu(self, now: float) -> int | None:
        """Of the routes into the tunnels: they share a way."""
        mtus = [home.path.mtu(self.care_of_address, now) for home in self.homes]
        return inner_mtu(min((mtu for mtu in mtus if mtu is not None), default=None))


def check_lifetime(lifetime: float) -> None:
    if lifetime < 4 or lifetime % 4:
        raise ValueError(f"lifetime {lifetime} s is not a positive multiple of 4")
