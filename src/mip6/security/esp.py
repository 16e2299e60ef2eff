"""The ESP header, trailer and check value (RFC 4303 §2).

    |               Security Parameters Index (SPI)                 |
    |                      Sequence Number                          |
    |  IV, Payload Data, Padding ...                                |
    |                               |  Pad Length   | Next Header   |
    |               Integrity Check Value (ICV) ...                 |

Transport and tunnel mode are one thing here: the payload of one IPv6 header is put into
ESP, and in tunnel mode that payload happens to be an IPv6 packet (RFC 3776 §3).
"""

import hmac
from enum import StrEnum
from struct import Struct
from typing import TypeVar

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from mip6.wire.record import record

from .keys import Secret

HEADER = Struct(">II")
"""SPI, Sequence Number."""
TRAILER = Struct(">BB")
"""Pad Length, Next Header: the last octets of what is encrypted."""

AES_BLOCK_LENGTH = 16
ALIGNMENT = 4
"""What ends the payload is aligned to, with no cipher (RFC 4303 §2.4)."""

SPI_MIN = 256
"""Smaller ones are reserved (RFC 4303 §2.1)."""
SEQUENCE_NUMBER_MAX = 2**32 - 1


class Integrity(StrEnum):
    """Never absent: RFC 6275 §5.1 wants a non-NULL one."""

    HMAC_SHA1_96 = "hmac-sha1-96"
    """RFC 2404: a key of 20 octets, a check value of 12."""
    HMAC_SHA2_256_128 = "hmac-sha2-256-128"
    """RFC 4868: a key of 32 octets, a check value of 16."""


class Encryption(StrEnum):
    NULL = "null"
    """RFC 2410."""
    AES_CBC = "aes-cbc"
    """RFC 3602: a key of 16, 24 or 32 octets, a random IV before each payload."""


Name = TypeVar("Name", bound=StrEnum)

_DIGESTS = {
    Integrity.HMAC_SHA1_96: ("sha1", 20, 12),
    Integrity.HMAC_SHA2_256_128: ("sha256", 32, 16),
}
"""Hash function, octets of key, octets of check value."""
# Looking into an enum for each packet is slow.
_NULL = Encryption.NULL
_PADDING = bytes(range(1, 256))
_CIPHER_KEYS = {Encryption.NULL: (0,), Encryption.AES_CBC: (16, 24, 32)}


class EspError(ValueError):
    """ESP that is not accepted; `reason` and `section` are those of a `Dropped`."""

    def __init__(self, reason: str, section: str) -> None:
        super().__init__(f"{reason} ({section})")
        self.reason = reason
        self.section = section


def encryption_named(name: str) -> Encryption:
    """The algorithm a configuration names; `ValueError` says why it may not."""
    if "gcm" in name.lower() or "ctr" in name.lower() or "chacha" in name.lower():
        # One repeated nonce, after one lost counter, gives the keys away.
        raise ValueError(f"{name!r} must not be used with static keys (RFC 4106 2)")
    return _named(Encryption, name)


def integrity_named(name: str) -> Integrity:
    """As `encryption_named`."""
    if name.lower() in ("none", "null"):
        raise ValueError("ESP without integrity protects nothing (RFC 6275 5.1)")
    return _named(Integrity, name)


def _named(kind: type[Name], name: str) -> Name:
    try:
        return kind(name.lower())
    except ValueError:
        known = ", ".join(kind)
        raise ValueError(f"{name!r} is not one of: {known}") from None


@record(kw_only=True)
class Transform:
    """The algorithms of one security association, and their keys."""

    integrity: Integrity
    integrity_key: Secret
    encryption: Encryption = Encryption.NULL
    encryption_key: Secret = Secret(b"")

    def __post_init__(self) -> None:
        _, wanted, _ = _DIGESTS[self.integrity]
        if len(self.integrity_key) != wanted:
            raise ValueError(
                f"{self.integrity} needs a key of {wanted} octets, "
                f"not {len(self.integrity_key)}"
            )
        lengths = _CIPHER_KEYS[self.encryption]
        if len(self.encryption_key) not in lengths:
            octets = " or ".join(str(length) for length in lengths)
            raise ValueError(
                f"{self.encryption} needs a key of {octets} octets, "
                f"not {len(self.encryption_key)}"
            )

    @property
    def iv_length(self) -> int:
        """Octets of randomness that `seal` needs for each packet."""
        return 0 if self.encryption is _NULL else AES_BLOCK_LENGTH

    def seal(
        self,
        spi: int,
        sequence_number: int,
        next_header: int,
        payload: bytes,
        iv: bytes,
    ) -> bytes:
        """Put `payload` into ESP, from the SPI to the ICV.

        The IV must be unpredictable, new for each packet, and as long as `iv_length`.
        """
        if len(iv) != self.iv_length:
            raise ValueError(
                f"{self.encryption} needs an IV of {self.iv_length} octets"
            )
        block = self.iv_length or ALIGNMENT
        count = -(len(payload) + TRAILER.size) % block
        plain = payload + _PADDING[:count] + TRAILER.pack(count, next_header)
        body = HEADER.pack(spi, sequence_number) + iv + self._encrypt(plain, iv)
        return body + self._check_value(body)

    def authentic(self, octets: bytes) -> bool:
        """Whether the Integrity Check Value of one ESP header is right (§3.4.4.1)."""
        _, _, length = _DIGESTS[self.integrity]
        if len(octets) < HEADER.size + self.iv_length + TRAILER.size + length:
            return False
        return hmac.compare_digest(
            octets[-length:], self._check_value(octets[:-length])
        )

    def open(self, octets: bytes) -> tuple[int, bytes]:
        """Next Header and payload of what is `authentic`, which is not asked again.

        Raises `EspError`: "esp_length" where the cipher's blocks do not come out even,
        "esp_padding" for what no sender with this key would have sent.
        """
        _, _, length = _DIGESTS[self.integrity]
        start = HEADER.size + self.iv_length
        iv, body = octets[HEADER.size : start], octets[start:-length]
        if len(body) % (self.iv_length or ALIGNMENT):
            raise EspError("esp_length", "RFC 4303 2.4")
        plain = self._decrypt(body, iv)
        count, next_header = TRAILER.unpack(plain[-TRAILER.size :])
        end = len(plain) - TRAILER.size - count
        if end < 0 or plain[end : -TRAILER.size] != _PADDING[:count]:
            raise EspError("esp_padding", "RFC 4303 2.4")
        return next_header, plain[:end]

    def _check_value(self, body: bytes) -> bytes:
        digest, _, length = _DIGESTS[self.integrity]
        return hmac.digest(self.integrity_key.reveal(), body, digest)[:length]

    def _encrypt(self, plain: bytes, iv: bytes) -> bytes:
        if self.encryption is _NULL:
            return plain
        # Whole blocks only: `finalize` would add nothing, and costs 3 us.
        encryptor = Cipher(AES(self.encryption_key.reveal()), CBC(iv)).encryptor()
        return encryptor.update(plain)

    def _decrypt(self, body: bytes, iv: bytes) -> bytes:
        if self.encryption is _NULL:
            return body
        decryptor = Cipher(AES(self.encryption_key.reveal()), CBC(iv)).decryptor()
        return decryptor.update(body)


def spi_and_sequence_number(octets: bytes) -> tuple[int, int]:
    """The two numbers that an ESP header begins with.

    Raises `EspError` "truncated".
    """
    if len(octets) < HEADER.size:
        raise EspError("truncated", "RFC 4303 2")
    return HEADER.unpack_from(octets)
