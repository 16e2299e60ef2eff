"""The command `mip6`: a table of subcommands, each imported only when it is used."""

import argparse
import importlib
import sys

from mip6 import __version__

SUBCOMMANDS = {
    "run": "the daemon, in the foreground",
    "check": "validate a configuration file",
    "doctor": "what this machine lacks, and the line that fixes it",
    "radvd-config": "what radvd must be told to advertise this configuration",
    "keygen": "a new key for a mobile node and its home agent to share",
    "status": "where this node is, and what it knows",
    "bindings": "the binding cache: who is where (home agent, correspondent)",
    "agents": "the home agents of the home link (home agent)",
    "revoke": "end a binding, and tell the mobile node (home agent)",
    "updates": "the binding update list: who knows where we are (mobile node)",
    "stats": "counters of signalling, drops and the data plane",
    "trace": "the last moves, step by step with times (mobile node)",
    "watch": "events as they happen",
    "handover": "move to an interface now (mobile node)",
    "reload": "read the configuration and its keys again, without losing a binding",
    "down": "stop the daemon and put everything back",
    "decode": "what is in these packets: a capture, or one packet in hexadecimal",
    "replay": "what `mip6 run --record FILE` recorded, through the core again",
    "lab": "networks of namespaces in which real handovers are shown",
    "sim": "the same protocol without a kernel, no root needed",
}

EPILOG = """\
exit codes: 0 fine, 1 failed, 2 usage or configuration, 3 the daemon is not running
"""


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="mip6",
        description="Mobile IPv6 (RFC 6275): one address wherever the machine is.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mip6 {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    chosen = next((word for word in words if not word.startswith("-")), "")
    if chosen in SUBCOMMANDS:
        module = importlib.import_module(f"mip6.cli.{chosen.replace('-', '_')}")
        module.add_parser(subparsers)
    else:
        for name, summary in SUBCOMMANDS.items():
            subparsers.add_parser(name, help=summary)
    parsed = parser.parse_args(words)
    try:
        code: int = module.run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) has gone; nothing is wrong.
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
