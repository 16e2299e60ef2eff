"""Somebody switches forwarding off for all links, and so for the mobility device."""

import pytest
from tests.support.daemons import World, until

pytestmark = pytest.mark.root


def test_the_mobility_device_goes_on(world: World) -> None:
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")
    assert world.pings()
    repaired = world.mobile_node.read("stats")["kernel"]["repaired"]
    world.mobile.sysctl("all.forwarding=0")  # which it is; but the device is not

    def is_counted() -> bool:
        now: int = world.mobile_node.read("stats")["kernel"]["repaired"]
        return now > repaired

    until(is_counted, "repaired")
    until(world.pings, "packets pass again")
    name = "net.ipv6.conf.mip0.forwarding"
    assert world.mobile.run(f"sysctl -n {name}").strip() == "1"
