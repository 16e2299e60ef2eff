"""The prefixes of the home link: lifetimes, who is told of them, and when (§10.6)."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from math import inf
from typing import Any

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_PREFIX,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    Kernel,
    acknowledgement,
    binding_update,
    discarded,
    from_home,
    home_agent,
    sent,
    told,
)

from mip6.core.binding_cache import EXPIRED_MAX
from mip6.core.effects import Install, Remove
from mip6.core.events import BindingChanged, Change, PrefixesTold
from mip6.core.home_agent import HomeAgent
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.prefix_delivery import (
    INTERVAL_MAX,
)
from mip6.core.prefix_discovery import SETTLED
from mip6.core.prefixes import PREFIXES_MAX, HomePrefix, HomePrefixes
from mip6.core.state import Route
from mip6.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from mip6.wire.messages import BindingStatus
from mip6.wire.neighbor_options import INFINITE_LIFETIME, PrefixInformation

NEW_PREFIX = IPv6Network("2001:db8:1a::/64")
NEW_HOME_ADDRESS = IPv6Address("2001:db8:1a::100")
BOTH = (HOME_PREFIX, NEW_PREFIX)
QUICK = (1.0, INTERVAL_MAX)
"""MinMobPfxAdvInterval and MaxMobPfxAdvInterval of tests that wait for the first, where
chance draws 0."""


def prefix(network: IPv6Network = HOME_PREFIX, **more: Any) -> HomePrefix:
    return HomePrefix(network=network, **more)


def solicitation(identifier: int = 7, **changes: Any) -> Packet:
    packet = Packet(
        source=CARE_OF_ADDRESS,
        destination=HOME_AGENT,
        home_address=HOME_ADDRESS,
        message=MobilePrefixSolicitation(identifier=identifier),
    )
    return replace(packet, **changes)


def bound(now: float = 0.0, **changes: Any) -> HomeAgent:
    role = home_agent(**{"mobile_nodes": BOTH, "lifetime_max": 100_000, **changes})
    role.receive(binding_update(lifetime=40_000), now)
    return role


def advertised(role: HomeAgent, now: float) -> list[Packet]:
    packets = sent(role.tick(now))
    assert all(isinstance(p.message, MobilePrefixAdvertisement) for p in packets)
    return packets


def following(role: HomeAgent, *, until: float) -> list[float]:
    """When advertisements leave, up to a moment."""
    times = []
    while (now := role.deadline) is not None and now <= until:
        times += [now] * len(advertised(role, now))
    return times


# What an earlier process knew.


def test_prefixes_of_others_are_known_again() -> None:
    role = bound()
    heard = (
        prefix(NEW_PREFIX, valid_until=200.0),
        prefix(HOME_PREFIX, valid_until=200.0),
        prefix(NEW_PREFIX, valid_until=300.0),
        prefix(IPv6Network("2001:db8:2a::/64"), valid_until=100.0),
    )
    assert role.prefixes_restored(heard, 100.0, changed=False) == []
    assert role.prefixes_heard == heard[:1]
    assert not role.serves(NEW_HOME_ADDRESS)
    # Nobody need be told before somebody's turn comes.
    assert told(role.tick(100.0 + SETTLED)) == []
    role.tick(200.0)
    assert role.prefixes_heard == ()


def test_no_more_are_restored_than_are_listed() -> None:
    role = home_agent()
    networks = IPv6Network("2001:db8:100::/40").subnets(new_prefix=48)
    heard = tuple(
        prefix(network, valid_until=200.0)
        for network, _ in zip(networks, range(PREFIXES_MAX + 5), strict=False)
    )
    role.prefixes_restored(heard, 100.0, changed=False)
    assert len(role.prefixes_heard) == PREFIXES_MAX - 1


def test_what_changed_meanwhile_is_told() -> None:
    role = bound(prefix_interval=QUICK)
    role.prefixes_restored((), 100.0, changed=True)
    assert told(role.tick(100.0 + SETTLED)) == [PrefixesTold((HOME_PREFIX,))]
    assert following(role, until=120.0)


# Lifetimes.


@pytest.mark.rfc("10.3.1-19", "no longer than the prefix is valid")
@pytest.mark.rfc("10.6.4-1", "in the acknowledgement")
@pytest.mark.rfc("10.3.1-20", "the preferred lifetime shortens nothing")
@pytest.mark.rfc("10.3.1-25", "1 if it is or becomes deprecated, or ends with it")
@pytest.mark.parametrize("home_link", [None, "eth1"])
@pytest.mark.parametrize(
    ("valid", "preferred", "granted", "status"),
    [
        (inf, inf, 60, 0),
        (inf, 0, 60, 1),
        (64, 60, 60, 0),
        (64, 59.9, 60, 1),
        (64, 0, 60, 1),
        # In units of 4 seconds it ends with the binding.
        (63.9, 63.9, 60, 1),
        (60, 60, 60, 1),
        (59.9, 59.9, 56, 1),
        (7, 7, 4, 1),
    ],
)
def test_lifetimes_of_the_prefix(
    home_link: str | None, valid: float, preferred: float, granted: int, status: int
) -> None:
    for mine in (
        prefix(valid_lifetime=valid, preferred_lifetime=preferred),
        prefix(valid_until=100 + valid, preferred_until=100 + preferred),
    ):
        role = home_agent(home_link=home_link, prefixes=(mine,))
        answer = acknowledgement(role.receive(binding_update(lifetime=60), 100.0))
        assert (answer.lifetime, answer.status) == (granted, status)
        [binding] = role.bindings
        assert binding.expires == 100.0 + granted


@pytest.mark.parametrize("valid", [0, 3.9])
def test_a_prefix_that_is_as_good_as_over(valid: float) -> None:
    role = home_agent(prefixes=(prefix(valid_lifetime=valid),))
    answer = acknowledgement(role.receive(binding_update(), 0.0))
    assert answer.status == BindingStatus.NOT_HOME_SUBNET


def test_a_prefix_that_ends_during_duplicate_address_detection() -> None:
    role = home_agent(
        home_link="eth1", check_time=1.0, prefixes=(prefix(valid_until=104.5),)
    )
    role.receive(binding_update(), 100.0)
    answer = acknowledgement(role.tick(101.0))
    assert answer.status == BindingStatus.NOT_HOME_SUBNET


@pytest.mark.rfc("10.3.1-21", "bindings go with their prefix")
@pytest.mark.parametrize("home_link", [None, "eth1"])
def test_bindings_end_with_their_prefix(home_link: str | None) -> None:
    role = home_agent(
        home_link=home_link, mobile_nodes=BOTH, prefixes=tuple(map(prefix, BOTH))
    )
    kernel = Kernel(role)
    for state in role.installed:  # as the daemon does at the start
        kernel.standing[state.key] = state
    for home_address in (HOME_ADDRESS, NEW_HOME_ADDRESS):
        packet = binding_update(home_address=home_address)
        kernel.perform(role.receive(packet, 0.0), 0.0)
    ends = (prefix(valid_until=10.0), prefix(NEW_PREFIX))
    kernel.perform(role.prefixes_changed(ends, 1.0), 1.0)
    while (now := role.deadline) is not None and now <= 10.0:
        kernel.perform(role.tick(now), now)
    assert [b.home_address for b in role.bindings] == [NEW_HOME_ADDRESS]
    assert kernel.states == role.installed
    assert kernel.told[-1] == BindingChanged(
        Change.DELETED, HOME_ADDRESS, CARE_OF_ADDRESS, 0
    )
    answer = acknowledgement(role.receive(binding_update(9), 11.0))
    assert answer.status == BindingStatus.NOT_HOME_SUBNET


def test_very_many_bindings_end_a_part_at_a_time() -> None:
    count = EXPIRED_MAX + 5
    role = home_agent(bindings_max=count)
    for n in range(count):
        role.receive(binding_update(home_address=HOME_ADDRESS + n), 0.0)
    role.prefixes_changed((prefix(NEW_PREFIX),), 1.0)
    assert role.deadline == 1.0
    role.tick(1.0)
    assert len(list(role.bindings)) == 5
    role.tick(1.0)
    assert not list(role.bindings)


@pytest.mark.rfc("10.3.1-6", "a home subnet is whatever the prefixes say now")
def test_renumbering() -> None:
    role = home_agent(mobile_nodes=BOTH)
    kernel = Kernel(role)
    early = binding_update(home_address=NEW_HOME_ADDRESS)
    answer = acknowledgement(role.receive(early, 0.0))
    assert answer.status == BindingStatus.NOT_HOME_SUBNET
    route = Route(destination=NEW_PREFIX, link="mip0")
    effects = role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 1.0)
    assert effects == [Install(route)]
    kernel.perform(effects, 1.0)
    assert route in role.installed
    kernel.perform(role.receive(early, 2.0), 2.0)
    assert role.serves(NEW_HOME_ADDRESS)
    assert len(list(role.bindings)) == 1
    # A care-of address there would lead back into itself (decision 0004).
    update = binding_update(source=CARE_OF_ADDRESS, alternate=NEW_HOME_ADDRESS)
    answer = acknowledgement(role.receive(update, 3.0))
    assert answer.status == BindingStatus.INVALID_CARE_OF_ADDRESS
    effects = role.prefixes_changed((prefix(),), 4.0)
    assert effects == [Remove(route)]
    kernel.perform(effects, 4.0)
    kernel.perform(role.tick(4.0), 4.0)
    assert kernel.states == role.installed == set()
    # The same again is no news.
    assert role.prefixes_changed((prefix(),), 5.0) == []
    assert role.deadline is None or role.deadline > 4.0


def test_the_route_of_a_prefix_ends_with_it() -> None:
    role = home_agent()
    ends = prefix(NEW_PREFIX, valid_until=10.0)
    [install] = role.prefixes_changed((prefix(), ends), 1.0)
    assert isinstance(install, Install)
    assert role.tick(9.9) == []
    assert role.tick(10.0) == [Remove(install.state)]


def test_the_longest_of_several_prefixes_counts() -> None:
    wide = IPv6Network("2001:db8::/32")
    prefixes = HomePrefixes((prefix(wide), prefix(HOME_PREFIX)))
    found = prefixes.find(HOME_ADDRESS)
    assert found is not None and found.network == HOME_PREFIX
    found = prefixes.find(IPv6Address("2001:db8:ffff::1"))
    assert found is not None and found.network == wide
    assert prefixes.find(IPv6Address("2001:db9::1")) is None


# Answers.


@pytest.mark.rfc("8.4-13", "answered")
@pytest.mark.rfc("10.6.2-1", "at once")
@pytest.mark.rfc("6.8-2", "by a routing header")
@pytest.mark.rfc("6.8-8", "R with our whole address")
@pytest.mark.rfc("6.8-9", "the identifier is copied")
@pytest.mark.rfc("6.8-11", "M and O are clear")
@pytest.mark.rfc("10.6.3-1", "as listed")
@pytest.mark.rfc("10.6.3-2", "from the address registered with")
@pytest.mark.rfc("10.6.3-3", "to the source of the solicitation")
@pytest.mark.rfc("10.6.3-4", "with the home address in the routing header")
@pytest.mark.rfc("10.6.3-7", "as any packet of ours")
@pytest.mark.parametrize("home_link", [None, "eth1"])
def test_a_solicitation_is_answered(home_link: str | None) -> None:
    mine = (
        prefix(preferred_lifetime=500.9, valid_until=1000.5),
        prefix(NEW_PREFIX, on_link=False, autonomous_address_configuration=False),
    )
    role = bound(home_link=home_link, prefixes=mine)
    [answer] = sent(Node(home_agent=role).receive(write(solicitation()), 10.0))
    assert answer == Packet(
        source=HOME_AGENT,
        destination=CARE_OF_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=MobilePrefixAdvertisement(
            identifier=7,
            options=(
                PrefixInformation(
                    prefix=HOME_AGENT,
                    prefix_length=64,
                    valid_lifetime=990,
                    preferred_lifetime=500,
                    on_link=True,
                    autonomous_address_configuration=True,
                    router_address=True,
                ),
                PrefixInformation(
                    prefix=NEW_PREFIX.network_address,
                    prefix_length=64,
                    valid_lifetime=INFINITE_LIFETIME,
                    preferred_lifetime=INFINITE_LIFETIME,
                ),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"destination": IPv6Address("2001:db8:a::9")}, "not_for_us"),
        ({"tunnel": (CARE_OF_ADDRESS, HOME_AGENT)}, "not_for_us"),
        ({"source": NEXT_CARE_OF_ADDRESS}, "no_binding"),
        ({"home_address": OTHER_HOME_ADDRESS}, "no_binding"),
        ({"protected_for": OTHER_HOME_ADDRESS}, "unauthenticated"),
    ],
)
def test_solicitations_that_are_not_answered(
    changes: dict[str, Any], reason: str
) -> None:
    role = bound()
    assert discarded(role.receive(solicitation(**changes), 1.0))[0] == reason


@pytest.mark.rfc("6.7-2", "protected as a Binding Update is")
@pytest.mark.rfc("10.6.3-5", "where that is asked for")
def test_a_solicitation_must_be_protected() -> None:
    role = home_agent(authentication_required=True)
    update = binding_update(alternate=CARE_OF_ADDRESS, protected_for=HOME_ADDRESS)
    role.receive(update, 0.0)
    assert discarded(role.receive(solicitation(), 1.0))[0] == "unauthenticated"
    [answer] = sent(role.receive(solicitation(protected_for=HOME_ADDRESS), 2.0))
    assert isinstance(answer.message, MobilePrefixAdvertisement)


@pytest.mark.rfc("6.8-10", "one a second")
def test_one_advertisement_a_second() -> None:
    role = bound()
    sent(role.receive(solicitation(1), 10.0))
    assert role.receive(solicitation(2), 10.5) == []
    # The answer is put off, and is one to what was asked last.
    assert discarded(role.receive(solicitation(3), 10.9)) == ("rate", "6.8")
    assert role.deadline == 11.0
    [answer] = advertised(role, 11.0)
    assert answer.message.identifier == 3
    assert role.receive(solicitation(4), 11.5) == []
    # Another mobile node's have a second of their own.
    role.receive(binding_update(home_address=OTHER_HOME_ADDRESS), 11.1)
    other = solicitation(home_address=OTHER_HOME_ADDRESS)
    assert len(sent(role.receive(other, 11.1))) == 1


@pytest.mark.rfc("8.4-14", "none are sent if they are switched off")
def test_prefix_advertisements_can_be_switched_off() -> None:
    role = bound(prefix_interval=None)
    off = ("prefix_discovery_off", "8.4")
    assert discarded(role.receive(solicitation(), 1.0)) == off
    role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 1.0)
    assert following(role, until=30_000) == []
    role.receive(from_home(), 30_000.0)
