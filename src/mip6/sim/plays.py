"""What happens in each scenario of the simulator."""

from dataclasses import replace

from mip6.core.prefixes import HomePrefix

from .network import (
    CORRESPONDENT,
    HOME,
    NEW_HOME_PREFIX,
    PREFIXES,
)
from .story import UNPLUGGED, Story


def handover(story: Story) -> None:
    story.begin(HOME)
    story.talk(0.1)
    story.move("b", stay=0.5)


def roaming_two_handovers(story: Story) -> None:
    story.begin(HOME)
    story.talk(0.1)
    story.move("b", stay=0.5)
    story.move("c", stay=0.5)


def return_home(story: Story) -> None:
    story.begin("b")
    story.talk(0.1)
    story.move(HOME, stay=0.5)


def binding_refresh(story: Story) -> None:
    story.begin("b", stay=1.0)
    story.talk(60, period=0.1)


def route_optimization(story: Story) -> None:
    """The first packets go through the home agent; from B to C the direct way moves."""
    story.begin("b")
    story.talk(0.5)
    story.move("c", stay=0.5)


def return_home_route_optimization(story: Story) -> None:
    story.begin("b")
    story.talk(0.5)
    story.move(HOME, stay=0.5)


def early_route_optimization(story: Story) -> None:
    """The cable is pulled while the tests are under way."""
    story.begin("b")
    story.talk(0.025)
    story.move("c", stay=0.5)


def two_mobile_nodes(story: Story) -> None:
    """Both move, at the same moment."""
    world = story.world
    one, other = world.mobiles
    world.plug("c", mobile=other)
    story.begin("b")
    story.talk(0.5)
    left = world.now
    world.unplug(mobile=one)
    world.unplug(mobile=other)
    world.run(left + UNPLUGGED)
    story.plugged_at.append(("b", "c", left, world.now))
    world.plug("c", mobile=one)
    world.plug("b", mobile=other)
    world.run(world.now + 2.5)


def correspondent_restart(story: Story) -> None:
    """Its machine reboots: packets on the direct way bring a Binding Error."""
    world = story.world
    story.begin("b")
    story.talk(2.0, period=0.01)
    world.reboot_correspondent()
    world.run(world.now + 1.0)
    # And its process alone: the kernel goes on, its keys are gone.
    peer = world.peers[CORRESPONDENT].party
    assert peer is not None
    world.kill(peer)
    world.run(world.now + 0.5)
    world.start(peer)
    story.move("c", stay=1.0)


def correspondent_without_mip6(story: Story) -> None:
    story.begin("b")
    story.talk(0.5)
    story.move("c", stay=0.5)


def movement_detection(story: Story) -> None:
    """The router of b falls silent without the link going down; eth1 is on c."""
    world = story.world
    world.plug("c", "eth1")
    world.run(0.5)
    story.begin("b", stay=1.0)
    story.talk(0.5)
    # No cable moves, so the move begins when the router ends.
    story.plugged_at.append(("b", "c", world.now, world.now))
    world.silence("b")
    world.run(world.now + 2.5)


def two_interfaces(story: Story) -> None:
    """With both links working no packet is lost, whichever is taken."""
    world = story.world
    story.begin("b", stay=1.0)
    world.plug("c", "eth1")
    story.talk(0.2)
    for interface, origin, to in (("eth1", "b", "c"), ("eth0", "c", "b")):
        story.plugged_at.append((origin, to, world.now, world.now))
        world.handover(interface)
        world.run(world.now + 2.5)
    # Now the one in use is lost.
    story.plugged_at.append(("b", "c", world.now, world.now))
    world.unplug("eth0")
    world.run(world.now + 0.5)


def broken_network(story: Story) -> None:
    """The preferred link is up, and does not lead to the home agent."""
    world = story.world
    world.plug("c", "eth1")
    story.talk(1.0, period=0.02)
    world.sever("b")
    story.begin("b", stay=10.0)
    world.repair("b")
    world.run(world.now + 32.0)


