"""The correspondent's Binding Cache: its limit, what goes first, what is asked for."""

from ipaddress import IPv6Address
from typing import Any

import pytest
from tests.support.correspondents import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
    OTHER_CORRESPONDENT,
    OTHER_HOME_ADDRESS,
)

from mip6.core.correspondent_cache import (
    EXPIRED_MAX,
    UNREACHABLE_GAP_MAX,
    UNREACHABLE_MIN,
    CorrespondentBinding,
    CorrespondentCache,
    Due,
)
from mip6.core.nonces import ends_of

ENDS = ends_of(CORRESPONDENT, HOME_ADDRESS)


def binding(**changes: Any) -> CorrespondentBinding:
    arguments: dict[str, Any] = {
        "correspondent": CORRESPONDENT,
        "home_address": HOME_ADDRESS,
        "care_of_address": CARE_OF_ADDRESS,
        "sequence_number": 1,
        "lifetime": 60,
        "expires": 60.0,
    }
    return CorrespondentBinding(**{**arguments, **changes})


OTHER = binding(home_address=OTHER_HOME_ADDRESS)


def asked(cache: CorrespondentCache, now: float) -> int:
    """How many requests are due, when nothing else is."""
    found = cache.due(now)
    assert all(due is Due.REFRESH for due, _ in found)
    return len(found)


def test_limit() -> None:
    with pytest.raises(ValueError, match="allows no binding"):
        CorrespondentCache(0)
    cache = CorrespondentCache(1)
    assert not cache.full
    assert cache.find(ENDS) is None
    cache.put(binding(), 0.0)
    assert cache.find(ENDS) == binding()
    assert cache.full
    cache.put(binding(sequence_number=2), 0.0)
    assert [b.sequence_number for b in cache] == [2]
    with pytest.raises(AssertionError):
        cache.put(OTHER, 0.0)


def test_bindings_of_one_home_address() -> None:
    cache = CorrespondentCache(3)
    second = binding(correspondent=OTHER_CORRESPONDENT)
    assert cache.of(HOME_ADDRESS) == []
    for one in (binding(), second, OTHER):
        cache.put(one, 0.0)
    assert cache.of(HOME_ADDRESS) == [binding(), second]
    cache.drop(ENDS)
    assert cache.of(HOME_ADDRESS) == [second]
    cache.drop(second.ends)
    assert cache.of(HOME_ADDRESS) == []
    assert len(cache) == 1


def test_the_least_recently_used_goes_if_it_is_out_of_use() -> None:
    cache = CorrespondentCache(2)
    cache.put(binding(), 0.0)
    cache.put(OTHER, 10.0)
    assert cache.idle(29.9) is None
    assert cache.idle(30.0) == binding()
    cache.talked(ENDS, 20.0)
    assert cache.idle(39.9) is None
    assert cache.idle(40.0) == OTHER
    cache.put(OTHER, 45.0)
    assert cache.idle(60.0) == binding()
    cache.drop(ENDS)
    assert cache.idle(74.9) is None
    assert cache.idle(75.0) == OTHER


def test_nothing_is_asked_for_without_traffic() -> None:
    cache = CorrespondentCache(1)
    cache.put(binding(), 0.0)
    assert cache.deadline == 45.0
    assert cache.due(45.0) == []
    assert cache.deadline == 60.0
    assert cache.due(60.0) == [(Due.END, binding())]


@pytest.mark.parametrize(
    ("lifetime", "at"), [(4, 3.0), (60, 45.0), (120, 90.0), (420, 390.0), (0, 30.0)]
)
def test_when_a_refresh_is_asked_for(lifetime: int, at: float) -> None:
    """Of a binding found at the start nobody knows what it was granted."""
    cache = CorrespondentCache(1)
    cache.put(binding(lifetime=lifetime, expires=lifetime or 60.0), 0.0)
    assert cache.deadline == at
    cache.talked(ENDS, at - 1)
    assert asked(cache, at - 0.1) == 0
    assert asked(cache, at) == 1


def test_requests_are_repeated_and_end() -> None:
    cache = CorrespondentCache(1)
    cache.put(binding(), 0.0)
    cache.talked(ENDS, 40.0)
    for at, next_at in ((45.0, 47.0), (47.0, 51.0), (51.0, 59.0)):
        assert cache.deadline == at
        assert asked(cache, at) == 1
        assert cache.deadline == next_at
    assert asked(cache, 59.0) == 0
    cache.talked(ENDS, 59.5)
    assert cache.deadline == 60.0


def test_traffic_that_ended_is_no_reason() -> None:
    cache = CorrespondentCache(1)
    cache.put(binding(), 0.0)
    cache.talked(ENDS, 15.0)
    assert asked(cache, 45.0) == 0


