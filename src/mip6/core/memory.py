"""Links seen before (RFC 6059, Simple DNA): back on one, the router that was used there
is asked by unicast, and what it once advertised holds as soon as it answers."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv6Address
from math import inf

from mip6.wire.neighbor_discovery import NeighborAdvertisement, NeighborSolicitation
from mip6.wire.neighbor_options import SourceLinkLayerAddress, TargetLinkLayerAddress
from mip6.wire.record import record

from .link import Link, Router
from .packet import Packet

PLACES_MAX = 6
"""Routers that are asked at once (RFC 6059 §5.5.3)."""
PROBE_INTERVAL = 1.0
"""Seconds between two rounds on one link, at least (RFC 6059 §5.11)."""


@record
class Place:
    """A router as it was known on a link, and how our addresses were formed there."""

    router: Router
    identifier: bytes
    """The last 64 bits of the addresses."""
    unique: frozenset[IPv6Address]
    """Those that were known to be ours alone."""
    proven: bool
    """Whether the home agent was reached from there."""

    def holds(self, now: float) -> bool:
        """Whether an address of it may still be valid."""
        return self.router.expires > now and any(
            prefix.valid_until > now for prefix in self.router.prefixes
        )

    def again(self, now: float) -> Router:
        """The router, found again; when it advertises next nobody knows."""
        prefixes = tuple(p for p in self.router.prefixes if p.valid_until > now)
        return replace(self.router, prefixes=prefixes, quiet_at=inf, silent=False)


class Memory:
    """The last places of each interface, the latest first."""

    def __init__(self) -> None:
        self._places: dict[str, list[Place]] = {}
        self._addresses: dict[str, bytes] = {}
        self._asked_at: dict[str, float] = {}

    def keep(self, link: Link, places: Iterable[Place]) -> None:
        """The link is gone; what holds there is worth remembering."""
        if self._addresses.get(link.name) != link.link_layer_address:
            self._places.pop(link.name, None)
            self._addresses[link.name] = link.link_layer_address
        kept = list(places)
        ways = {_way(place) for place in kept}
        kept += [p for p in self._places.get(link.name, ()) if _way(p) not in ways]
        self._places[link.name] = kept[:PLACES_MAX]

    def recall(self, link: Link, now: float) -> tuple[Place, ...]:
        """Where this interface may be again; nothing so soon after the last time."""
        if self._addresses.get(link.name) != link.link_layer_address:
            return ()
        if now < self._asked_at.get(link.name, -inf) + PROBE_INTERVAL:
            return ()
        places = self._places.get(link.name, [])
        self._asked_at[link.name] = now
        return tuple(place for place in places if place.holds(now))


def probe(place: Place, link: Link) -> Packet:
    """Asks the router of a place whether it is there, in a frame to it alone."""
    assert link.link_local is not None
    octets = link.link_layer_address
    options = (SourceLinkLayerAddress(octets),) if len(octets) % 8 == 6 else ()
    router = place.router
    return Packet(
        source=link.link_local,
        destination=router.address,
        message=NeighborSolicitation(target_address=router.address, options=options),
        hop_limit=255,
        link=link.name,
        link_layer_destination=router.link_layer_address,
    )


def answered(
    places: Iterable[Place], packet: Packet, message: NeighborAdvertisement
) -> Place | None:
    """The place whose router this is: both of its addresses match (RFC 6059 §5.7.1).

    An answer may leave the link-layer address out (RFC 4861 §7.2.4; Linux does): the
    question was in a frame to that address, and so nobody else got it.
    """
    octets = [
        option.link_layer_address
        for option in message.options
        if isinstance(option, TargetLinkLayerAddress)
    ]
    for place in places:
        router = place.router
        if (
            message.solicited
            and packet.source == message.target_address == router.address
            and all(o.startswith(router.link_layer_address or b"") for o in octets)
        ):
            return place
    return None


def _way(place: Place) -> tuple[IPv6Address, bytes | None]:
    return place.router.address, place.router.link_layer_address
