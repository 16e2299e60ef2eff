"""The token bucket of RFC 4443 §2.4 (f), and how often others may ask."""

import pytest

from mip6.core import rate as rates
from mip6.core.rate import AskingRate, TokenBucket


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(rate=10, burst=3)
    assert [bucket.take(100.0) for _ in range(5)] == [True, True, True, False, False]
    assert not bucket.take(100.05)
    assert bucket.take(100.11)
    assert not bucket.take(100.11)


def test_saved_tokens_never_exceed_the_burst() -> None:
    bucket = TokenBucket(rate=10, burst=2)
    assert bucket.take(0.0)
    assert [bucket.take(1e6) for _ in range(3)] == [True, True, False]


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(rate=10, burst=1)
    assert bucket.take(50.0)
    assert not bucket.take(50.0)
    assert not bucket.take(40.0)
    assert not bucket.take(50.0)
    assert bucket.take(50.1)


@pytest.mark.parametrize(("rate", "burst"), [(-1, 1), (1, 0), (1, 0.5)])
def test_a_bucket_that_could_never_give_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="no token"):
        TokenBucket(rate, burst)


def test_each_may_ask_so_often_in_a_second() -> None:
    rate = AskingRate(2)
    assert [rate.allows("a", 5.0 + n / 10) for n in range(4)] == [True, True] + [
        False
    ] * 2
    assert rate.allows("b", 5.9)
    assert rate.allows("a", 6.0)


def test_without_a_limit_anybody_may_ask() -> None:
    rate = AskingRate(None)
    assert all(rate.allows("a", 1.0) for _ in range(100))


def test_who_is_counted_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "COUNTED_MAX", 2)
    rate = AskingRate(1)
    assert [rate.allows(who, 0.0) for who in "abccab"] == [True] * 4 + [False] * 2


@pytest.mark.parametrize("rate", [0, 0.5])
def test_a_slow_bucket_is_one(rate: float) -> None:
    bucket = TokenBucket(rate, burst=1)
    assert bucket.take(0.0)
    assert not bucket.take(1.0)
    assert bucket.take(4.0) == (rate > 0)


def test_who_is_counted_goes_on_being_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "COUNTED_MAX", 2)
    rate = AskingRate(2)
    assert [rate.allows(who, 0.0) for who in "abaac"] == [True] * 3 + [False, True]
