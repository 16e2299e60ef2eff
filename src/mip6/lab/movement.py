"""What looks like a move and is none, and moves that nobody announces."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from . import topology
from .interfaces import InterfacesSession
from .lab import Move
from .session import SETTLE_S, boot_time

DETECTED_S = 5.0
"""Left in peace when a router dies: it is asked for a second, and the address of its
prefix, which is still good for the link, counts for two more (decision 0003)."""


class MovementSession(InterfacesSession):
    """Also has routers that fall silent or go, bad contacts, and sleep."""

    def renew(self, link: str) -> None:
        """The router of a link that nobody is on gives way to one that nobody knows,
        with the same prefix."""
        self.tell(f"link {link.upper()} gets a router that was never seen")
        self.lab.renew(link)

    def back(self, link: str, *, stay: float | None = None) -> None:
        """Moves to a link seen before, whose router does not advertise: it answers a
        probe, and what it once advertised holds (RFC 6059).

        Does nothing once the mobile node is astray.
        """
        self.tell(f"no advertisements on link {link.upper()}")
        self.lab.routers[link].send_signal(signal.SIGSTOP)
        try:
            self.move(link, stay=stay)
        finally:
            self.lab.routers[link].send_signal(signal.SIGCONT)

    def flap(self, link: str, *seconds: float) -> None:
        """The cable goes out of `link` and in again, each time for so long.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        self.tell(f"the cable is pulled and put in again, {len(seconds)} times")
        begin = self.lab.unplug()
        move = None
        for wait in seconds:
            move = self.lab.move(link, unplugged_ms=wait * 1000)
            time.sleep(wait)
            if wait != seconds[-1]:
                self.lab.unplug()
        assert move is not None
        move = replace(move, origin=link, unplugged_at=begin)
        name = self._moved(move)
        time.sleep(SETTLE_S + 1.0)
        self._arrive(name, link)
        self._account.rates.append((name, begin, boot_time()))

    def rush(self, *links: str, stay: float) -> None:
        """Moves that nobody waits for; only what is left after the last is checked.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        self.tell(f"{len(links)} moves, one each {stay * 1000:.0f} ms")
        begin = boot_time()
        for link in links:
            move = self.lab.move(link, unplugged_ms=5)
            name = self._moved(move)
            self._account.hurried.add(move)
            time.sleep(stay)
        time.sleep(SETTLE_S + 1.0)
        self._arrive(name, links[-1])
        self._account.rates.append(("twenty moves", begin, boot_time()))

    def sleep(self, link: str, seconds: float) -> None:
        """The machine sleeps, and wakes up on another link.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        daemon = self.lab.daemons["mn"]
        self.tell(f"the mobile node sleeps for {seconds:.0f} s")
        self._account.cuts.append(boot_time())
        gone = self.lab.unplug()
        daemon.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        move = self.lab.move(link, unplugged_ms=0)
        time.sleep(0.2)
        daemon.send_signal(signal.SIGCONT)
        move = replace(
            move, origin=self._where, unplugged_at=gone, plugged_at=boot_time()
        )
        name = self._moved(move)
        time.sleep(SETTLE_S)
        self._arrive(name, link)

    @contextmanager
    def undeceived(self, name: str) -> Iterator[None]:
        """Nothing in this time is a reason to move: not one Binding Update leaves, and
        no packet is lost."""
        begin = boot_time()
        yield
        end = boot_time()
        self._account.quiet.append((name, begin, end))
        self._account.updates.append(
            (f"{name}: no Binding Update", begin, end, range(1))
        )

    def withhold(self, link: str, *seconds: float) -> None:
        """No advertisements from a link's router for so long, each time, and a few in
        between."""
        for silence in seconds:
            self.tell(f"no advertisements on link {link.upper()} for {silence} s")
            self.lab.routers[link].send_signal(signal.SIGSTOP)
            time.sleep(silence)
            self.lab.routers[link].send_signal(signal.SIGCONT)
            time.sleep(0.3)

    def join(self, link: str, other: str) -> None:
        """The router of `other` comes to `link` too."""
        self.tell(f"link {link.upper()} gets a second router, that of {other.upper()}")
        self.lab.wire(topology.ROUTER_OF[other], link)

    def lose_router(self, link: str, other: str) -> None:
        """The router of `link` goes without a word; that of `other` is there.  It is
        measured like a move.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        self._pause(f"take the router of link {link.upper()} away")
        moment = boot_time()
        self.lab.unwire(topology.ROUTER_OF[link])
        move = Move(
            origin=link, destination=other, unplugged_at=moment, plugged_at=moment
        )
        name = self._moved(move)
        self.tell(f"{name}: the router is gone")
        time.sleep(DETECTED_S)
        self._arrive(name, other)
