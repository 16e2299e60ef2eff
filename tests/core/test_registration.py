"""The home registration: when which Binding Update leaves, what its answers do
(§11.7.1, §11.7.3, §11.8).  The rules one by one are in tests/conformance."""

from dataclasses import replace
from ipaddress import IPv6Address
from math import inf

import pytest
from tests.conformance.nodes import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, HOME_PREFIX
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    ROUTER_HOME,
    Roamer,
)
from tests.core.test_movement import hear, prefix

from mip6.core.effects import Effect, Notify
from mip6.core.events import Dropped, Place, Problem
from mip6.core.link import Link
from mip6.core.packet import Packet, write
from mip6.core.state import Rule, Tunnel
from mip6.wire.icmpv6 import DestinationUnreachable, ParameterProblem
from mip6.wire.messages import BindingError, BindingRefreshRequest, BindingStatus

CARE_OF_ADDRESS = IPv6Address("2001:db8:b::ff:fe00:5")


def told(effects: list[Effect], kind: type) -> list[object]:
    return [
        effect.event
        for effect in effects
        if isinstance(effect, Notify) and isinstance(effect.event, kind)
    ]


def reason(effects: list[Effect]) -> str:
    """Of the one event that says a packet was ignored; nothing else happened."""
    [effect] = effects
    assert isinstance(effect, Notify)
    assert isinstance(effect.event, Dropped)
    return effect.event.reason


def registering(**more: object) -> Roamer:
    roamer = Roamer(**more)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    return roamer


def sent_at(roamer: Roamer) -> list[float]:
    """Seconds after the first."""
    first = roamer.updates[0].at
    return [round(sent.at - first, 3) for sent in roamer.updates]


# Timing.


@pytest.mark.rfc("11.8", "1.5 s while there is no binding, doubled up to 32 s")
def test_first_registration() -> None:
    roamer = registering()
    roamer.wait(200)
    assert sent_at(roamer) == [0, 1.5, 4.5, 10.5, 22.5, 46.5, 78.5, 110.5, 142.5, 174.5]
    assert roamer.mobile_node.registration.retransmissions == 9


@pytest.mark.rfc("11.8", "1 s where a binding exists")
def test_move_with_a_binding() -> None:
    roamer = Roamer()
    roamer.register()
    roamer.link_down()
    roamer.link_up()
    roamer.now += 10
    roamer.hear(PREFIX_C, ROUTER_C)
    before = len(roamer.updates)
    roamer.wait(8)
    times = [round(s.at - roamer.updates[before - 1].at, 3) for s in roamer.updates]
    assert times[before - 1 :] == [0, 1, 3, 7]


def test_refresh_is_repeated_while_the_tunnel_stands() -> None:
    """The refresh is lost eight times, and traffic never stops."""
    roamer = Roamer()
    roamer.register()
    for _ in range(99):
        roamer.wait(4)
        assert roamer.tunnel is not None
    assert sent_at(roamer) == [0, 300, 301, 303, 307, 315, 331, 363, 395]
    roamer.answer()
    roamer.wait(100)
    assert roamer.tunnel is not None


def test_acknowledgement_of_an_earlier_transmission_counts() -> None:
    """A round trip longer than the timeout; the lifetime is counted from that one."""
    roamer = registering()
    first = roamer.updates[0]
    roamer.wait(1.7)
    assert len(roamer.updates) == 2
    roamer.answer(sequence_number=first.update.sequence_number)
    assert roamer.mobile_node.place is Place.REGISTERED
    assert roamer.mobile_node.registration.expires == first.at + 400
    # The second answer comes too, and there is nothing to it.
    assert reason(roamer.answer()) == "no_binding_update_outstanding"


def test_acknowledgement_of_the_place_before_does_not_count() -> None:
    """Two moves, faster than one registration."""
    roamer = registering()
    stale = roamer.acknowledgement()
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    assert reason(roamer.receive(stale)) == "sequence_number"
    assert roamer.mobile_node.place is Place.REGISTERING
    roamer.answer()
    assert roamer.mobile_node.place is Place.REGISTERED


