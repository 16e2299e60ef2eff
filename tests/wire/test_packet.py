"""Golden octets of the IPv6 header and every extension header; limits; refusals."""

from ipaddress import IPv6Address
from typing import Any

import pytest

from mip6.wire.buffer import WireError
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    EXTENSION_HEADERS_MAX,
    OPTIONS_MAX,
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

SOURCE = IPv6Address("2001:db8:b::64")
DESTINATION = IPv6Address("2001:db8:a::1")
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
ADDRESSES = "20010db8000b00000000000000000064 20010db8000a00000000000000000001"


def packet(
    *extensions: Extension, next_header: int = 59, payload: bytes = b"", **others: Any
) -> IPv6Packet:
    return IPv6Packet(
        source=SOURCE,
        destination=DESTINATION,
        extensions=extensions,
        next_header=next_header,
        payload=payload,
        **others,
    )


GOLDEN = [
    pytest.param(
        packet(traffic_class=0xAB, flow_label=0xCDEF1, hop_limit=255, payload=b"xyz"),
        "6 ab cdef1"  # Version, Traffic Class, Flow Label
        "0003"  # Payload Length
        "3b"  # Next Header 59
        "ff" + ADDRESSES + "78797a",  # Hop Limit
        id="IPv6 header",
    ),
    pytest.param(
        packet(HopByHopOptions((UnknownDestinationOption(5, b"\0\0"),))),
        "60000000 0008 00 40" + ADDRESSES + "3b"  # Next Header
        "00"  # Hdr Ext Len: 8 octets
        "05 02 0000"  # router alert
        "01 00",  # PadN, 2 octets
        id="Hop-by-Hop Options",
    ),
    pytest.param(
        packet(DestinationOptions((HomeAddressOption(HOME_ADDRESS),))),
        "60000000 0018 3c 40" + ADDRESSES + "3b"  # Next Header
        "02"  # Hdr Ext Len: 24 octets
        "01 02 0000"  # PadN, 4 octets: to 8n + 6
        "c9 10"  # Home Address option, 16 octets
        "20010db8000a00000000000000000100",
        id="Home Address option",
        marks=pytest.mark.rfc("6.3", "format; type 0xC9, aligned to 8n + 6"),
    ),
    pytest.param(
        packet(RoutingHeaderType2(HOME_ADDRESS)),
        "60000000 0018 2b 40" + ADDRESSES + "3b"  # Next Header
        "02"  # Hdr Ext Len: 24 octets
        "02"  # Routing Type
        "01"  # Segments Left
        "00000000"  # Reserved
        "20010db8000a00000000000000000100",  # Home Address
        id="type 2 routing header",
        marks=pytest.mark.rfc("6.4.1", "format; Hdr Ext Len 2, Segments Left 1"),
    ),
    pytest.param(
        packet(UnknownRoutingHeader(4, 1, bytes(range(12)))),
        "60000000 0010 2b 40" + ADDRESSES + "3b 01 04 01 000102030405060708090a0b",
        id="other routing header",
    ),
    pytest.param(
        packet(FragmentHeader(offset=1448, more=True, identification=0x01020304)),
        "60000000 0008 2c 40" + ADDRESSES + "3b"  # Next Header
        "00"  # Reserved
        "05a9"  # Fragment Offset 181 units of 8 octets, Res, M
        "01020304",  # Identification
        id="Fragment",
    ),
    pytest.param(
        packet(AuthenticationHeader(bytes(range(22)))),
        "60000000 0018 33 40" + ADDRESSES + "3b"  # Next Header
        "04"  # Payload Len: 24 octets
        "000102030405060708090a0b0c0d0e0f101112131415",
        id="Authentication",
    ),
    pytest.param(
        packet(
            HopByHopOptions(),
            RoutingHeaderType2(HOME_ADDRESS),
            DestinationOptions((HomeAddressOption(SOURCE),)),
            FragmentHeader(offset=0, more=False, identification=7),
            AuthenticationHeader(bytes(10)),
            next_header=135,
            payload=bytes.fromhex("3b 00 00 00 67e9 0000"),
        ),
        "60000000 0054 00 40" + ADDRESSES + "2b 00 01 04 00000000"  # Hop-by-Hop
        "3c 02 02 01 00000000 20010db8000a00000000000000000100"  # Routing
        "2c 02 01 02 0000 c9 10 20010db8000b00000000000000000064"  # Destination
        "33 00 0000 00000007"  # Fragment
        "87 01 00000000000000000000"  # Authentication, 12 octets
        "3b 00 00 00 67e9 0000",  # Mobility Header
        id="a chain of all",
        marks=pytest.mark.rfc("6.3", "the order of the headers is kept"),
    ),
]


