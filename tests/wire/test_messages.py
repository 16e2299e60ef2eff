"""Golden octets of every mobility message and option, and what is refused."""

from ipaddress import IPv6Address
from typing import Any

import pytest

from mip6.wire.buffer import WireError
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingError,
    BindingErrorStatus,
    BindingRefreshRequest,
    BindingStatus,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    Message,
    UnknownMessage,
    read_message,
    write_message,
)
from mip6.wire.options import (
    LIFETIME_MAX,
    AlternateCareOfAddress,
    BindingAuthorizationData,
    BindingRefreshAdvice,
    MobileNetworkPrefix,
    MobileNodeIdentifier,
    MobilityMessageAuthentication,
    MobilityMessageReplayProtection,
    NonceIndices,
    Option,
    UnknownOption,
)
from mip6.wire.revocation import (
    BindingRevocation,
    RevocationStatus,
    RevocationTrigger,
    RevocationType,
)

SOURCE = IPv6Address("2001:db8:a::100")
DESTINATION = IPv6Address("2001:db8:a::1")
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::64")
COOKIE = bytes.fromhex("a1a2a3a4a5a6a7a8")
TOKEN = bytes.fromhex("b1b2b3b4b5b6b7b8")
AUTHENTICATOR = bytes.fromhex("c1c2c3c4c5c6c7c8c9cacbcc")

