"""`mip6 bindings`: the binding cache."""

import argparse
from typing import Any

from .client import add_reader, seconds, show, table


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = (
        "The binding cache: where each mobile node is reached (home agent, "
        "correspondent)."
    )
    add_reader(subparsers, "bindings", summary)


def run(arguments: argparse.Namespace) -> int:
    return show(arguments, "/bindings", _text)


def _text(document: dict[str, Any]) -> str:
    rows = [
        [
            binding["home_address"],
            binding["care_of_address"],
            binding["correspondent"] or "home agent",
            seconds(binding["expires_in_s"]),
            "-" if (number := binding["sequence_number"]) is None else str(number),
        ]
        for binding in document["bindings"]
    ]
    if not rows:
        return "no bindings: no mobile node has told this node where it is"
    header = ["HOME ADDRESS", "CARE-OF ADDRESS", "TOLD", "EXPIRES IN", "SEQUENCE"]
    return table(header, rows)
