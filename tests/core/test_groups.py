"""Multicast for mobile nodes that are away, and MLD in their tunnels (§10.4.2,
§10.4.3)."""

from collections.abc import Sequence
from ipaddress import IPv6Address

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    Kernel,
    binding_update,
    discarded,
    dropped,
    home_agent,
)
from tests.support.mld import group_record, listener, report_1, report_2
from tests.support.octets import IPV6, NONE, UDP, ipv6, udp

from mip6.core import groups
from mip6.core.effects import Effect, Forward, Install, Notify, Remove
from mip6.core.events import Problem
from mip6.core.groups import (
    COPIES_BURST,
    GROUPS_MAX,
    GROUPS_OF_ONE_MAX,
    LISTENS_FOR,
    STARTUP_INTERVAL,
)
from mip6.core.home_agent import HomeAgent
from mip6.core.node import Node
from mip6.core.state import Membership
from mip6.wire.multicast_listener import QUERY_INTERVAL, general_query

LINK = "eth1"
GROUP, OTHER_GROUP = "ff0e::1:1", "ff1e::1:2"
STREAM = ipv6(str(CORRESPONDENT), GROUP, UDP, udp(b"news"), hop_limit=9)
QUERY = general_query(IPv6Address("fe80::" + str(HOME_AGENT).rpartition("::")[2]))


class Agent:
    """A home agent with a home link, and the node around it."""

    def __init__(self, **changes: object) -> None:
        changes = {"home_link": LINK, "multicast": True, **changes}
        self.role: HomeAgent = home_agent(**changes)
        self.node = Node(home_agent=self.role)
        self.kernel = Kernel(self.role)
        self.now = 0.0

    def do(self, effects: Sequence[Effect]) -> Sequence[Effect]:
        self.kernel.perform(effects, self.now)
        wanted = {s for s in self.role.installed if isinstance(s, Membership)}
        assert self.groups == {str(state.group) for state in wanted}
        return effects

    def bind(
        self,
        number: int = 1,
        care_of_address: IPv6Address = CARE_OF_ADDRESS,
        home_address: IPv6Address = HOME_ADDRESS,
        lifetime: int = 600,
    ) -> None:
        update = binding_update(
            number,
            source=care_of_address,
            home_address=home_address,
            lifetime=lifetime,
        )
        self.do(self.role.receive(update, self.now))

    def say(
        self, report: bytes, care_of_address: IPv6Address = CARE_OF_ADDRESS
    ) -> Sequence[Effect]:
        whole = ipv6(str(care_of_address), str(HOME_AGENT), IPV6, report)
        return self.do(self.node.receive(whole, self.now))

    def tick(self, now: float) -> Sequence[Effect]:
        self.now = now
        return self.do(self.role.tick(now))

    @property
    def groups(self) -> set[str]:
        states = self.kernel.states
        return {str(s.group) for s in states if isinstance(s, Membership)}

    def listeners(self, group: str = GROUP) -> set[IPv6Address]:
        assert self.role.groups is not None
        return set(self.role.groups.listeners(IPv6Address(group)))


@pytest.fixture
def agent() -> Agent:
    made = Agent()
    made.bind()
    return made


def forwarded(effects: Sequence[Effect]) -> list[bytes]:
    return [effect.octets for effect in effects if isinstance(effect, Forward)]


def tunnelled(inner: bytes, care_of_address: IPv6Address = CARE_OF_ADDRESS) -> bytes:
    return ipv6(str(HOME_AGENT), str(care_of_address), IPV6, inner)


# What is asked


@pytest.mark.rfc("10.4.3", "queries go through the tunnel, again and again")
def test_a_mobile_node_is_asked_at_once_and_periodically(agent: Agent) -> None:
    assert agent.role.deadline == 0.0
    assert forwarded(agent.tick(0.0)) == [tunnelled(QUERY)]
    # Once more soon, as the first may overtake the acknowledgement.
    assert forwarded(agent.tick(STARTUP_INTERVAL - 0.1)) == []
    assert forwarded(agent.tick(STARTUP_INTERVAL)) == [tunnelled(QUERY)]
    later = STARTUP_INTERVAL + QUERY_INTERVAL
    assert forwarded(agent.tick(later - 0.1)) == []
    assert forwarded(agent.tick(later)) == [tunnelled(QUERY)]