GOLDEN = [
    pytest.param(
        BindingRefreshRequest(),
        "3b"  # Payload Proto 59
        "00"  # Header Len: 8 octets
        "00"  # MH Type 0
        "00"  # Reserved
        "67e9"  # Checksum
        "0000",  # Reserved
        id="Binding Refresh Request",
        marks=pytest.mark.rfc("6.1.2", "format; no options, no padding, length 0"),
    ),
    pytest.param(
        HomeTestInit(home_init_cookie=COOKIE),
        "3b 01 01 00 d449"
        "0000"  # Reserved
        "a1a2a3a4a5a6a7a8",  # Home Init Cookie
        id="Home Test Init",
        marks=pytest.mark.rfc("6.1.3", "format; no options, no padding, length 1"),
    ),
    pytest.param(
        CareOfTestInit(care_of_init_cookie=COOKIE),
        "3b 01 02 00 d349"
        "0000"  # Reserved
        "a1a2a3a4a5a6a7a8",  # Care-of Init Cookie
        id="Care-of Test Init",
        marks=pytest.mark.rfc("6.1.4", "format; no options, no padding, length 1"),
    ),
    pytest.param(
        HomeTest(
            home_nonce_index=0x1234, home_init_cookie=COOKIE, home_keygen_token=TOKEN
        ),
        "3b 02 03 00 ed35"
        "1234"  # Home Nonce Index
        "a1a2a3a4a5a6a7a8"  # Home Init Cookie
        "b1b2b3b4b5b6b7b8",  # Home Keygen Token
        id="Home Test",
        marks=pytest.mark.rfc("6.1.5", "format; no options, no padding, length 2"),
    ),
    pytest.param(
        CareOfTest(
            care_of_nonce_index=0x1234,
            care_of_init_cookie=COOKIE,
            care_of_keygen_token=TOKEN,
        ),
        "3b 02 04 00 ec35"
        "1234"  # Care-of Nonce Index
        "a1a2a3a4a5a6a7a8"  # Care-of Init Cookie
        "b1b2b3b4b5b6b7b8",  # Care-of Keygen Token
        id="Care-of Test",
        marks=pytest.mark.rfc("6.1.6", "format; no options, no padding, length 2"),
    ),
    pytest.param(
        BindingUpdate(
            sequence_number=0xBEEF,
            lifetime=420,
            acknowledge=True,
            key_management_mobility_capability=True,
        ),
        "3b 01 05 00 1285"
        "beef"  # Sequence #
        "9000"  # A, K
        "0069"  # Lifetime: 105 units of 4 s
        "01020000",  # PadN, 4 octets
        id="Binding Update",
        marks=pytest.mark.rfc("6.1.7", "format; no options need 4 octets of padding"),
    ),
    pytest.param(
        BindingUpdate(
            sequence_number=0xBEEF,
            lifetime=LIFETIME_MAX,
            home_registration=True,
            link_local_address_compatibility=True,
            options=(AlternateCareOfAddress(CARE_OF_ADDRESS),),
        ),
        "3b 03 05 00 11a6"
        "beef"  # Sequence #
        "6000"  # H, L
        "ffff"  # Lifetime
        "0100"  # PadN to 8n + 6
        "03 10"  # Alternate Care-of Address, 16 octets
        "20010db8000b00000000000000000064",
        id="Alternate Care-of Address",
        marks=pytest.mark.rfc("6.2.5", "format; aligned to 8n + 6"),
    ),
    pytest.param(
        BindingUpdate(
            sequence_number=1,
            lifetime=0,
            options=(
                AlternateCareOfAddress(CARE_OF_ADDRESS),
                NonceIndices(0x1234, 0x5678),
                BindingAuthorizationData(AUTHENTICATOR),
            ),
        ),
        "3b 06 05 00 150d"
        "0001"  # Sequence #
        "0000"  # no flags
        "0000"  # Lifetime 0: delete
        "0100"  # PadN to 8n + 6
        "03 10 20010db8000b00000000000000000064"  # Alternate Care-of Address
        "04 04"  # Nonce Indices, 4 octets
        "1234"  # Home Nonce Index
        "5678"  # Care-of Nonce Index
        "01020000"  # PadN to 8n + 2
        "05 0c"  # Binding Authorization Data, 12 octets
        "c1c2c3c4c5c6c7c8c9cacbcc",  # Authenticator; no padding behind it
        id="Binding Update for a correspondent",
        marks=pytest.mark.rfc(
            "6.2.7", "format; the authenticator is last, without trailing padding"
        ),
    ),
    pytest.param(
        BindingUpdate(
            sequence_number=0xBEEF,
            lifetime=420,
            acknowledge=True,
            home_registration=True,
            mobile_router=True,
            options=(
                AlternateCareOfAddress(CARE_OF_ADDRESS),
                MobileNetworkPrefix(64, IPv6Address("2001:db8:a:5::")),
            ),
        ),
        "3b 06 05 00 7805"
        "beef"  # Sequence #
        "c400"  # A, H, R
        "0069"  # Lifetime
        "0100"  # PadN to 8n + 6
        "03 10 20010db8000b00000000000000000064"  # Alternate Care-of Address
        "01020000"  # PadN to 8n + 4
        "06 12"  # Mobile Network Prefix, 18 octets
        "00"  # Reserved
        "40"  # Prefix Length
        "20010db8000a00050000000000000000",
        id="Binding Update of a mobile router",
    ),
    pytest.param(
        BindingAcknowledgement(
            status=141,
            sequence_number=0xBEEF,
            lifetime=420,
            key_management_mobility_capability=True,
            mobile_router=True,
        ),
        "3b 01 06 00 13c5"
        "8d"  # Status
        "c0"  # K, R
        "beef"  # Sequence #
        "0069"  # Lifetime
        "01020000",  # PadN, 4 octets
        id="Binding Acknowledgement to a mobile router",
    ),
    pytest.param(
        BindingUpdate(sequence_number=0, lifetime=0, options=(NonceIndices(1, 2),)),
        "3b 02 05 00 5dcc 0000 0000 0000 0404 0001 0002 0104 00000000",
        id="Nonce Indices",
        marks=pytest.mark.rfc("6.2.6", "format; aligned to 2n"),
    ),
    pytest.param(
        BindingUpdate(
            sequence_number=2,
            lifetime=40,
            acknowledge=True,
            home_registration=True,
            options=(
                MobileNodeIdentifier(1, b"a@b.example"),
                MobilityMessageReplayProtection(0xE9000000_80000000),
                MobilityMessageAuthentication(1, 0x100, AUTHENTICATOR),
            ),
        ),
        "3b 06 05 00 aa78"
        "0002"  # Sequence #
        "c000"  # A, H
        "000a"  # Lifetime: 10 units of 4 s
        "08 0c"  # Mobile Node Identifier, 12 octets, no alignment
        "01 6140622e6578616d706c65"  # Subtype 1 (NAI), a@b.example
        "0a 08"  # Mobility Message Replay Protection, 8 octets, at 8n + 2
        "e9000000 80000000"  # Timestamp
        "00"  # Pad1 to 4n + 1
        "09 11"  # Mobility Message Authentication, 17 octets
        "01 00000100"  # Subtype MN-HA, Mobility SPI
        "c1c2c3c4c5c6c7c8c9cacbcc",  # Authentication Data
        id="RFC 4283 and RFC 4285",
    ),
    pytest.param(
        BindingAcknowledgement(
            status=BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW,
            sequence_number=0x0102,
            lifetime=40,
            key_management_mobility_capability=True,
        ),
        "3b 01 06 00 d851"
        "87"  # Status 135
        "80"  # K
        "0102"  # Sequence #
        "000a"  # Lifetime: 10 units of 4 s
        "01020000",  # PadN, 4 octets
        id="Binding Acknowledgement",
        marks=pytest.mark.rfc("6.1.8", "format; no options need 4 octets of padding"),
    ),
    pytest.param(
        BindingAcknowledgement(
            status=BindingStatus.ACCEPTED,
            sequence_number=0x0102,
            lifetime=40,
            options=(BindingRefreshAdvice(20),),
        ),
        "3b 01 06 00 5ecd 00 00 0102 000a"
        "02 02"  # Binding Refresh Advice, 2 octets
        "0005",  # Refresh Interval: 5 units of 4 s
        id="Binding Refresh Advice",
        marks=pytest.mark.rfc("6.2.4", "format; in units of 4 seconds"),
    ),
    pytest.param(
        BindingError(status=BindingErrorStatus.UNKNOWN_BINDING, home_address=SOURCE),
        "3b 02 07 00 3114"
        "01"  # Status 1
        "00"  # Reserved
        "20010db8000a00000000000000000100",  # Home Address
        id="Binding Error",
        marks=pytest.mark.rfc("6.1.9", "format; no options, no padding, length 2"),
    ),
    pytest.param(
        BindingRevocation(
            revocation_type=RevocationType.INDICATION,
            code=RevocationTrigger.ADMINISTRATIVE_REASON,
            sequence_number=0x0102,
        ),
        "3b 01 10 00 54db"
        "01"  # B.R. Type 1
        "01"  # Revocation Trigger
        "0102"  # Sequence #
        "0000"  # P, V, G, Reserved
        "01020000",  # PadN, 4 octets
        id="Binding Revocation Indication",
    ),
    pytest.param(
        BindingRevocation(
            revocation_type=RevocationType.ACKNOWLEDGEMENT,
            code=RevocationStatus.BINDING_DOES_NOT_EXIST,
            sequence_number=0x0102,
            proxy_binding=True,
            ipv4_home_address_only=True,
            all_bindings=True,
        ),
        "3b 01 10 00 735b"
        "02"  # B.R. Type 2
        "80"  # Status 128
        "0102"  # Sequence #
        "e000"  # P, V, G, Reserved
        "01020000",  # PadN, 4 octets
        id="Binding Revocation Acknowledgement",
    ),
    pytest.param(
        UnknownMessage(19, bytes.fromhex("d1d2") + bytes(8)),
        "3b 01 13 00 830d d1d2 0000000000000000",
        id="unknown message",
    ),
    pytest.param(
        BindingRefreshRequest(options=(UnknownOption(200, b"abc"),)),
        "3b 01 00 00 da78 0000"
        "c8 03 616263"  # type 200, 3 octets, no alignment
        "01 01 00",  # PadN, 3 octets
        id="unknown option",
        marks=pytest.mark.rfc("6.2.3", "PadN of N octets says N - 2"),
    ),
    pytest.param(
        BindingRefreshRequest(
            options=(UnknownOption(200, b"abcd"), NonceIndices(1, 2))
        ),
        "3b 02 00 00 d602 0000"
        "c8 04 61626364"  # type 200, 4 octets
        "04 04 00010002"  # at 2n already
        "01 02 0000",  # PadN, 4 octets
        id="two options",
    ),
    pytest.param(
        BindingRefreshRequest(options=(UnknownOption(200, b"abcde"),)),
        "3b 01 00 00 7613 0000c8 05 616263646500",  # Pad1
        id="Pad1",
        marks=pytest.mark.rfc("6.2.2", "one octet of padding is a Pad1"),
    ),
]


