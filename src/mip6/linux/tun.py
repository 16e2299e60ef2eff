"""The mobility device: a TUN whose traffic the eBPF programs carry, and whose file
descriptors give the daemon what they leave to it, as whole IPv6 packets."""

import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from . import bpf, elf, offload

QUEUE_LENGTH = 4096
"""Packets that wait in each queue."""
MTU_MIN = 1280
_PACKETS_MAX = 256
_DROPPED = 11
"""Which number of a line of /proc/net/dev."""
_HEADER_LENGTH, _VERSION = 40, 6
_QUEUES = 3
_FRAME_MAX = offload.HEADER.size + 40 + 0xFFFF

_TUNSETIFF, _TUNGETIFF = 0x400454CA, 0x800454D2
_TUNSETPERSIST, _TUNSETOFFLOAD = 0x400454CB, 0x400454D0
_TUNGETVNETHDRSZ, _TUNSETVNETHDRSZ = 0x800454D7, 0x400454D8
_TUNSETSTEERINGEBPF = 0x800454E0
_IFF_TUN, _IFF_NO_PI, _IFF_MULTI_QUEUE, _IFF_VNET_HDR = 0x1, 0x1000, 0x100, 0x4000
_KIND = _IFF_TUN | _IFF_NO_PI | _IFF_MULTI_QUEUE | _IFF_VNET_HDR
_CHECKSUM, _TSO4, _TSO6, _USO4, _USO6 = 0x1, 0x2, 0x4, 0x20, 0x40

_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_SIOCSIFMTU, _SIOCSIFTXQLEN, _SIOCETHTOOL = 0x8922, 0x8943, 0x8946
_ETHTOOL_GLINK = 0xA
_IFF_UP = 0x1


class DeviceError(OSError):
    """The mobility device cannot be had; the text says why and what helps."""


