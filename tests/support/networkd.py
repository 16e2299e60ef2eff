"""systemd-networkd in a namespace, with directories of its own."""

import signal
import subprocess
from pathlib import Path

from tests.support.daemons import World

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
