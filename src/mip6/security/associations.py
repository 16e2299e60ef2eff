"""The security associations of one node at work (RFC 3776, RFC 4877 §4).

A `Purpose` and a `Direction` are the selectors of one association, and where one stands
it is the policy too: what should have come through it and did not is rejected.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from mip6.core.packet import PLAIN, Wrapping, unwrap
from mip6.core.state import End
from mip6.wire.buffer import Reader, WireError, address
from mip6.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    HomeTest,
    HomeTestInit,
)
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, read_packet, write_packet
from mip6.wire.revocation import BindingRevocation

from .association import SecurityAssociation, Use, check
from .esp import EspError, spi_and_sequence_number
from .keys import Direction, Purpose
from .outline import Outline, excess, outline, with_payload
from .replay import Counter, Window
from .verdict import Mark, Protected, Rejected, Verified, is_home_registration

TRANSPORT = {
    (Direction.TO_HOME_AGENT, NextHeader.MOBILITY, BindingUpdate.TYPE): Purpose.BINDING,
    (
        Direction.TO_MOBILE_NODE,
        NextHeader.MOBILITY,
        BindingAcknowledgement.TYPE,
    ): Purpose.BINDING,
    # A revocation is protected as what it revokes was (RFC 5846 §6.1).
    (
        Direction.TO_HOME_AGENT,
        NextHeader.MOBILITY,
        BindingRevocation.TYPE,
    ): Purpose.BINDING,
    (
        Direction.TO_MOBILE_NODE,
        NextHeader.MOBILITY,
        BindingRevocation.TYPE,
    ): Purpose.BINDING,
    (
        Direction.TO_HOME_AGENT,
        NextHeader.ICMPV6,
        MobilePrefixSolicitation.TYPE,
    ): Purpose.PREFIX_DISCOVERY,
    (
        Direction.TO_MOBILE_NODE,
        NextHeader.ICMPV6,
        MobilePrefixAdvertisement.TYPE,
    ): Purpose.PREFIX_DISCOVERY,
}
"""Which messages need which association in transport mode, by Next Header and type."""

TUNNEL = {
    (Direction.TO_HOME_AGENT, HomeTestInit.TYPE): Purpose.RETURN_ROUTABILITY,
    (Direction.TO_MOBILE_NODE, HomeTest.TYPE): Purpose.RETURN_ROUTABILITY,
}
"""Which Mobility Headers need which one inside the tunnel, in tunnel mode."""

# Looking into an enum for each packet is slow.
_ESP = int(NextHeader.ESP)
_MOBILITY = int(NextHeader.MOBILITY)
_NO_NEXT_HEADER = int(NextHeader.NO_NEXT_HEADER)
_BINDING, _RETURN_ROUTABILITY = Purpose.BINDING, Purpose.RETURN_ROUTABILITY

Inbound = tuple[SecurityAssociation, str, Window]
Outbound = tuple[SecurityAssociation, str, Counter]
"""With the name, which takes a hash to find."""


class Associations:
    """The security associations of one node, and what its packets owe them.

    end: whether this node is the home agent or the mobile node of all of them.
    associations: both directions of each pair.  Of two pairs for one use, while one key
        replaces the other, the first protects what is sent; both are accepted.
    random: `random(n)` gives n unpredictable octets, for initialisation vectors.
    stored: by name, the number of the last `Mark` that was returned for it and stored.
    first: see `Counter`.

    Raises `ValueError` like `replace`.
    """

    def __init__(
        self,
        end: End,
        associations: Iterable[SecurityAssociation] = (),
        *,
        random: Callable[[int], bytes],
        stored: Mapping[str, int] | None = None,
        first: int = 1,
    ) -> None:
        at_home_agent = end is End.HOME_AGENT
        self._inward = (
            Direction.TO_HOME_AGENT if at_home_agent else Direction.TO_MOBILE_NODE
        )
        self._outward = (
            Direction.TO_MOBILE_NODE if at_home_agent else Direction.TO_HOME_AGENT
        )
        self._random = random
        self._stored = dict(stored or {})
        self._first = first
        self._inbound: dict[int, list[Inbound]] = {}
        self._outbound: dict[Use, Outbound] = {}
        self.replace(associations)

    def replace(self, associations: Iterable[SecurityAssociation]) -> None:
        """Let these be the associations; a name that was there goes on counting.

        Raises `ValueError` for associations that cannot stand side by side, and then
        the old ones stay.
        """
        associations = tuple(associations)
        check(associations)
        for candidates in self._inbound.values():
            for _, name, window in candidates:
                self._stored[name] = window.highest
        for _, name, counter in self._outbound.values():
            self._stored[name] = counter.reserved
        self._inbound, self._outbound = {}, {}
        for association in associations:
            name = association.name
            stored = self._stored.get(name, 0)
            if association.direction is self._inward:
                candidates = self._inbound.setdefault(association.spi, [])
                candidates.append((association, name, Window(stored)))
            elif association.use not in self._outbound:
                counter = Counter(stored, self._first)
                self._outbound[association.use] = (association, name, counter)

    @property
    def spis(self) -> frozenset[int]:
        """The SPIs by which our ESP is told from everybody else's."""
        return frozenset(self._inbound)

    def reserve(self) -> list[Mark]:
        """Reserve numbers for all that this node sends, to be stored at leisure, so
        that the first packets need not wait for a disk."""
        marks = []
        for association, name, counter in self._outbound.values():
            if association.anti_replay and counter.needs_reservation:
                with contextlib.suppress(EspError):  # `protect` says so, in time
                    marks.append(Mark(name, counter.reserve()))
        return marks

    def verify(self, octets: bytes) -> Verified | Rejected:
        """Judge one whole packet as received; no octets raise anything.

        What came in ESP is returned without it.  What did not is returned as it came,
        unless one of the associations should have protected it.  A packet that makes
        no sense is the core's to say so.
        """
        found = outline(octets)
        if found is not None and found.next_header == _ESP:
            source, destination = octets[8:24], octets[24:40]
            try:
                return self._verify_usual(octets, found, source, destination)
            except EspError as error:
                return Rejected(error.reason, error.section, address(source))
        try:
            headers = read_packet(octets)
            wrapping = unwrap(headers)
        except WireError:
            return Verified(octets)
        if headers.next_header != _ESP:
            if _needed(headers, wrapping, self._inward) in self._outbound:
                return Rejected("unprotected", "5.1", headers.source)
            return Verified(octets)
        try:
            return self._verify(headers, wrapping)
        except EspError as error:
            return Rejected(error.reason, error.section, headers.source)

    def protect(self, octets: bytes) -> Protected | Rejected:
        """Protect one whole packet that this node is about to send.

        It is returned as it is if no association is for it, and is not to be sent if
        it is rejected: its sequence numbers are used up.  Raises `WireError` for octets
        that are no packet.
        """
        usual = outline(octets)
        if usual is not None and usual.next_header == _MOBILITY:
            payload = octets[usual.payload_at :]
            outbound = self._outbound_of(octets, usual, payload)
            if outbound is None:
                if self._unkept(payload):
                    source = address(octets[8:24])
                    return Rejected("no_security_association", "5.1", source)
                return Protected(octets)
            try:
                esp, mark = self._seal(outbound, _MOBILITY, payload)
            except EspError as error:
                return Rejected(error.reason, error.section, address(octets[8:24]))
            return Protected(with_payload(octets, usual, _ESP, esp), mark)
        headers = read_packet(octets)
        use = _needed(headers, unwrap(headers), self._outward)
        outbound = self._outbound.get(use) if use else None
        if outbound is None:
            if headers.next_header == _MOBILITY and self._unkept(headers.payload):
                return Rejected("no_security_association", "5.1", headers.source)
            return Protected(octets)
        try:
            esp, mark = self._seal(outbound, headers.next_header, headers.payload)
        except EspError as error:
            return Rejected(error.reason, error.section, headers.source)
        sealed = replace(headers, next_header=_ESP, payload=esp)
        return Protected(write_packet(sealed), mark)

    def _unkept(self, payload: bytes) -> bool:
        """Whether it is a Binding Update to a home agent without keys, which must not
        leave in plain (§11.7.1)."""
        outward = self._outward is Direction.TO_HOME_AGENT
        return outward and is_home_registration(payload)

    def _outbound_of(
        self, octets: bytes, usual: Outline, payload: bytes
    ) -> Outbound | None:
        """What `_needed` says, of a Mobility Header in a packet of the usual form."""
        kind = payload[2] if len(payload) > 2 else -1
        purpose = TRANSPORT.get((self._outward, NextHeader.MOBILITY, kind))
        if purpose is None:
            return None
        ends = octets[8:24], octets[24:40]
        if self._outward is Direction.TO_HOME_AGENT:
            home_agent, at = ends[1], usual.home_address_at
            home_address = octets[at : at + 16] if at else ends[0]
        else:
            home_agent, at = ends[0], usual.routing_address_at
            home_address = octets[at : at + 16] if at else ends[1]
        return self._outbound.get((purpose, address(home_address), address(home_agent)))

    def _seal(
        self, outbound: Outbound, next_header: int, payload: bytes
    ) -> tuple[bytes, Mark | None]:
        """The payload in ESP.  Raises EspError when its numbers are used up."""
        association, name, counter = outbound
        mark = None
        if counter.needs_reservation:
            reserved = counter.reserve()
            if association.anti_replay:
                mark = Mark(name, reserved)
        transform = association.transform
        iv = self._random(transform.iv_length)
        number = counter.take()
        return transform.seal(association.spi, number, next_header, payload, iv), mark

    def _verify_usual(
        self, octets: bytes, found: Outline, source: bytes, destination: bytes
    ) -> Verified:
        if self._inward is Direction.TO_HOME_AGENT:
            home_agent, at = destination, found.home_address_at
            home_address = octets[at : at + 16] if at else source
        else:
            home_agent, at = source, found.routing_address_at
            home_address = octets[at : at + 16] if at else destination
        association, mark, next_header, payload = self._open(
            octets[found.payload_at :],
            int.from_bytes(home_address),
            int.from_bytes(home_agent),
            plain=found.payload_at == 40,
        )
        if next_header == _MOBILITY and excess(payload):
            raise EspError("octets_behind_mobility_header", "6.1.1")
        plain = with_payload(octets, found, next_header, payload)
        return Verified(plain, association.home_address, mark)

    def _verify(self, headers: IPv6Packet, wrapping: Wrapping) -> Verified:
        if self._inward is Direction.TO_HOME_AGENT:
            home_address = wrapping.home_address or headers.source
            home_agent = headers.destination
        else:
            home_address = wrapping.routing_address or headers.destination
            home_agent = headers.source
        association, mark, next_header, payload = self._open(
            headers.payload, int(home_address), int(home_agent), plain=wrapping == PLAIN
        )
        try:
            plain = replace(headers, next_header=next_header, payload=payload)
        except ValueError:
            raise EspError("octets_behind_mobility_header", "6.1.1") from None
        try:
            octets = write_packet(plain)
        except ValueError:
            # Options out of their alignment, which anybody on the way can send there,
            # need more room in it.
            raise EspError("header_too_long", "RFC 8200 4.2") from None
        return Verified(octets, association.home_address, mark)

    def _open(
        self, esp: bytes, home_address: int, home_agent: int, *, plain: bool
    ) -> tuple[SecurityAssociation, Mark | None, int, bytes]:
        """Which association it came by, and what is in it: Next Header and payload.

        home_address, home_agent: as the packet around it says (`_find`).
        plain: it has no Home Address option or type 2 routing header.
        """
        spi, number = spi_and_sequence_number(esp)
        association, name, window = self._find(
            spi, esp, home_address, home_agent, plain=plain
        )
        mark = None
        if association.anti_replay:
            if window.replayed(number):
                raise EspError("replayed", "RFC 4303 3.4.3")
            window.accept(number)
            mark = Mark(name, window.highest)
        next_header, payload = association.transform.open(esp)
        if next_header == _NO_NEXT_HEADER:
            raise EspError("dummy_packet", "RFC 4303 2.6")
        if not _admits(association, next_header, payload):
            raise EspError("selector_mismatch", "RFC 4301 5.2")
        return association, mark, next_header, payload

    def _find(
        self, spi: int, esp: bytes, home_address: int, home_agent: int, *, plain: bool
    ) -> Inbound:
        """The one association that protected this packet.

        The home address in the packet says which it must be (RFC 6275 §5.1, §10.3.1);
        a tunnelled packet hides it, and there the key that fits says whose it is.
        """
        candidates = self._inbound.get(spi)
        if not candidates:
            raise EspError("spi_unknown", "RFC 4301 5.2")
        fitting = [
            candidate
            for candidate in candidates
            if int((association := candidate[0]).home_agent) == home_agent
            and (
                plain
                if association.purpose is _RETURN_ROUTABILITY
                else int(association.home_address) == home_address
            )
        ]
        if not fitting:
            raise EspError("home_address_mismatch", "5.1")
        for candidate in fitting:
            if candidate[0].transform.authentic(esp):
                return candidate
        raise EspError("authentication_failed", "RFC 4303 3.4.4")


