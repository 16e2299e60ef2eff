"""Several home agents: which one is asked, and when the next (§11.4.1, §11.7.1,
decision 0033)."""

from ipaddress import IPv6Address
from itertools import pairwise
from typing import Any

import pytest
from tests.conformance.nodes import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import PREFIX_B, PREFIX_C, ROUTER_B, ROUTER_C, Roamer
from tests.core.test_registration import reason

from mip6.core.binding_update_list import UNRECOGNIZED_NEXT_HEADER
from mip6.core.effects import Effect, Notify
from mip6.core.events import HomeAgentsChanged, Place, Problem
from mip6.core.home_agents import FORMER_MAX, HOME_AGENTS_MAX, PLACES_MAX
from mip6.core.packet import Packet, write
from mip6.core.registration import INITIAL_BINDACK_TIMEOUT_FIRST, RESPITE
from mip6.core.state import End, Tunnel
from mip6.wire.icmpv6 import DestinationUnreachable, ParameterProblem, TimeExceeded
from mip6.wire.messages import BindingError, BindingStatus
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, write_packet

SECOND = IPv6Address("2001:db8:a::b")
THIRD = IPv6Address("2001:db8:a::c")
THREE = (HOME_AGENT, SECOND, THIRD)


def away(*home_agents: IPv6Address, **more: Any) -> Roamer:
    roamer = Roamer(home_agents=home_agents or THREE, **more)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    return roamer


def asked(roamer: Roamer) -> list[IPv6Address]:
    """Each home agent, once in a row."""
    row: list[IPv6Address] = []
    for sent in roamer.updates:
        if row[-1:] != [sent.packet.destination]:
            row.append(sent.packet.destination)
    return row


def told(effects: list[Effect], kind: type) -> list[Any]:
    events = [effect.event for effect in effects if isinstance(effect, Notify)]
    return [event for event in events if isinstance(event, kind)]


# Silence.


@pytest.mark.rfc("11.4.1-1", "a silent one is left after three transmissions")
@pytest.mark.rfc("11.4.1-2", "in the order of the list")
@pytest.mark.rfc("11.4.1-5", "when one is silent the next is tried")
def test_the_next_one_when_one_is_silent() -> None:
    roamer = away()
    roamer.wait(31)
    assert asked(roamer) == [*THREE]
    first = roamer.updates[0].at
    times = [(s.packet.destination, s.at - first) for s in roamer.updates]
    assert times[:4] == [
        (HOME_AGENT, 0),
        (HOME_AGENT, INITIAL_BINDACK_TIMEOUT_FIRST),
        (HOME_AGENT, 4.5),
        (SECOND, 10.5),
    ]
    roamer.answer()
    assert roamer.mobile_node.home_agent == THIRD
    assert roamer.mobile_node.place is Place.REGISTERED
    assert roamer.tunnel is not None
    assert roamer.tunnel.home_agent == THIRD


def test_all_are_silent_and_asked_seldom_from_then_on() -> None:
    roamer = away()
    roamer.wait(200)
    late = [s for s in roamer.updates if s.at > roamer.updates[0].at + 42]
    gaps = [b.at - a.at for a, b in pairwise(late)]
    assert min(gaps) >= RESPITE
    assert {s.packet.destination for s in late} == {*THREE}
    roamer.answer()
    assert roamer.mobile_node.place is Place.REGISTERED


@pytest.mark.rfc("11.4.1-4", "the one that holds the binding is asked first")
def test_a_move_asks_the_one_that_accepted() -> None:
    roamer = away()
    roamer.wait(15)
    roamer.answer()
    assert roamer.mobile_node.home_agent == SECOND
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    # Others were told to let go of what they may hold.
    moved = [s for s in roamer.updates if s.update.lifetime]
    assert moved[-1].packet.destination == SECOND


@pytest.mark.rfc("11.4.1-3", "the list is kept while one of them serves")
def test_one_that_dies_is_followed_by_the_next() -> None:
    """The tunnel stands until its lifetime ends, or the next one has accepted."""
    roamer = away()
    roamer.answer()
    roamer.wait(306)
    assert roamer.tunnel is not None
    roamer.wait(2)
    assert asked(roamer) == [HOME_AGENT, SECOND]
    assert roamer.mobile_node.place is Place.REGISTERED
    assert roamer.mobile_node.home_agent == HOME_AGENT
    effects = roamer.answer()
    assert roamer.mobile_node.home_agent == SECOND
    assert roamer.tunnel is not None
    assert roamer.tunnel.home_agent == SECOND
    assert not told(effects, Problem)


