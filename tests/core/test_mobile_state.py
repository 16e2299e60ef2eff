"""What a mobile node wants in the kernel, by where it is attached and who knows."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from math import inf
from random import Random
from typing import Any

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_PREFIX,
    NEXT_CARE_OF_ADDRESS,
)

from mip6.core.attachments import Attachments, Previous
from mip6.core.home_agents import HomeAgents
from mip6.core.link import Attachment
from mip6.core.mobile_state import (
    ANYWHERE,
    MAIN_TABLE,
    away_states,
    further_states,
    home_states,
    home_tunnel,
)
from mip6.core.path_mtu import PathMtu
from mip6.core.registration import Aim
from mip6.core.state import (
    CareOfAddress,
    End,
    HomeAddress,
    Neighbor,
    Route,
    Rule,
    State,
    Tunnel,
)

ROUTER = IPv6Address("fe80::b")
OTHER_ROUTER = IPv6Address("fe80::c")
OCTETS = bytes.fromhex("02000000000b")
SECOND = IPv6Address("2001:db8:a::2")
AT_B = Attachment(
    link="eth0",
    router=ROUTER,
    router_link_layer_address=OCTETS,
    home_agent_here=False,
    prefix=IPv6Network("2001:db8:b::/64"),
    care_of_address=CARE_OF_ADDRESS,
    silent=False,
    valid_until=inf,
    usable=True,
)
AT_C = replace(
    AT_B,
    link="eth1",
    router=OTHER_ROUTER,
    prefix=IPv6Network("2001:db8:c::/64"),
    care_of_address=NEXT_CARE_OF_ADDRESS,
)
AT_HOME = replace(AT_B, prefix=HOME_PREFIX, care_of_address=None)


def attached(here: Attachment | None, **more: Any) -> Attachments:
    made = Attachments(
        ("eth0", "eth1"), HOME_PREFIX, Random(1).randbytes, optimistic=True
    )
    made.here = here
    for name, value in more.items():
        setattr(made, name, value)
    return made


def adopted(at: Attachment) -> Attachment:
    """The same, but others configured it: nobody's link-layer address is known."""
    return replace(at, adopted=True, router_link_layer_address=None)


def home_agents(
    *listed: IPv6Address, restored: Tunnel | None = None, **fields: Any
) -> HomeAgents:
    """`fields` of the current registration."""
    made = HomeAgents(
        HOME_ADDRESS,
        HOME_PREFIX,
        listed,
        discover=False,
        lifetime=400,
        authentication_required=False,
        random=Random(1).randbytes,
        restored=restored,
    )
    for name, value in fields.items():
        setattr(made.current, name, value)
    return made


def bound(expires: float, care_of_address: IPv6Address = CARE_OF_ADDRESS) -> Tunnel:
    return Tunnel(
        end=End.MOBILE_NODE,
        home_address=HOME_ADDRESS,
        care_of_address=care_of_address,
        home_agent=HOME_AGENT,
        expires=expires,
    )


def registered(*listed: IPv6Address, now: float = 0.0) -> HomeAgents:
    """The home agent tunnels to the care-of address at B, for 400 seconds."""
    fields = {"care_of_address": CARE_OF_ADDRESS}
    fields |= {name: now + 400 for name in ("expires", "bound_until")}
    return home_agents(*(listed or (HOME_AGENT,)), **fields)


def own_way(link: str, router: IPv6Address, table: int, source: IPv6Address) -> Any:
    return [
        Route(destination=ANYWHERE, link=link, gateway=router, table=table),
        Rule(priority=1000, table=table, source=source),
    ]


def ways(at: Attachment, metric: int) -> Any:
    """In the main table, the router's link-layer address first."""
    return [
        Neighbor(address=at.router, link=at.link, link_layer_address=OCTETS),
        Route(destination=at.prefix, link=at.link, metric=metric),
        Route(destination=ANYWHERE, link=at.link, gateway=at.router, metric=metric),
    ]


# On the home link.


def test_home_on_a_link_that_others_configure() -> None:
    """Packets from the home address leave by that link: table 102 is for it."""
    assert home_states(attached(adopted(AT_HOME)), home_agents(HOME_AGENT), 100, 0) == [
        *own_way("eth0", ROUTER, 102, HOME_ADDRESS),
        HomeAddress(address=HOME_ADDRESS, link="eth0"),
    ]


def test_nobody_knows_yet_who_the_home_agent_is() -> None:
    """The router says that it is one; there is no address to go with that."""
    here = replace(AT_HOME, home_agent_here=True)
    states = home_states(attached(here), home_agents(), 100, 0)
    assert [s.address for s in states if isinstance(s, Neighbor)] == [ROUTER]


WHEN_TOLD = [(True, inf, True), (False, 10.0, True), (False, 10.01, False)]


@pytest.mark.parametrize(("sent", "bound_until", "joins"), WHEN_TOLD)
def test_home_address_on_the_link(sent: bool, bound_until: float, joins: bool) -> None:
    """§11.5.5: once the home agent was told, or holds nothing any more."""
    agents = home_agents(HOME_AGENT, sent=sent, bound_until=bound_until)
    on_link = HomeAddress(address=HOME_ADDRESS, link="eth0")
    assert (on_link in home_states(attached(AT_HOME), agents, 100, 10.0)) is joins
    states = further_states(attached(AT_HOME), agents, "mip0", 100, 10.0)
    on_device = HomeAddress(address=HOME_ADDRESS, link="mip0")
    assert states == ([on_device, on_link] if joins else [on_device])


