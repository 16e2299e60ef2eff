"""Binding revocation (RFC 5846): the message of the home agent that ends a binding."""

from enum import IntEnum
from struct import Struct
from typing import ClassVar, Self

from .buffer import Reader, check_bits
from .options import Option, read_options
from .record import record


class RevocationType(IntEnum):
    """What a Binding Revocation message is (RFC 5846 §5)."""

    INDICATION = 1
    ACKNOWLEDGEMENT = 2


class RevocationTrigger(IntEnum):
    """Why a home agent revokes (RFC 5846 §5.1); others are for proxies."""

    UNSPECIFIED = 0
    ADMINISTRATIVE_REASON = 1
    POSSIBLE_OUT_OF_SYNC_BINDING = 7


class RevocationStatus(IntEnum):
    """What became of an indication (RFC 5846 §5.2); from 128 on it was rejected."""

    SUCCESS = 0
    PARTIAL_SUCCESS = 1
    BINDING_DOES_NOT_EXIST = 128
    IPV4_HOME_ADDRESS_OPTION_REQUIRED = 129
    GLOBAL_REVOCATION_NOT_AUTHORIZED = 130
    IDENTITY_REQUIRED = 131
    MOBILE_NODE_IS_ATTACHED = 132
    TRIGGER_NOT_SUPPORTED = 133
    FUNCTION_NOT_SUPPORTED = 134
    PROXY_BINDING_NOT_SUPPORTED = 135


@record(kw_only=True)
class BindingRevocation:
    """Both directions (RFC 5846 §5.1, §5.2).

    |   B.R. Type   |Trigger/Status |
    |          Sequence #           |P|V|G|        Reserved         |
    """

    TYPE: ClassVar[int] = 16
    DATA: ClassVar[Struct] = Struct(">BBHH")

    revocation_type: int
    """A `RevocationType`, or a value that is not known here."""
    code: int
    """A `RevocationTrigger` in an indication, a `RevocationStatus` in an
    acknowledgement, or a value that is not known here."""
    sequence_number: int
    proxy_binding: bool = False
    ipv4_home_address_only: bool = False
    all_bindings: bool = False
    """The G bit: all that the two peers share."""
    options: tuple[Option, ...] = ()

    def __post_init__(self) -> None:
        check_bits("revocation_type", self.revocation_type, 8)
        check_bits("code", self.code, 8)
        check_bits("sequence_number", self.sequence_number, 16)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        revocation_type, code, sequence_number, flags = reader.unpack(cls.DATA)
        return cls(
            revocation_type=revocation_type,
            code=code,
            sequence_number=sequence_number,
            proxy_binding=flags & 0x8000 != 0,
            ipv4_home_address_only=flags & 0x4000 != 0,
            all_bindings=flags & 0x2000 != 0,
            options=read_options(reader),
        )

    def write(self) -> bytes:
        flags = (
            self.proxy_binding << 15
            | self.ipv4_home_address_only << 14
            | self.all_bindings << 13
        )
        return self.DATA.pack(
            self.revocation_type, self.code, self.sequence_number, flags
        )
