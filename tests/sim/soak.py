"""Many hostile worlds, one for each seed; for nights, not for `make test`.

    python -m tests.sim.soak --runs 100000 [--first SEED]

Every world is drawn from its seed alone: faults, advertisements, moves and restarts.
Each seed is two worlds, one of them with correspondents or a second mobile node that
want to talk directly.
Prints the seed of each failure and how to see it again; exit code 1 if there was one.
"""

import argparse
import sys
import time
import traceback
from dataclasses import replace
from random import Random

from tests.sim.test_hostile_worlds import (
    ACTS,
    HEALS_WITHIN,
    MORE_ACTS,
    Step,
    heals,
    optimizing_world,
    play,
)

from mip6.sim import invariants
from mip6.sim.network import Advertising, Faults
from mip6.sim.world import World

FAILURES_MAX = 20
"""Then it stops: they are likely to be one."""


def draw_world(
    draw: Random, acts: tuple[str, ...]
) -> tuple[Faults, Advertising, list[Step]]:
    faults = Faults(
        loss=draw.choice((0.0, 0.1, 0.3, 0.6)),
        duplicate=draw.choice((0.0, 0.2)),
        damage=draw.choice((0.0, 0.1)),
        jitter=draw.choice((0.0, 0.05, 2.0)),
        refuse=draw.choice((0.0, 0.0, 0.1, 0.5)),
        data_loss=draw.choice((0.0, 0.1)),
    )
    advertising = Advertising(
        interval_min=2.0,
        interval_max=draw.choice((2.5, 6.0)),
        answer_max=draw.choice((0.02, 0.5)),
        say_interval=draw.random() < 0.5,
    )
    afters = (0.0, 0.003, 0.02, 0.3, 1.0, 5.0, 40.0)
    script = [
        Step(draw.choice(afters), draw.choice(acts))
        for _ in range(draw.randrange(0, 13))
    ]
    return faults, advertising, script


def run_optimizing(seed: int) -> None:
    """The same with traffic that may take the direct way."""
    draw = Random(f"{seed}/optimizing world")
    faults, advertising, script = draw_world(draw, MORE_ACTS)
    world = optimizing_world(
        seed,
        faults,
        advertising,
        two_mobile_nodes=draw.random() < 0.5,
        correspondents=draw.choice((1, 2)),
        lifetime=draw.choice((20.0, 600.0)),
    )
    play(world, script)
    heals(world)


def run(seed: int) -> None:
    """Raises AssertionError, or whatever the core raised, if this world goes wrong."""
    draw = Random(f"{seed}/world")
    faults, advertising, script = draw_world(draw, ACTS)
    world = World(
        seed,
        faults=faults,
        advertising=advertising,
        links=("eth0", "eth1") if draw.random() < 0.5 else ("eth0",),
        inspect=invariants.at_every_step,
    )
    play(world, script)
    world.faults = Faults()
    # Healing takes long, and advertisements are most of the work in it.
    seldom = replace(advertising, interval_min=20.0, interval_max=30.0)
    for link, router in world.routers.items():
        world.routers[link] = replace(router, advertising=seldom)
    world.traffic.stop()
    if "eth1" in world.plugged:
        world.unplug("eth1")
    world.run(world.now + HEALS_WITHIN)
    invariants.both_ends_agree(world)
    if world.plugged["eth0"] is not None:
        invariants.packets_arrive(world)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    begin, count = time.monotonic(), 0
    failed: list[int] = []
    seeds = range(arguments.first, arguments.first + arguments.runs)
    for count, seed in enumerate(seeds, 1):
        try:
            run(seed)
            run_optimizing(seed)
        except Exception:
            failed.append(seed)
            traceback.print_exc(limit=-2)
            print(f"seed {seed} failed; again: --first {seed} --runs 1", flush=True)
        if len(failed) == FAILURES_MAX:
            break
        if count % 1000 == 0:
            spent = time.monotonic() - begin
            print(f"{count} runs, {len(failed)} failed, {spent:.0f} s", flush=True)
    total = f"{count} runs from seed {arguments.first}"
    print(f"{total}: {len(failed)} failed {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
