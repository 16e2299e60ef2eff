"""The simulator itself: the same again from the same seed; worlds with one fault."""

import dataclasses

import pytest

from mip6.core.events import Place
from mip6.core.state import CareOfAddress, RouteOptimization, Tunnel
from mip6.sim import invariants
from mip6.sim.network import (
    CORE_DELAY,
    CORRESPONDENT,
    HOME,
    HOME_ADDRESS,
    LINK_DELAY,
    Faults,
)
from mip6.sim.trace import Arrow
from mip6.sim.world import World
from mip6.wire.messages import BindingUpdate, CareOfTestInit, HomeTestInit

BROKEN = Faults(loss=0.3, duplicate=0.2, damage=0.1, jitter=0.05, refuse=0.3)


def moving(seed: int, faults: Faults) -> World:
    world = World(
        seed, faults=dataclasses.replace(faults), inspect=invariants.at_every_step
    )
    for link in (HOME, "b", "c", "b", HOME, "c"):
        world.unplug()
        world.plug(link)
        world.run(world.now + 3.0)
    return world


def test_same_seed_same_trace() -> None:
    first, again = moving(7, BROKEN), moving(7, BROKEN)
    assert first.trace == again.trace
    assert first.mn.ledger == again.mn.ledger


def test_other_seed_other_trace() -> None:
    assert moving(7, BROKEN).trace != moving(8, BROKEN).trace


def test_a_new_fault_leaves_the_other_chances_alone() -> None:
    """One stream for each concern: without a packet damaged the losses are the same."""

    def lost(damage: float) -> list[str]:
        faults = Faults(loss=0.5, damage=damage)
        world = World(3, faults=faults)
        world.plug("b")
        world.run(1.0)
        arrows = [entry for entry in world.trace if isinstance(entry, Arrow)]
        return [arrow.fate for arrow in arrows[:1]]

    assert lost(0.0)[0] == lost(1.0)[0].replace("damaged", "")


def test_twenty_moves_a_second_are_three_binding_updates_a_second() -> None:
    """§11.8; the last of them is the one that counts."""
    world = World(1, inspect=invariants.at_every_step)
    for number in range(60):
        world.unplug()
        world.plug("bc"[number % 2])
        world.run(world.now + 0.05)
    world.run(world.now + 3.0)
    invariants.both_ends_agree(world)
    assert world.mobile_node.care_of_address is not None
    assert len(world.updates) >= 6
    for first, fourth in zip(world.updates, world.updates[3:], strict=False):
        assert fourth - first >= 1.0


def test_back_on_the_same_link_at_once_says_nothing() -> None:
    """The home agent knows this care-of address: the tunnel is simply there again."""
    world = World(1, inspect=invariants.at_every_step)
    world.plug("b")
    world.run(1.0)
    sent = len(world.updates)
    world.unplug()
    world.run(1.02)
    world.plug("b")
    world.run(1.5)
    assert len(world.updates) == sent
    invariants.both_ends_agree(world)
    invariants.packets_arrive(world)


def test_duplicate_care_of_address() -> None:
    """Another node has the address: a random one takes its place, and is registered."""
    world = World(1, inspect=invariants.at_every_step)
    world.plug("b")
    world.run(0.5)
    first = world.mobile_node.care_of_address
    assert first is not None
    world.taken.add(first)
    world.run(3.0)
    second = world.mobile_node.care_of_address
    assert second not in (None, first)
    assert {s.address for s in world.mn.owned if isinstance(s, CareOfAddress)} == {
        second
    }
    invariants.both_ends_agree(world)


def test_everything_is_duplicate() -> None:
    """After three conflicts the link is left alone (§11.5.3, RFC 7217)."""
    world = World(1, inspect=invariants.at_every_step)

    class Everybody(set):  # type: ignore[type-arg]
        def __contains__(self, address: object) -> bool:
            return True

    world.taken = Everybody()
    world.plug("b")
    world.run(10.0)
    assert world.mobile_node.place is Place.NOWHERE
    assert not [s for s in world.mn.owned if isinstance(s, CareOfAddress)]
    world.taken = set()
    world.unplug()
    world.plug("b")
    world.run(20.0)
    invariants.both_ends_agree(world)


