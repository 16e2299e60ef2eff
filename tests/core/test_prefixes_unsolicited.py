"""What mobile nodes are told of the prefixes without asking (§10.6.2)."""

from ipaddress import IPv6Network

import pytest
from tests.core.test_home_agents_list import advertisement
from tests.core.test_prefixes import (
    NEW_HOME_ADDRESS,
    NEW_PREFIX,
    QUICK,
    advertised,
    bound,
    following,
    prefix,
    solicitation,
)
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_PREFIX,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    binding_update,
    from_home,
    home_agent,
    sent,
    told,
)

from mip6.core.binding_cache import EXPIRED_MAX
from mip6.core.effects import Install
from mip6.core.home_agent import HomeAgent
from mip6.core.packet import Packet, write
from mip6.core.prefix_delivery import (
    DUE_MAX,
    INTERVAL_MAX,
    INTERVAL_MIN,
    PREFIX_ADV_RETRIES,
    PREFIX_ADV_TIMEOUT,
)
from mip6.core.prefix_discovery import SETTLED
from mip6.core.prefixes import PREFIXES_MAX, HomePrefix
from mip6.wire.neighbor_options import INFINITE_LIFETIME, PrefixInformation

# Unsolicited.


@pytest.mark.rfc("8.4-12", "sent")
@pytest.mark.rfc("6.8-1", "to the care-of address")
@pytest.mark.rfc("10.3.1-36", "new prefixes are passed on")
@pytest.mark.rfc("10.6.2-1", "what changes is told")
@pytest.mark.rfc("10.6.2-2", "and a new prefix")
@pytest.mark.rfc("10.6.2-3", "until it is acknowledged")
@pytest.mark.rfc("10.6.2-4", "3 s, 6 s, 12 s")
@pytest.mark.parametrize(
    "changed",
    [
        (prefix(), prefix(NEW_PREFIX)),
        (prefix(preferred_lifetime=50_000),),
        (prefix(valid_until=90_000.0),),
        (prefix(autonomous_address_configuration=False),),
    ],
    ids=["new", "preferred", "valid", "flags"],
)
@pytest.mark.parametrize("home_link", [None, "eth1"])
def test_what_is_new_is_told(
    home_link: str | None, changed: tuple[HomePrefix, ...]
) -> None:
    role = bound(home_link=home_link, prefix_interval=QUICK)
    role.prefixes_changed(changed, 100.0)
    # Not at once, so that changes gather, and thousands are not told in one moment.
    assert advertised(role, 100.0) == []
    assert role.deadline == 100.0 + SETTLED
    assert advertised(role, 110.0) == []
    assert role.deadline == 111.0
    [packet] = advertised(role, 111.0)
    assert (packet.destination, packet.routing_address) == (
        CARE_OF_ADDRESS,
        HOME_ADDRESS,
    )
    assert len(packet.message.options) == len(changed)
    again = following(role, until=200.0)
    assert again == [114.0, 120.0, 132.0]
    assert len(again) == PREFIX_ADV_RETRIES


def test_the_wait_is_random_between_two_limits() -> None:
    drawn: list[int] = []

    def random(count: int) -> bytes:
        drawn.append(count)
        return (123_456).to_bytes(4)[-count:]

    role = bound(random=random)
    role.prefixes_changed((prefix(preferred_lifetime=50_000),), 100.0)
    advertised(role, 110.0)
    assert role.deadline == 110.0 + INTERVAL_MIN + 123_456 % (50_000 - 600)
    assert drawn == [4]
    role = bound(random=random)
    role.prefixes_changed((prefix(NEW_PREFIX), prefix()), 100.0)
    advertised(role, 110.0)
    spread = int(INTERVAL_MAX - INTERVAL_MIN)
    assert role.deadline == 110.0 + INTERVAL_MIN + 123_456 % spread
    # No spread, no draw.
    drawn.clear()
    role = bound(100.0, random=random, prefix_interval=(5.0, 5.0))
    role.prefixes_changed((prefix(NEW_PREFIX), prefix()), 100.0)
    advertised(role, 105.0)
    assert role.deadline == 110.0 and drawn == []


def test_a_solicitation_acknowledges() -> None:
    role = bound(prefix_interval=QUICK)
    role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 100.0)
    assert following(role, until=115.0) == [111.0, 114.0]
    role.receive(solicitation(), 116.0)
    assert following(role, until=1000.0) == []


@pytest.mark.rfc("10.6.2-5", "not after the binding")
@pytest.mark.parametrize("ending", ["expiry", "deregistration"])
def test_nobody_is_told_whose_binding_is_over(ending: str) -> None:
    role = home_agent(prefix_interval=QUICK)
    role.receive(binding_update(lifetime=16), 100.0)
    role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 100.0)
    assert following(role, until=112.0) == [111.0]
    if ending == "deregistration":
        role.receive(from_home(), 112.0)
        assert following(role, until=1000.0) == []
    else:
        assert following(role, until=1000.0) == [114.0]


