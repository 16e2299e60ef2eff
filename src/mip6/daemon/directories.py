"""Where a daemon keeps things, and that they are its own user's.

    /run/mip6/NAME.sock, NAME.restore.json    control socket, journal
    /var/lib/mip6/NAME/                       what survives a reboot
    /sys/fs/bpf/mip6/NAME/                    maps and links

Instances may run as different users, root among them.  So the three directories are
root's and sticky, with room for the group of the user; what is in them is each one's.
All this is done while the capabilities of the start are there.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mip6.linux import bpf

from .errors import SetupError

RUN = Path("/run/mip6")
PINS = Path("/sys/fs/bpf/mip6")
STATE = Path("/var/lib/mip6")


def prepare(name: str, *, stored: bool) -> None:
    """Makes the directories of the instance `name`, and takes over what an earlier
    daemon under this name left that was another user's.

    stored: whether it keeps anything across reboots.  Raises SetupError.
    """
    try:
        share(RUN)
        own(RUN / f"{name}.restore.json")
        bpf.mount()
        bpf.make_directory(PINS)
        share(PINS)
        own(PINS / name)
        if stored:
            share(STATE)
            (STATE / name).mkdir(mode=0o700, exist_ok=True)
            own(STATE / name)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise SetupError(f"{where}{error.strerror}") from error


def share(directory: Path) -> None:
    """Lets this user make, and delete, what is its own there."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    status = directory.stat()
    if status.st_uid == os.geteuid():
        return
    if status.st_gid != os.getegid() or status.st_mode & 0o1070 != 0o1070:
        os.chown(directory, -1, os.getegid())
        directory.chmod(0o1775)


def own(path: Path) -> None:
    """Makes this user the owner of `path` and of all below; absent is fine."""
    for each in _below(path):
        status = each.lstat()
        if status.st_uid != os.geteuid():
            os.chown(each, os.geteuid(), os.getegid(), follow_symlinks=False)


def _below(path: Path) -> Iterator[Path]:
    if path.is_symlink() or not path.exists():
        return
    yield path
    if path.is_dir():
        for inside in path.iterdir():
            yield from _below(inside)


@contextlib.contextmanager
def opened_pins() -> Iterator[Path]:
    """`PINS` by a way that stays open to this process when it is no longer root:
    /sys/fs/bpf itself is root's alone."""
    descriptor = os.open(PINS, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
