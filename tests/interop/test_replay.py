"""The captured mobile node against our home agent, and the captured home agent against
our mobile node: the same core as in the daemon, fed with octets at their times."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.support.captures import (
    AT_B,
    AT_C,
    HOME_ADDRESS,
    HOME_AGENT,
    Captured,
    Message,
    messages,
    packets,
)
from tests.support.ipsec_captures import ASSOCIATIONS

from mip6.core.effects import Effect, Install, Notify, Remove, Send
from mip6.core.events import Dropped, Place
from mip6.core.home_agent import HomeAgent
from mip6.core.home_link import CHECK_TIME
from mip6.core.link import Link
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.state import End, State, Tunnel
from mip6.security.associations import Associations
from mip6.security.verdict import Rejected
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
)
from mip6.wire.messages import (
    Message as Mobility,
)
from mip6.wire.neighbor_discovery import NeighborSolicitation
from mip6.wire.options import AlternateCareOfAddress, MobileNetworkPrefix

HOME_PREFIX = IPv6Network("2001:db8:a::/64")
LINK = Link("eth0", bytes.fromhex("020000000064"), IPv6Address("fe80::ff:fe00:64"))
OWN = (AT_B, AT_C, HOME_ADDRESS, LINK.link_local, IPv6Address("::"))
"""What the captured mobile node sends from."""

Answer = tuple[int, int, int]
"""Status, sequence number and lifetime of a Binding Acknowledgement."""


class Replay:
    """A node that is given captured packets, and what it did with them."""

    def __init__(self, node: Node, end: End, *, protected: bool) -> None:
        self.node = node
        self.sent: list[tuple[float, Packet]] = []
        self.standing: dict[object, State] = {}
        self.dropped: list[str] = []
        self.security = Associations(
            end, ASSOCIATIONS if protected else (), random=bytes
        )

    def do(self, effects: list[Effect], now: float) -> None:
        for effect in effects:
            match effect:
                case Install(state):
                    self.standing[state.key] = state
                case Remove(state):
                    del self.standing[state.key]
                case Send(packet):
                    self.sent.append((now, packet))
                case Notify(Dropped(reason=reason)):
                    self.dropped.append(reason)

    def pass_time(self, until: float) -> None:
        while (at := self.node.deadline) is not None and at < until:
            self.do(self.node.tick(at), at)

    def receive(self, captured: Captured) -> None:
        self.pass_time(captured.at)
        verdict = self.security.verify(captured.octets)
        if isinstance(verdict, Rejected):
            self.dropped.append(verdict.reason)
            return
        effects = self.node.receive(
            verdict.octets,
            captured.at,
            link=LINK.name,
            protected_for=verdict.protected_for,
        )
        self.do(effects, captured.at)

    @property
    def tunnels(self) -> list[Tunnel]:
        return [state for state in self.standing.values() if isinstance(state, Tunnel)]


def answer(message: Mobility) -> Answer:
    assert isinstance(message, BindingAcknowledgement)
    return message.status, message.sequence_number, message.lifetime


def between(capture: str, kind: type[Mobility], ends: IPv6Address) -> list[Message]:
    """The messages of one kind to or from an address."""
    return [
        message
        for message in messages(capture)
        if isinstance(message.packet.message, kind)
        and ends in (message.packet.source, message.packet.destination)
    ]


def received(captures: tuple[str, ...]) -> Iterator[Captured]:
    """What the captured home agent was sent, in the order of time."""
    every = [captured for capture in captures for captured in packets(capture)]
    for captured in sorted(every, key=lambda captured: captured.at):
        if captured.octets[24:40] == HOME_AGENT.packed:
            yield captured


def replay_to_home_agent(
    *captures: str,
    protected: bool = False,
    restored: tuple[Tunnel, ...] = (),
    check_time: float = CHECK_TIME,
) -> Replay:
    """check_time: 0 where refreshes between the captures are missing: ours has lost the
    binding by then, and would look for duplicates again."""
    home_agent = HomeAgent(
        HOME_AGENT,
        HOME_PREFIX,
        home_link="eth1",
        lifetime_max=262140,
        bindings_max=10,
        authentication_required=protected,
        mobile_nodes=() if protected else (IPv6Network(HOME_ADDRESS),),
        restored=restored,
        check_time=check_time,
    )
    replay = Replay(Node(home_agent=home_agent), End.HOME_AGENT, protected=protected)
    replay.standing = {state.key: state for state in home_agent.installed}
    for captured in received(captures):
        replay.receive(captured)
    return replay


def acknowledgements(replay: Replay) -> dict[int, tuple[float, Packet]]:
    """Ours, by sequence number."""
    return {
        packet.message.sequence_number: (at, packet)
        for at, packet in replay.sent
        if isinstance(packet.message, BindingAcknowledgement)
    }


def compared(replay: Replay, *captures: str) -> tuple[dict[int, Answer], set[int]]:
    """Our answers that are not the captured ones, by sequence number, and the numbers
    of updates that only we answered."""
    theirs = {
        message.packet.message.sequence_number: message.packet
        for capture in captures
        for message in between(capture, BindingAcknowledgement, HOME_AGENT)
        if isinstance(message.packet.message, BindingAcknowledgement)
    }
    ours = {number: packet for number, (_, packet) in acknowledgements(replay).items()}
    assert set(theirs) <= set(ours)
    differences = {}
    for number, packet in theirs.items():
        mine = ours[number]
        # To the same place, the same way.
        assert mine.source == packet.source
        assert mine.destination == packet.destination
        assert mine.routing_address == packet.routing_address
        if answer(mine.message) != answer(packet.message):
            differences[number] = answer(mine.message)
    return differences, set(ours) - set(theirs)


def test_home_agent_through_all_moves() -> None:
    """Registered at B, refreshed, moved to C."""
    captures = tuple(
        f"{phase}-{place}"
        for phase in ("home-reg", "rr-cnbind", "refresh", "movement")
        for place in ("ha", "hahome")
    )
    replay = replay_to_home_agent(*captures, check_time=0)
    differences, more = compared(replay, *captures)
    assert differences == {}
    # Theirs was still probing for a duplicate when the retransmission came.
    assert more == {47079}
    assert len(acknowledgements(replay)) == 6


@pytest.mark.parametrize(
    "phase", ["home-reg", "dhaad", "mpd", "nemo-explicit", "ipsec-home-reg"]
)
def test_home_agent_looks_for_a_duplicate_first(phase: str) -> None:
    """As long as theirs did, and no longer."""
    protected = phase.startswith("ipsec")
    replay = replay_to_home_agent(f"{phase}-ha", protected=protected)
    asked, first = replay.sent[0][1].message, replay.sent[1]
    assert asked == NeighborSolicitation(target_address=HOME_ADDRESS)
    theirs = between(f"{phase}-ha", BindingAcknowledgement, HOME_AGENT)[0]
    assert isinstance(first[1].message, BindingAcknowledgement)
    assert answer(first[1].message)[:2] == answer(theirs.packet.message)[:2]
    assert theirs.at - 0.02 < first[0] < theirs.at


def test_home_agent_when_the_mobile_node_returns() -> None:
    """The refreshes before, up to number 47083, were not captured."""
    capture = "return-home-hahome"
    began = packets(capture)[0].at
    before = Tunnel(
        end=End.HOME_AGENT,
        home_address=HOME_ADDRESS,
        care_of_address=AT_C,
        home_agent=HOME_AGENT,
        expires=began + 30,
    )
    replay = replay_to_home_agent(capture, restored=(before,))
    assert compared(replay, capture) == ({}, set())
    assert [packet.link for _, packet in replay.sent] == ["eth1"]
    assert replay.standing == {}


@pytest.mark.parametrize(
    ("captures", "care_of_address"),
    [
        (("home-reg-ha",), AT_B),
        (("home-reg-ha", "rr-cnbind-ha", "refresh-ha"), AT_B),
        (("home-reg-ha", "rr-cnbind-ha", "refresh-ha", "movement-ha"), AT_C),
    ],
)
def test_home_agent_tunnels_to_where_the_mobile_node_is(
    captures: tuple[str, ...], care_of_address: IPv6Address
) -> None:
    replay = replay_to_home_agent(*captures, check_time=0)
    (tunnel,) = replay.tunnels
    assert tunnel.care_of_address == care_of_address
    last = between(captures[-1], BindingUpdate, HOME_AGENT) or between(
        "home-reg-ha", BindingUpdate, HOME_AGENT
    )
    assert tunnel.expires == last[-1].at + 40


@pytest.mark.parametrize(
    ("phase", "differences"),
    [
        # It grants what is left of the home prefix, which it last advertised some
        # seconds ago; ours does not know the prefix's lifetime (§10.3.1).
        ("dhaad", {37725: (0, 37725, 86396)}),
        ("mpd", {54038: (0, 54038, 86396)}),
        # The R flag of RFC 3963 is ignored.
        ("nemo-explicit", {}),
    ],
)
def test_home_agent_in_other_runs(phase: str, differences: dict[int, Answer]) -> None:
    replay = replay_to_home_agent(f"{phase}-ha")
    assert compared(replay, f"{phase}-ha") == (differences, set())
    assert len(replay.tunnels) == 1


def test_home_agent_with_security_associations() -> None:
    captures = ("ipsec-home-reg-ha", "ipsec-movement-ha")
    replay = replay_to_home_agent(*captures, protected=True, check_time=0)
    assert compared(replay, *captures) == ({}, set())
    assert len(replay.sent) == len(acknowledgements(replay)) == 5
    (tunnel,) = replay.tunnels
    assert tunnel.care_of_address == AT_C


def test_home_agent_believes_nothing_that_is_not_protected() -> None:
    replay = replay_to_home_agent("home-reg-ha", protected=True)
    assert replay.sent == []
    assert replay.dropped.count("unprotected") == 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One run of our mobile node on the captured link."""

    name: str
    first: int
    """The frame before which the cable was put in."""
    lifetime: int = 40
    bound: bool = False
    """Whether it was registered before."""
    updates: tuple[int, ...]
    """The captured Binding Updates that ours sends too, by sequence number."""
    tunnel: tuple[IPv6Address, int] | None
    """Care-of address and seconds granted, at the end."""


