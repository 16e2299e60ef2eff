"""The node: form and checksum (§9.2), Home Address options (§9.3.1), routing
headers (§6.4)."""

from ipaddress import IPv6Address
from typing import Any

import pytest
from tests.core.bare_nodes import (
    ACKNOWLEDGEMENT,
    HOME_ADDRESS_OPTION,
    LINK_LOCAL,
    MULTICAST,
    ONLY_PLAIN,
    UNSPECIFIED,
    UPDATE,
    behind_routing_header,
    header,
    home_agent_node,
    raw,
    roaming,
    the_binding_error,
)
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

from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.wire.checksum import checksum
from mip6.wire.icmpv6 import (
    MobilePrefixAdvertisement,
    MobilePrefixSolicitation,
    ParameterProblem,
)
from mip6.wire.messages import (
    BindingError,
    BindingErrorStatus,
    CareOfTestInit,
    HomeTestInit,
    Message,
    UnknownMessage,
)
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    AuthenticationHeader,
    DestinationOptions,
    HomeAddressOption,
    RoutingHeaderType2,
)

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
