"""`mip6 trace`: the last moves, step by step."""

import argparse
from typing import Any

from .client import add_reader, show, table

_PHASES = (
    ("router_solicitation", "ASKED"),
    ("router_advertisement", "ROUTER"),
    ("care_of_address", "ADDRESS"),
    ("binding_update", "UPDATE"),
    ("binding_acknowledgement", "ACKNOWLEDGED"),
)


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = (
        "The last moves: milliseconds from the carrier to each step (mobile node)."
    )
    add_reader(subparsers, "trace", summary)


def run(arguments: argparse.Namespace) -> int:
    return show(arguments, "/trace", _text)


def _text(document: dict[str, Any]) -> str:
    rows = [
        [f"{move['started_at']:.3f}", move["link"]]
        + [_ms(move["phases_ms"].get(phase)) for phase, _ in _PHASES]
        for move in document["moves"]
    ]
    if not rows:
        return "no moves yet"
    header = ["LINK UP AT (S)", "LINK", *(f"{title} (MS)" for _, title in _PHASES)]
    return table(header, rows)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
