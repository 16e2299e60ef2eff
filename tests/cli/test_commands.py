"""The command as a person meets it: help, words, exit codes, speed."""

import json
import os
import re
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer
from typing import Any

import pytest

from mip6.cli import client, main, run
from mip6.linux import privileges

EXAMPLES = Path(__file__).parents[2] / "examples"
MIP6 = str(Path(sys.executable).with_name("mip6"))

AGENT: dict[str, Any] = {
    "address": "2001:db8:a::1",
    "current": True,
    "failed": None,
    "status": None,
    "failed_for_s": None,
    "bound_for_s": None,
}
STATUS: dict[str, Any] = {
    "name": "mip6",
    "roles": ["mobile_node", "correspondent_node"],
    "user": "mip6",
    "uptime_s": 200.0,
    "authentication": "none",
    "links": [{"name": "eth0", "up": True, "mtu": 1500}],
    "problems": ["something: do this"],
    "mobile_node": {
        "home_address": "2001:db8:a::100",
        "further_home_addresses": [
            {"home_address": "2001:db8:1a::100", "expires_in_s": None},
            {"home_address": "2001:db8:2a::100", "expires_in_s": 100.0},
        ],
        "home_agent": "2001:db8:a::1",
        "home_agents": [
            AGENT,
            AGENT | {"address": "2001:db8:a::2", "current": False},
            AGENT | {"failed": "silent", "failed_for_s": 7.2},
            AGENT | {"failed": "refused", "status": 130, "failed_for_s": 1.0},
            AGENT | {"current": False, "bound_for_s": 60.0},
        ],
        "place": "registering",
        "link": "eth0",
        "care_of_address": None,
        "expires_in_s": None,
        "revoked": {"for_s": 40.0, "asks_again_in_s": 12.0},
        "home_prefixes": [
            {"prefix": "2001:db8:a::/64", "valid_s": 300.0, "preferred_s": 0},
            {"prefix": "2001:db8:1a::/64", "valid_s": None, "preferred_s": 200.0},
            {"prefix": "2001:db8:2a::/64", "valid_s": None, "preferred_s": None},
        ],
        "route_optimization": True,
        "correspondents": [
            {"peer": f"2001:db8:e::{n}", "way": "direct", "why": "registered"}
            | {"until_s": 100.0 + n}
            for n in range(7)
        ],
    },
    "correspondent_node": {
        "addresses": ["2001:db8:a::100"],
        "bindings": 2,
        "bindings_max": 4096,
    },
}
UPDATE: dict[str, Any] = {
    "peer": "2001:db8:a::1",
    "care_of_address": "2001:db8:b::1",
    "expires_in_s": 599.6,
    "sequence_number": 7,
    "awaiting": False,
    "status": 0,
    "deregistration": False,
    "retransmissions": 0,
    "way": None,
    "why": None,
    "until_s": None,
}
CORRESPONDENCE: dict[str, Any] = {
    **UPDATE,
    "peer": "2001:db8:e::2",
    "way": "home_agent",
    "why": "not_understood",
    "until_s": 250.0,
    "sequence_number": None,
    "expires_in_s": None,
}
TRAFFIC = ("packets_in", "octets_in", "packets_out", "octets_out")
DOCUMENTS: dict[str, dict[str, Any]] = {
    "/status": STATUS,
    "/bindings": {"bindings": [], "total": 0, "next": None},
    "/updates": {
        "updates": [
            UPDATE,
            {**UPDATE, "status": 132},
            {**UPDATE, "awaiting": True, "deregistration": True, "retransmissions": 2},
            {**UPDATE, "status": None, "care_of_address": None, "expires_in_s": None},
            {**UPDATE, "deregistration": True},
            CORRESPONDENCE,
            {**CORRESPONDENCE, "why": "testing", "until_s": None},
            {**CORRESPONDENCE, "way": "direct", "why": "registered", "until_s": 90.0},
            {**CORRESPONDENCE, "way": "direct", "why": "restored", "until_s": 9.0},
        ]
    },
    "/agents": {
        "agents": [
            {
                "link_local": None,
                "addresses": ["2001:db8:a::1"],
                "preference": 7,
                "expires_in_s": None,
            },
            {
                "link_local": "fe80::2",
                "addresses": ["2001:db8:a::2"],
                "preference": 0,
                "expires_in_s": 60.0,
            },
        ]
    },
    "/bindings?limit=1&sort=expires": {
        "bindings": [
            {
                "home_address": "2001:db8:a::100",
                "care_of_address": "2001:db8:b::7",
                "home_registration": True,
                "correspondent": None,
                "sequence_number": 7,
                "lifetime_s": 600,
                "expires_in_s": 60.0,
            }
        ],
        "total": 3,
        "next": "60.0/77/0",
    },
    "/bindings?counters=": {
        "bindings": [
            {
                "home_address": f"2001:db8:a::{last}",
                "care_of_address": "2001:db8:b::7",
                "home_registration": True,
                "correspondent": None,
                "sequence_number": 7,
                "lifetime_s": 600,
                "expires_in_s": 60.0,
                "traffic": traffic,
            }
            for last, traffic in (
                (100, dict(zip(TRAFFIC, (11, 1100, 22, 2200), strict=True))),
                (200, None),
            )
        ],
        "total": 2,
        "next": None,
    },
    "/bindings?limit=0": {"error": "limit is 1 to 10000"},
    "/stats": {
        "data_plane": {"tunnel_out": 3, "tunnel_in": 0},
        "dropped": {"checksum": 2},
        "refused": {},
        "signalling": {"received": 0, "sent": 0, "not_sent": 0},
        "kernel": {"installed": 0, "removed": 0, "refused": 0, "repaired": 0},
    },
    "/trace": {
        "moves": [
            {
                "link": "eth0",
                "started_at": 12.3456,
                "phases_ms": {"link_up": 0.0, "binding_update": 4.25},
            }
        ]
    },
}


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Something that answers as a daemon does."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(DOCUMENTS[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

        def address_string(self) -> str:
            return "unix"

    monkeypatch.setattr(client, "RUN", tmp_path)
    with UnixStreamServer(str(tmp_path / "mip6.sock"), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield
        server.shutdown()
        thread.join()


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main.main(list(words)) == 0
    return capsys.readouterr().out


def test_what_people_see(daemon: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "status").splitlines() == [
        "mip6 mip6: mobile node and correspondent node, up 3 min 20 s",
        "place             away, not registered yet",
        "home address      2001:db8:a::100",
        "                  2001:db8:1a::100, registered for -",
        "                  2001:db8:2a::100, registered for 100 s",
        "care-of address   -",
        "link              eth0",
        "home agent        2001:db8:a::1",
        "registered for    -",
        "revoked           by the home agent, 40 s ago; it is asked again in 12 s",
        "known             2001:db8:a::1: asked now",
        "known             2001:db8:a::2: not needed",
        "known             2001:db8:a::1: silent, 7 s ago",
        "known             2001:db8:a::1: refused: 130",
        "known             2001:db8:a::1: told to let go, may hold a binding 60 s",
        "home prefix       2001:db8:a::/64, valid for 5 min 0 s, "
        "not for new connections",
        "home prefix       2001:db8:1a::/64, for new connections for 3 min 20 s",
        "home prefix       2001:db8:2a::/64",
        *(
            f"correspondent     2001:db8:e::{n}: direct, for {100 + n} s"
            for n in (6, 5, 4, 3, 2)
        ),
        "                  and 2 more, 2 of them direct",
        "correspondent at  2001:db8:a::100",
        "direct with       2 of at most 4096 mobile nodes",
        "links             eth0 up",
        "authentication    none",
        "problem           something: do this",
    ]
    assert "no mobile node has told this node" in shown(capsys, "bindings")
    text = shown(capsys, "updates")
    states = [line.split("  ")[-1].strip() for line in text.splitlines()]
    assert states == [
        "STATE",
        "acknowledged",
        "refused with status 132",
        "deleting, repeated 2 times",
        "nothing asked",
        "deleted",
        "via the home agent, it does not know Mobile IPv6, asked again in 4 min 10 s",
        "via the home agent, return routability is under way",
        "direct, for 90 s",
        "direct, as the daemon before this one had it, for 9 s",
    ]
    assert shown(capsys, "stats").splitlines() == [
        "packets in the data plane",
        "  tunnel_out  3",
        "packets ignored, by reason",
        "  checksum  2",
    ]
    when, *row = shown(capsys, "trace").splitlines()[1].split()
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", when)
    assert row == ["eth0", *"---", "4.2", "ms", *"---"]


def test_pages_of_bindings(daemon: None, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "bindings", "--limit", "1", "--sort", "expires")
    assert "2001:db8:a::100" in text
    assert "1 of 3; more: --after 60.0/77/0" in text
    assert main.main(["bindings", "--limit", "0"]) == 2
    assert "limit is 1 to 10000" in capsys.readouterr().err


def test_what_went_through_the_tunnels(
    daemon: None, capsys: pytest.CaptureFixture[str]
) -> None:
    header, one, other = shown(capsys, "bindings", "--counters").splitlines()
    assert header.endswith("PACKETS IN  OCTETS IN  PACKETS OUT  OCTETS OUT")
    assert one.split()[-4:] == ["11", "1100", "22", "2200"]
    assert other.split()[-4:] == ["-"] * 4
    assert "PACKETS" not in shown(
        capsys, "bindings", "--limit", "1", "--sort", "expires"
    )


def test_the_home_agents_list(daemon: None, capsys: pytest.CaptureFixture[str]) -> None:
    ours, other = shown(capsys, "agents").splitlines()[1:]
    assert ours.split() == ["2001:db8:a::1", "this", "one", "7", "-"]
    assert other.split() == ["2001:db8:a::2", "fe80::2", "0", "60", "s"]


@pytest.mark.parametrize(
    "command", ["status", "agents", "bindings", "updates", "stats", "trace"]
)
def test_json_is_the_document_itself(
    daemon: None, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert json.loads(shown(capsys, command, "--json")) == DOCUMENTS[f"/{command}"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["status", "--name", "nobody"], 3, "no daemon named nobody is running"),
        (["down", "--name", "nobody"], 3, "no daemon named nobody is running"),
        (["check", "none.toml"], 2, "none.toml: No such file"),
        (["run", "-c", "none.toml"], 2, "none.toml: No such file"),
        (["run", "-c", str(EXAMPLES / "mobile_node.toml"), "--name", "a/b"], 2, "a/b"),
    ],
)
def test_exit_codes(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(words) == code
    captured = capsys.readouterr()
    assert said in captured.err and captured.out == ""


@pytest.mark.parametrize("words", [[], ["nonsense"], ["status", "--nonsense"], ["run"]])
def test_usage_is_exit_code_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(words)
    assert caught.value.code == 2


def test_check_says_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("home_agent", "mobile_node"):
        example = (EXAMPLES / f"{name}.toml").read_text()
        (tmp_path / f"{name}.toml").write_text(example)
    key = tmp_path / "laptop.key"
    key.write_text(shown(capsys, "keygen"))
    key.chmod(0o600)
    agent = shown(capsys, "check", str(tmp_path / "home_agent.toml"))
    mobile = shown(capsys, "check", str(tmp_path / "mobile_node.toml"))
    # The same key on both sides has the same fingerprint.
    assert agent.splitlines()[1] == mobile.splitlines()[1]
    assert "2001:db8:a::100: key fingerprint " in agent
    assert agent.splitlines()[0].endswith("home_agent.toml: fine, a home agent")


def test_the_daemon_needs_root_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(privileges, "lacking", lambda: True)
    words = ["run", "-c", str(EXAMPLES / "home_agent.toml")]
    assert main.main(words) == 1
    error = capsys.readouterr().err
    assert error == "mip6 run: needs root (or try: mip6 run --dry-run)\n"
    assert main.main([*words, "--dry-run"]) == 0


def test_help_names_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(["--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, summary in main.SUBCOMMANDS.items():
        assert f"{name} {summary}" in text
    assert "3 the daemon is not running" in text


@pytest.mark.parametrize("words", [["--help"], ["status", "--name", "nobody"]])
def test_reads_are_quick(words: list[str]) -> None:
    """Less than a quarter of a second of work, whatever else the machine does: the best
    of several times."""
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([MIP6, *words], capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        user, system = after.ru_utime - before.ru_utime, after.ru_stime
        spent.append(user + system - before.ru_stime)
    assert min(spent) < 0.25
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", MIP6, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "80"},
    ).stderr
    for heavy in ("pydantic", "aiohttp", "pyroute2", "asyncio", "rich"):
        assert f" {heavy}\n" not in loaded


def test_a_reader_that_goes_away_is_no_error(daemon: None) -> None:
    done = subprocess.run(
        f"{MIP6} --help | head -c 1", shell=True, capture_output=True, text=True
    )
    assert done.stderr == ""
