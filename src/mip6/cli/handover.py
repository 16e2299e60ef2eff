"""`mip6 handover IF`: move to this interface now."""

import argparse
import sys

from .client import FAILED, FINE, NOT_RUNNING, NotRunningError, add_name, ask


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = (
        "Move to this interface now, and stay while it is up (mobile node): what works "
        "is used until the home agent has answered there."
    )
    parser = subparsers.add_parser("handover", help=summary, description=summary)
    parser.add_argument("interface", metavar="IF", help="one of interfaces in the file")
    add_name(parser)


def run(arguments: argparse.Namespace) -> int:
    name: str = arguments.name
    try:
        answer = ask(name, f"/handover?interface={arguments.interface}", method="POST")
    except NotRunningError as error:
        print(error, file=sys.stderr)
        return NOT_RUNNING
    except PermissionError:
        print(f"mip6: not allowed to move {name}: use sudo", file=sys.stderr)
        return FAILED
    if "error" in answer:
        print(f"mip6: {answer['error']}", file=sys.stderr)
        return FAILED
    return FINE
