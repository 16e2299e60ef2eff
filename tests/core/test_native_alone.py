"""Native destinations by themselves (decision 0035)."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from math import inf

import pytest

from mip6.core.link import Attachment
from mip6.core.mobile_state import METRIC
from mip6.core.native import Native, is_native
from mip6.core.state import CareOfAddress, Route, Rule, State

HOME_PREFIX = IPv6Network("2001:db8:a::/64")
B = IPv6Network("2001:db8:b::/64")
FAR = IPv6Network("2001:db8:f::/48")
HOME_AGENT = IPv6Address("2001:db8:1a::1")
SERVER = IPv6Address("2001:db8:b::53")
HERE = Attachment(
    link="eth0",
    router=IPv6Address("fe80::b"),
    router_link_layer_address=None,
    home_agent_here=False,
    prefix=B,
    care_of_address=B[5],
    silent=False,
    valid_until=inf,
    usable=True,
)
AT_HOME = replace(HERE, prefix=HOME_PREFIX, care_of_address=None)


@pytest.mark.parametrize(
    ("state", "native"),
    [
        (Rule(priority=1000, table=254, destination=FAR), True),
        (Rule(priority=1000, table=254, source=B[5]), False),
        (Route(destination=FAR, link="eth0", source=B[5]), True),
        (Route(destination=FAR, link="eth0"), False),
        (Route(destination=FAR, link="mip0", table=100, source=B[5]), False),
        (CareOfAddress(address=B[5], prefix_length=64, link="eth0"), False),
    ],
)
def test_what_everything_else_works_without(state: State, native: bool) -> None:
    assert is_native(state) is native


def test_the_route_is_as_those_of_the_link() -> None:
    native = Native(HOME_PREFIX, prefixes=(FAR,))
    route = Route(
        destination=FAR,
        link="eth0",
        gateway=HERE.router,
        source=B[5],
        metric=METRIC,
    )
    rule = Rule(priority=1000, table=254, destination=FAR)
    assert native.states(HERE) == [route, rule]
    for nowhere in (None, AT_HOME, replace(HERE, usable=False)):
        assert native.states(nowhere) == [rule]


def test_who_is_asked_natively() -> None:
    """Not who is for home: the home agent and what is in the home prefix."""
    native = Native(HOME_PREFIX)
    servers = (SERVER, HOME_AGENT, HOME_PREFIX[0x53], IPv6Address("fe80::53"))
    native.attached(HERE, servers, HOME_AGENT)
    assert native.name_servers == (SERVER,)
    native.attached(AT_HOME, (FAR[0x53],), HOME_AGENT)
    assert native.name_servers == (SERVER,), "at home the last ones stay"
    native = Native(HOME_PREFIX)
    native.attached(None, (), HOME_AGENT)
    native.configured((SERVER, HOME_AGENT))
    assert native.name_servers == (SERVER,)


def test_what_has_no_destination_is_not_taken() -> None:
    native = Native(HOME_PREFIX, prefixes=(IPv6Network("::/0"),))
    assert native.takes(bytes(24) + FAR[1].packed)
    assert not native.takes(bytes(39))
