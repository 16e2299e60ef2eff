"""The list of the home link's prefixes by itself (§10.6.1)."""

from ipaddress import IPv6Address, IPv6Network
from math import inf
from typing import Any

import pytest
from tests.support.core import HOME_ADDRESS

from mip6.core.prefix_delivery import PrefixDelivery
from mip6.core.prefixes import PREFIXES_MAX, HomePrefix, HomePrefixes
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import INFINITE_LIFETIME, PrefixInformation

OWN = IPv6Network("2001:db8:a::/64")
HEARD = IPv6Network("2001:db8:1a::/64")


def prefix(network: IPv6Network = OWN, **more: Any) -> HomePrefix:
    return HomePrefix(network=network, **more)


def advertisement(*networks: IPv6Network, lifetime: int = 100) -> RouterAdvertisement:
    return RouterAdvertisement(
        router_lifetime=1800,
        options=tuple(
            PrefixInformation(
                prefix=network.network_address,
                prefix_length=64,
                valid_lifetime=lifetime,
                preferred_lifetime=lifetime,
                on_link=True,
            )
            for network in networks
        ),
    )


@pytest.mark.parametrize(
    ("more", "ends"),
    [
        ({}, False),
        ({"valid_lifetime": 5.0}, True),
        ({"preferred_lifetime": 5.0}, True),
        ({"valid_until": 5.0}, True),
        ({"preferred_until": 5.0}, True),
    ],
)
def test_whether_any_lifetime_ends(more: dict[str, float], ends: bool) -> None:
    assert prefix(**more).ends is ends


def test_nothing_is_left_of_what_is_over() -> None:
    over = prefix(valid_until=100.0, preferred_until=90.0)
    assert (over.valid(89.75), over.preferred(89.75)) == (10.25, 0.25)
    assert (over.valid(90.5), over.preferred(90.5)) == (9.5, 0.0)
    assert (over.valid(99.75), over.preferred(99.75)) == (0.25, 0.0)
    assert (over.valid(100.5), over.preferred(100.5)) == (0.0, 0.0)
    assert prefix(valid_until=100.0).preferred(99.0) == 1.0


def test_the_next_end_is_known() -> None:
    prefixes = HomePrefixes([prefix()])
    assert prefixes.deadline is None
    prefixes.restore([prefix(HEARD, valid_until=200.0)], 0.0)
    assert prefixes.deadline == 200.0
    assert prefixes.heard(advertisement(HEARD), 50.0) is False
    assert prefixes.deadline == 150.0
    assert prefixes.expire(150.0) == [HEARD]
    assert prefixes.deadline is None


def test_nobody_else_says_how_long_ours_last() -> None:
    prefixes = HomePrefixes([prefix()])
    assert prefixes.heard(advertisement(OWN), 0.0) is False
    assert prefixes.heard_from_others == ()
    assert prefixes.find(IPv6Address("2001:db8:a::1")) == prefix()
    assert prefixes.find(IPv6Address("2001:db8:1a::1")) is None


def options(prefixes: HomePrefixes, now: float = 0.0) -> dict[IPv6Network, int]:
    """The valid lifetimes that are told, seconds."""
    router = IPv6Address("2001:db8:a::1")
    listed = prefixes.options(now, router)
    assert all(o.preferred_lifetime <= o.valid_lifetime for o in listed)
    return {option.network: option.valid_lifetime for option in listed}


@pytest.mark.rfc("10.6.2-1", "that a lifetime is over now is told, too")
@pytest.mark.parametrize("removed", [True, False], ids=["by hand", "by time"])
def test_what_was_ours_is_told_to_be_over(removed: bool) -> None:
    prefixes = HomePrefixes([prefix(), prefix(HEARD, valid_until=100.0)])
    if removed:
        assert prefixes.change([prefix()])
    else:
        assert prefixes.expire(100.0) == [HEARD]
    assert options(prefixes, 100.0) == {OWN: INFINITE_LIFETIME, HEARD: 0}
    # By nobody else does it last longer, neither heard now nor before a restart.
    assert prefixes.heard(advertisement(HEARD), 101.0) is False
    assert prefixes.heard_from_others == ()
    assert options(prefixes, 101.0)[HEARD] == 0
    # But by the configuration.
    assert prefixes.change([prefix(), prefix(HEARD)])
    assert options(prefixes, 102.0)[HEARD] == INFINITE_LIFETIME
    assert len(options(prefixes)) == 2


