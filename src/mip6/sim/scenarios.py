"""The scenarios of the simulator: what happens, how it ends, what it cost."""

from collections.abc import Callable
from ipaddress import IPv6Address

from mip6.core.events import Place
from mip6.wire.record import record

from . import invariants, plays
from .network import (
    HOME_AGENT,
    Advertising,
    Faults,
)
from .story import Move, Story
from .world import World

ENDS_BY = 300.0
"""Seconds after which a scenario that has not come to its end has failed."""
OFTEN = Advertising()
SELDOM = Advertising(interval_min=3, interval_max=10)


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


SCENARIOS: dict[str, Scenario] = {
    "handover": Scenario("from the home link to link b, under traffic", plays.handover),
    "roaming_two_handovers": Scenario(
        "from home to b and on to c, under traffic", plays.roaming_two_handovers
    ),
    "return_home": Scenario(
        "from b back to the home link", plays.return_home, ends=Place.AT_HOME
    ),
    "binding_refresh": Scenario(
        "a minute on b with a registration of 20 seconds",
        plays.binding_refresh,
        lifetime=20,
        advertising=SELDOM,
        route_optimization=True,
    ),
    "route_optimization": Scenario(
        "mobile node and correspondent come to talk directly; then from b to c",
        plays.route_optimization,
        route_optimization=True,
    ),
    "route_optimization_two_correspondents": Scenario(
        "the same with two correspondents",
        plays.route_optimization,
        route_optimization=True,
        correspondents=2,
    ),
    "return_home_route_optimization": Scenario(
        "home again: the correspondent is told to forget the care-of address",
        plays.return_home_route_optimization,
        ends=Place.AT_HOME,
        route_optimization=True,
    ),
    "early_route_optimization": Scenario(
        "a move while the tests are under way",
        plays.early_route_optimization,
        route_optimization=True,
    ),
    "two_mobile_nodes": Scenario(
        "two mobile nodes talk directly, and move at the same moment",
        plays.two_mobile_nodes,
        route_optimization=True,
        two_mobile_nodes=True,
    ),
    "correspondent_restart": Scenario(
        "the correspondent reboots; later its daemon alone is killed",
        plays.correspondent_restart,
        route_optimization=True,
    ),
    "correspondent_without_mip6": Scenario(
        "a correspondent that knows nothing of Mobile IPv6",
        plays.correspondent_without_mip6,
        route_optimization=True,
        without_mip6=True,
    ),
    "movement_detection": Scenario(
        "the router of b stops; the other interface takes over",
        plays.movement_detection,
        links=("eth0", "eth1"),
    ),
    "two_interfaces": Scenario(
        "between two links that work; then one of them is lost",
        plays.two_interfaces,
        links=("eth0", "eth1"),
    ),
    "broken_network": Scenario(
        "the preferred link leads nowhere until it is repaired",
        plays.broken_network,
        links=("eth0", "eth1"),
        advertising=SELDOM,
    ),
    "visited_again": Scenario(
        "back on links seen before, whose routers take their time to advertise",
        plays.visited_again,
        advertising=Advertising(interval_min=3, interval_max=10, answer_max=0.5),
    ),
    "link_flap": Scenario("a cable with a bad contact", plays.link_flap),
    "moves_faster_than_registration": Scenario(
        "twenty moves in a second", plays.moves_faster_than_registration
    ),
    "home_agent_restart": Scenario(
        "the home agent's daemon is killed, started again, and then asked to move",
        plays.home_agent_restart,
    ),
    "home_agent_discovery": Scenario(
        "two home agents on the home link, and the mobile node has to find them",
        plays.home_agent_discovery,
        two_home_agents=True,
        discover=True,
    ),
    "home_agent_dies": Scenario(
        "the home agent's machine is gone; the next one is taken",
        plays.home_agent_dies,
        lifetime=20,
        advertising=SELDOM,
        two_home_agents=True,
    ),
    "renumbering": Scenario(
        "another home prefix while it is away; the old one goes",
        plays.renumbering,
        advertising=SELDOM,
        prefix_discovery=True,
    ),
    "mobile_node_restart": Scenario(
        "the mobile node's daemon is killed and started again",
        plays.mobile_node_restart,
    ),
    "visited_resolver": Scenario(
        "name servers of visited networks are asked, and never see the home address",
        plays.visited_resolver,
        advertising=Advertising(say_name_server=True),
    ),
    "suspend_resume": Scenario(
        "the mobile node sleeps and wakes up elsewhere, once after its binding ended",
        plays.suspend_resume,
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
