"""The MN-HA mobility message authentication option (RFC 4285), for networks that do not
let ESP through.

It protects Binding Updates and Acknowledgements and nothing else.  Home Test and Mobile
Prefix Advertisement would go unprotected, so route optimization and prefix discovery
are off in this mode (RFC 4285 §2); who switches it on sees to that.
"""

import hmac
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from mip6.core.packet import Packet, read, write
from mip6.core.rate import TokenBucket
from mip6.core.state import End
from mip6.wire.buffer import WireError
from mip6.wire.messages import BindingAcknowledgement, BindingStatus, BindingUpdate
from mip6.wire.next_header import NextHeader
from mip6.wire.options import (
    MobilityMessageAuthentication,
    MobilityMessageReplayProtection,
    Option,
)
from mip6.wire.packet import read_packet

from .mobility_association import (
    AUTHENTICATION_DATA_LENGTH,
    MobilitySecurityAssociation,
    Peers,
    authentication_data,
    check,
    mn_ha_option,
)
from .verdict import (
    Mark,
    Protected,
    Refused,
    Rejected,
    Verified,
    is_home_registration,
)

NTP_EPOCH = 2_208_988_800
"""Seconds from 1900, where NTP begins, to 1970."""
OUTSTANDING_MAX = 8
"""Timestamps that an Acknowledgement may echo: those of the last Binding Updates."""
REFUSALS_RATE = 10
"""Answers a second to Binding Updates that fail authentication: anybody can provoke
them, and make us spend two keyed hashes on each."""

# What failed, and the status that tells (RFC 4285 §5.3, §6).
STATUS_SECTIONS = {
    BindingStatus.MESSAGE_IDENTIFIER_MISMATCH: "RFC 4285 6",
    BindingStatus.MESSAGE_IDENTIFIER_REQUIRED: "RFC 4285 6",
    BindingStatus.AUTHENTICATION_FAILED: "RFC 4285 5.3",
}


