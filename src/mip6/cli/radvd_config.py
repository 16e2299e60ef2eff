"""`mip6 radvd-config FILE`: the same Router Advertisements, sent by radvd."""

import argparse
import sys
from pathlib import Path

from .client import FAILED, FINE, USAGE


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = (
        "What radvd must be told to advertise what [router] says, or this home agent "
        "on its home link."
    )
    parser = subparsers.add_parser("radvd-config", help=summary, description=summary)
    parser.add_argument("file", type=Path, metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    from mip6.daemon.configuration import load
    from mip6.daemon.errors import ConfigurationError
    from mip6.daemon.router import for_radvd, radvd

    try:
        configuration = load(arguments.file)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return USAGE
    wanted = for_radvd(configuration.router, configuration.home_agent)
    if not wanted:
        print(
            f"mip6 radvd-config: {arguments.file} advertises nothing: it has neither "
            "[router.INTERFACE] nor a home_link",
            file=sys.stderr,
        )
        return FAILED
    print(f"# from {arguments.file}; leave [router] out of it where radvd runs")
    for advertising in wanted:
        print("\n".join(radvd(advertising)))
    return FINE