def test_the_one_before_is_told_to_let_go() -> None:
    """It may be alive, and defend the home address; once, then seldom, until it has
    answered or what it held has ended."""
    roamer = away(HOME_AGENT, SECOND)
    roamer.answer()
    roamer.wait(308)
    roamer.answer()
    deletions = [s for s in roamer.updates if not s.update.lifetime]
    [deletion] = deletions
    assert deletion.packet.destination == HOME_AGENT
    assert deletion.packet.home_address == HOME_ADDRESS
    roamer.wait(10)
    assert len([s for s in roamer.updates if not s.update.lifetime]) == 4
    last = [s for s in roamer.updates if not s.update.lifetime][-1]
    effects = roamer.answer(
        source=HOME_AGENT, sequence_number=last.update.sequence_number, lifetime=0
    )
    assert roamer.mobile_node.home_agent == SECOND
    assert not told(effects, Problem)
    before = len(roamer.updates)
    roamer.wait(200)
    assert len(roamer.updates) == before
    assert roamer.mobile_node.home_agents.known == (HOME_AGENT, SECOND)


def test_what_the_one_before_held_ends_at_last() -> None:
    roamer = away(HOME_AGENT, SECOND)
    roamer.answer()
    roamer.wait(308)
    roamer.answer()
    for _ in range(20):
        roamer.wait(30)
        if roamer.updates[-1].update.lifetime:
            roamer.answer()
    deletions = [s.at for s in roamer.updates if not s.update.lifetime]
    assert deletions[-1] - roamer.updates[0].at < 700
    assert roamer.mobile_node.place is Place.REGISTERED


# Refusals.


@pytest.mark.parametrize("status", [128, 129, 130, 131, 132, 133, 139, 145, 146, 200])
@pytest.mark.rfc("11.4.1-5", "when one refuses the next is tried")
def test_the_next_one_at_once_when_one_refuses(status: int) -> None:
    roamer = away()
    effects = roamer.answer(status=status)
    assert asked(roamer) == [HOME_AGENT, SECOND]
    assert [e.what for e in told(effects, Problem)]
    roamer.answer()
    assert roamer.mobile_node.place is Place.REGISTERED


def test_all_refuse() -> None:
    roamer = away()
    for _ in THREE:
        roamer.answer(status=130)
    assert asked(roamer) == [*THREE]
    begun = roamer.now
    roamer.wait(RESPITE - 1)
    assert len(roamer.updates) == 3
    roamer.wait(2)
    assert asked(roamer) == [*THREE, HOME_AGENT]
    assert roamer.updates[-1].at == begun + RESPITE
    failures = [
        c.failure.status if c.failure else None
        for c in roamer.mobile_node.home_agents.candidates()
    ]
    assert failures == [130, 130, 130]
    roamer.answer()
    assert roamer.mobile_node.place is Place.REGISTERED
    candidates = list(roamer.mobile_node.home_agents.candidates())
    assert [c.current for c in candidates] == [True, False, False]
    assert not any(c.failure for c in candidates)


def test_what_is_wrong_with_the_link_is_not_the_home_agents_fault() -> None:
    roamer = away()
    roamer.answer(status=174)
    roamer.wait(1)
    assert asked(roamer) == [HOME_AGENT]


def test_another_place_forgives_all() -> None:
    roamer = away()
    for _ in THREE:
        roamer.answer(status=130)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    assert asked(roamer) == [*THREE]  # the last one again, and at once
    assert len(roamer.updates) == 4
    roamer.answer(status=130)
    assert asked(roamer) == [*THREE, HOME_AGENT]


def test_places_that_were_tried_are_not_new_again_and_are_limited() -> None:
    roamer = away(HOME_AGENT)
    agents = roamer.mobile_node.home_agents
    for number in range(PLACES_MAX + 3):
        aim = roamer.mobile_node.registration.aim
        assert aim is not None
        place = IPv6Address(f"2001:db8:f::{number + 1:x}")
        agents.choose(
            type(aim)(care_of_address=place, link=aim.link), roamer.now, silent=True
        )
    assert len(agents._places) == PLACES_MAX


