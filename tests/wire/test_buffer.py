from ipaddress import IPv6Address
from struct import Struct

import pytest

from mip6.wire.buffer import Reader, WireError, Writer, check_bits
from mip6.wire.options import UnknownOption, read_options


def test_reads_in_order_and_knows_where_it_is() -> None:
    reader = Reader(bytes(range(32)))
    assert reader.u8() == 0
    assert reader.octets(2) == b"\x01\x02"
    assert reader.unpack(Struct(">xH")) == (0x0405,)
    assert reader.address() == IPv6Address("607:809:a0b:c0d:e0f:1011:1213:1415")
    assert reader.position == 22
    assert reader.rest() == bytes(range(22, 32))
    assert reader.position == 32


@pytest.mark.parametrize(
    "read",
    [
        lambda reader: [reader.u8() for _ in range(4)],
        lambda reader: reader.octets(4),
        lambda reader: reader.unpack(Struct(">I")),
        lambda reader: reader.address(),
        lambda reader: (reader.octets(2), read_options(reader)),
    ],
)
def test_never_reads_beyond_its_end(read) -> None:  # type: ignore[no-untyped-def]
    reader = Reader(b"abcdef")
    reader.end = 3
    with pytest.raises(WireError) as caught:
        read(reader)
    assert (caught.value.reason, caught.value.offset) == ("truncated", 3)
    assert str(caught.value) == "truncated at octet 3"


def test_options_are_read_without_padding() -> None:
    reader = Reader(bytes.fromhex("00 3302aabb 010100 3500"))
    read = read_options(reader)
    assert read == (UnknownOption(0x33, b"\xaa\xbb"), UnknownOption(0x35, b""))
    assert reader.position == reader.end


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        ("3302aabb 0903cc", "option_length at octet 5"),
        ("3302aabb 05", "truncated at octet 5"),
    ],
)
def test_options_that_nobody_may_send(octets: str, error: str) -> None:
    with pytest.raises(WireError, match=error):
        read_options(Reader(bytes.fromhex(octets)))


def test_writer_appends_and_fills_in_lengths() -> None:
    writer = Writer()
    writer.u8(1)
    writer.pack(Struct(">H"), 0)
    writer.octets(b"xy")
    writer.address(IPv6Address("::2"))
    writer.put_u8(0xEE, at=0)
    writer.put_u16(0xABCD, at=1)
    assert bytes(writer) == b"\xee\xab\xcdxy" + bytes(15) + b"\x02"
    assert len(writer) == 21


@pytest.mark.parametrize("value", [-1, 256])
def test_a_number_must_fit_its_field(value: int) -> None:
    check_bits("status", 255, 8)
    with pytest.raises(ValueError, match="status"):
        check_bits("status", value, 8)
