"""Whether data gets through the tunnel: protocol 41 may be dropped where ESP passes."""

from collections.abc import Callable
from ipaddress import IPv6Address
from random import Random

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import PREFIX_B, PREFIX_C, ROUTER_B, ROUTER_C, Roamer

from mip6.core.adopted import Adopted
from mip6.core.conditions import Condition, condition
from mip6.core.effects import Effect, Notify
from mip6.core.events import Dropped, Place, Problem
from mip6.core.link import Attachment
from mip6.core.packet import Packet, write
from mip6.core.tunnel_probe import (
    AGAIN,
    ECHO_REPLY,
    ECHO_REQUEST,
    TRIES_MAX,
    WAYS_MAX,
    Passage,
    TunnelProbe,
)
from mip6.wire.icmpv6 import UnknownIcmp
from mip6.wire.neighbor_options import CaptivePortal

CARE_OF_ADDRESS = IPv6Address("2001:db8:b::ff:fe00:5")
SECOND = "eth1"


def is_question(packet: Packet) -> bool:
    message = packet.message
    return isinstance(message, UnknownIcmp) and message.type == ECHO_REQUEST


def reply(question: Packet, **changes: object) -> bytes:
    """What the home agent's kernel answers."""
    message = question.message
    assert isinstance(message, UnknownIcmp)
    answer = UnknownIcmp(type=ECHO_REPLY, code=0, data=message.data)
    fields: dict[str, object] = {
        "source": question.destination,
        "destination": question.source,
        "message": answer,
    }
    return write(Packet(**{**fields, **changes}))  # type: ignore[arg-type]


class Path:
    """Answers the questions of a roamer: those that get through."""

    def __init__(self, roamer: Roamer, *, through: bool, beside: bool = True) -> None:
        self.roamer = roamer
        self.through = through
        self.beside = beside
        self.asked: list[Packet] = []
        self.told: list[object] = []
        self._seen = len(roamer.sent)

    def run(self, seconds: float) -> None:
        roamer, end = self.roamer, self.roamer.now + seconds
        while roamer.now < end:
            self._answer()
            at = roamer.node.deadline
            roamer.now = end if at is None else min(max(at, roamer.now), end)
            self._note(roamer.do(roamer.node.tick(roamer.now)))
        self._answer()

    def _answer(self) -> None:
        while self._seen < len(self.roamer.sent):
            packet = self.roamer.sent[self._seen].packet
            self._seen += 1
            if is_question(packet):
                self.asked.append(packet)
                if self.through if packet.tunnel else self.beside:
                    self._note(self.roamer.receive(reply(packet)))

    def _note(self, effects: list[Effect]) -> None:
        self.told += [e.event for e in effects if isinstance(e, Notify)]

    @property
    def problems(self) -> list[str]:
        return [p.what for p in self.told if isinstance(p, Problem)]


def passage(roamer: Roamer) -> Passage:
    assert roamer.mobile_node.probe is not None
    return roamer.mobile_node.probe.passage


def look(roamer: Roamer, link: str = "eth0") -> Condition:
    node = roamer.mobile_node
    return condition(link, node.attachments, node.registration, node.probe, roamer.now)


def test_one_question_through_the_tunnel_is_enough_where_it_is_open() -> None:
    roamer = Roamer(probe_tunnel=True)
    roamer.register()
    assert passage(roamer) is Passage.UNTESTED
    path = Path(roamer, through=True)
    path._seen = 0
    path.run(60)
    [question] = path.asked
    assert (question.source, question.destination) == (HOME_ADDRESS, HOME_AGENT)
    assert question.tunnel == (CARE_OF_ADDRESS, HOME_AGENT)
    assert passage(roamer) is Passage.OPEN
    assert look(roamer) is Condition.WORKS
    assert path.problems == []