def test_two_interfaces_make_before_break() -> None:
    """The new link is preferred, the old one still works: nothing is lost."""
    world = World(1, links=("eth0", "eth1"), inspect=invariants.at_every_step)
    world.plug("c", "eth1")
    world.run(1.0)
    world.traffic.start(0.001)
    world.run(1.5)
    world.plug("b", "eth0")
    world.run(2.5)
    assert world.mobile_node.link == "eth0"
    assert world.traffic.down.missing(0, 2.4) == 0
    assert world.traffic.up.missing(0, 2.4) == 0
    world.run(6.0)
    [address] = [s for s in world.mn.owned if isinstance(s, CareOfAddress)]
    assert address.link == "eth0"


def test_killed_and_not_started_again_ends_with_the_lifetime() -> None:
    """The data plane goes on by itself, and stops by itself."""
    world = World(1, lifetime=20)
    world.plug("b")
    world.run(1.0)
    world.kill(world.mn)
    world.run(15.0)
    invariants.packets_arrive(world)
    world.run(25.0)
    with pytest.raises(invariants.InvariantError, match="down"):
        invariants.packets_arrive(world)


def test_home_agent_reboots_without_memory() -> None:
    """Nobody sends anything, so nothing tells the mobile node; its next refresh mends
    it."""
    world = World(1, lifetime=20, inspect=invariants.at_every_step)
    world.plug("b")
    world.run(1.0)
    world.reboot_home_agent()
    with pytest.raises(invariants.InvariantError):
        invariants.packets_arrive(world)
    world.run(20.0)
    invariants.both_ends_agree(world)
    invariants.packets_arrive(world)


@pytest.mark.rfc("11.3.6", "a Binding Error of the home agent: register again")
@pytest.mark.parametrize(
    ("virtual", "check_time"), [(True, 0.0), (False, 0.0), (False, 1.0)]
)
def test_home_agent_reboots_without_memory_under_traffic(
    virtual: bool, check_time: float
) -> None:
    """The first packet through the tunnel brings a Binding Error, and that a
    registration: two round trips, and duplicate address detection on a home link."""
    world = World(
        1,
        lifetime=600,
        virtual=virtual,
        check_time=check_time,
        inspect=invariants.at_every_step,
    )
    world.plug("b")
    world.run(3.0)
    world.traffic.start(0.010)
    world.run(4.0)
    world.reboot_home_agent()
    world.run(6.0)
    world.traffic.stop()
    world.run(6.1)
    invariants.both_ends_agree(world)
    invariants.packets_arrive(world)
    outage = world.traffic.up.outage(4.0, 6.0, 0.010)
    round_trips = 2 * 2 * (CORE_DELAY + LINK_DELAY)
    assert check_time < outage < check_time + round_trips + 0.010


def test_virtual_home_link() -> None:
    world = World(1, virtual=True, inspect=invariants.at_every_step)
    world.plug("b")
    world.run(1.0)
    world.unplug()
    world.plug("c")
    world.run(2.0)
    invariants.both_ends_agree(world)
    invariants.packets_arrive(world)


def test_stop_leaves_nothing() -> None:
    world = World(1, inspect=invariants.at_every_step)
    world.plug("b")
    world.run(1.0)
    world.perform(world.mn, world.mobile_node.stop)
    assert not world.mobile_node.stopped
    world.run(1.5)
    assert world.mobile_node.stopped
    assert world.mn.ledger == {}
    assert world.home_agent.binding(HOME_ADDRESS) is None


def test_stop_does_not_wait_for_ever() -> None:
    world = World(1, inspect=invariants.at_every_step)
    world.plug("b")
    world.run(1.0)
    world.faults.loss = 1.0
    world.perform(world.mn, world.mobile_node.stop)
    world.run(10.0)
    assert world.mobile_node.stopped
    assert world.mn.ledger == {}


# The invariants find what they are there for.


def test_a_ledger_that_differs_is_found() -> None:
    world = World(1)
    world.plug("b")
    world.run(1.0)
    world.mn.ledger.popitem()
    with pytest.raises(invariants.InvariantError, match=r"seed 1, 1\.000 s: mn"):
        invariants.at_every_step(world)


