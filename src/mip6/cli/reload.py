"""`mip6 reload`: the configuration and its keys again, while everything goes on."""

import argparse
import json
import sys
from typing import Any

from .client import FAILED, FINE, USAGE, NotRunningError, add_reader, ask, refused


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    add_reader(
        subparsers,
        "reload",
        "Read the configuration and its keys again: all of it or, with an error in it "
        "(exit code 2) or something that needs a restart (1), nothing.",
    )


def run(arguments: argparse.Namespace) -> int:
    name: str = arguments.name
    try:
        document = ask(name, "/reload", method="POST")
    except (NotRunningError, PermissionError) as error:
        return refused(name, error, to="change")
    if arguments.json:
        print(json.dumps(document, indent=2))
    else:
        _tell(document)
    if document["errors"]:
        return USAGE
    return FAILED if document["restart"] else FINE


def _tell(document: dict[str, Any]) -> None:
    for line in document["errors"]:
        print(line, file=sys.stderr)
    for what in document["restart"]:
        print(f"needs a restart, nothing was changed: {what}", file=sys.stderr)
    if not (document["errors"] or document["restart"]):
        print("\n".join(document["changed"]) or "nothing has changed")
