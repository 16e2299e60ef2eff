"""Who sends what nobody should: any packet, from any source, from anywhere."""

import contextlib
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address

from mip6.core.packet import Packet, write
from mip6.security.association import SecurityAssociation
from mip6.wire.messages import BindingUpdate
from mip6.wire.next_header import NextHeader
from mip6.wire.options import AlternateCareOfAddress
from mip6.wire.packet import read_packet, write_packet

from .namespaces import Namespace

ALL_NODES = bytes.fromhex("333300000001")
_ETHERTYPE = 0x86DD


def send(place: Namespace, packets: Iterable[bytes]) -> None:
    """Whole IPv6 packets, by the routes of `place`, whatever their source says."""
    with place.entered():
        raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw:
        for packet in packets:
            raw.sendto(packet, (str(IPv6Address(packet[24:40])), 0))


def send_on_link(place: Namespace, link: str, packets: Iterable[bytes]) -> None:
    """The same to all nodes of a link, from a station there."""
    with place.entered():
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        raw.bind((link, _ETHERTYPE))
    header = ALL_NODES + bytes.fromhex("0200000000ee") + _ETHERTYPE.to_bytes(2)
    with raw:
        for packet in packets:
            raw.send(header + packet)


class Ear:
    """Hears what passes a link, whoever it is for."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw

    def esp(self, destination: str) -> list[bytes]:
        """The packets with ESP to `destination` that have passed until now."""
        return [
            packet
            for packet in self.packets()
            if packet[24:40] == IPv6Address(destination).packed
            and read_packet(packet).next_header == NextHeader.ESP
        ]

    def packets(self) -> list[bytes]:
        """All that have passed until now, and were not told yet."""
        heard = []
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(self._raw.recv(65535)[14:])
        return heard


@contextlib.contextmanager
def listening(place: Namespace, link: str) -> Iterator[Ear]:
    with place.entered():
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE))
        raw.bind((link, _ETHERTYPE))
    raw.setblocking(False)
    with raw:
        yield Ear(raw)


def binding_update(
    home_address: str,
    care_of_address: str,
    home_agent: str,
    *,
    source: str | None = None,
    sequence_number: int = 1,
    lifetime: int = 400,
) -> Packet:
    """A home registration as a mobile node sends it."""
    return Packet(
        source=IPv6Address(source or care_of_address),
        destination=IPv6Address(home_agent),
        home_address=IPv6Address(home_address),
        message=BindingUpdate(
            sequence_number=sequence_number,
            lifetime=lifetime,
            acknowledge=True,
            home_registration=True,
            options=(AlternateCareOfAddress(IPv6Address(care_of_address)),),
        ),
    )


def sealed(
    packet: Packet,
    association: SecurityAssociation,
    sequence_number: int,
    *,
    spi: int | None = None,
) -> bytes:
    """The packet in ESP by `association`, under its SPI or another."""
    headers = read_packet(write(packet))
    transform = association.transform
    esp = transform.seal(
        spi or association.spi,
        sequence_number,
        headers.next_header,
        headers.payload,
        bytes(transform.iv_length),
    )
    return write_packet(replace(headers, next_header=NextHeader.ESP, payload=esp))