def test_an_expired_tunnel_is_found() -> None:
    world = World(1)
    world.plug("b")
    world.run(1.0)
    for party in (world.ha, world.mn):
        party.ledger = {
            key: dataclasses.replace(state, expires=0.5)
            if isinstance(state, Tunnel)
            else state
            for key, state in party.ledger.items()
        }
    with pytest.raises(invariants.InvariantError, match="expired"):
        invariants.nothing_outlives_its_lifetime(world)


def talking_directly(seed: int = 1) -> World:
    world = World(seed, route_optimization=True, inspect=invariants.at_every_step)
    world.plug("b")
    world.run(1.0)
    world.traffic.start(0.01)
    world.run(2.0)
    invariants.correspondents_agree(world, direct=True)
    return world


def test_an_expired_direct_way_is_found() -> None:
    world = talking_directly()
    party = world.peers[CORRESPONDENT].party
    assert party is not None
    [way] = [s for s in party.ledger.values() if isinstance(s, RouteOptimization)]
    party.ledger[way.key] = dataclasses.replace(way, expires=0.5)
    with pytest.raises(invariants.InvariantError, match="cn: expired"):
        invariants.nothing_outlives_its_lifetime(world)


@pytest.mark.parametrize("kind", [BindingUpdate, HomeTestInit, CareOfTestInit])
def test_a_fourth_message_in_a_second_is_found(kind: type) -> None:
    world = World(1)
    world.mobile.sent[kind, CORRESPONDENT] = [0.0, 0.3, 0.6, 0.9]
    with pytest.raises(invariants.InvariantError, match=kind.__name__):
        invariants.rates_hold(world)


def test_two_answers_to_one_packet_are_found() -> None:
    world = talking_directly()
    party = world.peers[CORRESPONDENT].party
    assert party is not None
    party.answers_max = 2
    with pytest.raises(invariants.InvariantError, match="cn: 2 answers"):
        invariants.no_answer_is_more_than_one(world)


def test_a_correspondent_that_disagrees_is_found() -> None:
    world = talking_directly()
    world.reboot_correspondent()
    with pytest.raises(invariants.InvariantError, match="cn has None"):
        invariants.correspondents_agree(world, direct=True)
    invariants.correspondents_agree(world, direct=False)
    world = talking_directly()
    world.unplug()
    world.plug("c")
    world.run(world.now + 0.03)
    with pytest.raises(invariants.InvariantError, match="mn is at"):
        invariants.correspondents_agree(world, direct=False)


# Route optimization.


def test_packets_on_the_direct_way_never_see_the_home_agent() -> None:
    world = talking_directly()
    for stream in (world.traffic.down, world.traffic.up):
        direct = [at for at in stream.direct.values() if at > 1.5]
        arrived = [at for at in stream.arrived.values() if at > 1.5]
        assert direct == arrived != []


def test_a_killed_mobile_node_goes_on_talking_directly() -> None:
    """And its successor, which has no keys, asks for new ones before it is too late."""
    world = talking_directly()
    began = world.now
    world.kill(world.mn)
    world.run(began + 5.0)
    world.start(world.mn)
    world.run(began + 8.0)
    for stream in (world.traffic.down, world.traffic.up):
        assert stream.missing(began, world.now - 0.1) == 0
        late = [at for at in stream.arrived.values() if at > began]
        assert late == [at for at in stream.direct.values() if at > began]
    [entry] = world.mobile_node.correspondents.correspondences(world.now)
    assert entry.why == "registered"
    invariants.correspondents_agree(world, direct=True)


def test_disagreement_is_found() -> None:
    world = World(1)
    world.plug("b")
    world.run(1.0)
    world.reboot_home_agent()
    with pytest.raises(invariants.InvariantError, match="bound"):
        invariants.both_ends_agree(world)
    world.plugged["eth0"] = HOME
    with pytest.raises(invariants.InvariantError, match="at home"):
        invariants.both_ends_agree(world)
    world.plugged["eth0"] = None
    with pytest.raises(invariants.InvariantError, match="no link"):
        invariants.both_ends_agree(world)
    world.plugged["eth0"] = "c"
    with pytest.raises(invariants.InvariantError, match="on c"):
        invariants.both_ends_agree(world)
