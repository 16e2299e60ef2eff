"""Errors about what is tunnelled, and mobile nodes that a home agent has forgotten."""

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    binding_update,
    discarded,
    dropped,
    home_agent,
    sent,
    told,
)

from mip6.core.home_agent import HomeAgent
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.tunnel_errors import RELAYED_RATE
from mip6.wire.icmpv6 import (
    DestinationUnreachable,
    IcmpMessage,
    ParameterProblem,
    TimeExceeded,
    UnknownIcmp,
)
from mip6.wire.messages import BindingError
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, write_packet

ROUTER = IPv6Address("2001:db8:b::1")


def data(**changes: Any) -> IPv6Packet:
    packet = IPv6Packet(
        source=CORRESPONDENT,
        destination=HOME_ADDRESS,
        next_header=NextHeader.ICMPV6,
        payload=bytes((128, 0)) + bytes(30),
    )
    return replace(packet, **changes)


def tunnelled(inner: IPv6Packet, **changes: Any) -> bytes:
    packet = IPv6Packet(
        source=HOME_AGENT,
        destination=CARE_OF_ADDRESS,
        next_header=NextHeader.IPV6,
        payload=write_packet(inner),
    )
    return write_packet(replace(packet, **changes))


def serving(**changes: Any) -> HomeAgent:
    role = home_agent(**changes)
    role.receive(binding_update(1), 0.0)
    return role


def error(message: IcmpMessage) -> Packet:
    return Packet(source=ROUTER, destination=HOME_AGENT, message=message)


@pytest.mark.rfc("9.3.4-1", "passed on to the sender of the packet inside")
@pytest.mark.parametrize("home_link", [None, "eth1"])
@pytest.mark.parametrize(
    "message",
    [
        DestinationUnreachable(code=0, packet=b""),
        DestinationUnreachable(code=3, packet=b""),
        TimeExceeded(code=0, packet=b""),
        ParameterProblem(code=1, pointer=6, packet=b""),
    ],
    ids=["no route", "address", "hop limit", "no tunnel there"],
)
def test_the_inner_sender_is_told(
    home_link: str | None, message: DestinationUnreachable
) -> None:
    node = Node(home_agent=serving(home_link=home_link))
    inner = data()
    quoting = replace(message, packet=tunnelled(inner))
    effects = node.receive(write(error(quoting)), 1.0)
    [packet] = sent(effects)
    assert packet == Packet(
        source=HOME_AGENT,
        destination=CORRESPONDENT,
        message=DestinationUnreachable(code=3, packet=write_packet(inner)),
    )
    assert told(effects) == []


def test_what_is_quoted_fits_and_may_be_cut() -> None:
    role = serving()
    inner = data(next_header=17, payload=bytes(1400))
    for length in (1400, 1232, 100):
        message = TimeExceeded(code=0, packet=tunnelled(inner)[:length])
        [packet] = sent(role.receive(error(message), 1.0))
        assert len(write(packet)) <= 1280
        assert packet.message.packet == write_packet(inner)[: min(length - 40, 1232)]


def test_packets_under_way_to_the_previous_care_of_address() -> None:
    role = serving()
    role.receive(binding_update(2, source=NEXT_CARE_OF_ADDRESS), 1.0)
    message = TimeExceeded(code=0, packet=tunnelled(data()))
    assert len(sent(role.receive(error(message), 1.5))) == 1


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        tunnelled(data())[:60],
        write_packet(data(source=HOME_AGENT, destination=CARE_OF_ADDRESS)),
        tunnelled(data(destination=OTHER_HOME_ADDRESS)),
        tunnelled(data(), source=ROUTER),
        tunnelled(data(), destination=NEXT_CARE_OF_ADDRESS),
        tunnelled(data(), next_header=17),
        # About which no error is ever sent.
        tunnelled(data(payload=bytes((1, 0)) + bytes(30))),
        tunnelled(data(source=IPv6Address("ff02::1"))),
    ],
    ids=[
        "nothing",
        "too short",
        "no tunnel",
        "no binding",
        "not from here",
        "not to there",
        "looks like a tunnel",
        "an error",
        "from a group",
    ],
)
def test_quotes_that_nobody_is_told_of(packet: bytes) -> None:
    effects = serving().receive(error(TimeExceeded(code=0, packet=packet)), 1.0)
    assert discarded(effects) == ("icmp_error", "RFC 2473 8.1")


