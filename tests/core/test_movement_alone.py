"""One link by itself: who is remembered there, who is asked, and who has to go
(§11.5.1, §11.5.2; RFC 6059)."""

from ipaddress import IPv6Address

import pytest
from tests.core.test_movement import (
    HOME_AGENT,
    HOME_PREFIX,
    LINK,
    LINK_LOCAL,
    OTHER_ROUTER,
    ROUTER,
    B,
    C,
    hear,
    managed,
    prefix,
    solicited,
)

from mip6.core.link import Attachment, Link
from mip6.core.memory import Place
from mip6.core.movement import (
    ANSWER_TIME_SLOW,
    ROUTERS_MAX,
    SOLICITATION_MAX,
    UNHEARD,
    ManagedLink,
)
from mip6.core.packet import Packet
from mip6.wire.neighbor_discovery import NeighborAdvertisement

ROUTER_OCTETS = b"\x02\x00\x00\x00\x00\x0b"
IDENTIFIER = bytes(range(8))
FORMED = IPv6Address(B.network_address.packed[:8] + IDENTIFIER)


def attached(link: ManagedLink, now: float) -> Attachment:
    found = link.attachment(now)
    assert found is not None
    return found


def questions(link: ManagedLink, now: float, until: float) -> list[float]:
    """When solicitations leave from now on, called at its own deadlines."""
    moments = []
    while now <= until:
        if link.update(now):
            moments.append(round(now, 6))
        link.attachment(now)
        now = link.deadline
    return moments


def silent() -> ManagedLink:
    """Its only router does not answer, and is asked again at 25.5 s."""
    link = managed()
    hear(link, 0.0, prefix())
    link.hint(10.0)
    assert questions(link, 10.0, 24.0) == [10.0, 10.5, 11.5, 13.5, 17.5]
    assert link.routers[ROUTER].silent
    return link


# Places that were seen before (RFC 6059).


def known(*, proven: bool = True, link: Link = LINK) -> Place:
    """The router, as it once advertised itself."""
    before = managed(link)
    hear(before, 0.0, prefix())
    router = before.routers[ROUTER]
    return Place(router, IDENTIFIER, frozenset({FORMED}), proven)


def back_at(place: Place) -> ManagedLink:
    """Its router has answered at 100 s."""
    link = ManagedLink(LINK, HOME_PREFIX, HOME_AGENT, bytes, 100.0, remembered=(place,))
    assert link.update(100.0)
    message = NeighborAdvertisement(target_address=ROUTER, solicited=True)
    packet = Packet(source=ROUTER, destination=LINK_LOCAL, message=message)
    assert link.confirmed(packet, message)
    return link


@pytest.mark.parametrize("proven", [False, True])
def test_all_is_as_it_was_at_a_place_seen_before(proven: bool) -> None:
    """The address, what is known of it, and whether the home agent was reached."""
    link = back_at(known(proven=proven))
    at = attached(link, 100.0)
    assert (at.care_of_address, at.unique) == (FORMED, True)
    [place] = link.places()
    assert (place.identifier, place.unique) == (IDENTIFIER, {FORMED})
    assert place.proven is proven


def test_a_router_that_was_found_again_is_asked_until_it_advertises() -> None:
    link = back_at(known())
    attached(link, 100.0)
    assert questions(link, 100.5, 102.0) == [100.5, 101.5]
    hear(link, 102.0, prefix())
    assert questions(link, 102.0, 200.0) == []


def test_what_is_worth_remembering() -> None:
    """The router in use, and those by which the home agent was reached."""
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 0.0, prefix(C), router=OTHER_ROUTER)
    third = IPv6Address("fe80::d")
    hear(link, 0.0, prefix(C), router=third)
    assert attached(link, 0.0).router == ROUTER
    assert [place.router.address for place in link.places()] == [ROUTER]
    link.reached(third, 0.0, answered=True)
    places = [(place.router.address, place.proven) for place in link.places()]
    assert places == [(ROUTER, False), (third, True)]


def test_who_cannot_be_asked_alone_is_not_remembered() -> None:
    """A question goes in a frame to the router's link-layer address."""
    link = managed()
    hear(link, 0.0, prefix(), octets=None)
    assert attached(link, 0.0).router == ROUTER
    assert link.places() == []


# Who is asked, and how long one waits.


def test_a_hint_before_anything_else() -> None:
    link = managed()
    link.hint(0.0)
    assert solicited(link, 2.0) == [0.0, 0.5, 1.5]


def test_only_the_loss_of_the_router_in_use_counts() -> None:
    """RFC 4861 §7.3.3: a next hop that is gone is reason to look for another."""
    link = managed()
    assert link.lost(ROUTER, 0.0) is False, "none is in use"
    hear(link, 0.0, prefix())
    assert link.lost(OTHER_ROUTER, 10.0) is False
    assert questions(link, 10.0, 20.0) == []
    assert link.lost(ROUTER, 20.0) is True
    assert questions(link, 20.0, 21.0) == [20.0, 20.5]
    link = silent()
    assert link.lost(ROUTER, 24.0) is False, "that is known"
    assert questions(link, 24.0, 26.0) == [25.5]


