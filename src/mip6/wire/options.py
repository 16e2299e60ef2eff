"""Mobility options (RFC 6275 §6.2, RFC 3963, RFC 4283, RFC 4285), one record each.

Padding (§6.2.2, §6.2.3) is not among them: it is made from `ALIGN` and dropped on
reading.  Figures show the option from its type on.
"""

from ipaddress import IPv6Address
from struct import Struct
from typing import ClassVar, Self

from .buffer import Reader, address, check_bits
from .record import record
from .tlv import PAD_1, PAD_N, read_tlvs, write_tlvs

TIME_UNIT = 4
"""Seconds in one unit of every lifetime in a mobility message (§6.1.7)."""

LIFETIME_MAX = 0xFFFF * TIME_UNIT
"""The longest lifetime the 16 bits can say, in seconds: 72 h 49 min."""

OPTIONS_MAX = 128
"""Options in one message.  The RFC sets no limit; no sender needs this many."""


def check_lifetime(name: str, seconds: int) -> None:
    """Refuse what the wire cannot say.  A remainder would be cut off, and a lifetime
    below 4 s would so become 0, which deletes the binding."""
    if seconds % TIME_UNIT or not 0 <= seconds <= LIFETIME_MAX:
        raise ValueError(
            f"{name} {seconds} s is not a multiple of 4 up to {LIFETIME_MAX}"
        )


@record
class BindingRefreshAdvice:
    """When a home agent wants the next home registration (§6.2.4).

    |   Type = 2    |   Length = 2  |       Refresh Interval        |
    """

    TYPE: ClassVar[int] = 2
    LENGTH: ClassVar[int] = 2
    VARIES: ClassVar[bool] = False
    HEAD: ClassVar[bytes] = bytes((TYPE, LENGTH))
    ALIGN: ClassVar[tuple[int, int]] = (2, 0)

    refresh_interval: int
    """Seconds, a multiple of 4."""

    def __post_init__(self) -> None:
        check_lifetime("refresh_interval", self.refresh_interval)

    @classmethod
    def read(cls, data: bytes) -> Self:
        return cls(int.from_bytes(data) * TIME_UNIT)

    def write(self) -> bytes:
        interval = self.refresh_interval // TIME_UNIT
        return self.HEAD + interval.to_bytes(2)


@record
class AlternateCareOfAddress:
    """The care-of address to bind, instead of the packet's source (§6.2.5).

    |   Type = 3    |  Length = 16  |
    |                   Alternate Care-of Address                   |
    """

    TYPE: ClassVar[int] = 3
    LENGTH: ClassVar[int] = 16
    VARIES: ClassVar[bool] = False
    HEAD: ClassVar[bytes] = bytes((TYPE, LENGTH))
    ALIGN: ClassVar[tuple[int, int]] = (8, 6)

    care_of_address: IPv6Address

    @classmethod
    def read(cls, data: bytes) -> Self:
        return cls(address(data))

    def write(self) -> bytes:
        return self.HEAD + self.care_of_address.packed


@record
class NonceIndices:
    """Which nonces made the two keygen tokens (§6.2.6).

    |   Type = 4    |   Length = 4  |
    |         Home Nonce Index      |     Care-of Nonce Index       |
    """

    TYPE: ClassVar[int] = 4
    LENGTH: ClassVar[int] = 4
    VARIES: ClassVar[bool] = False
    HEAD: ClassVar[bytes] = bytes((TYPE, LENGTH))
    ALIGN: ClassVar[tuple[int, int]] = (2, 0)
    DATA: ClassVar[Struct] = Struct(">HH")

    home_nonce_index: int
    care_of_nonce_index: int

    def __post_init__(self) -> None:
        if not (
            0 <= self.home_nonce_index <= 0xFFFF
            and 0 <= self.care_of_nonce_index <= 0xFFFF
        ):
            raise ValueError("a nonce index has 16 bits")

    @classmethod
    def read(cls, data: bytes) -> Self:
        return cls(*cls.DATA.unpack(data))

    def write(self) -> bytes:
        indices = self.DATA.pack(self.home_nonce_index, self.care_of_nonce_index)
        return self.HEAD + indices


@record
class BindingAuthorizationData:
    """Proof by the binding management key (§6.2.7).  Must be the last option.

    |   Type = 5    | Option Length |
    |                         Authenticator                         |
    """

    TYPE: ClassVar[int] = 5
    LENGTH: ClassVar[int] = 12
    VARIES: ClassVar[bool] = False
    HEAD: ClassVar[bytes] = bytes((TYPE, LENGTH))
    ALIGN: ClassVar[tuple[int, int]] = (8, 2)

    authenticator: bytes
    """12 octets: the first 96 bits of the HMAC_SHA1."""

    def __post_init__(self) -> None:
        if len(self.authenticator) != self.LENGTH:
            raise ValueError("an authenticator has 12 octets")

    @classmethod
    def read(cls, data: bytes) -> Self:
        return cls(data)

    def write(self) -> bytes:
        return self.HEAD + self.authenticator


@record
class MobileNetworkPrefix:
    """A prefix behind a mobile router (RFC 3963 §4.3).

    |   Type = 6    |  Length = 18  |   Reserved    | Prefix Length |
    |                     Mobile Network Prefix                     |
    """

    TYPE: ClassVar[int] = 6
    LENGTH: ClassVar[int] = 18
    VARIES: ClassVar[bool] = False
    HEAD: ClassVar[bytes] = bytes((TYPE, LENGTH))
    ALIGN: ClassVar[tuple[int, int]] = (8, 4)
    DATA: ClassVar[Struct] = Struct(">xB16s")

    prefix_length: int
    """As it came: more than 128 is for the core to refuse (status 141)."""
    mobile_network_prefix: IPv6Address

    def __post_init__(self) -> None:
        check_bits("prefix_length", self.prefix_length, 8)

    @classmethod
    def read(cls, data: bytes) -> Self:
        prefix_length, prefix = cls.DATA.unpack(data)
        return cls(prefix_length, address(prefix))

    def write(self) -> bytes:
        prefix = self.mobile_network_prefix.packed
        return self.HEAD + self.DATA.pack(self.prefix_length, prefix)