class Queue:
    """One way from the device to the daemon; give it to `add_reader`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Device:
    """The mobility device, up and ready for the data plane.  Made by `open`."""

    def __init__(self, name: str, signalling: Queue, data: Queue, long: Queue) -> None:
        self.name = name
        self.index = socket.if_nametoindex(name)
        self.signalling = signalling
        """What the programs hand over because of what it is."""
        self.data = data
        """What no tunnel took."""
        self.long = long
        """What is too long for its way with the headers before it, which it has; and
        pieces of tunnelled packets that were."""

    @classmethod
    def open(cls, name: str = "mip0", *, mtu: int) -> Self:
        """Creates the device, or takes over the one that was left.

        It stays when the daemon dies, and its tunnels with it.  `mtu` is that of the
        links less 48, the outer headers.  Raises `DeviceError`, for one when another
        process holds the device.
        """
        assert mtu >= MTU_MIN
        if _is_held(name):
            raise DeviceError(
                errno.EBUSY, f"{name} is in use by another process (mip6 status?)"
            )
        queues = [Queue(fd) for fd in _attach(name)]
        try:
            _offload(queues[0].fileno())
            _steer(queues[0].fileno())
            _configure(name, mtu)
            # Last: what fails before leaves no device behind.
            fcntl.ioctl(queues[0].fileno(), _TUNSETPERSIST, 1)
        except BaseException:
            for queue in queues:
                queue.close()
            raise
        return cls(name, *queues)

    def read(self, queue: Queue) -> Iterator[bytes]:
        """The whole IPv6 packets that wait, checksums complete; at most a few hundred,
        so that one queue cannot keep the other waiting."""
        fd, finished, start = queue.fileno(), offload.FINISHED, len(offload.FINISHED)
        for _ in range(_PACKETS_MAX):
            try:
                frame = os.read(fd, _FRAME_MAX)
            except BlockingIOError:
                return
            # What came over a link, and under load that is everything.
            if frame.startswith(finished) and len(frame) >= start + _HEADER_LENGTH:
                if frame[start] >> 4 == _VERSION:
                    yield frame[start:]
            else:
                yield from offload.packets(frame)

    def write(self, octets: bytes) -> None:
        """A whole IPv6 packet, as if it had come by the device.  Raises OSError."""
        os.write(self.long.fileno(), offload.FINISHED + octets)

    @property
    def missed(self) -> int:
        """Packets that found their queue full, since the device was made."""
        for line in Path("/proc/net/dev").read_text().splitlines():
            name, _, counts = line.partition(":")
            if name.strip() == self.name:
                return int(counts.split()[_DROPPED])
        return 0  # somebody has deleted it

    def set_mtu(self, mtu: int) -> None:
        """For links of another MTU."""
        assert mtu >= MTU_MIN
        _interface(self.name, _SIOCSIFMTU, struct.pack("=i", mtu))

    def close(self) -> None:
        """The device stays."""
        for queue in (self.signalling, self.data, self.long):
            queue.close()

    def delete(self) -> None:
        """The device, its routes and its addresses are gone."""
        fcntl.ioctl(self.signalling.fileno(), _TUNSETPERSIST, 0)
        self.close()

    @staticmethod
    def remove(name: str) -> None:
        """Deletes a device that a daemon left behind; an absent one is fine."""
        if name not in [other for _, other in socket.if_nameindex()]:
            return
        if _is_held(name):
            raise DeviceError(errno.EBUSY, f"{name} is in use by another process")
        fds = _attach(name)
        fcntl.ioctl(fds[0], _TUNSETPERSIST, 0)
        for fd in fds:
            os.close(fd)


def _attach(name: str) -> list[int]:
    """A descriptor of each queue, in their order."""
    fds: list[int] = []
    try:
        for _ in range(_QUEUES):
            fds.append(os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK))
            fcntl.ioctl(fds[-1], _TUNSETIFF, _request(name, struct.pack("=H", _KIND)))
            # Attaching without the header is silently accepted, so look at what it is.
            answer = fcntl.ioctl(fds[-1], _TUNGETIFF, _request(name, b""))
            (flags,) = struct.unpack_from("=H", answer, 16)
            if flags & _KIND != _KIND:
                raise DeviceError(errno.EINVAL, f"{name} lost a flag: {flags:#x}")
            size = fcntl.ioctl(fds[-1], _TUNGETVNETHDRSZ, bytes(4))
            if struct.unpack("=i", size) != (offload.HEADER.size,):
                wanted = struct.pack("=i", offload.HEADER.size)
                fcntl.ioctl(fds[-1], _TUNSETVNETHDRSZ, wanted)
    except OSError as error:
        for fd in fds:
            os.close(fd)
        advice = {
            errno.ENOENT: "no /dev/net/tun: modprobe tun",
            errno.ENODEV: "no TUN driver: modprobe tun",
            errno.EPERM: "run as root, or with CAP_NET_ADMIN",
            errno.EINVAL: f"another kind of device has this name: ip link del {name}",
            errno.EBUSY: "another process holds it",
        }.get(error.errno or 0, "")
        text = f"open the mobility device {name}: {error.strerror}"
        raise DeviceError(
            error.errno, f"{text} ({advice})".replace(" ()", "")
        ) from None
    return fds


def _offload(fd: int) -> None:
    """Big segments and bare checksums stay as they are until the outer link sends them:
    without this the kernel splits UDP for us and gets it wrong (and slow)."""
    offloads = _CHECKSUM | _TSO4 | _TSO6
    try:
        fcntl.ioctl(fd, _TUNSETOFFLOAD, offloads | _USO4 | _USO6)
    except OSError:  # before Linux 6.2
        fcntl.ioctl(fd, _TUNSETOFFLOAD, offloads)


def _steer(fd: int) -> None:
    """Which packet goes into which queue; the device keeps the program."""
    code = elf.shipped().programs["steering"]
    program = bpf.Program.load("steering", bpf.SOCKET_FILTER, code, {})
    fcntl.ioctl(fd, _TUNSETSTEERINGEBPF, struct.pack("=i", program.fd))
    program.close()


def _configure(name: str, mtu: int) -> None:
    here = Path("/proc/sys/net/ipv6/conf", name)
    # No link-local address: nobody is there to talk to.
    (here / "addr_gen_mode").write_text("1")
    # The tunnel's route is looked up as if it were forwarded from here.
    (here / "forwarding").write_text("1")
    _interface(name, _SIOCSIFMTU, struct.pack("=i", mtu))
    _interface(name, _SIOCSIFTXQLEN, struct.pack("=i", QUEUE_LENGTH))
    (flags,) = struct.unpack_from("=H", _interface(name, _SIOCGIFFLAGS, b""), 16)
    _interface(name, _SIOCSIFFLAGS, struct.pack("=H", flags | _IFF_UP))


def _is_held(name: str) -> bool:
    """Only a TUN that is open somewhere has a carrier."""
    try:
        (flags,) = struct.unpack_from("=H", _interface(name, _SIOCGIFFLAGS, b""), 16)
    except OSError:
        return False
    return bool(flags & _IFF_UP) and _has_carrier(name)


def _has_carrier(name: str) -> bool:
    question = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_GLINK, 0), 8)
    pointer = struct.pack("@P", ctypes.addressof(question))
    try:
        _interface(name, _SIOCETHTOOL, pointer)
    except OSError:
        return False
    return question.raw[4] == 1


def _interface(name: str, operation: int, value: bytes) -> bytes:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        return fcntl.ioctl(any_socket, operation, _request(name, value))


def _request(name: str, value: bytes) -> bytes:
    """`struct ifreq`."""
    return struct.pack("16s24s", name.encode(), value)
