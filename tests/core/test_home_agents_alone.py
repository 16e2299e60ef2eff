"""Which home agent is asked, by itself: what it is made of, and its limits in time
(§11.4.1, §11.7.1; decision 0033)."""

from collections import deque
from dataclasses import replace
from ipaddress import IPv6Address
from math import inf
from typing import Any

import pytest
from tests.core.test_mobile_state import bound
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_PREFIX,
    NEXT_CARE_OF_ADDRESS,
)

from mip6.core.events import HomeAgentsChanged, Problem
from mip6.core.home_agents import Candidate, Failure, HomeAgents
from mip6.core.packet import Packet
from mip6.core.registration import RESPITE, Aim
from mip6.wire.icmpv6 import HomeAgentAddressDiscoveryRequest
from mip6.wire.messages import BindingAcknowledgement, BindingUpdate

SECOND = IPv6Address("2001:db8:a::2")
THIRD = IPv6Address("2001:db8:a::3")
TWO = (HOME_AGENT, SECOND)
AT_B = Aim(CARE_OF_ADDRESS, "eth0")
AT_C = Aim(NEXT_CARE_OF_ADDRESS, "eth1")
HOME = Aim(HOME_ADDRESS, "eth0", delete=True)


def home_agents(*listed: IPv6Address, **more: Any) -> HomeAgents:
    fields: dict[str, Any] = {
        "discover": False,
        "lifetime": 400,
        "authentication_required": False,
        "random": bytes,
        "restored": None,
        **more,
    }
    return HomeAgents(HOME_ADDRESS, HOME_PREFIX, listed, **fields)


def turn(
    agents: HomeAgents, aim: Aim | None, now: float, *, silent: bool = False
) -> list[Packet]:
    """What is sent at this moment."""
    agents.choose(aim, now, silent=silent)
    agents.take_aim(aim, now)
    return agents.packets(now, aim, inf)


def asked(packets: list[Packet]) -> list[tuple[IPv6Address, int]]:
    """Whom, and for how long."""
    return [
        (packet.destination, packet.message.lifetime)
        for packet in packets
        if isinstance(packet.message, BindingUpdate)
    ]


def answer(agents: HomeAgents, now: float, status: int = 0) -> None:
    """By the one that is asked."""
    current = agents.current
    assert current.aim is not None and current.home_agent is not None
    assert current.sequence_number is not None
    message = BindingAcknowledgement(
        status=status, sequence_number=current.sequence_number, lifetime=400
    )
    packet = Packet(
        source=current.home_agent,
        destination=current.aim.care_of_address,
        routing_address=HOME_ADDRESS,
        message=message,
    )
    assert current.acknowledged(packet, message, now) == ""
    if status < 128:
        agents.accepted()
    else:
        agents.failed(now, status)


def served(*listed: IPv6Address, **more: Any) -> HomeAgents:
    """The first in the list holds the binding of B, from 0 to 400 s."""
    agents = home_agents(*(listed or TWO), **more)
    assert asked(turn(agents, AT_B, 0.0)) == [(agents.listed[0], 400)]
    answer(agents, 0.0)
    assert turn(agents, AT_B, 0.0) == []
    return agents


def turned(now: float = 100.0) -> HomeAgents:
    """The first one does not answer any more, and nothing was sent to the second."""
    agents = served()
    agents.failed(now)
    agents.choose(AT_B, now, silent=False)
    agents.take_aim(AT_B, now)
    assert agents.current.home_agent == SECOND
    return agents


def failed(*listed: IPv6Address, now: float = 0.0, **more: Any) -> HomeAgents:
    """All refuse, one second after the other."""
    agents = home_agents(*listed, **more)
    for at in range(len(listed)):
        assert len(asked(turn(agents, AT_B, now + at))) == 1
        answer(agents, now + at, status=130)
    turn(agents, AT_B, now + len(listed) - 1)
    return agents


def failures(agents: HomeAgents) -> list[Failure | None]:
    return [candidate.failure for candidate in agents.candidates()]


# What is known.


def test_before_anything_was_asked() -> None:
    agents = home_agents(SECOND, restored=bound(400))
    assert list(agents.candidates()) == [
        Candidate(SECOND, current=False, failure=None, bound_until=-inf),
        Candidate(HOME_AGENT, current=True, failure=None, bound_until=400),
    ]


