"""Home registrations (§10.3): Binding Updates in, bindings, tunnels and answers out."""

from collections.abc import Container
from dataclasses import replace
from ipaddress import IPv6Address
from math import inf

from mip6.wire.messages import BindingAcknowledgement, BindingStatus, BindingUpdate
from mip6.wire.options import TIME_UNIT
from mip6.wire.record import record

from .addresses import is_router_anycast
from .binding_cache import Binding, BindingCache
from .effects import Effect, Notify, Remove, Send
from .events import BindingChanged, Change, Dropped, Problem, Refused
from .home_link import HomeLink, link_local_of
from .home_updates import (
    care_of_address_unprotected,
    dropped,
    malformed,
    wanted_care_of_address,
)
from .interception import Interception
from .joined import REFUSAL_MAX
from .packet import Packet
from .policy import Policy
from .prefix_discovery import PrefixDiscovery
from .prefixes import HomePrefixes
from .rate import AskingRate
from .revocations import Revocations
from .sequence import follows
from .state import State


@record
class _Answer:
    """A Binding Update that changed the cache: whom `failed` must answer, what it must
    go back to, and what has been said."""

    packet: Packet
    update: BindingUpdate
    before: Binding | None
    after: Binding
    effects: list[Effect]


class HomeRegistrations:
    """All changes of a home agent's binding cache, but for what its kernel held at the
    start.

    link: the home link; None when there is none.
    grace, updates_max: see `HomeAgent`.
    """

    def __init__(
        self,
        address: IPv6Address,
        *,
        cache: BindingCache,
        policy: Policy,
        prefixes: HomePrefixes,
        prefix_discovery: PrefixDiscovery,
        revocations: Revocations,
        interception: Interception,
        link: HomeLink | None,
        authentication_required: bool,
        grace: float,
        updates_max: int | None,
    ) -> None:
        self.policy = policy
        self.corresponds: Container[IPv6Address] = ()
        self._address = address
        self._cache = cache
        self._prefixes = prefixes
        self._prefix_discovery = prefix_discovery
        self._revocations = revocations
        self._interception = interception
        self._link = link
        self._authentication_required = authentication_required
        self.grace = grace
        self.updates = AskingRate(updates_max)
        self.overloaded = False
        """See `HomeAgent.overloaded`."""
        # Of the last input, in the order of its effects.
        self._answers: list[_Answer] = []
        self._answered_at = -inf

    def receive(
        self, packet: Packet, update: BindingUpdate, now: float
    ) -> list[Effect]:
        ignored = (
            malformed(packet, update, self._address)
            or self.untrusted(packet)
            or self._too_often(packet, now)
        )
        if ignored is not None:
            return [Notify(ignored)]
        binding = self._cache.find(packet.origin)
        if not update.home_registration and binding is None:
            return [_dropped("not_a_correspondent", "9.5.1", packet)]
        status = self._validate(packet, update, binding, now)
        if status is BindingStatus.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE:
            # It may have overtaken the Binding Update that it is to undo; or that one
            # waits, and is undone.
            self._cache.delete(packet.origin, update.sequence_number, now)
            if self._link is not None:
                self._link.stop(packet.origin)
        if status is not BindingStatus.ACCEPTED:
            return self._refuse(packet, update, status)
        if care_of_address_unprotected(packet, update):
            problem = Problem(
                f"{packet.origin} sends no Alternate Care-of Address option, and ESP "
                "protects no other",
                "configure that mobile node to send it (RFC 6275 11.7.1)",
            )
            status = BindingStatus.REASON_UNSPECIFIED
            return [*self._refuse(packet, update, status), Notify(problem)]
        if packet.protected_for is not None:
            self._cache.remember(packet.origin, update.sequence_number)
        if update.lifetime == 0:
            return self._deregister(packet, update, binding, now)
        if self._link is not None and self._link.check_time:
            wanted = [packet.origin]
            if update.link_local_address_compatibility:
                wanted.append(link_local_of(packet.origin))
            unchecked = tuple(a for a in wanted if not self._defends(a))
            if unchecked:
                return self._link.check(packet, update, unchecked, now)
        return self._register(packet, update, binding, now)

    def _defends(self, address: IPv6Address) -> bool:
        """Whether nobody on the home link can take `address`: it is ours already."""
        assert self._link is not None
        return self._cache.find(address) is not None or self._link.serves(address)

    def neighbor_heard(self, packet: Packet) -> list[Effect]:
        """Somebody on the home link may hold an address that is being checked."""
        waiting = self._link.taken(packet) if self._link else ()
        return [
            effect
            for w in waiting
            for effect in self._refuse(
                w.packet, w.update, BindingStatus.DUPLICATE_ADDRESS_DETECTION_FAILED
            )
        ]

    def tick(self, now: float) -> list[Effect]:
        """What the lifetimes and the home link have become due for."""
        effects: list[Effect] = []
        for binding in self._cache.expire(now):
            effects += self._ended(binding)
            effects.append(_changed(Change.EXPIRED, binding, lifetime=0))
        return (
            effects if self._link is None else effects + self._checked(self._link, now)
        )

    def _checked(self, link: HomeLink, now: float) -> list[Effect]:
        """Nobody has objected: the Binding Updates that waited are answered."""
        effects: list[Effect] = []
        for address, times in link.repeats(now):
            if self._defends(address):
                effects += link.advertise(address, now, times)
        answers = []
        for waiting in link.checked(now):
            packet, update = waiting.packet, waiting.update
            status = self._permitted(packet.origin, now)
            if status is not BindingStatus.ACCEPTED:
                effects += self._refuse(packet, update, status)
                continue
            old = self._cache.find(packet.origin)
            answers.append(self._bind(packet, update, old, now))
        if answers:
            self._answers, self._answered_at = answers, now
        # What stands behind a state that is refused has not happened: these last.
        return effects + [effect for answer in answers for effect in answer.effects]

    def _ended(self, binding: Binding | None) -> list[Effect]:
        """A binding is gone: what stood for it, and what was to be said to it."""
        if binding is None:
            return []
        self._revocations.end(binding.home_address)
        self._prefix_discovery.ended(binding.home_address)
        return self._interception.change(binding, None)

    def end(self, home_address: IPv6Address, now: float) -> list[Effect]:
        """End a binding by our own will.  An older Binding Update that was delayed does
        not bring it back."""
        binding = self._cache.find(home_address)
        assert binding is not None
        last = self._cache.last_sequence_number(home_address)
        self._cache.delete(home_address, last or 0, now)
        return [
            *self._ended(binding),
            _changed(Change.DELETED, binding, lifetime=0),
        ]

    def failed(self, state: State, now: float) -> list[Effect]:
        """The kernel refused `state`, and what stood behind it in the list is undone.

        Right after the Binding Update that wanted it, the binding goes back to what it
        was and the mobile node is told 130.  The acknowledgement that promised the
        binding stood behind the state, so it never left.  At any other time there is
        nobody to tell, and the binding ends.
        """
        answers, self._answers = self._answers, []
        if now - self._answered_at <= REFUSAL_MAX:
            for place, answer in enumerate(answers):
                wanted = self._interception.states(answer.after)
                if any(state.key == own.key for own in wanted):
                    self._answers = answers[place + 1 :]
                    rest = (e for a in self._answers for e in a.effects)
                    return [*self._take_back(answer, state), *rest]
        address = self._interception.home_address_of(state)
        binding = self._cache.find(address) if address is not None else None
        if binding is None:
            return []
        self._cache.drop(binding.home_address)
        ended = self._ended(binding)
        return [
            *(effect for effect in ended if effect != Remove(state)),
            _changed(Change.DELETED, binding, lifetime=0),
            Notify(Problem(f"the kernel refused {state}; its binding has ended")),
        ]

    def _take_back(self, answer: _Answer, refused: State) -> list[Effect]:
        packet, update, before = answer.packet, answer.update, answer.before
        if before is None:
            self._cache.drop(packet.origin)
        else:
            # The update was valid, so its number counts even though it was refused.
            number = update.sequence_number
            self._cache.put(replace(before, sequence_number=number))
        return [
            *self._interception.undo(before, answer.after, refused),
            *self._refuse(packet, update, BindingStatus.INSUFFICIENT_RESOURCES),
            Notify(Problem(f"the kernel refused {refused}")),
        ]

    # What is silently discarded.

    def untrusted(self, packet: Packet) -> Dropped | None:
        """The home address tells which security association must be used (§5.1)."""
        home_address = packet.origin
        protected_for = packet.protected_for
        if protected_for is not None and protected_for == home_address:
            return None
        if protected_for is not None or self._authentication_required:
            return dropped("unauthenticated", "5.1", packet)
        if not self.policy.is_listed(home_address):
            return dropped("not_listed", "10.3.1", packet)
        return None

    def _too_often(self, packet: Packet, now: float) -> Dropped | None:
        if self.updates.allows(int(packet.origin), now):
            return None
        return dropped("update_rate", "11.8", packet)

    # What is answered.

    def _validate(
        self,
        packet: Packet,
        update: BindingUpdate,
        binding: Binding | None,
        now: float,
    ) -> BindingStatus:
        """The tests of §9.5.1 and §10.3, in their order."""
        home_address = packet.origin
        last = self._last_sequence_number(home_address, binding)
        if last is not None and not follows(update.sequence_number, last):
            return BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW
        if (
            binding and update.home_registration != binding.home_registration
        ) or home_address in self.corresponds:
            return BindingStatus.REGISTRATION_TYPE_CHANGE_DISALLOWED
        if update.lifetime == 0:
            if binding is None and not self._cache.was_deleted(home_address):
                return BindingStatus.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE  # §10.3.2
            return BindingStatus.ACCEPTED
        status = self._permitted(home_address, now)
        if status is not BindingStatus.ACCEPTED:
            return status
        care_of_address = wanted_care_of_address(packet, update)
        if (
            int(care_of_address) == int(self._address)
            or self._prefixes.find(care_of_address) is not None
        ):
            # A tunnel to a home address here would lead back into itself (decision
            # 0004).
            return BindingStatus.INVALID_CARE_OF_ADDRESS
        if binding is None and self._full(home_address):
            return BindingStatus.INSUFFICIENT_RESOURCES
        return BindingStatus.ACCEPTED

    def _permitted(self, home_address: IPv6Address, now: float) -> BindingStatus:
        """Whether anybody may register this home address here at all."""
        prefix = self._prefixes.find(home_address)
        if prefix is None or prefix.valid(now) < TIME_UNIT:
            return BindingStatus.NOT_HOME_SUBNET
        if not self.policy.allows(home_address) or home_address in self._revocations:
            return BindingStatus.ADMINISTRATIVELY_PROHIBITED
        if int(home_address) == int(self._address) or is_router_anycast(
            home_address, prefix.network
        ):
            # Somebody on the home link has it already: ourselves.
            return BindingStatus.DUPLICATE_ADDRESS_DETECTION_FAILED
        return BindingStatus.ACCEPTED

    def _full(self, home_address: IPv6Address) -> bool:
        """Whether there is no room for one more; a check under way has it already."""
        if self._link is None:
            return self.overloaded or self._cache.full
        if self._link.find(home_address) is not None:
            return False
        if self.overloaded:
            return True
        return len(self._cache) + self._link.waiting >= self._cache.bindings_max

    def _last_sequence_number(
        self, home_address: IPv6Address, binding: Binding | None
    ) -> int | None:
        waiting = self._link.find(home_address) if self._link else None
        if waiting is not None:
            return waiting.update.sequence_number
        if binding is not None and binding.sequence_number is not None:
            return binding.sequence_number
        return self._cache.last_sequence_number(home_address)

    def _register(
        self, packet: Packet, update: BindingUpdate, old: Binding | None, now: float
    ) -> list[Effect]:
        if self._link is not None:
            self._link.stop(packet.origin)
        answer = self._bind(packet, update, old, now)
        self._answers, self._answered_at = [answer], now
        return answer.effects

    def _granted(
        self, home_address: IPv6Address, asked: int, now: float
    ) -> tuple[int, BindingStatus]:
        """Seconds, and whether the mobile node must ask for prefixes (§10.3.1)."""
        # Where they are the same it is one object for all bindings.
        lifetime = min(self.policy.lifetime(home_address), asked)
        prefix = self._prefixes.find(home_address)
        if prefix is None or not prefix.ends:
            return lifetime, BindingStatus.ACCEPTED
        valid = prefix.valid(now)
        if valid < lifetime:
            lifetime = int(valid) // TIME_UNIT * TIME_UNIT
        if prefix.preferred(now) < lifetime or valid < lifetime + TIME_UNIT:
            return lifetime, BindingStatus.ACCEPTED_BUT_PREFIX_DISCOVERY_NECESSARY
        return lifetime, BindingStatus.ACCEPTED

    def _bind(
        self, packet: Packet, update: BindingUpdate, old: Binding | None, now: float
    ) -> _Answer:
        """§10.3.1, for a Binding Update that passed all tests."""
        care_of_address = wanted_care_of_address(packet, update)
        home_address = packet.origin
        lifetime, status = self._granted(home_address, update.lifetime, now)
        change, previous, previous_until = Change.CREATED, None, 0.0
        path_mtu, path_mtu_until = None, 0.0
        if old is not None:
            home_address = old.home_address  # one object, which is quick to compare
        if old is not None and int(old.care_of_address) == int(care_of_address):
            change = Change.REFRESHED
            care_of_address = old.care_of_address
            if old.previous_until > now:
                previous, previous_until = old.previous, old.previous_until
            if old.path_mtu_until > now:
                path_mtu, path_mtu_until = old.path_mtu, old.path_mtu_until
        elif old is not None:
            change = Change.MOVED
            if self.grace:
                previous = old.care_of_address
                previous_until = min(now + self.grace, old.expires)
        binding = Binding(
            home_address=home_address,
            care_of_address=care_of_address,
            home_registration=True,
            sequence_number=update.sequence_number,
            lifetime=lifetime,
            expires=now + lifetime,
            link_local_address_compatibility=update.link_local_address_compatibility,
            previous=previous,
            previous_until=previous_until,
            path_mtu=path_mtu,
            path_mtu_until=path_mtu_until,
        )
        self._cache.put(binding)
        effects = self._interception.change(old, binding)
        if self._link is not None:
            standing = self._interception.intercepted(old) if old else ()
            for address in self._interception.intercepted(binding):
                if address not in standing:
                    effects += self._link.advertise(address, now)
        effects.append(self._acknowledge(packet, update, status, lifetime))
        self._prefix_discovery.registered(binding, now)
        effects.append(_changed(change, binding, lifetime=lifetime))
        return _Answer(packet, update, old, binding, effects)

    def _deregister(
        self, packet: Packet, update: BindingUpdate, old: Binding | None, now: float
    ) -> list[Effect]:
        """§10.3.2: stop intercepting at once, remember the sequence number a while."""
        self._cache.delete(packet.origin, update.sequence_number, now)
        self._answers = []
        if self._link is not None:
            self._link.stop(packet.origin)
        effects = self._ended(old)
        effects.append(self._acknowledge(packet, update, BindingStatus.ACCEPTED, 0))
        if old is not None:
            effects.append(_changed(Change.DELETED, old, lifetime=0))
        return effects

    def _refuse(
        self, packet: Packet, update: BindingUpdate, status: BindingStatus
    ) -> list[Effect]:
        refused = Refused(packet.origin, wanted_care_of_address(packet, update), status)
        return [self._acknowledge(packet, update, status, 0), Notify(refused)]

    def _acknowledge(
        self,
        packet: Packet,
        update: BindingUpdate,
        status: BindingStatus,
        lifetime: int,
    ) -> Send:
        """To where the Binding Update came from, whatever is in the cache (§9.5.4)."""
        number = update.sequence_number
        if status is BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW:
            binding = self._cache.find(packet.origin)
            last = self._last_sequence_number(packet.origin, binding)
            assert last is not None
            number = last
        at_home = int(packet.source) == int(packet.origin)
        return Send(
            Packet(
                source=self._address,
                destination=packet.source,
                routing_address=None if at_home else packet.home_address,
                message=BindingAcknowledgement(
                    status=status, sequence_number=number, lifetime=lifetime
                ),
                # By routing alone a refusal would go into the tunnel that still
                # stands, to where the mobile node has left (§10.3.2).
                link=self._link.name if at_home and self._link else None,
            )
        )


def _dropped(reason: str, section: str, packet: Packet) -> Notify:
    return Notify(dropped(reason, section, packet))


def _changed(change: Change, binding: Binding, *, lifetime: float) -> Notify:
    return Notify(
        BindingChanged(change, binding.home_address, binding.care_of_address, lifetime)
    )
