"""`mip6 sim`, as a person calls it."""

import argparse
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import mip6
from mip6.cli import sim
from mip6.sim.scenarios import SCENARIOS

SCHEMA = json.loads((Path(mip6.__file__).parent / "schema" / "sim.json").read_text())


def call(*words: str) -> int:
    parser = argparse.ArgumentParser()
    sim.add_parser(parser.add_subparsers())
    return sim.run(parser.parse_args(["sim", *words]))


def test_default_is_the_handover(capsys: pytest.CaptureFixture[str]) -> None:
    assert call() == 0
    out = capsys.readouterr().out
    assert out.startswith("handover: ")
    for step in "①②③④⑤":
        assert out.count(step) >= 2, "in the ladder and in the legend"
    assert "home → b: without packets for 29.0 ms" in out


@pytest.mark.parametrize("name", SCENARIOS)
def test_json_is_of_its_schema(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(name, "--seed", "5", "--json") == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, SCHEMA)
    assert document["scenario"] == name
    assert document["seed"] == 5


def test_lost_packets_are_crossed_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("handover", "--seed", "4", "--loss", "30") == 0
    assert "✗" in capsys.readouterr().out


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(SCENARIOS)


def test_unknown_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("nonsense") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no scenario nonsense" in captured.err
    assert "roaming_two_handovers" in captured.err


@pytest.mark.parametrize("loss", ["100", "-1", "much"])
def test_loss_is_a_percentage(loss: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        call("--loss", loss)
    assert end.value.code == 2
