"""A narrow link on the tunnel's path: no black hole, inner senders learn it."""

import pytest
from tests.support.daemons import CORRESPONDENT, HOME_ADDRESS, World, until

pytestmark = pytest.mark.root


@pytest.mark.parametrize("link", ["real", "virtual"])
def test_packet_too_big_reaches_the_inner_senders(world: World, link: str) -> None:
    """# gotcha 7: Packet Too Big for the tunnel teaches the kernel nothing."""
    if link == "virtual":
        world.virtual()
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")
    assert world.pings()
    world.router.ip("link set visited mtu 1400")

    ping = "ping -q -c 1 -W 1 -M do -s 1392"  # 1440 octets, 1480 in the tunnel

    def down() -> str:
        world.correspondent.run(f"{ping} {HOME_ADDRESS}", check=False)
        return world.correspondent.ip(f"route get {HOME_ADDRESS}")

    def up() -> str:
        command = f"{ping} -I {HOME_ADDRESS} {CORRESPONDENT}"
        return world.mobile.run(command, check=False)

    def table() -> str:
        return world.mobile.ip("route show table 100")

    until(lambda: "mtu 1360" in down(), "the correspondent knows")
    # The same on the way back: a link takes in no more than it gives out.
    world.router.ip("link set visited mtu 1500")
    world.router.ip("link set agent mtu 1400")
    until(lambda: up() and "mtu 1360" in table(), "the mobile node knows")
    # What the senders now cut to size arrives, both ways.
    size = "ping -q -c 2 -i 0.1 -W 1 -s 3000"
    assert " 2 received" in world.correspondent.run(f"{size} {HOME_ADDRESS}")
    assert " 2 received" in world.mobile.run(
        f"{size} -I {HOME_ADDRESS} {CORRESPONDENT}"
    )
