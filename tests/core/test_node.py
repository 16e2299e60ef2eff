"""The node: form and checksum (§9.2), Home Address options (§9.3.1), routing headers
(§6.4), and each packet to the role that it is for."""

from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import strategies
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    acknowledgement,
    binding_update,
    discarded,
    dropped,
    home_agent,
    sent,
)

from mip6.core.effects import Effect, Install, Notify, Send
from mip6.core.node import Node
from mip6.core.packet import Packet, read, write
from mip6.core.state import End, HomeAddress, Tunnel
from mip6.wire.checksum import checksum
from mip6.wire.icmpv6 import (
    DestinationUnreachable,
    MobilePrefixAdvertisement,
    MobilePrefixSolicitation,
    PacketTooBig,
    ParameterProblem,
    UnknownIcmp,
    write_icmpv6,
)
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingError,
    BindingErrorStatus,
    BindingRefreshRequest,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    Message,
    UnknownMessage,
    write_message,
)
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    AuthenticationHeader,
    DestinationOptions,
    FragmentHeader,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    read_packet,
    write_packet,
)

UNSPECIFIED = IPv6Address("::")
MULTICAST = IPv6Address("ff02::1")
LINK_LOCAL = IPv6Address("fe80::1")
HOME_ADDRESS_OPTION = DestinationOptions((HomeAddressOption(HOME_ADDRESS),))
ACKNOWLEDGEMENT = BindingAcknowledgement(status=0, sequence_number=1, lifetime=60)


class Roamer:
    """A mobile node that only notes what it is handed."""

    home_address = HOME_ADDRESS
    home_addresses = (HOME_ADDRESS,)
    home_agent = HOME_AGENT

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.deadline: float | None = None
        self.installed: set[Any] = set()

    def receive(self, packet: Packet, now: float) -> list[Effect]:
        self.heard.append(packet.message)
        return []

    def unmatched(self, octets: bytes, now: float) -> list[Effect]:
        self.heard.append(octets)
        return []

    def failed(self, state: Any, now: float) -> list[Effect]:
        self.heard.append(state)
        return []

    def tick(self, now: float) -> list[Effect]:
        self.heard.append(now)
        return []


def roaming() -> tuple[Node, Roamer]:
    role: Any = Roamer()
    return Node(mobile_node=role), role


def home_agent_node(*, bound: bool = False, **changes: Any) -> Node:
    node = Node(home_agent=home_agent(**changes))
    if bound:
        effects = node.receive(write(binding_update(1)), 0.0)
        assert acknowledgement(effects).status == 0
    return node


def raw(
    payload: bytes = b"",
    next_header: int = NextHeader.MOBILITY,
    *extensions: Any,
    source: IPv6Address = CARE_OF_ADDRESS,
    destination: IPv6Address = HOME_AGENT,
    hop_limit: int = 64,
) -> bytes:
    return write_packet(
        IPv6Packet(
            source=source,
            destination=destination,
            hop_limit=hop_limit,
            extensions=extensions,
            next_header=next_header,
            payload=payload,
        )
    )


def header(
    message: Message,
    *,
    origin: IPv6Address = CARE_OF_ADDRESS,
    target: IPv6Address = HOME_AGENT,
    fix_checksum: bool = True,
    **octets: int,
) -> bytes:
    """A Mobility Header with some octets set: `payload_proto`, `header_length`,
    `reserved`."""
    at = {"payload_proto": 0, "header_length": 1, "reserved": 3}
    data = bytearray(write_message(message, origin, target))
    for name, value in octets.items():
        data[at[name]] = value
    if fix_checksum:
        data[4:6] = bytes(2)
        sum_ = checksum(origin, target, NextHeader.MOBILITY, bytes(data))
        data[4:6] = sum_.to_bytes(2)
    return bytes(data)


UPDATE: Any = binding_update(1).message


def the_binding_error(effects: list[Effect]) -> tuple[int, IPv6Address]:
    [packet] = sent(effects)
    assert isinstance(packet.message, BindingError)
    assert packet.routing_address is None and packet.home_address is None
    return packet.message.status, packet.message.home_address


# §9.2


