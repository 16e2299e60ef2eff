"""RFC 6275 §7.5, §8.3 and what §7 asks of senders: a router that advertises itself."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Interface
from typing import TypeVar

import pytest

from mip6.core.effects import Effect, Notify, Send
from mip6.core.events import Dropped
from mip6.core.link import Link
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.router import (
    INTERVAL_MAX,
    MAX_RA_DELAY_TIME,
    MIN_DELAY_BETWEEN_RAS,
    Advertising,
    AdvertisingRouter,
)
from mip6.core.state import Route
from mip6.wire.neighbor_discovery import RouterAdvertisement, RouterSolicitation
from mip6.wire.neighbor_options import (
    AdvertisementInterval,
    HomeAgentInformation,
    PrefixInformation,
    SourceLinkLayerAddress,
)

ALL_NODES = IPv6Address("ff02::1")
ALL_ROUTERS = IPv6Address("ff02::2")
HOST = IPv6Address("fe80::9")
LINK = Link("eth1", b"\2\0\0\0\0\1", IPv6Address("fe80::1"))
OTHER = Link("eth2", b"\2\0\0\0\0\2", IPv6Address("fe80::2"))
ADDRESS = IPv6Interface("2001:db8:b::1/64")
SECOND = IPv6Interface("2001:db8:b:1::1/64")
SLOW = Advertising(link="eth1", addresses=(ADDRESS,))
FAST = replace(SLOW, interval_max=0.07, interval_min=0.03)
HOME = replace(FAST, home_agent=True)

Option = TypeVar("Option")


def router(*advertising: Advertising, chance: int = 0) -> AdvertisingRouter:
    """Draws the earliest moments; with `chance` 255 the latest."""
    return AdvertisingRouter(advertising, random=lambda n: bytes([chance]) * n)


def started(*advertising: Advertising, chance: int = 0) -> AdvertisingRouter:
    role = router(*advertising, chance=chance)
    for link in (LINK, OTHER):
        assert role.link_up(link, 100.0) == []
    return role


def sent(effects: list[Effect]) -> list[Packet]:
    packets = [effect.packet for effect in effects if isinstance(effect, Send)]
    assert len(packets) == len(effects)
    return packets


def advertisement(advertising: Advertising) -> RouterAdvertisement:
    [packet] = sent(started(advertising).tick(100.0))
    assert isinstance(packet.message, RouterAdvertisement)
    return packet.message


def options(advertising: Advertising, kind: type[Option]) -> list[Option]:
    message = advertisement(advertising)
    return [option for option in message.options if isinstance(option, kind)]


def solicitation(link: str = "eth1", source: IPv6Address = HOST) -> Packet:
    return Packet(
        source=source,
        destination=ALL_ROUTERS,
        hop_limit=255,
        link=link,
        message=RouterSolicitation(),
    )


def times(role: AdvertisingRouter, until: float) -> list[float]:
    """When it sends."""
    found = []
    while (at := role.deadline) is not None and at < until:
        assert role.tick(at)
        found.append(round(at, 6))
    return found


# What is in it.


@pytest.mark.rfc("8.3-5", "the whole address of the router, in a prefix with R")
@pytest.mark.rfc("7.2-1", "a home agent's holds a prefix with R")
@pytest.mark.parametrize("advertising", [SLOW, HOME])
def test_the_prefix_holds_the_routers_address(advertising: Advertising) -> None:
    [option] = options(advertising, PrefixInformation)
    assert option.prefix == ADDRESS.ip
    assert option.network == ADDRESS.network
    assert option.router_address and option.on_link
    assert option.autonomous_address_configuration


def test_a_router_without_an_address_has_nothing_to_advertise() -> None:
    with pytest.raises(ValueError, match="no address"):
        replace(SLOW, addresses=())


@pytest.mark.rfc("7.2-2", "each advertisement holds a prefix with R")
@pytest.mark.rfc("7.2-3", "the same prefix and address in all of them")
def test_all_advertisements_are_alike() -> None:
    role = started(replace(FAST, addresses=(ADDRESS, SECOND)))
    messages = []
    for _ in range(5):
        assert role.deadline is not None
        messages += [packet.message for packet in sent(role.tick(role.deadline))]
    assert len(messages) == 5 and len(set(messages)) == 1
    [message] = set(messages)
    assert isinstance(message, RouterAdvertisement)
    prefixes = [o for o in message.options if isinstance(o, PrefixInformation)]
    assert [option.prefix for option in prefixes] == [ADDRESS.ip, SECOND.ip]
    assert all(option.router_address for option in prefixes)


@pytest.mark.rfc("7.5-11", "the Source Link-Layer Address option, always")
def test_the_link_layer_address_is_always_told() -> None:
    [option] = options(HOME, SourceLinkLayerAddress)
    assert option.link_layer_address == LINK.link_layer_address


@pytest.mark.rfc("7.3-3", "MaxRtrAdvInterval in milliseconds")
@pytest.mark.rfc("8.3-1", "the option can be sent")
@pytest.mark.parametrize(
    ("interval_max", "said"),
    [
        (600.0, 600_000),
        (0.2, 200),
        pytest.param(
            0.199, 219, marks=pytest.mark.rfc("7.5-8", "20 ms more below 200 ms")
        ),
        (0.07, 90),
    ],
)
def test_the_advertisement_interval(interval_max: float, said: int) -> None:
    advertising = replace(SLOW, interval_max=interval_max)
    [option] = options(advertising, AdvertisementInterval)
    assert option.advertisement_interval == said


@pytest.mark.rfc("8.3-2", "the option can be switched off")
def test_the_advertisement_interval_is_not_told_where_nobody_wants_it() -> None:
    assert options(replace(FAST, interval_told=False), AdvertisementInterval) == []


@pytest.mark.rfc("7.4-6", "no Home Agent Information without H")
def test_an_access_router_is_no_home_agent() -> None:
    message = advertisement(replace(SLOW, home_agent_preference=7))
    assert not message.home_agent
    assert not any(isinstance(o, HomeAgentInformation) for o in message.options)


@pytest.mark.rfc("7.4-8", "the same Home Agent Information in all, or in none")
@pytest.mark.rfc("8.4-11", "the preference can be configured")
def test_home_agent_information() -> None:
    advertising = replace(HOME, home_agent_preference=7)
    assert advertisement(advertising).home_agent
    [option] = options(advertising, HomeAgentInformation)
    assert (option.preference, option.lifetime) == (7, 1)
    [option] = options(replace(HOME, home_agent_lifetime=600), HomeAgentInformation)
    assert (option.preference, option.lifetime) == (0, 600)


@pytest.mark.rfc("7.4-10", "nothing but defaults is left out")
@pytest.mark.parametrize("lifetime", [None, 1])
def test_default_home_agent_information_is_left_out(lifetime: int | None) -> None:
    advertising = replace(HOME, home_agent_lifetime=lifetime)
    assert advertisement(advertising).home_agent
    assert options(advertising, HomeAgentInformation) == []


@pytest.mark.rfc("7.4-5", "Home Agent Lifetime 0 is never sent")
@pytest.mark.parametrize(
    "changes",
    [
        {"home_agent_lifetime": 0},
        {"home_agent_lifetime": 65536},
        {"lifetime": 0},
        {"home_agent_preference": 65536},
        {"home_agent_preference": -1},
    ],
)
def test_home_agent_information_that_must_not_be_sent(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"home_agent_(lifetime|preference)"):
        replace(HOME, **changes)


def test_a_home_agent_may_be_no_default_router() -> None:
    message = advertisement(replace(HOME, lifetime=0, home_agent_lifetime=600))
    assert message.router_lifetime == 0 and message.home_agent


@pytest.mark.rfc("7.5-12", "Router Lifetime is at least a second")
@pytest.mark.parametrize(
    ("changes", "lifetime"),
    [
        ({}, 1800),
        ({"interval_max": 0.07}, 1),
        ({"interval_max": 1.0}, 3),
        ({"lifetime": 9000}, 9000),
    ],
)
def test_the_router_lifetime(changes: dict[str, float], lifetime: int) -> None:
    assert advertisement(replace(SLOW, **changes)).router_lifetime == lifetime  # type: ignore[arg-type]


def test_what_is_around_it() -> None:
    [packet] = sent(started(SLOW).tick(100.0))
    assert (packet.source, packet.destination) == (LINK.link_local, ALL_NODES)
    assert (packet.hop_limit, packet.link) == (255, "eth1")
    assert write(packet)


# When.


@pytest.mark.rfc("7.5-4", "the short intervals are not the default")
@pytest.mark.rfc("7.5-5", "the default is RFC 4861's")
@pytest.mark.rfc("7.5-7", "as RFC 4861 has them unless somebody says otherwise")
def test_the_default_intervals() -> None:
    assert SLOW.intervals == (0.33 * INTERVAL_MAX, INTERVAL_MAX)
    assert SLOW.delay == MIN_DELAY_BETWEEN_RAS == 3
    # The first three come sooner (RFC 4861 §6.2.4).
    assert times(started(SLOW), 600.0) == [100.0, 116.0, 132.0, 148.0, 346.0, 544.0]


@pytest.mark.rfc("7.5-2", "30 and 70 ms")
@pytest.mark.rfc("7.5-3", "by configuration")
@pytest.mark.rfc("8.3-3", "the faster rate can be sent")
@pytest.mark.rfc("8.3-4", "the rate can be configured")
@pytest.mark.parametrize(("chance", "interval"), [(0, 0.03), (255, 0.07)])
def test_short_intervals(chance: int, interval: float) -> None:
    found = times(started(FAST, chance=chance), 100.5)
    expected = [round(100 + n * interval, 6) for n in range(len(found))]
    assert found == expected and len(found) > 7


@pytest.mark.parametrize(
    "changes",
    [
        {"interval_max": 0.069},
        {"interval_max": 1801},
        {"interval_min": 0.029},
        {"interval_min": 601},
        {"delay_min": 0.029},
        {"lifetime": 9001},
        {"lifetime": -1},
        {"valid_lifetime": 1},
    ],
)
def test_what_cannot_be_configured(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"interval|delay|lifetime"):
        replace(SLOW, **changes)  # type: ignore[arg-type]


@pytest.mark.rfc("7.5-6", "each interface has its own")
def test_each_link_has_its_own_intervals() -> None:
    role = started(FAST, replace(SLOW, link="eth2"))
    assert role.links == ("eth1", "eth2")
    assert [packet.link for packet in sent(role.tick(100.0))] == ["eth1", "eth2"]
    assert [packet.link for packet in sent(role.tick(100.03))] == ["eth1"]
    assert role.deadline == pytest.approx(100.06)


@pytest.mark.rfc("7.5-9", "only when solicited")
@pytest.mark.rfc("7.5-10", "unsolicited ones can be switched off")
def test_only_answers() -> None:
    role = started(replace(FAST, unsolicited=False))
    assert role.deadline is None
    assert role.tick(200.0) == []
    assert role.receive(solicitation(), 200.0) == []
    assert len(sent(role.tick(200.0))) == 1
    assert role.deadline is None


def test_a_solicitation_is_answered_soon() -> None:
    role = started(SLOW, chance=255)
    role.tick(100.0)
    role.receive(solicitation(), 110.0)
    assert role.deadline == 110.0 + MAX_RA_DELAY_TIME
    # Many have one answer.
    role.receive(solicitation(), 110.2)
    assert role.deadline == 110.0 + MAX_RA_DELAY_TIME
    assert len(sent(role.tick(110.5))) == 1
    # The interval begins anew.
    assert role.deadline == 110.5 + 16


def test_an_answer_keeps_the_distance_to_the_one_before() -> None:
    role = started(replace(SLOW, delay_min=5))
    role.tick(100.0)
    role.receive(solicitation(), 101.0)
    assert role.deadline == 105.0


def test_an_answer_does_not_put_off_what_is_due_anyway() -> None:
    role = started(FAST, chance=255)
    role.tick(100.0)
    due = role.deadline
    role.receive(solicitation(), 100.01)
    assert role.deadline == due


def test_intervals_shorter_than_the_distance_keep_the_distance() -> None:
    role = started(replace(FAST, delay_min=0.05))
    assert times(role, 100.12) == [100.0, 100.05, 100.1]


# Links come and go.


def test_a_link_without_a_link_local_address_is_no_place_to_send_from() -> None:
    role = router(FAST)
    role.link_up(replace(LINK, link_local=None), 100.0)
    assert role.deadline is None
    role.link_up(LINK, 101.0)
    assert role.deadline == 101.0
    other = replace(LINK, link_local=IPv6Address("fe80::77"))
    role.link_up(other, 101.5)
    [packet] = sent(role.tick(102.0))
    assert packet.source == other.link_local
    assert role.link_up(replace(LINK, link_local=None), 103.0) == []
    assert role.deadline is None


def test_a_link_that_is_down_is_silent() -> None:
    role = started(FAST)
    assert role.link_down("eth1", 100.0) == []
    assert role.link_down("eth1", 100.0) == []
    assert role.deadline is None and role.tick(200.0) == []


@pytest.mark.parametrize("link", ["eth2", "lo"])
def test_solicitations_elsewhere_are_not_for_us(link: str) -> None:
    role = started(FAST)
    [effect] = role.receive(solicitation(link), 100.0)
    assert isinstance(effect, Notify) and isinstance(effect.event, Dropped)
    assert effect.event.reason == "not_advertising"


def test_its_last_words_are_that_it_is_no_router_any_more() -> None:
    role = started(HOME)
    role.tick(100.0)
    [packet] = sent(role.stop(101.0))
    assert isinstance(packet.message, RouterAdvertisement)
    assert packet.message.router_lifetime == 0
    assert not packet.message.home_agent, "or it would be listed (10.5.1)"
    assert role.deadline is None


def test_in_a_node_it_hears_solicitations_and_wants_no_kernel_state() -> None:
    role = started(FAST)
    node = Node(router=role)
    assert node.deadline == 100.0
    octets = write(replace(solicitation(), source=IPv6Address("::")))
    assert node.receive(octets, 100.0, link="eth1") == []
    effects = node.receive(octets, 100.0, link="eth3")
    assert [e.event.reason for e in effects if isinstance(e, Notify)] == [  # type: ignore[union-attr]
        "not_advertising"
    ]
    assert node.installed == set()
    route = Route(destination=ADDRESS.network, link="eth1")
    assert role.failed(route, 100.0) == []
    assert len(sent(node.tick(100.0))) == 1
