"""`mip6 trace`: the last moves, step by step."""

import argparse
import time
from typing import Any

from .client import add_reader, show, table

_PHASES = (
    ("router_solicitation", "ASKED"),
    ("router_advertisement", "ROUTER"),
    ("care_of_address", "ADDRESS"),
    ("binding_update", "UPDATE"),
    ("binding_acknowledgement", "ANSWER"),
    ("first_packet_in", "FIRST IN"),
    ("first_packet_out", "FIRST OUT"),
)


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = (
        "The last moves of a mobile node: when a link came up, and milliseconds from "
        "there to each step, up to the first packet of the home address each way."
    )
    add_reader(subparsers, "trace", summary)


def run(arguments: argparse.Namespace) -> int:
    return show(arguments, "/trace", _text)


def _text(document: dict[str, Any]) -> str:
    # The boot clock in the daemon's document is that of this machine.
    ahead = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    rows = [
        [_clock(move["started_at"] + ahead), move["link"]]
        + [_ms(move["phases_ms"].get(phase)) for phase, _ in _PHASES]
        for move in document["moves"]
    ]
    if not rows:
        return "no moves yet"
    header = ["LINK UP", "LINK", *(title for _, title in _PHASES)]
    return table(header, rows)


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment)) + f"{moment % 1:.3f}"[1:]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
