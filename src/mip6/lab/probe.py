"""The probes of a measurement: a stream that counts, and a TCP connection.

Run inside a namespace as `python -m mip6.lab.probe`.  Each stops at SIGTERM and writes
its result then.  All times are nanoseconds of the boot clock.  No imports beyond what
is needed: several of these share two cores with what they measure.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import socket
import struct
import sys
import time
from array import array
from pathlib import Path

NUMBERED = struct.Struct("!QQ")
"""A stream packet: sequence number, when it was sent."""
SO_TIMESTAMPNS = 35
IP_FREEBIND = 15
SO_MAX_PACING_RATE = 47
TIMESPEC = struct.Struct("@ll")
BLOCK = 1 << 16
LATE_MAX_S = 0.05


class StopRequest(BaseException):
    """SIGTERM came."""


def boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _stop(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise StopRequest


def _stopping() -> list[int]:
    """A list that SIGTERM makes true."""
    signals: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    return signals


def _hurry() -> None:
    """A late probe would look like an outage of the network.  On a single processor it
    would be the cause of one."""
    if (os.cpu_count() or 1) > 1:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def send_stream(
    source: str, destination: str, port: int, interval: float
) -> "array[int]":
    """Sends a numbered packet every `interval` seconds; answers when each was sent.

    Deadlines are absolute: a sender that was held up catches up, but with no more than
    `LATE_MAX_S` of packets, or a machine that is too slow would only get slower.
    """
    sent = array("Q")
    with (
        contextlib.suppress(StopRequest),
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as out,
    ):
        out.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        out.bind((source, 0))
        deadline = time.monotonic()
        while True:
            now = boot_ns()
            sent.append(now)
            # Unreachable for the moment: the number is lost, and shows as lost.
            with contextlib.suppress(OSError):
                out.sendto(NUMBERED.pack(len(sent) - 1, now), (destination, port))
            behind = time.monotonic() - LATE_MAX_S
            deadline = max(deadline + interval, behind)
            time.sleep(max(0.0, deadline - time.monotonic()))
    return sent


def receive_stream(address: str, port: int) -> "array[int]":
    """Answers number and moment of arrival, alternating, of each packet that came.

    The moment is the kernel's, so a receiver that runs late still tells the truth.
    """
    received = array("Q")
    with (
        contextlib.suppress(StopRequest),
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as into,
    ):
        into.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        into.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        into.bind((address, port))
        while True:
            data, ancillary, _, _ = into.recvmsg(64, 64)
            number, _ = NUMBERED.unpack(data)
            # The kernel stamps wall time; its age is the same on every clock.
            seconds, nanoseconds = TIMESPEC.unpack(ancillary[0][2])
            age = time.time_ns() - (seconds * 1_000_000_000 + nanoseconds)
            # One call, so that SIGTERM cannot part the two.
            received.extend((number, boot_ns() - age))
    return received


def _connect(destination: str, port: int) -> socket.socket:
    """The other probe may still be starting."""
    end = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection((destination, port), timeout=5)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def send_tcp(destination: str, port: int, rate: int) -> dict[str, object]:
    """Sends `rate` octets a second (0: as many as go) over one connection.

    Every block differs; the digest is of all that was sent.
    """
    digest = hashlib.sha256()
    total = 0
    reset = False
    body = random.Random(0).randbytes(BLOCK - 8)
    rest = b""
    with _connect(destination, port) as out:
        # Octets may be taken when the signal comes: it must not interrupt the count.
        stop = _stopping()
        out.settimeout(0.1)
        if rate:
            out.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate)
            out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BLOCK)
        try:
            while not stop:
                rest = rest or total.to_bytes(8, "big") + body
                with contextlib.suppress(TimeoutError):
                    accepted = out.send(rest)
                    digest.update(rest[:accepted])
                    total += accepted
                    rest = rest[accepted:]
            out.shutdown(socket.SHUT_WR)
            # The end of the other side: all that was under way has arrived.
            out.settimeout(20)
            reset = out.recv(1) != b""
        except OSError:
            reset = True
    return {"bytes": total, "reset": reset, "sha256": digest.hexdigest()}


def receive_tcp(address: str, port: int) -> dict[str, object]:
    """Accepts one connection and reads it to its end."""
    digest = hashlib.sha256()
    total = 0
    ended = reset = False
    with (
        contextlib.suppress(StopRequest),
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as door,
    ):
        door.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((address, port))
        door.listen(1)
        connection, _ = door.accept()
        with connection:
            try:
                while data := connection.recv(1 << 18):
                    digest.update(data)
                    total += len(data)
                ended = True
            except OSError:
                reset = True
    answer = {"bytes": total, "reset": reset, "sha256": digest.hexdigest()}
    return answer | {"ended": ended}


def main() -> int:
    parser = argparse.ArgumentParser(prog="mip6.lab.probe")
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    kinds = parser.add_subparsers(dest="kind", required=True)
    send = kinds.add_parser("send-stream")
    send.add_argument("source")
    send.add_argument("destination")
    send.add_argument("--interval", type=float, default=0.001, help="seconds")
    kinds.add_parser("receive-stream").add_argument("address")
    send = kinds.add_parser("send-tcp")
    send.add_argument("destination")
    send.add_argument("--rate", type=int, default=0, help="octets a second")
    kinds.add_parser("receive-tcp").add_argument("address")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    match wanted.kind:
        case "send-stream":
            _hurry()
            times = send_stream(
                wanted.source, wanted.destination, wanted.port, wanted.interval
            )
            wanted.result.write_bytes(times.tobytes())
        case "receive-stream":
            _hurry()
            arrivals = receive_stream(wanted.address, wanted.port)
            wanted.result.write_bytes(arrivals.tobytes())
        case "send-tcp":
            summary = send_tcp(wanted.destination, wanted.port, wanted.rate)
            wanted.result.write_text(json.dumps(summary), encoding="utf-8")
        case "receive-tcp":
            summary = receive_tcp(wanted.address, wanted.port)
            wanted.result.write_text(json.dumps(summary), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
