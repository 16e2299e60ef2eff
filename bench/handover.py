"""How long a move interrupts the mobile node, in the lab, with the kernel as it comes.

    python -m bench.handover [--json] [--moves N]

The mobile node's cable goes to and fro between links B and C, in turns of five moves
while packets go through the tunnel, and five while it and the correspondent talk
directly (route optimization).  The outage of a move is
the largest gap in a stream of a packet each millisecond, less that millisecond, counted
from carrier up.  Phases are cumulative from there.  Beside them what no mobile node can
change: how long the router made it wait for its advertisement, and a round trip from
the correspondent to the home address through the tunnel.  Needs root.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from .measure import hurry, report, show

MOVES = 30
TURN = 5
"""Moves of one kind before it is the other's turn."""
ADVERTISEMENTS_MS = "30-70"
"""The interval of Router Advertisements, as what this is compared with had it."""
SETTLED_S = 1.0
HOME_ADDRESS = "2001:db8:a::100"
LINK_UP, ADVERTISEMENT = "link_up", "router_advertisement"

_MIP6 = str(Path(sys.executable).with_name("mip6"))
_ROUND_TRIP = re.compile(r" time=([\d.]+) ms")


def lab(*arguments: str) -> str:
    command = [_MIP6, "lab", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def round_trips_ms() -> list[float]:
    """From the correspondent to the home address, the mobile node on link B."""
    name = f"bench{os.getpid()}"
    lab("up", "--name", name)
    try:
        lab("move", "--name", name, "mn", "b")
        time.sleep(SETTLED_S)
        ping = ["ping", "-n", "-c", "20", "-i", "0.05", HOME_ADDRESS]
        said = lab("exec", "--name", name, "cn", "--", *ping)
    finally:
        lab("down", "--name", name)
    return [float(each) for each in _ROUND_TRIP.findall(said)]


def times_ms(move: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """What `mip6 lab run --json` says of one move."""
    phases = move["phases_ms"]
    yield "outage to the mobile node", move["outage_ms"]
    yield "outage from the mobile node", move["outage_up_ms"]
    for name, at in phases.items():
        yield f"phase {name}", at
    yield "advertisement wait", phases[ADVERTISEMENT] - phases[LINK_UP]
    yield "unplugged", move["unplugged_ms"]


def losses(move: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Those of the two streams that were sent while the cable was in."""
    yield "to the mobile node", move["lost"] - move["lost_unplugged"]
    yield "from the mobile node", move["lost_up"] - move["lost_up_unplugged"]


def by_name(pairs: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    answer: dict[str, list[float]] = {}
    for name, value in pairs:
        answer.setdefault(name, []).append(value)
    return answer


def moved(scenario: str, moves: int) -> list[dict[str, Any]]:
    """Raises `CalledProcessError` when the lab found anything wrong."""
    run = ["run", scenario, "--json", f"--moves={moves}"]
    document = json.loads(lab(*run, f"--ra-interval={ADVERTISEMENTS_MS}"))
    made: list[dict[str, Any]] = document["moves"]
    return made


def more_ms(
    tunnelled: Sequence[Mapping[str, Any]], direct: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, float]]:
    """By how much the median outage of one turn is longer while route-optimized."""
    for way, key in (("to", "outage_ms"), ("from", "outage_up_ms")):
        more = median(move[key] for move in direct)
        more -= median(move[key] for move in tunnelled)
        yield f"more than tunnelled, {way} the mobile node", more


def measure(moves: int) -> list[dict[str, Any]]:
    """Raises `CalledProcessError` when the lab found anything wrong."""
    made: dict[str, list[dict[str, Any]]] = {"handover": [], "route_optimization": []}
    more: list[tuple[str, float]] = []
    for turn in range(0, moves, TURN):
        for scenario, so_far in made.items():
            so_far += moved(scenario, min(TURN, moves - turn))
        tunnelled, direct = (each[turn:] for each in made.values())
        more += more_ms(tunnelled, direct)
    documents = []
    for title, each in zip(("handover", "direct handover"), made.values(), strict=True):
        times = by_name(pair for move in each for pair in times_ms(move))
        if title == "handover":
            times["round trip"] = round_trips_ms()
        else:
            times |= by_name(more)
        lost = by_name(pair for move in each for pair in losses(move))
        documents.append(report(title, times, "ms", {}))
        documents.append(report(f"lost, {title}", lost, "packets", {}))
    return documents


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--moves", type=int, default=MOVES)
    arguments = parser.parse_args()
    hurry()
    show(measure(arguments.moves), as_json=arguments.json)


if __name__ == "__main__":
    main()
