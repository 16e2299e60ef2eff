"""bpf(2) through ctypes: maps, programs, pins, test runs.  No libbpf, no compiler.

Works with any kernel from 5.10.  Everything that fails raises `BpfError`, whose text
names what failed and, where there is one, what to do about it.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

from mip6.wire.record import record

from . import elf

(
    _MAP_CREATE,
    _MAP_LOOKUP,
    _MAP_UPDATE,
    _MAP_DELETE,
    _MAP_NEXT_KEY,
    _PROGRAM_LOAD,
    _PIN,
    _GET,
) = range(8)
_TEST_RUN, _INFO, _LOOKUP_BATCH, _UPDATE_BATCH = 10, 15, 24, 26
_LINK_CREATE, _LINK_UPDATE, _LINK_DETACH = 28, 29, 34

HASH, ARRAY, PERCPU_ARRAY, LRU_HASH, RING = 1, 2, 6, 9, 27
"""Map types."""
NO_PREALLOC = 1
"""Flag of a map: memory for an entry is taken when it is put there."""
SOCKET_FILTER, SCHED_CLS = 1, 3
"""Program types."""
TCX_INGRESS, TCX_EGRESS = 46, 47
"""Where a link attaches a program to an interface."""

_FILE_SYSTEM = 0xCAFE4A11
_LOG_SIZE = 1 << 20
_ATTRIBUTE_SIZE = 120
BATCH = 4096
"""Entries of a map that one call takes or gives."""

_SYSCALL = {
    "x86_64": 321,
    "aarch64": 280,
    "riscv64": 280,
    "loongarch64": 280,
    "ppc64le": 361,
    "armv7l": 386,
    "i686": 357,
}
_libc = ctypes.CDLL(None, use_errno=True)


class BpfError(OSError):
    """The kernel refused something about eBPF; the text says what and what helps."""


_ADVICE = {
    errno.EPERM: "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
    errno.ENOSYS: "this kernel is built without CONFIG_BPF_SYSCALL",
    errno.ENOMEM: "not enough memory: lower bindings_max",
    errno.E2BIG: "the map is full",
    errno.ENOENT: "there is no such entry",
}


def _error(code: int, what: str, advice: str | None = None) -> BpfError:
    advice = advice or _ADVICE.get(code)
    text = f"{what}: {os.strerror(code)}" + (f" ({advice})" if advice else "")
    return BpfError(code, text)


def _call(command: int, attributes: bytes, what: str) -> tuple[int, bytes]:
    """One bpf(2).  The result, and the attributes as the kernel left them."""
    number = _SYSCALL.get(platform.machine())
    if number is None:
        raise BpfError(errno.ENOSYS, f"{what}: no bpf(2) for {platform.machine()}")
    size = max(len(attributes), _ATTRIBUTE_SIZE)
    buffer = ctypes.create_string_buffer(attributes, size)
    result = int(_libc.syscall(number, command, buffer, size))
    if result < 0:
        raise _error(ctypes.get_errno(), what)
    return result, buffer.raw


def possible_cpus() -> int:
    """How many values an entry of a per-CPU map has."""
    last = Path("/sys/devices/system/cpu/possible").read_text().strip()
    return int(last.replace(",", "-").split("-")[-1]) + 1


def raise_memory_limit() -> None:
    """Before 5.11 maps count against RLIMIT_MEMLOCK, whose default is far too small."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    if resource.getrlimit(resource.RLIMIT_MEMLOCK) != unlimited:
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, unlimited)
        except (ValueError, OSError):
            return  # creating a map will say what is missing


