"""What is said about a home registration beside its acknowledgement, and by whom
(§11.3.5, RFC 5846 §10)."""

from math import inf
from random import Random

import pytest
from tests.core.test_registration_alone import AIM, ANOTHER, answer, revocation
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_PREFIX,
)

from mip6.core.effects import Notify, Send
from mip6.core.events import Dropped
from mip6.core.home_agents import HomeAgents
from mip6.core.home_signalling import heard
from mip6.core.packet import Packet, write
from mip6.wire.icmpv6 import DestinationUnreachable, ParameterProblem
from mip6.wire.messages import HomeTestInit
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, write_packet


def home_agents() -> tuple[HomeAgents, Packet]:
    """The first was asked for an address, and what was sent."""
    made = HomeAgents(
        HOME_ADDRESS,
        HOME_PREFIX,
        (HOME_AGENT, ANOTHER),
        discover=False,
        lifetime=400,
        authentication_required=False,
        random=Random(1).randbytes,
        restored=None,
    )
    return made, asked(made, 0.0)


def asked(made: HomeAgents, now: float, *, silent: bool = False) -> Packet:
    made.choose(AIM, now, silent=silent)
    made.take_aim(AIM, now)
    return made.packets(now, AIM, inf)[0]


def test_a_revocation_by_the_one_before() -> None:
    """It holds a binding yet, though another one has accepted."""
    made, packet = home_agents()
    assert answer(made.current, packet, 0.0) == ""
    made.accepted()
    packet = asked(made, 10.0, silent=True)
    assert packet.destination == ANOTHER
    assert answer(made.current, packet, 10.0, source=ANOTHER) == ""
    made.accepted()
    made.take_aim(AIM, 11.0)
    message = revocation()
    revoking = Packet(
        source=HOME_AGENT,
        destination=CARE_OF_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=message,
    )
    brought = heard(made, revoking, message, 11.0)
    assert isinstance(brought, list)
    [effect] = brought
    assert isinstance(effect, Send) and effect.packet.destination == HOME_AGENT


@pytest.mark.rfc("11.3.5", "code 1 about a Binding Update of ours, and nothing else")
def test_what_a_parameter_problem_is_about() -> None:
    made, packet = home_agents()
    init = Packet(
        source=HOME_ADDRESS,
        destination=HOME_AGENT,
        message=HomeTestInit(home_init_cookie=bytes(8)),
    )
    for code, quoted, ours in ((0, packet, False), (1, init, False), (1, packet, True)):
        message = ParameterProblem(code=code, pointer=40, packet=write(quoted))
        told = Packet(
            source=CORRESPONDENT, destination=CARE_OF_ADDRESS, message=message
        )
        brought = heard(made, told, message, 1.0)
        if ours:
            assert isinstance(brought, list) and isinstance(brought[0], Notify)
        else:
            assert isinstance(brought, Dropped) and brought.reason == "icmp_error"
            assert not made.current.fruitless(1.0) and made.current.awaiting


def test_an_error_about_a_long_packet_of_the_tunnel_quotes_its_beginning() -> None:
    """What fits the minimum MTU (RFC 4443 §2.4 (c))."""
    made, packet = home_agents()
    assert answer(made.current, packet, 0.0) == ""
    inner = IPv6Packet(
        source=HOME_ADDRESS, destination=CORRESPONDENT, next_header=17, payload=b"-"
    )
    outer = IPv6Packet(
        source=CARE_OF_ADDRESS,
        destination=HOME_AGENT,
        next_header=NextHeader.IPV6,
        payload=write_packet(inner) + bytes(1300),
    )
    message = DestinationUnreachable(code=0, packet=write_packet(outer)[:1232])
    told = Packet(source=CORRESPONDENT, destination=CARE_OF_ADDRESS, message=message)
    brought = heard(made, told, message, 1.0)
    assert isinstance(brought, Dropped) and brought.reason == "icmp_error_alone"
