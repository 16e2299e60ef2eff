"""Both tests with one correspondent, and what they bring (§11.6)."""

from ipaddress import IPv6Address
from math import inf
from typing import Any

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
)

from mip6.core.address_test import FRESH_SHARE, MAX_RO_FAILURE, MAX_TOKEN_LIFETIME
from mip6.core.packet import Packet
from mip6.core.return_routability_procedure import (
    TOKENS_MAX,
    ReturnRoutabilityProcedure,
)
from mip6.core.whereabouts import Whereabouts
from mip6.wire.messages import (
    BindingError,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
)

AWAY = Whereabouts(
    link="eth0",
    care_of_address=CARE_OF_ADDRESS,
    home_agent=HOME_AGENT,
    told=True,
    confirmed=True,
)
TOLD = Whereabouts(
    link="eth0", care_of_address=CARE_OF_ADDRESS, home_agent=HOME_AGENT, told=True
)
UNTOLD = Whereabouts(
    link="eth0", care_of_address=CARE_OF_ADDRESS, home_agent=HOME_AGENT
)


def procedure(*, authentication_required: bool = False) -> ReturnRoutabilityProcedure:
    count = iter(range(1, 1000))
    return ReturnRoutabilityProcedure(
        HOME_ADDRESS,
        CORRESPONDENT,
        random=lambda octets: next(count).to_bytes(octets),
        authentication_required=authentication_required,
    )


def home_test(cookie: bytes, **more: Any) -> tuple[Packet, HomeTest]:
    message = HomeTest(
        home_nonce_index=1, home_init_cookie=cookie, home_keygen_token=b"homehome"
    )
    arguments: dict[str, Any] = {
        "source": CORRESPONDENT,
        "destination": HOME_ADDRESS,
        "message": message,
        "tunnel": (HOME_AGENT, CARE_OF_ADDRESS),
        **more,
    }
    return Packet(**arguments), message


def care_of_test(
    cookie: bytes, destination: IPv6Address = CARE_OF_ADDRESS, **more: Any
) -> tuple[Packet, CareOfTest]:
    message = CareOfTest(
        care_of_nonce_index=2,
        care_of_init_cookie=cookie,
        care_of_keygen_token=b"careof..",
    )
    packet = Packet(
        source=CORRESPONDENT, destination=destination, message=message, **more
    )
    return packet, message


def cookies(
    made: ReturnRoutabilityProcedure,
    now: float,
    here: Whereabouts = AWAY,
    care_of_address: IPv6Address | None = CARE_OF_ADDRESS,
) -> tuple[bytes | None, bytes | None]:
    """Of the messages that leave now."""
    home = care_of = None
    for packet in made.packets(care_of_address, here, now):
        message = packet.message
        if isinstance(message, HomeTestInit):
            assert (packet.source, packet.tunnel) == (HOME_ADDRESS, here.tunnel)
            home = message.home_init_cookie
        else:
            assert isinstance(message, CareOfTestInit)
            assert (packet.source, packet.tunnel) == (care_of_address, None)
            care_of = message.care_of_init_cookie
    return home, care_of


def complete(now: float = 0.0) -> ReturnRoutabilityProcedure:
    made = procedure()
    made.need(CARE_OF_ADDRESS, now)
    home, care_of = cookies(made, now)
    assert home and care_of
    assert made.home_tested(*home_test(home), AWAY) == ""
    assert made.care_of_tested(*care_of_test(care_of)) == ""
    return made


