"""Where to cut a packet of the usual form is what decoding it says."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.security import (
    ACKNOWLEDGEMENT as AN_ACKNOWLEDGEMENT,
)
from tests.support.security import (
    AT_HOME as FROM_HOME,
)
from tests.support.security import (
    BINDING_UPDATE,
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
)

from mip6.core.packet import unwrap, write
from mip6.security.outline import excess, outline, with_payload
from mip6.wire.buffer import WireError
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    RoutingHeaderType2,
    read_packet,
    write_packet,
)

UPDATE = write(BINDING_UPDATE)
ACKNOWLEDGEMENT = write(AN_ACKNOWLEDGEMENT)
AT_HOME = write(FROM_HOME)


def agrees(octets: bytes) -> bool:
    """Whether it says anything; then it is what there is."""
    found = outline(octets)
    if found is None:
        return False
    headers = read_packet(octets)
    wrapping = unwrap(headers)
    assert found.next_header == headers.next_header
    assert found.payload_at == headers.payload_offset
    assert octets[found.payload_at :] == headers.payload
    for at, address in (
        (found.home_address_at, wrapping.home_address),
        (found.routing_address_at, wrapping.routing_address),
    ):
        said = IPv6Address(octets[at : at + 16]) if at else None
        assert said == address
    other = replace(headers, next_header=59, payload=b"other")
    assert read_packet(with_payload(octets, found, 59, b"other")) == other
    return True


@pytest.mark.parametrize("octets", [UPDATE, ACKNOWLEDGEMENT, AT_HOME])
def test_the_usual_forms(octets: bytes) -> None:
    assert agrees(octets)
    assert write_packet(read_packet(octets)) == octets


def test_what_is_put_together_again_is_the_same() -> None:
    for octets in (UPDATE, ACKNOWLEDGEMENT, AT_HOME):
        found = outline(octets)
        assert found is not None
        payload = octets[found.payload_at :]
        assert with_payload(octets, found, found.next_header, payload) == octets


OPTIONS = DestinationOptions((HomeAddressOption(HOME_ADDRESS),))
STRANGE = {
    "nothing": b"",
    "short": UPDATE[:39],
    "truncated": UPDATE[:-1],
    "octets behind it": UPDATE + b"x",
    "version": b"\x40" + UPDATE[1:],
    "end in an extension header": UPDATE[:4] + b"\0\x10" + UPDATE[6:56],
    "other padding": UPDATE[:42] + b"\0\0\0\0" + UPDATE[46:],
    "other option": UPDATE[:46] + b"\x1e" + UPDATE[47:],
    "longer options": UPDATE[:41] + b"\x03" + UPDATE[42:],
    "hop by hop": UPDATE[:6] + b"\0" + UPDATE[7:],
    "routing type 0": ACKNOWLEDGEMENT[:42] + b"\0" + ACKNOWLEDGEMENT[43:],
    "segments left": ACKNOWLEDGEMENT[:43] + b"\2" + ACKNOWLEDGEMENT[44:],
    "two extension headers": write_packet(
        replace(
            read_packet(UPDATE),
            extensions=(RoutingHeaderType2(CARE_OF_ADDRESS), OPTIONS),
        )
    ),
    "octets behind the message": UPDATE[:4]
    + (len(UPDATE) - 40 + 8).to_bytes(2)
    + UPDATE[6:]
    + bytes(8),
}


@pytest.mark.parametrize("what", STRANGE)
def test_anything_else_is_for_others_to_decode(what: str) -> None:
    assert outline(STRANGE[what]) is None


def test_octets_behind_a_mobility_header() -> None:
    message = bytes.fromhex("3b000700000000000000")[:8]
    assert not excess(message[:7])
    assert not excess(message)
    assert excess(message + b"x")


def test_a_payload_that_is_too_long() -> None:
    found = outline(UPDATE)
    assert found is not None
    assert with_payload(UPDATE, found, 59, bytes(0xFFFF - 24))[4:6] == b"\xff\xff"
    with pytest.raises(ValueError, match="too long"):
        with_payload(UPDATE, found, 59, bytes(0xFFFF - 23))


@given(
    st.sampled_from([UPDATE, ACKNOWLEDGEMENT, AT_HOME]),
    st.lists(st.tuples(st.integers(0, 79), st.integers(0, 255)), max_size=3),
    st.integers(-9, 9),
)
def test_whatever_it_says_decoding_says_too(
    octets: bytes, changes: list[tuple[int, int]], more: int
) -> None:
    changed = bytearray(octets[:more] if more < 0 else octets + bytes(more))
    for at, value in changes:
        if at < len(changed):
            changed[at] = value
    try:
        agrees(bytes(changed))
    except WireError:
        pytest.fail(f"{bytes(changed).hex()} cannot be decoded")