def test_the_one_that_is_asked_is_known_whatever_the_list_says() -> None:
    """Others for as long as they may hold a binding."""
    agents = home_agents(HOME_AGENT)
    agents.found(())
    assert agents.known == (HOME_AGENT,)
    agents = turned()
    agents.found((SECOND,))
    for now, known in ((399.9, (SECOND, HOME_AGENT)), (400.0, (SECOND,))):
        agents.choose(AT_B, now, silent=False)
        assert agents.known == known
    # And then nothing is kept of it.
    assert agents.find(HOME_AGENT) is not None
    agents.take_aim(AT_B, 400.0)
    assert agents.find(HOME_AGENT) is None


def test_of_whom_is_forgotten_nothing_is_kept() -> None:
    """Neither that it has failed, nor when it was sent anything."""
    recent: dict[IPv6Address, deque[float]] = {}
    agents = home_agents(HOME_AGENT, recent=recent)
    turn(agents, AT_B, 0.0)
    agents.found((SECOND,))
    answer(agents, 0.0, status=134)
    assert agents.known == (SECOND, HOME_AGENT)
    assert asked(turn(agents, AT_B, 0.0)) == [(SECOND, 400)]
    assert (agents.known, list(recent)) == ((SECOND,), [SECOND])
    answer(agents, 0.0, status=130)
    turn(agents, AT_B, 0.0)
    assert asked(turn(agents, AT_B, RESPITE)) == [(SECOND, 400)]


# When.


def test_the_first_that_has_failed_is_asked_when_it_had_time() -> None:
    agents = failed(*TWO)
    assert agents.deadline == RESPITE
    assert asked(turn(agents, AT_B, RESPITE)) == [(HOME_AGENT, 400)]


def test_who_failed_counts_once_all_have() -> None:
    agents = turned(100.0)
    assert agents.deadline == 100.0, "the second one is asked first"
    agents.packets(100.0, AT_B, inf)
    agents.current.given_up = True
    agents.take_aim(None, 101.0)
    assert agents.deadline == 400.0, "when the binding of the first ends"


def test_the_end_of_a_binding_is_looked_at_also_nowhere() -> None:
    agents = served()
    turn(agents, None, 10.0)
    assert agents.deadline == 400.0


# Accepting.


def test_who_has_accepted_stays_and_nothing_is_held_against_others() -> None:
    agents = home_agents(*TWO)
    turn(agents, AT_B, 0.0)
    answer(agents, 0.0, status=130)
    assert asked(turn(agents, AT_B, 0.0)) == [(SECOND, 400)]
    assert failures(agents) == [Failure(0.0, 130), None]
    answer(agents, 0.0)
    assert failures(agents) == [None, None]
    assert asked(turn(agents, AT_B, 1.0)) == [(HOME_AGENT, 0)]
    assert agents.current.home_agent == SECOND


@pytest.mark.parametrize(
    ("now", "wanted"), [(399.9, HOME_AGENT), (400.0, SECOND), (500.0, SECOND)]
)
def test_elsewhere_the_one_that_holds_the_binding_is_asked(
    now: float, wanted: IPv6Address
) -> None:
    """§11.4.1: as long as it does."""
    agents = turned()
    turn(agents, AT_C, now)
    assert agents.current.home_agent == wanted


def test_also_one_that_an_earlier_process_registered_with() -> None:
    agents = home_agents(SECOND, restored=bound(400))
    assert asked(turn(agents, AT_B, 0.0)) == [(HOME_AGENT, 400)]
    answer(agents, 0.0, status=130)
    assert asked(turn(agents, AT_B, 0.0)) == [(SECOND, 400)]
    turn(agents, AT_C, 10.0)
    assert agents.current.home_agent == HOME_AGENT


def test_a_place_is_new_again_once_one_has_accepted() -> None:
    """What failed at the next place says nothing of this one."""
    agents = home_agents(HOME_AGENT)
    turn(agents, AT_B, 0.0)
    turn(agents, AT_C, 10.0)
    answer(agents, 10.0)
    turn(agents, AT_C, 10.0)
    agents.failed(20.0)
    turn(agents, AT_C, 20.0)
    assert failures(agents) == [Failure(20.0, None)]
    turn(agents, AT_B, 30.0)
    assert failures(agents) == [None]


# Refusing.


@pytest.mark.parametrize(("now", "final"), [(399.9, False), (400.0, True)])
def test_a_duplicate_is_final_once_nobody_holds_the_binding(
    now: float, final: bool
) -> None:
    """§11.7.1; until then it may be the other home agent that defends the address."""
    agents = turned()
    agents.packets(100.0, AT_B, inf)
    answer(agents, now, status=134)
    assert agents.current.given_up is final


def test_who_is_silent_is_not_put_off() -> None:
    """Only a refusal that may have a cause elsewhere is."""
    agents = turned()
    agents.packets(100.0, AT_B, inf)
    before = agents.current.deadline
    agents.failed(100.5)
    assert agents.current.deadline == before < 100.5 + RESPITE


