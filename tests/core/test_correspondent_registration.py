"""One correspondent as the mobile node has it, by itself (§11.7.2, §11.7.3)."""

from ipaddress import IPv6Address
from math import inf
from typing import Any

import pytest
from tests.core.test_return_routability_procedure import (
    AWAY,
    TOLD,
    care_of_test,
    home_test,
)
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
)

from mip6.core.correspondent_registration import (
    IDLE_AFTER,
    MAX_RR_BINDING_LIFETIME,
    CorrespondentRegistration,
)
from mip6.core.packet import Packet, read, write
from mip6.core.registration import REFRESH_SHARE
from mip6.core.return_routability import sign
from mip6.core.route_optimization import Why
from mip6.core.state import End, RouteOptimization
from mip6.core.whereabouts import Whereabouts
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    CareOfTestInit,
    HomeTestInit,
)

ASK_AGAIN = 300.0
AT_HOME = Whereabouts(link="eth0", at_home=True, confirmed=True)
RESTORED = RouteOptimization(
    end=End.MOBILE_NODE,
    home_address=HOME_ADDRESS,
    correspondent=CORRESPONDENT,
    care_of_address=CARE_OF_ADDRESS,
    expires=100.0,
)


def registration(
    now: float = 0.0, restored: RouteOptimization | None = None
) -> CorrespondentRegistration:
    count = iter(range(1, 10_000))
    made = CorrespondentRegistration(
        HOME_ADDRESS,
        CORRESPONDENT,
        random=lambda octets: next(count).to_bytes(octets),
        authentication_required=False,
        now=now,
        restored=restored,
    )
    made.ask_again = ASK_AGAIN
    return made


def step(
    made: CorrespondentRegistration,
    now: float,
    here: Whereabouts = AWAY,
    *,
    allowed: bool = True,
) -> Packet | None:
    """What is due; tests are answered at once.  The Binding Update, if one leaves."""
    for _ in range(3):
        for packet in made.update(now, here, allowed=allowed):
            message = packet.message
            if isinstance(message, HomeTestInit):
                answer = home_test(
                    message.home_init_cookie, tunnel=here.tunnel and here.tunnel[::-1]
                )
                assert made.procedure.home_tested(*answer, here) == ""
            elif isinstance(message, CareOfTestInit):
                cookie = message.care_of_init_cookie
                test = care_of_test(cookie, packet.source)
                assert made.procedure.care_of_tested(*test) == ""
            else:
                assert isinstance(message, BindingUpdate)
                return packet
    return None


def acknowledge(
    made: CorrespondentRegistration,
    packet: Packet,
    now: float,
    *,
    number: int | None = None,
    lifetime: int = 400,
    status: int = 0,
    **more: Any,
) -> str:
    """As the correspondent signs it; the reason if it is ignored."""
    update = packet.message
    assert isinstance(update, BindingUpdate)
    deletes = update.lifetime == 0
    key, _ = made.procedure.key(None if deletes else packet.source)
    message = sign(
        BindingAcknowledgement(
            status=status,
            sequence_number=update.sequence_number if number is None else number,
            lifetime=lifetime,
        ),
        key,
        HOME_ADDRESS if deletes else packet.source,
        CORRESPONDENT,
    )
    arguments: dict[str, Any] = {
        "source": CORRESPONDENT,
        "destination": packet.source,
        "routing_address": HOME_ADDRESS,
        "message": message,
    }
    answer = read(write(Packet(**{**arguments, **more})))
    assert isinstance(answer.message, BindingAcknowledgement)
    return made.acknowledged(answer, answer.message, now)


def bound(now: float = 0.0, **more: Any) -> CorrespondentRegistration:
    made = registration(now)
    packet = step(made, now)
    assert packet is not None
    assert acknowledge(made, packet, now, **more) == ""
    made.update(now, AWAY, allowed=True)
    return made


def test_before_anything() -> None:
    made = registration(50.0)
    assert not made.awaiting and not made.expects_answer
    assert made.in_use(50.0)
    assert made.in_use(50 + IDLE_AFTER - 0.01)
    assert not made.in_use(50 + IDLE_AFTER)
    assert not made.finished(50 + IDLE_AFTER - 0.01)
    assert made.finished(50 + IDLE_AFTER)
    assert not made.direct(50.0)
    assert made.state(50.0) is None
    assert (made.granted, made.retransmissions, made.status) == (0.0, 0, None)
    assert made.always is False
    made.always = True
    assert made.in_use(1e6) and not made.finished(1e6)


