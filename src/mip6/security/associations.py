"""The security associations of one node at work (RFC 3776, RFC 4877 §4).

A `Purpose` and a `Direction` are the selectors of one association, and where one stands
it is the policy too: what should have come through it and did not is rejected.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from mip6.core.packet import PLAIN, Wrapping, unwrap
from mip6.core.state import End
from mip6.wire.buffer import WireError, address
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, read_packet, write_packet

from .association import SecurityAssociation, Source, Use, by_home_address
from .esp import EspError, spi_and_sequence_number
from .keys import Direction, Purpose
from .outline import Outline, excess, outline, with_payload
from .replay import Counter, Window
from .selectors import TRANSPORT, admits, needed
from .verdict import Mark, Protected, Rejected, Verified, is_home_registration

AT_WORK_MAX = 16384
"""Uses whose associations are at hand; those of another are made again, some 31 µs."""

# Looking into an enum for each packet is slow.
_ESP = int(NextHeader.ESP)
_MOBILITY = int(NextHeader.MOBILITY)
_NO_NEXT_HEADER = int(NextHeader.NO_NEXT_HEADER)
_RETURN_ROUTABILITY = Purpose.RETURN_ROUTABILITY

Inbound = tuple[SecurityAssociation, str, Window]
Outbound = tuple[SecurityAssociation, str, Counter]
"""With the name, which takes a hash to find."""


class AtWork(NamedTuple):
    """The associations for one use, and how far they have counted."""

    inbound: list[Inbound]
    outbound: Outbound | None


class Associations:
    """The security associations of one node, and what its packets owe them.

    end: whether this node is the home agent or the mobile node of all of them.
    associations: both directions of each pair, or the keys that they are derived from.
        Of two pairs for one use, while one key replaces the other, the first protects
        what is sent; both are accepted.
    random: `random(n)` gives n unpredictable octets, for initialisation vectors.
    stored: by name, the number of the last `Mark` that was returned for it and stored;
        looked into also later, when marks may have been added.
    first: see `Counter`.

    Raises `ValueError` like `replace`.
    """

    def __init__(
        self,
        end: End,
        associations: Iterable[Source] = (),
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
        self._stored: Mapping[str, int] = {} if stored is None else stored
        self._first = first
        self._counted: dict[str, int] = {}
        """Numbers that are not in `_stored`, of what is no longer at work."""
        self._sources: dict[int, tuple[Source, ...]] = {}
        self._by_spi: dict[int, tuple[Source, ...]] = {}
        self._at_work: dict[tuple[Purpose, int, int], AtWork] = {}
        self.replace(associations)

    def replace(self, associations: Iterable[Source]) -> None:
        """Let these be the associations; a name that was there goes on counting.

        Raises `ValueError` for associations that cannot stand side by side, and then
        the old ones stay.
        """
        self._sources = by_home_address(associations)
        by_spi: dict[int, tuple[Source, ...]] = {}
        for own in self._sources.values():
            for source in own:
                # One tuple for all that a mobile node with one key has.
                alone = own if len(own) == 1 else (source,)
                for spi in source.spis_of(self._inward):
                    others = by_spi.get(spi)
                    by_spi[spi] = alone if others is None else others + alone
        self._by_spi = by_spi
        while self._at_work:
            self._put_away()

    def _use(self, purpose: Purpose, home_address: int, home_agent: int) -> AtWork:
        """The associations for one use, ready to work."""
        use = purpose, home_address, home_agent
        found = self._at_work.get(use)
        if found is not None:
            return found
        inbound: list[Inbound] = []
        outbound: Outbound | None = None
        for source in self._sources.get(home_address, ()):
            if int(source.home_agent) != home_agent:
                continue
            for association in source.made(purpose):
                name = association.name
                stored = max(self._stored.get(name, 0), self._counted.pop(name, 0))
                if association.direction is self._inward:
                    inbound.append((association, name, Window(stored)))
                elif outbound is None:
                    outbound = association, name, Counter(stored, self._first)
        made = AtWork(inbound, outbound)
        if inbound:  # anybody can ask for uses that there are not
            if len(self._at_work) >= AT_WORK_MAX:
                self._put_away()
            self._at_work[use] = made
        return made

    def _put_away(self) -> None:
        """What is longest at work ends, and its numbers stay."""
        inbound, outbound = self._at_work.pop(next(iter(self._at_work)))
        numbers = [(name, window.highest) for _, name, window in inbound]
        if outbound is not None:
            numbers.append((outbound[1], outbound[2].reserved))
        for name, number in numbers:
            if number != self._stored.get(name, 0):
                self._counted[name] = number

    @property
    def spis(self) -> frozenset[int]:
        """The SPIs by which our ESP is told from everybody else's."""
        return frozenset(self._by_spi)

    def reserve(self) -> list[Mark]:
        """Reserve numbers for all that this node sends, as far as there is room to have
        it at hand, to be stored at leisure: the first packets need not wait for a disk.
        What protects Binding Updates comes first."""
        marks = []
        uses = (
            (purpose, home_address, int(source.home_agent))
            for purpose in Purpose
            for home_address, own in self._sources.items()
            for source in own
            if purpose in source.purposes
        )
        for use in dict.fromkeys(islice(uses, AT_WORK_MAX)):
            outbound = self._use(*use).outbound
            assert outbound is not None  # as many each way
            association, name, counter = outbound
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
            if self._wanted(needed(headers, wrapping, self._inward)):
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
        outbound = self._for(needed(headers, unwrap(headers), self._outward))
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

    def _wanted(self, use: Use | None) -> bool:
        """Whether there are associations for it; none is made of what anybody sends."""
        if use is None:
            return False
        purpose, home_address, home_agent = use
        return any(
            purpose in source.purposes and source.home_agent == home_agent
            for source in self._sources.get(int(home_address), ())
        )

    def _for(self, use: Use | None) -> Outbound | None:
        if use is None:
            return None
        purpose, home_address, home_agent = use
        return self._use(purpose, int(home_address), int(home_agent)).outbound

    def _unkept(self, payload: bytes) -> bool:
        """Whether it is a Binding Update to a home agent without keys, which must not
        leave in plain (§11.7.1)."""
        outward = self._outward is Direction.TO_HOME_AGENT
        return outward and is_home_registration(payload)

    def _outbound_of(
        self, octets: bytes, usual: Outline, payload: bytes
    ) -> Outbound | None:
        """What `needed` says, of a Mobility Header in a packet of the usual form."""
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
        use = purpose, int.from_bytes(home_address), int.from_bytes(home_agent)
        return self._use(*use).outbound

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
        if not admits(association, next_header, payload):
            raise EspError("selector_mismatch", "RFC 4301 5.2")
        return association, mark, next_header, payload

    def _find(
        self, spi: int, esp: bytes, home_address: int, home_agent: int, *, plain: bool
    ) -> Inbound:
        """The one association that protected this packet.

        The home address in the packet says which it must be (RFC 6275 §5.1, §10.3.1);
        a tunnelled packet hides it, and there the key that fits says whose it is.
        """
        sources = self._by_spi.get(spi)
        if not sources:
            raise EspError("spi_unknown", "RFC 4301 5.2")
        fits = False
        for source in sources:
            if int(source.home_agent) != home_agent:
                continue
            purpose, own = source.purpose_of(spi), int(source.home_address)
            assert purpose is not None  # it was found by the SPI
            if plain if purpose is _RETURN_ROUTABILITY else own == home_address:
                fits = True
                for candidate in self._use(purpose, own, home_agent).inbound:
                    association = candidate[0]
                    if association.spi == spi and association.transform.authentic(esp):
                        return candidate
        if not fits:
            raise EspError("home_address_mismatch", "5.1")
        raise EspError("authentication_failed", "RFC 4303 3.4.4")
