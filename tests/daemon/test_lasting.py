"""What a home agent knows outlives its process, and the machine's memory too."""

import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.daemons import HOME_ADDRESS, World, until

pytestmark = pytest.mark.root


def bindings(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.home_agent.read("bindings")["bindings"]
    return found


def away(world: World) -> None:
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")


def same(before: dict[str, Any], after: dict[str, Any]) -> bool:
    lasting = ("home_address", "care_of_address", "sequence_number", "lifetime_s")
    return all(before[name] == after[name] for name in lasting)


def reboot(world: World) -> None:
    """What a reboot leaves of a home agent: its disk."""
    world.home_agent.end(signal.SIGKILL)
    assert world.home_agent.call("down").returncode == 0
    assert not Path("/sys/fs/bpf/mip6", world.home_agent.name).exists()
    assert not world.pings(1)


@pytest.mark.parametrize("protected", [True, False])
def test_after_a_stop_bindings_are_there_again(world: World, protected: bool) -> None:
    if not protected:
        world.unprotected()
    away(world)
    [before] = bindings(world)
    assert world.home_agent.end(signal.SIGTERM) == 0
    assert not world.pings(1), "a stopped home agent forwards nothing"
    world.home_agent.start()
    [after] = bindings(world)
    assert same(before, after)
    assert 0 < after["expires_in_s"] < before["expires_in_s"]
    # The mobile node has not noticed: nothing but the daemon's start brings it back.
    assert world.pings()
    assert f"proxy {HOME_ADDRESS}" in "proxy " + world.agent.ip("neigh show proxy")


@pytest.mark.rfc("10.3.1", "a home agent that keeps bindings on disk forwards again")
def test_after_a_reboot_packets_flow_as_soon_as_the_daemon_is_up(world: World) -> None:
    away(world)
    [before] = bindings(world)
    reboot(world)
    world.home_agent.start()
    assert same(before, bindings(world)[0])
    assert world.pings()


def test_killed_it_knows_the_sequence_numbers(world: World) -> None:
    away(world)
    [before] = bindings(world)
    world.home_agent.end(signal.SIGKILL)
    world.home_agent.start()
    assert same(before, bindings(world)[0])


def test_without_its_disk_it_knows_what_the_maps_hold(world: World) -> None:
    away(world)
    [before] = bindings(world)
    world.home_agent.end(signal.SIGKILL)
    shutil.rmtree(Path("/var/lib/mip6", world.home_agent.name))
    world.home_agent.start()
    [after] = bindings(world)
    assert after["care_of_address"] == before["care_of_address"]
    assert world.pings()


def test_one_daemon_after_the_other_and_no_packet_lost(world: World) -> None:
    away(world)
    [before] = bindings(world)
    ping = world.correspondent.spawn(
        f"ping -q -c 400 -i 0.01 -W 1 {HOME_ADDRESS}", output=subprocess.PIPE
    )
    for instance in (world.home_agent, world.mobile_node):
        first = instance.process
        assert instance.call("down", "--keep").returncode == 0
        assert first is not None and first.wait(60) == 0
        assert instance.call("down", "--keep").returncode == 3
        instance.start()
        assert instance.read("status")["took_over"] is True
        if instance is world.home_agent:
            assert same(before, bindings(world)[0])
    text = ping.communicate(timeout=120)[0]
    assert " 400 received" in text, text


def test_who_has_a_binding_is_told_of_prefixes_that_changed_meanwhile(
    world: World,
) -> None:
    """The file was changed while the home agent was stopped."""
    file = world.home_agent.file
    interval = "[home_agent]\nprefix_interval_min = 0.1\nprefix_interval_max = 0.2\n"
    file.write_text(file.read_text().replace("[home_agent]\n", interval))
    away(world)

    def prefixes() -> set[str]:
        status = world.mobile_node.read("status")["mobile_node"]
        return {prefix["prefix"] for prefix in status["home_prefixes"]}

    until(lambda: prefixes() == {"2001:db8:a::/64"}, "the mobile node is told")
    world.home_agent.end(signal.SIGTERM)
    more = 'prefixes = { "2001:db8:1a::/64" = { preferred_lifetime = 0 } }'
    file.write_text(file.read_text().replace("[home_agent]", f"[home_agent]\n{more}"))
    world.home_agent.start()
    both = {"2001:db8:a::/64", "2001:db8:1a::/64"}
    until(lambda: prefixes() == both, "the mobile node is told anew")