@pytest.mark.parametrize(("whole", "golden"), GOLDEN)
def test_golden_octets(whole: IPv6Packet, golden: str) -> None:
    octets = bytes.fromhex(golden.replace(" ", ""))
    assert write_packet(whole).hex(" ", 4) == octets.hex(" ", 4)
    read = read_packet(octets)
    assert read == whole
    assert read.payload_offset == len(octets) - len(whole.payload)


def refused(octets: bytes | str) -> tuple[str, int]:
    if isinstance(octets, str):
        octets = bytes.fromhex(octets)
    with pytest.raises(WireError) as caught:
        read_packet(octets)
    return caught.value.reason, caught.value.offset


def with_header(next_header: int, chain: str) -> bytes:
    """An IPv6 packet of these octets behind the IPv6 header."""
    behind = bytes.fromhex(chain)
    first = bytes.fromhex("60000000") + len(behind).to_bytes(2)
    return first + bytes((next_header, 64)) + bytes.fromhex(ADDRESSES) + behind


def test_next_headers() -> None:
    assert {header.name: header.value for header in NextHeader} == {
        "HOP_BY_HOP_OPTIONS": 0,
        "IPV6": 41,
        "ROUTING": 43,
        "FRAGMENT": 44,
        "ESP": 50,
        "AUTHENTICATION": 51,
        "ICMPV6": 58,
        "NO_NEXT_HEADER": 59,
        "DESTINATION_OPTIONS": 60,
        "MOBILITY": 135,
    }


@pytest.mark.parametrize("next_header", [41, 50, 58, 59, 6, 139, 253])
def test_headers_that_end_the_chain(next_header: int) -> None:
    read = read_packet(with_header(next_header, "3c 00 0104 00000000"))
    assert (read.next_header, read.extensions) == (next_header, ())
    assert read.payload == bytes.fromhex("3c 00 0104 00000000")


def test_octets_behind_the_packet_are_cut_off() -> None:
    octets = with_header(59, "0102")
    assert read_packet(octets + b"trailer").payload == b"\x01\x02"


def test_a_packet_that_is_cut_off() -> None:
    octets = with_header(59, "0102")
    assert refused(octets[:-1]) == ("truncated", 41)
    assert refused(octets[:39]) == ("truncated", 39)


def test_another_version() -> None:
    assert refused(b"\x45" + bytes(39)) == ("version", 0)


@pytest.mark.parametrize("next_header", [0, 43, 51, 60])
def test_an_extension_header_beyond_the_packet(next_header: int) -> None:
    octets = with_header(next_header, "3b 02 0104 00000000")
    assert refused(octets) == ("header_length_beyond_packet", 41)
    assert refused(with_header(next_header, "3b")) == ("truncated", 41)


def test_the_reserved_octet_of_a_fragment_is_no_length() -> None:
    read = read_packet(with_header(44, "3b ff 0000 00000007"))
    assert read.extensions == (FragmentHeader(offset=0, more=False, identification=7),)
    assert refused(with_header(44, "3b 00 0000 000000"))[0] == (
        "header_length_beyond_packet"
    )


@pytest.mark.rfc("6.4", "a type 2 routing header of another length is discarded")
@pytest.mark.parametrize("length", [0, 1, 3, 4])
def test_the_length_of_a_type_2_routing_header(length: int) -> None:
    chain = bytes((59, length, 2, 1)) + bytes(length * 8 + 4)
    assert refused(with_header(43, chain.hex())) == ("routing_header_length", 41)


@pytest.mark.rfc("6.4.1", "Segments Left is kept for the core to judge")
@pytest.mark.parametrize("segments_left", [0, 2, 255])
def test_segments_left(segments_left: int) -> None:
    whole = packet(RoutingHeaderType2(HOME_ADDRESS, segments_left))
    assert read_packet(write_packet(whole)) == whole


@pytest.mark.rfc("6.4.1", "the Reserved field is ignored by the receiver")
def test_reserved_of_the_type_2_routing_header() -> None:
    octets = with_header(43, "3b 02 02 01 ffffffff" + HOME_ADDRESS.packed.hex())
    assert read_packet(octets).extensions == (RoutingHeaderType2(HOME_ADDRESS),)


