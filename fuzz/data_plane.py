"""Target: the eBPF programs do with any packet what fuzz/model.py says.  Needs root."""

import atexit
import os
import subprocess
import sys
import time
from functools import cache
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from tests.support.namespaces import Namespace, connect

from fuzz.choices import Choices
from fuzz.model import DROP, Model, Outcome, by_key, by_pair
from mip6.core.state import End, RouteOptimization, Tunnel
from mip6.linux.dataplane import DataPlane
from mip6.linux.layout import COUNTERS, MARK, MARK_LONG
from mip6.linux.tun import MTU_MIN, Device
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import HEADER

ETHERNET = bytes(12) + b"\x86\xdd"
"""To the loopback device, as which a test run lets packets arrive."""
PINS = Path("/sys/fs/bpf/mip6")
MTU = 1300
"""Less than the smallest packet that must pass, with our headers."""
LENGTH_MAX = 3000
"""Of a packet; a test run takes little more."""
HOME_AGENT, OTHER_HOME_AGENT = (IPv6Address(f"2001:db8:a::{n}") for n in (1, 2))
CARE_OF, NEXT, PREVIOUS, LATE = (IPv6Address(f"2001:db8:b::{n}") for n in range(4))
HOME_ADDRESSES = tuple(IPv6Address(f"2001:db8:a::10{n}") for n in range(7))
CORRESPONDENT = IPv6Address("2001:db8:c::1")
ADDRESSES = (
    *HOME_ADDRESSES,
    HOME_AGENT,
    OTHER_HOME_AGENT,
    CARE_OF,
    NEXT,
    PREVIOUS,
    LATE,
    CORRESPONDENT,
    *map(IPv6Address, ("fe80::1", "ff02::1", "ff0e::1", "::")),
)
OURS = frozenset((HOME_AGENT, CARE_OF, NEXT, CORRESPONDENT, *HOME_ADDRESSES[:2]))
SPIS = frozenset((0x100, 0xDEADBEEF))
NEXT_HEADERS = (41, 41, 135, 58, 60, 43, 0, 50, 44, 17, 59, 51)


def tunnels(now: float) -> list[Tunnel]:
    """One of each kind; two for the home address that is at both ends."""

    def tunnel(end: End, number: int, expires: float = 1e6, **of: Any) -> Tunnel:
        return Tunnel(
            end=end,
            home_address=HOME_ADDRESSES[number],
            care_of_address=CARE_OF if end is End.MOBILE_NODE else NEXT,
            home_agent=HOME_AGENT,
            expires=now + expires,
            **of,
        )

    grace: dict[str, Any] = {"previous": PREVIOUS, "previous_until": now + 1e6}
    return [
        tunnel(End.HOME_AGENT, 0, **grace),
        tunnel(End.MOBILE_NODE, 1, **grace),
        tunnel(End.HOME_AGENT, 2, expires=-1),
        tunnel(End.MOBILE_NODE, 3, expires=-1),
        tunnel(End.MOBILE_NODE, 4, inbound_only=True),
        tunnel(End.HOME_AGENT, 5, previous=LATE, previous_until=now - 1),
        tunnel(End.HOME_AGENT, 6),
        tunnel(End.MOBILE_NODE, 6),
    ]