def test_a_blocked_tunnel_is_told_and_tried_again() -> None:
    roamer = Roamer(probe_tunnel=True)
    roamer.register()
    path = Path(roamer, through=False)
    path.run(2.9)
    assert passage(roamer) is Passage.UNTESTED
    path.run(1)
    assert passage(roamer) is Passage.BLOCKED
    assert path.problems == ["tunnel blocked (protocol 41) by the network on eth0"]
    assert look(roamer) is Condition.TUNNEL_BLOCKED
    assert roamer.mobile_node.place is Place.REGISTERED, "there is nothing better"
    beside = [question for question in path.asked if question.tunnel is None]
    assert {question.source for question in beside} == {CARE_OF_ADDRESS}
    count = len(path.asked)
    path.run(AGAIN - 2)
    assert len(path.asked) == count
    path.through = True
    path.run(5)
    assert passage(roamer) is Passage.OPEN
    assert look(roamer) is Condition.WORKS


def test_a_refresh_does_not_ask_again_where_the_tunnel_is_blocked() -> None:
    roamer = Roamer(probe_tunnel=True)
    roamer.register()
    path = Path(roamer, through=False)
    path.run(4)
    assert passage(roamer) is Passage.BLOCKED
    count = len(path.asked)
    probe = roamer.mobile_node.probe
    at = roamer.mobile_node.attachments.way_of(CARE_OF_ADDRESS)
    assert probe is not None and at is not None
    probe.begin(at, HOME_AGENT, roamer.now)
    path.run(2)
    assert passage(roamer) is Passage.BLOCKED
    assert len(path.asked) == count


def test_where_nobody_answers_echo_requests_nothing_is_known() -> None:
    roamer = Roamer(probe_tunnel=True)
    roamer.register()
    path = Path(roamer, through=False, beside=False)
    path.run(100)
    assert passage(roamer) is Passage.UNKNOWN
    assert path.problems == []
    assert look(roamer) is Condition.WORKS
    through = [question for question in path.asked if question.tunnel]
    assert len(through) == TRIES_MAX - 1, "the first left before"
    count = len(path.asked)
    path.run(100)
    assert len(path.asked) == count


def test_a_link_that_loses_packets_is_not_blocked() -> None:
    """And one that is blocked is found to be, whatever it loses."""
    wrong = 0
    for seed in range(300):
        for loss in (0.1, 0.5, 0.7):
            for open_ in (True, False):
                chance = Random(f"{seed} {loss} {open_}")

                def lost(chance: Random = chance, loss: float = loss) -> bool:
                    return chance.random() < loss or chance.random() < loss

                found = outcome(lambda: not lost(), open_=open_)
                wrong += found is Passage.BLOCKED if open_ else found is Passage.OPEN
    assert wrong == 0


def outcome(passes: Callable[[], bool], *, open_: bool) -> Passage:
    """What a path that lets a question and its answer pass at times comes to."""
    probe = TunnelProbe(HOME_ADDRESS, Random(1).randbytes)
    probe.begin(attachment(), HOME_AGENT, 0.0)
    while probe.deadline < 100:
        now = probe.deadline
        if probe.judge(now):
            break
        for question in probe.questions(now):
            if passes() and (open_ or not question.tunnel):
                assert answer(probe, question) == ""
    return probe.passage


def attachment(
    link: str = "eth0", care_of: IPv6Address = CARE_OF_ADDRESS
) -> Attachment:
    return Attachment(
        link=link,
        router=ROUTER_B,
        router_link_layer_address=None,
        home_agent_here=False,
        prefix=PREFIX_B,
        care_of_address=care_of,
        silent=False,
        valid_until=1e9,
        usable=True,
    )


def answer(probe: TunnelProbe, question: Packet, **changes: object) -> str:
    message = question.message
    assert isinstance(message, UnknownIcmp)
    packet = Packet(
        **{  # type: ignore[arg-type]
            "source": question.destination,
            "destination": question.source,
            "message": UnknownIcmp(type=ECHO_REPLY, code=0, data=message.data),
            **changes,
        }
    )
    assert isinstance(packet.message, UnknownIcmp)
    return probe.answered(packet, packet.message)


