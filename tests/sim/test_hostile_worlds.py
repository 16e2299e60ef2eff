"""What nobody thought of: seeds × loss × reordering × moves × refusals × restarts.

A failure prints the seed and the moment; the same arguments make it happen again.
"""

from dataclasses import dataclass
from ipaddress import IPv6Network

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mip6.core.route_optimization import CorrespondentPolicy, Mode
from mip6.sim import invariants
from mip6.sim.network import CORRESPONDENT, Advertising, Faults
from mip6.sim.party import Party
from mip6.sim.world import World

HEALS_WITHIN = 150.0
"""Seconds: a refusal is respected for 32, the kernel's and the network's likewise."""

hostile = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)


@dataclass(frozen=True)
class Step:
    after: float
    what: str


QUIET = Advertising(interval_min=2.0, interval_max=2.5)
OVERTAKING = [Step(0.0, "b"), Step(0.02, "home")]
ACTS = ("home", "b", "c", "unplug", "restart ha", "restart mn", "other")
MORE_ACTS = (*ACTS, "other moves", "restart cn", "reboot cn")
ASKED_AGAIN = (CorrespondentPolicy(IPv6Network("::/0"), Mode.AUTO, ask_again=20.0),)


def scripts(acts: tuple[str, ...]) -> st.SearchStrategy[list[Step]]:
    step = st.builds(
        Step,
        after=st.sampled_from((0.0, 0.003, 0.02, 0.3, 1.0, 5.0, 40.0)),
        what=st.sampled_from(acts),
    )
    return st.lists(step, max_size=12)


faults = st.builds(
    Faults,
    loss=st.sampled_from((0.0, 0.1, 0.3, 0.6)),
    duplicate=st.sampled_from((0.0, 0.2)),
    damage=st.sampled_from((0.0, 0.1)),
    jitter=st.sampled_from((0.0, 0.05, 2.0)),
    refuse=st.sampled_from((0.0, 0.0, 0.1, 0.5)),
    data_loss=st.sampled_from((0.0, 0.1)),
)
advertising = st.builds(
    Advertising,
    interval_min=st.just(2.0),
    interval_max=st.sampled_from((2.5, 6.0)),
    answer_max=st.sampled_from((0.02, 0.5)),
    say_interval=st.booleans(),
)


def act(world: World, what: str) -> None:
    if what == "restart cn" and not world.peers:
        what = "restart mn2"
    match what:
        case "home" | "b" | "c":
            world.unplug()
            world.plug(what)
        case "other":
            # The other interface, where there is one, goes to a link not in use.
            if "eth1" in world.plugged:
                world.unplug("eth1")
                plugged = world.plugged.values()
                world.plug("b" if "c" in plugged else "c", "eth1")
        case "unplug":
            world.unplug()
        case "other moves" if world.mobiles[1:]:
            other = world.mobiles[1]
            links = {None: "b", "b": "c", "c": "home", "home": "b"}
            link = links[other.plugged["eth0"]]
            world.unplug(mobile=other)
            world.plug(link, mobile=other)
        case "restart ha":
            restart(world, world.ha)
        case "restart mn":
            restart(world, world.mn)
        case "restart mn2":
            restart(world, world.mobiles[-1].party)
        case "restart cn":
            restart(world, world.peers[CORRESPONDENT].party)
        case "reboot cn" if world.peers:
            world.reboot_correspondent()


def act_there(world: World, what: str) -> None:
    """What goes wrong beyond the visited link."""
    other = world.agents.all[-1]
    match what:
        case "restart ha2" if not other.dead:
            restart(world, other.party)
        case "reboot ha2":
            world.agents.reboot(other)
        case "ha2 dies":
            world.agents.die(other)
        case "sever":
            world.sever("b")
        case "repair":
            world.repair("b")


def restart(world: World, party: Party | None) -> None:
    assert party is not None
    world.kill(party)
    world.run(world.now + 0.5)
    world.start(party)


def play(world: World, script: list[Step]) -> None:
    world.traffic.start(0.5)
    for step in script:
        world.run(world.now + step.after)
        if step.what == "reboot ha":
            world.reboot_home_agent()
        else:
            act(world, step.what)
            act_there(world, step.what)


