"""All benches, one after another, into one table: docs/figures.md.

    python -m bench [--output FILE]

Takes some twelve minutes, on a machine that does nothing else, and needs root for all
but the first two.  What cannot be measured here is named in the page, and the rest is
written.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .measure import lines

ROOT = Path(__file__).parent.parent

BENCHES = (
    ("bench.wire",),
    ("bench.correspondent",),
    ("bench.dataplane",),
    ("bench.dataplane", "--uml"),
    ("bench.handover",),
    ("bench.movement", "--moves", "10"),
    ("bench.correspondent_daemon",),
    ("bench.flood",),
    ("bench.home_agent", "--bindings", "1000", "10000", "--overload"),
    ("bench.home_agent", "--bindings", "10000", "--overload", "--protected"),
    ("bench.home_agent", "--bindings", "1000000", "--sample", "20000", "--filled"),
)

GOALS = {
    ("wire", "parse"): "≥ 100 000",
    ("wire", "both ÷ scapy"): "≥ 80",
    ("correspondent", "complete bindings"): "≥ 10 000",
    ("dataplane TCP", "tunnel ÷ plain"): "≥ 0.9",
    ("dataplane UDP", "tunnel ÷ plain"): "≥ 0.85",
    ("dataplane TCP", "tunnel ÷ seg6"): "> 1",
    ("dataplane UDP", "tunnel ÷ seg6"): "> 1",
    ("dataplane TCP", "tunnel ÷ ip6tnl"): "> 1",
    ("dataplane UDP", "tunnel ÷ ip6tnl"): "> 1",
    ("dataplane TCP", "direct ÷ straight"): "≥ 0.85",
    ("dataplane UDP", "direct ÷ straight"): "≥ 0.75",
    ("dataplane TCP", "direct ÷ xfrm"): "≥ 2",
    ("handover", "outage to the mobile node"): "≤ 60",
    **{
        (title, f"{way} it, beyond wait and round trip"): "≤ 10"
        for title in ("never seen", "never seen, seldom advertised", "seen before")
        for way in ("to", "from")
    },
    **{
        (title, "from the router's word to the Binding Update"): "≤ 2"
        for title in ("never seen", "never seen, seldom advertised", "seen before")
    },
    **{
        ("lost between two interfaces", f"{way} the mobile node{twice}"): "0"
        for way in ("to", "from")
        for twice in ("", ", twice")
    },
    ("at rest", "percent of a processor"): "< 0.1",
    ("direct handover", "more than tunnelled, to the mobile node"): "≤ 20",
    ("direct handover", "more than tunnelled, from the mobile node"): "≤ 20",
    **{
        (f"home agent, {count} bindings, unprotected", f"{what}, a CPU-second"): reach
        for count in (1000, 10000, 1000000)
        for what, reach in (("register", "≥ 10 000"), ("refresh", "≥ 12 000"))
    },
    ("home agent, 10000 bindings, ESP", "register, a CPU-second"): "≥ 6 000",
    ("home agent, 10000 bindings, ESP", "refresh, a CPU-second"): "≥ 6 000",
    ("home agent, 10000 bindings, ESP: memory", "together"): "≤ 1500",
    ("home agent, 1000000 bindings, unprotected: memory", "together"): "≤ 1500",
    (
        "home agent, 1000000 bindings, unprotected: start",
        "from 980000 on disk to ready",
    ): "≤ 20",
    **{
        (f"home agent, 10000 bindings, {how}: pressed", f"burst of 1500 {what}"): "≤ 1"
        for how in ("unprotected", "ESP")
        for what in ("registrations", "refreshes")
    },
    ("flood", "p99 beside unprotected"): "< 100",
    ("flood", "p99 beside replayed"): "< 100",
    ("flood", "p99 beside wrongly protected"): "< 100",
}
"""What the median is to reach."""

HEAD = """\
# Figures

Written by `make bench`; do not edit.  Sides that are compared ran in turn, pair by
pair, and a ratio is that of each pair, its median between the smallest and the
largest: quote ratios, not rates.  A CPU-second is one of sender, receiver and ksoftirqd
together.  What a line means stands at the top of its file in `bench/`; what limits the
figures that fall short, in [figures-notes.md](figures-notes.md).
"""


def run(bench: Iterable[str]) -> list[dict[str, Any]]:
    """The documents of one bench.  Raises `CalledProcessError` if it cannot measure."""
    done = subprocess.run(
        [sys.executable, "-m", *bench, "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return list(json.loads(done.stdout.splitlines()[-1]))


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def table(documents: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield "| kernel | bench | figure | minimum | median | maximum | unit | reach |"
    yield "|---|---|---|--:|--:|--:|---|---|"
    for document in documents:
        for name, unit, spread in lines(document):
            cells = (
                document["machine"]["kernel"],
                document["bench"],
                name,
                number(spread.minimum),
                f"**{number(spread.median)}**",
                number(spread.maximum),
                unit or "ratio",
                GOALS.get((document["bench"], name), ""),
            )
            yield f"| {' | '.join(cells)} |"


def machines(documents: Iterable[dict[str, Any]]) -> Iterator[str]:
    for document in documents:
        where = ", ".join(f"{k} {v}" for k, v in document["machine"].items())
        yield f"- {document['bench']}: {where}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "figures.md")
    arguments = parser.parse_args()
    documents: list[dict[str, Any]] = []
    missing: list[str] = []
    for bench in BENCHES:
        words = " ".join(bench)
        print(f"bench: {words}", file=sys.stderr)
        try:
            documents += run(bench)
        except subprocess.CalledProcessError:
            missing.append(f"- not measured here: `python -m {words}`")
    text = [HEAD, *table(documents), "", *machines(documents), *missing]
    arguments.output.write_text("\n".join(text) + "\n")
    print(f"bench: wrote {arguments.output}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
