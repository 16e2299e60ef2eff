"""Headers as bpf/in.h and bpf/out.h read and write them, said once more in Python."""

from ipaddress import IPv6Address

from mip6.wire.buffer import Reader, WireError
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import HEADER, HomeAddressOption
from mip6.wire.record import record

EXTENSIONS = (
    NextHeader.HOP_BY_HOP_OPTIONS,
    NextHeader.DESTINATION_OPTIONS,
    NextHeader.ROUTING,
)
HEADERS_MAX = 4
OPTIONS_MAX = 8
HOP_BY_HOP_MAX = 64
NEIGHBOR_DISCOVERY = range(133, 138)
SKIPPED_OPTION, SKIPPED_ROUTING = b"\x1e", b"\xfd\0"
NOT_CAPABLE, ECT_1, ECT_0, CONGESTED = range(4)


@record
class Chain:
    """What the extension headers come to."""

    offset: int
    next_header: int
    option: int = 0
    """Where the Home Address option is; 0: nowhere."""
    routing: int = 0
    """The same of the type 2 routing header."""
    odd: bool = False


@record
class Inside:
    """A packet without its Home Address option and routing header."""

    source: IPv6Address
    destination: IPv6Address
    removable: int
    """Octets of these two right behind the IPv6 header, 0: they are elsewhere."""
    next_header: int
    misrouted: bool
    odd: bool


def with_marks(out: int, inner: bytes) -> bytes | None:
    """RFC 6040 figure 4; None: the combination is dropped."""
    within = inner[1] >> 4 & 3
    if within == NOT_CAPABLE:
        return None if out == CONGESTED else inner
    if out == CONGESTED or (within == ECT_0 and out == ECT_1):
        return inner[:1] + bytes([inner[1] & 0xCF | out << 4]) + inner[2:]
    return inner


def encapsulated(octets: bytes, near: IPv6Address, far: IPv6Address) -> bytes:
    """Behind an outer header with the same first word, whatever its version."""
    ends = near.packed + far.packed
    rest = len(octets).to_bytes(2) + bytes([NextHeader.IPV6, 64])
    return octets[:4] + rest + ends + octets


def may_go_directly(octets: bytes, before: int, next_header: int) -> bool:
    never = (*EXTENSIONS, NextHeader.MOBILITY, NextHeader.AUTHENTICATION)
    type_ = octets[before : before + 1]
    return (
        before - HEADER.size <= HOP_BY_HOP_MAX
        and next_header not in never
        and not (
            next_header == NextHeader.ICMPV6
            and type_
            and type_[0] in NEIGHBOR_DISCOVERY
        )
    )


def with_headers(
    octets: bytes, before: int, here: IPv6Address | None, there: IPv6Address | None
) -> bytes:
    """From `here` with a Home Address option, to `there` with a routing header, put
    in at `before`."""
    size = HEADER.size
    source, destination = octets[8:24], octets[24:40]
    at = 6 if before == size else size  # who says what follows
    following, added = octets[at], b""
    if here:
        padding_and_option = b"\1\2\0\0\xc9\x10"
        added = bytes([following, 2]) + padding_and_option + source
        source, following = here.packed, int(NextHeader.DESTINATION_OPTIONS)
    if there:
        head = bytes([following, 2, 2, 1]) + bytes(4)
        added = head + destination + added
        destination, following = there.packed, int(NextHeader.ROUTING)
    front = bytearray(octets[:8] + source + destination + octets[size:before])
    front[4:6] = (len(octets) - size + len(added)).to_bytes(2)
    front[at] = following
    return bytes(front) + added + octets[before:]


def look_inside(octets: bytes, chain: Chain) -> Inside:
    """Raises `WireError` where the packet ends too early."""

    def header(at: int) -> bytes:
        if at + 24 > len(octets):
            raise WireError("truncated", len(octets))
        return octets[at : at + 24]

    source, destination = octets[8:24], octets[24:40]
    behind, next_header, misrouted = HEADER.size, octets[6], False
    after = (*EXTENSIONS, NextHeader.AUTHENTICATION)
    odd = chain.odd or chain.next_header in after
    if chain.routing:
        found = header(chain.routing)
        misrouted = (found[1], found[3]) != (2, 1)
        destination, next_header = found[8:], found[0]
        behind = behind + 24 if chain.routing == behind else 0
    if chain.option:
        found = header(chain.option - 6)
        odd = odd or found[7] != 16
        source, next_header = found[8:], found[0]
        exact = behind and chain.option == behind + 6 and found[1] == 2
        behind = behind + 24 if exact else 0
    return Inside(
        IPv6Address(source),
        IPv6Address(destination),
        behind - HEADER.size if behind else 0,
        next_header,
        misrouted,
        odd,
    )


def stripped(octets: bytes, chain: Chain, inside: Inside) -> bytes:
    length = int.from_bytes(octets[4:6])
    made = bytearray(octets)
    made[8:40] = inside.source.packed + inside.destination.packed
    if inside.removable and length >= inside.removable:
        made[4:6] = (length - inside.removable).to_bytes(2)
        made[6] = inside.next_header
        del made[HEADER.size : HEADER.size + inside.removable]
        return bytes(made)
    if chain.routing:
        made[chain.routing + 2 : chain.routing + 4] = SKIPPED_ROUTING
    if chain.option:
        made[chain.option : chain.option + 1] = SKIPPED_OPTION
    return bytes(made)


def follow(octets: bytes, offset: int, next_header: int) -> Chain:
    """Raises `WireError` where the packet ends too early, or a routing header is none
    of Mobile IPv6."""
    option = routing = 0
    odd = False
    for _ in range(HEADERS_MAX):
        if next_header not in EXTENSIONS:
            break
        reader = Reader(octets)
        reader.octets(min(offset, reader.end))
        following, length, type_, *_ = reader.octets(8)
        end = offset + 8 + 8 * length
        if next_header == NextHeader.ROUTING:
            if type_ != 2:
                raise WireError("routing_header_unknown", offset + 2)
            odd = odd or bool(option or routing)
            routing = offset
        elif next_header == NextHeader.DESTINATION_OPTIONS:
            found = find_option(octets, offset + 2, end)
            if found:
                odd, option = odd or bool(option), found
        next_header, offset = following, end
    return Chain(offset, next_header, option, routing, odd)


def find_option(octets: bytes, offset: int, end: int) -> int:
    """Where the Home Address option is; 0: nowhere."""
    for _ in range(OPTIONS_MAX):
        if offset + 2 > min(end, len(octets)):
            return 0
        type_, length = octets[offset : offset + 2]
        if type_ == HomeAddressOption.TYPE:
            return offset
        offset += 1 if type_ == 0 else 2 + length
    return 0


def is_signalling(octets: bytes, chain: Chain) -> bool:
    if chain.next_header == NextHeader.MOBILITY:
        return True
    type_ = octets[chain.offset : chain.offset + 1]
    return chain.next_header == NextHeader.ICMPV6 and type_ in AGENT_DISCOVERY


AGENT_DISCOVERY = [bytes([type_]) for type_ in range(144, 148)]