def test_few_transmissions_are_remembered() -> None:
    """A limit: eight of them."""
    roamer = registering()
    first = roamer.updates[0].update.sequence_number
    roamer.wait(1.5 + 3 + 6 + 12 + 24 + 32 + 32 + 32)
    assert len(roamer.updates) == 9
    assert reason(roamer.answer(sequence_number=first)) == "sequence_number"
    roamer.answer(sequence_number=first + 1)
    assert roamer.mobile_node.place is Place.REGISTERED


def test_back_at_once() -> None:
    """To the care-of address that was acknowledged last: nothing need be said."""
    roamer = Roamer()
    roamer.register()
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert len(roamer.updates) == 1
    assert roamer.mobile_node.place is Place.REGISTERED
    roamer.wait(300)
    assert len(roamer.updates) == 2, "the refresh is not forgotten"


def test_back_after_something_else_was_said() -> None:
    """The home agent may have taken the other one."""
    roamer = Roamer()
    roamer.register()
    for network, router in ((PREFIX_C, ROUTER_C), (PREFIX_B, ROUTER_B)):
        roamer.link_down()
        roamer.link_up()
        roamer.hear(network, router)
    assert [s.care_of_address in PREFIX_B for s in roamer.updates] == [
        True,
        False,
        True,
    ]
    assert roamer.mobile_node.place is Place.REGISTERING


def test_the_rate_delays_and_the_last_one_wins() -> None:
    roamer = Roamer()
    for number in range(10):
        roamer.link_down()
        roamer.link_up()
        network, router = ((PREFIX_B, ROUTER_B), (PREFIX_C, ROUTER_C))[number % 2]
        roamer.hear(network, router)
        roamer.wait(0.05)
    assert len(roamer.updates) == 3
    roamer.wait(0.6)
    assert len(roamer.updates) == 4
    assert roamer.updates[-1].care_of_address in PREFIX_C
    assert roamer.updates[-1].at - roamer.updates[0].at > 1.0


def test_optimistic_address_waits_for_the_router() -> None:
    """RFC 4429 §3.2: the router's link-layer address was not in the advertisement."""
    roamer = Roamer()
    roamer.link_up()
    hear(roamer.mobile_node.attachments.up["eth0"], roamer.now, prefix(), octets=None)
    roamer.do(roamer.mobile_node.tick(roamer.now))
    assert roamer.care_of_addresses == {CARE_OF_ADDRESS}
    assert roamer.updates == []
    roamer.do(
        roamer.mobile_node.address_checked(CARE_OF_ADDRESS, "eth0", True, roamer.now)
    )
    assert len(roamer.updates) == 1


def test_link_local_address_alone_is_no_reason_to_begin_anew() -> None:
    """It becomes usable while the answer is on its way."""
    roamer = registering()
    link = Link("eth0", bytes((2, 0, 0, 0, 0, 5)), IPv6Address("fe80::99"))
    roamer.do(roamer.mobile_node.link_up(link, roamer.now))
    assert len(roamer.updates) == 1
    roamer.answer()
    assert roamer.tunnel is not None


def test_link_local_address_alone_is_no_reason_to_register() -> None:
    roamer = Roamer()
    roamer.register()
    mobile_node = roamer.mobile_node
    link = mobile_node.attachments.up["eth0"].link
    for link_local in (None, IPv6Address("fe80::1234")):
        changed = replace(link, link_local=link_local)
        assert roamer.do(mobile_node.link_up(changed, roamer.now)) == []
    assert len(roamer.updates) == 1


# Answers.


@pytest.mark.rfc("11.7.3", "every refusal is told with advice, and asked again later")
@pytest.mark.parametrize(
    "status", [s for s in BindingStatus if s >= 128 and s not in (135, 144)]
)
def test_refusal(status: int) -> None:
    roamer = registering()
    [problem] = told(roamer.answer(status=status), Problem)
    assert isinstance(problem, Problem)
    assert f"({status})" in problem.what
    assert problem.advice
    assert roamer.mobile_node.place is Place.REGISTERING
    assert 1002 not in {rule.priority for rule in roamer.standing(Rule)}
    roamer.wait(31.9)
    assert len(roamer.updates) == 1
    roamer.wait(0.2)
    assert len(roamer.updates) == (1 if status == 134 else 2)


