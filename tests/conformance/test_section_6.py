"""RFC 6275 §6: messages, options and headers, as octets."""

from ipaddress import IPv6Address

import pytest

from mip6.core.packet import Packet, read, write
from mip6.wire.buffer import WireError
from mip6.wire.icmpv6 import (
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
    IcmpMessage,
    MobilePrefixAdvertisement,
    MobilePrefixSolicitation,
    read_icmpv6,
    write_icmpv6,
)
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingError,
    BindingRefreshRequest,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    Message,
    read_message,
    write_message,
)
from mip6.wire.neighbor_options import PrefixInformation, UnknownNeighborOption
from mip6.wire.options import (
    AlternateCareOfAddress,
    BindingAuthorizationData,
    NonceIndices,
    UnknownOption,
)
from mip6.wire.packet import (
    DestinationOptions,
    Extension,
    FragmentHeader,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    read_packet,
    write_packet,
)

A = IPv6Address("2001:db8:1::1")
B = IPv6Address("2001:db8:2::2")
HOME = IPv6Address("2001:db8:f::f")

REFRESH_REQUEST = BindingRefreshRequest()
HOME_TEST_INIT = HomeTestInit(home_init_cookie=b"homecook")
CARE_OF_TEST_INIT = CareOfTestInit(care_of_init_cookie=b"carecook")
HOME_TEST = HomeTest(
    home_nonce_index=7, home_init_cookie=b"homecook", home_keygen_token=b"hometokn"
)
CARE_OF_TEST = CareOfTest(
    care_of_nonce_index=8,
    care_of_init_cookie=b"carecook",
    care_of_keygen_token=b"caretokn",
)
UPDATE = BindingUpdate(
    sequence_number=9, lifetime=400, acknowledge=True, home_registration=True
)
ACKNOWLEDGEMENT = BindingAcknowledgement(status=0, sequence_number=9, lifetime=400)
ERROR = BindingError(status=1, home_address=HOME)
MESSAGES: list[Message] = [
    REFRESH_REQUEST,
    HOME_TEST_INIT,
    CARE_OF_TEST_INIT,
    HOME_TEST,
    CARE_OF_TEST,
    UPDATE,
    ACKNOWLEDGEMENT,
    ERROR,
]
EVERY_MESSAGE = pytest.mark.parametrize(
    "message", MESSAGES, ids=lambda m: type(m).__name__
)


def octets_of(message: Message) -> bytearray:
    return bytearray(write_message(message, A, B))


def with_options(message: Message, options: bytes) -> bytes:
    """`message`, which ends on 8 octets without options, with these behind it."""
    octets = octets_of(message) + options
    octets[1] = len(octets) // 8 - 1
    return bytes(octets)


def with_extensions(*extensions: Extension) -> bytes:
    return write_packet(
        IPv6Packet(
            source=A,
            destination=B,
            extensions=extensions,
            next_header=135,
            payload=write_message(UPDATE, HOME, B),
        )
    )


@EVERY_MESSAGE
@pytest.mark.rfc("6.1.1-1", "Payload Proto 59")
def test_payload_proto_says_that_nothing_follows(message: Message) -> None:
    assert octets_of(message)[0] == 59


@EVERY_MESSAGE
@pytest.mark.rfc("6.1.1-2", "whole units of 8 octets, counted without the first")
def test_length_is_a_multiple_of_8(message: Message) -> None:
    octets = octets_of(message)
    assert len(octets) % 8 == 0
    assert octets[1] == len(octets) // 8 - 1


@EVERY_MESSAGE
@pytest.mark.rfc("6.1.1-3", "Reserved")
def test_common_reserved_octet(message: Message) -> None:
    octets = octets_of(message)
    assert octets[3] == 0
    octets[3] = 0xFF
    assert read_message(bytes(octets)) == message


