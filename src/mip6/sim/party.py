"""A node in the simulator: the role, and the kernel that does what it says."""

from collections.abc import Callable
from ipaddress import IPv6Address

from mip6.core.effects import Effect, Forward, Install, Notify, Remove, Send
from mip6.core.events import Event
from mip6.core.node import Node
from mip6.core.packet import Packet
from mip6.core.state import End, RouteOptimization, State, Tunnel


class Party:
    """`ledger` is what the kernel holds.  It is carried out here as by the executor:
    in order, up to the first refusal."""

    def __init__(
        self,
        name: str,
        node: Node,
        *,
        refuses: Callable[[State], bool],
        send: Callable[[Packet], None],
        forward: Callable[[bytes], None],
        changed: Callable[[State, bool], None],
        told: Callable[[Event], None],
    ) -> None:
        self.name = name
        self.node = node
        self.running = True
        self.ledger: dict[object, State] = {}
        self.strays: set[object] = set()
        """Keys of what an earlier process left and this one has not taken over yet."""
        self.answers_max = 0
        """Packets that one input has brought, at most."""
        self._refuses = refuses
        self._send = send
        self._forward = forward
        self._changed = changed
        self._told = told

    def perform(self, effects: list[Effect], now: float) -> None:
        answers = sum(isinstance(effect, Send) for effect in effects)
        self.answers_max = max(self.answers_max, answers)
        for effect in effects:
            match effect:
                case Install(state):
                    if self._refuses(state):
                        self.perform(self.node.failed(state, now), now)
                        return
                    stray = state.key in self.strays
                    assert stray or self.ledger.get(state.key) != state, "twice"
                    self.strays.discard(state.key)
                    self.ledger[state.key] = state
                    self._changed(state, True)
                case Remove(state):
                    # A role may have no idea of what its predecessor left.
                    assert self.ledger.pop(state.key) == state, "it does not stand"
                    self._changed(state, False)
                case Send(packet):
                    self._send(packet)
                case Forward(octets):  # no groups here, so by no link of its choice
                    self._forward(octets)
                case Notify(event):
                    self._told(event)

    def restart(self, node: Node) -> None:
        """The process was killed and starts again; the kernel noticed nothing, and what
        it does not have of what is wanted it gets.  (The executor does not look at the
        MTU of a route that stands: a smaller one stays until its bindings end.)"""
        self.node = node
        self.running = True
        wanted = {state.key: state for state in node.installed}
        self.strays = {key for key in self.ledger if key not in wanted}
        for key, state in wanted.items():
            if self.ledger.get(key) != state:
                self.ledger[key] = state
                self._changed(state, True)

    def sweep(self) -> None:
        """Remove what the earlier process left and nobody wants any more."""
        for key in self.strays:
            self._changed(self.ledger.pop(key), False)
        self.strays = set()

    @property
    def owned(self) -> set[State]:
        """What the kernel holds on behalf of the process that runs."""
        return {s for key, s in self.ledger.items() if key not in self.strays}

    def tunnel(self, end: End, home_address: IPv6Address, now: float) -> Tunnel | None:
        """The tunnel the data plane finds, unless it has expired there."""
        state = self.ledger.get((Tunnel, end, home_address))
        if isinstance(state, Tunnel) and now < state.expires:
            return state
        return None

    def way(
        self,
        end: End,
        home_address: IPv6Address,
        correspondent: IPv6Address,
        now: float,
    ) -> RouteOptimization | None:
        """The direct way the data plane finds, unless it has expired there."""
        key = (RouteOptimization, end, home_address, correspondent)
        state = self.ledger.get(key)
        if isinstance(state, RouteOptimization) and now < state.expires:
            return state
        return None
