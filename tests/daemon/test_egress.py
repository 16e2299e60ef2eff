"""A tunnel as the mobile node's interface: no link layer, no routers, no Neighbor
Discovery, as WireGuard makes them; and it comes after the daemon."""

import contextlib
import fcntl
import os
import select
import struct
import threading
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest
from tests.conformance.roamer import Roamer
from tests.support.daemons import World, until
from tests.support.namespaces import Namespace

from mip6.core.adopted import Adopted
from mip6.core.link import NO_GATEWAY
from mip6.core.state import Route

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x1, 0x1000
ADDRESS = "2001:db8:7::2"


def end_of_tunnel(place: Namespace, name: str) -> int:
    with place.entered():
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        request = struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI)
        fcntl.ioctl(descriptor, TUNSETIFF, request)
    return descriptor


@contextlib.contextmanager
def tunnel(here: Namespace, there: Namespace, name: str) -> Iterator[None]:
    """What goes into one end comes out of the other."""
    ends = [end_of_tunnel(here, name), end_of_tunnel(there, name)]
    stopped, stop = os.pipe()

    def relay() -> None:
        while True:
            readable, _, _ = select.select([*ends, stopped], [], [])
            if stopped in readable:
                return
            for end in readable:
                with contextlib.suppress(OSError):
                    os.write(ends[1 - ends.index(end)], os.read(end, 65535))

    thread = threading.Thread(target=relay)
    thread.start()
    try:
        yield
    finally:
        os.write(stop, b".")
        thread.join()
        for descriptor in (*ends, stopped, stop):
            os.close(descriptor)


@pytest.mark.root
def test_a_tunnel_that_comes_later_carries_the_binding(world: World) -> None:
    file = world.mobile_node.file
    text = file.read_text().replace('["eth0"]', '["wg9"]')
    file.write_text(text.replace("manage = true", "manage = false"))
    world.home_agent.start()
    world.mobile_node.start()
    with tunnel(world.mobile, world.router, "wg9"):
        for place, address in (
            (world.mobile, ADDRESS),
            (world.router, "2001:db8:7::1"),
        ):
            place.ip("link set wg9 mtu 1420 up")
            place.ip(f"addr add {address}/64 dev wg9 nodad")
        world.mobile.ip("route add default dev wg9")

        def registered() -> bool:
            status = world.mobile_node.read("status")["mobile_node"]
            at = (status["place"], status["link"], status["care_of_address"])
            return at == ("registered", "wg9", ADDRESS)

        until(registered, "registered by the tunnel")
        until(lambda: world.pings(), "it is reached through it")
        status = world.mobile_node.read("status")["mobile_node"]
        assert status["tunnel"] == "open"
        # Somebody takes the way out away, and gives it back.
        world.mobile.ip("route del default dev wg9")
        until(lambda: world.mobile_node.place() != "registered", "no way out")
        world.mobile.ip("route add default dev wg9")
        until(registered, "again")
        assert world.mobile_node.call("down").returncode == 0
        assert ADDRESS in world.mobile.ip("addr show dev wg9"), "not ours"
        assert "proto 62" not in world.mobile.ip("route show table all")
    assert len(world.mobile.ip("rule").splitlines()) == 2


def test_the_other_end_takes_everything() -> None:
    roamer = Roamer(managed=False)
    roamer.link_up()
    address = Adopted(address=IPv6Address(ADDRESS), prefix_length=64)
    configure = roamer.mobile_node.configured
    roamer.do(configure("eth0", (address,), (NO_GATEWAY,), roamer.now))
    roamer.wait(1.5)
    assert len(roamer.updates) == 1
    [route] = [r for r in roamer.standing(Route) if r.table == 102]
    assert (route.link, route.gateway) == ("eth0", None)
