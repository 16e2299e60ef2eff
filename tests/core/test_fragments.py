"""Packets in pieces (RFC 8200 §4.5, RFC 5722, RFC 6946)."""

from ipaddress import IPv6Address

import pytest
from tests.support.octets import (
    DESTINATION_OPTIONS,
    FRAGMENT,
    HOP_BY_HOP,
    IPV6,
    NONE,
    ROUTING,
    UDP,
    home_address_option,
    ipv6,
    options,
    routing,
    udp,
)

from mip6.core.events import Dropped
from mip6.core.fragments import (
    PACKETS_MAX,
    PIECES_MAX,
    SOURCE_MAX,
    Reassembly,
    out_of_tunnel,
    split,
)

HERE, THERE = "2001:db8:b::1", "2001:db8:a::1"
INNER = ipv6("2001:db8:a::100", "2001:db8:c::1", UDP, udp(bytes(range(256)) * 5)[:1240])
WHOLE = ipv6(HERE, THERE, IPV6, INNER, traffic_class=0xB8, flow_label=7, hop_limit=9)


def piece(
    offset: int,
    part: bytes,
    *,
    more: bool = True,
    number: int = 1,
    source: str = HERE,
    marks: int = 0,
) -> bytes:
    head = bytes([IPV6, 0]) + (offset | more).to_bytes(2) + number.to_bytes(4)
    return ipv6(source, THERE, FRAGMENT, head + part, traffic_class=marks)


def put_together(pieces: list[bytes]) -> bytes | Dropped | None:
    reassembly = Reassembly()
    *earlier, last = [reassembly.add(octets, 0.0) for octets in pieces]
    assert earlier == [None] * len(earlier)
    assert len(reassembly) == 0
    return last


def reason(answer: bytes | Dropped | None) -> str:
    assert isinstance(answer, Dropped)
    assert answer.section == "RFC 8200 4.5"
    assert answer.source == IPv6Address(HERE)
    return answer.reason


# Cut up


def test_a_tunnels_packet_is_cut_in_two() -> None:
    first, second = split(WHOLE, 1280, 0xABCD)
    assert first == ipv6(
        HERE,
        THERE,
        FRAGMENT,
        bytes([IPV6, 0]) + (1).to_bytes(2) + (0xABCD).to_bytes(4) + INNER[:1232],
        traffic_class=0xB8,
        flow_label=7,
        hop_limit=9,
    )
    assert second[40:48] == bytes([IPV6, 0]) + (1232).to_bytes(2) + b"\0\0\xab\xcd"
    assert second[48:] == INNER[1232:]
    assert [len(octets) for octets in (first, second)] == [1280, 48 + 48]


@pytest.mark.parametrize("mtu", [1280, 1281, 1287, 1288, 1319])
def test_pieces_fit_and_make_the_packet_again(mtu: int) -> None:
    pieces = split(WHOLE, mtu, 5)
    assert all(len(octets) <= mtu for octets in pieces)
    assert put_together(pieces) == WHOLE
    assert put_together(pieces[::-1]) == WHOLE


@pytest.mark.parametrize(
    ("first", "headers"),
    [
        (DESTINATION_OPTIONS, home_address_option(UDP, "2001:db8:a::100")),
        (ROUTING, routing(UDP, "2001:db8:a::100")),
        (
            HOP_BY_HOP,
            options(ROUTING)
            + routing(DESTINATION_OPTIONS, "2001:db8:a::100")
            + home_address_option(UDP, "2001:db8:a::200"),
        ),
    ],
    ids=["option", "routing", "all"],
)
def test_headers_of_the_direct_way_stand_in_each_piece(
    first: int, headers: bytes
) -> None:
    """The Home Address option before the Fragment header (RFC 6275 §6.3)."""
    payload = bytes(range(248)) * 5
    packet = ipv6(HERE, THERE, first, headers + payload)
    pieces = split(packet, 1280, 5)
    at = 40 + len(headers)
    # The octet that names what follows: the first of the last of these headers.
    field = at - 24
    assert len(pieces) == 2
    data = b""
    for number, octets in enumerate(pieces):
        assert octets[field] == FRAGMENT
        assert octets[6] == first
        assert octets[40:field] + bytes([UDP]) + octets[field + 1 : at] == headers
        last = number == len(pieces) - 1
        assert octets[at] == UDP
        assert int.from_bytes(octets[at + 2 : at + 4]) == len(data) | (not last)
        assert int.from_bytes(octets[4:6]) == len(octets) - 40 <= 1240
        data += octets[at + 8 :]
    assert data == payload


