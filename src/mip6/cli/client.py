"""Talks to a daemon over its control socket; standard library only, so it is quick."""

import argparse
import http.client
import json
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

FINE, FAILED, USAGE, NOT_RUNNING = 0, 1, 2, 3
"""Exit codes."""

RUN = Path("/run/mip6")


class NotRunningError(Exception):
    """No daemon answers; the message says so to people."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("mip6", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(name: str, path: str, *, method: str = "GET") -> dict[str, Any]:
    """The daemon's answer.  Raises NotRunningError, PermissionError."""
    connection = _Connection(RUN / f"{name}.sock")
    try:
        connection.request(method, path)
        response = connection.getresponse()
        if response.status == http.HTTPStatus.FORBIDDEN:
            raise PermissionError
        document: dict[str, Any] = json.load(response)
        return document
    except PermissionError:
        raise
    except (OSError, http.client.HTTPException, ValueError):
        others = [p.stem for p in RUN.glob("*.sock") if p.stem != name]
        hint = f"; there is --name {', '.join(sorted(others))}" if others else ""
        raise NotRunningError(
            f"mip6: no daemon named {name} is running{hint}"
        ) from None
    finally:
        connection.close()


def follow(name: str, path: str) -> Iterator[dict[str, Any]]:
    """What the daemon tells (server-sent events), until it stops.  Raises as `ask`."""
    connection = _Connection(RUN / f"{name}.sock")
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        connection.sock.settimeout(None)
        while line := response.readline():
            if line.startswith(b"data: "):
                yield json.loads(line[6:])
    except PermissionError:
        raise
    except (OSError, http.client.HTTPException, ValueError):
        raise NotRunningError(f"mip6: no daemon named {name} is running") from None
    finally:
        connection.close()


def add_reader(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
) -> argparse.ArgumentParser:
    """A subcommand that reads one document, with the options they all share."""
    parser = subparsers.add_parser(name, help=summary, description=summary)
    add_name(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    return parser


def add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="mip6", help="the instance (default: mip6)")


def refused(
    name: str, error: NotRunningError | PermissionError, *, to: str = "ask"
) -> int:
    """Says why the daemon did not hear a command; the exit code."""
    if isinstance(error, NotRunningError):
        print(error, file=sys.stderr)
        return NOT_RUNNING
    print(f"mip6: not allowed to {to} {name}: use sudo", file=sys.stderr)
    return FAILED


def show(
    arguments: argparse.Namespace,
    path: str,
    text: Callable[[dict[str, Any]], str],
) -> int:
    """Prints a document as JSON or for people; the exit code."""
    try:
        document = ask(arguments.name, path)
    except (NotRunningError, PermissionError) as error:
        return refused(arguments.name, error)
    if "error" in document:
        print(f"mip6: {document['error']}", file=sys.stderr)
        return USAGE
    print(json.dumps(document, indent=2) if arguments.json else text(document))
    return FINE


def order(name: str, what: str, **parameters: str) -> int:
    """Has the daemon do something; the exit code."""
    try:
        answer = ask(name, f"/{what}?{urlencode(parameters)}", method="POST")
    except (NotRunningError, PermissionError) as error:
        return refused(name, error, to="change")
    if "error" in answer:
        print(f"mip6: {answer['error']}", file=sys.stderr)
        return FAILED
    return FINE


def table(header: list[str], rows: list[list[str]]) -> str:
    """Aligned columns."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def facts(pairs: list[tuple[str, str]]) -> str:
    """Aligned `name  value` lines."""
    width = max((len(name) for name, _ in pairs), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in pairs)


def seconds(value: float | None) -> str:
    """A duration that people can read at a glance."""
    if value is None:
        return "-"
    if value < 120:
        return f"{value:.0f} s"
    minutes, rest = divmod(int(value), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
