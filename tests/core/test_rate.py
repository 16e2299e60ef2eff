"""The token bucket of RFC 4443 §2.4 (f)."""

import pytest

from mip6.core.rate import TokenBucket


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