def test_the_end_of_a_binding_is_no_time_to_ask() -> None:
    cache = CorrespondentCache(1)
    cache.put(binding(), 0.0)
    assert asked(cache, 45.0) == 0
    cache.talked(ENDS, 45.0)
    assert cache.deadline == 45.0
    assert cache.due(60.0) == [(Due.END, binding())]
    cache.drop(ENDS)
    assert cache.deadline is None


def test_who_is_gone_is_asked_nothing() -> None:
    cache = CorrespondentCache(1)
    cache.put(binding(), 0.0)
    cache.drop(ENDS)
    assert cache.deadline is None
    assert cache.due(60.0) == []


def test_traffic_that_begins_late() -> None:
    cache = CorrespondentCache(1)
    cache.put(binding(), 0.0)
    assert asked(cache, 45.0) == 0
    cache.talked(ENDS, 50.0)
    assert cache.deadline == 50.0
    assert asked(cache, 50.0) == 1
    cache.talked(ends_of(CORRESPONDENT, OTHER_HOME_ADDRESS), 50.0)
    assert cache.deadline == 52.0


def test_an_update_ends_the_requests() -> None:
    cache = CorrespondentCache(1)
    cache.put(binding(), 0.0)
    cache.updated(ENDS)
    cache.updated(OTHER.ends)
    assert cache.deadline == 45.0
    cache.talked(ENDS, 40.0)
    assert asked(cache, 45.0) == 1
    cache.updated(ENDS)
    assert cache.deadline == 60.0
    cache.talked(ENDS, 46.0)
    assert cache.deadline == 60.0
    # An accepted one is a new beginning.
    cache.put(binding(expires=106.0), 46.0)
    assert cache.deadline == 91.0
    cache.talked(ENDS, 90.0)
    assert asked(cache, 91.0) == 1


def test_persistently_unreachable() -> None:
    cache = CorrespondentCache(1)
    cache.put(binding(), 0.0)
    assert [cache.unreachable(ENDS, now) for now in (0.0, 1.0, 2.0, 3.0, 9.9)] == [
        False
    ] * 5
    assert cache.unreachable(ENDS, 10.0)


def test_many_errors_in_a_short_time_are_not_persistent() -> None:
    cache = CorrespondentCache(1)
    cache.put(binding(lifetime=420, expires=420.0), 0.0)
    # Counted from the first one, not from the binding's beginning.
    for n in range(20):
        assert not cache.unreachable(ENDS, 9.0 + n / 4)
    assert cache.unreachable(ENDS, 19.0)


def test_errors_may_be_as_far_apart_as_that() -> None:
    cache = CorrespondentCache(1)
    cache.put(binding(lifetime=420, expires=420.0), 0.0)
    times = [UNREACHABLE_GAP_MAX * n for n in range(UNREACHABLE_MIN)]
    told = [cache.unreachable(ENDS, now) for now in times]
    assert told == [False] * (UNREACHABLE_MIN - 1) + [True]


def test_a_few_errors_are_not_persistent() -> None:
    cache = CorrespondentCache(1)
    cache.put(binding(), 0.0)
    for now in (0.0, 20.0, 40.0):
        assert not cache.unreachable(ENDS, now)
    # A long silence, or a Binding Update, and it begins anew.
    for now in (71.0, 75.0, 80.0):
        assert not cache.unreachable(ENDS, now)
    cache.put(binding(expires=140.0), 81.0)
    for now in (82.0, 90.0, 95.0):
        assert not cache.unreachable(ENDS, now)
    assert cache.unreachable(ENDS, 96.0)


def test_who_may_send_for_a_home_address() -> None:
    moved = binding(previous=NEXT_CARE_OF_ADDRESS, previous_until=2.0)
    assert moved.is_at(CARE_OF_ADDRESS, 5.0)
    assert moved.is_at(NEXT_CARE_OF_ADDRESS, 1.9)
    assert not moved.is_at(NEXT_CARE_OF_ADDRESS, 2.0)
    assert not moved.is_at(HOME_ADDRESS, 1.0)
    assert not moved.home_registration


def test_many_end_in_more_than_one_go() -> None:
    cache = CorrespondentCache(EXPIRED_MAX + 1)
    for n in range(EXPIRED_MAX + 1):
        cache.put(binding(home_address=IPv6Address(n), lifetime=4, expires=4.0), 0.0)
    assert cache.due(3.5) == []
    found = cache.due(4.0)
    assert len(found) <= EXPIRED_MAX
    for _, ended in found:
        cache.drop(ended.ends)
    for _, ended in cache.due(4.0):
        cache.drop(ended.ends)
    assert cache.due(4.0) == []
    assert len(cache) == 0
    assert cache.deadline is None
