"""The correspondents in the binding update list of a mobile node (§11.1): with whom
there is traffic, and what is known of each.

The mobile node asks it, after each of its own inputs, for the packets to send and the
kernel state that is wanted.  Entries come from traffic alone, never from what somebody
sends in order to make one (§11.3.5, §11.3.6).
"""

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.icmpv6 import (
    DestinationUnreachable,
    PacketTooBig,
    ParameterProblem,
    TimeExceeded,
)
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingError,
    BindingErrorStatus,
    BindingRefreshRequest,
    CareOfTest,
    HomeTest,
)

from .addresses import is_unicast_routable
from .correspondent_registration import CorrespondentRegistration
from .direct_errors import Quote, quote
from .events import Dropped, Event, Problem, WayChanged
from .packet import Packet
from .path_mtu import MTU_MIN, PathMtu, TooBig, length_of
from .rate import Persistence, TokenBucket
from .route_optimization import (
    Correspondence,
    CorrespondentPolicy,
    Mode,
    Way,
    Why,
    policy_for,
)
from .state import Route, RouteOptimization, State
from .whereabouts import Whereabouts

UNRECOGNIZED_NEXT_HEADER = 1
UNRECOGNIZED_OPTION = 2
"""Codes of a Parameter Problem (RFC 4443 §3.4)."""
ERRORS_MIN = 3
ERRORS_WITHIN = 10.0
"""So many errors about packets on the direct way within so many seconds send them back
through the home agent: one alone, from nowhere, must not."""
BEGINNINGS_RATE = 10.0
BEGINNINGS_BURST = 20
"""New correspondents a second, and at once: who scans the network does not test every
address of it."""

CorrespondentMessage = (
    HomeTest
    | CareOfTest
    | BindingAcknowledgement
    | BindingRefreshRequest
    | BindingError
    | ParameterProblem
    | PacketTooBig
    | DestinationUnreachable
    | TimeExceeded
)
SECTIONS: dict[type, str] = {
    HomeTest: "11.6.2",
    CareOfTest: "11.6.2",
    BindingAcknowledgement: "11.7.3",
    BindingRefreshRequest: "11.7.4",
    BindingError: "11.3.6",
    PacketTooBig: "RFC 8201 4",
}
"""Where it is written what counts; §11.3.5 for errors."""


class Entry:
    """A correspondent, and what was seen of the direct way to it."""

    def __init__(self, registration: CorrespondentRegistration) -> None:
        self.registration = registration
        self.path = PathMtu()
        self.told: tuple[bool, Why | None] = (False, None)
        """Whether the way that was reported last was direct, and why it was given
        up."""
        self.errors = Persistence(ERRORS_MIN, ERRORS_WITHIN)


