"""What correspondents may know of where the mobile node is (§11.7.2)."""

from math import inf

import pytest
from tests.core.test_mobile_state import (
    AT_B,
    AT_HOME,
    SECOND,
    attached,
    bound,
    home_agents,
    registered,
)
from tests.support.core import CARE_OF_ADDRESS, HOME_ADDRESS, HOME_AGENT

from mip6.core.effects import Notify
from mip6.core.events import Place, PlaceChanged
from mip6.core.placement import Placement
from mip6.core.whereabouts import Whereabouts, whereabouts


def test_nowhere() -> None:
    here = whereabouts(None, registered(), False, 0.0)
    assert here == Whereabouts(home_agent=HOME_AGENT)
    assert (here.link, here.tunnel, here.until) == (None, None, inf)
    assert not (here.at_home or here.told or here.confirmed or here.stopping)


def test_the_tunnel_has_two_ends() -> None:
    at = Whereabouts(care_of_address=CARE_OF_ADDRESS, home_agent=HOME_AGENT)
    assert at.tunnel == (CARE_OF_ADDRESS, HOME_AGENT)
    assert Whereabouts(care_of_address=CARE_OF_ADDRESS).tunnel is None
    assert Whereabouts(home_agent=HOME_AGENT).tunnel is None


def test_another_home_agent_is_asked_while_one_holds_the_binding() -> None:
    """It was told, it has acknowledged, and its end of the tunnel counts."""
    agents = home_agents(SECOND, restored=bound(400))
    agents.current.care_of_address = CARE_OF_ADDRESS
    agents._turn_to(SECOND)
    assert whereabouts(AT_B, agents, False, 1.0) == Whereabouts(
        link="eth0",
        care_of_address=CARE_OF_ADDRESS,
        home_agent=HOME_AGENT,
        told=True,
        confirmed=True,
        until=400,
    )


def test_before_anybody_was_told() -> None:
    here = whereabouts(AT_B, home_agents(HOME_AGENT), False, 0.0)
    assert (here.home_agent, here.told, here.confirmed) == (HOME_AGENT, False, False)


@pytest.mark.parametrize("now", [399.9, 400.0])
def test_at_home_the_binding_is_over_at_its_end(now: float) -> None:
    here = whereabouts(AT_HOME, registered(), False, now)
    assert here.at_home
    assert here.confirmed is (now == 400)


@pytest.mark.parametrize(
    ("waiting", "place"), [(False, Place.AT_HOME), (True, Place.RETURNING)]
)
def test_at_home_unless_the_home_address_has_to_wait(
    waiting: bool, place: Place
) -> None:
    attachments, agents = attached(AT_HOME), home_agents(HOME_AGENT)
    more = {"waiting": True} if waiting else {}
    placement = Placement(HOME_ADDRESS)
    changed = PlaceChanged(place, HOME_ADDRESS, None, "eth0")
    assert placement.update(attachments, agents, 0.0, **more) == [Notify(changed)]
    assert placement.update(attachments, agents, 1.0, **more) == []
    placement.untold()
    assert placement.update(attachments, agents, 2.0, **more) == [Notify(changed)]
