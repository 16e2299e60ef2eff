"""What must hold whatever happens; functions raise `InvariantError` if it does not.

They are written down in the design, section "Tests".
"""

from math import inf

from mip6.core.events import Place
from mip6.core.state import RouteOptimization, Tunnel
from mip6.wire.messages import BindingUpdate, CareOfTestInit, HomeTestInit

from .data_path import Host
from .mobile import Mobile
from .network import HOME, PREFIXES
from .traffic import Flow
from .world import World

UPDATES_MAX = 3
"""Messages of one kind to one node in a second (MAX_UPDATE_RATE, RFC 6275 §12)."""
LIMITED = (BindingUpdate, HomeTestInit, CareOfTestInit)
PATIENCE = 1e-6
"""Seconds; a moment is not earlier than itself."""


class InvariantError(AssertionError):
    """The seed makes it happen again."""

    def __init__(self, world: World, what: str) -> None:
        super().__init__(f"seed {world.chance.seed}, {world.now:.3f} s: {what}")


def at_every_step(world: World) -> None:
    """What holds after every input of a node, also while the network is broken."""
    ledger_is_what_is_installed(world)
    nothing_outlives_its_lifetime(world)
    rates_hold(world)
    no_answer_is_more_than_one(world)


def ledger_is_what_is_installed(world: World) -> None:
    """What a node believes the kernel holds is what it holds."""
    for party in world.parties:
        if not party.running:
            continue
        owned, installed = party.owned, party.node.installed
        if owned != installed:
            raise InvariantError(
                world,
                f"{party.name}: only in the kernel {owned - installed}, "
                f"only in the role {installed - owned}",
            )


def nothing_outlives_its_lifetime(world: World) -> None:
    """Once the moment has passed and the node was called, a tunnel is gone, and so is
    a direct way."""
    for party in world.parties:
        deadline = party.node.deadline
        due = deadline is not None and deadline <= world.now
        if not party.running or due:
            continue
        for state in party.ledger.values():
            ends = inf
            if isinstance(state, Tunnel | RouteOptimization):
                ends = state.expires
            if ends + PATIENCE < world.now:
                raise InvariantError(world, f"{party.name}: expired {state}")


def rates_hold(world: World) -> None:
    """Never more than `UPDATES_MAX` messages of one kind to one node within a second
    (§11.8)."""
    for mobile in world.mobiles:
        for (kind, to), moments in mobile.sent.items():
            recent = moments[-UPDATES_MAX - 1 :]
            if kind not in LIMITED or len(recent) <= UPDATES_MAX:
                continue
            if recent[-1] - recent[0] < 1.0:
                raise InvariantError(world, f"{kind.__name__} to {to} at {recent}")


def no_answer_is_more_than_one(world: World) -> None:
    """A correspondent sends at most one packet for one that it got."""
    for peer in world.peers.values():
        if peer.party and peer.party.answers_max > 1:
            raise InvariantError(
                world, f"{peer.name}: {peer.party.answers_max} answers"
            )


def both_ends_agree(world: World) -> None:
    """Each mobile node is where its cable is, and the home agent knows it."""
    for mobile in world.mobiles:
        _home_agent_agrees(world, mobile)


def _home_agent_agrees(world: World, mobile: Mobile) -> None:
    node = mobile.role
    agent = world.agents.find(node.home_agent) if node.home_agent else None
    binding = (agent or world.agents.first).role.binding(mobile.address)
    link = next((at for at in mobile.plugged.values() if at is not None), None)
    if link == HOME:
        if node.place is not Place.AT_HOME or binding is not None:
            raise InvariantError(world, f"at home, but {node.place} with {binding}")
        return
    if link is None:
        if node.place is not Place.NOWHERE:
            raise InvariantError(world, f"no link, but {node.place}")
        return
    address = node.care_of_address
    if node.place is not Place.REGISTERED or address not in PREFIXES[link]:
        raise InvariantError(world, f"on {link}, but {node.place} {address}")
    if binding is None or binding.care_of_address != address:
        raise InvariantError(world, f"{address} is registered, but {binding} is bound")


def correspondents_agree(world: World, *, direct: bool) -> None:
    """Who sends to a mobile node directly sends to where it is; with `direct`, traffic
    away from home takes the direct way, both ways."""
    for flow in world.traffic.flows:
        for mobile, peer in ((flow.mobile, flow.peer), (flow.peer, flow.mobile)):
            if isinstance(mobile, Mobile) and peer.party and peer.party.running:
                _correspondent_agrees(world, mobile, peer, direct=direct)


def _correspondent_agrees(
    world: World, mobile: Mobile, peer: Host, *, direct: bool
) -> None:
    assert peer.party is not None
    role = peer.party.node.correspondent
    assert role is not None
    binding = role.binding(peer.address, mobile.address)
    address, place = mobile.role.care_of_address, mobile.role.place
    gone = isinstance(peer, Mobile) and peer.role.place is Place.NOWHERE
    if place is Place.NOWHERE or gone:
        return  # nobody can be told
    if binding is not None and binding.care_of_address != address:
        what = f"{mobile.name} is at {address}, {peer.name} has {binding}"
        raise InvariantError(world, what)
    if not direct or place is not Place.REGISTERED:
        return
    way = mobile.way(peer.address)
    if binding is None or way is None or way.inbound_only:
        raise InvariantError(world, f"{peer.name} has {binding}, {mobile.name} {way}")


def packets_arrive(world: World) -> None:
    """A packet sent now arrives, each way."""
    for flow in world.traffic.flows:
        _packets_arrive(world, flow)


def _packets_arrive(world: World, flow: Flow) -> None:
    for name, stream, _, _ in flow.streams():
        number = len(stream.sent)
        world.traffic.send(flow, name)
        world.run(world.now + 0.1)
        if number not in stream.arrived:
            why = stream.reasons.get(number, "on its way")
            raise InvariantError(world, f"{name}: {why}")
