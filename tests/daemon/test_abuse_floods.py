"""Floods where nothing comes in ESP: whom the home agent knows has its own budget."""

import threading
from pathlib import Path

import pytest
from tests.support.abuse import attack, bindings, counted, registered
from tests.support.attacker import binding_update
from tests.support.daemons import (
    HOME_ADDRESS,
    HOME_AGENT,
    World,
    small_world,
    until,
)

from mip6.core.packet import write

pytestmark = pytest.mark.root


def with_the_option(world: World) -> None:
    """Both by the MN-HA option (RFC 4285)."""
    name = 'identifier = "laptop@example.com"'
    for instance in (world.home_agent, world.mobile_node):
        text = instance.file.read_text().replace('"shared_key"', '"mn_ha"')
        text = text.replace(
            '"laptop.key"\ninterfaces', f'"laptop.key"\n{name}\ninterfaces'
        )
        entry = f'"{HOME_ADDRESS}" = "laptop.key"'
        text = text.replace(
            entry, f'"{HOME_ADDRESS}" = {{ key = "laptop.key", {name} }}'
        )
        instance.file.write_text(text)


@pytest.mark.parametrize("mechanism", ["mn_ha", "none"])
def test_beside_a_flood_whom_we_know_goes_on(tmp_path: Path, mechanism: str) -> None:
    """Binding Updates for addresses that nobody has, faster than they are read."""
    flood = [
        write(binding_update(f"2001:db8:a::2:{n:x}", f"2001:db8:e::{n:x}", HOME_AGENT))
        for n in range(1, 3001)
    ]
    with small_world(tmp_path) as world:
        if mechanism == "mn_ha":
            with_the_option(world)
        else:
            world.unprotected()
        text = world.mobile_node.file.read_text()
        world.mobile_node.file.write_text(
            text.replace("manage = true", "manage = true\nlifetime = 4")
        )
        world.home_agent.start()
        world.mobile_node.start()
        world.plug("visited")
        registered(world)
        before = counted(world.home_agent)
        stop = threading.Event()

        def send() -> None:
            while not stop.is_set():
                attack(world, *flood)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            numbers: set[int] = set()

            def refreshed() -> bool:
                # Each lasts four seconds: one that is not refreshed is soon gone, for
                # a moment also where the machine is too busy to be in time.
                numbers.update(b["sequence_number"] for b in bindings(world))
                return len(numbers) > 3

            until(refreshed, "refreshed three times", 120)
        finally:
            stop.set()
            sender.join()
        after = counted(world.home_agent)
        assert after["dropped_signalling"] - before["dropped_signalling"] > 1000
        until(
            lambda: [b["home_address"] for b in bindings(world)] == [HOME_ADDRESS],
            "it alone is bound",
        )
        registered(world)
        until(world.pings, "reached")
