"""A home agent with octets going in and coming out, as §9 and §10 see it."""

from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from mip6.core.effects import Effect, Notify, Send
from mip6.core.events import Dropped
from mip6.core.home_agent import HomeAgent
from mip6.core.node import Node
from mip6.core.packet import Packet, read, write
from mip6.core.state import Tunnel
from mip6.wire.messages import BindingAcknowledgement, BindingUpdate, Message
from mip6.wire.options import AlternateCareOfAddress, Option

HOME_PREFIX = IPv6Network("2001:db8:a::/64")
HOME_AGENT = IPv6Address("2001:db8:a::a")
HOME_ADDRESS = IPv6Address("2001:db8:a::1")
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::1")
OTHER_CARE_OF_ADDRESS = IPv6Address("2001:db8:c::1")
CORRESPONDENT = IPv6Address("2001:db8:d::1")
Making = Callable[..., Node]
"""Makes a home agent, with what is special about it."""


def home_agent_node(
    *,
    home_link: str | None = "home",
    authentication_required: bool = False,
    bindings_max: int = 10,
    **more: Any,
) -> Node:
    home_agent = HomeAgent(
        HOME_AGENT,
        HOME_PREFIX,
        home_link=home_link,
        bindings_max=bindings_max,
        authentication_required=authentication_required,
        mobile_nodes=(IPv6Network("::/0"),),
        check_time=0,
        **more,
    )
    return Node(home_agent=home_agent)


def binding_update(
    *,
    sequence_number: int = 1,
    lifetime: int = 400,
    source: IPv6Address = CARE_OF_ADDRESS,
    home_address: IPv6Address | None = HOME_ADDRESS,
    care_of_address: IPv6Address | None = None,
    acknowledge: bool = True,
    home_registration: bool = True,
    options: tuple[Option, ...] = (),
) -> bytes:
    """A packet with a Binding Update; `care_of_address` makes it say an alternate one,
    and None for `home_address` leaves the Home Address option out."""
    if care_of_address is not None:
        options = (AlternateCareOfAddress(care_of_address), *options)
    message = BindingUpdate(
        sequence_number=sequence_number,
        lifetime=lifetime,
        acknowledge=acknowledge,
        home_registration=home_registration,
        options=options,
    )
    return octets(message, source=source, home_address=home_address)


def octets(
    message: Message,
    *,
    source: IPv6Address = CARE_OF_ADDRESS,
    destination: IPv6Address = HOME_AGENT,
    home_address: IPv6Address | None = None,
) -> bytes:
    return write(
        Packet(
            source=source,
            destination=destination,
            home_address=home_address,
            message=message,
        )
    )


def sent(effects: Iterable[Effect]) -> list[Packet]:
    """What leaves, through its octets: a packet that cannot be read fails the test."""
    return [read(write(e.packet)) for e in effects if isinstance(e, Send)]


def acknowledgement(effects: Iterable[Effect]) -> BindingAcknowledgement:
    """The one packet that leaves, which must be a Binding Acknowledgement."""
    (packet,) = sent(effects)
    assert isinstance(packet.message, BindingAcknowledgement)
    return packet.message


def dropped(effects: Iterable[Effect]) -> str:
    """Why the packet was dropped silently: nothing else may have come of it."""
    (effect,) = effects
    assert isinstance(effect, Notify)
    assert isinstance(effect.event, Dropped)
    return effect.event.reason


def tunnels(node: Node) -> dict[IPv6Address, IPv6Address]:
    """Where packets for each home address go."""
    return {
        state.home_address: state.care_of_address
        for state in node.installed
        if isinstance(state, Tunnel)
    }