PHASES = [
    Phase(name="home-reg", first=5, updates=(47073, 47074), tunnel=(AT_B, 40)),
    # Theirs wants the last of its updates acknowledged, and sends a third.
    Phase(
        name="movement",
        first=15,
        bound=True,
        updates=(47078, 47079),
        tunnel=(AT_C, 40),
    ),
    Phase(name="return-home", first=15, bound=True, updates=(47084,), tunnel=None),
    Phase(
        name="dhaad", first=3, lifetime=86396, updates=(37725,), tunnel=(AT_B, 86392)
    ),
    Phase(name="mpd", first=4, lifetime=86396, updates=(54038,), tunnel=(AT_C, 112)),
    Phase(
        name="nemo-explicit",
        first=8,
        lifetime=86396,
        updates=(64960,),
        tunnel=(AT_B, 86396),
    ),
    Phase(name="ipsec-home-reg", first=5, updates=(58378, 58379), tunnel=(AT_B, 40)),
    Phase(
        name="ipsec-movement",
        first=17,
        bound=True,
        updates=(58382, 58383),
        tunnel=(AT_C, 40),
    ),
    Phase(name="start-at-home", first=1, updates=(), tunnel=None),
]


def replay_to_mobile_node(phase: Phase) -> tuple[Replay, MobileNode]:
    heard = [c for c in packets(f"{phase.name}-mn") if c.frame >= phase.first]
    began = heard[0].at - 0.001
    protected = phase.name.startswith("ipsec")
    before = Tunnel(
        end=End.MOBILE_NODE,
        home_address=HOME_ADDRESS,
        care_of_address=AT_B,
        home_agent=HOME_AGENT,
        expires=began + 30,
    )
    number = phase.updates[0] - 1 if phase.updates else 0
    mobile_node = MobileNode(
        HOME_ADDRESS,
        HOME_PREFIX,
        (HOME_AGENT,),
        lifetime=phase.lifetime,
        random=bytes,
        authentication_required=protected,
        restored=before if phase.bound else None,
    )
    mobile_node.registration.sequence_number = number
    node = Node(mobile_node=mobile_node)
    replay = Replay(node, End.MOBILE_NODE, protected=protected)
    replay.standing[before.key] = before
    replay.do(mobile_node.link_up(LINK, began), began)
    own = {address.packed for address in OWN if address}
    for captured in heard:
        if captured.octets[8:24] not in own:
            replay.receive(captured)
    replay.pass_time(heard[-1].at)
    return replay, mobile_node


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_mobile_node(phase: Phase) -> None:
    replay, mobile_node = replay_to_mobile_node(phase)
    updates = [
        (at, packet)
        for at, packet in replay.sent
        if isinstance(packet.message, BindingUpdate)
    ]
    captured = {
        message.packet.message.sequence_number: message
        for message in between(f"{phase.name}-mn", BindingUpdate, HOME_AGENT)
        if isinstance(message.packet.message, BindingUpdate)
    }
    assert len(updates) == len(phase.updates)
    for (at, packet), number in zip(updates, phase.updates, strict=True):
        theirs = captured[number]
        assert at <= theirs.at + 0.02
        assert write(packet) == as_we_would(theirs)
    if phase.tunnel is None:
        assert mobile_node.place is Place.AT_HOME
        assert not mobile_node.registration.alive(packets(f"{phase.name}-mn")[-1].at)
        return
    care_of_address, granted = phase.tunnel
    assert mobile_node.place is Place.REGISTERED
    assert mobile_node.registration.granted == granted
    (tunnel,) = replay.tunnels
    assert tunnel.care_of_address == care_of_address
    assert tunnel.expires <= updates[-1][0] + granted
    assert not tunnel.inbound_only


def as_we_would(theirs: Message) -> bytes:
    """A captured Binding Update without what is theirs alone: the flow label, the flag
    and the option of a mobile router, and at home an Alternate Care-of Address that
    says what the source address says."""
    message = theirs.packet.message
    assert isinstance(message, BindingUpdate)
    options = tuple(
        option
        for option in message.options
        if not isinstance(option, MobileNetworkPrefix)
        and option != AlternateCareOfAddress(HOME_ADDRESS)
    )
    return write(
        Packet(
            source=theirs.packet.source,
            destination=theirs.packet.destination,
            home_address=theirs.packet.home_address,
            hop_limit=theirs.packet.hop_limit,
            message=BindingUpdate(
                sequence_number=message.sequence_number,
                lifetime=message.lifetime,
                acknowledge=message.acknowledge,
                home_registration=message.home_registration,
                link_local_address_compatibility=message.link_local_address_compatibility,
                key_management_mobility_capability=message.key_management_mobility_capability,
                options=options,
            ),
        )
    )
