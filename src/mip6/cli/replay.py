"""`mip6 replay FILE`: what `mip6 run --record` saw, through the core again."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .client import FAILED, FINE

if TYPE_CHECKING:
    from mip6.core.effects import Effect
    from mip6.daemon.recording import Step

DESCRIPTION = """\
Run a recording of `mip6 run --record FILE` through the core again, and print what went
in and what came out.  Nothing of this machine is touched.  Exit code 1 if anything
comes out otherwise than it did then, marked with an exclamation mark."""


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    parser = subparsers.add_parser(
        "replay", help="a recorded run again", description=DESCRIPTION
    )
    parser.add_argument("file", type=Path, metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    from mip6.daemon.recording import RecordingError, replay

    different: list[int] = []
    try:
        with arguments.file.open(encoding="utf-8") as file:
            for step in replay(file):
                print("\n".join(text(step)))
                if not step.same:
                    different.append(step.line)
    except (OSError, UnicodeDecodeError, RecordingError) as error:
        print(f"mip6 replay: {arguments.file}: {error}", file=sys.stderr)
        return FAILED
    if different:
        print(
            f"mip6 replay: not what was recorded: {len(different)} inputs, the first "
            f"in line {different[0]}",
            file=sys.stderr,
        )
        return FAILED
    return FINE


def text(step: "Step") -> Iterator[str]:
    """An input and what came of it: the trace."""
    mark = " " if step.same else "!"
    words = [
        f"{name} {_noun(value)}"
        for name, value in step.arguments.items()
        if name not in ("now", "octets") and value is not None
    ]
    if "octets" in step.arguments:
        words.insert(0, _packet(step.arguments["octets"]))
    yield f"{step.at:>14.6f} {mark} {step.name} {', '.join(words)}".rstrip()
    for effect in step.effects:
        yield f"{'':>14}     {_effect(effect)}"
    if step.raised:
        yield f"{'':>14}     raised {step.raised}"


def _effect(effect: "Effect") -> str:
    from mip6.core.effects import Forward, Send
    from mip6.core.packet import write

    if isinstance(effect, Send):
        link = f", link {effect.packet.link}" if effect.packet.link else ""
        return f"send {_packet(write(effect.packet))}{link}"
    if isinstance(effect, Forward):
        link = f", link {effect.link}" if effect.link else ""
        return f"forward {_packet(effect.octets)}{link}"
    words = [_noun(getattr(effect, field.name)) for field in fields(effect)]
    return f"{type(effect).__name__.lower()} {', '.join(words)}"


def _packet(octets: bytes) -> str:
    from .decode import content_text, document
    from .dissection import Keys, dissect

    return content_text(document(1, dissect(octets, Keys())))


def _noun(value: Any) -> str:
    """A value of the core in words; what is empty or off is left out."""
    if isinstance(value, bytes):
        return value.hex()
    if not is_dataclass(value):
        return str(value)
    inside = [
        f"{field.name} {_noun(getattr(value, field.name))}"
        for field in fields(value)
        if getattr(value, field.name) not in (None, False, "")
    ]
    return f"{type(value).__name__}({', '.join(inside)})"
