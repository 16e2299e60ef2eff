"""The captured packets, layer by layer."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv6Address

from tests.support.tshark import ESP_KEYS, PCAP

from mip6.cli.dissection import Keys, Signalling, dissect
from mip6.core.packet import Packet
from mip6.wire.capture import ipv6_in, read_capture
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, read_packet

HOME_AGENT = IPv6Address("2001:db8:a::1")
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
CORRESPONDENT = IPv6Address("2001:db8:e::2")
AT_B = IPv6Address("2001:db8:b::ff:fe00:64")
AT_C = IPv6Address("2001:db8:c::ff:fe00:64")


@dataclass(frozen=True, slots=True)
class Captured:
    """An IPv6 packet, and when it passed."""

    at: float
    frame: int
    octets: bytes


@cache
def packets(capture: str) -> tuple[Captured, ...]:
    frames = read_capture((PCAP / f"{capture}.pcap").read_bytes())
    found = ((frame, ipv6_in(frame)) for frame in frames)
    return tuple(Captured(f.at, f.number, octets) for f, octets in found if octets)


def layers(octets: bytes) -> Iterator[tuple[IPv6Packet, bytes]]:
    """The packet and those inside its tunnels, each with its octets."""
    headers = read_packet(octets)
    yield headers, octets
    if headers.next_header == NextHeader.IPV6:
        yield from layers(headers.payload)


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded packet, out of its tunnel and its ESP."""

    at: float
    frame: int
    packet: Packet

    @property
    def octets(self) -> bytes:
        """Of the Mobility Header or ICMPv6 message alone."""
        return read_packet(self.packet.octets).payload


@cache
def messages(capture: str) -> tuple[Message, ...]:
    """What can be decoded of one capture, other ICMPv6 messages included."""
    keys = Keys([ESP_KEYS])
    found = (
        (captured, dissect(captured.octets, keys)) for captured in packets(capture)
    )
    return tuple(
        Message(captured.at, captured.frame, one.packet)
        for captured, one in found
        if isinstance(one, Signalling)
    )