def _needed(
    headers: IPv6Packet, wrapping: Wrapping, direction: Direction
) -> Use | None:
    """What a packet without ESP would need, going in this direction."""
    source = wrapping.home_address or headers.source
    destination = wrapping.routing_address or headers.destination
    next_header = headers.next_header
    if next_header == NextHeader.IPV6:
        try:
            inner = read_packet(headers.payload)
        except WireError:
            return None
        if inner.next_header != NextHeader.MOBILITY:
            return None
        purpose = TUNNEL.get((direction, _type(inner.next_header, inner.payload)))
        source, destination = inner.source, inner.destination
    else:
        purpose = _in_transport_mode(direction, next_header, headers.payload)
    if purpose is None:
        return None
    if direction is Direction.TO_HOME_AGENT:
        return purpose, source, headers.destination
    return purpose, destination, headers.source


def _in_transport_mode(
    direction: Direction, next_header: int, payload: bytes
) -> Purpose | None:
    if next_header not in (NextHeader.MOBILITY, NextHeader.ICMPV6):
        return None
    return TRANSPORT.get(
        (direction, NextHeader(next_header), _type(next_header, payload))
    )


def _admits(association: SecurityAssociation, next_header: int, payload: bytes) -> bool:
    """Whether an association may carry what was found in it (RFC 4301 §5.2 step 4).

    Other implementations send any Mobility Header by the associations made for Binding
    Updates and for Home Tests (RFC 3776 §5.2), so the type plays no part there.
    """
    if association.purpose is _BINDING:
        return next_header == _MOBILITY
    if association.purpose is Purpose.PREFIX_DISCOVERY:
        purpose = _in_transport_mode(association.direction, next_header, payload)
        return purpose is Purpose.PREFIX_DISCOVERY
    if next_header != NextHeader.IPV6:
        return False
    try:
        inner = read_packet(payload)
    except WireError:
        return False
    if inner.next_header != NextHeader.MOBILITY or inner.extensions:
        return False
    to_home_agent = association.direction is Direction.TO_HOME_AGENT
    owner = inner.source if to_home_agent else inner.destination
    return owner == association.home_address


def _type(next_header: int, payload: bytes) -> int:
    """MH Type or ICMPv6 type; -1 for others and for what is too short to have one."""
    reader = Reader(payload)
    try:
        if next_header == NextHeader.MOBILITY:
            reader.octets(2)
            return reader.u8()
        if next_header == NextHeader.ICMPV6:
            return reader.u8()
    except WireError:
        pass
    return -1
