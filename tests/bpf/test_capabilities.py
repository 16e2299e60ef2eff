"""Programs and maps with no more capabilities than the daemon keeps."""

import subprocess
import sys

import pytest
from tests.support.bench import Bench

pytestmark = pytest.mark.root

SCRIPT = """
import socket
import sys
from ipaddress import IPv6Address
from pathlib import Path
from mip6.linux import privileges
from mip6.linux.dataplane import DataPlane
pins, device = Path(sys.argv[1]), int(sys.argv[2])
plane = DataPlane.open(pins, device=device, bindings_max=64)
plane.load()
privileges.reduce()
link = socket.if_nametoindex("eth0")
plane.attach_link(link)
plane.detach_link(link)
plane.attach_link(device, layer3=True)
plane.detach_link(device)
plane.divert(IPv6Address("2001:db8::1"))
plane.divert_esp({0x60000001})
print(len(plane.diverted()), sum(plane.counters().values()))
plane.undivert(IPv6Address("2001:db8::1"))
plane.close()
"""


def test_a_link_that_comes_later_gets_its_program(bench: Bench) -> None:
    pins = bench.data_plane.pins
    with bench.namespace.entered():
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, pins, str(bench.device.index)],
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