def ways(now: float) -> list[RouteOptimization]:
    """Direct ways of some of them: to a correspondent, to one another, ended, half."""

    def way(
        end: End,
        number: int,
        correspondent: IPv6Address = CORRESPONDENT,
        expires: float = 1e6,
        **of: Any,
    ) -> RouteOptimization:
        return RouteOptimization(
            end=end,
            home_address=HOME_ADDRESSES[number],
            correspondent=correspondent,
            care_of_address=CARE_OF if end is End.MOBILE_NODE else NEXT,
            expires=now + expires,
            **of,
        )

    grace: dict[str, Any] = {"previous": PREVIOUS, "previous_until": now + 1e6}
    first, second, third = HOME_ADDRESSES[:3]
    return [
        way(End.MOBILE_NODE, 1),
        way(End.MOBILE_NODE, 1, first, **grace),
        way(End.MOBILE_NODE, 1, third, inbound_only=True),
        way(End.MOBILE_NODE, 4, expires=-1),
        way(End.MOBILE_NODE, 5),
        way(End.CORRESPONDENT, 0, second, **grace),
        way(End.CORRESPONDENT, 2, second),
        way(End.CORRESPONDENT, 3),
        way(End.CORRESPONDENT, 4, HOME_AGENT),
        way(End.CORRESPONDENT, 5, expires=-1),
        way(End.CORRESPONDENT, 6, third, previous=LATE, previous_until=now - 1),
    ]


class Bench:
    """The programs, loaded in a network of their own."""

    def __init__(self) -> None:
        node, router = Namespace("node"), Namespace("router")
        connect(node, "eth0", router, "eth0")
        node.ip("address add 2001:db8:9::2/64 dev eth0 nodad")
        router_address = "lladdr 02:00:00:00:00:01"
        node.ip(f"neighbor add 2001:db8:9::1 {router_address} dev eth0 nud permanent")
        node.ip("route add default via 2001:db8:9::1")
        node.ip(f"link set eth0 mtu {MTU}")
        self.node = node
        with node.entered():
            self.device = Device.open("mip0", mtu=MTU_MIN)
            index = self.device.index
            pins = PINS / f"fuzz-{node.name}"
            self.data_plane = DataPlane.open(pins, device=index, spis=SPIS)
        endless = {"rate": 1e9, "burst": 10**6}
        self.data_plane.configure(
            **{
                f"{budget}_{name}": value
                for budget in ("unmatched", "unverified", "open", "esp", "long")
                for name, value in endless.items()
            }
        )
        for address in OURS:
            self.data_plane.divert(address)
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        standing, direct = tunnels(now), ways(now)
        self.data_plane.put_many([*standing, *direct])
        self.model = Model(by_key(standing), by_pair(direct), OURS, SPIS, MTU, now)
        self._counted = self.data_plane.counters()

    def run(self, program: str, octets: bytes, mark: int) -> Outcome:
        with self.node.entered():
            outcome = self.data_plane.program(program).run(ETHERNET + octets, mark=mark)
        before, self._counted = self._counted, self.data_plane.counters()
        counted = [n for n in COUNTERS for _ in range(self._counted[n] - before[n])]
        packet = b"" if outcome.verdict == DROP else outcome.packet[14:]
        return Outcome(outcome.verdict, packet, outcome.mark, " ".join(counted))


@cache
def bench() -> Bench:
    # Atheris ends the process without a word: somebody outlives it, to tidy up.
    command = (sys.executable, "-m", "fuzz.data_plane", str(os.getpid()))
    janitor = subprocess.Popen(command, stdin=subprocess.PIPE)
    atexit.register(janitor.communicate)
    return Bench()


def tidy_up(pid: int) -> None:
    """Take away what a process of that number has left."""
    for pins in PINS.glob(f"fuzz-mip6t-{pid}-*"):
        DataPlane.remove(pins)
    for namespace in Path("/run/netns").glob(f"mip6t-{pid}-*"):
        subprocess.run(("ip", "netns", "del", namespace.name), check=True)


def data_plane(octets: bytes) -> None:
    """Both programs, with a packet as somebody could send it, then changed."""
    choices = Choices(octets)
    inward = not choices.flag()
    mark = 0 if inward else choices.one_of((0, 0, 0, MARK, MARK_LONG))
    sent = choices.changed(_packet(choices))[:LENGTH_MAX]
    if len(sent) < HEADER.size:
        return  # newer kernels refuse the test run
    if inward:
        found, wanted = bench().run("link_ingress", sent, 0), bench().model.arrive(sent)
    else:
        found = bench().run("device_egress_l2", sent, mark)
        wanted = bench().model.out(sent, mark=mark)
    if found != wanted:
        what = "in" if inward else "out"
        raise AssertionError(
            f"{what} {sent.hex()}: {_said(found)}, not {_said(wanted)}"
        )


