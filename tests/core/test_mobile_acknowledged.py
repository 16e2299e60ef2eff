"""What the home agent's answers bring at a mobile node (§11.7.3)."""

import pytest
from tests.conformance.nodes import HOME_AGENT
from tests.conformance.roamer import (
    HOME_PREFIX,
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    ROUTER_HOME,
    Roamer,
)
from tests.core.renumbering import NEW_HOME_ADDRESS, renumbered, updates
from tests.core.test_home_agents import SECOND, away, told
from tests.core.test_mobile_node import SECOND_LINK, roamer_on_two_links
from tests.core.test_tunnel_probe import Path, passage

from mip6.core.binding_update_list import UNRECOGNIZED_NEXT_HEADER
from mip6.core.events import Phase, PhaseReached, Place, Problem
from mip6.core.packet import Packet, write
from mip6.core.registration import RESPITE
from mip6.core.reputation import DISTRUST_FIRST
from mip6.core.tunnel_probe import Passage
from mip6.wire.icmpv6 import ParameterProblem
from mip6.wire.messages import BindingStatus
from mip6.wire.neighbor_discovery import NeighborAdvertisement

PROHIBITED = BindingStatus.ADMINISTRATIVELY_PROHIBITED


def announcements(roamer: Roamer) -> list[Packet]:
    return [
        sent.packet
        for sent in roamer.sent
        if isinstance(sent.packet.message, NeighborAdvertisement)
    ]


@pytest.mark.rfc("6.1.8", "values below 128 accept, those from there on refuse")
@pytest.mark.parametrize("status", [0, 1, 127, 128])
def test_what_accepts_and_what_refuses(status: int) -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    reached = told(roamer.answer(status=status), PhaseReached)
    acknowledged = PhaseReached(Phase.BINDING_ACKNOWLEDGEMENT, "eth0") in reached
    assert acknowledged is (status < 128)
    assert (roamer.mobile_node.place is Place.REGISTERED) is (status < 128)


@pytest.mark.parametrize("status", [PROHIBITED, BindingStatus.INVALID_CARE_OF_ADDRESS])
def test_only_a_refusal_of_the_care_of_address_speaks_against_the_link(
    status: BindingStatus,
) -> None:
    """Any other would be the same by every link."""
    roamer = roamer_on_two_links()
    roamer.link_up(SECOND_LINK)
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C, link=SECOND_LINK)
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.wait(1.0)
    assert roamer.mobile_node.link == "eth0"
    roamer.answer(status=status)
    stays = status == PROHIBITED
    assert roamer.mobile_node.link == ("eth0" if stays else SECOND_LINK)


def test_that_the_one_before_lets_go_is_no_acceptance() -> None:
    """What the one that is asked now has said still holds."""
    roamer = away(HOME_AGENT, SECOND)
    roamer.answer()
    roamer.wait(308)
    roamer.answer(status=BindingStatus.DUPLICATE_ADDRESS_DETECTION_FAILED)
    assert roamer.updates[-1].packet.destination == HOME_AGENT
    roamer.answer(lifetime=0)
    failures = {
        candidate.address: candidate.failure and candidate.failure.status
        for candidate in roamer.mobile_node.home_agents.candidates()
    }
    assert failures[SECOND] == BindingStatus.DUPLICATE_ADDRESS_DETECTION_FAILED


# At home.


def returning(**more: object) -> Roamer:
    roamer = Roamer(**more)
    roamer.register()
    roamer.go_home()
    assert roamer.mobile_node.place is Place.RETURNING
    return roamer


@pytest.mark.rfc("11.5.5", "the neighbours are told when the home agent has let go")
def test_a_home_agent_that_does_not_let_go_is_not_contradicted() -> None:
    """And it has not refused to serve us either."""
    roamer = returning()
    effects = roamer.answer(status=PROHIBITED)
    assert told(effects, Problem)
    assert roamer.mobile_node.place is Place.RETURNING
    assert announcements(roamer) == []
    [candidate] = roamer.mobile_node.home_agents.candidates()
    assert candidate.failure is None
    roamer.wait(RESPITE)
    roamer.answer()
    assert roamer.mobile_node.place is Place.AT_HOME
    assert announcements(roamer)


def test_at_home_there_is_no_tunnel_to_try() -> None:
    roamer = returning(probe_tunnel=True)
    roamer.answer()
    assert roamer.mobile_node.place is Place.AT_HOME
    assert passage(roamer) is Passage.UNTESTED


def test_an_error_about_a_deregistration_names_the_home_address_by_its_target() -> None:
    """At home there is no Home Address option that could say which (§11.5.5)."""
    roamer = renumbered(accepted=False)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME, home_agent=True)
    roamer.wait(1.1)  # the rate of Binding Updates (§11.8)
    last = updates(roamer, NEW_HOME_ADDRESS)[-1]
    assert last.packet.home_address is None and last.update.lifetime == 0
    error = ParameterProblem(
        code=UNRECOGNIZED_NEXT_HEADER, pointer=40, packet=write(last.packet)
    )
    packet = Packet(source=HOME_AGENT, destination=NEW_HOME_ADDRESS, message=error)
    [problem] = told(roamer.receive(write(packet), link="eth0"), Problem)
    assert problem.what == f"{HOME_AGENT} does not know Mobile IPv6"


# The tunnel.


def test_a_way_through_which_the_tunnel_works_again_is_trusted_as_ever() -> None:
    """That it was blocked once does not count the next time."""
    roamer = Roamer(probe_tunnel=True)
    roamer.register()
    path = Path(roamer, through=False)
    path.run(4)
    assert passage(roamer) is Passage.BLOCKED
    path.through = True
    path.run(60)
    assert passage(roamer) is Passage.OPEN
    attachments, now = roamer.mobile_node.attachments, roamer.now
    here = roamer.mobile_node.care_of_address
    assert here is not None
    attachments.reached(here, now, answered=False)
    link = attachments.up["eth0"]
    assert link.distrusts(ROUTER_B, now + DISTRUST_FIRST - 0.1)
    assert not link.distrusts(ROUTER_B, now + DISTRUST_FIRST)
