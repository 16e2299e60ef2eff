"""Under load who has a binding comes first, and nothing grows without a limit."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from tests.support.security import BINDING_UPDATE, HOME_ADDRESS

from mip6.core.packet import write
from mip6.daemon import admission
from mip6.daemon.admission import (
    BATCH,
    PATIENCE,
    REFUSALS,
    REFUSED_MAX,
    WAITING_MAX,
    Admission,
    Turn,
)

STRANGER = write(replace(BINDING_UPDATE, home_address=HOME_ADDRESS + 1))
FRIEND = write(BINDING_UPDATE)


@pytest.fixture
def admitted() -> Admission:
    return Admission({int(HOME_ADDRESS)}.__contains__)


def test_who_has_a_binding_comes_first(admitted: Admission) -> None:
    assert admitted.take([STRANGER, FRIEND, b"", STRANGER, FRIEND], 0.0) == (5, 0)
    assert admitted.turn(0.0) == Turn([FRIEND, FRIEND, STRANGER, b"", STRANGER])
    assert not admitted and admitted.turn(0.0) == Turn()


def test_both_kinds_keep_their_order(admitted: Admission) -> None:
    friends = [FRIEND + bytes([n]) for n in range(3)]
    strangers = [STRANGER + bytes([n]) for n in range(3)]
    mixed = [one for pair in zip(strangers, friends, strict=True) for one in pair]
    admitted.take(mixed, 0.0)
    assert admitted.turn(0.0) == Turn(friends + strangers)


def test_a_turn_is_one_batch(admitted: Admission) -> None:
    admitted.take([STRANGER] * (BATCH + 1), 0.0)
    assert len(admitted.turn(0.0).answered) == BATCH
    assert len(admitted) == 1
    admitted.take([FRIEND], 0.0)
    assert admitted.turn(0.0) == Turn([FRIEND, STRANGER])


def test_neither_kind_takes_the_others_room(
    admitted: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "WAITING_MAX", 10)
    monkeypatch.setattr(admission, "REFUSED_MAX", 5)
    assert admitted.take([STRANGER] * 25, 0.0) == (25, 10)
    assert admitted.take([FRIEND] * 11, 0.0) == (11, 1)
    assert len(admitted) == 25
    turn = admitted.turn(0.0)
    assert turn == Turn([FRIEND] * 10 + [STRANGER] * 10, [STRANGER] * 5)
    assert (WAITING_MAX, REFUSED_MAX) == (4096, 256)


def test_refusing_takes_a_part_of_a_turn_and_friends_none_of_it(
    admitted: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "WAITING_MAX", BATCH)
    strangers = [STRANGER + n.to_bytes(2) for n in range(BATCH + REFUSALS + 1)]
    admitted.take(strangers, 0.0)
    admitted.take([FRIEND] * BATCH, 0.0)
    told = strangers[BATCH:]
    assert admitted.turn(0.0) == Turn([FRIEND] * BATCH, told[:REFUSALS])
    assert admitted.turn(0.0) == Turn(strangers[:BATCH], told[REFUSALS:])


def test_who_has_waited_too_long_asks_again(admitted: Admission) -> None:
    """Friends are not answered in vain; strangers are turned away, while it is time."""
    admitted.take([FRIEND, STRANGER], 0.0)
    admitted.take([FRIEND + b"2", STRANGER + b"2"], 0.5)
    late = 0.25 + PATIENCE
    assert admitted.turn(late) == Turn([FRIEND + b"2", STRANGER + b"2"], [STRANGER], 1)


def test_what_is_too_old_to_be_refused_is_dropped(
    admitted: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "REFUSED_MAX", 3)
    admitted.take([STRANGER] * 5, 0.0)
    assert admitted.turn(1.5 * PATIENCE) == Turn(refused=[STRANGER] * 3, dropped=2)
    admitted.take([STRANGER] * 2, 2.0)
    assert admitted.turn(2.1 + 2 * PATIENCE) == Turn(dropped=2)
    assert not admitted


@pytest.mark.parametrize(
    "octets",
    [b"", FRIEND[:63], bytes(40) + FRIEND[40:], STRANGER],
    ids=["nothing", "truncated", "other header", "stranger"],
)
def test_whatever_comes_is_sorted(octets: bytes, admitted: Admission) -> None:
    assert admitted.take([octets], 0.0) == (1, 0)
    assert admitted.turn(0.0) == Turn([octets])
    assert isinstance(HOME_ADDRESS, IPv6Address)