def test_who_moves_is_asked_there(agent: Agent) -> None:
    agent.tick(0.0)
    agent.bind(2)  # a refresh
    assert forwarded(agent.tick(1.0)) == []
    agent.bind(3, NEXT_CARE_OF_ADDRESS)
    assert forwarded(agent.tick(1.0)) == [tunnelled(QUERY, NEXT_CARE_OF_ADDRESS)]
    agent.bind(4, NEXT_CARE_OF_ADDRESS, lifetime=0)
    assert forwarded(agent.tick(500.0)) == []


def test_restored_bindings_are_asked() -> None:
    agent = Agent()
    agent.bind()
    [binding] = agent.role.bindings
    later = Agent(restored=[binding])
    assert forwarded(later.role.tick(1.0)) == [tunnelled(QUERY)]


def test_questions_do_not_come_in_one_burst() -> None:
    many = groups.QUERIES_MAX + 3
    agent = Agent(bindings_max=many)
    for number in range(many):
        care_of_address, home_address = (
            CARE_OF_ADDRESS + number,
            HOME_ADDRESS + number,
        )
        agent.bind(1, care_of_address, home_address)
    assert len(forwarded(agent.tick(0.0))) == groups.QUERIES_MAX
    assert agent.role.deadline == 0.0
    assert len(forwarded(agent.tick(0.0))) == 3


# What is said


@pytest.mark.rfc("8.4-16", "reports in the tunnel join and leave")
@pytest.mark.rfc("10.4.3-1", "listener reports come out of the tunnel")
@pytest.mark.parametrize("source", ["fe80::2", "::", str(HOME_ADDRESS)])
@pytest.mark.parametrize("version", [1, 2])
def test_a_group_is_joined_and_left(agent: Agent, version: int, source: str) -> None:
    """Whose it is the tunnel tells, or the home address."""
    if version == 1:
        report, done = report_1(GROUP, source=source), report_1(GROUP, kind=132)
    else:
        report = report_2(group_record(4, GROUP), source=source)
        done = report_2(group_record(3, GROUP), source=source)
    state = Membership(group=IPv6Address(GROUP), link=LINK)
    assert agent.say(report) == [Install(state)]
    assert agent.listeners() == {HOME_ADDRESS}
    assert agent.say(report) == []
    assert agent.say(done) == [Remove(state)]
    assert agent.say(done) == []


def test_two_listeners_of_one_group(agent: Agent) -> None:
    agent.bind(1, NEXT_CARE_OF_ADDRESS, OTHER_HOME_ADDRESS)
    agent.say(report_1(GROUP))
    agent.say(report_1(GROUP), NEXT_CARE_OF_ADDRESS)
    assert agent.listeners() == {HOME_ADDRESS, OTHER_HOME_ADDRESS}
    agent.say(report_1(GROUP, kind=132))
    assert (agent.groups, agent.listeners()) == ({GROUP}, {OTHER_HOME_ADDRESS})
    agent.say(report_1(GROUP, kind=132), NEXT_CARE_OF_ADDRESS)
    assert agent.groups == set()


def test_who_is_not_heard_of_any_more_has_left(agent: Agent) -> None:
    agent.say(report_1(GROUP))
    agent.say(report_1(OTHER_GROUP))
    agent.now = 100.0
    agent.say(report_1(GROUP))
    assert LISTENS_FOR == 260.0, "RFC 3810 §9.4"
    agent.tick(LISTENS_FOR)
    assert agent.groups == {GROUP}
    agent.tick(100.0 + LISTENS_FOR)
    assert agent.groups == set()


@pytest.mark.rfc("10.4.2-7", "groups of smaller scope are not joined")
@pytest.mark.parametrize(
    "group", ["ff01::1", "ff02::5", "ff05::1", "ff08::1", "ff0f::1", "200e::1"]
)
def test_smaller_scopes_stay_at_home(agent: Agent, group: str) -> None:
    effects = agent.say(report_2(group_record(4, group)))
    assert discarded(effects) == ("group_scope", "10.4.2")


