"""sd_notify: heard where somebody listens, harmless where nobody does (any more)."""

import socket
from pathlib import Path

import pytest

from mip6.daemon.notify import notify


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    path = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.settimeout(1)
    listener.bind(str(path))
    return listener


def test_systemd_is_told(systemd: socket.socket) -> None:
    with systemd:
        notify("READY=1")
        assert systemd.recv(64) == b"READY=1"


def test_a_listener_that_is_gone_stops_nobody(systemd: socket.socket) -> None:
    systemd.close()
    notify("STOPPING=1")


def test_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
