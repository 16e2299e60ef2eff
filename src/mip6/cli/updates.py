"""`mip6 updates`: the binding update list."""

import argparse
from typing import Any

from .client import add_reader, seconds, show, table
from .ways import way


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = "The binding update list: who was told where we are (mobile node)."
    add_reader(subparsers, "updates", summary)


def run(arguments: argparse.Namespace) -> int:
    return show(arguments, "/updates", _text)


def _text(document: dict[str, Any]) -> str:
    rows = [
        [
            update["peer"] or "-",
            update["care_of_address"] or "-",
            seconds(update["expires_in_s"]),
            "-" if (number := update["sequence_number"]) is None else str(number),
            _state(update) if update["way"] is None else way(update),
        ]
        for update in document["updates"]
    ]
    if not rows:
        return "no binding updates: this is no mobile node"
    return table(
        ["TOLD TO", "CARE-OF ADDRESS", "EXPIRES IN", "SEQUENCE", "STATE"], rows
    )


def _state(update: dict[str, Any]) -> str:
    if update["awaiting"]:
        verb = "deleting" if update["deregistration"] else "asking"
        return f"{verb}, repeated {update['retransmissions']} times"
    if update["status"] is None:
        return "nothing asked"
    if update["status"] >= 128:
        return f"refused with status {update['status']}"
    return "deleted" if update["deregistration"] else "acknowledged"
