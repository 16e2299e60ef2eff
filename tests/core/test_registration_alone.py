"""The home registration by itself: what it sends when, and what its answers do
(§11.7.1, §11.7.3, §11.8; RFC 5846 §10)."""

from dataclasses import replace
from ipaddress import IPv6Address
from math import inf
from typing import Any

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
)

from mip6.core.packet import Packet
from mip6.core.registration import (
    ADVICE,
    NO_ADVICE,
    RESPITE,
    UNDER_WAY_MAX,
    UPDATE_WINDOW,
    Aim,
    Registration,
    update_times,
)
from mip6.wire.messages import BindingAcknowledgement, BindingUpdate
from mip6.wire.options import AlternateCareOfAddress, BindingRefreshAdvice
from mip6.wire.revocation import BindingRevocation, RevocationStatus, RevocationType

AIM = Aim(CARE_OF_ADDRESS, "eth0")
NEXT = Aim(NEXT_CARE_OF_ADDRESS, "eth1")
HOME = Aim(HOME_ADDRESS, "eth0", delete=True)
ANOTHER = IPv6Address("2001:db8:a::2")


def registration(aim: Aim | None = None, **more: Any) -> Registration:
    fields: dict[str, Any] = {
        "home_agent": HOME_AGENT,
        "lifetime": 400,
        "authentication_required": False,
        **more,
    }
    made = Registration(HOME_ADDRESS, **fields)
    if aim is not None:
        made.take_aim(aim, 0.0)
    return made


def sent(made: Registration, now: float, valid_until: float = inf) -> Packet:
    packet = made.update(now, valid_until)
    assert packet is not None
    return packet


def update(packet: Packet) -> BindingUpdate:
    assert isinstance(packet.message, BindingUpdate)
    return packet.message


def answer(made: Registration, packet: Packet, now: float, **changes: Any) -> str:
    """The reason if it is ignored."""
    fields: dict[str, Any] = {
        "source": HOME_AGENT,
        "destination": packet.source,
        "routing_address": None if packet.source == HOME_ADDRESS else HOME_ADDRESS,
    }
    for name in [*fields, "tunnel", "protected_for"]:
        if name in changes:
            fields[name] = changes.pop(name)
    number = update(packet).sequence_number
    about = {"status": 0, "sequence_number": number, "lifetime": 400, **changes}
    message = BindingAcknowledgement(**about)
    return made.acknowledged(Packet(message=message, **fields), message, now)


def registered(now: float = 0.0, **changes: Any) -> Registration:
    """Asked and answered at 0."""
    made = registration(AIM)
    assert answer(made, sent(made, 0.0), now, **changes) == ""
    return made


def times(made: Registration, until: float) -> list[float]:
    """When Binding Updates leave, none of them answered."""
    found: list[float] = []
    while made.deadline <= until:
        found.append(round(made.deadline, 3))
        sent(made, made.deadline)
    return found


# Before anything.


def test_before_anything() -> None:
    made = registration()
    assert (made.aim, made.sequence_number, made.care_of_address) == (None, None, None)
    assert (made.granted, made.expires, made.bound_until) == (0.0, -inf, -inf)
    assert (made.status, made.sent_at, made.asked_at) == (None, None, -inf)
    assert (made.sent, made.given_up, made.retransmissions) == (False, False, 0)
    assert (made.awaiting, made.refused, made.problem) == (False, False, None)
    assert made.deadline == inf
    assert made.update(0.0, inf) is None
    assert made.renew(0.0) is False
    assert made.fruitless(0.0) is False
    assert made.not_understood(1, 0.0) is False
    assert made.alive(0.0) is False
    assert made.stands(None, 0.0) is False


def test_nobody_is_known_who_could_be_asked() -> None:
    made = registration(AIM, home_agent=None)
    assert made.deadline == inf
    assert made.asked_at == 0.0
    assert made.update(10.0, inf) is None


def test_what_an_earlier_process_left() -> None:
    made = registration()
    made.restore(100.0)
    assert (made.expires, made.bound_until) == (100.0, 100.0)
    assert made.alive(99.9) is True and made.alive(100.0) is False
    assert made.stands(None, 0.0) is False, "where it is nobody knows"
    made.take_aim(AIM, 0.0)
    assert times(made, 1.0) == [0.0, 1.0], "there is a binding: no duplicates"
    made = registration(HOME)
    made.restore(100.0)
    assert answer(made, sent(made, 0.0), 0.1, status=133, lifetime=0) == ""
    assert made.deadline == inf, "nothing else can be on its way"
    made = registration(AIM)
    made.restore(100.0)
    assert isinstance(revoked(made, 1.0, revocation()), Packet)
    assert made.refused


