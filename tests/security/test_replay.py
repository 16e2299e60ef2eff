"""Sequence numbers: reserved before they are used, accepted once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mip6.security.esp import SEQUENCE_NUMBER_MAX, EspError
from mip6.security.replay import RESERVED_AT_ONCE, WINDOW, Counter, Window


def test_the_first_number_is_1_and_is_reserved_first() -> None:
    counter = Counter()
    assert counter.needs_reservation
    assert counter.reserve() == RESERVED_AT_ONCE
    taken = []
    while not counter.needs_reservation:
        taken.append(counter.take())
    assert taken == list(range(1, RESERVED_AT_ONCE + 1))
    assert counter.reserve() == 2 * RESERVED_AT_ONCE
    assert counter.take() == RESERVED_AT_ONCE + 1


def test_taking_what_is_not_reserved_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        Counter().take()


@given(st.lists(st.integers(0, 300), max_size=8), st.integers(1, 2**31))
def test_no_number_is_used_twice_whenever_the_process_dies(
    lives: list[int], first: int
) -> None:
    stored, used = 0, []
    for packets in lives:
        counter = Counter(stored, first)
        for _ in range(packets):
            if counter.needs_reservation:
                stored = counter.reserve()
            used.append(counter.take())
            assert used[-1] <= stored
    assert used == sorted(set(used))
    assert not used or used[0] == first


def test_the_last_number_never_comes_round() -> None:
    counter = Counter(stored=SEQUENCE_NUMBER_MAX - 1)
    assert counter.reserve() == SEQUENCE_NUMBER_MAX
    assert counter.take() == SEQUENCE_NUMBER_MAX
    assert counter.needs_reservation
    with pytest.raises(EspError, match="sequence_numbers_exhausted"):
        counter.reserve()
    with pytest.raises(EspError, match="sequence_numbers_exhausted"):
        Counter(stored=SEQUENCE_NUMBER_MAX).reserve()


@pytest.mark.parametrize(("stored", "first"), [(-1, 1), (2**32, 1), (0, 0)])
def test_numbers_that_are_none(stored: int, first: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        Counter(stored, first)


def test_the_window() -> None:
    window = Window()
    assert window.replayed(0)
    for number in (1, 5, 3):
        assert not window.replayed(number)
        window.accept(number)
        assert window.replayed(number)
    assert not window.replayed(2)
    window.accept(1000)
    assert window.replayed(1000 - WINDOW)
    assert not window.replayed(1000 - WINDOW + 1)
    window.accept(1000 - WINDOW + 1)
    assert window.replayed(1000 - WINDOW + 1)
    assert window.highest == 1000


def test_what_was_stored_was_seen() -> None:
    window = Window(stored=500)
    assert all(window.replayed(number) for number in range(501))
    assert not window.replayed(501)
    window.accept(503)
    assert [n for n in range(440, 504) if not window.replayed(n)] == [501, 502]


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(0, 100))
def test_the_window_is_a_set_that_forgets(numbers: list[int], stored: int) -> None:
    window = Window(stored)
    seen = set(range(stored + 1))
    for number in numbers:
        too_old = number <= max(seen) - WINDOW
        assert window.replayed(number) == (number in seen or too_old)
        if not window.replayed(number):
            window.accept(number)
            seen.add(number)
    assert window.highest == max(seen)
