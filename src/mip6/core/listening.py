"""Groups that a mobile node listens to through its tunnel (§11.3.4).

What processes join on the mobility device is told to the home agent, once that has
asked; packets to these groups come out of the tunnel as those to the home address do.
`groups` is the home agent's side.
"""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv6Address
from math import inf

from mip6.wire.buffer import WireError
from mip6.wire.multicast_listener import (
    IS_EXCLUDE,
    ROBUSTNESS,
    TO_EXCLUDE,
    TO_INCLUDE,
    check_query,
    report,
)
from mip6.wire.packet import IPv6Packet

from .effects import Effect, Forward
from .events import Dropped
from .groups import GROUPS_OF_ONE_MAX, is_global, tunnelled
from .home_link import link_local_of
from .state import End, State, Tunnel

AGAIN = 1.0
"""Seconds until a change is told once more (RFC 3810 §9.11)."""
CHANGES_MAX = 2 * GROUPS_OF_ONE_MAX
"""Of those that are still to be told; the rest the home agent learns when it asks."""


class Listening:
    """groups: those of global scope, as many as a home agent takes from one."""

    def __init__(self) -> None:
        self.groups: tuple[IPv6Address, ...] = ()
        self._asker: IPv6Address | None = None
        self._answer_due = False
        self._changes: dict[IPv6Address, int] = {}
        """How often each is still to be told."""
        self._tell_at = inf

    @property
    def deadline(self) -> float:
        """When a change is told once more; inf for never."""
        return self._tell_at

    def joined(self, groups: Iterable[IPv6Address], now: float) -> None:
        """These are joined on the mobility device now, of whatever scope."""
        wanted = {group for group in groups if is_global(group)}
        kept = [group for group in self.groups if group in wanted]
        new = sorted(wanted - set(kept))[: GROUPS_OF_ONE_MAX - len(kept)]
        left = [group for group in self.groups if group not in wanted]
        self.groups = (*kept, *new)
        if self._asker is None or not (new or left):
            return  # it will ask, and then hear all
        for group in (*left, *new):
            self._changes.pop(group, None)
            self._changes[group] = ROBUSTNESS
        while len(self._changes) > CHANGES_MAX:
            del self._changes[next(iter(self._changes))]
        self._tell_at = now

    def asked(
        self, outer: IPv6Packet, inner: IPv6Packet, care_of_address: IPv6Address | None
    ) -> Dropped | None:
        """A home agent asks through its tunnel; the reason if that does not count."""
        if outer.destination != care_of_address:
            return Dropped("tunnel_destination", "11.3.3", outer.source)
        try:
            check_query(inner)
        except WireError as error:
            return Dropped(error.reason, "RFC 3810 6.2", outer.source)
        self._asker, self._answer_due = outer.source, True
        return None

    def states(self, tunnel: Tunnel) -> list[State]:
        """What brings their packets out of the tunnel: only what comes counts."""
        return [
            replace(tunnel, home_address=group, inbound_only=True, path_mtu=None)
            for group in self.groups
        ]

    def reports(
        self, tunnel: Tunnel | None, bound: IPv6Address | None, now: float
    ) -> list[Effect]:
        """What is to be said now.

        tunnel: the one of the home address, if the home agent has accepted it.
        bound: the home agent that asked, while it may have a binding of ours.
        """
        if self._asker != bound:
            self._asker, self._answer_due = None, False
            self._changes.clear()
            self._tell_at = inf
        if tunnel is None or tunnel.home_agent != self._asker:
            if self._tell_at <= now:
                self._tell_at = inf  # once it stands
            return []
        records = []
        if self._answer_due:
            self._answer_due = False
            records += [(IS_EXCLUDE, group) for group in self.groups]
        if self._changes and (self._tell_at <= now or self._tell_at == inf):
            listening = set(self.groups)
            for group, times in list(self._changes.items()):
                kind = TO_EXCLUDE if group in listening else TO_INCLUDE
                records.append((kind, group))
                if times > 1:
                    self._changes[group] = times - 1
                else:
                    del self._changes[group]
            self._tell_at = now + AGAIN if self._changes else inf
        if not records:
            return []
        said = report(link_local_of(tunnel.home_address), records)
        return [Forward(tunnelled(said, tunnel.care_of_address, tunnel.home_agent))]

    @property
    def asker(self) -> IPv6Address | None:
        """The home agent that wants to be told; None: nothing may be said yet."""
        return self._asker


def is_of_group(state: State) -> bool:
    """Whether it is one of `Listening.states`."""
    return (
        isinstance(state, Tunnel)
        and state.end is End.MOBILE_NODE
        and state.home_address.is_multicast
    )
