"""What one end protects the other verifies, once, whatever restarts in between."""

from dataclasses import replace

import pytest
from tests.support.security import (
    ACKNOWLEDGEMENT,
    BINDING_UPDATE,
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_TEST_INIT,
    KEY,
    OTHER_KEY,
    both_ways,
    from_key,
    node,
    protected,
    reason,
)

from mip6.core.packet import Packet, read, write
from mip6.core.state import End
from mip6.security.keys import Direction, Purpose
from mip6.security.replay import RESERVED_AT_ONCE
from mip6.security.verdict import Protected, Rejected, Verified
from mip6.wire.packet import read_packet

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


@pytest.mark.rfc("11.3.2-1", "the Home Address option stands before the IPsec header")
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
