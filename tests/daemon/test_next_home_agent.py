"""Two home agents on one home link: found by discovery, and the next one when the first
is gone (RFC 6275 §11.4.1).  Real packets, real daemons."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.daemons import (
    HOME_AGENT,
    HOME_AGENT_FILE,
    Instance,
    World,
    ended,
    small_world,
    until,
)
from tests.support.namespaces import connect, namespaces

SECOND = "2001:db8:a::2"
RADVD = """
interface eth1 {
  AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 0;
  AdvSourceLLAddress on; AdvHomeAgentFlag on; AdvHomeAgentInfo on;
  HomeAgentPreference 10; HomeAgentLifetime 60;
  prefix 2001:db8:a::2/64 { AdvRouterAddr on; };
};
"""
pytestmark = [pytest.mark.root, pytest.mark.rfc("11.4.1-5", "with real packets")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with small_world(tmp_path) as made:
        yield made


@pytest.fixture
def second(world: World) -> Iterator[Instance]:
    """Another home agent on the home link; its way out is by the first one."""
    with namespaces("second") as (machine,):
        connect(machine, "eth1", world.cables, "home1")
        world.cables.ip("link set home1 master home")
        machine.sysctl("all.forwarding=1")
        machine.ip(f"addr add {SECOND}/64 dev eth1 nodad")
        machine.ip(f"route add default via {HOME_AGENT}")
        text = HOME_AGENT_FILE.replace(f'"{HOME_AGENT}"', f'"{SECOND}"')
        instance = world.instance(machine, "ha2", text)
        file = world.directory / "radvd-second.conf"
        file.write_text(RADVD)
        pid = world.directory / "radvd-second.pid"
        radvd = machine.spawn(f"radvd -n -m none -C {file} -p {pid}")
        world.processes.append(radvd)
        yield instance
        ended(instance)


def bound(instance: Instance) -> bool:
    return bool(instance.read("bindings")["bindings"])


def home_agent(world: World) -> str:
    found = world.mobile_node.read("status")["mobile_node"]["home_agent"]
    return str(found)


def test_discovered_then_lost(world: World, second: Instance) -> None:
    file = world.mobile_node.file
    text = file.read_text().replace(
        f'home_agent = "{HOME_AGENT}"', 'home_agent = "discover"\nlifetime = 8'
    )
    file.write_text(text)
    world.home_agent.start()
    second.start()
    until(
        lambda: len(world.home_agent.read("agents")["agents"]) == 2,
        "the first has heard of the second",
    )
    world.plug("visited")
    world.mobile_node.start()
    # The second one has the higher preference, so it is named first.
    until(lambda: world.mobile_node.place() == "registered", "it is registered")
    assert home_agent(world) == SECOND
    assert bound(second)
    assert not bound(world.home_agent)
    status = world.mobile_node.read("status")["mobile_node"]
    assert [one["address"] for one in status["home_agents"]] == [SECOND, HOME_AGENT]
    until(world.pings, "packets pass by the second home agent")
    # Its machine is gone, all at once.
    world.cables.ip("link set home1 down")
    until(lambda: home_agent(world) == HOME_AGENT, "the next one is taken", 120)
    until(lambda: world.mobile_node.place() == "registered", "it is registered again")
    assert bound(world.home_agent)
    until(world.pings, "packets pass by the first home agent", 60)
    log = world.mobile_node.log.read_text()
    assert f"home_agents current={SECOND}" in log


def test_one_that_refuses(world: World, second: Instance) -> None:
    """Its operator does not want it; what that one can do is told all the same."""
    second.file.write_text(
        second.file.read_text().replace(
            'home_link = "eth1"', 'home_link = "eth1"\nrefuse = ["2001:db8:a::/64"]'
        )
    )
    file = world.mobile_node.file
    text = file.read_text().replace(
        f'home_agent = "{HOME_AGENT}"', f'home_agent = ["{SECOND}", "{HOME_AGENT}"]'
    )
    file.write_text(text)
    world.home_agent.start()
    second.start()
    world.plug("visited")
    world.mobile_node.start()
    until(lambda: world.mobile_node.place() == "registered", "it is registered")
    assert home_agent(world) == HOME_AGENT
    status = world.mobile_node.read("status")
    assert any("refused (129)" in problem for problem in status["problems"])
    until(world.pings, "packets pass")
