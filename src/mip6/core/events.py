"""What a role reports, for logs, counters, `mip6 watch` and the timeline of a move."""

from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network

from mip6.wire.record import record

from .route_optimization import Why


@record
class Dropped:
    """A packet was ignored.  `reason` is a fixed snake_case word that is counted and
    that tests assert; `section` the rule, such as "9.5.1" (RFC 6275 unless named)."""

    reason: str
    section: str
    source: IPv6Address | None = None
    detail: str = ""


class Change(StrEnum):
    CREATED = "created"
    REFRESHED = "refreshed"
    MOVED = "moved"
    DELETED = "deleted"
    EXPIRED = "expired"
    EVICTED = "evicted"
    """Another one needed its place in the cache (§9.6)."""
    UNREACHABLE = "unreachable"
    """Routers went on saying that its care-of address cannot be reached (§9.3.4)."""


@record
class BindingChanged:
    """A binding cache entry changed (home agent, correspondent)."""

    change: Change
    home_address: IPv6Address
    care_of_address: IPv6Address
    lifetime: float
    """Seconds granted; 0 when the binding is gone."""
    correspondent: IPv6Address | None = None
    """The address of ours that it is a binding with; None for a home registration."""


@record
class Refused:
    """A Binding Update was answered with a status of 128 or more."""

    home_address: IPv6Address
    care_of_address: IPv6Address
    status: int


class Phase(StrEnum):
    """The steps of one move, in order (DESIGN §5, the timeline)."""

    LINK_UP = "link_up"
    ROUTER_SOLICITATION = "router_solicitation"
    ROUTER_ADVERTISEMENT = "router_advertisement"
    """Or a router that was there before has answered (RFC 6059)."""
    CARE_OF_ADDRESS = "care_of_address"
    BINDING_UPDATE = "binding_update"
    BINDING_ACKNOWLEDGEMENT = "binding_acknowledgement"
    FIRST_PACKET_IN = "first_packet_in"
    FIRST_PACKET_OUT = "first_packet_out"


@record
class PhaseReached:
    """A move reached a phase for the first time; LINK_UP begins a new move."""

    phase: Phase
    link: str


class Place(StrEnum):
    """Where a mobile node is, as people see it."""

    NOWHERE = "nowhere"
    AT_HOME = "at_home"
    REGISTERING = "registering"
    REGISTERED = "registered"
    RETURNING = "returning"
    """On the home link, its binding not yet deleted."""


@record
class PlaceChanged:
    place: Place
    home_address: IPv6Address
    care_of_address: IPv6Address | None
    link: str | None
    detail: str = ""


@record
class Problem:
    """Something an operator should know; `advice` says what to do."""

    what: str
    advice: str = ""


@record
class HomeAgentsChanged:
    """A mobile node asks another home agent, or knows of others.  It comes before
    anything is sent to one of them, so that there are keys for it."""

    current: IPv6Address | None
    known: tuple[IPv6Address, ...]


@record
class HomeAddressesChanged:
    """A mobile node has formed a home address in a new prefix, or left one that is
    over; the first one is for new connections.  It comes before anything is sent for
    it, so that there are keys for it."""

    home_addresses: tuple[IPv6Address, ...]


@record
class PrefixesTold:
    """A home agent begins to tell its mobile nodes the prefixes of the home link."""

    prefixes: tuple[IPv6Network, ...]


@record
class WayChanged:
    """Packets of a mobile node and a correspondent take another way."""

    correspondent: IPv6Address
    direct: bool
    """Not through the home agent."""
    why: Why


Event = (
    Dropped
    | BindingChanged
    | Refused
    | PhaseReached
    | PlaceChanged
    | Problem
    | HomeAgentsChanged
    | HomeAddressesChanged
    | PrefixesTold
    | WayChanged
)
