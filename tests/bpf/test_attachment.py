"""Programs on interfaces: replaced, shared with others, leaving nothing behind; by tcx
and, as before Linux 6.6, by clsact."""

import asyncio
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyroute2 import IPRoute
from tests.support.namespaces import Namespace, connect, namespaces

from mip6.linux import attachment, bpf
from mip6.linux.dataplane import DataPlane

pytestmark = pytest.mark.root

TCX, CLSACT = "tcx", "clsact"
HOOKS = {"ingress": bpf.TCX_INGRESS, "egress": bpf.TCX_EGRESS}
BPF_PROG_QUERY = 16


@pytest.fixture
def tcx() -> str:
    release = re.findall(r"\d+", Path("/proc/sys/kernel/osrelease").read_text())
    if tuple(map(int, release[:2])) < (6, 6):
        pytest.skip("tcx came with Linux 6.6")
    return TCX


@pytest.fixture
def clsact(monkeypatch: pytest.MonkeyPatch) -> str:
    """As on a kernel without tcx."""
    monkeypatch.setattr(attachment, "_attach_link", lambda *_: False)
    return CLSACT


@pytest.fixture(params=[TCX, CLSACT])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def plane(pins: Path) -> Iterator[DataPlane]:
    opened = DataPlane.open(pins, device=1, bindings_max=10)
    yield opened
    opened.close()
    DataPlane.remove(pins)


@pytest.fixture
def node() -> Iterator[Namespace]:
    with namespaces("node", "peer") as (node, peer):
        connect(node, "eth0", peer, "eth0")
        yield node


def filters(node: Namespace, hook: str = "ingress") -> str:
    return node.run(f"tc filter show dev eth0 {hook}")


def qdiscs(node: Namespace) -> str:
    return node.run("tc qdisc show dev eth0")


def links(node: Namespace, hook: str = "ingress") -> int:
    """Programs that tcx runs there."""
    with node.entered():
        index = socket.if_nametoindex("eth0")
        question = struct.pack("=IIIIQI", index, HOOKS[hook], 0, 0, 0, 0)
        try:
            _, answer = bpf._call(BPF_PROG_QUERY, question, "query")
        except bpf.BpfError:
            return 0
    return int.from_bytes(answer[24:28], "little")


def ours(node: Namespace, way: str, hook: str = "ingress") -> int:
    """How many programs of mip6 are attached, all of them in the way asked for."""
    by_filter, by_link = filters(node, hook).count("mip6:"), links(node, hook)
    assert (by_filter if way == TCX else by_link) == 0
    return by_link if way == TCX else by_filter


def test_attach_and_detach_leave_nothing(
    node: Namespace, plane: DataPlane, way: str
) -> None:
    before = qdiscs(node)
    with node.entered():
        index = socket.if_nametoindex("eth0")
        plane.attach_link(index)
        assert ours(node, way) == 1
        plane.attach_link(index)  # replaces, never doubles
        assert ours(node, way) == 1
        plane.detach_link(index)
        plane.detach_link(index)
    assert ours(node, way) == 0
    assert qdiscs(node) == before


@pytest.mark.usefixtures("clsact")
def test_filter_has_its_priority_and_name(node: Namespace, plane: DataPlane) -> None:
    with node.entered():
        plane.attach_link(socket.if_nametoindex("eth0"), layer3=True)
    assert f"pref {attachment.PRIORITY} bpf" in filters(node)
    assert "link_ingress_l3" in filters(node)


@pytest.mark.usefixtures("way")
def test_qdisc_of_others_stays(node: Namespace, plane: DataPlane) -> None:
    node.run("tc qdisc add dev eth0 clsact")
    with node.entered():
        index = socket.if_nametoindex("eth0")
        plane.attach_link(index)
        plane.attach_link(index)
        plane.detach_link(index)
    assert "clsact" in qdiscs(node)
    assert filters(node) == ""