@pytest.mark.rfc("9.2", "a bad checksum is silently discarded")
def test_a_bad_checksum() -> None:
    node = home_agent_node()
    payload = header(UPDATE, fix_checksum=False, reserved=1)
    assert discarded(node.receive(raw(payload), 0.0)) == ("checksum", "9.2")
    # Over the care-of address, although there is a Home Address option.
    payload = header(UPDATE)
    data = raw(payload, NextHeader.MOBILITY, HOME_ADDRESS_OPTION)
    assert discarded(node.receive(data, 0.0)) == ("checksum", "9.2")
    # A checksum is looked at before everything else.
    payload = header(UPDATE, fix_checksum=False, payload_proto=6)
    assert discarded(node.receive(raw(payload), 0.0)) == ("checksum", "9.2")


@pytest.mark.rfc("9.2", "unknown MH Type: Binding Error 2, also with a binding present")
@pytest.mark.parametrize("bound", [False, True])
def test_an_unknown_message(bound: bool) -> None:
    node = home_agent_node(bound=bound)
    payload = header(UnknownMessage(100, bytes(2)))
    effects = node.receive(raw(payload), 1.0)
    assert dropped(effects) == ("unknown_message", "9.2")
    assert the_binding_error(effects) == (
        BindingErrorStatus.UNRECOGNIZED_MH_TYPE,
        UNSPECIFIED,
    )
    assert sent(effects)[0].destination == CARE_OF_ADDRESS
    assert sent(effects)[0].source == HOME_AGENT


@pytest.mark.rfc("9.3.3", "source and home address as on the wire")
def test_a_binding_error_names_the_home_address_of_the_option() -> None:
    node = home_agent_node()
    payload = header(UnknownMessage(100, bytes(2)), origin=HOME_ADDRESS)
    data = raw(payload, NextHeader.MOBILITY, HOME_ADDRESS_OPTION)
    effects = node.receive(data, 1.0)
    assert the_binding_error(effects)[1] == HOME_ADDRESS
    assert sent(effects)[0].destination == CARE_OF_ADDRESS


@pytest.mark.rfc("9.2", "payload proto 59, else Parameter Problem 0 at the field")
@pytest.mark.parametrize("wrapped", [False, True])
def test_another_payload_proto(wrapped: bool) -> None:
    extensions = (HOME_ADDRESS_OPTION,) if wrapped else ()
    origin = HOME_ADDRESS if wrapped else CARE_OF_ADDRESS
    data = raw(
        header(UPDATE, origin=origin, payload_proto=6),
        NextHeader.MOBILITY,
        *extensions,
    )
    effects = home_agent_node(bound=True).receive(data, 1.0)
    assert dropped(effects) == ("payload_proto", "9.2")
    [packet] = sent(effects)
    problem = ParameterProblem(code=0, pointer=64 if wrapped else 40, packet=data)
    assert packet == Packet(
        source=HOME_AGENT, destination=CARE_OF_ADDRESS, message=problem
    )


@pytest.mark.rfc("9.2", "too short for its type: Parameter Problem 0 at Header Len")
@pytest.mark.parametrize(
    "message",
    [
        HomeTestInit(home_init_cookie=bytes(8)),
        CareOfTestInit(care_of_init_cookie=bytes(8)),
        UPDATE,
    ],
)
def test_a_header_too_short_for_its_type(message: Any) -> None:
    octets = bytearray(header(message)[:8])
    octets[1] = 0
    octets[4:6] = bytes(2)
    sum_ = checksum(CARE_OF_ADDRESS, HOME_AGENT, NextHeader.MOBILITY, bytes(octets))
    octets[4:6] = sum_.to_bytes(2)
    data = raw(bytes(octets))
    effects = home_agent_node().receive(data, 0.0)
    assert dropped(effects) == ("header_length_too_short", "9.2")
    [packet] = sent(effects)
    assert packet.message == ParameterProblem(code=0, pointer=41, packet=data)


@pytest.mark.rfc("9.2", "a length beyond the packet is dropped and counted")
def test_a_header_longer_than_its_packet() -> None:
    data = raw(header(UPDATE, header_length=200))
    effects = home_agent_node().receive(data, 0.0)
    assert discarded(effects) == ("header_length_beyond_packet", "9.2")