@pytest.mark.parametrize(
    ("source", "care_of_address"),
    [
        ("fe80::2", NEXT_CARE_OF_ADDRESS),
        (str(HOME_ADDRESS), NEXT_CARE_OF_ADDRESS),
        (str(OTHER_HOME_ADDRESS), NEXT_CARE_OF_ADDRESS),
    ],
)
def test_strangers_join_nothing(
    agent: Agent, source: str, care_of_address: IPv6Address
) -> None:
    effects = agent.say(report_1(GROUP, source=source), care_of_address)
    assert discarded(effects) == ("tunnel_source", "10.4.3")
    assert agent.groups == set()


def test_nonsense_joins_nothing(agent: Agent) -> None:
    effects = agent.say(report_1(GROUP, wrong=1))
    assert discarded(effects) == ("checksum", "RFC 3810 6.2")
    assert discarded(agent.say(listener(b"\x83"))) == ("checksum", "RFC 3810 6.2")


def test_two_home_addresses_at_one_place(agent: Agent) -> None:
    """The last speaks for both, until it leaves."""
    agent.bind(1, home_address=OTHER_HOME_ADDRESS)
    agent.say(report_1(GROUP))
    assert agent.listeners() == {OTHER_HOME_ADDRESS}
    agent.bind(2, NEXT_CARE_OF_ADDRESS)
    agent.say(report_1(OTHER_GROUP))
    assert agent.listeners(OTHER_GROUP) == {OTHER_HOME_ADDRESS}


def test_a_mobile_node_listens_to_so_many_groups_at_most(agent: Agent) -> None:
    for number in range(GROUPS_OF_ONE_MAX):
        assert agent.say(report_1(f"ff0e::{number + 1:x}"))
    effects = agent.say(report_1(GROUP))
    assert discarded(effects) == ("groups_max", "10.4.3")
    assert agent.say(report_1("ff0e::1")) == [], "again"
    agent.say(report_1("ff0e::1", kind=132))
    assert agent.say(report_1(GROUP))


def test_so_many_at_most_are_those_that_others_joined_too(agent: Agent) -> None:
    agent.bind(1, NEXT_CARE_OF_ADDRESS, OTHER_HOME_ADDRESS)
    agent.say(report_1(GROUP), NEXT_CARE_OF_ADDRESS)
    for number in range(GROUPS_OF_ONE_MAX):
        agent.say(report_1(f"ff0e::{number + 1:x}"))
    effects = agent.say(report_1(GROUP))
    assert discarded(effects) == ("groups_max", "10.4.3")
    assert agent.listeners() == {OTHER_HOME_ADDRESS}


def test_there_are_so_many_groups_at_most() -> None:
    many = GROUPS_MAX // GROUPS_OF_ONE_MAX + 1
    agent = Agent(bindings_max=many)
    for number in range(many):
        agent.bind(1, CARE_OF_ADDRESS + number, HOME_ADDRESS + number)
    for number in range(GROUPS_MAX):
        where = CARE_OF_ADDRESS + number // GROUPS_OF_ONE_MAX
        agent.say(report_1(f"ff0e::{number + 1:x}"), where)
    last = CARE_OF_ADDRESS + (many - 1)
    effects = agent.say(report_1("ff0e::ffff"), last)
    assert discarded(effects) == ("groups_max", "10.4.3")
    assert agent.say(report_1("ff0e::1"), last) == [], "that one is joined already"


def test_the_kernel_may_refuse(agent: Agent) -> None:
    agent.kernel.refuse = (Membership,)
    agent.say(report_1(GROUP))
    assert agent.groups == set()
    assert agent.listeners() == set()
    told = agent.kernel.told[-1]
    assert told == Problem(f"the kernel joins no more groups: {GROUP}")
    assert agent.node.failed(Membership(group=IPv6Address(GROUP), link=LINK), 0.0) == [
        Notify(told)
    ]


def test_without_it_nobody_listens() -> None:
    """Decision 0015; nor where there is no home link."""
    for agent in (Agent(multicast=False), Agent(home_link=None)):
        agent.bind()
        assert agent.role.groups is None
        effects = agent.say(report_1(GROUP))
        assert discarded(effects) == ("tunnel_source", "10.4.5")
        assert agent.role.multicast(STREAM, 0.0) == []


