"""A correspondent with octets going in and coming out, and mobile nodes that pass its
tests, or do not."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address
from typing import Any, Protocol

from mip6.core.correspondent import Correspondent
from mip6.core.effects import Effect, Notify, Send
from mip6.core.events import Dropped
from mip6.core.node import Node
from mip6.core.packet import Packet, read, write
from mip6.core.return_routability import (
    binding_management_key,
    is_signed,
    sign,
)
from mip6.core.state import RouteOptimization
from mip6.wire.icmpv6 import DestinationUnreachable, ErrorMessage
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    Message,
)
from mip6.wire.options import AlternateCareOfAddress, NonceIndices, Option
from mip6.wire.packet import IPv6Packet, RoutingHeaderType2, write_packet

CORRESPONDENT = IPv6Address("2001:db8:e::2")
OTHER_CORRESPONDENT = IPv6Address("2001:db8:e::3")
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
OTHER_HOME_ADDRESS = IPv6Address("2001:db8:a::200")
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::64")
NEXT_CARE_OF_ADDRESS = IPv6Address("2001:db8:c::64")
ROUTER = IPv6Address("2001:db8:f::1")


def counting() -> Callable[[int], bytes]:
    """Chance that never repeats itself, and is the same each time."""
    count = iter(range(1, 2**32))
    return lambda octets: next(count).to_bytes(max(octets, 4))[-octets:]


def correspondent(**changes: Any) -> Correspondent:
    arguments: dict[str, Any] = {
        "addresses": (CORRESPONDENT, OTHER_CORRESPONDENT),
        "random": counting(),
        "bindings_max": 2,
        **changes,
    }
    return Correspondent(arguments.pop("addresses"), **arguments)


def correspondent_node(**changes: Any) -> Node:
    return Node(correspondent=correspondent(**changes))


@dataclass(frozen=True, slots=True)
class Token:
    """What a test brought."""

    index: int
    keygen: bytes


class Receiver(Protocol):
    """A node of the core, or a daemon that is reached by packets."""

    def receive(self, octets: bytes, now: float, /) -> list[Effect]: ...


@dataclass(slots=True, kw_only=True)
class MobileNode:
    """The other end, by hand: nothing is checked that a test does not ask for."""

    node: Receiver
    home_address: IPv6Address = HOME_ADDRESS
    care_of_address: IPv6Address = CARE_OF_ADDRESS
    correspondent: IPv6Address = CORRESPONDENT
    home: Token = field(default=Token(0, bytes(8)))
    care_of: Token = field(default=Token(0, bytes(8)))
    number: int = 0

    def packet(
        self, message: Message | ErrorMessage, source: IPv6Address, **more: Any
    ) -> bytes:
        packet = Packet(source=source, destination=self.correspondent, message=message)
        return write(replace(packet, **more))

    def tested(self, now: float = 0.0) -> "MobileNode":
        """Both tests, answered."""
        self.test_home(now)
        return self.test_care_of(now)

    def test_home(self, now: float) -> "MobileNode":
        message = HomeTestInit(home_init_cookie=b"homehome")
        answer = one(self.node.receive(self.packet(message, self.home_address), now))
        assert isinstance(answer.message, HomeTest)
        self.home = Token(
            answer.message.home_nonce_index, answer.message.home_keygen_token
        )
        return self

    def test_care_of(self, now: float) -> "MobileNode":
        message = CareOfTestInit(care_of_init_cookie=b"careofca")
        answer = one(self.node.receive(self.packet(message, self.care_of_address), now))
        assert isinstance(answer.message, CareOfTest)
        self.care_of = Token(
            answer.message.care_of_nonce_index, answer.message.care_of_keygen_token
        )
        return self

    def key(self, lifetime: int) -> bytes:
        if lifetime == 0:
            return binding_management_key(self.home.keygen)
        return binding_management_key(self.home.keygen, self.care_of.keygen)

    def update(
        self,
        number: int | None = None,
        *,
        lifetime: int = 60,
        acknowledge: bool = True,
        home_registration: bool = False,
        key_management_mobility_capability: bool = False,
        alternate: IPv6Address | None = None,
        source: IPv6Address | None = None,
        at_home: bool = False,
        key: bytes | None = None,
        indices: NonceIndices | None = None,
        options: tuple[Option, ...] = (),
    ) -> bytes:
        """A Binding Update; `number` is one more than the last if not given."""
        self.number = self.number + 1 if number is None else number
        if alternate is not None:
            options = (AlternateCareOfAddress(alternate), *options)
        if indices is None:
            indices = NonceIndices(self.home.index, self.care_of.index)
        message = BindingUpdate(
            sequence_number=self.number,
            lifetime=lifetime,
            acknowledge=acknowledge,
            home_registration=home_registration,
            key_management_mobility_capability=key_management_mobility_capability,
            options=(*options, indices),
        )
        care_of_address = alternate or source or self.care_of_address
        if lifetime == 0 or at_home:
            care_of_address = self.home_address
        key = self.key(lifetime) if key is None else key
        message = sign(message, key, care_of_address, self.correspondent)
        if at_home:
            return self.packet(message, self.home_address)
        return self.packet(
            message, source or self.care_of_address, home_address=self.home_address
        )

    def bind(self, now: float = 0.0, **more: Any) -> list[Effect]:
        """The whole procedure, accepted."""
        self.tested(now)
        effects = self.node.receive(self.update(**more), now)
        assert acknowledgement(effects).status == 0
        return effects

    def data(self) -> bytes:
        """A packet that the correspondent's kernel sent by the binding."""
        return write_packet(
            IPv6Packet(
                source=self.correspondent,
                destination=self.care_of_address,
                extensions=(RoutingHeaderType2(self.home_address),),
                next_header=17,
                payload=bytes(1400),
            )
        )

    def error(self, message: ErrorMessage) -> bytes:
        """An ICMPv6 error from a router on the way."""
        return self.packet(message, ROUTER)

    def believes(self, packet: Packet, *, lifetime: int = 60) -> bool:
        """Whether the acknowledgement is signed as the last update was."""
        message = packet.message
        assert isinstance(message, BindingAcknowledgement)
        signed_for = self.care_of_address if lifetime else self.home_address
        return is_signed(
            message, packet.payload, self.key(lifetime), signed_for, self.correspondent
        )


def unreachable(quoted: bytes, code: int = 0) -> DestinationUnreachable:
    return DestinationUnreachable(code=code, packet=quoted)


def sent(effects: Iterable[Effect]) -> list[Packet]:
    """What leaves, through its octets: a packet that cannot be read fails the test."""
    return [read(write(e.packet)) for e in effects if isinstance(e, Send)]


def one(effects: Iterable[Effect]) -> Packet:
    (packet,) = sent(effects)
    return packet


def acknowledgement(effects: Iterable[Effect]) -> BindingAcknowledgement:
    """The one packet that leaves, which must be a Binding Acknowledgement."""
    message = one(effects).message
    assert isinstance(message, BindingAcknowledgement)
    return message


def dropped(effects: Iterable[Effect]) -> str:
    """Why the packet was dropped silently: nothing else may have come of it."""
    (effect,) = effects
    assert isinstance(effect, Notify)
    assert isinstance(effect.event, Dropped)
    return effect.event.reason


def optimized(node: Node) -> dict[tuple[IPv6Address, IPv6Address], IPv6Address]:
    """Where packets from an address of ours to a home address go."""
    return {
        (state.correspondent, state.home_address): state.care_of_address
        for state in node.installed
        if isinstance(state, RouteOptimization)
    }
