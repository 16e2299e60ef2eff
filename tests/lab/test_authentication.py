"""The lab proves Binding Updates in each of the ways it can be asked to."""

import json
import stat
from collections.abc import Callable
from typing import Any

import pytest
from tests.lab.conftest import mip6

from mip6.cli.main import main
from mip6.lab.configuration import AUTHENTICATIONS, configured
from mip6.lab.lab import Lab

pytestmark = pytest.mark.root


@pytest.mark.parametrize("mechanism", AUTHENTICATIONS)
def test_a_move(mechanism: str, lab: Lab) -> None:
    words = ["lab", "run", "handover", "--moves", "1", "--json", "--name", lab.name]
    done = mip6(*words, "--authentication", mechanism)
    document = json.loads(done.stdout)
    assert document["ok"], [check for check in document["checks"] if not check["ok"]]
    proved = {
        "shared_key": "proved by ESP",
        "mn_ha": "proved by the MN-HA option",
    }
    names = [
        check["name"] for check in document["checks"] if "proved by" in check["name"]
    ]
    assert [name.partition("is ")[2] for name in names] == (
        [proved[mechanism]] if mechanism in proved else []
    )
    steps = [line for step in document["steps"] for line in step["packets"]]
    [update] = [line for line in steps if "Binding Update" in line]
    assert ("ESP [ Binding Update" in update) == (mechanism == "shared_key")


def test_only_root_can_read_the_key(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    lab.up()
    [key] = lab.directory.glob("*.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert lab.associations


def test_a_move_with_daemons_that_are_not_roots(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def by_another_user(role: str, **options: Any) -> str:
        return f'user = "daemon"\n{configured(role, **options)}'

    monkeypatch.setattr("mip6.lab.lab.configured", by_another_user)
    words = ["lab", "run", "handover", "--moves", "2", "--json", "--name", lab.name]
    code = main(words)
    document = json.loads(capsys.readouterr().out)
    assert code == 0, [check for check in document["checks"] if not check["ok"]]
