"""The home agents that may serve a mobile node, and which does (§11.4.1, §11.7.1).

Each has a registration of its own, the entry in the binding update list.  One of them
is current: it is asked, and it stays when it has accepted.  When it refuses, or does
not answer by any link, the next one in the list is asked; who has failed is asked again
later.  An earlier one that may still hold a binding is told to let go (decision 0033).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.icmpv6 import HomeAgentAddressDiscoveryReply
from mip6.wire.messages import BindingStatus
from mip6.wire.record import record

from .agent_discovery import AgentDiscovery
from .events import Event, HomeAgentsChanged, Problem
from .packet import Packet
from .rate import Persistence
from .registration import RESPITE, Aim, Registration, update_times
from .state import Tunnel

DUPLICATE = BindingStatus.DUPLICATE_ADDRESS_DETECTION_FAILED
HOME_AGENTS_MAX = 16
"""In the list, found and configured ones together."""
FORMER_MAX = 16
"""Out of the list, but they may hold a binding."""
ERRORS_MIN = 3
ERRORS_WITHIN = 10.0
"""So many errors within so many seconds are reason to ask whether it is still there."""
PLACES_MAX = 16
"""Care-of addresses from which none has accepted yet."""


@record
class Failure:
    """Why a home agent is not asked now."""

    at: float
    status: int | None
    """Of its refusal; None if it did not answer."""


@record
class Candidate:
    """What `mip6 status` shows of one home agent."""

    address: IPv6Address
    current: bool
    failure: Failure | None
    bound_until: float
    """It may hold a binding until then."""


class HomeAgents:
    """listed: in the order in which they are asked.
    discover: when none of them accepts, the home link is asked for others.
    lifetime: seconds to ask for.
    random: that many random octets.
    restored: the tunnel that an earlier process left; its home agent comes first.
    recent: when each was sent Binding Updates, for any home address (§11.8).
    """

    def __init__(
        self,
        home_address: IPv6Address,
        home_prefix: IPv6Network,
        listed: Iterable[IPv6Address],
        *,
        discover: bool,
        lifetime: float,
        authentication_required: bool,
        random: Callable[[int], bytes],
        restored: Tunnel | None,
        recent: dict[IPv6Address, deque[float]] | None = None,
    ) -> None:
        self.home_address = home_address
        self.listed = tuple(dict.fromkeys(listed))[:HOME_AGENTS_MAX]
        self.discovered: tuple[IPv6Address, ...] = ()
        self.discovery = AgentDiscovery(home_prefix, random) if discover else None
        self._lifetime = lifetime
        self._authentication_required = authentication_required
        self._recent = {} if recent is None else recent
        self._registrations: dict[IPv6Address, Registration] = {}
        self._failures: dict[IPv6Address, Failure] = {}
        # In the order in which they failed.
        self._places: dict[IPv6Address, None] = {}
        # Care-of addresses that were tried since one was accepted, in that order.
        self._accepted: Registration | None = None
        self.errors = Persistence(ERRORS_MIN, ERRORS_WITHIN)
        """What routers say of the way to them."""
        self._spent = False
        # The current one has failed since it was its turn.
        self._now = -inf
        first = self.listed[0] if self.listed else None
        self.current = self._registration(first)
        self._told = (first, self.known)
        self._told_failures = 0
        if restored is not None:
            self.current = self._registration(restored.home_agent)
            self.current.restore(restored.expires)
            self._accepted = self.current

    # What is known.

    @property
    def known(self) -> tuple[IPv6Address, ...]:
        """All of them in order, and those that may still hold a binding."""
        former = (
            address
            for address, one in self._registrations.items()
            if one is self.current or self._now < one.bound_until
        )
        return tuple(dict.fromkeys((*self.listed, *self.discovered, *former)))

    @property
    def lifetime(self) -> float:
        return self._lifetime

    @lifetime.setter
    def lifetime(self, seconds: float) -> None:
        self._lifetime = self.current.lifetime = seconds
        for one in self._registrations.values():
            one.lifetime = seconds

    def find(self, home_agent: IPv6Address) -> Registration | None:
        return self._registrations.get(home_agent)

    def standing(
        self, care_of_address: IPv6Address | None, now: float
    ) -> Registration | None:
        """With whom this care-of address is registered; the current one first."""
        for one in self._every():
            if one.stands(care_of_address, now):
                return one
        return None

    def alive(self, now: float) -> bool:
        """Whether any has granted a binding that has not ended."""
        return any(one.alive(now) for one in self._every())

    def candidates(self) -> Iterator[Candidate]:
        """In the order of the list."""
        for address in self.known:
            one = self._registrations.get(address)
            yield Candidate(
                address,
                current=address == self.current.home_agent,
                failure=self._failures.get(address),
                bound_until=one.bound_until if one else -inf,
            )

    @property
    def deadline(self) -> float:
        """When there is something to send, or another to ask; inf for never."""
        moments = [one.deadline for one in self._every()]
        if self.discovery is not None:
            moments.append(self.discovery.deadline)
        turns: list[float] = []
        if self._must_change:
            turns += (failure.at + RESPITE for failure in self._failures.values())
        for one in self._every():
            turns += (one.expires, one.bound_until)
        return min((*moments, *(at for at in turns if at > self._now)))

    # What happens.

    def found(self, listed: Iterable[IPv6Address]) -> None:
        """The list is this one from now on; who has accepted stays current."""
        self.listed = tuple(dict.fromkeys(listed))[:HOME_AGENTS_MAX]

    def replied(
        self, packet: Packet, message: HomeAgentAddressDiscoveryReply, now: float
    ) -> str:
        """A discovery has been answered; why that is ignored, or ""."""
        if self.discovery is None:
            return "discovery_not_expected"
        found = self.discovery.replied(packet, message, now)
        if isinstance(found, str):
            return found
        room = HOME_AGENTS_MAX - len(self.listed)
        others = (a for a in found if a not in (*self.listed, self.home_address))
        self.discovered = tuple(others)[:room]
        return ""

    def accepted(self) -> None:
        """The current one holds what it was asked for."""
        self._accepted, self._spent = self.current, False
        self._failures.clear()
        self._places.clear()

    def failed(self, now: float, status: int | None = None) -> None:
        """The current one has refused, or did not answer however it was asked.

        Status 134 may be about a binding of ours: another home agent that holds one
        defends the home address.  It is final only if that cannot be.
        """
        current, address = self.current, self.current.home_agent
        assert address is not None  # else nothing would have been asked
        self._failures.pop(address, None)
        self._failures[address] = Failure(now, status)
        self._spent = True
        elsewhere = any(
            now < one.bound_until for one in self._every() if one is not current
        )
        if current.given_up and (elsewhere or self._untried):
            current.postpone(now)

    def choose(self, aim: Aim | None, now: float, *, silent: bool) -> bool:
        """Decide whom to ask for this.  True if it is one that has not failed yet: for
        it every link deserves a try.

        silent: nobody has answered by any link.
        """
        self._now = now
        if aim is None or aim.delete:
            self._need_others(False, now)
            if aim is not None and now >= self.current.bound_until:
                self._return()
            return False
        if aim.care_of_address not in self._places:
            # Another place may be another network: as if none had failed.
            if len(self._places) == PLACES_MAX:
                del self._places[next(iter(self._places))]
            self._places[aim.care_of_address] = None
            self._failures.clear()
            self._spent = False
            self._return()
        if silent:
            self.failed(now)
        untried = self._untried
        fresh = self._must_change and bool(untried)
        if fresh:
            self._turn_to(untried[0])
        elif self._must_change:
            self._ask_again(now)
        address = self.current.home_agent
        all_failed = not untried and address in self._failures
        self._need_others(address is None or all_failed, now)
        return fresh

    def take_aim(self, aim: Aim | None, now: float) -> None:
        """What the current one is to know; the others are to know nothing."""
        current = self.current
        let_go = aim is not None and (
            aim.delete or current.stands(aim.care_of_address, now) or self._defended
        )
        for one in self._every():
            wanted = aim
            if one is not current:
                gone = let_go and now < one.bound_until
                wanted = _deletion(aim) if aim and gone else None
            elif aim and aim.delete and now >= one.bound_until:
                wanted = None
            elif aim and one.home_agent in self._failures and len(self.known) > 1:
                wanted = replace(aim, patient=True)
            one.take_aim(wanted, now)
        self._forget(now)

    def packets(self, now: float, aim: Aim | None, valid_until: float) -> list[Packet]:
        """What is to be sent now: Binding Updates, the current one's first, and the
        question who else is there."""
        sent = [
            packet
            for one in self._every()
            if (packet := one.update(now, valid_until)) is not None
        ]
        if self.discovery is not None and aim is not None and not aim.delete:
            link = None if aim.adopted else aim.link
            request = self.discovery.request(aim.care_of_address, link, now)
            if request is not None:
                sent.append(request)
        return sent

    def events(self) -> list[Event]:
        """What there is to tell since the last call, before anything is sent."""
        events: list[Event] = []
        told = (self.current.home_agent, self.known)
        if told != self._told:
            self._told = told
            events.append(HomeAgentsChanged(*told))
        discovery = self.discovery
        if discovery is not None and discovery.failures != self._told_failures:
            self._told_failures = discovery.failures
            if discovery.failures == 1:
                what = f"no home agent answers to {discovery.anycast}"
                advice = "check the prefix of home_address, or name its home_agent"
                events.append(Problem(what, advice))
        return events

    # Which one.

    @property
    def _must_change(self) -> bool:
        """Whether the current one is none, or has failed; but status 134 is final."""
        if self.current.given_up:
            return False
        return self.current.home_agent is None or self._spent

    @property
    def _untried(self) -> list[IPv6Address]:
        """Who has not failed here yet, from the current one around the list."""
        row = [*self.listed, *self.discovered]
        address = self.current.home_agent
        at = row.index(address) + 1 if address in row else 0
        around = (*row[at:], *row[:at])
        return [a for a in around if a not in self._failures and a != address]

    @property
    def _bound_to(self) -> IPv6Address | None:
        """Who has accepted last, as long as it may hold the binding."""
        one = self._accepted
        return one.home_agent if one and self._now < one.bound_until else None

    @property
    def _defended(self) -> bool:
        """Whether one of them found the home address in use: perhaps by another of
        them, which is to let go of it."""
        return any(failure.status == DUPLICATE for failure in self._failures.values())

    def _return(self) -> None:
        """To whom has accepted, as long as it holds the binding (§11.4.1)."""
        if bound_to := self._bound_to:
            self._turn_to(bound_to)

    def _ask_again(self, now: float) -> None:
        """All have failed: the first that did, when it had time to recover."""
        for address, failure in self._failures.items():
            if address != self.current.home_agent and now >= failure.at + RESPITE:
                self._turn_to(address)
                return

    def _turn_to(self, address: IPv6Address) -> None:
        self.current, self._spent = self._registration(address), False

    def _need_others(self, needed: bool, now: float) -> None:
        if self.discovery is not None:
            self.discovery.want(needed, now)

    def _every(self) -> Iterator[Registration]:
        """The current registration, and those with others."""
        yield self.current
        for one in self._registrations.values():
            if one is not self.current:
                yield one

    def _registration(self, home_agent: IPv6Address | None) -> Registration:
        known = self._registrations.get(home_agent) if home_agent else None
        if known is None:
            known = Registration(
                self.home_address,
                home_agent,
                lifetime=self._lifetime,
                authentication_required=self._authentication_required,
                recent=self._recent.setdefault(home_agent, update_times())
                if home_agent
                else None,
            )
            if home_agent is not None:
                self._registrations[home_agent] = known
        return known

    def _forget(self, now: float) -> None:
        """Whoever is not in the list any more, and holds nothing; the most are kept for
        whom a binding is certain."""
        listed = {*self.listed, *self.discovered, self.current.home_agent}
        former = [a for a in self._registrations if a not in listed]
        kept = [a for a in former if now < self._registrations[a].bound_until]
        kept.sort(key=lambda a: self._registrations[a].alive(now))
        for address in {*former} - {*kept[-FORMER_MAX:]}:
            del self._registrations[address]
            self._failures.pop(address, None)
            self._recent.pop(address, None)


def _deletion(aim: Aim) -> Aim:
    return replace(aim, delete=True, tentative=False, patient=False)
