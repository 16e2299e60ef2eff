"""Load between two namespaces, and what it cost in processor time.

Plain system calls from Python, so that nothing needs a compiler: one call moves 128 KiB
of TCP or 64 datagrams, so that what is measured is the kernel's way and not the caller.
(UDP segmentation offload would be cheaper still, and would measure something else.)
"""

import contextlib
import ctypes
import errno
import functools
import multiprocessing
import os
import resource
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

BLOCK = 128 << 10
DATAGRAMS = 64
"""Datagrams in one call of sendmmsg or recvmmsg."""
SILENCE_S = 0.3
"""A receiver that hears nothing for so long has heard all."""
PATIENCE_S = 5
"""How long it waits for the first."""

_libc = ctypes.CDLL(None, use_errno=True)
_fork = multiprocessing.get_context("fork")
_SO_RCVBUFFORCE = 33
_MSG_WAITFORONE = 0x10000
_RECEIVE_BUFFER = 8 << 20


Moved = tuple[int, int]
"""Datagrams, or octets, sent and received."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What went through, and the processor time of both ends and of ksoftirqd."""

    sent: int
    received: int
    cpu_seconds: float


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """`struct msghdr`."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vectors_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """`struct mmsghdr`."""

    _fields_ = (("header", _Header), ("length", ctypes.c_uint))


class _Batch:
    """Buffers of `size` octets, as the two calls take them."""

    def __init__(self, size: int) -> None:
        self._buffer = ctypes.create_string_buffer(DATAGRAMS * size)
        start = ctypes.addressof(self._buffer)
        self._vectors = (_Vector * DATAGRAMS)(
            *(_Vector(start + i * size, size) for i in range(DATAGRAMS))
        )
        self.messages = (_Message * DATAGRAMS)()
        for message, vector in zip(self.messages, self._vectors, strict=True):
            message.header.vectors = ctypes.pointer(vector)
            message.header.vectors_count = 1


def send_udp(sender: socket.socket, size: int, seconds: float) -> Moved:
    """Datagrams of `size` octets of data, as fast as they go."""
    batch, sent = _Batch(size), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sent += _send(sender, batch)
    return sent, 0


def receive_udp(receiver: socket.socket, size: int) -> Moved:
    """Until silence."""
    select.select([receiver], [], [], PATIENCE_S)
    return 0, _receive_all(receiver, _Batch(size))


def exchange_udp(
    sender: socket.socket, receiver: socket.socket, size: int, seconds: float
) -> Moved:
    """Both ends in turn, for where there is one core."""
    batch, sent, received = _Batch(size), 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sent += _send(sender, batch)
        received += _receive(receiver, batch, socket.MSG_DONTWAIT)
    return sent, received + _receive_all(receiver, batch)


def _send(sender: socket.socket, batch: _Batch) -> int:
    count = int(_libc.sendmmsg(sender.fileno(), batch.messages, DATAGRAMS, 0))
    if count < 0 and ctypes.get_errno() != errno.ENOBUFS:
        raise OSError(ctypes.get_errno(), "sendmmsg")
    return max(count, 0)


def _receive(receiver: socket.socket, batch: _Batch, flags: int) -> int:
    fd = receiver.fileno()
    return max(int(_libc.recvmmsg(fd, batch.messages, DATAGRAMS, flags, None)), 0)


def _receive_all(receiver: socket.socket, batch: _Batch) -> int:
    received = 0
    while count := _receive(receiver, batch, _MSG_WAITFORONE):
        received += count
    return received


def send_tcp(sender: socket.socket, seconds: float) -> Moved:
    """Octets, as fast as they go."""
    block = bytes(BLOCK)
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        sent += sender.send(block)
    sender.shutdown(socket.SHUT_WR)
    return sent, 0


def receive_tcp(receiver: socket.socket) -> Moved:
    block, received = bytearray(BLOCK), 0
    while count := receiver.recv_into(block):
        received += count
    return 0, received


def exchange_tcp(
    sender: socket.socket, receiver: socket.socket, seconds: float
) -> Moved:
    """Both ends in turn, for where there is one core."""
    into, sent, received = bytearray(BLOCK), 0, 0
    block = memoryview(bytes(BLOCK))
    sender.setblocking(False)
    receiver.setblocking(False)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        select.select([receiver], [sender], [], PATIENCE_S)
        with contextlib.suppress(BlockingIOError):
            sent += sender.send(block)
        with contextlib.suppress(BlockingIOError):
            received += receiver.recv_into(into)
    return sent, received


def udp_cost(
    sender: socket.socket, receiver: socket.socket, *, size: int, seconds: float
) -> Cost:
    """Between two sockets that are connected to one another."""
    receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
    silence = struct.pack("@ll", 0, int(SILENCE_S * 1e6))
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, silence)
    if _one_core():
        return _own_cost(lambda: exchange_udp(sender, receiver, size, seconds))
    return _cost(
        lambda: receive_udp(receiver, size), lambda: send_udp(sender, size, seconds)
    )


def tcp_cost(sender: socket.socket, receiver: socket.socket, seconds: float) -> Cost:
    """Over one connection, which is used up."""
    if _one_core():
        return _own_cost(lambda: exchange_tcp(sender, receiver, seconds))
    return _cost(lambda: receive_tcp(receiver), lambda: send_tcp(sender, seconds))


def _one_core() -> bool:
    """Then two processes would mostly wait for one another, and be slow to make."""
    return len(os.sched_getaffinity(0)) == 1


def _own_cost(work: Callable[[], Moved]) -> Cost:
    before = _ksoftirqd_seconds() + _own_seconds()
    sent, received = work()
    return Cost(sent, received, _ksoftirqd_seconds() + _own_seconds() - before)


def _cost(*ends: Callable[[], Moved]) -> Cost:
    """Each end in a process, on a core of its own."""
    cores = sorted(os.sched_getaffinity(0))
    before = _ksoftirqd_seconds()
    running = []
    for core, work in zip(cores, ends, strict=False):
        ours, theirs = _fork.Pipe()
        process = _fork.Process(target=_end, args=(work, core, theirs))
        process.start()
        theirs.close()
        running.append((process, ours))
    sent, received, spent = 0, 0, 0.0
    for process, pipe in running:
        moved, seconds = pipe.recv()
        process.join()
        sent, received = sent + moved[0], received + moved[1]
        spent += seconds
    return Cost(sent, received, spent + _ksoftirqd_seconds() - before)


def _end(work: Callable[[], Moved], core: int, pipe: Connection) -> None:
    os.sched_setaffinity(0, {core})
    before = _own_seconds()
    moved = work()
    pipe.send((moved, _own_seconds() - before))


def _own_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@functools.cache
def _ksoftirqd() -> list[Path]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text()
        except OSError:  # just ended
            continue
        if name.startswith("ksoftirqd/"):
            found.append(process / "stat")
    return found


def _ksoftirqd_seconds() -> float:
    """Of all cores, since boot.  `stat` counts in ticks, a hundredth of a second."""
    ticks = 0
    for path in _ksoftirqd():
        fields = path.read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
