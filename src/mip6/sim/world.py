"""A network of one mobile node, its home agent and a correspondent in virtual time.

The nodes are the real ones: every packet crosses the codec as octets, every effect is
carried out on a ledger that stands for the kernel, and data follows those ledgers.
"""

import heapq
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.core.effects import Effect
from mip6.core.events import Event, Place, PlaceChanged
from mip6.core.home_agent import HomeAgent
from mip6.core.link import Link, interface_identifier
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.state import CareOfAddress, State, Tunnel
from mip6.wire.messages import BindingUpdate
from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborMessage,
    NeighborSolicitation,
    RouterSolicitation,
    TargetLinkLayerAddress,
)

from . import trace
from .chance import Chance
from .labels import event_label, packet_label, packet_step, state_label
from .network import (
    ALL_NODES,
    CORE_DELAY,
    HOME,
    HOME_ADDRESS,
    HOME_AGENT,
    LINK_DELAY,
    PREFIXES,
    Advertising,
    Faults,
    Router,
    link_of,
)
from .party import Party
from .traffic import Traffic

DEVICE = "mip0"
HOME_LINK = "eth1"
"""The home agent's interface on the home link."""
LINK_LAYER_ADDRESS = bytes.fromhex("020000000064")
CHECK_TIME = 1.0
"""Seconds the kernel takes for duplicate address detection."""


