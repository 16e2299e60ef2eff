"""Packets in and out: what stands around a message, and its checksum (§6.1.1)."""

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import strategies
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    binding_update,
)

from mip6.core.packet import Packet, read, write
from mip6.wire.buffer import WireError
from mip6.wire.icmpv6 import MobilePrefixSolicitation, UnknownIcmp, write_icmpv6
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    CareOfTestInit,
    write_message,
)
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    AuthenticationHeader,
    DestinationOptions,
    Extension,
    FragmentHeader,
    HomeAddressOption,
    HopByHopOptions,
    IPv6Packet,
    RoutingHeaderType2,
    UnknownDestinationOption,
    UnknownRoutingHeader,
    read_packet,
    write_packet,
)

UPDATE = BindingUpdate(sequence_number=1, lifetime=60)
HOME_ADDRESS_OPTION = DestinationOptions((HomeAddressOption(HOME_ADDRESS),))
ROUTING_HEADER = RoutingHeaderType2(HOME_ADDRESS)
ROUTER_ALERT = UnknownDestinationOption(5, bytes(2))
PLAIN = {"source": CARE_OF_ADDRESS, "destination": HOME_AGENT}


def octets(*extensions: Extension, **changes: Any) -> bytes:
    """A Binding Update behind these extension headers, its checksum over the home
    address where one stands in them."""
    source, destination = CARE_OF_ADDRESS, HOME_AGENT
    for extension in extensions:
        if extension == HOME_ADDRESS_OPTION:
            source = HOME_ADDRESS
        elif extension == ROUTING_HEADER:
            destination = HOME_ADDRESS
    fields: dict[str, Any] = {
        **PLAIN,
        "extensions": extensions,
        "next_header": NextHeader.MOBILITY,
        "payload": write_message(UPDATE, source, destination),
        **changes,
    }
    return write_packet(IPv6Packet(**fields))


def fault(data: bytes) -> tuple[str, int]:
    with pytest.raises(WireError) as caught:
        read(data)
    return caught.value.reason, caught.value.offset


@pytest.mark.rfc("6.1.1", "the checksum covers the home address, both ways")
@pytest.mark.parametrize(
    "wrapping",
    [
        {},
        {"home_address": HOME_ADDRESS},
        {"routing_address": HOME_ADDRESS},
        {"home_address": HOME_ADDRESS, "routing_address": CORRESPONDENT},
    ],
)
def test_what_is_written_is_read(wrapping: dict[str, IPv6Address]) -> None:
    packet = Packet(**PLAIN, message=UPDATE, hop_limit=7, **wrapping)
    data = write(packet)
    assert read(data) == packet
    assert read(data).octets == data
    headers = read_packet(data)
    origin = wrapping.get("home_address", CARE_OF_ADDRESS)
    target = wrapping.get("routing_address", HOME_AGENT)
    assert (packet.origin, packet.target) == (origin, target)
    assert headers.payload == write_message(UPDATE, origin, target)


@pytest.mark.rfc("6.3", "the Home Address option stands behind the routing header")
def test_the_order_of_the_headers_written() -> None:
    packet = Packet(
        **PLAIN,
        message=UPDATE,
        home_address=HOME_ADDRESS,
        routing_address=CORRESPONDENT,
    )
    routing, options = read_packet(write(packet)).extensions
    assert routing == RoutingHeaderType2(CORRESPONDENT)
    assert options == HOME_ADDRESS_OPTION


def test_icmp_behind_a_home_address_option() -> None:
    packet = Packet(
        **PLAIN,
        message=MobilePrefixSolicitation(identifier=9),
        home_address=HOME_ADDRESS,
    )
    data = write(packet)
    assert read(data) == packet
    assert read_packet(data).payload == write_icmpv6(
        packet.message, HOME_ADDRESS, HOME_AGENT
    )


