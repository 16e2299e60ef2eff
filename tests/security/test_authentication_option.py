"""The MN-HA authentication option and its timestamps (RFC 4285), the NAI (RFC 4283)."""

import hmac
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from mip6.core.packet import Packet, read, unwrap, write
from mip6.core.state import End
from mip6.security.authentication_option import (
    REFUSALS_RATE,
    AuthenticationOptions,
    ntp,
)
from mip6.security.keys import Secret
from mip6.security.mobility_association import MobilitySecurityAssociation
from mip6.security.verdict import Protected, Refused, Rejected, Verified
from mip6.wire.buffer import WireError
from mip6.wire.checksum import checksum
from mip6.wire.messages import BindingAcknowledgement, BindingUpdate
from mip6.wire.options import (
    AlternateCareOfAddress,
    MobileNodeIdentifier,
    MobilityMessageAuthentication,
    MobilityMessageReplayProtection,
    Option,
)
from mip6.wire.packet import read_packet, write_packet

KEY = Secret(bytes(range(16)))
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
OTHER_HOME_ADDRESS = IPv6Address("2001:db8:a::101")
HOME_AGENT = IPv6Address("2001:db8:a::1")
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::64")
CORRESPONDENT = IPv6Address("2001:db8:e::2")
NOW = 1000.0
WALL = 1_750_000_000.25

ASSOCIATION = MobilitySecurityAssociation(
    mobility_spi=0x100,
    key=KEY,
    home_address=HOME_ADDRESS,
    home_agent=HOME_AGENT,
    network_access_identifier="a@b.example",
)
UNTIMED = replace(ASSOCIATION, timestamps=False)
OTHER_KEY = replace(ASSOCIATION, key=Secret(bytes(16)))
NEW = replace(ASSOCIATION, mobility_spi=0x101, key=Secret(bytes(16)))

BINDING_UPDATE = Packet(
    source=CARE_OF_ADDRESS,
    destination=HOME_AGENT,
    home_address=HOME_ADDRESS,
    message=BindingUpdate(
        sequence_number=2,
        lifetime=40,
        acknowledge=True,
        home_registration=True,
        options=(AlternateCareOfAddress(CARE_OF_ADDRESS),),
    ),
)
AT_HOME = Packet(
    source=HOME_ADDRESS,
    destination=HOME_AGENT,
    message=BindingUpdate(
        sequence_number=3, lifetime=0, acknowledge=True, home_registration=True
    ),
)
ACKNOWLEDGEMENT = Packet(
    source=HOME_AGENT,
    destination=CARE_OF_ADDRESS,
    routing_address=HOME_ADDRESS,
    message=BindingAcknowledgement(status=0, sequence_number=2, lifetime=40),
)


def node(
    end: End, *associations: MobilitySecurityAssociation, **options: object
) -> AuthenticationOptions:
    return AuthenticationOptions(
        end,
        associations or (ASSOCIATION,),
        random=lambda n: b"\xff" * n,
        **options,  # type: ignore[arg-type]
    )


def mobile_node(*associations: MobilitySecurityAssociation) -> AuthenticationOptions:
    return node(End.MOBILE_NODE, *associations)


def home_agent(*associations: MobilitySecurityAssociation) -> AuthenticationOptions:
    return node(End.HOME_AGENT, *associations)


def sent(
    node: AuthenticationOptions, packet: Packet = BINDING_UPDATE, wall: float = WALL
) -> bytes:
    verdict = node.protect(write(packet), wall)
    assert isinstance(verdict, Protected)
    return verdict.octets


def options(octets: bytes) -> tuple[Option, ...]:
    message = read(octets).message
    assert isinstance(message, BindingUpdate | BindingAcknowledgement)
    return message.options


def reason(verdict: Verified | Rejected | Refused) -> str:
    assert isinstance(verdict, Rejected), verdict
    return verdict.reason


def status(verdict: Verified | Rejected | Refused) -> int:
    assert isinstance(verdict, Refused), verdict
    message = verdict.acknowledgement.message
    assert isinstance(message, BindingAcknowledgement)
    return message.status


