"""`mip6 doctor [FILE]`: what this machine lacks, and the line that fixes it."""

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .client import FAILED, FINE, USAGE

if TYPE_CHECKING:
    from mip6.daemon.doctor import Finding


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = (
        "What this machine lacks, and the line that fixes it; with FILE, for that "
        "configuration.  Changes nothing.  Exit code 1 if something is lacking."
    )
    parser = subparsers.add_parser("doctor", help=summary, description=summary)
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(arguments: argparse.Namespace) -> int:
    from mip6.daemon import credentials, doctor
    from mip6.daemon.configuration import load
    from mip6.daemon.errors import ConfigurationError
    from mip6.linux.netlink import Netlink

    configuration = None
    try:
        if arguments.file is not None:
            configuration = load(arguments.file)
            credentials.load(configuration)
        with contextlib.closing(Netlink()) as netlink:
            here = doctor.Here(netlink=netlink)
            findings = list(doctor.examine(configuration, here))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return USAGE
    lacking = any(finding.grade is doctor.Grade.LACKS for finding in findings)
    if arguments.json:
        told = [
            {"check": f.check, "grade": f.grade, "what": f.what, "fix": f.fix or None}
            for f in findings
        ]
        print(json.dumps({"ok": not lacking, "findings": told}, indent=2))
    else:
        print("\n".join(map(_text, findings)))
    return FAILED if lacking else FINE


def _text(finding: "Finding") -> str:
    line = f"{finding.grade:5}  {finding.check}: {finding.what}"
    return f"{line}\n         {finding.fix}" if finding.fix else line
