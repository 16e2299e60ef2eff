"""What moving costs, in the lab, with the kernel as it comes.

    python -m bench.movement [--json] [--moves N]

N moves each: to links never seen before, whose routers advertise often, and seldom
(every three to ten seconds); to links seen before, whose routers answer and do not
advertise (RFC 6059); to and fro between two interfaces whose links both work
(`mip6 handover`), where nothing may be lost and nothing come twice; and twenty moves in
a second, which must end in the right place, with no more Binding Updates than allowed.
And what the mobile node's daemon costs while nothing happens but advertisements every
three to ten seconds.

Beside each outage stand what no mobile node can change, the round trip and how long a
router that was asked took for its word, and what is left without them.  From that word
to the Binding Update is counted on the wire, so it is the daemon's and the kernel's.
Needs root.
"""

import argparse
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from .handover import SETTLED_S, by_name, lab, losses, round_trips_ms
from .measure import hurry, report, show

MOVES = 30
IDLE_S = 20.0
OFTEN_MS, SELDOM_MS = "30-70", "3000-10000"
_SENT = re.compile(r"(\d+) in ")


def _played(scenario: str, *words: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The moves of a scenario, and the details of its checks by name.  Raises
    `CalledProcessError` when anything was wrong."""
    document = json.loads(lab("run", scenario, "--json", *words))
    details = {check["name"]: check["detail"] for check in document["checks"]}
    return document["moves"], details


def _outages(
    moves: Iterable[Mapping[str, Any]], round_trip: float
) -> Iterator[tuple[str, float]]:
    """Of moves by cable."""
    for move in moves:
        wire = move["wire_ms"]
        # Whoever was heard before being asked was not waited for.
        word = wire.get("router_word", 0.0)
        wait = max(0.0, word - wire.get("router_solicitation", word))
        for way, key in (("to", "outage_ms"), ("from", "outage_up_ms")):
            yield f"outage {way} the mobile node", move[key]
            beyond = max(0.0, move[key] - wait - round_trip)
            yield f"{way} it, beyond wait and round trip", beyond
        if "router_solicitation" in wire:
            yield "from carrier up to the question", wire["router_solicitation"]
        yield "advertisement wait", wait
        yield from _processing(move)


def _processing(move: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    wire = move["wire_ms"]
    if "router_word" in wire and "binding_update" in wire:
        took = wire["binding_update"] - wire["router_word"]
        yield "from the router's word to the Binding Update", took
    if "binding_acknowledgement" in wire and "binding_update" in wire:
        took = wire["binding_acknowledgement"] - wire["binding_update"]
        yield "from there to the Acknowledgement", took


def _twice(move: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield "to the mobile node, twice", move["duplicates"]
    yield "from the mobile node, twice", move["duplicates_up"]


def _at_rest() -> dict[str, list[float]]:
    """The mobile node's daemon: percent of one processor, and how often it woke up in
    a second."""
    name = f"idle{os.getpid()}"
    lab("up", "--name", name, "--ra-interval", SELDOM_MS)
    try:
        lab("move", "--name", name, "mn", "b")
        time.sleep(10 * SETTLED_S)
        daemon = _daemon(name)
        before = _used_s(daemon), _woken(daemon)
        time.sleep(IDLE_S)
        used, woken = _used_s(daemon) - before[0], _woken(daemon) - before[1]
    finally:
        lab("down", "--name", name)
    return {
        "percent of a processor": [100 * used / IDLE_S],
        "wakes up, a second": [woken / IDLE_S],
    }


def _daemon(name: str) -> Path:
    """The process of the lab's mobile node."""
    wanted = f"{name}-mn".encode()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            words = (directory / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"run" in words and wanted in words and b"mip6" in words[1]:
            return directory
    raise LookupError(f"no daemon {name}-mn")


def _used_s(process: Path) -> float:
    nanoseconds, _, _ = (process / "schedstat").read_text().split()
    return int(nanoseconds) / 1e9


def _woken(process: Path) -> int:
    status = (process / "status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def measure(moves: int) -> list[dict[str, Any]]:
    round_trips = round_trips_ms()
    round_trip = median(round_trips)
    answer = []
    for title, scenario, interval in (
        ("never seen", "never_seen", OFTEN_MS),
        ("never seen, seldom advertised", "never_seen", SELDOM_MS),
        ("seen before", "visited_again", OFTEN_MS),
    ):
        made, _ = _played(scenario, f"--moves={moves}", f"--ra-interval={interval}")
        times = by_name(_outages(made[-moves:], round_trip))
        if not answer:
            times["round trip"] = round_trips
        answer.append(report(title, times, "ms", {}))
    made, _ = _played("two_interfaces", f"--moves={moves}")
    # The first move, the one back and the last two are others.
    switched = made[1 : moves + 1]
    lost = by_name(pair for move in switched for pair in (*losses(move), *_twice(move)))
    answer.append(report("lost between two interfaces", lost, "packets", {}))
    _, details = _played("moves_faster_than_registration")
    [sent] = (found for found in map(_SENT.match, details.values()) if found)
    answer.append(
        report("twenty moves in a second", {"Updates": [float(sent[1])]}, "", {})
    )
    answer.append(report("at rest", _at_rest(), "", {}))
    return answer


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