def test_answers_to_nobodys_questions_are_ignored() -> None:
    probe = TunnelProbe(HOME_ADDRESS, Random(1).randbytes)
    probe.begin(attachment(), HOME_AGENT, 0.0)
    [question] = probe.questions(0.0)
    assert isinstance(question.message, UnknownIcmp)
    data = question.message.data

    def with_data(data: bytes) -> UnknownIcmp:
        return UnknownIcmp(type=ECHO_REPLY, code=0, data=data)

    for changes in (
        {"source": IPv6Address("2001:db8:e::1")},
        {"destination": CARE_OF_ADDRESS},
        {"message": with_data(data[:-1])},
        {"message": with_data(bytes((data[0] ^ 1,)) + data[1:])},
        {"message": with_data(data[:3] + b"\2" + data[4:])},
        {"message": with_data(data[:3] + b"\0" + data[4:])},
        {"message": with_data(data[:-1] + b"\7")},
    ):
        assert answer(probe, question, **changes) == "echo_reply", changes
        assert probe.passage is Passage.UNTESTED
    assert answer(probe, question) == ""
    assert probe.passage is Passage.OPEN
    through, beside = None, None
    probe.begin(attachment(), HOME_AGENT, 1.0)
    probe.questions(1.0)
    through, beside = probe.questions(2.0)
    assert answer(probe, through) == "" and answer(probe, beside) == ""
    assert probe.passage is Passage.OPEN and probe.deadline > 100


def test_the_limit_of_what_is_remembered() -> None:
    probe = TunnelProbe(HOME_ADDRESS, Random(1).randbytes)
    for number in range(WAYS_MAX + 2):
        at = attachment(f"eth{number}", IPv6Address(number + 1))
        start = number * 100.0
        probe.begin(at, HOME_AGENT, start)
        while not probe.judge(probe.deadline):
            for question in probe.questions(probe.deadline):
                if not question.tunnel:
                    assert answer(probe, question) == ""
        assert probe.is_blocked(at)
    assert not probe.is_blocked(attachment("eth0"))
    assert probe.is_blocked(attachment("eth2"))


def test_another_interface_is_taken_and_not_left_again_at_once() -> None:
    roamer = Roamer(links=("eth0", SECOND), probe_tunnel=True)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer()
    path = Path(roamer, through=False)
    roamer.link_up(SECOND)
    roamer.hear(PREFIX_C, ROUTER_C, link=SECOND)
    path.run(5)
    assert passage(roamer) is Passage.BLOCKED
    assert roamer.updates[-1].packet.link == SECOND
    path.through = True
    roamer.answer()
    path.run(1)
    assert roamer.mobile_node.link == SECOND and passage(roamer) is Passage.OPEN
    assert look(roamer) is Condition.TUNNEL_BLOCKED
    assert look(roamer, SECOND) is Condition.WORKS
    # Half a minute later the better one is tried again, with the same outcome.
    for pause in (30, 62):
        before = len(roamer.updates)
        path.run(pause)
        assert roamer.updates[before].packet.link == "eth0"
        path.through = False
        roamer.answer()
        path.run(5)
        assert roamer.updates[-1].packet.link == SECOND
        path.through = True
        roamer.answer()
        path.run(1)
        assert roamer.mobile_node.link == SECOND
    # Each time it waits twice as long.
    before = len(roamer.updates)
    path.run(100)
    assert all(s.packet.link == SECOND for s in roamer.updates[before:])
    roamer.do(roamer.mobile_node.handover("eth0", roamer.now))
    roamer.answer()
    path.run(1)
    assert roamer.mobile_node.link == "eth0" and passage(roamer) is Passage.OPEN
    assert look(roamer) is Condition.WORKS