@pytest.mark.rfc("10.6.2-6", "a Binding Update from away begins again")
def test_a_registration_begins_again() -> None:
    role = bound(prefix_interval=QUICK)
    role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 100.0)
    assert len(following(role, until=1000.0)) == 1 + PREFIX_ADV_RETRIES
    update = binding_update(2, lifetime=40_000, source=NEXT_CARE_OF_ADDRESS)
    role.receive(update, 1000.0)
    [packet] = advertised(role, 1000.0)
    assert packet.destination == NEXT_CARE_OF_ADDRESS
    assert following(role, until=2000.0) == [1003.0, 1009.0, 1021.0]
    role.receive(solicitation(source=NEXT_CARE_OF_ADDRESS), 2000.0)
    role.receive(binding_update(3, lifetime=40_000), 2001.0)
    assert following(role, until=3000.0) == []


@pytest.mark.rfc("10.6.2-7", "one advertisement has both")
def test_somebody_elses_registration_begins_nothing() -> None:
    role = bound(prefix_interval=QUICK)
    role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 100.0)
    assert following(role, until=111.0) == [111.0]
    other = binding_update(lifetime=40_000, home_address=OTHER_HOME_ADDRESS)
    role.receive(other, 112.0)
    assert following(role, until=1000.0) == [114.0, 120.0, 132.0]


def test_a_binding_whose_prefix_is_gone_is_told_nothing() -> None:
    count = EXPIRED_MAX + 1
    role = home_agent(bindings_max=count, prefix_interval=QUICK)
    for n in range(count):
        role.receive(binding_update(home_address=HOME_ADDRESS + n), 0.0)
    role.prefixes_changed((prefix(NEW_PREFIX),), 1.0)
    # One is left when it is time to tell them.
    role.tick(1.0 + SETTLED)
    assert len(list(role.bindings)) == 1
    assert following(role, until=1000.0) == []
    assert not list(role.bindings)


def test_a_second_change_joins_the_first() -> None:
    role = bound(prefix_interval=(50.0, INTERVAL_MAX))
    role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 100.0)
    advertised(role, 110.0)
    assert role.deadline == 160.0
    third = prefix(IPv6Network("2001:db8:2a::/64"))
    role.prefixes_changed((prefix(), prefix(NEW_PREFIX), third), 130.0)
    advertised(role, 140.0)
    # Scheduled already: the moment stays.
    [packet] = advertised(role, 160.0)
    assert len(packet.message.options) == 3
    # Another before the acknowledgement: the schedule begins anew.
    role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 161.0)
    following(role, until=171.0)
    assert following(role, until=221.0) == [221.0]


def test_everybody_hears_something_in_every_longest_interval() -> None:
    role = bound(prefix_interval=(1.0, 100.0))
    assert following(role, until=100.0) == []
    assert following(role, until=199.0) == [101.0, 104.0, 110.0, 122.0]
    role.receive(solicitation(), 199.5)
    assert following(role, until=203.0) == [201.0]
    role.receive(from_home(2), 211.0)
    role.tick(301.0)
    # Nobody is left, nothing is due.
    assert role.deadline is None


def test_two_advertisements_are_a_second_apart_solicited_or_not() -> None:
    role = bound(prefix_interval=QUICK)
    role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 100.0)
    assert following(role, until=111.0) == [111.0]
    assert role.receive(solicitation(), 111.5) == []
    [answer] = advertised(role, 112.0)
    assert answer.message.identifier == 7
    # It has acknowledged.
    assert following(role, until=150.0) == []


def test_what_is_new_just_after_an_answer_is_put_off() -> None:
    role = bound(prefix_interval=(0.5, INTERVAL_MAX))
    role.receive(solicitation(), 109.9)
    role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 99.9)
    advertised(role, 109.9)
    assert advertised(role, 110.4) == []
    again = 110.9 + PREFIX_ADV_TIMEOUT
    assert following(role, until=119.0) == [110.9, again]


def test_who_asks_is_answered_though_something_is_always_new() -> None:
    """Advertisements nobody asked for, one a second, leave no answer out."""
    role = bound(prefix_interval=(0.1, 0.2))
    moments = following(role, until=20.0)
    assert len(moments) > 10
    role.receive(solicitation(9), 20.01)
    answers = [
        packet.message.identifier
        for step in range(2000, 2200)
        for packet in advertised(role, step / 100)
    ]
    assert answers[0] == 9


def test_an_answer_put_off_goes_with_the_binding() -> None:
    role = bound()
    role.receive(solicitation(1), 10.0)
    role.receive(solicitation(2), 10.5)
    role.receive(from_home(2), 10.6)
    assert following(role, until=20.0) == []


