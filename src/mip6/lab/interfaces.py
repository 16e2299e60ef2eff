"""Mobile nodes with several interfaces: which of them is used, and what that costs."""

import time

from . import topology
from .lab import Move
from .session import SETTLE_S, Session, boot_time, the

FRUITLESS_S = 9.0
"""Three Binding Updates without an answer take seven; then another link is taken."""


class InterfacesSession(Session):
    """Also has more cables than one."""

    def plug(self, interface: str, link: str) -> None:
        """Puts the cable of another interface into a link."""
        self.lab.move(link, role=topology.plug(interface))
        self.tell(f"{interface} is on link {link.upper()}")

    def unplug(self, interface: str, other: str) -> None:
        """Pulls the cable of the interface in use; link `other` is there too.  It is
        measured like a move.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        moment = self.lab.unplug(topology.plug(interface))
        self._elsewhere(f"{interface} has lost its cable", moment, other)

    def switch(self, interface: str, *, stay: float | None = None) -> None:
        """`mip6 handover`, with both links working: no packet may be lost; with `stay`,
        only lets it be there for so many seconds.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        link = self.lab.link_of(topology.plug(interface))
        assert link is not None
        self._pause(f"move to {interface}, on {the(link)}")
        moment = self.lab.handover(interface)
        name = self._elsewhere(f"mip6 handover {interface}", moment, link, stay)
        self._account.quiet.append((name, moment, boot_time()))

    def better(self, interface: str, link: str) -> None:
        """The preferred interface gets its cable: what works is used until it is
        registered, and no packet may be lost."""
        if self._astray:
            return
        move = self.lab.move(link, role=topology.plug(interface))
        said = f"{interface} has its cable again"
        name = self._elsewhere(said, move.plugged_at, link)
        self._account.quiet.append((name, move.plugged_at, boot_time()))

    def broken(self, interface: str, link: str, other: str) -> None:
        """The preferred interface comes to a link that leads nowhere: it is left for
        `other`, and no packet is lost; then the link is repaired, and used.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        router = topology.ROUTER_OF[link]
        self.lab.cut(router)
        begin = boot_time()
        self.lab.move(link, role=topology.plug(interface))
        self.tell(f"{interface} is on link {link.upper()}, which leads nowhere")
        time.sleep(FRUITLESS_S)
        self._settle("a link that leads nowhere is left", other)
        self._account.quiet.append(("a link that leads nowhere", begin, boot_time()))
        self.lab.cut(router, cut=False)
        self.tell(f"link {link.upper()} is repaired")
        self.switch(interface)

    def _elsewhere(
        self, said: str, moment: float, link: str, stay: float | None = None
    ) -> str:
        """A move without a hand at its cable."""
        move = Move(
            origin=self._where, destination=link, unplugged_at=moment, plugged_at=moment
        )
        name = self._moved(move)
        self.tell(f"{name}: {said}")
        if stay is not None:
            self._account.hurried.add(move)
            time.sleep(stay)
            return name
        time.sleep(SETTLE_S + 1.0)  # the former care-of address counts for two seconds
        self._arrive(name, link)
        return name
