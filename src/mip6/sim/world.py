"""A network of mobile nodes, their home agent and correspondents in virtual time.

The nodes are the real ones: every packet crosses the codec as octets, every effect is
carried out on a ledger that stands for the kernel, and data follows those ledgers.
"""

import heapq
from collections.abc import Callable
from ipaddress import IPv6Address
from math import inf

from mip6.core.correspondent import Correspondent
from mip6.core.effects import Effect
from mip6.core.events import Event, Place, PlaceChanged, WayChanged
from mip6.core.home_agent import HomeAgent
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.prefixes import HomePrefix
from mip6.core.route_optimization import CorrespondentPolicy
from mip6.core.state import CareOfAddress, End, RouteOptimization, State, Tunnel
from mip6.wire.messages import BindingUpdate

from . import trace
from .agents import DEVICE, Agents
from .chance import Chance
from .labels import event_label, state_label
from .mobile import CHECK_TIME, Mobile
from .name_servers import NameServers
from .network import (
    CORRESPONDENT,
    HOME,
    HOME_ADDRESS,
    HOME_AGENT,
    LINK_DELAY,
    OTHER_CORRESPONDENT,
    OTHER_HOME_ADDRESS,
    PREFIXES,
    Advertising,
    Faults,
    Router,
    link_of,
)
from .party import Party
from .peer import Peer
from .signalling import Signalling
from .traffic import Flow, Traffic

LINK_LAYER_ADDRESSES = (
    bytes.fromhex("020000000064"),
    bytes.fromhex("020000000065"),
)