@pytest.mark.rfc("11.3.5", "Parameter Problem code 1: the next home agent")
def test_one_that_does_not_know_mobile_ipv6() -> None:
    roamer = away()
    last = roamer.updates[-1].packet
    error = ParameterProblem(
        code=UNRECOGNIZED_NEXT_HEADER, pointer=6, packet=write(last)
    )
    packet = Packet(source=HOME_AGENT, destination=last.source, message=error)
    effects = roamer.receive(write(packet))
    assert told(effects, Problem)
    assert asked(roamer) == [HOME_AGENT, SECOND]


def test_a_former_one_that_does_not_know_mobile_ipv6() -> None:
    """It is told to let go of what it may hold, and cannot."""
    roamer = away(HOME_AGENT, SECOND)
    roamer.wait(11)
    roamer.answer()
    assert roamer.mobile_node.home_agent == SECOND
    last = roamer.updates[-1].packet
    assert last.destination == HOME_AGENT
    error = ParameterProblem(
        code=UNRECOGNIZED_NEXT_HEADER, pointer=6, packet=write(last)
    )
    packet = Packet(source=HOME_AGENT, destination=last.source, message=error)
    assert told(roamer.receive(write(packet)), Problem)
    assert roamer.mobile_node.home_agent == SECOND
    assert roamer.mobile_node.place is Place.REGISTERED


REFUSALS = [s for s in BindingStatus if s >= 128] + [147, 175, 255]
FOLLOWED = {135, 144}
"""These the mobile node follows itself."""


@pytest.mark.rfc("11.7.3", "every status that refuses leads somewhere")
@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("home_agents", [(HOME_AGENT,), (HOME_AGENT, SECOND)])
def test_no_status_leaves_it_stuck(
    status: int, home_agents: tuple[IPv6Address, ...]
) -> None:
    """It asks again, at once, elsewhere or later; or somebody is told what to do, and
    status says so."""
    roamer = away(*home_agents)
    effects = roamer.answer(status=status)
    problems = told(effects, Problem)
    if status in FOLLOWED:
        assert len(roamer.updates) == 2
        assert asked(roamer) == [HOME_AGENT]
        assert not problems
    else:
        [problem] = problems
        assert f"({status})" in problem.what
        assert problem.advice
        at_once = len(home_agents) > 1 and status != 174
        assert asked(roamer) == [*home_agents] if at_once else [HOME_AGENT]
    final = status == 134 and len(home_agents) == 1
    before = len(roamer.updates)
    roamer.wait(RESPITE + 1)
    assert (len(roamer.updates) == before) == final
    # Whatever it was, the next answer puts an end to it.
    if not final:
        last = [s for s in roamer.updates if s.update.lifetime][-1]
        roamer.answer(
            source=last.packet.destination,
            sequence_number=last.update.sequence_number,
            lifetime=last.update.lifetime,
        )
        assert roamer.mobile_node.place is Place.REGISTERED
        assert roamer.mobile_node.registration.problem is None


# Status 134: somebody has the home address; perhaps another home agent, for us.


def test_a_duplicate_may_be_our_own_binding_elsewhere() -> None:
    """The one that holds it is silent here and defends it there: it is asked again."""
    roamer = away(HOME_AGENT, SECOND)
    roamer.answer()
    roamer.wait(308)
    assert asked(roamer) == [HOME_AGENT, SECOND]
    roamer.answer(status=134)
    registration = roamer.mobile_node.registration
    assert not registration.given_up
    # It is told to let go; and asked again in its turn.
    assert roamer.updates[-1].packet.destination == HOME_AGENT
    assert roamer.updates[-1].update.lifetime == 0
    roamer.answer(lifetime=0)
    roamer.wait(RESPITE)
    assert HOME_AGENT in [
        s.packet.destination for s in roamer.updates[-4:] if s.update.lifetime
    ]


def test_a_duplicate_everywhere_is_one() -> None:
    roamer = away(HOME_AGENT, SECOND)
    roamer.answer(status=134)
    assert not roamer.mobile_node.registration.given_up
    roamer.answer(status=134)
    assert roamer.mobile_node.registration.given_up
    before = len(roamer.updates)
    roamer.wait(300)
    assert len(roamer.updates) == before


# The list.


