"""Type, length, value: the format shared by mobility options (RFC 6275 §6.2.1) and the
options of Hop-by-Hop and Destination Options headers (RFC 8200 §4.2).

    |  Option Type  | Option Length |   Option Data...

Both pad with Pad1 (type 0) and PadN (type 1).  Padding is made from `ALIGN` on the way
out and dropped on the way in.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Protocol, Self, TypeVar

from .buffer import Reader, WireError

PAD_1 = 0
PAD_N = 1
"""Types of the options that only pad (RFC 6275 §6.2.2, §6.2.3, RFC 8200 §4.2)."""

PADDING = (b"", bytes([PAD_1]), *(bytes([PAD_N, n]) + bytes(n) for n in range(6)))
"""By its length: what keeps options at their places."""


class Writable(Protocol):
    @property
    def ALIGN(self) -> tuple[int, int]:  # noqa: N802
        """x and y of "xn+y": where the Option Type octet must stand."""

    def write(self) -> bytes:
        """The whole option, from its type on."""


class Readable(Writable, Protocol):
    LENGTH: ClassVar[int]
    """Octets of Option Data; the fewest where the length `VARIES`."""
    VARIES: ClassVar[bool]

    @classmethod
    def read(cls, data: bytes) -> Self:
        """The option that this Option Data, of a right length, says."""


Known = TypeVar("Known", bound=Readable)
Unknown = TypeVar("Unknown")


def read_tlvs(
    reader: Reader,
    known: Mapping[int, type[Known]],
    unknown: Callable[[int, bytes], Unknown],
    count_max: int,
) -> tuple[Known | Unknown, ...]:
    """Read options to the reader's end.

    Raises `WireError`: "option_length" for a length that its type does not have or that
    leads beyond the end, "too_many_options", "truncated".
    """
    options: list[Known | Unknown] = []
    octets, start, end = reader.whole, reader.position, reader.end
    while start < end:
        type_ = octets[start]
        if type_ == PAD_1:  # has no length
            start += 1
            continue
        begin = start + 2
        if begin > end:
            raise WireError("truncated", end)
        length = octets[start + 1]
        stop = begin + length
        if stop > end:
            raise WireError("option_length", start + 1)
        if type_ != PAD_N:
            if len(options) == count_max:
                raise WireError("too_many_options", start)
            kind = known.get(type_)
            if kind is None:
                options.append(unknown(type_, octets[begin:stop]))
            elif length == kind.LENGTH or (kind.VARIES and length > kind.LENGTH):
                options.append(kind.read(octets[begin:stop]))
            else:
                raise WireError("option_length", start + 1)
        start = stop
    reader.position = end
    return tuple(options)


def write_tlvs(options: Iterable[Writable], position: int) -> bytes:
    """Options that begin so many octets behind the start of what they are part of: each
    at its alignment, and padded to a multiple of 8 octets."""
    pieces: list[bytes] = []
    for option in options:
        unit, remainder = option.ALIGN
        octets = option.write()
        if skew := (remainder - position) % unit:
            pieces.append(PADDING[skew])
        pieces.append(octets)
        position += skew + len(octets)
    pieces.append(PADDING[-position % 8])
    return b"".join(pieces)