def test_many_are_told_a_part_at_a_time() -> None:
    count = DUE_MAX + 1
    role = home_agent(bindings_max=count, prefix_interval=(5.0, INTERVAL_MAX))
    for n in range(count):
        role.receive(binding_update(home_address=HOME_ADDRESS + n), 0.0)
    role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 0.0)
    advertised(role, 10.0)
    assert len(advertised(role, 15.0)) == DUE_MAX
    assert len(advertised(role, 15.0)) == 1


# Prefixes that other home agents advertise.


def said(
    network: IPv6Network, valid: int = 3600, *, on_link: bool = True
) -> PrefixInformation:
    return PrefixInformation(
        prefix=network.network_address,
        prefix_length=64,
        valid_lifetime=valid,
        preferred_lifetime=valid,
        on_link=on_link,
        autonomous_address_configuration=True,
    )


def told_of(role: HomeAgent, now: float) -> list[IPv6Network]:
    [answer] = sent(role.receive(solicitation(), now))
    return [option.network for option in answer.message.options]


def test_prefixes_of_other_home_agents_are_passed_on() -> None:
    role = bound(home_link="eth1", prefix_interval=QUICK)
    role.receive(advertisement(said(NEW_PREFIX, 100)), 10.0)
    assert following(role, until=22.0) == [21.0]
    assert told_of(role, 23.0) == [HOME_PREFIX, NEW_PREFIX]
    # Heard again it is no news.
    role.receive(advertisement(said(NEW_PREFIX, INFINITE_LIFETIME)), 30.0)
    assert following(role, until=60.0) == []
    # Home addresses in it are not ours to serve.
    assert not role.serves(NEW_HOME_ADDRESS)
    role.receive(advertisement(said(NEW_PREFIX, 0)), 70.0)
    assert following(role, until=85.0) == [81.0, 84.0]
    assert told_of(role, 86.0) == [HOME_PREFIX]


def test_a_prefix_of_others_ends_with_its_lifetime() -> None:
    role = bound(home_link="eth1")
    role.receive(advertisement(said(NEW_PREFIX, 100)), 10.0)
    role.tick(110.0)
    assert told_of(role, 111.0) == [HOME_PREFIX]


@pytest.mark.parametrize(
    "heard",
    [
        advertisement(said(NEW_PREFIX), home=False),
        advertisement(said(NEW_PREFIX, on_link=False)),
        advertisement(said(IPv6Network("fe80::/64"))),
        # Who believed this would end all bindings.
        advertisement(said(HOME_PREFIX, 0)),
        advertisement(said(NEW_PREFIX, 0)),
    ],
    ids=["no home agent", "not on link", "link-local", "our own", "no lifetime"],
)
def test_what_others_cannot_say(heard: Packet) -> None:
    role = bound(home_link="eth1")
    role.receive(heard, 10.0)
    assert told_of(role, 11.0) == [HOME_PREFIX]
    assert following(role, until=1000.0) == []


def test_prefixes_of_others_have_a_limit_and_fit_a_packet() -> None:
    role = bound(home_link="eth1", prefix_interval=QUICK)
    for n in range(PREFIXES_MAX + 1):
        network = IPv6Network((int(NEW_PREFIX.network_address) + (n << 64), 64))
        role.receive(advertisement(said(network)), 10.0)
    assert len(told_of(role, 11.0)) == PREFIXES_MAX
    [answer] = sent(role.receive(solicitation(), 12.0))
    assert len(write(answer)) < 1280 - 60
    # Ours come first, also when they come later.
    ours = IPv6Network("2001:db8:fa::/64")
    role.prefixes_changed((prefix(), prefix(ours)), 13.0)
    assert told_of(role, 14.0)[:2] == [HOME_PREFIX, ours]
    assert len(told_of(role, 15.0)) == PREFIXES_MAX


def test_a_prefix_of_others_may_become_ours() -> None:
    role = bound(home_link="eth1")
    role.receive(advertisement(said(NEW_PREFIX, 100)), 10.0)
    role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 20.0)
    assert told_of(role, 21.0) == [HOME_PREFIX, NEW_PREFIX]
    role.tick(110.0)
    assert role.serves(NEW_HOME_ADDRESS)


def test_a_refused_route_of_a_prefix_ends_no_binding() -> None:
    role = bound()
    [install] = role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 1.0)
    assert isinstance(install, Install)
    assert role.owns(install.state)
    assert len(told(role.failed(install.state, 1.0))) == 1
    assert install.state not in role.installed
    assert len(list(role.bindings)) == 1
    # The next change tries it again, and not before.
    assert role.failed(install.state, 2.0) == []
    assert role.prefixes_changed((prefix(), prefix(NEW_PREFIX)), 3.0) == [install]
