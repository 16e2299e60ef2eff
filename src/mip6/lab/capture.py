"""What was on the wires: tcpdump at four places, read back with our own `wire`."""

import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path

from mip6.security.association import SecurityAssociation
from mip6.security.esp import EspError, spi_and_sequence_number
from mip6.wire.buffer import WireError
from mip6.wire.capture import ipv6_in, read_capture
from mip6.wire.icmpv6 import IcmpMessage, read_icmpv6
from mip6.wire.messages import Message, read_message
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    read_packet,
)
from mip6.wire.record import record

from .lab import Lab, wait_until
from .namespaces import LabError

PLACES = {
    "mn": ("mn", "eth0"),
    "ha": ("ha", "eth0"),
    "hahome": ("ha", "eth1"),
    "cn": ("cn", "eth0"),
    "mn1": ("mn", "eth1"),
}
"""Where is listened: `ha` on the home agent's side towards the core, `hahome` on its
home link, `mn1` at the mobile node's second interface if it has one."""

SIGNALLING = (
    "icmp6 or ip6 proto 135 or ip6 proto 50"
    " or (ip6[6] = 41 and (ip6[46] = 58 or ip6[46] = 135))"
    " or ((ip6[6] = 60 or ip6[6] = 43) and not (ip6[40] = 6 or ip6[40] = 17"
    " or (ip6[40] = 60 and (ip6[64] = 6 or ip6[64] = 17))))"
)
"""Signalling and pings: plain, tunnelled, and direct, which is behind a Home Address
option, a type 2 routing header or both; not the streams that measure."""
SNAP_LENGTH = 256
READY_S = 60.0


class Capture:
    """Running tcpdumps, one file `PLACE.pcap` each."""

    def __init__(self, lab: Lab, directory: Path, *, everything: bool) -> None:
        """`everything`: the measuring streams and TCP too.  Returns when all listen."""
        directory.mkdir(parents=True, exist_ok=True)
        virtual = lab.settings["virtual"]
        self._associations = lab.associations
        self._running: list[subprocess.Popen[bytes]] = []
        self._files: dict[str, Path] = {}
        logs = []
        for place, (role, interface) in PLACES.items():
            if virtual and place == "hahome":
                continue
            if place == "mn1" and lab.settings["interfaces"] < 2:
                continue
            log = lab.directory / f"tcpdump-{place}.log"
            self._files[place] = (directory / f"{place}.pcap").absolute()
            command = ["tcpdump", "-n", "-U", "--immediate-mode", "-Z", "root"]
            command += ["-i", interface, "-s", str(SNAP_LENGTH)]
            command += ["-w", str(self._files[place])]
            command += [] if everything else [SIGNALLING]
            self._running.append(lab.spawn(role, command, log=log))
            logs.append(log)
        if not wait_until(
            lambda: all("listening on" in log.read_text() for log in logs),
            seconds=READY_S,
            every=0.01,
        ):
            said = "".join(log.read_text() for log in logs)
            raise LabError(f"tcpdump does not start:\n{said}")

    def stop(self) -> dict[str, list["Frame"]]:
        """Ends the captures and reads, by place, what can be decoded in them."""
        for process in self._running:
            process.send_signal(signal.SIGINT)
        for process in self._running:
            process.wait()
        frames = {
            place: list(read_pcap(file, self._associations))
            for place, file in self._files.items()
        }
        if second := frames.pop("mn1", []):
            frames["mn"] = sorted(frames["mn"] + second, key=lambda frame: frame.at)
        return frames


@record
class Frame:
    """A captured packet; `at` is in seconds of the boot clock."""

    at: float
    packet: IPv6Packet
    inner: IPv6Packet | None
    """The packet inside, when this is a tunnel's."""
    message: Message | IcmpMessage | None
    """The innermost message, where it is one that `wire` decodes."""
    spi: int | None = None
    """Of the ESP that the message was in."""

    @property
    def ends(self) -> tuple[IPv6Address, IPv6Address]:
        """Between whom it is, whatever it is wrapped in (§6.3, §6.4)."""
        packet = self.inner or self.packet
        source, destination = packet.source, packet.destination
        for extension in packet.extensions:
            if isinstance(extension, RoutingHeaderType2):
                destination = extension.home_address
            if isinstance(extension, DestinationOptions):
                for option in extension.options:
                    if isinstance(option, HomeAddressOption):
                        source = option.home_address
        return source, destination

    @property
    def direct(self) -> bool:
        """Whether it goes past the home agent, with its ends in option or header."""
        packet = self.packet
        return self.ends != (packet.source, packet.destination) and not self.inner


def read_pcap(
    path: Path, associations: Iterable[SecurityAssociation] = ()
) -> Iterator[Frame]:
    """The signalling and pings of a tcpdump file, out of the ESP of `associations`;
    what is cut off is left out."""
    # Captures of this boot only: the offset of the two clocks is today's.
    offset = time.clock_gettime(time.CLOCK_BOOTTIME) - time.time()
    for captured in read_capture(path.read_bytes()):
        octets = ipv6_in(captured)
        if octets is None or _is_data(octets):
            continue
        try:
            packet = read_packet(octets)
            packet, spi = _without_esp(packet, associations)
            inner, message = _decode(packet)
        except (WireError, EspError):
            continue
        yield Frame(captured.at + offset, packet, inner, message, spi)


def _is_data(packet: bytes) -> bool:
    """Whether it is a packet of the measuring streams or TCP, tunnelled or not: there
    are thousands, and they tell nothing."""
    next_header, at = packet[6:7], 40
    if next_header == b"\x29":
        next_header = packet[46:47]
    while next_header in (b"\x2b", b"\x3c"):  # of 24 octets, where it is data
        next_header, at = packet[at : at + 1], at + 24
    return next_header in (b"\x06", b"\x11")


def _without_esp(
    packet: IPv6Packet, associations: Iterable[SecurityAssociation]
) -> tuple[IPv6Packet, int | None]:
    """The packet as it was before it was put into ESP, and the SPI."""
    if packet.next_header != NextHeader.ESP:
        return packet, None
    spi, _ = spi_and_sequence_number(packet.payload)
    for association in associations:
        transform = association.transform
        if association.spi == spi and transform.authentic(packet.payload):
            next_header, payload = transform.open(packet.payload)
            return replace(packet, next_header=next_header, payload=payload), spi
    return packet, spi


def _decode(
    packet: IPv6Packet,
) -> tuple[IPv6Packet | None, Message | IcmpMessage | None]:
    inner = None
    if packet.next_header == NextHeader.IPV6:
        inner = read_packet(packet.payload)
    innermost = inner or packet
    message: Message | IcmpMessage | None = None
    if innermost.next_header == NextHeader.MOBILITY:
        message = read_message(innermost.payload)
    elif innermost.next_header == NextHeader.ICMPV6:
        message = read_icmpv6(innermost.payload)
    return inner, message
