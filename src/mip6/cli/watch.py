"""`mip6 watch`: events as they happen, one a line."""

import argparse
import json
import sys
import time
from typing import Any

from .client import FAILED, FINE, NOT_RUNNING, NotRunningError, add_name, follow


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = "Events as they happen, one a line, until Ctrl-C."
    parser = subparsers.add_parser("watch", help=summary, description=summary)
    add_name(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document a line")


def run(arguments: argparse.Namespace) -> int:
    try:
        for event in follow(arguments.name, "/events"):
            print(json.dumps(event) if arguments.json else _text(event), flush=True)
    except NotRunningError as error:
        print(error, file=sys.stderr)
        return NOT_RUNNING
    except PermissionError:
        print(f"mip6: not allowed to ask {arguments.name}: use sudo", file=sys.stderr)
        return FAILED
    return FINE


def _text(event: dict[str, Any]) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(event["time"]))
    milliseconds = f"{event['time'] % 1:.3f}"[1:]
    said = " ".join(
        f"{name}={value}"
        for name, value in event.items()
        if name not in ("at", "time", "event") and value not in (None, "")
    )
    return f"{clock}{milliseconds}  {event['event']}  {said}"
