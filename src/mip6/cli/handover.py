"""`mip6 handover IF`: move to this interface now."""

import argparse

from .client import add_name, order


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
    return order(arguments.name, "handover", interface=arguments.interface)