def test_who_failed_of_several_is_asked_patiently() -> None:
    agents = failed(*TWO)
    turn(agents, AT_B, RESPITE)
    assert agents.current.aim is not None
    assert agents.current.aim.patient
    agents = failed(HOME_AGENT)
    assert agents.current.aim is not None
    assert not agents.current.aim.patient


# Going home, and letting go.


def test_on_the_way_home_the_one_that_holds_a_binding_is_current() -> None:
    agents = turned()
    assert asked(turn(agents, HOME, 110.0)) == [(HOME_AGENT, 0)]
    assert agents.current.home_agent == HOME_AGENT
    # Unless the one that is asked may hold one, too.
    agents = turned()
    agents.packets(100.0, AT_B, inf)
    assert asked(turn(agents, HOME, 110.0)) == [(SECOND, 0), (HOME_AGENT, 0)]
    # At the very end of that it does not.
    agents = turned()
    agents.packets(100.0, AT_B, inf)
    agents.current.bound_until = 110.0
    assert asked(turn(agents, HOME, 110.0)) == [(HOME_AGENT, 0)]
    assert agents.current.home_agent == HOME_AGENT


def test_nowhere_nothing_changes() -> None:
    agents = turned()
    assert turn(agents, None, 110.0) == []
    assert agents.current.home_agent == SECOND


def test_at_home_when_the_binding_has_just_ended() -> None:
    assert turn(served(), HOME, 400.0) == []
    assert asked(turn(served(), HOME, 399.9)) == [(HOME_AGENT, 0)]


@pytest.mark.parametrize(("now", "deletions"), [(399.9, 1), (400.0, 0)])
def test_a_former_one_lets_go_of_what_it_holds(now: float, deletions: int) -> None:
    agents = turned()
    agents.packets(100.0, AT_B, inf)
    answer(agents, 100.0)
    sent = asked(turn(agents, AT_B, now))
    assert sent.count((HOME_AGENT, 0)) == deletions
    assert (HOME_AGENT, 400) not in sent


def test_letting_go_is_no_matter_of_where() -> None:
    """However tentative the place is, or slow to answer."""
    agents = turned()
    agents.packets(100.0, AT_B, inf)
    answer(agents, 100.0)
    turn(agents, replace(AT_B, tentative=True, patient=True), 101.0)
    former = agents.find(HOME_AGENT)
    assert former is not None and former.aim is not None
    assert former.aim.delete
    assert not (former.aim.tentative or former.aim.patient)


def test_errors_go_on_when_three_come_in_ten_seconds() -> None:
    """Then it is asked whether it is still there (RFC 2473 §8)."""
    for last, go_on in ((9.9, True), (10.0, False)):
        agents = home_agents(*TWO)
        assert [agents.errors.again(at) for at in (0.0, 5.0)] == [False, False]
        assert agents.errors.again(last) is go_on


# Asking the home link for others, and telling.


def requests(packets: list[Packet]) -> list[Packet]:
    kind = HomeAgentAddressDiscoveryRequest
    return [packet for packet in packets if isinstance(packet.message, kind)]


def test_the_home_link_is_asked_by_the_link_in_use() -> None:
    """Where others configure the link, routing rules lead the request out by it."""
    [request] = turn(home_agents(discover=True), AT_B, 0.0)
    assert request.link == "eth0"
    [request] = turn(home_agents(discover=True), replace(AT_B, adopted=True), 0.0)
    assert request.link is None
    assert turn(home_agents(discover=True), None, 0.0) == []


def test_the_home_link_is_not_asked_while_one_of_the_list_was_not() -> None:
    agents = failed(*TWO, discover=True)
    [request] = requests(turn(agents, AT_B, 10.0))
    assert request.source == CARE_OF_ADDRESS
    turn(agents, AT_B, RESPITE)
    assert agents.discovery is not None
    assert agents.discovery.running
    assert agents.current.home_agent == HOME_AGENT
    agents.found((*TWO, THIRD))
    agents.choose(AT_B, RESPITE + 1, silent=False)
    assert agents.current.home_agent == HOME_AGENT, "it is asked once more"
    assert not agents.discovery.running


def test_each_change_is_told_once() -> None:
    agents = home_agents(discover=True)
    assert agents.discovery is not None
    agents.discovery.failures = 1
    agents.found((SECOND,))
    agents.choose(AT_B, 0.0, silent=False)
    changed, problem = agents.events()
    assert changed == HomeAgentsChanged(SECOND, (SECOND,))
    assert isinstance(problem, Problem)
    assert agents.events() == []
    agents.discovery.failures = 2
    assert agents.events() == []
