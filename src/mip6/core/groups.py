"""Groups that mobile nodes listen to through their tunnels (§10.4.2, §10.4.3).

The home agent asks each of them, joins on the home link what they listen to, and sends
copies of what comes there.  Who has not told for a while has left.
"""

from collections.abc import Callable, Iterator
from ipaddress import IPv6Address

from mip6.wire.buffer import WireError
from mip6.wire.multicast_listener import (
    QUERY_INTERVAL,
    RESPONSE_INTERVAL_MS,
    ROBUSTNESS,
    general_query,
    read_memberships,
)
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import HEADER, IPv6Packet

from .addresses import is_unicast_routable
from .binding_cache import Binding
from .effects import Effect, Forward, Install, Notify, Remove
from .events import Dropped
from .fragments import split
from .home_link import link_local_of
from .rate import TokenBucket
from .state import Membership
from .timers import Timers, earliest

GLOBAL = 0xE
"""The scope that is tunnelled; smaller ones stay on the home link (§10.4.2)."""
LINK_SCOPE = 2
"""The largest scope that is of the link where its sender is (RFC 4291 §2.7)."""
LISTENS_FOR = ROBUSTNESS * QUERY_INTERVAL + RESPONSE_INTERVAL_MS / 1000
"""Seconds that a report counts (RFC 3810 §9.4)."""
GROUPS_MAX = 256
"""Groups at a time."""
GROUPS_OF_ONE_MAX = 16
"""Those of one home address."""
STARTUP_INTERVAL = 2.0
"""Seconds until who has come is asked once more: the first question may be lost, or
overtake the acknowledgement (RFC 3810 §9.6, which has longer ones for links)."""
QUERIES_MAX = 50
"""Questions in one go."""
COPIES_RATE, COPIES_BURST = 2000, 500
"""Copies a second: nobody on the home link makes one packet many without end, and no
mobile node either."""
WHOLE_MAX = 1500
"""Octets of a tunnelled packet that most paths carry; longer ones go in fragments, as
there is nobody to be told."""
PIECES_MTU = 1280


