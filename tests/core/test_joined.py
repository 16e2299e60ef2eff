"""Several roles answer one input; the kernel refuses something of one of them."""

from ipaddress import IPv6Address

from mip6.core.effects import Effect, Install, Remove
from mip6.core.joined import REFUSAL_MAX, Joined
from mip6.core.state import ProxyNeighbor

ONE, OTHER, THIRD = (
    ProxyNeighbor(address=IPv6Address(n), link="eth1") for n in range(3)
)


def joined() -> tuple[Joined, list[Effect]]:
    answers = Joined()
    parts: list[list[Effect]] = [[Remove(OTHER)], [Install(ONE), Install(OTHER)], []]
    return answers, answers.join([*parts, [Install(THIRD)]], now=10.0)


def test_answers_follow_each_other() -> None:
    _, effects = joined()
    assert effects == [Remove(OTHER), Install(ONE), Install(OTHER), Install(THIRD)]


def test_what_another_role_wants_is_still_done() -> None:
    answers, _ = joined()
    assert answers.behind(ONE, 10.1) == [[], [Install(THIRD)]]
    assert answers.behind(ONE, 10.1) == []  # once


def test_a_refusal_of_something_else() -> None:
    answers, _ = joined()
    stranger = ProxyNeighbor(address=IPv6Address(9), link="eth1")
    assert answers.behind(stranger, 10.1) == []


def test_a_refusal_long_after() -> None:
    answers, _ = joined()
    assert answers.behind(ONE, 10.1 + REFUSAL_MAX) == []


def test_the_last_moment_of_a_refusal() -> None:
    answers, _ = joined()
    assert answers.behind(ONE, 10.0 + REFUSAL_MAX) == [[], [Install(THIRD)]]