def test_what_others_had_is_not_told_any_more() -> None:
    prefixes = HomePrefixes([prefix()])
    prefixes.heard(advertisement(HEARD), 0.0)
    assert set(options(prefixes)) == {OWN, HEARD}
    prefixes.heard(advertisement(HEARD, lifetime=0), 1.0)
    assert set(options(prefixes)) == {OWN}


def test_what_was_ours_has_a_limit() -> None:
    prefixes = HomePrefixes([prefix()])
    networks = [
        IPv6Network((n << 64, 64)) for n in range(0x2001 << 48, (0x2001 << 48) + 40)
    ]
    for network in networks:
        prefixes.change([prefix(), prefix(network)])
    prefixes.change([prefix()])
    # The first are forgotten, so that others may be believed about them.
    assert set(options(prefixes)) == {OWN, *networks[8 : 8 + PREFIXES_MAX - 1]}
    assert prefixes.heard(advertisement(networks[7]), 0.0) is True
    assert prefixes.heard(advertisement(networks[8]), 0.0) is False
    # One that ends once more is one of the latest.
    prefixes.change([prefix(), prefix(networks[8])])
    prefixes.change([prefix(), prefix(networks[0])])
    prefixes.change([prefix()])
    assert prefixes.heard(advertisement(networks[9]), 0.0) is True
    assert prefixes.heard(advertisement(networks[8]), 0.0) is False


def test_those_of_others_have_a_limit() -> None:
    prefixes = HomePrefixes([prefix()])
    networks = [
        IPv6Network((n << 64, 64)) for n in range(0x2001 << 48, (0x2001 << 48) + 40)
    ]
    assert prefixes.heard(advertisement(*networks), 0.0) is True
    assert len(prefixes.heard_from_others) == PREFIXES_MAX - 1
    assert prefixes.heard(advertisement(networks[-1]), 0.0) is False
    assert len(list(prefixes)) == PREFIXES_MAX
    # One goes, another comes.
    assert prefixes.heard(advertisement(networks[0], lifetime=0), 0.0) is True
    assert prefixes.heard(advertisement(networks[-1]), 0.0) is True


def test_identifiers_of_advertisements_have_sixteen_bits() -> None:
    delivery = PrefixDelivery(lambda octets: b"\xff" * octets, 1.0, 1.0)
    delivery.schedule(HOME_ADDRESS, inf, 0.0)
    assert delivery.due(1.0) == [(HOME_ADDRESS, 0xFFFF)]


@pytest.mark.rfc("6.8-10", "an answer that is put off goes when its second is over")
def test_what_is_new_does_not_put_an_answer_off_any_longer() -> None:
    """It has what is new in it."""
    delivery = PrefixDelivery(bytes, 5.0, 5.0)
    delivery.ask(HOME_ADDRESS, 7, 10.0)
    assert delivery.due(10.0) == [(HOME_ADDRESS, 7)]
    delivery.ask(HOME_ADDRESS, 8, 10.5)
    assert delivery.due(10.5) == []
    delivery.schedule(HOME_ADDRESS, inf, 10.6)
    assert delivery.due(11.0) == [(HOME_ADDRESS, 8)]
    assert (len(delivery), delivery.deadline) == (0, None)


@pytest.mark.parametrize("asked", [True, False])
def test_nothing_is_kept_of_who_has_no_binding(asked: bool) -> None:
    delivery = PrefixDelivery(bytes, 5.0, 5.0)
    if asked:
        delivery.ask(HOME_ADDRESS, 7, 10.0)
    else:
        delivery.schedule(HOME_ADDRESS, inf, 10.0)
    assert len(delivery) == 1
    delivery.end(HOME_ADDRESS)
    assert (len(delivery), delivery.deadline) == (0, None)
