"""Shared keys: how they are written down, and what is derived from them.

One key per mobile node is all that people handle.  It is never used itself: every
security association has keys of its own, derived for one purpose, one direction, one
home address and one home agent (RFC 5869), so that nothing protected with one of them
means anything under another.
"""

import hmac
from base64 import b32decode, b32encode
from collections.abc import Iterable, Mapping
from enum import StrEnum
from hashlib import sha256
from ipaddress import IPv6Address
from typing import NoReturn

KEY_LENGTH = 32
"""Octets of randomness in a shared key."""

VERSION = "mip6-key-1"
CHECK_LENGTH = 3
GROUP = 8
KEYS_MAX = 2
"""Keys of one mobile node that are valid at once, while one replaces the other."""

SPI_FIRST = 0x6000_0000
SPI_COUNT = 0x1000_0000
"""Derived SPIs are the 2^28 from `SPI_FIRST` on, so that one comparison tells them from
those of the kernel's IPsec: IKE daemons choose theirs above 0xc0000000."""


class Secret:
    """Octets that do not show in a representation, a log line, JSON or a pickle."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = bytes(octets)

    def reveal(self) -> bytes:
        """The octets, for a cryptographic function and for nothing else."""
        return self._octets

    def __len__(self) -> int:
        return len(self._octets)

    def __bool__(self) -> bool:
        return bool(self._octets)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._octets, other._octets)

    def __hash__(self) -> int:
        return hash(self._octets)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        # Also what copy and dataclasses.asdict come to.
        raise TypeError("a secret is neither copied nor stored")


class KeyTextError(ValueError):
    """A key that cannot be read; the text says why, never what stood there."""


class Purpose(StrEnum):
    """What a pair of security associations protects (RFC 3776 §3)."""

    BINDING = "binding"
    """Binding Updates and Acknowledgements, in transport mode."""
    PREFIX_DISCOVERY = "prefix_discovery"
    """Mobile Prefix Solicitations and Advertisements, in transport mode."""
    RETURN_ROUTABILITY = "return_routability"
    """Home Test Init and Home Test, encrypted in tunnel mode."""


class Direction(StrEnum):
    TO_HOME_AGENT = "to_home_agent"
    TO_MOBILE_NODE = "to_mobile_node"


def key_text(key: bytes) -> str:
    """The line that `mip6 keygen` prints, for `KEY_LENGTH` random octets.

    Base 32 in groups, so that it can be read out and typed; its last three octets are a
    checksum, so that a slip is found at once and not as a mobile node that is ignored.
    """
    if len(key) != KEY_LENGTH:
        raise ValueError(f"a key has {KEY_LENGTH} octets")
    letters = b32encode(key + _check(key)).decode().lower()
    groups = (letters[at : at + GROUP] for at in range(0, len(letters), GROUP))
    return f"{VERSION}:{'-'.join(groups)}"


def parse_key(line: str) -> Secret:
    """Read one line of `key_text`; case and hyphens do not matter.

    Raises `KeyTextError`, which never quotes the line.
    """
    version, colon, rest = line.strip().partition(":")
    if not colon or version.lower() != VERSION:
        raise KeyTextError(f"does not begin with {VERSION!r}: not made by mip6 keygen")
    letters = "".join(rest.split()).replace("-", "").upper()
    wanted = (KEY_LENGTH + CHECK_LENGTH) * 8 // 5
    if len(letters) != wanted:
        raise KeyTextError(f"has {len(letters)} letters and digits instead of {wanted}")
    try:
        octets = b32decode(letters)
    except ValueError:
        raise KeyTextError("has a character besides a-z and 2-7") from None
    key = octets[:KEY_LENGTH]
    if not hmac.compare_digest(octets[KEY_LENGTH:], _check(key)):
        raise KeyTextError("is mistyped: its checksum is wrong")
    return Secret(key)


def parse_keys(text: str) -> tuple[Secret, ...]:
    """Read a key file: one key, or two while one replaces the other.

    What is sent is protected with the first; both are accepted.  Blank lines and lines
    that begin with "#" are skipped.  Raises `KeyTextError`, with the line's number.
    """
    keys: list[Secret] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            key = parse_key(line)
        except KeyTextError as error:
            raise KeyTextError(f"line {number}: the key {error}") from None
        if key in keys:
            raise KeyTextError(f"line {number}: the same key again")
        keys.append(key)
    if not keys:
        raise KeyTextError("there is no key in it")
    if len(keys) > KEYS_MAX:
        raise KeyTextError(f"more than {KEYS_MAX} keys")
    return tuple(keys)


def parse_octets(text: str) -> Secret:
    """Read the key of a manual security association, hexadecimal with or without 0x.

    Raises `KeyTextError`, which never quotes the text.
    """
    digits = text.strip().lower().removeprefix("0x")
    try:
        octets = bytes.fromhex(digits)
    except ValueError:
        raise KeyTextError("is not hexadecimal, two digits an octet") from None
    if not octets:
        raise KeyTextError("is empty")
    return Secret(octets)


def shared_keys(keys: Mapping[str, Iterable[Secret]]) -> list[tuple[str, str]]:
    """The pairs of mobile nodes that have a key in common: each one an error.

    Who has another's key can bind its home address, so keys are unique for different
    mobile nodes (RFC 6275 §5.1).
    """
    owners: dict[Secret, str] = {}
    pairs: list[tuple[str, str]] = []
    for name, own in keys.items():
        for key in set(own):
            owner = owners.setdefault(key, name)
            if owner != name:
                pairs.append((owner, name))
    return pairs


def fingerprint(key: Secret) -> str:
    """Eight hexadecimal digits by which people compare the keys of two machines."""
    return hmac.digest(_extract(key), b"fingerprint\1", "sha256")[:4].hex()


class Derivation:
    """What is derived from one key for one home address and one home agent.

    HKDF with SHA-256 (RFC 5869), of which the first step is done once.
    """

    __slots__ = ("_extracted", "_peers")

    def __init__(
        self, key: Secret, home_address: IPv6Address, home_agent: IPv6Address
    ) -> None:
        self._extracted = _extract(key)
        # One block is enough, and its number is 1 (RFC 5869 §2.3).
        self._peers = b"\0" + home_address.packed + home_agent.packed + b"\1"

    def octets(
        self, purpose: Purpose, direction: Direction, part: str, length: int
    ) -> bytes:
        """`length` octets, 32 at most, for this use and for no other.

        `part` tells apart what one association needs: "integrity", "encryption",
        "spi".
        """
        # No word holds a zero octet and the addresses have one length, so that two
        # different uses never give the same octets.
        words = "\0".join((purpose, direction, part)).encode()
        return hmac.digest(self._extracted, words + self._peers, "sha256")[:length]

    def spi(self, purpose: Purpose, direction: Direction) -> int:
        """The SPI of a derived association (RFC 4303 §2.1).

        Both sides come to the same number without a word, so a number that another
        mobile node has already cannot be given up: associations are looked up by SPI
        *and* home address, and where encryption hides the home address each of one SPI
        is tried.
        """
        octets = self.octets(purpose, direction, "spi", 4)
        return SPI_FIRST + int.from_bytes(octets) % SPI_COUNT


def _check(key: bytes) -> bytes:
    # What the checksum tells about the key is 24 of its 256 bits, to those who hold it.
    return sha256(VERSION.encode() + key).digest()[:CHECK_LENGTH]


def _extract(key: Secret) -> bytes:
    # The key is uniformly random, but a fixed salt costs nothing (RFC 5869 §3.1).
    return hmac.digest(VERSION.encode(), key.reveal(), "sha256")
