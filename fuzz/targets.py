"""The targets by name."""

import importlib
from collections.abc import Callable
from pathlib import Path

TARGETS = {
    "chain": "fuzz.decoders",
    "signalling": "fuzz.decoders",
    "mobility": "fuzz.decoders",
    "icmpv6": "fuzz.decoders",
    "capture": "fuzz.decoders",
    "esp": "fuzz.decoders",
    "unprotected": "fuzz.decoders",
    "recording": "fuzz.decoders",
    "configuration": "fuzz.people",
    "key_file": "fuzz.people",
    "control": "fuzz.people",
    "home_agent": "fuzz.roles",
    "mobile_node": "fuzz.roles",
    "correspondent": "fuzz.correspondent",
    "data_plane": "fuzz.data_plane",
}
NEEDS_ROOT = {"data_plane"}

FOUND = Path(".fuzz")
"""What is of interest collects here, and is not committed."""
CORPUS = Path(__file__).parent / "corpus"


def target(name: str) -> Callable[[bytes], None]:
    """Raises when something is wrong."""
    run: Callable[[bytes], None] = getattr(importlib.import_module(TARGETS[name]), name)
    return run


def corpus(name: str) -> list[bytes]:
    """Inputs worth keeping: each takes another way through the code, or once failed."""
    lines = (CORPUS / f"{name}.hex").read_text().splitlines()
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]