@pytest.mark.parametrize(("message", "golden"), GOLDEN)
def test_golden_octets(message: Message, golden: str) -> None:
    octets = bytes.fromhex(golden)
    assert write_message(message, SOURCE, DESTINATION).hex(" ", 2) == octets.hex(" ", 2)
    assert read_message(octets) == message


@pytest.mark.rfc("6.1.8", "the status values")
def test_statuses() -> None:
    assert {status.value: status.name for status in BindingStatus} == {
        0: "ACCEPTED",
        1: "ACCEPTED_BUT_PREFIX_DISCOVERY_NECESSARY",
        128: "REASON_UNSPECIFIED",
        129: "ADMINISTRATIVELY_PROHIBITED",
        130: "INSUFFICIENT_RESOURCES",
        131: "HOME_REGISTRATION_NOT_SUPPORTED",
        132: "NOT_HOME_SUBNET",
        133: "NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE",
        134: "DUPLICATE_ADDRESS_DETECTION_FAILED",
        135: "SEQUENCE_NUMBER_OUT_OF_WINDOW",
        136: "EXPIRED_HOME_NONCE_INDEX",
        137: "EXPIRED_CARE_OF_NONCE_INDEX",
        138: "EXPIRED_NONCES",
        139: "REGISTRATION_TYPE_CHANGE_DISALLOWED",
        140: "MOBILE_ROUTER_OPERATION_NOT_PERMITTED",
        141: "INVALID_PREFIX",
        142: "NOT_AUTHORIZED_FOR_PREFIX",
        143: "FORWARDING_SETUP_FAILED",
        144: "MESSAGE_IDENTIFIER_MISMATCH",
        145: "MESSAGE_IDENTIFIER_REQUIRED",
        146: "AUTHENTICATION_FAILED",
        174: "INVALID_CARE_OF_ADDRESS",
    }