def test_a_lost_fragment_is_no_reason_to_give_up() -> None:
    message = TimeExceeded(code=1, packet=tunnelled(data()))
    effects = serving().receive(error(message), 1.0)
    assert discarded(effects) == ("icmp_error", "RFC 2473 8.1")


def test_errors_are_rare() -> None:
    role = serving()
    packet = error(TimeExceeded(code=0, packet=tunnelled(data())))
    for _ in range(RELAYED_RATE):
        assert len(sent(role.receive(packet, 1.0))) == 1
    assert discarded(role.receive(packet, 1.0)) == ("icmp_error", "RFC 2473 8.1")
    assert len(sent(role.receive(packet, 2.0))) == 1


# A home agent that has lost its bindings.


def reverse(**changes: Any) -> bytes:
    """What a mobile node sends through its tunnel."""
    inner = data(source=changes.pop("home_address", HOME_ADDRESS))
    inner = replace(inner, destination=CORRESPONDENT)
    addresses = {"source": CARE_OF_ADDRESS, "destination": HOME_AGENT, **changes}
    return tunnelled(inner, **addresses)


@pytest.mark.rfc("9.3.3", "a Binding Error to who goes on sending")
@pytest.mark.parametrize("home_link", [None, "eth1"])
def test_a_forgotten_mobile_node_is_told(home_link: str | None) -> None:
    node = Node(home_agent=home_agent(home_link=home_link))
    effects = node.receive(reverse(), 1.0)
    assert dropped(effects) == ("tunnel_source", "10.4.5")
    assert sent(effects) == [
        Packet(
            source=HOME_AGENT,
            destination=CARE_OF_ADDRESS,
            message=BindingError(status=1, home_address=HOME_ADDRESS),
        )
    ]


@pytest.mark.parametrize(
    "octets",
    [
        reverse(home_address=IPv6Address("2001:db8:f::1")),
        reverse(destination=IPv6Address("2001:db8:a::7")),
        reverse(source=IPv6Address("ff02::1")),
    ],
    ids=["no home address", "no home agent", "a group"],
)
def test_who_is_not_told(octets: bytes) -> None:
    node = Node([IPv6Address("2001:db8:a::7")], home_agent=home_agent())
    assert discarded(node.receive(octets, 1.0)) == ("tunnel_source", "10.4.5")


def test_a_bound_mobile_node_is_not_told_by_what_others_send() -> None:
    node = Node(home_agent=serving())
    octets = reverse(source=NEXT_CARE_OF_ADDRESS)
    assert discarded(node.receive(octets, 1.0)) == ("tunnel_source", "10.4.5")


def test_a_node_without_a_home_agent_tells_nobody() -> None:
    node = Node([HOME_AGENT])
    assert discarded(node.receive(reverse(), 1.0)) == ("tunnel_source", "10.4.5")


def test_binding_errors_are_rare() -> None:
    node = Node(home_agent=home_agent(), errors_burst=2, errors_rate=1)
    counts = [len(sent(node.receive(reverse(), 1.0))) for _ in range(4)]
    assert counts == [1, 1, 0, 0]


def test_echo_replies_are_nobodys_errors() -> None:
    message = UnknownIcmp(type=129, code=0, data=b"")
    [event] = told(Node(home_agent=serving()).receive(write(error(message)), 1.0))
    assert event.reason == "unexpected_message"  # type: ignore[union-attr]
