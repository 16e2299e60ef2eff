"""The Binding Updates to one correspondent: when they are repeated, refreshed and given
up, and what their answers do (§11.7.2, §11.7.3, §11.8)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.core.test_correspondent_registration import (
    AT_HOME,
    RESTORED,
    acknowledge,
    bound,
    registration,
    step,
)
from tests.core.test_return_routability_procedure import AWAY, TOLD
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
)

from mip6.core.address_test import FRESH_SHARE, MAX_RO_FAILURE, MAX_TOKEN_LIFETIME
from mip6.core.attachments import GRACE
from mip6.core.correspondent_registration import (
    IDLE_AFTER,
    CorrespondentRegistration,
    Update,
)
from mip6.core.packet import Packet, read, write
from mip6.core.registration import OUTSTANDING_MAX, REFRESH_SHARE, UPDATE_WINDOW
from mip6.core.route_optimization import Why
from mip6.core.whereabouts import Whereabouts
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    CareOfTestInit,
    HomeTestInit,
)

ELSEWHERE = replace(AWAY, care_of_address=NEXT_CARE_OF_ADDRESS)
REFRESH_AT = 400 * REFRESH_SHARE


def sent(
    made: CorrespondentRegistration,
    now: float,
    here: Whereabouts = AWAY,
    **more: bool,
) -> Packet:
    """The Binding Update that leaves now."""
    packet = step(made, now, here, **more)
    assert packet is not None
    return packet


def update(packet: Packet) -> BindingUpdate:
    assert isinstance(packet.message, BindingUpdate)
    return packet.message


def kinds(made: CorrespondentRegistration, now: float) -> set[type]:
    """What leaves now, none of it answered."""
    return {type(p.message) for p in made.update(now, AWAY, allowed=True)}


def refreshed(**more: Any) -> tuple[CorrespondentRegistration, Packet]:
    """Bound at 0, talking, and a refresh on its way."""
    made = bound(**more)
    made.talked_at = REFRESH_AT
    return made, sent(made, REFRESH_AT)


# Repeated.


@pytest.mark.rfc("11.8", "a second, doubled each time; then a second again")
def test_repetitions() -> None:
    made, packet = refreshed()
    assert step(made, REFRESH_AT + 0.99) is None
    sent(made, REFRESH_AT + 1)
    assert made.retransmissions == 1
    assert step(made, REFRESH_AT + 2.99) is None
    packet = sent(made, REFRESH_AT + 3)
    assert made.retransmissions == 2
    assert acknowledge(made, packet, REFRESH_AT + 3) == ""
    assert made.retransmissions == 0
    # The next one begins with a second.
    made.talked_at = again_at = REFRESH_AT + 3 + REFRESH_AT
    sent(made, again_at)
    assert step(made, again_at + 0.99) is None
    sent(made, again_at + 1)


def test_a_move_begins_with_a_second_again() -> None:
    made = registration()
    sent(made, 0.0)
    sent(made, 1.0)
    sent(made, 3.0, ELSEWHERE)
    assert made.retransmissions == 0
    assert step(made, 3.99, ELSEWHERE) is None
    sent(made, 4.0, ELSEWHERE)


def test_a_correspondent_that_is_silent_is_asked_for_new_tokens_each_time() -> None:
    """It may have been started again (§9.5.1): when a Binding Update has been repeated
    once; the same after it has answered, and after a move."""
    made, _ = refreshed()
    assert BindingUpdate in kinds(made, REFRESH_AT + 1)
    assert kinds(made, REFRESH_AT + 3) == {HomeTestInit, CareOfTestInit}
    packet = sent(made, REFRESH_AT + 4)
    assert acknowledge(made, packet, REFRESH_AT + 4) == ""
    made.talked_at = later = 2 * REFRESH_AT + 4
    sent(made, later)
    assert BindingUpdate in kinds(made, later + 1)
    assert kinds(made, later + 3) == {HomeTestInit, CareOfTestInit}
    sent(made, later + 4)
    # A move, and the way back, where the new tokens are.
    sent(made, later + 5, ELSEWHERE)
    sent(made, later + 6)
    assert kinds(made, later + 7) == {BindingUpdate}
    assert kinds(made, later + 9) == {HomeTestInit, CareOfTestInit}


@pytest.mark.rfc("11.8", "three Binding Updates a second, wherever it moves")
def test_the_rate() -> None:
    made = registration()
    first = sent(made, 0.0)
    assert acknowledge(made, first, 0.0) == ""
    assert acknowledge(made, sent(made, 0.1, ELSEWHERE), 0.1) == ""
    assert acknowledge(made, sent(made, 0.2, AWAY), 0.2) == ""
    assert step(made, 0.3, ELSEWHERE) is None
    assert made.deadline == UPDATE_WINDOW
    assert step(made, UPDATE_WINDOW - 0.01, ELSEWHERE) is None
    sent(made, UPDATE_WINDOW, ELSEWHERE)


@pytest.mark.parametrize(("last", "number"), [(0xFFFE, 0xFFFF), (0xFFFF, 0), (7, 8)])
def test_numbers_go_round(last: int, number: int) -> None:
    made = registration()
    made.sequence_number = last
    assert update(sent(made, 0.0)).sequence_number == number


# Given up.


@pytest.mark.rfc("11.7.2", "no answer to so many: no direct way, and nothing waits")
def test_no_answer() -> None:
    made = registration()
    made.bound_until = -1.0
    packet = sent(made, 0.0)
    for now in (1.0, 3.0, 7.0):
        packet = sent(made, now)
    assert made.retransmissions == MAX_RO_FAILURE
    assert made.given_up is None
    assert step(made, 15.0) is None
    assert made.given_up is Why.NO_ANSWER
    assert made.expects_answer is False
    assert acknowledge(made, packet, 15.0) == "sequence_number"


def test_no_answer_to_a_test() -> None:
    made = registration()
    times = (0.0, 1.0, 3.0, 7.0)
    assert all(kinds(made, now) == {HomeTestInit, CareOfTestInit} for now in times)
    assert kinds(made, 15.0) == set()
    assert made.given_up is Why.NO_ANSWER
    assert made.expects_answer is False
    assert made.why is Why.NO_ANSWER


def test_a_deletion_is_never_given_up_while_there_may_be_a_binding() -> None:
    made = registration()
    sent(made, 0.0)
    now, wait = 1.0, 1.0
    for _ in range(MAX_RO_FAILURE + 3):
        assert update(sent(made, now, AT_HOME)).lifetime == 0
        assert made.given_up is None
        now, wait = now + wait, wait * 2


def test_few_transmissions_are_remembered() -> None:
    """A limit: eight of them."""
    made = registration()
    sent(made, 0.0)
    packets, now = [], 1.0
    for wait in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0, 32.0, 32.0):
        packets.append(sent(made, now, AT_HOME))
        now += wait
    assert len(packets) == OUTSTANDING_MAX + 1
    answer: dict[str, Any] = {"lifetime": 0, "routing_address": None}
    assert acknowledge(made, packets[0], now, **answer) == "sequence_number"
    assert acknowledge(made, packets[1], now, **answer) == ""


def test_who_stops_deletes_without_the_home_agent() -> None:
    here = replace(AWAY, confirmed=False, stopping=True)
    assert update(sent(bound(), 10.0, here)).lifetime == 0


def test_a_minute_without_traffic() -> None:
    made = registration()
    assert made.in_use(59.9) and not made.in_use(60.0)


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(Update(0.0, 420, CARE_OF_ADDRESS, b"secret"))


def test_what_the_kernel_refuses_is_not_direct_when_it_is_acknowledged() -> None:
    made = registration()
    packet = sent(made, 0.0)
    made.give_up(Why.KERNEL, 0.1)
    assert acknowledge(made, packet, 0.2) == ""
    assert made.stands(CARE_OF_ADDRESS, 0.2) and not made.direct(0.2)
    assert made.why is Why.KERNEL


# Answers.


@pytest.mark.rfc("11.7.3", "granted nothing: no binding, though it may hold one")
def test_granted_nothing() -> None:
    made = registration()
    packet = sent(made, 0.0)
    assert acknowledge(made, packet, 1.0, lifetime=0) == ""
    assert made.given_up is Why.REFUSED
    assert made.care_of_address is None
    assert made.bound_until == 420.0


@pytest.mark.rfc("11.7.3", "what was sent from elsewhere is not answered any more")
def test_an_answer_to_an_earlier_place() -> None:
    made = registration()
    before = sent(made, 0.0)
    made.update(1.0, TOLD, allowed=True)
    sent(made, 2.0, ELSEWHERE)
    assert acknowledge(made, before, 3.0) == "sequence_number"


def test_a_place_is_said_again_when_another_was_said_meanwhile() -> None:
    """The correspondent may have taken that one; its answer has only not come."""
    made = bound()
    sent(made, 10.0, ELSEWHERE)
    assert not made.stands(CARE_OF_ADDRESS, 11.0)
    again = sent(made, 11.0)
    assert again.source == CARE_OF_ADDRESS
    # A refusal is of that place, too.
    assert acknowledge(made, again, 11.0, status=130) == ""
    assert made.status == 130
    made.update(11.0, ELSEWHERE, allowed=True)
    assert made.status == 130
    made.given_up, made.ask_again_at = None, 11.0
    sent(made, 12.0, ELSEWHERE)
    assert made.status is None


@pytest.mark.rfc("11.7.3", "the nonces that expired are asked for, and no others")
@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (136, {HomeTestInit}),
        (137, {CareOfTestInit}),
        (138, {HomeTestInit, CareOfTestInit}),
    ],
)
def test_expired_nonces(status: int, asked: set[type]) -> None:
    made = registration()
    packet = sent(made, 0.0)
    assert acknowledge(made, packet, 0.5, status=status) == ""
    assert made.status == status
    assert not made.awaiting
    assert kinds(made, 0.5) == asked


@pytest.mark.parametrize("stands", [False, True])
def test_nonces_that_expire_at_once(stands: bool) -> None:
    """Asked for again at once, then after 2, 4, … seconds: the same while a binding is
    refreshed, which is not given up before it ends."""
    made = registration()
    now = 0.0
    if stands:
        made, packet = refreshed()
        now = REFRESH_AT
    else:
        packet = sent(made, now)
    for wait in (0.0, 2.0, 4.0):
        assert acknowledge(made, packet, now, status=138) == ""
        assert wait == 0.0 or step(made, now + wait - 0.01) is None
        now += wait
        packet = sent(made, now)
        assert made.given_up is None
    assert acknowledge(made, packet, now, status=138) == ""
    assert made.given_up is (None if stands else Why.NO_ANSWER)


def test_at_its_very_end_a_binding_is_nothing_to_hope_for() -> None:
    made, packet = refreshed()
    for wait in (0.0, 2.0, 4.0):
        assert acknowledge(made, packet, made.talked_at, status=138) == ""
        made.talked_at += wait
        packet = sent(made, made.talked_at)
    assert acknowledge(made, packet, 400.0, status=138) == ""
    assert made.given_up is Why.NO_ANSWER


@pytest.mark.rfc("11.7.3", "the number that the correspondent has is gone on from")
def test_another_number() -> None:
    made = registration()
    made.sequence_number = 100
    packet = sent(made, 0.0)
    assert acknowledge(made, packet, 0.5, status=135, number=5000) == ""
    again = sent(made, 0.5)
    assert update(again).sequence_number == 5001
    assert acknowledge(made, again, 0.6, status=135, number=5000) == (
        "sequence_number_in_window"
    )
    # It contradicts itself: soon enough with the repetition.
    assert acknowledge(made, again, 0.6, status=135, number=6000) == ""
    assert step(made, 1.49) is None
    assert update(sent(made, 1.5)).sequence_number == 6001


@pytest.mark.rfc("11.6.1", "the tokens end with the binding that they deleted")
def test_away_again_needs_new_tokens() -> None:
    made = bound()
    packet = sent(made, 5.0, AT_HOME)
    assert acknowledge(made, packet, 5.1, lifetime=0, routing_address=None) == ""
    assert made.update(5.2, AT_HOME, allowed=True) == []
    assert kinds(made, 6.0) == {HomeTestInit, CareOfTestInit}


@pytest.mark.rfc("11.5.4", "the address before is one of ours for a moment")
def test_the_address_before() -> None:
    made = bound()
    state = made.state(1.0)
    assert state is not None
    assert (state.previous, state.previous_until) == (None, 0.0)
    assert acknowledge(made, sent(made, 10.0, ELSEWHERE), 10.0) == ""
    made.update(10.0, ELSEWHERE, allowed=True)
    state = made.state(11.0)
    assert state is not None
    assert state.care_of_address == NEXT_CARE_OF_ADDRESS
    assert (state.previous, state.previous_until) == (CARE_OF_ADDRESS, 10 + GRACE)
    state = made.state(10 + GRACE)
    assert state is not None
    assert (state.previous, state.previous_until) == (None, 0.0)


def test_a_test_under_way_waits_for_an_answer() -> None:
    made = registration()
    assert kinds(made, 0.0) == {HomeTestInit, CareOfTestInit}
    assert made.awaiting is False and made.expects_answer is True


def test_what_is_not_allowed_is_why() -> None:
    made = bound()
    assert update(sent(made, 10.0, allowed=False)).lifetime == 0
    assert made.why is Why.POLICY


@pytest.mark.rfc("11.7.3", "who cannot sign says nothing")
@pytest.mark.parametrize("status", [0, 130, 135])
def test_an_answer_that_is_not_signed(status: int) -> None:
    made = registration()
    packet = sent(made, 0.0)
    number = update(packet).sequence_number
    message = BindingAcknowledgement(
        status=status, sequence_number=number, lifetime=400
    )
    answer = Packet(
        source=CORRESPONDENT,
        destination=CARE_OF_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=message,
    )
    read_again = read(write(answer))
    assert made.acknowledged(read_again, message, 0.5) == "unauthenticated"
    assert made.awaiting


@pytest.mark.rfc("11.7.4", "a refresh that is asked for begins with new tests")
def test_a_request_brings_new_tests() -> None:
    made = bound()
    assert made.refresh_requested(10.0) == ""
    assert kinds(made, 10.0) == {HomeTestInit, CareOfTestInit}
    made = bound(100.0)
    assert made.refresh_requested(103.9) == "binding_refresh_request_too_soon"
    assert made.refresh_requested(104.0) == ""


@pytest.mark.rfc("11.3.6", "who lost the binding lost the nonces, too")
def test_a_binding_that_is_unknown_brings_new_tests() -> None:
    made = bound()
    assert made.unknown_binding(CARE_OF_ADDRESS, 10.0) == ""
    assert kinds(made, 10.0) == {HomeTestInit, CareOfTestInit}


def test_errors_that_were_believed_in_vain() -> None:
    """Twice as long each time, up to eight seconds: anybody can send one."""
    made = bound()
    now = 0.0
    for wait in (1.0, 2.0, 4.0, 8.0, 8.0):
        reason = made.unknown_binding(CARE_OF_ADDRESS, now + wait - 0.01)
        assert reason == "binding_error_too_soon"
        assert made.unknown_binding(CARE_OF_ADDRESS, now + wait) == ""
        now += wait
        assert acknowledge(made, sent(made, now), now) == ""
        made.update(now, AWAY, allowed=True)


def test_a_test_that_an_error_quotes() -> None:
    made = registration()
    for packet in made.update(0.0, AWAY, allowed=True):
        assert made.is_ours(packet.message, packet.source)
    assert not made.is_ours(HomeTestInit(home_init_cookie=bytes(8)), HOME_ADDRESS)


# Until when.


@pytest.mark.rfc("11.7.2", "no longer than the home registration lasts")
@pytest.mark.parametrize(
    ("seconds", "lifetime"),
    [(3.99, None), (4.0, 4), (7.99, 4), (8.0, 8), (500.0, 420)],
)
def test_lifetimes(seconds: float, lifetime: int | None) -> None:
    made = registration()
    packet = step(made, 10.0, replace(AWAY, until=10 + seconds))
    assert (update(packet).lifetime if packet else None) == lifetime


@pytest.mark.rfc("11.4.2", "what ends earlier than was told is told")
@pytest.mark.parametrize(("until", "told"), [(396.0, True), (396.01, False)])
def test_an_earlier_end(until: float, told: bool) -> None:
    assert (step(bound(), 10.0, replace(AWAY, until=until)) is not None) is told


@pytest.mark.parametrize(("until", "gains"), [(404.0, True), (403.99, False)])
def test_a_refresh_gains_something(until: float, gains: bool) -> None:
    made = bound()
    made.talked_at = REFRESH_AT
    here = replace(AWAY, until=until)
    assert (step(made, REFRESH_AT, here) is not None) is gains


def test_a_refresh_is_a_moment_to_look_even_without_tokens() -> None:
    made = bound()
    made.talked_at = 250.0
    # The home keygen token is renewed, the other has ended.
    assert step(made, 250.0) is None
    made.update(250.0, AWAY, allowed=True)
    assert not made.procedure.ready(CARE_OF_ADDRESS, 250.0)
    assert made.deadline == REFRESH_AT


@pytest.mark.rfc("11.7.2", "without traffic nothing is asked for, or renewed")
def test_without_traffic() -> None:
    made = registration()
    assert made.update(IDLE_AFTER, AWAY, allowed=True) == []
    made = bound()
    assert step(made, REFRESH_AT) is None
    # But who may send to where we are not is told.
    sent(made, REFRESH_AT + 1, ELSEWHERE)


@pytest.mark.rfc("5.2.7", "a home keygen token is there for a move, with traffic")
def test_a_home_keygen_token_is_renewed() -> None:
    made = bound()
    renew_at = MAX_TOKEN_LIFETIME * FRESH_SHARE
    assert made.update(renew_at, AWAY, allowed=True) == []
    made.talked_at = renew_at
    assert kinds(made, renew_at) == {HomeTestInit}


def test_a_deletion_has_no_end() -> None:
    """It is said even if the home registration is about to end."""
    here = replace(AWAY, until=12.0)
    assert update(sent(bound(), 10.0, here, allowed=False)).lifetime == 0


def test_what_was_restored_is_made_our_own() -> None:
    """Even where that makes it no longer."""
    made = registration(0.0, RESTORED)
    packet = sent(made, 1.0, replace(AWAY, until=100.0))
    assert acknowledge(made, packet, 1.0) == ""
    assert made.restored is None and made.direct(1.0)


def test_what_has_ended_need_not_be_deleted() -> None:
    made = bound()
    made.talked_at = 399.0
    assert made.bound_until == 400.0
    assert step(made, 400.0, AT_HOME) is None
    assert step(bound(), 399.9, AT_HOME) is not None


def test_what_has_ended_without_traffic_is_not_begun_again() -> None:
    made = bound()
    assert step(made, 400.0) is None
    made.talked_at = 401.0
    sent(made, 401.0)


def test_what_has_ended_is_no_binding_to_be_unknown() -> None:
    made = bound()
    assert made.unknown_binding(CARE_OF_ADDRESS, 400.0) == "no_binding"


def test_what_was_restored_is_refreshed_after_a_visit_home() -> None:
    """Too short to tell anybody."""
    made = registration(0.0, RESTORED)
    made.update(1.0, replace(AT_HOME, confirmed=False), allowed=True)
    assert made.restored is None
    sent(made, 2.0)


# Moves.


def test_a_request_is_forgotten_on_a_move() -> None:
    """The Binding Update from there answers it; back here, it may ask again."""
    made = bound()
    assert made.refresh_requested(10.0) == ""
    made.update(11.0, replace(ELSEWHERE, confirmed=False), allowed=True)
    assert step(made, 12.0) is None
    assert made.direct(12.0)
    assert made.refresh_requested(12.0) == ""


def test_no_refresh_is_asked_for_while_one_waits() -> None:
    made, _ = refreshed()
    reason = made.refresh_requested(REFRESH_AT + 0.5)
    assert reason == "binding_refresh_request_too_soon"


@pytest.mark.rfc("5.2.9", "beside the home registration, once more when that is done")
def test_a_care_of_test_that_may_have_been_too_early() -> None:
    made = bound()
    here = replace(ELSEWHERE, confirmed=False)
    [early] = made.update(10.0, here, allowed=True)
    assert isinstance(early.message, CareOfTestInit)
    assert made.update(10.5, here, allowed=True) == []
    assert made.deadline == 11.0
    assert made.update(10.9, ELSEWHERE, allowed=True) == []
    assert made.deadline == pytest.approx(10.92)
    [again] = made.update(10.92, ELSEWHERE, allowed=True)
    assert isinstance(again.message, CareOfTestInit)
    # Only then: what is confirmed already makes nothing leave earlier.
    assert made.update(11.0, ELSEWHERE, allowed=True) == []
    assert made.deadline == pytest.approx(12.92)