@pytest.mark.rfc("6.1.9", "the status values")
def test_error_statuses() -> None:
    assert {status.value: status.name for status in BindingErrorStatus} == {
        1: "UNKNOWN_BINDING",
        2: "UNRECOGNIZED_MH_TYPE",
    }


def test_a_status_not_known_here_survives() -> None:
    message = BindingAcknowledgement(status=201, sequence_number=1, lifetime=0)
    assert read_message(write_message(message, SOURCE, DESTINATION)) == message


def refused(golden: str) -> tuple[str, int]:
    with pytest.raises(WireError) as caught:
        read_message(bytes.fromhex(golden))
    return caught.value.reason, caught.value.offset


@pytest.mark.rfc("9.2", "Payload Proto must be 59; the pointer is that field")
def test_payload_proto() -> None:
    assert refused("3a 01 05 00 0000 0001 0000 0001 01020000") == ("payload_proto", 0)


@pytest.mark.rfc("9.2", "the type is judged before Payload Proto")
def test_an_unknown_type_comes_before_a_wrong_payload_proto() -> None:
    message = read_message(bytes.fromhex("3a 00 13 00 0000 d1d2"))
    assert message == UnknownMessage(19, b"\xd1\xd2")


@pytest.mark.rfc("9.2", "Header Len below that of the type; the pointer is that field")
@pytest.mark.parametrize(
    ("type_", "header_length_min"),
    [(0, 0), (1, 1), (2, 1), (3, 2), (4, 2), (5, 1), (6, 1), (7, 2)],
)
def test_header_length_too_short(type_: int, header_length_min: int) -> None:
    for length in range(header_length_min):
        octets = bytes((59, length, type_, 0)) + bytes(8 * length + 4)
        assert refused(octets.hex()) == ("header_length_too_short", 1)
    octets = bytes((59, header_length_min, type_, 0)) + bytes(8 * header_length_min + 4)
    assert read_message(octets) is not None


def test_header_length_beyond_the_packet() -> None:
    assert refused("3b 01 00 00 0000 0000") == ("header_length_beyond_packet", 1)
    assert refused("3b 01 13 00 0000 0000") == ("header_length_beyond_packet", 1)


def test_a_header_that_is_cut_off() -> None:
    assert refused("3b 00 00 00 00") == ("truncated", 5)
    assert refused("") == ("truncated", 0)


def test_octets_behind_the_header_are_not_looked_at() -> None:
    octets = bytes.fromhex("3b 00 00 00 67e9 0000 ffffffffffffffff")
    assert read_message(octets) == BindingRefreshRequest()


