"""How much signalling one home agent carries, and what a binding costs.

    python -m bench.home_agent [--json] [--bindings N ...] [--sample N] [--protected]
        [--overload] [--restart] [--filled]

The daemon in a namespace, its home link virtual, and beyond one link N mobile nodes of
distinct home and care-of addresses: all of them register, then a sample of at most
100 000, in another order, refreshes, moves and de-registers.  Packets are real, come
through the device's descriptor, change real maps, and are answered when they are on
disk.  `a second` is the daemon's rate with 512 updates under way, by the clock;
`a CPU-second` the same by its processor time, for machines that do other things too.
Latency is that of 2000 refreshes, 500 a second.

Memory is resident and that of the maps, which are sized to N, per binding.  --protected
has each mobile node's updates in ESP by a key of its own; --overload offers ten times
what it can carry (see `overloaded`); --restart kills the daemon, takes the maps away,
and times the start from the file.  --filled has all but the sample in the file before
the first start, which is timed: what is registered is the sample, the last of N, so
that a million take two minutes.  Needs root.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.support.daemons import MIP6, Instance
from tests.support.namespaces import Namespace, connect, namespaces

from mip6.security.association import SharedKey, Source
from mip6.security.keys import Direction

from .filled import fill
from .measure import report, show
from .mobile_nodes import (
    HOME_AGENT,
    HOME_PREFIX,
    MobileNodes,
    home_address,
    key,
)

SIZES = (1_000, 10_000, 100_000, 1_000_000)
SAMPLE_MAX = 100_000
CHUNK = 10_000
"""Updates made before the clock runs: one figure each."""
BURST = 1500
FLOOD_S = 2.0
FLOOD_TIMES = 10
"""Of what it was measured to register, so much is offered."""
REFRESHES_TIMES = 0.25
"""And beside it refreshes, which it could well carry."""
ASKING = 20_000
"""Mobile nodes without a binding that ask again and again."""
_TICK = os.sysconf("SC_CLK_TCK")

FILE = """
authentication = "{authentication}"
log_level = "warning"
[home_agent]
address = "{address}"
home_prefix = "{prefix}"
bindings_max = {count}
{mobile_nodes}
"""


class Measured(Instance):
    """The daemon, on a core of its own where there are two."""

    started_s = 0.0
    """From the start to ready."""
    keys = 0
    """Mobile nodes with a key; then it is started with associations, not with files."""

    def start(self) -> None:
        if not self.keys:
            command = f"{MIP6} run -c {self.file} --name {self.name}"
        else:
            command = (
                f"{sys.executable} -m bench.home_agent --daemon {self.keys} "
                f"--name {self.name} --file {self.file}"
            )
        begin = time.perf_counter()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.namespace.inside(command).split(), stdout=log, stderr=log
            )
        while self.call("status").returncode:
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        self.started_s = time.perf_counter() - begin
        os.sched_setaffinity(self.pid, {0})

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def resident(self) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError

    def locked(self) -> int:
        """Octets of all maps, each once."""
        maps: dict[str, int] = {}
        for info in Path(f"/proc/{self.pid}/fdinfo").iterdir():
            try:
                lines = dict(
                    line.split(":", 1) for line in info.read_text().splitlines()
                )
            except OSError:
                continue
            if "map_id" in lines:
                maps[lines["map_id"]] = int(lines["memlock"])
        return sum(maps.values())


@contextlib.contextmanager
def world(
    count: int, *, protected: bool, filled: int = 0
) -> Iterator[tuple[Measured, Namespace, bytes]]:
    with (
        namespaces("agent", "nodes") as (agent, nodes),
        tempfile.TemporaryDirectory() as d,
    ):
        connect(agent, "eth0", nodes, "eth0")
        agent.sysctl("all.forwarding=1")
        agent.ip(f"addr add {HOME_AGENT}/64 dev eth0 nodad")
        # They hear by packet sockets.  An IPv6 that refused each answer, by an ICMPv6
        # error made in the sender's context, would count as the daemon's work.
        nodes.sysctl("eth0.disable_ipv6=1")
        agent.ip("route add default via 2001:db8:f::1")
        mac = _mac(nodes)
        agent.ip(f"neigh replace 2001:db8:f::1 lladdr {mac} nud permanent dev eth0")
        file = Path(d, "home_agent.toml")
        if protected:
            Path(d, "a.key").write_text("")
            nodes_text = f'[home_agent.mobile_nodes]\n"{home_address(0)}" = "a.key"'
        else:
            nodes_text = f'mobile_nodes = ["{HOME_PREFIX}"]'
        file.write_text(
            FILE.format(
                authentication="shared_key" if protected else "none",
                address=HOME_AGENT,
                prefix=HOME_PREFIX,
                count=count,
                mobile_nodes=nodes_text,
            )
        )
        daemon = Measured(agent, file, agent.name, Path(d, "log"))
        daemon.keys = count if protected else 0
        try:
            if filled:
                fill(daemon.name, filled)
            daemon.start()
            yield daemon, nodes, bytes.fromhex(_mac(agent).replace(":", ""))
        finally:
            daemon.call("down")
            if daemon.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    daemon.process.wait(20)
                if daemon.process.poll() is None:
                    daemon.process.kill()
            print(daemon.log.read_text()[-2000:], file=sys.stderr)
            shutil.rmtree(Path("/var/lib/mip6", daemon.name), ignore_errors=True)


def _mac(namespace: Namespace) -> str:
    words = namespace.ip("link show dev eth0").split()
    return words[words.index("link/ether") + 1]


def phase(
    daemon: Measured,
    nodes: MobileNodes,
    numbers: Sequence[int],
    **update: int,
) -> tuple[list[float], list[float]]:
    """Rates of all chunks, by the clock and by processor time."""
    by_clock, by_processor = [], []
    for start in range(0, len(numbers), CHUNK):
        chunk = numbers[start : start + CHUNK]
        frames = [nodes.update(number, **update) for number in chunk]
        before = daemon.cpu_seconds()
        batch = nodes.send(frames, verify=chunk[0])
        spent = daemon.cpu_seconds() - before
        assert not batch.lost, f"{batch.lost} of {len(chunk)} had no answer"
        assert set(batch.statuses) <= {0}, batch.statuses
        by_clock.append(len(chunk) / batch.seconds)
        by_processor.append(len(chunk) / max(spent, 1 / _TICK))
    return by_clock, by_processor


def measure(
    documents: list[dict[str, Any]],
    count: int,
    sample_max: int,
    *,
    protected: bool,
    restart: bool,
    filled: bool,
) -> None:
    """Adds what it finds to `documents`, also when it ends by what should not be."""
    name = f"home agent, {count} bindings, {'ESP' if protected else 'unprotected'}"
    clock: dict[str, list[float]] = {}
    processor: dict[str, list[float]] = {}
    before = max(0, count - sample_max) if filled else 0
    empty = 0
    if before:
        with world(count, protected=protected) as (daemon, _, _):
            empty = daemon.resident()
    with (
        world(count, protected=protected, filled=before) as (daemon, place, mac),
        place.entered(),
        contextlib.ExitStack() as stack,
    ):
        started_cpu_s = daemon.cpu_seconds()
        nodes = MobileNodes("eth0", mac, protected=protected)
        everybody = list(range(before, count))
        chance = random.Random(count)
        chance.shuffle(everybody)
        nodes.send([])
        resident = empty or daemon.resident()
        if before:
            figures = {
                f"from {before} on disk to ready": [daemon.started_s],
                "processor time of it": [started_cpu_s],
            }
            documents.append(report(f"{name}: start", figures, "s", {}))

        def done(what: str, numbers: Sequence[int], **update: int) -> None:
            rates = phase(daemon, nodes, numbers, **update)
            clock[f"{what}, a second"], processor[f"{what}, a CPU-second"] = rates
            print(
                f"{what} {statistics.median(rates[0]):.0f}/s "
                f"{statistics.median(rates[1]):.0f}/CPU-s",
                file=sys.stderr,
            )

        # What stands in `clock` and `processor` by the end is told, whatever ends it.
        stack.callback(
            lambda: documents.append(report(name, {**clock, **processor}, "1/s", {}))
        )
        done("register", everybody, move=0, sequence_number=1)
        grown = (daemon.resident() - resident) / count
        sample = chance.sample(range(count), min(count, sample_max))
        done("refresh", sample, move=0, sequence_number=2)
        chance.shuffle(sample)
        done("move", sample, move=1, sequence_number=3)
        grown = max(grown, (daemon.resident() - resident) / count)
        some = [nodes.update(n, 1, 4) for n in chance.sample(sample, min(count, 2000))]
        paced = nodes.send(some, window=10_000, interval=0.002)
        latencies = sorted(paced.latencies)
        if restart:
            documents.append(_restart(name, daemon, nodes, sample[0]))
        done("de-register", sample, move=1, sequence_number=6, lifetime=0)
        documents += _pressed(name, daemon, nodes, count)
        documents.append(
            report(
                f"{name}: latency",
                {
                    "p50": [latencies[len(latencies) // 2] * 1000],
                    "p99": [latencies[len(latencies) * 99 // 100 - 1] * 1000],
                },
                "ms",
                {},
            )
        )
        documents.append(
            report(
                f"{name}: memory",
                {
                    "resident": [grown],
                    "maps": [daemon.locked() / count],
                    "together": [grown + daemon.locked() / count],
                    "disk": [_disk(daemon) / count],
                },
                "octets a binding",
                {},
            )
        )
        nodes.close()


def _disk(daemon: Measured) -> int:
    directory = Path("/var/lib/mip6", daemon.name)
    return sum(file.stat().st_size for file in directory.iterdir())


def _restart(
    name: str, daemon: Measured, nodes: MobileNodes, number: int
) -> dict[str, Any]:
    """Killed, its maps taken away as by a reboot, and started again."""
    daemon.end(signal.SIGKILL)
    assert daemon.call("down").returncode == 0
    begin = time.perf_counter()
    daemon.start()
    started = time.perf_counter() - begin
    batch = nodes.send([nodes.update(number, 1, 5)], verify=number)
    assert batch.lost == 0, "it does not know what it knew"
    figures = {
        "from the start to ready": [started],
        "processor time of it": [daemon.cpu_seconds()],
    }
    return report(f"{name}: start", figures, "s", {})


def _pressed(
    name: str, daemon: Measured, nodes: MobileNodes, count: int
) -> list[dict[str, Any]]:
    """A burst in one instant."""
    burst = min(count, BURST)
    figures = {}
    for what, sequence_number in (("registrations", 7), ("refreshes", 8)):
        frames = [nodes.update(n, 1, sequence_number) for n in range(burst)]
        batch = nodes.send(frames, window=burst)
        assert batch.lost == 0, f"{batch.lost} of a burst had no answer"
        figures[f"burst of {burst} {what}"] = [batch.seconds]
    return [report(f"{name}: pressed", figures, "s", {})]


def overloaded(*, protected: bool) -> list[dict[str, Any]]:
    """Ten times the load it can carry: who has a binding refreshes it all the same."""
    bound = 5000
    with (
        world(bound + ASKING, protected=protected) as (daemon, place, mac),
        place.entered(),
    ):
        nodes = MobileNodes("eth0", mac, protected=protected)
        _, rates = phase(daemon, nodes, range(bound), move=0, sequence_number=1)
        carried = statistics.median(rates)
        few = int(REFRESHES_TIMES * carried * FLOOD_S)
        refreshes = [
            nodes.update(n % bound, 0, 2 + n // bound) for n in range(min(few, bound))
        ]
        again = int(FLOOD_TIMES * carried * FLOOD_S) // ASKING + 1
        others = [
            nodes.update(number, 0, 1 + times)
            for times in range(again)
            for number in range(bound, bound + ASKING)
        ]
        before = json.loads(daemon.call("stats --json").stdout)["dropped"]
        ours, theirs, offered = nodes.flood(
            refreshes, others, rate=FLOOD_TIMES * carried, seconds=FLOOD_S
        )
        after = json.loads(daemon.call("stats --json").stdout)["dropped"]
        nodes.close()
    latencies = sorted(ours.latencies)
    name = f"home agent, overloaded, {'ESP' if protected else 'unprotected'}"
    dropped = after.get("overloaded", 0) - before.get("overloaded", 0)
    figures = {
        "offered ÷ carried": [offered / carried],
        "refreshes answered": [100 * ours.statuses.get(0, 0) / len(refreshes)],
        "refreshes, p99": [latencies[len(latencies) * 99 // 100 - 1] * 1000],
        "new bindings": [theirs.statuses.get(0, 0) / FLOOD_S],
        "refused by 130": [theirs.statuses.get(130, 0) / FLOOD_S],
        "dropped, counted": [dropped / FLOOD_S],
    }
    units = ("", "%", "ms", "1/s", "1/s", "1/s")
    print(figures, ours.statuses, theirs.statuses, after, file=sys.stderr)
    return [
        report(name, {what: values}, unit, {})
        for (what, values), unit in zip(figures.items(), units, strict=True)
    ]


def serve(file: Path, name: str, keys: int) -> None:
    """The daemon, with as many keys: a file for each would be another bench.  From
    there on they are the program's, and what it makes of them is its start."""
    from mip6.daemon.configuration import load
    from mip6.daemon.credentials import Credentials
    from mip6.daemon.daemon import Daemon
    from mip6.daemon.log import Log
    from mip6.daemon.start import COLLECTED_AFTER

    gc.set_threshold(*COLLECTED_AFTER)
    configuration = load(file)
    here = Direction.TO_HOME_AGENT
    found: list[Source] = [
        SharedKey.at(here, key(number), home_address(number), HOME_AGENT)
        for number in range(keys)
    ]
    credentials = Credentials(associations=found)
    log = Log(configuration.log_level)
    asyncio.run(Daemon(configuration, name, log, None, credentials).run())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--bindings", type=int, nargs="*", default=SIZES)
    parser.add_argument("--sample", type=int, default=SAMPLE_MAX)
    parser.add_argument("--protected", action="store_true")
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--filled", action="store_true")
    parser.add_argument("--overload", action="store_true")
    parser.add_argument("--daemon", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.daemon:
        serve(arguments.file, arguments.name, arguments.daemon)
        return
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    documents: list[dict[str, Any]] = []
    try:
        for count in arguments.bindings:
            measure(
                documents,
                count,
                arguments.sample,
                protected=arguments.protected,
                restart=arguments.restart,
                filled=arguments.filled,
            )
        if arguments.overload:
            documents += overloaded(protected=arguments.protected)
    finally:
        show(documents, as_json=arguments.json)


if __name__ == "__main__":
    main()
