"""One test of an address, the home test or the care-of test (§11.6.1, §11.8)."""

from ipaddress import IPv6Address
from math import inf

import pytest

from mip6.core.address_test import (
    COOKIES_MAX,
    FRESH_SHARE,
    MAX_RO_FAILURE,
    MAX_TOKEN_LIFETIME,
    REPEAT_AFTER,
    AddressTest,
    Allowance,
    KeygenToken,
)
from mip6.core.registration import UPDATE_WINDOW

HOME_ADDRESS = IPv6Address("2001:db8:1::10")
ELSEWHERE = IPv6Address("2001:db8:1::11")


def cookie(n: int) -> bytes:
    return n.to_bytes(8, "big")


@pytest.mark.rfc("12", "constants of return routability")
def test_constants() -> None:
    assert MAX_TOKEN_LIFETIME == 210
    assert MAX_RO_FAILURE == 3


@pytest.mark.rfc("5.2.7", "a token lives for MAX_TOKEN_LIFETIME")
def test_a_token_is_renewed_before_it_is_old() -> None:
    token = KeygenToken(b"token...", 1, 1000.0)
    assert token.until == 1000 + MAX_TOKEN_LIFETIME
    assert token.renew_at == 1000 + MAX_TOKEN_LIFETIME * FRESH_SHARE
    assert 1000 < token.renew_at < token.until


@pytest.mark.rfc("11.8", "three messages of a kind within a second")
def test_three_within_any_second() -> None:
    allowance = Allowance()
    for now in (10.0, 10.25, 10.5):
        assert allowance.at == -inf
        allowance.used(now)
    assert allowance.at == 10 + UPDATE_WINDOW > 11
    allowance.used(11.5)
    assert allowance.at == 10.25 + UPDATE_WINDOW


def test_nothing_is_under_way_at_first() -> None:
    test = AddressTest()
    assert not test.running
    assert test.tries == 0
    assert test.deadline == inf
    assert test.expects(HOME_ADDRESS, cookie(1)) == "no_test_under_way"
    test.repeat(0.0)
    test.begin(5.0)
    assert test.running
    assert test.deadline == 5.0
    assert test.expects(HOME_ADDRESS, cookie(1)) == "no_test_under_way"


@pytest.mark.rfc("11.8", "the wait doubles from 1 s to 32 s")
def test_it_is_sent_again_after_twice_the_time() -> None:
    test = AddressTest()
    now = 100.0
    test.begin(now)
    for n, wait in enumerate((1, 2, 4, 8, 16, 32, 32), 1):
        assert test.deadline == now
        test.sent(HOME_ADDRESS, cookie(n), now)
        assert test.tries == n
        now += wait
    test.begin(now + 1)  # it is under way
    assert test.deadline == now
    test.stop()
    assert test.deadline == inf
    test.begin(now)
    assert test.tries == 0
    assert not test.is_of(cookie(7))
    test.sent(HOME_ADDRESS, cookie(8), now)
    assert test.deadline == now + 1


def test_it_has_failed_after_the_wait_for_the_last_of_four() -> None:
    test = AddressTest()
    now = 0.0
    test.begin(now)
    for n in range(MAX_RO_FAILURE + 1):
        assert not test.failed(now)
        test.sent(HOME_ADDRESS, cookie(n), now)
        assert not test.failed(now)
        now = test.deadline
    assert not test.failed(now - 0.01)
    assert test.failed(now)
    test.stop()
    assert not test.failed(now)


@pytest.mark.rfc("11.8", "no hurry takes it beyond three in a second")
def test_a_repetition_is_soon_but_not_oftener_than_allowed() -> None:
    test = AddressTest()
    test.begin(0.0)
    test.repeat(0.0)  # it has not even left
    assert test.deadline == 0.0
    test.sent(HOME_ADDRESS, cookie(1), 0.0)
    test.repeat(0.125)
    assert test.deadline == 0.125 + REPEAT_AFTER
    test.sent(HOME_ADDRESS, cookie(2), 0.25)
    test.sent(HOME_ADDRESS, cookie(3), 0.25)
    test.repeat(0.25)
    assert test.deadline == UPDATE_WINDOW
    test.stop()
    test.repeat(50.0)
    test.begin(60.0)
    assert test.deadline == 60.0


@pytest.mark.rfc("11.6.2", "the cookie is of a message sent, to the address tested")
def test_an_answer_to_one_of_the_last_messages_counts() -> None:
    test = AddressTest()
    test.begin(0.0)
    for n in range(COOKIES_MAX + 1):
        test.sent(HOME_ADDRESS, cookie(n), float(n))
    assert test.expects(HOME_ADDRESS, cookie(0)) == "cookie"
    assert test.expects(ELSEWHERE, cookie(1)) == "not_for_tested_address"
    assert all(test.is_of(cookie(n)) for n in range(1, COOKIES_MAX + 1))
    assert not test.is_of(cookie(0))
    assert test.expects(HOME_ADDRESS, cookie(1)) == ""
    token = test.passed(cookie(1), b"token...", 7)
    assert (token.token, token.nonce_index, token.tested_at) == (b"token...", 7, 1.0)
    assert "token..." not in repr(token), "it is a secret"
    assert not test.running
    assert not test.is_of(cookie(1))
    assert test.expects(HOME_ADDRESS, cookie(1)) == "no_test_under_way"
