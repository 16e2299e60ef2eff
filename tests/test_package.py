"""What `pip install .`, `pipx install .` and `make install` put on a machine."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/mip6"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built as pip builds it, from nothing but the checkout."""
    directory = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "-w", directory, ROOT],
        check=True,
    )
    [file] = directory.glob("mip6-*.whl")
    assert file.name.endswith("-py3-none-any.whl")
    return zipfile.ZipFile(file)


def test_everything_that_is_needed_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    inside = set(wheel.namelist())
    files = (path for path in PACKAGE.rglob("*") if path.is_file())
    wanted = {
        f"mip6/{path.relative_to(PACKAGE)}"
        for path in files
        if "__pycache__" not in path.parts
    }
    assert {"mip6/linux/mip6.bpf.o", "mip6/schema/status.json"} <= wanted <= inside
    assert (
        wheel.read("mip6/linux/mip6.bpf.o")
        == (PACKAGE / "linux/mip6.bpf.o").read_bytes()
    )


def test_nothing_else_is(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel.namelist()} == {"mip6"}
    licences = [name for name in wheel.namelist() if "/licenses/" in name]
    assert len(licences) == 2, "Apache-2.0, and GPL-2.0 for the eBPF programs"


def test_it_works_without_the_checkout(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "mip6.cli.main", "sim", "handover"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_uninstall_takes_away_what_install_puts(tmp_path: Path) -> None:
    """And nothing else; what it puts needs the network, so that stands in for it."""
    ours = (
        "usr/lib/mip6/bin/python",
        "usr/bin/mip6",
        "etc/systemd/system/mip6@.service",
        "etc/sysusers.d/mip6.conf",
    )
    others = ("usr/bin/another", "etc/mip6/laptop.toml")
    for name in (*ours, *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(
        [ROOT / "scripts/install", "--remove"],
        env={**os.environ, "DESTDIR": str(tmp_path), "PREFIX": "/usr"},
        check=True,
    )
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert left == set(others)


def test_the_unit_runs_what_install_puts() -> None:
    """`scripts/install` looks for these words, to put the whole path there."""
    unit = (ROOT / "examples/mip6@.service").read_text()
    assert unit.count("\nExecStart=mip6 ") == 1
