"""A run with route optimization: what is direct, and that it is."""

import time
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Any

from . import checks, story
from .capture import Frame
from .lab import Move, wait_until
from .measure import Result
from .renumbering import RenumberingSession
from .session import SETTLE_S, boot_time
from .topology import ADDRESS_OF, HOME_ADDRESS, MOBILE_NODES, PREFIXES

DIRECT_S = 60.0
"""Within which both ends talk directly, lost packets and a busy machine allowed for."""
ENOUGH = 100
"""Packets of a stream that show it flows."""


class OptimizedSession(RenumberingSession):
    """What scenarios with route optimization are written with."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._flowing: list[tuple[str, float, float]] = []
        """Times in which both streams must flow."""
        self._plain: list[tuple[str, float]] = []
        """Correspondents, and when they had ended route optimization."""
        self._refreshed: list[tuple[float, float]] = []
        """Times in which correspondents must have been told anew."""

    def direct(self, *peers: str, role: str = "mn") -> None:
        """Waits until a mobile node and each of `peers` agree that they talk directly.

        Both, since one that has lost its bindings is believed to have them until its
        first Binding Error.  Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        for peer in peers:
            found: dict[str, object] = {}

            def agreed(peer: str = peer, found: dict[str, object] = found) -> bool:
                found.clear()
                found.update(checks.correspondence(self.lab, ADDRESS_OF[peer], role))
                return (
                    found.get("way") == "direct"
                    and self._is_here(found, role)
                    and self._knows(peer, found, role)
                )

            ok = wait_until(agreed, seconds=DIRECT_S, every=0.1)
            detail = f"{found.get('way')}, {found.get('why')}"
            detail += f", known at {found.get('acknowledged_care_of_address')}"
            if not ok:
                detail += f"\n{role}'s log ends:\n{self.lab.last_words(role)}"
                if peer in self.lab.daemons:
                    detail += f"\n{peer}'s:\n{self.lab.last_words(peer)}"
            where = self.lab.link_of(role)
            self.check(f"{role} on {where} and {peer} talk directly", ok, detail)
            self.tell(f"{role} and {peer}: {detail}")

    def _is_here(self, found: Mapping[str, object], role: str) -> bool:
        link = self.lab.link_of(role)
        address = found.get("acknowledged_care_of_address")
        return (
            link is not None
            and address is not None
            and IPv6Address(str(address)) in PREFIXES[link]
        )

    def _knows(self, peer: str, found: Mapping[str, object], role: str) -> bool:
        if peer not in self.lab.daemons:
            return True
        bound = checks.bound_at(self.lab, peer).get(MOBILE_NODES[role])
        return str(bound) == str(found.get("acknowledged_care_of_address"))

    def indirect(self, peer: str, why: str) -> None:
        """Waits until the mobile node has given up on `peer`, for this reason."""
        if self._astray:
            return
        found: dict[str, object] = {}

        def settled() -> bool:
            found.clear()
            found.update(checks.correspondence(self.lab, ADDRESS_OF[peer]))
            return (found.get("way"), found.get("why")) == ("home_agent", why)

        ok = wait_until(settled, seconds=DIRECT_S, every=0.1)
        detail = f"{found.get('way')}, {found.get('why')}"
        self.check(f"{peer} is talked to by way of the home agent", ok, detail)
        self.tell(f"{peer}: {detail}")

    def count(self, seconds: float) -> None:
        """Nothing passes the home agent for so long, and nothing is lost."""
        if self._astray:
            return
        begin, before = boot_time(), checks.forwarded(self.lab)
        time.sleep(seconds)
        after, end = checks.forwarded(self.lab), boot_time()
        name = f"{seconds:g} s optimized on {self.where}"
        detail = f"{after - before} forwarded by the home agent"
        self.check(f"{name}: nothing goes by the home agent", before == after, detail)
        self.tell(f"{name}: {detail}")
        self._account.quiet.append((name, begin, end))
        self._flowing.append((name, begin, end))

    def forgotten(self, peer: str) -> None:
        """The correspondent sends to the home address again, as if nothing had been."""
        if self._astray:
            return
        gone = wait_until(
            lambda: not checks.bound_at(self.lab, peer), seconds=DIRECT_S, every=0.1
        )
        left = checks.bound_at(self.lab, peer)
        self.check(f"{peer} has no binding any more", gone, str(left or "none"))
        self._plain.append((peer, boot_time()))

    def move_together(self, links: Mapping[str, str]) -> None:
        """All these mobile nodes change their links at one moment."""
        if self._astray:
            return
        moves = self.lab.move_together(links)
        name = self._moved(moves["mn"])
        self.tell(f"{name}, and all others at the same moment: the cables are in")
        time.sleep(SETTLE_S)
        self._arrive(name, links["mn"])

    def kill_correspondent(self, peer: str) -> None:
        """kill -9 of its daemon, and its second start: direct packets go on."""
        if self._astray:
            return
        begin = boot_time()
        self.lab.kill_daemon(peer)
        self.tell(f"{peer}'s daemon is killed (-9); the streams go on")
        time.sleep(1.0)
        self.lab.start_daemons(peer)
        time.sleep(SETTLE_S)
        self._account.quiet.append(
            (f"{peer}'s daemon killed and back", begin, boot_time())
        )
        self.check(
            f"{peer}'s daemon takes its bindings over",
            HOME_ADDRESS in checks.bound_at(self.lab, peer),
        )

    def reboot_correspondent(self, peer: str) -> None:
        """It loses all it knew, and meanwhile nothing reaches it."""
        if self._astray:
            return
        self._account.cuts.append(boot_time())
        self.lab.cut_off(peer)
        self._stop_daemon(peer)
        self.lab.start_daemons(peer)
        bound = checks.bound_at(self.lab, peer)
        self.check(f"{peer} knows nothing any more", not bound, str(bound or "none"))
        self.lab.cut_off(peer, cut=False)
        self.tell(f"{peer} has lost its bindings, and is back")

    def never_on(self, peer: str, link: str) -> None:
        """The correspondent never was told of a care-of address on `link`."""
        told = [
            line
            for line in self.lab.log(peer).read_text(encoding="utf-8").splitlines()
            if line.startswith("binding ") and f"2001:db8:{link}:" in line
        ]
        self.check(f"{peer} was never told of link {link.upper()}", not told, str(told))

    def refreshed(self, peer: str, seconds: float) -> None:
        """As `outlive`, with a correspondent whose binding is refreshed too."""
        if self._astray:
            return
        begin = boot_time()
        self.outlive(seconds)
        end = boot_time()
        self._refreshed.append((begin, end))
        self.direct(peer)

    def _check_quiet(self, results: list[Result]) -> None:
        super()._check_quiet(results)
        for name, begin, end in self._flowing:
            streams = results[0].down, results[0].up
            counts = [stream.arrived_in(begin, end) for stream in streams]
            detail = f"{counts[0]} packets down, {counts[1]} up"
            enough = min(counts) >= ENOUGH
            self.check(f"{name}: packets flow both ways", enough, detail)

    def _check_updates(self, frames: dict[str, list[Frame]]) -> None:
        super()._check_updates(frames)
        for begin, end in self._refreshed:
            sent = story.updates(frames, begin, end, home=False)
            detail = f"sequence numbers {sent or 'none'}"
            self.check("the correspondent's binding is refreshed", bool(sent), detail)
        for peer, moment in self._plain:
            late = [f for f in frames[peer] if f.direct and f.at > moment]
            what = f"{peer} uses no routing header any more"
            self.check(what, not late, "; ".join(map(story.describe, late[:3])))

    def _check_way(
        self, name: str, move: Move, frames: dict[str, list[Frame]], last: float
    ) -> None:
        if self._peer not in self.lab.daemons:
            super()._check_way(name, move, frames, last)
            return
        seen = story.directly_seen(frames, move.plugged_at, last)
        self.check(f"{name}: pings go directly both ways", seen)
