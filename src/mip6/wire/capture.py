"""Captured frames: the files of tcpdump and Wireshark, pcap and pcapng.

Formats are those of draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng, link types
those of the tcpdump registry.  Only IPv6 is looked for; frames of other protocols are
counted, so that numbers agree with other programs.
"""

from collections.abc import Iterator
from struct import Struct

from .buffer import Reader, WireError
from .record import record

PCAP_MAGICS = {
    bytes.fromhex("a1b2c3d4"): (">", 10**6),
    bytes.fromhex("d4c3b2a1"): ("<", 10**6),
    bytes.fromhex("a1b23c4d"): (">", 10**9),
    bytes.fromhex("4d3cb2a1"): ("<", 10**9),
}
"""Byte order, and fractions in a second, by the first octets of a pcap file."""

SECTION_HEADER = bytes.fromhex("0a0d0d0a")
"""The first octets of a pcapng file, in either byte order."""
SECTION_ORDERS = {bytes.fromhex("1a2b3c4d"): ">", bytes.fromhex("4d3c2b1a"): "<"}
INTERFACE_DESCRIPTION = 1
SIMPLE_PACKET = 3
ENHANCED_PACKET = 6
TIME_RESOLUTION = 9
TIME_OFFSET = 14
"""The two options of an interface that its times need."""

ETHERNET = 1
RAW = (12, 14, 101, 228, 229)
"""Packets without a link's header, of whichever IP version."""
LINUX_COOKED = 113
LINUX_COOKED_2 = 276

ETHERTYPE = Struct(">H")
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPES_VLAN = (0x8100, 0x88A8, 0x9100)
"""A tag of 4 octets, then the real type (IEEE 802.1Q)."""


@record
class Frame:
    """One captured frame."""

    number: int
    """Its place in the file, counted from 1."""
    at: float
    """Seconds since 1970; 0 where the file does not say."""
    link_type: int
    octets: bytes
    """As much of it as was captured, from the link's header on."""
    length: int
    """Octets on the wire."""

    @property
    def cut(self) -> bool:
        """Whether the capture kept only its beginning."""
        return len(self.octets) < self.length


def read_capture(octets: bytes) -> Iterator[Frame]:
    """The frames of a whole file, pcap or pcapng, one by one.

    Raises `WireError`: "not_a_capture"; and, behind the frames that could be read,
    "truncated", "interface" or "block_length", the offset counted in the file.
    """
    if octets[:4] in PCAP_MAGICS:
        return _read_pcap(octets)
    if octets[:4] == SECTION_HEADER:
        return _read_pcapng(octets)
    raise WireError("not_a_capture", 0)


def _read_pcap(octets: bytes) -> Iterator[Frame]:
    order, fractions = PCAP_MAGICS[octets[:4]]
    reader = Reader(octets)
    # Magic, version, two fields nobody uses, longest frame, link type.
    *_, link_type = reader.unpack(Struct(order + "4xHH4x4xII"))
    record = Struct(order + "IIII")
    number = 0
    while reader.position < reader.end:
        seconds, fraction, captured, length = reader.unpack(record)
        number += 1
        yield Frame(
            number=number,
            at=seconds + fraction / fractions,
            link_type=link_type & 0xFFFF,  # above: how long checksums of frames are
            octets=reader.octets(captured),
            length=length,
        )


@record
class _Interface:
    link_type: int
    captured_max: int
    """Octets kept of each frame; 0 is all."""
    fractions: int
    """In a second."""
    offset: int
    """Seconds to add."""


def _read_pcapng(octets: bytes) -> Iterator[Frame]:
    reader = Reader(octets)
    order = ""
    interfaces: list[_Interface] = []
    number = 0
    while reader.position < len(octets):
        start = reader.position
        if reader.octets(4) == SECTION_HEADER:
            reader.octets(4)
            order = SECTION_ORDERS.get(reader.octets(4), "")
            if not order:
                raise WireError("not_a_capture", start + 8)
            interfaces = []  # each section numbers its own
        reader.position = start
        type_, length = reader.unpack(Struct(order + "II"))
        if length < 12 or length % 4:
            raise WireError("block_length", start + 4)
        block = Reader(octets)
        block.position = reader.position
        block.end = start + length - 4
        reader.octets(length - 8)
        if type_ == INTERFACE_DESCRIPTION:
            interfaces.append(_read_interface(block, order))
        elif type_ in (ENHANCED_PACKET, SIMPLE_PACKET):
            number += 1
            yield _read_packet_block(block, order, type_, interfaces, number)


def _read_interface(block: Reader, order: str) -> _Interface:
    link_type, captured_max = block.unpack(Struct(order + "H2xI"))
    fractions, offset = 10**6, 0
    option = Struct(order + "HH")
    while block.end - block.position >= option.size:
        code, length = block.unpack(option)
        value = block.octets(length)
        block.octets(min(-length % 4, block.end - block.position))
        if code == TIME_RESOLUTION and length == 1:
            (exponent,) = value
            base = 2 if exponent & 0x80 else 10
            fractions = int(base ** (exponent & 0x7F))
        elif code == TIME_OFFSET and length == 8:
            (offset,) = Struct(order + "q").unpack(value)
    return _Interface(link_type, captured_max, fractions, offset)


def _read_packet_block(
    block: Reader, order: str, type_: int, interfaces: list[_Interface], number: int
) -> Frame:
    start = block.position
    index, high, low = 0, 0, 0
    if type_ == ENHANCED_PACKET:
        index, high, low, captured, length = block.unpack(Struct(order + "5I"))
    else:
        (length,) = block.unpack(Struct(order + "I"))
        captured = min(length, block.end - block.position)
    if index >= len(interfaces):
        raise WireError("interface", start)
    interface = interfaces[index]
    at = 0.0
    if type_ == ENHANCED_PACKET:
        seconds, fraction = divmod(high << 32 | low, interface.fractions)
        at = seconds + interface.offset + fraction / interface.fractions
    elif interface.captured_max:
        captured = min(captured, interface.captured_max)
    return Frame(number, at, interface.link_type, block.octets(captured), length)


def ipv6_in(frame: Frame) -> bytes | None:
    """The IPv6 packet in a frame, with whatever stands behind it; None if there is
    none, or none that can be told from its captured beginning."""
    reader = Reader(frame.octets)
    try:
        if frame.link_type in RAW:
            is_ipv6 = reader.u8() >> 4 == 6
            reader.position = 0
        elif frame.link_type == ETHERNET:
            reader.octets(12)
            is_ipv6 = _is_ipv6(reader)
        elif frame.link_type == LINUX_COOKED:
            reader.octets(14)
            is_ipv6 = _is_ipv6(reader)
        elif frame.link_type == LINUX_COOKED_2:
            is_ipv6 = _is_ipv6(reader)
            reader.octets(18)
        else:
            return None
    except WireError:
        return None
    return reader.rest() if is_ipv6 else None


def _is_ipv6(reader: Reader) -> bool:
    (ethertype,) = reader.unpack(ETHERTYPE)
    while ethertype in ETHERTYPES_VLAN:
        reader.octets(2)
        (ethertype,) = reader.unpack(ETHERTYPE)
    return bool(ethertype == ETHERTYPE_IPV6)
