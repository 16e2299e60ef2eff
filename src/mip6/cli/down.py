"""`mip6 down`: stop the daemon and put everything back, even after it was killed."""

import argparse
import os
import sys
import time

from .client import (
    FAILED,
    FINE,
    NOT_RUNNING,
    RUN,
    NotRunningError,
    add_name,
    ask,
    refused,
)

_WAIT_MAX = 10.0


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = "Stop the daemon and put everything back, even after it was killed."
    parser = subparsers.add_parser("down", help=summary, description=summary)
    add_name(parser)
    parser.add_argument(
        "--keep",
        action="store_true",
        help="end the daemon only: traffic goes on, and the next one takes over",
    )


def run(arguments: argparse.Namespace) -> int:
    name: str = arguments.name
    keep: bool = arguments.keep
    try:
        ask(name, "/down?keep" if keep else "/down", method="POST")
    except (NotRunningError, PermissionError) as error:
        if keep or isinstance(error, PermissionError):
            return refused(name, error, to="stop")
        return _clean(name, error)
    left = [RUN / f"{name}.sock"]
    if not keep:
        left.append(RUN / f"{name}.restore.json")
    end = time.monotonic() + _WAIT_MAX
    while any(path.exists() for path in left):
        if time.monotonic() > end:
            print(f"mip6: {name} did not stop in {_WAIT_MAX:.0f} s", file=sys.stderr)
            return FAILED
        time.sleep(0.02)
    return FINE


def _clean(name: str, error: NotRunningError) -> int:
    """No daemon; but one that was killed may have left its tunnels and settings."""
    from mip6.daemon.machine import clean

    if os.geteuid() != 0:
        print(f"{error} (root could clean up after a killed one)", file=sys.stderr)
        return NOT_RUNNING
    if not clean(name):
        print(error, file=sys.stderr)
        return NOT_RUNNING
    print(f"mip6: {name} was not running; put back what it had left")
    return FINE
