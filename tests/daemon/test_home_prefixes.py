"""The prefixes of the home link, from its home agent to the mobile node."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.daemons import HOME_ADDRESS, World, until

pytestmark = pytest.mark.root

HOME_PREFIX = "2001:db8:a::/64"
NEW_PREFIX = "2001:db8:1a::/64"
NEW_HOME_ADDRESS = "2001:db8:1a::100"


def status(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.mobile_node.read("status")["mobile_node"]
    return found


def prefixes(world: World, *said: str) -> None:
    """What the home agent's file says of them; the first time before it starts."""
    file = world.home_agent.file
    head, _, rest = file.read_text().partition("[home_agent]\n")
    kept = (
        line
        for line in rest.splitlines(keepends=True)
        if not line.startswith(("prefixes =", "prefix_interval"))
    )
    text = (
        "[home_agent]\nprefix_interval_min = 0.1\nprefix_interval_max = 5\n"
        f"prefixes = {{ {', '.join(said)} }}\n"
    )
    file.write_text(head + text + "".join(kept))


def reload(world: World) -> None:
    done = world.home_agent.call("reload", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["changed"]


def answers(world: World, address: str) -> bool:
    command = f"ping -q -c 2 -i 0.1 -W 1 {address}"
    return " 2 received" in world.correspondent.run(command, check=False)


@pytest.mark.parametrize("protected", [True, False], ids=["ESP", "unprotected"])
def test_the_mobile_node_learns_them_when_it_has_registered(
    world: World, protected: bool
) -> None:
    if not protected:
        world.unprotected()
    prefixes(world, f'"{HOME_PREFIX}" = {{ preferred_lifetime = 86400 }}')
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    [prefix] = until(lambda: status(world)["home_prefixes"], "the prefixes are told")
    assert prefix["prefix"] == HOME_PREFIX
    assert prefix["valid_s"] is None
    assert isinstance(prefix["preferred_s"], float)
    assert 86300 < prefix["preferred_s"] <= 86400
    assert "home prefix" in world.mobile_node.call("status").stdout


@pytest.mark.rfc("8.5-13", "with real packets, and keys derived for the new address")
def test_the_home_link_is_renumbered(world: World) -> None:
    file = world.mobile_node.file
    formed = f'home_prefix = "{HOME_PREFIX}"\ninterface_identifier = "::100"'
    text = file.read_text().replace(f'home_address = "{HOME_ADDRESS}/64"', formed)
    file.write_text(text)
    world.router.ip(f"route add {NEW_PREFIX} via 2001:db8:f::2")
    world.agent.ip("addr add 2001:db8:1a::1/64 dev eth1 nodad")
    prefixes(world)
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: status(world)["home_prefixes"], "the prefixes are told")
    assert status(world)["home_address"] == HOME_ADDRESS
    # Another prefix, in which the same mobile node may register.
    prefixes(world, f'"{NEW_PREFIX}" = {{}}')
    reload(world)

    def both() -> bool:
        found = world.home_agent.read("bindings")["bindings"]
        return {b["home_address"] for b in found} == {HOME_ADDRESS, NEW_HOME_ADDRESS}

    until(both, "both are registered")
    until(lambda: answers(world, NEW_HOME_ADDRESS), "the new one is reached")
    assert answers(world, HOME_ADDRESS)
    [further] = status(world)["further_home_addresses"]
    assert further["home_address"] == NEW_HOME_ADDRESS
    # The old one is not for new connections any more.
    prefixes(
        world,
        f'"{NEW_PREFIX}" = {{}}',
        f'"{HOME_PREFIX}" = {{ preferred_lifetime = 0 }}',
    )
    reload(world)
    until(lambda: status(world)["home_address"] == NEW_HOME_ADDRESS, "it is first")
    assert answers(world, HOME_ADDRESS)
    chosen = world.mobile.run("ip -6 -j route get 2001:db8:e::2")
    assert json.loads(chosen)[0]["prefsrc"] == NEW_HOME_ADDRESS
    world.plug("home")
    until(lambda: status(world)["place"] == "at_home", "it is home by either prefix")
    world.plug("visited")
    until(lambda: status(world)["place"] == "registered", "away again")
    until(both, "both are registered again")
    # And then it is over.
    end = datetime.now(UTC) + timedelta(seconds=20)
    over = f'"{HOME_PREFIX}" = {{ valid_until = {end:%Y-%m-%dT%H:%M:%SZ} }}'
    prefixes(world, f'"{NEW_PREFIX}" = {{}}', over)
    reload(world)
    left = "the old one is left"
    until(lambda: not status(world)["further_home_addresses"], left, seconds=150)
    until(lambda: answers(world, NEW_HOME_ADDRESS), "the new one is reached")
    assert HOME_ADDRESS not in world.mobile.run("ip -6 addr")
    assert f"from {HOME_ADDRESS}" not in world.mobile.run("ip -6 rule")