def test_refusal_is_told_once() -> None:
    roamer = registering()
    roamer.answer(status=130)
    roamer.wait(32)
    assert told(roamer.answer(status=130), Problem) == []
    roamer.wait(32)
    assert len(told(roamer.answer(status=129), Problem)) == 1


def test_refused_refresh_uses_what_is_granted() -> None:
    roamer = Roamer()
    roamer.register()
    roamer.wait(300)
    roamer.answer(status=130)
    assert roamer.mobile_node.place is Place.REGISTERED
    assert roamer.tunnel is not None
    roamer.wait(32)
    assert len(roamer.updates) == 3
    roamer.wait(68)
    assert roamer.tunnel is None


def test_refused_address_and_the_next_link() -> None:
    """A refusal is of one care-of address; another one is asked for at once."""
    roamer = registering()
    roamer.answer(status=174)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    assert len(roamer.updates) == 2


def test_134_ends_it_everywhere() -> None:
    """§11.7.1: the home address must not be used again, on no link."""
    roamer = registering()
    roamer.answer(status=134)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.wait(100)
    assert len(roamer.updates) == 1


def test_134_leaves_nothing_to_delete() -> None:
    roamer = registering()
    roamer.answer(status=134)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    assert roamer.mobile_node.place is Place.AT_HOME
    assert len(roamer.updates) == 1


def test_status_1_is_accepted_and_told() -> None:
    roamer = registering()
    [problem] = told(roamer.answer(status=1), Problem)
    assert isinstance(problem, Problem)
    assert "prefix" in problem.what
    assert roamer.mobile_node.place is Place.REGISTERED


def test_granted_nothing() -> None:
    """Accepted for 0 seconds: no binding, and no hurry either."""
    roamer = registering()
    roamer.answer(lifetime=0)
    assert roamer.mobile_node.place is Place.REGISTERING
    roamer.wait(31.9)
    assert len(roamer.updates) == 1
    roamer.wait(0.2)
    assert len(roamer.updates) == 2


def test_nothing_is_granted_before_it_is_asked_for() -> None:
    registration = registering().mobile_node.registration
    assert (registration.granted, registration.retransmissions) == (0, 0)


def test_retransmissions_are_counted_until_the_answer() -> None:
    roamer = registering()
    roamer.wait(5)
    registration = roamer.mobile_node.registration
    assert registration.retransmissions == 2
    roamer.answer()
    assert registration.retransmissions == 0


def test_another_place_is_another_count() -> None:
    roamer = registering()
    roamer.wait(5)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    assert roamer.mobile_node.registration.retransmissions == 0


def test_how_long_the_home_agent_may_hold_a_binding() -> None:
    """What the last update is granted; while only an earlier one is answered, the last
    may still be granted all that it asks for."""
    roamer = registering()
    roamer.answer(lifetime=40)
    assert roamer.mobile_node.registration.bound_until == roamer.now + 40
    roamer = registering()
    first = roamer.updates[0].update.sequence_number
    roamer.wait(2)
    roamer.answer(lifetime=40, sequence_number=first)
    assert len(roamer.updates) == 2
    assert roamer.mobile_node.registration.bound_until == roamer.updates[1].at + 400


def test_an_address_that_ends_at_once_does_not_delete() -> None:
    """Lifetime 0 would be a de-registration: at least four seconds are asked for."""
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B, valid=3, preferred=3)
    assert roamer.updates[-1].update.lifetime == 4


def test_granted_more_than_asked() -> None:
    roamer = registering()
    roamer.answer(lifetime=4000)
    assert roamer.mobile_node.registration.granted == 400


def test_135_is_no_loss() -> None:
    """What follows it is a first transmission: counted and timed as one."""
    roamer = registering()
    roamer.now += 1
    last = roamer.updates[-1].update.sequence_number
    roamer.answer(status=135, sequence_number=(last + 5) % 0x10000)
    assert roamer.mobile_node.registration.retransmissions == 0
    roamer.wait(1.5)
    assert sent_at(roamer) == [0, 1, 2.5]


def test_135_twice_backs_off() -> None:
    """A home agent that contradicts itself is not asked three times a second."""
    roamer = registering()
    for _ in range(20):
        last = roamer.updates[-1].update.sequence_number
        roamer.answer(status=135, sequence_number=(last + 5) % 0x10000)
        roamer.wait(1.0)
    assert len(roamer.updates) <= 6


