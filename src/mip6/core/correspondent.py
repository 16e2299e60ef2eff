"""Correspondent node operation (§9): tests that are answered without keeping anything,
and bindings for mobile nodes that passed them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

from mip6.wire.icmpv6 import DestinationUnreachable, PacketTooBig
from mip6.wire.messages import (
    BindingRefreshRequest,
    BindingStatus,
    BindingUpdate,
    CareOfTestInit,
    HomeTestInit,
)
from mip6.wire.options import TIME_UNIT
from mip6.wire.record import record

from .addresses import Networks
from .correspondent_cache import CorrespondentBinding, CorrespondentCache, Due
from .correspondent_request import Request
from .correspondent_states import bindings_about, found_in_kernel, states_of
from .effects import Effect, Notify, Send, difference
from .events import BindingChanged, Change, Dropped, Problem, Refused
from .home_agent import HomeAgent
from .joined import REFUSAL_MAX
from .nonces import Nonces, ends_of
from .packet import Packet
from .path_mtu import (
    MTU_LIFETIME,
    MTU_MIN,
    Optimized,
    optimized,
)
from .rate import TokenBucket
from .return_routability import TokenFunction, keygen_token
from .routability_answers import TestAnswers
from .sequence import follows
from .state import End, RouteOptimization, State

MAX_RR_BINDING_LIFETIME = 420
"""Seconds; no binding made by return routability lasts longer (§12)."""
PORT_UNREACHABLE = 4
"""The code by which the mobile node itself answers: it is reachable."""
ANYBODY = (IPv6Network("::/0"),)


@record
class _Asked:
    """The last Binding Update that changed the cache, for `failed`."""

    request: Request
    at: float
    before: CorrespondentBinding | None
    stood: Sequence[State]
    wanted: Sequence[State]


class Correspondent:
    """The correspondent of mobile nodes, at any address of this node.

    addresses: our unicast addresses, a mobile node's home address among them.
    random: octets nobody can guess, as many as asked for: node keys and nonces.
    first_nonce, token: see `Nonces`.
    device: the mobility device that packets for home addresses are routed to.
    lifetime_max: seconds, 4 to 420; no binding is granted more.
    bindings_max: beyond it a new binding takes the place of one out of use (§9.6), or
        is refused with status 130.
    allowed, refused: home addresses that may have bindings here, and those of them
        that may not; others get status 129.
    home_agent: the one that this node is too.  Its mobile nodes are bound by
        registration alone.
    grace: seconds that packets from the previous care-of address still count after a
        move (decision 0003).
    tests_rate, tests_burst: tests answered a second, and at once, of either kind.
    refusals_rate, refusals_burst: the same of acknowledgements that prove nothing
        (status 131, 136 to 138).
    restored: route optimization found in the kernel at the start.
    """

    def __init__(
        self,
        addresses: Iterable[IPv6Address],
        *,
        random: Callable[[int], bytes],
        first_nonce: int = 0,
        token: TokenFunction = keygen_token,
        device: str = "mip0",
        lifetime_max: float = MAX_RR_BINDING_LIFETIME,
        bindings_max: int = 10_000,
        allowed: tuple[IPv6Network, ...] = ANYBODY,
        refused: tuple[IPv6Network, ...] = (),
        home_agent: HomeAgent | None = None,
        grace: float = 2.0,
        tests_rate: float = 1000,
        tests_burst: float = 1000,
        refusals_rate: float = 100,
        refusals_burst: float = 100,
        restored: Iterable[RouteOptimization] = (),
    ) -> None:
        self._know(addresses)
        self.device = device
        self._limit(lifetime_max, allowed, refused)
        self.home_agent = home_agent
        self.grace = grace
        self._nonces = Nonces(random, first=first_nonce, token=token)
        self._cache = CorrespondentCache(bindings_max)
        if home_agent is not None:
            home_agent.corresponds = self._cache.home_addresses
        # Rates of their own, so that a flood of one kind leaves the others their share.
        self._tests = TestAnswers(self._nonces, tests_rate, tests_burst)
        self._refusals = TokenBucket(refusals_rate, refusals_burst)
        self._asked: _Asked | None = None
        # What stood under its key before the last answer put another state there.
        self._replaced: dict[object, State] = {}
        for state in restored:
            self._restore(state)

    @property
    def bindings(self) -> Iterator[CorrespondentBinding]:
        return iter(self._cache)

    def binding(
        self, correspondent: IPv6Address, home_address: IPv6Address
    ) -> CorrespondentBinding | None:
        """The one with this address of ours."""
        return self._cache.between(correspondent, home_address)

    @property
    def deadline(self) -> float | None:
        """When `tick` must be called, at the latest."""
        deadlines = (self._cache.deadline, self._nonces.deadline)
        return min((at for at in deadlines if at is not None), default=None)

    @property
    def installed(self) -> set[State]:
        """All the kernel state that the bindings stand for."""
        return {
            state
            for binding in self._cache
            for state in self._states(binding, binding.home_address)
        }

    def receive(self, packet: Packet, now: float) -> list[Effect]:
        message = packet.message
        self._replaced.clear()
        match message:
            case HomeTestInit():
                return self._tests.home(packet, message, self._own, now)
            case CareOfTestInit():
                return self._tests.care_of(packet, message, self._own, now)
            case BindingUpdate():
                return self._binding_update(packet, message, now)
            case PacketTooBig():
                return self._too_big(packet, message, now)
            case DestinationUnreachable():
                return self._unreachable(packet, message, now)
        return [_dropped("unexpected_message", "9", packet)]

    def tick(self, now: float) -> list[Effect]:
        """End bindings whose lifetime is over (§9.6), and ask for new Binding Updates
        where they are still in use (§9.5.5)."""
        self._nonces.expire(now)
        self._replaced.clear()
        effects: list[Effect] = []
        for due, binding in self._cache.due(now):
            if due is Due.END:
                effects += self._end(binding, Change.EXPIRED)
            else:
                # To the home address, past the binding (§6.1.2).
                request = Packet(
                    source=binding.correspondent,
                    destination=binding.home_address,
                    message=BindingRefreshRequest(),
                )
                effects.append(Send(request))
        return effects

    def talks_to(
        self, local: IPv6Address, peer: IPv6Address, now: float
    ) -> list[Effect]:
        """Traffic between an address of ours and a peer was seen, so the binding there
        may be is in use."""
        self._cache.talked(ends_of(local, peer), now)
        return self.tick(now)

    def addresses_changed(
        self, addresses: Iterable[IPv6Address], now: float
    ) -> list[Effect]:
        """These are our addresses now; bindings of those that vanished end."""
        self._know(addresses)
        self._replaced.clear()
        effects: list[Effect] = []
        for binding in list(self._cache):
            if binding.correspondent not in self.addresses:
                effects += self._end(binding, Change.DELETED)
        return effects

    def _know(self, addresses: Iterable[IPv6Address]) -> None:
        self.addresses = frozenset(addresses)
        self._own = frozenset(int(address) for address in self.addresses)

    def configure(
        self,
        now: float,
        *,
        lifetime_max: float,
        allowed: tuple[IPv6Network, ...],
        refused: tuple[IPv6Network, ...],
    ) -> list[Effect]:
        """These hold from now on; bindings of those who may have none any more end."""
        self._limit(lifetime_max, allowed, refused)
        self._replaced.clear()
        effects: list[Effect] = []
        for binding in list(self._cache):
            if not self._may_bind(binding.home_address):
                effects += self._end(binding, Change.DELETED)
        return effects

    def owns(self, state: State) -> bool:
        """Whether `state` is wanted by a binding here."""
        return any(
            state in self._states(binding, binding.home_address)
            for binding in bindings_about(self._cache, state)
        )

    def failed(self, state: State, now: float) -> list[Effect]:
        """The kernel refused `state`, and what stood behind it in the list is undone.

        Right after the Binding Update that wanted it, the binding goes back to what it
        was and the mobile node is told 130.  At any other time there is nobody to tell,
        and all bindings that need the state end.
        """
        asked, self._asked = self._asked, None
        problem = Notify(Problem(f"the kernel refused {state}"))
        if asked is None or state not in asked.wanted or now - asked.at > REFUSAL_MAX:
            return [*self._refused(state), problem]
        standing = {stood.key: stood for stood in asked.stood}
        reached = asked.wanted.index(state)
        standing.update((done.key, done) for done in asked.wanted[:reached])
        request, before = asked.request, asked.before
        if before is None:
            self._cache.drop(request.ends)
        else:
            # The update was valid, so its number counts even though it was refused.
            number = request.update.sequence_number
            before = replace(before, sequence_number=number)
            self._cache.put(before, now)
        wanted = self._states(before, request.home_address)
        return [
            *difference(tuple(standing.values()), wanted),
            *self._refuse(asked.request, BindingStatus.INSUFFICIENT_RESOURCES),
            problem,
        ]

    def _refused(self, state: State) -> list[Effect]:
        """All bindings that need `state` end; what it was to replace still stands."""
        bindings = bindings_about(self._cache, state)
        if not bindings:
            return []
        # What stood behind it in the list has not been replaced either.
        undone: dict[object, State] = {}
        for key, before in self._replaced.items():
            if undone or key == state.key:
                undone[key] = before
        standing: dict[object, State] = {}
        for binding in bindings:
            for one in self._states(binding, binding.home_address):
                stood = undone.get(one.key, one)
                if stood != state:
                    standing[one.key] = stood
        effects: list[Effect] = []
        for binding in bindings:
            self._forget(binding)
            effects.append(_changed(Change.DELETED, binding, 0))
        # All are of one home address, and the route may be others', too.
        wanted = self._states(None, bindings[0].home_address)
        return [*self._turn(tuple(standing.values()), wanted), *effects]

    # Binding Updates (§9.5).

    def _binding_update(
        self, packet: Packet, update: BindingUpdate, now: float
    ) -> list[Effect]:
        request = Request(packet, update)
        if (fault := request.fault(self._own)) is not None:
            return [_dropped(*fault, packet)]
        if update.home_registration:
            status = BindingStatus.HOME_REGISTRATION_NOT_SUPPORTED
        else:
            self._cache.updated(request.ends)
            status = request.make_key(self._nonces, now)
        if status is not BindingStatus.ACCEPTED:
            if not self._refusals.take(now):
                return [_dropped("rate", "9.5.4", packet)]
            return self._refuse(request, status)
        if not request.is_authentic():
            return [_dropped("authenticator", "9.5.1", packet)]
        binding = self._cache.find(request.ends)
        status = self._validate(request, binding, now)
        if status is not BindingStatus.ACCEPTED:
            return self._refuse(request, status)
        if update.lifetime == 0:
            return self._delete(request, binding)
        return self._bind(request, binding, now)

    def _validate(
        self, request: Request, binding: CorrespondentBinding | None, now: float
    ) -> BindingStatus:
        """The tests of a Binding Update that is authentic (§9.5.1, §9.5.2)."""
        update, home_address = request.update, request.home_address
        last = binding.sequence_number if binding else None
        if last is not None and not follows(update.sequence_number, last):
            return BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW
        home_agent = self.home_agent
        if home_agent is not None and home_agent.binding(home_address):
            return BindingStatus.REGISTRATION_TYPE_CHANGE_DISALLOWED
        if update.lifetime == 0:
            return BindingStatus.ACCEPTED
        if not self._may_bind(home_address):
            return BindingStatus.ADMINISTRATIVELY_PROHIBITED
        if (
            request.care_of_address == home_address
            or int(request.care_of_address) in self._own
        ):
            # Such packets would never leave this node, or lead to the home agent.
            return BindingStatus.INVALID_CARE_OF_ADDRESS
        if binding is None and self._cache.full and self._cache.idle(now) is None:
            return BindingStatus.INSUFFICIENT_RESOURCES
        return BindingStatus.ACCEPTED

    def _limit(
        self,
        lifetime_max: float,
        allowed: tuple[IPv6Network, ...],
        refused: tuple[IPv6Network, ...],
    ) -> None:
        if not TIME_UNIT <= lifetime_max <= MAX_RR_BINDING_LIFETIME:
            raise ValueError(f"lifetime_max {lifetime_max} s is not 4 to 420 s")
        self.lifetime_max = int(lifetime_max) // TIME_UNIT * TIME_UNIT
        self.allowed = Networks(allowed)
        self.refused = Networks(refused)
        self._anybody = allowed == ANYBODY and not refused

    def _may_bind(self, home_address: IPv6Address) -> bool:
        """What a home agent's own mobile nodes are bound by is registration alone."""
        home_agent = self.home_agent
        if home_agent is not None and home_agent.serves(home_address):
            return False
        return self._anybody or (
            home_address in self.allowed and home_address not in self.refused
        )

    def _bind(
        self, request: Request, old: CorrespondentBinding | None, now: float
    ) -> list[Effect]:
        """§9.5.2, for a Binding Update that passed all tests."""
        update, care_of_address = request.update, request.care_of_address
        effects: list[Effect] = []
        if old is None and self._cache.full:
            idle = self._cache.idle(now)
            assert idle is not None
            effects += self._end(idle, Change.EVICTED)
        lifetime = min(update.lifetime, self.lifetime_max)
        previous, previous_until = None, 0.0
        path_mtu, path_mtu_until, overhead = None, 0.0, 0
        change = Change.CREATED
        if old is not None and old.care_of_address == care_of_address:
            change = Change.REFRESHED
            previous, previous_until = old.previous, old.previous_until
            if old.path_mtu_until > now:
                path_mtu, path_mtu_until = old.path_mtu, old.path_mtu_until
                overhead = old.overhead
        elif old is not None:
            change = Change.MOVED
            if self.grace:
                previous = old.care_of_address
                previous_until = min(now + self.grace, old.expires)
        binding = CorrespondentBinding(
            correspondent=request.packet.destination,
            home_address=request.home_address,
            care_of_address=care_of_address,
            sequence_number=update.sequence_number,
            lifetime=lifetime,
            expires=now + lifetime,
            nonce_serial=self._nonces.newest,
            previous=previous,
            previous_until=previous_until,
            path_mtu=path_mtu,
            path_mtu_until=path_mtu_until,
            overhead=overhead,
        )
        stood = self._states(old, request.home_address)
        self._cache.put(binding, now)
        wanted = self._states(binding, request.home_address)
        self._asked = _Asked(request, now, old, stood, wanted)
        effects += difference(stood, wanted)
        if update.acknowledge:
            effects.append(_accepted(request, lifetime))
        effects.append(_changed(change, binding, lifetime))
        return effects

    def _delete(
        self, request: Request, old: CorrespondentBinding | None
    ) -> list[Effect]:
        """§9.5.3.  A Binding Update that was sent earlier and comes later must not undo
        it, so all nonces of before are spent, whether there was a binding or not."""
        self._asked = None
        effects = self._end(old, Change.DELETED) if old else []
        self._nonces.spend(request.ends)
        if request.update.acknowledge:
            # Behind the states, before the news.
            effects.insert(len(effects) - bool(old), _accepted(request, 0))
        return effects

    def _refuse(self, request: Request, status: BindingStatus) -> list[Effect]:
        """Always said, whatever A is (§9.5.4)."""
        number = request.update.sequence_number
        if status is BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW:
            binding = self._cache.find(request.ends)
            assert binding is not None
            assert binding.sequence_number is not None
            number = binding.sequence_number
        refused = Refused(request.packet.origin, request.care_of_address, status)
        return [Send(request.answer(status, number, 0)), Notify(refused)]

    # Errors on the way to a care-of address.

    def error_about(self, packet: Packet) -> CorrespondentBinding | None:
        """The binding whose packet this error quotes: all the addresses that were in it
        are the right ones (RFC 4443 §5.2)."""
        found = self._quoted(packet)
        return found[0] if found else None

    def _quoted(self, packet: Packet) -> tuple[CorrespondentBinding, Optimized] | None:
        assert isinstance(packet.message, PacketTooBig | DestinationUnreachable)
        quoted = optimized(packet.message.packet)
        if quoted is None or packet.destination != quoted.source:
            return None
        binding = self._cache.between(quoted.origin, quoted.target)
        if binding is None or quoted.destination != binding.care_of_address:
            return None
        return binding, quoted

    def _too_big(
        self, packet: Packet, message: PacketTooBig, now: float
    ) -> list[Effect]:
        """The route to the home address gets the smaller MTU, so that the kernel tells
        the sender, who knows nothing of a care-of address (§9.3.4)."""
        found = self._quoted(packet)
        if found is None:
            return [_dropped("icmp_error_quote", "RFC 4443 5.2", packet)]
        binding, quoted = found
        mtu = max(message.mtu, MTU_MIN)
        known = binding.path_mtu if binding.path_mtu_until > now else None
        if known is not None and mtu >= known:
            return [_dropped("mtu_not_smaller", "RFC 8201 4", packet)]
        smaller = replace(
            binding,
            path_mtu=mtu,
            path_mtu_until=now + MTU_LIFETIME,
            overhead=quoted.overhead,
        )
        stood = self._states(binding, binding.home_address)
        self._cache.change(smaller)
        return self._turn(stood, self._states(smaller, binding.home_address))

    def _unreachable(
        self, packet: Packet, message: DestinationUnreachable, now: float
    ) -> list[Effect]:
        """Only persistent errors end a binding (§9.3.4): anybody can make up one."""
        binding = self.error_about(packet)
        if binding is None:
            return [_dropped("icmp_error_quote", "RFC 4443 5.2", packet)]
        if message.code == PORT_UNREACHABLE:
            return [_dropped("port_unreachable", "9.3.4", packet)]
        if not self._cache.unreachable(binding.ends, now):
            return [_dropped("not_persistent", "9.3.4", packet)]
        return self._end(binding, Change.UNREACHABLE)

    # One entry, and its kernel state.

    def _end(self, binding: CorrespondentBinding, change: Change) -> list[Effect]:
        """Drop an entry."""
        stood = self._states(binding, binding.home_address)
        self._forget(binding)
        return [
            *self._turn(stood, self._states(None, binding.home_address)),
            _changed(change, binding, 0),
        ]

    def _forget(self, binding: CorrespondentBinding) -> None:
        """Take it out, and see that its nonces cannot make it again (§9.6)."""
        self._cache.drop(binding.ends)
        self._nonces.spend(binding.ends, binding.nonce_serial)

    def _turn(self, stood: Sequence[State], wanted: Sequence[State]) -> list[Effect]:
        """From the one to the other; `_refused` may have to know the way back."""
        after = {state.key: state for state in wanted}
        for state in stood:
            if after.get(state.key, state) != state:
                self._replaced[state.key] = state
        return difference(stood, wanted)

    def _states(
        self, binding: CorrespondentBinding | None, home_address: IPv6Address
    ) -> Sequence[State]:
        return states_of(self._cache, binding, home_address, self.device)

    def _restore(self, state: RouteOptimization) -> None:
        home_agent = self.home_agent
        if (
            state.end is not End.CORRESPONDENT
            or state.correspondent not in self.addresses
            or (home_agent is not None and home_agent.serves(state.home_address))
            or self._cache.full
        ):
            return
        self._cache.put(found_in_kernel(state), 0.0)


def _accepted(request: Request, lifetime: int) -> Send:
    number = request.update.sequence_number
    return Send(request.answer(BindingStatus.ACCEPTED, number, lifetime))


def _dropped(reason: str, section: str, packet: Packet) -> Notify:
    return Notify(Dropped(reason, section, packet.source))


def _changed(change: Change, binding: CorrespondentBinding, lifetime: float) -> Notify:
    return Notify(
        BindingChanged(
            change,
            binding.home_address,
            binding.care_of_address,
            lifetime,
            binding.correspondent,
        )
    )
