"""The bench: a node, its device, its data plane, and nothing in the maps.

All tests here run on the second kernel too (another verifier, other helpers), except
those of tcx, which came later than it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.bench import Bench
from tests.support.namespaces import connect, namespaces

from mip6.linux.dataplane import DataPlane
from mip6.linux.tun import Device


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and not _of_tcx(item):
            item.add_marker("second_kernel")


def _of_tcx(item: pytest.Item) -> bool:
    return "[tcx" in item.name or "tcx" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="module")
def pins(request: pytest.FixtureRequest) -> Iterator[Path]:
    path = Path("/sys/fs/bpf/mip6", f"test-{id(request):x}")
    yield path
    DataPlane.remove(path)


@pytest.fixture(scope="module")
def one_bench(pins: Path) -> Iterator[Bench]:
    """A node with one link, and a router there that it knows."""
    with namespaces("node", "router") as (node, router):
        connect(node, "eth0", router, "eth0")
        node.ip("address add 2001:db8:1::2/64 dev eth0 nodad")
        address = "lladdr 02:00:00:00:00:01"
        node.ip(f"neighbor add 2001:db8:1::1 {address} dev eth0 nud permanent")
        for prefix in "abc":
            node.ip(f"route add 2001:db8:{prefix}::/64 via 2001:db8:1::1")
        with node.entered():
            device = Device.open("mip0", mtu=1452)
            data_plane = DataPlane.open(pins, device=device.index, bindings_max=64)
        yield Bench(node, device, data_plane)
        data_plane.close()
        device.close()


@pytest.fixture
def bench(one_bench: Bench) -> Iterator[Bench]:
    """Nothing in the maps at the start."""
    one_bench.clear()
    yield one_bench
