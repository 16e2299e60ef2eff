"""Stories for the simulator: what happens, what it cost."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address

from mip6.core.events import Place
from mip6.core.prefixes import HomePrefix
from mip6.wire.record import record

from . import invariants
from .network import (
    CORRESPONDENT,
    HOME,
    HOME_AGENT,
    NEW_HOME_PREFIX,
    PREFIXES,
    Advertising,
    Faults,
)
from .world import World

UNPLUGGED = 0.020
"""Seconds for which a cable is in no link."""
PERIOD = 0.002
"""Seconds between two packets of the traffic."""
ENDS_BY = 300.0
"""Seconds after which a scenario that has not come to its end has failed."""
OFTEN = Advertising()
SELDOM = Advertising(interval_min=3, interval_max=10)


@record
class Move:
    """What one move cost.  The time without carrier is not in it."""

    origin: str
    destination: str
    at: float
    """Seconds: when there was carrier again."""
    outage_down: float
    outage_up: float
    lost_down: int
    lost_up: int


@dataclass(slots=True)
class Story:
    """A scenario being played."""

    world: World
    where: str = HOME
    plugged_at: list[tuple[str, str, float, float]] = field(default_factory=list)

    def move(self, link: str, stay: float) -> None:
        """The cable goes to another link, and stays there for `stay` seconds."""
        left = self.world.now
        self.world.unplug()
        self.world.run(left + UNPLUGGED)
        self.plugged_at.append((self.where, link, left, self.world.now))
        self.where = link
        self.world.plug(link)
        self.world.run(self.world.now + stay)

    def sleep(self, link: str, seconds: float, stay: float) -> None:
        """The process stops, the link goes, and both come back elsewhere."""
        self.world.mobile.sleep()
        left = self.world.now
        self.world.unplug()
        self.world.run(left + seconds)
        self.plugged_at.append((self.where, link, left, self.world.now))
        self.where = link
        self.world.plug(link)
        self.world.mobile.wake()
        self.world.run(self.world.now + stay)

    def begin(self, link: str, stay: float = 2.0) -> None:
        self.where = link
        self.world.plug(link)
        self.world.run(self.world.now + stay)

    def talk(self, seconds: float, period: float = PERIOD) -> None:
        """Traffic both ways from now on; nothing else happens for so long."""
        self.world.traffic.start(period)
        self.world.run(self.world.now + seconds)

    def moves(self) -> list[Move]:
        traffic, costs = self.world.traffic, []
        ends = [left for _, _, left, _ in self.plugged_at[1:]] + [self.world.now]
        for (origin, to, left, plugged), end in zip(
            self.plugged_at, ends, strict=False
        ):
            # What is under way at the end is not lost.
            sent_by = end - 0.1
            costs.append(
                Move(
                    origin=origin,
                    destination=to,
                    at=plugged,
                    outage_down=traffic.down.outage(plugged, sent_by, traffic.period),
                    outage_up=traffic.up.outage(plugged, sent_by, traffic.period),
                    lost_down=traffic.down.missing(left, sent_by),
                    lost_up=traffic.up.missing(left, sent_by),
                )
            )
        return costs


@record
class Scenario:
    title: str
    play: Callable[[Story], None]
    lifetime: float = 600
    ends: Place = Place.REGISTERED
    links: tuple[str, ...] = ("eth0",)
    advertising: Advertising = OFTEN
    route_optimization: bool = False
    two_mobile_nodes: bool = False
    correspondents: int = 1
    without_mip6: bool = False
    two_home_agents: bool = False
    discover: bool = False
    prefix_discovery: bool = False


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


SCENARIOS: dict[str, Scenario] = {
    "handover": Scenario("from the home link to link b, under traffic", handover),
    "roaming_two_handovers": Scenario(
        "from home to b and on to c, under traffic", roaming_two_handovers
    ),
    "return_home": Scenario(
        "from b back to the home link", return_home, ends=Place.AT_HOME
    ),
    "binding_refresh": Scenario(
        "a minute on b with a registration of 20 seconds",
        binding_refresh,
        lifetime=20,
        advertising=SELDOM,
        route_optimization=True,
    ),
    "route_optimization": Scenario(
        "mobile node and correspondent come to talk directly; then from b to c",
        route_optimization,
        route_optimization=True,
    ),
    "route_optimization_two_correspondents": Scenario(
        "the same with two correspondents",
        route_optimization,
        route_optimization=True,
        correspondents=2,
    ),
    "return_home_route_optimization": Scenario(
        "home again: the correspondent is told to forget the care-of address",
        return_home_route_optimization,
        ends=Place.AT_HOME,
        route_optimization=True,
    ),
    "early_route_optimization": Scenario(
        "a move while the tests are under way",
        early_route_optimization,
        route_optimization=True,
    ),
    "two_mobile_nodes": Scenario(
        "two mobile nodes talk directly, and move at the same moment",
        two_mobile_nodes,
        route_optimization=True,
        two_mobile_nodes=True,
    ),
    "correspondent_restart": Scenario(
        "the correspondent reboots; later its daemon alone is killed",
        correspondent_restart,
        route_optimization=True,
    ),
    "correspondent_without_mip6": Scenario(
        "a correspondent that knows nothing of Mobile IPv6",
        correspondent_without_mip6,
        route_optimization=True,
        without_mip6=True,
    ),
    "movement_detection": Scenario(
        "the router of b stops; the other interface takes over",
        movement_detection,
        links=("eth0", "eth1"),
    ),
    "two_interfaces": Scenario(
        "between two links that work; then one of them is lost",
        two_interfaces,
        links=("eth0", "eth1"),
    ),
    "broken_network": Scenario(
        "the preferred link leads nowhere until it is repaired",
        broken_network,
        links=("eth0", "eth1"),
        advertising=SELDOM,
    ),
    "visited_again": Scenario(
        "back on links seen before, whose routers take their time to advertise",
        visited_again,
        advertising=Advertising(interval_min=3, interval_max=10, answer_max=0.5),
    ),
    "link_flap": Scenario("a cable with a bad contact", link_flap),
    "moves_faster_than_registration": Scenario(
        "twenty moves in a second", moves_faster_than_registration
    ),
    "home_agent_restart": Scenario(
        "the home agent's daemon is killed, started again, and then asked to move",
        home_agent_restart,
    ),
    "home_agent_discovery": Scenario(
        "two home agents on the home link, and the mobile node has to find them",
        home_agent_discovery,
        two_home_agents=True,
        discover=True,
    ),
    "home_agent_dies": Scenario(
        "the home agent's machine is gone; the next one is taken",
        home_agent_dies,
        lifetime=20,
        advertising=SELDOM,
        two_home_agents=True,
    ),
    "renumbering": Scenario(
        "another home prefix while it is away; the old one goes",
        renumbering,
        advertising=SELDOM,
        prefix_discovery=True,
    ),
    "mobile_node_restart": Scenario(
        "the mobile node's daemon is killed and started again", mobile_node_restart
    ),
    "visited_resolver": Scenario(
        "name servers of visited networks are asked, and never see the home address",
        visited_resolver,
        advertising=Advertising(say_name_server=True),
    ),
    "suspend_resume": Scenario(
        "the mobile node sleeps and wakes up elsewhere, once after its binding ended",
        suspend_resume,
        lifetime=20,
    ),
}
DEFAULT = "handover"


@record
class Outcome:
    world: World
    moves: list[Move]
    lost_down: int
    lost_up: int
    care_of_address: IPv6Address | None


def play(name: str, seed: int, faults: Faults | None = None) -> Outcome:
    """Play a scenario to its end.

    Raises KeyError for an unknown one, `InvariantError` if an invariant broke or it did
    not end as it should.
    """
    scenario = SCENARIOS[name]
    world = World(
        seed,
        faults=faults,
        lifetime=scenario.lifetime,
        links=scenario.links,
        advertising=scenario.advertising,
        route_optimization=scenario.route_optimization,
        two_mobile_nodes=scenario.two_mobile_nodes,
        correspondents=scenario.correspondents,
        without_mip6=scenario.without_mip6,
        two_home_agents=scenario.two_home_agents,
        discover=scenario.discover,
        prefix_discovery=scenario.prefix_discovery,
        inspect=invariants.at_every_step,
    )
    story = Story(world)
    scenario.play(story)
    # Where packets are lost it takes longer than the story allows.
    while world.mobile_node.place is not scenario.ends and world.now < ENDS_BY:
        world.run(world.now + 1.0)
    if world.mobile_node.place is not scenario.ends:
        raise invariants.InvariantError(world, f"ends {world.mobile_node.place}")
    agent = world.agents.find(world.mobile_node.home_agent or HOME_AGENT)
    assert agent is not None
    home_address = world.mobile_node.home_address
    if (agent.role.binding(home_address) is None) is not (
        scenario.ends is Place.AT_HOME
    ):
        raise invariants.InvariantError(world, "the home agent does not agree")
    if scenario.route_optimization:
        knows = not scenario.without_mip6
        lossless = faults is None or not faults.loss
        invariants.correspondents_agree(world, direct=knows and lossless)
    settled = world.now - 0.1
    flows = world.traffic.flows
    return Outcome(
        world=world,
        moves=story.moves(),
        lost_down=sum(flow.down.missing(0, settled) for flow in flows),
        lost_up=sum(flow.up.missing(0, settled) for flow in flows),
        care_of_address=world.mobile_node.care_of_address,
    )