# What is sent.


@pytest.mark.rfc("11.7.1", "a Binding Update for the home agent")
def test_a_binding_update() -> None:
    made = registration(AIM)
    packet = sent(made, 2.0)
    assert packet == Packet(
        source=CARE_OF_ADDRESS,
        destination=HOME_AGENT,
        home_address=HOME_ADDRESS,
        link="eth0",
        message=BindingUpdate(
            sequence_number=17,
            lifetime=400,
            acknowledge=True,
            home_registration=True,
            options=(AlternateCareOfAddress(CARE_OF_ADDRESS),),
        ),
    )
    assert (made.sent, made.sent_at, made.asked_at) == (True, 2.0, 2.0)
    assert (made.awaiting, made.sequence_number) == (True, 17)
    assert made.bound_until == 402.0
    assert not made.alive(2.0)


@pytest.mark.parametrize(("last", "number"), [(0xFFFE, 0xFFFF), (0xFFFF, 0), (7, 8)])
def test_numbers_go_round(last: int, number: int) -> None:
    made = registration(AIM)
    made.sequence_number = last
    assert update(sent(made, 0.0)).sequence_number == number


@pytest.mark.parametrize(
    ("seconds", "lifetime"),
    [(0.0, 4), (3.9, 4), (4.0, 4), (8.0, 8), (11.9, 8), (399.9, 396), (500.0, 400)],
)
def test_lifetimes(seconds: float, lifetime: int) -> None:
    made = registration(AIM)
    assert update(sent(made, 10.0, 10 + seconds)).lifetime == lifetime
    assert made.bound_until == 10 + lifetime


def test_by_a_link_of_others_the_rules_lead_it_out() -> None:
    made = registration(replace(AIM, adopted=True))
    assert sent(made, 0.0).link is None


@pytest.mark.rfc("11.7.1", "L only where the interface identifiers are the same")
@pytest.mark.parametrize(
    ("link_local", "compatible"),
    [(None, False), ("fe80::100", True), ("fe80::101", False)],
)
def test_link_local_compatibility(link_local: str | None, compatible: bool) -> None:
    address = IPv6Address(link_local) if link_local else None
    made = registration(replace(AIM, link_local=address))
    found = update(sent(made, 0.0)).link_local_address_compatibility
    assert found is compatible


# When.


@pytest.mark.rfc("11.8", "1.5 s, doubled up to 32 s, where there is no binding")
def test_the_first_time() -> None:
    assert times(registration(AIM), 80.0) == [0, 1.5, 4.5, 10.5, 22.5, 46.5, 78.5]


@pytest.mark.rfc("11.8", "1 s where there is a binding")
def test_a_refresh() -> None:
    made = registered()
    assert times(made, 310.0) == [300, 301, 303, 307]
    assert made.retransmissions == 3
    packet = sent(made, 315.0)
    assert answer(made, packet, 315.0) == ""
    assert made.retransmissions == 0
    assert (made.expires, made.deadline) == (715.0, 615.0)
    assert times(made, 616.0) == [615, 616]


@pytest.mark.rfc("11.7.3", "the Binding Refresh Advice, where it is sooner")
@pytest.mark.parametrize(("advice", "at"), [(100, 100), (352, 300), (0, 300)])
def test_refresh_advice(advice: int, at: float) -> None:
    other = AlternateCareOfAddress(CARE_OF_ADDRESS)
    made = registered(options=(other, BindingRefreshAdvice(advice)))
    assert made.deadline == at


def test_a_way_where_nobody_answered_is_asked_by_seldom() -> None:
    made = registration(replace(AIM, patient=True))
    assert times(made, 1.0) == [0]
    assert made.fruitless(31.9) is False
    assert made.fruitless(32.0) is True
    packet = sent(made, 32.0)
    assert made.deadline == 64.0
    assert answer(made, packet, 32.0) == ""
    assert made.deadline == 332.0
    assert made.fruitless(332.0) is False, "it has answered"


