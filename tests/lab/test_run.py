"""`mip6 lab run`: every scenario on the real kernel, and no traces of any run."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from mip6.cli import lab as command
from mip6.cli.main import main
from mip6.lab.lab import Lab, wait_until
from mip6.lab.scenarios import SCENARIOS

from .conftest import MIP6, mip6, traces

SCHEMA = json.loads(files("mip6").joinpath("schema", "lab.json").read_text())

pytestmark = pytest.mark.root


def play(lab: Lab, *words: str) -> dict[str, object]:
    done = mip6("lab", "run", *words, "--json", "--name", lab.name)
    document: dict[str, object] = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    failed = [check for check in document["checks"] if not check["ok"]]  # type: ignore[attr-defined]
    assert (done.returncode == 0) == (document["ok"] is True) == (not failed)
    assert not failed, json.dumps(failed, indent=2)
    assert not traces(lab.name)
    return document


ON_THE_SECOND_KERNEL = {"handover", "daemon_killed"}


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(
            name,
            marks=[pytest.mark.second_kernel] if name in ON_THE_SECOND_KERNEL else [],
        )
        for name in SCENARIOS
    ],
)
@pytest.mark.slow
def test_every_scenario_is_ok_and_leaves_nothing(scenario: str, lab: Lab) -> None:
    document = play(lab, scenario)
    assert document["scenario"] == scenario
    assert document["kernel"] == os.uname().release
    assert document["tcp"]["bytes"] > 1_000_000  # type: ignore[index]
    assert len(document["steps"]) == 5  # type: ignore[arg-type]


@pytest.mark.second_kernel
@pytest.mark.slow
def test_links_are_slow_where_the_kernel_can_make_them_so(lab: Lab) -> None:
    """netem: a registration takes a round trip, or the run says what is missing."""
    words = ["run", "virtual_home_link", "--delay", "20", "--json"]
    done = mip6("lab", *words, "--name", lab.name)
    document = json.loads(done.stdout)
    failed = [check for check in document["checks"] if not check["ok"]]
    if has_netem():
        assert not failed, json.dumps(failed, indent=2)
        for move in document["moves"]:
            phases = move["phases_ms"]
            assert phases["binding_acknowledgement"] - phases["binding_update"] > 40
    else:
        assert "this kernel cannot delay or lose packets (netem)" in failed[0]["detail"]
    assert not traces(lab.name)


def has_netem() -> bool:
    netem = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    return (
        subprocess.run(["unshare", "--net", *netem], capture_output=True).returncode
        == 0
    )


def test_moves_go_to_and_fro_and_are_all_measured(lab: Lab, tmp_path: Path) -> None:
    document = play(lab, "handover", "--moves", "3", "--pcap", str(tmp_path / "pcap"))
    moves = document["moves"]
    assert [(m["from"], m["to"]) for m in moves] == [  # type: ignore[attr-defined]
        ("b", "c"),
        ("c", "b"),
        ("b", "c"),
    ]
    for move in moves:  # type: ignore[attr-defined]
        phases = move["phases_ms"]
        assert 0 <= phases["link_up"] <= phases["router_advertisement"]
        assert phases["care_of_address"] <= phases["binding_update"]
        assert phases["binding_update"] < phases["binding_acknowledgement"]
        assert phases["first_packet_in"] > 0 and phases["first_packet_out"] > 0
        assert move["lost"] >= move["lost_unplugged"] > 0
    kept = {path.name for path in (tmp_path / "pcap").iterdir()}
    assert kept == {"mn.pcap", "ha.pcap", "hahome.pcap", "cn.pcap"}


def test_people_read_a_picture_steps_and_a_verdict(lab: Lab) -> None:
    done = subprocess.run(
        [MIP6, "lab", "run", "return_home", "--step", "--name", lab.name],
        input="\n\n",
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("Enter: move the mobile node's cable to") == 2
    for words in ("home link", "Binding Update", "tunnel [", "What each move cost"):
        assert words in done.stdout
    assert "checks passed" in done.stdout.splitlines()[-1]
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def start(lab: Lab) -> subprocess.Popen[bytes]:
    """A run that is in the middle: its daemons run."""
    process = subprocess.Popen(
        [MIP6, "lab", "run", "handover", "--json", "--name", lab.name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Shells make what they run in the background deaf to Ctrl-C, tests as well.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert wait_until(lambda: lab.log("mn").exists() and lab.answering, seconds=90)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_is_interrupted_leaves_nothing(lab: Lab, number: int) -> None:
    process = start(lab)
    process.send_signal(number)
    assert process.wait(90) == 128 + number
    assert not traces(lab.name)


def test_down_finds_what_a_killed_run_left(
    lab: Lab,
    new_lab: Callable[[], Lab],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = new_lab()
    other.up(owned=True)
    process = start(lab)
    assert lab.owned and not lab.orphan
    process.kill()
    process.wait()
    assert lab.orphan and traces(lab.name)
    # The developer's own lab of the default name is not this test's business.
    monkeypatch.setattr(command, "DEFAULT_NAME", "")
    assert main(["lab", "down"]) == 0
    assert f"the lab {lab.name!r} is down" in capsys.readouterr().out
    assert not traces(lab.name)
    assert other.complete


def test_two_runs_at_once(new_lab: Callable[[], Lab]) -> None:
    labs = [new_lab(), new_lab()]
    runs = [
        subprocess.Popen(
            [MIP6, "lab", "run", "return_home", "--json", "--name", lab.name],
            stdout=subprocess.PIPE,
        )
        for lab in labs
    ]
    for run in runs:
        document = json.loads(run.communicate(timeout=300)[0])
        failed = [check for check in document["checks"] if not check["ok"]]
        assert run.returncode == 0, failed
    assert not any(traces(lab.name) for lab in labs)


def test_a_daemon_that_does_not_start_is_a_failed_check(
    lab: Lab,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    lame = tmp_path / "mip6"
    lame.write_text(f'#!/bin/sh\n[ "$1" != run ] && exec {MIP6} "$@"\nexit 1\n')
    lame.chmod(0o755)
    monkeypatch.setattr("mip6.lab.lab.mip6_command", lambda: str(lame))
    assert main(["lab", "run", "--json", "--name", lab.name]) == 1
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, SCHEMA)
    (check,) = document["checks"]
    assert document["ok"] is False and not check["ok"]
    assert "the daemon at ha did not start" in check["detail"]
    assert not traces(lab.name)


def test_up_move_exec_status_down(lab: Lab) -> None:
    name = ["--name", lab.name]
    assert mip6("lab", "up", *name).returncode == 0
    assert mip6("lab", "move", "mn", "B", *name).returncode == 0
    ping = ["ping", "-c", "3", "-W", "2", "2001:db8:a::100"]

    def reached() -> bool:
        return mip6("lab", "exec", *name, "cn", "--", *ping).returncode == 0

    assert wait_until(reached, seconds=60)
    labs = json.loads(mip6("lab", "status", "--json").stdout)["labs"]
    (shown,) = [entry for entry in labs if entry["name"] == lab.name]
    daemons = [f"{lab.name}-ha", f"{lab.name}-mn"]
    assert shown == {
        "name": lab.name,
        "mobile_node_on": "b",
        "run": False,
        "daemons": daemons,
    }
    assert mip6("lab", "exec", *name, "cn", "--", "false").returncode == 1
    assert mip6("lab", "move", "mn", "b", *name).returncode == 1
    assert mip6("lab", "down", *name).returncode == 0
    assert not traces(lab.name)


def test_up_with_a_correspondent_that_takes_part(lab: Lab) -> None:
    name = ["--name", lab.name]
    done = mip6("lab", "up", "--correspondent", *name)
    assert done.returncode == 0 and f"{lab.name}-cn" in done.stdout
    mip6("lab", "move", "mn", "b", *name)
    ping = ["ping", "-c", "2", "-W", "2", "2001:db8:a::100"]

    def bound() -> bool:
        lab.run("cn", ping)
        said = mip6("bindings", "--json", "--name", f"{lab.name}-cn")
        return bool(json.loads(said.stdout)["bindings"])

    assert wait_until(bound, seconds=60)
    labs = json.loads(mip6("lab", "status", "--json").stdout)["labs"]
    (entry,) = [shown for shown in labs if shown["name"] == lab.name]
    assert f"{lab.name}-cn" in entry["daemons"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["run", "nonsense"], 2, "no scenario 'nonsense'; there are handover"),
        (["run", "--ra-interval", "5"], 2, "--ra-interval"),
        (["run", "--moves", "0"], 2, "--moves"),
        (
            ["run", "route_optimization", "--authentication", "mn_ha"],
            2,
            "is off with mn_ha",
        ),
        (
            ["run", "renumbering", "--authentication", "mn_ha"],
            2,
            "prefix discovery, which is off with mn_ha",
        ),
        (["run", "--name", "Not-Good"], 1, "a lab's name is"),
        (["move", "mn", "b", "--name", "nosuchlab"], 1, "no lab 'nosuchlab' is up"),
        (["exec", "--name", "nosuchlab", "cn"], 2, "which command?"),
        (["down", "--name", "nosuchlab"], 1, "no lab 'nosuchlab' is up"),
        (["move", "ha", "b"], 2, "invalid choice: 'ha'"),
    ],
)
def test_what_is_asked_wrongly_is_told_in_a_line(
    words: list[str], code: int, says: str
) -> None:
    done = mip6("lab", *words)
    assert done.returncode == code
    assert says in done.stderr and "Traceback" not in done.stderr


def test_without_root_it_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["lab", "run"]) == 1
    assert "mip6 sim handover" in capsys.readouterr().err
    assert main(["lab", "scenarios"]) == 0
    assert "daemon_killed" in capsys.readouterr().out
