"""Security associations at work: captures, tampering, replays, rotation, policy."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import ipsec_captures as captures
from tests.support.strategies import mutated, packets

from mip6.core.packet import Packet, read, write
from mip6.core.state import End
from mip6.security import association as security_association
from mip6.security.association import SecurityAssociation
from mip6.security.associations import Associations
from mip6.security.esp import Encryption, Integrity, Transform
from mip6.security.keys import Direction, Purpose, Secret
from mip6.security.replay import RESERVED_AT_ONCE
from mip6.security.verdict import Protected, Rejected, Verified
from mip6.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
)
from mip6.wire.options import AlternateCareOfAddress
from mip6.wire.packet import IPv6Packet, read_packet, write_packet

KEY, OTHER_KEY = Secret(bytes(range(32))), Secret(bytes(range(1, 33)))
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
OTHER_HOME_ADDRESS = IPv6Address("2001:db8:a::101")
HOME_AGENT = IPv6Address("2001:db8:a::1")
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::64")
CORRESPONDENT = IPv6Address("2001:db8:e::2")
FLAGS = {"acknowledge": True, "home_registration": True}

from_key = cache(security_association.from_key)

Random = Callable[[int], bytes]


def chance() -> Random:
    """Octets that are never the same twice."""
    count = iter(range(1, 2**32))
    return lambda n: next(count).to_bytes(n) if n else b""


def node(end: End, *keys: Secret, **options: object) -> Associations:
    associations = [
        association
        for key in keys or (KEY,)
        for association in from_key(key, HOME_ADDRESS, HOME_AGENT)
    ]
    return Associations(end, associations, random=chance(), **options)  # type: ignore[arg-type]


BINDING_UPDATE = Packet(
    source=CARE_OF_ADDRESS,
    destination=HOME_AGENT,
    home_address=HOME_ADDRESS,
    message=BindingUpdate(
        sequence_number=7,
        lifetime=40,
        options=(AlternateCareOfAddress(CARE_OF_ADDRESS),),
        **FLAGS,
    ),
)
AT_HOME = replace(BINDING_UPDATE, source=HOME_ADDRESS, home_address=None)
ACKNOWLEDGEMENT = Packet(
    source=HOME_AGENT,
    destination=CARE_OF_ADDRESS,
    routing_address=HOME_ADDRESS,
    message=BindingAcknowledgement(status=0, sequence_number=7, lifetime=40),
)
SOLICITATION = replace(BINDING_UPDATE, message=MobilePrefixSolicitation(identifier=1))
ADVERTISEMENT = replace(
    ACKNOWLEDGEMENT, message=MobilePrefixAdvertisement(identifier=1)
)
HOME_TEST_INIT = Packet(
    source=HOME_ADDRESS,
    destination=CORRESPONDENT,
    tunnel=(CARE_OF_ADDRESS, HOME_AGENT),
    message=HomeTestInit(home_init_cookie=b"cookie!!"),
)
HOME_TEST = Packet(
    source=CORRESPONDENT,
    destination=HOME_ADDRESS,
    tunnel=(HOME_AGENT, CARE_OF_ADDRESS),
    message=HomeTest(
        home_nonce_index=1, home_init_cookie=b"cookie!!", home_keygen_token=b"token..."
    ),
)
TO_HOME_AGENT = [BINDING_UPDATE, AT_HOME, SOLICITATION, HOME_TEST_INIT]
TO_MOBILE_NODE = [ACKNOWLEDGEMENT, ADVERTISEMENT, HOME_TEST]


def name(packet: Packet) -> str:
    return type(packet.message).__name__


BOTH_WAYS = [
    *((End.MOBILE_NODE, End.HOME_AGENT, packet) for packet in TO_HOME_AGENT),
    *((End.HOME_AGENT, End.MOBILE_NODE, packet) for packet in TO_MOBILE_NODE),
]
both_ways = pytest.mark.parametrize(
    ("sender", "receiver", "packet"), BOTH_WAYS, ids=[name(p) for *_, p in BOTH_WAYS]
)


def protected(node: Associations, packet: Packet | bytes) -> bytes:
    octets = packet if isinstance(packet, bytes) else write(packet)
    verdict = node.protect(octets)
    assert isinstance(verdict, Protected)
    assert verdict.octets != octets
    return verdict.octets


def reason(verdict: Verified | Rejected) -> str:
    assert isinstance(verdict, Rejected), verdict
    return verdict.reason


# Another implementation's packets.


@pytest.mark.rfc("5.1", "manual configuration of security associations")
@pytest.mark.parametrize("octets", captures.esp_packets())
def test_captured_packets_verify_and_are_made_again_octet_by_octet(
    octets: bytes,
) -> None:
    to_home_agent = read_packet(octets).destination == HOME_AGENT
    ends = (End.HOME_AGENT, End.MOBILE_NODE)
    here, there = ends if to_home_agent else ends[::-1]
    receiver = Associations(here, captures.ASSOCIATIONS, random=chance())
    verdict = receiver.verify(octets)
    assert isinstance(verdict, Verified)
    assert verdict.protected_for == HOME_ADDRESS
    assert verdict.mark is None
    packet = read(verdict.octets, protected_for=verdict.protected_for)
    expected = (
        (BindingUpdate, HomeTestInit) if to_home_agent else BindingAcknowledgement
    )
    assert isinstance(packet.message, expected)

    esp = read_packet(octets).payload
    sender = Associations(
        there,
        captures.ASSOCIATIONS,
        random=lambda n: esp[8 : 8 + n],
        first=int.from_bytes(esp[4:8]),
    )
    again = sender.protect(verdict.octets)
    assert isinstance(again, Protected)
    assert again.octets == octets
    assert again.mark is None

    other = Associations(there, captures.ASSOCIATIONS, random=chance())
    assert reason(other.verify(octets)) == "spi_unknown"


def test_the_captures_hold_what_the_tests_need() -> None:
    spis = {int.from_bytes(read_packet(p).payload[:4]) for p in captures.esp_packets()}
    assert spis == {0x2000, 0x2001, 0x2004}
    assert len(captures.esp_packets()) == 22


@pytest.mark.parametrize("octets", captures.esp_packets()[::5])
def test_a_captured_packet_with_any_octet_changed(octets: bytes) -> None:
    end = End.HOME_AGENT
    if read_packet(octets).destination != HOME_AGENT:
        end = End.MOBILE_NODE
    receiver = Associations(end, captures.ASSOCIATIONS, random=chance())
    assert isinstance(receiver.verify(octets), Verified)
    start = read_packet(octets).payload_offset
    for at in range(start, len(octets)):
        changed = bytearray(octets)
        changed[at] ^= 0x40
        expected = "spi_unknown" if at < start + 4 else "authentication_failed"
        assert reason(receiver.verify(bytes(changed))) == expected


# Our own.


@both_ways
def test_what_one_end_protects_the_other_verifies(
    sender: End, receiver: End, packet: Packet
) -> None:
    octets = protected(node(sender), packet)
    verdict = node(receiver).verify(octets)
    assert isinstance(verdict, Verified)
    assert verdict.octets == write(packet)
    assert verdict.protected_for == HOME_ADDRESS
    assert verdict.mark is not None and verdict.mark.number == 1
    again = read(verdict.octets, protected_for=verdict.protected_for)
    assert again == replace(packet, protected_for=HOME_ADDRESS)


@pytest.mark.rfc("11.3.2", "the Home Address option stands before the IPsec header")
def test_the_order_of_headers() -> None:
    octets = protected(node(End.MOBILE_NODE), BINDING_UPDATE)
    assert octets[6] == 60 and octets[40] == 50  # Destination Options, ESP
    octets = protected(node(End.HOME_AGENT), ACKNOWLEDGEMENT)
    assert octets[6] == 43 and octets[40] == 50  # routing header, ESP
    octets = protected(node(End.MOBILE_NODE), HOME_TEST_INIT)
    assert octets[6] == 50
    assert (octets[8:24], octets[24:40]) == (CARE_OF_ADDRESS.packed, HOME_AGENT.packed)


@both_ways
def test_nothing_can_be_read_on_the_way(
    sender: End, receiver: End, packet: Packet
) -> None:
    plain = read_packet(write(packet)).payload
    sealed = read_packet(protected(node(sender), packet)).payload[24:]  # behind the IV
    assert not any(plain[at : at + 4] in sealed for at in range(len(plain) - 3))


@both_ways
def test_each_packet_has_a_new_iv(sender: End, receiver: End, packet: Packet) -> None:
    end = node(sender)
    sent = {read_packet(protected(end, packet)).payload[8:24] for _ in range(20)}
    assert len(sent) == 20


@both_ways
def test_any_octet_changed_is_rejected_or_means_the_same(
    sender: End, receiver: End, packet: Packet
) -> None:
    octets = protected(node(sender), packet)
    for at in range(len(octets)):
        for bit in (0x01, 0x80):
            changed = bytearray(octets)
            changed[at] ^= bit
            verdict = node(receiver).verify(bytes(changed))
            if isinstance(verdict, Rejected):
                continue
            # Headers before ESP are not covered (RFC 3776 §3.1): nothing of what is
            # believed may come from them.
            if verdict.protected_for is not None:
                assert at < read_packet(octets).payload_offset
                there, here = read(verdict.octets), packet
                assert there.message == here.message
                if packet.tunnel is None and sender is End.MOBILE_NODE:
                    assert there.origin == here.origin == verdict.protected_for
                elif packet.tunnel is None:
                    assert there.target == here.target == verdict.protected_for
                else:
                    assert (there.source, there.destination) == (
                        here.source,
                        here.destination,
                    )


@both_ways
def test_a_packet_counts_once(sender: End, receiver: End, packet: Packet) -> None:
    octets = protected(node(sender), packet)
    end = node(receiver)
    assert isinstance(end.verify(octets), Verified)
    assert end.verify(octets) == Rejected(
        "replayed", "RFC 4303 3.4.3", read_packet(octets).source
    )


def test_packets_out_of_order_count_within_the_window() -> None:
    mobile_node, home_agent = node(End.MOBILE_NODE), node(End.HOME_AGENT)
    sent = [protected(mobile_node, BINDING_UPDATE) for _ in range(70)]
    assert isinstance(home_agent.verify(sent[69]), Verified)
    assert isinstance(home_agent.verify(sent[6]), Verified)
    assert reason(home_agent.verify(sent[5])) == "replayed"
    assert isinstance(home_agent.verify(sent[7]), Verified)
    assert reason(home_agent.verify(sent[7])) == "replayed"


def test_a_forgery_does_not_move_the_window() -> None:
    mobile_node, home_agent = node(End.MOBILE_NODE), node(End.HOME_AGENT)
    octets = bytearray(protected(mobile_node, BINDING_UPDATE))
    at = read_packet(bytes(octets)).payload_offset + 4
    octets[at : at + 4] = b"\xff\xff\xff\xff"
    assert reason(home_agent.verify(bytes(octets))) == "authentication_failed"
    verdict = home_agent.verify(protected(mobile_node, BINDING_UPDATE))
    assert isinstance(verdict, Verified)


# What outlives the process.


def test_replays_after_the_receiver_restarted() -> None:
    mobile_node, home_agent = node(End.MOBILE_NODE), node(End.HOME_AGENT)
    first = protected(mobile_node, BINDING_UPDATE)
    verdict = home_agent.verify(first)
    assert isinstance(verdict, Verified) and verdict.mark is not None
    restarted = node(End.HOME_AGENT, stored=dict([verdict.mark]))
    assert reason(restarted.verify(first)) == "replayed"
    assert isinstance(
        restarted.verify(protected(mobile_node, BINDING_UPDATE)), Verified
    )
    forgetful = node(End.HOME_AGENT)
    assert isinstance(forgetful.verify(first), Verified)  # what `stored` is for


def test_the_sender_reserves_numbers_before_it_uses_them() -> None:
    stored: dict[str, int] = {}
    home_agent = node(End.HOME_AGENT)
    numbers = []
    for _ in range(3):  # lives of the mobile node, each ended by a crash
        mobile_node = node(End.MOBILE_NODE, stored=stored)
        for count in range(RESERVED_AT_ONCE + 1):
            verdict = mobile_node.protect(write(BINDING_UPDATE))
            assert isinstance(verdict, Protected)
            assert (verdict.mark is not None) == (count % RESERVED_AT_ONCE == 0)
            if verdict.mark is not None:
                stored.update([verdict.mark])
            number = int.from_bytes(read_packet(verdict.octets).payload[4:8])
            numbers.append(number)
            assert number <= max(stored.values())
            assert isinstance(home_agent.verify(verdict.octets), Verified)
    assert numbers == sorted(set(numbers))


def test_used_up_numbers_are_not_sent_again() -> None:
    (association,) = (
        association
        for association in from_key(KEY, HOME_ADDRESS, HOME_AGENT)
        if association.purpose is Purpose.BINDING
        and association.direction is Direction.TO_HOME_AGENT
    )
    mobile_node = node(End.MOBILE_NODE, stored={association.name: 2**32 - 2})
    protected(mobile_node, BINDING_UPDATE)
    verdict = mobile_node.protect(write(BINDING_UPDATE))
    assert isinstance(verdict, Rejected)
    assert verdict.reason == "sequence_numbers_exhausted"


# Whose association it must be.


@pytest.mark.rfc("5.1", "a security association serves one home address")
@pytest.mark.rfc("10.3.1", "the home address identifies the security association")
def test_one_mobile_node_cannot_speak_for_another() -> None:
    own = from_key(KEY, HOME_ADDRESS, HOME_AGENT)
    others = from_key(OTHER_KEY, OTHER_HOME_ADDRESS, HOME_AGENT)
    home_agent = Associations(End.HOME_AGENT, (*own, *others), random=chance())
    # The attacker has keys of his own and says what he likes.
    as_victim = tuple(replace(a, home_address=HOME_ADDRESS) for a in others)
    attacker = Associations(End.MOBILE_NODE, as_victim, random=chance())
    for packet in (BINDING_UPDATE, AT_HOME, SOLICITATION):
        octets = protected(attacker, packet)
        assert reason(home_agent.verify(octets)) == "home_address_mismatch"
    octets = protected(attacker, HOME_TEST_INIT)
    assert reason(home_agent.verify(octets)) == "selector_mismatch"
    # Nor does the option behind ESP help him, where nobody looks for it before.
    inner = write(replace(BINDING_UPDATE, source=OTHER_HOME_ADDRESS))
    assert (
        reason(home_agent.verify(hidden_option(others, inner))) == "selector_mismatch"
    )


def hidden_option(
    associations: tuple[SecurityAssociation, ...], octets: bytes
) -> bytes:
    """Source address his own, ESP, and only in it the victim's Home Address option."""
    association = next(a for a in associations if a.purpose is Purpose.BINDING)
    esp = association.transform.seal(association.spi, 1, 60, octets[40:], bytes(16))
    return octets[:4] + len(esp).to_bytes(2) + b"\x32" + octets[7:40] + esp