def test_a_tunnel_is_taken_off_and_told() -> None:
    packet = Packet(
        source=CORRESPONDENT,
        destination=HOME_ADDRESS,
        message=CareOfTestInit(care_of_init_cookie=bytes(8)),
        tunnel=(HOME_AGENT, CARE_OF_ADDRESS),
    )
    data = write(packet)
    outer = read_packet(data)
    assert (outer.source, outer.destination) == packet.tunnel
    assert outer.next_header == NextHeader.IPV6
    assert read(data) == packet
    assert read(data).octets == outer.payload
    # Errors count from the start of all the octets.
    assert fault(data[:-1] + b"\xff") == ("checksum", 40 + 40 + 4)


def test_a_tunnel_in_a_tunnel_is_no_signalling() -> None:
    inner = write(replace(binding_update(), tunnel=(CARE_OF_ADDRESS, HOME_AGENT)))
    data = octets(next_header=NextHeader.IPV6, payload=inner)
    assert fault(data) == ("not_signalling", 80)


def test_octets_are_no_part_of_what_a_packet_says() -> None:
    """Neither compared nor shown: logs and failures would be full of them."""
    packet = read(octets())
    assert packet.octets == octets()
    assert packet == replace(packet, octets=b"")
    assert "octets" not in repr(packet) and "payload" not in repr(packet)


def test_link_and_protection_are_passed_on() -> None:
    data = write(binding_update())
    packet = read(data, link="eth0", protected_for=HOME_ADDRESS)
    assert (packet.link, packet.protected_for) == ("eth0", HOME_ADDRESS)
    inside = write(replace(binding_update(), tunnel=(CARE_OF_ADDRESS, HOME_AGENT)))
    packet = read(inside, link="eth0", protected_for=HOME_ADDRESS)
    assert (packet.link, packet.protected_for) == ("eth0", HOME_ADDRESS)


@pytest.mark.parametrize(
    ("next_header", "length"),
    [(NextHeader.MOBILITY, 0), (NextHeader.MOBILITY, 5), (NextHeader.ICMPV6, 3)],
)
def test_too_short_for_a_checksum(next_header: NextHeader, length: int) -> None:
    """Cut off, and not wrong at an octet that is not there."""
    whole = write_packet(
        IPv6Packet(**PLAIN, next_header=next_header, payload=bytes(length))
    )
    with pytest.raises(WireError) as caught:
        read(whole)
    assert (caught.value.reason, caught.value.offset) == ("truncated", len(whole))


@pytest.mark.rfc("9.2", "every octet of the message is in the checksum")
@given(st.integers(0, 15), st.integers(1, 255))
def test_a_wrong_checksum(at: int, flip: int) -> None:
    data = bytearray(octets())
    start = len(data) - 16
    data[start + at] ^= flip
    reason, _ = fault(bytes(data))
    # The Header Len says where the message ends: that it is wrong is noticed before.
    assert reason in {"checksum", "octets_behind_mobility_header"}


@pytest.mark.rfc("6.1.1", "a checksum over the care-of address is wrong")
def test_a_checksum_over_the_wrong_address() -> None:
    payload = write_message(UPDATE, CARE_OF_ADDRESS, HOME_AGENT)
    assert fault(octets(HOME_ADDRESS_OPTION, payload=payload))[0] == "checksum"
    assert fault(octets(ROUTING_HEADER, payload=payload))[0] == "checksum"


def test_a_wrong_icmp_checksum() -> None:
    payload = bytearray(
        write_icmpv6(MobilePrefixSolicitation(identifier=9), *PLAIN.values())
    )
    payload[-1] ^= 1
    data = octets(next_header=NextHeader.ICMPV6, payload=bytes(payload))
    assert fault(data) == ("checksum", 42)


@pytest.mark.parametrize("next_header", [6, 17, NextHeader.ESP, 59])
def test_data_is_no_signalling(next_header: int) -> None:
    data = octets(next_header=next_header, payload=bytes(20))
    assert fault(data) == ("not_signalling", 40)


@pytest.mark.parametrize(
    "extensions",
    [
        (HopByHopOptions((ROUTER_ALERT,)), HOME_ADDRESS_OPTION),
        (ROUTING_HEADER, HOME_ADDRESS_OPTION),
        (DestinationOptions((ROUTER_ALERT,)), HOME_ADDRESS_OPTION),
        (UnknownRoutingHeader(0, 0, bytes(4)), HOME_ADDRESS_OPTION),
        (
            HOME_ADDRESS_OPTION,
            FragmentHeader(offset=0, more=False, identification=1),
        ),
    ],
)
def test_chains_that_are_read(extensions: tuple[Extension, ...]) -> None:
    packet = read(octets(*extensions))
    assert packet.home_address == HOME_ADDRESS
    assert packet.message == UPDATE