class Groups:
    """Of one home agent.

    address: the home agent's.
    link: the home link.
    random: octets nobody can guess, as many as asked for.
    """

    def __init__(
        self, address: IPv6Address, link: str, random: Callable[[int], bytes]
    ) -> None:
        self._address = address
        self._link = link
        self._random = random
        self._query = general_query(link_local_of(address))
        self._home: dict[IPv6Address, IPv6Address] = {}
        """Whose a care-of address is: MLD comes from link-local addresses, so the
        tunnel has to tell."""
        self._care_of: dict[IPv6Address, IPv6Address] = {}
        self._listeners: dict[IPv6Address, set[IPv6Address]] = {}
        """Home addresses by group."""
        self._expiry: Timers[tuple[IPv6Address, IPv6Address]] = Timers()
        """Of group and home address."""
        self._asked: Timers[IPv6Address] = Timers()
        # Who has come and is to be asked for the first time.
        self._new: set[IPv6Address] = set()
        self._copies = TokenBucket(COPIES_RATE, COPIES_BURST)

    @property
    def deadline(self) -> float | None:
        return earliest(self._asked.deadline, self._expiry.deadline)

    def states(self) -> Iterator[Membership]:
        for group in self._listeners:
            yield self._membership(group)

    def listeners(self, group: IPv6Address) -> frozenset[IPv6Address]:
        return frozenset(self._listeners.get(group, ()))

    def moved(self, before: Binding | None, after: Binding | None) -> None:
        """A binding is made, changes or ends.  Who comes is asked at once: before, a
        mobile node may not say anything (§11.3.4)."""
        if before is not None:
            if after is not None and before.care_of_address == after.care_of_address:
                return
            home_address = before.home_address
            if self._home.get(before.care_of_address) == home_address:
                del self._home[before.care_of_address]
            self._care_of.pop(home_address, None)
            self._asked.stop(home_address)
            self._new.discard(home_address)
        if after is not None:
            self._home[after.care_of_address] = after.home_address
            self._care_of[after.home_address] = after.care_of_address
            self._asked.set(after.home_address, 0.0)
            self._new.add(after.home_address)

    def receive(self, outer: IPv6Packet, inner: IPv6Packet, now: float) -> list[Effect]:
        """What a mobile node says through its tunnel."""
        home_address = inner.source
        if home_address not in self._care_of:
            home_address = self._home.get(outer.source, home_address)
        if self._care_of.get(home_address) != outer.source:
            return [_dropped("tunnel_source", "10.4.3", outer.source)]
        try:
            memberships = read_memberships(inner)
        except WireError as error:
            return [_dropped(error.reason, "RFC 3810 6.2", outer.source)]
        effects: list[Effect] = []
        for said in memberships:
            if not is_global(said.group):
                effects.append(_dropped("group_scope", "10.4.2", outer.source))
            elif said.listens:
                effects += self._join(said.group, home_address, now)
            else:
                effects += self._leave(said.group, home_address)
        return effects

    def copies(self, octets: bytes, now: float) -> list[Effect]:
        """A packet to a group that came on the home link: one for each listener away.

        A packet nobody listens to, or that may not leave the link, is nobody's.
        """
        if len(octets) < HEADER.size or octets[0] >> 4 != 6:
            return []
        group, source = IPv6Address(octets[24:40]), IPv6Address(octets[8:24])
        hop_limit = octets[7]
        if group not in self._listeners or hop_limit <= 1:
            return []
        if not is_unicast_routable(source):
            return []
        return self._copied(_a_hop_further(octets), group, source, now)

    def sent(self, octets: bytes, now: float) -> list[Effect]:
        """A packet to a group that a mobile node has sent through its tunnel (§11.3.4):
        out on the home link, and to the listeners that are away.

        octets: whole and well formed, from a home address that is bound to where it
            came from.
        """
        group, source = IPv6Address(octets[24:40]), IPv6Address(octets[8:24])
        if group.packed[1] & 0xF <= LINK_SCOPE:
            return [_dropped("group_scope", "RFC 4291 2.7", source)]
        if octets[7] <= 1:
            return [_dropped("hop_limit", "RFC 2473 3.3", source)]
        if not self._copies.take(now):
            return [_dropped("multicast_rate", "10.4.2", source)]
        octets = _a_hop_further(octets)
        out = Forward(octets, link=self._link)
        return [out, *self._copied(octets, group, source, now)]

    def _copied(
        self, inner: bytes, group: IPv6Address, source: IPv6Address, now: float
    ) -> list[Effect]:
        """For each listener that is away, but not back to the sender."""
        effects: list[Effect] = []
        for home_address in sorted(self._listeners.get(group, ())):
            care_of_address = self._care_of.get(home_address)
            if care_of_address is None or home_address == source:
                continue
            if not self._copies.take(now):
                effects.append(_dropped("multicast_rate", "10.4.2", source))
                break
            whole = tunnelled(inner, self._address, care_of_address)
            pieces = [whole]
            if len(whole) > WHOLE_MAX:
                pieces = split(whole, PIECES_MTU, int.from_bytes(self._random(4)))
            effects += map(Forward, pieces)
        return effects

    def tick(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for group, home_address in self._expiry.expire(now):
            effects += self._forget(group, home_address)
        for home_address in self._asked.expire(now, QUERIES_MAX):
            care_of_address = self._care_of[home_address]
            query = tunnelled(self._query, self._address, care_of_address)
            effects.append(Forward(query))
            new = home_address in self._new
            self._new.discard(home_address)
            wait = STARTUP_INTERVAL if new else QUERY_INTERVAL
            self._asked.set(home_address, now + wait)
        return effects

    def refused(self, state: Membership) -> None:
        """The kernel would not join it."""
        for home_address in self._listeners.pop(state.group, ()):
            self._expiry.stop((state.group, home_address))

    def _join(
        self, group: IPv6Address, home_address: IPv6Address, now: float
    ) -> list[Effect]:
        listeners = self._listeners.get(group)
        if listeners is None or home_address not in listeners:
            one = sum(home_address in others for others in self._listeners.values())
            if one >= GROUPS_OF_ONE_MAX or (
                listeners is None and len(self._listeners) >= GROUPS_MAX
            ):
                return [_dropped("groups_max", "10.4.3", home_address)]
        self._expiry.set((group, home_address), now + LISTENS_FOR)
        if listeners is not None:
            listeners.add(home_address)
            return []
        self._listeners[group] = {home_address}
        return [Install(self._membership(group))]

    def _leave(self, group: IPv6Address, home_address: IPv6Address) -> list[Effect]:
        self._expiry.stop((group, home_address))
        return self._forget(group, home_address)

    def _forget(self, group: IPv6Address, home_address: IPv6Address) -> list[Effect]:
        listeners = self._listeners.get(group, set())
        if home_address not in listeners:
            return []
        listeners.remove(home_address)
        if listeners:
            return []
        del self._listeners[group]
        return [Remove(self._membership(group))]

    def _membership(self, group: IPv6Address) -> Membership:
        return Membership(group=group, link=self._link)


def tunnelled(inner: bytes, source: IPv6Address, destination: IPv6Address) -> bytes:
    """With the traffic class and flow label of what is inside."""
    first = int.from_bytes(inner[:4])
    ends = source.packed, destination.packed
    return HEADER.pack(first, len(inner), NextHeader.IPV6, 64, *ends) + inner


def _a_hop_further(octets: bytes) -> bytes:
    return octets[:7] + bytes([octets[7] - 1]) + octets[8:]


def is_global(group: IPv6Address) -> bool:
    """Whether it is a group that packets are tunnelled for."""
    return group.is_multicast and group.packed[1] & 0xF == GLOBAL


def _dropped(reason: str, section: str, source: IPv6Address) -> Notify:
    return Notify(Dropped(reason, section, source))
