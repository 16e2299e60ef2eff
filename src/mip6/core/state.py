"""The nouns of kernel state that a role wants: what `Install` and `Remove` are about.

Each value has a `key`: at most one state of a key stands at a time, and installing a
value replaces the one that stood there (docs/decisions/0002).  So a handover is one
`Install(Tunnel)`, and a refresh, which moves only `expires`, is one too.
"""

from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network

from mip6.wire.record import record


class End(StrEnum):
    """Which end this node is, of a bidirectional tunnel (§10.4, §11.3.1) or of the
    direct way between a mobile node and a correspondent (§9.3, §11.3)."""

    HOME_AGENT = "home_agent"
    MOBILE_NODE = "mobile_node"
    CORRESPONDENT = "correspondent"


@record(kw_only=True)
class Tunnel:
    """The bidirectional tunnel of one home address (§10.4.5, §11.3.1).

    At the home agent packets *to* the home address go in, at the mobile node packets
    *from* it; the outer addresses are the care-of address and the home agent's.
    Times are seconds of the boot clock.
    """

    end: End
    home_address: IPv6Address
    care_of_address: IPv6Address
    home_agent: IPv6Address
    expires: float
    """No packet passes from this moment on, daemon or not."""
    previous: IPv6Address | None = None
    """The care-of address before this one: packets under way still count (decision
    0003)."""
    previous_until: float = 0.0
    inbound_only: bool = False
    """Packets come out of the tunnel, none go in yet: they are handed to the daemon
    like packets without a tunnel, and wait (mobile node, decision 0005)."""
    path_mtu: int | None = None
    """Octets of the largest packet on its path, outer header included, where a router
    has said that one of 1280 inside does not fit: it goes in fragments (RFC 2473 §7.1
    (b)).  None: as the link has it."""

    @property
    def key(self) -> tuple[object, ...]:
        return (Tunnel, self.end, self.home_address)


@record(kw_only=True)
class RouteOptimization:
    """Packets between a home address and a correspondent take the direct way.

    At the mobile node they leave from the care-of address with a Home Address option
    and come with a type 2 routing header (§11.3.1, §11.3.3); at the correspondent the
    other way about (§9.3.1, §9.3.2).  Between two mobile nodes each has one of either,
    and packets carry both.  `correspondent` is an address of the correspondent, its
    home address if it is mobile itself.  Times are seconds of the boot clock.
    """

    end: End
    home_address: IPv6Address
    correspondent: IPv6Address
    care_of_address: IPv6Address
    expires: float
    """No packet takes this way from then on, daemon or not."""
    previous: IPv6Address | None = None
    """The care-of address before this one: packets under way still count (decision
    0003)."""
    previous_until: float = 0.0
    inbound_only: bool = False
    """Packets are accepted from the direct way; those that leave still take the other
    one (mobile node: until the correspondent has acknowledged)."""
    path_mtu: int | None = None
    """As of a `Tunnel`, with the headers that are added."""

    @property
    def key(self) -> tuple[object, ...]:
        return (RouteOptimization, self.end, self.home_address, self.correspondent)


@record(kw_only=True)
class ProxyNeighbor:
    """Neighbor Discovery for `address` is answered on `link` by this node (§10.4.1)."""

    address: IPv6Address
    link: str

    @property
    def key(self) -> tuple[object, ...]:
        return (ProxyNeighbor, self.address, self.link)


@record(kw_only=True)
class HomeAddress:
    """The home address on a link: always on the mobility device, at home on the home
    link too (§11.5.5).  Never subject to duplicate address detection by the kernel."""

    address: IPv6Address
    link: str

    @property
    def key(self) -> tuple[object, ...]:
        return (HomeAddress, self.address, self.link)


@record(kw_only=True)
class CareOfAddress:
    """An address of the visited link, in use at once (RFC 4429 optimistic) while the
    kernel checks that it is unique; `address_checked` tells the outcome."""

    address: IPv6Address
    prefix_length: int
    link: str
    adopted: bool = False
    """Others configured it: only its packets are ours."""
    checked_by_kernel: bool = True
    """Else it is the role that does it, because the kernel would not let it be used."""

    @property
    def key(self) -> tuple[object, ...]:
        return (CareOfAddress, self.address, self.link)


@record(kw_only=True)
class Neighbor:
    """The link-layer address of a router, known from its advertisement, so that an
    optimistic address never has to solicit it (RFC 4429 §3.3)."""

    address: IPv6Address
    link: str
    link_layer_address: bytes

    @property
    def key(self) -> tuple[object, ...]:
        return (Neighbor, self.address, self.link)


@record(kw_only=True)
class Route:
    """A route, as `ip -6 route` has it.  `table` 254 is the main table."""

    destination: IPv6Network
    link: str
    gateway: IPv6Address | None = None
    source: IPv6Address | None = None
    table: int = 254
    metric: int = 1024
    mtu: int | None = None
    """Octets of the largest packet on the way; None: as the link has it."""

    @property
    def key(self) -> tuple[object, ...]:
        return (Route, self.table, self.destination, self.metric)


CORRESPONDENT_TABLE = 6275
"""Routes of a correspondent to its mobile nodes, for packets of its own only: what has
no entry in the data plane then goes as it would without them (decision 0012)."""


@record(kw_only=True)
class Rule:
    """A routing rule, as `ip -6 rule` has it."""

    priority: int
    table: int
    source: IPv6Address | None = None
    suppress_default: bool = False
    """Ignore the table's default route (suppress_prefixlength 0)."""
    own_only: bool = False
    """For what this machine sends and knows a port of, or a type: not for what it
    forwards, nor for a firewall that asks by which link a packet should have come."""
    destination: IPv6Network | None = None

    @property
    def key(self) -> tuple[object, ...]:
        return (Rule, self.priority, self.source, self.destination)


@record
class Membership:
    """Packets for `group` on `link` are heard here (§10.4.3)."""

    group: IPv6Address
    link: str

    @property
    def key(self) -> tuple[object, ...]:
        return (Membership, self.group, self.link)


State = (
    Tunnel
    | RouteOptimization
    | ProxyNeighbor
    | HomeAddress
    | CareOfAddress
    | Neighbor
    | Route
    | Rule
    | Membership
)
