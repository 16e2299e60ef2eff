"""Builders for tests of the core: addresses, a home agent, Binding Updates."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from mip6.core.effects import Effect, Install, Notify, Remove, Send
from mip6.core.events import Dropped, Event
from mip6.core.home_agent import HomeAgent
from mip6.core.packet import Packet
from mip6.core.state import State
from mip6.wire.messages import BindingAcknowledgement, BindingUpdate
from mip6.wire.options import AlternateCareOfAddress, Option

HOME_PREFIX = IPv6Network("2001:db8:a::/64")
HOME_AGENT = IPv6Address("2001:db8:a::1")
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
OTHER_HOME_ADDRESS = IPv6Address("2001:db8:a::200")
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::64")
NEXT_CARE_OF_ADDRESS = IPv6Address("2001:db8:c::64")
CORRESPONDENT = IPv6Address("2001:db8:e::2")


def home_agent(*, check_time: float = 0, **changes: Any) -> HomeAgent:
    """A home agent without a home link, that believes everybody in its prefix."""
    arguments: dict[str, Any] = {
        "home_prefix": HOME_PREFIX,
        "home_link": None,
        "lifetime_max": 600,
        "bindings_max": 2,
        "authentication_required": False,
        "mobile_nodes": (HOME_PREFIX,),
    }
    return HomeAgent(HOME_AGENT, check_time=check_time, **{**arguments, **changes})


def binding_update(
    sequence_number: int = 1,
    *,
    lifetime: int = 60,
    acknowledge: bool = True,
    home_registration: bool = True,
    link_local_address_compatibility: bool = False,
    key_management_mobility_capability: bool = False,
    source: IPv6Address = CARE_OF_ADDRESS,
    home_address: IPv6Address | None = HOME_ADDRESS,
    alternate: IPv6Address | None = None,
    options: tuple[Option, ...] = (),
    **changes: Any,
) -> Packet:
    """A mobile node's Binding Update; `changes` are fields of the packet."""
    if alternate is not None:
        options = (AlternateCareOfAddress(alternate), *options)
    packet = Packet(
        source=source,
        destination=HOME_AGENT,
        home_address=home_address,
        message=BindingUpdate(
            sequence_number=sequence_number,
            lifetime=lifetime,
            acknowledge=acknowledge,
            home_registration=home_registration,
            link_local_address_compatibility=link_local_address_compatibility,
            key_management_mobility_capability=key_management_mobility_capability,
            options=options,
        ),
    )
    return replace(packet, **changes)


def from_home(sequence_number: int = 2, **changes: Any) -> Packet:
    """The de-registration of a mobile node that is back on its home link."""
    return binding_update(
        sequence_number,
        **{"lifetime": 0, "source": HOME_ADDRESS, "home_address": None, **changes},
    )


def sent(effects: Iterable[Effect]) -> list[Packet]:
    return [effect.packet for effect in effects if isinstance(effect, Send)]


def told(effects: Iterable[Effect]) -> list[Event]:
    return [effect.event for effect in effects if isinstance(effect, Notify)]


def dropped(effects: Iterable[Effect]) -> tuple[str, str]:
    """Reason and section of the one `Dropped` that begins the effects."""
    first = next(iter(told(effects)))
    assert isinstance(first, Dropped)
    return first.reason, first.section


def discarded(effects: list[Effect]) -> tuple[str, str]:
    """The same, when nothing else may happen: no answer, no state."""
    assert len(effects) == 1
    return dropped(effects)


def acknowledgement(effects: Iterable[Effect]) -> BindingAcknowledgement:
    """The one packet sent, a Binding Acknowledgement."""
    [packet] = sent(effects)
    assert isinstance(packet.message, BindingAcknowledgement)
    return packet.message


class Kernel:
    """Carries out effects as the executor does: in order, stopping at a refusal."""

    def __init__(self, role: Any, refuse: Iterable[type[State]] = ()) -> None:
        self.role = role
        self.refuse: Any = tuple(refuse)
        self.standing: dict[tuple[object, ...], State] = {}
        self.sent: list[Packet] = []
        self.told: list[Event] = []

    def perform(self, effects: Iterable[Effect], now: float) -> None:
        for effect in effects:
            match effect:
                case Install(state) if isinstance(state, self.refuse):
                    self.perform(self.role.failed(state, now), now)
                    return
                case Install(state):
                    assert self.standing.get(state.key) != state, "installed twice"
                    self.standing[state.key] = state
                case Remove(state):
                    assert self.standing.pop(state.key) == state, "never installed"
                case Send(packet):
                    self.sent.append(packet)
                case Notify(event):
                    self.told.append(event)

    @property
    def states(self) -> set[State]:
        return set(self.standing.values())