def test_the_spi_of_one_home_address_with_the_key_of_another() -> None:
    """Derived SPIs may meet; then the home address and the key decide."""
    own = from_key(KEY, HOME_ADDRESS, HOME_AGENT)
    others = tuple(
        replace(association, spi=first.spi)
        for first, association in zip(
            own, from_key(OTHER_KEY, OTHER_HOME_ADDRESS, HOME_AGENT), strict=True
        )
    )
    home_agent = Associations(End.HOME_AGENT, (*own, *others), random=chance())
    for associations, owner in ((own, HOME_ADDRESS), (others, OTHER_HOME_ADDRESS)):
        mobile_node = Associations(End.MOBILE_NODE, associations, random=chance())
        update = replace(BINDING_UPDATE, home_address=owner)
        test = replace(HOME_TEST_INIT, source=owner)
        for packet in (update, test):
            verdict = home_agent.verify(protected(mobile_node, packet))
            assert isinstance(verdict, Verified)
            assert verdict.protected_for == owner
    mobile_node = Associations(End.MOBILE_NODE, own, random=chance())
    octets = bytearray(protected(mobile_node, BINDING_UPDATE))
    octets[48:64] = OTHER_HOME_ADDRESS.packed
    assert reason(home_agent.verify(bytes(octets))) == "authentication_failed"


