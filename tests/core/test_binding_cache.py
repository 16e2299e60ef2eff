"""The Binding Cache (§9.1) and its memory of deleted entries (§10.3.2)."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from mip6.core.binding_cache import (
    EXPIRED_MAX,
    MAX_DELETE_BCE_TIMEOUT,
    Binding,
    BindingCache,
)


def address(n: int) -> IPv6Address:
    return IPv6Address(f"2001:db8:a::{n:x}")


def binding(n: int, *, sequence_number: int = 1, expires: float = 60.0) -> Binding:
    return Binding(
        home_address=address(n),
        care_of_address=IPv6Address("2001:db8:b::64"),
        home_registration=True,
        sequence_number=sequence_number,
        lifetime=60,
        expires=expires,
    )


def test_an_entry_is_found_under_its_home_address() -> None:
    cache = BindingCache(2)
    cache.put(binding(1))
    assert cache.find(address(1)) == binding(1)
    assert cache.find(address(2)) is None
    assert list(cache) == [binding(1)]
    assert len(cache) == 1


def test_bindings_and_remembered_numbers_are_known() -> None:
    cache = BindingCache(2, [(address(5), 7), (address(6), 8)])
    assert cache.known == 2
    cache.put(binding(1))
    assert cache.known == 3


@pytest.mark.rfc("9.1", "at most one entry for a home address")
def test_a_second_entry_for_a_home_address_replaces_the_first() -> None:
    cache = BindingCache(1)
    cache.put(binding(1))
    cache.put(binding(1, sequence_number=2, expires=90.0))
    assert list(cache) == [binding(1, sequence_number=2, expires=90.0)]
    assert cache.expire(60.0) == []
    assert cache.deadline == 90.0


def test_full_at_the_limit() -> None:
    cache = BindingCache(2)
    cache.put(binding(1))
    assert not cache.full
    cache.put(binding(2))
    assert cache.full
    with pytest.raises(AssertionError):
        cache.put(binding(3))
    cache.drop(address(1))
    assert not cache.full
    assert cache.expire(60.0) == [binding(2)]


def test_a_limit_that_allows_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="bindings_max 0"):
        BindingCache(0)


@pytest.mark.rfc("9.6", "an entry is deleted when its lifetime is over")
def test_entries_expire_on_their_deadline() -> None:
    cache = BindingCache(2)
    cache.put(binding(1, expires=60.0))
    cache.put(binding(2, expires=70.0))
    assert cache.deadline == 60.0
    assert cache.expire(60.0) == [binding(1, expires=60.0)]
    assert cache.last_sequence_number(address(1)) is None
    assert not cache.was_deleted(address(1))
    assert cache.deadline == 70.0


def test_very_many_entries_expire_in_several_goes() -> None:
    cache = BindingCache(EXPIRED_MAX + 1)
    for n in range(EXPIRED_MAX + 1):
        cache.put(binding(n))
    assert len(cache.expire(60.0)) == EXPIRED_MAX
    assert cache.deadline == 60.0
    assert len(cache.expire(60.0)) == 1
    assert cache.deadline is None


@pytest.mark.rfc("10.3.2", "a deleted entry is remembered for 10 s")
def test_a_deleted_entry_is_remembered_for_a_while() -> None:
    cache = BindingCache(2)
    cache.put(binding(1, sequence_number=7))
    cache.delete(address(1), 8, now=20.0)
    assert cache.find(address(1)) is None
    assert cache.was_deleted(address(1))
    assert cache.last_sequence_number(address(1)) == 8
    assert cache.deadline == 20.0 + MAX_DELETE_BCE_TIMEOUT == 30.0
    assert cache.expire(30.0) == []
    assert not cache.was_deleted(address(1))
    assert cache.last_sequence_number(address(1)) is None
    assert cache.deadline is None


def test_a_new_entry_ends_the_memory_of_the_deleted_one() -> None:
    cache = BindingCache(1)
    cache.put(binding(1))
    cache.delete(address(1), 2, now=0.0)
    again = binding(1, sequence_number=3, expires=100.0)
    cache.put(again)
    assert not cache.was_deleted(address(1))
    assert cache.last_sequence_number(address(1)) == 3
    assert cache.expire(50.0) == []
    assert list(cache) == [again]


def test_the_memory_of_deleted_entries_has_the_same_limit() -> None:
    cache = BindingCache(2)
    for n in range(1, 6):
        cache.put(binding(n))
        cache.delete(address(n), 2, now=float(n))
    assert [cache.was_deleted(address(n)) for n in range(1, 6)] == [
        False,
        False,
        False,
        True,
        True,
    ]
    assert cache.deadline == 4.0 + MAX_DELETE_BCE_TIMEOUT
    assert cache.expire(100.0) == []
    assert cache.deadline is None


def test_deleting_again_keeps_it_longer_and_pushes_nobody_out() -> None:
    cache = BindingCache(2)
    for n in (1, 2):
        cache.put(binding(n))
        cache.delete(address(n), 1, now=n - 1.0)
    cache.delete(address(2), 2, now=2.0)
    assert cache.was_deleted(address(1)) and cache.was_deleted(address(2))
    assert cache.expire(11.0) == []
    assert not cache.was_deleted(address(1)) and cache.was_deleted(address(2))
    assert cache.expire(12.0) == []
    assert not cache.was_deleted(address(2))


def test_where_nothing_was_bound_only_the_number_is_remembered() -> None:
    cache = BindingCache(1)
    cache.delete(address(1), 7, now=0.0)
    assert not cache.was_deleted(address(1))
    assert cache.last_sequence_number(address(1)) == 7
    assert cache.expire(MAX_DELETE_BCE_TIMEOUT) == []
    assert cache.last_sequence_number(address(1)) is None


def test_the_sequence_number_of_a_restored_entry_is_unknown() -> None:
    cache = BindingCache(1)
    cache.put(replace(binding(1), sequence_number=None))
    assert cache.last_sequence_number(address(1)) is None


def test_of_what_was_kept_the_first_of_each_home_address_counts() -> None:
    cache = BindingCache(2)
    kept = [binding(1), replace(binding(1), lifetime=8), binding(2), binding(3)]
    cache.restore(iter(kept))
    assert list(cache) == [kept[0], kept[2]], "no more than it may hold"
    assert cache.full
    assert cache.deadline == kept[0].expires
    assert cache.expire(kept[2].expires) == [kept[0], kept[2]]
    assert not list(cache)
