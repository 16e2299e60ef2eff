"""Messages of the Mobility Header (RFC 6275 §6.1), one record each.

    | Payload Proto |  Header Len   |   MH Type     |   Reserved    |
    |           Checksum            |         Message Data ...

Figures in the classes show the Message Data.  `DATA` is its fixed part, which `write`
encodes; what the Header Len covers beyond it are mobility options.
"""

from enum import IntEnum
from ipaddress import IPv6Address
from struct import Struct
from typing import ClassVar, Self

from .buffer import Reader, WireError, address, check_bits
from .checksum import checksum
from .next_header import NextHeader
from .options import TIME_UNIT, Option, check_lifetime, read_options, write_options
from .record import record
from .revocation import BindingRevocation

HEADER = Struct(">BBBxH")
"""Payload Proto, Header Len, MH Type, Reserved, Checksum: what all messages share."""

CHECKSUM_OFFSET = 4

LENGTH_MAX = 256 * 8
"""Octets of the longest Mobility Header: Header Len has 8 bits."""

# Looking into an enum for each message is slow.
_MOBILITY = int(NextHeader.MOBILITY)
_NO_NEXT_HEADER = int(NextHeader.NO_NEXT_HEADER)


class BindingStatus(IntEnum):
    """Status of a Binding Acknowledgement (§6.1.8); below 128 it was accepted."""

    ACCEPTED = 0
    ACCEPTED_BUT_PREFIX_DISCOVERY_NECESSARY = 1
    REASON_UNSPECIFIED = 128
    ADMINISTRATIVELY_PROHIBITED = 129
    INSUFFICIENT_RESOURCES = 130
    HOME_REGISTRATION_NOT_SUPPORTED = 131
    NOT_HOME_SUBNET = 132
    NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE = 133
    DUPLICATE_ADDRESS_DETECTION_FAILED = 134
    SEQUENCE_NUMBER_OUT_OF_WINDOW = 135
    EXPIRED_HOME_NONCE_INDEX = 136
    EXPIRED_CARE_OF_NONCE_INDEX = 137
    EXPIRED_NONCES = 138
    REGISTRATION_TYPE_CHANGE_DISALLOWED = 139
    MOBILE_ROUTER_OPERATION_NOT_PERMITTED = 140
    """This and the next three: RFC 3963 §4.2."""
    INVALID_PREFIX = 141
    NOT_AUTHORIZED_FOR_PREFIX = 142
    FORWARDING_SETUP_FAILED = 143
    MESSAGE_IDENTIFIER_MISMATCH = 144
    """MIPV6-ID-MISMATCH (RFC 4285 §6): the timestamp is not valid."""
    MESSAGE_IDENTIFIER_REQUIRED = 145
    """MIPV6-MESG-ID-REQD (RFC 4285 §6)."""
    AUTHENTICATION_FAILED = 146
    """MIPV6-AUTH-FAIL (RFC 4285 §5.3)."""
    INVALID_CARE_OF_ADDRESS = 174


class BindingErrorStatus(IntEnum):
    """Status of a Binding Error (§6.1.9)."""

    UNKNOWN_BINDING = 1
    UNRECOGNIZED_MH_TYPE = 2


def _check_64_bits(name: str, value: bytes) -> None:
    if len(value) != 8:
        raise ValueError(f"{name} has 8 octets, not {len(value)}")


@record(kw_only=True)
class BindingRefreshRequest:
    """A correspondent asks for a new Binding Update (§6.1.2).

    |          Reserved             |   Mobility Options ...
    """

    TYPE: ClassVar[int] = 0
    DATA: ClassVar[Struct] = Struct(">2x")

    options: tuple[Option, ...] = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        reader.unpack(cls.DATA)
        return cls(options=read_options(reader))

    def write(self) -> bytes:
        return self.DATA.pack()


@record(kw_only=True)
class HomeTestInit:
    """Asks for a home keygen token, through the home agent (§6.1.3).

    |           Reserved            |
    |                       Home Init Cookie                        |
    |                                                               |
    """

    TYPE: ClassVar[int] = 1
    DATA: ClassVar[Struct] = Struct(">2x8s")

    home_init_cookie: bytes
    options: tuple[Option, ...] = ()

    def __post_init__(self) -> None:
        _check_64_bits("home_init_cookie", self.home_init_cookie)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        (cookie,) = reader.unpack(cls.DATA)
        return cls(home_init_cookie=cookie, options=read_options(reader))

    def write(self) -> bytes:
        return self.DATA.pack(self.home_init_cookie)


@record(kw_only=True)
class CareOfTestInit:
    """Asks for a care-of keygen token, directly (§6.1.4).

    |           Reserved            |
    |                      Care-of Init Cookie                      |
    |                                                               |
    """

    TYPE: ClassVar[int] = 2
    DATA: ClassVar[Struct] = Struct(">2x8s")

    care_of_init_cookie: bytes
    options: tuple[Option, ...] = ()

    def __post_init__(self) -> None:
        _check_64_bits("care_of_init_cookie", self.care_of_init_cookie)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        (cookie,) = reader.unpack(cls.DATA)
        return cls(care_of_init_cookie=cookie, options=read_options(reader))

    def write(self) -> bytes:
        return self.DATA.pack(self.care_of_init_cookie)


