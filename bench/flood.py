"""How long an authenticated mobile node waits for its acknowledgement beside a flood of
bad Binding Updates.

    python -m bench.flood [--json] [--runs N]

The home agent's daemon, its Binding Updates in ESP, and 20 000 bad packets a second to
it: without ESP from spoofed addresses; recorded ones of one mobile node again and
again; the same with a check value that is wrong.  Beside them another mobile node
refreshes its binding every 30 ms, on the wire as it would be: a figure is the 99th
percentile of 200 times from the Binding Update to its acknowledgement.  Needs root.
"""

import argparse
import contextlib
import multiprocessing
import os
import select
import socket
import tempfile
import time
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from tests.support.abuse import (
    OTHER_HOME_ADDRESS,
    OTHER_KEY,
    away,
    is_binding_update,
)
from tests.support.attacker import binding_update
from tests.support.daemons import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, World

from mip6.core.packet import write
from mip6.core.state import End
from mip6.security.association import from_key
from mip6.security.associations import Associations
from mip6.security.verdict import Protected, Verified

from .measure import interleaved, report, show

RUNS = 3
RATE = 20_000
REFRESHES = 200
INTERVAL_S = 0.03
LOST_S = 1.0
"""A refresh without an answer in this time is counted with it."""
PACKETS = 2000
MORE = "[home_agent]\nupdates_max = 1000\n"
_ETHERTYPE = 0x86DD


def floods(recorded: bytes) -> dict[str, list[bytes]]:
    """What is sent over and over; nothing beside for comparison."""
    wrong = []
    for number in range(PACKETS):
        octets = bytearray(recorded)
        octets[-1 - number % 12] ^= 1 + number % 255
        wrong.append(bytes(octets))
    spoofed = [
        write(
            binding_update(
                HOME_ADDRESS,
                f"2001:db8:e::{number:x}",
                HOME_AGENT,
                sequence_number=number,
            )
        )
        for number in range(1, PACKETS + 1)
    ]
    return {
        "nothing": [],
        "unprotected": spoofed,
        "replayed": [recorded],
        "wrongly protected": wrong,
    }


def _send(raw: socket.socket, packets: list[bytes]) -> None:
    count, begin = 0, time.monotonic()
    while True:
        due = int((time.monotonic() - begin) * RATE)
        while count < due:
            raw.sendto(packets[count % len(packets)], (HOME_AGENT, 0))
            count += 1
        time.sleep(0.0005)


@contextlib.contextmanager
def flooding(world: World, packets: list[bytes]) -> Iterator[None]:
    """`RATE` packets a second, from the router on the way."""
    if not packets:
        yield
        return
    with world.router.entered():
        raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw:
        fork = multiprocessing.get_context("fork")
        process = fork.Process(target=_send, args=(raw, packets))
        process.start()
        try:
            time.sleep(0.5)
            yield
        finally:
            process.kill()
            process.join()


class MobileNode:
    """One made by hand, at the correspondent's: it only refreshes."""

    def __init__(self, world: World) -> None:
        peers = IPv6Address(OTHER_HOME_ADDRESS), IPv6Address(HOME_AGENT)
        self._associations = Associations(
            End.MOBILE_NODE,
            from_key(OTHER_KEY, *peers),
            random=os.urandom,
            first=int(time.time()),
        )
        self._number = 0
        with world.correspondent.entered():
            self._out = socket.socket(
                socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW
            )
            kind = socket.htons(_ETHERTYPE)
            self._in = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, kind)
            self._in.bind(("eth0", _ETHERTYPE))

    def close(self) -> None:
        self._out.close()
        self._in.close()

    def refresh_ms(self) -> float:
        self._number += 1
        update = binding_update(
            OTHER_HOME_ADDRESS,
            CORRESPONDENT,
            HOME_AGENT,
            sequence_number=self._number,
        )
        sealed = self._associations.protect(write(update))
        assert isinstance(sealed, Protected)
        begin = time.perf_counter()
        self._out.sendto(sealed.octets, (HOME_AGENT, 0))
        while (left := begin + LOST_S - time.perf_counter()) > 0:
            ready, _, _ = select.select([self._in], [], [], left)
            if not ready:
                break
            verdict = self._associations.verify(self._in.recv(65535)[14:])
            if isinstance(verdict, Verified) and verdict.protected_for:
                return (time.perf_counter() - begin) * 1000
        return LOST_S * 1000

    def slowest_ms(self) -> float:
        """The 99th percentile."""
        times = []
        for _ in range(REFRESHES):
            times.append(self.refresh_ms())
            time.sleep(INTERVAL_S)
        return sorted(times)[REFRESHES * 99 // 100 - 1]


def measure(runs: int) -> list[dict[str, Any]]:
    with (
        tempfile.TemporaryDirectory() as directory,
        away(Path(directory)) as (world, ear),
        contextlib.closing(MobileNode(world)) as mobile_node,
    ):
        file = world.home_agent.file
        # More often than a mobile node does, and than it may by itself.
        more = file.read_text().replace("[home_agent]\n", MORE)
        file.write_text(more)
        assert not world.home_agent.call("reload").returncode

        def beside(packets: list[bytes]) -> float:
            with flooding(world, packets):
                return mobile_node.slowest_ms()

        recorded = [p for p in ear.esp(HOME_AGENT) if is_binding_update(p)][-1]
        sides = {
            f"p99 beside {name}": lambda packets=packets: beside(packets)  # type: ignore[misc]
            for name, packets in floods(recorded).items()
        }
        return [report("flood", interleaved(sides, runs), "ms", {})]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=RUNS)
    arguments = parser.parse_args()
    show(measure(arguments.runs), as_json=arguments.json)


if __name__ == "__main__":
    main()
