"""Captures made by hand, in every dialect; what is cut off; any octets at all."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.octets import ipv6, mobility
from tests.support.strategies import mutated

from mip6.wire.buffer import WireError
from mip6.wire.capture import (
    ETHERNET,
    LINUX_COOKED,
    LINUX_COOKED_2,
    RAW,
    Frame,
    ipv6_in,
    read_capture,
)

PACKET = ipv6("2001:db8:a::100", "2001:db8:a::1", 135, mobility())
MACS = bytes.fromhex("02000000000a 020000000064")
ON_ETHERNET = MACS + b"\x86\xdd" + PACKET


def pcap(*frames: bytes, order: str = "<", nano: bool = False, link: int = 1) -> bytes:
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    octets = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    for second, frame in enumerate(frames, 1000):
        length = len(frame)
        octets += struct.pack(order + "IIII", second, 250_000, length, length) + frame
    return octets


def block(order: str, type_: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", type_) + length + body + length


def section(order: str) -> bytes:
    body = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    return block(order, 0x0A0D0D0A, body)


def interface(
    order: str, link: int, *options: tuple[int, bytes], captured_max: int = 0
) -> bytes:
    body = struct.pack(order + "HHI", link, 0, captured_max)
    for code, value in options:
        body += struct.pack(order + "HH", code, len(value))
        body += value + bytes(-len(value) % 4)
    return block(order, 1, body)


def enhanced(
    order: str, frame: bytes, *, at: int = 0, index: int = 0, length: int | None = None
) -> bytes:
    length = len(frame) if length is None else length
    head = struct.pack(
        order + "IIIII", index, at >> 32, at & 0xFFFFFFFF, len(frame), length
    )
    return block(order, 6, head + frame + bytes(-len(frame) % 4))


def refused(octets: bytes) -> tuple[list[Frame], str, int]:
    """The frames before the fault, and the fault."""
    frames: list[Frame] = []
    with pytest.raises(WireError) as caught:
        for frame in read_capture(octets):
            frames.append(frame)
    return frames, caught.value.reason, caught.value.offset


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("nano", "fraction"), [(False, 0.25), (True, 0.00025)])
def test_pcap(order: str, nano: bool, fraction: float) -> None:
    first, second = read_capture(pcap(ON_ETHERNET, b"x", order=order, nano=nano))
    assert first == Frame(1, 1000 + fraction, ETHERNET, ON_ETHERNET, len(ON_ETHERNET))
    assert second == Frame(2, 1001 + fraction, ETHERNET, b"x", 1)
    assert not first.cut


def test_pcap_says_in_the_high_bits_how_long_checksums_of_frames_are() -> None:
    (frame,) = read_capture(pcap(ON_ETHERNET, link=0x24000001))
    assert frame.link_type == ETHERNET


def test_a_frame_that_was_cut() -> None:
    octets = pcap() + struct.pack("<IIII", 1, 0, 20, 90) + ON_ETHERNET[:20]
    (frame,) = read_capture(octets)
    assert (frame.octets, frame.length, frame.cut) == (ON_ETHERNET[:20], 90, True)


@pytest.mark.parametrize("missing", [1, len(ON_ETHERNET), len(ON_ETHERNET) + 15])
def test_pcap_that_ends_in_a_record(missing: int) -> None:
    octets = pcap(b"x", ON_ETHERNET)[:-missing]
    frames, reason, offset = refused(octets)
    assert [frame.octets for frame in frames] == [b"x"]
    assert (reason, offset) == ("truncated", len(octets))


def test_pcap_that_ends_in_its_header() -> None:
    assert refused(pcap()[:23]) == ([], "truncated", 23)


@pytest.mark.parametrize("octets", [b"", b"\xa1\xb2", b"#!/bin/sh\n", bytes(24)])
def test_not_a_capture(octets: bytes) -> None:
    assert refused(octets) == ([], "not_a_capture", 0)


@pytest.mark.parametrize("order", "<>")
def test_pcapng(order: str) -> None:
    octets = (
        section(order)
        + interface(order, 1)
        + interface(
            order,
            101,
            (2, b"eth0"),  # a name
            (9, b"\x09"),  # nanoseconds
            (14, struct.pack(order + "q", 500)),
            (0, b""),
        )
        + interface(order, 101, (9, b"\x8a"))  # 2^10 in a second
        + block(order, 5, bytes(12))  # statistics
        + enhanced(order, ON_ETHERNET, at=1000 * 10**6 + 250_000)
        + enhanced(order, PACKET, at=1001 * 10**9 + 1, index=1, length=2000)
        + enhanced(order, PACKET, at=1002 << 10 | 512, index=2)
        + block(order, 3, struct.pack(order + "I", 5) + b"abcde")
    )
    one, two, three, four = read_capture(octets)
    assert one == Frame(1, 1000.25, ETHERNET, ON_ETHERNET, len(ON_ETHERNET))
    assert two == Frame(2, 1501 + 1e-9, 101, PACKET, 2000)
    assert three == Frame(3, 1002.5, 101, PACKET, len(PACKET))
    assert four == Frame(4, 0, ETHERNET, b"abcde", 5)


def test_a_simple_packet_is_as_long_as_the_interface_keeps() -> None:
    simple = block("<", 3, struct.pack("<I", 90) + b"abcdefgh")
    octets = section("<") + interface("<", 1, captured_max=6) + simple
    (frame,) = read_capture(octets)
    assert (frame.octets, frame.length) == (b"abcdef", 90)
    (frame,) = read_capture(section("<") + interface("<", 1) + simple)
    assert (frame.octets, frame.length) == (b"abcdefgh", 90)


def test_each_section_has_its_own_order_and_interfaces() -> None:
    first = section("<") + interface("<", 1) + enhanced("<", b"one")
    second = section(">") + interface(">", 101) + enhanced(">", b"two")
    frames = list(read_capture(first + second))
    assert [frame.link_type for frame in frames] == [1, 101]
    assert [frame.number for frame in frames] == [1, 2]
    without = first + section("<") + enhanced("<", b"two")
    frames, reason, offset = refused(without)
    assert [frame.octets for frame in frames] == [b"one"]
    assert (reason, offset) == ("interface", len(first) + len(section("<")) + 8)


def test_times_whose_option_has_another_length_are_microseconds() -> None:
    other = interface("<", 1, (9, b"\x09\x00"), (14, bytes(4)))
    (frame,) = read_capture(section("<") + other + enhanced("<", b"x", at=1_500_000))
    assert frame.at == 1.5


@pytest.mark.parametrize("length", [0, 8, 11, 13, 14, 15])
def test_a_block_that_is_too_short_or_uneven(length: int) -> None:
    octets = section("<") + struct.pack("<III", 1, length, 0) + bytes(8)
    assert refused(octets)[1:] == ("block_length", len(section("<")) + 4)


def test_pcapng_that_ends_in_a_block() -> None:
    whole = section("<") + interface("<", 1) + enhanced("<", b"x" * 8)
    for missing in range(1, 12 + 20 + 8):
        frames, reason, offset = refused(whole[:-missing])
        assert (frames, reason) == ([], "truncated")
        assert offset == len(whole) - missing


def test_a_packet_longer_than_its_block() -> None:
    head = struct.pack("<IIIII", 0, 0, 0, 9, 9)
    octets = section("<") + interface("<", 1) + block("<", 6, head + b"x" * 8)
    assert refused(octets + enhanced("<", b"y"))[1:] == ("truncated", len(octets) - 4)


def test_a_section_without_a_byte_order() -> None:
    octets = bytearray(section("<"))
    octets[8] ^= 1
    assert refused(bytes(octets)) == ([], "not_a_capture", 8)


COOKED = struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 0x86DD)
COOKED_2 = struct.pack("!HHIHBB8s", 0x86DD, 0, 2, 1, 0, 6, bytes(8))
TAG = bytes.fromhex("8100 0064")


@pytest.mark.parametrize(
    ("link_type", "octets"),
    [
        *((link_type, PACKET) for link_type in RAW),
        (ETHERNET, ON_ETHERNET),
        (ETHERNET, MACS + TAG + b"\x86\xdd" + PACKET),
        (ETHERNET, MACS + bytes.fromhex("88a80001") + TAG + b"\x86\xdd" + PACKET),
        (LINUX_COOKED, COOKED + PACKET),
        (LINUX_COOKED_2, COOKED_2 + PACKET),
    ],
)
def test_link_types(link_type: int, octets: bytes) -> None:
    assert ipv6_in(Frame(1, 0, link_type, octets, len(octets))) == PACKET


@pytest.mark.parametrize(
    ("link_type", "octets"),
    [
        (101, b"\x45" + bytes(19)),
        (101, b""),
        (ETHERNET, MACS + b"\x08\x06" + bytes(28)),
        (ETHERNET, MACS + TAG + b"\x08\x00" + PACKET),
        (ETHERNET, ON_ETHERNET[:13]),
        (ETHERNET, MACS + TAG),
        (LINUX_COOKED, COOKED[:14] + b"\x08\x00" + PACKET),
        (LINUX_COOKED_2, COOKED_2[:12]),
        (LINUX_COOKED_2, b"\x08\x00" + COOKED_2[2:] + PACKET),
        (105, PACKET),  # a wireless link, not known here
    ],
)
def test_no_ipv6_in_it(link_type: int, octets: bytes) -> None:
    assert ipv6_in(Frame(1, 0, link_type, octets, len(octets))) is None


WHOLE = [
    pcap(ON_ETHERNET, b"x"),
    section("<")
    + interface("<", 1, (9, b"\x09"))
    + enhanced("<", ON_ETHERNET)
    + block("<", 3, struct.pack("<I", 5) + b"abcde"),
]


@given(st.data())
def test_any_octets(data: st.DataObject) -> None:
    """Frames, then perhaps a `WireError` within the file; nothing else."""
    octets = data.draw(
        st.one_of(st.sampled_from(WHOLE).flatmap(mutated), st.binary(max_size=100))
    )
    try:
        for number, frame in enumerate(read_capture(octets), 1):
            assert frame.number == number
            assert frame.octets in octets
            ipv6_in(frame)
    except WireError as error:
        assert 0 <= error.offset <= len(octets)
