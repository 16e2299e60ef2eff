"""The figure "Mobile IP" as the simulator has it: links, routers, addresses, delays.

mobile nodes --- link b --- router b ---+
             --- link c --- router c ---+--- core --- correspondents
             --- home link --- home agent +
"""

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from mip6.core.packet import Packet
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import (
    AdvertisementInterval,
    HomeAgentInformation,
    NeighborOption,
    PrefixInformation,
    RecursiveDnsServers,
    SourceLinkLayerAddress,
)
from mip6.wire.record import record

HOME = "home"
AT_HOME_AGENT = "home agent"
"""The place whose router is that of the home link."""
PREFIXES = {
    HOME: IPv6Network("2001:db8:a::/64"),
    "b": IPv6Network("2001:db8:b::/64"),
    "c": IPv6Network("2001:db8:c::/64"),
}
NEW_HOME_PREFIX = IPv6Network("2001:db8:1a::/64")
"""To where the home link is renumbered."""
NAME_SERVERS = {
    link: IPv6Address(f"2001:db8:{link}:53::53") for link in PREFIXES if link != HOME
}
"""Of the visited networks, behind their routers."""
HOME_AGENT = IPv6Address("2001:db8:a::1")
OTHER_HOME_AGENT = IPv6Address("2001:db8:a::2")
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
OTHER_HOME_ADDRESS = IPv6Address("2001:db8:a::101")
CORRESPONDENT = IPv6Address("2001:db8:e::2")
OTHER_CORRESPONDENT = IPv6Address("2001:db8:e::3")
ALL_NODES = IPv6Address("ff02::1")

LINK_DELAY = 0.001
"""Seconds from one end of a link to the other."""
CORE_DELAY = 0.010
"""Seconds between any two of the home agent, an access router, the correspondent."""


@dataclass(slots=True)
class Faults:
    """What goes wrong, as probabilities of each packet or state.  A test changes them
    while the world runs; all zero is a world that has healed."""

    loss: float = 0.0
    duplicate: float = 0.0
    damage: float = 0.0
    """One octet of the packet is changed on the way."""
    jitter: float = 0.0
    """Seconds: a packet may take up to that much longer, and so be overtaken."""
    refuse: float = 0.0
    """The kernel refuses a state."""
    data_loss: float = 0.0


@record
class Advertising:
    """How routers advertise; seconds."""

    interval_min: float = 0.030
    interval_max: float = 0.070
    answer_max: float = 0.020
    """Within that time a solicitation is answered (RFC 4861: 0.5)."""
    say_interval: bool = True
    """With the Advertisement Interval option (RFC 6275 §7.3)."""
    say_name_server: bool = False
    """Away from the home link (RFC 8106)."""


@record
class Router:
    """The router of one link; of the home link it is the home agent itself."""

    link: str
    advertising: Advertising

    @property
    def address(self) -> IPv6Address:
        return IPv6Address(f"fe80::{self._number:x}")

    @property
    def link_layer_address(self) -> bytes:
        return bytes((2, 0, 0, 0, 0, self._number))

    def advertisement(self, *, lifetime: int = 1800) -> Packet:
        """Its Router Advertisement; `lifetime` in seconds, 0 to say goodbye."""
        prefix = PREFIXES[self.link]
        at_home = self.link == HOME
        options: list[NeighborOption] = [
            SourceLinkLayerAddress(self.link_layer_address),
            PrefixInformation(
                # With the R bit the home agent's whole address (§7.2).
                prefix=HOME_AGENT if at_home else prefix.network_address,
                prefix_length=64,
                valid_lifetime=86400,
                preferred_lifetime=14400,
                on_link=True,
                autonomous_address_configuration=True,
                router_address=at_home,
            ),
        ]
        if self.advertising.say_interval:
            interval = round(self.advertising.interval_max * 1000)
            options.append(AdvertisementInterval(interval))
        if self.advertising.say_name_server and not at_home:
            servers = (NAME_SERVERS[self.link],)
            options.append(RecursiveDnsServers(lifetime=3600, addresses=servers))
        if at_home:
            options.append(HomeAgentInformation(preference=0, lifetime=1800))
        return Packet(
            source=self.address,
            destination=ALL_NODES,
            message=RouterAdvertisement(
                router_lifetime=lifetime,
                cur_hop_limit=64,
                home_agent=at_home,
                options=tuple(options),
            ),
            hop_limit=255,
        )

    @property
    def _number(self) -> int:
        return 0xA + list(PREFIXES).index(self.link)


def link_of(address: IPv6Address) -> str | None:
    """The link that packets for this address are routed to."""
    for link, prefix in PREFIXES.items():
        if address in prefix:
            return link
    return None


def delay(origin: str | None, destination: str | None) -> float:
    """Seconds from one place to another: a link, `AT_HOME_AGENT`, or None for a
    correspondent."""
    places = (origin, destination)
    routers = {HOME if place == AT_HOME_AGENT else place for place in places}
    over_core = len(routers) > 1 or None in routers
    links = sum(place in PREFIXES for place in places)
    return LINK_DELAY * links + (CORE_DELAY if over_core else 0.0)
