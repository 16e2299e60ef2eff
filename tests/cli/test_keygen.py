"""`mip6 keygen`: a key that is new, readable, and not lying about for others."""

import subprocess
import sys
from pathlib import Path

import pytest

from mip6.cli import main
from mip6.security.keys import parse_keys

MIP6 = Path(sys.executable).with_name("mip6")


def test_each_key_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for _ in range(3):
        assert main.main(["keygen"]) == 0
        texts.append(capsys.readouterr().out)
    keys = [parse_keys(text) for text in texts]
    assert all(len(found) == 1 for found in keys)
    assert len(set(keys)) == 3


@pytest.mark.parametrize(("umask", "warned"), [("022", True), ("077", False)])
def test_a_file_that_others_can_read_is_told(
    tmp_path: Path, umask: str, warned: bool
) -> None:
    command = f"umask {umask}; {MIP6} keygen > {tmp_path}/laptop.key"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.returncode == 0
    assert parse_keys((tmp_path / "laptop.key").read_text())
    assert ("chmod 600" in done.stderr) == warned
