"""Whatever mobile nodes, attackers and time do to a correspondent: it keeps what the
last right update said, and no update counts twice."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.core import Kernel
from tests.support.correspondents import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
    OTHER_CORRESPONDENT,
    OTHER_HOME_ADDRESS,
    MobileNode,
    correspondent_node,
    sent,
)

from mip6.core.nonces import MAX_NONCE_LIFETIME
from mip6.core.sequence import follows
from mip6.core.state import RouteOptimization
from mip6.wire.messages import BindingAcknowledgement

BINDINGS_MAX = 2
ENDS = [
    (correspondent, home_address)
    for correspondent in (CORRESPONDENT, OTHER_CORRESPONDENT)
    for home_address in (HOME_ADDRESS, OTHER_HOME_ADDRESS)
]
PLACES = (CARE_OF_ADDRESS, NEXT_CARE_OF_ADDRESS)


class Step(NamedTuple):
    kind: str
    who: int
    place: int
    number: int
    wait: float


@dataclass(slots=True)
class Expected:
    care_of_address: IPv6Address
    number: int
    expires: float


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.node = correspondent_node(bindings_max=BINDINGS_MAX, grace=0)
        self.kernel = Kernel(self.node)
        self.mobile_nodes = [
            MobileNode(node=self.node, correspondent=own, home_address=home)
            for own, home in ENDS
        ]
        self.model: dict[tuple[IPv6Address, IPv6Address], Expected] = {}
        self.packets: list[tuple[bytes, int, int, int]] = []
        self.counted: set[bytes] = set()

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.node.deadline) is not None and at <= end:
            self.now = at
            self.kernel.perform(self.node.tick(at), at)
        self.now = end
        for ends, expected in list(self.model.items()):
            if expected.expires <= self.now:
                del self.model[ends]

    def test(self, who: int, place: int) -> None:
        mobile_node = self.mobile_nodes[who]
        mobile_node.care_of_address = PLACES[place]
        mobile_node.tested(self.now)

    def update(self, who: int, number: int, lifetime: int) -> None:
        packet = self.mobile_nodes[who].update(number, lifetime=lifetime)
        self.packets.append((packet, who, number, lifetime))
        self.hear(len(self.packets) - 1)

    def hear(self, which: int) -> None:
        packet, who, number, lifetime = self.packets[which]
        ends = ENDS[who]
        before = self.model.get(ends)
        effects = self.node.receive(packet, self.now)
        self.kernel.perform(effects, self.now)
        answers = [p.message for p in sent(effects)]
        statuses = [m.status for m in answers if isinstance(m, BindingAcknowledgement)]
        if statuses != [0]:
            return
        assert before is None or follows(number, before.number)
        if lifetime == 0:
            self.model.pop(ends, None)
            return
        assert packet not in self.counted, "counted twice"
        self.counted.add(packet)
        self.model[ends] = Expected(
            IPv6Address(packet[8:24]), number, self.now + lifetime
        )

    def forged(self, who: int, number: int) -> None:
        """Tokens that were never handed out."""
        mobile_node = self.mobile_nodes[who]
        packet = mobile_node.update(number, key=b"guessed")
        effects = self.node.receive(packet, self.now)
        self.kernel.perform(effects, self.now)
        assert all(
            isinstance(p.message, BindingAcknowledgement) and p.message.status >= 136
            for p in sent(effects)
        )

    def check(self) -> None:
        installed = self.node.installed
        assert set(self.kernel.standing.values()) == installed
        ways = {
            (s.correspondent, s.home_address): s
            for s in installed
            if isinstance(s, RouteOptimization)
        }
        assert len(ways) <= BINDINGS_MAX
        # One that another has taken the place of is all that may be missing.
        assert set(ways) <= set(self.model)
        for ends in set(self.model) - set(ways):
            del self.model[ends]
        for ends, way in ways.items():
            expected = self.model[ends]
            assert way.care_of_address == expected.care_of_address
            assert way.expires == expected.expires > self.now
        assert self.node.correspondent is not None
        numbers = {
            (binding.correspondent, binding.home_address): binding.sequence_number
            for binding in self.node.correspondent.bindings
        }
        assert numbers == {ends: e.number for ends, e in self.model.items()}


STEPS = st.lists(
    st.builds(
        Step,
        kind=st.sampled_from(
            ["bind", "bind", "delete", "replay", "replay", "forge", "talk", "test"]
        ),
        who=st.sampled_from([0, 0, 0, 1, 2, 3]),
        place=st.integers(0, 1),
        number=st.integers(0, 5),
        wait=st.sampled_from([0.0, 0.5, 1.0, 10.0, 35.0, MAX_NONCE_LIFETIME]),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_the_cache_holds_what_the_last_right_update_said(steps: list[Step]) -> None:
    world = World()
    for step in steps:
        match step.kind:
            case "test":
                world.test(step.who, step.place)
            case "bind":
                if step.number:
                    world.test(step.who, step.place)
                number = world.mobile_nodes[step.who].number + step.number
                world.update(step.who, number, 40 + 40 * step.place)
            case "delete":
                number = world.mobile_nodes[step.who].number + step.number
                world.update(step.who, number, 0)
            case "replay" if world.packets:
                world.hear(-1 - step.number % len(world.packets))
            case "forge":
                number = world.mobile_nodes[step.who].number + step.number
                world.forged(step.who, number)
            case "talk":
                effects = world.node.talks_to(*ENDS[step.who], world.now)
                world.kernel.perform(effects, world.now)
        world.wait(step.wait)
        world.check()