FAULTS = {
    "home_address_option_repeated": [
        (HOME_ADDRESS_OPTION, HOME_ADDRESS_OPTION),
        (DestinationOptions((HomeAddressOption(HOME_ADDRESS),) * 2),),
    ],
    "home_address_option_misplaced": [
        (HopByHopOptions((HomeAddressOption(HOME_ADDRESS),)),),
        (FragmentHeader(offset=0, more=False, identification=1), HOME_ADDRESS_OPTION),
    ],
    "routing_header_misplaced": [
        (HOME_ADDRESS_OPTION, ROUTING_HEADER),
        (HOME_ADDRESS_OPTION, UnknownRoutingHeader(0, 0, bytes(4))),
        (ROUTING_HEADER, ROUTING_HEADER),
    ],
    "routing_header_segments_left": [
        (RoutingHeaderType2(HOME_ADDRESS, segments_left=0),),
        (RoutingHeaderType2(HOME_ADDRESS, segments_left=2),),
    ],
    "routing_header_unknown": [(UnknownRoutingHeader(0, 1, bytes(4)),)],
    "fragment": [
        (FragmentHeader(offset=0, more=True, identification=1),),
        (FragmentHeader(offset=8, more=False, identification=1),),
    ],
    "authentication_header": [
        (AuthenticationHeader(bytes(10)),),
        (HOME_ADDRESS_OPTION, AuthenticationHeader(bytes(10))),
    ],
    "unknown_option": [
        (DestinationOptions((UnknownDestinationOption(0x40, b""),)),),
        (HopByHopOptions((UnknownDestinationOption(0xC2, bytes(4)),)),),
    ],
}


@pytest.mark.rfc("6.3", "place and number of the Home Address option")
@pytest.mark.rfc("6.4", "a type 2 routing header has one segment left")
@pytest.mark.parametrize(
    ("reason", "extensions"),
    [(reason, chain) for reason, chains in FAULTS.items() for chain in chains],
)
def test_chains_that_are_not_read(
    reason: str, extensions: tuple[Extension, ...]
) -> None:
    assert fault(octets(*extensions)) == (reason, 40)


@pytest.mark.parametrize(
    ("field", "value"),
    [("status", 135), ("sequence_number", 65535), ("lifetime", 65535 * 4)],
)
def test_an_acknowledgement_survives(field: str, value: int) -> None:
    message = BindingAcknowledgement(status=0, sequence_number=1, lifetime=60)
    packet = Packet(
        source=HOME_AGENT,
        destination=CARE_OF_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=replace(message, **{field: value}),
    )
    assert read(write(packet)) == packet


@given(st.one_of(strategies.mobility_messages(), strategies.icmp_messages()))
def test_every_message_is_read_as_it_was_written(message: Any) -> None:
    packet = Packet(**PLAIN, message=message, home_address=HOME_ADDRESS)
    assert read(write(packet)) == packet


@given(st.one_of(st.binary(max_size=120), strategies.packets().map(write_packet)))
def test_any_octets_are_read_or_raise_wire_error(data: bytes) -> None:
    try:
        packet = read(data)
    except WireError as error:
        assert 0 <= error.offset <= len(data)
    else:
        assert packet.octets in data


def test_an_option_that_may_change_on_the_way_may_be_skipped() -> None:
    """The third bit says so (RFC 8200 §4.2); the two before it say what to do."""
    option = UnknownDestinationOption(0x3E, bytes(2))
    assert read(octets(DestinationOptions((option,)))).message == UPDATE


def test_the_shortest_icmp_message() -> None:
    packet = Packet(
        source=CARE_OF_ADDRESS,
        destination=HOME_AGENT,
        message=UnknownIcmp(type=200, code=0, data=b""),
    )
    data = write(packet)
    assert len(data) == 44
    assert read(data).message == packet.message
