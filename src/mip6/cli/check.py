"""`mip6 check FILE`: are this configuration, and the keys it names, right?"""

import argparse
import sys
from pathlib import Path

from .client import FINE, USAGE


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = "Validate a configuration file; every error is shown with its line."
    parser = subparsers.add_parser("check", help=summary, description=summary)
    parser.add_argument("file", type=Path, metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    from mip6.daemon import credentials
    from mip6.daemon.configuration import load
    from mip6.daemon.errors import ConfigurationError

    try:
        configuration = load(arguments.file)
        keys = credentials.load(configuration)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return USAGE
    roles = " and ".join(role.replace("_", " ") for role in configuration.roles)
    print(f"{arguments.file}: fine, a {roles}")
    for home_address, fingerprints in keys.fingerprints.items():
        # The same here and on the other side means the same key.
        print(f"{home_address}: key fingerprint {', '.join(fingerprints)}")
    return FINE