@pytest.mark.rfc("6.1.1", "Reserved is ignored")
def test_reserved_fields_are_ignored() -> None:
    payload = header(UPDATE, origin=HOME_ADDRESS, reserved=255)
    data = raw(payload, NextHeader.MOBILITY, HOME_ADDRESS_OPTION)
    assert acknowledgement(home_agent_node().receive(data, 0.0)).status == 0


# What no error may answer, and how often (RFC 4443 §2.4).


@pytest.mark.rfc("9.3.3", "never to an address that is not unicast")
@pytest.mark.parametrize("source", [MULTICAST, UNSPECIFIED, IPv6Address("::1")])
def test_no_error_to_such_sources(source: IPv6Address) -> None:
    node = home_agent_node()
    for message, octets in (
        (UnknownMessage(100, bytes(2)), {}),
        (UPDATE, {"payload_proto": 6}),
    ):
        data = raw(header(message, origin=source, **octets), source=source)
        assert len(node.receive(data, 0.0)) == 1


def test_no_error_about_a_multicast_packet() -> None:
    payload = header(UnknownMessage(100, bytes(2)), target=MULTICAST)
    effects = home_agent_node().receive(raw(payload, destination=MULTICAST), 0.0)
    assert discarded(effects) == ("unknown_message", "9.2")


def test_an_error_to_a_link_local_address_leaves_by_the_link_it_came_from() -> None:
    node = home_agent_node()
    payload = header(UnknownMessage(100, bytes(2)), origin=LINK_LOCAL)
    effects = node.receive(raw(payload, source=LINK_LOCAL), 0.0, link="eth1")
    assert sent(effects)[0].link == "eth1"
    data = raw(header(UnknownMessage(100, bytes(2))))
    assert sent(node.receive(data, 0.0, link="eth1"))[0].link is None


def test_errors_quote_no_more_than_fits_the_minimum_mtu() -> None:
    data = raw(header(UPDATE, payload_proto=6))
    [packet] = sent(home_agent_node().receive(data, 0.0))
    assert len(write(packet)) == 48 + len(data)
    udp = raw(bytes(1400), 17, source=CORRESPONDENT, destination=OTHER_HOME_ADDRESS)
    [packet] = sent(home_agent_node().unmatched(udp, 0.0))
    assert len(write(packet)) == 1280


@pytest.mark.rfc("9.3.3", "rate-limited, and each kind of error by itself")
def test_errors_are_rate_limited_from_the_start() -> None:
    node = Node(home_agent=home_agent())
    unknown = raw(header(UnknownMessage(100, bytes(2))))
    assert sum(len(sent(node.receive(unknown, 0.0))) for _ in range(20)) == 10
    assert sum(len(sent(node.receive(unknown, 0.5))) for _ in range(20)) == 5


def test_errors_are_rate_limited() -> None:
    node = Node(home_agent=home_agent(), errors_rate=2, errors_burst=3)
    unknown = raw(header(UnknownMessage(100, bytes(2))))
    problem = raw(header(UPDATE, payload_proto=6))
    data = raw(b"", 59, source=CORRESPONDENT, destination=OTHER_HOME_ADDRESS)

    def answers(now: float) -> list[int]:
        return [
            sum(len(sent(node.receive(unknown, now))) for _ in range(9)),
            sum(len(sent(node.receive(problem, now))) for _ in range(9)),
            sum(len(sent(node.unmatched(data, now))) for _ in range(9)),
        ]

    assert answers(0.0) == [3, 3, 3]
    assert answers(0.4) == [0, 0, 0]
    assert answers(1.0) == [2, 2, 2]


# §9.3.1


def test_a_node_that_keeps_no_bindings_knows_no_home_address() -> None:
    """A mobile node hears it from another one, which took it for a correspondent."""
    effects = Node([HOME_AGENT]).receive(raw(bytes(20), 6, HOME_ADDRESS_OPTION), 0.0)
    assert dropped(effects) == ("home_address_option_without_binding", "9.3.1")
    [error] = sent(effects)
    assert error.message == BindingError(status=1, home_address=HOME_ADDRESS)