def test_the_mac_octet_by_octet() -> None:
    octets = sent(mobile_node())
    covered = bytes.fromhex(
        "3b 09 05 00 0000"  # the checksum counts as zero
        "0002 c000 000a"  # Sequence #; A, H; Lifetime
        "0100"  # PadN to 8n + 6
        "0310 20010db8000b00000000000000000064"  # Alternate Care-of Address
        "080c 01 6140622e6578616d706c65"  # Mobile Node Identifier: a@b.example
        "01020000"  # PadN to 8n + 2
        "0a08 ebf96000 400003ff"  # timestamp: seconds since 1900, 1/4 s and chance
        "00"  # Pad1 to 4n + 1
        "0911 01 00000100"  # MN-HA, Mobility SPI
    )
    data = CARE_OF_ADDRESS.packed + HOME_ADDRESS.packed + covered
    proof = hmac.digest(bytes(range(16)), data, "sha1")[:12]
    payload = read_packet(octets).payload
    assert payload[:4] + bytes(2) + payload[6:] == covered + proof


@pytest.mark.parametrize("packet", [BINDING_UPDATE, AT_HOME], ids=["away", "at home"])
@pytest.mark.parametrize("association", [ASSOCIATION, UNTIMED])
def test_a_registration_there_and_back(
    packet: Packet, association: MobilitySecurityAssociation
) -> None:
    here, there = mobile_node(association), home_agent(association)
    update = sent(here, packet)
    kinds = [type(option) for option in options(update)]
    assert kinds[-1] is MobilityMessageAuthentication
    assert kinds.index(MobileNodeIdentifier) < kinds.index(
        MobilityMessageAuthentication
    )
    assert (MobilityMessageReplayProtection in kinds) == association.timestamps
    verdict = there.verify(update, NOW, WALL + 1)
    assert isinstance(verdict, Verified)
    assert verdict.octets == update
    assert verdict.protected_for == HOME_ADDRESS
    assert (verdict.mark is not None) == association.timestamps

    answer = ACKNOWLEDGEMENT
    if packet is AT_HOME:
        answer = replace(answer, destination=HOME_ADDRESS, routing_address=None)
    acknowledgement = sent(there, answer, WALL + 2)
    assert (
        MobilityMessageReplayProtection in map(type, options(acknowledgement))
    ) == association.timestamps
    again = here.verify(acknowledgement, NOW, WALL + 3)
    assert again == Verified(acknowledgement, HOME_ADDRESS)


@pytest.mark.parametrize("end", End)
def test_every_octet_that_counts(end: End) -> None:
    here, there = mobile_node(), home_agent()
    octets = sent(here)
    receiver = there
    if end is End.MOBILE_NODE:
        there.verify(octets, NOW, WALL)
        octets, receiver = sent(there, ACKNOWLEDGEMENT), here
    payload = read_packet(octets).payload_offset
    for at in range(payload + 6, len(octets)):
        changed = bytearray(octets)
        changed[at] ^= 0x20
        verdict = receiver.verify(with_checksum(bytes(changed)), NOW, WALL)
        if isinstance(verdict, Verified) and verdict.protected_for:
            # Only padding behind the proof is not covered.
            assert options(verdict.octets) == options(octets)
            assert at >= len(octets) - 6


def with_checksum(octets: bytes) -> bytes:
    """The checksum made right again: it stops accidents, not attackers."""
    headers = read_packet(octets)
    payload = bytearray(headers.payload)
    payload[4:6] = bytes(2)
    try:
        addresses = read_addresses(octets)
    except WireError:
        return octets
    payload[4:6] = checksum(*addresses, 135, bytes(payload)).to_bytes(2)
    return write_packet(replace(headers, payload=bytes(payload)))


def read_addresses(octets: bytes) -> tuple[IPv6Address, IPv6Address]:
    headers = read_packet(octets)
    wrapping = unwrap(headers)
    return (
        wrapping.home_address or headers.source,
        wrapping.routing_address or headers.destination,
    )


@pytest.mark.parametrize("field", ["source", "home_address"])
def test_the_addresses_count_too(field: str) -> None:
    plain = replace(BINDING_UPDATE, message=replace(BINDING_UPDATE.message, options=()))
    octets = sent(mobile_node(), plain)
    both = replace(ASSOCIATION, home_address=OTHER_HOME_ADDRESS, key=Secret(bytes(16)))
    stolen = replace(read(octets), **{field: OTHER_HOME_ADDRESS})
    verdict = home_agent(ASSOCIATION, both).verify(write(stolen), NOW, WALL)
    assert status(verdict) == 146


