"""What should have been protected, what passes, and arbitrary octets."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.security import (
    ACKNOWLEDGEMENT,
    AT_HOME,
    BINDING_UPDATE,
    BOTH_WAYS,
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_TEST,
    HOME_TEST_INIT,
    KEY,
    OTHER_HOME_ADDRESS,
    OTHER_KEY,
    both_ways,
    from_key,
    node,
    protected,
    reason,
)
from tests.support.strategies import mutated, packets

from mip6.core.packet import Packet, read, write
from mip6.core.state import End
from mip6.security.keys import Direction
from mip6.security.verdict import Protected, Rejected, Verified
from mip6.wire.messages import BindingUpdate, CareOfTestInit
from mip6.wire.packet import IPv6Packet, read_packet, write_packet

assert isinstance(BINDING_UPDATE.message, BindingUpdate)
FOR_CORRESPONDENT = replace(
    BINDING_UPDATE, message=replace(BINDING_UPDATE.message, home_registration=False)
)

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
        replace(FOR_CORRESPONDENT, home_address=OTHER_HOME_ADDRESS),
        replace(FOR_CORRESPONDENT, destination=CORRESPONDENT),
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
    for association in from_key(KEY, HOME_ADDRESS, HOME_AGENT):
        if association.direction is Direction.TO_HOME_AGENT:
            esp = association.transform.seal(
                association.spi, 1, next_header, payload, bytes(16)
            )
            octets = write_packet(replace(headers, next_header=50, payload=esp))
            verdict = home_agent.verify(octets)
            if isinstance(verdict, Verified):
                assert verdict.protected_for == HOME_ADDRESS
