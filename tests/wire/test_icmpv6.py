"""Golden octets of the ICMPv6 messages, and what is refused."""

from ipaddress import IPv6Address
from typing import Any

import pytest

from mip6.wire.buffer import WireError
from mip6.wire.checksum import checksum
from mip6.wire.icmpv6 import (
    HOME_AGENT_ADDRESSES_MAX,
    DestinationUnreachable,
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
    IcmpMessage,
    MobilePrefixAdvertisement,
    MobilePrefixSolicitation,
    PacketTooBig,
    ParameterProblem,
    TimeExceeded,
    UnknownIcmp,
    read_icmpv6,
    write_icmpv6,
)
from mip6.wire.neighbor_options import PrefixInformation

SOURCE = IPv6Address("2001:db8:a::100")
DESTINATION = IPv6Address("2001:db8:a::1")
QUOTED = b"`packet"

GOLDEN = [
    pytest.param(
        DestinationUnreachable(code=3, packet=QUOTED),
        "01 03 00f3"  # Type, Code, Checksum
        "00000000"  # Unused
        "60 7061636b6574",  # the invoking packet
        id="Destination Unreachable",
    ),
    pytest.param(
        PacketTooBig(mtu=1280, packet=QUOTED),
        "02 00 faf5"
        "00000500"  # MTU
        "60 7061636b6574",
        id="Packet Too Big",
    ),
    pytest.param(
        TimeExceeded(code=1, packet=QUOTED),
        "03 01 fef4"
        "00000000"  # Unused
        "60 7061636b6574",
        id="Time Exceeded",
    ),
    pytest.param(
        ParameterProblem(code=2, pointer=42, packet=QUOTED),
        "04 02 fdc9"
        "0000002a"  # Pointer
        "60 7061636b6574",
        id="Parameter Problem",
    ),
    pytest.param(
        HomeAgentAddressDiscoveryRequest(identifier=0x1234),
        "90 00 0102"
        "1234"  # Identifier
        "0000",  # Reserved
        id="Home Agent Address Discovery Request",
        marks=pytest.mark.rfc("6.5", "format"),
    ),
    pytest.param(
        HomeAgentAddressDiscoveryReply(
            identifier=0x1234,
            home_agent_addresses=(DESTINATION, IPv6Address("2001:db8:a::2")),
        ),
        "91 00 a458"
        "1234"  # Identifier
        "0000"  # Reserved
        "20010db8000a00000000000000000001"  # Home Agent Addresses
        "20010db8000a00000000000000000002",
        id="Home Agent Address Discovery Reply",
        marks=pytest.mark.rfc("6.6", "format; the length gives the number"),
    ),
    pytest.param(
        HomeAgentAddressDiscoveryRequest(identifier=0x1234, mobile_router_support=True),
        "90 00 8101"
        "1234"  # Identifier
        "8000",  # R
        id="Home Agent Address Discovery Request of a mobile router",
    ),
    pytest.param(
        HomeAgentAddressDiscoveryReply(
            identifier=0x1234,
            mobile_router_support=True,
            home_agent_addresses=(DESTINATION,),
        ),
        "91 00 522d"
        "1234"  # Identifier
        "8000"  # R
        "20010db8000a00000000000000000001",  # Home Agent Addresses
        id="Home Agent Address Discovery Reply to a mobile router",
    ),
    pytest.param(
        MobilePrefixSolicitation(identifier=0x1234),
        "92 00 ff01"
        "1234"  # Identifier
        "0000",  # Reserved
        id="Mobile Prefix Solicitation",
        marks=pytest.mark.rfc("6.7", "format"),
    ),
    pytest.param(
        MobilePrefixAdvertisement(
            identifier=0x1234,
            managed_address_configuration=True,
            other_stateful_configuration=True,
            options=(
                PrefixInformation(
                    prefix=IPv6Address("2001:db8:a::"),
                    prefix_length=64,
                    valid_lifetime=86400,
                    preferred_lifetime=14400,
                    on_link=True,
                    autonomous_address_configuration=True,
                ),
            ),
        ),
        "93 00 4298"
        "1234"  # Identifier
        "c000"  # M, O
        "03 04 40 c0 00015180 00003840 00000000"  # Prefix Information
        "20010db8000a00000000000000000000",
        id="Mobile Prefix Advertisement",
        marks=pytest.mark.rfc("6.8", "format; options as in Neighbor Discovery"),
    ),
    pytest.param(
        UnknownIcmp(type=128, code=0, data=bytes.fromhex("00010002") + b"ping"),
        "80 00 445e 0001 0002 70696e67",
        id="echo request",
    ),
]