class AuthenticationOptions:
    """The mobility security associations of one node at work.

    end: whether this node is the home agent or the mobile node of all of them.
    associations: of two for one home address, while one key replaces the other, the
        first protects what a mobile node sends; both are accepted.
    random: `random(n)` gives n unpredictable octets.
    stored: by name, the number of the last `Mark` that was returned for it and stored.

    `now` is seconds of a clock that only goes forward, `wall` seconds since 1970.
    Raises `ValueError` for associations that cannot stand side by side.
    """

    def __init__(
        self,
        end: End,
        associations: Iterable[MobilitySecurityAssociation],
        *,
        random: Callable[[int], bytes],
        stored: Mapping[str, int] | None = None,
    ) -> None:
        self._end = end
        self._random = random
        self._associations: dict[Peers, list[MobilitySecurityAssociation]] = {}
        self._accepted = dict(stored or {})
        # What an Acknowledgement must return to the last authentic Binding Update.
        self._answers: dict[Peers, tuple[MobilitySecurityAssociation, int | None]] = {}
        self._refusals = TokenBucket(REFUSALS_RATE, REFUSALS_RATE)
        # The mobile node's side.
        self._sent: deque[int] = deque(maxlen=OUTSTANDING_MAX)
        self._offset = 0.0
        self.replace(associations)

    def replace(self, associations: Iterable[MobilitySecurityAssociation]) -> None:
        """Let these be the associations; timestamps go on growing.

        Raises `ValueError` for associations that cannot stand side by side, and then
        the old ones stay.
        """
        wanted: dict[Peers, list[MobilitySecurityAssociation]] = {}
        for association in associations:
            peers = (association.home_address, association.home_agent)
            wanted.setdefault(peers, []).append(association)
        check(wanted)
        self._associations = wanted
        self._answers = {
            peers: answer
            for peers, answer in self._answers.items()
            if answer[0] in wanted.get(peers, ())
        }

    def verify(
        self, octets: bytes, now: float, wall: float
    ) -> Verified | Rejected | Refused:
        """Judge one whole packet as received; no octets raise anything.

        A packet that is none of the two messages, or between other nodes, is returned
        as it came, and so is what makes no sense: the core says so.
        """
        kind = BindingUpdate if self._end is End.HOME_AGENT else BindingAcknowledgement
        found = self._ours(octets, kind, received=True)
        if found is None:
            return Verified(octets)
        packet, peers = found
        message = packet.message
        assert isinstance(message, BindingUpdate | BindingAcknowledgement)
        proof = mn_ha_option(message.options)
        if proof is None:
            return _rejected("unprotected", "RFC 4285 5", packet)
        for association in self._associations[peers]:
            if association.mobility_spi == proof.mobility_spi:
                break
        else:
            return _rejected("spi_unknown", "RFC 4285 5.1.1", packet)
        if association.identifier not in message.options:
            return _rejected("identifier_mismatch", "RFC 4285 4", packet)
        payload = read_packet(octets).payload
        value = authentication_data(association.key, packet, payload)
        authentic = hmac.compare_digest(value, proof.authentication_data)
        if isinstance(message, BindingUpdate):
            return self._update(packet, message, association, authentic, now, wall)
        return self._acknowledgement(packet, message, association, authentic, wall)

    def protect(self, octets: bytes, wall: float) -> Protected | Rejected:
        """Protect one whole packet that this node is about to send, if it must be.

        Raises `WireError` for octets that are no packet.
        """
        kind = BindingAcknowledgement if self._end is End.HOME_AGENT else BindingUpdate
        found = self._ours(octets, kind, received=False)
        if found is None:
            headers = read_packet(octets)
            mobility = headers.next_header == NextHeader.MOBILITY
            mobile_node = self._end is End.MOBILE_NODE
            if mobility and mobile_node and is_home_registration(headers.payload):
                # To a home agent without keys: it must not leave in plain (§11.7.1).
                return Rejected("no_security_association", "5.1", headers.source)
            return Protected(octets)
        packet, peers = found
        message = packet.message
        assert isinstance(message, BindingUpdate | BindingAcknowledgement)
        association = self._associations[peers][0]
        timestamp = None
        if self._end is End.HOME_AGENT:
            association, timestamp = self._answers.get(peers, (association, None))
        elif association.timestamps:
            timestamp = self._timestamp(wall)
        given = message.options
        added: list[Option] = []
        if association.identifier not in given:  # a refusal has both already
            added.append(association.identifier)
            if timestamp is not None:
                added.append(MobilityMessageReplayProtection(timestamp))
        options = (*given, *added)
        return Protected(write(_signed(packet, message, options, association)))

    def _ours(
        self,
        octets: bytes,
        kind: type[BindingUpdate] | type[BindingAcknowledgement],
        received: bool,
    ) -> tuple[Packet, Peers] | None:
        """The packet and whose it is, if it is one that an association is for."""
        try:
            if read_packet(octets).next_header != NextHeader.MOBILITY:
                return None
            packet = read(octets)
        except WireError:
            if received:
                return None
            raise
        if not isinstance(packet.message, kind):
            return None
        if kind is BindingUpdate:
            peers = (packet.origin, packet.destination)
        else:
            peers = (packet.target, packet.source)
        return (packet, peers) if peers in self._associations else None

    def _update(
        self,
        packet: Packet,
        update: BindingUpdate,
        association: MobilitySecurityAssociation,
        authentic: bool,
        now: float,
        wall: float,
    ) -> Verified | Rejected | Refused:
        """At the home agent (RFC 4285 §5.1.1, §6)."""
        timestamp = _timestamp_in(update.options)
        if not authentic:
            if not self._refusals.take(now):
                return _rejected("authentication_failed", "RFC 4285 5.3", packet)
            status = BindingStatus.AUTHENTICATION_FAILED
            return _refusal(packet, update, association, status, timestamp)
        mark = None
        if association.timestamps:
            if timestamp is None:
                status = BindingStatus.MESSAGE_IDENTIFIER_REQUIRED
                return _refusal(packet, update, association, status, None)
            difference = abs(_ahead(timestamp, ntp(wall))) / 2**32
            last = self._accepted.get(association.name)
            if difference > association.difference_max or (
                last is not None and _ahead(timestamp, last) <= 0
            ):
                status = BindingStatus.MESSAGE_IDENTIFIER_MISMATCH
                # High-order bits from our clock, low-order bits from the mobile node's.
                answer = ntp(wall) >> 32 << 32 | timestamp % 2**32
                return _refusal(packet, update, association, status, answer)
            self._accepted[association.name] = timestamp
            mark = Mark(association.name, timestamp)
        home_address = association.home_address
        self._answers[home_address, association.home_agent] = association, timestamp
        return Verified(packet.octets, home_address, mark)

    def _acknowledgement(
        self,
        packet: Packet,
        acknowledgement: BindingAcknowledgement,
        association: MobilitySecurityAssociation,
        authentic: bool,
        wall: float,
    ) -> Verified | Rejected:
        """At the mobile node (RFC 4285 §5.3, §6).

        Status 146 that cannot be verified either is not obeyed: anybody could stop us
        with it.  Its reason is its own, because it means that the keys differ.
        """
        if not authentic:
            refused = acknowledgement.status == BindingStatus.AUTHENTICATION_FAILED
            reason = "keys_differ" if refused else "authentication_failed"
            return _rejected(reason, "RFC 4285 5.3", packet)
        if association.timestamps:
            timestamp = _timestamp_in(acknowledgement.options)
            if acknowledgement.status == BindingStatus.MESSAGE_IDENTIFIER_MISMATCH:
                echoed = {sent % 2**32 for sent in self._sent}
                if timestamp is None or timestamp % 2**32 not in echoed:
                    return _rejected("timestamp_mismatch", "RFC 4285 6", packet)
                # The home agent's clock counts, to the second that it tells, and what
                # was sent by ours is no lower limit any more.
                self._offset = (timestamp >> 32) - (ntp(wall) >> 32)
                self._sent.clear()
            elif (
                timestamp not in self._sent
                and acknowledgement.status != BindingStatus.MESSAGE_IDENTIFIER_REQUIRED
            ):
                return _rejected("timestamp_mismatch", "RFC 4285 6", packet)
        return Verified(packet.octets, association.home_address)

    def _timestamp(self, wall: float) -> int:
        """The time of day, after all earlier ones, with chance where the clock has
        nothing to say (RFC 4285 §6)."""
        # A double of today's seconds has 2^-22 s.
        timestamp = ntp(wall + self._offset) >> 10 << 10
        timestamp |= int.from_bytes(self._random(2)) >> 6
        if self._sent and _ahead(timestamp, self._sent[-1]) <= 0:
            timestamp = (self._sent[-1] + 1) % 2**64
        self._sent.append(timestamp)
        return timestamp


