"""A mobile node away whose home link gets another prefix (decision 0034)."""

from ipaddress import IPv6Address, IPv6Network
from typing import Any

from tests.conformance.nodes import HOME_ADDRESS
from tests.conformance.roamer import (
    Roamer,
    Sent,
)
from tests.core.test_prefix_solicitation import (
    advertise,
    information,
    registered,
)

from mip6.core.effects import Effect
from mip6.core.prefix_solicitation import APART
from mip6.core.state import (
    Route,
    Tunnel,
)
from mip6.wire.neighbor_options import INFINITE_LIFETIME, PrefixInformation
from mip6.wire.packet import (
    IPv6Packet,
    write_packet,
)

NEW_PREFIX = IPv6Network("2001:db8:1a::/64")
NEW_HOME_ADDRESS = IPv6Address("2001:db8:1a::1")
BOTH = (HOME_ADDRESS, NEW_HOME_ADDRESS)
FOR_EVER = INFINITE_LIFETIME


def new(valid: int = FOR_EVER, preferred: int | None = None) -> PrefixInformation:
    return information(valid, preferred, NEW_PREFIX, formed=True)


def updates(roamer: Roamer, home_address: IPv6Address) -> list[Sent]:
    """Binding Updates for one home address."""
    return [
        sent
        for sent in roamer.updates
        if home_address in (sent.packet.home_address, sent.packet.source)
    ]


def answer(roamer: Roamer, home_address: IPv6Address, **fields: Any) -> list[Effect]:
    """The home agent's answer to the last Binding Update for one home address."""
    last = updates(roamer, home_address)[-1]
    at_home = last.packet.home_address is None
    return roamer.answer(
        sequence_number=last.update.sequence_number,
        lifetime=fields.pop("lifetime", last.update.lifetime),
        destination=last.packet.source,
        routing_address=None if at_home else home_address,
        **fields,
    )


def tell(roamer: Roamer, *options: PrefixInformation) -> list[Effect]:
    """The prefixes once more: unsolicited, asked for, and answered."""
    first = roamer.mobile_node.home_address
    advertise(roamer, number=1, routing_address=first)
    roamer.wait(APART)
    return advertise(roamer, *options, routing_address=first)


def renumbered(*, accepted: bool = True, **more: Any) -> Roamer:
    """The new prefix was told, and perhaps registered; the old one is preferred."""
    roamer = registered(**more)
    advertise(roamer, information(FOR_EVER), new())
    if accepted:
        answer(roamer, NEW_HOME_ADDRESS)
    return roamer


def deprecated(valid: int = 100, **more: Any) -> Roamer:
    """The old prefix is not for new connections any more."""
    roamer = renumbered(**more)
    tell(roamer, information(valid, 0), new())
    return roamer


def tunnels(roamer: Roamer) -> dict[IPv6Address, Tunnel]:
    return {state.home_address: state for state in roamer.standing(Tunnel)}


def default_source(roamer: Roamer) -> IPv6Address | None:
    """Of connections that begin now."""
    [route] = (r for r in roamer.standing(Route) if r.link == "mip0")
    return route.source


def data(source: IPv6Address) -> bytes:
    to = IPv6Address("2001:db8:e::2")
    return write_packet(
        IPv6Packet(source=source, destination=to, next_header=17, payload=bytes(8))
    )