@pytest.mark.parametrize(
    ("at", "address"), [(24, "2001:db8:a::2"), (24, "2001:db8:ffff::1")]
)
def test_esp_for_another_home_agent(at: int, address: str) -> None:
    octets = bytearray(protected(node(End.MOBILE_NODE), BINDING_UPDATE))
    octets[at : at + 16] = IPv6Address(address).packed
    assert reason(node(End.HOME_AGENT).verify(bytes(octets))) == "home_address_mismatch"


def test_a_home_address_option_before_the_tunnel_is_none_of_ours() -> None:
    octets = protected(node(End.MOBILE_NODE), HOME_TEST_INIT)
    headers = read_packet(write(BINDING_UPDATE))
    esp = replace(headers, next_header=50, payload=octets[40:])
    verdict = node(End.HOME_AGENT).verify(write_packet(esp))
    assert reason(verdict) == "home_address_mismatch"


def test_what_came_by_the_wrong_association_of_the_right_node() -> None:
    """One association swapped for another of the same mobile node (RFC 4301 §5.2)."""
    own = from_key(KEY, HOME_ADDRESS, HOME_AGENT)
    home_agent = Associations(End.HOME_AGENT, own, random=chance())
    by_purpose = {a.purpose: a for a in own if a.direction is Direction.TO_HOME_AGENT}
    swapped = (
        (BINDING_UPDATE, Purpose.PREFIX_DISCOVERY),
        (SOLICITATION, Purpose.BINDING),
        (HOME_TEST_INIT, Purpose.BINDING),
        (HOME_TEST_INIT, Purpose.PREFIX_DISCOVERY),
        (replace(SOLICITATION, home_address=None), Purpose.RETURN_ROUTABILITY),
    )
    for number, (packet, purpose) in enumerate(swapped, start=1):
        association = by_purpose[purpose]
        headers = read_packet(write(packet))
        if packet.tunnel:
            headers = replace(headers, source=HOME_ADDRESS)
        esp = association.transform.seal(
            association.spi, number, headers.next_header, headers.payload, bytes(16)
        )
        octets = write_packet(replace(headers, next_header=50, payload=esp))
        assert reason(home_agent.verify(octets)) == "selector_mismatch", packet