@EVERY_MESSAGE
@pytest.mark.rfc("6.1.1-4", "the pseudo-header's length")
def test_checksum_counts_the_whole_mobility_header(message: Message) -> None:
    octets = octets_of(message)
    length = len(octets)
    pseudo = A.packed + B.packed + length.to_bytes(4) + bytes((0, 0, 0, 135))
    words = memoryview(pseudo + octets).cast("H")
    total = sum(int.from_bytes(w.to_bytes(2, "little")) for w in words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF


@pytest.mark.rfc("6.1.1-5", "options behind the fixed part")
def test_options_follow_the_fixed_part() -> None:
    message = BindingUpdate(
        sequence_number=9, lifetime=400, options=(NonceIndices(3, 4),)
    )
    assert octets_of(message)[12:] == bytes((4, 4, 0, 3, 0, 4)) + bytes(
        # 18 octets so far: padding to 24
        (1, 4, 0, 0, 0, 0)
    )


@pytest.mark.rfc("6.1.1-6", "on a boundary of 8 octets")
@pytest.mark.parametrize("home_address", [None, HOME])
@pytest.mark.parametrize("routing_address", [None, HOME])
def test_mobility_header_is_aligned(
    home_address: IPv6Address | None, routing_address: IPv6Address | None
) -> None:
    packet = Packet(
        source=A,
        destination=B,
        message=UPDATE,
        home_address=home_address,
        routing_address=routing_address,
    )
    assert read_packet(write(packet)).payload_offset % 8 == 0


@pytest.mark.parametrize(
    ("message", "offset", "reserved"),
    [
        pytest.param(
            REFRESH_REQUEST,
            6,
            b"\xff\xff",
            marks=pytest.mark.rfc("6.1.2-1", "Reserved"),
        ),
        pytest.param(
            HOME_TEST_INIT, 6, b"\xff\xff", marks=pytest.mark.rfc("6.1.3-1", "Reserved")
        ),
        pytest.param(
            CARE_OF_TEST_INIT,
            6,
            b"\xff\xff",
            marks=pytest.mark.rfc("6.1.4-1", "Reserved"),
        ),
        # A, H, L, K, R (RFC 3963) and 11 reserved bits
        pytest.param(
            UPDATE, 8, b"\x0b\xff", marks=pytest.mark.rfc("6.1.7-5", "Reserved")
        ),
        # K, R (RFC 3963) and 6 reserved bits
        pytest.param(
            ACKNOWLEDGEMENT, 7, b"\x3f", marks=pytest.mark.rfc("6.1.8-2", "Reserved")
        ),
        pytest.param(ERROR, 7, b"\xff", marks=pytest.mark.rfc("6.1.9-1", "Reserved")),
    ],
)
def test_reserved_bits_of_messages(
    message: Message, offset: int, reserved: bytes
) -> None:
    octets = octets_of(message)
    for at, bits in enumerate(reserved, offset):
        assert octets[at] & bits == 0
        octets[at] |= bits
    assert read_message(bytes(octets)) == message


@pytest.mark.rfc("6.2.1-1", "unknown options are skipped, known ones behind them read")
@pytest.mark.parametrize(
    "message",
    [
        pytest.param(
            BindingRefreshRequest(), marks=pytest.mark.rfc("6.1.2-2", "unknown options")
        ),
        pytest.param(
            HOME_TEST_INIT, marks=pytest.mark.rfc("6.1.3-2", "unknown options")
        ),
        pytest.param(
            CARE_OF_TEST_INIT, marks=pytest.mark.rfc("6.1.4-2", "unknown options")
        ),
        pytest.param(HOME_TEST, marks=pytest.mark.rfc("6.1.5-1", "unknown options")),
        pytest.param(CARE_OF_TEST, marks=pytest.mark.rfc("6.1.6-1", "unknown options")),
        pytest.param(ERROR, marks=pytest.mark.rfc("6.1.9-2", "unknown options")),
    ],
)
def test_unknown_options_are_skipped(message: Message) -> None:
    octets = with_options(
        message,
        bytes((222, 4, 9, 9, 9, 9))  # of a type nobody knows
        + bytes((4, 4, 0, 3, 0, 4))  # Nonce Indices
        + bytes((1, 2, 0, 0)),  # PadN
    )
    unknown, known = UnknownOption(222, bytes((9, 9, 9, 9))), NonceIndices(3, 4)
    values = {name: getattr(message, name) for name in message.__slots__}
    values["options"] = (unknown, known)
    assert read_message(octets) == type(message)(**values)


@pytest.mark.rfc("6.2-2", "nothing behind the authenticator")
@pytest.mark.parametrize(
    "options", [(), (NonceIndices(3, 4),), (AlternateCareOfAddress(A),)], ids=len
)
def test_no_padding_behind_binding_authorization_data(
    options: tuple[NonceIndices | AlternateCareOfAddress, ...],
) -> None:
    authenticator = bytes(range(12))
    message = BindingUpdate(
        sequence_number=9,
        lifetime=400,
        options=(*options, BindingAuthorizationData(authenticator)),
    )
    assert octets_of(message).endswith(bytes((5, 12)) + authenticator)


@pytest.mark.rfc("6.2.3-1", "PadN's octets")
def test_padding_may_hold_anything() -> None:
    octets = with_options(HOME_TEST_INIT, bytes((1, 6, 1, 2, 3, 4, 5, 6)))
    assert read_message(octets) == HOME_TEST_INIT


@pytest.mark.rfc("6.3-1", "the Home Address option's length")
@pytest.mark.parametrize("length", [0, 15, 17])
def test_home_address_option_has_16_octets(length: int) -> None:
    octets = bytearray(with_extensions(DestinationOptions((HomeAddressOption(HOME),))))
    at = octets.index(bytes((0xC9, 16)))
    assert octets[at + 2 : at + 18] == HOME.packed
    octets[at + 1] = length
    with pytest.raises(WireError, match="option_length"):
        read_packet(bytes(octets))


@pytest.mark.rfc("6.3-5", "written behind the routing header and before the rest")
@pytest.mark.rfc("11.3.2-2", "written behind the routing header and before the rest")
def test_home_address_option_stands_behind_the_routing_header() -> None:
    packet = Packet(
        source=A, destination=B, message=UPDATE, home_address=HOME, routing_address=A
    )
    headers = read_packet(write(packet))
    assert headers.extensions == (
        RoutingHeaderType2(A),
        DestinationOptions((HomeAddressOption(HOME),)),
    )
    assert read(write(packet)) == packet


@pytest.mark.rfc("6.3-5", "anywhere else the packet is refused")
def test_home_address_option_behind_a_fragment_header() -> None:
    whole = FragmentHeader(offset=0, more=False, identification=1)
    option = DestinationOptions((HomeAddressOption(HOME),))
    assert read(with_extensions(option, whole)).home_address == HOME
    with pytest.raises(WireError, match="home_address_option_misplaced"):
        read(with_extensions(whole, option))


@pytest.mark.rfc("6.3-5", "before the routing header the packet is refused")
def test_home_address_option_before_the_routing_header() -> None:
    option = DestinationOptions((HomeAddressOption(HOME),))
    with pytest.raises(WireError, match="routing_header_misplaced"):
        read(with_extensions(option, RoutingHeaderType2(B)))


@pytest.mark.rfc("6.3-6", "once in a chain of headers")
@pytest.mark.parametrize("headers", [1, 2])
def test_home_address_option_twice(headers: int) -> None:
    options = (HomeAddressOption(HOME),) * (3 - headers)
    extensions = (DestinationOptions(options),) * headers
    with pytest.raises(WireError, match="home_address_option_repeated"):
        read(with_extensions(*extensions))


@pytest.mark.rfc("6.4.1-1", "Reserved of the type 2 routing header")
def test_routing_header_reserved() -> None:
    octets = bytearray(with_extensions(RoutingHeaderType2(HOME)))
    assert octets[44:48] == bytes(4)
    octets[44:48] = b"\xff" * 4
    assert read_packet(bytes(octets)).extensions == (RoutingHeaderType2(HOME),)


@pytest.mark.rfc("6.4.1-2", "Hdr Ext Len 2")
def test_routing_header_length() -> None:
    octets = with_extensions(RoutingHeaderType2(HOME))
    assert octets[41] == 2
    for length in (0, 1, 3, 4):
        chain = bytearray(octets[40:64] + bytes(16))
        chain[1] = length
        packet = bytearray(octets[:40] + chain[: (length + 1) * 8])
        packet[4:6] = (len(packet) - 40).to_bytes(2)
        with pytest.raises(WireError, match="routing_header_length"):
            read_packet(bytes(packet))


@pytest.mark.rfc("6.4.1-3", "Segments Left 1")
@pytest.mark.parametrize("segments_left", [0, 2, 255])
def test_routing_header_segments_left(segments_left: int) -> None:
    assert with_extensions(RoutingHeaderType2(HOME))[43] == 1
    with pytest.raises(WireError, match="routing_header_segments_left"):
        read(with_extensions(RoutingHeaderType2(HOME, segments_left)))


@pytest.mark.parametrize(
    ("message", "reserved"),
    [
        # R (RFC 3963) and 15 reserved bits
        pytest.param(
            HomeAgentAddressDiscoveryRequest(identifier=5),
            b"\x7f\xff",
            marks=pytest.mark.rfc("6.5-1", "Reserved"),
        ),
        pytest.param(
            HomeAgentAddressDiscoveryReply(identifier=5, home_agent_addresses=(A, B)),
            b"\x7f\xff",
            marks=pytest.mark.rfc("6.6-1", "Reserved"),
        ),
        pytest.param(
            MobilePrefixSolicitation(identifier=5),
            b"\xff\xff",
            marks=pytest.mark.rfc("6.7-4", "Reserved"),
        ),
        # M, O and 14 reserved bits
        pytest.param(
            MobilePrefixAdvertisement(identifier=5, managed_address_configuration=True),
            b"\x3f\xff",
            marks=pytest.mark.rfc("6.8-5", "Reserved"),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_reserved_bits_of_icmp_messages(message: IcmpMessage, reserved: bytes) -> None:
    octets = bytearray(write_icmpv6(message, A, B))
    for at, bits in enumerate(reserved, 6):
        assert octets[at] & bits == 0
        octets[at] |= bits
    assert read_icmpv6(bytes(octets)) == message


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            MobilePrefixSolicitation,
            marks=[
                pytest.mark.rfc("6.7-5", "options as Neighbor Discovery has them"),
                pytest.mark.rfc("6.7-6", "unknown ones are skipped"),
            ],
        ),
        pytest.param(
            MobilePrefixAdvertisement,
            marks=[
                pytest.mark.rfc("6.8-6", "options as Neighbor Discovery has them"),
                pytest.mark.rfc("6.8-7", "unknown ones are skipped"),
            ],
        ),
    ],
)
def test_options_of_mobile_prefix_messages(
    kind: type[MobilePrefixSolicitation | MobilePrefixAdvertisement],
) -> None:
    options = (
        bytes((222, 1)) + b"what?!"  # of a type nobody knows, one unit of 8 octets
        + bytes((3, 4, 64, 0xE0))  # Prefix Information, L, A and R
        + (7200).to_bytes(4) + (3600).to_bytes(4) + bytes(4) + A.packed
    )  # fmt: skip
    octets = write_icmpv6(kind(identifier=5), A, B) + options
    assert read_icmpv6(octets) == kind(
        identifier=5,
        options=(
            UnknownNeighborOption(222, b"what?!"),
            PrefixInformation(
                prefix=A,
                prefix_length=64,
                valid_lifetime=7200,
                preferred_lifetime=3600,
                on_link=True,
                autonomous_address_configuration=True,
                router_address=True,
            ),
        ),
    )
