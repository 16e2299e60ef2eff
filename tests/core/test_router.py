"""What may be advertised, and when it leaves (§7; RFC 4861 §6.2)."""

from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from typing import Any

import pytest

from mip6.core.effects import Notify, Send
from mip6.core.events import Dropped
from mip6.core.link import Link, interface_identifier, learn
from mip6.core.packet import Packet
from mip6.core.prefixes import HomePrefix
from mip6.core.router import Advertising, AdvertisingRouter
from mip6.wire.neighbor_discovery import (
    NeighborSolicitation,
    RouterAdvertisement,
    RouterSolicitation,
)
from mip6.wire.neighbor_options import HomeAgentInformation, PrefixInformation

LINK = Link("eth1", bytes.fromhex("020000000001"), IPv6Address("fe80::1"))
HOST = IPv6Address("fe80::9")
ALL_ROUTERS = IPv6Address("ff02::2")


def advertising(**more: Any) -> Advertising:
    address = IPv6Interface("2001:db8:a::1/64")
    return Advertising(link="eth1", addresses=(address,), **more)


@pytest.mark.parametrize(
    "more",
    [
        {"interval_max": 1800},
        {"interval_max": 5.0, "interval_min": 5.0},
        {"preferred_lifetime": 600, "valid_lifetime": 600},
        {"lifetime": 0},
        {"lifetime": 9000},
        {"home_agent": True, "home_agent_lifetime": 1},
        {"home_agent": True, "home_agent_lifetime": 0xFFFF},
        {"home_agent": True, "home_agent_preference": 0xFFFF},
    ],
)
def test_the_most_that_may_be_advertised(more: dict[str, Any]) -> None:
    made = advertising(**more)
    assert [getattr(made, name) for name in more] == list(more.values())


@pytest.mark.parametrize(
    "more",
    [
        {"interval_max": 1801},
        {"interval_max": 5.0, "interval_min": 5.5},
        {"preferred_lifetime": 601, "valid_lifetime": 600},
        {"lifetime": 9001},
        {"home_agent": True, "home_agent_lifetime": 0},
        {"home_agent": True, "home_agent_lifetime": 0x10000},
        {"home_agent": True, "lifetime": 0},
        {"home_agent": True, "home_agent_preference": 0x10000},
        {"home_agent_preference": -1},
    ],
)
def test_what_may_not_be_advertised(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"seconds|lifetime|preference"):
        advertising(**more)


def test_intervals() -> None:
    assert advertising(interval_max=20.0, interval_min=5.0).intervals == (5.0, 20.0)
    assert advertising(interval_max=100.0).intervals == (33.0, 100.0)


@pytest.mark.rfc("7.4", "who ceases is a home agent no longer")
def test_the_last_one_says_nothing_of_a_home_agent() -> None:
    made = advertising(home_agent=True, home_agent_preference=7)
    for ceasing, told in ((False, 1), (True, 0)):
        message = made.message(LINK, 0.0, ceasing=ceasing)
        options = [o for o in message.options if isinstance(o, HomeAgentInformation)]
        assert len(options) == told
        assert message.home_agent is not ceasing
        assert bool(message.router_lifetime) is not ceasing
        assert message.cur_hop_limit == 64


def router() -> AdvertisingRouter:
    made = AdvertisingRouter(
        [advertising(unsolicited=False)], random=lambda octets: bytes(octets)
    )
    assert made.link_up(LINK, 0.0) == []
    return made


def test_solicitations_are_answered_and_nothing_else() -> None:
    made = router()
    assert made.deadline is None
    packet = Packet(
        source=HOST,
        destination=ALL_ROUTERS,
        message=NeighborSolicitation(target_address=HOST),
        link="eth1",
        hop_limit=255,
    )
    (effect,) = made.receive(packet, 50.0)
    assert isinstance(effect, Notify) and isinstance(effect.event, Dropped)
    assert made.deadline is None
    packet = Packet(
        source=HOST,
        destination=ALL_ROUTERS,
        message=RouterSolicitation(),
        link="eth1",
        hop_limit=255,
    )
    assert made.receive(packet, 50.0) == []
    assert made.deadline == 50.0  # and not in the past, as chance would have it
    (effect,) = made.tick(50.0)
    assert isinstance(effect, Send)
    assert isinstance(effect.packet.message, RouterAdvertisement)
    assert made.deadline is None


@pytest.mark.parametrize("length", [5, 7, 9])
def test_link_layer_addresses_that_give_no_identifier(length: int) -> None:
    with pytest.raises(ValueError, match=str(length)):
        interface_identifier(bytes(length))


def test_interface_identifiers() -> None:
    six = interface_identifier(bytes.fromhex("020000000001"))
    assert six == bytes.fromhex("000000fffe000001")
    eight = interface_identifier(bytes.fromhex("0011223344556677"))
    assert eight == bytes.fromhex("0211223344556677")