def test_another_home_address_on_a_link_that_others_configure() -> None:
    """It has the first one's table there."""
    states = further_states(
        attached(adopted(AT_HOME)), home_agents(HOME_AGENT), "mip0", 100, 0.0
    )
    assert states == [
        HomeAddress(address=HOME_ADDRESS, link="mip0"),
        Rule(priority=1000, table=102, source=HOME_ADDRESS),
        HomeAddress(address=HOME_ADDRESS, link="eth0"),
    ]


# Away.


def away(attachments: Attachments) -> list[State]:
    """The states of the ways, without what follows for the home address."""
    states = away_states(
        attachments,
        HOME_ADDRESS,
        device="mip0",
        table=100,
        home_by_default=False,
        checked_by_kernel=True,
        mtu=None,
    )
    at = states.index(Rule(priority=999, table=100, source=HOME_ADDRESS))
    return states[:at]


def the_address(at: Attachment) -> CareOfAddress:
    assert at.care_of_address is not None
    return CareOfAddress(
        address=at.care_of_address,
        prefix_length=64,
        link=at.link,
        adopted=at.adopted,
    )


def test_the_previous_address_leaves_by_its_own_link_while_that_is_another() -> None:
    previous = Previous(AT_C, inf)
    assert away(attached(AT_B, previous=previous)) == [
        the_address(AT_C),
        Neighbor(address=OTHER_ROUTER, link="eth1", link_layer_address=OCTETS),
        *own_way("eth1", OTHER_ROUTER, 101, NEXT_CARE_OF_ADDRESS),
        the_address(AT_B),
        *ways(AT_B, 512),
    ]
    here = replace(AT_B, link="eth1")
    assert away(attached(here, previous=previous)) == [
        the_address(AT_C),
        the_address(here),
        *ways(here, 512),
    ]


def test_a_link_on_trial_comes_behind_the_one_that_works() -> None:
    assert away(attached(AT_B, trial=AT_C)) == [
        the_address(AT_C),
        *ways(AT_C, 513),
        the_address(AT_B),
        *ways(AT_B, 512),
    ]


def test_each_link_that_others_configure_has_a_table() -> None:
    here, trial = adopted(AT_B), adopted(AT_C)
    assert away(attached(here, trial=trial)) == [
        the_address(trial),
        *own_way("eth1", OTHER_ROUTER, 103, NEXT_CARE_OF_ADDRESS),
        the_address(here),
        *own_way("eth0", ROUTER, 102, CARE_OF_ADDRESS),
    ]


def test_tunnelled_packets_go_by_the_main_table() -> None:
    """Unless others configure the link."""
    rule = Rule(priority=1000, table=MAIN_TABLE, source=CARE_OF_ADDRESS)
    for here, wanted in ((AT_B, True), (adopted(AT_B), False), (None, False)):
        states = away_states(
            attached(here),
            HOME_ADDRESS,
            device="mip0",
            table=100,
            home_by_default=True,
            checked_by_kernel=True,
            mtu=1400,
        )
        assert (rule in states) is wanted


# The tunnel.


def tunnel(
    attachments: Attachments,
    agents: HomeAgents,
    now: float = 0.0,
    restored: Tunnel | None = None,
) -> Tunnel | None:
    return home_tunnel(attachments, agents, restored, PathMtu(), now)


def test_without_a_care_of_address_there_is_none() -> None:
    """Whatever a home agent may hold."""
    for here in (None, AT_HOME):
        assert tunnel(attached(here), registered()) is None


def test_who_holds_the_binding_has_the_tunnel() -> None:
    """Also while another home agent is asked."""
    agents = home_agents(SECOND, restored=bound(400))
    agents.current.care_of_address = CARE_OF_ADDRESS
    agents._turn_to(SECOND)
    assert tunnel(attached(AT_B), agents) == bound(400)
    assert agents.current.home_agent == SECOND


def test_a_binding_that_is_being_deleted_ends_when_it_was_to() -> None:
    """Asking a home agent to let go makes it keep nothing for longer."""
    agents = registered()
    agents.current.take_aim(Aim(HOME_ADDRESS, "eth0", delete=True), 300.0)
    found = tunnel(attached(AT_HOME, away_at=CARE_OF_ADDRESS), agents, 300.0)
    assert found == replace(bound(400), inbound_only=True)


def test_a_binding_that_is_asked_for_may_stand_that_long() -> None:
    agents = registered()
    agents.current.take_aim(Aim(NEXT_CARE_OF_ADDRESS, "eth1"), 300.0)
    found = tunnel(attached(AT_C), agents, 300.0)
    assert found == replace(bound(700, NEXT_CARE_OF_ADDRESS), inbound_only=True)


def test_at_home_there_is_no_address_before_this_one() -> None:
    """What is kept of the way is of use while it is away."""
    previous = Previous(AT_C, 302.0)
    where = attached(AT_HOME, away_at=CARE_OF_ADDRESS, previous=previous)
    assert tunnel(where, registered()) == replace(bound(400), inbound_only=True)
    assert tunnel(attached(AT_B, previous=previous), registered()) == replace(
        bound(400), previous=NEXT_CARE_OF_ADDRESS, previous_until=302.0
    )
