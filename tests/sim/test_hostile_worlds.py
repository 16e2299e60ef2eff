"""What nobody thought of: seeds × loss × reordering × moves × refusals × restarts.

A failure prints the seed and the moment; the same arguments make it happen again.
"""

from dataclasses import dataclass

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mip6.sim import invariants
from mip6.sim.network import Advertising, Faults
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

steps = st.lists(
    st.builds(
        Step,
        after=st.sampled_from((0.0, 0.003, 0.02, 0.3, 1.0, 5.0, 40.0)),
        what=st.sampled_from(ACTS),
    ),
    max_size=12,
)
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
    match what:
        case "home" | "b" | "c":
            world.unplug()
            world.plug(what)
        case "other":
            # The other interface, where there is one, goes to a link not in use.
            if "eth1" in world.plugged:
                world.unplug("eth1")
                free = [
                    link
                    for link in ("c", "b")
                    if world.mobile.interface_on(link) is None
                ]
                world.plug(free[0], "eth1")
        case "unplug":
            world.unplug()
        case "restart ha":
            world.kill(world.ha)
            world.run(world.now + 0.5)
            world.start(world.ha)
        case "restart mn":
            world.kill(world.mn)
            world.run(world.now + 0.5)
            world.start(world.mn)


def play(world: World, script: list[Step]) -> None:
    world.traffic.start(0.5)
    for step in script:
        world.run(world.now + step.after)
        act(world, step.what)


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
@given(st.integers(0, 2**32), faults, advertising, steps, st.booleans())
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
