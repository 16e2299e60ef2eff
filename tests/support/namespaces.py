"""Network namespaces for tests: unique, entered by the test itself, always removed.

    with namespaces("agent", "router") as (agent, router):
        connect(agent, "eth0", router, "eth0")
        agent.ip("address add 2001:db8::1/64 dev eth0")
        agent.run("ping -c 1 2001:db8::2")
        with agent.entered():            # this thread's sockets and ioctls
            device = Device.open("mip0", mtu=1452)

Only the network namespace is entered: `ip netns exec` would mount its own /sys, and
with it lose the bpffs that the pins are in.
"""

import contextlib
import ctypes
import itertools
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

_libc = ctypes.CDLL(None, use_errno=True)
_number = itertools.count()
CLONE_NEWNET = 0x40000000


def run(command: str, *, check: bool = True, timeout: float = 60) -> str:
    """What `command` prints (both streams).  Raises `AssertionError` if it fails."""
    done = subprocess.run(
        shlex.split(command),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    assert not check or done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


class Namespace:
    """One network namespace, its loopback up, no duplicate address detection."""

    def __init__(self, label: str) -> None:
        self.name = f"mip6t-{os.getpid()}-{next(_number)}-{label}"
        run(f"ip netns add {self.name}")
        self.ip("link set lo up")
        self.sysctl("all.accept_dad=0", "default.accept_dad=0")
        self.sysctl("default.dad_transmits=0", "default.accept_ra=0")

    @property
    def path(self) -> Path:
        return Path("/run/netns", self.name)

    def inside(self, command: str) -> str:
        """`command` as it is run inside this namespace."""
        return f"nsenter --net={self.path} -- {command}"

    def run(self, command: str, *, check: bool = True, timeout: float = 60) -> str:
        return run(self.inside(command), check=check, timeout=timeout)

    def ip(self, arguments: str) -> str:
        return run(f"ip -6 -n {self.name} {arguments}")

    def sysctl(self, *settings: str) -> None:
        """Sets `net.ipv6.conf.<setting>`, such as `all.forwarding=1`."""
        self.run(f"sysctl -qw {' '.join(f'net.ipv6.conf.{s}' for s in settings)}")

    def spawn(
        self, command: str, *, output: int = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """A process that dies with the namespace at the latest."""
        return subprocess.Popen(
            shlex.split(self.inside(command)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is inside: sockets, ioctls, interface names, /proc/sys/net."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(self.path, os.O_RDONLY)
        try:
            _setns(there)
            yield
        finally:
            _setns(before)
            os.close(before)
            os.close(there)

    def delete(self) -> None:
        """Kills what runs inside, then removes it."""
        end = time.monotonic() + 5
        while (pids := run(f"ip netns pids {self.name}").split()) and (
            time.monotonic() < end
        ):
            for pid in pids:
                assert int(pid) != os.getpid(), "still entered"
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.02)
        run(f"ip netns del {self.name}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.delete()


def _setns(fd: int) -> None:
    if _libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def namespaces(*labels: str) -> Iterator[tuple[Namespace, ...]]:
    """New namespaces, removed at the end whatever happens."""
    with contextlib.ExitStack() as stack:
        yield tuple(stack.enter_context(Namespace(label)) for label in labels)


def connect(
    here: Namespace, name: str, there: Namespace, peer: str, *, mtu: int = 1500
) -> None:
    """A cable (veth) between two namespaces, both ends up."""
    run(
        f"ip link add {name} mtu {mtu} netns {here.name} "
        f"type veth peer name {peer} mtu {mtu} netns {there.name}"
    )
    here.ip(f"link set {name} up")
    there.ip(f"link set {peer} up")
