"""Type, length, value: the format shared by mobility options (RFC 6275 §6.2.1) and the
options of Hop-by-Hop and Destination Options headers (RFC 8200 §4.2).

    |  Option Type  | Option Length |   Option Data...

Both pad with Pad1 (type 0) and PadN (type 1).  Padding is made from `ALIGN` on the way
out and dropped on the way in.
"""

from collections.abc import Callable, Iterable, Mapping
from struct import Struct
from typing import ClassVar, Protocol, Self, TypeVar

from .buffer import PAD_1, PAD_N, Reader, WireError, Writer

HEAD = Struct("BB")
PADDING = (b"", bytes([PAD_1]), *(bytes([PAD_N, n]) + bytes(n) for n in range(6)))
"""By its length: what keeps options at their places."""


class Writable(Protocol):
    @property
    def ALIGN(self) -> tuple[int, int]:  # noqa: N802
        """x and y of "xn+y": where the Option Type octet must stand."""

    def write(self) -> tuple[int, bytes]:
        """Option Type and Option Data."""


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
    for start, type_, data in reader.tlvs():
        if len(options) == count_max:
            raise WireError("too_many_options", start)
        kind = known.get(type_)
        if kind is None:
            options.append(unknown(type_, data))
        elif len(data) != kind.LENGTH and (len(data) < kind.LENGTH or not kind.VARIES):
            raise WireError("option_length", start + 1)
        else:
            options.append(kind.read(data))
    return tuple(options)


def write_tlvs(writer: Writer, options: Iterable[Writable]) -> None:
    """Write options, each at its alignment, and pad to a multiple of 8 octets."""
    position = len(writer)
    pieces: list[bytes] = []
    for option in options:
        unit, remainder = option.ALIGN
        padding = PADDING[(remainder - position) % unit]
        type_, data = option.write()
        length = len(data)
        pieces += (padding, HEAD.pack(type_, length), data)
        position += len(padding) + 2 + length
    pieces.append(PADDING[-position % 8])
    writer.octets(b"".join(pieces))
