"""systemd-networkd configures the link, and mip6 takes what it finds; each leaves the
other's alone."""

import signal
import subprocess
from pathlib import Path

import pytest
from tests.support.daemons import World, until

NETWORKD = Path("/lib/systemd/systemd-networkd")
# /sys is read-only as in a container: then it does not wait for udev.
SCRIPT = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t sysfs -o ro sysfs /sys
mkdir -p /run/systemd/network /run/systemd/networkd.conf.d
cat >/run/systemd/network/10-eth0.network <<END
[Match]
Name=eth0
[Network]
IPv6AcceptRA=yes
END
cat >/run/systemd/networkd.conf.d/60-mip6.conf <<END
[Network]
ManageForeignRoutingPolicyRules={manages}
ManageForeignRoutes={manages}
END
export SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console
exec {networkd}
"""

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not NETWORKD.exists(), reason="no systemd-networkd"),
]


class Networkd:
    def __init__(self, world: World, *, manages: str) -> None:
        self._world = world
        self._script = world.directory / "networkd.sh"
        self._log = world.directory / "networkd.log"
        self._script.write_text(SCRIPT.format(networkd=NETWORKD, manages=manages))

    def start(self) -> None:
        command = f"unshare --mount sh {self._script}"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._world.mobile.inside(command).split(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def configured(self) -> bool:
        """Whether it is done with the link, its address there included."""
        log = self._log.read_text()
        assert self._process.poll() is None, log
        return "eth0: State changed: configuring -> configured" in log

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)


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