class _Descriptor:
    """A map or program: closed with `close()`, at the latest when it is collected."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:
        self.close()

    def pin(self, path: Path) -> None:
        """Gives it a name in the BPF file system, where it outlives the process."""
        name = ctypes.create_string_buffer(os.fsencode(path))
        attributes = struct.pack("=QI", ctypes.addressof(name), self.fd)
        _call(_PIN, attributes, f"pin {path}")


@record
class MapInfo:
    kind: int
    key_size: int
    value_size: int
    entries_max: int


class Map(_Descriptor):
    """Keys and values are octets; a value of a per-CPU map is all its values."""

    __slots__ = ("_attributes", "_key", "_number", "_value", "info", "name")

    def __init__(self, fd: int, name: str) -> None:
        super().__init__(fd)
        self.name = name
        self.info = _map_info(fd, name)
        size = self.info.value_size
        if self.info.kind == PERCPU_ARRAY:
            size = (size + 7) // 8 * 8 * possible_cpus()
        self._key = ctypes.create_string_buffer(self.info.key_size)
        self._value = ctypes.create_string_buffer(size)
        # The same attributes serve every single call: 1 us instead of 5.
        packed = struct.pack(
            "=IxxxxQQQ",
            fd,
            ctypes.addressof(self._key),
            ctypes.addressof(self._value),
            0,
        )
        self._attributes = ctypes.create_string_buffer(packed, 32)
        self._number = _SYSCALL[platform.machine()]

    @classmethod
    def create(
        cls, name: str, definition: elf.MapDefinition, entries_max: int | None = None
    ) -> Self:
        attributes = struct.pack(
            "=7I16s",
            definition.kind,
            definition.key_size,
            definition.value_size,
            entries_max or definition.entries_max,
            definition.flags,
            0,
            0,
            name.encode()[:15],
        )
        return cls(_call(_MAP_CREATE, attributes, f"create the map {name}")[0], name)

    @classmethod
    def pinned(cls, path: Path) -> Self:
        name = ctypes.create_string_buffer(os.fsencode(path))
        attributes = struct.pack("=QI", ctypes.addressof(name), 0)
        return cls(_call(_GET, attributes, f"open the map {path}")[0], path.name)

    def _one(self, command: int, key: bytes) -> int:
        """A bpf(2) about one entry; the error number, 0 when it went well."""
        assert len(key) == self.info.key_size
        self._key.raw = key
        # What a command has no use for must not be given: a delete takes no value.
        size = 16 if command == _MAP_DELETE else 32
        if _libc.syscall(self._number, command, self._attributes, size) < 0:
            return ctypes.get_errno()
        return 0

    def lookup(self, key: bytes) -> bytes | None:
        code = self._one(_MAP_LOOKUP, key)
        if code == errno.ENOENT:
            return None
        if code:
            raise _error(code, f"look up in the map {self.name}")
        return self._value.raw

    def update(self, key: bytes, value: bytes) -> None:
        """Makes `value` stand under `key`, at once for every packet after."""
        assert len(value) == len(self._value)
        self._value.raw = value
        code = self._one(_MAP_UPDATE, key)
        if code:
            what = f"put an entry into the map {self.name}"
            if code == errno.E2BIG:
                raise _error(code, what, f"full: {self.info.entries_max} entries")
            raise _error(code, what)

    def delete(self, key: bytes) -> bool:
        """Whether there was such an entry."""
        code = self._one(_MAP_DELETE, key)
        if code not in (0, errno.ENOENT):
            raise _error(code, f"delete from the map {self.name}")
        return code == 0

    def update_many(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Many entries at 1 us each; on an error some of them may stand."""
        entries = list(entries)
        for start in range(0, len(entries), BATCH):
            part = entries[start : start + BATCH]
            keys = ctypes.create_string_buffer(b"".join([key for key, _ in part]))
            values = ctypes.create_string_buffer(b"".join([value for _, value in part]))
            attributes = struct.pack(
                "=QQQQIIQQ",
                0,
                0,
                ctypes.addressof(keys),
                ctypes.addressof(values),
                len(part),
                self.fd,
                0,
                0,
            )
            what = f"put {len(part)} entries into the map {self.name}"
            _call(_UPDATE_BATCH, attributes, what)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every entry.  Of those that come or go meanwhile some may be missing."""
        key_size, value_size = self.info.key_size, self.info.value_size
        room = min(BATCH, max(self.info.entries_max, 16))
        position = ctypes.create_string_buffer(max(key_size, 8))
        first = True
        while True:
            keys = ctypes.create_string_buffer(room * key_size)
            values = ctypes.create_string_buffer(room * value_size)
            attributes = struct.pack(
                "=QQQQIIQQ",
                0 if first else ctypes.addressof(position),
                ctypes.addressof(position),
                ctypes.addressof(keys),
                ctypes.addressof(values),
                room,
                self.fd,
                0,
                0,
            )
            buffer = ctypes.create_string_buffer(attributes, _ATTRIBUTE_SIZE)
            result = _libc.syscall(self._number, _LOOKUP_BATCH, buffer, _ATTRIBUTE_SIZE)
            code = ctypes.get_errno() if result < 0 else 0
            if code == errno.ENOSPC:  # one bucket alone is larger than the room
                room *= 2
                continue
            if code not in (0, errno.ENOENT):
                raise _error(code, f"read the map {self.name}")
            (count,) = struct.unpack_from("=I", buffer.raw, 32)
            raw_keys, raw_values = keys.raw, values.raw
            for i in range(count):
                yield (
                    raw_keys[i * key_size : (i + 1) * key_size],
                    raw_values[i * value_size : (i + 1) * value_size],
                )
            if code == errno.ENOENT:  # that was the last batch
                return
            first = False


def _map_info(fd: int, name: str) -> MapInfo:
    info = ctypes.create_string_buffer(80)
    attributes = struct.pack("=IIQ", fd, len(info), ctypes.addressof(info))
    _call(_INFO, attributes, f"describe the map {name}")
    kind, _, key_size, value_size, entries_max = struct.unpack_from("=5I", info.raw)
    return MapInfo(kind, key_size, value_size, entries_max)


@record
class Outcome:
    """What a program made of a packet in a test run."""

    verdict: int
    packet: bytes
    mark: int
    nanoseconds: int
    """Average of one run."""


class Program(_Descriptor):
    """A verified program."""

    __slots__ = ("name",)

    def __init__(self, fd: int, name: str) -> None:
        super().__init__(fd)
        self.name = name

    @classmethod
    def load(
        cls, name: str, kind: int, program: elf.Program, maps: Mapping[str, Map]
    ) -> Self:
        """Raises `BpfError` with the end of the verifier's log if it is refused."""
        code = bytearray(program.instructions)
        for offset, map_name in program.references:
            code[offset + 1] = code[offset + 1] & 0x0F | 0x10  # BPF_PSEUDO_MAP_FD
            struct.pack_into("<i", code, offset + 4, maps[map_name].fd)
        instructions = ctypes.create_string_buffer(bytes(code), len(code))
        licence = ctypes.create_string_buffer(b"GPL")
        log = ctypes.create_string_buffer(_LOG_SIZE)

        def attributes(log_size: int) -> bytes:
            return struct.pack(
                "=IIQQIIQII16s",
                kind,
                len(code) // 8,
                ctypes.addressof(instructions),
                ctypes.addressof(licence),
                1 if log_size else 0,
                log_size,
                ctypes.addressof(log) if log_size else 0,
                0,
                0,
                name.encode()[:15],
            )

        what = f"load the program {name}"
        try:
            return cls(_call(_PROGRAM_LOAD, attributes(0), what)[0], name)
        except BpfError as error:
            if error.errno == errno.EPERM:
                raise
        try:
            return cls(_call(_PROGRAM_LOAD, attributes(_LOG_SIZE), what)[0], name)
        except BpfError as error:
            words = log.value.decode(errors="replace")[-2000:]
            raise BpfError(error.errno, f"{error.strerror}\n{words}") from None

    def run(self, packet: bytes, *, mark: int = 0, repeat: int = 1) -> Outcome:
        """BPF_PROG_TEST_RUN: `packet` begins with an Ethernet header."""
        given = ctypes.create_string_buffer(packet, len(packet))
        made = ctypes.create_string_buffer(len(packet) + 256)
        context = ctypes.create_string_buffer(struct.pack("=8xI", mark), 192)
        after = ctypes.create_string_buffer(192)
        attributes = struct.pack(
            "=IIIIQQIIIIQQ",
            self.fd,
            0,
            len(packet),
            len(made),
            ctypes.addressof(given),
            ctypes.addressof(made),
            repeat,
            0,
            len(context),
            len(after),
            ctypes.addressof(context),
            ctypes.addressof(after),
        )
        _, raw = _call(_TEST_RUN, attributes, f"test run of {self.name}")
        verdict, _, size = struct.unpack_from("=iII", raw, 4)
        (nanoseconds,) = struct.unpack_from("=I", raw, 36)
        (mark,) = struct.unpack_from("=I", after.raw, 8)
        return Outcome(verdict, made.raw[:size], mark, nanoseconds)


