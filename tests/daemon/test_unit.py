"""The systemd unit we ship: what systemd itself thinks of it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "examples" / "mip6@.service"
EXPOSURE_MAX = 3.0


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    path = tmp_path / "mip6@test.service"
    # The command is installed nowhere that systemd looks.
    text = UNIT.read_text().replace("ExecStart=mip6 ", "ExecStart=/bin/true ")
    path.write_text(text)
    return path


def test_its_exposure(instance: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", instance]
    shown = subprocess.run(command, capture_output=True, text=True).stdout
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", shown)
    assert found, shown
    assert float(found[1]) <= EXPOSURE_MAX


def test_systemd_understands_it(instance: Path) -> None:
    command = ["systemd-analyze", "verify", "--man=no", instance]
    done = subprocess.run(command, capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if instance.name in line]
    assert complaints == []


def test_its_user_is_the_one_that_install_makes(tmp_path: Path) -> None:
    [line] = re.findall(r"^User=(.*)$", UNIT.read_text(), re.MULTILINE)
    users = UNIT.with_name("mip6.sysusers")
    assert f"\nu {line} " in users.read_text()
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("needs systemd-sysusers")
    (tmp_path / "etc").mkdir()
    command = ["systemd-sysusers", f"--root={tmp_path}", users]
    subprocess.run(command, check=True)
    [made] = (tmp_path / "etc/passwd").read_text().splitlines()
    name, _, user, group, *_, shell = made.split(":")
    assert (name, shell) == (line, "/usr/sbin/nologin")
    assert 0 not in (int(user), int(group))