@pytest.mark.rfc("11.6.1", "both tests at once, each from its address")
def test_both_tests_bring_a_key() -> None:
    made = procedure()
    assert not made.running
    assert made.deadline(AWAY, 0.0, fresh=False) == inf
    made.need(CARE_OF_ADDRESS, 0.0)
    assert made.running
    assert made.deadline(AWAY, 0.0, fresh=False) == 0.0
    home, care_of = cookies(made, 0.0)
    assert home and care_of
    assert cookies(made, 0.5) == (None, None)
    assert made.home_tested(*home_test(home), AWAY) == ""
    assert made.running, "the other is still under way"
    assert not made.ready(CARE_OF_ADDRESS, 0.5)
    assert made.ready(None, 0.5), "for a deletion the home keygen token is enough"
    assert made.care_of_tested(*care_of_test(care_of)) == ""
    assert not made.running
    assert made.ready(CARE_OF_ADDRESS, 0.5)
    assert not made.ready(NEXT_CARE_OF_ADDRESS, 0.5)
    made.need(CARE_OF_ADDRESS, 0.5)
    assert not made.running, "all is there"
    key, indices = made.key(CARE_OF_ADDRESS)
    assert len(key) == 20
    assert (indices.home_nonce_index, indices.care_of_nonce_index) == (1, 2)


@pytest.mark.parametrize("answered", ["home", "care-of", "neither"])
def test_either_test_may_fail(answered: str) -> None:
    made = procedure()
    now = 0.0
    made.need(CARE_OF_ADDRESS, now)
    for n in range(MAX_RO_FAILURE + 1):
        assert not made.failed(now)
        home, care_of = cookies(made, now)
        if n == 0 and answered == "home":
            assert home and made.home_tested(*home_test(home), AWAY) == ""
        if n == 0 and answered == "care-of":
            assert care_of and made.care_of_tested(*care_of_test(care_of)) == ""
        assert made.running
        now = made.deadline(AWAY, now, fresh=False)
    assert not made.failed(now - 0.01)
    assert made.failed(now)


@pytest.mark.rfc("5.2.7", "tokens count for MAX_TOKEN_LIFETIME")
def test_tokens_end() -> None:
    made = complete()
    end = MAX_TOKEN_LIFETIME
    assert made.home_token_until(0.0) == end
    assert made.home_token_until(end - 0.01) == end
    assert made.home_token_until(end) is None
    assert procedure().home_token_until(0.0) is None
    assert made.ready(CARE_OF_ADDRESS, end - 0.01)
    assert not made.ready(CARE_OF_ADDRESS, end)
    assert not made.ready(None, end)


def test_the_home_keygen_token_is_kept_fresh() -> None:
    made = complete()
    renew_at = MAX_TOKEN_LIFETIME * FRESH_SHARE
    assert made.deadline(AWAY, 1.0, fresh=False) == inf
    assert made.deadline(AWAY, 1.0, fresh=True) == renew_at
    made.keep_fresh(renew_at - 0.01)
    assert not made.running
    made.keep_fresh(renew_at)
    assert made.running
    assert made.deadline(AWAY, renew_at, fresh=True) == renew_at
    # There is none yet: nothing is to be renewed.
    assert procedure().deadline(AWAY, 1.0, fresh=True) == inf


def test_before_the_home_agent_has_answered() -> None:
    """Nothing is sent that it would have to pass on; with its token at hand the
    care-of test need not wait."""
    made = procedure()
    made.need(CARE_OF_ADDRESS, 0.0)
    for here in (TOLD, UNTOLD):
        assert made.deadline(here, 0.0, fresh=False) == inf
        assert cookies(made, 0.0, here) == (None, None)
    made = complete()
    made.need(NEXT_CARE_OF_ADDRESS, 1.0)
    assert made.deadline(UNTOLD, 1.0, fresh=False) == inf
    assert cookies(made, 1.0, UNTOLD, NEXT_CARE_OF_ADDRESS) == (None, None)
    assert made.deadline(TOLD, 1.0, fresh=False) == 1.0
    home, care_of = cookies(made, 1.0, TOLD, NEXT_CARE_OF_ADDRESS)
    assert home is None and care_of is not None


def test_without_a_care_of_address_none_is_tested() -> None:
    made = procedure()
    made.need(CARE_OF_ADDRESS, 0.0)
    home, care_of = cookies(made, 0.0, care_of_address=None)
    assert home is not None and care_of is None