class World:
    """seed: of everything that happens by chance.
    faults: what goes wrong, changeable at any time.
    links: the mobile node's interfaces, the preferred first.
    lifetime: seconds that the mobile node asks for.
    virtual: the home agent has no home link; its prefix is routed to it.
    check_time: seconds of the home agent's duplicate address detection.  It is a second
        in truth; in a world where only moves matter it would hide all else.
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
        inspect: Callable[["World"], None] | None = None,
    ) -> None:
        self.now = 0.0
        self.chance = Chance(seed)
        self.faults = faults or Faults()
        self.trace: list[trace.Entry] = []
        self.plugged: dict[str, str | None] = dict.fromkeys(links)
        """The link each interface of the mobile node is on; None without carrier."""
        self.taken: set[IPv6Address] = set()
        """Addresses that another node on a visited link uses already."""
        self.updates: list[float] = []
        """When the mobile node's process sent Binding Updates; a new one has no idea
        of what the one before it sent."""
        self.lifetime = lifetime
        self.virtual = virtual
        self.check_time = check_time
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
        self._checked_once: set[str] = set()
        """Interfaces whose link-local address is known to be unique."""
        self._told_by: set[str] = set()
        """Interfaces that have heard their router."""
        self.ha = self._party(trace.HOME_AGENT, Node(home_agent=self._home_agent()))
        self.mn = self._party(trace.MOBILE_NODE, Node(mobile_node=self._mobile_node()))
        self.traffic = Traffic(self)
        for router in self.routers.values():
            self._advertise_later(router)

    @property
    def home_agent(self) -> HomeAgent:
        role = self.ha.node.home_agent
        assert role is not None
        return role

    @property
    def mobile_node(self) -> MobileNode:
        role = self.mn.node.mobile_node
        assert isinstance(role, MobileNode)
        return role

    # Time.

    def at(self, when: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, action))

    def run(self, until: float) -> None:
        """Let everything happen that happens up to `until` (seconds)."""
        while (when := self._next()) <= until:
            self.now = max(self.now, when)
            for party in (self.ha, self.mn):
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
        for party in (self.ha, self.mn):
            if party.running and (deadline := party.node.deadline) is not None:
                moments.append(deadline)
        return min(moments, default=inf)

    # What people do.

    def plug(self, link: str, interface: str = "eth0") -> None:
        """The cable of an interface goes into a link: it has carrier."""
        self.plugged[interface] = link
        self._told_by.discard(interface)
        self.note(trace.MOBILE_NODE, f"{interface} comes to {_link(link)}")
        # A link-local address that was found unique once stays, as the kernel has it.
        self._link_up(interface, known=interface in self._checked_once)
        if self.mn.running:
            self.at(self.now + CHECK_TIME, lambda: self._link_local(interface, link))

    def unplug(self, interface: str = "eth0") -> None:
        if self.plugged[interface] is None:
            return
        self.note(trace.MOBILE_NODE, f"{interface} loses its carrier")
        self.plugged[interface] = None
        if self.mn.running:
            self.perform(
                self.mn, lambda now: self.mobile_node.link_down(interface, now)
            )

    def kill(self, party: Party) -> None:
        """The process is gone at once; the kernel goes on."""
        self.note(party.name, "daemon killed")
        party.running = False

    def start(self, party: Party) -> None:
        """Another process starts, and finds the tunnels in the kernel."""
        self.note(party.name, "daemon started again")
        tunnels = [s for s in party.ledger.values() if isinstance(s, Tunnel)]
        if party is self.ha:
            party.restart(Node(home_agent=self._home_agent(*tunnels)))
            return
        self.updates = []
        party.restart(Node(mobile_node=self._mobile_node(*tunnels)))
        for interface, link in self.plugged.items():
            if link is not None:
                self._link_up(interface, known=True)

    def reboot_home_agent(self) -> None:
        """The home agent's machine starts anew, and knows nothing."""
        self.note(trace.HOME_AGENT, "rebooted: no bindings")
        self.ha.ledger.clear()
        self.ha.restart(Node(home_agent=self._home_agent()))

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

    # What the kernel knows.

    def interface_on(self, link: str) -> str | None:
        """The mobile node's interface that is plugged into `link`."""
        return next((i for i, at in self.plugged.items() if at == link), None)

    def holder(self, address: IPv6Address) -> str | None:
        """The interface by which a care-of address is reached, and sends."""
        link = link_of(address)
        works = link not in self.silenced | self.severed
        interface = self.interface_on(link) if link and works else None
        key = (CareOfAddress, address, interface)
        return interface if key in self.mn.ledger else None

    # The nodes.

    def _home_agent(self, *restored: Tunnel) -> HomeAgent:
        return HomeAgent(
            HOME_AGENT,
            PREFIXES[HOME],
            home_link=None if self.virtual else HOME_LINK,
            device=DEVICE,
            bindings_max=100,
            authentication_required=False,
            mobile_nodes=(IPv6Network(HOME_ADDRESS),),
            check_time=self.check_time,
            restored=restored,
        )

    def _mobile_node(self, restored: Tunnel | None = None) -> MobileNode:
        return MobileNode(
            HOME_ADDRESS,
            PREFIXES[HOME],
            HOME_AGENT,
            device=DEVICE,
            links=tuple(self.plugged),
            lifetime=self.lifetime,
            random=self.chance.stream("mobile node").randbytes,
            authentication_required=False,
            restored=restored,
        )

    def _party(self, name: str, node: Node) -> Party:
        return Party(
            name,
            node,
            refuses=lambda _: self.chance.strikes("refusal", self.faults.refuse),
            send=lambda packet: self._send(name, packet),
            forward=lambda octets: self.traffic.upward(octets),
            changed=lambda state, installed: self._changed(name, state, installed),
            told=lambda event: self._told(name, event),
        )

    def _changed(self, name: str, state: State, installed: bool) -> None:
        if label := state_label(state, installed=installed):
            step = 1 if isinstance(state, CareOfAddress) and installed else 0
            self.note(name, label, step)
        if isinstance(state, CareOfAddress) and installed:
            self.at(self.now + CHECK_TIME, lambda: self._checked(state))

    def _told(self, name: str, event: Event) -> None:
        if label := event_label(event):
            self.note(name, label)
        arrived = isinstance(event, PlaceChanged) and event.place in (
            Place.REGISTERED,
            Place.AT_HOME,
        )
        if arrived:
            self.traffic.show()
            # The daemon cleans up behind its predecessor once it knows where it is.
            self.mn.sweep()

    def _checked(self, state: CareOfAddress) -> None:
        """Duplicate address detection ends, if the address is still there."""
        if self.mn.running and self.mn.ledger.get(state.key) == state:
            unique = state.address not in self.taken
            self.perform(
                self.mn,
                lambda now: self.mobile_node.address_checked(
                    state.address, state.link, unique, now
                ),
            )

    def _link_up(self, interface: str, *, known: bool = False) -> None:
        link_local = None
        if known:
            identifier = interface_identifier(LINK_LAYER_ADDRESS)
            link_local = IPv6Address(b"\xfe\x80" + bytes(6) + identifier)
        link = Link(interface, LINK_LAYER_ADDRESS, link_local)
        if self.mn.running:
            self.perform(self.mn, lambda now: self.mobile_node.link_up(link, now))

    def _link_local(self, interface: str, link: str) -> None:
        """The link-local address is checked too, and may be used now."""
        if self.plugged[interface] == link and self.mn.running:
            self._checked_once.add(interface)
            self._link_up(interface, known=True)

    # The way of signalling.

    def _send(self, name: str, packet: Packet) -> None:
        octets = write(packet)
        if name == trace.HOME_AGENT and isinstance(packet.message, NeighborMessage):
            self._onto_home_link(packet.message)
        elif name == trace.HOME_AGENT:
            self._from_home_agent(packet, octets)
        else:
            self._from_mobile_node(packet, octets)

    def _onto_home_link(self, message: NeighborMessage) -> None:
        """Another node there may hold what the home agent asks for."""
        if not isinstance(message, NeighborSolicitation):
            return
        target = message.target_address
        if target in self.taken:
            answer = Packet(
                source=target,
                destination=ALL_NODES,
                message=NeighborAdvertisement(target_address=target, override=True),
                hop_limit=255,
            )
            octets = write(answer)
            self.at(
                self.now + 2 * LINK_DELAY,
                lambda: self.into_home_agent(octets, HOME_LINK),
            )

    def _from_home_agent(self, packet: Packet, octets: bytes) -> None:
        destination = packet.destination
        link = link_of(destination)
        delay = LINK_DELAY if link == HOME else CORE_DELAY + LINK_DELAY
        arrow = self._arrow(trace.HOME_AGENT, trace.MOBILE_NODE, packet)

        def arrive(octets: bytes) -> None:
            if destination == HOME_ADDRESS:
                interface = self.interface_on(HOME)
            else:
                interface = self.holder(destination)
            if interface is None:
                arrow("nobody there")
            else:
                self._into_mobile_node(octets, interface)

        self._travel(octets, delay, arrive, arrow)

    def _from_mobile_node(self, packet: Packet, octets: bytes) -> None:
        if packet.destination == HOME_ADDRESS:
            return  # an error for an application on the same machine
        link = self.plugged.get(packet.link or "")
        if isinstance(packet.message, BindingUpdate):
            self.updates.append(self.now)
        solicits = isinstance(packet.message, RouterSolicitation)
        asks = solicits or isinstance(packet.message, NeighborSolicitation)
        target = trace.ROUTER if asks and link != HOME else trace.HOME_AGENT
        arrow = self._arrow(trace.MOBILE_NODE, target, packet, link)
        if link is None:
            arrow("no carrier")
        elif link in self.silenced:
            arrow("nobody answers")
        elif solicits:
            router = self.routers.get(link)
            if router is not None:
                self._travel(octets, LINK_DELAY, lambda _: self._answer(router), arrow)
        elif isinstance(packet.message, NeighborSolicitation):
            self._probed(link, packet, octets, arrow)
        elif link in self.severed:
            arrow("leads nowhere")
        elif packet.destination == HOME_AGENT:
            delay = LINK_DELAY if link == HOME else CORE_DELAY + LINK_DELAY
            self._travel(octets, delay, self.into_home_agent, arrow)

    def _probed(
        self, link: str, packet: Packet, octets: bytes, arrow: Callable[[str], None]
    ) -> None:
        """A frame to a router that was here once reaches nobody else."""
        router = self.routers.get(link)
        if router is None or router.link_layer_address != packet.link_layer_destination:
            arrow("nobody there")
            return
        message = NeighborAdvertisement(
            target_address=router.address,
            router=True,
            solicited=True,
            override=True,
            options=(TargetLinkLayerAddress(router.link_layer_address),),
        )
        answer = Packet(
            source=router.address,
            destination=packet.source,
            message=message,
            hop_limit=255,
        )
        source = trace.HOME_AGENT if link == HOME else trace.ROUTER

        def back(octets: bytes) -> None:
            interface = self.interface_on(link)
            if interface is not None:
                self._into_mobile_node(octets, interface)

        def reply(_: bytes) -> None:
            tell = self._arrow(source, trace.MOBILE_NODE, answer, link)
            self._travel(write(answer), LINK_DELAY, back, tell)

        self._travel(octets, LINK_DELAY, reply, arrow)

    def into_home_agent(self, octets: bytes, link: str | None = None) -> None:
        if self.ha.running:
            self.perform(
                self.ha, lambda now: self.ha.node.receive(octets, now, link=link)
            )

    def _into_mobile_node(self, octets: bytes, interface: str) -> None:
        if self.mn.running:
            self.perform(
                self.mn,
                lambda now: self.mn.node.receive(octets, now, link=interface),
            )

    def _travel(
        self,
        octets: bytes,
        delay: float,
        arrive: Callable[[bytes], None],
        arrow: Callable[[str], None],
    ) -> None:
        """Lose, double, damage and delay as the faults have it."""
        faults, chance = self.faults, self.chance
        copies = 2 if chance.strikes("duplicate", faults.duplicate) else 1
        fate = "lost"
        for _ in range(copies):
            jitter = chance.stream("jitter").random() * faults.jitter
            damaged = chance.strikes("damage", faults.damage)
            if chance.strikes("loss", faults.loss):
                continue
            fate = "damaged" if damaged else ""
            arriving = self._damage(octets) if damaged else octets
            self.at(self.now + delay + jitter, lambda o=arriving: arrive(o))  # type: ignore[misc]
        arrow(fate)

    def _damage(self, octets: bytes) -> bytes:
        random = self.chance.stream("where")
        damaged = bytearray(octets)
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        return bytes(damaged)

    def _arrow(
        self, source: str, target: str, packet: Packet, link: str | None = None
    ) -> Callable[[str], None]:
        """Put a packet into the trace; calling the result tells its fate."""
        place = len(self.trace)
        arrow = trace.Arrow(
            at=self.now,
            source=source,
            target=target,
            label=packet_label(packet),
            step=packet_step(packet, link),
        )
        self.trace.append(arrow)

        def tell(fate: str) -> None:
            self.trace[place] = replace(arrow, fate=fate)

        return tell

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

    def _answer(self, router: Router) -> None:
        wait = self.chance.stream("answer").random() * router.advertising.answer_max
        self.at(self.now + wait, lambda: self._advertise(router))

    def _advertise(self, router: Router) -> None:
        interface = self.interface_on(router.link)
        if interface is None or router.link in self.silenced:
            return
        packet = router.advertisement()
        source = trace.HOME_AGENT if router.link == HOME else trace.ROUTER
        told = interface in self._told_by

        def arrow(fate: str) -> None:
            if not told:  # those after it tell nothing new
                self._arrow(source, trace.MOBILE_NODE, packet, router.link)(fate)

        def arrive(octets: bytes) -> None:
            if self.interface_on(router.link) == interface:
                self._told_by.add(interface)
                self._into_mobile_node(octets, interface)

        self._travel(write(packet), LINK_DELAY, arrive, arrow)


def _link(link: str) -> str:
    return "the home link" if link == HOME else f"link {link}"
