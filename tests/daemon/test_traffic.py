"""The first packets of a move, as the data plane tells them."""

from ipaddress import IPv6Address
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mip6.core.events import Phase, PhaseReached
from mip6.daemon.daemon import Daemon
from mip6.daemon.timeline import Timeline
from mip6.daemon.traffic import Traffic
from mip6.linux.layout import FirstPacket, Talk

HOME_ADDRESS = IPv6Address("2001:db8:a::100")
BEFORE, BETTER = IPv6Address("2001:db8:b::1"), IPv6Address("2001:db8:c::1")


class Bench:
    """A mobile node that moves from eth0 to eth1 while both work."""

    def __init__(self, *notices: Talk | FirstPacket) -> None:
        self.timeline = Timeline()
        self.reported: list[tuple[PhaseReached, float]] = []
        self.talks: list[tuple[IPv6Address, IPv6Address]] = []
        daemon: Any = SimpleNamespace(
            now=lambda: 30.0,
            timeline=self.timeline,
            mobile_node=SimpleNamespace(
                attachments=SimpleNamespace(
                    here=SimpleNamespace(link="eth0", care_of_address=BEFORE),
                    trial=SimpleNamespace(link="eth1", care_of_address=BETTER),
                )
            ),
            machine=SimpleNamespace(
                data_plane=SimpleNamespace(
                    notices=SimpleNamespace(read=lambda: notices)
                )
            ),
            node=SimpleNamespace(talks_to=self.talks_to),
            perform=list,
            report=lambda event, at: self.reported.append((event, at)),
            finish=lambda: None,
        )
        self.traffic = Traffic(cast(Daemon, daemon))

    def talks_to(self, local: IPv6Address, peer: IPv6Address, now: float) -> list[Any]:
        self.talks.append((local, peer))
        return []


def test_packets_of_the_move_are_phases_at_their_own_moment() -> None:
    bench = Bench(
        FirstPacket(HOME_ADDRESS, BETTER, 20.5, out=True),
        FirstPacket(HOME_ADDRESS, BETTER, 20.25, out=False),
    )
    bench.timeline.reached(PhaseReached(Phase.LINK_UP, "eth1"), 20.0)
    bench.traffic.read()
    assert bench.reported == [
        (PhaseReached(Phase.FIRST_PACKET_OUT, "eth1"), 20.5),
        (PhaseReached(Phase.FIRST_PACKET_IN, "eth1"), 20.25),
    ]


@pytest.mark.parametrize(
    ("care_of_address", "at"),
    [
        (BEFORE, 20.5),  # by the link that still works
        (BETTER, 19.5),  # before the move
        (IPv6Address("2001:db8:d::1"), 20.5),  # by one that is gone
    ],
)
def test_other_packets_are_not(care_of_address: IPv6Address, at: float) -> None:
    bench = Bench(FirstPacket(HOME_ADDRESS, care_of_address, at, out=True))
    bench.timeline.reached(PhaseReached(Phase.LINK_UP, "eth1"), 20.0)
    bench.traffic.read()
    assert bench.reported == []


def test_nothing_has_moved_yet() -> None:
    bench = Bench(FirstPacket(HOME_ADDRESS, BEFORE, 20.5, out=True))
    bench.traffic.read()
    assert bench.reported == []


def test_talks_are_the_nodes() -> None:
    peer = IPv6Address("2001:db8:e::2")
    bench = Bench(Talk(HOME_ADDRESS, peer))
    bench.traffic.read()
    assert bench.talks == [(HOME_ADDRESS, peer)] and bench.reported == []