@pytest.mark.rfc("11.7.2", "told where we are, once the tests are done")
def test_a_binding_from_sending_to_its_end() -> None:
    made = registration()
    packet = step(made, 0.0)
    assert packet is not None and isinstance(packet.message, BindingUpdate)
    assert (packet.source, packet.home_address) == (CARE_OF_ADDRESS, HOME_ADDRESS)
    assert packet.message.lifetime == MAX_RR_BINDING_LIFETIME
    assert made.awaiting is True and made.expects_answer is True
    assert made.why is Why.UPDATING
    assert made.is_ours(packet.message, CARE_OF_ADDRESS)
    assert not made.is_ours(packet.message, NEXT_CARE_OF_ADDRESS)
    state = made.state(0.0)
    assert state is not None and state.inbound_only
    assert acknowledge(made, packet, 0.5) == ""
    assert made.update(0.5, AWAY, allowed=True) == []
    assert made.awaiting is False and made.expects_answer is False
    assert not made.is_ours(packet.message, CARE_OF_ADDRESS)
    assert (made.granted, made.expires, made.status) == (400, 400.0, 0)
    assert made.why is Why.REGISTERED
    assert made.direct(399.9) is True and made.direct(400.0) is False
    assert made.stands(CARE_OF_ADDRESS, 399.9)
    assert not made.stands(CARE_OF_ADDRESS, 400.0)
    assert not made.stands(NEXT_CARE_OF_ADDRESS, 1.0)
    state = made.state(399.9)
    assert state is not None and not state.inbound_only and state.expires == 400.0
    # It was granted a while after it was sent.
    state = made.state(400.4)
    assert state is not None and state.inbound_only and state.expires == 400.5
    assert made.state(400.5) is None


@pytest.mark.rfc("11.7.3", "what is no answer to us")
def test_acknowledgements_that_are_ignored() -> None:
    made = registration()
    packet = step(made, 0.0)
    assert packet is not None and isinstance(packet.message, BindingUpdate)
    number = packet.message.sequence_number
    tunnel = (AWAY.home_agent, CARE_OF_ADDRESS)
    assert acknowledge(made, packet, 0.1, tunnel=tunnel) == "not_for_home_address"
    elsewhere = IPv6Address("2001:db8:a::999")
    reason = acknowledge(made, packet, 0.1, routing_address=elsewhere)
    assert reason == "not_for_home_address"
    assert acknowledge(made, packet, 0.1, number=number + 1) == "sequence_number"
    for status in (136, 137, 138):
        reason = acknowledge(made, packet, 0.1, number=number + 1, status=status)
        assert reason == "sequence_number"
    assert made.awaiting and made.status is None


@pytest.mark.parametrize(
    ("status", "refused"),
    [(0, False), (1, False), (127, False), (128, True), (129, True)],
)
def test_a_refusal(status: int, refused: bool) -> None:
    made = registration(10.0)
    packet = step(made, 10.0)
    assert packet is not None
    assert acknowledge(made, packet, 11.0, status=status) == ""
    assert made.status == status
    assert (made.given_up is Why.REFUSED) is refused
    assert made.direct(11.0) is not refused
    if refused:
        assert made.ask_again_at == 11 + ASK_AGAIN
        assert step(made, 11 + ASK_AGAIN - 0.01) is None
        assert made.given_up is Why.REFUSED
        made.talked_at = 11 + ASK_AGAIN
        assert step(made, 11 + ASK_AGAIN) is not None
        assert made.given_up is None


def test_it_is_remembered_while_it_is_not_to_be_asked() -> None:
    for ask_again, end in ((1000.0, 1011.0), (10.0, 10.0 + MAX_RR_BINDING_LIFETIME)):
        made = registration(10.0)
        made.ask_again = ask_again
        packet = step(made, 10.0)
        assert packet is not None
        acknowledge(made, packet, 11.0, status=129)
        assert not made.finished(end - 0.01)
        assert made.finished(end)


@pytest.mark.rfc("11.7.2", "deleted when we are at home")
def test_at_home_the_binding_is_deleted() -> None:
    made = bound()
    packet = step(made, 5.0, AT_HOME)
    assert packet is not None and isinstance(packet.message, BindingUpdate)
    assert packet.message.lifetime == 0
    assert (packet.source, packet.home_address) == (HOME_ADDRESS, None)
    assert not made.direct(5.0)
    reason = acknowledge(made, packet, 5.1, lifetime=0, routing_address=None)
    assert reason == ""
    assert step(made, 5.2, AT_HOME) is None
    assert made.state(5.2) is None
    assert made.granted == 0.0
    assert made.why is Why.AT_HOME


@pytest.mark.parametrize(
    "here",
    [
        Whereabouts(link="eth0", home_agent=AWAY.home_agent, confirmed=True),
        Whereabouts(care_of_address=CARE_OF_ADDRESS, confirmed=True),
        Whereabouts(),
    ],
    ids=["no address", "no link", "nowhere"],
)
def test_nobody_is_told_of_nowhere(here: Whereabouts) -> None:
    made = registration()
    assert made.update(0.0, here, allowed=True) == []
    assert made.bound_until == -inf
    assert not made.expects_answer