def test_144_is_answered_at_once_but_only_once() -> None:
    """It brought the home agent's clock (RFC 4285 §6); twice means that is no help."""
    roamer = registering()
    assert told(roamer.answer(status=144), Problem) == []
    assert len(roamer.updates) == 2
    assert not roamer.mobile_node.registration.refused
    [problem] = told(roamer.answer(status=144), Problem)
    assert isinstance(problem, Problem) and "clocks" in problem.advice
    assert roamer.mobile_node.registration.refused
    roamer.wait(31.9)
    assert len(roamer.updates) == 2
    roamer.wait(0.2)
    assert len(roamer.updates) == 3


def test_after_135_packets_go_on_waiting() -> None:
    roamer = registering()
    last = roamer.updates[-1].update.sequence_number
    roamer.answer(status=135, sequence_number=(last + 5) % 0x10000)
    assert not roamer.mobile_node.registration.refused


def test_135_of_an_older_binding_update() -> None:
    """The last one sent is in the window: it will be answered by itself."""
    roamer = registering()
    last = roamer.updates[-1].update.sequence_number
    assert reason(roamer.answer(status=135, sequence_number=(last - 1) % 0x10000)) == (
        "sequence_number_in_window"
    )
    assert len(roamer.updates) == 1


def test_after_135_the_tunnel_left_by_a_killed_process_goes_on() -> None:
    tunnel = Tunnel(
        end="mobile_node",  # type: ignore[arg-type]
        home_address=HOME_ADDRESS,
        care_of_address=CARE_OF_ADDRESS,
        home_agent=HOME_AGENT,
        expires=1100.0,
    )
    roamer = registering(restored=tunnel)
    last = roamer.updates[-1].update.sequence_number
    roamer.answer(status=135, sequence_number=(last + 5) % 0x10000)
    assert roamer.updates[-1].update.sequence_number == (last + 6) % 0x10000
    assert roamer.standing(Tunnel) == [tunnel]
    roamer.answer()
    assert roamer.mobile_node.place is Place.REGISTERED


# De-registration.


def returning(**more: object) -> Roamer:
    roamer = Roamer(**more)
    roamer.register()
    roamer.wait(10)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    assert roamer.mobile_node.place is Place.RETURNING
    return roamer


@pytest.mark.parametrize("status", [0, 1, 133])
def test_deregistered(status: int) -> None:
    roamer = returning()
    roamer.answer(status=status)
    assert roamer.mobile_node.place is Place.AT_HOME
    roamer.wait(100)
    assert roamer.updates[-1].update.lifetime == 0
    assert len(roamer.updates) == 2


def test_deregistration_refused() -> None:
    roamer = returning()
    [problem] = told(roamer.answer(status=128), Problem)
    assert isinstance(problem, Problem)
    assert roamer.mobile_node.place is Place.RETURNING
    roamer.wait(32)
    assert len(roamer.updates) == 3
    roamer.answer()
    assert roamer.mobile_node.place is Place.AT_HOME


def test_deregistration_that_overtook_the_registration() -> None:
    """ "I know no binding", says the home agent, and then the Binding Update arrives
    that was on the long way: so that answer counts only when none can be."""
    roamer = registering()
    roamer.link_down()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    roamer.answer(status=133)
    assert roamer.mobile_node.place is Place.RETURNING
    roamer.wait(3)
    assert len(roamer.updates) == 3
    roamer.answer(status=133)
    assert roamer.mobile_node.place is Place.AT_HOME


@pytest.mark.parametrize("status", [0, 1])
def test_deregistered_at_once_though_a_registration_was_just_sent(status: int) -> None:
    """Accepted: the home agent had got that one first."""
    roamer = registering()
    roamer.link_down()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    roamer.answer(status=status)
    assert roamer.mobile_node.place is Place.AT_HOME
    registration = roamer.mobile_node.registration
    assert registration.deadline == inf
    assert not registration.alive(roamer.now)


# Other messages.


