"""`mip6 keygen`: a new key for a mobile node and its home agent."""

import argparse
import contextlib
import os
import stat
import sys

from .client import FINE


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = "Print a new key for a mobile node and its home agent to share."
    subparsers.add_parser(
        "keygen",
        help=summary,
        description=f"{summary}  Each mobile node needs its own: "
        "(umask 77; mip6 keygen > laptop.key), then copy that file to the other side "
        "by a way that nobody else can read.",
    )


def run(arguments: argparse.Namespace) -> int:
    from mip6.security.keys import KEY_LENGTH, key_text

    print(key_text(os.urandom(KEY_LENGTH)), flush=True)
    mode = 0
    with contextlib.suppress(OSError):  # no file at all
        mode = os.fstat(sys.stdout.fileno()).st_mode
    if stat.S_ISREG(mode) and mode & 0o077:
        print(
            "mip6 keygen: others can read that file, and mip6 run will refuse it: "
            "chmod 600 it, or set umask 77 first",
            file=sys.stderr,
        )
    return FINE