def test_nothing_is_told_before_the_home_agent_knows() -> None:
    made = bound()
    here = Whereabouts(
        link="eth0",
        care_of_address=NEXT_CARE_OF_ADDRESS,
        home_agent=AWAY.home_agent,
        told=True,
    )
    assert step(made, 10.0, here) is None
    assert made.deadline > 10.0, "there is nothing to do but wait"
    assert made.why is Why.HOME_REGISTRATION
    assert not made.direct(10.0)
    state = made.state(10.0)
    assert state is not None
    assert (state.care_of_address, state.previous) == (
        NEXT_CARE_OF_ADDRESS,
        CARE_OF_ADDRESS,
    )
    assert TOLD.told and not here.confirmed


# Requests and errors.


@pytest.mark.rfc("11.7.4", "who asks for a refresh, and when it is believed")
def test_a_refresh_request() -> None:
    made = registration()
    assert made.refresh_requested(0.0) == "no_binding"
    made = bound()
    assert made.refresh_requested(3.99) == "binding_refresh_request_too_soon"
    assert made.refresh_requested(4.0) == ""
    assert made.refresh_requested(4.1) == "binding_refresh_request_too_soon"
    packet = step(made, 5.0)
    assert packet is not None
    assert made.refresh_requested(10.0) == "binding_refresh_request_too_soon"
    assert acknowledge(made, packet, 10.0) == ""
    assert made.refresh_requested(59.9) == ""
    made = bound()
    assert made.refresh_requested(IDLE_AFTER) == "binding_not_needed"
    made = bound()
    made.talked_at = 400.0
    assert made.refresh_requested(400.0) == "no_binding"


def test_a_refresh_that_is_under_way_is_not_asked_for() -> None:
    made = bound()
    made.talked_at = 300.0
    assert step(made, 400.0 * REFRESH_SHARE) is not None
    reason = made.refresh_requested(400.0 * REFRESH_SHARE + 1)
    assert reason == "binding_refresh_request_too_soon"


@pytest.mark.rfc("11.3.6", "who has lost the binding is told again")
def test_an_unknown_binding() -> None:
    made = bound()
    assert made.unknown_binding(NEXT_CARE_OF_ADDRESS, 10.0) == "no_binding"
    assert made.unknown_binding(CARE_OF_ADDRESS, 0.9) == "binding_error_too_soon"
    assert made.unknown_binding(CARE_OF_ADDRESS, 10.0) == ""
    assert not made.direct(10.0)
    assert made.unknown_binding(CARE_OF_ADDRESS, 10.0) == "no_binding"
    assert not made.stands(CARE_OF_ADDRESS, 10.0) and not made.stands(None, 10.0)
    packet = step(made, 10.0)
    assert packet is not None
    assert acknowledge(made, packet, 10.1) == ""
    made.update(10.1, AWAY, allowed=True)
    assert made.unknown_binding(CARE_OF_ADDRESS, 12.0) == "binding_error_too_soon"
    assert made.unknown_binding(CARE_OF_ADDRESS, 12.1) == ""


def test_an_error_ends_what_waits_for_an_answer() -> None:
    made = bound()
    assert made.refresh_requested(10.0) == ""
    assert step(made, 10.0) is not None
    assert made.awaiting
    assert made.unknown_binding(CARE_OF_ADDRESS, 11.0) == ""
    assert not made.awaiting


# What an earlier process left.


def test_what_is_restored_is_used_where_we_are() -> None:
    made = registration(0.0, RESTORED)
    assert made.state(0.0) is RESTORED
    assert made.direct(99.9) is True and made.direct(100.0) is False
    made.update(0.0, TOLD, allowed=True)
    assert made.why is Why.RESTORED
    assert made.state(1.0) is RESTORED
    made.update(100.0, TOLD, allowed=True)
    assert made.restored is None
    assert made.state(100.0) is None


def test_what_is_restored_is_no_longer_allowed() -> None:
    made = registration(0.0, RESTORED)
    made.update(1.0, TOLD, allowed=False)
    state = made.state(1.0)
    assert state is not None and state.inbound_only


def test_what_is_restored_may_be_lost() -> None:
    made = registration(0.0, RESTORED)
    assert made.unknown_binding(CARE_OF_ADDRESS, 0.0) == ""
    assert made.restored is None


def test_the_end_of_the_traffic_is_a_moment_to_look() -> None:
    made = bound()
    made.update(5.0, AWAY, allowed=True)
    assert made.deadline == IDLE_AFTER
    made.talked_at = 30.0
    assert made.deadline == 30 + IDLE_AFTER


@pytest.mark.parametrize(
    "here",
    [
        AT_HOME,
        Whereabouts(
            link="eth0",
            care_of_address=NEXT_CARE_OF_ADDRESS,
            home_agent=AWAY.home_agent,
        ),
        Whereabouts(
            link="eth0",
            care_of_address=CARE_OF_ADDRESS,
            home_agent=AWAY.home_agent,
            stopping=True,
        ),
    ],
    ids=["at home", "elsewhere", "stopping"],
)
def test_what_is_restored_goes(here: Whereabouts) -> None:
    made = registration(0.0, RESTORED)
    made.update(1.0, here, allowed=True)
    assert made.restored is None
    assert not made.direct(1.0)
    state = made.state(1.0)
    assert state is not None and state.inbound_only
