"""What a move cost: probes running through it, and the arithmetic afterwards.

Two streams of numbered packets, one each millisecond (fewer on a machine with a single
processor, which they would fill), cross the network all the time:
`down` from the peer to the home address, `up` the other way.  The outage of a
move is the largest gap between arrivals, less that interval, counted from the moment
the cable is in (DESIGN: the time unplugged is shown apart); lost are the numbers that
never arrived.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from mip6.wire.record import record

from .lab import Lab, Move
from .namespaces import LabError
from .topology import ADDRESS_OF, HOME_ADDRESS

_ALONE = (os.cpu_count() or 1) == 1
INTERVAL_MS = 10.0 if _ALONE else 1.0
FIRST_PORT = 7001
PING_MS = 100.0
PACED_RATE = 250_000 if _ALONE else 2_000_000
"""Octets a second of a TCP connection that shall not crowd the streams."""
UNDER_WAY_S = 0.3
"""What was sent has arrived after this long, or is lost."""
STOPPING_S = 30.0
_PING = re.compile(r"(\d+) packets transmitted, (\d+) received")


@record
class Stream:
    """One direction: when each number was sent, when it arrived; nanoseconds."""

    sent: "array[int]"
    arrived: dict[int, int]
    again: tuple[int, ...] = ()
    """When numbers arrived that had arrived before."""

    @classmethod
    def read(cls, sent: Path, received: Path) -> Self:
        times, pairs = array("Q"), array("Q")
        times.frombytes(sent.read_bytes())
        pairs.frombytes(received.read_bytes())
        arrived: dict[int, int] = {}
        again: list[int] = []
        for number, moment in zip(pairs[::2], pairs[1::2], strict=True):
            if number in arrived:
                again.append(moment)
            else:
                arrived[number] = moment
        return cls(times, arrived, tuple(again))

    def outage_ms(self, start: float, end: float) -> float:
        """The largest gap between arrivals from `start` to `end`, less the interval.

        Both ends count as arrivals, so that a stream that never comes back shows.
        """
        first, last = int(start * 1e9), int(end * 1e9)
        inside = (t for t in self.arrived.values() if first < t < last)
        moments = [first, *sorted(inside), last]
        gap = max(b - a for a, b in pairwise(moments))
        return max(0.0, gap / 1e6 - INTERVAL_MS)

    def lost(self, start: float, end: float) -> int:
        """How many of the numbers sent from `start` to `end` never arrived."""
        first = bisect_left(self.sent, int(start * 1e9))
        last = bisect_left(self.sent, int(end * 1e9))
        return sum(number not in self.arrived for number in range(first, last))

    def duplicated(self, start: float, end: float) -> int:
        """How many came again from `start` to `end`."""
        first, last = int(start * 1e9), int(end * 1e9)
        return sum(first <= moment < last for moment in self.again)

    def arrived_in(self, start: float, end: float) -> int:
        """How many packets arrived from `start` to `end`."""
        first, last = int(start * 1e9), int(end * 1e9)
        return sum(first <= moment < last for moment in self.arrived.values())

    def first_after_ms(self, start: float, end: float) -> float | None:
        """How long after `start` the first packet arrived; `None` if none did."""
        first, last = int(start * 1e9), int(end * 1e9)
        inside = (t - first for t in self.arrived.values() if first < t < last)
        return min((t / 1e6 for t in inside), default=None)


@record(kw_only=True)
class MoveFigures:
    """What one move cost."""

    move: Move
    outage_ms: float
    outage_up_ms: float
    lost: int
    lost_up: int
    lost_unplugged: int
    lost_up_unplugged: int
    duplicates: int
    duplicates_up: int
    phases_ms: dict[str, float]
    """Cumulative from carrier up."""
    wire_ms: dict[str, float]
    """What of it passed the mobile node's link: `story.on_the_wire`."""

    def document(self) -> dict[str, Any]:
        move = self.move
        return {
            "from": move.origin,
            "to": move.destination,
            "outage_ms": round(self.outage_ms, 3),
            "lost": self.lost,
            "phases_ms": {name: round(at, 3) for name, at in self.phases_ms.items()},
            "outage_up_ms": round(self.outage_up_ms, 3),
            "lost_up": self.lost_up,
            "lost_unplugged": self.lost_unplugged,
            "lost_up_unplugged": self.lost_up_unplugged,
            "duplicates": self.duplicates,
            "duplicates_up": self.duplicates_up,
            "wire_ms": {name: round(at, 3) for name, at in self.wire_ms.items()},
            "unplugged_ms": round((move.plugged_at - move.unplugged_at) * 1000, 3),
        }


def figures(
    moves: list[tuple[Move, float]],
    down: Stream,
    up: Stream,
    trace: list[dict[str, Any]],
    wire: Sequence[dict[str, float]],
) -> list[MoveFigures]:
    """What each move cost, with the moment (seconds) until which it counts.

    `trace` is the `moves` of `mip6 trace --json`, of several answers one after another,
    `wire` what was seen of each move.
    """
    answer = []
    for (move, last), seen in zip(moves, wire, strict=True):
        gone, back = move.unplugged_at, move.plugged_at
        phases = _phases(trace, gone, back, last)
        for name, stream in (("first_packet_in", down), ("first_packet_out", up)):
            first = stream.first_after_ms(back, last)
            if first is not None:
                phases[name] = first
        answer.append(
            MoveFigures(
                move=move,
                outage_ms=down.outage_ms(back, last),
                outage_up_ms=up.outage_ms(back, last),
                lost=down.lost(gone, last),
                lost_up=up.lost(gone, last),
                lost_unplugged=down.lost(gone, back),
                lost_up_unplugged=up.lost(gone, back),
                duplicates=down.duplicated(gone, last),
                duplicates_up=up.duplicated(gone, last),
                phases_ms=phases,
                wire_ms=seen,
            )
        )
    return answer


