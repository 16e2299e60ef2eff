"""Inputs to begin with, into .fuzz/NAME: what was captured, one of each kind.

python -m fuzz.seeds
"""

import io
import struct
from collections.abc import Iterator
from hashlib import sha1
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

from mip6.cli.dissection import Keys, Signalling, dissect
from mip6.core.home_agent import HomeAgent
from mip6.core.link import Link
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.daemon.recording import Recorder
from mip6.wire.buffer import WireError
from mip6.wire.capture import ipv6_in, read_capture
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import read_packet

from .packets import HOME_ADDRESS, HOME_AGENT, HOME_PREFIX
from .targets import FOUND

CAPTURES = Path("tests/interop/pcap")
LENGTH_MAX = 512


def captured() -> Iterator[bytes]:
    """One packet of each message and wrapping, none long."""
    seen = set()
    for file in sorted(CAPTURES.glob("*.pcap")):
        for frame in read_capture(file.read_bytes()):
            octets = ipv6_in(frame)
            if octets is None or len(octets) > LENGTH_MAX:
                continue
            found = dissect(octets, Keys())
            kind: tuple[object, ...] = (type(found),)
            if isinstance(found, Signalling):
                packet = found.packet
                kind = (
                    type(packet.message),
                    packet.home_address is None,
                    packet.routing_address is None,
                    packet.tunnel is None,
                )
            if kind not in seen:
                seen.add(kind)
                yield octets


def payloads(packets: list[bytes], next_header: NextHeader) -> Iterator[bytes]:
    for octets in packets:
        try:
            headers = read_packet(octets)
        except WireError:
            continue
        if headers.next_header == next_header:
            yield headers.payload


def files(packets: list[bytes]) -> Iterator[bytes]:
    """pcap and pcapng, of either byte order, with two packets each."""
    packets = sorted(packets, key=len)[:2]
    for order in "<>":
        file = struct.pack(f"{order}IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 101)
        for octets in packets:
            file += struct.pack(f"{order}IIII", 1, 2, len(octets), len(octets)) + octets
        yield file
        options = struct.pack(f"{order}HHB3xHHqHH", 9, 1, 6, 14, 8, 1, 0, 0)
        blocks = [
            (0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)),
            (1, struct.pack(f"{order}HHI", 101, 0, 0) + options),
        ]
        for number, octets in zip((6, 3), packets, strict=True):
            padded = octets + bytes(-len(octets) % 4)
            head = struct.pack(f"{order}I", len(octets))
            if number == 6:
                head = struct.pack(f"{order}III", 0, 1, 2) + head * 2
            blocks.append((number, head + padded))
        file = b""
        for number, body in blocks:
            length = struct.pack(f"{order}I", len(body) + 12)
            file += struct.pack(f"{order}I", number) + length + body + length
        yield file


def recordings(packets: list[bytes]) -> Iterator[bytes]:
    """A home agent, and a mobile node."""
    file = io.StringIO()
    recorder = Recorder(file)
    agent = recorder.new(
        HomeAgent,
        HOME_AGENT,
        IPv6Network(HOME_PREFIX),
        home_link=None,
        bindings_max=2,
        authentication_required=False,
    )
    node = recorder.new(Node, home_agent=agent)
    node.receive(packets[0][:60], 1.0)
    yield file.getvalue().encode()
    file = io.StringIO()
    recorder = Recorder(file)
    mobile_node = recorder.new(
        MobileNode,
        HOME_ADDRESS,
        HOME_PREFIX,
        (HOME_AGENT,),
        random=bytes,
        authentication_required=False,
    )
    node = recorder.new(Node, mobile_node=mobile_node)
    mobile_node.link_up(Link("eth0", bytes(6), IPv6Address("fe80::1")), 1.0)
    node.tick(2.0)
    yield file.getvalue().encode()


def main() -> None:
    packets = list(captured())
    whole = list(packets)
    seeds = {
        "chain": whole,
        "signalling": whole,
        "unprotected": [b"\0" + octets for octets in whole],
        "mobility": list(payloads(packets, NextHeader.MOBILITY)),
        "icmpv6": list(payloads(packets, NextHeader.ICMPV6)),
        "capture": list(files(packets)),
        "recording": list(recordings(packets)),
    }
    for name, inputs in seeds.items():
        directory = FOUND / name
        directory.mkdir(parents=True, exist_ok=True)
        for octets in inputs:
            (directory / sha1(octets).hexdigest()).write_bytes(octets)
        print(f"{name:12} {len(inputs)} seeds")


if __name__ == "__main__":
    main()