@pytest.mark.rfc("9.3.1", "without a binding: dropped, Binding Error 1 to the source")
def test_a_home_address_option_without_binding() -> None:
    data = raw(bytes(20), 6, HOME_ADDRESS_OPTION)
    effects = home_agent_node().receive(data, 0.0)
    assert dropped(effects) == ("home_address_option_without_binding", "9.3.1")
    assert the_binding_error(effects) == (
        BindingErrorStatus.UNKNOWN_BINDING,
        HOME_ADDRESS,
    )
    assert sent(effects)[0].destination == CARE_OF_ADDRESS


@pytest.mark.rfc("9.3.1", "the registered care-of address must be the source")
def test_a_binding_with_another_care_of_address_counts_as_none() -> None:
    node = home_agent_node(bound=True)
    data = raw(bytes(20), 6, HOME_ADDRESS_OPTION, source=NEXT_CARE_OF_ADDRESS)
    effects = node.receive(data, 1.0)
    assert the_binding_error(effects)[0] == BindingErrorStatus.UNKNOWN_BINDING
    # From the right one it is accepted, though not a matter for the core.
    data = raw(bytes(20), 6, HOME_ADDRESS_OPTION)
    assert discarded(node.receive(data, 1.0)) == ("not_signalling", "RFC 4443 2.4")


@pytest.mark.rfc("9.3.1", "before ESP, AH and Mobility Header no binding is needed")
def test_a_home_address_option_where_no_binding_is_needed() -> None:
    node = home_agent_node()
    data = raw(bytes(20), NextHeader.ESP, HOME_ADDRESS_OPTION)
    assert discarded(node.receive(data, 0.0))[0] == "not_signalling"
    authentication = AuthenticationHeader(bytes(10))
    data = raw(bytes(20), 6, HOME_ADDRESS_OPTION, authentication)
    assert discarded(node.receive(data, 0.0))[0] == "authentication_header"
    effects = node.receive(write(binding_update()), 0.0)
    assert acknowledgement(effects).status == 0


@pytest.mark.rfc("9.3.1", "signalling from a bound home address reaches the role")
def test_icmp_behind_a_home_address_option_needs_a_binding() -> None:
    packet = Packet(
        source=CARE_OF_ADDRESS,
        destination=HOME_AGENT,
        home_address=HOME_ADDRESS,
        message=MobilePrefixSolicitation(identifier=1),
    )
    effects = home_agent_node().receive(write(packet), 0.0)
    assert the_binding_error(effects)[0] == BindingErrorStatus.UNKNOWN_BINDING
    [answer] = sent(home_agent_node(bound=True).receive(write(packet), 1.0))
    assert isinstance(answer.message, MobilePrefixAdvertisement)


@pytest.mark.rfc("9.3.1", "not a unicast routable address: dropped")
@pytest.mark.parametrize("text", ["ff02::1", "fe80::1", "::1", "::"])
def test_a_home_address_option_with_a_bad_address(text: str) -> None:
    address = IPv6Address(text)
    option = DestinationOptions((HomeAddressOption(address),))
    reason = ("home_address_option_address", "9.3.1")
    node = home_agent_node()
    # In a Binding Update silently (decision 0006), otherwise with a Binding Error.
    payload = header(UPDATE, origin=address)
    data = raw(payload, NextHeader.MOBILITY, option)
    assert discarded(node.receive(data, 0.0)) == reason
    effects = node.receive(raw(bytes(20), 6, option), 0.0)
    assert dropped(effects) == reason
    assert the_binding_error(effects) == (BindingErrorStatus.UNKNOWN_BINDING, address)
    assert node.installed == set()


@pytest.mark.rfc("6.3", "a misplaced or repeated option: dropped")
def test_a_home_address_option_twice() -> None:
    data = raw(
        header(UPDATE, origin=HOME_ADDRESS),
        NextHeader.MOBILITY,
        HOME_ADDRESS_OPTION,
        HOME_ADDRESS_OPTION,
    )
    effects = home_agent_node().receive(data, 0.0)
    assert discarded(effects) == ("home_address_option_repeated", "6.3")


# §6.1: which message may carry what.