@pytest.mark.rfc("6.1.7", "reserved fields are ignored by the receiver")
def test_reserved_bits_are_ignored() -> None:
    update = read_message(bytes.fromhex("3b 01 05 ff 0000 0001 0bff 0001 0102ffff"))
    assert update == BindingUpdate(sequence_number=1, lifetime=4)
    answer = read_message(bytes.fromhex("3b 01 06 ff 0000 003f 0001 0002 0102ffff"))
    assert answer == BindingAcknowledgement(status=0, sequence_number=1, lifetime=8)
    error = read_message(bytes.fromhex("3b 02 07 ff 0000 01ff" + SOURCE.packed.hex()))
    assert error == BindingError(status=1, home_address=SOURCE)


@pytest.mark.rfc("6.2.1", "unknown options are skipped, those behind them are read")
def test_options_behind_an_unknown_one_are_read() -> None:
    message = read_message(
        bytes.fromhex("3b 02 05 00 0000 0001 0000 0001 c801ff 00 0404 0001 0002 0100")
    )
    assert isinstance(message, BindingUpdate)
    assert message.options == (UnknownOption(200, b"\xff"), NonceIndices(1, 2))


@pytest.mark.rfc("6.2", "options can stand in any order and at any alignment")
def test_alignment_does_not_matter_to_the_reader() -> None:
    message = read_message(bytes.fromhex("3b 01 00 00 0000 0000 00 0404 0001 0002 00"))
    assert message == BindingRefreshRequest(options=(NonceIndices(1, 2),))


@pytest.mark.parametrize(
    ("options", "reason", "offset"),
    [
        ("0402 0001 00000000", "option_length", 9),  # Nonce Indices of 2 octets
        ("0406 000100020003", "option_length", 9),  # of 6
        ("0800 010400000000", "option_length", 9),  # an identifier without subtype
        ("0904 010000010000", "option_length", 9),  # a Mobility SPI of 3 octets
        ("0801 01 0103 000000", None, None),  # an identifier of no octets
        ("0202 0005 0310 0000", "option_length", 13),  # leads beyond the header
        ("c806 0000000000 ff", None, None),
        ("c807 0000000000 ff", "option_length", 9),
        ("0107 0000000000 ff", "option_length", 9),  # PadN beyond the header
        ("0105 0000000000 05", "truncated", 16),  # a type without a length
    ],
)
def test_option_lengths(options: str, reason: str | None, offset: int | None) -> None:
    octets = "3b 01 00 00 0000 0000" + options
    if reason is None:
        assert read_message(bytes.fromhex(octets)) is not None
    else:
        assert refused(octets) == (reason, offset)


def test_the_limit_of_options() -> None:
    at_the_limit = BindingRefreshRequest(options=(UnknownOption(200, b""),) * 128)
    octets = write_message(at_the_limit, SOURCE, DESTINATION)
    assert read_message(octets) == at_the_limit
    beyond = BindingRefreshRequest(options=(UnknownOption(200, b""),) * 129)
    octets = write_message(beyond, SOURCE, DESTINATION)
    assert refused(octets.hex()) == ("too_many_options", 8 + 2 * 128)


@pytest.mark.rfc("6.2.1", "options stand where their fields fall on natural boundaries")
@pytest.mark.parametrize("before", range(9))
@pytest.mark.parametrize(
    ("option", "unit", "remainder"),
    [
        (BindingRefreshAdvice(4), 2, 0),
        (AlternateCareOfAddress(SOURCE), 8, 6),
        (NonceIndices(1, 2), 2, 0),
        (BindingAuthorizationData(AUTHENTICATOR), 8, 2),
        (MobileNetworkPrefix(64, SOURCE), 8, 4),
    ],
)
def test_alignment(option: Option, before: int, unit: int, remainder: int) -> None:
    message = BindingRefreshRequest(options=(UnknownOption(200, bytes(before)), option))
    octets = write_message(message, SOURCE, DESTINATION)
    assert not isinstance(option, UnknownOption)
    head = bytes((option.TYPE, option.LENGTH))
    at = octets.index(head, 8 + 2 + before)
    assert at % unit == remainder
    assert at - (8 + 2 + before) < unit  # and with no more padding than it takes
    assert read_message(octets) == message


def test_a_message_longer_than_header_len_can_say_is_not_written() -> None:
    fits = (UnknownOption(200, bytes(253)),) * 8
    message = BindingRefreshRequest(options=fits)
    assert len(write_message(message, SOURCE, DESTINATION)) == 2048
    message = BindingRefreshRequest(options=(*fits, UnknownOption(200, b"")))
    with pytest.raises(ValueError, match="2056 octets"):
        write_message(message, SOURCE, DESTINATION)