def test_fruitless() -> None:
    made = registration(AIM)
    assert times(made, 5.0) == [0, 1.5, 4.5]
    assert made.fruitless(10.4) is False
    assert made.fruitless(10.5) is True
    made = registration(AIM)
    assert times(made, 2.0) == [0, 1.5]
    assert made.fruitless(4.5) is False


@pytest.mark.rfc("11.8", "three a second to one home agent, for all home addresses")
def test_the_rate_is_shared() -> None:
    recent = update_times()
    one, other = (registration(AIM, recent=recent) for _ in range(2))
    sent(one, 0.0)
    sent(other, 0.1)
    one.take_aim(NEXT, 0.2)
    sent(one, 0.2)
    other.take_aim(NEXT, 0.3)
    assert 1.0 < UPDATE_WINDOW < 1.1
    assert other.deadline == UPDATE_WINDOW
    assert other.update(UPDATE_WINDOW - 0.01, inf) is None
    sent(other, UPDATE_WINDOW)


def test_few_transmissions_are_remembered() -> None:
    """A limit: eight of them."""
    made = registration(AIM)
    packets = []
    while len(packets) < 9:
        packets.append(sent(made, made.deadline))
    assert answer(made, packets[0], 200.0) == "sequence_number"
    assert answer(made, packets[1], 200.0) == ""


# Aims.


def test_the_same_aim_begins_nothing() -> None:
    made = registration(AIM)
    packet = sent(made, 0.0)
    made.take_aim(replace(AIM, link_local=IPv6Address("fe80::1")), 1.0)
    assert made.asked_at == 0.0
    assert made.aim is not None and made.aim.link_local is not None
    assert answer(made, packet, 1.0) == ""


def test_another_aim_begins_anew() -> None:
    made = registration(AIM)
    before = sent(made, 0.0)
    assert answer(made, before, 0.1, status=130) == ""
    made.take_aim(NEXT, 0.2)
    assert (made.sent, made.status, made.asked_at) == (False, None, 0.2)
    assert (made.awaiting, made.retransmissions, made.deadline) == (False, 0, 0.2)
    sent(made, 0.2)
    assert answer(made, before, 0.3) == "sequence_number"
    made.take_aim(None, 0.4)
    assert (made.awaiting, made.deadline) == (False, inf)


def test_back_before_anything_was_said() -> None:
    made = registered()
    made.take_aim(NEXT, 10.0)
    made.take_aim(AIM, 11.0)
    assert (made.status, made.deadline, made.sent) == (0, 300.0, False)
    assert made.stands(CARE_OF_ADDRESS, 11.0)


def test_back_after_something_was_said() -> None:
    made = registered()
    made.take_aim(NEXT, 10.0)
    sent(made, 10.0)
    assert made.care_of_address is None
    made.take_aim(AIM, 11.0)
    assert made.deadline == 11.0


def test_on_trial_what_stands_is_used_until_the_answer() -> None:
    made = registered()
    trial = replace(NEXT, tentative=True)
    made.take_aim(trial, 10.0)
    packet = sent(made, 10.0)
    assert made.stands(CARE_OF_ADDRESS, 10.0)
    # Back meanwhile: the home agent may have the other.
    made.take_aim(AIM, 11.0)
    assert made.deadline == 11.0
    assert answer(made, sent(made, 11.0), 11.0) == ""
    made.take_aim(None, 12.0)
    made.take_aim(AIM, 13.0)
    assert made.deadline == 311.0, "now it is certain"
    assert answer(made, packet, 13.0) == "no_binding_update_outstanding"


def test_a_trial_that_becomes_all_there_is() -> None:
    made = registered()
    made.take_aim(replace(NEXT, tentative=True), 10.0)
    made.take_aim(NEXT, 10.5)
    assert made.stands(CARE_OF_ADDRESS, 10.5), "nothing was said yet"
    made.take_aim(replace(NEXT, tentative=True), 10.6)
    sent(made, 10.6)
    made.take_aim(NEXT, 11.0)
    assert not made.stands(CARE_OF_ADDRESS, 11.0)


def test_who_stops_deletes_what_stands() -> None:
    made = registered()
    made.take_aim(replace(AIM, delete=True), 10.0)
    assert made.deadline == 10.0
    assert update(sent(made, 10.0)).lifetime == 0
    assert not made.stands(CARE_OF_ADDRESS, 10.0)


