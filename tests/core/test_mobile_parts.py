"""What follows at a mobile node from where it is and from who answers."""

from ipaddress import IPv6Address

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT, HOME_PREFIX
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    ROUTER_HOME,
    Roamer,
)
from tests.core.renumbering import (
    NEW_HOME_ADDRESS,
    NEW_PREFIX,
    answer,
    data,
    deprecated,
    renumbered,
    updates,
)
from tests.core.test_home_agents import SECOND, told
from tests.core.test_listening import ask
from tests.core.test_mobile_deadline import better_link
from tests.core.test_mobile_inputs import DATA, dropped
from tests.core.test_mobile_node import SECOND_LINK, roamer_on_two_links
from tests.core.test_tunnel_probe import Path, passage

from mip6.core.effects import Effect, Forward
from mip6.core.events import Place, Problem
from mip6.core.home_agents_list import home_agents_anycast
from mip6.core.state import Neighbor
from mip6.core.tunnel_probe import Passage
from mip6.wire.icmpv6 import HomeAgentAddressDiscoveryRequest
from mip6.wire.messages import BindingStatus
from mip6.wire.neighbor_discovery import NeighborSolicitation
from mip6.wire.neighbor_options import PrefixInformation

UNSPECIFIED = IPv6Address("::")


def passing(roamer: Roamer, seconds: float) -> list[Effect]:
    """What happens in that time."""
    effects: list[Effect] = []
    end = roamer.now + seconds
    while (at := roamer.node.deadline) is not None and at <= end:
        roamer.now = at
        effects += roamer.do(roamer.node.tick(at))
    roamer.now = end
    return effects


def test_a_link_without_a_router_is_told() -> None:
    roamer = Roamer()
    roamer.link_up()
    [problem] = told(passing(roamer, 10.0), Problem)
    assert problem.what == "no router answers on eth0"


# Which home agent, and by which way.


def silent(*links: str) -> Roamer:
    """The first home agent was asked by the first link, and does not answer."""
    roamer = roamer_on_two_links(home_agents=(HOME_AGENT, SECOND))
    for link, prefix, router in (
        ("eth0", PREFIX_B, ROUTER_B),
        (SECOND_LINK, PREFIX_C, ROUTER_C),
    ):
        if link in links:
            roamer.link_up(link)
            roamer.hear(prefix, router, link=link)
    roamer.wait(roamer.updates[0].at + 10.4 - roamer.now)
    assert {s.packet.destination for s in roamer.updates} == {HOME_AGENT}
    return roamer


def test_a_silent_home_agent_is_asked_by_every_link_before_the_next_one() -> None:
    roamer = silent("eth0", SECOND_LINK)
    roamer.wait(0.2)
    assert roamer.mobile_node.link == SECOND_LINK
    assert {s.packet.destination for s in roamer.updates} == {HOME_AGENT}


def test_by_the_only_link_it_is_the_home_agent() -> None:
    roamer = silent("eth0")
    roamer.wait(0.2)
    assert roamer.updates[-1].packet.destination == SECOND


def test_a_link_that_goes_while_nobody_answers() -> None:
    roamer = silent("eth0")
    roamer.now = roamer.updates[0].at + 10.5
    roamer.link_down()
    assert roamer.mobile_node.place is Place.NOWHERE
    assert {s.packet.destination for s in roamer.updates} == {HOME_AGENT}


def test_a_home_agent_that_answers_has_not_failed_though_the_tunnel_is_blocked() -> (
    None
):
    roamer = Roamer(probe_tunnel=True)
    roamer.register()
    path = Path(roamer, through=False)
    path.run(4)
    assert passage(roamer) is Passage.BLOCKED
    path.run(5)
    [candidate] = roamer.mobile_node.home_agents.candidates()
    assert candidate.failure is None


def test_a_tunnel_of_an_address_that_is_lost_is_not_judged() -> None:
    """Another node has it, just when enough is known."""
    roamer = Roamer(probe_tunnel=True)
    roamer.register()
    path = Path(roamer, through=False)
    path.run(2.9)
    roamer.now += 0.3
    here = roamer.mobile_node.care_of_address
    assert here is not None
    effects = roamer.do(
        roamer.mobile_node.address_checked(here, "eth0", False, roamer.now)
    )
    [problem] = told(effects, Problem)
    assert problem.what == f"another node on eth0 uses {here}"


# Other home addresses.


def test_the_first_home_address_decides_who_is_silent() -> None:
    roamer = renumbered(accepted=False, home_agents=(HOME_AGENT, SECOND))
    roamer.wait(5.0)
    asked = updates(roamer, NEW_HOME_ADDRESS)
    assert len(asked) > 1
    assert {sent.packet.destination for sent in asked} == {HOME_AGENT}


@pytest.mark.rfc("11.4.1", "home agents are looked for in the prefix of the address")
def test_home_agents_of_another_prefix_are_looked_for_there() -> None:
    roamer = renumbered(accepted=False, discover=True)
    answer(roamer, NEW_HOME_ADDRESS, status=BindingStatus.REASON_UNSPECIFIED)
    roamer.wait(1.0)
    requests = [
        sent.packet
        for sent in roamer.sent
        if isinstance(sent.packet.message, HomeAgentAddressDiscoveryRequest)
    ]
    assert requests[-1].destination == home_agents_anycast(NEW_PREFIX)


