"""What of ours is to stand in the kernel: taken up at the start, repaired later."""

import asyncio
import contextlib
from collections.abc import Callable
from ipaddress import IPv6Address

from mip6.core.node import Node
from mip6.core.state import CareOfAddress, RouteOptimization, State
from mip6.linux import clock
from mip6.linux.cleanup import sweep
from mip6.linux.executor import Executor, describe

from .log import Log
from .machine import Machine
from .own_addresses import OwnAddresses
from .restoration import bring_up

REPAIR_INTERVAL = 1.0
"""Seconds between two repairs: others who insist on removing our state do not get the
machine to spin."""
REPAIR_DELAY = 0.02
"""Seconds to the first: a link that goes down loses its routes before it is told."""


class Standing:
    """Compares what the node wants with what the kernel has.

    own_addresses: followed by a correspondent.  stopping: nothing is repaired any more.
    """

    def __init__(
        self,
        node: Node,
        machine: Machine,
        executor: Executor,
        own_addresses: OwnAddresses | None,
        log: Log,
        stopping: Callable[[], bool],
    ) -> None:
        self._node = node
        self._machine = machine
        self._executor = executor
        self._own = machine.own_states
        self._own_addresses = own_addresses
        self._log = log
        self._stopping = stopping
        self._settled = False
        self._repair_due = False
        self._repaired_at = 0.0

    def take_up(self) -> None:
        """Brings the kernel to what the node wants at the start.  After a kill most of
        it stands already, and nothing that stands is touched."""
        for address in self.diverted():
            self._machine.data_plane.divert(address)
        with contextlib.suppress(OSError):  # what could not be put, packets will miss
            bring_up(self._machine.data_plane, self._node.tunnels())
        wanted = self._wanted()
        ways = {w.key for w in wanted if isinstance(w, RouteOptimization)}
        for way in self._machine.ways():
            if way.key not in ways:
                self._machine.data_plane.drop(way)
        for state in self._executor.missing(wanted):
            self._reinstall(state)

    def _wanted(self) -> set[State]:
        """What is to stand, but for tunnels: there may be a million, in maps that
        nobody else touches."""
        return {*self._node.states_beside_tunnels(), *self._own}

    def diverted(self) -> set[IPv6Address]:
        """The addresses whose signalling is ours, care-of addresses apart."""
        addresses = set(self._own_addresses.current if self._own_addresses else ())
        if self._node.home_agent is not None:
            addresses.add(self._node.home_agent.address)
            addresses.update(self._node.home_agent.anycast_addresses)
        if self._node.mobile_node is not None:
            addresses.update(self._node.mobile_node.home_addresses)
        return addresses

    def settle(self) -> None:
        """The role knows where it stands: what a killed daemon left beyond goes."""
        if self._settled:
            return
        self._settled = True
        wanted = self._wanted()
        sweep(self._machine.netlink, self._machine.journal, wanted)
        used = {state.address for state in wanted if isinstance(state, CareOfAddress)}
        for address in self._machine.data_plane.diverted():
            if address not in used and address not in self.diverted():
                self._machine.data_plane.undivert(address)

    def repair_soon(self) -> None:
        """Others removed something of ours: look, soon, but not too often."""
        if self._repair_due or self._stopping():
            return
        self._repair_due = True
        wait = max(REPAIR_DELAY, self._repaired_at + REPAIR_INTERVAL - clock.now())
        asyncio.get_running_loop().call_later(wait, self._repair)

    def _repair(self) -> None:
        self._repair_due = False
        if self._stopping():
            return
        self._repaired_at = clock.now()
        if setting := self._machine.forward_again():
            self._repaired(setting)
        for state in self._executor.missing(self._wanted()):
            if self._reinstall(state):
                self._repaired(describe(state))

    def _repaired(self, what: str) -> None:
        self._executor.counts.repaired += 1
        self._log.line("warning", "repaired", state=what)

    def _reinstall(self, state: State) -> bool:
        try:
            self._executor.install(state)
        except OSError as error:
            self._log.line("debug", "not_installed", reason=error.strerror)
            return False
        return True