def test_what_stands_is_used_while_it_is_refreshed() -> None:
    made = registered()
    sent(made, 300.0)
    assert made.stands(CARE_OF_ADDRESS, 301.0)


def test_nothing_is_counted_where_nothing_is_asked() -> None:
    made = registered()
    assert times(made, 302.0) == [300, 301]
    made.take_aim(None, 302.0)
    assert made.retransmissions == 0
    made.postpone(302.0)
    assert made.deadline == inf


def test_a_home_address_that_is_given_up_is_so_everywhere() -> None:
    made = registered()
    made.take_aim(NEXT, 10.0)
    assert answer(made, sent(made, 10.0), 12.0, status=134) == ""
    # What was granted before stands, and may be revoked.
    assert made.alive(12.5)
    assert isinstance(revoked(made, 12.5, revocation()), Packet)
    assert not made.alive(12.5) and made.bound_until == -inf
    assert (made.status, made.deadline) == (134, inf)
    made.take_aim(AIM, 13.0)
    assert made.deadline == inf


# Answers.


@pytest.mark.rfc("11.7.3", "what is no answer to us")
def test_answers_that_are_none() -> None:
    made = registration(AIM)
    packet = sent(made, 0.0)
    inside = (HOME_AGENT, CARE_OF_ADDRESS)
    assert answer(made, packet, 1.0, source=ANOTHER) == "not_from_home_agent"
    assert answer(made, packet, 1.0, tunnel=inside) == "not_from_home_agent"
    assert answer(made, packet, 1.0, routing_address=ANOTHER) == "not_for_home_address"
    number = update(packet).sequence_number
    assert answer(made, packet, 1.0, sequence_number=number + 1) == "sequence_number"
    assert answer(made, packet, 1.0) == ""
    assert answer(made, packet, 1.0) == "no_binding_update_outstanding"
    made = registration(AIM, authentication_required=True)
    packet = sent(made, 0.0)
    assert answer(made, packet, 1.0) == "unauthenticated"
    assert answer(made, packet, 1.0, protected_for=ANOTHER) == "unauthenticated"
    assert answer(made, packet, 1.0, protected_for=HOME_ADDRESS) == ""


@pytest.mark.rfc("11.7.3", "what is granted counts from sending")
def test_what_is_granted() -> None:
    made = registration(AIM)
    packet = sent(made, 0.0)
    assert answer(made, packet, 5.0, lifetime=200) == ""
    assert (made.granted, made.expires, made.bound_until) == (200, 200.0, 205.0)
    assert made.care_of_address == CARE_OF_ADDRESS
    assert made.deadline == 150.0
    assert made.status == 0 and made.problem is None and not made.refused
    assert made.stands(CARE_OF_ADDRESS, 199.9)
    assert not made.stands(CARE_OF_ADDRESS, 200.0)
    made = registered(lifetime=4000)
    assert (made.granted, made.expires) == (400, 400.0)


def test_an_earlier_transmission_is_answered() -> None:
    made = registration(AIM)
    packet = sent(made, 0.0)
    sent(made, 1.5)
    assert answer(made, packet, 2.0, lifetime=100) == ""
    assert (made.expires, made.bound_until) == (100.0, 401.5)


def test_granted_nothing() -> None:
    made = registered(lifetime=0)
    assert not made.alive(0.0)
    assert made.deadline == RESPITE


@pytest.mark.parametrize("status", [128, 129, 134, 174])
def test_refusals(status: int) -> None:
    made = registered()
    made.take_aim(NEXT, 10.0)
    sent(made, 10.0)
    packet = sent(made, 11.0)
    assert answer(made, packet, 12.0, status=status) == ""
    assert made.refused and made.problem is not None
    assert f"({status})" in made.problem.what
    final = status == 134
    assert made.given_up is final
    assert made.bound_until == (400.0 if final else 411.0)
    assert made.deadline == (inf if final else 12 + RESPITE)
    assert made.renew(30.0) is not final
    if final:
        made.take_aim(AIM, 31.0)
        assert made.deadline == inf
        made.postpone(40.0)
        assert (made.given_up, made.deadline) == (False, 40 + RESPITE)


