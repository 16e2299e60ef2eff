"""The way of data packets in the simulator: what the ledgers hold decides, as the maps
do in the data plane."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from mip6.core.state import End, HomeAddress, RouteOptimization, Rule
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    write_packet,
)

from .agents import Agent
from .mobile import Mobile
from .network import AT_HOME_AGENT, HOME, delay, link_of
from .peer import Peer

if TYPE_CHECKING:
    from .traffic import Journey
    from .world import World

Host = Mobile | Peer

UDP = 17
TUNNELLED = "in the tunnel"
DIRECT = "directly"
TELL = 10.0
"""Seconds for which the data plane says once that two addresses talk."""


@dataclass(slots=True)
class Headers:
    """What stands before the payload of a packet under way."""

    source: IPv6Address
    destination: IPv6Address
    home_address: IPv6Address | None = None
    """In a Home Address option."""
    routing_address: IPv6Address | None = None
    """In a type 2 routing header."""


class DataPath:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._told: dict[tuple[str, IPv6Address, IPv6Address], float] = {}

    def leave(self, journey: "Journey") -> None:
        """A packet of an application leaves, now or after it had to wait."""
        origin, target = journey.origin, journey.target
        headers = Headers(origin.address, target.address)
        binding = self._binding(origin, target.address)
        if binding is not None:
            headers.destination = binding.care_of_address
            headers.routing_address = target.address
        if isinstance(origin, Mobile):
            self._leave_mobile(journey, origin, headers)
            return
        if binding is not None:
            self._seen(origin, target.address)
        self._onward(journey, headers, origin.name, None)

    def _leave_mobile(
        self, journey: "Journey", mobile: Mobile, headers: Headers
    ) -> None:
        ledger, peer = mobile.party.ledger, journey.target.address
        if (Rule, 999, mobile.address, None) not in ledger:
            interface = mobile.interface_on(HOME)
            if interface and (HomeAddress, mobile.address, interface) in ledger:
                self._onward(journey, headers, mobile.name, HOME)
            else:
                journey.lost("no way out")
            return
        way, tunnel = mobile.way(peer), mobile.tunnel
        if way is not None and not way.inbound_only:
            source = way.care_of_address
            headers.source, headers.home_address = source, mobile.address
        elif tunnel is not None:
            source = tunnel.care_of_address
        else:
            journey.lost("waits")
            octets = journey.octets
            if mobile.party.running:
                self._world.perform(
                    mobile.party,
                    lambda now: mobile.party.node.unmatched(octets, now),
                )
            return
        self._seen(mobile, peer)
        if mobile.holder(source) is None:
            journey.lost("the care-of address is not of this link")
        elif headers.home_address:
            self._onward(journey, headers, mobile.name, link_of(source))
        elif tunnel is not None:
            agent = self._world.agents.at(tunnel.home_agent)
            journey.hop(mobile.name, agent.party.name, TUNNELLED)
            self._later(
                delay(link_of(source), AT_HOME_AGENT),
                lambda: self._out_of_tunnel_at_home_agent(
                    journey, headers, mobile, source, agent
                ),
            )

    def _out_of_tunnel_at_home_agent(
        self,
        journey: "Journey",
        headers: Headers,
        mobile: Mobile,
        source: IPv6Address,
        agent: Agent,
    ) -> None:
        world = self._world
        tunnel = agent.party.tunnel(End.HOME_AGENT, mobile.address, world.now)
        if agent.dead:
            journey.lost("the home agent is gone")
        elif tunnel is None:
            journey.lost("no binding at the home agent")
            outer = IPv6Packet(
                source=source,
                destination=agent.address,
                next_header=NextHeader.IPV6,
                payload=journey.octets,
            )
            world.signalling.into_home_agent(agent, write_packet(outer))
        elif source == tunnel.care_of_address or (
            source == tunnel.previous and world.now < tunnel.previous_until
        ):
            self._onward(journey, headers, agent.party.name, AT_HOME_AGENT)
        else:
            journey.lost("another care-of address at the home agent")

    def _onward(
        self, journey: "Journey", headers: Headers, sender: str, place: str | None
    ) -> None:
        """To where the header says; the home agent has all home addresses."""
        target, destination = journey.target, headers.destination
        direct = headers.home_address or headers.routing_address
        by_home_agent = isinstance(target, Mobile) and destination == target.address
        if place == HOME or (by_home_agent and place != AT_HOME_AGENT):
            label = "from home" if place == HOME else "to home address"
            agent = self._world.agents.serving(destination)
            journey.hop(sender, agent.party.name, label)
            self._later(
                delay(place, AT_HOME_AGENT),
                lambda: self._onward(journey, headers, agent.party.name, AT_HOME_AGENT),
            )
        elif by_home_agent:
            self._intercept(journey, headers)
        elif isinstance(target, Mobile):
            journey.hop(sender, target.name, DIRECT)
            self._later(
                delay(place, link_of(destination)),
                lambda: self._arrive_at_mobile(journey, headers, target),
            )
        else:
            journey.hop(sender, target.name, DIRECT if direct else "from home address")
            self._later(
                delay(place, None), lambda: self._arrive(journey, headers, target)
            )

    def _intercept(self, journey: "Journey", headers: Headers) -> None:
        """At the home agent, for a home address."""
        world, target = self._world, journey.target
        assert isinstance(target, Mobile)
        agent = world.agents.serving(target.address)
        tunnel = agent.party.tunnel(End.HOME_AGENT, target.address, world.now)
        if tunnel is None:
            journey.hop(agent.party.name, target.name, "on the home link")
            action = lambda: self._on_home_link(journey, headers, target)  # noqa: E731
            self._later(delay(AT_HOME_AGENT, HOME), action)
            return
        care_of_address = tunnel.care_of_address
        journey.hop(agent.party.name, target.name, TUNNELLED)
        outer = agent.address, care_of_address
        self._later(
            delay(AT_HOME_AGENT, link_of(care_of_address)),
            lambda: self._out_of_tunnel(journey, headers, target, outer),
        )

    # Arriving.

    def _on_home_link(
        self, journey: "Journey", headers: Headers, mobile: Mobile
    ) -> None:
        interface = mobile.interface_on(HOME)
        key = (HomeAddress, mobile.address, interface)
        if interface and key in mobile.party.ledger:
            self._arrive(journey, headers, mobile)
        else:
            journey.lost("nobody on the home link has the home address")

    def _out_of_tunnel(
        self,
        journey: "Journey",
        headers: Headers,
        mobile: Mobile,
        outer: tuple[IPv6Address, IPv6Address],
    ) -> None:
        now, (home_agent, care_of_address) = self._world.now, outer
        tunnel = mobile.party.tunnel(End.MOBILE_NODE, mobile.address, now)
        if mobile.holder(care_of_address) is None:
            journey.lost("nobody has the care-of address")
        elif tunnel is None:
            journey.lost("no tunnel at the mobile node")
        elif home_agent != tunnel.home_agent:
            journey.lost("another home agent at the mobile node")
        elif care_of_address == tunnel.care_of_address or (
            care_of_address == tunnel.previous and now < tunnel.previous_until
        ):
            self._seen(mobile, journey.origin.address)
            self._arrive(journey, headers, mobile)
        else:
            journey.lost("another care-of address at the mobile node")

    def _arrive_at_mobile(
        self, journey: "Journey", headers: Headers, mobile: Mobile
    ) -> None:
        """By a type 2 routing header."""
        now, destination = self._world.now, headers.destination
        way = mobile.way(journey.origin.address)
        if mobile.holder(destination) is None:
            journey.lost("nobody has the care-of address")
        elif way is None:
            journey.lost("no direct way at the mobile node")
        elif destination == way.care_of_address or (
            destination == way.previous and now < way.previous_until
        ):
            self._seen(mobile, journey.origin.address)
            self._arrive(journey, headers, mobile)
        else:
            journey.lost("another care-of address in the direct way")

    def _arrive(self, journey: "Journey", headers: Headers, host: Host) -> None:
        """At the host; a Home Address option needs a binding there (§9.3.1)."""
        if headers.home_address is not None:
            now, source = self._world.now, headers.source
            binding = self._binding(host, headers.home_address)
            if binding is None or not (
                source == binding.care_of_address
                or (source == binding.previous and now < binding.previous_until)
            ):
                journey.lost("no binding for its care-of address")
                self._unverified(journey, headers, host)
                return
            self._seen(host, headers.home_address)
        journey.arrived()

    def _unverified(self, journey: "Journey", headers: Headers, host: Host) -> None:
        """The daemon gets it whole, and sends a Binding Error."""
        party = host.party
        if party is None or not party.running:
            return
        extensions: list[RoutingHeaderType2 | DestinationOptions] = []
        if headers.routing_address:
            extensions.append(RoutingHeaderType2(headers.routing_address))
        assert headers.home_address is not None
        option = HomeAddressOption(headers.home_address)
        extensions.append(DestinationOptions((option,)))
        octets = write_packet(
            IPv6Packet(
                source=headers.source,
                destination=headers.destination,
                extensions=tuple(extensions),
                next_header=UDP,
                payload=journey.payload,
            )
        )
        self._world.perform(party, lambda now: party.node.receive(octets, now))

    # What the kernels know and tell.

    def _binding(
        self, host: Host, home_address: IPv6Address
    ) -> RouteOptimization | None:
        """What a correspondent's data plane holds for a home address."""
        if host.party is None:
            return None
        now = self._world.now
        return host.party.way(End.CORRESPONDENT, home_address, host.address, now)

    def _seen(self, host: Host, peer: IPv6Address) -> None:
        """The data plane tells its process that two addresses talk."""
        world, party = self._world, host.party
        key = (host.name, host.address, peer)
        told = self._told.get(key)
        if party is None or not party.running or not world.route_optimization:
            return
        if told is not None and world.now - told < TELL:
            return
        self._told[key] = world.now
        local = host.address
        world.perform(party, lambda now: party.node.talks_to(local, peer, now))

    def forget(self, host: str) -> None:
        """Another process starts there, and hears of everybody anew."""
        for key in [key for key in self._told if key[0] == host]:
            del self._told[key]

    def _later(self, delay: float, action: Callable[[], None]) -> None:
        world = self._world
        if not world.chance.strikes("data loss", world.faults.data_loss):
            world.at(world.now + delay, action)
