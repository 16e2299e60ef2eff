"""The questions through the tunnel and beside it, one by one (RFC 4443 §4)."""

from dataclasses import replace

import pytest
from tests.core.test_mobile_state import AT_B, AT_C, adopted
from tests.support.core import HOME_ADDRESS, HOME_AGENT

from mip6.core.packet import Packet
from mip6.core.tunnel_probe import (
    AGAIN,
    TRIES_MAX,
    Passage,
    TunnelProbe,
    is_echo_reply,
)
from mip6.wire.icmpv6 import UnknownIcmp


def probing() -> TunnelProbe:
    """Since 0 s."""
    made = TunnelProbe(HOME_ADDRESS, lambda count: b"\xab\xcd"[:count])
    made.begin(AT_B, HOME_AGENT, 0.0)
    return made


def answer(probe: TunnelProbe, question: Packet) -> str:
    message = question.message
    assert isinstance(message, UnknownIcmp)
    reply = UnknownIcmp(type=129, code=0, data=message.data)
    source, destination = question.destination, question.source
    packet = Packet(source=source, destination=destination, message=reply)
    return probe.answered(packet, reply)


def run(probe: TunnelProbe, questions: int, *, beside: int = 0) -> float:
    """Ask so often, and answer the first beside the tunnel; the last moment."""
    now = 0.0
    for _ in range(questions):
        now = probe.deadline
        assert probe.judge(now) is None
        _, *others = probe.questions(now)
        for question in others[:beside]:
            assert answer(probe, question) == ""
            beside -= 1
    assert beside == 0
    return now


def blocked() -> TunnelProbe:
    made = probing()
    run(made, 12, beside=8)
    assert made.judge(made.deadline) is Passage.BLOCKED
    return made


def test_before_anything_was_asked() -> None:
    made = TunnelProbe(HOME_ADDRESS, lambda count: b"\xab\xcd"[:count])
    assert made.passage is Passage.UNTESTED
    assert made.identifier == 0xABCD


def test_how_often_is_asked() -> None:
    """24 times a quarter of a second apart, then a second; 60 times in all."""
    made = probing()
    moments = []
    for _ in range(TRIES_MAX):
        moments.append(made.deadline)
        assert made.judge(made.deadline) is None
        assert made.questions(made.deadline)
    assert moments == [n / 4 for n in range(24)] + [6.0 + n for n in range(36)]
    assert made.judge(made.deadline) is Passage.UNKNOWN
    assert made.questions(1000.0) == []


def test_the_questions_are_echo_requests_and_the_answers_replies() -> None:
    """RFC 4443 §4.1, §4.2."""
    for question in probing().questions(0.0):
        assert isinstance(question.message, UnknownIcmp)
        assert (question.message.type, question.message.code) == (128, 0)
        assert not is_echo_reply(question.message)
    assert is_echo_reply(UnknownIcmp(type=129, code=0, data=b""))


def test_where_others_configure_the_link_routing_rules_lead_the_questions() -> None:
    assert [q.link for q in probing().questions(0.0)] == ["eth0"]
    made = probing()
    made.begin(adopted(AT_B), HOME_AGENT, 1.0)
    assert [q.link for q in made.questions(1.0)] == [None]


def test_eight_answers_beside_the_tunnel_and_three_seconds_are_enough() -> None:
    """Judged when the next question is due: until then the last may be answered."""
    made = probing()
    assert run(made, 12, beside=8) == 2.75
    assert made.judge(2.99) is None
    assert made.judge(3.0) is Passage.BLOCKED
    made = probing()
    assert run(made, 13, beside=7) == 3.0
    assert made.judge(3.25) is None
    _, beside = made.questions(3.25)
    answer(made, beside)
    assert made.judge(3.49) is None
    assert made.judge(3.5) is Passage.BLOCKED


def test_a_blocked_way_is_one_until_it_is_known_no_more() -> None:
    """It is asked again later; when nobody answers, nothing is held against it."""
    made = blocked()
    assert made.is_blocked(AT_B) and not made.is_blocked(AT_C)
    assert made.deadline == 3.0 + AGAIN
    run(made, TRIES_MAX)
    assert made.is_blocked(AT_B)
    assert made.judge(made.deadline) is Passage.UNKNOWN
    assert not made.is_blocked(AT_B)


def test_answers_count_for_the_registration_they_were_asked_for() -> None:
    made = probing()
    [first] = made.questions(0.0)
    made.begin(AT_B, HOME_AGENT, 1.0)
    [second] = made.questions(1.0)
    assert answer(made, first) == "echo_reply"
    assert made.passage is Passage.UNTESTED
    assert answer(made, second) == ""
    assert made.passage is Passage.OPEN


def test_of_another_place_nothing_is_known() -> None:
    made = probing()
    [question] = made.questions(0.0)
    assert answer(made, question) == ""
    made.attached(replace(AT_B, silent=True))
    assert made.passage is Passage.OPEN, "the address is the same"
    made.attached(AT_C)
    assert made.passage is Passage.UNTESTED


@pytest.mark.parametrize("again", [False, True])
def test_a_late_answer_says_nothing_of_the_next_time(again: bool) -> None:
    """Back at the same place, registered there or not."""
    made = probing()
    [question] = made.questions(0.0)
    made.attached(None)
    answer(made, question)
    if again:
        made.begin(AT_B, HOME_AGENT, 1.0)
    else:
        made.attached(AT_B)
    assert made.passage is Passage.UNTESTED
