"""The home link's own memory, and what a home agent asks of it in special cases."""

from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.core.test_groups import GROUP, LINK, Agent
from tests.core.test_home_link import (
    LINK_LOCAL,
    PREFIXES,
    TWIN,
    answers,
    on_a_link,
    solicited,
)
from tests.core.test_path_mtu import tunnelled
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_PREFIX,
    NEXT_CARE_OF_ADDRESS,
    Kernel,
    acknowledgement,
    binding_update,
    from_home,
    home_agent,
    sent,
    told,
)
from tests.support.mld import group_record, report_2

from mip6.core.effects import Effect
from mip6.core.events import Dropped, PrefixesTold
from mip6.core.home_link import HomeLink, link_local_of
from mip6.core.joined import REFUSAL_MAX
from mip6.core.packet import Packet
from mip6.core.prefix_discovery import SETTLED
from mip6.core.prefixes import HomePrefix
from mip6.core.state import End, Membership, ProxyNeighbor, Route, Tunnel
from mip6.wire.icmpv6 import PacketTooBig

TUNNEL = Tunnel(
    end=End.HOME_AGENT,
    home_address=HOME_ADDRESS,
    home_agent=HOME_AGENT,
    care_of_address=CARE_OF_ADDRESS,
    expires=160.0,
)
NEW_PREFIX = IPv6Network("2001:db8:1a::/64")


def link() -> HomeLink:
    made = HomeLink("eth1", HOME_AGENT, waiting_max=4)
    made.link_layer_address = bytes(5) + b"\1"
    return made


@pytest.mark.rfc("10.3.1", "the link-local address has the interface identifier")
def test_the_link_local_address_of_a_home_address() -> None:
    home_address = IPv6Address("2001:db8:a:b:fedc:ba98:7654:3211")
    assert link_local_of(home_address) == IPv6Address("fe80::fedc:ba98:7654:3211")


def test_addresses_are_advertised_again_one_by_one() -> None:
    made = link()
    made.advertise(HOME_ADDRESS, 100.0)
    made.advertise(TWIN, 100.5)
    assert made.deadline == 101.0
    assert made.repeats(100.9) == []
    assert made.repeats(101.0) == [(HOME_ADDRESS, 2)]
    assert made.deadline == 101.5
    assert made.repeats(101.5) == [(TWIN, 2)]
    assert made.deadline is None


def test_nothing_is_left_of_a_check_that_is_over() -> None:
    made = link()
    update = binding_update(1)
    made.check(update, update.message, (HOME_ADDRESS,), 0.0)  # type: ignore[arg-type]
    assert made.stop(HOME_ADDRESS) is not None
    assert made._wanted_by == {}
    assert made.deadline is None


def test_a_link_local_address_that_is_ours_is_not_asked_for() -> None:
    role = on_a_link(home_prefix=PREFIXES, mobile_nodes=(PREFIXES,))
    update = binding_update(1, link_local_address_compatibility=True)
    assert solicited(role.receive(update, 100.0)) == [HOME_ADDRESS, LINK_LOCAL]
    role.tick(101.0)
    update = binding_update(1, home_address=TWIN, link_local_address_compatibility=True)
    assert solicited(role.receive(update, 102.0)) == [TWIN]


def test_a_link_local_address_is_held_once_however_often_it_is_refreshed() -> None:
    role = on_a_link()
    kernel = Kernel(role)
    for number in (1, 2, 3):
        update = binding_update(number, link_local_address_compatibility=True)
        kernel.perform(role.receive(update, 100.0 * number), 100.0 * number)
        kernel.perform(role.tick(100.0 * number + 1), 100.0 * number + 1)
    assert ProxyNeighbor(address=LINK_LOCAL, link="eth1") in kernel.states
    kernel.perform(role.receive(from_home(9), 302.0), 302.0)
    assert kernel.states == role.installed == set()


def test_who_leaves_while_its_link_local_address_is_checked() -> None:
    role = on_a_link()
    role.receive(binding_update(1), 100.0)
    role.tick(101.0)
    update = binding_update(2, link_local_address_compatibility=True)
    assert solicited(role.receive(update, 102.0)) == [LINK_LOCAL]
    assert acknowledgement(role.receive(from_home(3), 102.5)).status == 0
    assert answers(role.tick(103.0)) == []
    assert role.installed == set()


def test_who_shares_a_link_local_address_is_known_again() -> None:
    first = on_a_link(home_prefix=PREFIXES, mobile_nodes=(PREFIXES,))
    for home_address in (HOME_ADDRESS, TWIN):
        update = binding_update(
            1, home_address=home_address, link_local_address_compatibility=True
        )
        first.receive(update, 100.0)
        first.tick(101.0)
    role = on_a_link(
        home_prefix=PREFIXES, mobile_nodes=(PREFIXES,), restored=list(first.bindings)
    )
    proxy = ProxyNeighbor(address=LINK_LOCAL, link="eth1")
    assert role.owns(proxy)
    kernel = Kernel(role)
    kernel.standing = {state.key: state for state in role.installed}
    kernel.perform(role.receive(from_home(2), 102.0), 102.0)
    assert proxy in kernel.states
    kernel.perform(role.receive(from_home(2, source=TWIN), 103.0), 103.0)
    assert kernel.states == set()


# Without a home link, or where there is more than one prefix.


