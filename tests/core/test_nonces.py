"""Nonces: how long they count, and for whom no more (§5.2.2, §5.2.7, §5.2.8)."""

import hmac
from ipaddress import IPv6Address
from itertools import pairwise

import pytest
from tests.support.correspondents import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    OTHER_HOME_ADDRESS,
    counting,
)

from mip6.core.nonces import Nonces

ENDS = (CORRESPONDENT, HOME_ADDRESS)
OTHER_ENDS = (CORRESPONDENT, OTHER_HOME_ADDRESS)


def nonces(spent_max: int = 10) -> Nonces:
    return Nonces(counting(), first=1, spent_max=spent_max)


@pytest.mark.rfc("5.2.5", "the tokens' formula")
def test_tokens() -> None:
    nonce = nonces().current(0.0)
    for token, address, last in (
        (nonce.home_keygen_token(HOME_ADDRESS), HOME_ADDRESS, b"\0"),
        (nonce.care_of_keygen_token(CARE_OF_ADDRESS), CARE_OF_ADDRESS, b"\1"),
    ):
        message = address.packed + nonce.value + last
        assert token == hmac.new(nonce.node_key, message, "sha1").digest()[:8]
    assert len(nonce.node_key) == 20
    assert len(nonce.value) == 8


def test_secrets_do_not_show() -> None:
    nonce = nonces().current(0.0)
    assert repr(nonce) == f"Nonce(serial={nonce.serial}, made=0.0)"


@pytest.mark.rfc("5.2.7", "a nonce every 30 s, each with its node key")
def test_one_nonce_for_thirty_seconds() -> None:
    table = nonces()
    first = table.current(0.0)
    assert table.current(29.9) is first
    second = table.current(30.0)
    assert second.index == first.index + 1
    assert second.node_key != first.node_key
    assert second.value != first.value
    assert table.newest == second.serial


@pytest.mark.rfc("5.2.2", "an expired nonce is discarded")
@pytest.mark.rfc("5.2.7", "accepted for 210 to 240 s")
def test_lifetime() -> None:
    table = nonces()
    assert table.deadline is None
    first = table.current(100.0)
    assert table.deadline == 340.0
    assert table.find(first.index, 339.9) is first
    assert table.find(first.index, 340.0) is None
    assert table.find(first.index + 1, 100.0) is None
    table.expire(339.9)
    assert len(table) == 1
    table.expire(340.0)
    assert len(table) == 0
    assert table.deadline is None
    assert table.current(340.0).index == first.index + 1


def test_there_are_never_more_than_eight_at_the_usual_pace() -> None:
    table = nonces()
    for now in range(1000):
        table.current(now)
        assert len(table) <= 8


def test_indices_wrap() -> None:
    table = Nonces(lambda octets: b"\xff" * octets, first=65535)
    before = table.current(0.0)
    assert before.index == 0
    assert table.current(30.0).index == 1
    assert table.find(0, 30.0) is before


@pytest.mark.rfc("5.2.8", "nonces of a binding that is gone")
def test_spent() -> None:
    table = nonces()
    before = table.current(0.0)
    assert not table.is_spent(ENDS, before, before)
    table.spend(ENDS)
    assert table.is_spent(ENDS, before, before)
    assert not table.is_spent(OTHER_ENDS, before, before)
    # A fresh one is handed out, though not at once.
    assert table.current(0.9) is before
    after = table.current(1.0)
    assert after is not before
    assert table.current(1.9) is after
    assert table.current(30.9) is after
    assert not table.is_spent(ENDS, before, after)
    assert not table.is_spent(ENDS, after, before)


def test_spent_up_to_a_serial() -> None:
    table = nonces()
    first, second = table.current(0.0), table.current(30.0)
    table.spend(ENDS, first.serial)
    assert table.is_spent(ENDS, first)
    assert not table.is_spent(ENDS, second)
    assert table.current(35.0) is second
    # What was spent stays so.
    table.spend(ENDS, second.serial)
    table.spend(ENDS, first.serial)
    assert table.is_spent(ENDS, second)


