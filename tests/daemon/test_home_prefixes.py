"""The prefixes of the home link, from its home agent to the mobile node."""

import pytest
from tests.support.daemons import World, until

pytestmark = pytest.mark.root

HOME_PREFIX = "2001:db8:a::/64"


@pytest.mark.parametrize("protected", [True, False], ids=["ESP", "unprotected"])
def test_the_mobile_node_learns_them_when_it_has_registered(
    world: World, protected: bool
) -> None:
    if not protected:
        world.unprotected()
    file = world.home_agent.file
    limits = f'\n[home_agent.prefixes."{HOME_PREFIX}"]\npreferred_lifetime = 86400\n'
    file.write_text(file.read_text() + limits)
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")

    def told() -> list[dict[str, object]]:
        status = world.mobile_node.read("status")
        prefixes: list[dict[str, object]] = status["mobile_node"]["home_prefixes"]
        return prefixes

    [prefix] = until(told, "the home agent has told its prefixes")
    assert prefix["prefix"] == HOME_PREFIX
    assert prefix["valid_s"] is None
    assert isinstance(prefix["preferred_s"], float)
    assert 86300 < prefix["preferred_s"] <= 86400
    assert "home prefix" in world.mobile_node.call("status").stdout