def test_l_without_a_home_link() -> None:
    role = home_agent()
    effects = role.receive(binding_update(1, link_local_address_compatibility=True), 0)
    assert acknowledgement(effects).status == 0
    assert [type(state) for state in role.installed] == [Tunnel]


@pytest.mark.parametrize(("home_link", "routes"), [(None, 1), ("eth1", 0)])
def test_other_prefixes_are_routed_here_without_a_home_link(
    home_link: str | None, routes: int
) -> None:
    prefixes = (HomePrefix(network=HOME_PREFIX), HomePrefix(network=NEW_PREFIX))
    role = home_agent(home_link=home_link, prefixes=prefixes)
    beside = list(role.states_beside_tunnels())
    assert role.installed == set(beside)
    assert len(beside) == routes
    if routes:
        [route] = beside
        assert isinstance(route, Route) and route.destination == NEW_PREFIX
        assert role.owns(route)


def test_the_last_seconds_of_a_prefix() -> None:
    prefixes = (HomePrefix(network=HOME_PREFIX, valid_until=104.0),)
    for now, status, lifetime in ((100.0, 1, 4), (100.5, 132, 0)):
        role = home_agent(prefixes=prefixes)
        answer = acknowledgement(role.receive(binding_update(1), now))
        assert (answer.status, answer.lifetime) == (status, lifetime)


def test_the_narrow_way_stands_beside_the_tunnel() -> None:
    role = home_agent()
    role.receive(binding_update(1), 0.0)
    assert list(role.states_beside_tunnels()) == []
    quote = tunnelled(HOME_AGENT, CARE_OF_ADDRESS, CORRESPONDENT, HOME_ADDRESS)
    error = PacketTooBig(mtu=1400, packet=quote)
    packet = Packet(source=CORRESPONDENT, destination=HOME_AGENT, message=error)
    assert not discarded_at_all(role.receive(packet, 1.0))
    [route] = role.states_beside_tunnels()
    assert isinstance(route, Route) and route.mtu == 1360


def discarded_at_all(effects: list[Effect]) -> bool:
    return any(isinstance(event, Dropped) for event in told(effects))


def test_who_is_away_is_told_of_a_prefix_that_has_ended() -> None:
    prefixes = (
        HomePrefix(network=HOME_PREFIX),
        HomePrefix(network=NEW_PREFIX, valid_until=100.0),
    )
    role = home_agent(prefixes=prefixes, lifetime_max=100_000)
    role.receive(binding_update(1, lifetime=40_000), 0.0)
    role.tick(100.0)
    [news] = [e for e in told(role.tick(100 + SETTLED)) if isinstance(e, PrefixesTold)]
    assert news.prefixes == (HOME_PREFIX,)


def test_an_end_without_a_number_lets_the_next_begin_with_one() -> None:
    """A restart has lost the number, and the binding is revoked in vain."""
    for number, status in ((0, 135), (1, 0)):
        role = home_agent(restored=[TUNNEL])
        role.revoke(HOME_ADDRESS, 0.0)
        for now in (1.0, 3.0):
            role.tick(now)
        assert role.binding(HOME_ADDRESS) is None
        answer = acknowledgement(role.receive(binding_update(number), 4.0))
        assert answer.status == status


def test_a_refusal_of_what_was_given_back_meanwhile() -> None:
    role = home_agent()
    role.receive(binding_update(1), 0.0)
    [tunnel] = role.installed
    role.receive(from_home(2), 0.5)
    assert role.failed(tunnel, 0.5) == []


# Moments.


def test_nobody_has_asked_for_what_is_refused_at_the_start() -> None:
    role = home_agent(restored=[TUNNEL])
    effects = role.failed(TUNNEL, 0.0)
    assert sent(effects) == []
    assert role.installed == set()


@pytest.mark.parametrize(("late", "told"), [(0.0, 1), (0.01, 0)])
def test_how_late_a_refusal_is_one_of_the_update(late: float, told: int) -> None:
    role = home_agent()
    role.receive(binding_update(1), 100.0)
    [tunnel] = [state for state in role.installed if isinstance(state, Tunnel)]
    assert len(sent(role.failed(tunnel, 100 + REFUSAL_MAX + late))) == told
    assert role.installed == set()


def test_the_previous_address_is_gone_when_its_time_is_over() -> None:
    role = home_agent(grace=2.0)
    role.receive(binding_update(1), 100.0)
    role.receive(binding_update(2, source=NEXT_CARE_OF_ADDRESS), 110.0)
    role.receive(binding_update(3, source=NEXT_CARE_OF_ADDRESS), 111.9)
    binding = role.binding(HOME_ADDRESS)
    assert binding is not None
    assert (binding.previous, binding.previous_until) == (CARE_OF_ADDRESS, 112.0)
    role.receive(binding_update(4, source=NEXT_CARE_OF_ADDRESS), 112.0)
    binding = role.binding(HOME_ADDRESS)
    assert binding is not None
    assert (binding.previous, binding.previous_until) == (None, 0.0)


def test_groups_on_the_home_link_are_beside_the_tunnels() -> None:
    """What looks after the kernel's tables puts them back, too (§10.4.3)."""
    agent = Agent()
    agent.bind()
    agent.say(report_2(group_record(4, GROUP)))
    membership = Membership(group=IPv6Address(GROUP), link=LINK)
    assert membership in set(agent.role.states_beside_tunnels())
