"""What bpf/mip6.bpf.c is to do with a packet, said once more in Python, from `wire`.

Simple where the program is fast: no budgets (the target gives it endless ones), and
routes always lead to the router.  The tunnels are those that are put into the maps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

from mip6.core.state import End, Tunnel
from mip6.linux.layout import MARK
from mip6.wire.buffer import Reader, WireError
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import HEADER, HomeAddressOption, IPv6Packet, write_packet

PASS, DROP, REDIRECT = -1, 2, 7

EXTENSIONS = (
    NextHeader.HOP_BY_HOP_OPTIONS,
    NextHeader.DESTINATION_OPTIONS,
    NextHeader.ROUTING,
)
OF_INTEREST = (
    *EXTENSIONS,
    NextHeader.IPV6,
    NextHeader.MOBILITY,
    NextHeader.ICMPV6,
    NextHeader.FRAGMENT,
    NextHeader.ESP,
)
HEADERS_MAX = 4
OPTIONS_MAX = 8
REMOVED_MAX = 0xFFF
"""Octets that bpf_skb_adjust_room takes off at once."""
NOT_CAPABLE, ECT_1, ECT_0, CONGESTED = range(4)


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: int
    packet: bytes
    """Nobody sees what is left of one that is dropped: empty then."""
    mark: int = 0
    counted: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """What the extension headers come to."""

    offset: int
    next_header: int
    home_address_option: bool = False
    routing: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    tunnels: Mapping[tuple[End, IPv6Address], Tunnel]
    addresses: frozenset[IPv6Address]
    spis: frozenset[int]
    mtu: int
    now: float

    def out(self, octets: bytes, *, mark: int = 0) -> Outcome:
        """Out of the mobility device."""
        if mark == MARK:
            return Outcome(PASS, octets, mark)
        try:
            first, _, _, _, source, destination = Reader(octets).unpack(HEADER)
        except WireError:
            return Outcome(DROP, b"", mark, "dropped_malformed")
        source, destination = IPv6Address(source), IPv6Address(destination)
        scope = destination.packed[1] & 0xF
        if destination.is_link_local or (destination.is_multicast and scope <= 2):
            return Outcome(DROP, b"", mark, "dropped_link_scope")
        for end, home_address in (
            (End.MOBILE_NODE, source),
            (End.HOME_AGENT, destination),
        ):
            tunnel = self.tunnels.get((end, home_address))
            if tunnel is None or tunnel.inbound_only or tunnel.expires <= self.now:
                continue
            ends = tunnel.care_of_address, tunnel.home_agent
            near, far = ends if end is End.MOBILE_NODE else reversed(ends)
            outer = IPv6Packet(
                source=near,
                destination=far,
                traffic_class=first >> 20 & 0xFF,
                flow_label=first & 0xFFFFF,
                hop_limit=64,
                next_header=NextHeader.IPV6,
                payload=octets,
            )
            written = bytearray(write_packet(outer))
            written[0] = octets[0]  # whatever its version
            whole = bytes(written)
            if len(whole) > self.mtu:
                return Outcome(DROP, b"", mark, "dropped_size")
            return Outcome(REDIRECT, whole, mark, "tunnel_out")
        return Outcome(PASS, octets, mark, "unmatched")

    def arrive(self, octets: bytes) -> Outcome:
        """Into a link."""
        passed = Outcome(PASS, octets)
        reader = Reader(octets)
        try:
            *_, next_header, _, source, destination = reader.unpack(HEADER)
        except WireError:
            return passed
        source, destination = IPv6Address(source), IPv6Address(destination)
        if next_header not in OF_INTEREST:
            return passed
        try:
            chain = follow(octets, reader.position, next_header)
        except WireError:
            return passed
        ours = destination in self.addresses
        unverified = chain.home_address_option or chain.routing
        if chain.next_header == NextHeader.IPV6 and not unverified:
            return self._decapsulated(octets, source, destination, chain)
        if not ours:
            return passed
        if is_signalling(octets, chain):
            return Outcome(REDIRECT, octets, MARK, "signalling")
        if chain.next_header == NextHeader.ESP:
            spi = octets[chain.offset : chain.offset + 4]
            if len(spi) == 4 and int.from_bytes(spi) in self.spis:
                return Outcome(REDIRECT, octets, MARK, "signalling")
            return replace(passed, counted="unknown_spi" if unverified else "")
        if unverified:
            return Outcome(REDIRECT, octets, MARK, "unverified")
        if chain.next_header == NextHeader.FRAGMENT:
            return replace(passed, counted="fragment")
        if chain.next_header in EXTENSIONS:
            return replace(passed, counted="too_many_headers")
        return passed

    def _decapsulated(
        self, octets: bytes, source: IPv6Address, destination: IPv6Address, chain: Chain
    ) -> Outcome:
        passed = Outcome(PASS, octets)
        inner = octets[chain.offset :]
        try:
            first, _, next_header, _, origin, target = Reader(inner).unpack(HEADER)
        except WireError:
            return passed
        if first >> 28 != 6:
            return passed
        origin, target = IPv6Address(origin), IPv6Address(target)
        ours = destination in self.addresses
        if (
            next_header in OF_INTEREST
            and next_header != NextHeader.IPV6
            and ours
            and target in self.addresses
            and _holds_signalling(inner, next_header)
        ):
            return Outcome(REDIRECT, octets, MARK, "signalling")
        reason = "not_ours"
        tunnel = self.tunnels.get((End.MOBILE_NODE, target))
        if tunnel is not None:
            reason = self._refused(tunnel, destination, source)
        tunnel = self.tunnels.get((End.HOME_AGENT, origin))
        if reason and tunnel is not None:
            reason = self._refused(tunnel, source, destination)
        if reason == "not_ours":
            return replace(passed, counted="unknown_tunnel" if ours else "")
        if reason and not ours:  # somebody else's tunnel may pass through here
            return passed
        if reason:
            return Outcome(DROP, b"", 0, reason)
        out, within = octets[1] >> 4 & 3, inner[1] >> 4 & 3
        if within == NOT_CAPABLE and out == CONGESTED:
            return Outcome(DROP, b"", 0, "dropped_congestion")
        if within != NOT_CAPABLE and (
            out == CONGESTED or (within == ECT_0 and out == ECT_1)
        ):
            inner = inner[:1] + bytes([inner[1] & 0xCF | out << 4]) + inner[2:]
        if chain.offset > REMOVED_MAX:
            return Outcome(DROP, b"", 0, "dropped_header")
        return Outcome(REDIRECT, inner, 0, "tunnel_in")

    def _refused(
        self, tunnel: Tunnel, care_of_address: IPv6Address, home_agent: IPv6Address
    ) -> str:
        if home_agent != tunnel.home_agent:
            return "dropped_home_agent"
        in_grace = tunnel.previous_until > self.now
        if care_of_address != tunnel.care_of_address and not (
            in_grace and care_of_address == tunnel.previous
        ):
            return "dropped_care_of_address"
        return "" if tunnel.expires > self.now else "dropped_expired"


def follow(octets: bytes, offset: int, next_header: int) -> Chain:
    """Raises `WireError` where the packet ends too early, or a routing header is none
    of Mobile IPv6."""
    option = routing = False
    for _ in range(HEADERS_MAX):
        if next_header not in EXTENSIONS:
            break
        reader = Reader(octets)
        reader.octets(min(offset, reader.end))
        following, length, type_, _ = reader.octets(4)
        end = offset + 8 + 8 * length
        if next_header == NextHeader.ROUTING:
            if type_ != 2:
                raise WireError("routing_header_unknown", offset + 2)
            routing = True
        if next_header == NextHeader.DESTINATION_OPTIONS:
            option |= has_home_address_option(octets, offset + 2, end)
        next_header, offset = following, end
    return Chain(offset, next_header, option, routing)


def has_home_address_option(octets: bytes, offset: int, end: int) -> bool:
    for _ in range(OPTIONS_MAX):
        if offset + 2 > min(end, len(octets)):
            return False
        type_, length = octets[offset : offset + 2]
        if type_ == HomeAddressOption.TYPE:
            return True
        offset += 1 if type_ == 0 else 2 + length
    return False


def is_signalling(octets: bytes, chain: Chain) -> bool:
    if chain.next_header == NextHeader.MOBILITY:
        return True
    type_ = octets[chain.offset : chain.offset + 1]
    return chain.next_header == NextHeader.ICMPV6 and type_ in AGENT_DISCOVERY


AGENT_DISCOVERY = [bytes([type_]) for type_ in range(144, 148)]


def _holds_signalling(inner: bytes, next_header: int) -> bool:
    try:
        return is_signalling(inner, follow(inner, HEADER.size, next_header))
    except WireError:
        return False


def by_key(tunnels: Iterable[Tunnel]) -> dict[tuple[End, IPv6Address], Tunnel]:
    return {(tunnel.end, tunnel.home_address): tunnel for tunnel in tunnels}