def visited_again(story: Story) -> None:
    """Back on a link seen before: its router answers long before it advertises."""
    story.begin("b", stay=4.0)
    story.talk(0.1, period=0.01)
    story.move("c", stay=8.0)
    story.move("b", stay=2.0)
    story.move("c", stay=2.0)


def link_flap(story: Story) -> None:
    story.begin("b")
    story.talk(0.1)
    for stay in (0.01, 0.2, 0.03, 0.1):
        story.move("b", stay)
    story.world.run(story.world.now + 2.0)


def moves_faster_than_registration(story: Story) -> None:
    """Twenty moves in a second; the last one wins."""
    story.begin("b")
    story.talk(0.1, period=0.01)
    for _ in range(10):
        story.move("c", stay=0.03)
        story.move("b", stay=0.03)
    story.world.run(story.world.now + 2.0)


def home_agent_restart(story: Story) -> None:
    world = story.world
    story.begin("b")
    story.talk(0.2)
    world.kill(world.ha)
    world.run(world.now + 1.0)
    world.start(world.ha)
    world.traffic.show()
    story.move("c", stay=0.5)


def mobile_node_restart(story: Story) -> None:
    world = story.world
    story.begin("b")
    story.talk(0.2)
    world.kill(world.mn)
    world.run(world.now + 1.0)
    world.start(world.mn)
    world.traffic.show()
    world.run(world.now + 2.0)


def suspend_resume(story: Story) -> None:
    """The second time for longer than a registration lasts."""
    story.begin("b")
    story.talk(0.2, period=0.02)
    story.sleep("c", 3.0, stay=2.0)
    story.sleep("b", 60.0, stay=2.0)


def visited_resolver(story: Story) -> None:
    """The name server of a visited network is asked there, on the way to the next one,
    and from there, where somebody may not have heard of the new one yet."""
    world = story.world
    story.begin("b")
    story.talk(0.1, period=0.02)
    world.name_servers.ask("b")
    world.run(world.now + 0.1)
    left = world.now
    world.unplug()
    world.name_servers.ask("b")
    world.run(left + UNPLUGGED)
    story.plugged_at.append(("b", "c", left, world.now))
    world.plug("c")
    world.run(world.now + 0.001)
    world.name_servers.ask("b")
    world.run(world.now + 0.5)
    world.name_servers.ask("c")
    world.run(world.now + 0.1)
    world.name_servers.ask("b")
    world.run(world.now + 0.5)


def home_agent_discovery(story: Story) -> None:
    """The mobile node is told nothing: it asks the home link, and registers with the
    one that is named first."""
    story.begin("b")
    story.talk(0.2)
    story.move("c", stay=0.5)


def home_agent_dies(story: Story) -> None:
    """The machine of the one that serves it is gone; the refresh is not answered."""
    world = story.world
    story.begin("b")
    story.talk(0.1, period=0.02)
    # No cable moves, so the move begins when the machine ends.
    story.plugged_at.append(("b", "b", world.now, world.now))
    world.agents.die(world.agents.all[1])
    world.run(world.now + 25.0)


def renumbering(story: Story) -> None:
    """A new prefix, the old one deprecated, and gone; what began before goes on until
    then."""
    world = story.world
    story.begin("b")
    story.talk(0.1, period=0.1)
    old, new = HomePrefix(network=PREFIXES[HOME]), HomePrefix(network=NEW_HOME_PREFIX)
    world.renumber(old, new)
    world.run(world.now + 20.0)
    ends = world.now + 60.0
    world.renumber(replace(old, preferred_lifetime=0, valid_until=ends), new)
    world.run(world.now + 20.0)
    world.unplug()
    world.run(world.now + UNPLUGGED)
    world.plug("c")
    world.run(ends - 5.0)
    world.traffic.stop()  # by the old address, which ends
    world.run(ends + 2.0)