@pytest.mark.parametrize(
    ("length", "flag", "autonomous"),
    [(64, True, True), (64, False, False), (48, True, False), (48, False, False)],
)
def test_addresses_are_formed_in_prefixes_of_sixty_four_bits(
    length: int, flag: bool, autonomous: bool
) -> None:
    """RFC 4862 §5.5.3 (a), (d)."""
    prefixes: dict[IPv6Network, Any] = {}
    option = PrefixInformation(
        prefix=IPv6Address("2001:db8:b::"),
        prefix_length=length,
        valid_lifetime=600,
        preferred_lifetime=300,
        on_link=True,
        autonomous_address_configuration=flag,
    )
    learn(prefixes, option, 10.0)
    [known] = prefixes.values()
    assert known.autonomous is autonomous
    assert (known.valid_until, known.preferred_until) == (610.0, 310.0)


HOME_PREFIX = IPv6Network("2001:db8:a::/64")


def lifetimes(made: Advertising, now: float) -> list[tuple[int, int]]:
    options = made.message(LINK, now).options
    told = [option for option in options if isinstance(option, PrefixInformation)]
    assert all(option.router_address for option in told)
    assert [option.prefix for option in told] == [a.ip for a in made.addresses]
    return [(option.valid_lifetime, option.preferred_lifetime) for option in told]


def test_the_home_agents_word_counts_for_the_prefixes_that_it_has_one_for() -> None:
    addresses = (
        IPv6Interface("2001:db8:a::1/64"),
        IPv6Interface("2001:db8:1a::1/64"),
    )
    home = HomePrefix(network=HOME_PREFIX, valid_until=100.0, preferred_lifetime=60)
    made = Advertising(
        link="eth1", addresses=addresses, home_agent=True, home_prefixes=(home,)
    )
    assert lifetimes(made, 10.0) == [(90, 60), (2_592_000, 604_800)]
    assert lifetimes(made, 60.0) == [(40, 40), (2_592_000, 604_800)]
    assert lifetimes(made, 100.0) == [(0, 0), (2_592_000, 604_800)]


def renumbering(*, unsolicited: bool = True) -> AdvertisingRouter:
    """One that has sent all its first ones, and the next one is far off."""
    home = advertising(home_agent=True, lifetime=1800, unsolicited=unsolicited)
    other = Advertising(link="eth2", addresses=(IPv6Interface("2001:db8:b::1/64"),))
    made = AdvertisingRouter([home, other], random=lambda n: b"\xff" * n)
    made.link_up(LINK, 0.0)
    now = 0.0
    for _ in range(4 * unsolicited):
        assert made.deadline is not None
        now = made.deadline
        made.tick(now)
    assert now == 48.0 * unsolicited
    return made


def test_what_is_new_of_the_home_prefixes_is_told_soon_and_three_times() -> None:
    made = renumbering()
    assert made.deadline == 648.0
    said = (HomePrefix(network=HOME_PREFIX, valid_lifetime=50),)
    made.renumber(said, 48.5)
    assert made.deadline == 51.0  # three seconds after the last one
    told = []
    for _ in range(4):
        assert made.deadline is not None
        told.append(made.deadline)
        (effect,) = made.tick(made.deadline)
        assert isinstance(effect, Send)
        message = effect.packet.message
        assert isinstance(message, RouterAdvertisement)
        [option] = [o for o in message.options if isinstance(o, PrefixInformation)]
        assert (option.valid_lifetime, option.preferred_lifetime) == (50, 50)
    assert told == [51.0, 67.0, 83.0, 99.0]
    assert made.deadline == 699.0
    made.renumber(said, 100.0)  # nothing new
    assert made.deadline == 699.0
    made.renumber((), 699.0)  # one is due anyway
    assert made.deadline == 699.0


def test_what_is_new_waits_where_nothing_is_sent_unasked_or_nobody_hears() -> None:
    made = renumbering(unsolicited=False)
    made.renumber((HomePrefix(network=HOME_PREFIX),), 50.0)
    assert made.deadline is None
    made = AdvertisingRouter([advertising(home_agent=True)], random=bytes)
    made.renumber((HomePrefix(network=HOME_PREFIX, valid_lifetime=9),), 50.0)
    assert made.deadline is None
    made.link_up(LINK, 60.0)
    made.renumber((), 61.0)  # before the first one
    assert made.deadline == 60.0


def test_who_is_no_home_agent_tells_its_own_prefixes() -> None:
    """Also where one of them is the home link's."""
    made = AdvertisingRouter([advertising(unsolicited=False)], random=bytes)
    made.link_up(LINK, 0.0)
    assert made.renumber((HomePrefix(network=HOME_PREFIX, valid_lifetime=9),), 1) == []
    [effect] = made.stop(2.0)
    assert isinstance(effect, Send)
    assert isinstance(effect.packet.message, RouterAdvertisement)
    [option] = [
        option
        for option in effect.packet.message.options
        if isinstance(option, PrefixInformation)
    ]
    assert option.valid_lifetime == 2_592_000
