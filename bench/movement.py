"""What moving costs beside the plain handover (bench.handover), in the lab.

    python -m bench.movement [--json] [--moves N]

N moves between two interfaces whose links both work (`mip6 handover`): nothing may be
lost.  Moves to links seen before, whose routers answer and do not advertise (RFC 6059).
What the daemon takes from the router's word to the Binding Update.  And what the mobile
node's daemon costs while nothing happens but advertisements every three to ten seconds.
Needs root.
"""

import argparse
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .handover import SETTLED_S, by_name, lab, losses
from .measure import report, show

MOVES = 30
IDLE_S = 20.0
SELDOM_MS = "3000-10000"
WORD, UPDATE = "router_advertisement", "binding_update"


def _played(scenario: str, *words: str) -> list[dict[str, Any]]:
    """The moves of a scenario.  Raises `CalledProcessError` when anything was wrong."""
    document = json.loads(lab("run", scenario, "--json", *words))
    moves: list[dict[str, Any]] = document["moves"]
    return moves


def _processing_ms(moves: Iterable[Mapping[str, Any]]) -> Iterator[float]:
    for move in moves:
        phases = move["phases_ms"]
        if WORD in phases and UPDATE in phases:
            yield phases[UPDATE] - phases[WORD]


def _idle_percent() -> float:
    """Of one processor."""
    name = f"idle{os.getpid()}"
    lab("up", "--name", name, "--ra-interval", SELDOM_MS)
    try:
        lab("move", "--name", name, "mn", "b")
        time.sleep(10 * SETTLED_S)
        pid = _daemon(name)
        before = _ticks(pid)
        time.sleep(IDLE_S)
        used = (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK")
    finally:
        lab("down", "--name", name)
    return 100 * used / IDLE_S


def _daemon(name: str) -> int:
    """The process of the lab's mobile node."""
    wanted = f"{name}-mn".encode()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            words = (directory / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"run" in words and wanted in words and b"mip6" in words[1]:
            return int(directory.name)
    raise LookupError(f"no daemon {name}-mn")


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def measure(moves: int) -> list[dict[str, Any]]:
    # The first move and the last two pull a cable.
    switched = _played("two_interfaces", f"--moves={moves}")[1:-2]
    again = _played("visited_again")
    times = {
        "outage on a link seen before": [
            max(move["outage_ms"], move["outage_up_ms"])
            for move in again[1:]
            if "home" not in (move["from"], move["to"])
        ],
        "router's word to Binding Update": list(_processing_ms(again)),
    }
    lost = by_name(pair for move in switched for pair in losses(move))
    return [
        report("movement", times, "ms", {}),
        report("lost between two interfaces", lost, "packets", {}),
        report("at rest", {"processor": [_idle_percent()]}, "%", {}),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--moves", type=int, default=MOVES)
    arguments = parser.parse_args()
    show(measure(arguments.moves), as_json=arguments.json)


if __name__ == "__main__":
    main()
