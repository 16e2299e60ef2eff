"""A mobile node away from home and a correspondent, both real, and the way between them
in the hands of the test."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address
from random import Random
from typing import Any

from tests.conformance.nodes import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import PREFIX_C, ROUTER_C, Roamer, Sent

from mip6.core.correspondent import Correspondent
from mip6.core.effects import Effect, Send
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.route_optimization import Correspondence
from mip6.core.state import RouteOptimization
from mip6.wire.messages import (
    BindingUpdate,
    CareOfTestInit,
    HomeTestInit,
    KnownMessage,
)

TESTS = (HomeTestInit, CareOfTestInit)


class Optimizer(Roamer):
    """The roamer, with `CORRESPONDENT` as a real correspondent that hears nothing until
    `exchange`."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.peer = CORRESPONDENT
        self.correspondent = Node(
            correspondent=Correspondent((self.peer,), random=Random(2).randbytes)
        )
        self._carried = 0

    def restart_correspondent(self) -> None:
        """It forgets everything."""
        self.correspondent = Node(
            correspondent=Correspondent((self.peer,), random=Random(3).randbytes)
        )

    # What there is.

    @property
    def entry(self) -> Correspondence:
        """What is shown of the correspondent."""
        [entry] = self.mobile_node.correspondents.correspondences(self.now)
        return entry

    @property
    def way(self) -> RouteOptimization | None:
        """What stands in the data plane for the correspondent."""
        for state in self.standing(RouteOptimization):
            if state.correspondent == self.peer:
                return state
        return None

    @property
    def direct(self) -> bool:
        """Whether packets to the correspondent leave by the direct way."""
        way = self.way
        return way is not None and not way.inbound_only and way.expires > self.now

    def to_peer(self, *kinds: type) -> list[Sent]:
        """The messages of some kinds that left for the correspondent."""
        return [
            sent
            for sent in self.sent
            if sent.packet.destination == self.peer
            and isinstance(sent.packet.message, kinds or KnownMessage)
        ]

    @property
    def tests(self) -> list[Sent]:
        return self.to_peer(*TESTS)

    @property
    def peer_updates(self) -> list[Sent]:
        return self.to_peer(BindingUpdate)

    # What happens.

    def talk(self, peer: IPv6Address | None = None) -> list[Effect]:
        """There is traffic with the correspondent."""
        effects = self.node.talks_to(HOME_ADDRESS, peer or self.peer, self.now)
        return self.do(effects)

    def answers(self, packet: Packet) -> list[Packet]:
        """What the correspondent answers to a packet, as it arrives at the mobile node
        through the home agent where that is its way."""
        inner = replace(packet, tunnel=None, link=None)
        effects = self.correspondent.receive(write(inner), self.now)
        found = [effect.packet for effect in effects if isinstance(effect, Send)]
        return [
            replace(answer, tunnel=(HOME_AGENT, self.mobile_node.care_of_address))
            if answer.destination == HOME_ADDRESS and self.tunnel is not None
            else answer
            for answer in found
        ]

    def hear_from_peer(self, packet: Packet) -> list[Effect]:
        protected = HOME_ADDRESS if packet.tunnel else None
        return self.receive(write(packet), protected_for=protected)

    def exchange(self, lost: Callable[[Packet], bool] = lambda packet: False) -> None:
        """Carry messages between the two until there are no more."""
        while self._carried < len(self.sent):
            packet = self.sent[self._carried].packet
            self._carried += 1
            if packet.destination != self.peer or lost(packet):
                continue
            for answer in self.answers(packet):
                if not lost(answer):
                    self.hear_from_peer(answer)

    def live(self, seconds: float) -> None:
        """Let time pass, with an answer to whatever is sent to the correspondent."""
        end = self.now + seconds
        while (at := self.node.deadline) is not None and at <= end:
            self.wait(at - self.now)
            self.exchange()
        self.wait(end - self.now)

    def lose(self) -> None:
        """What was sent until now does not arrive."""
        self._carried = len(self.sent)

    def optimize(self) -> None:
        """Registered on a visited link, and with the correspondent."""
        self.register()
        self.talk()
        self.exchange()
        assert self.direct

    def move(self, *, answered: bool = True) -> None:
        """To another link; `answered` by the home agent."""
        self.link_down()
        self.link_up()
        self.hear(PREFIX_C, ROUTER_C)
        if answered:
            self.answer_home()

    def answer_home(self, **fields: Any) -> list[Effect]:
        """The home agent answers the last Binding Update that it was sent."""
        kept = self.sent
        self.sent = [s for s in kept if s.packet.destination == HOME_AGENT]
        octets = self.acknowledgement(**fields)
        self.sent = kept
        return self.receive(octets)
