"""Indications that wait for an acknowledgement (RFC 5846 §6.1, §11)."""

from ipaddress import IPv6Address

from mip6.core.revocations import DELAY, RETRIES_MAX, Revocations

HOME_ADDRESS = IPv6Address("2001:db8:a::100")


def test_an_indication_is_repeated_and_then_given_up() -> None:
    revocations = Revocations(lambda octets: b"\xff" * octets)
    now = 100.0
    number = revocations.begin(HOME_ADDRESS, now)
    assert number == 0xFFFF
    assert revocations.matches(HOME_ADDRESS, number)
    wait = DELAY
    for _ in range(RETRIES_MAX):
        now += wait
        assert revocations.deadline == now
        assert revocations.due(now - 0.01) == []
        assert revocations.due(now) == [(HOME_ADDRESS, number)]
        wait *= 2
    assert revocations.deadline == now + wait
    assert revocations.due(now + wait) == [(HOME_ADDRESS, None)]
    assert HOME_ADDRESS not in revocations
    assert revocations.deadline is None


def test_as_often_as_the_rfc_has_it() -> None:
    assert (RETRIES_MAX, DELAY) == (1, 1.0)
