"""Unfinished packets become whole ones: checksums and segments by hand."""

import struct

import pytest
from tests.support.octets import (
    DESTINATION_OPTIONS,
    IPV6,
    ROUTING,
    TCP,
    UDP,
    checksum,
    home_address_option,
    ipv6,
    routing,
    udp,
)

from mip6.linux import offload

HERE, THERE = "2001:db8::1", "2001:db8::2"


def frame(
    packet: bytes, *, flags: int = 0, kind: int = 0, size: int = 0, offset: int = 6
) -> bytes:
    return struct.pack("=BBHHHH", flags, kind, 0, size, 40, offset) + packet


def with_checksum(kind: int, segment: bytes, offset: int) -> bytes:
    bare = segment[:offset] + bytes(2) + segment[offset + 2 :]
    value = checksum(HERE, THERE, kind, bare)
    return bare[:offset] + value.to_bytes(2) + bare[offset + 2 :]


def pseudo(kind: int, length: int) -> bytes:
    """What the kernel leaves in the field: the sum over the pseudo-header, folded."""
    empty = checksum(HERE, THERE, kind, b"") ^ 0xFFFF
    total = empty + length
    return ((total & 0xFFFF) + (total >> 16)).to_bytes(2)


def tcp(sequence: int, flags: int, payload: bytes) -> bytes:
    head = struct.pack("!HHIIBBHHH", 1, 2, sequence, 7, 8 << 4, flags, 9, 0, 0)
    return head + b"\1" * 12 + payload


def test_finished_packets_stay_as_they_are() -> None:
    packet = ipv6(HERE, THERE, UDP, udp(b"as it is"))
    assert list(offload.packets(frame(packet))) == [packet]


@pytest.mark.parametrize("size", [0, 1, 7, 1000])
def test_checksum_is_completed(size: int) -> None:
    datagram = udp(bytes(range(256)) * 4)[: 8 + size]
    unfinished = datagram[:6] + pseudo(UDP, len(datagram)) + datagram[8:]
    (packet,) = offload.packets(frame(ipv6(HERE, THERE, UDP, unfinished), flags=1))
    assert packet == ipv6(HERE, THERE, UDP, with_checksum(UDP, unfinished, 6))


def test_checksum_of_nothing_is_not_zero() -> None:
    """Zero would mean that there is none."""
    datagram = bytearray(udp(b"\0\0"))
    wanted = checksum(HERE, THERE, UDP, bytes(datagram[:6] + b"\0\0" + datagram[8:]))
    datagram[8:10] = wanted.to_bytes(2)
    datagram[6:8] = pseudo(UDP, len(datagram))
    unfinished = ipv6(HERE, THERE, UDP, bytes(datagram))
    (packet,) = offload.packets(frame(unfinished, flags=1))
    assert packet[46:48] == b"\xff\xff"


def test_datagrams_are_cut() -> None:
    payload = bytes(range(250)) * 10
    packet = ipv6(HERE, THERE, UDP, udp(payload), traffic_class=3, flow_label=5)
    parts = [payload[i : i + 1200] for i in range(0, len(payload), 1200)]
    assert list(offload.packets(frame(packet, flags=1, kind=5, size=1200))) == [
        ipv6(
            HERE,
            THERE,
            UDP,
            with_checksum(UDP, udp(part), 6),
            traffic_class=3,
            flow_label=5,
        )
        for part in parts
    ]


def test_tcp_is_cut() -> None:
    """Sequence numbers go on; FIN and PSH are the last's, CWR is the first's."""
    payload = bytes(range(250)) * 10
    start = 0xFFFFFC00
    packet = ipv6(HERE, THERE, TCP, tcp(start, 0x99, payload))
    expected = [(start, 0x90), (start + 1000, 0x10), (2000 - 1024, 0x19)]
    got = list(offload.packets(frame(packet, flags=1, kind=0x84, size=1000, offset=16)))
    assert got == [
        ipv6(
            HERE,
            THERE,
            TCP,
            with_checksum(
                TCP,
                tcp(sequence, flags, payload[1000 * i : 1000 * (i + 1)]),
                16,
            ),
        )
        for i, (sequence, flags) in enumerate(expected)
    ]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        bytes(10),
        bytes(60),
        frame(b"\x45" + bytes(60)),
        frame(ipv6(HERE, THERE, UDP, b"short"), flags=1),
        frame(ipv6(HERE, THERE, UDP, udp()), kind=1, size=100),
        frame(ipv6(HERE, THERE, UDP, udp()), kind=5, size=0),
        frame(ipv6(HERE, THERE, TCP, bytes(10)), kind=4, size=100),
    ],
)
def test_what_makes_no_sense_is_nothing(octets: bytes) -> None:
    assert list(offload.packets(octets)) == []


OUTER = "2001:db8:f::1"


@pytest.mark.parametrize("kind", [TCP, UDP])
@pytest.mark.parametrize("way", ["tunnel", "routing", "option", "both"])
def test_segments_behind_our_headers(kind: int, way: str) -> None:
    """The upper layer knows nothing of them, so its checksum does not either."""
    payload = bytes(range(250)) * 10
    head = tcp(7, 0x10, b"") if kind == TCP else udp(payload)[:8]
    size, offset = 1100, 16 if kind == TCP else 6

    def wrapped(segment: bytes) -> bytes:
        if way == "tunnel":
            return ipv6(OUTER, OUTER, IPV6, ipv6(HERE, THERE, kind, segment))
        if way == "routing":
            headers = routing(kind, THERE)
            return ipv6(HERE, OUTER, ROUTING, headers + segment)
        option = home_address_option(kind, HERE)
        if way == "option":
            return ipv6(OUTER, THERE, DESTINATION_OPTIONS, option + segment)
        headers = routing(DESTINATION_OPTIONS, THERE) + option
        return ipv6(OUTER, OUTER, ROUTING, headers + segment)

    start = len(wrapped(b""))
    packet = wrapped(head + payload)
    number = 4 if kind == TCP else 5
    frame = struct.pack("=BBHHHH", 1, number, 0, size, start, offset) + packet
    made = list(offload.packets(frame))
    assert len(made) == 3
    for at, octets in enumerate(made):
        part = payload[at * size : (at + 1) * size]
        segment = tcp(7 + at * size, 0x10, part) if kind == TCP else udp(part)
        assert octets == wrapped(with_checksum(kind, segment, offset))


def test_a_datagram_that_has_not_left_the_machine() -> None:
    datagram = udp(b"news")
    unfinished = datagram[:6] + pseudo(UDP, len(datagram)) + datagram[8:]
    whole = ipv6(HERE, THERE, UDP, with_checksum(UDP, unfinished, 6))
    assert offload.with_udp_checksum(ipv6(HERE, THERE, UDP, unfinished)) == whole
    for other in (ipv6(HERE, THERE, TCP, unfinished), whole[:47]):
        assert offload.with_udp_checksum(other) == other