@pytest.mark.rfc("11.6.2", "what does not count")
def test_answers_that_do_not_count() -> None:
    made = procedure(authentication_required=True)
    made.need(CARE_OF_ADDRESS, 0.0)
    home, care_of = cookies(made, 0.0)
    assert home and care_of
    packet = home_test(home, tunnel=None)
    assert made.home_tested(*packet, AWAY) == "not_out_of_the_tunnel"
    assert made.home_tested(*home_test(home), AWAY) == "unauthenticated"
    packet = home_test(home, protected_for=CORRESPONDENT)
    assert made.home_tested(*packet, AWAY) == "unauthenticated"
    packet = home_test(care_of, protected_for=HOME_ADDRESS)
    assert made.home_tested(*packet, AWAY) == "cookie"
    tunnel = (HOME_AGENT, CARE_OF_ADDRESS)
    assert made.care_of_tested(*care_of_test(care_of, tunnel=tunnel)) == "tunnelled"
    assert made.care_of_tested(*care_of_test(home)) == "cookie"
    assert not made.ready(CARE_OF_ADDRESS, 0.0)
    packet = home_test(home, protected_for=HOME_ADDRESS)
    assert made.home_tested(*packet, AWAY) == ""
    # At home there is no tunnel, and no protection in it.
    made = procedure(authentication_required=True)
    made.need(None, 0.0)
    at_home = Whereabouts(link="eth0", at_home=True, confirmed=True)
    home, _ = cookies(made, 0.0, at_home, None)
    assert home is not None
    assert made.home_tested(*home_test(home, tunnel=None), at_home) == ""


def test_new_tests_are_asked_for_until_nobody_waits() -> None:
    made = complete(0.0)
    made.begin_anew(10.0)
    assert not made.ready(CARE_OF_ADDRESS, 10.0)
    made.need(CARE_OF_ADDRESS, 10.0)
    assert made.running
    made.stop()
    assert not made.running
    assert made.ready(CARE_OF_ADDRESS, 10.0), "what is known stays"
    made.forget_care_of_token(CARE_OF_ADDRESS)
    assert made.ready(None, 10.0) and not made.ready(CARE_OF_ADDRESS, 10.0)
    made.forget_home_token()
    assert not made.ready(None, 10.0)
    made = complete()
    made.forget()
    assert not made.ready(None, 0.0)
    made.need(None, 0.0)
    assert made.home_test.running and not made.care_of_test.running


def test_tokens_of_a_few_addresses_are_kept() -> None:
    """The address tested last counts as new, though it was known."""
    made = procedure()
    addresses = [CARE_OF_ADDRESS + n for n in range(TOKENS_MAX + 1)]
    now = 0.0
    made.need(None, now)
    home, _ = cookies(made, now, care_of_address=None)
    assert home is not None
    made.home_tested(*home_test(home), AWAY)

    def test(address: IPv6Address) -> None:
        made.forget_care_of_token(NEXT_CARE_OF_ADDRESS)  # of which nothing is known
        made.care_of_test.begin(now)
        _, cookie = cookies(made, now, care_of_address=address)
        assert cookie is not None
        assert made.care_of_tested(*care_of_test(cookie, address)) == ""

    for address in addresses[:TOKENS_MAX]:
        now += 2
        test(address)
    now += 2
    test(addresses[1])
    assert all(made.ready(address, now) for address in addresses[:TOKENS_MAX])
    now += 2
    test(addresses[TOKENS_MAX])
    known = [address for address in addresses if made.ready(address, now)]
    assert known == addresses[1:]


def test_errors_about_a_running_test() -> None:
    made = procedure()
    made.need(CARE_OF_ADDRESS, 0.0)
    home, care_of = cookies(made, 0.0)
    assert home and care_of
    assert made.expects(HomeTestInit(home_init_cookie=home)) is True
    assert made.expects(CareOfTestInit(care_of_init_cookie=care_of)) is True
    assert made.expects(HomeTestInit(home_init_cookie=care_of)) is False
    assert made.expects(CareOfTestInit(care_of_init_cookie=home)) is False
    assert made.expects(BindingError(status=1, home_address=HOME_ADDRESS)) is False
