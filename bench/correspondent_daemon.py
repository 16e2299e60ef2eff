"""How many complete bindings a correspondent's daemon makes, through real sockets and
its eBPF programs: as `bench.correspondent`, with packets on a cable between two network
namespaces.

    python -m bench.correspondent_daemon [--json] [--runs N]

A hundred mobile nodes at a time send Home Test Init and Care-of Test Init, and, when
both tests are there, a Binding Update; the next hundred begins when all are
acknowledged.  Rates are per second of the clock, and per second of the daemon's own
processor time, system calls included.  The mobile nodes, which have more to compute
than the correspondent, share the machine.  Needs root.
"""

import argparse
import contextlib
import os
import select
import socket
import tempfile
import time
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from tests.support.daemons import CORRESPONDENT, Instance, World, small_world

from mip6.core.packet import Packet, read, write
from mip6.core.return_routability import binding_management_key, sign
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    Message,
)
from mip6.wire.options import NonceIndices

from .measure import report, show

RUNS = 5
AT_ONCE = 100
MOBILE_NODES = 2000
ANSWERED_S = 1.0
PEER = IPv6Address(CORRESPONDENT)
HOME = IPv6Address("2001:db8:9::1:0")
CARE_OF = IPv6Address("2001:db8:8::1:0")
TICKS = os.sysconf("SC_CLK_TCK")
_ETHERTYPE = 0x86DD


class MobileNodes:
    """Many at once, made by hand, at the router next to the correspondent."""

    def __init__(self, world: World) -> None:
        with world.router.entered():
            self._out = socket.socket(
                socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW
            )
            kind = socket.htons(_ETHERTYPE)
            self._in = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, kind)
            self._in.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self._in.bind(("corr", _ETHERTYPE))
        self._in.setblocking(False)

    def close(self) -> None:
        self._out.close()
        self._in.close()

    def bind(self, first: int, count: int, number: int) -> int:
        """The whole procedure for `count` of them; how many were acknowledged."""
        tests: dict[int, dict[type, HomeTest | CareOfTest]] = {}
        done = 0
        for node in range(first, first + count):
            tests[node] = {}
            home = HomeTestInit(home_init_cookie=node.to_bytes(8))
            care_of = CareOfTestInit(care_of_init_cookie=node.to_bytes(8))
            self._send(home, HOME + node)
            self._send(care_of, CARE_OF + node)
        for packet in self._answers():
            message = packet.message
            match message:
                case HomeTest(home_init_cookie=cookie):
                    node = int.from_bytes(cookie)
                case CareOfTest(care_of_init_cookie=cookie):
                    node = int.from_bytes(cookie)
                case BindingAcknowledgement(status=0):
                    done += 1
                    if done == count:
                        return done
                    continue
                case _:
                    continue
            if node not in tests:
                continue
            found = tests[node]
            found[type(message)] = message
            if len(found) == 2:
                self._update(node, number, found)
        return done

    def _update(
        self, node: int, number: int, found: dict[type, HomeTest | CareOfTest]
    ) -> None:
        home, care_of = found[HomeTest], found[CareOfTest]
        assert isinstance(home, HomeTest) and isinstance(care_of, CareOfTest)
        key = binding_management_key(
            home.home_keygen_token, care_of.care_of_keygen_token
        )
        indices = NonceIndices(home.home_nonce_index, care_of.care_of_nonce_index)
        update = BindingUpdate(
            sequence_number=number,
            lifetime=420,
            acknowledge=True,
            home_registration=False,
            options=(indices,),
        )
        signed = sign(update, key, CARE_OF + node, PEER)
        self._send(signed, CARE_OF + node, home_address=HOME + node)

    def _send(self, message: Message, source: IPv6Address, **more: Any) -> None:
        packet = Packet(source=source, destination=PEER, message=message, **more)
        self._out.sendto(write(packet), (CORRESPONDENT, 0))

    def _answers(self) -> Iterator[Packet]:
        """Until none comes any more."""
        while select.select([self._in], [], [], ANSWERED_S)[0]:
            with contextlib.suppress(BlockingIOError):
                while True:
                    octets = self._in.recv(2048)[14:]
                    if octets[8:24] == PEER.packed and octets[6] in (135, 43):
                        yield read(octets)


def spent(instance: Instance) -> float:
    """Seconds of processor time of the daemon."""
    assert instance.process is not None
    pid = instance.read("status")["pid"]
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def measure(runs: int) -> list[dict[str, Any]]:
    rates: dict[str, list[float]] = {
        "of the clock": [],
        "of the daemon's processor": [],
    }
    with (
        tempfile.TemporaryDirectory() as directory,
        small_world(Path(directory)) as world,
    ):
        daemon = world.correspondent_node
        limits = f"bindings_max = {MOBILE_NODES}\ntests_max = 1000000\n"
        daemon.file.write_text(f"[correspondent_node]\n{limits}")
        world.router.ip("route add 2001:db8:8::/46 dev lo")
        daemon.start()
        nodes = MobileNodes(world)
        with contextlib.closing(nodes):
            for number in range(runs + 1):  # the first one to get warm
                before, begin, done = spent(daemon), time.monotonic(), 0
                for first in range(0, MOBILE_NODES, AT_ONCE):
                    done += nodes.bind(first, AT_ONCE, number)
                taken = time.monotonic() - begin
                processor = spent(daemon) - before
                if number:
                    rates["of the clock"].append(done / taken)
                    rates["of the daemon's processor"].append(done / processor)
    unit = "complete bindings per second"
    return [report("correspondent through sockets", rates, unit, {})]


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
