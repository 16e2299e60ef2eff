"""Numbered packets between two nodes, as a user's traffic: what a handover costs is
what of them is missing, and for how long."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

from mip6.wire.packet import IPv6Packet, read_packet, write_packet

from . import trace
from .data_path import DIRECT, TUNNELLED, UDP, DataPath, Host
from .mobile import Mobile

if TYPE_CHECKING:
    from .world import World

DATA_STEPS = {"down": (3, 4), "up": (5, 5)}
"""Which steps of Mobile IP the two hops of a packet through the tunnel are."""


@dataclass(slots=True)
class Stream:
    """One direction.  `sent` and `arrived` are seconds, by number of the packet."""

    sent: dict[int, float] = field(default_factory=dict)
    arrived: dict[int, float] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    """Why a packet was lost."""
    direct: dict[int, float] = field(default_factory=dict)
    """Those that arrived and never saw the home agent."""

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


class Flow:
    """Both directions between a mobile node and somebody."""

    def __init__(self, mobile: Mobile, peer: Host) -> None:
        self.mobile = mobile
        self.peer = peer
        self.down = Stream()
        """To the mobile node."""
        self.up = Stream()
        """From it."""
        self.show: dict[str, float] = {}

    def streams(self) -> Iterator[tuple[str, Stream, Host, Host]]:
        yield "down", self.down, self.peer, self.mobile
        yield "up", self.up, self.mobile, self.peer


class Traffic:
    """All flows; the first is between the mobile node and the correspondent."""

    def __init__(self, world: "World", flows: list[Flow]) -> None:
        self.flows = flows
        self.period = 0.0
        self.path = DataPath(world)
        self._world = world

    @property
    def down(self) -> Stream:
        return self.flows[0].down

    @property
    def up(self) -> Stream:
        return self.flows[0].up

    def start(self, period: float) -> None:
        """A packet each way every `period` seconds, from now on."""
        self.period = period
        self._next()

    def stop(self) -> None:
        self.period = 0.0

    def show(self, name: str = trace.MOBILE_NODE, peer: Host | None = None) -> None:
        """Put the first packet each way into the trace that leaves now or later, and
        arrives; of those flows that a node has, or has with a peer."""
        for flow in self.flows:
            ends = (flow.mobile, flow.peer)
            for one, other in (ends, ends[::-1]):
                if one.name == name and peer in (None, other):
                    flow.show = {"down": self._world.now, "up": self._world.now}

    def _next(self) -> None:
        if not self.period:
            return
        for flow in self.flows:
            for direction in ("down", "up"):
                self.send(flow, direction)
        self._world.at(self._world.now + self.period, self._next)

    def send(self, flow: Flow, direction: str) -> None:
        for name, stream, origin, target in flow.streams():
            if name == direction:
                number = len(stream.sent)
                stream.sent[number] = self._world.now
                journey = Journey(self._world, flow, name, stream, origin, target)
                journey.number = number
                self.path.leave(journey)

    def send_down(self) -> None:
        self.send(self.flows[0], "down")

    def send_up(self) -> None:
        self.send(self.flows[0], "up")

    def resume(self, octets: bytes) -> None:
        """A packet of an application has waited, and leaves now."""
        headers = read_packet(octets)
        ends = (headers.source, headers.destination)
        for flow in self.flows:
            for name, stream, origin, target in flow.streams():
                if (origin.address, target.address) == ends:
                    journey = Journey(self._world, flow, name, stream, origin, target)
                    journey.number = int.from_bytes(headers.payload[8:])
                    self.path.leave(journey)


@dataclass(slots=True)
class Journey:
    """One packet under way."""

    world: "World"
    flow: Flow
    direction: str
    stream: Stream
    origin: Host
    target: Host
    number: int = 0
    hops: list[trace.Arrow] = field(default_factory=list)

    @property
    def payload(self) -> bytes:
        """A UDP header of nothing, and the number."""
        return bytes(8) + self.number.to_bytes(8)

    @property
    def octets(self) -> bytes:
        """The whole packet, as the application's kernel makes it."""
        return write_packet(
            IPv6Packet(
                source=self.origin.address,
                destination=self.target.address,
                next_header=UDP,
                payload=self.payload,
            )
        )

    def hop(self, source: str, target: str, label: str) -> None:
        arrow = trace.Arrow(self.world.now, source, target, f"data {label}")
        self.hops.append(arrow)

    def lost(self, reason: str) -> None:
        self.stream.reasons[self.number] = reason

    def arrived(self) -> None:
        now = self.world.now
        self.stream.arrived.setdefault(self.number, now)
        self.stream.reasons.pop(self.number, None)
        if all(trace.HOME_AGENT not in (hop.source, hop.target) for hop in self.hops):
            self.stream.direct.setdefault(self.number, now)
        if self.hops[0].at >= self.flow.show.get(self.direction, inf):
            del self.flow.show[self.direction]
            self.world.trace += self._steps()

    def _steps(self) -> Iterator[trace.Arrow]:
        """The hops, with the step of Mobile IP that each is part of."""
        labels = [hop.label.removeprefix("data ") for hop in self.hops]
        if TUNNELLED not in labels:
            steps = [5 if label == DIRECT else 0 for label in labels]
        elif len(labels) == len(DATA_STEPS[self.direction]):
            steps = list(DATA_STEPS[self.direction])
        else:
            # Out of one tunnel and into another.
            steps = [5, *(4 for _ in labels[1:])]
        for hop, step in zip(self.hops, steps, strict=True):
            yield replace(hop, step=step)
