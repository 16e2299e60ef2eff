"""Programs that are run when the mobile node gets somewhere."""

import asyncio
import io
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from mip6.core.events import Event, Place, PlaceChanged, Problem
from mip6.daemon import hooks
from mip6.daemon.configuration import parse
from mip6.daemon.errors import ConfigurationError
from mip6.daemon.hooks import Hooks
from mip6.daemon.log import Log

HOME_ADDRESS = IPv6Address("2001:db8:a::100")
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::1")
OTHER = IPv6Address("2001:db8:c::1")
AWAY = PlaceChanged(Place.REGISTERED, HOME_ADDRESS, CARE_OF_ADDRESS, "eth0")
ELSEWHERE = PlaceChanged(Place.REGISTERED, HOME_ADDRESS, OTHER, "wlan0")
ON_THE_WAY = PlaceChanged(Place.REGISTERING, HOME_ADDRESS, OTHER, "wlan0")
AT_HOME = PlaceChanged(Place.AT_HOME, HOME_ADDRESS, None, "eth0")
REFUSED = Problem("registration refused (129)", "ask the operator")


@pytest.fixture
def told(tmp_path: Path) -> Path:
    return tmp_path / "told"


def program(directory: Path, text: str) -> tuple[str, ...]:
    file = directory / "hook"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return (str(file), "word")


def play(commands: dict[str, tuple[str, ...]], *events: Event) -> str:
    """What is logged when these things happen."""
    stream = io.StringIO()

    async def run() -> None:
        made = Hooks(commands, "laptop", Log(stream=stream))
        for event in events:
            made.event(event)
        await made.finish()
        await made.finish()

    asyncio.run(run())
    return stream.getvalue()


def test_each_is_told_what_has_happened(tmp_path: Path, told: Path) -> None:
    command = program(
        tmp_path,
        f'echo "$1 $MIP6_EVENT $MIP6_NAME $MIP6_PLACE $MIP6_LINK'
        f' $MIP6_CARE_OF_ADDRESS $MIP6_HOME_ADDRESS $MIP6_PROBLEM" >> {told}',
    )
    every = dict.fromkeys(hooks.HOOKS, command)
    events = (AWAY, ON_THE_WAY, AWAY, ELSEWHERE, AT_HOME, REFUSED, REFUSED)
    assert play(every, *events) == ""
    first = f"laptop registered eth0 {CARE_OF_ADDRESS} {HOME_ADDRESS}"
    second = f"laptop registered wlan0 {OTHER} {HOME_ADDRESS}"
    assert [line.strip() for line in told.read_text().splitlines()] == [
        f"word on_handover {first}",
        f"word on_registered {first}",
        f"word on_registered {first}",
        f"word on_handover {second}",
        f"word on_registered {second}",
        f"word on_home laptop at_home eth0  {HOME_ADDRESS}",
        "word on_failure laptop     registration refused (129)",
    ]


def test_only_those_that_are_wanted(tmp_path: Path, told: Path) -> None:
    command = program(tmp_path, f"echo x >> {told}")
    assert play({"on_home": command, "on_failure": ()}, AWAY, REFUSED, AT_HOME) == ""
    assert told.read_text() == "x\n"
    assert play({}, AWAY) == ""


def test_what_goes_wrong_is_logged(tmp_path: Path) -> None:
    assert "exit 3" in play({"on_home": program(tmp_path, "exit 3")}, AT_HOME)
    missing = play({"on_home": ("/nowhere/hook",)}, AT_HOME)
    assert "No such file" in missing


def test_a_program_that_does_not_end_is_killed(
    tmp_path: Path, told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "HOOK_SECONDS_MAX", 0.2)
    command = program(tmp_path, f"sleep 60 & wait; echo x > {told}")
    assert "was killed" in play({"on_home": command}, AT_HOME)
    assert not told.exists()


def test_waiting_max(tmp_path: Path, told: Path) -> None:
    command = program(tmp_path, f"echo x >> {told}")
    logged = play({"on_home": command}, *[AT_HOME] * (hooks.WAITING_MAX + 5))
    assert logged.count("too many wait") == 5
    assert told.read_text().count("x") == hooks.WAITING_MAX


def test_failures_are_told_again_after_a_registration(
    tmp_path: Path, told: Path
) -> None:
    command = program(tmp_path, f"echo x >> {told}")
    play({"on_failure": command}, REFUSED, AWAY, REFUSED)
    assert told.read_text() == "x\nx\n"
    told.unlink()
    play({"on_failure": command}, *[Problem(str(n)) for n in range(40)])
    assert told.read_text().count("x") == hooks.WAITING_MAX


TEXT = """
authentication = "none"
[mobile_node]
home_address = "2001:db8:a::100/64"
home_agent = "2001:db8:a::1"
interfaces = ["eth0"]
manage = true
never_return_home = true
on_home = "/usr/local/bin/home"
on_failure = ["/usr/bin/logger", "mip6"]
"""


def test_configuration() -> None:
    wanted = parse(TEXT, "mn.toml").mobile_node
    assert wanted is not None and wanted.never_return_home
    assert wanted.on_home == ("/usr/local/bin/home",)
    assert wanted.on_failure == ("/usr/bin/logger", "mip6")
    assert wanted.on_handover == ()
    for wrong, said in (
        ('"home"', "home must be a whole path"),
        ("[]", "must be a program"),
        ("7", "must be a program"),
    ):
        text = TEXT.replace('"/usr/local/bin/home"', wrong)
        with pytest.raises(ConfigurationError, match=said):
            parse(text, "mn.toml")