@pytest.mark.parametrize("more", [0, 1])
def test_a_piece_is_cut_further(more: int) -> None:
    """Which a sender's own fragments are, with our headers before them."""
    head = home_address_option(FRAGMENT, "2001:db8:a::100")
    fragment = bytes([UDP, 0]) + (2464 | more).to_bytes(2) + (77).to_bytes(4)
    packet = ipv6(HERE, THERE, DESTINATION_OPTIONS, head + fragment + bytes(1232))
    pieces = split(packet, 1280, 5)
    words = [int.from_bytes(octets[66:68]) for octets in pieces]
    assert words == [2464 | 1, 2464 + 1208 | more]
    assert {octets[64:66] + octets[68:72] for octets in pieces} == {
        bytes([UDP, 0]) + (77).to_bytes(4)
    }
    assert sum(len(octets) - 72 for octets in pieces) == 1232


@pytest.mark.parametrize("more", [0, 1])
def test_what_is_reserved_is_not_looked_at(more: int) -> None:
    """RFC 8200 §4.5: an octet, and two bits; they are sent as zero."""
    word = (2472 | 6 | more).to_bytes(2)
    fragment = bytes([UDP, 0xFF]) + word + (0x01020304).to_bytes(4)
    pieces = split(ipv6(HERE, THERE, FRAGMENT, fragment + bytes(1240)), 1280, 5)
    assert [octets[40:48] for octets in pieces] == [
        bytes([UDP, 0]) + word.to_bytes(2) + (0x01020304).to_bytes(4)
        for word in (2472 | 1, 2472 + 1232 | more)
    ]
    first = piece(0, bytes(8))
    last = piece(8, b"x", more=False)
    last = last[:41] + b"\xff" + last[42:43] + bytes([last[43] | 6]) + last[44:]
    assert put_together([first, last]) == ipv6(HERE, THERE, IPV6, bytes(8) + b"x")


def test_pieces_that_are_full() -> None:
    packet = ipv6(HERE, THERE, IPV6, bytes(range(154)) * 16)
    pieces = split(packet, 1280, 5)
    assert [len(octets) for octets in pieces] == [1280, 1280]
    assert [octets[43] & 1 for octets in pieces] == [1, 0]


# Put together


def test_what_comes_twice_counts_once() -> None:
    first, second = split(WHOLE, 1280, 5)
    assert put_together([first, first, second]) == WHOLE


def test_packets_do_not_mix() -> None:
    other = ipv6(HERE, THERE, IPV6, INNER[:40] + bytes(1240))
    reassembly = Reassembly()
    one, two = split(WHOLE, 1280, 5), split(other, 1280, 6)
    assert reassembly.add(one[0], 0.0) is None
    assert reassembly.add(two[0], 0.0) is None
    assert len(reassembly) == 2
    assert reassembly.add(two[1], 0.0) == other
    assert reassembly.add(one[1], 0.0) == WHOLE


@pytest.mark.parametrize("at", [8, 23, 24, 39, 44, 47])
def test_pieces_of_others(at: int) -> None:
    """RFC 8200 §4.5: addresses and identification say whose a piece is."""
    first, last = piece(0, bytes(8)), piece(8, b"x", more=False)
    other = last[:at] + bytes([last[at] ^ 1]) + last[at + 1 :]
    reassembly = Reassembly()
    assert reassembly.add(first, 0.0) is None
    assert reassembly.add(other, 0.0) is None
    assert len(reassembly) == 2
    assert reassembly.add(last, 0.0) is not None