@record
class MobileNodeIdentifier:
    """Who the mobile node is, beside its home address (RFC 4283 §3).

                                    |   Type = 8    | Option Length |
    |  Subtype      |          Identifier ...
    """

    TYPE: ClassVar[int] = 8
    LENGTH: ClassVar[int] = 1
    VARIES: ClassVar[bool] = True
    ALIGN: ClassVar[tuple[int, int]] = (1, 0)
    NETWORK_ACCESS_IDENTIFIER: ClassVar[int] = 1
    """The subtype of an identifier `user@realm` (RFC 4283 §3.1)."""

    subtype: int
    identifier: bytes

    def __post_init__(self) -> None:
        check_bits("subtype", self.subtype, 8)
        check_bits("length", len(self.identifier) + 1, 8)

    @classmethod
    def read(cls, data: bytes) -> Self:
        reader = Reader(data)
        return cls(reader.u8(), reader.rest())

    def write(self) -> bytes:
        head = bytes((self.TYPE, self.LENGTH + len(self.identifier), self.subtype))
        return head + self.identifier


@record
class MobilityMessageAuthentication:
    """Proof by a key shared with the home agent (RFC 4285 §5).  Of subtype MN-HA it is
    the last option, unless one of subtype MN-AAA follows.

                    |   Type = 9    | Option Length |   Subtype     |
    |                         Mobility SPI                          |
    |                  Authentication Data ...
    """

    TYPE: ClassVar[int] = 9
    LENGTH: ClassVar[int] = 5
    VARIES: ClassVar[bool] = True
    ALIGN: ClassVar[tuple[int, int]] = (4, 1)
    DATA: ClassVar[Struct] = Struct(">BI")
    MN_HA: ClassVar[int] = 1
    MN_AAA: ClassVar[int] = 2

    subtype: int
    mobility_spi: int
    authentication_data: bytes

    def __post_init__(self) -> None:
        check_bits("subtype", self.subtype, 8)
        check_bits("mobility_spi", self.mobility_spi, 32)
        check_bits("length", len(self.authentication_data) + self.LENGTH, 8)

    @classmethod
    def read(cls, data: bytes) -> Self:
        reader = Reader(data)
        subtype, mobility_spi = reader.unpack(cls.DATA)
        return cls(subtype, mobility_spi, reader.rest())

    def write(self) -> bytes:
        head = bytes((self.TYPE, self.LENGTH + len(self.authentication_data)))
        data = self.DATA.pack(self.subtype, self.mobility_spi)
        return head + data + self.authentication_data


@record
class MobilityMessageReplayProtection:
    """When a message was made, so that it counts only once (RFC 4285 §6).

                                    |   Type = 10   |   Length = 8  |
    |                          Timestamp ...                        |
    |                          Timestamp                            |
    """

    TYPE: ClassVar[int] = 10
    LENGTH: ClassVar[int] = 8
    VARIES: ClassVar[bool] = False
    HEAD: ClassVar[bytes] = bytes((TYPE, LENGTH))
    ALIGN: ClassVar[tuple[int, int]] = (8, 2)

    timestamp: int
    """As in NTP: the seconds since 1900, and below them 32 bits of fraction."""

    def __post_init__(self) -> None:
        check_bits("timestamp", self.timestamp, 64)

    @classmethod
    def read(cls, data: bytes) -> Self:
        return cls(int.from_bytes(data))

    def write(self) -> bytes:
        return self.HEAD + self.timestamp.to_bytes(8)


@record
class UnknownOption:
    """An option of a type not known here: kept, and skipped by the core (§6.2.1)."""

    ALIGN: ClassVar[tuple[int, int]] = (1, 0)

    type: int
    data: bytes

    def __post_init__(self) -> None:
        if self.type in KNOWN or self.type in (PAD_1, PAD_N):
            raise ValueError(f"mobility option {self.type} is known")
        if not (0 <= self.type <= 0xFF and len(self.data) <= 0xFF):
            raise ValueError("type and length of a mobility option have 8 bits")

    def write(self) -> bytes:
        return bytes((self.type, len(self.data))) + self.data


KnownOption = (
    BindingRefreshAdvice
    | AlternateCareOfAddress
    | NonceIndices
    | BindingAuthorizationData
    | MobileNetworkPrefix
    | MobileNodeIdentifier
    | MobilityMessageAuthentication
    | MobilityMessageReplayProtection
)
Option = KnownOption | UnknownOption

KNOWN: dict[int, type[KnownOption]] = {
    kind.TYPE: kind
    for kind in (
        BindingRefreshAdvice,
        AlternateCareOfAddress,
        NonceIndices,
        BindingAuthorizationData,
        MobileNetworkPrefix,
        MobileNodeIdentifier,
        MobilityMessageAuthentication,
        MobilityMessageReplayProtection,
    )
}


def read_options(reader: Reader) -> tuple[Option, ...]:
    """Read the mobility options up to the reader's end; errors as `tlv.read_tlvs`."""
    if reader.position == reader.end:
        return ()
    return read_tlvs(reader, KNOWN, UnknownOption, OPTIONS_MAX)


def write_options(options: tuple[Option, ...], position: int) -> bytes:
    """The options and their padding, which begin so many octets behind the start of the
    message."""
    return write_tlvs(options, position) if options or position % 8 else b""
