"""Other limits while everything goes on: what stays, and what ends."""

from ipaddress import IPv6Network

import pytest
from tests.conformance.roamer import PREFIX_B, ROUTER_B, Roamer
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_PREFIX,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    acknowledgement,
    binding_update,
    home_agent,
    sent,
    told,
)

from mip6.core.effects import Remove
from mip6.core.events import BindingChanged, Change, Dropped
from mip6.core.prefixes import HomePrefix
from mip6.core.state import Rule, Tunnel
from mip6.wire.messages import BindingStatus

ONE, OTHER = IPv6Network(HOME_ADDRESS), IPv6Network(OTHER_HOME_ADDRESS)


def test_who_may_register_no_longer_loses_its_binding_and_nobody_else() -> None:
    role = home_agent(home_link="eth1", mobile_nodes=(ONE, OTHER), check_time=0)
    role.receive(binding_update(1), 100.0)
    role.receive(binding_update(1, home_address=OTHER_HOME_ADDRESS), 100.0)
    before = {state for state in role.installed if isinstance(state, Tunnel)}
    effects = role.configure((OTHER,), 101.0, lifetime_max=600, grace=2)
    removed = [effect.state for effect in effects if isinstance(effect, Remove)]
    assert len(removed) == 3
    assert told(effects) == [
        BindingChanged(Change.DELETED, HOME_ADDRESS, CARE_OF_ADDRESS, 0)
    ]
    assert [b.home_address for b in role.bindings] == [OTHER_HOME_ADDRESS]
    assert role.installed & before == before - set(removed)
    [dropped] = told(role.receive(binding_update(2), 102.0))
    assert isinstance(dropped, Dropped) and dropped.reason == "not_listed"


def test_who_is_taken_out_while_its_address_is_checked_gets_no_binding() -> None:
    role = home_agent(home_link="eth1", mobile_nodes=(ONE, OTHER), check_time=1)
    for home_address in (HOME_ADDRESS, OTHER_HOME_ADDRESS):
        role.receive(binding_update(1, home_address=home_address), 100.0)
    assert role.configure((OTHER,), 100.5, lifetime_max=600, grace=2) == []
    role.tick(102.0)
    assert [b.home_address for b in role.bindings] == [OTHER_HOME_ADDRESS]


def test_who_has_left_before_its_turn_is_not_judged() -> None:
    """What a renumbering takes the ground from is ended in parts, from the next tick
    on (§10.6)."""
    role = home_agent()
    role.receive(binding_update(1), 100.0)
    new = HomePrefix(network=IPv6Network("2001:db8:1a::/64"))
    role.prefixes_changed((new,), 101.0)
    role.receive(binding_update(2, lifetime=0), 101.0)
    assert not list(role.bindings)
    assert role.tick(101.0) == []


def test_with_keys_a_sequence_number_outlives_its_key() -> None:
    """Who is taken out and put in again has no old Binding Updates replayed."""
    role = home_agent(authentication_required=True, mobile_nodes=(ONE,))
    role.receive(
        binding_update(5, protected_for=HOME_ADDRESS, alternate=CARE_OF_ADDRESS), 100.0
    )
    role.configure((), 101.0, lifetime_max=600, grace=2)
    assert not list(role.bindings)
    assert role.configure((ONE,), 102.0, lifetime_max=600, grace=2) == []
    answer = acknowledgement(
        role.receive(
            binding_update(5, protected_for=HOME_ADDRESS, alternate=CARE_OF_ADDRESS),
            103.0,
        )
    )
    assert answer.status == BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW


def test_limits_count_from_the_next_update_on() -> None:
    role = home_agent()
    role.receive(binding_update(1, lifetime=600), 100.0)
    assert role.configure((HOME_PREFIX,), 101.0, lifetime_max=99, grace=0) == []
    [binding] = role.bindings
    assert binding.expires == 700.0
    moved = binding_update(2, lifetime=600, source=NEXT_CARE_OF_ADDRESS)
    assert acknowledgement(role.receive(moved, 102.0)).lifetime == 96
    [binding] = role.bindings
    assert binding.previous is None
    with pytest.raises(ValueError, match="would delete bindings"):
        role.configure((), 103.0, lifetime_max=3, grace=0)


def test_how_often_one_may_update_can_be_changed() -> None:
    role = home_agent(updates_max=1)
    role.receive(binding_update(1), 100.0)
    assert not sent(role.receive(binding_update(2), 100.1))
    role.configure((HOME_PREFIX,), 100.2, lifetime_max=99, grace=0, updates_max=2)
    assert sent(role.receive(binding_update(2), 100.3))


def test_a_mobile_node_asks_for_the_new_lifetime_when_it_refreshes() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer()
    mobile_node = roamer.mobile_node
    before = mobile_node.installed
    assert mobile_node.configure(200, roamer.now, fallback=True) == []
    assert mobile_node.installed == before
    assert mobile_node.registration.granted == 400
    roamer.wait(400 * 0.75)
    roamer.answer()
    assert mobile_node.registration.granted == 200
    with pytest.raises(ValueError, match="positive multiple of 4"):
        mobile_node.configure(2, roamer.now, fallback=True)


def test_a_mobile_node_without_fallback_from_now_on() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert 1002 not in {rule.priority for rule in roamer.standing(Rule)}
    roamer.do(roamer.mobile_node.configure(400, roamer.now, fallback=False))
    assert 1002 in {rule.priority for rule in roamer.standing(Rule)}


def test_a_mobile_node_uses_name_servers_natively_unless_it_is_told_not_to() -> None:
    roamer = Roamer()
    for more, used in (
        ({}, True),
        ({"native_name_servers": False}, False),
        ({}, True),
    ):
        roamer.mobile_node.configure(400, roamer.now, fallback=True, **more)
        assert roamer.mobile_node.native.with_name_servers is used
