"""`mip6 stats`: counters."""

import argparse
from typing import Any

from .client import add_reader, facts, show

_TITLES = {
    "data_plane": "packets in the data plane",
    "dropped": "packets ignored, by reason",
    "refused": "binding updates refused, by status",
    "signalling": "signalling",
    "kernel": "kernel state",
}


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    add_reader(subparsers, "stats", "Counters of signalling, drops and the data plane.")


def run(arguments: argparse.Namespace) -> int:
    return show(arguments, "/stats", _text)


def _text(document: dict[str, Any]) -> str:
    parts: list[str] = []
    for key, title in _TITLES.items():
        counted = [(f"  {name}", str(n)) for name, n in document[key].items() if n]
        if counted:
            parts.append(f"{title}\n{facts(counted)}")
    return "\n".join(parts) or "nothing counted yet"