@record(kw_only=True)
class HomeTest:
    """Answers a Home Test Init (§6.1.5).

    |       Home Nonce Index        |
    |                        Home Init Cookie                       |
    |                                                               |
    |                       Home Keygen Token                       |
    |                                                               |
    """

    TYPE: ClassVar[int] = 3
    DATA: ClassVar[Struct] = Struct(">H8s8s")

    home_nonce_index: int
    home_init_cookie: bytes
    home_keygen_token: bytes
    options: tuple[Option, ...] = ()

    def __post_init__(self) -> None:
        if self.home_nonce_index >> 16:
            check_bits("home_nonce_index", self.home_nonce_index, 16)
        if not len(self.home_init_cookie) == len(self.home_keygen_token) == 8:
            _check_64_bits("home_init_cookie", self.home_init_cookie)
            _check_64_bits("home_keygen_token", self.home_keygen_token)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        index, cookie, token = reader.unpack(cls.DATA)
        return cls(
            home_nonce_index=index,
            home_init_cookie=cookie,
            home_keygen_token=token,
            options=read_options(reader),
        )

    def write(self) -> bytes:
        return self.DATA.pack(
            self.home_nonce_index,
            self.home_init_cookie,
            self.home_keygen_token,
        )


@record(kw_only=True)
class CareOfTest:
    """Answers a Care-of Test Init (§6.1.6).

    |      Care-of Nonce Index      |
    |                      Care-of Init Cookie                      |
    |                                                               |
    |                      Care-of Keygen Token                     |
    |                                                               |
    """

    TYPE: ClassVar[int] = 4
    DATA: ClassVar[Struct] = Struct(">H8s8s")

    care_of_nonce_index: int
    care_of_init_cookie: bytes
    care_of_keygen_token: bytes
    options: tuple[Option, ...] = ()

    def __post_init__(self) -> None:
        if self.care_of_nonce_index >> 16:
            check_bits("care_of_nonce_index", self.care_of_nonce_index, 16)
        if not len(self.care_of_init_cookie) == len(self.care_of_keygen_token) == 8:
            _check_64_bits("care_of_init_cookie", self.care_of_init_cookie)
            _check_64_bits("care_of_keygen_token", self.care_of_keygen_token)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        index, cookie, token = reader.unpack(cls.DATA)
        return cls(
            care_of_nonce_index=index,
            care_of_init_cookie=cookie,
            care_of_keygen_token=token,
            options=read_options(reader),
        )

    def write(self) -> bytes:
        return self.DATA.pack(
            self.care_of_nonce_index,
            self.care_of_init_cookie,
            self.care_of_keygen_token,
        )


@record(kw_only=True)
class BindingUpdate:
    """Where a home address is now (§6.1.7; R flag RFC 3963 §4.1).

    |          Sequence #           |
    |A|H|L|K|-|R|     Reserved      |           Lifetime            |
    """

    TYPE: ClassVar[int] = 5
    DATA: ClassVar[Struct] = Struct(">HHH")

    sequence_number: int
    lifetime: int
    """Seconds, a multiple of 4; 0 asks to delete the binding."""
    acknowledge: bool = False
    home_registration: bool = False
    link_local_address_compatibility: bool = False
    key_management_mobility_capability: bool = False
    mobile_router: bool = False
    options: tuple[Option, ...] = ()

    def __post_init__(self) -> None:
        # The call costs more than the test; a home agent makes a million of these.
        if self.sequence_number >> 16:
            check_bits("sequence_number", self.sequence_number, 16)
        check_lifetime("lifetime", self.lifetime)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        sequence_number, flags, lifetime = reader.unpack(cls.DATA)
        return cls(
            sequence_number=sequence_number,
            lifetime=lifetime * TIME_UNIT,
            acknowledge=flags & 0x8000 != 0,
            home_registration=flags & 0x4000 != 0,
            link_local_address_compatibility=flags & 0x2000 != 0,
            key_management_mobility_capability=flags & 0x1000 != 0,
            mobile_router=flags & 0x0400 != 0,
            options=read_options(reader),
        )

    def write(self) -> bytes:
        flags = (
            self.acknowledge << 15
            | self.home_registration << 14
            | self.link_local_address_compatibility << 13
            | self.key_management_mobility_capability << 12
            | self.mobile_router << 10
        )
        lifetime = self.lifetime // TIME_UNIT
        return self.DATA.pack(self.sequence_number, flags, lifetime)


