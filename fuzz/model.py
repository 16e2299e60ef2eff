"""What bpf/mip6.bpf.c is to do with a packet, said once more in Python, from `wire`.

Simple where the program is fast: no budgets (the target gives it endless ones), and
routes always lead to the router.  The states are those that are put into the maps.
"""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv6Address

from fuzz.headers import (
    EXTENSIONS,
    Chain,
    Inside,
    encapsulated,
    follow,
    is_signalling,
    look_inside,
    may_go_directly,
    stripped,
    with_headers,
    with_marks,
)
from mip6.core.state import End, RouteOptimization, Tunnel
from mip6.linux.layout import COUNTERS, MARK, MARK_LONG
from mip6.wire.buffer import Reader, WireError
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import HEADER
from mip6.wire.record import record

PASS, DROP, REDIRECT = -1, 2, 7

OF_INTEREST = (
    *EXTENSIONS,
    NextHeader.IPV6,
    NextHeader.MOBILITY,
    NextHeader.ICMPV6,
    NextHeader.FRAGMENT,
    NextHeader.ESP,
)
REPORTS = (b"\x83", b"\x84", b"\x8f")
"""Types of MLD that say what their sender listens to (RFC 3810 §5)."""
LENGTH_MIN = 1280
"""No sender is told to send less."""
REMOVED_MAX = 0xFFF
"""Octets that bpf_skb_adjust_room takes off at once."""
State = Tunnel | RouteOptimization


@record
class Outcome:
    verdict: int
    packet: bytes
    """Nobody sees what is left of one that is dropped: empty then."""
    mark: int = 0
    counted: str = ""


