"""Home agent operation (§10): registrations, and the tunnels they make."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.icmpv6 import PacketTooBig
from mip6.wire.messages import BindingAcknowledgement, BindingStatus, BindingUpdate
from mip6.wire.neighbor_discovery import NeighborAdvertisement, NeighborSolicitation
from mip6.wire.options import (
    TIME_UNIT,
    AlternateCareOfAddress,
    BindingAuthorizationData,
    MobilityMessageAuthentication,
    NonceIndices,
)

from .addresses import is_router_anycast, is_unicast_routable
from .binding_cache import Binding, BindingCache
from .effects import Effect, Notify, Remove, Send
from .events import BindingChanged, Change, Dropped, Problem, Refused
from .home_link import CHECK_TIME, HomeLink, link_local_of
from .interception import Interception
from .movement import Link
from .packet import Packet
from .path_mtu import MTU_LIFETIME, too_big
from .sequence import follows
from .state import End, ProxyNeighbor, State, Tunnel
from .timers import earliest

REFUSAL_MAX = 1.0
"""Seconds within which the kernel's refusal can be a Binding Update's answer."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """A Binding Update that changed the cache: whom `failed` must answer, what it must
    go back to, and what has been said."""

    packet: Packet
    update: BindingUpdate
    before: Binding | None
    after: Binding
    effects: list[Effect]


class HomeAgent:
    """One home agent for one home prefix.

    address: where Binding Updates and reverse-tunnelled packets arrive.
    home_prefix: home addresses are in it, care-of addresses are not (decision 0004).
    home_link: the link where home addresses are intercepted; None when the prefix is
        routed to this node and no such link exists.
    device: the mobility device that packets for home addresses are routed to.
    lifetime_max: seconds, at least 4; no binding is granted more.
    bindings_max: home registrations beyond it are refused with status 130.
    authentication_required: if not, a Binding Update is believed as it stands, but only
        for home addresses in `mobile_nodes`.
    grace: seconds that packets from and for the previous care-of address still count
        after a move (decision 0003); 0 switches it off.
    check_time: seconds of duplicate address detection on the home link.
    restored: bindings that were kept on disk, and tunnels found in the kernel at the
        start.  They are bindings again, with what is left of their lifetime.
    sequence_numbers: the last one of each home address, as `last_sequence_number` told
        an earlier process; without it any number follows.
    """

    def __init__(
        self,
        address: IPv6Address,
        home_prefix: IPv6Network,
        *,
        home_link: str | None,
        device: str = "mip0",
        lifetime_max: float = 3600,
        bindings_max: int,
        authentication_required: bool,
        mobile_nodes: tuple[IPv6Network, ...] = (),
        grace: float = 2.0,
        check_time: float = CHECK_TIME,
        restored: Iterable[Tunnel | Binding] = (),
        sequence_numbers: Iterable[tuple[IPv6Address, int]] = (),
    ) -> None:
        if lifetime_max < TIME_UNIT:
            raise ValueError(f"lifetime_max {lifetime_max} s would delete bindings")
        self.address = address
        self.home_prefix = home_prefix
        self.home_link = home_link
        self._link: HomeLink | None = None
        if home_link is not None:
            self._link = HomeLink(home_link, address, bindings_max, check_time)
        self._interception = Interception(address, device, self._link)
        self.lifetime_max = int(lifetime_max) // TIME_UNIT * TIME_UNIT
        self.authentication_required = authentication_required
        # By prefix length, so that a thousand listed addresses are one look-up.
        self._listed: dict[int, set[int]] = {}
        for network in mobile_nodes:
            self._listed.setdefault(128 - network.prefixlen, set()).add(
                int(network.network_address) >> 128 - network.prefixlen
            )
        self.grace = grace
        self.corresponds: Container[IPv6Address] = ()
        """Home addresses that have bindings of the other kind here (§9.5.1); the
        correspondent that this node is too puts its own there."""
        self._cache = BindingCache(bindings_max, sequence_numbers)
        # The registrations of the last input, in the order of its effects.
        self._answers: list[_Answer] = []
        self._answered_at = -inf
        for found in restored:
            self._restore(found)

    @property
    def bindings(self) -> Iterator[Binding]:
        return iter(self._cache)

    def binding(self, home_address: IPv6Address) -> Binding | None:
        return self._cache.find(home_address)

    def last_sequence_number(self, home_address: IPv6Address) -> int | None:
        """Of the last valid Binding Update; the next must follow it (§9.5.1).

        After an authenticated one it is to be on disk before the acknowledgement
        leaves, so that a replay fails when the binding is gone (decision 0007).
        """
        return self._cache.last_sequence_number(home_address)

    @property
    def known(self) -> int:
        """Of how many home addresses it knows something; perhaps a few more."""
        return self._cache.known

    @property
    def deadline(self) -> float | None:
        """When `tick` must be called, at the latest."""
        return earliest(
            self._cache.deadline, self._link.deadline if self._link else None
        )

    @property
    def installed(self) -> set[State]:
        """All the kernel state that the bindings stand for."""
        return set(self.states())

    def states(self) -> Iterator[State]:
        """The same one by one, for a million bindings."""
        for binding in self._cache:
            yield from self._interception.states(binding)

    def link_up(self, link: Link, now: float) -> list[Effect]:
        """The home link is there, or its link-layer address has changed."""
        if self._link is not None and link.name == self._link.name:
            octets = link.link_layer_address
            self._link.link_layer_address = octets if len(octets) == 6 else None
        return []

    def receive(self, packet: Packet, now: float) -> list[Effect]:
        match packet.message:
            case BindingUpdate() as update:
                return self._binding_update(packet, update, now)
            case PacketTooBig() as message:
                return self._too_big(packet, message, now)
            case NeighborAdvertisement() | NeighborSolicitation():
                return self._neighbor_heard(packet)
            case _:
                return [_dropped("unexpected_message", "10", packet)]

    def _binding_update(
        self, packet: Packet, update: BindingUpdate, now: float
    ) -> list[Effect]:
        dropped = self._malformed(packet, update) or self._untrusted(packet)
        if dropped is not None:
            return [Notify(dropped)]
        binding = self._cache.find(packet.origin)
        if not update.home_registration and binding is None:
            return [_dropped("not_a_correspondent", "9.5.1", packet)]
        status = self._validate(packet, update, binding)
        if status is BindingStatus.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE:
            # It may have overtaken the Binding Update that it is to undo; or that one
            # waits, and is undone.
            self._cache.delete(packet.origin, update.sequence_number, now)
            if self._link is not None:
                self._link.stop(packet.origin)
        if status is not BindingStatus.ACCEPTED:
            return self._refuse(packet, update, status)
        if _care_of_address_unprotected(packet, update):
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
        if self._link is not None:
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

    def _neighbor_heard(self, packet: Packet) -> list[Effect]:
        """Somebody on the home link may hold an address that is being checked."""
        waiting = self._link.taken(packet) if self._link else ()
        return [
            effect
            for w in waiting
            for effect in self._refuse(
                w.packet, w.update, BindingStatus.DUPLICATE_ADDRESS_DETECTION_FAILED
            )
        ]

    def _too_big(
        self, packet: Packet, message: PacketTooBig, now: float
    ) -> list[Effect]:
        """A router on the way to a care-of address (RFC 2473 §7.1): the route into the
        tunnel gets the smaller MTU, so that the kernel tells the inner sender."""
        quoted = too_big(message)
        binding = self._cache.find(quoted.inner_destination) if quoted else None
        if (
            quoted is None
            or binding is None
            or quoted.source != self.address
            or quoted.destination != binding.care_of_address
        ):
            return [_dropped("icmp_error_quote", "RFC 2473 8.1", packet)]
        known = binding.path_mtu if binding.path_mtu_until > now else None
        if known is not None and quoted.mtu >= known:
            return [_dropped("mtu_not_smaller", "RFC 8201 4", packet)]
        smaller = replace(
            binding, path_mtu=quoted.mtu, path_mtu_until=now + MTU_LIFETIME
        )
        self._cache.put(smaller)
        return self._interception.change(binding, smaller)

    def tick(self, now: float) -> list[Effect]:
        """End bindings whose lifetime is over (§10.3.1); `deadline` is still due when
        there are too many to end in one go."""
        effects: list[Effect] = []
        for binding in self._cache.expire(now):
            effects += self._interception.change(binding, None)
            effects.append(_changed(Change.EXPIRED, binding, lifetime=0))
        link = self._link
        if link is None:
            return effects
        for address, times in link.repeats(now):
            if self._defends(address):
                effects += link.advertise(address, now, times)
        answers = []
        for waiting in link.checked(now):
            packet, update = waiting.packet, waiting.update
            old = self._cache.find(packet.origin)
            # What stands behind a state that is refused has not happened: these last.
            answers.append(self._bind(packet, update, old, now))
        if answers:
            self._answers, self._answered_at = answers, now
        return effects + [effect for answer in answers for effect in answer.effects]

    def owns(self, state: State) -> bool:
        """Whether `state` is wanted by a binding here."""
        address = self._interception.home_address_of(state)
        if address is None:
            return False
        if self._link is not None and self._link.serves(address):
            return state == ProxyNeighbor(address=address, link=self._link.name)
        return state in self._interception.states(self._cache.find(address))

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
        ended = self._interception.change(binding, None)
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

    def _malformed(self, packet: Packet, update: BindingUpdate) -> Dropped | None:
        """What a Binding Update must be before anybody is answered (§9.5.1)."""
        if packet.destination != self.address:
            return _drop("not_for_us", "10.3.1", packet)
        if packet.tunnel is not None:
            return _drop("tunnelled", "11.7.1", packet)
        if not is_unicast_routable(packet.source):
            return _drop("source_address", "9.5.4", packet)
        if not is_unicast_routable(packet.origin):
            return _drop("home_address", "9.5.1", packet)
        if not is_unicast_routable(_care_of_address(packet, update)):
            return _drop("care_of_address", "6.1.7", packet)
        nonces = any(isinstance(option, NonceIndices) for option in update.options)
        if update.home_registration:
            if nonces:
                return _drop("nonce_indices", "9.5.1", packet)
            if packet.home_address is None and update.lifetime:
                # Only a mobile node that is at home may leave it out (§10.3.2).
                return _drop("home_address_option_missing", "10.3.1", packet)
        elif not nonces:
            return _drop("nonce_indices_missing", "9.5.1", packet)
        elif not isinstance(update.options[-1], BindingAuthorizationData):
            return _drop("binding_authorization_data_missing", "9.5.1", packet)
        return None

    def _untrusted(self, packet: Packet) -> Dropped | None:
        """The home address tells which security association must be used (§5.1)."""
        home_address = packet.origin
        if packet.protected_for == home_address:
            return None
        if packet.protected_for is not None or self.authentication_required:
            return _drop("unauthenticated", "5.1", packet)
        value = int(home_address)
        if not any(value >> bits in listed for bits, listed in self._listed.items()):
            return _drop("not_listed", "10.3.1", packet)
        return None

    # What is answered.

    def _validate(
        self, packet: Packet, update: BindingUpdate, binding: Binding | None
    ) -> BindingStatus:
        """The tests of §9.5.1 and §10.3, in their order."""
        home_address = packet.origin
        last = self._last_sequence_number(home_address)
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
        if home_address not in self.home_prefix:
            return BindingStatus.NOT_HOME_SUBNET
        if home_address == self.address or is_router_anycast(
            home_address, self.home_prefix
        ):
            # Somebody on the home link has it already: ourselves.
            return BindingStatus.DUPLICATE_ADDRESS_DETECTION_FAILED
        care_of_address = _care_of_address(packet, update)
        if care_of_address == self.address or care_of_address in self.home_prefix:
            # A tunnel to a home address here would lead back into itself (decision
            # 0004).
            return BindingStatus.INVALID_CARE_OF_ADDRESS
        if binding is None and self._full(home_address):
            return BindingStatus.INSUFFICIENT_RESOURCES
        return BindingStatus.ACCEPTED

    def _full(self, home_address: IPv6Address) -> bool:
        """Whether there is room for one more; a check under way has it already."""
        if self._link is None:
            return self._cache.full
        if self._link.find(home_address) is not None:
            return False
        return len(self._cache) + self._link.waiting >= self._cache.bindings_max

    def _last_sequence_number(self, home_address: IPv6Address) -> int | None:
        waiting = self._link.find(home_address) if self._link else None
        if waiting is not None:
            return waiting.update.sequence_number
        return self._cache.last_sequence_number(home_address)

    def _register(
        self, packet: Packet, update: BindingUpdate, old: Binding | None, now: float
    ) -> list[Effect]:
        if self._link is not None:
            self._link.stop(packet.origin)
        answer = self._bind(packet, update, old, now)
        self._answers, self._answered_at = [answer], now
        return answer.effects

    def _bind(
        self, packet: Packet, update: BindingUpdate, old: Binding | None, now: float
    ) -> _Answer:
        """§10.3.1, for a Binding Update that passed all tests."""
        care_of_address = _care_of_address(packet, update)
        lifetime = min(update.lifetime, self.lifetime_max)
        change, previous, previous_until = Change.CREATED, None, 0.0
        path_mtu, path_mtu_until = None, 0.0
        if old is not None and old.care_of_address == care_of_address:
            change = Change.REFRESHED
            previous, previous_until = old.previous, old.previous_until
            if old.path_mtu_until > now:
                path_mtu, path_mtu_until = old.path_mtu, old.path_mtu_until
        elif old is not None:
            change = Change.MOVED
            if self.grace:
                previous = old.care_of_address
                previous_until = min(now + self.grace, old.expires)
        binding = Binding(
            home_address=packet.origin,
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
        effects.append(
            self._acknowledge(packet, update, BindingStatus.ACCEPTED, lifetime)
        )
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
        effects = self._interception.change(old, None)
        effects.append(self._acknowledge(packet, update, BindingStatus.ACCEPTED, 0))
        if old is not None:
            effects.append(_changed(Change.DELETED, old, lifetime=0))
        return effects

    def _refuse(
        self, packet: Packet, update: BindingUpdate, status: BindingStatus
    ) -> list[Effect]:
        refused = Refused(packet.origin, _care_of_address(packet, update), status)
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
            last = self._last_sequence_number(packet.origin)
            assert last is not None
            number = last
        at_home = packet.source == packet.origin
        return Send(
            Packet(
                source=self.address,
                destination=packet.source,
                routing_address=None if at_home else packet.home_address,
                message=BindingAcknowledgement(
                    status=status, sequence_number=number, lifetime=lifetime
                ),
                # By routing alone a refusal would go into the tunnel that still
                # stands, to where the mobile node has left (§10.3.2).
                link=self.home_link if at_home else None,
            )
        )

    def _restore(self, found: Tunnel | Binding) -> None:
        binding = self._restored(found) if isinstance(found, Tunnel) else found
        if (
            binding is not None
            and binding.home_address in self.home_prefix
            and self._cache.find(binding.home_address) is None
            and not self._cache.full
        ):
            self._interception.change(None, binding)  # who shares a link-local address
            self._cache.put(binding)

    def _restored(self, tunnel: Tunnel) -> Binding | None:
        if tunnel.end is not End.HOME_AGENT or tunnel.home_agent != self.address:
            return None
        return Binding(
            home_address=tunnel.home_address,
            care_of_address=tunnel.care_of_address,
            home_registration=True,
            sequence_number=None,
            lifetime=0,
            expires=tunnel.expires,
            previous=tunnel.previous,
            previous_until=tunnel.previous_until,
        )


def _care_of_address(packet: Packet, update: BindingUpdate) -> IPv6Address:
    """The Alternate Care-of Address where there is one, else the source (§9.5.1)."""
    for option in update.options:
        if isinstance(option, AlternateCareOfAddress):
            return option.care_of_address
    return packet.source


def _care_of_address_unprotected(packet: Packet, update: BindingUpdate) -> bool:
    """Whether anybody on the path could have changed the care-of address: ESP does not
    protect the source of a packet, the MN-HA option does (§11.7.1, RFC 4285 §5.1)."""
    covered = AlternateCareOfAddress | MobilityMessageAuthentication
    return (
        packet.protected_for is not None
        and update.lifetime > 0
        and not any(isinstance(option, covered) for option in update.options)
    )


def _drop(reason: str, section: str, packet: Packet) -> Dropped:
    return Dropped(reason, section, packet.source)


def _dropped(reason: str, section: str, packet: Packet) -> Notify:
    return Notify(_drop(reason, section, packet))


def _changed(change: Change, binding: Binding, *, lifetime: float) -> Notify:
    return Notify(
        BindingChanged(change, binding.home_address, binding.care_of_address, lifetime)
    )
