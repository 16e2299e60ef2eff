"""Sequence numbers modulo 2**16 (§9.5.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mip6.core.sequence import beginning, follows

ACCEPTED = {15: [*range(16, 20), 32781, 32782], 32783: [32784, 65535, 0, 14]}
REFUSED = {
    15: [15, 14, 0, 32783, 32784, 65535],
    32783: [32783, 32782, 16, 15],
}


@pytest.mark.rfc("9.5.1", "the tables around 15 and 32783")
@pytest.mark.parametrize("last", [15, 32783])
def test_the_window(last: int) -> None:
    assert all(follows(new, last) for new in ACCEPTED[last])
    assert not any(follows(new, last) for new in REFUSED[last])


@pytest.mark.rfc("9.5.1", "modulo 2**16, half of the numbers less one follow")
@given(st.integers(0, 0xFFFF))
def test_exactly_the_next_32767_numbers_follow(last: int) -> None:
    after = [(last + n) % 0x10000 for n in (1, 2, 32766, 32767)]
    before = [(last - n) % 0x10000 for n in (0, 1, 32767, 32768)]
    assert all(follows(new, last) for new in after)
    assert not any(follows(new, last) for new in before)


@pytest.mark.rfc("11.7.1", "the first number of a process is newer than its former")
def test_the_beginning_follows_the_clock() -> None:
    assert beginning(0.0) == 0
    assert beginning(1.0) == 8
    assert beginning(8191.875) == 0xFFFF
    assert beginning(8192.0) == 0
    assert follows(beginning(8192.0), beginning(8191.0))
