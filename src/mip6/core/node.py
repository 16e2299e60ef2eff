"""A whole node: octets in, effects out, each packet to the role that it is for."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address

from mip6.wire.buffer import WireError
from mip6.wire.icmpv6 import ErrorMessage
from mip6.wire.messages import (
    BindingError,
    BindingErrorStatus,
    BindingUpdate,
    KnownMessage,
    UnknownMessage,
)
from mip6.wire.multicast_listener import is_from_listener, is_query
from mip6.wire.neighbor_discovery import NeighborMessage, RouterSolicitation
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, read_packet
from mip6.wire.revocation import BindingRevocation

from .addresses import is_unicast_routable
from .correspondent import Correspondent
from .effects import Effect, Notify, Send
from .error_answers import ErrorAnswers
from .events import Dropped
from .home_agent import HomeAgent
from .joined import Joined
from .mobile_node import MobileNode
from .neighbor_discovery import invalid_neighbor_message
from .packet import Packet, Wrapping, decode, unwrap
from .passing import into_tunnel, out_of_tunnel
from .role import (
    ABOUT_THE_WAY,
    FOR_CORRESPONDENT,
    FOR_HOME_AGENT,
    FOR_MOBILE_NODE,
    FROM_AWAY,
    TO_AWAY,
    Role,
)
from .router import AdvertisingRouter
from .state import State, Tunnel
from .tunnel_probe import is_echo_reply

_IPV6 = int(NextHeader.IPV6)  # looking into an enum for each packet is slow

POINTED_AT = {"payload_proto", "header_length_too_short"}
"""Faults of a Mobility Header that are answered by a Parameter Problem (§9.2)."""

BINDING_NOT_NEEDED = {
    NextHeader.ESP,
    NextHeader.AUTHENTICATION,
    NextHeader.MOBILITY,
}
"""What may stand behind a Home Address option without a binding (§9.3.1)."""


class Node:
    """The one way for octets into the core.

    addresses: our own, beside the home agent's and the correspondent's.  Packets to
        other unicast addresses are dropped; but a mobile node's addresses change, so
        with one the data plane alone judges whose a packet is.
    errors_rate, errors_burst: packets a second, and at once, of each kind of error that
        leaves: Parameter Problem, Destination Unreachable, Binding Error.
    """

    def __init__(
        self,
        addresses: Iterable[IPv6Address] = (),
        *,
        home_agent: HomeAgent | None = None,
        mobile_node: MobileNode | None = None,
        correspondent: Correspondent | None = None,
        router: AdvertisingRouter | None = None,
        errors_rate: float = 10,
        errors_burst: int = 10,
    ) -> None:
        self.home_agent = home_agent
        self.mobile_node = mobile_node
        self.correspondent = correspondent
        self.router = router
        roles: tuple[Role | None, ...] = (
            home_agent,
            mobile_node,
            correspondent,
            router,
        )
        self._roles = [role for role in roles if role is not None]
        own = correspondent.addresses if correspondent is not None else ()
        self._know((*addresses, *own))
        self._errors = ErrorAnswers(errors_rate, errors_burst)
        self._joined = Joined()

    @property
    def deadline(self) -> float | None:
        """When `tick` must be called, at the latest."""
        deadlines = [role.deadline for role in self._roles]
        return min((at for at in deadlines if at is not None), default=None)

    @property
    def installed(self) -> set[State]:
        """All the kernel state wanted now."""
        return {*self.tunnels(), *self.states_beside_tunnels()}

    def tunnels(self) -> Iterator[Tunnel]:
        """The tunnels of it, one by one: a home agent's may be a million."""
        for role in self._roles:
            if isinstance(role, HomeAgent):
                yield from role.tunnels()
            else:
                yield from (s for s in role.installed if isinstance(s, Tunnel))

    def states_beside_tunnels(self) -> Iterator[State]:
        """The rest of it."""
        for role in self._roles:
            if isinstance(role, HomeAgent):
                yield from role.states_beside_tunnels()
            else:
                yield from (s for s in role.installed if not isinstance(s, Tunnel))

    def tick(self, now: float) -> list[Effect]:
        answers = []
        for role in self._roles:
            told = role.tick(now)
            answers.append(
                self._from_home(told) if role is self.correspondent else told
            )
        return self._joined.join(answers, now)

    def failed(self, state: State, now: float) -> list[Effect]:
        """The kernel refused `state`: tell the role that wanted it."""
        behind = self._joined.behind(state, now)
        return self._joined.join([self._failed(state, now), *behind], now)

    def _failed(self, state: State, now: float) -> list[Effect]:
        if self.home_agent is not None and self.home_agent.owns(state):
            return self.home_agent.failed(state, now)
        if self.correspondent is not None and self.correspondent.owns(state):
            return self._from_home(self.correspondent.failed(state, now))
        if self.mobile_node is not None:
            return self.mobile_node.failed(state, now)
        return []

    def talks_to(
        self, local: IPv6Address, peer: IPv6Address, now: float
    ) -> list[Effect]:
        """The data plane saw traffic between an address of ours and a peer, whichever
        way it went; told every few seconds while it goes on."""
        answers = []
        if self.mobile_node is not None:
            answers.append(self.mobile_node.talks_to(local, peer, now))
        if self.correspondent is not None:
            told = self.correspondent.talks_to(local, peer, now)
            answers.append(self._from_home(told))
        return self._joined.join(answers, now)

    def addresses_changed(
        self, addresses: Iterable[IPv6Address], now: float
    ) -> list[Effect]:
        """These are our unicast addresses now, the home agent's apart."""
        own = self._know(addresses)
        if self.correspondent is None:
            return []
        return self.correspondent.addresses_changed(own, now)

    def _know(self, addresses: Iterable[IPv6Address]) -> set[IPv6Address]:
        """Our addresses, from now on; as numbers, because each packet looks here."""
        own = set(addresses)
        if self.home_agent is not None:
            own.add(self.home_agent.address)
        self._own = {int(address) for address in own}
        return own

    def receive(
        self,
        octets: bytes,
        now: float,
        *,
        link: str | None = None,
        protected_for: IPv6Address | None = None,
    ) -> list[Effect]:
        """Take one whole IPv6 packet that is for this node, in any wrapping.

        link: where it came in, if known.
        protected_for: the home address whose security association protected it.
        No octets raise anything; what is ignored is a `Notify(Dropped)`.
        """
        try:
            headers = read_packet(octets)
            wrapping = unwrap(headers)
        except WireError as error:
            return [_malformed(error, None, "RFC 8200 4")]
        if (passed := self._into_tunnel(headers, wrapping, octets)) is not None:
            return passed
        if effects := self._refused(headers, wrapping, link, now):
            return effects
        tunnel = None
        if headers.next_header == _IPV6:
            outer, tunnel = headers, (headers.source, headers.destination)
            octets = headers.payload
            try:
                headers = read_packet(octets)
                wrapping = unwrap(headers)
            except WireError as error:
                return [_malformed(error, tunnel[0], "RFC 8200 4")]
            passed = self._through_tunnel(outer, headers, octets, link, now)
            if passed is not None:
                return passed
            if effects := self._refused(headers, wrapping, link, now):
                return effects
        try:
            packet = decode(
                headers,
                wrapping,
                octets,
                tunnel=tunnel,
                link=link,
                protected_for=protected_for,
            )
        except WireError as error:
            mobility = headers.next_header == NextHeader.MOBILITY
            section = "9.2" if mobility else "RFC 4443 2.4"
            effects = [_malformed(error, headers.source, section)]
            if error.reason in POINTED_AT:
                effects += self._errors.parameter_problem(
                    headers, octets, error.offset, link, now
                )
            return effects
        return self._dispatch(packet, headers, now)

    def unmatched(self, octets: bytes, now: float) -> list[Effect]:
        """Take a data packet that the data plane had no tunnel for.

        From a mobile node's home address it is the mobile node's to hold or refuse; to
        a home address without a binding it is unreachable (RFC 4443 §3.1, code 3).
        """
        try:
            headers = read_packet(octets)
        except WireError as error:
            return [_malformed(error, None, "RFC 8200 4")]
        mobile_node, home_agent = self.mobile_node, self.home_agent
        if mobile_node is not None and headers.source in mobile_node.home_addresses:
            return mobile_node.unmatched(octets, now)
        effects: list[Effect] = [_dropped("no_binding", "10.4.1", headers.source)]
        if (
            home_agent is not None
            and home_agent.serves(headers.destination)
            and home_agent.binding(headers.destination) is None
        ):
            source = home_agent.address
            effects += self._errors.unreachable(headers, octets, source, now)
        return effects

    def _into_tunnel(
        self, headers: IPv6Packet, wrapping: Wrapping, octets: bytes
    ) -> list[Effect] | None:
        if self.home_agent is None or int(headers.destination) in self._own:
            return None
        return into_tunnel(self.home_agent, headers, wrapping, octets)

    def _through_tunnel(
        self,
        outer: IPv6Packet,
        headers: IPv6Packet,
        octets: bytes,
        link: str | None,
        now: float,
    ) -> list[Effect] | None:
        """A packet in a tunnel that this is the end of; None: look what is in it."""
        groups = self.home_agent.groups if self.home_agent is not None else None
        if groups is not None and is_from_listener(headers):
            return groups.receive(outer, headers, now)
        if not self._is_our_tunnel(outer.source, headers.source, now):
            return self._not_our_tunnel(outer, headers.source, link, now)
        if self.mobile_node is not None and is_query(headers):
            return self.mobile_node.asked_for_groups(outer, headers, now)
        return self._out_of_tunnel(headers, octets, now)

    def _out_of_tunnel(
        self, headers: IPv6Packet, octets: bytes, now: float
    ) -> list[Effect] | None:
        if self.home_agent is None or int(headers.destination) in self._own:
            return None
        return out_of_tunnel(self.home_agent, headers, octets, now)

    def _refused(
        self, headers: IPv6Packet, wrapping: Wrapping, link: str | None, now: float
    ) -> list[Effect]:
        """Whether the addresses around the message forbid to look at it."""
        source, destination = headers.source, headers.destination
        if (
            self.mobile_node is None
            and int(destination) not in self._own
            and not destination.is_multicast
            and not self._is_anycast(destination)
        ):
            return [_dropped("not_for_us", "RFC 8200 3", source)]
        if wrapping.routing_address is not None and (
            self.mobile_node is None
            or wrapping.routing_address not in self.mobile_node.home_addresses
        ):
            return [_dropped("routing_header_address", "6.4", source)]
        home_address = wrapping.home_address
        if home_address is None:
            return []
        if not is_unicast_routable(home_address):
            effects: list[Effect] = [
                _dropped("home_address_option_address", "9.3.1", source)
            ]
            # A Binding Update is answered by an Acknowledgement or not at all
            # (decision 0006).
            if headers.next_header == NextHeader.MOBILITY:
                return effects
        elif headers.next_header in BINDING_NOT_NEEDED or self._is_bound(
            home_address, source, wrapping.routing_address or destination, now
        ):
            return []
        else:
            effects = [_dropped("home_address_option_without_binding", "9.3.1", source)]
        status = BindingErrorStatus.UNKNOWN_BINDING
        return effects + self._errors.binding_error(
            headers, home_address, status, link, now
        )

    def _is_anycast(self, address: IPv6Address) -> bool:
        home_agent = self.home_agent
        return home_agent is not None and address in home_agent.anycast_addresses

    def _is_our_tunnel(
        self, outer: IPv6Address, inner: IPv6Address, now: float
    ) -> bool:
        """Whether `outer` may send the packets of `inner` (§10.4.5, §11.3.3)."""
        if self.mobile_node is not None and outer == self.mobile_node.home_agent:
            return True
        binding = self.home_agent.binding(inner) if self.home_agent else None
        if binding is None:
            return False
        return outer == binding.care_of_address or (
            outer == binding.previous and now < binding.previous_until
        )

    def _not_our_tunnel(
        self, outer: IPv6Packet, inner: IPv6Address, link: str | None, now: float
    ) -> list[Effect]:
        """A home agent that has lost its bindings tells the mobile nodes that go on
        sending, as a correspondent does (§9.3.3); they register again (§11.3.6)."""
        effects: list[Effect] = [_dropped("tunnel_source", "10.4.5", outer.source)]
        home_agent = self.home_agent
        if (
            home_agent is None
            or outer.destination != home_agent.address
            or not home_agent.serves(inner)
            or home_agent.binding(inner) is not None
        ):
            return effects
        status = BindingErrorStatus.UNKNOWN_BINDING
        return effects + self._errors.binding_error(outer, inner, status, link, now)

    def _is_bound(
        self,
        home_address: IPv6Address,
        source: IPv6Address,
        target: IPv6Address,
        now: float,
    ) -> bool:
        """Whether `source` may send the packets of a home address to `target`, an
        address of ours (§9.3.1)."""
        if self.correspondent is not None:
            bound = self.correspondent.binding(target, home_address)
            if bound is not None and bound.is_at(source, now):
                return True
        if self.home_agent is None:
            return False
        binding = self.home_agent.binding(home_address)
        return binding is not None and binding.care_of_address == source

    def _dispatch(
        self, packet: Packet, headers: IPv6Packet, now: float
    ) -> list[Effect]:
        message = packet.message
        if isinstance(message, UnknownMessage):
            status = BindingErrorStatus.UNRECOGNIZED_MH_TYPE
            return [
                _dropped("unknown_message", "9.2", packet.source),
                *self._errors.binding_error(
                    headers, packet.home_address, status, packet.link, now
                ),
            ]
        if isinstance(message, KnownMessage):
            if packet.home_address and not isinstance(message, FROM_AWAY):
                return [_dropped("home_address_option", "6.1", packet.source)]
            if packet.routing_address and not isinstance(message, TO_AWAY):
                return [_dropped("routing_header", "6.1", packet.source)]
        elif reason := invalid_neighbor_message(packet):
            return [_dropped(reason, "RFC 4861 6.1", packet.source)]
        home_agent, correspondent = self.home_agent, self.correspondent
        if correspondent is not None and self._is_for_correspondent(packet):
            return self._from_home(correspondent.receive(packet, now))
        if self.router is not None and isinstance(message, RouterSolicitation):
            return self.router.receive(packet, now)
        if home_agent is not None and (
            isinstance(message, FOR_HOME_AGENT)
            or (isinstance(message, BindingRevocation) and not packet.routing_address)
            or (
                # Both ends of a tunnel hear from its path, each at its own address.
                isinstance(message, ErrorMessage)
                and packet.destination == home_agent.address
            )
            or (
                isinstance(message, NeighborMessage)
                and packet.link is not None
                and packet.link == home_agent.home_link
            )
        ):
            return home_agent.receive(packet, now)
        if self.mobile_node is not None and (
            isinstance(message, FOR_MOBILE_NODE) or is_echo_reply(message)
        ):
            if isinstance(message, BindingError):
                packet = self._of_whom(packet)
            return self.mobile_node.receive(packet, now)
        if isinstance(message, FOR_CORRESPONDENT):
            return [_dropped("not_a_correspondent", "9", packet.source)]
        return [_dropped("unexpected_message", "9.2", packet.source)]

    def _of_whom(self, packet: Packet) -> Packet:
        """A Binding Error comes from where the packet it is about was sent to; of a
        mobile correspondent that is its care-of address (§9.3.3)."""
        bindings = self.correspondent.bindings if self.correspondent else ()
        for binding in bindings:
            if binding.care_of_address == packet.source:
                return replace(packet, source=binding.home_address)
        return packet

    def _is_for_correspondent(self, packet: Packet) -> bool:
        message, correspondent = packet.message, self.correspondent
        assert correspondent is not None
        if isinstance(message, BindingUpdate):
            # One with H is for the home agent of whoever is one (§9.5.1).
            return self.home_agent is None or not message.home_registration
        if isinstance(message, ABOUT_THE_WAY):
            return correspondent.error_about(packet) is not None
        return isinstance(message, FOR_CORRESPONDENT)

    def _from_home(self, effects: list[Effect]) -> list[Effect]:
        """What a correspondent says from the home address of a mobile node that is away
        goes through its tunnel: these messages carry no Home Address option (§6.1)."""
        if self.mobile_node is None:
            return effects
        tunnels = {
            state.home_address: (state.care_of_address, state.home_agent)
            for state in self.mobile_node.installed
            if isinstance(state, Tunnel) and not state.inbound_only
        }
        return [
            Send(replace(effect.packet, tunnel=tunnels.get(effect.packet.source)))
            if isinstance(effect, Send)
            else effect
            for effect in effects
        ]


def _malformed(error: WireError, source: IPv6Address | None, section: str) -> Notify:
    if error.reason.startswith("routing_header"):
        section = "6.4"
    elif error.reason.startswith("home_address_option"):
        section = "6.3"
    return Notify(Dropped(error.reason, section, source, f"octet {error.offset}"))


def _dropped(reason: str, section: str, source: IPv6Address) -> Notify:
    return Notify(Dropped(reason, section, source))
