"""`mip6 sim`: the protocol without a kernel, drawn so that one can follow it."""

import argparse
import json
import sys
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mip6.sim.scenarios import Outcome

PICTURE = """\
   mobile node ··· home link ── home agent ──┐
               ··· link b ───── router ──────┼── correspondent
               ··· link c ───── router ──────┘
"""
COLUMNS = 100
"""Characters of a line of prose."""


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    parser = subparsers.add_parser(
        "sim",
        help="the same protocol without a kernel, no root needed",
        description="Play a scenario in virtual time, and draw who sent what to whom.",
    )
    parser.add_argument(
        "scenario",
        nargs="?",
        metavar="SCENARIO",
        help="what to play; without it, handover",
    )
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="the same number gives the same run, to the last digit; default: 1",
    )
    parser.add_argument(
        "--loss",
        type=_percent,
        default=0.0,
        metavar="PERCENT",
        help="lose so many signalling packets; default: 0",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    from mip6.sim.invariants import InvariantError
    from mip6.sim.network import Faults
    from mip6.sim.scenarios import DEFAULT, SCENARIOS, play

    if arguments.list:
        width = max(map(len, SCENARIOS))
        for name, scenario in SCENARIOS.items():
            print(f"{name:<{width}}  {scenario.title}")
        return 0
    name = arguments.scenario or DEFAULT
    if name not in SCENARIOS:
        known = ", ".join(SCENARIOS)
        print(f"mip6 sim: no scenario {name}; there are {known}", file=sys.stderr)
        return 2
    faults = Faults(loss=arguments.loss / 100)
    try:
        outcome = play(name, arguments.seed, faults)
    except InvariantError as error:
        print(f"mip6 sim: {name}: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(document(name, arguments.seed, outcome), indent=2))
    else:
        print(drawing(name, arguments.seed, outcome))
    return 0


def document(name: str, seed: int, outcome: "Outcome") -> dict[str, Any]:
    """What `--json` prints; times are milliseconds."""
    from mip6.sim.trace import Arrow

    trace: list[dict[str, Any]] = []
    for entry in sorted(outcome.world.trace, key=lambda entry: entry.at):
        line: dict[str, Any] = {"at_ms": _ms(entry.at), "step": entry.step or None}
        if isinstance(entry, Arrow):
            line |= {"from": entry.source, "to": entry.target, "packet": entry.label}
            line |= {"fate": entry.fate or "arrived"}
        else:
            line |= {"node": entry.place, "note": entry.text}
        trace.append(line)
    return {
        "scenario": name,
        "seed": seed,
        "place": str(outcome.world.mobile_node.place),
        "care_of_address": outcome.care_of_address and str(outcome.care_of_address),
        "lost": outcome.lost_down,
        "lost_up": outcome.lost_up,
        "moves": [
            {
                "from": move.origin,
                "to": move.destination,
                "outage_ms": _ms(move.outage_down),
                "outage_up_ms": _ms(move.outage_up),
                "lost": move.lost_down,
                "lost_up": move.lost_up,
            }
            for move in outcome.moves
        ],
        "trace": trace,
    }


def drawing(name: str, seed: int, outcome: "Outcome") -> str:
    """The ladder, the steps in it, and what it cost."""
    from mip6.sim.ladder import CIRCLED, ladder
    from mip6.sim.scenarios import SCENARIOS
    from mip6.sim.trace import STEPS

    seen = {entry.step for entry in outcome.world.trace}
    parts = [
        f"{name}: {SCENARIOS[name].title} (simulated, seed {seed})",
        PICTURE,
        *ladder(outcome.world.trace),
        "",
    ]
    if seen - {0}:
        parts.append("The five steps of Mobile IP:")
    for number, text in enumerate(STEPS, 1):
        if number in seen:
            indented = textwrap.wrap(text, COLUMNS, subsequent_indent="   ")
            parts.append(f" {CIRCLED[number]} " + "\n".join(indented))
    parts.append("")
    for move in outcome.moves:
        parts.append(
            f"{move.origin} → {move.destination}: without packets for "
            f"{_ms(move.outage_down)} ms, {_lost(move.lost_down)}; the other way "
            f"{_ms(move.outage_up)} ms, {_lost(move.lost_up)}."
        )
    if not outcome.moves:
        down, up = _lost(outcome.lost_down), _lost(outcome.lost_up)
        parts.append(f"To the mobile node {down}, from it {up}.")
    else:
        parts.append("Counted from carrier up; lost are those sent since it went down.")
    return "\n".join(parts)


def _lost(count: int) -> str:
    return f"{count} lost" if count else "none lost"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _percent(text: str) -> float:
    value = float(text)
    if not 0 <= value < 100:
        raise argparse.ArgumentTypeError("a percentage from 0 to 99")
    return value