# What is sent


@pytest.mark.rfc("8.4-17", "to those that have said so")
@pytest.mark.rfc("10.4.2-8", "packets for global groups go into the listener's tunnel")
def test_a_packet_is_copied_into_the_tunnel(agent: Agent) -> None:
    agent.say(report_1(GROUP))
    inner = ipv6(str(CORRESPONDENT), GROUP, UDP, udp(b"news"), hop_limit=8)
    assert forwarded(agent.role.multicast(STREAM, 1.0)) == [tunnelled(inner)]
    agent.bind(2, NEXT_CARE_OF_ADDRESS)
    moved = tunnelled(inner, NEXT_CARE_OF_ADDRESS)
    assert forwarded(agent.role.multicast(STREAM, 1.0)) == [moved]
    agent.bind(3, NEXT_CARE_OF_ADDRESS, lifetime=0)
    assert agent.role.multicast(STREAM, 1.0) == []


def test_each_listener_gets_one(agent: Agent) -> None:
    agent.bind(1, NEXT_CARE_OF_ADDRESS, OTHER_HOME_ADDRESS)
    for place in (CARE_OF_ADDRESS, NEXT_CARE_OF_ADDRESS):
        agent.say(report_1(GROUP), place)
    copies = forwarded(agent.role.multicast(STREAM, 1.0))
    places = {IPv6Address(octets[24:40]) for octets in copies}
    assert places == {CARE_OF_ADDRESS, NEXT_CARE_OF_ADDRESS}
    own = ipv6(str(HOME_ADDRESS), GROUP, UDP, udp(), hop_limit=9)
    [copy] = forwarded(agent.role.multicast(own, 1.0))
    assert IPv6Address(copy[24:40]) == NEXT_CARE_OF_ADDRESS


@pytest.mark.parametrize(
    "octets",
    [
        ipv6(str(CORRESPONDENT), OTHER_GROUP, UDP, udp()),
        ipv6(str(CORRESPONDENT), GROUP, UDP, udp(), hop_limit=1),
        ipv6("fe80::7", GROUP, UDP, udp()),
        STREAM[:39],
        b"\x45" + STREAM[1:],
        b"",
    ],
    ids=["nobody listens", "hop limit", "link-local", "cut off", "IPv4", "nothing"],
)
def test_what_is_not_copied(agent: Agent, octets: bytes) -> None:
    agent.say(report_1(GROUP))
    assert agent.role.multicast(octets, 1.0) == []


def test_class_and_flow_are_kept_and_long_ones_are_cut(agent: Agent) -> None:
    """Nobody can be told to send less."""
    agent.say(report_1(GROUP))
    long = ipv6(
        str(CORRESPONDENT), GROUP, UDP, bytes(1420), traffic_class=0xB8, flow_label=7
    )
    [whole] = forwarded(agent.role.multicast(long, 1.0))
    assert (whole[:4], len(whole)) == (long[:4], 1500)
    longer = ipv6(str(CORRESPONDENT), GROUP, UDP, bytes(1421))
    pieces = forwarded(agent.role.multicast(longer, 1.0))
    assert [len(piece) for piece in pieces] == [1280, 277]


def test_pieces_have_an_identification_of_four_octets() -> None:
    agent = Agent(random=lambda octets: b"\xff" * octets)
    agent.bind()
    agent.say(report_1(GROUP))
    long = ipv6(str(CORRESPONDENT), GROUP, UDP, bytes(1421))
    for piece in forwarded(agent.role.multicast(long, 1.0)):
        assert piece[44:48] == b"\xff\xff\xff\xff"


def test_the_shortest_packet_and_the_last_hop_but_one(agent: Agent) -> None:
    agent.say(report_1(GROUP))
    alone = ipv6(str(CORRESPONDENT), GROUP, NONE, hop_limit=2)
    further = ipv6(str(CORRESPONDENT), GROUP, NONE, hop_limit=1)
    assert forwarded(agent.role.multicast(alone, 1.0)) == [tunnelled(further)]
    sent = agent.node.receive(reverse_tunnelled(from_home(hop_limit=2)), 1.0)
    assert forwarded(sent) == [from_home(hop_limit=1)]


