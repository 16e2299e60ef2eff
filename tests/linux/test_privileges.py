"""Capabilities given up for good, and enough left for the work."""

import os
import subprocess
import sys

import pytest

from mip6.linux.privileges import KEPT

pytestmark = pytest.mark.root

WANTED = sum(1 << capability for capability in KEPT)
SCRIPT = """
import os, socket, sys
from pathlib import Path
from mip6.linux import privileges
privileges.reduce()
words = dict(line.split(":", 1) for line in
             Path("/proc/self/status").read_text().splitlines())
for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
    print(name, int(words[name], 16))
print("NoNewPrivs", int(words["NoNewPrivs"]))
socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW).close()
for forbidden in (lambda: os.chown("/", 1, 1), lambda: os.setuid(65534),
                  lambda: os.chroot("/"), lambda: os.kill(1, 0)):
    try:
        forbidden()
        print("allowed")
    except PermissionError:
        print("refused")
"""


def run(*before: str) -> list[str]:
    command = [*before, sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_only_what_is_needed_is_left() -> None:
    lines = run()
    assert lines[:6] == [
        "CapInh 0",
        f"CapPrm {WANTED}",
        f"CapEff {WANTED}",
        f"CapBnd {WANTED}",
        "CapAmb 0",
        "NoNewPrivs 1",
    ]
    assert lines[6:9] == ["refused"] * 3
    assert os.geteuid() == 0, "and not for this process"


def test_who_never_had_them_gets_none() -> None:
    weak = ["setpriv", "--bounding-set=-all,+net_raw,+net_admin", "--inh-caps=-all"]
    lines = run(*weak)
    held = 1 << KEPT[0] | 1 << KEPT[1]
    assert lines[1] == f"CapPrm {held}"
