"""`mip6 run -c FILE`: the daemon, in the foreground."""

import argparse
import os
import sys
from pathlib import Path

from .client import FAILED, FINE, USAGE


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = "The daemon, in the foreground, until SIGTERM or `mip6 down`."
    parser = subparsers.add_parser("run", help=summary, description=summary)
    parser.add_argument(
        "-c", "--configuration", type=Path, required=True, metavar="FILE"
    )
    parser.add_argument("--name", help="the instance, in place of the file's name key")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="change nothing; print the ip, tc and sysctl lines that would do the same",
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="write all that the protocol sees, and what it does, for mip6 replay; "
        "no keys, but where you were and with whom",
    )


def run(arguments: argparse.Namespace) -> int:
    from mip6.daemon.configuration import NAME_PATTERN, load
    from mip6.daemon.errors import ConfigurationError, SetupError

    try:
        configuration = load(arguments.configuration)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return USAGE
    name = arguments.name or configuration.name
    if not _fits(NAME_PATTERN, name):
        print(f"mip6 run: --name {name}: letters, digits, . _ - only", file=sys.stderr)
        return USAGE
    if arguments.dry_run:
        from mip6.daemon.dry_run import lines

        print("\n".join(lines(configuration, name)))
        return FINE
    from mip6.linux import privileges

    if os.geteuid() != 0 and privileges.lacking():
        print("mip6 run: needs root (or try: mip6 run --dry-run)", file=sys.stderr)
        return FAILED
    from mip6.daemon.start import start

    try:
        start(configuration, name, arguments.record)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return USAGE
    except SetupError as error:
        print(f"mip6 run: {error}", file=sys.stderr)
        return FAILED
    return FINE


def _fits(pattern: str, name: str) -> bool:
    import re

    return re.fullmatch(pattern, name) is not None
