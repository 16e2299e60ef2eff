"""`mip6 agents`: the Home Agents List."""

import argparse
from typing import Any

from .client import add_reader, seconds, show, table


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = "The home agents of the home link, this one first (home agent)."
    add_reader(subparsers, "agents", summary)


def run(arguments: argparse.Namespace) -> int:
    return show(arguments, "/agents", _text)


def _text(document: dict[str, Any]) -> str:
    rows = [
        [
            ", ".join(agent["addresses"]) or "-",
            agent["link_local"] or "this one",
            str(agent["preference"]),
            seconds(agent["expires_in_s"]),
        ]
        for agent in document["agents"]
    ]
    if not rows:
        return "no home agents: this is none"
    return table(["ADDRESS", "LINK-LOCAL ADDRESS", "PREFERENCE", "LISTED FOR"], rows)
