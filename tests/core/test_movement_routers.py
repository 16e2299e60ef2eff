"""Routers that come and go, and how many are known (§11.5.1)."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from random import Random

import pytest
from tests.core.test_movement import (
    LINK_LOCAL,
    OTHER_ROUTER,
    ROUTER,
    B,
    C,
    address,
    hear,
    list_of,
    managed,
    prefix,
)

from mip6.core.link import PREFIXES_MAX, Link
from mip6.core.movement import (
    ROUTERS_MAX,
    SOLICITATION_MAX,
)
from mip6.core.packet import Packet
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import (
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
)

# Routers that come and go.


def test_router_says_goodbye() -> None:
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 1.0, prefix(), lifetime=0)
    assert link.attachment(1.0) is None


def test_router_expires_and_is_asked_for_again() -> None:
    link = managed()
    hear(link, 0.0, prefix(), lifetime=10)
    assert link.deadline == 10.0
    assert link.update(10.0), "solicits"
    assert link.attachment(10.0) is None


def test_preferred_router() -> None:
    """RFC 4191 §2.2, where there is a choice."""
    link = managed()
    hear(link, 0.0, prefix(), preference=-1)
    hear(link, 0.0, prefix(C), router=OTHER_ROUTER)
    at = link.attachment(0.0)
    assert at is not None
    assert at.router == ROUTER, "the one in use stays"
    hear(link, 1.0, lifetime=0)
    hear(link, 1.0, prefix(), preference=-1)
    at = link.attachment(1.0)
    assert at is not None
    assert at.router == OTHER_ROUTER


def test_another_router_with_the_same_address() -> None:
    """§11.5.1: fe80::1 everywhere.  The link-layer address tells them apart."""
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 1.0, prefix(C), octets=b"\x02\x00\x00\x00\x00\x0c")
    assert address(link, 1.0) in list_of(C)
    assert not link.knows(B)


def test_missing_advertisements() -> None:
    """§11.5.1: three intervals, then we ask, then it is out of favour."""
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 9.0, prefix(), interval_ms=100)
    assert link.deadline == pytest.approx(9.3)
    assert not link.update(9.29)
    assert link.update(9.31), "asks"
    at = link.attachment(9.31)
    assert at is not None
    assert not at.silent
    assert link.update(9.82), "asks again"
    link.update(10.32)
    at = link.attachment(10.32)
    assert at is not None
    assert at.silent, "but still better than nothing"
    hear(link, 15.0, prefix(C), router=OTHER_ROUTER)
    assert address(link, 15.0) in list_of(C)


def test_an_answer_in_time_is_no_movement() -> None:
    link = managed()
    hear(link, 0.0, prefix(), interval_ms=100)
    link.update(0.3)
    hear(link, 1.2, prefix(), interval_ms=100)
    link.update(1.3)
    at = link.attachment(1.3)
    assert at is not None
    assert not at.silent


def test_jitter_is_no_movement() -> None:
    """Advertisements late by up to two intervals, with a second router around."""
    random = Random(3)
    link = managed()
    now, asked = 0.0, 0
    for _ in range(500):
        hear(link, now, prefix(), interval_ms=100)
        hear(link, now, prefix(C), router=OTHER_ROUTER, interval_ms=100)
        end = now + random.uniform(0.03, 0.29)
        while link.deadline <= end:
            asked += link.update(link.deadline)
        now = end
        at = link.attachment(now)
        assert at is not None
        assert (at.router, at.silent) == (ROUTER, False)
    assert asked <= 2, "only when the second router was new"


def test_a_new_router_makes_us_ask_for_the_old_one() -> None:
    """Moved without the link going down: the old one does not answer."""
    link = managed()
    hear(link, 0.0, prefix())
    assert hear(link, 10.0, prefix(C), router=OTHER_ROUTER) == ""
    assert address(link, 10.0) in list_of(B)
    moments = []
    now = 10.0
    while now < 20.0 and address(link, now) in list_of(B):
        now = link.deadline
        moments.append(now)
        link.update(now)
    assert address(link, now) in list_of(C)
    assert now == pytest.approx(14.5), "it may have kept 3 s between advertisements"


def test_a_hint_asks() -> None:
    link = managed()
    hear(link, 0.0, prefix())
    link.hint(5.0)
    assert link.update(5.0)
    hear(link, 5.1, prefix())
    assert link.deadline == 1805.1


def test_hints_do_not_flood() -> None:
    link = managed()
    link.update(0.0)
    sent = 0
    for number in range(100):
        link.hint(1.0 + number / 100)
        sent += link.update(1.0 + number / 100)
    assert sent <= 3


# Limits.


def test_routers_max() -> None:
    link = managed()
    for number in range(ROUTERS_MAX):
        router = IPv6Address(f"fe80::{number + 1:x}")
        assert hear(link, 0.0, prefix(), router=router) == ""
    assert hear(link, 0.0, prefix(), router=IPv6Address("fe80::ffff")) == (
        "too_many_routers"
    )
    assert len(link.routers) == ROUTERS_MAX
    assert hear(link, 0.0, prefix(), router=IPv6Address("fe80::1")) == ""


def test_prefixes_max() -> None:
    link = managed()
    many = [
        prefix(IPv6Network(f"2001:db8:{number:x}::/64"))
        for number in range(0x100, 0x100 + PREFIXES_MAX + 1)
    ]
    hear(link, 0.0, *many)
    [router] = link.routers.values()
    assert len(router.prefixes) == PREFIXES_MAX
    assert not link.knows(many[-1].network)


def test_from_one_silent_router_to_another() -> None:
    """Nobody answers: there is no hurry to ask again."""
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 1.0, prefix(C), router=OTHER_ROUTER)
    for router in list(link.routers):
        link.routers[router] = replace(link.routers[router], silent=True)
    link.attachment(1.0)
    del link.routers[ROUTER]
    assert address(link, 2.0) in list_of(C)
    assert link.deadline == 1.0 + SOLICITATION_MAX


@pytest.mark.parametrize("length", [6, 14])
def test_link_layer_addresses_that_fill_an_option(length: int) -> None:
    """The option is a multiple of 8 octets with its type and length."""
    octets = bytes(range(1, length + 1))
    link = managed(Link("eth0", octets, LINK_LOCAL))
    [option] = link.solicitation().message.options  # type: ignore[union-attr]
    assert option == SourceLinkLayerAddress(octets)
    for packet in link.announcements(IPv6Address("2001:db8:a::100")):
        [option] = packet.message.options  # type: ignore[union-attr]
        assert option == TargetLinkLayerAddress(octets)


def test_goodbye_of_a_stranger_is_no_news() -> None:
    """The router in use need not prove that it is still there."""
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 10.0, router=OTHER_ROUTER, lifetime=0)
    assert OTHER_ROUTER not in link.routers
    assert not link.update(10.0)
    assert not link.update(20.0)


def test_the_shortest_router_lifetime() -> None:
    """Only 0 is no default router (RFC 4861 §4.2)."""
    link = managed()
    hear(link, 0.0, prefix(), lifetime=1)
    assert link.attachment(0.9) is not None


def test_addresses_of_a_router_are_limited() -> None:
    link = managed()
    ours = [
        prefix(router_address=IPv6Address(f"2001:db8:b::{number + 1:x}"))
        for number in range(PREFIXES_MAX + 5)
    ]
    hear(link, 0.0, *ours)
    assert len(link.routers[ROUTER].addresses) == PREFIXES_MAX


@pytest.mark.parametrize(("first", "second"), [(-1, 0), (0, 1)])
def test_preference_goes_before_who_was_heard_first(first: int, second: int) -> None:
    """RFC 4191 §2.1: low, medium, high."""
    link = managed()
    for router, network, preference in ((ROUTER, B, first), (OTHER_ROUTER, C, second)):
        option = SourceLinkLayerAddress(bytes((2, 0, 0, 0, 0, router.packed[15])))
        message = RouterAdvertisement(
            router_lifetime=1800,
            default_router_preference=preference,
            options=(prefix(network), option),
        )
        packet = Packet(
            source=router, destination=IPv6Address("ff02::1"), message=message
        )
        link.heard(packet, message, 0.0)
    at = link.attachment(0.0)
    assert at is not None
    assert at.router == OTHER_ROUTER


def test_another_router_ends_the_questions_about_the_last_one() -> None:
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 1.0, prefix(C), router=OTHER_ROUTER)
    assert link.update(1.5), "has the first one gone?"
    hear(link, 1.6, router=ROUTER, lifetime=0)
    at = link.attachment(1.6)
    assert at is not None
    assert at.router == OTHER_ROUTER
    assert not link.update(30.0), "somebody answers: that is enough"


def test_asking_again_gives_no_more_time() -> None:
    """Hints do not keep a router alive that does not answer."""
    link = managed()
    hear(link, 0.0, prefix())
    for now in (10.0, 11.0, 12.0, 13.0, 14.0):
        link.hint(now)
        link.update(now)
        assert not link.routers[ROUTER].silent
    link.update(14.5)
    assert link.routers[ROUTER].silent, "4.5 s after the first question"