# The de-registration takes the short way and overtakes the Binding Update.
@example(0, Faults(), QUIET, OVERTAKING, False)
@example(0, Faults(), QUIET, [*OVERTAKING, Step(0.0, "restart mn")], False)
# News that stood behind a refused state was lost, and packets went in circles.
@example(
    0,
    Faults(damage=0.1, jitter=0.05, refuse=0.5),
    Advertising(2.0, 6.0, 0.5, False),
    [
        Step(0.3, "home"),
        Step(40.0, "home"),
        Step(0.003, "restart mn"),
        Step(0.02, "other"),
        Step(40.0, "other"),
        Step(0.003, "c"),
        Step(0.3, "restart mn"),
    ],
    True,
)
@hostile
@given(st.integers(0, 2**32), faults, advertising, scripts(ACTS), st.booleans())
def test_a_broken_world_heals(
    seed: int, broken: Faults, how: Advertising, script: list[Step], two: bool
) -> None:
    world = World(
        seed,
        faults=broken,
        advertising=how,
        links=("eth0", "eth1") if two else ("eth0",),
        inspect=invariants.at_every_step,
    )
    play(world, script)
    world.faults = Faults()
    world.traffic.stop()
    if "eth1" in world.plugged:
        world.unplug("eth1")
    world.run(world.now + HEALS_WITHIN)
    invariants.both_ends_agree(world)
    if world.plugged["eth0"] is not None:
        invariants.packets_arrive(world)


@settings(hostile, max_examples=100)
@given(st.integers(0, 2**32), faults, advertising, scripts((*ACTS, "reboot ha")))
def test_a_broken_home_link_heals(
    seed: int, broken: Faults, how: Advertising, script: list[Step]
) -> None:
    """With duplicate address detection, during which anything may happen."""
    world = World(
        seed,
        faults=broken,
        advertising=how,
        check_time=1.0,
        inspect=invariants.at_every_step,
    )
    play(world, script)
    world.faults = Faults()
    world.run(world.now + HEALS_WITHIN)
    invariants.both_ends_agree(world)
    if world.plugged["eth0"] is not None:
        invariants.packets_arrive(world)


# Another home agent took over with a binding that the first still defended.
@example(0, Faults(), QUIET, [Step(0.0, "b"), Step(40.0, "ha2 dies")], False)
@example(0, Faults(), QUIET, [Step(0.0, "b"), Step(40.0, "reboot ha2")], True)
@settings(hostile, max_examples=150)
@given(
    st.integers(0, 2**32),
    faults,
    advertising,
    scripts((*ACTS, "restart ha2", "reboot ha2", "ha2 dies", "sever", "repair")),
    st.booleans(),
)
def test_a_world_with_two_home_agents_heals(
    seed: int, broken: Faults, how: Advertising, script: list[Step], discover: bool
) -> None:
    """Whichever of them serves in the end, it is where packets go."""
    world = World(
        seed,
        faults=broken,
        advertising=how,
        check_time=1.0,
        lifetime=40,
        two_home_agents=True,
        discover=discover,
        inspect=invariants.at_every_step,
    )
    play(world, script)
    world.faults = Faults()
    world.severed.clear()
    world.run(world.now + HEALS_WITHIN)
    invariants.both_ends_agree(world)
    if world.plugged["eth0"] is not None:
        invariants.packets_arrive(world)


def optimizing_world(
    seed: int,
    broken: Faults,
    how: Advertising,
    *,
    two_mobile_nodes: bool,
    correspondents: int = 1,
    links: tuple[str, ...] = ("eth0",),
    lifetime: float = 600,
) -> World:
    """With traffic that both ends want to take the direct way."""
    world = World(
        seed,
        faults=broken,
        advertising=how,
        links=links,
        lifetime=lifetime,
        route_optimization=True,
        policies=ASKED_AGAIN,
        two_mobile_nodes=two_mobile_nodes,
        correspondents=correspondents,
        inspect=invariants.at_every_step,
    )
    if two_mobile_nodes:
        world.plug("c", mobile=world.mobiles[1])
    return world


def heals(world: World) -> None:
    """Nothing goes wrong any more, and there is traffic."""
    world.faults = Faults()
    world.traffic.period = 2.0
    world.run(world.now + HEALS_WITHIN)
    invariants.both_ends_agree(world)
    plugged = all(mobile.plugged["eth0"] for mobile in world.mobiles)
    invariants.correspondents_agree(world, direct=plugged)
    if plugged:
        invariants.packets_arrive(world)


@hostile
@given(
    st.integers(0, 2**32),
    faults,
    advertising,
    scripts(MORE_ACTS),
    st.booleans(),
    st.sampled_from((20.0, 600.0)),
)
def test_a_broken_world_heals_and_talks_directly(
    seed: int,
    broken: Faults,
    how: Advertising,
    script: list[Step],
    two: bool,
    lifetime: float,
) -> None:
    world = optimizing_world(seed, broken, how, two_mobile_nodes=two, lifetime=lifetime)
    play(world, script)
    heals(world)
