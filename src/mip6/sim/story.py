"""A scenario while it is played: moves, and what each cost."""

from dataclasses import dataclass, field

from mip6.wire.record import record

from .network import (
    HOME,
)
from .world import World

UNPLUGGED = 0.020
"""Seconds for which a cable is in no link."""
PERIOD = 0.002
"""Seconds between two packets of the traffic."""


@record
class Move:
    """What one move cost.  The time without carrier is not in it."""

    origin: str
    destination: str
    at: float
    """Seconds: when there was carrier again."""
    outage_down: float
    outage_up: float
    lost_down: int
    lost_up: int


@dataclass(slots=True)
class Story:
    """A scenario being played."""

    world: World
    where: str = HOME
    plugged_at: list[tuple[str, str, float, float]] = field(default_factory=list)

    def move(self, link: str, stay: float) -> None:
        """The cable goes to another link, and stays there for `stay` seconds."""
        left = self.world.now
        self.world.unplug()
        self.world.run(left + UNPLUGGED)
        self.plugged_at.append((self.where, link, left, self.world.now))
        self.where = link
        self.world.plug(link)
        self.world.run(self.world.now + stay)

    def sleep(self, link: str, seconds: float, stay: float) -> None:
        """The process stops, the link goes, and both come back elsewhere."""
        self.world.mobile.sleep()
        left = self.world.now
        self.world.unplug()
        self.world.run(left + seconds)
        self.plugged_at.append((self.where, link, left, self.world.now))
        self.where = link
        self.world.plug(link)
        self.world.mobile.wake()
        self.world.run(self.world.now + stay)

    def begin(self, link: str, stay: float = 2.0) -> None:
        self.where = link
        self.world.plug(link)
        self.world.run(self.world.now + stay)

    def talk(self, seconds: float, period: float = PERIOD) -> None:
        """Traffic both ways from now on; nothing else happens for so long."""
        self.world.traffic.start(period)
        self.world.run(self.world.now + seconds)

    def moves(self) -> list[Move]:
        traffic, costs = self.world.traffic, []
        ends = [left for _, _, left, _ in self.plugged_at[1:]] + [self.world.now]
        for (origin, to, left, plugged), end in zip(
            self.plugged_at, ends, strict=False
        ):
            # What is under way at the end is not lost.
            sent_by = end - 0.1
            costs.append(
                Move(
                    origin=origin,
                    destination=to,
                    at=plugged,
                    outage_down=traffic.down.outage(plugged, sent_by, traffic.period),
                    outage_up=traffic.up.outage(plugged, sent_by, traffic.period),
                    lost_down=traffic.down.missing(left, sent_by),
                    lost_up=traffic.up.missing(left, sent_by),
                )
            )
        return costs