def test_spent_with_others_of_the_same_nonce() -> None:
    table = nonces()
    first, second = table.current(0.0), table.current(30.0)
    table.spend(ENDS, first.serial)
    table.spend(OTHER_ENDS, first.serial)
    table.spend(ENDS, second.serial)
    assert table.is_spent(OTHER_ENDS, first)
    assert table.is_spent(ENDS, first, second)


def test_what_is_spent_later_outlasts_the_nonce_before() -> None:
    table = nonces()
    first, second = table.current(0.0), table.current(30.0)
    table.spend(ENDS, first.serial)
    table.spend(ENDS, second.serial)
    table.expire(240.0)
    assert table.find(first.index, 240.0) is None
    assert table.is_spent(ENDS, second)


def test_a_nonce_that_is_gone_takes_nobodys_place() -> None:
    table = nonces(spent_max=1)
    gone = table.current(0.0)
    table.expire(240.0)
    nonce = table.current(240.0)
    table.spend(ENDS)
    table.spend(OTHER_ENDS, gone.serial)
    assert table.find(nonce.index, 240.0) is nonce
    assert table.is_spent(ENDS, nonce)


def test_nothing_is_remembered_that_no_nonce_could_bring_back() -> None:
    table = nonces()
    table.spend(ENDS)
    nonce = table.current(0.0)
    table.spend(ENDS)
    table.expire(240.0)
    assert not table.is_spent(ENDS, nonce)
    table.spend(ENDS, nonce.serial)
    assert not table.is_spent(ENDS, nonce)


def test_a_nonce_of_an_earlier_process_is_not_one_of_ours_by_its_index() -> None:
    """A binding that was found in the kernel says -1."""
    table = Nonces(counting(), first=0xFFFE, spent_max=1)
    nonce = table.current(0.0)
    assert nonce.index == 0xFFFF
    for ends in (ENDS, OTHER_ENDS):
        table.spend(ends, -1)
        assert not table.is_spent(ends, nonce)
    assert table.find(nonce.index, 0.0) is nonce


@pytest.mark.rfc("5.2.8", "the last measure: those nonces count for nobody")
def test_memory_of_spent_nonces_has_a_limit() -> None:
    table = nonces(spent_max=2)
    first = table.current(0.0)
    addresses = [IPv6Address(n) for n in range(1, 5)]
    table.spend((CORRESPONDENT, addresses[0]))
    second = table.current(30.0)
    table.spend((CORRESPONDENT, addresses[1]))
    assert table.find(first.index, 30.0) is first
    table.spend((CORRESPONDENT, addresses[2]))
    # The oldest went, and with it what was remembered of it.
    assert table.find(first.index, 30.0) is None
    assert table.find(second.index, 30.0) is second
    assert not table.is_spent((CORRESPONDENT, addresses[0]), first)
    assert table.is_spent((CORRESPONDENT, addresses[1]), second)
    assert table.is_spent((CORRESPONDENT, addresses[2]), second)
    # And when the only one left is worn out by too many, that one.
    table.spend((CORRESPONDENT, addresses[3]))
    assert table.find(second.index, 30.0) is None
    assert not table.is_spent((CORRESPONDENT, addresses[3]), second)
    assert table.current(30.0).serial == second.serial + 1


def test_a_flood_of_endings_makes_few_nonces() -> None:
    table = nonces(spent_max=10_000)
    for n in range(10_000):
        now = n / 10
        table.current(now)
        table.spend((CORRESPONDENT, IPv6Address(n % 100)))
        assert len(table) <= 241
    made = sorted(table._valid.values(), key=lambda nonce: nonce.made)
    assert all(b.made - a.made >= 1.0 for a, b in pairwise(made))