ONLY_PLAIN: list[Message] = [
    BindingRefreshRequest(),
    HomeTestInit(home_init_cookie=bytes(8)),
    CareOfTestInit(care_of_init_cookie=bytes(8)),
    HomeTest(home_nonce_index=1, home_init_cookie=bytes(8), home_keygen_token=bytes(8)),
    CareOfTest(
        care_of_nonce_index=1,
        care_of_init_cookie=bytes(8),
        care_of_keygen_token=bytes(8),
    ),
    BindingError(status=1, home_address=HOME_ADDRESS),
]


@pytest.mark.rfc("6.1", "a Home Address option only with a Binding Update")
@pytest.mark.parametrize("message", [*ONLY_PLAIN, ACKNOWLEDGEMENT])
def test_other_messages_have_no_home_address_option(message: Message) -> None:
    node, role = roaming()
    payload = header(message, origin=CORRESPONDENT)
    option = DestinationOptions((HomeAddressOption(CORRESPONDENT),))
    effects = node.receive(raw(payload, NextHeader.MOBILITY, option), 0.0)
    assert discarded(effects) == ("home_address_option", "6.1")
    assert role.heard == []


@pytest.mark.rfc("6.1", "a type 2 routing header only with an Acknowledgement")
@pytest.mark.parametrize("message", [*ONLY_PLAIN, UPDATE])
def test_other_messages_have_no_routing_header(message: Message) -> None:
    node, role = roaming()
    packet = Packet(
        source=HOME_AGENT,
        destination=CARE_OF_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=message,
    )
    assert discarded(node.receive(write(packet), 0.0)) == ("routing_header", "6.1")
    assert role.heard == []


# §6.4


def behind_routing_header(address: IPv6Address, segments_left: int = 1) -> bytes:
    return raw(
        header(ACKNOWLEDGEMENT, origin=HOME_AGENT, target=address),
        NextHeader.MOBILITY,
        RoutingHeaderType2(address, segments_left),
        source=HOME_AGENT,
        destination=CARE_OF_ADDRESS,
    )


@pytest.mark.rfc("11.3.3", "one segment left, and the address is our home address")
def test_a_routing_header_with_our_home_address() -> None:
    node, role = roaming()
    assert node.receive(behind_routing_header(HOME_ADDRESS), 0.0) == []
    assert role.heard == [ACKNOWLEDGEMENT]


@pytest.mark.rfc("6.4", "anything else is silently discarded")
def test_routing_headers_that_are_discarded() -> None:
    node, role = roaming()
    for address in (OTHER_HOME_ADDRESS, MULTICAST, UNSPECIFIED, CARE_OF_ADDRESS):
        effects = node.receive(behind_routing_header(address), 0.0)
        assert discarded(effects) == ("routing_header_address", "6.4")
    for segments_left in (0, 2, 255):
        data = behind_routing_header(HOME_ADDRESS, segments_left)
        effects = node.receive(data, 0.0)
        assert discarded(effects) == ("routing_header_segments_left", "6.4")
    data = bytearray(behind_routing_header(HOME_ADDRESS))
    data[41] = 4  # Hdr Ext Len: room for two addresses
    effects = node.receive(bytes(data) + bytes(16), 0.0)
    assert discarded(effects) == ("routing_header_length", "6.4")
    assert role.heard == []


@pytest.mark.rfc("6.4", "a node that is not a mobile node discards all of them")
def test_a_home_agent_takes_no_routing_header() -> None:
    data = raw(
        header(UPDATE, target=HOME_ADDRESS),
        NextHeader.MOBILITY,
        RoutingHeaderType2(HOME_ADDRESS),
    )
    effects = home_agent_node().receive(data, 0.0)
    assert discarded(effects) == ("routing_header_address", "6.4")


# Tunnels.


@pytest.mark.rfc("10.4.5", "the outer source is the care-of address, or it is dropped")
def test_tunnelled_signalling_must_come_from_the_care_of_address() -> None:
    node = home_agent_node(bound=True)

    def through(outer: IPv6Address, now: float) -> tuple[str, str]:
        inside = Packet(
            source=HOME_ADDRESS,
            destination=HOME_AGENT,
            message=HomeTestInit(home_init_cookie=bytes(8)),
            tunnel=(outer, HOME_AGENT),
        )
        return discarded(node.receive(write(inside), now))

    assert through(NEXT_CARE_OF_ADDRESS, 1.0) == ("tunnel_source", "10.4.5")
    assert through(CARE_OF_ADDRESS, 1.0) == ("not_a_correspondent", "9")
    # After a move the previous one counts for the grace (decision 0003).
    node.receive(write(binding_update(2, source=NEXT_CARE_OF_ADDRESS)), 2.0)
    assert through(NEXT_CARE_OF_ADDRESS, 3.0) == ("not_a_correspondent", "9")
    assert through(CARE_OF_ADDRESS, 3.9) == ("not_a_correspondent", "9")
    assert through(CARE_OF_ADDRESS, 4.0) == ("tunnel_source", "10.4.5")


