"""Targets: what people and their tools give the daemon, its file and its socket.

Junk is answered by words, one line for each error, or by an HTTP status; never by a
traceback, and never not at all.
"""

import asyncio
import contextlib
import re
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from mip6.daemon import control as control_socket
from mip6.daemon.configuration import parse
from mip6.daemon.daemon import Daemon
from mip6.daemon.errors import ConfigurationError
from mip6.linux.executor import Counts
from mip6.security.keys import KeyTextError, parse_keys, parse_octets

STATUS = b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n"
TURNS = 20
"""Of the event loop, in which an answer to what is complete comes."""
PATIENCE = 5.0
"""Seconds without a word of the daemon's that make a finding."""
STATUSES = {
    100,
    200,
    400,
    403,
    404,
    405,
    408,
    409,
    411,
    413,
    414,
    417,
    431,
    501,
    503,
    505,
}
"""What may be answered; 500 is a mistake of ours."""


def configuration(octets: bytes) -> None:
    """A configuration file: a configuration, or errors with file and line."""
    text = octets.decode(errors="replace")
    try:
        found = parse(text, "file")
    except ConfigurationError as error:
        lines = len(text.splitlines()) or 1
        assert error.lines
        for line in error.lines:
            told = re.fullmatch(r"file:(\d+): .+", line)
            assert told, line
            assert 1 <= int(told[1]) <= lines, line
        return
    assert found.roles


def key_file(octets: bytes) -> None:
    """A key file, of both kinds: keys, or words that hold nothing of it."""
    text = octets.decode(errors="replace")
    for read in (parse_keys, parse_octets):
        reading: Callable[[str], object] = read
        try:
            assert reading(text)
        except KeyTextError as error:
            words = {word for word in re.findall(r"[0-9A-Za-z]{8,}", text)}
            told = set(re.findall(r"[0-9A-Za-z]{8,}", str(error)))
            assert not (words & told - KNOWN), error


KNOWN = set(re.findall(r"[0-9A-Za-z]{8,}", "hexadecimal checksum"))


def control(octets: bytes) -> None:
    """What comes by the control socket; whoever comes next is served as ever."""
    loop, path, complaints = _server()
    complaints.clear()
    _exchange(loop, path, octets, lambda answer: False, TURNS)
    answer = _exchange(loop, path, STATUS, lambda answer: answer.endswith(b"}"))
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert not complaints, complaints


def _exchange(
    loop: asyncio.AbstractEventLoop,
    path: str,
    octets: bytes,
    enough: Callable[[bytes], bool],
    turns_max: int = 1_000_000,
) -> bytes:
    """What is answered until it is `enough`, or the server has had its turns."""
    answer = b""
    end = time.monotonic() + PATIENCE
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.setblocking(False)
        client.send(octets)
        for _ in range(turns_max):
            loop.run_until_complete(asyncio.sleep(0))
            with contextlib.suppress(BlockingIOError, ConnectionError):
                answer += client.recv(65536)
            if enough(answer):
                break
            assert time.monotonic() < end, f"not answered: {answer!r}"
    loop.run_until_complete(asyncio.sleep(0))
    for status in re.findall(rb"^HTTP/1\.[01] (\d+)", answer, re.MULTILINE):
        assert int(status) in STATUSES, answer
    return answer


@cache
def _server() -> tuple[asyncio.AbstractEventLoop, str, list[object]]:
    """One for all inputs, in front of a daemon that has little to say; with what is
    said to be a mistake of ours."""
    loop = asyncio.new_event_loop()
    complaints: list[object] = []

    def complain(level: str, event: str, **values: object) -> None:
        if level == "warning":
            complaints.append((event, values))

    loop.set_exception_handler(lambda _, context: complaints.append(context))
    daemon = SimpleNamespace(
        log=SimpleNamespace(line=complain),
        now=lambda: 0.0,
        stop=lambda why, keep=False: None,
        handover=lambda interface: "" if interface == "eth0" else "no such interface",
        revoke=lambda home_address: "" if home_address == "::1" else "no binding",
        feed=SimpleNamespace(follow=lambda: None),
        stopping=False,
        # What the list of bindings and the metrics are made of.
        home_agent=None,
        correspondent=None,
        configuration=SimpleNamespace(home_agent=None),
        started_at=0.0,
        received=0,
        **{name: Counter() for name in ("changes", "refused", "drops")},
        executor=SimpleNamespace(counts=Counts()),
        machine=SimpleNamespace(data_plane=SimpleNamespace(counters=dict)),
    )
    for name in control_socket._READS:
        control_socket._READS[name] = lambda daemon, now: {"name": "fuzz"}

    async def reload(daemon: Daemon) -> dict[str, Any]:
        return {"errors": [], "restart": [], "changed": []}

    vars(control_socket)["reload"] = reload
    directory = tempfile.mkdtemp(prefix="mip6-fuzz-")
    path = str(Path(directory, "control"))
    listening = control_socket.listen(Path(path))
    loop.run_until_complete(control_socket.serve(cast(Daemon, daemon), listening))
    return loop, path, complaints