def test_after_a_refusal_it_begins_as_at_first() -> None:
    made = registration(AIM)
    for now in (0.0, 1.5):
        packet = sent(made, now)
    assert answer(made, packet, 2.0, status=130) == ""
    assert made.retransmissions == 0
    again = 2 + RESPITE
    assert times(made, again + 1) == [again, again + 1], "it may hold what was asked"
    made = registered()
    made.restore(-1.0)
    made.take_aim(replace(NEXT, delete=True), 10.0)
    assert answer(made, sent(made, 10.0), 10.0, status=130) == ""
    again = 10 + RESPITE
    assert times(made, again + 1.5) == [again, again + 1.5]


def test_what_an_operator_is_told() -> None:
    for status in (*range(128, 135), 139, 145, 146, 174):
        told = registered(status=status).problem
        assert told is not None
        assert told.what.endswith(ADVICE[status][0])
        assert told.advice == ADVICE[status][1]
    told = registered(status=200).problem
    assert told is not None and told.advice == NO_ADVICE[1]
    told = registered(status=1).problem
    assert told is not None and "prefixes" in told.what


def test_127_is_no_refusal() -> None:
    made = registered(status=127)
    assert made.alive(1.0) and not made.refused


@pytest.mark.rfc("11.7.3", "the home agent's number is gone on from")
def test_another_number() -> None:
    made = registration(AIM)
    made.sequence_number = 100
    packet = sent(made, 0.0)
    assert answer(made, packet, 0.5, status=135, sequence_number=5000) == ""
    assert not made.refused and not made.awaiting
    again = sent(made, 0.5)
    assert update(again).sequence_number == 5001
    assert made.retransmissions == 0
    reason = answer(made, again, 0.6, status=135, sequence_number=5000)
    assert reason == "sequence_number_in_window"
    assert answer(made, again, 0.7, status=135, sequence_number=6000) == ""
    assert made.awaiting and made.deadline == 2.0


def test_a_clock_that_was_wrong_is_set_once() -> None:
    made = registration(AIM)
    assert answer(made, sent(made, 0.0), 0.5, status=144) == ""
    assert not made.refused and made.deadline == 0.5
    assert answer(made, sent(made, 0.5), 0.6, status=144) == ""
    assert made.refused and made.deadline == 0.6 + RESPITE


def test_registered_again_when_the_home_agent_has_lost_it() -> None:
    made = registered()
    assert made.renew(0.99) is False
    assert made.renew(1.0) is True
    assert made.deadline == 1.0
    sent(made, 1.0)
    assert made.renew(5.0) is False, "it is under way"
    assert made.alive(5.0)
    made = registration(AIM)
    assert made.renew(0.0) is True, "nothing was sent yet"
    made = registration(AIM)
    assert answer(made, sent(made, 100.0), 100.0) == ""
    assert made.renew(100.5) is False


def test_one_that_knows_no_mobility_header() -> None:
    made = registration(AIM)
    number = update(sent(made, 0.0)).sequence_number
    assert made.not_understood(number + 1, 0.5) is False
    assert made.not_understood(number, 0.5) is True
    assert made.deadline == 0.5 + RESPITE
    made = registered()
    number = update(sent(made, 300.0)).sequence_number
    assert made.not_understood(number, 300.5) is False, "it did"


# At home.


@pytest.mark.rfc("11.5.5", "from home, without any option")
def test_a_deletion() -> None:
    made = registered()
    made.take_aim(HOME, 50.0)
    packet = sent(made, 50.0)
    assert (packet.source, packet.home_address) == (HOME_ADDRESS, None)
    assert (update(packet).lifetime, update(packet).options) == (0, ())
    assert made.care_of_address is None
    assert made.bound_until == 400.0
    assert answer(made, packet, 51.0, lifetime=0) == ""
    assert (made.expires, made.bound_until, made.deadline) == (-inf, -inf, inf)
    assert made.status == 0