@pytest.mark.rfc("6.1.7", "a lifetime is a number of 4-second units in 16 bits")
@pytest.mark.parametrize("lifetime", [1, 3, 5, 422, -4, LIFETIME_MAX + 4])
def test_lifetimes_the_wire_cannot_say(lifetime: int) -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        BindingUpdate(sequence_number=1, lifetime=lifetime)
    with pytest.raises(ValueError, match="multiple of 4"):
        BindingAcknowledgement(status=0, sequence_number=1, lifetime=lifetime)
    with pytest.raises(ValueError, match="multiple of 4"):
        BindingRefreshAdvice(lifetime)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (HomeTestInit, {"home_init_cookie": bytes(7)}),
        (CareOfTestInit, {"care_of_init_cookie": bytes(9)}),
        (
            HomeTest,
            {
                "home_nonce_index": 0x10000,
                "home_init_cookie": COOKIE,
                "home_keygen_token": TOKEN,
            },
        ),
        *(
            (
                HomeTest,
                {
                    "home_nonce_index": 1,
                    "home_init_cookie": COOKIE,
                    "home_keygen_token": TOKEN,
                    **wrong,
                },
            )
            for wrong in (
                {"home_init_cookie": bytes(7)},
                {"home_keygen_token": bytes(9)},
            )
        ),
        *(
            (
                CareOfTest,
                {
                    "care_of_nonce_index": 1,
                    "care_of_init_cookie": COOKIE,
                    "care_of_keygen_token": TOKEN,
                    **wrong,
                },
            )
            for wrong in (
                {"care_of_nonce_index": 0x10000},
                {"care_of_init_cookie": bytes(9)},
                {"care_of_keygen_token": b""},
            )
        ),
        (BindingUpdate, {"sequence_number": -1, "lifetime": 0}),
        (BindingUpdate, {"sequence_number": 0x10000, "lifetime": 0}),
        (
            BindingAcknowledgement,
            {"status": 256, "sequence_number": 1, "lifetime": 0},
        ),
        (BindingError, {"status": 256, "home_address": SOURCE}),
        *(
            (
                BindingRevocation,
                {"revocation_type": 1, "code": 0, "sequence_number": 0, **wrong},
            )
            for wrong in (
                {"revocation_type": 256},
                {"code": 256},
                {"sequence_number": 0x10000},
            )
        ),
        (
            BindingAcknowledgement,
            {"status": 0, "sequence_number": 0x10000, "lifetime": 0},
        ),
        (
            BindingAcknowledgement,
            {"status": 256, "sequence_number": 0, "lifetime": 0},
        ),
        (UnknownMessage, {"type": 5, "data": bytes(2)}),
        (UnknownMessage, {"type": 256, "data": bytes(2)}),
        (UnknownMessage, {"type": 19, "data": bytes(8)}),
        (UnknownMessage, {"type": 19, "data": bytes(2050)}),
        (NonceIndices, {"home_nonce_index": 0x10000, "care_of_nonce_index": 0}),
        (NonceIndices, {"home_nonce_index": 0, "care_of_nonce_index": -1}),
        (BindingAuthorizationData, {"authenticator": bytes(16)}),
        (
            MobileNetworkPrefix,
            {"prefix_length": 256, "mobile_network_prefix": SOURCE},
        ),
        (MobileNodeIdentifier, {"subtype": 256, "identifier": b""}),
        (MobileNodeIdentifier, {"subtype": 1, "identifier": bytes(255)}),
        (
            MobilityMessageAuthentication,
            {"subtype": 1, "mobility_spi": 2**32, "authentication_data": b""},
        ),
        (
            MobilityMessageAuthentication,
            {"subtype": 1, "mobility_spi": 256, "authentication_data": bytes(251)},
        ),
        (MobilityMessageReplayProtection, {"timestamp": 2**64}),
        (UnknownOption, {"type": 0, "data": b""}),
        (UnknownOption, {"type": 1, "data": b""}),
        (UnknownOption, {"type": 3, "data": bytes(16)}),
        (UnknownOption, {"type": 256, "data": b""}),
        (UnknownOption, {"type": 200, "data": bytes(256)}),
    ],
)
def test_nonsense_is_not_constructed(kind: type[Any], fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        kind(**fields)
    assert not isinstance(caught.value, WireError)
