"""Network namespaces and the processes in them, through `ip` and `nsenter`.

Only the network namespace is entered, never a mount namespace: a bpffs that
`ip netns exec` mounts vanishes with the process, and with it every pin.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

STUBBORN_S = 30.0
"""How long a killed process may take to leave its namespace."""


class LabError(Exception):
    """Something that the person at the terminal can read and act on."""


def require_tools(*names: str) -> None:
    """Raises `LabError` that names every missing tool and what brings it."""
    packages = {"ip": "iproute2", "nsenter": "util-linux", "ping": "iputils-ping"}
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        install = " ".join(packages.get(name, name) for name in missing)
        raise LabError(
            f"missing on this machine: {', '.join(missing)} "
            f"(Debian, Ubuntu: apt-get install {install})"
        )


def run(command: Sequence[str], *, stdin: str | None = None) -> str:
    """What `command` prints.  Raises `LabError` with its words if it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(command)}: {said or f'exit {done.returncode}'}")
    return done.stdout


def ip_batch(lines: Iterable[str], *, namespace: str | None = None) -> None:
    """Carries out many `ip -6` commands in one process."""
    where = ["-n", namespace] if namespace else []
    run(["ip", "-6", *where, "-batch", "-"], stdin="\n".join(lines) + "\n")


def inside(namespace: str, command: Sequence[str]) -> list[str]:
    """`command` as it is run inside `namespace`."""
    return ["nsenter", f"--net=/run/netns/{namespace}", "--", *command]


def sysctl(namespace: str, **values: int) -> None:
    """Sets `net.ipv6.conf.all` and `default` keys of a namespace."""
    pairs = [
        f"net.ipv6.conf.{scope}.{key}={value}"
        for key, value in values.items()
        for scope in ("all", "default")
    ]
    run(inside(namespace, ["sysctl", "-qw", *pairs]))


def spawn(
    namespace: str, command: Sequence[str], *, log: Path, **options: Any
) -> subprocess.Popen[bytes]:
    """Starts `command` in `namespace`, in a session of its own: a Ctrl-C at the
    terminal reaches the lab only, which then stops everything in order."""
    with log.open("ab") as out:
        return subprocess.Popen(
            inside(namespace, command),
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=options.pop("stdout", out),
            stderr=out,
            start_new_session=True,
            **options,
        )


def existing() -> set[str]:
    """The names of all network namespaces of this machine."""
    directory = Path("/run/netns")
    return {path.name for path in directory.iterdir()} if directory.is_dir() else set()


def pids(namespace: str) -> list[int]:
    """The processes that are inside `namespace`."""
    done = subprocess.run(
        ["ip", "netns", "pids", namespace], capture_output=True, text=True
    )
    return [int(word) for word in done.stdout.split()]


def delete(names: Iterable[str]) -> None:
    """Kills what runs in these namespaces and deletes them; absent ones are fine.

    Raises `LabError` if a process will not die: its namespace would live on unnamed.
    """
    names = [name for name in names if name in existing()]
    end = time.monotonic() + STUBBORN_S
    while left := {pid: name for name in names for pid in pids(name)}:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > end:
            raise LabError(f"processes that will not die: {left}")
        time.sleep(0.01)
    for name in names:
        run(["ip", "netns", "del", name])
