"""`mip6 bindings`: the binding cache."""

import argparse
from typing import Any
from urllib.parse import urlencode

from .client import add_reader, seconds, show, table


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = (
        "The binding cache: where each mobile node is reached (home agent, "
        "correspondent)."
    )
    parser = add_reader(subparsers, "bindings", summary)
    parser.add_argument("--limit", metavar="N", help="at most so many (default: 1000)")
    parser.add_argument(
        "--after", metavar="X", help="the next of the page before, or a home address"
    )
    parser.add_argument(
        "--prefix", metavar="P", help="home addresses of this prefix only"
    )
    parser.add_argument(
        "--sort", metavar="KEY", help="home_address (default), care_of_address, expires"
    )
    parser.add_argument(
        "--counters",
        action="store_const",
        const="",
        help="what went through the tunnel of each",
    )


def run(arguments: argparse.Namespace) -> int:
    wanted = {
        name: value
        for name in ("limit", "after", "prefix", "sort", "counters")
        if (value := getattr(arguments, name)) is not None
    }
    query = f"?{urlencode(wanted)}" if wanted else ""
    return show(arguments, f"/bindings{query}", _text)


_HEADER = ["HOME ADDRESS", "CARE-OF ADDRESS", "TOLD", "EXPIRES IN", "SEQUENCE"]
_COUNTERS = ["packets_in", "octets_in", "packets_out", "octets_out"]
"""In: from the mobile node."""


def _text(document: dict[str, Any]) -> str:
    bindings = document["bindings"]
    if not bindings:
        return "no bindings: no mobile node has told this node where it is"
    header, rows = _HEADER, [_row(binding) for binding in bindings]
    if any(binding.get("traffic") for binding in bindings):
        header = [*_HEADER, *(name.upper().replace("_", " ") for name in _COUNTERS)]
        for row, binding in zip(rows, bindings, strict=True):
            traffic = binding["traffic"] or {}
            row += [str(traffic.get(name, "-")) for name in _COUNTERS]
    text = table(header, rows)
    if document["next"] is not None:
        text += (
            f"\n{len(rows)} of {document['total']}; more: --after {document['next']}"
        )
    return text


def _row(binding: dict[str, Any]) -> list[str]:
    return [
        binding["home_address"],
        binding["care_of_address"],
        binding["correspondent"] or "home agent",
        seconds(binding["expires_in_s"]),
        "-" if (number := binding["sequence_number"]) is None else str(number),
    ]