def _phases(
    trace: list[dict[str, Any]], gone: float, back: float, last: float
) -> dict[str, float]:
    """The mobile node's own account of a move, counted from our carrier up."""
    within = [entry for entry in trace if gone <= entry["started_at"] < last]
    if not within:
        return {}
    # A daemon started again meanwhile begins another account: the move is the first,
    # and the latest answer about it the most complete.
    first = min(entry["started_at"] for entry in within)
    entry = [entry for entry in within if entry["started_at"] == first][-1]
    late = (first - back) * 1000
    return {name: late + at for name, at in entry["phases_ms"].items()}


@record(kw_only=True)
class Result:
    """What the probes of one run saw."""

    down: Stream
    up: Stream
    tcp_sent: dict[str, Any]
    tcp_received: dict[str, Any]
    pings: int
    pings_answered: int

    @property
    def tcp_reset(self) -> bool:
        return bool(self.tcp_sent["reset"] or self.tcp_received["reset"])

    @property
    def tcp_intact(self) -> bool:
        """Every octet arrived, in order, to the very end."""
        same = all(
            self.tcp_sent[key] == self.tcp_received[key] for key in ("bytes", "sha256")
        )
        return same and bool(self.tcp_received["ended"])


class Probes:
    """The probes of one run: processes in the lab, results in its directory."""

    def __init__(
        self,
        lab: Lab,
        *,
        tcp_rate: int = PACED_RATE,
        peer: str = "cn",
        ping_ms: float = PING_MS,
        interval_ms: float = INTERVAL_MS,
    ) -> None:
        """`tcp_rate`: octets a second, 0 for as many as go.  `peer`: who the mobile
        node talks to.  `ping_ms`, `interval_ms`: between two pings, and two packets of
        a stream."""
        self._lab = lab
        self._peer = peer
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        home, there = str(HOME_ADDRESS), str(ADDRESS_OF[peer])
        # Each peer has ports of its own at the mobile node.
        first = FIRST_PORT + 10 * list(ADDRESS_OF).index(peer)
        down, up, tcp = range(first, first + 3)
        self._spawn("mn", "down-in", down, "receive-stream", home)
        self._spawn(peer, "up-in", up, "receive-stream", there)
        self._spawn("mn", "tcp-in", tcp, "receive-tcp", home)
        self._spawn(peer, "tcp-out", tcp, "send-tcp", home, f"--rate={tcp_rate}")
        every = f"--interval={interval_ms / 1000}"
        self._spawn(peer, "down-out", down, "send-stream", every, there, home)
        self._spawn("mn", "up-out", up, "send-stream", every, home, there)
        ping = ["ping", "-n", "-i", str(ping_ms / 1000), "-I", there, home]
        with self._path("ping").open("wb") as out:
            self._running["ping"] = lab.spawn(peer, ping, log=self._log, stdout=out)

    @property
    def _log(self) -> Path:
        return self._lab.directory / "probes.log"

    def _path(self, name: str) -> Path:
        return self._lab.directory / f"probe-{self._peer}-{name}"

    def _spawn(self, role: str, name: str, port: int, kind: str, *rest: str) -> None:
        command = [sys.executable, "-m", "mip6.lab.probe", "--port", str(port)]
        command += ["--result", str(self._path(name)), kind, *rest]
        self._running[name] = self._lab.spawn(role, command, log=self._log)

    def stop(self) -> Result:
        """Ends the senders, lets arrive what is under way, reads the results.

        Raises `LabError` with a probe's own words if one of them failed.
        """
        self._end("ping", stop=signal.SIGINT)
        self._end("tcp-out")
        self._end("tcp-in")
        self._end("down-out")
        self._end("up-out")
        time.sleep(UNDER_WAY_S)
        self._end("down-in")
        self._end("up-in")
        sent, answered = _PING.findall(self._path("ping").read_text())[-1]
        return Result(
            down=Stream.read(self._path("down-out"), self._path("down-in")),
            up=Stream.read(self._path("up-out"), self._path("up-in")),
            tcp_sent=json.loads(self._path("tcp-out").read_text()),
            tcp_received=json.loads(self._path("tcp-in").read_text()),
            pings=int(sent),
            pings_answered=int(answered),
        )

    def _end(self, name: str, *, stop: signal.Signals = signal.SIGTERM) -> None:
        process = self._running.pop(name)
        if name != "tcp-in":
            process.send_signal(stop)
        try:
            code = process.wait(STOPPING_S)
        except subprocess.TimeoutExpired:
            # Only a connection whose other end is gone can wait for ever.
            process.send_signal(signal.SIGTERM)
            code = process.wait(STOPPING_S)
        if code and name != "ping":
            said = self._log.read_text(encoding="utf-8", errors="replace")
            raise LabError(f"the probe {name} failed (exit {code}):\n{said[-2000:]}")