def test_a_move_begins_anew_and_an_end_of_the_registration_ends_it() -> None:
    roamer = Roamer(probe_tunnel=True)
    roamer.register()
    path = Path(roamer, through=True)
    path._seen = 0
    path.run(1)
    assert passage(roamer) is Passage.OPEN
    roamer.link_down()
    assert passage(roamer) is Passage.UNTESTED
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    count = len(path.asked)
    path.run(0.5)
    assert len(path.asked) == count, "not before it is registered"
    roamer.answer()
    path.run(0.5)
    assert len(path.asked) == count + 1
    assert passage(roamer) is Passage.OPEN
    # A refresh asks again: the network may have changed its mind.
    path.run(301)
    roamer.answer()
    path.through = False
    path.run(5)
    assert passage(roamer) is Passage.BLOCKED
    path.run(1000)
    assert roamer.mobile_node.place is Place.REGISTERING
    assert passage(roamer) is Passage.UNTESTED


def test_who_does_not_ask_knows_no_answer() -> None:
    roamer = Roamer()
    roamer.register()
    message = UnknownIcmp(type=ECHO_REPLY, code=0, data=bytes(12))
    packet = Packet(source=HOME_AGENT, destination=HOME_ADDRESS, message=message)
    [told] = roamer.receive(write(packet))
    assert isinstance(told, Notify) and isinstance(told.event, Dropped)
    assert told.event.reason == "unexpected_message"
    roamer = Roamer(probe_tunnel=True)
    roamer.register()
    [told] = roamer.receive(write(packet))
    assert isinstance(told, Notify) and isinstance(told.event, Dropped)
    assert (told.event.reason, told.event.section) == ("echo_reply", "RFC 4443 4.2")


# What a link is worth, in a word.


def test_the_words_for_a_link() -> None:
    roamer = Roamer()
    assert look(roamer) is Condition.DOWN
    roamer.link_up()
    assert look(roamer) is Condition.WAITING
    roamer.wait(5)
    assert look(roamer) is Condition.NO_ROUTER
    roamer.hear(PREFIX_B, ROUTER_B)
    assert look(roamer) is Condition.UNTRIED
    roamer.wait(12)
    assert look(roamer) is Condition.BROKEN
    portal = CaptivePortal(b"https://login.example.net/api")
    roamer.hear(PREFIX_B, ROUTER_B, options=(portal,))
    assert look(roamer) is Condition.CAPTIVE
    unrestricted = CaptivePortal(b"urn:ietf:params:capport:unrestricted")
    roamer.hear(PREFIX_B, ROUTER_B, options=(unrestricted,))
    assert look(roamer) is Condition.BROKEN
    roamer.answer()
    assert look(roamer) is Condition.WORKS
    roamer.go_home()
    assert look(roamer) is Condition.HOME


def test_a_router_that_fell_silent_before_it_was_tried() -> None:
    roamer = Roamer(links=("eth0", SECOND))
    roamer.register()
    roamer.link_up(SECOND)
    roamer.hear(PREFIX_C, ROUTER_C, link=SECOND)
    roamer.do(roamer.mobile_node.neighbor_lost(ROUTER_C, SECOND, roamer.now))
    roamer.wait(5)
    assert look(roamer, SECOND) is Condition.SILENT


@pytest.mark.parametrize("configured", [False, True])
def test_the_words_for_a_link_of_others(configured: bool) -> None:
    roamer = Roamer(managed=False)
    roamer.link_up()
    assert look(roamer) is Condition.WAITING
    if not configured:
        roamer.wait(5)
        assert look(roamer) is Condition.NO_ROUTER
        return
    address = Adopted(address=IPv6Address("2001:db8:b::77"), prefix_length=64)
    configure = roamer.mobile_node.configured
    roamer.do(configure("eth0", (address,), (ROUTER_B,), roamer.now))
    assert look(roamer) is Condition.UNTRIED
    roamer.wait(12)
    assert look(roamer) is Condition.BROKEN