class World:
    """seed: of everything that happens by chance.
    faults: what goes wrong, changeable at any time.
    links: the mobile node's interfaces, the preferred first.
    lifetime: seconds that the mobile node asks for.
    virtual: the home agent has no home link; its prefix is routed to it.
    check_time: seconds of the home agent's duplicate address detection.  It is a second
        in truth; in a world where only moves matter it would hide all else.
    route_optimization: whether mobile nodes ask correspondents to send directly.
    policies: with whom, and how.
    two_mobile_nodes: they talk to each other, and each is the other's correspondent;
        else the mobile node talks to
    correspondents: so many, one or two,
    without_mip6: which know nothing of Mobile IPv6.
    two_home_agents: on the home link; the mobile node knows both, the other one first.
    discover: it knows neither, and asks the home link.
    prefix_discovery: mobile nodes ask for the prefixes of the home link.
    inspect: called after every step of a node.
    """

    def __init__(
        self,
        seed: int,
        *,
        faults: Faults | None = None,
        advertising: Advertising | None = None,
        links: tuple[str, ...] = ("eth0",),
        lifetime: float = 600,
        virtual: bool = False,
        check_time: float = 0.0,
        route_optimization: bool = False,
        policies: tuple[CorrespondentPolicy, ...] = (),
        two_mobile_nodes: bool = False,
        correspondents: int = 1,
        without_mip6: bool = False,
        two_home_agents: bool = False,
        discover: bool = False,
        prefix_discovery: bool = False,
        inspect: Callable[["World"], None] | None = None,
    ) -> None:
        self.now = 0.0
        self.chance = Chance(seed)
        self.faults = faults or Faults()
        self.trace: list[trace.Entry] = []
        self.taken: set[IPv6Address] = set()
        """Addresses that another node on a visited link uses already."""
        self.lifetime = lifetime
        self.virtual = virtual
        self.check_time = check_time
        self.route_optimization = route_optimization
        self.policies = policies
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._inspect = inspect
        self.routers = {
            link: Router(link, advertising or Advertising())
            for link in PREFIXES
            if not (virtual and link == HOME)
        }
        self.silenced: set[str] = set()
        """Links whose router has stopped working."""
        self.severed: set[str] = set()
        """Links that work and do not lead to the home agent."""
        self.signalling = Signalling(self)
        self.name_servers = NameServers(self)
        self.agents = Agents(self, two=two_home_agents)
        self.ha = self.agents.first.party
        self._asked = tuple(agent.address for agent in reversed(self.agents.all))
        self._discover = discover
        self._prefix_discovery = prefix_discovery
        self._two = two_mobile_nodes
        self.mobiles = [self._mobile(0, HOME_ADDRESS, links)]
        self.peers: dict[IPv6Address, Peer] = {}
        if two_mobile_nodes:
            self.mobiles.append(self._mobile(1, OTHER_HOME_ADDRESS, links))
            flows = [Flow(self.mobiles[0], self.mobiles[1])]
        else:
            for number in range(correspondents):
                peer = self._peer(number, knows=not without_mip6)
                self.peers[peer.address] = peer
            flows = [Flow(self.mobiles[0], peer) for peer in self.peers.values()]
        self.traffic = Traffic(self, flows)
        for router in self.routers.values():
            self._advertise_later(router)

    @property
    def home_agent(self) -> HomeAgent:
        return self.agents.first.role

    # The first mobile node, which most stories are about.

    @property
    def mobile(self) -> Mobile:
        return self.mobiles[0]

    @property
    def mn(self) -> Party:
        return self.mobile.party

    @property
    def mobile_node(self) -> MobileNode:
        return self.mobile.role

    @property
    def plugged(self) -> dict[str, str | None]:
        return self.mobile.plugged

    @property
    def updates(self) -> list[float]:
        """When its process sent Binding Updates to the home agent."""
        return self.mobile.sent[BindingUpdate, HOME_AGENT]

    @property
    def correspondent(self) -> Correspondent:
        """The first one."""
        party = self.peers[CORRESPONDENT].party
        role = party.node.correspondent if party else None
        assert role is not None
        return role

    @property
    def parties(self) -> list[Party]:
        """All processes there are."""
        peers = [peer.party for peer in self.peers.values() if peer.party]
        agents = [agent.party for agent in self.agents.all]
        return [*agents, *(mobile.party for mobile in self.mobiles), *peers]

    def owner(self, address: IPv6Address) -> Mobile | None:
        """The mobile node with this home address, or with this care-of address; on a
        visited link without one, some mobile node there, which will not want it."""
        for mobile in self.mobiles:
            if mobile.address == address:
                return mobile
        link = link_of(address)
        for mobile in self.mobiles:
            if address.packed[8:] == mobile.identifier and link:
                return mobile
        for mobile in self.mobiles:
            if link and mobile.holder(address):
                return mobile
        return self.mobile if link else None

    # Time.

    def at(self, when: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, action))

    def run(self, until: float) -> None:
        """Let everything happen that happens up to `until` (seconds)."""
        while (when := self._next()) <= until:
            self.now = max(self.now, when)
            for party in self.parties:
                deadline = party.node.deadline
                if party.running and deadline is not None and deadline <= self.now:
                    self.perform(party, party.node.tick)
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
        self.now = until

    def perform(self, party: Party, call: Callable[[float], list[Effect]]) -> None:
        """One input of a node, and all that comes of it."""
        party.perform(call(self.now), self.now)
        if self._inspect:
            self._inspect(self)

    def _next(self) -> float:
        moments = [self._events[0][0]] if self._events else []
        for party in self.parties:
            if party.running and (deadline := party.node.deadline) is not None:
                moments.append(deadline)
        return min(moments, default=inf)

    # What people do.

    def plug(
        self, link: str, interface: str = "eth0", mobile: Mobile | None = None
    ) -> None:
        """The cable of an interface goes into a link: it has carrier."""
        (mobile or self.mobile).plug(link, interface)

    def unplug(self, interface: str = "eth0", mobile: Mobile | None = None) -> None:
        (mobile or self.mobile).unplug(interface)

    def kill(self, party: Party) -> None:
        """The process is gone at once; the kernel goes on."""
        self.note(party.name, "daemon killed")
        party.running = False

    def start(self, party: Party) -> None:
        """Another process starts, and finds tunnels and direct ways in the kernel."""
        self.note(party.name, "daemon started again")
        self.traffic.path.forget(party.name)
        left = [s for s in party.ledger.values() if isinstance(s, Tunnel)]
        ways = [s for s in party.ledger.values() if isinstance(s, RouteOptimization)]
        for agent in self.agents.all:
            if agent.party is party:
                party.restart(self.agents.node(agent.address, *left))
                return
        for peer in self.peers.values():
            if peer.party is party:
                party.restart(self._correspondent(peer.address, ways))
        for mobile in self.mobiles:
            if mobile.party is party:
                mobile.sent.clear()
                party.restart(
                    self._mobile_node(mobile.address, mobile.links, left, ways)
                )
                for interface, link in mobile.plugged.items():
                    if link is not None:
                        mobile.link_up(interface, known=True)

    def reboot_correspondent(self) -> None:
        """Its machine starts anew, and knows nothing."""
        self.note(trace.CORRESPONDENT, "rebooted: no bindings")
        party = self.peers[CORRESPONDENT].party
        assert party is not None
        party.ledger.clear()
        self.traffic.path.forget(party.name)
        party.restart(self._correspondent(CORRESPONDENT, []))

    def reboot_home_agent(self) -> None:
        """The home agent's machine starts anew, and knows nothing."""
        self.agents.reboot(self.agents.first)

    def renumber(self, *prefixes: HomePrefix) -> None:
        """The home link has these prefixes from now on."""
        said = ", ".join(
            f"{prefix.network}{'' if prefix.preferred(self.now) else ' (deprecated)'}"
            for prefix in prefixes
        )
        self.note(trace.HOME_AGENT, f"the home link is {said}")
        self.perform(
            self.ha, lambda now: self.home_agent.prefixes_changed(prefixes, now)
        )

    def silence(self, link: str) -> None:
        """The router of a link stops, and the link stays up."""
        self.note(trace.ROUTER, f"router of {link} stops")
        self.silenced.add(link)

    def sever(self, link: str) -> None:
        """The router of a link loses its way to the home agent."""
        self.note(trace.ROUTER, f"link {link} leads nowhere")
        self.severed.add(link)

    def repair(self, link: str) -> None:
        self.note(trace.ROUTER, f"link {link} is repaired")
        self.severed.discard(link)

    def handover(self, interface: str) -> None:
        """A person wants the mobile node to be there."""
        self.note(trace.MOBILE_NODE, f"mip6 handover {interface}")
        self.perform(self.mn, lambda now: self.mobile_node.handover(interface, now))

    def note(self, place: str, text: str, step: int = 0) -> None:
        self.trace.append(trace.Note(self.now, place, text, step))

    # The nodes.

    def _mobile(
        self, number: int, address: IPv6Address, links: tuple[str, ...]
    ) -> Mobile:
        name = (trace.MOBILE_NODE, trace.OTHER_MOBILE_NODE)[number]
        party = self.party(
            name,
            self._mobile_node(address, links),
            send=lambda packet: self.signalling.from_mobile(mobile, packet),
            forward=lambda octets: self.traffic.resume(octets),
        )
        identifier = LINK_LAYER_ADDRESSES[number]
        mobile = Mobile(self, party, address, identifier, links)
        return mobile

    def _mobile_node(
        self,
        address: IPv6Address,
        links: tuple[str, ...],
        left: list[Tunnel] | None = None,
        ways: list[RouteOptimization] | None = None,
    ) -> Node:
        left, ways = left or [], ways or []
        another = "" if address == HOME_ADDRESS else "other "
        random = self.chance.stream(f"{another}mobile node").randbytes
        mobile_node = MobileNode(
            address,
            PREFIXES[HOME],
            () if self._discover else self._asked,
            discover=self._discover,
            device=DEVICE,
            links=links,
            lifetime=self.lifetime,
            random=random,
            authentication_required=False,
            restored=left[0] if left else None,
            route_optimization=self.route_optimization,
            policies=self.policies,
            restored_ways=tuple(w for w in ways if w.end is End.MOBILE_NODE),
            prefix_discovery=self._prefix_discovery,
        )
        correspondent = None
        if self._two:
            correspondent = Correspondent(
                (address,),
                random=random,
                first_nonce=int.from_bytes(random(2)),
                device=DEVICE,
                restored=[w for w in ways if w.end is End.CORRESPONDENT],
            )
        return Node(mobile_node=mobile_node, correspondent=correspondent)

    def _peer(self, number: int, *, knows: bool) -> Peer:
        name = (trace.CORRESPONDENT, trace.OTHER_CORRESPONDENT)[number]
        address = (CORRESPONDENT, OTHER_CORRESPONDENT)[number]
        party = None
        if knows:
            party = self.party(
                name,
                self._correspondent(address, []),
                send=lambda packet: self.signalling.from_peer(peer, packet),
                forward=lambda octets: None,
            )
        peer = Peer(name, address, party)
        return peer

    def _correspondent(
        self, address: IPv6Address, ways: list[RouteOptimization]
    ) -> Node:
        random = self.chance.stream(f"correspondent {address}").randbytes
        return Node(
            correspondent=Correspondent(
                (address,),
                random=random,
                first_nonce=int.from_bytes(random(2)),
                device=DEVICE,
                restored=ways,
            )
        )

    def party(
        self,
        name: str,
        node: Node,
        *,
        send: Callable[[Packet], None],
        forward: Callable[[bytes], None],
    ) -> Party:
        return Party(
            name,
            node,
            refuses=lambda _: self.chance.strikes("refusal", self.faults.refuse),
            send=send,
            forward=forward,
            changed=lambda state, installed: self._changed(name, state, installed),
            told=lambda event: self._told(name, event),
        )

    def _changed(self, name: str, state: State, installed: bool) -> None:
        if label := state_label(state, installed=installed):
            step = 1 if isinstance(state, CareOfAddress) and installed else 0
            self.note(name, label, step)
        if isinstance(state, CareOfAddress) and installed:
            [mobile] = (mobile for mobile in self.mobiles if mobile.name == name)
            self.at(self.now + CHECK_TIME, lambda: mobile.checked(state))

    def _told(self, name: str, event: Event) -> None:
        if label := event_label(event):
            self.note(name, label)
        if isinstance(event, WayChanged):
            peer = self.peers.get(event.correspondent)
            self.traffic.show(name, peer or self.owner(event.correspondent))
        arrived = isinstance(event, PlaceChanged) and event.place in (
            Place.REGISTERED,
            Place.AT_HOME,
        )
        if arrived:
            self.traffic.show(name)
            # The daemon cleans up behind its predecessor once it knows where it is.
            for mobile in self.mobiles:
                if mobile.name == name:
                    mobile.party.sweep()

    # Routers.

    def _advertise_later(self, router: Router) -> None:
        advertising = router.advertising
        wait = self.chance.stream(f"advertisement {router.link}").uniform(
            advertising.interval_min, advertising.interval_max
        )

        def advertise() -> None:
            self._advertise(router)
            self._advertise_later(self.routers[router.link])

        self.at(self.now + wait, advertise)

    def answer(self, router: Router) -> None:
        """A router was asked."""
        wait = self.chance.stream("answer").random() * router.advertising.answer_max
        self.at(self.now + wait, lambda: self._advertise(router))

    def _advertise(self, router: Router) -> None:
        if router.link in self.silenced:
            return
        for mobile in self.mobiles:
            if interface := mobile.interface_on(router.link):
                self._advertise_to(router, mobile, interface)

    def _advertise_to(self, router: Router, mobile: Mobile, interface: str) -> None:
        packet = router.advertisement()
        told = interface in mobile.told_by

        def arrow(fate: str) -> None:
            if not told:  # those after it tell nothing new
                self.signalling.advertised(mobile.name, packet, router.link)(fate)

        def arrive(octets: bytes) -> None:
            if mobile.interface_on(router.link) == interface:
                mobile.told_by.add(interface)
                self.signalling.hand_over(mobile, octets, interface)

        self.signalling.travel(write(packet), LINK_DELAY, arrive, arrow)