@pytest.mark.rfc("6.3", "the length of a Home Address option must be 16")
@pytest.mark.parametrize("length", [0, 15, 17])
def test_the_length_of_a_home_address_option(length: int) -> None:
    chain = f"3b 02 0102 0000 c9 {length:02x}" + "00" * 16
    assert refused(with_header(60, chain)) == ("option_length", 40 + 7)


@pytest.mark.rfc("6.3", "any padding before a Home Address option is accepted")
@pytest.mark.parametrize(
    "chain",
    [
        "3b 02 00 00 00 00 c9 10",  # four times Pad1
        "3b 02 01 01 00 00 c9 10",  # PadN and Pad1
        "3b 02 01 02 ffff c9 10",  # PadN with data
    ],
)
def test_padding_of_a_home_address_option(chain: str) -> None:
    octets = with_header(60, chain + HOME_ADDRESS.packed.hex())
    expected = (DestinationOptions((HomeAddressOption(HOME_ADDRESS),)),)
    assert read_packet(octets).extensions == expected


@pytest.mark.parametrize("before", range(9))
def test_alignment_of_a_home_address_option(before: int) -> None:
    options = (UnknownDestinationOption(5, bytes(before)), HomeAddressOption(SOURCE))
    octets = write_packet(packet(DestinationOptions(options)))
    at = octets.index(b"\xc9\x10", 40)
    assert at % 8 == 6
    assert at - (40 + 4 + before) < 8


def test_a_home_address_option_without_alignment() -> None:
    octets = with_header(60, "3b 02 c9 10" + HOME_ADDRESS.packed.hex() + "01 02 0000")
    expected = (DestinationOptions((HomeAddressOption(HOME_ADDRESS),)),)
    assert read_packet(octets).extensions == expected


USUAL = write_packet(packet(DestinationOptions((HomeAddressOption(HOME_ADDRESS),))))
"""The Home Address option as all send it, which is read in one step."""


def test_the_usual_home_address_option_within_a_shorter_packet() -> None:
    """Its octets are there, but the Payload Length says they are another packet's."""
    for length in range(24):
        octets = USUAL[:4] + length.to_bytes(2) + USUAL[6:]
        reason = "truncated" if length < 2 else "header_length_beyond_packet"
        assert refused(octets)[0] == reason, length


def test_the_usual_home_address_option_before_another_header() -> None:
    fragment = FragmentHeader(offset=0, more=False, identification=7)
    option = DestinationOptions((HomeAddressOption(HOME_ADDRESS),))
    whole = packet(option, fragment, payload=b"x")
    assert read_packet(write_packet(whole)) == whole


def test_the_usual_octets_in_another_header() -> None:
    """As a Hop-by-Hop Options header they are that, and in ESP they mean nothing."""
    assert isinstance(
        read_packet(USUAL[:6] + b"\0" + USUAL[7:]).extensions[0], HopByHopOptions
    )
    esp = read_packet(USUAL[:6] + bytes([NextHeader.ESP]) + USUAL[7:])
    assert (esp.extensions, esp.payload) == ((), USUAL[40:])


def test_unknown_options_and_those_behind_them_are_kept() -> None:
    options = (
        UnknownDestinationOption(0xC8, b"\1"),
        HomeAddressOption(HOME_ADDRESS),
        HomeAddressOption(SOURCE),  # twice: for the core to judge
    )
    whole = packet(DestinationOptions(options))
    assert read_packet(write_packet(whole)) == whole


def test_behind_a_later_fragment_nothing_is_read() -> None:
    octets = with_header(44, "3c 00 0009 00000007 ffffffffffffffff")
    read = read_packet(octets)
    assert read.extensions == (FragmentHeader(offset=8, more=True, identification=7),)
    assert (read.next_header, read.payload) == (60, b"\xff" * 8)
    assert write_packet(read) == octets


def test_a_mobility_header_in_a_later_fragment_is_not_measured() -> None:
    octets = with_header(44, "87 00 0008 00000007 3b000000000000003b00000000000000")
    assert read_packet(octets).payload_offset == 48


