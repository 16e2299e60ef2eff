"""A visited network whose addresses only DHCPv6 gives: systemd-networkd's client asks
dnsmasq, and mip6 takes what it was given."""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from tests.support.daemons import HOME_ADDRESS, World, until
from tests.support.namespaces import connect
from tests.support.networkd import NETWORKD, Networkd

# Advertises a router, says that addresses are managed, and none may be made.
DNSMASQ = (
    "dnsmasq --conf-file=/dev/null --no-daemon --port=0 --user=root --no-ping"
    " --interface=hotel --bind-dynamic --enable-ra --ra-param=hotel,4,1800"
    " --dhcp-range=2001:db8:d::{first},2001:db8:d::{last},64,{lease_s}"
    " --dhcp-leasefile={directory}/leases --dhcp-authoritative --log-dhcp"
    " --pid-file={directory}/dnsmasq.pid"
)

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not NETWORKD.exists(), reason="no systemd-networkd"),
    pytest.mark.skipif(not shutil.which("dnsmasq"), reason="no dnsmasq"),
]


@contextlib.contextmanager
def hotel(world: World, addresses: str, *, lease_s: int = 3600) -> Iterator[None]:
    """A DHCPv6 server that has these addresses to give, and remembers no others."""
    first, last = addresses.split("-")
    leases = world.directory / "leases"
    leases.unlink(missing_ok=True)
    command = DNSMASQ.format(
        first=first, last=last, lease_s=lease_s, directory=world.directory
    )
    told = world.directory / "dnsmasq.log"
    with told.open("w") as log:
        server = subprocess.Popen(
            world.router.inside(command).split(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        # Who asks before it listens asks again after ever longer pauses.
        until(lambda: "RTR-ADVERT(hotel)" in told.read_text(), "dnsmasq advertises")
        yield
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def guest(world: World) -> World:
    """A world with a further link, `hotel`, and the mobile node's link left to
    networkd."""
    file = world.mobile_node.file
    file.write_text(file.read_text().replace("manage = true", "manage = false"))
    world.cables.ip("link add hotel type bridge mcast_snooping 0")
    world.cables.ip("link set hotel up")
    connect(world.router, "hotel", world.cables, "hotel0")
    world.cables.ip("link set hotel0 master hotel")
    world.router.ip("addr add 2001:db8:d::1/64 dev hotel nodad")
    return world


def care_of_address(world: World) -> str:
    address = world.mobile_node.read("status")["mobile_node"]["care_of_address"]
    return str(address)


def registered_within(world: World, addresses: str) -> str:
    """The care-of address, once one that matches is registered and packets flow."""

    def there() -> str:
        address = care_of_address(world)
        fits = re.fullmatch(addresses, address)
        return address if fits and world.mobile_node.place() == "registered" else ""

    address: str = until(there, f"registered from {addresses}")
    until(world.pings, f"reachable at {address}")
    return address


def test_a_leased_address_is_the_care_of_address(guest: World) -> None:
    networkd = Networkd(guest, manages="no")
    networkd.start()
    try:
        guest.home_agent.start()
        guest.mobile_node.start()
        with hotel(guest, "1000-1fff"):
            guest.plug("hotel")
            leased = registered_within(guest, "2001:db8:d::1...")
            addresses = guest.mobile.ip("addr show dev eth0")
            assert f"{leased}/128" in addresses
            assert "2001:db8:d:0:" not in addresses, "none is made"
            guest.plug("visited")
            made = registered_within(guest, "2001:db8:b:.*")
        # The server has forgotten the lease, and gives others.
        with hotel(guest, "2000-2fff"):
            guest.plug("hotel")
            registered_within(guest, "2001:db8:d::2...")
        # And once more, while the link stays as it is.
        networkd.stop()
        with hotel(guest, "3000-3fff"):
            networkd.start()
            other = registered_within(guest, "2001:db8:d::3...")
            guest.mobile_node.call("down")
            addresses = guest.mobile.ip("addr show dev eth0")
            assert f"{other}/128" in addresses, "networkd's"
            assert leased not in addresses
            assert made not in addresses
            assert HOME_ADDRESS not in guest.mobile.ip("addr")
            assert "default via fe80::" in guest.mobile.ip("route show proto ra")
    finally:
        networkd.stop()
