"""`mip6 revoke HOA`: end a binding, and tell the mobile node."""

import argparse
import sys
from urllib.parse import quote

from .client import FAILED, FINE, NOT_RUNNING, NotRunningError, add_name, ask


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = (
        "End the binding of a home address and tell its mobile node (home agent, RFC "
        "5846).  It may register again; refuse it in the configuration if it must not."
    )
    parser = subparsers.add_parser("revoke", help=summary, description=summary)
    parser.add_argument("home_address", metavar="HOA", help="the home address")
    add_name(parser)


def run(arguments: argparse.Namespace) -> int:
    name: str = arguments.name
    path = f"/revoke?home_address={quote(arguments.home_address)}"
    try:
        answer = ask(name, path, method="POST")
    except NotRunningError as error:
        print(error, file=sys.stderr)
        return NOT_RUNNING
    except PermissionError:
        print(f"mip6: not allowed to revoke: use sudo (--name {name})", file=sys.stderr)
        return FAILED
    if "error" in answer:
        print(f"mip6: {answer['error']}", file=sys.stderr)
        return FAILED
    return FINE