@pytest.mark.parametrize(("message", "golden"), GOLDEN)
def test_golden_octets(message: IcmpMessage, golden: str) -> None:
    octets = bytes.fromhex(golden)
    assert write_icmpv6(message, SOURCE, DESTINATION).hex(" ", 2) == octets.hex(" ", 2)
    assert checksum(SOURCE, DESTINATION, 58, octets) == 0
    assert read_icmpv6(octets) == message


def refused(octets: bytes) -> tuple[str, int]:
    with pytest.raises(WireError) as caught:
        read_icmpv6(octets)
    return caught.value.reason, caught.value.offset


@pytest.mark.parametrize("type_", [*range(133, 137), *range(144, 148)])
def test_a_code_where_there_is_none(type_: int) -> None:
    assert refused(bytes((type_, 1)) + bytes(40)) == ("icmp_code", 1)


def test_the_code_of_packet_too_big_is_ignored() -> None:
    message = read_icmpv6(bytes.fromhex("02 07 0000 00000500 60"))
    assert message == PacketTooBig(mtu=1280, packet=b"`")


def test_reserved_fields_are_ignored() -> None:
    for type_, bits in ((144, 0x7F), (145, 0x7F), (146, 0xFF)):
        clean = read_icmpv6(bytes((type_, 0, 0, 0, 0x12, 0x34, 0, 0)))
        assert read_icmpv6(bytes((type_, 0, 0, 0, 0x12, 0x34, bits, 0xFF))) == clean
    message = read_icmpv6(bytes((147, 0, 0, 0, 0x12, 0x34, 0x7F, 0xFF)))
    assert message == MobilePrefixAdvertisement(
        identifier=0x1234, other_stateful_configuration=True
    )
    message = read_icmpv6(bytes((147, 0, 0, 0, 0x12, 0x34, 0xBF, 0xFF)))
    assert message == MobilePrefixAdvertisement(
        identifier=0x1234, managed_address_configuration=True
    )


@pytest.mark.parametrize("type_", [1, 2, 3, 4, 133, 144, 145, 146, 147])
def test_a_message_that_is_cut_off(type_: int) -> None:
    assert refused(bytes((type_, 0, 0, 0, 0, 0, 0))) == ("truncated", 7)
    assert refused(bytes((type_, 0, 0))) == ("truncated", 3)


def test_addresses_that_are_cut_off() -> None:
    assert refused(bytes((145, 0)) + bytes(6 + 16 + 15)) == ("truncated", 39)


def test_the_limit_of_addresses() -> None:
    message = HomeAgentAddressDiscoveryReply(
        identifier=1, home_agent_addresses=(SOURCE,) * HOME_AGENT_ADDRESSES_MAX
    )
    octets = write_icmpv6(message, SOURCE, DESTINATION)
    assert read_icmpv6(octets) == message
    beyond = octets + SOURCE.packed
    assert refused(beyond) == ("too_many_addresses", len(octets))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (DestinationUnreachable, {"code": 256, "packet": b""}),
        (PacketTooBig, {"mtu": 1 << 32, "packet": b""}),
        (TimeExceeded, {"code": -1, "packet": b""}),
        (ParameterProblem, {"code": 256, "pointer": 0, "packet": b""}),
        (ParameterProblem, {"code": 0, "pointer": 1 << 32, "packet": b""}),
        (HomeAgentAddressDiscoveryRequest, {"identifier": 0x10000}),
        (HomeAgentAddressDiscoveryReply, {"identifier": 0x10000}),
        (
            HomeAgentAddressDiscoveryReply,
            {"identifier": 0, "home_agent_addresses": (SOURCE,) * 129},
        ),
        (MobilePrefixSolicitation, {"identifier": -1}),
        (MobilePrefixAdvertisement, {"identifier": 0x10000}),
        (UnknownIcmp, {"type": 256, "code": 0, "data": b""}),
        (UnknownIcmp, {"type": 128, "code": 256, "data": b""}),
        (UnknownIcmp, {"type": 1, "code": 0, "data": bytes(4)}),
        (UnknownIcmp, {"type": 134, "code": 0, "data": bytes(12)}),
        (UnknownIcmp, {"type": 144, "code": 0, "data": bytes(4)}),
    ],
)
def test_nonsense_is_not_constructed(kind: type[Any], fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        kind(**fields)
    assert not isinstance(caught.value, WireError)