@pytest.mark.rfc("11.3.3", "the outer source is our home agent, or it is dropped")
def test_a_mobile_node_takes_tunnelled_packets_from_its_home_agent_only() -> None:
    node, role = roaming()
    test = ONLY_PLAIN[3]
    for outer, heard in ((CORRESPONDENT, []), (HOME_AGENT, [test])):
        inside = Packet(
            source=CORRESPONDENT,
            destination=HOME_ADDRESS,
            message=test,
            tunnel=(outer, CARE_OF_ADDRESS),
        )
        node.receive(write(inside), 0.0)
        assert role.heard == heard


def test_a_tunnel_around_nonsense() -> None:
    node = home_agent_node(bound=True)
    data = raw(b"\x60nonsense", NextHeader.IPV6)
    assert discarded(node.receive(data, 0.0)) == ("truncated", "RFC 8200 4")
    inner = raw(b"", 59, source=HOME_ADDRESS, destination=CORRESPONDENT)
    data = raw(inner, NextHeader.IPV6)
    assert discarded(node.receive(data, 0.0)) == ("not_for_us", "RFC 8200 3")
    data = raw(inner, NextHeader.IPV6, source=CORRESPONDENT)
    assert discarded(node.receive(data, 0.0)) == ("tunnel_source", "10.4.5")


# To whom.


def test_a_home_agent_alone_takes_packets_to_its_addresses_only() -> None:
    node = Node([CORRESPONDENT], home_agent=home_agent())
    data = raw(
        header(UPDATE, target=OTHER_HOME_ADDRESS), destination=OTHER_HOME_ADDRESS
    )
    assert discarded(node.receive(data, 0.0)) == ("not_for_us", "RFC 8200 3")
    data = raw(header(ONLY_PLAIN[1], target=CORRESPONDENT), destination=CORRESPONDENT)
    assert discarded(node.receive(data, 0.0)) == ("not_a_correspondent", "9")


def test_messages_of_a_mobile_node_go_to_the_mobile_node() -> None:
    node, role = roaming()
    messages: list[Any] = [
        ACKNOWLEDGEMENT,
        BindingRefreshRequest(),
        ONLY_PLAIN[4],
        ONLY_PLAIN[5],
        PacketTooBig(mtu=1300, packet=bytes(40)),
        MobilePrefixAdvertisement(identifier=1),
    ]
    for message in messages:
        packet = Packet(source=HOME_AGENT, destination=CARE_OF_ADDRESS, message=message)
        assert node.receive(write(packet), 0.0) == []
    assert role.heard == messages


def test_messages_that_nobody_here_takes() -> None:
    node, role = roaming()
    for message, reason in (
        (UPDATE, "not_a_correspondent"),
        (ONLY_PLAIN[1], "not_a_correspondent"),
        (ONLY_PLAIN[2], "not_a_correspondent"),
        (UnknownIcmp(type=128, code=0, data=bytes(4)), "unexpected_message"),
        (MobilePrefixSolicitation(identifier=1), "unexpected_message"),
    ):
        packet = Packet(source=HOME_AGENT, destination=CARE_OF_ADDRESS, message=message)
        assert discarded(node.receive(write(packet), 0.0))[0] == reason
    assert role.heard == []
    packet = Packet(
        source=CARE_OF_ADDRESS, destination=HOME_AGENT, message=ACKNOWLEDGEMENT
    )
    effects = home_agent_node().receive(write(packet), 0.0)
    assert discarded(effects) == ("unexpected_message", "9.2")


