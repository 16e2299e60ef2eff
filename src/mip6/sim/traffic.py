"""Numbered packets between the correspondent and the home address, as a user's traffic:
what a handover costs is what of them is missing, and for how long.

They follow what the two ledgers hold, as the data plane follows its maps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

from mip6.core.state import End, HomeAddress, Rule
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, read_packet, write_packet

from . import trace
from .network import (
    CORE_DELAY,
    CORRESPONDENT,
    HOME,
    HOME_ADDRESS,
    HOME_AGENT,
    LINK_DELAY,
    link_of,
)

if TYPE_CHECKING:
    from .world import World

UDP = 17
TUNNELLED = "in the tunnel"
DATA_STEPS = {"down": (3, 4), "up": (5, 5)}
"""Which steps of Mobile IP the two hops of a packet through the tunnel are."""


@dataclass(slots=True)
class Stream:
    """One direction.  `sent` and `arrived` are seconds, by number of the packet."""

    sent: dict[int, float] = field(default_factory=dict)
    arrived: dict[int, float] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    """Why a packet was lost."""

    def missing(self, start: float, end: float) -> int:
        """How many of those sent from `start` to `end` never arrived."""
        return sum(
            start <= at < end and number not in self.arrived
            for number, at in self.sent.items()
        )

    def outage(self, start: float, end: float, period: float) -> float:
        """Seconds without a packet that one expected, between `start` and `end`: the
        largest gap less the period."""
        moments = sorted(at for at in self.arrived.values() if start <= at < end)
        edges = [start, *moments, end]
        gaps = (later - earlier for earlier, later in pairwise(edges))
        return max(0.0, max(gaps) - period)


class Traffic:
    """Both streams, and the way each packet takes."""

    def __init__(self, world: "World") -> None:
        self.down = Stream()
        """Correspondent to mobile node."""
        self.up = Stream()
        """Mobile node to correspondent."""
        self.period = 0.0
        self._world = world
        self._show: dict[str, float] = {}

    def start(self, period: float) -> None:
        """A packet each way every `period` seconds, from now on."""
        self.period = period
        self._next()

    def stop(self) -> None:
        self.period = 0.0

    def show(self) -> None:
        """Put the first packet each way into the trace that leaves now or later, and
        arrives."""
        self._show = {"down": self._world.now, "up": self._world.now}

    def _next(self) -> None:
        if not self.period:
            return
        self.send_down()
        self.send_up()
        self._world.at(self._world.now + self.period, self._next)

    # Correspondent to mobile node.

    def send_down(self) -> None:
        journey = Journey(self._world, self.down, "down")
        journey.hop(trace.CORRESPONDENT, trace.HOME_AGENT, "to home address")
        self._later(CORE_DELAY, lambda: self._at_home_agent(journey))

    def _at_home_agent(self, journey: "Journey") -> None:
        world = self._world
        tunnel = world.ha.tunnel(End.HOME_AGENT, HOME_ADDRESS, world.now)
        if tunnel is None:
            journey.hop(trace.HOME_AGENT, trace.MOBILE_NODE, "on the home link")
            self._later(LINK_DELAY, lambda: self._on_home_link(journey))
            return
        care_of_address = tunnel.care_of_address
        delay = LINK_DELAY + (0 if link_of(care_of_address) == HOME else CORE_DELAY)
        journey.hop(trace.HOME_AGENT, trace.MOBILE_NODE, TUNNELLED)
        self._later(delay, lambda: self._out_of_tunnel(journey, care_of_address))

    def _on_home_link(self, journey: "Journey") -> None:
        interface = self._world.interface_on(HOME)
        key = (HomeAddress, HOME_ADDRESS, interface)
        if interface and key in self._world.mn.ledger:
            self._arrived(journey)
        else:
            journey.lost("nobody on the home link has the home address")

    def _out_of_tunnel(self, journey: "Journey", care_of_address: IPv6Address) -> None:
        world = self._world
        tunnel = world.mn.tunnel(End.MOBILE_NODE, HOME_ADDRESS, world.now)
        if world.holder(care_of_address) is None:
            journey.lost("nobody has the care-of address")
        elif tunnel is None:
            journey.lost("no tunnel at the mobile node")
        elif care_of_address == tunnel.care_of_address or (
            care_of_address == tunnel.previous and world.now < tunnel.previous_until
        ):
            self._arrived(journey)
        else:
            journey.lost("another care-of address at the mobile node")

    # Mobile node to correspondent.

    def send_up(self) -> None:
        journey = Journey(self._world, self.up, "up")
        self.upward(numbered(HOME_ADDRESS, CORRESPONDENT, journey.number))

    def upward(self, octets: bytes) -> None:
        """A packet of an application leaves, now or after it had to wait."""
        world, ledger = self._world, self._world.mn.ledger
        number = int.from_bytes(read_packet(octets).payload[8:])
        journey = Journey(world, self.up, "up", number)
        if (Rule, 999, HOME_ADDRESS) not in ledger:
            interface = world.interface_on(HOME)
            if interface and (HomeAddress, HOME_ADDRESS, interface) in ledger:
                journey.hop(trace.MOBILE_NODE, trace.HOME_AGENT, "from home")
                self._later(LINK_DELAY, lambda: self._onward(journey))
            else:
                journey.lost("no way out")
            return
        tunnel = world.mn.tunnel(End.MOBILE_NODE, HOME_ADDRESS, world.now)
        if tunnel is None or tunnel.inbound_only:
            journey.lost("waits")
            if world.mn.running:
                world.perform(
                    world.mn, lambda now: world.mn.node.unmatched(octets, now)
                )
            return
        source = tunnel.care_of_address
        if world.holder(source) is None:
            journey.lost("the care-of address is not of this link")
            return
        journey.hop(trace.MOBILE_NODE, trace.HOME_AGENT, TUNNELLED)
        delay = CORE_DELAY + LINK_DELAY
        self._later(delay, lambda: self._into_home_agent(journey, source, octets))

    def _into_home_agent(
        self, journey: "Journey", source: IPv6Address, octets: bytes
    ) -> None:
        world = self._world
        tunnel = world.ha.tunnel(End.HOME_AGENT, HOME_ADDRESS, world.now)
        if tunnel is None:
            journey.lost("no binding at the home agent")
            outer = IPv6Packet(
                source=source,
                destination=HOME_AGENT,
                next_header=NextHeader.IPV6,
                payload=octets,
            )
            world.into_home_agent(write_packet(outer))
        elif source == tunnel.care_of_address or (
            source == tunnel.previous and world.now < tunnel.previous_until
        ):
            self._onward(journey)
        else:
            journey.lost("another care-of address at the home agent")

    def _onward(self, journey: "Journey") -> None:
        journey.hop(trace.HOME_AGENT, trace.CORRESPONDENT, "from home address")
        self._later(CORE_DELAY, lambda: self._arrived(journey))

    def _arrived(self, journey: "Journey") -> None:
        journey.arrived()
        since = self._show.get(journey.direction, inf)
        if journey.hops[0].at >= since:
            del self._show[journey.direction]
            steps = DATA_STEPS[journey.direction] if journey.tunnelled else (0, 0)
            self._world.trace += (
                replace(hop, step=step)
                for hop, step in zip(journey.hops, steps, strict=True)
            )

    def _later(self, delay: float, action: Callable[[], None]) -> None:
        world = self._world
        if not world.chance.strikes("data loss", world.faults.data_loss):
            world.at(world.now + delay, action)


class Journey:
    """One packet under way."""

    def __init__(
        self, world: "World", stream: Stream, direction: str, number: int | None = None
    ) -> None:
        self.world = world
        self.stream = stream
        self.direction = direction
        self.hops: list[trace.Arrow] = []
        self.tunnelled = False
        if number is None:
            number = len(stream.sent)
            stream.sent[number] = world.now
        self.number = number

    def hop(self, source: str, target: str, label: str) -> None:
        self.tunnelled |= label == TUNNELLED
        arrow = trace.Arrow(self.world.now, source, target, f"data {label}")
        self.hops.append(arrow)

    def lost(self, reason: str) -> None:
        self.stream.reasons[self.number] = reason

    def arrived(self) -> None:
        self.stream.arrived.setdefault(self.number, self.world.now)
        self.stream.reasons.pop(self.number, None)


def numbered(source: IPv6Address, destination: IPv6Address, number: int) -> bytes:
    """A whole packet with its number inside."""
    return write_packet(
        IPv6Packet(
            source=source,
            destination=destination,
            next_header=UDP,
            payload=bytes(8) + number.to_bytes(8),
        )
    )
