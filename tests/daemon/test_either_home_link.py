"""What a home agent does on a real home link it does on a virtual one too (§10), where
the home prefix is routed to it.  Real packets, real daemons, two mobile nodes."""

import signal

import pytest
from tests.support.abuse import bindings, with_two_mobile_nodes
from tests.support.daemons import (
    ELSEWHERE,
    HOME_ADDRESS,
    HOME_AGENT,
    OTHER_HOME_ADDRESS,
    Instance,
    World,
    until,
)
from tests.support.namespaces import Namespace

pytestmark = pytest.mark.root


def reaches(place: Namespace, words: str) -> None:
    """Once it does: of a packet that is lost, another one may tell."""
    ping = f"ping -q -c 1 -W 1 {words}"
    until(lambda: " 1 received" in place.run(ping, check=False), ping)


def registered(*mobile_nodes: Instance) -> None:
    for one in mobile_nodes:
        until(lambda one=one: one.place() == "registered", "registered")


@pytest.mark.rfc("10.4.2", "between mobile nodes, and with the home agent itself")
@pytest.mark.parametrize("link", ["real", "virtual"])
def test_two_mobile_nodes(world: World, link: str) -> None:
    home_agent = HOME_AGENT
    if link == "virtual":
        world.virtual()
        home_agent = ELSEWHERE
    with_two_mobile_nodes(world)
    with world.another_mobile_node() as other:
        world.home_agent.start()
        other.start()
        world.mobile_node.start()
        world.plug("visited")
        registered(other, world.mobile_node)
        both = [binding["care_of_address"] for binding in bindings(world)]
        assert len({*both}) == 2
        on_the_link = HOME_ADDRESS in world.agent.ip("neigh show proxy")
        assert on_the_link is (link == "real")
        for address in (HOME_ADDRESS, OTHER_HOME_ADDRESS):
            reaches(world.correspondent, address)
            reaches(world.agent, f"-I {home_agent} {address}")
        reaches(world.mobile, f"-I {HOME_ADDRESS} {OTHER_HOME_ADDRESS}")
        reaches(other.namespace, f"-I {OTHER_HOME_ADDRESS} {HOME_ADDRESS}")
        reaches(world.mobile, f"-I {HOME_ADDRESS} {home_agent}")

        # Its process dies; what it knew does not.
        world.home_agent.end(signal.SIGKILL)
        reaches(world.correspondent, HOME_ADDRESS)
        world.home_agent.start()
        assert [one["care_of_address"] for one in bindings(world)] == both
        reaches(world.correspondent, HOME_ADDRESS)

        # A stop de-registers, and interception is over.
        assert other.end(signal.SIGTERM) == 0
        [left] = bindings(world)
        assert left["home_address"] == HOME_ADDRESS
        assert OTHER_HOME_ADDRESS not in world.agent.ip("neigh show proxy")

        # Back again; taken out of the file it has no binding any more.
        other.start()
        registered(other)
        entry = f'"{OTHER_HOME_ADDRESS}" = "other.key"\n'
        text = world.home_agent.file.read_text()
        assert entry in text
        world.home_agent.file.write_text(text.replace(entry, ""))
        assert world.home_agent.call("reload").returncode == 0
        [left] = bindings(world)
        assert left["home_address"] == HOME_ADDRESS
        assert OTHER_HOME_ADDRESS not in world.agent.ip("neigh show proxy")
        reaches(world.correspondent, HOME_ADDRESS)

        assert world.home_agent.call("revoke", HOME_ADDRESS).returncode == 0
        until(lambda: bindings(world) == [], "the binding is gone")
        until(lambda: world.mobile_node.place() == "registering", "and it was told so")
        assert HOME_ADDRESS not in world.agent.ip("neigh show proxy")
