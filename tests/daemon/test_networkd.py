"""systemd-networkd configures the link, and mip6 takes what it finds; each leaves the
other's alone."""

import signal

import pytest
from tests.support.daemons import World, until
from tests.support.networkd import NETWORKD, Networkd

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not NETWORKD.exists(), reason="no systemd-networkd"),
]


@pytest.mark.parametrize("manages", ["no", "yes"])
def test_networkd_and_mip6_leave_each_other_alone(world: World, manages: str) -> None:
    """`manages`: "no" as docs/laptop.md has it, and nothing of ours is touched; "yes"
    as networkd is by itself, where it may remove what is not its own, and that
    would be repaired."""
    file = world.mobile_node.file
    file.write_text(file.read_text().replace("manage = true", "manage = false"))
    networkd = Networkd(world, manages=manages)
    networkd.start()
    try:
        world.home_agent.start()
        world.mobile_node.start()
        world.plug("visited")
        until(networkd.configured, "networkd has configured the link")
        until(lambda: world.mobile_node.place() == "registered", "registered")
        until(world.pings, "reachable")
        address = world.mobile_node.read("status")["mobile_node"]["care_of_address"]

        def repaired() -> int:
            count: int = world.mobile_node.read("stats")["kernel"]["repaired"]
            return count

        before = repaired()
        networkd.stop()
        networkd.start()
        until(networkd.configured, "networkd has started again")
        until(world.pings, "still reachable")
        if manages == "no":
            assert repaired() == before
        until(lambda: world.mobile_node.place() == "registered", "still registered")
        process = world.mobile_node.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        assert address in world.mobile.ip("addr show dev eth0")
        assert "default via fe80::" in world.mobile.ip("route show proto ra")
    finally:
        networkd.stop()
