"""The correspondents in the binding update list by themselves (§11.1): who gets an
entry, who loses it, and what is wanted of the kernel."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from math import inf
from typing import Any

import pytest
from tests.core.test_correspondent_registration import AT_HOME, RESTORED
from tests.core.test_direct_way import data
from tests.core.test_return_routability_procedure import AWAY, TOLD
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
)

from mip6.core.binding_update_list import BEGINNINGS_BURST, BindingUpdateList
from mip6.core.correspondent_registration import IDLE_AFTER
from mip6.core.events import WayChanged
from mip6.core.packet import Packet
from mip6.core.route_optimization import CorrespondentPolicy, Mode, Why
from mip6.core.state import Route
from mip6.wire.icmpv6 import PacketTooBig
from mip6.wire.messages import BindingError

OTHER = IPv6Address("2001:db8:e::3")
THIRD = IPv6Address("2001:db8:e::4")


def listed(**more: Any) -> BindingUpdateList:
    return BindingUpdateList(
        HOME_ADDRESS,
        device="mip0",
        table=100,
        random=lambda octets: bytes(octets),
        authentication_required=False,
        **more,
    )


def policy(mode: Mode, prefix: str = f"{CORRESPONDENT}/128") -> CorrespondentPolicy:
    return CorrespondentPolicy(IPv6Network(prefix), mode)


def restored(**more: Any) -> BindingUpdateList:
    """With what an earlier process left; nothing is sent, as nobody was told yet."""
    made = listed(restored=(RESTORED,), **more)
    made.update(0.0, TOLD)
    return made


# Who gets an entry.


def test_before_anything() -> None:
    made = listed()
    assert (len(made), made.deadline) == (0, inf)
    made.talks_to(CORRESPONDENT, 0.0)
    assert len(made) == 1 and made.find(CORRESPONDENT) is not None
    assert made.deadline == IDLE_AFTER
    made.update(0.0, AWAY)
    assert made.events() == [], "it takes the way that it took"


@pytest.mark.rfc("11.7.2", "nobody is told at home")
def test_at_home_nobody_is_begun_with() -> None:
    made = listed()
    made.update(0.0, AT_HOME)
    made.talks_to(CORRESPONDENT, 1.0)
    assert len(made) == 0
    made.update(2.0, AWAY)
    made.talks_to(CORRESPONDENT, 3.0)
    assert len(made) == 1


@pytest.mark.parametrize(
    "peer",
    [HOME_ADDRESS, HOME_AGENT, CARE_OF_ADDRESS, IPv6Address("ff02::1"), THIRD],
    ids=["ourselves", "home agent", "here", "multicast", "never"],
)
def test_who_is_no_correspondent(peer: IPv6Address) -> None:
    made = listed(policies=(policy(Mode.NEVER, f"{THIRD}/128"),))
    made.update(0.0, AWAY)
    made.talks_to(peer, 1.0)
    assert len(made) == 0


def test_beginnings_are_limited() -> None:
    made = listed()
    made.update(0.0, AWAY)
    for number in range(BEGINNINGS_BURST + 5):
        made.talks_to(IPv6Address(int(OTHER) + number), 0.0)
    assert len(made) == BEGINNINGS_BURST
    # Ten more a second.
    for second in (1, 2):
        for number in range(100 * second, 100 * second + BEGINNINGS_BURST):
            made.talks_to(IPv6Address(int(OTHER) + number), 0.5 * second)
        assert len(made) == BEGINNINGS_BURST + 5 * second


@pytest.mark.parametrize(
    ("mode", "prefix", "begun"),
    [
        (Mode.ALWAYS, f"{CORRESPONDENT}/128", True),
        (Mode.ALWAYS, f"{CORRESPONDENT}/127", False),
        (Mode.AUTO, f"{CORRESPONDENT}/128", False),
    ],
)
def test_who_is_begun_with_unasked(mode: Mode, prefix: str, begun: bool) -> None:
    made = listed(policies=(policy(mode, prefix),))
    made.update(0.0, AT_HOME)
    assert len(made) == 0, "not before there is something to tell"
    made.update(1.0, AWAY)
    assert (len(made) == 1) is begun


# Who makes room.


def test_a_full_list() -> None:
    """Who is bound, or talks, stays."""
    made = restored(correspondents_max=1)
    entry = made.find(CORRESPONDENT)
    assert entry is not None
    made.talks_to(OTHER, 99.0)
    assert made.find(OTHER) is None, "without traffic for long, but it is bound"
    entry.talked_at = 99.0
    made.talks_to(OTHER, 100.0)
    assert made.find(OTHER) is None, "not bound any more, but it talks"
    entry.talked_at = 0.0
    made.talks_to(OTHER, 100.0)
    assert made.find(OTHER) is not None and len(made) == 1


def test_who_was_given_up_makes_room() -> None:
    made = restored(correspondents_max=1)
    made.refused(RESTORED, 50.0)
    made.talks_to(CORRESPONDENT, 99.0)
    made.talks_to(OTHER, 99.0)
    assert made.find(OTHER) is None, "it may send there yet"
    made.talks_to(OTHER, 100.0)
    assert made.find(OTHER) is not None


def test_who_is_not_allowed_any_more_goes_with_the_binding() -> None:
    made = restored()
    made.prefer((policy(Mode.NEVER),))
    made.talks_to(CORRESPONDENT, 99.0)
    made.update(99.9, TOLD)
    assert len(made) == 1
    made.update(100.0, TOLD)
    assert len(made) == 0


# What an earlier process left.


def test_what_was_left_stands_until_it_is_taken_over() -> None:
    made = listed(restored=(RESTORED,))
    assert list(made.states(99.9)) == [RESTORED]
    assert list(made.states(100.0)) == []
    made.update(1.0, TOLD)
    assert list(made.states(1.0)) == [RESTORED], "nothing is known of the path"
    assert made.events() == [WayChanged(CORRESPONDENT, True, Why.RESTORED)]


@pytest.mark.parametrize(("now", "taken"), [(99.9, 1), (100.0, 0)])
def test_what_has_ended_is_not_taken_over(now: float, taken: int) -> None:
    made = listed(restored=(RESTORED,))
    made.talks_to(OTHER, now)
    made.update(now, TOLD)
    assert len(made) == 1 + taken


# Errors.


def test_three_errors_in_ten_seconds_are_needed() -> None:
    made = listed(restored=(replace(RESTORED, expires=5000.0),))
    made.update(0.0, TOLD)
    octets = data(
        source=CARE_OF_ADDRESS, destination=CORRESPONDENT, home_address=HOME_ADDRESS
    )
    # With the Home Address option no packet of 1280 octets fits.
    too_big = PacketTooBig(mtu=1290, packet=octets)
    router = IPv6Address("2001:db8:f::1")
    packet = Packet(source=router, destination=CARE_OF_ADDRESS, message=too_big)
    for now in (1.0, 6.0, 11.0):
        dropped = made.receive(packet, too_big, now)
        assert dropped is not None and dropped.reason == "icmp_error_alone"
    assert made.receive(packet, too_big, 15.9) is None


def test_a_path_is_forgotten_at_a_moment() -> None:
    long = replace(RESTORED, expires=5000.0)
    made = listed(restored=(long,))
    made.update(0.0, TOLD)
    octets = data(
        source=CARE_OF_ADDRESS, destination=CORRESPONDENT, home_address=HOME_ADDRESS
    )
    too_big = PacketTooBig(mtu=1400, packet=octets)
    router = IPv6Address("2001:db8:f::1")
    packet = Packet(source=router, destination=CARE_OF_ADDRESS, message=too_big)
    assert made.receive(packet, too_big, 1.0) is None
    state, route = made.states(1.0)
    assert isinstance(route, Route) and route.destination == IPv6Network(CORRESPONDENT)
    made.update(100.0, TOLD)
    assert made.deadline == 601.0
    assert list(made.states(601.0)) == [state]


@pytest.mark.rfc("11.3.6", "a status that is not known here says nothing")
@pytest.mark.parametrize(("status", "home_address"), [(3, HOME_ADDRESS), (1, OTHER)])
def test_binding_errors_that_say_nothing(
    status: int, home_address: IPv6Address
) -> None:
    made = restored()
    message = BindingError(status=status, home_address=home_address)
    packet = Packet(source=CORRESPONDENT, destination=CARE_OF_ADDRESS, message=message)
    dropped = made.receive(packet, message, 10.0)
    assert dropped is not None and dropped.reason == "binding_error_not_expected"
    assert list(made.states(10.0)) == [RESTORED]
