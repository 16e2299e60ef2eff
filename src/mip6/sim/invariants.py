"""What must hold whatever happens; functions raise `InvariantError` if it does not.

They are written down in the design, section "Tests".
"""

from mip6.core.events import Place
from mip6.core.state import Tunnel

from .network import HOME, HOME_ADDRESS, PREFIXES
from .world import World

UPDATES_MAX = 3
"""Binding Updates in a second (MAX_UPDATE_RATE, RFC 6275 §12)."""
PATIENCE = 1e-6
"""Seconds; a moment is not earlier than itself."""


class InvariantError(AssertionError):
    """The seed makes it happen again."""

    def __init__(self, world: World, what: str) -> None:
        super().__init__(f"seed {world.chance.seed}, {world.now:.3f} s: {what}")


def at_every_step(world: World) -> None:
    """What holds after every input of a node, also while the network is broken."""
    ledger_is_what_is_installed(world)
    no_tunnel_outlives_its_lifetime(world)
    update_rate_holds(world)


def ledger_is_what_is_installed(world: World) -> None:
    """What a node believes the kernel holds is what it holds."""
    for party in (world.ha, world.mn):
        if not party.running:
            continue
        owned, installed = party.owned, party.node.installed
        if owned != installed:
            raise InvariantError(
                world,
                f"{party.name}: only in the kernel {owned - installed}, "
                f"only in the role {installed - owned}",
            )


def no_tunnel_outlives_its_lifetime(world: World) -> None:
    """Once the moment has passed and the node was called, the tunnel is gone."""
    for party in (world.ha, world.mn):
        deadline = party.node.deadline
        due = deadline is not None and deadline <= world.now
        if not party.running or due:
            continue
        for state in party.ledger.values():
            late = isinstance(state, Tunnel) and state.expires + PATIENCE < world.now
            if late:
                raise InvariantError(world, f"{party.name}: expired {state}")


def update_rate_holds(world: World) -> None:
    """Never more than `UPDATES_MAX` Binding Updates within a second (§11.8)."""
    recent = world.updates[-UPDATES_MAX - 1 :]
    if len(recent) > UPDATES_MAX and recent[-1] - recent[0] < 1.0:
        raise InvariantError(world, f"Binding Updates at {recent}")


def both_ends_agree(world: World) -> None:
    """The mobile node is where its cable is, and the home agent knows it."""
    node = world.mobile_node
    binding = world.home_agent.binding(HOME_ADDRESS)
    link = next((at for at in world.plugged.values() if at is not None), None)
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


def packets_arrive(world: World) -> None:
    """A packet sent now arrives, each way."""
    for name, send, stream in (
        ("down", world.traffic.send_down, world.traffic.down),
        ("up", world.traffic.send_up, world.traffic.up),
    ):
        number = len(stream.sent)
        send()
        world.run(world.now + 0.1)
        if number not in stream.arrived:
            raise InvariantError(
                world, f"{name}: {stream.reasons.get(number, 'on its way')}"
            )
