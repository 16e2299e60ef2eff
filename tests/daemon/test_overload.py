"""More Binding Updates than can be answered: refreshes first, and nobody is told a lie.

The real parts from the device's octets to the answers, without a device or a kernel.
"""

from collections import Counter
from ipaddress import IPv6Address, IPv6Network
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_AGENT,
    HOME_PREFIX,
    binding_update,
    home_agent,
)

from mip6.core.effects import Effect, Notify, Send
from mip6.core.events import Dropped, Event
from mip6.core.home_agent import HomeAgent
from mip6.core.node import Node
from mip6.core.packet import write
from mip6.core.state import End
from mip6.daemon import admission
from mip6.daemon.admission import BATCH, REFUSALS
from mip6.daemon.credentials import Credentials
from mip6.daemon.protection import Protection
from mip6.daemon.signalling import Signalling
from mip6.security.association import from_key
from mip6.security.associations import Associations
from mip6.security.keys import Secret
from mip6.security.verdict import Protected

WAITING = 40
"""In place of thousands."""


class Device:
    """What waits in it is read a batch at a time."""

    signalling = object()

    def __init__(self) -> None:
        self.waiting: list[bytes] = []

    def read(self, _: object) -> list[bytes]:
        part = self.waiting[:BATCH]
        del self.waiting[:BATCH]
        return part


class Place:
    """As much of a daemon as signalling needs; each turn is taken by `turn`."""

    def __init__(self, role: HomeAgent | None, credentials: Credentials) -> None:
        self.clock = 100.0
        self.home_agent = role
        self.node = Node([HOME_AGENT], home_agent=role)
        self.machine = SimpleNamespace(device=Device())
        self.protection = Protection(End.HOME_AGENT, credentials, {})
        self.store: Any = SimpleNamespace(
            mark=lambda mark, promised: None, changed=lambda address: None
        )
        self.dropped: Counter[str] = Counter()
        self.received = 0
        self.stopping = False
        self.answers: list[tuple[IPv6Address | None, int]] = []
        self.signalling = Signalling(self)  # type: ignore[arg-type]

    def now(self) -> float:
        return self.clock

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                message: Any = effect.packet.message
                self.answers.append((effect.packet.routing_address, message.status))
            elif isinstance(effect, Notify):
                self.report(effect.event)

    def report(self, event: Event) -> None:
        if isinstance(event, Dropped):
            self.dropped[event.reason] += 1

    def finish(self) -> None:
        pass

    def turn(self, packets: list[bytes]) -> list[tuple[IPv6Address | None, int]]:
        """What is answered when these have come."""
        self.machine.device.waiting += packets
        self.answers.clear()
        self.signalling.read()
        return list(self.answers)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn of 10, room for 40, and no loop: tests take the turns."""
    monkeypatch.setattr(admission, "BATCH", 10)
    monkeypatch.setattr(admission, "REFUSALS", 2)
    monkeypatch.setattr(admission, "REFUSED_MAX", 4)
    monkeypatch.setattr(admission, "WAITING_MAX", WAITING)
    loop = SimpleNamespace(call_soon=lambda call: None)
    monkeypatch.setattr("asyncio.get_running_loop", lambda: loop)
    assert (BATCH, REFUSALS) == (256, 32)


def home(number: int) -> IPv6Address:
    return HOME_PREFIX[0x1000 + number]


def key(number: int) -> Secret:
    return Secret(number.to_bytes(32))


class Nodes:
    """Mobile nodes, with a key each or without any."""

    def __init__(self, count: int, *, protected: bool) -> None:
        self.protected = protected
        self.sequence_number = 0
        every = [
            from_key(key(n), home(n), HOME_AGENT) for n in range(count * protected)
        ]
        self._ends = [Associations(End.MOBILE_NODE, own, random=bytes) for own in every]
        self.credentials = Credentials(associations=[a for own in every for a in own])

    def ask(self, numbers: range) -> list[bytes]:
        self.sequence_number += 1
        packets = []
        for number in numbers:
            octets = write(
                binding_update(
                    self.sequence_number,
                    home_address=home(number),
                    alternate=CARE_OF_ADDRESS,
                )
            )
            if self.protected:
                verdict = self._ends[number].protect(octets)
                assert isinstance(verdict, Protected)
                octets = verdict.octets
            packets.append(octets)
        return packets


@pytest.mark.parametrize("protected", [False, True], ids=["unprotected", "ESP"])
def test_refreshes_are_answered_and_some_others_refused(protected: bool) -> None:
    bound, others = range(10), range(10, 100)
    nodes = Nodes(100, protected=protected)
    role = home_agent(bindings_max=1000, authentication_required=protected)
    place = Place(role, nodes.credentials)
    assert place.turn(nodes.ask(bound)) == [(home(n), 0) for n in bound]

    answers = place.turn(nodes.ask(others) + nodes.ask(bound))

    # All refreshes, and of those who found no room as many as may be refused.
    turned_away = others[WAITING : WAITING + 2]
    assert answers == [(home(n), 0) for n in bound] + [
        (home(n), 130) for n in turned_away
    ]
    assert place.dropped == {"overloaded": len(others) - WAITING - 4}
    assert role.bindings_count == len(bound)
    # When it is quiet again the others are served in their order.
    assert place.turn([])[:10] == [(home(n), 0) for n in others[:10]]


def test_who_cannot_prove_anything_is_not_answered_then_either() -> None:
    nodes, thieves = Nodes(1, protected=True), Nodes(100, protected=False)
    role = home_agent(bindings_max=1000, authentication_required=True)
    place = Place(role, nodes.credentials)
    assert place.turn(thieves.ask(range(1, 100))) == []
    assert place.dropped["unauthenticated"] == 10 + 2
    assert place.dropped["overloaded"] == 99 - WAITING - 4


def test_after_a_pause_nothing_is_answered_in_vain() -> None:
    nodes = Nodes(30, protected=False)
    networks = (IPv6Network(HOME_PREFIX),)
    role = home_agent(bindings_max=1000, mobile_nodes=networks)
    place = Place(role, nodes.credentials)
    assert len(place.turn(nodes.ask(range(30)))) == 10
    place.clock += 10
    assert place.turn([]) == []
    assert place.dropped == {"overloaded": 20}


def test_where_nobody_can_refuse_it_is_a_drop() -> None:
    place = Place(None, Credentials())
    nodes = Nodes(100, protected=False)
    assert place.turn(nodes.ask(range(100))) == []
    assert place.dropped["overloaded"] == 100 - WAITING - 4 + 2