def test_router_advertisements_are_valid_or_dropped() -> None:
    node, role = roaming()
    message = RouterAdvertisement(router_lifetime=30)

    def hear(source: IPv6Address, hop_limit: int) -> list[Effect]:
        payload = write_icmpv6(message, source, MULTICAST)
        data = raw(
            payload,
            NextHeader.ICMPV6,
            source=source,
            destination=MULTICAST,
            hop_limit=hop_limit,
        )
        return node.receive(data, 0.0, link="eth0")

    section = "RFC 4861 6.1"
    assert discarded(hear(LINK_LOCAL, 254)) == ("hop_limit", section)
    assert discarded(hear(CARE_OF_ADDRESS, 255)) == ("source_address", section)
    assert role.heard == []
    assert hear(LINK_LOCAL, 255) == []
    assert role.heard == [message]


def test_a_wrong_icmp_checksum_is_dropped() -> None:
    payload = write_icmpv6(
        MobilePrefixSolicitation(identifier=1), CARE_OF_ADDRESS, CORRESPONDENT
    )
    data = raw(payload, NextHeader.ICMPV6)
    effects = home_agent_node().receive(data, 0.0)
    assert discarded(effects) == ("checksum", "RFC 4443 2.4")


def test_protection_is_passed_on() -> None:
    node = home_agent_node(authentication_required=True)
    data = write(binding_update(alternate=CARE_OF_ADDRESS))
    assert discarded(node.receive(data, 0.0)) == ("unauthenticated", "5.1")
    effects = node.receive(data, 0.0, protected_for=HOME_ADDRESS)
    assert acknowledgement(effects).status == 0


# Data without a tunnel.


def test_data_to_a_home_address_without_binding_is_unreachable() -> None:
    node = home_agent_node(bound=True)
    data = raw(bytes(8), 17, source=CORRESPONDENT, destination=OTHER_HOME_ADDRESS)
    effects = node.unmatched(data, 1.0)
    assert dropped(effects) == ("no_binding", "10.4.1")
    message = DestinationUnreachable(code=3, packet=data)
    assert sent(effects) == [
        Packet(source=HOME_AGENT, destination=CORRESPONDENT, message=message)
    ]


@pytest.mark.parametrize(
    "data",
    [
        # A binding has come meanwhile, or it is no home address at all.
        raw(bytes(8), 17, source=CORRESPONDENT, destination=HOME_ADDRESS),
        raw(bytes(8), 17, source=CORRESPONDENT, destination=CARE_OF_ADDRESS),
        # RFC 4443 §2.4 (e).
        raw(bytes(8), 17, source=MULTICAST, destination=OTHER_HOME_ADDRESS),
        raw(bytes(8), 17, source=UNSPECIFIED, destination=OTHER_HOME_ADDRESS),
        raw(bytes(8), 17, source=IPv6Address("::1"), destination=OTHER_HOME_ADDRESS),
        raw(b"\x01\x03" + bytes(6), 58, destination=OTHER_HOME_ADDRESS),
        raw(b"\x7f\x00" + bytes(6), 58, destination=OTHER_HOME_ADDRESS),
        raw(b"\x89\x00" + bytes(6), 58, destination=OTHER_HOME_ADDRESS),
        raw(b"", 58, destination=OTHER_HOME_ADDRESS),
        raw(
            bytes(8),
            58,
            FragmentHeader(offset=8, more=False, identification=1),
            destination=OTHER_HOME_ADDRESS,
        ),
    ],
)
def test_data_that_is_dropped_without_an_error(data: bytes) -> None:
    effects = home_agent_node(bound=True).unmatched(data, 1.0)
    assert discarded(effects) == ("no_binding", "10.4.1")


@pytest.mark.parametrize(
    "data",
    [
        raw(b"\x80\x00" + bytes(6), 58, destination=OTHER_HOME_ADDRESS),
        raw(
            bytes(8),
            17,
            FragmentHeader(offset=0, more=True, identification=1),
            destination=OTHER_HOME_ADDRESS,
        ),
    ],
)
def test_data_that_is_reported(data: bytes) -> None:
    assert len(sent(home_agent_node().unmatched(data, 0.0))) == 1


