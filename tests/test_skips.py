"""A skip that nobody expected fails CI; what is expected depends on the kernel."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.skips import expected_skips

LISTED = """\
# why
tests/a.py::always

# a newer kernel has it
before 6.6: tests/b.py::test_it[tcx]
"""


@pytest.mark.parametrize("kernel", ["5.10.0-28-amd64", "6.1.176", "6.5"])
def test_an_older_kernel_may_lack_something(kernel: str) -> None:
    listed = ["tests/a.py::always", "tests/b.py::test_it[tcx]"]
    assert expected_skips(LISTED, kernel) == listed


@pytest.mark.parametrize("kernel", ["6.6.0", "6.18.5", "7.0-rc1", "10.1"])
def test_a_newer_one_may_not(kernel: str) -> None:
    assert expected_skips(LISTED, kernel) == ["tests/a.py::always"]


def run_with_a_skip(directory: Path, ci: str) -> subprocess.CompletedProcess[str]:
    """pytest, with our conftest.py, over one test that passes and one that skips."""
    (directory / "test_here.py").write_text(
        "import pytest\n"
        "def test_passes(): pass\n"
        "def test_skips(): pytest.skip('not today')\n"
    )
    command = (sys.executable, "-m", "pytest", "-p", "tests.conftest", "-q")
    where = ("-c", "pyproject.toml", "-p", "no:cacheprovider", str(directory))
    return subprocess.run(
        [*command, *where],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
    )


def test_in_ci_a_skip_that_nobody_expects_fails(tmp_path: Path) -> None:
    done = run_with_a_skip(tmp_path, "true")
    assert done.returncode == 1, done.stdout
    assert "UNEXPECTED SKIP" in done.stdout
    assert "test_here.py::test_skips" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout


def test_elsewhere_it_does_not(tmp_path: Path) -> None:
    done = run_with_a_skip(tmp_path, "")
    assert done.returncode == 0, done.stdout
    assert "UNEXPECTED" not in done.stdout