def test_a_list_that_comes_later() -> None:
    roamer = Roamer(home_agents=())
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.wait(5)
    assert roamer.updates == []
    assert roamer.mobile_node.home_agent is None
    assert roamer.mobile_node.place is Place.REGISTERING
    assert not roamer.standing(Tunnel)
    found = roamer.mobile_node.home_agents_found((SECOND, HOME_AGENT), roamer.now)
    effects = roamer.do(found)
    [changed] = told(effects, HomeAgentsChanged)
    assert changed == HomeAgentsChanged(SECOND, (SECOND, HOME_AGENT))
    # It is told before anything is sent to one of them.
    assert effects.index(Notify(changed)) == 0
    assert asked(roamer) == [SECOND]
    roamer.answer()
    # Another list leaves who has accepted in peace.
    roamer.do(roamer.mobile_node.home_agents_found((THIRD,), roamer.now))
    assert roamer.mobile_node.home_agents.known == (THIRD, SECOND)
    assert roamer.mobile_node.place is Place.REGISTERED
    # Until it fails.
    roamer.wait(320)
    assert asked(roamer) == [SECOND, THIRD]


def test_the_list_is_limited_and_has_everybody_once() -> None:
    many = [IPv6Address(f"2001:db8:a::1:{n:x}") for n in range(HOME_AGENTS_MAX + 9)]
    roamer = away(many[0], *many)
    assert roamer.mobile_node.home_agents.listed == tuple(many[:HOME_AGENTS_MAX])
    roamer.mobile_node.home_agents_found((many[0], *many), roamer.now)
    assert roamer.mobile_node.home_agents.listed == tuple(many[:HOME_AGENTS_MAX])


def test_former_ones_are_limited() -> None:
    """Whoever makes up lists makes nobody remember more than so many."""
    roamer = away(HOME_AGENT)
    roamer.answer()
    for number in range(FORMER_MAX + 9):
        one = IPv6Address(f"2001:db8:a::1:{number:x}")
        roamer.do(roamer.mobile_node.home_agents_found((one,), roamer.now))
        roamer.mobile_node.home_agents.failed(roamer.now, 130)
        roamer.wait(0.5)
    known = roamer.mobile_node.home_agents.known
    assert len(known) <= FORMER_MAX + 2
    # The one that holds a binding for certain is not forgotten.
    assert HOME_AGENT in known


def test_a_former_one_is_forgotten_with_its_binding() -> None:
    roamer = away(HOME_AGENT, lifetime=40)
    roamer.answer(status=130)
    roamer.do(roamer.mobile_node.home_agents_found((SECOND,), roamer.now))
    assert HOME_AGENT in roamer.mobile_node.home_agents.known
    for _ in range(10):
        roamer.answer(lifetime=roamer.updates[-1].update.lifetime)
        roamer.wait(10)
    assert roamer.mobile_node.home_agents.known == (SECOND,)
    assert roamer.mobile_node.home_agents.find(HOME_AGENT) is None


# What an earlier process left.


def restored(expires: float) -> Tunnel:
    return Tunnel(
        end=End.MOBILE_NODE,
        home_address=HOME_ADDRESS,
        care_of_address=IPv6Address("2001:db8:b::ff:fe00:5"),
        home_agent=SECOND,
        expires=expires,
    )


@pytest.mark.rfc("11.4.1-4", "also the one that an earlier process registered with")
@pytest.mark.parametrize("listed", [THREE, ()])
def test_the_home_agent_of_an_earlier_process_comes_first(
    listed: tuple[IPv6Address, ...],
) -> None:
    roamer = Roamer(home_agents=listed, restored=restored(1200))
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert asked(roamer) == [SECOND]
    assert roamer.mobile_node.home_agents.known == (listed or (SECOND,))


# At home.


def test_at_home_each_that_may_hold_a_binding_is_told() -> None:
    roamer = away(HOME_AGENT, SECOND)
    roamer.wait(12)
    roamer.answer()
    assert roamer.mobile_node.home_agent == SECOND
    before = len(roamer.updates)
    roamer.go_home()
    told_home = roamer.updates[before:]
    assert {s.packet.destination for s in told_home} == {HOME_AGENT, SECOND}
    assert all(s.packet.source == HOME_ADDRESS for s in told_home)
    assert all(s.update.lifetime == 0 for s in told_home)
    assert roamer.mobile_node.place is Place.RETURNING
    second = next(s for s in told_home if s.packet.destination == SECOND)
    roamer.answer(
        source=SECOND, sequence_number=second.update.sequence_number, lifetime=0
    )
    # The other one is silent, and nobody waits for it.
    assert roamer.mobile_node.place is Place.AT_HOME


