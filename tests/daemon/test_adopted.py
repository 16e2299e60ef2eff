"""Interfaces that mip6 does not manage: it follows what the kernel makes of them."""

import pytest
from tests.support.daemons import HOME_ADDRESS, World, until

pytestmark = pytest.mark.root


def test_the_kernels_own_addresses_are_taken(world: World) -> None:
    file = world.mobile_node.file
    file.write_text(file.read_text().replace("manage = true", "manage = false"))
    settings = ("accept_ra", "autoconf")
    before = [world.mobile.run(f"sysctl net.ipv6.conf.eth0.{s}") for s in settings]
    world.home_agent.start()
    world.mobile_node.start()
    assert before == [
        world.mobile.run(f"sysctl net.ipv6.conf.eth0.{s}") for s in settings
    ]
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")
    address = world.mobile_node.read("status")["mobile_node"]["care_of_address"]
    assert f"{address}/64" in world.mobile.ip("addr show dev eth0 dynamic")
    assert world.pings()
    world.plug("home")
    until(lambda: world.mobile_node.place() == "at_home", "at home")
    assert world.pings()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "away again")
    assert world.pings()
    # Somebody takes the address away, and gives another one.
    address = world.mobile_node.read("status")["mobile_node"]["care_of_address"]
    world.mobile.sysctl("eth0.accept_ra=0")
    world.mobile.ip(f"addr del {address}/64 dev eth0")
    world.mobile.ip("addr add 2001:db8:b::77/64 dev eth0 nodad")
    until(
        lambda: (
            world.mobile_node.place() == "registered"
            and world.mobile_node.read("status")["mobile_node"]["care_of_address"]
            == "2001:db8:b::77"
        ),
        "the other address",
    )
    assert world.pings()
    world.mobile_node.call("down")
    assert "2001:db8:b::77" in world.mobile.ip("addr show dev eth0"), "not ours"
    assert HOME_ADDRESS not in world.mobile.ip("addr")
    assert "proto 62" not in world.mobile.ip("route show table all")
    rules = world.mobile.ip("rule").splitlines()
    assert len(rules) == 2, rules
