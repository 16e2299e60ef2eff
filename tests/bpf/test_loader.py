"""Maps, programs, pins, filters: loading, taking over, leaving nothing behind."""

import errno
import struct
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from tests.support.bench import (
    CARE_OF_ADDRESS,
    DROP,
    HOME_ADDRESS,
    HOME_AGENT,
    REDIRECT,
    Bench,
)
from tests.support.namespaces import Namespace, connect, namespaces
from tests.support.octets import UDP, ipv6, udp

from mip6.core.state import End, Tunnel
from mip6.linux import bpf, dataplane, elf
from mip6.linux.dataplane import DataPlane

pytestmark = pytest.mark.root


def a_tunnel(number: int = 1, end: End = End.HOME_AGENT) -> Tunnel:
    return Tunnel(
        end=end,
        home_address=IPv6Address(f"2001:db8:a::{number:x}"),
        care_of_address=IPv6Address(f"2001:db8:b::{number:x}"),
        home_agent=IPv6Address(HOME_AGENT),
        expires=1000.25 + number,
    )


@pytest.fixture
def plane(pins: Path) -> Iterator[DataPlane]:
    opened = DataPlane.open(pins, device=1, bindings_max=1000)
    yield opened
    opened.close()
    DataPlane.remove(pins)


@pytest.fixture
def node() -> Iterator[Namespace]:
    with namespaces("node", "peer") as (node, peer):
        connect(node, "eth0", peer, "eth0")
        yield node


# Maps


def test_what_is_put_is_read_back(plane: DataPlane) -> None:
    previous = Tunnel(
        end=End.MOBILE_NODE,
        home_address=IPv6Address(HOME_ADDRESS),
        care_of_address=IPv6Address(CARE_OF_ADDRESS),
        home_agent=IPv6Address(HOME_AGENT),
        expires=12.5,
        previous=IPv6Address("2001:db8::9"),
        previous_until=7.25,
        inbound_only=True,
    )
    tunnels = [a_tunnel(), previous, a_tunnel(2, End.MOBILE_NODE)]
    for tunnel in tunnels:
        plane.put(tunnel)
    assert sorted(plane.tunnels(), key=str) == sorted(tunnels, key=str)


def test_times_that_do_not_fit(plane: DataPlane) -> None:
    for expires in (-1.0, 0.0, 1e30, float("inf")):
        tunnel = Tunnel(
            end=End.HOME_AGENT,
            home_address=IPv6Address(HOME_ADDRESS),
            care_of_address=IPv6Address(CARE_OF_ADDRESS),
            home_agent=IPv6Address(HOME_AGENT),
            expires=expires,
        )
        plane.put(tunnel)
        (read,) = plane.tunnels()
        assert read.expires == pytest.approx(min(max(expires, 0), (1 << 64) / 1e9))


def test_put_replaces_what_stands_under_the_key(plane: DataPlane) -> None:
    first, second = a_tunnel(), a_tunnel()
    second = Tunnel(
        end=first.end,
        home_address=first.home_address,
        care_of_address=IPv6Address("::1"),
        home_agent=first.home_agent,
        expires=1.0,
    )
    plane.put(first)
    plane.put(second)
    assert list(plane.tunnels()) == [second]


def test_drop(plane: DataPlane) -> None:
    plane.put(a_tunnel(1))
    plane.put(a_tunnel(2))
    plane.put(a_tunnel(1, End.MOBILE_NODE))
    plane.drop(a_tunnel(1))
    plane.drop(a_tunnel(1))
    assert set(plane.tunnels()) == {a_tunnel(2), a_tunnel(1, End.MOBILE_NODE)}


def test_many_at_once(plane: DataPlane) -> None:
    tunnels = {a_tunnel(number) for number in range(1, 1001)}
    plane.put_many([*tunnels, a_tunnel(1, End.MOBILE_NODE)])
    assert set(plane.tunnels()) == tunnels | {a_tunnel(1, End.MOBILE_NODE)}


def test_full_map_is_refused_in_words(plane: DataPlane) -> None:
    plane.put_many(a_tunnel(number) for number in range(1, 1001))
    with pytest.raises(bpf.BpfError, match=r"bindings.*full: 1000") as caught:
        plane.put(a_tunnel(1001))
    assert caught.value.errno == errno.E2BIG
    plane.put(a_tunnel(1000))  # one that is there can still change
    plane.drop(a_tunnel(7))
    plane.put(a_tunnel(1001))