class _StatFs(ctypes.Structure):
    _fields_ = (("type", ctypes.c_long), ("rest", ctypes.c_long * 31))


def _is_bpffs(path: Path) -> bool:
    answer = _StatFs()
    found = _libc.statfs(os.fsencode(path), ctypes.byref(answer)) == 0
    return found and bool(answer.type & 0xFFFFFFFF == _FILE_SYSTEM)


def mount(path: Path = Path("/sys/fs/bpf")) -> None:
    """Mounts the BPF file system where it is missing."""
    if _is_bpffs(path):
        return
    name = os.fsencode(path)
    if _libc.mount(b"bpf", name, b"bpf", 0, b"mode=0700"):
        raise _error(ctypes.get_errno(), f"mount -t bpf bpf {path}")


def make_directory(path: Path) -> None:
    """Creates a directory for pins.  Raises `BpfError` if no bpffs is there."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _error(error.errno or 0, f"create {path}") from None
    if not _is_bpffs(path):
        advice = "mount it: mount -t bpf bpf /sys/fs/bpf"
        raise _error(errno.ENOTSUP, f"{path} is not in a BPF file system", advice)


class Link(_Descriptor):
    """A program attached to an interface, for as long as this or a pin of it is there
    (tcx, from Linux 6.6)."""

    __slots__ = ()

    @classmethod
    def create(cls, program: Program, index: int, where: int) -> Self:
        """Behind those that are attached.  `BpfError` EINVAL: the kernel has no tcx."""
        attributes = struct.pack("=IIII", program.fd, index, where, 0)
        what = f"attach the program {program.name} to interface {index}"
        return cls(_call(_LINK_CREATE, attributes, what)[0])

    @classmethod
    def pinned(cls, path: Path) -> Self:
        name = ctypes.create_string_buffer(os.fsencode(path))
        attributes = struct.pack("=QI", ctypes.addressof(name), 0)
        return cls(_call(_GET, attributes, f"open the link {path}")[0])

    def update(self, program: Program) -> None:
        """`program` instead, at once.  `BpfError` ENOLINK: the interface is gone."""
        attributes = struct.pack("=IIII", self.fd, program.fd, 0, 0)
        _call(_LINK_UPDATE, attributes, f"attach the program {program.name}")

    def detach(self) -> None:
        """Now, while the pin and this may still be there."""
        _call(_LINK_DETACH, struct.pack("=I", self.fd), "detach a program")
