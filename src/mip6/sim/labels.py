"""Packets, states and events in the few words that a ladder has room for."""

import re

from mip6.core.events import (
    BindingChanged,
    Dropped,
    Event,
    HomeAddressesChanged,
    HomeAgentsChanged,
    PhaseReached,
    Place,
    PlaceChanged,
    PrefixesTold,
    Problem,
    Refused,
    WayChanged,
)
from mip6.core.packet import Packet
from mip6.core.state import (
    CareOfAddress,
    End,
    HomeAddress,
    ProxyNeighbor,
    RouteOptimization,
    State,
    Tunnel,
)
from mip6.wire.icmpv6 import HomeAgentAddressDiscoveryReply
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingStatus,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
)
from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborSolicitation,
    RouterAdvertisement,
    RouterSolicitation,
)
from mip6.wire.neighbor_options import PrefixInformation

from .network import HOME, HOME_AGENT, OTHER_HOME_AGENT

PLACES = {
    Place.NOWHERE: "no link, or no router on it",
    Place.AT_HOME: "at home: no Mobile IPv6 needed",
    Place.REGISTERING: "away: registering",
    Place.REGISTERED: "registered: the tunnel is open both ways",
    Place.RETURNING: "back home: the home agent is told to let go",
}


def packet_label(packet: Packet) -> str:
    label = _message_label(packet)
    return f"{label} in the tunnel" if packet.tunnel else label


def _message_label(packet: Packet) -> str:
    message = packet.message
    match message:
        case BindingUpdate():
            what = f"{message.lifetime} s" if message.lifetime else "delete"
            return f"Binding Update #{message.sequence_number}, {what}"
        case BindingAcknowledgement():
            number = message.sequence_number
            return f"Binding Acknowledgement #{number}, {_answer(message)}"
        case RouterSolicitation():
            return "Router Solicitation"
        case RouterAdvertisement():
            prefixes = (
                str(option.network)
                for option in message.options
                if isinstance(option, PrefixInformation)
            )
            return f"Advertises {' '.join(prefixes)}"
        case NeighborSolicitation():
            return f"Neighbor Solicitation: is {message.target_address} here?"
        case NeighborAdvertisement():
            return f"Neighbor Advertisement: {message.target_address} is here"
        case HomeAgentAddressDiscoveryReply():
            found = ", ".join(map(str, message.home_agent_addresses))
            return f"Home Agent Address Discovery Reply: {found}"
        case _:
            words = re.sub("(?<!^)([A-Z])", r" \1", type(message).__name__)
            return words.replace("Of ", "of ").replace("Care ", "Care-")


def packet_step(packet: Packet, link: str | None) -> int:
    """Which step of Mobile IP the packet is part of, on `link` where that matters."""
    match packet.message:
        case RouterSolicitation() | RouterAdvertisement() if link != HOME:
            return 1
        case HomeTestInit() | CareOfTestInit() | HomeTest() | CareOfTest():
            return 5
        case BindingUpdate() | BindingAcknowledgement() if packet.message.lifetime:
            ends = {packet.source, packet.destination}
            return 2 if ends & {HOME_AGENT, OTHER_HOME_AGENT} else 5
        case _:
            return 0


def _answer(message: BindingAcknowledgement) -> str:
    if message.status >= 128:
        try:
            name = BindingStatus(message.status).name.lower().replace("_", " ")
        except ValueError:
            name = "not known"
        return f"refused: {message.status} {name}"
    return f"{message.lifetime} s" if message.lifetime else "deleted"


def state_label(state: State, *, installed: bool) -> str | None:
    """None for what a reader of the ladder need not see."""
    match state:
        case Tunnel(end=End.HOME_AGENT):
            if not installed:
                return f"no tunnel for {state.home_address} any more"
            return f"tunnel: {state.home_address} is at {state.care_of_address}"
        case RouteOptimization(end=End.CORRESPONDENT):
            if not installed:
                return f"{state.home_address} by way of its home agent again"
            return f"direct: {state.home_address} is at {state.care_of_address}"
        case ProxyNeighbor():
            word = "answers" if installed else "no longer answers"
            return f"{word} for {state.address} on the home link"
        case CareOfAddress():
            word = "care-of address" if installed else "gives up care-of address"
            return f"{word} {state.address}"
        case HomeAddress(link=link) if link != "mip0":
            word = "on" if installed else "off"
            return f"home address {state.address} {word} the link"
        case _:
            return None


def event_label(event: Event) -> str | None:
    match event:
        case PlaceChanged():
            return PLACES[event.place]
        case Problem():
            return f"{event.what} ({event.advice})" if event.advice else event.what
        case Dropped(section="11.3.1"):
            return None  # data that waited in vain: too many to tell
        case Dropped():
            return f"ignored: {event.reason} (§{event.section})"
        case Refused():
            return f"refuses {event.home_address}: {event.status}"
        case WayChanged():
            way = "direct" if event.direct else "through the home agent"
            return f"{event.correspondent}: {way} ({event.why.replace('_', ' ')})"
        case HomeAgentsChanged():
            return f"asks home agent {event.current or '(none is known)'}"
        case HomeAddressesChanged():
            addresses = ", ".join(map(str, event.home_addresses))
            return f"home addresses are {addresses}"
        case PrefixesTold():
            return f"tells its prefixes: {', '.join(map(str, event.prefixes))}"
        case PhaseReached() | BindingChanged():
            return None
