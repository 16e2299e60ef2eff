"""The packets of the protocol: whose turn it is, who vouches for each, what it says."""

import asyncio
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from mip6.core.effects import Send
from mip6.core.events import Dropped
from mip6.security.verdict import Refused, Rejected

from . import admission

if TYPE_CHECKING:
    from .daemon import Daemon

_READS_MAX = 32
"""Batches read before one is looked at: all that the device's queue holds, and what
comes meanwhile.  What is left there would be dropped, whoever sent it."""


class Signalling:
    """Reads what the data plane diverts to us, and gives it to the node."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon
        home_agent = daemon.home_agent
        self._admission = admission.Admission(
            home_agent.is_bound if home_agent is not None else lambda _: False
        )
        self._next_turn_due = False

    def read(self) -> None:
        """Some of what waits; then a batch of it is answered."""
        daemon = self._daemon
        device = daemon.machine.device
        now = daemon.now()
        for _ in range(_READS_MAX):
            came, dropped = self._admission.take(device.read(device.signalling), now)
            daemon.received += came
            self._overloaded(dropped)
            if came < admission.BATCH:
                break
        self._work()

    def _work(self) -> None:
        """Looks at one batch.  When more wait, what else there is gets its turn first,
        and what has come by then is sorted in."""
        turn = self._admission.turn(self._daemon.now())
        self._overloaded(turn.dropped)
        for octets in turn.answered:
            self._receive(octets)
        if turn.refused:
            self._refuse(turn.refused)
        self._daemon.finish()
        if self._admission and not self._next_turn_due:
            self._next_turn_due = True
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _refuse(self, packets: list[bytes]) -> None:
        """Only a home agent can say that it has no room."""
        home_agent = self._daemon.home_agent
        if home_agent is None:
            self._overloaded(len(packets))
            return
        home_agent.overloaded(True, self._daemon.now())
        for octets in packets:
            self._receive(octets)
        home_agent.overloaded(False, self._daemon.now())

    def _next_turn(self) -> None:
        self._next_turn_due = False
        if not self._daemon.stopping:
            self.read()

    def _receive(self, octets: bytes) -> None:
        """One whole packet of signalling: is it authentic, what does the node say."""
        daemon = self._daemon
        now = daemon.now()
        verdict = daemon.protection.verify(octets, now)
        match verdict:
            case Rejected(reason, section, source):
                daemon.report(Dropped(reason, section, source))
                return
            case Refused(reason, section, acknowledgement):
                daemon.report(Dropped(reason, section, acknowledgement.destination))
                daemon.perform([Send(acknowledgement)])
                return
        home_address = verdict.protected_for
        if verdict.mark is not None and daemon.store is not None:
            # At the mobile node nothing depends on it: an acknowledgement counts only
            # while it is waited for.
            promised = daemon.home_agent is not None
            daemon.store.mark(verdict.mark, promised=promised)
        before = self._last_sequence_number(home_address)
        daemon.perform(
            daemon.node.receive(verdict.octets, now, protected_for=home_address)
        )
        if home_address and before != self._last_sequence_number(home_address):
            assert daemon.store is not None  # there is protection, so there is a store
            daemon.store.changed(home_address)

    def _overloaded(self, dropped: int) -> None:
        if dropped:
            self._daemon.dropped["overloaded"] += dropped

    def _last_sequence_number(self, home_address: IPv6Address | None) -> int | None:
        home_agent = self._daemon.home_agent
        if home_agent is None or home_address is None:
            return None
        return home_agent.last_sequence_number(home_address)
