"""`mip6 revoke HOA`: end a binding, and tell the mobile node."""

import argparse

from .client import add_name, order


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
    return order(arguments.name, "revoke", home_address=arguments.home_address)
