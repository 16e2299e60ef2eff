"""A link that others configure, alone: what it is taken for, and what is trusted."""

from ipaddress import IPv6Address
from math import inf
from random import Random

from tests.core.test_adopted import AT_B, AT_C
from tests.core.test_movement import (
    HOME_AGENT,
    HOME_PREFIX,
    LINK,
    OTHER_ROUTER,
    ROUTER,
    B,
    C,
    hear,
    prefix,
)

from mip6.core.adopted import DOUBTS, UNHEARD_TIME, Adopted, AdoptedLink
from mip6.core.link import Attachment

ALSO_AT_B = Adopted(address=IPv6Address("2001:db8:b::6"), prefix_length=64)


def adopted(now: float = 0.0) -> AdoptedLink:
    link = AdoptedLink(LINK, HOME_PREFIX, HOME_AGENT, Random(1).randbytes, now)
    link.update(now)
    return link


def attached(link: AdoptedLink, now: float = 0.0) -> Attachment:
    attachment = link.attachment(now)
    assert attachment is not None
    return attachment


def test_what_it_is_taken_for() -> None:
    """Addresses and routes are not ours: nothing is looked up or checked again."""
    link = adopted()
    link.configured((AT_B,), (ROUTER,))
    assert attached(link) == Attachment(
        link="eth0",
        router=ROUTER,
        router_link_layer_address=None,
        home_agent_here=False,
        prefix=B,
        care_of_address=AT_B.address,
        silent=False,
        valid_until=inf,
        adopted=True,
        unique=True,
        usable=False,
    )
    assert attached(link, DOUBTS - 0.01).usable is False
    assert attached(link, DOUBTS).usable is True


def test_nothing_is_sent_or_given_up() -> None:
    link = adopted()
    assert link.update(0.0) is False
    assert link.checked(AT_B.address, False) is False
    assert link.lost(ROUTER, 0.0) is False
    assert (link.probes(), link.places()) == ([], [])


def test_the_first_of_equal_addresses_until_one_is_in_use() -> None:
    link = adopted()
    link.configured((AT_B, ALSO_AT_B), (ROUTER,))
    assert attached(link).care_of_address == AT_B.address
    link.configured((ALSO_AT_B, AT_B), (ROUTER,))
    assert attached(link).care_of_address == AT_B.address
    # Nothing for a moment is no reason to be another.
    link.configured((), (ROUTER,))
    assert link.attachment(0.0) is None
    link.configured((ALSO_AT_B, AT_B), (ROUTER,))
    assert attached(link).care_of_address == AT_B.address


def test_the_router_that_was_heard_or_the_best() -> None:
    link = adopted()
    link.configured((AT_B,), (ROUTER, OTHER_ROUTER))
    assert attached(link).router == ROUTER
    hear(link, 0.0, prefix(C), router=OTHER_ROUTER)
    assert attached(link).router == OTHER_ROUTER
    hear(link, 0.0, prefix(B))
    assert attached(link).router == ROUTER


def test_a_prefix_that_is_heard_goes_before_one_that_is_left() -> None:
    link = adopted()
    link.configured((AT_B, AT_C), (ROUTER,))
    assert attached(link).care_of_address == AT_B.address
    hear(link, 0.1, prefix(C))
    at_c = attached(link, 0.1)
    assert (at_c.care_of_address, at_c.usable) == (AT_C.address, True)


def test_a_router_that_leads_nowhere_until_it_is_answered_by() -> None:
    link = adopted()
    link.configured((AT_B,), (ROUTER,))
    assert not link.distrusts(ROUTER, 1.0)
    link.reached(ROUTER, 1.0, answered=False)
    assert link.distrusts(ROUTER, 1.0)
    assert attached(link, 1.0).distrusted_at == 1.0
    link.reached(ROUTER, 2.0, answered=True)
    assert not link.distrusts(ROUTER, 2.0)


def test_deserted() -> None:
    """Nobody has configured it, though there was time to."""
    link = AdoptedLink(LINK, HOME_PREFIX, HOME_AGENT, Random(1).randbytes, 5.0)
    assert link.deadline == inf
    assert not link.deserted(1e6), "it has not begun"
    link.update(10.0)
    assert link.deadline == 10 + DOUBTS
    link.update(11.0)
    assert not link.deserted(10 + UNHEARD_TIME - 0.01)
    assert link.deserted(10 + UNHEARD_TIME)
    link.configured((), (ROUTER,))
    assert not link.deserted(10 + UNHEARD_TIME)