def test_filters_of_others_stay(node: Namespace, plane: DataPlane, way: str) -> None:
    with node.entered():
        index = socket.if_nametoindex("eth0")
        plane.attach_link(index)
        if way == TCX:
            node.run("tc qdisc add dev eth0 clsact")
        with IPRoute() as netlink:
            netlink.tc(
                "add-filter",
                "bpf",
                index,
                parent=0xFFFFFFF2,
                prio=9,
                fd=plane.program("link_ingress").fd,
                name="theirs",
                direct_action=True,
            )
        plane.detach_link(index)
    assert filters(node).count("theirs") == 1
    assert ours(node, way) == 0


@pytest.mark.usefixtures("tcx")
def test_links_of_others_stay(node: Namespace, plane: DataPlane) -> None:
    with node.entered():
        index = socket.if_nametoindex("eth0")
        other = plane.program("link_ingress_l3")
        theirs = bpf.Link.create(other, index, bpf.TCX_INGRESS)
        plane.attach_link(index)
        assert links(node) == 2
        plane.detach_link(index)
        assert links(node) == 1
        theirs.close()


@pytest.mark.usefixtures("tcx")
def test_link_takes_the_place_of_a_filter(
    node: Namespace, plane: DataPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the kernel, or this program, became newer."""
    with node.entered(), monkeypatch.context() as patch:
        index = socket.if_nametoindex("eth0")
        patch.setattr(attachment, "_attach_link", lambda *_: False)
        plane.attach_link(index)
        assert ours(node, CLSACT) == 1
    with node.entered():
        plane.attach_link(index)
    assert ours(node, TCX) == 1
    assert "clsact" not in qdiscs(node)


def test_two_instances_on_one_link(
    node: Namespace, plane: DataPlane, pins: Path, way: str
) -> None:
    other_pins = pins.with_name(f"{pins.name}-other")
    other = DataPlane.open(other_pins, device=1, bindings_max=10)
    with node.entered():
        index = socket.if_nametoindex("eth0")
        plane.attach_link(index)
        other.attach_link(index)
        assert ours(node, way) == 2
        other.close()
        DataPlane.remove(other_pins)
        assert ours(node, way) == 1
        plane.detach_link(index)
    assert "clsact" not in qdiscs(node)


def test_remove_finds_every_program(node: Namespace, pins: Path, way: str) -> None:
    """After a daemon that was killed: the pins alone tell what is attached where."""
    with node.entered():
        index = socket.if_nametoindex("eth0")
        plane = DataPlane.open(pins, device=index)
        plane.attach_link(index)
        plane.attach_device(index)
        plane.close()
    assert (ours(node, way), ours(node, way, "egress")) == (1, 1)
    DataPlane.remove(pins) if way == TCX else _remove_inside(node, pins)
    assert (ours(node, way), ours(node, way, "egress")) == (0, 0)
    assert "clsact" not in qdiscs(node)
    assert not pins.exists()


def _remove_inside(node: Namespace, pins: Path) -> None:
    with node.entered():
        DataPlane.remove(pins)


@pytest.mark.usefixtures("way")
def test_link_that_has_gone(node: Namespace, pins: Path) -> None:
    with node.entered():
        index = socket.if_nametoindex("eth0")
        plane = DataPlane.open(pins, device=index)
        plane.attach_link(index)
        plane.close()
        node.ip("link del eth0")
        DataPlane.remove(pins)
    assert not pins.exists()
    with pytest.raises(bpf.BpfError, match="attach the program link_ingress"):
        DataPlane.open(pins, device=1).attach_link(99999)


def test_another_interface_of_the_same_index(
    node: Namespace, plane: DataPlane, way: str
) -> None:
    with node.entered():
        index = socket.if_nametoindex("eth0")
        plane.attach_link(index)
        node.ip("link del eth0")
        node.ip(f"link add eth0 index {index} type veth peer name other")
        plane.attach_link(index)
        assert ours(node, way) == 1
        plane.detach_link(index)
    assert ours(node, way) == 0


def test_attaching_inside_a_running_loop(
    node: Namespace, plane: DataPlane, way: str
) -> None:
    async def work() -> None:
        index = socket.if_nametoindex("eth0")
        plane.attach_link(index)
        await asyncio.to_thread(plane.attach_link, index)
        plane.detach_link(index)

    with node.entered():
        asyncio.run(work())
    assert ours(node, way) == 0
    assert "clsact" not in qdiscs(node)
