"""Under load who has a binding comes first, and nothing grows without a limit."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from tests.support.security import BINDING_UPDATE, HOME_ADDRESS

from mip6.core.packet import write
from mip6.daemon import admission
from mip6.daemon.admission import BATCH, WAITING_MAX, Admission

STRANGER = write(replace(BINDING_UPDATE, home_address=HOME_ADDRESS + 1))
FRIEND = write(BINDING_UPDATE)


@pytest.fixture
def admitted() -> Admission:
    return Admission(lambda home_address: home_address == HOME_ADDRESS)


def test_who_has_a_binding_comes_first(admitted: Admission) -> None:
    assert admitted.take([STRANGER, FRIEND, b"", STRANGER, FRIEND]) == (5, 0)
    assert list(admitted.turn()) == [FRIEND, FRIEND, STRANGER, b"", STRANGER]
    assert not admitted and list(admitted.turn()) == []


def test_both_kinds_keep_their_order(admitted: Admission) -> None:
    friends = [FRIEND + bytes([n]) for n in range(3)]
    strangers = [STRANGER + bytes([n]) for n in range(3)]
    mixed = [one for pair in zip(strangers, friends, strict=True) for one in pair]
    admitted.take(mixed)
    assert list(admitted.turn()) == friends + strangers


def test_a_turn_is_one_batch(admitted: Admission) -> None:
    admitted.take([STRANGER] * (BATCH + 1))
    assert len(list(admitted.turn())) == BATCH
    assert len(admitted) == 1
    admitted.take([FRIEND])
    assert list(admitted.turn()) == [FRIEND, STRANGER]


def test_neither_kind_takes_the_others_room(
    admitted: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "WAITING_MAX", 10)
    assert admitted.take([STRANGER] * 25) == (25, 15)
    assert admitted.take([FRIEND] * 11) == (11, 1)
    assert len(admitted) == 20
    assert list(admitted.turn())[:10] == [FRIEND] * 10
    assert WAITING_MAX == 4096


@pytest.mark.parametrize(
    "octets",
    [b"", FRIEND[:63], bytes(40) + FRIEND[40:], STRANGER],
    ids=["nothing", "truncated", "other header", "stranger"],
)
def test_whatever_comes_is_sorted(octets: bytes, admitted: Admission) -> None:
    assert admitted.take([octets]) == (1, 0)
    assert list(admitted.turn()) == [octets]
    assert isinstance(HOME_ADDRESS, IPv6Address)
