"""Routers that lead to the home agent, and those that did not."""

from ipaddress import IPv6Address
from math import inf

from mip6.core.reputation import DISTRUST_FIRST, DISTRUST_MAX, WAYS_MAX, Reputation

ROUTERS = [IPv6Address(n) for n in range(1, WAYS_MAX + 3)]


def test_distrust_doubles_up_to_a_limit() -> None:
    book = Reputation()
    way = (ROUTERS[0], None)
    seconds = DISTRUST_FIRST
    for n in range(20):
        now = 10_000.0 * n
        book.failed(way, now)
        assert book.moments() == [now + seconds]
        assert book.distrusted_at(way, now + seconds - 0.01) == now
        assert book.distrusted_at(way, now + seconds) == -inf
        seconds = min(2 * seconds, DISTRUST_MAX)
    assert not book.proven(way)
    book.answered(way)
    assert book.proven(way)
    assert book.moments() == [-inf]


def test_who_failed_again_is_remembered_longer() -> None:
    """Of as many as there is room for the one goes that was heard of longest ago; who
    was proven stays longest."""
    book = Reputation()
    ways = [(router, None) for router in ROUTERS]
    book.answered(ways[0])
    for way in ways[1:WAYS_MAX]:
        book.failed(way, 0.0)
    book.failed(ways[3], 1.0)
    assert len(book.moments()) == WAYS_MAX
    assert book.distrusted_at(ways[1], 1.0) == 0.0, "there is room for all of them"
    for way, now in ((ways[WAYS_MAX], 2.0), (ways[WAYS_MAX + 1], 2.0)):
        book.failed(way, now)
    assert len(book.moments()) == WAYS_MAX
    assert book.proven(ways[0])
    gone = [n for n, way in enumerate(ways[1:], 1) if book.distrusted_at(way, 2.0) < 0]
    assert gone == [1, 2]
    book.failed(ways[1], 3.0)
    assert book.distrusted_at(ways[3], 3.0) == 1.0