@record(kw_only=True)
class BindingAcknowledgement:
    """What became of a Binding Update (§6.1.8; R flag RFC 3963 §4.2).

    |    Status     |K|R| Reserved  |
    |           Sequence #          |           Lifetime            |
    """

    TYPE: ClassVar[int] = 6
    DATA: ClassVar[Struct] = Struct(">BBHH")

    status: int
    """A `BindingStatus`, or a value that is not known here; from 128 on refused."""
    sequence_number: int
    lifetime: int
    """Seconds granted, a multiple of 4; means nothing when refused."""
    key_management_mobility_capability: bool = False
    mobile_router: bool = False
    options: tuple[Option, ...] = ()

    def __post_init__(self) -> None:
        if self.status >> 8 or self.sequence_number >> 16:
            check_bits("status", self.status, 8)
            check_bits("sequence_number", self.sequence_number, 16)
        check_lifetime("lifetime", self.lifetime)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        status, flags, sequence_number, lifetime = reader.unpack(cls.DATA)
        return cls(
            status=status,
            sequence_number=sequence_number,
            lifetime=lifetime * TIME_UNIT,
            key_management_mobility_capability=flags & 0x80 != 0,
            mobile_router=flags & 0x40 != 0,
            options=read_options(reader),
        )

    def write(self) -> bytes:
        return self.DATA.pack(
            self.status,
            self.key_management_mobility_capability << 7 | self.mobile_router << 6,
            self.sequence_number,
            self.lifetime // TIME_UNIT,
        )


@record(kw_only=True)
class BindingError:
    """A home address without a binding, or a message not known (§6.1.9).

    |     Status    |   Reserved    |
    |                          Home Address                         |
    """

    TYPE: ClassVar[int] = 7
    DATA: ClassVar[Struct] = Struct(">Bx16s")

    status: int
    """A `BindingErrorStatus`, or a value that is not known here."""
    home_address: IPv6Address
    options: tuple[Option, ...] = ()

    def __post_init__(self) -> None:
        check_bits("status", self.status, 8)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        status, home_address = reader.unpack(cls.DATA)
        return cls(
            status=status,
            home_address=address(home_address),
            options=read_options(reader),
        )

    def write(self) -> bytes:
        return self.DATA.pack(self.status, self.home_address.packed)


@record
class UnknownMessage:
    """A message of a type not known here; answered by a Binding Error (§9.2)."""

    type: int
    data: bytes
    """All behind the Checksum: 2 octets and a multiple of 8."""

    def __post_init__(self) -> None:
        check_bits("type", self.type, 8)
        if self.type in KNOWN:
            raise ValueError(f"mobility message {self.type} is known")
        if len(self.data) % 8 != 2 or len(self.data) > LENGTH_MAX - HEADER.size:
            raise ValueError("a Mobility Header is a multiple of 8 octets up to 2048")

    def write(self) -> bytes:
        return self.data


KnownMessage = (
    BindingRefreshRequest
    | HomeTestInit
    | CareOfTestInit
    | HomeTest
    | CareOfTest
    | BindingUpdate
    | BindingAcknowledgement
    | BindingError
    | BindingRevocation
)
Message = KnownMessage | UnknownMessage

KNOWN: dict[int, type[KnownMessage]] = {
    kind.TYPE: kind
    for kind in (
        BindingRefreshRequest,
        HomeTestInit,
        CareOfTestInit,
        HomeTest,
        CareOfTest,
        BindingUpdate,
        BindingAcknowledgement,
        BindingError,
        BindingRevocation,
    )
}


def read_message(octets: bytes) -> Message:
    """Decode one Mobility Header, from its Payload Proto on.

    The checksum is the caller's business: it needs the addresses.  Octets behind the
    header are not looked at.  The type is judged first, as §9.2 orders it.  Raises
    `WireError`: "truncated", "header_length_beyond_packet", "payload_proto",
    "header_length_too_short", or what the options say.
    """
    reader = Reader(octets)
    payload_proto, header_length, type_, _ = reader.unpack(HEADER)
    end = (header_length + 1) * 8
    if end > reader.end:
        raise WireError("header_length_beyond_packet", 1)
    reader.end = end
    kind = KNOWN.get(type_)
    if kind is None:
        return UnknownMessage(type_, reader.rest())
    if payload_proto != _NO_NEXT_HEADER:
        raise WireError("payload_proto", 0)
    if end < HEADER.size + kind.DATA.size:
        raise WireError("header_length_too_short", 1)
    return kind.read(reader)


def write_message(
    message: Message, source: IPv6Address, destination: IPv6Address
) -> bytes:
    """Encode one Mobility Header, checksum included.

    The addresses are those the upper layer sees: the home address where there is a Home
    Address option or a type 2 routing header (§6.1.1).  Raises `ValueError` when the
    options do not fit 2048 octets.
    """
    octets = write_message_to_sign(message)
    sum_ = checksum(source, destination, _MOBILITY, octets)
    behind = CHECKSUM_OFFSET + 2
    return octets[:CHECKSUM_OFFSET] + sum_.to_bytes(2) + octets[behind:]


def write_message_to_sign(message: Message) -> bytes:
    """The same with a Checksum of 0, as a signature covers it (§6.2.7)."""
    data = message.write()
    if isinstance(message, UnknownMessage):
        type_ = message.type
    else:
        type_ = message.TYPE
        data += write_options(message.options, HEADER.size + len(data))
    length = HEADER.size + len(data)
    if length > LENGTH_MAX:
        raise ValueError(f"a Mobility Header of {length} octets; {LENGTH_MAX} fit")
    return HEADER.pack(_NO_NEXT_HEADER, length // 8 - 1, type_, 0) + data