@pytest.mark.rfc("10.3.2", "no binding is what was asked for, unless one comes yet")
@pytest.mark.parametrize(
    ("now", "done"), [(UNDER_WAY_MAX - 0.01, False), (UNDER_WAY_MAX, True)]
)
@pytest.mark.parametrize("status", [0, 1, 133])
def test_nothing_to_delete(status: int, now: float, done: bool) -> None:
    made = registration(AIM)
    sent(made, 0.0)
    made.take_aim(HOME, 0.5)
    packet = sent(made, 0.5)
    assert answer(made, packet, now, status=status, lifetime=0) == ""
    assert made.status == 0
    gone = done or status != 133
    assert made.bound_until == (-inf if gone else 400.0)
    assert made.deadline == (inf if gone else UNDER_WAY_MAX)


def test_a_deletion_that_is_refused() -> None:
    made = registered()
    made.take_aim(HOME, 50.0)
    assert answer(made, sent(made, 50.0), 50.0, status=129, lifetime=0) == ""
    assert made.refused and made.bound_until == 400.0


def test_a_binding_that_ends_at_this_moment_is_none() -> None:
    made = registration()
    made.restore(10.0)
    made.take_aim(AIM, 10.0)
    assert times(made, 11.5) == [10.0, 11.5], "the home agent checks for duplicates"


# Revoked.


def test_registering_after_a_revocation_is_counted_anew() -> None:
    made = registered()
    assert times(made, 301.0) == [300, 301]
    assert isinstance(revoked(made, 302.0, revocation()), Packet)
    assert made.renew(305.0) is True
    assert made.retransmissions == 0


def test_a_revocation_after_a_number_that_was_wrong() -> None:
    made = registration(AIM)
    made.sequence_number = 100
    packet = sent(made, 0.0)
    assert answer(made, packet, 0.5, status=135, sequence_number=5000) == ""
    assert answer(made, sent(made, 0.5), 0.5) == ""
    assert isinstance(revoked(made, 1.0, revocation()), Packet)
    assert made.refused, "not to be asked at once"


def revocation(**changes: Any) -> BindingRevocation:
    fields: dict[str, Any] = {
        "revocation_type": RevocationType.INDICATION,
        "code": 1,
        "sequence_number": 5,
        **changes,
    }
    return BindingRevocation(**fields)


def revoked(
    made: Registration, now: float, message: BindingRevocation, **changes: Any
) -> Packet | str:
    fields: dict[str, Any] = {
        "source": HOME_AGENT,
        "destination": CARE_OF_ADDRESS,
        "routing_address": HOME_ADDRESS,
        **changes,
    }
    return made.revoked(Packet(message=message, **fields), message, now)


def test_a_revocation() -> None:
    made = registered()
    sent(made, 300.0)
    found = revoked(made, 301.0, revocation())
    assert found == Packet(
        source=CARE_OF_ADDRESS,
        destination=HOME_AGENT,
        home_address=HOME_ADDRESS,
        link="eth0",
        message=revocation(
            revocation_type=RevocationType.ACKNOWLEDGEMENT,
            code=RevocationStatus.SUCCESS,
        ),
    )
    assert not made.awaiting and made.refused and made.status == 129
    assert (made.expires, made.bound_until) == (-inf, -inf)
    assert made.care_of_address is None
    assert made.deadline == 301 + RESPITE


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (
            revocation(proxy_binding=True),
            RevocationStatus.PROXY_BINDING_NOT_SUPPORTED,
        ),
        (
            revocation(ipv4_home_address_only=True),
            RevocationStatus.IPV4_HOME_ADDRESS_OPTION_REQUIRED,
        ),
    ],
)
def test_a_revocation_of_what_there_is_not(
    message: BindingRevocation, code: int
) -> None:
    made = registered()
    found = revoked(made, 10.0, message)
    assert isinstance(found, Packet) and isinstance(found.message, BindingRevocation)
    assert found.message.code == code
    assert made.alive(10.0)


def test_revocations_that_are_ignored() -> None:
    made = registered()
    reason = revoked(made, 10.0, revocation(), source=ANOTHER)
    assert reason == "not_from_home_agent"
    acknowledgement = revocation(revocation_type=RevocationType.ACKNOWLEDGEMENT)
    assert revoked(made, 10.0, acknowledgement) == "unexpected_message"
    nothing = "revocation_of_no_binding"
    assert revoked(made, 400.0, revocation()) == nothing
    home = {"destination": HOME_ADDRESS, "routing_address": None}
    assert revoked(made, 10.0, revocation(), **home) == nothing
    made.take_aim(None, 10.0)
    assert revoked(made, 10.0, revocation()) == nothing