@pytest.mark.parametrize(
    ("next_header", "payload", "expected"),
    [
        (59, b"anything", "dummy_packet"),
        (6, bytes(20), "selector_mismatch"),
        (0, bytes(8), "selector_mismatch"),
        (41, bytes(40), "selector_mismatch"),
        (135, bytes.fromhex("3b000700000000000000"), "octets_behind_mobility_header"),
    ],
)
def test_what_else_may_be_inside(
    next_header: int, payload: bytes, expected: str
) -> None:
    own = from_key(KEY, HOME_ADDRESS, HOME_AGENT)
    association = next(a for a in own if a.direction is Direction.TO_HOME_AGENT)
    headers = read_packet(write(AT_HOME))
    esp = association.transform.seal(
        association.spi, 1, next_header, payload, bytes(16)
    )
    octets = write_packet(replace(headers, next_header=50, payload=esp))
    assert reason(node(End.HOME_AGENT).verify(octets)) == expected


def test_a_home_address_option_out_of_its_place_in_a_full_header() -> None:
    """Put to where it belongs it would make the header too long for its length."""
    octets = protected(node(End.MOBILE_NODE), BINDING_UPDATE)
    option = b"\xc9\x10" + HOME_ADDRESS.packed
    rest = 2048 - 2 - len(option)
    filling = (b"\x1e\xff" + bytes(255)) * (rest // 257)
    filling += b"\x1e" + bytes([rest % 257 - 2]) + bytes(rest % 257 - 2)
    options = b"\x32\xff" + option + filling
    chain = options + read_packet(octets).payload
    octets = octets[:4] + len(chain).to_bytes(2) + octets[6:40] + chain
    assert reason(node(End.HOME_AGENT).verify(octets)) == "header_too_long"


def tunnelled(inner: bytes) -> bytes:
    """By the return routability association, from the care-of address."""
    association = next(
        a
        for a in from_key(KEY, HOME_ADDRESS, HOME_AGENT)
        if a.purpose is Purpose.RETURN_ROUTABILITY
        and a.direction is Direction.TO_HOME_AGENT
    )
    esp = association.transform.seal(association.spi, 1, 41, inner, bytes(16))
    outer = IPv6Packet(
        source=CARE_OF_ADDRESS, destination=HOME_AGENT, next_header=50, payload=esp
    )
    return write_packet(outer)


@pytest.mark.parametrize(
    "inner",
    [
        write(replace(HOME_TEST_INIT, tunnel=None, source=OTHER_HOME_ADDRESS)),
        write(replace(HOME_TEST_INIT, tunnel=None, home_address=OTHER_HOME_ADDRESS)),
        write(replace(SOLICITATION, home_address=None, source=HOME_ADDRESS)),
        write(HOME_TEST_INIT),  # nested tunnels
        write(replace(HOME_TEST_INIT, tunnel=None))[:-1],
        b"",
        bytes(60),
    ],
)
def test_what_may_not_come_through_the_tunnel(inner: bytes) -> None:
    verdict = node(End.HOME_AGENT).verify(tunnelled(inner))
    assert reason(verdict) == "selector_mismatch"


# Policy: what should have been protected.


@pytest.mark.rfc("5.1", "Binding Updates and Acknowledgements MUST be protected")
@both_ways
def test_unprotected_signalling_is_rejected(
    sender: End, receiver: End, packet: Packet
) -> None:
    verdict = node(receiver).verify(write(packet))
    assert isinstance(verdict, Rejected)
    assert (verdict.reason, verdict.section) == ("unprotected", "5.1")


@pytest.mark.parametrize(
    "packet",
    [
        replace(BINDING_UPDATE, home_address=OTHER_HOME_ADDRESS),
        replace(BINDING_UPDATE, destination=CORRESPONDENT),
        replace(ACKNOWLEDGEMENT, source=CORRESPONDENT),
        replace(HOME_TEST, tunnel=None),
        replace(HOME_TEST, tunnel=(CORRESPONDENT, CARE_OF_ADDRESS)),
        replace(HOME_TEST_INIT, tunnel=None),
        replace(
            HOME_TEST_INIT,
            tunnel=None,
            source=CARE_OF_ADDRESS,
            message=CareOfTestInit(care_of_init_cookie=bytes(8)),
        ),
    ],
)
@pytest.mark.parametrize("end", End)
def test_what_no_association_is_for_passes_as_it_is(end: End, packet: Packet) -> None:
    octets = write(packet)
    assert node(end).verify(octets) == Verified(octets)
    assert node(end).protect(octets) == Protected(octets)


@pytest.mark.parametrize("inner", [b"", bytes(60), write(AT_HOME)[:-1]])
@pytest.mark.parametrize("end", End)
def test_tunnelled_data_and_nonsense_pass_as_they_are(end: End, inner: bytes) -> None:
    source, destination = CARE_OF_ADDRESS, HOME_AGENT
    if end is End.MOBILE_NODE:
        source, destination = destination, source
    data = IPv6Packet(
        source=CORRESPONDENT, destination=HOME_ADDRESS, next_header=6, payload=inner
    )
    for payload in (inner, write_packet(data)):
        outer = IPv6Packet(
            source=source, destination=destination, next_header=41, payload=payload
        )
        octets = write_packet(outer)
        assert node(end).verify(octets) == Verified(octets)


@both_ways
def test_a_node_protects_only_what_it_sends(
    sender: End, receiver: End, packet: Packet
) -> None:
    octets = write(packet)
    assert node(receiver).protect(octets) == Protected(octets)


def test_esp_that_is_not_ours() -> None:
    octets = protected(node(End.MOBILE_NODE, OTHER_KEY), BINDING_UPDATE)
    assert reason(node(End.HOME_AGENT).verify(octets)) == "spi_unknown"


# Keys that replace each other.


def test_rotation_never_loses_a_packet() -> None:
    """The four steps of docs/security.md, each end reloading in place."""
    new, old = OTHER_KEY, KEY
    steps = [
        ([old], [old]),
        ([old, new], [old]),
        ([old, new], [new, old]),
        ([new], [new, old]),
        ([new], [new]),
    ]
    home_agent, mobile_node = node(End.HOME_AGENT), node(End.MOBILE_NODE)
    seen = set()
    for at_home_agent, at_mobile_node in steps:
        for end, keys in ((home_agent, at_home_agent), (mobile_node, at_mobile_node)):
            end.replace(a for k in keys for a in from_key(k, HOME_ADDRESS, HOME_AGENT))
        for _ in range(3):
            octets = protected(mobile_node, BINDING_UPDATE)
            assert isinstance(home_agent.verify(octets), Verified)
            assert reason(home_agent.verify(octets)) == "replayed"
            seen.add(read_packet(octets).payload[:4])
            octets = protected(home_agent, ACKNOWLEDGEMENT)
            assert isinstance(mobile_node.verify(octets), Verified)
    assert len(seen) == 2


def test_a_key_that_comes_back_goes_on_counting() -> None:
    home_agent, mobile_node = node(End.HOME_AGENT), node(End.MOBILE_NODE)
    first = protected(mobile_node, BINDING_UPDATE)
    assert isinstance(home_agent.verify(first), Verified)
    for end in (home_agent, mobile_node):
        end.replace(())
        assert end.spis == frozenset()
    assert home_agent.verify(write(BINDING_UPDATE)) == Verified(write(BINDING_UPDATE))
    for end in (home_agent, mobile_node):
        end.replace(from_key(KEY, HOME_ADDRESS, HOME_AGENT))
    assert reason(home_agent.verify(first)) == "replayed"
    octets = protected(mobile_node, BINDING_UPDATE)
    assert isinstance(home_agent.verify(octets), Verified)


def test_a_refused_replacement_changes_nothing() -> None:
    end = node(End.HOME_AGENT)
    spis = end.spis
    with pytest.raises(ValueError, match="needs as many"):
        end.replace(from_key(OTHER_KEY, HOME_ADDRESS, HOME_AGENT)[:1])
    assert end.spis == spis and len(spis) == 3


# Associations that cannot be.

OWN = from_key(KEY, HOME_ADDRESS, HOME_AGENT)


@pytest.mark.parametrize(
    ("associations", "says"),
    [
        ((*OWN, *OWN), "has SPI 0x[0-9a-f]+ to_home_agent twice"),
        (
            (*OWN, *(replace(a, home_address=OTHER_HOME_ADDRESS) for a in OWN)),
            "2001:db8:a::100 and 2001:db8:a::101 have the same key",
        ),
        (
            tuple(
                association
                for n in range(3)
                for association in from_key(
                    Secret(bytes([n]) * 32), HOME_ADDRESS, HOME_AGENT
                )
            ),
            "more than 2 security associations",
        ),
        (OWN[:1], "needs as many security associations to_mobile_node"),
        (OWN[1:2], "needs as many security associations to_home_agent"),
        (
            (*OWN, *from_key(OTHER_KEY, HOME_ADDRESS, HOME_AGENT)[:1]),
            "needs as many security associations to_mobile_node",
        ),
    ],
)
def test_associations_that_cannot_stand_side_by_side(
    associations: tuple[SecurityAssociation, ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        Associations(End.HOME_AGENT, associations, random=chance())
    for association in associations:
        assert association.transform.integrity_key.reveal().hex() not in str(
            caught.value
        )


@pytest.mark.parametrize("spi", [0, 255, -1, 2**32])
def test_reserved_spis(spi: int) -> None:
    with pytest.raises(ValueError, match="is not one of"):
        replace(OWN[0], spi=spi)


def test_a_home_test_must_be_encrypted() -> None:
    transform = Transform(
        integrity=Integrity.HMAC_SHA1_96, integrity_key=Secret(bytes(20))
    )
    with pytest.raises(ValueError, match="must be encrypted"):
        replace(OWN[0], purpose=Purpose.RETURN_ROUTABILITY, transform=transform)
    assert transform.encryption is Encryption.NULL
    assert replace(OWN[0], transform=transform).purpose is Purpose.BINDING


# Arbitrary octets.


@pytest.mark.parametrize("end", End)
@given(octets=st.one_of(st.binary(max_size=200), packets().map(write_packet)))
def test_no_octets_raise_anything(end: End, octets: bytes) -> None:
    verdict = node(end).verify(octets)
    if isinstance(verdict, Verified):
        assert verdict.octets == octets
        assert verdict.protected_for is None


MUTANTS = st.sampled_from([*BOTH_WAYS]).flatmap(
    lambda way: st.tuples(st.just(way[1]), mutated(protected(node(way[0]), way[2])))
)


@given(MUTANTS)
def test_no_mutant_raises_anything_or_is_believed(mutant: tuple[End, bytes]) -> None:
    end, octets = mutant
    verdict = node(end).verify(octets)
    if isinstance(verdict, Verified) and verdict.protected_for is not None:
        assert verdict.protected_for == HOME_ADDRESS
        read(verdict.octets)


@given(payload=st.binary(max_size=120), next_header=st.integers(0, 255))
def test_who_has_a_key_can_raise_nothing_either(
    payload: bytes, next_header: int
) -> None:
    home_agent = node(End.HOME_AGENT)
    headers = read_packet(write(AT_HOME))
    for association in OWN:
        if association.direction is Direction.TO_HOME_AGENT:
            esp = association.transform.seal(
                association.spi, 1, next_header, payload, bytes(16)
            )
            octets = write_packet(replace(headers, next_header=50, payload=esp))
            verdict = home_agent.verify(octets)
            if isinstance(verdict, Verified):
                assert verdict.protected_for == HOME_ADDRESS