def error(source: IPv6Address = HOME_AGENT, **changes: object) -> bytes:
    fields: dict[str, object] = {"status": 1, "home_address": HOME_ADDRESS, **changes}
    message = BindingError(**fields)  # type: ignore[arg-type]
    return write(Packet(source=source, destination=CARE_OF_ADDRESS, message=message))


def test_binding_error_1_registers_again_and_moves_nothing() -> None:
    roamer = Roamer()
    roamer.register()
    roamer.wait(5)
    roamer.receive(error())
    assert len(roamer.updates) == 2
    assert roamer.tunnel is not None, "anybody could have said so (§11.3.6)"
    assert reason(roamer.receive(error())) == "binding_error_too_soon"


def test_a_binding_error_counts_a_second_after_the_update() -> None:
    for seconds, wanted in ((0.999, 1), (1.0, 2)):
        roamer = registering()
        roamer.answer()
        roamer.now = roamer.updates[0].at + seconds
        roamer.receive(error())
        assert len(roamer.updates) == wanted


def test_binding_errors_do_not_drive_us() -> None:
    """One registration a second at most, however many there are."""
    roamer = Roamer()
    roamer.register()
    for _ in range(100):
        roamer.wait(0.05)
        roamer.receive(error())
        if roamer.mobile_node.registration.awaiting:
            roamer.answer()
    assert len(roamer.updates) <= 6


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (error(CORRESPONDENT), "not_in_binding_update_list"),
        (error(status=2), "binding_error_not_expected"),
        (error(home_address=CORRESPONDENT), "binding_error_not_expected"),
    ],
)
def test_binding_errors_that_are_ignored(octets: bytes, why: str) -> None:
    roamer = Roamer()
    roamer.register()
    roamer.wait(5)
    assert reason(roamer.receive(octets)) == why
    assert len(roamer.updates) == 1


def test_binding_refresh_request_of_nobody() -> None:
    roamer = Roamer()
    roamer.register()
    packet = Packet(
        source=CORRESPONDENT,
        destination=HOME_ADDRESS,
        message=BindingRefreshRequest(),
    )
    assert reason(roamer.receive(write(packet))) == "not_in_binding_update_list"


def problem_about(octets: bytes, code: int = 1) -> bytes:
    message = ParameterProblem(code=code, pointer=40, packet=octets)
    return write(Packet(source=ROUTER_B, destination=CARE_OF_ADDRESS, message=message))


@pytest.mark.rfc(
    "11.3.5", "a home agent that knows no Mobility Header is left in peace"
)
def test_parameter_problem_about_a_binding_update() -> None:
    roamer = registering()
    update = write(roamer.updates[-1].packet)
    [problem] = told(roamer.receive(problem_about(update)), Problem)
    assert isinstance(problem, Problem)
    roamer.wait(31)
    assert len(roamer.updates) == 1
    roamer.wait(2)
    assert len(roamer.updates) == 2


def test_parameter_problems_that_are_ignored() -> None:
    """The quoted packet must be one of ours that waits for its answer."""
    roamer = registering()
    update = roamer.updates[-1].packet
    other = Packet(
        source=update.source,
        destination=CORRESPONDENT,
        home_address=HOME_ADDRESS,
        message=update.message,
    )
    no_update = replace(update, message=BindingRefreshRequest())
    for octets, why in (
        (problem_about(write(update), code=2), "icmp_error"),
        (problem_about(write(no_update)), "icmp_error"),
        (problem_about(write(other)), "icmp_error"),
        (problem_about(write(update)[:50]), "icmp_error_quote"),
        (problem_about(b""), "icmp_error_quote"),
    ):
        assert reason(roamer.receive(octets)) == why
    roamer.answer()
    octets = problem_about(write(update))
    assert reason(roamer.receive(octets)) == "icmp_error"


def test_unreachable_moves_nothing() -> None:
    roamer = registering()
    message = DestinationUnreachable(code=0, packet=write(roamer.updates[-1].packet))
    packet = Packet(source=ROUTER_B, destination=CARE_OF_ADDRESS, message=message)
    assert reason(roamer.receive(write(packet))) == "icmp_error"


def test_a_message_that_is_for_nobody() -> None:
    roamer = registering()
    packet = roamer.updates[-1].packet
    assert reason(roamer.mobile_node.receive(packet, roamer.now)) == (
        "unexpected_message"
    )
