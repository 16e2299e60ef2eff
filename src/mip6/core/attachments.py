"""Which of the managed links a mobile node uses (§11.5): those that are up, the one it
is attached by, and the one before.

Like its links it only learns and answers; what a move brings is the mobile node's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, IPv6Network
from math import inf

from .movement import Attachment, Link, ManagedLink
from .packet import Packet

GRACE = 2.0
"""Seconds for which the previous care-of address is kept once the new one is
registered: packets on their way to it still arrive (§11.5.4, decision 0003)."""


@dataclass(frozen=True, slots=True)
class Previous:
    """The care-of address before this one, on a link that is still up."""

    attachment: Attachment
    until: float


class Attachments:
    """The managed links, the preferred first.

    names: of all of them, up or not.
    away_at: the last care-of address, whether its link is still there or not.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        home_prefix: IPv6Network,
        home_agent: IPv6Address,
        random: Callable[[int], bytes],
        *,
        optimistic: bool,
        away_at: IPv6Address | None = None,
    ) -> None:
        self.names = names
        self.up: dict[str, ManagedLink] = {}
        self.here: Attachment | None = None
        self.previous: Previous | None = None
        self.away_at = away_at
        self._home_prefix = home_prefix
        self._home_agent = home_agent
        self._random = random
        self._optimistic = optimistic

    def link_up(self, link: Link, now: float) -> bool:
        """True if nothing that was known of the link holds any more."""
        up = self.up.get(link.name)
        if up is not None and up.link.link_layer_address == link.link_layer_address:
            if up.link == link:
                up.hint(now)
            up.link = link
            return False
        self.up[link.name] = ManagedLink(
            link,
            self._home_prefix,
            self._home_agent,
            self._random,
            now,
            optimistic=self._optimistic,
        )
        return True

    def link_down(self, name: str) -> bool:
        """True if the link was up."""
        return self.up.pop(name, None) is not None

    def update(self, now: float) -> Iterator[tuple[str, Packet]]:
        """Forget what has expired; the links to solicit on now, and with what."""
        for name, up in self.up.items():
            if up.update(now):
                yield name, up.solicitation()

    def choose(self, now: float, *, possible: bool) -> None:
        """Choose where to be: the first link that answers, else the first of all.

        `possible`: the kernel takes what an attachment needs.
        """
        offers: list[Attachment] = []
        if possible:
            ups = (self.up[name] for name in self.names if name in self.up)
            offers = [offer for up in ups if (offer := up.attachment(now))]
        chosen = min(offers, key=lambda offer: offer.silent, default=None)
        old, self.here = self.here, chosen
        if (
            chosen is not None
            and old is not None
            and old.care_of_address not in (None, chosen.care_of_address)
        ):
            self.previous = Previous(old, inf)
        if chosen is not None and not chosen.at_home:
            self.away_at = chosen.care_of_address
        kept = self.previous
        if kept is not None:
            before = self.up.get(kept.attachment.link)
            if (
                before is None
                or not before.knows(kept.attachment.prefix)
                or kept.attachment.care_of_address == self.care_of_address
                or kept.until <= now
                or chosen is None
            ):
                self.previous = None

    def registered(self, now: float) -> None:
        """The home agent knows where we are: the place before is not needed long."""
        if self.previous is not None:
            self.previous = replace(self.previous, until=now + GRACE)

    @property
    def care_of_address(self) -> IPv6Address | None:
        return self.here.care_of_address if self.here else None

    @property
    def deadline(self) -> float:
        """When `update` or `choose` have something to do; inf for never."""
        moments = [link.deadline for link in self.up.values()]
        if self.previous:
            moments.append(self.previous.until)
        return min(moments, default=inf)
