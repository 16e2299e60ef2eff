"""The packets of another implementation with manual associations."""

import pytest
from tests.support import ipsec_captures as captures
from tests.support.security import HOME_ADDRESS, HOME_AGENT, chance, reason

from mip6.core.packet import read
from mip6.core.state import End
from mip6.security.associations import Associations
from mip6.security.verdict import Protected, Verified
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    HomeTestInit,
)
from mip6.wire.packet import read_packet

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