def test_addresses(plane: DataPlane) -> None:
    first, second = IPv6Address("::1"), IPv6Address("::2")
    plane.divert(first)
    plane.divert(first)
    plane.divert(second)
    assert plane.diverted() == {first, second}
    plane.undivert(first)
    plane.undivert(first)
    assert plane.diverted() == {second}


# Programs


def test_every_program_is_accepted(plane: DataPlane) -> None:
    for name in elf.shipped().programs.keys() - {"steering"}:
        assert plane.program(name).fd >= 0


def test_refused_program_shows_the_verifiers_words() -> None:
    no_return_value = elf.Program(struct.pack("<BBhi", 0x95, 0, 0, 0), ())
    with pytest.raises(bpf.BpfError, match=r"load the program wrong(?s:.*)R0 !read_ok"):
        bpf.Program.load("wrong", bpf.SCHED_CLS, no_return_value, {})


# Pins


def test_takes_over_what_is_pinned(pins: Path, plane: DataPlane) -> None:
    plane.put(a_tunnel())
    plane.divert(IPv6Address(HOME_AGENT))
    plane.close()
    again = DataPlane.open(pins, device=1, bindings_max=1000)
    assert list(again.tunnels()) == [a_tunnel()]
    assert again.diverted() == {IPv6Address(HOME_AGENT)}
    again.close()


def test_takes_over_with_another_size(pins: Path, plane: DataPlane) -> None:
    tunnels = {a_tunnel(number) for number in range(1, 101)}
    plane.put_many(tunnels)
    plane.close()
    for bindings_max in (5000, 100):
        again = DataPlane.open(pins, device=1, bindings_max=bindings_max)
        assert again.maps["bindings"].info.entries_max == bindings_max
        assert set(again.tunnels()) == tunnels
        again.close()
    with pytest.raises(bpf.BpfError):
        DataPlane.open(pins, device=1, bindings_max=99)


def test_another_layout_is_loaded_beside(
    pins: Path, plane: DataPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane.put(a_tunnel())
    monkeypatch.setattr(dataplane, "LAYOUT_VERSION", 99)
    newer = DataPlane.open(pins, device=1, bindings_max=1000)
    assert list(newer.tunnels()) == []
    # What the old filters use lives on as long as they do, but has no name any more.
    assert list(plane.tunnels()) == [a_tunnel()]
    assert sorted(path.name for path in pins.iterdir()) == ["links", "v99"]
    newer.close()


def test_two_instances_share_nothing(pins: Path, plane: DataPlane) -> None:
    other_pins = pins.with_name(f"{pins.name}-other")
    other = DataPlane.open(other_pins, device=1, bindings_max=10)
    plane.put(a_tunnel())
    assert list(other.tunnels()) == []
    other.close()
    DataPlane.remove(other_pins)
    assert not other_pins.exists()
    assert list(plane.tunnels()) == [a_tunnel()]


def test_removing_what_is_not_there(pins: Path) -> None:
    DataPlane.remove(pins)
    assert not pins.exists()


def test_pins_outside_a_bpf_file_system(tmp_path: Path) -> None:
    with pytest.raises(bpf.BpfError, match=r"not in a BPF file system.*mount -t bpf"):
        DataPlane.open(tmp_path / "pins", device=1)


def test_without_privileges() -> None:
    """One clear line that says what is missing."""
    script = (
        "import os, pathlib\n"
        "from mip6.linux import bpf, elf\n"
        "program = elf.Program(bytes([0xB7] + [0] * 7 + [0x95] + [0] * 7), ())\n"
        "os.setuid(65534)\n"
        "bpf.Program.load('x', bpf.SCHED_CLS, program, {})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "load the program x: Operation not permitted (run as root" in last


def test_nothing_stays_open(pins: Path) -> None:
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(3):
        plane = DataPlane.open(pins, device=1, bindings_max=10)
        plane.program("link_ingress")
        plane.close()
    DataPlane.remove(pins)
    assert len(list(descriptors.iterdir())) == before


def test_filters_of_a_closed_data_plane_work_on(bench: Bench) -> None:
    """Programs need no pin and no process.  # gotcha 20"""
    bench.tunnel(End.HOME_AGENT)
    packet = ipv6("2001:db8:c::1", HOME_ADDRESS, UDP, udp())
    again = DataPlane.open(
        bench.data_plane.pins, device=bench.device.index, bindings_max=64
    )
    assert bench.out(packet).verdict == REDIRECT
    # One map for both: whoever opens sees, and changes, what the filters use.
    (tunnel,) = again.tunnels()
    again.drop(tunnel)
    assert bench.out(packet).verdict != REDIRECT
    assert bench.out(packet).verdict != DROP
    again.close()
