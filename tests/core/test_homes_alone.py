"""Home addresses by themselves: which works, which is first, which is over (§11.4.3;
decision 0034)."""

from collections.abc import Iterable
from ipaddress import IPv6Network
from math import inf
from typing import Any

import pytest
from tests.core.test_home_agents_alone import home_agents
from tests.core.test_mobile_state import AT_B, AT_HOME, WHEN_TOLD, attached
from tests.core.test_prefix_solicitation import information
from tests.core.test_prefix_solicitation_alone import asking, tell
from tests.support.core import CARE_OF_ADDRESS, HOME_AGENT, HOME_PREFIX

from mip6.core.homes import Home, Homes
from mip6.wire.messages import BindingStatus
from mip6.wire.neighbor_options import PrefixInformation

PREFIXES = (
    HOME_PREFIX,
    *(IPv6Network(f"2001:db8:1{letter}::/64") for letter in "abc"),
)


def home(network: IPv6Network = HOME_PREFIX) -> Home:
    correspondents: Any = None
    return Home(network[0x100], network, home_agents(HOME_AGENT), correspondents, 0)


def stand(home: Home, stands: bool) -> None:
    """The home agent tunnels to the care-of address at B, or not."""
    home.registration.care_of_address = CARE_OF_ADDRESS if stands else None
    home.registration.expires = inf


def formed(networks: Iterable[IPv6Network]) -> list[PrefixInformation]:
    return [information(network=network, formed=True) for network in networks]


# One of them.


@pytest.mark.parametrize(("sent", "bound_until", "is_open"), WHEN_TOLD)
def test_at_home_it_is_open_once_the_home_agent_was_told(
    sent: bool, bound_until: float, is_open: bool
) -> None:
    """§11.5.5: or when that holds nothing any more."""
    one = home()
    one.registration.sent, one.registration.bound_until = sent, bound_until
    assert one.open(attached(AT_HOME), 10.0) is is_open
    assert one.open(attached(None), 10.0) is False


def test_that_it_opens_is_new_once() -> None:
    one, there = home(), attached(AT_B)
    stand(one, True)
    assert [one.opened(there, 0.0), one.opened(there, 0.0)] == [True, False]
    stand(one, False)
    assert [one.opened(there, 0.0), one.opened(there, 0.0)] == [False, False]
    stand(one, True)
    assert one.opened(there, 0.0) is True


# Several.


def homes() -> Homes:
    """One in each prefix; nobody but the third and the fourth is registered."""
    made = Homes(home(), lambda _, network: home(network))
    made.renumber(tell(asking(), 0.0, *formed(PREFIXES)), attached(AT_B), 0.0)
    assert made.prefixes == PREFIXES
    for one in made.others[1:]:
        stand(one, True)
    return made


def test_the_next_that_works_is_first_when_the_first_is_deprecated() -> None:
    """All others keep their places."""
    made = homes()
    first, second, third, fourth = made
    deprecated = information(10_000, 0)
    prefixes = tell(asking(), 1.0, deprecated, *formed(PREFIXES[1:]))
    assert made.renumber(prefixes, attached(AT_B), 1.0) is True
    assert list(made) == [third, first, second, fourth]
    assert made.renumber(prefixes, attached(AT_B), 1.0) is False


def test_one_that_the_home_agent_knows_no_more() -> None:
    """What was granted stands until its end; then it is not formed again."""
    made = homes()
    prefixes = tell(asking(), 1.0, *formed(PREFIXES))
    last = made.others[-1]
    last.registration.status = BindingStatus.NOT_HOME_SUBNET
    assert made.renumber(prefixes, attached(AT_B), 1.0) is False
    stand(last, False)
    assert made.renumber(prefixes, attached(AT_B), 2.0) is True
    assert made.prefixes == PREFIXES[:-1]
    assert PREFIXES[-1] not in prefixes.usable(2.0)
    assert made.renumber(prefixes, attached(AT_B), 3.0) is False