def test_what_follows_is_as_the_first_piece_says() -> None:
    first, last = piece(0, bytes(8)), piece(8, b"x", more=False)
    last = last[:40] + bytes([UDP]) + last[41:]
    assert put_together([last, first]) == ipv6(HERE, THERE, IPV6, bytes(8) + b"x")


def test_a_last_piece_may_be_empty() -> None:
    pieces = [piece(0, bytes(8)), piece(8, b"", more=False)]
    assert put_together(pieces) == ipv6(HERE, THERE, IPV6, bytes(8))


def test_a_piece_that_is_all_there_is() -> None:
    """RFC 6946: whatever else has its identification."""
    reassembly = Reassembly()
    assert reassembly.add(piece(0, bytes(8)), 0.0) is None
    wanted = ipv6(HERE, THERE, IPV6, b"abc")
    assert reassembly.add(piece(0, b"abc", more=False), 0.0) == wanted
    assert len(reassembly) == 1


@pytest.mark.parametrize(
    "octets",
    [
        piece(0, b"seven.."),
        piece(0, b""),
        piece(0xFFF8, bytes(8), more=False),
        piece(8, b"")[:47],
        piece(8, bytes(8))[:55],
        piece(8, bytes(8), more=False)[:55],
        piece(0, b"")[:4] + b"\0\0" + piece(0, b"")[6:],
    ],
    ids=["no multiple", "empty", "beyond", "no header", "cut off", "last", "says less"],
)
def test_pieces_that_cannot_be(octets: bytes) -> None:
    reassembly = Reassembly()
    assert reason(reassembly.add(octets, 0.0)) == "fragment_length"
    assert len(reassembly) == 0


@pytest.mark.parametrize(
    "pieces",
    [
        [piece(0, bytes(16)), piece(8, bytes(8)), piece(24, b"x", more=False)],
        [piece(0, bytes(8)), piece(0, bytes(16))],
        [piece(8, bytes(8)), piece(16, bytes(8)), piece(8, b"12345678", more=False)],
        [piece(0, bytes(8)), piece(16, bytes(8)), piece(8, bytes(8), more=False)],
    ],
    ids=["begins inside", "begins with it", "ends before", "reaches beyond"],
)
def test_pieces_that_overlap_throw_the_packet_away(pieces: list[bytes]) -> None:
    assert reason(put_together(pieces)) == "fragments_overlap"


def test_too_many_pieces() -> None:
    reassembly = Reassembly()
    for number in range(PIECES_MAX):
        assert reassembly.add(piece(8 * number, bytes(8)), 0.0) is None
    one_more = piece(8 * PIECES_MAX, bytes(8))
    assert reason(reassembly.add(one_more, 0.0)) == "fragments_max"
    assert len(reassembly) == 0


def test_the_longest_packet() -> None:
    octets = ipv6(HERE, THERE, IPV6, bytes(0xFFFF))
    pieces = split(octets, 1280, 5)
    assert len(pieces) <= PIECES_MAX
    assert put_together(pieces) == octets


def test_pieces_are_forgotten_in_time() -> None:
    first, second = split(WHOLE, 1280, 5)
    reassembly = Reassembly()
    reassembly.add(first, 0.0)
    assert reassembly.add(second, 59.9) == WHOLE, "RFC 8200 §4.5: 60 seconds"
    reassembly.add(first, 100.0)
    reassembly.add(piece(0, bytes(8), number=9), 101.0)
    assert reassembly.add(second, 160.0) is None
    assert len(reassembly) == 2
    reassembly.add(piece(0, bytes(8), number=8), 260.0)
    assert len(reassembly) == 1


def test_one_source_takes_no_place_from_others() -> None:
    reassembly = Reassembly()
    first, second = split(WHOLE, 1280, 5)
    reassembly.add(first, 0.0)
    for number in range(1000):
        other = piece(0, bytes(8), number=number, source="2001:db8:e::1")
        reassembly.add(other, 0.0)
        assert len(reassembly) <= SOURCE_MAX + 1
    assert reassembly.add(second, 0.0) == WHOLE