def test_on_the_way_home_the_one_that_accepted_is_told() -> None:
    """It did not answer the last time, and another one was asked just now."""
    roamer = away(HOME_AGENT, SECOND, lifetime=20)
    roamer.answer(lifetime=8)
    roamer.wait(6.5)  # the refresh is under way
    roamer.answer(status=130)
    assert roamer.mobile_node.registration.home_agent == SECOND
    roamer.answer(status=130)
    roamer.go_home()
    assert roamer.mobile_node.registration.home_agent in (HOME_AGENT, SECOND)
    assert all(s.update.lifetime == 0 for s in roamer.updates[-2:])


# What others say.


def test_a_binding_error_is_about_whom_it_comes_from() -> None:
    roamer = away()
    roamer.answer()
    roamer.now += 5
    error = BindingError(status=1, home_address=HOME_ADDRESS)
    for source, more in ((THIRD, 0), (HOME_AGENT, 1)):
        before = len(roamer.updates)
        aim = roamer.mobile_node.registration.aim
        assert aim is not None
        packet = Packet(source=source, destination=aim.care_of_address, message=error)
        roamer.receive(write(packet))
        assert len(roamer.updates) == before + more


def test_another_lifetime_is_for_all_of_them() -> None:
    roamer = away()
    roamer.answer(status=130)
    roamer.mobile_node.configure(80, roamer.now, fallback=True)
    roamer.answer(status=130)
    assert roamer.updates[-1].update.lifetime == 80
    assert roamer.mobile_node.home_agents.lifetime == 80
    registration = roamer.mobile_node.home_agents.find(HOME_AGENT)
    assert registration is not None
    assert registration.lifetime == 80


# What routers say of the way to the home agent.


def unreachable(roamer: Roamer, **changes: Any) -> list[Effect]:
    """About a packet of the tunnel, unless `changes` make it another."""
    source = roamer.mobile_node.care_of_address
    assert source is not None
    inner = write_packet(
        IPv6Packet(
            source=HOME_ADDRESS, destination=CORRESPONDENT, next_header=17, payload=b""
        )
    )
    fields: dict[str, Any] = {
        "source": source,
        "destination": HOME_AGENT,
        "next_header": NextHeader.IPV6,
        "payload": inner,
        **changes,
    }
    kind = fields.pop("kind", DestinationUnreachable)
    length = fields.pop("length", 200)
    error = kind(code=0, packet=write_packet(IPv6Packet(**fields))[:length])
    router = IPv6Address("2001:db8:a::ffff")
    packet = Packet(source=router, destination=source, message=error)
    return roamer.receive(write(packet))


@pytest.mark.parametrize("kind", [DestinationUnreachable, TimeExceeded])
def test_errors_that_go_on_make_it_ask(kind: type) -> None:
    """So that a home agent that is gone is found out before the next refresh."""
    roamer = away(HOME_AGENT, SECOND)
    roamer.answer()
    roamer.wait(60)
    for _ in range(2):
        assert reason(unreachable(roamer, kind=kind)) == "icmp_error_alone"
        roamer.wait(1)
    assert len(roamer.updates) == 1
    unreachable(roamer, kind=kind)
    assert len(roamer.updates) == 2
    # It is asked, and all else stays as it was: anybody can send errors.
    assert roamer.mobile_node.place is Place.REGISTERED
    assert roamer.tunnel is not None
    for _ in range(9):
        unreachable(roamer, kind=kind)
    assert len(roamer.updates) == 2
    roamer.wait(7.5)
    assert asked(roamer) == [HOME_AGENT, SECOND]
    roamer.answer()
    assert roamer.mobile_node.home_agent == SECOND


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"source": IPv6Address("2001:db8:b::7")}, "icmp_error_quote"),
        ({"destination": THIRD}, "icmp_error"),
        ({"next_header": 17}, "icmp_error"),
        ({"length": 39}, "icmp_error"),
    ],
)
def test_errors_about_other_packets(changes: dict[str, Any], why: str) -> None:
    roamer = away(HOME_AGENT, SECOND)
    roamer.answer()
    roamer.wait(60)
    for _ in range(5):
        assert reason(unreachable(roamer, **changes)) == why
    assert len(roamer.updates) == 1