def test_questions_back_off_also_while_an_answer_is_awaited() -> None:
    """Advertisements are overdue at 9.3 s, and its time is over one second later."""
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 9.0, prefix(), interval_ms=100)
    assert questions(link, 9.0, 20.0) == [9.3, 9.8, 10.8, 12.8, 16.8]


def test_questions_begin_anew_with_each_hint() -> None:
    link = managed()
    hear(link, 0.0, prefix())
    link.hint(5.0)
    assert questions(link, 5.0, 8.0) == [5.0, 5.5, 6.5]
    link.hint(8.0)
    assert questions(link, 8.0, 10.0) == [8.0, 8.5, 9.5]


def test_who_has_gone_is_not_waited_for() -> None:
    link = managed()
    hear(link, 0.0, prefix(), lifetime=11)
    link.hint(10.0)
    assert questions(link, 10.0, 13.6) == [10.0, 10.5, 11.5, 13.5]
    assert link.deadline == 17.5 > 10.0 + ANSWER_TIME_SLOW


def test_who_is_silent_is_not_waited_for() -> None:
    link = silent()
    link.hint(30.0)
    assert questions(link, 30.0, 33.5) == [30.0, 30.5, 31.5, 33.5]
    assert link.deadline == 37.5 > 30.0 + ANSWER_TIME_SLOW


def test_nobody_answers_is_told_once() -> None:
    """At the last of the first questions, and only while there is no router."""
    link = managed()
    told = []
    now = 0.0
    for _ in range(UNHEARD + 2):
        link.update(now)
        told += [at for at in (now, now + 0.1) if link.unheard(at)]
        assert link.deserted(now) is (now >= 3.5)
        now = link.deadline
    assert told == [3.5]
    assert UNHEARD == 4
    link = managed()
    hear(link, 0.0, prefix())
    link.hint(10.0)
    for now in (10.0, 10.5, 11.5, 13.5):
        assert link.update(now)
        assert not link.unheard(now)
        assert not link.deserted(now)


def test_a_link_that_stays_silent_is_asked_for_ever() -> None:
    """Nine hours and more of it: the interval ends at 32 s, and so do its terms."""
    link = managed()
    now = 0.0
    for _ in range(1100):
        assert link.update(now)
        now, before = link.deadline, now
    assert now - before == SOLICITATION_MAX == 32.0


# Which way is taken.


def test_the_router_in_use_stays_though_another_is_preferred() -> None:
    """§11.5.1: while it answers; also when both advertise one prefix."""
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 0.0, prefix(), router=OTHER_ROUTER, preference=1)
    assert attached(link, 0.0).router == ROUTER


def test_a_deprecated_prefix_means_home_all_the_same() -> None:
    """§11.5.2: the home link is where it is advertised."""
    link = managed()
    hear(link, 0.0, prefix(HOME_PREFIX, preferred=0))
    assert attached(link, 0.0).at_home


def test_a_deprecated_prefix_is_not_taken_from_another_router() -> None:
    """RFC 4862 §5.5.4: its addresses are for what has begun."""
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 0.0, prefix(preferred=0), router=OTHER_ROUTER)
    hear(link, 1.0, lifetime=0)
    assert link.attachment(1.0) is None


def test_another_prefix_that_is_deprecated_is_not_taken() -> None:
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 1.0, prefix(valid=0, preferred=0), prefix(C, preferred=0))
    assert link.attachment(1.0) is None


def test_a_deprecated_prefix_is_not_taken_again_once_it_was_left() -> None:
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 1.0, lifetime=0)
    hear(link, 2.0, prefix(preferred=0))
    assert link.attachment(2.0) is None


def test_where_the_home_agent_is_the_router() -> None:
    """§11.5.5: at home, by a link-layer address that is known, and no other's."""
    other = prefix(HOME_PREFIX, router_address=HOME_PREFIX[7])
    for option, octets, is_here in (
        (prefix(HOME_PREFIX), ROUTER_OCTETS, True),
        (prefix(HOME_PREFIX), None, False),
        (prefix(B), ROUTER_OCTETS, False),
        (other, ROUTER_OCTETS, False),
    ):
        link = managed()
        hear(link, 0.0, option, octets=octets, home_agent=True)
        at = attached(link, 0.0)
        assert at.home_agent_here is is_here
        assert at.usable is (at.at_home or octets is not None)


# What routers say.


def test_an_advertisement_may_leave_the_link_layer_address_out() -> None:
    """RFC 4861 §6.3.4: what was said before holds."""
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 1.0, prefix(), octets=None)
    assert attached(link, 1.0).router_link_layer_address == ROUTER_OCTETS


def test_who_makes_room_for_a_router_that_leads_home() -> None:
    """One by which the home agent was not reached yet."""
    link = managed()
    hear(link, 0.0, prefix())
    link.reached(ROUTER, 0.0, answered=True)
    hear(link, 1.0, lifetime=0)
    others = [IPv6Address(f"fe80::1:{number:x}") for number in range(ROUTERS_MAX)]
    for router in others:
        hear(link, 1.0, prefix(C), router=router)
    link.reached(others[0], 1.0, answered=True)
    assert hear(link, 2.0, prefix()) == ""
    assert set(link.routers) == {ROUTER, others[0], *others[2:]}