@record
class Model:
    tunnels: Mapping[tuple[End, IPv6Address], Tunnel]
    ways: Mapping[tuple[End, IPv6Address, IPv6Address], RouteOptimization]
    addresses: frozenset[IPv6Address]
    spis: frozenset[int]
    mtu: int
    now: float

    def out(self, octets: bytes, *, mark: int = 0) -> Outcome:
        """Out of the mobility device."""
        if mark in (MARK, MARK_LONG):
            return Outcome(PASS, octets, mark)

        try:
            _, _, next_header, _, *ends = Reader(octets).unpack(HEADER)
        except WireError:
            return Outcome(DROP, b"", mark, "dropped_malformed")
        source, destination = map(IPv6Address, ends)
        before = HEADER.size  # of what is not ours to put anything in front of
        if next_header == NextHeader.HOP_BY_HOP_OPTIONS:
            if len(octets) < before + 2:
                return Outcome(DROP, b"", mark, "dropped_malformed")
            next_header = octets[before]
            before += 8 + 8 * octets[before + 1]
        scope = destination.packed[1] & 0xF
        if (
            destination.is_multicast
            and next_header == NextHeader.ICMPV6
            and octets[before : before + 1] in REPORTS
        ):
            # What processes join on the device: a mobile node's daemon is told.
            return Outcome(PASS, octets, mark, "unmatched")
        if destination.is_link_local or (destination.is_multicast and scope <= 2):
            return Outcome(DROP, b"", mark, "dropped_link_scope")
        possible = may_go_directly(octets, before, next_header)
        return self._on_its_way(octets, source, destination, before, possible, mark)

    def _on_its_way(
        self,
        octets: bytes,
        source: IPv6Address,
        destination: IPv6Address,
        before: int,
        possible: bool,
        mark: int,
    ) -> Outcome:
        here = self._open_way(End.MOBILE_NODE, source, destination)
        there = self._open_way(End.CORRESPONDENT, destination, source)
        counts = ["indirect"] if (here or there) and not possible else []
        home = self.tunnels.get((End.MOBILE_NODE, source))
        served = self.tunnels.get((End.HOME_AGENT, destination))
        if here and possible:
            return self._sent_directly(octets, before, here, there, mark)
        if home is not None and self._is_open(home):
            whole = encapsulated(octets, home.care_of_address, home.home_agent)
            return self._sent(whole, mark, counts, len(octets))
        if home is None and there and possible:
            return self._sent_directly(octets, before, None, there, mark)
        if served is not None and self._is_open(served):
            if possible and source == served.home_agent:
                return self._sent_directly(octets, before, None, served, mark)
            whole = encapsulated(octets, served.home_agent, served.care_of_address)
            return self._sent(whole, mark, counts, len(octets))
        routed = not destination.is_multicast and not (
            source.is_link_local or source.is_multicast
        )
        if home is None and routed and len(octets) <= self.mtu:
            return Outcome(REDIRECT, octets, mark, counted(*counts, "native"))
        return Outcome(PASS, octets, mark, counted(*counts, "unmatched"))

    def _sent_directly(
        self,
        octets: bytes,
        before: int,
        here: State | None,
        there: State | None,
        mark: int,
    ) -> Outcome:
        if before > len(octets):
            return Outcome(DROP, b"", mark, "dropped_header")
        whole = with_headers(
            octets,
            before,
            here.care_of_address if here else None,
            there.care_of_address if there else None,
        )
        return self._sent(whole, mark, [], len(octets), "direct_out")

    def _sent(
        self,
        whole: bytes,
        mark: int,
        counts: list[str],
        length: int,
        how: str = "tunnel_out",
    ) -> Outcome:
        """length: without our headers."""
        if len(whole) > self.mtu and length <= LENGTH_MIN:
            return Outcome(PASS, whole, MARK_LONG, counted(*counts, "long_out"))
        if len(whole) > self.mtu:
            return Outcome(DROP, b"", mark, counted(*counts, "dropped_size"))
        return Outcome(REDIRECT, whole, mark, counted(*counts, how))

    def _is_open(self, state: State) -> bool:
        return not state.inbound_only and state.expires > self.now

    def _open_way(
        self, end: End, home_address: IPv6Address, correspondent: IPv6Address
    ) -> RouteOptimization | Tunnel | None:
        way = self.ways.get((end, home_address, correspondent))
        return way if way is not None and self._is_open(way) else None

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
        wrapped = chain.option or chain.routing
        if chain.next_header == NextHeader.IPV6 and not wrapped:
            return self._decapsulated(octets, source, destination, chain)
        if is_signalling(octets, chain):
            return Outcome(REDIRECT, octets, MARK, "signalling") if ours else passed
        if chain.next_header == NextHeader.ESP and ours:
            spi = octets[chain.offset : chain.offset + 4]
            if len(spi) == 4 and int.from_bytes(spi) in self.spis:
                return Outcome(REDIRECT, octets, MARK, "signalling")
        if wrapped:
            return self._directly(octets, source, destination, chain)
        following = octets[HEADER.size : HEADER.size + 1]
        if (
            ours
            and next_header == NextHeader.FRAGMENT
            and following == bytes([NextHeader.IPV6])
            and self.tunnels
        ):
            return Outcome(REDIRECT, octets, MARK_LONG, "long_in")
        if ours and chain.next_header == NextHeader.FRAGMENT:
            return replace(passed, counted="fragment")
        if ours and chain.next_header in EXTENSIONS:
            return replace(passed, counted="too_many_headers")
        return passed

    def _directly(
        self, octets: bytes, source: IPv6Address, destination: IPv6Address, chain: Chain
    ) -> Outcome:
        passed = Outcome(PASS, octets)
        ours = destination in self.addresses
        try:
            inside = look_inside(octets, chain)
        except WireError:
            return passed
        if chain.routing and (
            inside.misrouted
            or not self._is_at(inside.destination, destination, inside.source)
        ):
            dropped = Outcome(DROP, b"", 0, "dropped_routing_header")
            return dropped if ours else passed
        if inside.odd or (
            chain.option
            and not self._is_bound(inside.source, inside.destination, source)
        ):
            if not ours:
                return passed
            if chain.next_header == NextHeader.ESP:
                return replace(passed, counted="unknown_spi")
            return Outcome(REDIRECT, octets, MARK, "unverified")
        there = (End.HOME_AGENT, inside.source) in self.tunnels or chain.routing
        taken = stripped(octets, chain, inside)
        return Outcome(REDIRECT if there else PASS, taken, 0, "direct_in")

    def _is_bound(
        self, home_address: IPv6Address, own: IPv6Address, care_of: IPv6Address
    ) -> bool:
        way = self.ways.get((End.CORRESPONDENT, home_address, own))
        if way is not None and self._accepts(way, care_of):
            return True
        tunnel = self.tunnels.get((End.HOME_AGENT, home_address))
        return (
            tunnel is not None
            and tunnel.home_agent == own
            and self._accepts(tunnel, care_of)
        )

    def _is_at(
        self, home_address: IPv6Address, care_of: IPv6Address, peer: IPv6Address
    ) -> bool:
        states = (
            self.ways.get((End.MOBILE_NODE, home_address, peer)),
            self.tunnels.get((End.MOBILE_NODE, home_address)),
        )
        return any(state and self._accepts(state, care_of) for state in states)

    def _accepts(self, state: State, care_of: IPv6Address) -> bool:
        late = state.previous_until > self.now and care_of == state.previous
        return state.expires > self.now and (care_of == state.care_of_address or late)

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
        within = None
        if ours and target in self.addresses and next_header != NextHeader.IPV6:
            with contextlib.suppress(WireError):
                within = follow(inner, HEADER.size, next_header)
        if within is not None and is_signalling(inner, within):
            return Outcome(REDIRECT, octets, MARK, "signalling")
        if reason := self._judged(source, destination, origin, target):
            if ours and reason.startswith("dropped"):
                return Outcome(DROP, b"", 0, reason)
            return replace(passed, counted=reason if ours else "")
        if within is not None and within.routing:
            return Outcome(DROP, b"", 0, "dropped_routing_header")
        marked = with_marks(octets[1] >> 4 & 3, inner)
        if within is not None and within.option:
            inside = self._bound_inside(inner, within, target, origin)
            if inside is None:
                return Outcome(REDIRECT, octets, MARK, "unverified")
            marked = marked and stripped(marked, within, inside)
        if marked is None or (reason := self._stays(target, chain)):
            return Outcome(DROP, b"", 0, reason or "dropped_congestion")
        nested = ["nested_tunnel"] if marked[6] == NextHeader.IPV6 else []
        return Outcome(REDIRECT, marked, 0, counted("tunnel_in", *nested))

    def _stays(self, target: IPv6Address, chain: Chain) -> str:
        """Why what may come out of a tunnel goes nowhere from there; "": it does."""
        if target.is_multicast and (End.MOBILE_NODE, target) not in self.tunnels:
            narrow = target.packed[1] & 0xF <= 2
            return "dropped_link_scope" if narrow else "dropped_multicast"
        return "dropped_header" if chain.offset > REMOVED_MAX else ""

    def _judged(
        self,
        source: IPv6Address,
        destination: IPv6Address,
        origin: IPv6Address,
        target: IPv6Address,
    ) -> str:
        """Why a tunnel's packet is none; somebody else's may pass through here."""
        reason = "unknown_tunnel"
        tunnel = self.tunnels.get((End.MOBILE_NODE, target))
        if tunnel is not None:
            reason = self._refused(tunnel, destination, source)
        tunnel = self.tunnels.get((End.HOME_AGENT, origin))
        if reason and tunnel is not None:
            reason = self._refused(tunnel, source, destination)
        return reason

    def _bound_inside(
        self, inner: bytes, within: Chain, own: IPv6Address, care_of: IPv6Address
    ) -> Inside | None:
        try:
            inside = look_inside(inner, within)
        except WireError:
            return None
        if inside.odd or not self._is_bound(inside.source, own, care_of):
            return None
        return inside

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


def counted(*names: str) -> str:
    """As the counters stand in their map."""
    return " ".join(name for name in COUNTERS if name in names)


def by_key(tunnels: Iterable[Tunnel]) -> dict[tuple[End, IPv6Address], Tunnel]:
    return {(tunnel.end, tunnel.home_address): tunnel for tunnel in tunnels}


def by_pair(
    ways: Iterable[RouteOptimization],
) -> dict[tuple[End, IPv6Address, IPv6Address], RouteOptimization]:
    return {(way.end, way.home_address, way.correspondent): way for way in ways}
