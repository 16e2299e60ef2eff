"""Two daemons on real links: registration, moves, kills, stops, repairs."""

import grp
import json
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.daemons import (
    HOME_ADDRESS,
    HOME_AGENT,
    KEY,
    MIP6,
    World,
    snapshot,
    until,
)

from mip6.core.events import Phase
from mip6.linux.privileges import KEPT
from mip6.security.keys import Secret, fingerprint

pytestmark = pytest.mark.root

SCHEMAS = Path(__file__).parents[2] / "src/mip6/schema"


def registered(world: World) -> None:
    until(lambda: world.mobile_node.place() == "registered", "registered")


def away(world: World) -> None:
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    registered(world)


def bindings(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.home_agent.read("bindings")["bindings"]
    return found


def steps(world: World) -> dict[str, float]:
    """Of the last move."""
    phases: dict[str, float] = world.mobile_node.read("trace")["moves"][-1]["phases_ms"]
    return phases


@pytest.mark.rfc("11.7.1", "a node away from home registers and is reached at home")
def test_registers_and_is_reached_at_its_home_address(world: World) -> None:
    away(world)
    assert world.pings()
    [binding] = bindings(world)
    [update] = [
        update
        for update in world.mobile_node.read("updates")["updates"]
        if update["home_registration"]
    ]
    assert binding["home_address"] == HOME_ADDRESS
    assert binding["care_of_address"] == update["acknowledged_care_of_address"]
    assert binding["care_of_address"].startswith("2001:db8:b:")
    counters = world.home_agent.read("stats")["data_plane"]
    assert counters["tunnel_out"] >= 3 and counters["tunnel_in"] >= 3
    until(lambda: len(steps(world)) == 8, "the first packets are told")
    assert set(steps(world)) == {str(phase) for phase in Phase}
    assert list(steps(world).values()) == sorted(steps(world).values())

    # What the commands print, as JSON and for people.
    for instance in (world.home_agent, world.mobile_node):
        for what in ("status", "bindings", "updates", "stats", "trace"):
            schema = json.loads((SCHEMAS / f"{what}.json").read_text())
            jsonschema.Draft202012Validator.check_schema(schema)
            jsonschema.Draft202012Validator(schema).validate(instance.read(what))
            assert instance.call(what).stdout.strip()
    text = world.mobile_node.call("status").stdout
    assert "away, registered" in text and "ESP with a shared key (finger" in text
    assert HOME_ADDRESS in world.home_agent.call("bindings").stdout


@pytest.mark.rfc("11.5.5", "back at home the binding goes and the node is reached")
def test_moves_away_and_home_again(world: World) -> None:
    world.plug("home")
    world.home_agent.start()
    world.mobile_node.start()
    until(lambda: world.mobile_node.place() == "at_home", "at home")
    assert world.pings()
    assert bindings(world) == []
    for _ in range(2):
        world.plug("visited")
        registered(world)
        assert world.pings()
        assert f"proxy {HOME_ADDRESS}" in "proxy " + world.agent.ip("neigh show proxy")
        world.plug("home")
        until(lambda: world.mobile_node.place() == "at_home", "at home")
        assert world.pings()
        assert bindings(world) == []
    # Nothing of the visits is left.
    assert "2001:db8:b:" not in world.mobile.ip("addr")
    assert "2001:db8:b:" not in world.mobile.ip("route show table all")
    assert "2001:db8:b:" not in world.mobile.ip("rule")
    assert HOME_ADDRESS not in world.agent.ip("neigh show proxy")


def test_a_stop_deregisters_and_leaves_nothing(world: World) -> None:
    world.mobile.sysctl("eth0.accept_ra=0")
    world.plug("visited")
    until(lambda: "tentative" not in world.mobile.ip("addr"), "addresses are checked")
    before = snapshot(world.agent), snapshot(world.mobile)
    world.home_agent.start()
    world.mobile_node.start()
    registered(world)
    assert snapshot(world.agent) != before[0] and snapshot(world.mobile) != before[1]
    assert world.mobile_node.end(signal.SIGTERM) == 0
    assert bindings(world) == []
    assert world.home_agent.call("down").returncode == 0
    assert world.home_agent.process and world.home_agent.process.wait(60) == 0
    assert snapshot(world.agent) == before[0]
    assert snapshot(world.mobile) == before[1]
    for instance in (world.home_agent, world.mobile_node):
        assert not list(Path("/run/mip6").glob(f"{instance.name}*"))
        assert not Path("/sys/fs/bpf/mip6", instance.name).exists()


def test_a_stop_lets_the_kernel_configure_the_link_again(world: World) -> None:
    away(world)
    assert world.mobile_node.end(signal.SIGTERM) == 0
    until(lambda: "dynamic" in world.mobile.ip("addr show dev eth0"), "an address")


def test_killed_the_traffic_goes_on_and_a_new_start_takes_over(world: World) -> None:
    away(world)
    [before] = bindings(world)
    ping = world.correspondent.spawn(
        f"ping -q -c 500 -i 0.01 -W 1 {HOME_ADDRESS}", output=subprocess.PIPE
    )
    world.mobile_node.end(signal.SIGKILL)
    world.home_agent.end(signal.SIGKILL)
    assert world.home_agent.call("status").returncode == 3
    world.home_agent.start()
    assert world.home_agent.read("status")["took_over"] is True
    [restored] = bindings(world)
    assert restored["care_of_address"] == before["care_of_address"]
    world.mobile_node.start()
    registered(world)
    until(lambda: bindings(world)[0]["sequence_number"] is not None, "registered again")
    text = ping.communicate(timeout=120)[0]
    assert " 500 received" in text, text
    # One of each, not a second set beside the first.
    priorities = [line.split(":")[0] for line in world.mobile.ip("rule").splitlines()]
    assert priorities == ["0", "998", "999", "1000", "1001", "1002", "32766"]


def test_after_a_move_while_it_was_dead_nothing_stale_is_left(world: World) -> None:
    away(world)
    world.mobile_node.end(signal.SIGKILL)
    world.plug("home")
    world.mobile_node.start()
    until(lambda: world.mobile_node.place() == "at_home", "at home")
    until(lambda: "2001:db8:b:" not in world.mobile.ip("addr"), "the address is gone")
    assert "2001:db8:b:" not in world.mobile.ip("rule")
    assert "2001:db8:b:" not in world.mobile.ip("route show table all")
    assert world.pings()


def test_down_cleans_up_after_a_kill(world: World) -> None:
    world.mobile.sysctl("eth0.accept_ra=0")
    world.plug("visited")
    until(lambda: "tentative" not in world.mobile.ip("addr"), "addresses are checked")
    before = snapshot(world.agent), snapshot(world.mobile)
    world.home_agent.start()
    world.mobile_node.start()
    registered(world)
    for instance in (world.home_agent, world.mobile_node):
        instance.end(signal.SIGKILL)
        done = instance.call("down")
        assert done.returncode == 0 and "put back" in done.stdout
        assert instance.call("down").returncode == 3
        assert not Path("/sys/fs/bpf/mip6", instance.name).exists()
    assert snapshot(world.agent) == before[0]
    assert snapshot(world.mobile) == before[1]


def test_what_others_remove_comes_back(world: World) -> None:
    away(world)
    rules = world.mobile.ip("rule")
    routes = world.mobile.ip("route show table 100")
    world.mobile.ip("rule del priority 999")
    world.mobile.ip("rule del priority 1002")
    world.mobile.ip("route del default table 100")
    world.mobile.ip(f"addr del {HOME_ADDRESS}/128 dev mip0")
    until(lambda: world.mobile.ip("rule") == rules, "the rules are back")
    until(
        lambda: world.mobile.ip("route show table 100") == routes, "the route is back"
    )
    until(lambda: HOME_ADDRESS in world.mobile.ip("addr show dev mip0"), "the address")
    world.agent.ip(f"route del {HOME_ADDRESS}/128")
    until(lambda: HOME_ADDRESS in world.agent.ip("route"), "the route is back")
    assert world.pings()
    assert world.mobile_node.read("stats")["kernel"]["repaired"] >= 4
    # The home link loses its proxies when it goes down, and tells nobody.
    world.agent.ip("link set eth1 down")
    world.agent.ip("link set eth1 up")
    world.agent.ip(f"addr add {HOME_AGENT}/64 dev eth1 nodad")
    until(lambda: HOME_ADDRESS in world.agent.ip("neigh show proxy"), "the proxy")


@pytest.mark.rfc("11.5.2", "a duplicate care-of address is not used")
def test_another_node_has_the_care_of_address(world: World) -> None:
    link_local = world.mobile.ip("-j addr show dev eth0 scope link")
    world.plug("visited")
    until(lambda: "fe80" in world.mobile.ip("addr show dev eth0"), "link-local address")
    link_local = json.loads(world.mobile.ip("-j addr show dev eth0 scope link"))
    # `ip` shows {} for each address that its filter left out.
    [local] = [info["local"] for info in link_local[0]["addr_info"] if info]
    identifier = local.removeprefix("fe80::")
    taken = f"2001:db8:b:0:{identifier}"
    world.router.ip(f"addr add {taken}/128 dev visited nodad")
    world.home_agent.start()
    world.mobile_node.start()
    until(lambda: bindings(world), "a binding")
    until(
        lambda: (
            world.mobile_node.place() == "registered"
            and bindings(world)[0]["care_of_address"] != taken
        ),
        "registered elsewhere",
    )
    assert taken not in world.mobile.ip("addr")
    assert world.pings()
    problems = world.mobile_node.read("status")["problems"]
    assert any(taken in problem for problem in problems)


def test_an_interface_that_appears_later(world: World) -> None:
    world.mobile.ip("link del eth0")
    world.home_agent.start()
    world.mobile_node.start()
    assert world.mobile_node.place() == "nowhere"
    assert world.mobile_node.read("status")["links"] == []
    world.cables.ip(
        f"link add mobile type veth peer name eth0 netns {world.mobile.name}"
    )
    world.plug("visited")
    registered(world)
    assert world.pings()


def test_a_virtual_home_link(world: World) -> None:
    world.virtual()
    away(world)
    assert world.pings()
    assert "2001:db8:a::/64 dev mip0" in world.agent.ip("route")
    world.agent.ip("route del 2001:db8:a::/64 dev mip0")
    until(lambda: "a::/64 dev mip0" in world.agent.ip("route"), "the route is back")
    # Nobody answers for an address without a binding, and the sender is told.
    ping = "ping -c 1 -W 5 2001:db8:a::200"
    told = "Address unreachable"
    until(lambda: told in world.correspondent.run(ping, check=False), told)


def test_without_authentication_it_works_and_says_so(world: World) -> None:
    world.unprotected()
    away(world)
    assert world.pings()
    for instance in (world.home_agent, world.mobile_node):
        assert "authentication is off" in instance.call("status").stdout
        assert "authentication is off" in instance.log.read_text()
    # Bindings outlive the process all the same (0016); of replays nothing is known.
    assert Path("/var/lib/mip6", world.home_agent.name).exists()
    assert not Path("/var/lib/mip6", world.mobile_node.name).exists()


def test_a_home_address_that_is_not_listed_is_told(world: World) -> None:
    world.unprotected()
    text = world.home_agent.file.read_text()
    world.home_agent.file.write_text(text.replace("a::100", "a::200"))
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(
        lambda: world.home_agent.read("stats")["dropped"].get("not_listed"), "dropped"
    )
    assert bindings(world) == []
    assert "reason=not_listed section=" in world.home_agent.log.read_text()


def test_one_key_replaces_the_other(world: World) -> None:
    """Step two of four: each side knows both, and each sends with another one."""
    new = Secret(bytes(range(32, 64)))
    world.key_file("new.key", new)
    for instance, keys in (
        (world.home_agent, '["laptop.key", "new.key"]'),
        (world.mobile_node, '["new.key", "laptop.key"]'),
    ):
        text = instance.file.read_text().replace('"laptop.key"', keys)
        instance.file.write_text(text)
    away(world)
    assert world.pings()
    [first, second] = world.mobile_node.read("status")["mobile_node"][
        "key_fingerprints"
    ]
    assert (first, second) == (fingerprint(new), fingerprint(KEY))


def test_it_keeps_three_capabilities(world: World) -> None:
    away(world)
    kept = sum(1 << capability for capability in KEPT)
    for instance in (world.home_agent, world.mobile_node):
        assert instance.process is not None
        threads = list(Path(f"/proc/{instance.process.pid}/task").glob("*/status"))
        assert threads
        for status in threads:
            words = dict(line.split(":", 1) for line in status.read_text().splitlines())
            for name in ("CapEff", "CapPrm", "CapBnd"):
                assert int(words[name], 16) == kept, f"{name} of {status}"
            assert words["NoNewPrivs"].strip() == "1"


def test_the_control_socket_is_for_owner_and_group(world: World) -> None:
    world.home_agent.start()
    path = Path("/run/mip6", f"{world.home_agent.name}.sock")
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    second = world.home_agent.call("run", "-c", str(world.home_agent.file))
    assert second.returncode == 1
    assert "another mip6 runs under this name" in second.stderr
    assert world.home_agent.read("status")["roles"] == ["home_agent"]


def test_its_group_reads_and_changes_nothing(world: World) -> None:
    file = world.home_agent.file
    file.write_text('group = "nogroup"\n' + file.read_text())
    world.home_agent.start()
    name = world.home_agent.name
    assert Path(f"/run/mip6/{name}.sock").group() == "nogroup"
    # All imports first: this Python may be in a home that others cannot enter.
    script = (
        "import os, sys, encodings.idna, http.client, socket\n"
        "from mip6.cli.client import ask\n"
        "os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(65534)\n"
        "try: print(ask(sys.argv[1], sys.argv[3], method=sys.argv[4])['name'])\n"
        "except PermissionError: print('not allowed')\n"
    )

    def ask(gid: int, path: str, method: str = "GET") -> str:
        command = [sys.executable, "-c", script, name, str(gid), path, method]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    member, other = grp.getgrnam("nogroup").gr_gid, grp.getgrnam("daemon").gr_gid
    assert ask(member, "/status") == name
    assert ask(other, "/status") == "not allowed"
    assert ask(member, "/down", "POST") == "not allowed"
    assert world.home_agent.read("status")["name"] == name


def test_a_group_that_does_not_exist(world: World) -> None:
    file = world.home_agent.file
    file.write_text('group = "nosuchgroup"\n' + file.read_text())
    done = world.home_agent.call("run", "-c", str(file))
    assert done.returncode == 1 and "nosuchgroup" in done.stderr
    assert not list(Path("/run/mip6").glob(f"{world.home_agent.name}*"))


def test_a_start_that_fails_leaves_nothing(world: World) -> None:
    """Without the capability for eBPF, which comes late in the preparation."""
    before = snapshot(world.agent)
    instance = world.home_agent
    weak = "setpriv --bounding-set=-bpf,-sys_admin --inh-caps=-bpf,-sys_admin"
    command = f"{weak} -- {MIP6} run -c {instance.file} --name {instance.name}"
    done = world.agent.run(command, check=False)
    assert "mip6 run: " in done and "Traceback" not in done, done
    assert snapshot(world.agent) == before
    assert not list(Path("/run/mip6").glob(f"{world.home_agent.name}*"))


def test_a_device_held_by_another_instance_is_a_clear_error(world: World) -> None:
    world.home_agent.start()
    file = world.home_agent.file
    other = world.instance(world.agent, "other", file.read_text())
    other.name += "-other"
    done = other.call("run", "-c", str(other.file))
    assert done.returncode == 1
    assert "mip0 is in use" in done.stderr and "Traceback" not in done.stderr
    assert not list(Path("/run/mip6").glob(f"{other.name}*"))
    world.mobile_node.start()
    world.plug("visited")
    registered(world)
    assert world.pings()
