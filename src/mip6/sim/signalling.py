"""The way of signalling in the simulator: from each process to the one that it is for,
through tunnels where the kernel has them, with all that may happen to a packet."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from mip6.core.packet import Packet, read, write
from mip6.core.state import End
from mip6.wire.buffer import WireError
from mip6.wire.messages import HomeTest
from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborMessage,
    NeighborSolicitation,
    RouterSolicitation,
)
from mip6.wire.neighbor_options import TargetLinkLayerAddress
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, write_packet

from . import trace
from .agents import HOME_LINK, Agent
from .labels import packet_label, packet_step
from .mobile import Mobile
from .network import (
    ALL_NODES,
    AT_HOME_AGENT,
    HOME,
    LINK_DELAY,
    PREFIXES,
    delay,
    link_of,
)
from .peer import Peer

if TYPE_CHECKING:
    from .world import World

Tell = Callable[[str], None]
"""What became of a packet; "" if it arrived."""


class Signalling:
    def __init__(self, world: "World") -> None:
        self._world = world

    # Who sends.

    def from_home_agent(self, agent: Agent, packet: Packet) -> None:
        if isinstance(packet.message, NeighborMessage):
            self._onto_home_link(agent, packet.message)
        else:
            self._onward(packet, write(packet), agent.party.name, AT_HOME_AGENT)

    def forwarded_by_home_agent(self, agent: Agent, octets: bytes) -> None:
        """What came out of a tunnel goes on, and may go into another."""
        try:
            packet = read(octets)
        except WireError:
            return  # damaged: whoever gets it drops it
        if packet.destination in PREFIXES[HOME]:
            self._intercept(packet, octets, packet.destination)
        else:
            self._onward(packet, octets, agent.party.name, AT_HOME_AGENT)

    def from_peer(self, peer: Peer, packet: Packet) -> None:
        self._onward(packet, write(packet), peer.name, None)

    def from_mobile(self, mobile: Mobile, packet: Packet) -> None:
        if packet.destination == mobile.address:
            return  # an error for an application on the same machine
        mobile.noted(packet)
        link = mobile.plugged.get(packet.link or "")
        if packet.link is None:
            # As the routing rules have it: from the home address by the tunnel.
            source = packet.source
            if source == mobile.address and mobile.interface_on(HOME) is None:
                tunnel = mobile.tunnel
                if tunnel is None:
                    return self._arrow(mobile.name, trace.HOME_AGENT, packet)("waits")
                source = tunnel.care_of_address
                packet = replace(packet, tunnel=(source, tunnel.home_agent))
            elsewhere = link_of(source)
            if elsewhere and mobile.interface_on(elsewhere):
                link = elsewhere
        if isinstance(packet.message, RouterSolicitation | NeighborSolicitation):
            return self._solicitation(mobile, packet, link)
        fault = ""
        if link is None:
            fault = "no carrier"
        elif link in self._world.silenced:
            fault = "nobody answers"
        elif link in self._world.severed:
            fault = "leads nowhere"
        self._onward(packet, write(packet), mobile.name, link, fault)

    def _solicitation(self, mobile: Mobile, packet: Packet, link: str | None) -> None:
        world = self._world
        target = trace.ROUTER if link != HOME else trace.HOME_AGENT
        arrow = self._arrow(mobile.name, target, packet, link)
        if link is None:
            arrow("no carrier")
        elif link in world.silenced:
            arrow("nobody answers")
        elif isinstance(packet.message, NeighborSolicitation):
            self._probed(mobile, link, packet, arrow)
        elif (router := world.routers.get(link)) is not None:
            octets = write(packet)
            self.travel(octets, LINK_DELAY, lambda _: world.answer(router), arrow)

    def _probed(self, mobile: Mobile, link: str, packet: Packet, arrow: Tell) -> None:
        """A frame to a router that was here once reaches nobody else."""
        router = self._world.routers.get(link)
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

        def back(octets: bytes) -> None:
            interface = mobile.interface_on(link)
            if interface is not None:
                self.hand_over(mobile, octets, interface)

        def reply(_: bytes) -> None:
            tell = self.advertised(mobile.name, answer, link)
            self.travel(write(answer), LINK_DELAY, back, tell)

        self.travel(write(packet), LINK_DELAY, reply, arrow)

    # Where it goes.

    def _onward(
        self,
        packet: Packet,
        octets: bytes,
        sender: str,
        place: str | None,
        fault: str = "",
    ) -> None:
        """From `place` to where the outermost header says."""
        world = self._world
        destination = packet.tunnel[1] if packet.tunnel else packet.destination
        peer = world.peers.get(destination)
        mobile = world.owner(destination)
        agent = world.agents.find(destination)
        intercepted = destination in PREFIXES[HOME] and place != AT_HOME_AGENT
        if agent is None and intercepted:
            agent = world.agents.serving(destination)
        if agent is not None:
            target, to = agent.party.name, AT_HOME_AGENT
            fault = fault or ("nobody there" if agent.dead else "")
        elif peer is not None:
            target, to = peer.name, None
        elif mobile is not None:
            target, to = mobile.name, link_of(destination)
        else:
            # To nobody whom the simulator knows, such as all nodes of the home link.
            self._arrow(sender, trace.HOME_AGENT, packet, place)
            return
        arrow = self._arrow(sender, target, packet, place)
        if fault:
            return arrow(fault)

        def arrive(octets: bytes) -> None:
            if agent is not None and agent.has(destination):
                self.into_home_agent(agent, octets)
            elif agent is not None:
                self._at_home_agent(agent, packet, octets, destination)
            elif peer is not None:
                self._into_peer(peer, octets)
            elif mobile is not None:
                self._into_mobile(mobile, octets, destination, arrow)

        self.travel(octets, delay(place, to), arrive, arrow)

    def into_home_agent(
        self, agent: Agent, octets: bytes, link: str | None = None
    ) -> None:
        party = agent.party
        if party.running:
            self._world.perform(
                party, lambda now: party.node.receive(octets, now, link=link)
            )

    def _at_home_agent(
        self, agent: Agent, packet: Packet, octets: bytes, home_address: IPv6Address
    ) -> None:
        """A packet for a home address: a Home Test passes by the daemon, all others by
        the tunnel as the kernel has it."""
        tunnel = agent.party.tunnel(End.HOME_AGENT, home_address, self._world.now)
        if tunnel is not None and isinstance(packet.message, HomeTest):
            self.into_home_agent(agent, octets)
        else:
            self._intercept(packet, octets, home_address)

    def _intercept(
        self, packet: Packet, octets: bytes, home_address: IPv6Address
    ) -> None:
        world = self._world
        agent = world.agents.serving(home_address)
        tunnel = agent.party.tunnel(End.HOME_AGENT, home_address, world.now)
        if tunnel is not None:
            outer = (agent.address, tunnel.care_of_address)
            packet = replace(packet, tunnel=outer)
            octets = write_packet(
                IPv6Packet(
                    source=agent.address,
                    destination=tunnel.care_of_address,
                    next_header=NextHeader.IPV6,
                    payload=octets,
                )
            )
        self._onward(packet, octets, agent.party.name, AT_HOME_AGENT)

    def _into_peer(self, peer: Peer, octets: bytes) -> None:
        world, party = self._world, peer.party
        if party is None:
            answer = peer.not_understood(octets)
            if answer is not None:
                self.from_peer(peer, answer)
        elif party.running:
            world.perform(party, lambda now: party.node.receive(octets, now))

    def _into_mobile(
        self, mobile: Mobile, octets: bytes, destination: IPv6Address, arrow: Tell
    ) -> None:
        if destination == mobile.address:
            interface = mobile.interface_on(HOME)
        else:
            interface = mobile.holder(destination)
        if interface is None:
            arrow("nobody there")
        else:
            self.hand_over(mobile, octets, interface)

    def hand_over(self, mobile: Mobile, octets: bytes, interface: str) -> None:
        """A packet is there."""
        party = mobile.party
        if party.running:
            self._world.perform(
                party, lambda now: party.node.receive(octets, now, link=interface)
            )

    def _onto_home_link(self, agent: Agent, message: NeighborMessage) -> None:
        """Another node there may hold what the home agent asks for."""
        world = self._world
        if not isinstance(message, NeighborSolicitation):
            return
        target = message.target_address
        if target in world.taken or world.agents.defended(target, agent):
            answer = Packet(
                source=target,
                destination=ALL_NODES,
                message=NeighborAdvertisement(target_address=target, override=True),
                hop_limit=255,
            )
            octets = write(answer)
            world.at(
                world.now + 2 * LINK_DELAY,
                lambda: self.into_home_agent(agent, octets, HOME_LINK),
            )

    # What happens on the way.

    def travel(
        self,
        octets: bytes,
        delay: float,
        arrive: Callable[[bytes], None],
        arrow: Tell,
    ) -> None:
        """Lose, double, damage and delay as the faults have it."""
        world = self._world
        faults, chance = world.faults, world.chance
        copies = 2 if chance.strikes("duplicate", faults.duplicate) else 1
        fate = "lost"
        for _ in range(copies):
            jitter = chance.stream("jitter").random() * faults.jitter
            damaged = chance.strikes("damage", faults.damage)
            if chance.strikes("loss", faults.loss):
                continue
            fate = "damaged" if damaged else ""
            arriving = self._damage(octets) if damaged else octets
            world.at(world.now + delay + jitter, lambda o=arriving: arrive(o))  # type: ignore[misc]
        arrow(fate)

    def _damage(self, octets: bytes) -> bytes:
        random = self._world.chance.stream("where")
        damaged = bytearray(octets)
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        return bytes(damaged)

    def advertised(self, target: str, packet: Packet, link: str) -> Tell:
        """What the router of a link says, in the trace."""
        source = trace.HOME_AGENT if link == HOME else trace.ROUTER
        return self._arrow(source, target, packet, link)

    def _arrow(
        self, source: str, target: str, packet: Packet, link: str | None = None
    ) -> Tell:
        """Put a packet into the trace; calling the result tells its fate."""
        world = self._world
        place = len(world.trace)
        arrow = trace.Arrow(
            at=world.now,
            source=source,
            target=target,
            label=packet_label(packet),
            step=packet_step(packet, link),
        )
        world.trace.append(arrow)

        def tell(fate: str) -> None:
            world.trace[place] = replace(arrow, fate=fate)

        return tell
