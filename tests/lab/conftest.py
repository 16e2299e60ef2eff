"""Labs for tests: each under a name of its own, always taken down."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mip6.lab import namespaces
from mip6.lab.lab import Lab

MIP6 = str(Path(sys.executable).with_name("mip6"))

_numbers = itertools.count()


def mip6(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """What the installed command says, as a person would call it."""
    return subprocess.run(
        [MIP6, *words],
        capture_output=True,
        text=True,
        timeout=300,
        **options,  # type: ignore[call-overload]
    )


def traces(name: str) -> list[str]:
    """Everything on this machine that carries the lab's name."""
    lab = Lab(name)
    left = [n for n in lab.namespaces.values() if n in namespaces.existing()]
    for directory in (
        "/run/mip6-lab",
        "/run/mip6",
        "/sys/fs/bpf/mip6",
        "/var/lib/mip6",
    ):
        if Path(directory).is_dir():
            left += [str(p) for p in Path(directory).iterdir() if p.name == name]
            left += [str(p) for p in Path(directory).glob(f"{name}-*")]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(f"/{name}/".encode() in word for word in words):
            left.append(" ".join(word.decode() for word in words))
    return left


@pytest.fixture
def new_lab() -> Iterator[Callable[[], Lab]]:
    """Makes labs that are not up yet; what carries their names goes after the test."""
    labs: list[Lab] = []

    def make() -> Lab:
        labs.append(Lab(f"t{os.getpid()}x{next(_numbers)}"))
        return labs[-1]

    yield make
    for lab in labs:
        lab.down()
    for lab in labs:
        assert not traces(lab.name)


@pytest.fixture
def lab(new_lab: Callable[[], Lab]) -> Lab:
    return new_lab()
