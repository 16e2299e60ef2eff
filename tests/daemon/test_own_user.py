"""A daemon that is no longer root's: what it must do afterwards, it still can."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.daemons import World, snapshot, until

from mip6.linux.privileges import KEPT

pytestmark = pytest.mark.root

USER, UID = "daemon", 1
"""Every Debian has it, and it owns nothing."""


@pytest.fixture
def owned(world: World) -> World:
    for instance in (world.home_agent, world.mobile_node):
        text = f'user = "{USER}"\n' + instance.file.read_text()
        instance.file.write_text(text)
    return world


def away(world: World) -> None:
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")


@pytest.mark.second_kernel
def test_it_has_a_user_of_its_own_and_three_capabilities(owned: World) -> None:
    away(owned)
    assert owned.pings()
    kept = sum(1 << capability for capability in KEPT)
    for instance in (owned.home_agent, owned.mobile_node):
        assert instance.process is not None
        pid = instance.process.pid
        threads = list(Path(f"/proc/{pid}/task").glob("*/status"))
        assert threads
        for thread in threads:
            words = dict(line.split(":", 1) for line in thread.read_text().splitlines())
            assert words["Uid"].split() == words["Gid"].split() == [str(UID)] * 4
            for name in ("CapEff", "CapPrm", "CapBnd"):
                assert int(words[name], 16) == kept, f"{name} of {thread}"
            assert int(words["CapInh"], 16) == int(words["CapAmb"], 16) == 0
            assert words["NoNewPrivs"].strip() == "1"
        # Its memory, with the keys, is nobody's to look into but root's.
        assert Path(f"/proc/{pid}/environ").stat().st_uid == 0
        assert instance.read("status")["user"] == USER
        name = instance.name
        for path in (
            Path(f"/run/mip6/{name}.sock"),
            Path(f"/run/mip6/{name}.restore.json"),
            Path("/var/lib/mip6", name, "state.sqlite"),
            Path("/sys/fs/bpf/mip6", name, "links"),
        ):
            assert path.stat().st_uid == UID, path
        assert stat.S_IMODE(Path("/var/lib/mip6", name).stat().st_mode) == 0o700


def test_moves_repairs_and_a_stop_without_trace(owned: World) -> None:
    """New addresses, programs on links that come later, sysctls, journal, store; and
    what the start changed as root is put back by somebody who is not."""
    owned.mobile.sysctl("eth0.accept_ra=0")
    owned.plug("visited")
    until(lambda: "tentative" not in owned.mobile.ip("addr"), "addresses are checked")
    before = snapshot(owned.agent), snapshot(owned.mobile)
    away(owned)
    for link, place in (("home", "at_home"), ("visited", "registered")):
        owned.plug(link)
        until(lambda place=place: owned.mobile_node.place() == place, place)  # type: ignore[misc]
        assert owned.pings()
    owned.mobile.ip("rule del priority 999")
    until(lambda: "999:" in owned.mobile.ip("rule"), "the rule is back")
    owned.agent.ip("link add later type veth peer name later2")
    owned.agent.ip("link set later up")
    index = json.loads(owned.agent.run("ip -j link show later"))[0]["ifindex"]
    links = Path("/sys/fs/bpf/mip6", owned.home_agent.name, "links")
    until(lambda: list(links.glob(f"{index}-ingress*")), "our program is on it")
    owned.agent.ip("link del later")
    for instance in (owned.mobile_node, owned.home_agent):
        assert instance.end(signal.SIGTERM) == 0, instance.log.read_text()
        assert not list(Path("/run/mip6").glob(f"{instance.name}*"))
        assert not Path("/sys/fs/bpf/mip6", instance.name).exists()
        assert "bug" not in instance.log.read_text()
    assert (snapshot(owned.agent), snapshot(owned.mobile)) == before


@pytest.mark.second_kernel
def test_a_kill_a_second_start_and_down_after_a_kill(owned: World) -> None:
    owned.mobile.sysctl("eth0.accept_ra=0")
    owned.plug("visited")
    until(lambda: "tentative" not in owned.mobile.ip("addr"), "addresses are checked")
    before = snapshot(owned.agent), snapshot(owned.mobile)
    away(owned)
    for instance in (owned.home_agent, owned.mobile_node):
        instance.end(signal.SIGKILL)
        assert owned.pings()
        instance.start()
        assert instance.read("status")["took_over"] is True
    until(lambda: owned.mobile_node.place() == "registered", "registered")
    assert owned.pings()
    for instance in (owned.home_agent, owned.mobile_node):
        instance.end(signal.SIGKILL)
        done = instance.call("down")
        assert done.returncode == 0 and "put back" in done.stdout, done.stderr
        assert not Path("/sys/fs/bpf/mip6", instance.name).exists()
        assert not list(Path("/run/mip6").glob(f"{instance.name}*"))
    assert (snapshot(owned.agent), snapshot(owned.mobile)) == before


def test_what_another_user_left_is_taken_over(world: World) -> None:
    """First root's, then not, then root's again."""
    away(world)
    text = world.home_agent.file.read_text()
    for user in (USER, "root"):
        world.home_agent.end(signal.SIGKILL)
        world.home_agent.file.write_text(f'user = "{user}"\n{text}')
        world.home_agent.start()
        status = world.home_agent.read("status")
        assert (status["user"], status["took_over"]) == (user, True)
        assert world.pings()
    assert world.home_agent.end(signal.SIGTERM) == 0
    assert not Path("/sys/fs/bpf/mip6", world.home_agent.name).exists()


def test_a_user_that_does_not_exist(world: World) -> None:
    file = world.home_agent.file
    file.write_text('user = "nosuchuser"\n' + file.read_text())
    done = world.home_agent.call("run", "-c", str(file))
    assert done.returncode == 2
    assert done.stderr == f"{file}:1: there is no user nosuchuser\n"
    assert not list(Path("/run/mip6").glob(f"{world.home_agent.name}*"))


def test_only_root_stops_it_not_even_its_own_user(owned: World) -> None:
    owned.home_agent.start()
    script = (
        "import os, sys, encodings.idna, http.client, socket\n"
        "from mip6.cli.client import ask\n"
        "os.setgroups([]); os.setgid(1); os.setuid(1)\n"
        "print(ask(sys.argv[1], '/status')['user'])\n"
        "try: ask(sys.argv[1], '/down', method='POST')\n"
        "except PermissionError: print('not allowed')\n"
    )
    command = [sys.executable, "-c", script, owned.home_agent.name]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == [USER, "not allowed"], done.stderr
    assert owned.home_agent.call("down").returncode == 0


def test_a_journal_that_was_tampered_with_writes_nothing(owned: World) -> None:
    """Who breaks into a daemon of that user gets no hold on root by what it leaves."""
    owned.home_agent.start()
    owned.home_agent.end(signal.SIGKILL)
    journal = Path(f"/run/mip6/{owned.home_agent.name}.restore.json")
    document = json.loads(journal.read_text())
    target = owned.directory / "target"
    target.write_text("as it was")
    name = os.path.relpath(target, "/proc/sys")
    whole = json.dumps(document)
    journal.write_text(json.dumps({**document, "sysctls": {name: "changed"}}))
    assert owned.home_agent.call("down").returncode == 3
    assert target.read_text() == "as it was"
    journal.write_text(whole)
    assert owned.home_agent.call("down").returncode == 0


@pytest.mark.parametrize("before", [False, True], ids=["fresh", "took-over"])
def test_a_mistake_of_ours_leaves_nothing_behind(world: World, before: bool) -> None:
    """An exception in the middle of the start; but what an earlier daemon left goes on
    working, and is `mip6 down`'s."""
    clean = snapshot(world.agent)
    if before:
        world.home_agent.start()
        world.home_agent.end(signal.SIGKILL)

    def standing() -> str:
        # The kernel notes a moment later that nobody holds the device.
        return snapshot(world.agent).replace(" linkdown", "").replace("NO-CARRIER,", "")

    left = standing()
    script = (
        "import sys\n"
        "from mip6.daemon.daemon import Daemon\n"
        "def broken(self): raise RuntimeError('a bug')\n"
        "Daemon._announce = broken\n"
        "from mip6.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    name = world.home_agent.name
    file = world.directory / "broken.py"
    file.write_text(script)
    command = f"{sys.executable} {file} run -c {world.home_agent.file} --name {name}"
    text = world.agent.run(command, check=False)
    assert "RuntimeError: a bug" in text
    assert not Path(f"/run/mip6/{name}.sock").exists()
    if before:
        assert standing() == left
        assert world.home_agent.call("down").returncode == 0
    assert snapshot(world.agent) == clean
    assert not Path("/sys/fs/bpf/mip6", name).exists()
    assert not list(Path("/run/mip6").glob(f"{name}*"))