def test_copies_have_a_budget(agent: Agent) -> None:
    agent.say(report_1(GROUP))
    for _ in range(COPIES_BURST):
        assert forwarded(agent.role.multicast(STREAM, 1.0))
    effects = agent.role.multicast(STREAM, 1.0)
    assert discarded(effects) == ("multicast_rate", "10.4.2")
    assert forwarded(agent.role.multicast(STREAM, 2.0))


# What mobile nodes send


def reverse_tunnelled(
    inner: bytes, care_of_address: IPv6Address = CARE_OF_ADDRESS
) -> bytes:
    return ipv6(str(care_of_address), str(HOME_AGENT), IPV6, inner)


def from_home(group: str = GROUP, hop_limit: int = 9) -> bytes:
    return ipv6(str(HOME_ADDRESS), group, UDP, udp(b"mine"), hop_limit=hop_limit)


@pytest.mark.rfc("11.3.4", "what comes out of the tunnel goes on to the home link")
@pytest.mark.parametrize("group", [GROUP, "ff05::1", "ff08::7", "ff13::1"])
def test_what_is_sent_to_a_group_goes_out_on_the_home_link(
    agent: Agent, group: str
) -> None:
    agent.say(report_1(GROUP))
    effects = agent.node.receive(reverse_tunnelled(from_home(group)), 1.0)
    assert effects == [Forward(from_home(group, hop_limit=8), link=LINK)]


def test_it_goes_to_the_listeners_that_are_away_too(agent: Agent) -> None:
    agent.bind(1, NEXT_CARE_OF_ADDRESS, OTHER_HOME_ADDRESS)
    for place in (CARE_OF_ADDRESS, NEXT_CARE_OF_ADDRESS):
        agent.say(report_1(GROUP), place)
    inner = from_home(hop_limit=8)
    assert agent.node.receive(reverse_tunnelled(from_home()), 1.0) == [
        Forward(inner, link=LINK),
        Forward(tunnelled(inner, NEXT_CARE_OF_ADDRESS)),
    ]


@pytest.mark.parametrize(
    ("group", "hop_limit", "dropped"),
    [
        ("ff01::1", 9, ("group_scope", "RFC 4291 2.7")),
        ("ff02::1", 255, ("group_scope", "RFC 4291 2.7")),
        (GROUP, 1, ("hop_limit", "RFC 2473 3.3")),
        (GROUP, 0, ("hop_limit", "RFC 2473 3.3")),
    ],
)
def test_what_does_not_leave_the_tunnel(
    agent: Agent, group: str, hop_limit: int, dropped: tuple[str, str]
) -> None:
    octets = reverse_tunnelled(from_home(group, hop_limit))
    assert discarded(agent.node.receive(octets, 1.0)) == dropped


def test_strangers_send_to_no_groups(agent: Agent) -> None:
    for octets in (
        reverse_tunnelled(from_home(), NEXT_CARE_OF_ADDRESS),
        reverse_tunnelled(ipv6(str(OTHER_HOME_ADDRESS), GROUP, UDP, udp())),
    ):
        effects = agent.node.receive(octets, 1.0)
        assert dropped(effects) == ("tunnel_source", "10.4.5")
        assert forwarded(effects) == []


def test_where_groups_stay_at_home_nothing_goes_on() -> None:
    for agent in (Agent(multicast=False), Agent(home_link=None)):
        agent.bind()
        effects = agent.node.receive(reverse_tunnelled(from_home()), 1.0)
        assert discarded(effects) == ("multicast", "10.4.3")


def test_what_is_sent_to_groups_has_the_budget_of_the_copies(agent: Agent) -> None:
    octets = reverse_tunnelled(from_home())
    for _ in range(COPIES_BURST):
        assert forwarded(agent.node.receive(octets, 1.0))
    effects = agent.node.receive(octets, 1.0)
    assert discarded(effects) == ("multicast_rate", "10.4.2")
    assert forwarded(agent.node.receive(octets, 2.0))