@pytest.mark.rfc("6.1.1", "the Mobility Header is the last header of the packet")
def test_octets_behind_a_mobility_header() -> None:
    octets = with_header(135, "3b 00 13 00 67e9 0000 ffff")
    assert refused(octets) == ("octets_behind_mobility_header", 48)
    with pytest.raises(WireError, match="octets_behind_mobility_header"):
        read_packet(octets, quoted=True)
    octets = with_header(135, "3b 01 00 00 67e9 0000 0000000000000000")
    assert len(read_packet(octets).payload) == 16


@pytest.mark.parametrize("payload", ["", "3b", "3b 01 00 00 0000 0000"])
def test_too_short_a_mobility_header_is_for_its_own_reader(payload: str) -> None:
    assert read_packet(with_header(135, payload)).payload == bytes.fromhex(payload)


def test_the_limit_of_extension_headers() -> None:
    whole = packet(*[HopByHopOptions()] * EXTENSION_HEADERS_MAX)
    assert read_packet(write_packet(whole)) == whole
    beyond = with_header(0, "00 00 0104 00000000" * EXTENSION_HEADERS_MAX + "3b00" * 4)
    assert refused(beyond) == (
        "too_many_extension_headers",
        40 + 8 * EXTENSION_HEADERS_MAX,
    )
    with pytest.raises(ValueError, match="extension headers"):
        packet(*[HopByHopOptions()] * (EXTENSION_HEADERS_MAX + 1))


def test_the_limit_of_options() -> None:
    option = UnknownDestinationOption(0x1E, b"")
    whole = packet(DestinationOptions((option,) * OPTIONS_MAX))
    assert read_packet(write_packet(whole)) == whole
    whole = packet(DestinationOptions((option,) * (OPTIONS_MAX + 1)))
    assert refused(write_packet(whole)) == ("too_many_options", 42 + 2 * OPTIONS_MAX)


def test_what_is_too_long_is_not_written() -> None:
    options = (UnknownDestinationOption(0x1E, bytes(253)),) * 9
    with pytest.raises(ValueError, match="do not fit one header"):
        write_packet(packet(DestinationOptions(options)))
    assert len(write_packet(packet(payload=bytes(0xFFFF)))) == 40 + 0xFFFF
    with pytest.raises(ValueError, match="too long"):
        write_packet(packet(payload=bytes(0x10000)))
    with pytest.raises(ValueError, match="too long"):
        write_packet(packet(HopByHopOptions(), payload=bytes(0xFFF8)))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (packet, {"hop_limit": 256}),
        (packet, {"traffic_class": -1}),
        (packet, {"flow_label": 1 << 20}),
        (packet, {"next_header": 256}),
        (packet, {"next_header": 0}),
        (packet, {"next_header": 60}),
        (packet, {"next_header": 135, "payload": bytes(16)}),
        (FragmentHeader, {"offset": 4, "more": False, "identification": 0}),
        (FragmentHeader, {"offset": 65536, "more": False, "identification": 0}),
        (FragmentHeader, {"offset": 0, "more": False, "identification": 1 << 32}),
        (RoutingHeaderType2, {"home_address": SOURCE, "segments_left": 256}),
        (UnknownRoutingHeader, {"type": 2, "segments_left": 1, "data": bytes(20)}),
        (UnknownRoutingHeader, {"type": 256, "segments_left": 1, "data": bytes(4)}),
        (UnknownRoutingHeader, {"type": 0, "segments_left": -1, "data": bytes(4)}),
        (UnknownRoutingHeader, {"type": 0, "segments_left": 1, "data": bytes(8)}),
        (UnknownRoutingHeader, {"type": 0, "segments_left": 1, "data": bytes(2052)}),
        (AuthenticationHeader, {"data": bytes(8)}),
        (AuthenticationHeader, {"data": bytes(2)}),
        (AuthenticationHeader, {"data": bytes(1030)}),
        (UnknownDestinationOption, {"type": 0xC9, "data": bytes(16)}),
        (UnknownDestinationOption, {"type": 0, "data": b""}),
        (UnknownDestinationOption, {"type": 1, "data": b""}),
        (UnknownDestinationOption, {"type": 256, "data": b""}),
        (UnknownDestinationOption, {"type": 5, "data": bytes(256)}),
    ],
)
def test_nonsense_is_not_constructed(kind: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        kind(**fields)
    assert not isinstance(caught.value, WireError)


def test_nothing_stands_behind_a_later_fragment() -> None:
    fragment = FragmentHeader(offset=8, more=False, identification=1)
    with pytest.raises(ValueError, match="fragment"):
        packet(fragment, HopByHopOptions())
