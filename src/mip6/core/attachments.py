"""Which of the managed links a mobile node uses (§11.5): those that are up, the one it
is attached by, and the one before.

Like its links it only learns and answers; what a move brings is the mobile node's.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborMessage,
    NeighborSolicitation,
    RouterAdvertisement,
)
from mip6.wire.record import record

from .adopted import Adopted, AdoptedLink
from .duplicates import Duplicates
from .events import Dropped, Problem
from .link import Attachment, Link
from .memory import Memory
from .movement import ManagedLink
from .packet import Packet
from .registration import TRIES, Aim, Registration

GRACE = 2.0
"""Seconds for which the previous care-of address is kept once the new one is
registered: packets on their way to it still arrive (§11.5.4, decision 0003)."""


@record
class Previous:
    """The care-of address before this one, on a link that is still up."""

    attachment: Attachment
    until: float


class Attachments:
    """The managed links, the preferred first.

    names: of all of them, up or not.
    managed: routers are solicited and addresses formed here; else others do it.
    optimistic: the kernel checks addresses for duplicates while they are used.
    away_at: the last care-of address, whether its link is still there or not.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        home_prefix: IPv6Network,
        random: Callable[[int], bytes],
        *,
        optimistic: bool,
        never_return_home: bool = False,
        managed: bool = True,
        away_at: IPv6Address | None = None,
    ) -> None:
        self.names = names
        self.up: dict[str, ManagedLink] = {}
        self.here: Attachment | None = None
        self.trial: Attachment | None = None
        """A better way than `here` that becomes it once it is registered: until then
        packets go the way that works (decision 0017)."""
        self.offers: dict[str, Attachment] = {}
        """How one could be attached by each link."""
        self.wanted: str | None = None
        """The link that a person wants; it goes before the order of preference."""
        self.previous: Previous | None = None
        self.away_at = away_at
        self._home_agent: IPv6Address | None = None
        self._home_prefixes: tuple[IPv6Network, ...] = (home_prefix,)
        self._random = random
        self._never_return_home = never_return_home
        self._kind = ManagedLink if managed else AdoptedLink
        self._duplicates = None if optimistic else Duplicates()
        self._memory = Memory()

    def link_up(self, link: Link, now: float) -> bool:
        """True if nothing that was known of the link holds any more."""
        up = self.up.get(link.name)
        if up is not None and up.link.link_layer_address == link.link_layer_address:
            if up.link == link:
                up.hint(now)
            up.link = link
            return False
        self.link_down(link.name)
        self.up[link.name] = self._kind(
            link,
            self._home_prefixes[0],
            self._home_agent,
            self._random,
            now,
            never_return_home=self._never_return_home,
            remembered=self._memory.recall(link, now),
        )
        self.up[link.name].home_prefixes = self._home_prefixes
        return True

    def link_down(self, name: str) -> bool:
        """True if the link was up."""
        if name == self.wanted:
            self.wanted = None
        gone = self.up.pop(name, None)
        if gone is not None:
            self._memory.keep(gone.link, gone.places())
            if self._duplicates:
                self._duplicates.forget(name)
        return gone is not None

    def configured(
        self,
        link: str,
        addresses: tuple[Adopted, ...],
        gateways: tuple[IPv6Address, ...],
    ) -> None:
        """What others have configured on a link."""
        up = self.up.get(link)
        if isinstance(up, AdoptedLink):
            up.configured(addresses, gateways)

    def heard(
        self, packet: Packet, message: NeighborMessage, now: float
    ) -> Dropped | None:
        """An advertisement of a router, or the answer of one seen before; why it was
        ignored."""
        up = self.up.get(packet.link or "")
        if isinstance(message, RouterAdvertisement):
            reason = "link_not_managed"
            if up is not None:
                reason = up.heard(packet, message, now)
            return Dropped(reason, "11.5.1", packet.source) if reason else None
        if (
            up is not None
            and isinstance(message, NeighborAdvertisement)
            and up.confirmed(packet, message)
        ):
            return None
        return Dropped("neighbor_message", "RFC 6059 5.7.1", packet.source)

    def problems(self, registration: Registration, now: float) -> list[Problem]:
        """What an operator should know of the links: told once, when it shows."""
        told = [
            Problem(
                f"no router answers on {name}",
                "there is no IPv6 there, or one has to log in first",
            )
            for name, up in self.up.items()
            if up.unheard(now)
        ]
        if registration.fruitless(now) and registration.retransmissions + 1 == TRIES:
            assert registration.aim is not None  # else nothing would be tried
            told.append(
                Problem(
                    f"the home agent does not answer by {registration.aim.link}",
                    "it is down, or the network there is closed or leads nowhere",
                )
            )
        return told

    def want(self, name: str) -> None:
        """Use this link while it is up, whatever was found out about it before."""
        self.wanted = name
        if name in self.up:
            self.up[name].forgive()

    def update(self, now: float) -> Iterator[tuple[str, Packet]]:
        """Forget what has expired; the links to solicit on now, and with what."""
        for name, address in self._duplicates.ended(now) if self._duplicates else ():
            self.up[name].checked(address, True)
        for name, up in self.up.items():
            for probe in up.probes():
                yield name, probe
            if up.update(now):
                yield name, up.solicitation()

    def questions(self, now: float) -> list[Packet]:
        """Who has the addresses that are used from now on: where the kernel does not
        ask."""
        if self._duplicates is None:
            return []
        ways = [way for way in (self.here, self.trial) if way and not way.unique]
        return [
            packet
            for way in ways
            if way.care_of_address
            for packet in self._duplicates.check(way.link, way.care_of_address, now)
        ]

    def objected(
        self, packet: Packet, message: NeighborAdvertisement | NeighborSolicitation
    ) -> IPv6Address | None:
        """The address of ours that another node has, by what it says."""
        if self._duplicates is None:
            return None
        return self._duplicates.objected(packet, message)

    def choose(self, now: float, *, possible: bool, stands: bool) -> None:
        """Choose where to be: the first link that answers, else the first of all.

        possible: the kernel takes what an attachment needs.
        stands: the home agent tunnels to where we are; it is not left for another link
            before that is registered too.
        """
        self.offers = offers = {}
        if possible:
            for name in self.names:
                if name in self.up and (offer := self.up[name].attachment(now)):
                    offers[name] = offer
        chosen = min(offers.values(), key=self._rank, default=None)
        old = self.here
        self.here, self.trial = chosen, None
        still = offers.get(old.link) if old else None
        if (
            stands
            and old is not None
            and chosen is not None
            and still is not None
            and old.link != chosen.link
            and not chosen.at_home
            and still.care_of_address == old.care_of_address is not None
            and not still.silent
        ):
            self.here, self.trial = still, chosen
        self._remember(old, now)

    def _rank(self, offer: Attachment) -> tuple[bool, float, bool]:
        wanted = offer.link == self.wanted
        return (offer.silent, offer.distrusted_at, not wanted)

    def _remember(self, old: Attachment | None, now: float) -> None:
        """The attachment before this one, while packets may still come there."""
        here = self.here
        if (
            here is not None
            and old is not None
            and old.care_of_address not in (None, here.care_of_address)
        ):
            self.previous = Previous(old, inf)
        if here is not None and not here.at_home:
            self.away_at = here.care_of_address
        kept = self.previous
        if kept is not None:
            before = self.up.get(kept.attachment.link)
            if (
                before is None
                or not before.knows(kept.attachment.prefix)
                or kept.attachment.care_of_address == self.care_of_address
                or kept.until <= now
                or here is None
            ):
                self.previous = None

    def name_servers(self, now: float) -> tuple[IPv6Address, ...]:
        """What routers of the link in use say whom to ask."""
        here = self.here
        return tuple(self.up[here.link].name_servers(now)) if here else ()

    def way_of(self, care_of_address: IPv6Address) -> Attachment | None:
        """By which packets from there leave."""
        for way in (self.trial, self.here):
            if way and way.care_of_address == care_of_address:
                return way
        return None

    def reached(
        self, care_of_address: IPv6Address, now: float, *, answered: bool
    ) -> None:
        """Whether the home agent answered what was sent from there."""
        for way in (self.here, self.trial):
            if way and care_of_address == way.care_of_address and way.link in self.up:
                self.up[way.link].reached(way.router, now, answered=answered)

    def lost(self, care_of_address: IPv6Address) -> None:
        """Another node has this address: it is not kept, even for a moment."""
        if care_of_address == self.care_of_address:
            self.here = None

    def look_for(self, home_agent: IPv6Address | None) -> None:
        """The home agent whose link-layer address counts at home (§11.5.5)."""
        self._home_agent = home_agent
        for up in self.up.values():
            up.home_agent = home_agent

    def renumbered(self, home_prefixes: tuple[IPv6Network, ...]) -> None:
        """These are the home link's now: any of them means home (§11.5.2)."""
        self._home_prefixes = home_prefixes
        for up in self.up.values():
            up.home_prefixes = home_prefixes

    def forgive(self) -> None:
        """Nothing is held against any way: another home agent is asked."""
        for up in self.up.values():
            up.forgive()

    def aim(self, home_address: IPv6Address, *, stopping: bool) -> Aim | None:
        """What the home agent is to know, given where we are (§11.7.1, §11.5.5)."""
        trial = self.trial
        tentative = trial is not None and trial.usable
        there = trial if tentative else self.here
        if there is None or not there.usable:
            return None
        return Aim(
            there.care_of_address or home_address,
            there.link,
            there.at_home or stopping,
            self.up[there.link].link.link_local,
            tentative=tentative,
            adopted=there.adopted,
            patient=there.distrusted_at > -inf,
        )

    def registered(self, now: float) -> None:
        """The home agent knows where we are: the place before is not needed long."""
        if self.previous is not None:
            self.previous = replace(self.previous, until=now + GRACE)

    @property
    def at_home(self) -> bool:
        return self.here is not None and self.here.at_home

    @property
    def care_of_address(self) -> IPv6Address | None:
        return self.here.care_of_address if self.here else None

    @property
    def deadline(self) -> float:
        """When `update` or `choose` have something to do; inf for never."""
        moments = [link.deadline for link in self.up.values()]
        if self._duplicates:
            moments.append(self._duplicates.deadline)
        if self.previous:
            moments.append(self.previous.until)
        return min(moments, default=inf)