def test_the_alternate_care_of_address_is_what_counts() -> None:
    octets = sent(mobile_node())
    moved = replace(read(octets), source=IPv6Address("2001:db8:c::64"))
    assert isinstance(home_agent().verify(write(moved), NOW, WALL), Verified)


# Whom the home agent answers, and how.


def without(octets: bytes, *kinds: type[Option]) -> bytes:
    packet = read(octets)
    kept = tuple(o for o in options(octets) if not isinstance(o, kinds))
    return write(replace(packet, message=replace(packet.message, options=kept)))


def with_options(octets: bytes, given: Iterable[Option]) -> bytes:
    packet = read(octets)
    return write(replace(packet, message=replace(packet.message, options=tuple(given))))


MN_AAA = MobilityMessageAuthentication(2, 3, bytes(20))


def test_without_the_option_it_is_silently_discarded() -> None:
    octets = sent(mobile_node())
    proof = options(octets)[-1]
    for wrong in (
        write(BINDING_UPDATE),
        write(AT_HOME),
        without(octets, MobilityMessageAuthentication),
        with_options(octets, (proof, *options(octets)[:-1])),  # not last
        with_options(octets, (*options(octets), proof)),  # twice
        with_options(octets, (*options(octets)[:-1], MN_AAA)),
        with_options(octets, (*options(octets), MN_AAA)),
        with_options(octets, (MN_AAA, *options(octets))),
    ):
        verdict = home_agent().verify(wrong, NOW, WALL)
        assert reason(verdict) == "unprotected"


def test_without_the_identifier_it_is_silently_discarded() -> None:
    octets = without(sent(mobile_node()), MobileNodeIdentifier)
    assert reason(home_agent().verify(octets, NOW, WALL)) == "identifier_mismatch"
    other = replace(ASSOCIATION, network_access_identifier="c@b.example")
    octets = sent(mobile_node(other))
    assert reason(home_agent().verify(octets, NOW, WALL)) == "identifier_mismatch"


def test_an_unknown_spi_is_silently_discarded() -> None:
    octets = sent(mobile_node(NEW))
    assert reason(home_agent().verify(octets, NOW, WALL)) == "spi_unknown"


def test_a_wrong_key_is_answered_with_146() -> None:
    there = home_agent()
    verdict = there.verify(sent(mobile_node(OTHER_KEY)), NOW, WALL)
    assert isinstance(verdict, Refused)
    assert (verdict.reason, verdict.section) == (
        "authentication_failed",
        "RFC 4285 5.3",
    )
    answer = verdict.acknowledgement
    assert answer.destination == CARE_OF_ADDRESS
    assert answer.routing_address == HOME_ADDRESS
    message = answer.message
    assert isinstance(message, BindingAcknowledgement)
    assert (message.status, message.sequence_number, message.lifetime) == (146, 2, 0)
    octets = sent(there, answer)
    assert [type(option) for option in options(octets)] == [
        MobileNodeIdentifier,
        MobilityMessageReplayProtection,
        MobilityMessageAuthentication,
    ]
    # The keys differ: so it cannot be verified, but the operator learns what is wrong.
    assert reason(mobile_node(OTHER_KEY).verify(octets, NOW, WALL)) == "keys_differ"
    forged = read(sent(there, ACKNOWLEDGEMENT))
    verdict = mobile_node(OTHER_KEY).verify(write(forged), NOW, WALL)
    assert reason(verdict) == "authentication_failed"


def test_answers_with_146_are_rate_limited() -> None:
    there = home_agent()
    forged = sent(mobile_node(OTHER_KEY))
    for _ in range(REFUSALS_RATE):
        assert status(there.verify(forged, NOW, WALL)) == 146
    verdict = there.verify(forged, NOW, WALL)
    assert reason(verdict) == "authentication_failed"
    assert isinstance(there.verify(sent(mobile_node()), NOW, WALL), Verified)
    assert status(there.verify(forged, NOW + 1, WALL)) == 146