# At home.


@pytest.mark.rfc("11.5.5", "the home agent is known by its address with the R bit")
@pytest.mark.parametrize(
    ("address", "known"), [(HOME_AGENT, True), (IPv6Address("2001:db8:a::b"), False)]
)
def test_the_router_that_has_the_home_agents_address(
    address: IPv6Address, known: bool
) -> None:
    roamer = Roamer()
    roamer.link_up()
    told_address = PrefixInformation(
        prefix=address,
        prefix_length=64,
        valid_lifetime=600,
        preferred_lifetime=600,
        on_link=True,
        autonomous_address_configuration=True,
        router_address=True,
    )
    roamer.hear(HOME_PREFIX, ROUTER_HOME, options=(told_address,))
    assert roamer.mobile_node.place is Place.AT_HOME
    neighbors = {state.address for state in roamer.standing(Neighbor)}
    assert (HOME_AGENT in neighbors) is known


def test_nobody_is_asked_for_the_home_agent_when_the_binding_has_just_ended() -> None:
    roamer = Roamer(lifetime=40)
    roamer.register()
    roamer.link_down()
    roamer.now = roamer.mobile_node.registration.bound_until
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME, home_agent=False)
    assert roamer.mobile_node.place is Place.AT_HOME
    question = NeighborSolicitation(target_address=HOME_ADDRESS)
    assert question not in [sent.packet.message for sent in roamer.sent]


def test_of_the_place_before_home_nothing_is_left() -> None:
    """Elsewhere it is not the place before any more, though its link is still up."""
    roamer = roamer_on_two_links()
    roamer.link_up(SECOND_LINK)
    roamer.hear(PREFIX_B, ROUTER_B, link=SECOND_LINK)
    roamer.answer()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    roamer.answer()
    assert roamer.mobile_node.place is Place.AT_HOME
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.hear(HOME_PREFIX, ROUTER_HOME, router_lifetime=0)
    here = roamer.mobile_node.care_of_address
    assert here is not None and here in PREFIX_C
    assert roamer.care_of_addresses == {here}


@pytest.mark.rfc("11.5.5-6", "its target is the home address, whichever that is now")
def test_the_home_agent_is_looked_for_by_the_new_home_address() -> None:
    roamer = deprecated()
    roamer.link_down()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME, home_agent=False)
    asked = [
        sent.packet.message.target_address
        for sent in roamer.sent
        if isinstance(sent.packet.message, NeighborSolicitation)
        and sent.packet.source == UNSPECIFIED
    ]
    assert asked == [NEW_HOME_ADDRESS]


def test_groups_are_for_who_has_a_binding() -> None:
    """To the very moment."""
    roamer = Roamer()
    roamer.register()
    ask(roamer)
    assert roamer.mobile_node.listening.asker == HOME_AGENT
    roamer.link_down()
    ends = roamer.mobile_node.registration.bound_until
    roamer.wait(ends - 0.1 - roamer.now)
    assert roamer.mobile_node.listening.asker == HOME_AGENT
    roamer.wait(ends - roamer.now)
    assert roamer.mobile_node.listening.asker is None


# Data that came too late for its tunnel.


def test_data_on_its_way_here_when_the_better_link_is_registered_goes_on() -> None:
    roamer = better_link()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.wait(5.0)
    assert roamer.mobile_node.link == SECOND_LINK
    roamer.answer()
    assert roamer.mobile_node.link == "eth0"
    assert roamer.mobile_node.unmatched(DATA, roamer.now) == [Forward(DATA)]


def test_data_that_comes_again_later_goes_in_circles() -> None:
    roamer = Roamer()
    roamer.register()
    roamer.wait(5.0)
    roamer.do(roamer.node.tick(roamer.now))
    effects = roamer.mobile_node.unmatched(DATA, roamer.now)
    assert dropped(effects) == ["no_tunnel"]


def test_that_another_home_address_is_the_first_brings_nothing_to_the_old_one() -> None:
    roamer = deprecated()
    assert roamer.mobile_node.home_address == NEW_HOME_ADDRESS
    old = data(HOME_ADDRESS)
    assert dropped(roamer.mobile_node.unmatched(old, roamer.now)) == ["no_tunnel"]
    assert roamer.mobile_node.unmatched(data(NEW_HOME_ADDRESS), roamer.now) == [
        Forward(data(NEW_HOME_ADDRESS))
    ]


# Lifetimes.


def test_the_shortest_lifetime_is_one_unit_of_the_wire() -> None:
    roamer = Roamer(lifetime=4)
    roamer.register()
    assert roamer.updates[-1].update.lifetime == 4
    for lifetime in (0, -4, 3):
        with pytest.raises(ValueError, match=f"lifetime {lifetime} s"):
            Roamer(lifetime=lifetime)


# Stopping.


def test_who_stops_waits_for_no_registration_by_a_better_link() -> None:
    roamer = better_link()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert roamer.mobile_node.link == SECOND_LINK
    roamer.do(roamer.mobile_node.stop(roamer.now))
    assert roamer.mobile_node.link == "eth0"
    assert roamer.updates[-1].update.lifetime == 0