class BindingUpdateList:
    """device, table: where the routes of the home address are.
    policies: what the operator wants; the longest prefix counts.
    correspondents_max: entries; beyond it the one without traffic for the longest time
        makes room.
    restored: the direct ways that an earlier process left.
    """

    def __init__(
        self,
        home_address: IPv6Address,
        *,
        device: str,
        table: int,
        random: Callable[[int], bytes],
        authentication_required: bool,
        policies: Iterable[CorrespondentPolicy] = (),
        correspondents_max: int = 256,
        restored: Iterable[RouteOptimization] = (),
    ) -> None:
        self.home_address = home_address
        self.device = device
        self.table = table
        self.policies = tuple(policies)
        self.correspondents_max = correspondents_max
        self._random = random
        self._authentication_required = authentication_required
        self._entries: dict[IPv6Address, Entry] = {}
        # In the order of traffic: who talked last is last.
        self._beginnings = TokenBucket(BEGINNINGS_RATE, BEGINNINGS_BURST)
        self._here = Whereabouts()
        self._now = -inf
        self._events: list[Event] = []
        self._restored = tuple(restored)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, correspondent: IPv6Address) -> CorrespondentRegistration | None:
        entry = self._entries.get(correspondent)
        return entry.registration if entry else None

    @property
    def deadline(self) -> float:
        """When `update` has something to do; inf for never."""
        moments = [entry.registration.deadline for entry in self._entries.values()]
        moments += (entry.path.deadline(self._now) for entry in self._entries.values())
        return min(moments, default=inf)

    # What happens to it.

    def talks_to(self, peer: IPv6Address, now: float) -> None:
        """There is traffic between the home address and `peer` (§11.7.2)."""
        entry = self._entries.pop(peer, None)
        if entry is not None:
            entry.registration.talked_at = now
            self._entries[peer] = entry
        elif not self._here.at_home and self._may_begin(peer, now):
            self._begin(peer, now)

    def prefer(self, policies: Iterable[CorrespondentPolicy]) -> None:
        """The operator wants something else from now on; who was given up is asked
        again."""
        self.policies = tuple(policies)
        for entry in self._entries.values():
            entry.registration.ask_again_at = -inf

    def refused(self, state: RouteOptimization, now: float) -> None:
        """The kernel did not take it, so no packet may come that way either."""
        if entry := self._entries.get(state.correspondent):
            entry.registration.give_up(Why.KERNEL, now)

    def update(self, now: float, here: Whereabouts) -> list[Packet]:
        """The packets to send now, given where the mobile node is."""
        self._now, self._here = now, here
        self._take_over(now)
        if here.care_of_address:
            self._begin_with_those_always_wanted(now)
        packets: list[Packet] = []
        for peer, entry in list(self._entries.items()):
            registration = entry.registration
            policy = policy_for(peer, self.policies)
            registration.always = policy.mode is Mode.ALWAYS
            registration.ask_again = policy.ask_again
            allowed = policy.mode is not Mode.NEVER
            packets += registration.update(now, here, allowed=allowed)
            self._report(entry)
            idle = registration.finished(now)
            if idle or (not allowed and now >= registration.bound_until):
                del self._entries[peer]
        return packets

    def events(self) -> list[Event]:
        """What there is to tell since the last call."""
        events, self._events = self._events, []
        return events

    def receive(
        self, packet: Packet, message: CorrespondentMessage, now: float
    ) -> Dropped | None:
        """Take in what a correspondent, or a router on the way to one, has sent."""
        reason = self._taken(packet, message, now)
        if not reason:
            return None
        section = SECTIONS.get(type(message), "11.3.5")
        return Dropped(reason, section, packet.source)

    def _taken(self, packet: Packet, message: CorrespondentMessage, now: float) -> str:
        """The reason if it is ignored, or ""."""
        if isinstance(message, ParameterProblem):
            return self._parameter_problem(message, now)
        if isinstance(message, PacketTooBig):
            return self._too_big(message, now)
        if isinstance(message, DestinationUnreachable | TimeExceeded):
            return self._on_the_way(message, Why.UNREACHABLE, now)
        one = self.find(packet.source)
        if one is None:
            return "not_in_binding_update_list"
        if isinstance(message, HomeTest):
            return one.procedure.home_tested(packet, message, self._here)
        if isinstance(message, CareOfTest):
            return one.procedure.care_of_tested(packet, message)
        if isinstance(message, BindingAcknowledgement):
            return one.acknowledged(packet, message, now)
        if isinstance(message, BindingRefreshRequest):
            return one.refresh_requested(now)
        return self._binding_error(one, packet, message, now)

    # What follows.

    def states(self, now: float) -> Iterator[State]:
        """The kernel state that is wanted."""
        # Not taken over yet, they stand: what is sent now goes directly.
        yield from (state for state in self._restored if now < state.expires)
        for peer, entry in self._entries.items():
            state = entry.registration.state(now)
            if state is None:
                continue
            yield state
            mtu = entry.path.mtu(state.care_of_address, now)
            if mtu is not None and not state.inbound_only:
                # Applications learn it from the route, as for the tunnel.
                yield Route(
                    destination=IPv6Network(peer),
                    link=self.device,
                    source=self.home_address,
                    table=self.table,
                    mtu=mtu,
                )

    def correspondences(self, now: float) -> Iterator[Correspondence]:
        """What `mip6 status` shows, who talked last at the end."""
        for peer, entry in self._entries.items():
            one = entry.registration
            direct = one.direct(now)
            until = one.expires if direct else None
            if one.given_up:
                until = one.ask_again_at
            yield Correspondence(
                correspondent=peer,
                way=Way.DIRECT if direct else Way.HOME_AGENT,
                why=one.why,
                until=until,
                care_of_address=one.care_of_address,
                status=one.status,
                sequence_number=one.sequence_number,
                lifetime=one.granted,
                awaiting=one.awaiting,
                retransmissions=one.retransmissions,
                home_token_until=one.procedure.home_token_until(now),
                mtu=entry.path.mtu(one.care_of_address, now) if direct else None,
            )

    # Entries.

    def _may_begin(self, peer: IPv6Address, now: float) -> bool:
        own = (self.home_address, self._here.home_agent, self._here.care_of_address)
        return (
            is_unicast_routable(peer)
            and peer not in own
            and policy_for(peer, self.policies).mode is not Mode.NEVER
            and self._has_room(now)
            and self._beginnings.take(now)
        )

    def _has_room(self, now: float) -> bool:
        """Whether there is a place in the list, or somebody to make one."""
        if len(self._entries) < self.correspondents_max:
            return True
        for peer, entry in self._entries.items():
            registration = entry.registration
            if now >= registration.bound_until and (
                registration.given_up or not registration.in_use(now)
            ):
                del self._entries[peer]
                return True
        return False

    def _begin(
        self,
        peer: IPv6Address,
        now: float,
        restored: RouteOptimization | None = None,
    ) -> None:
        registration = CorrespondentRegistration(
            self.home_address,
            peer,
            random=self._random,
            authentication_required=self._authentication_required,
            now=now,
            restored=restored,
        )
        self._entries[peer] = Entry(registration)

    def _begin_with_those_always_wanted(self, now: float) -> None:
        for policy in self.policies:
            peer = policy.prefix.network_address
            if (
                policy.mode is Mode.ALWAYS
                and policy.prefix.prefixlen == 128
                and peer not in self._entries
                and self._may_begin(peer, now)
            ):
                self._begin(peer, now)

    def _take_over(self, now: float) -> None:
        """What an earlier process left counts as in use: nobody knows better."""
        for state in self._restored:
            if now < state.expires:
                self._begin(state.correspondent, now, state)
        self._restored = ()

    def _report(self, entry: Entry) -> None:
        """Tell of an entry that goes another way now, or was given up."""
        registration = entry.registration
        direct = registration.direct(self._now)
        told = (direct, registration.given_up)
        if told == entry.told:
            return
        entry.told = told
        correspondent, why = registration.correspondent, registration.why
        self._events.append(WayChanged(correspondent, direct, why))

    # Errors.

    def _binding_error(
        self,
        registration: CorrespondentRegistration,
        packet: Packet,
        message: BindingError,
        now: float,
    ) -> str:
        """§11.3.6."""
        if message.status == BindingErrorStatus.UNRECOGNIZED_MH_TYPE:
            if not registration.expects_answer:
                return "binding_error_not_expected"
            registration.give_up(Why.NOT_UNDERSTOOD, now)
            return ""
        if (
            message.status != BindingErrorStatus.UNKNOWN_BINDING
            or message.home_address != self.home_address
        ):
            return "binding_error_not_expected"
        return registration.unknown_binding(packet.destination, now)

    def _parameter_problem(self, message: ParameterProblem, now: float) -> str:
        """§11.3.5: code 1 about a message of ours is the end of it; code 2 about a Home
        Address option should not come from a node that knows the tests."""
        if message.code == UNRECOGNIZED_NEXT_HEADER:
            quoted = quote(message.packet)
            registration = self.find(quoted.destination) if quoted else None
            if (
                quoted is None
                or registration is None
                or not registration.is_ours(quoted.message, quoted.source)
            ):
                return "icmp_error"
            registration.give_up(Why.NOT_UNDERSTOOD, now)
            return ""
        if message.code == UNRECOGNIZED_OPTION:
            return self._on_the_way(message, Why.OPTION_NOT_UNDERSTOOD, now)
        return "icmp_error"

    def _on_the_way(
        self,
        message: DestinationUnreachable | TimeExceeded | ParameterProblem,
        why: Why,
        now: float,
    ) -> str:
        """An error about data on the direct way: if it goes on, that way is left."""
        quoted = quote(message.packet)
        entry = self._quoted(quoted)
        if quoted is None or entry is None:
            return "icmp_error"
        if quoted.routed and why is Why.UNREACHABLE:
            # It was where the correspondent is now, or was: that is the correspondent
            # role's affair (§9.3.4), and late when both have moved meanwhile.
            return "icmp_error"
        if not entry.errors.again(now):
            return "icmp_error_alone"
        entry.registration.give_up(why, now)
        if why is Why.OPTION_NOT_UNDERSTOOD:
            what = f"{quoted.destination} does not know the Home Address option"
            advice = "packets to it go through the home agent; look for what filters it"
            self._events.append(Problem(what, advice))
        return ""

    def _too_big(self, message: PacketTooBig, now: float) -> str:
        """RFC 8201 §4, less what route optimization adds to a packet."""
        quoted = quote(message.packet)
        entry = self._quoted(quoted)
        if quoted is None or entry is None:
            return "icmp_error_quote"
        if length_of(message.packet) <= message.mtu:
            return "icmp_error_quote"  # it would have fitted
        if message.mtu < MTU_MIN:
            return "mtu_below_minimum"
        mtu = message.mtu - quoted.overhead
        if mtu < MTU_MIN:
            # No application is told less; the tunnel carries it in fragments.
            if not entry.errors.again(now):
                return "icmp_error_alone"
            entry.registration.give_up(Why.PATH_TOO_NARROW, now)
            return ""
        to = quoted.destination
        found = TooBig(quoted.source, to, self.home_address, to, mtu)
        return "" if entry.path.learn(found, now) else "mtu_not_smaller"

    def _quoted(self, quoted: Quote | None) -> Entry | None:
        """The entry by which a quoted packet took the direct way."""
        if quoted is None or quoted.home_address != self.home_address:
            return None
        entry = self._entries.get(quoted.destination)
        if entry is None or quoted.source != entry.registration.care_of_address:
            return None
        return entry