def test_without_timestamp_it_is_answered_with_145() -> None:
    there = home_agent()
    verdict = there.verify(sent(mobile_node(UNTIMED)), NOW, WALL)
    assert status(verdict) == 145
    assert isinstance(verdict, Refused)
    octets = sent(there, verdict.acknowledgement)
    assert MobilityMessageReplayProtection not in map(type, options(octets))
    assert isinstance(mobile_node(UNTIMED).verify(octets, NOW, WALL), Verified)
    # To one that does send timestamps it comes authentic too, and is believed.
    assert isinstance(mobile_node().verify(octets, NOW, WALL), Verified)


@pytest.mark.parametrize("difference", [-7.5, 7.5, -3600.0, 1e9])
def test_another_time_of_day_is_answered_with_144_and_learned(
    difference: float,
) -> None:
    here, there = mobile_node(), home_agent()
    update = sent(here, wall=WALL + difference)
    verdict = there.verify(update, NOW, WALL)
    assert status(verdict) == 144
    assert isinstance(verdict, Refused)
    answer = sent(there, verdict.acknowledgement)
    (given,) = (
        o.timestamp
        for o in options(update)
        if isinstance(o, MobilityMessageReplayProtection)
    )
    (told,) = (
        o.timestamp
        for o in options(answer)
        if isinstance(o, MobilityMessageReplayProtection)
    )
    assert told % 2**32 == given % 2**32
    assert told >> 32 == ntp(WALL) >> 32

    assert isinstance(here.verify(answer, NOW, WALL + difference), Verified)
    assert reason(here.verify(answer, NOW, WALL + difference)) == "timestamp_mismatch"
    verdict = there.verify(sent(here, wall=WALL + difference + 0.1), NOW, WALL + 0.1)
    assert isinstance(verdict, Verified)


@pytest.mark.parametrize("difference", [-6.5, 0.0, 6.5])
def test_clocks_may_differ_by_7_seconds(difference: float) -> None:
    octets = sent(mobile_node(), wall=WALL + difference)
    assert isinstance(home_agent().verify(octets, NOW, WALL), Verified)


def test_a_timestamp_must_be_greater_than_all_accepted() -> None:
    there = home_agent()
    first, second = mobile_node(), mobile_node()
    early, late = sent(first, wall=WALL), sent(second, wall=WALL + 1)
    accepted = there.verify(late, NOW, WALL)
    assert isinstance(accepted, Verified) and accepted.mark is not None
    for replayed in (late, early):
        assert status(there.verify(replayed, NOW, WALL)) == 144
    restarted = node(End.HOME_AGENT, stored=dict([accepted.mark]))
    for replayed in (late, early):
        assert status(restarted.verify(replayed, NOW, WALL)) == 144
    verdict = restarted.verify(sent(first, wall=WALL + 2), NOW, WALL)
    assert isinstance(verdict, Verified)


def test_a_new_key_does_not_make_old_timestamps_new() -> None:
    there = home_agent(ASSOCIATION, NEW)
    assert isinstance(there.verify(sent(mobile_node(NEW)), NOW, WALL), Verified)
    earlier = sent(mobile_node(), wall=WALL - 1)
    assert status(there.verify(earlier, NOW, WALL)) == 144


def test_a_refused_timestamp_is_not_accepted() -> None:
    there = home_agent()
    assert status(there.verify(sent(mobile_node(), wall=WALL + 60), NOW, WALL)) == 144
    assert isinstance(there.verify(sent(mobile_node()), NOW, WALL), Verified)
    forged = sent(mobile_node(OTHER_KEY), wall=WALL + 5)
    assert status(there.verify(forged, NOW, WALL)) == 146
    verdict = there.verify(sent(mobile_node(), wall=WALL + 1), NOW, WALL)
    assert isinstance(verdict, Verified)


def test_timestamps_go_forward_even_if_the_clock_does_not() -> None:
    here, there = mobile_node(), home_agent()
    for wall in (WALL, WALL, WALL - 0.5, WALL - 2):
        assert isinstance(there.verify(sent(here, wall=wall), NOW, WALL), Verified)


def test_a_forgery_does_not_change_the_answer_to_the_right_one() -> None:
    """It may arrive while the acknowledgement waits to be durable."""
    here, there = mobile_node(), home_agent()
    assert isinstance(there.verify(sent(here), NOW, WALL), Verified)
    assert status(there.verify(sent(mobile_node(OTHER_KEY)), NOW, WALL)) == 146
    answer = sent(there, ACKNOWLEDGEMENT)
    assert isinstance(here.verify(answer, NOW, WALL), Verified)