def _said(outcome: Outcome) -> str:
    packet = outcome.packet.hex()
    return f"{outcome.verdict} {outcome.counted!r} {outcome.mark:#x} {packet}"


LIKELY = (
    (NEXT, HOME_ADDRESSES[1], 60),
    (NEXT, CORRESPONDENT, 60),
    (NEXT, HOME_AGENT, 60),
    (NEXT, CARE_OF, 43),
    (CORRESPONDENT, CARE_OF, 43),
    (HOME_AGENT, CARE_OF, 41),
    (NEXT, HOME_AGENT, 41),
    (HOME_ADDRESSES[1], CORRESPONDENT, 17),
    (HOME_ADDRESSES[1], HOME_ADDRESSES[0], 0),
    (HOME_ADDRESSES[1], HOME_ADDRESSES[2], 17),
    (CORRESPONDENT, HOME_ADDRESSES[3], 0),
    (HOME_AGENT, HOME_ADDRESSES[5], 17),
)
"""Source, destination and next header of what is more than dropped."""


def _packet(choices: Choices, depth: int = 0) -> bytes:
    if choices.flag():
        near, far, next_header = choices.one_of(LIKELY)
    else:
        near, far = (choices.one_of(ADDRESSES) for _ in range(2))
        next_header = choices.one_of(NEXT_HEADERS)
    first = 6 << 28 | choices.number() << 20
    source, destination = near.packed, far.packed
    payload = _content(choices, next_header, depth, HEADERS_MAX)
    return HEADER.pack(first, len(payload), next_header, 64, source, destination) + (
        payload
    )


HEADERS_MAX = 6
"""Extension headers; the programs look through fewer."""


def _content(choices: Choices, header: int, depth: int, headers_max: int) -> bytes:
    """From the header of that number on."""
    match header:
        case NextHeader.IPV6 if depth < 2:
            return _packet(choices, depth + 1)
        case NextHeader.HOP_BY_HOP_OPTIONS | NextHeader.DESTINATION_OPTIONS:
            body = _options(choices)
        case NextHeader.ROUTING:
            body = bytes([choices.one_of((2, 2, 2, 0, 4)), choices.one_of((1, 1, 0))])
            body += bytes(4) + choices.one_of(ADDRESSES).packed
            body += choices.octets(choices.one_of((0, 0, 0, 8)))
        case NextHeader.ESP:
            spi = choices.one_of((0x100, 0xDEADBEEF, 0x101))
            return spi.to_bytes(4) + choices.octets(20)
        case NextHeader.ICMPV6:
            types = (144, 145, 146, 147, 143, 148, 128)
            return bytes([choices.one_of(types)]) + choices.octets(20)
        case _:
            return choices.octets(choices.number() * choices.one_of((1, 1, 8)))
    if not headers_max:
        return body
    following = choices.one_of(NEXT_HEADERS)
    body += bytes(-(len(body) + 2) % 8)
    header_octets = bytes([following, len(body) // 8]) + body
    return header_octets + _content(choices, following, depth, headers_max - 1)


def _options(choices: Choices) -> bytes:
    if choices.flag():  # as mobile nodes write it
        return b"\1\2\0\0\xc9\x10" + choices.one_of(HOME_ADDRESSES).packed
    options = b""
    for _ in range(choices.number() % 12):
        match choices.number() % 4:
            case 0:
                options += b"\0"
            case 1:
                options += b"\xc9\x10" + choices.one_of(HOME_ADDRESSES).packed
            case 2:
                data = choices.octets(choices.number() % 8)
                options += bytes([choices.number(), len(data)]) + data
            case _:
                options += b"\x01\x00"
    return options


if __name__ == "__main__":
    sys.stdin.read()  # until that process has ended
    tidy_up(int(sys.argv[1]))