def test_the_room_of_a_source_is_its_own_again() -> None:
    reassembly = Reassembly()
    for _ in range(2):
        pieces = [
            (piece(0, bytes(8), number=n), piece(8, b"", more=False, number=n))
            for n in range(SOURCE_MAX)
        ]
        for first, _ in pieces:
            assert reassembly.add(first, 0.0) is None
        assert len(reassembly) == SOURCE_MAX
        for _, last in pieces:
            assert isinstance(reassembly.add(last, 0.0), bytes)
    for number in range(SOURCE_MAX + 5):
        reassembly.add(piece(0, bytes(8), number=number), 0.0)
    assert len(reassembly) == SOURCE_MAX


def test_there_are_so_many_packets_at_most() -> None:
    reassembly = Reassembly()
    first, second = split(WHOLE, 1280, 5)
    reassembly.add(first, 0.0)
    for number in range(PACKETS_MAX + 10):
        source = str(IPv6Address("2001:db8:e::") + number)
        reassembly.add(piece(0, bytes(8), source=source), 0.0)
        assert len(reassembly) <= PACKETS_MAX
    assert reassembly.add(second, 0.0) is None, "the oldest went"
    assert len(reassembly) == PACKETS_MAX


# Out of the tunnel


@pytest.mark.parametrize("marks", [(2, 2), (1, 1), (0, 0), (2, 1)])
def test_pieces_without_congestion(marks: tuple[int, int]) -> None:
    first, second = (
        piece(0, bytes(8), marks=marks[0]),
        piece(8, b"x", more=False, marks=marks[1]),
    )
    whole = put_together([second, first])
    assert whole == ipv6(HERE, THERE, IPV6, bytes(8) + b"x", traffic_class=marks[0])


@pytest.mark.parametrize("congested", [0, 1])
def test_one_congested_piece_is_a_congested_packet(congested: int) -> None:
    pieces = [
        piece(0, bytes(8), marks=3 if congested == 0 else 2),
        piece(8, b"x", more=False, marks=3 if congested == 1 else 2),
    ]
    whole = put_together(pieces)
    assert whole == ipv6(HERE, THERE, IPV6, bytes(8) + b"x", traffic_class=3)


@pytest.mark.parametrize(
    ("outside", "inside", "wanted"),
    [
        (0, 0, 0),
        (1, 0, 0),
        (2, 0, 0),
        (3, 0, None),
        (0, 1, 1),
        (2, 1, 1),
        (3, 1, 3),
        (0, 2, 2),
        (1, 2, 1),
        (2, 2, 2),
        (3, 2, 3),
        (0, 3, 3),
        (1, 3, 3),
        (3, 3, 3),
    ],
)
def test_congestion_marks_come_out(
    outside: int, inside: int, wanted: int | None
) -> None:
    """RFC 6040 §4.2."""

    def inner(mark: int) -> bytes:
        return ipv6(
            HERE, THERE, UDP, udp(), traffic_class=0xBC | mark, flow_label=0xF0003
        )

    outer = ipv6(THERE, HERE, IPV6, inner(inside), traffic_class=outside)
    assert out_of_tunnel(outer) == (None if wanted is None else inner(wanted))


def test_a_packet_of_nothing_but_its_header() -> None:
    alone = ipv6(HERE, THERE, NONE)
    assert out_of_tunnel(ipv6(THERE, HERE, IPV6, alone)) == alone


@pytest.mark.parametrize(
    "octets",
    [
        ipv6(HERE, THERE, UDP, udp(bytes(40))),
        ipv6(HERE, THERE, UDP, INNER),
        ipv6(HERE, THERE, IPV6, INNER[:39]),
        ipv6(HERE, THERE, IPV6, b"\x45" + INNER[1:]),
        ipv6(HERE, THERE, NONE),
    ],
    ids=["no tunnel", "another", "cut off", "IPv4", "nothing"],
)
def test_what_is_no_tunnels_packet(octets: bytes) -> None:
    assert out_of_tunnel(octets) is None
