"""A real home link: whether somebody else there has the home address (§10.3.1)."""

import pytest
from tests.support.daemons import HOME_ADDRESS, World, until

pytestmark = pytest.mark.root


def away_with_a_namesake_at_home(world: World, transmits: int) -> None:
    world.agent.sysctl(f"eth1.dad_transmits={transmits}")
    world.cables.sysctl("home.disable_ipv6=0")
    world.cables.ip(f"address add {HOME_ADDRESS}/64 dev home nodad")
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")


@pytest.mark.rfc("10.3.1-17", "who has the home address already keeps it")
def test_a_namesake_is_found(world: World) -> None:
    away_with_a_namesake_at_home(world, transmits=1)

    def status() -> object:
        [home] = world.mobile_node.read("updates")["updates"]
        return home["status"]

    until(lambda: status() == 134, "refused for the namesake")
    assert world.home_agent.read("bindings")["bindings"] == []


def test_nobody_is_asked_where_the_link_is_configured_so(world: World) -> None:
    """DupAddrDetectTransmits = 0 (RFC 4862 §5.1) is the administrator's word."""
    away_with_a_namesake_at_home(world, transmits=0)
    until(lambda: world.mobile_node.place() == "registered", "registered")
