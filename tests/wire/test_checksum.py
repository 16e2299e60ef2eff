from ipaddress import IPv6Address
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.strategies import addresses, mobility_messages, u8

from mip6.wire.checksum import checksum
from mip6.wire.messages import BindingUpdate, HomeTestInit, write_message

CARE_OF_ADDRESS = IPv6Address("2001:db8:b::ff:fe00:64")
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
HOME_AGENT = IPv6Address("2001:db8:a::1")


def by_the_book(
    source: IPv6Address, destination: IPv6Address, next_header: int, octets: bytes
) -> int:
    """RFC 1071, word by word, over the pseudo-header of RFC 8200 §8.1."""
    whole = source.packed + destination.packed
    whole += pack(">I3xB", len(octets), next_header) + octets + bytes(len(octets) % 2)
    total = 0
    for word in unpack(f">{len(whole) // 2}H", whole):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@given(addresses, addresses, u8.filter(bool), st.binary(max_size=99))
def test_agrees_with_the_sum_word_by_word(
    source: IPv6Address, destination: IPv6Address, next_header: int, octets: bytes
) -> None:
    assert checksum(source, destination, next_header, octets) == by_the_book(
        source, destination, next_header, octets
    )


@pytest.mark.rfc("6.1.1", "a message sent has a checksum that verifies to 0")
@given(mobility_messages(), addresses, addresses, st.data())
def test_what_is_written_verifies_and_one_wrong_bit_shows(
    message, source: IPv6Address, destination: IPv6Address, data: st.DataObject
) -> None:
    octets = bytearray(write_message(message, source, destination))
    assert checksum(source, destination, 135, bytes(octets)) == 0
    bit = data.draw(st.integers(0, len(octets) * 8 - 1))
    octets[bit // 8] ^= 1 << bit % 8
    assert checksum(source, destination, 135, bytes(octets)) != 0


@pytest.mark.rfc("6.1.1", "the checksum covers the home address, not the care-of one")
def test_the_checksum_is_over_the_home_address() -> None:
    message = BindingUpdate(sequence_number=1, lifetime=420, home_registration=True)
    octets = write_message(message, HOME_ADDRESS, HOME_AGENT)
    assert checksum(HOME_ADDRESS, HOME_AGENT, 135, octets) == 0
    assert checksum(CARE_OF_ADDRESS, HOME_AGENT, 135, octets) != 0
    assert checksum(HOME_ADDRESS, CARE_OF_ADDRESS, 135, octets) != 0


@pytest.mark.rfc("6.1.1", "the Next Header value of the pseudo-header is 135")
def test_the_pseudo_header_says_135() -> None:
    message = HomeTestInit(home_init_cookie=b"8 octets")
    octets = write_message(message, HOME_ADDRESS, HOME_AGENT)
    assert checksum(HOME_ADDRESS, HOME_AGENT, 58, octets) != 0
