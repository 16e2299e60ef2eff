"""The home agents of the home link: one mostly, or two where it is about that."""

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import TYPE_CHECKING

from mip6.core.home_agent import HomeAgent
from mip6.core.home_agents_list import home_agents_anycast
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.state import End, ProxyNeighbor, Tunnel
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import HomeAgentInformation, PrefixInformation

from . import trace
from .network import (
    ALL_NODES,
    HOME,
    HOME_ADDRESS,
    HOME_AGENT,
    LINK_DELAY,
    NEW_HOME_PREFIX,
    OTHER_HOME_ADDRESS,
    OTHER_HOME_AGENT,
    PREFIXES,
)
from .party import Party

if TYPE_CHECKING:
    from .world import World

DEVICE = "mip0"
HOME_LINK = "eth1"
"""A home agent's interface on the home link."""
ANYCAST = home_agents_anycast(PREFIXES[HOME])
PREFIX_INTERVAL = (1.0, 86400.0)
"""MinMobPfxAdvInterval, which chance draws in this world, and the other one."""
IDENTIFIER = (1 << 64) - 1


@dataclass(slots=True)
class Agent:
    """One of them."""

    address: IPv6Address
    party: Party
    dead: bool = False
    """Its machine is gone, and what its kernel knew."""

    @property
    def role(self) -> HomeAgent:
        role = self.party.node.home_agent
        assert role is not None
        return role

    def has(self, address: IPv6Address) -> bool:
        return address in (self.address, ANYCAST)

    def proxies(self, home_address: IPv6Address) -> bool:
        """Whether it answers for a home address on the home link."""
        return (ProxyNeighbor, home_address, HOME_LINK) in self.party.ledger


class Agents:
    """two: the other one is preferred, and the first has heard of it."""

    def __init__(self, world: "World", *, two: bool) -> None:
        self._world = world
        self.first = self._agent(trace.HOME_AGENT, HOME_AGENT)
        self.all = [self.first]
        if two:
            self.all.append(self._agent(trace.OTHER_HOME_AGENT, OTHER_HOME_AGENT))
            world.at(0.0, self._advertise)

    def find(self, address: IPv6Address) -> Agent | None:
        """Who has this address; the anycast address the first one that lives."""
        alive = [agent for agent in self.all if not agent.dead]
        for agent in alive if address == ANYCAST else self.all:
            if agent.has(address):
                return agent
        return None

    def at(self, address: IPv6Address) -> Agent:
        found = self.find(address)
        assert found is not None
        return found

    def serving(self, home_address: IPv6Address) -> Agent:
        """Where packets for a home address go: who answers for it, or the router."""
        key = (Tunnel, End.HOME_AGENT, home_address)
        for agent in self.all:
            virtual = self._world.virtual and key in agent.party.ledger
            if agent.proxies(home_address) or virtual:
                return agent
        return self.first

    def defended(self, home_address: IPv6Address, by_others_than: Agent) -> bool:
        """Whether another one has it on the home link."""
        others = (agent for agent in self.all if agent is not by_others_than)
        return any(agent.proxies(home_address) for agent in others)

    def die(self, agent: Agent) -> None:
        """Its machine is gone, all at once."""
        self._world.note(agent.party.name, "its machine is gone")
        agent.dead, agent.party.running = True, False
        agent.party.ledger.clear()

    def reboot(self, agent: Agent) -> None:
        """Its machine starts anew, and knows nothing."""
        self._world.note(agent.party.name, "rebooted: no bindings")
        agent.dead = False
        agent.party.ledger.clear()
        agent.party.restart(self.node(agent.address))

    def node(self, address: IPv6Address, *restored: Tunnel) -> Node:
        world = self._world
        home_agent = HomeAgent(
            address,
            PREFIXES[HOME],
            home_link=None if world.virtual else HOME_LINK,
            device=DEVICE,
            bindings_max=100,
            authentication_required=False,
            mobile_nodes=tuple(
                IPv6Network((int(prefix[0]) | int(address) & IDENTIFIER, 128))
                for prefix in (PREFIXES[HOME], NEW_HOME_PREFIX)
                for address in (HOME_ADDRESS, OTHER_HOME_ADDRESS)
            ),
            prefix_interval=PREFIX_INTERVAL,
            check_time=world.check_time,
            restored=restored,
        )
        return Node(home_agent=home_agent)

    def _agent(self, name: str, address: IPv6Address) -> Agent:
        signalling = self._world.signalling
        party = self._world.party(
            name,
            self.node(address),
            send=lambda packet: signalling.from_home_agent(agent, packet),
            forward=lambda octets: signalling.forwarded_by_home_agent(agent, octets),
        )
        agent = Agent(address, party)
        return agent

    def _advertise(self) -> None:
        """The other one tells the home link of itself, once and for a long time."""
        packet = Packet(
            source=IPv6Address("fe80::2"),
            destination=ALL_NODES,
            message=RouterAdvertisement(
                router_lifetime=0,
                home_agent=True,
                options=(
                    HomeAgentInformation(preference=10, lifetime=65535),
                    PrefixInformation(
                        prefix=OTHER_HOME_AGENT,
                        prefix_length=64,
                        valid_lifetime=86400,
                        preferred_lifetime=86400,
                        on_link=True,
                        autonomous_address_configuration=True,
                        router_address=True,
                    ),
                ),
            ),
            hop_limit=255,
        )
        octets = write(packet)
        world = self._world
        world.at(
            world.now + LINK_DELAY,
            lambda: world.signalling.into_home_agent(self.first, octets, HOME_LINK),
        )
