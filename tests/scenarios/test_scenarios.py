"""Every scenario of the simulator, as a reader of its ladder sees it."""

from collections.abc import Callable

import pytest

from mip6.sim.ladder import ladder
from mip6.sim.network import link_of
from mip6.sim.scenarios import SCENARIOS, Outcome, play

SEED = 1


def text_of(outcome: Outcome) -> str:
    lines = ladder(outcome.world.trace)
    for move in outcome.moves:
        lines.append(
            f"{move.origin} -> {move.destination}: "
            f"down {move.outage_down * 1000:.1f} ms, {move.lost_down} lost, "
            f"up {move.outage_up * 1000:.1f} ms, {move.lost_up} lost"
        )
    lines.append(f"lost in all: {outcome.lost_down} down, {outcome.lost_up} up")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", SCENARIOS)
def test_trace(name: str, trace_is: Callable[[str, str], None]) -> None:
    trace_is(name, text_of(play(name, SEED)))


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("seed", [2, 3])
def test_ends_well_with_other_seeds(name: str, seed: int) -> None:
    """`play` raises if an invariant breaks or the two ends do not agree."""
    outcome = play(name, seed)
    # A silent router takes what is sent to it; at most 64 packets wait for a rate.
    # Who sends directly does so until it hears of a move, or of a binding that is gone.
    loses = {
        "movement_detection",
        "moves_faster_than_registration",
        "two_mobile_nodes",
        "correspondent_restart",
        "home_agent_dies",
        # Nothing that is sent waits for a process that sleeps.
        "suspend_resume",
    }
    assert outcome.lost_up == 0 or name in loses


def test_a_move_loses_only_what_was_sent_to_the_old_link() -> None:
    """Decision 0005: nothing from the mobile node, and nothing to it once the home
    agent knows; with 20 ms to the home agent and back the outage is a little more."""
    [move] = play("handover", SEED).moves
    assert move.lost_up == 0
    assert move.outage_down < 0.035


def test_restarts_lose_nothing() -> None:
    outcome = play("mobile_node_restart", SEED)
    assert (outcome.lost_down, outcome.lost_up) == (0, 0)


def test_a_refresh_loses_nothing() -> None:
    outcome = play("binding_refresh", SEED)
    assert (outcome.lost_down, outcome.lost_up) == (0, 0)
    assert len(outcome.world.updates) == 5


def test_name_servers_of_visited_networks_see_care_of_addresses() -> None:
    """Decision 0035.  B's is asked twice more while there is no link, or no care-of
    address yet: such a question does not wait for the tunnel."""
    outcome = play("visited_resolver", SEED)
    seen = outcome.world.name_servers.seen
    assert [(server, link_of(source)) for server, source in seen] == [
        ("b", "b"),
        ("c", "c"),
        ("b", "c"),
    ]