def ntp(wall: float) -> int:
    """Seconds since 1970 as an NTP timestamp: 32 bits of seconds, 32 of fraction."""
    return int((wall + NTP_EPOCH) * 2**32) % 2**64


def _ahead(timestamp: int, other: int) -> int:
    """How far `timestamp` is ahead of `other`, across the end of the era in 2036."""
    return (timestamp - other + 2**63) % 2**64 - 2**63


def _signed(
    packet: Packet,
    message: BindingUpdate | BindingAcknowledgement,
    options: tuple[Option, ...],
    association: MobilitySecurityAssociation,
) -> Packet:
    def proved_by(value: bytes) -> Packet:
        proof = MobilityMessageAuthentication(
            MobilityMessageAuthentication.MN_HA, association.mobility_spi, value
        )
        return replace(packet, message=replace(message, options=(*options, proof)))

    blank = proved_by(bytes(AUTHENTICATION_DATA_LENGTH))
    payload = read_packet(write(blank)).payload
    return proved_by(authentication_data(association.key, blank, payload))


def _timestamp_in(options: tuple[Option, ...]) -> int | None:
    for option in options:
        if isinstance(option, MobilityMessageReplayProtection):
            return option.timestamp
    return None


def _refusal(
    packet: Packet,
    update: BindingUpdate,
    association: MobilitySecurityAssociation,
    status: BindingStatus,
    timestamp: int | None,
) -> Refused:
    """The Acknowledgement that says `status`, still to be protected."""
    options: list[Option] = [association.identifier]
    if timestamp is not None:
        options.append(MobilityMessageReplayProtection(timestamp))
    acknowledgement = Packet(
        source=packet.destination,
        destination=packet.source,
        routing_address=packet.home_address,
        message=BindingAcknowledgement(
            status=status,
            sequence_number=update.sequence_number,
            lifetime=0,
            options=tuple(options),
        ),
    )
    return Refused(status.name.lower(), STATUS_SECTIONS[status], acknowledgement)


def _rejected(reason: str, section: str, packet: Packet) -> Rejected:
    return Rejected(reason, section, packet.source)
