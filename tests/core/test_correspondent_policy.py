"""Whom a correspondent binds, and that this may change while it runs."""

from ipaddress import IPv6Network

import pytest
from tests.support.correspondents import (
    HOME_ADDRESS,
    OTHER_HOME_ADDRESS,
    MobileNode,
    acknowledgement,
    correspondent,
    optimized,
)

from mip6.core.effects import Notify
from mip6.core.events import BindingChanged, Change
from mip6.core.node import Node

EVERYBODY = (IPv6Network("::/0"),)
OTHERS = (IPv6Network(OTHER_HOME_ADDRESS),)


@pytest.mark.rfc("8.2", "route optimization can be switched off, by prefix too")
def test_who_is_refused_of_those_allowed() -> None:
    node = Node(
        correspondent=correspondent(
            allowed=(IPv6Network("2001:db8:a::/64"),), refused=OTHERS
        )
    )
    MobileNode(node=node).bind()
    other = MobileNode(node=node, home_address=OTHER_HOME_ADDRESS).tested()
    assert acknowledgement(node.receive(other.update(), 1.0)).status == 129


def test_other_limits_while_it_runs() -> None:
    role = correspondent()
    node = Node(correspondent=role)
    here, other = (
        MobileNode(node=node, home_address=address)
        for address in (HOME_ADDRESS, OTHER_HOME_ADDRESS)
    )
    here.bind()
    other.bind()
    effects = role.configure(1.0, lifetime_max=8, allowed=EVERYBODY, refused=OTHERS)
    events = [e.event for e in effects if isinstance(e, Notify)]
    [changed] = events
    assert isinstance(changed, BindingChanged)
    assert (changed.change, changed.home_address) == (
        Change.DELETED,
        OTHER_HOME_ADDRESS,
    )
    assert [home for _, home in optimized(node)] == [HOME_ADDRESS]
    here.bind(2.0)
    assert [binding.lifetime for binding in role.bindings] == [8]
    with pytest.raises(ValueError, match="lifetime_max 500 s"):
        role.configure(3.0, lifetime_max=500, allowed=EVERYBODY, refused=())
