"""docs/laptop.md, tried: the files as they stand there, on machines of namespaces."""

import re
from pathlib import Path

import pytest
from tests.support.daemons import HOME_AGENT, MIP6, World, until

from mip6.daemon.configuration import parse

GUIDE = (Path(__file__).parents[2] / "docs/laptop.md").read_text()
BLOCKS = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)


def test_the_files_are_valid() -> None:
    home, laptop, more = BLOCKS
    assert parse(home, "home.toml").home_agent is not None
    wanted = parse(laptop + more, "laptop.toml").mobile_node
    assert wanted is not None and not wanted.manage
    assert wanted.on_handover == ("/usr/local/bin/moved",)


@pytest.mark.root
def test_the_laptop_is_reached_and_moves(world: World) -> None:
    """What is another's in this small world: the server's address, the interface."""
    home, laptop, _ = BLOCKS
    server, theirs = "2001:db8:f::2", "2001:db8:f1::2"
    world.home_agent.file.write_text(home.replace(theirs, server))
    laptop = laptop.replace('["enp3s0", "wlp2s0"]', '["eth0"]')
    world.mobile_node.file.write_text(laptop.replace(theirs, server))
    world.agent.ip(f"addr del {HOME_AGENT}/64 dev eth1")
    for instance in (world.home_agent, world.mobile_node):
        done = instance.namespace.run(f"{MIP6} check {instance.file}")
        assert "error" not in done
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")
    assert world.pings()
    world.cables.ip("link set mobile down")
    until(lambda: world.mobile_node.place() != "registered", "no cable")
    world.cables.ip("link set mobile up")
    until(lambda: world.mobile_node.place() == "registered", "again")
    assert world.pings()