def test_data_from_the_home_address_is_the_mobile_nodes() -> None:
    node, role = roaming()
    data = raw(bytes(8), 17, source=HOME_ADDRESS, destination=CORRESPONDENT)
    assert node.unmatched(data, 0.0) == []
    assert role.heard == [data]
    other = raw(bytes(8), 17, source=CARE_OF_ADDRESS, destination=CORRESPONDENT)
    assert discarded(node.unmatched(other, 0.0)) == ("no_binding", "10.4.1")
    assert role.heard == [data]


def test_data_that_is_no_packet() -> None:
    effects = home_agent_node().unmatched(b"\x45\x00", 0.0)
    assert discarded(effects) == ("truncated", "RFC 8200 4")


# Two roles in one node.


def test_a_node_with_two_roles_is_both() -> None:
    role: Any = Roamer()
    node = Node(home_agent=home_agent(), mobile_node=role)
    assert node.deadline is None
    effects = node.receive(write(binding_update(lifetime=60)), 0.0)
    assert node.deadline == 60.0
    role.deadline = 10.0
    assert node.deadline == 10.0
    [tunnel] = [effect.state for effect in effects if isinstance(effect, Install)]
    address = HomeAddress(address=HOME_ADDRESS, link="mip0")
    role.installed = {address}
    assert node.installed == {tunnel, address}
    # A refused state goes back to the role that wanted it.
    assert node.failed(address, 0.0) == []
    assert role.heard == [address]
    assert acknowledgement(node.failed(tunnel, 0.0)).status == 130
    assert role.heard == [address]
    assert node.tick(60.0) == []
    assert role.heard == [address, 60.0]


def test_a_refused_state_that_is_nobodys() -> None:
    tunnel = Tunnel(
        end=End.MOBILE_NODE,
        home_address=HOME_ADDRESS,
        care_of_address=CARE_OF_ADDRESS,
        home_agent=HOME_AGENT,
        expires=1.0,
    )
    assert home_agent_node(bound=True).failed(tunnel, 0.0) == []


def test_a_node_without_roles_does_nothing() -> None:
    node = Node()
    assert node.deadline is None
    assert node.installed == set()
    assert node.tick(1.0) == []
    data = raw(header(UPDATE))
    assert discarded(node.receive(data, 0.0)) == ("not_for_us", "RFC 8200 3")
    data = raw(header(UPDATE, target=MULTICAST), destination=MULTICAST)
    assert discarded(node.receive(data, 0.0)) == ("not_a_correspondent", "9")
    inner = raw(b"", 59, source=HOME_ADDRESS)
    data = raw(inner, NextHeader.IPV6, destination=MULTICAST)
    assert discarded(node.receive(data, 0.0)) == ("tunnel_source", "10.4.5")


# Whatever comes.

GOOD = [
    write(binding_update(1)),
    write(binding_update(2, alternate=NEXT_CARE_OF_ADDRESS)),
    behind_routing_header(HOME_ADDRESS),
    raw(header(UnknownMessage(100, bytes(2)))),
    raw(bytes(20), 6, HOME_ADDRESS_OPTION),
    raw(raw(b"", 59), NextHeader.IPV6),
]


@settings(max_examples=150)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=100),
            strategies.packets().map(write_packet),
            st.sampled_from(GOOD).flatmap(strategies.mutated),
        ),
        max_size=5,
    )
)
def test_no_octets_raise_and_one_packet_brings_at_most_one(script: list[bytes]) -> None:
    role: Any = Roamer()
    for node in (
        home_agent_node(mobile_nodes=()),
        home_agent_node(bound=True),
        Node(mobile_node=role),
    ):
        for at, octets in enumerate(script):
            for effects in (
                node.receive(octets, float(at), link="eth0"),
                node.unmatched(octets, float(at)),
            ):
                assert all(isinstance(e, Send | Install | Notify) for e in effects)
                packets = sent(effects)
                assert len(packets) <= 1
                for packet in packets:
                    assert not packet.destination.is_multicast
                    outer = packet.tunnel[0] if packet.tunnel else packet.source
                    assert read_packet(write(packet)).source == outer


def test_what_leaves_can_be_read() -> None:
    effects = home_agent_node().receive(write(binding_update()), 0.0)
    [packet] = sent(effects)
    assert read(write(packet)) == packet
