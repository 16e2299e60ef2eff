"""What another implementation sent, written anew from the decoded fields."""

from collections import Counter
from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from tests.support.captures import layers, messages, packets
from tests.support.tshark import CAPTURES

from mip6.core.packet import write
from mip6.wire.checksum import checksum
from mip6.wire.icmpv6 import UnknownIcmp, read_icmpv6, write_icmpv6
from mip6.wire.messages import UnknownMessage, read_message, write_message
from mip6.wire.neighbor_discovery import NeighborSolicitation, RouterSolicitation
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    write_packet,
)

every_capture = pytest.mark.parametrize("capture", CAPTURES)


def upper_layer_addresses(headers: IPv6Packet) -> tuple[IPv6Address, IPv6Address]:
    """What the checksum covers (§6.1.1), found without the code of the core."""
    source, destination = headers.source, headers.destination
    for extension in headers.extensions:
        if isinstance(extension, DestinationOptions):
            for option in extension.options:
                if isinstance(option, HomeAddressOption):
                    source = option.home_address
        elif isinstance(extension, RoutingHeaderType2):
            destination = extension.home_address
    return source, destination


@every_capture
def test_headers_come_back_octet_by_octet(capture: str) -> None:
    """Extension headers, option padding, tunnels: nothing is left to choice, since the
    other implementation pads with the fewest octets too."""
    for captured in packets(capture):
        for headers, octets in layers(captured.octets):
            assert write_packet(headers) == octets, captured.frame


@every_capture
def test_mobility_headers_come_back_octet_by_octet(capture: str) -> None:
    for captured in packets(capture):
        for headers, _ in layers(captured.octets):
            if headers.next_header != NextHeader.MOBILITY:
                continue
            addresses = upper_layer_addresses(headers)
            assert checksum(*addresses, NextHeader.MOBILITY, headers.payload) == 0
            message = read_message(headers.payload)
            assert not isinstance(message, UnknownMessage)
            assert write_message(message, *addresses) == headers.payload


@every_capture
def test_icmp_messages_come_back_octet_by_octet(capture: str) -> None:
    for captured in packets(capture):
        for headers, _ in layers(captured.octets):
            if headers.next_header != NextHeader.ICMPV6:
                continue
            addresses = upper_layer_addresses(headers)
            message = read_icmpv6(headers.payload)
            written = bytearray(write_icmpv6(message, *addresses))
            if checksum(*addresses, NextHeader.ICMPV6, headers.payload):
                # Its solicitations from the unspecified address are summed up as if
                # they had another source.
                assert isinstance(message, RouterSolicitation | NeighborSolicitation)
                assert headers.source == IPv6Address("::")
                written[2:4] = headers.payload[2:4]
            assert written == headers.payload, captured.frame


@every_capture
def test_whole_packets_come_back(capture: str) -> None:
    """From the values the core has: all but the flow label, which RFC 8200 leaves to
    the sender and ours sets to 0."""
    for message in messages(capture):
        if isinstance(message.packet.message, UnknownIcmp):
            continue  # data, and reports with a hop-by-hop option
        theirs = bytearray(message.packet.octets)
        theirs[1] &= 0xF0
        theirs[2:4] = bytes(2)
        written = write(replace(message.packet, tunnel=None))
        assert written == theirs, message.frame


def test_numbers() -> None:
    """So that an empty comparison is noticed."""
    counts: Counter[int] = Counter()
    for capture in CAPTURES:
        for captured in packets(capture):
            counts.update(h.next_header for h, _ in layers(captured.octets))
    assert counts == {
        NextHeader.IPV6: 317,
        NextHeader.ESP: 22,
        NextHeader.ICMPV6: 1383,
        NextHeader.MOBILITY: 89,
    }
    decoded = [message for capture in CAPTURES for message in messages(capture)]
    assert len(decoded) == 1494 - 23 - 8
