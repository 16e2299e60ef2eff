"""`mip6 run --dry-run`: what would be done here, as ip, tc and sysctl lines.

The role itself is asked, with a made-up visit: what it would install is what is shown.
"""

from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network

from mip6.core.effects import Effect, Install
from mip6.core.home_agent import HomeAgent
from mip6.core.home_link import CHECK_TIME
from mip6.core.link import Link
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.state import (
    CORRESPONDENT_TABLE,
    End,
    Route,
    RouteOptimization,
    Rule,
    State,
    Tunnel,
)
from mip6.linux.executor import describe
from mip6.linux.sysctl import ipv6, line
from mip6.wire.messages import BindingAcknowledgement, BindingUpdate
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import PrefixInformation, SourceLinkLayerAddress

from .configuration import Configuration
from .machine import MANAGED, ROOM, RULE

VISITED = IPv6Network("2001:db8:ffff::/64")
ELSEWHERE = IPv6Address("2001:db8:fffe::100")
ROUTER = IPv6Address("fe80::1")
EXAMPLE = bytes.fromhex("020000000001")


def lines(configuration: Configuration, name: str) -> Iterator[str]:
    device = configuration.device
    yield f"# mip6 instance {name}; nothing is changed"
    for link, router in configuration.router.items():
        addresses = ", ".join(map(str, router.addresses))
        yield f"# advertised on {link}: {addresses} (mip6 radvd-config has it whole)"
    if configuration.roles == ("router",):
        return
    yield f"ip tuntap add dev {device} mode tun vnet_hdr multi_queue"
    yield f"ip link set {device} addrgenmode none"
    yield f"ip link set {device} mtu {1500 - ROOM} up  # smallest link - {ROOM}"
    yield line(ipv6(device, "forwarding"), 1)
    yield _program(device, "egress", "device_egress")
    if configuration.mobile_node is not None:
        yield from _mobile_node(configuration)
    else:
        yield _program("EACH-LINK", "ingress", "link_ingress")
    if configuration.home_agent is not None:
        yield from _home_agent(configuration)
    if configuration.correspondent is not None:
        yield from _correspondent(configuration)


def _program(link: str, hook: str, name: str) -> str:
    return (
        f"tc filter add dev {link} {hook} prio 6275 "
        f"bpf direct-action pinned {name}  # on a clsact qdisc"
    )


def _home_agent(configuration: Configuration) -> Iterator[str]:
    wanted = configuration.home_agent
    assert wanted is not None
    if wanted.home_link is None:
        route = Route(destination=wanted.home_prefix, link=configuration.device)
        yield describe(route)
    else:
        yield line(ipv6(wanted.home_link, "proxy_ndp"), 1)
        yield line(ipv6("all", "proxy_ndp"), 1)
        yield line(f"net/ipv6/neigh/{wanted.home_link}/proxy_delay", 0)
    home_address = wanted.home_networks[0].network_address
    if home_address == wanted.home_prefix.network_address:
        home_address += 0x100
    care_of_address = VISITED.network_address + 0x100
    role = HomeAgent(
        wanted.address,
        wanted.home_prefix,
        home_link=wanted.home_link,
        device=configuration.device,
        bindings_max=1,
        authentication_required=False,
        mobile_nodes=wanted.home_networks,
    )
    update = Packet(
        source=care_of_address,
        destination=wanted.address,
        home_address=home_address,
        message=BindingUpdate(
            sequence_number=1,
            lifetime=wanted.lifetime_max,
            acknowledge=True,
            home_registration=True,
            link_local_address_compatibility=False,
            key_management_mobility_capability=False,
        ),
    )
    yield f"# when {home_address} registers from {care_of_address}:"
    # On a home link the answer waits for duplicate address detection.
    effects = role.receive(update, 0.0) + role.tick(CHECK_TIME)
    yield from _installed(effects)


def _correspondent(configuration: Configuration) -> Iterator[str]:
    """Asking the role takes return routability, so its two states stand here."""
    mobile_node = configuration.mobile_node
    correspondent = (
        mobile_node.home_address.ip if mobile_node else VISITED.network_address + 1
    )
    way = RouteOptimization(
        end=End.CORRESPONDENT,
        home_address=ELSEWHERE,
        correspondent=correspondent,
        care_of_address=VISITED.network_address + 0x200,
        expires=0.0,
    )
    yield describe(Rule(priority=RULE, table=CORRESPONDENT_TABLE, own_only=True))
    yield f"# when {ELSEWHERE}, another's mobile node, has passed the tests:"
    yield describe(way)
    route = Route(
        destination=IPv6Network(ELSEWHERE),
        link=configuration.device,
        table=CORRESPONDENT_TABLE,
    )
    yield describe(route)


def _mobile_node(configuration: Configuration) -> Iterator[str]:
    wanted = configuration.mobile_node
    assert wanted is not None
    for link in wanted.interfaces:
        for setting, value in MANAGED.items():
            yield line(ipv6(link, setting), value)
        yield _program(link, "ingress", "link_ingress")
    home_agents = wanted.home_agents
    if not home_agents:
        network = wanted.home_address.network
        home_agents = (network.network_address + 1,)
        yield f"# its home agent is found at work; here it is {home_agents[0]}"
    role = MobileNode(
        wanted.home_address.ip,
        wanted.home_address.network,
        home_agents,
        device=configuration.device,
        links=wanted.interfaces,
        lifetime=wanted.lifetime,
        random=bytes,
        fallback=wanted.fallback,
        table=wanted.table,
        native=wanted.native,
        authentication_required=False,
    )
    node = Node(mobile_node=role)
    link = wanted.interfaces[0]
    effects = role.link_up(Link(link, EXAMPLE), 0.0)
    advertisement = Packet(
        source=ROUTER,
        destination=IPv6Address("ff02::1"),
        hop_limit=255,
        message=RouterAdvertisement(
            router_lifetime=1800,
            options=(
                SourceLinkLayerAddress(EXAMPLE),
                PrefixInformation(
                    prefix=VISITED.network_address,
                    prefix_length=VISITED.prefixlen,
                    on_link=True,
                    autonomous_address_configuration=True,
                    valid_lifetime=86400,
                    preferred_lifetime=14400,
                ),
            ),
        ),
    )
    effects += node.receive(write(advertisement), 0.0, link=link)
    answer = Packet(
        source=home_agents[0],
        destination=role.care_of_address or ROUTER,
        routing_address=wanted.home_address.ip,
        message=BindingAcknowledgement(
            status=0,
            key_management_mobility_capability=False,
            sequence_number=role.registration.sequence_number or 0,
            lifetime=wanted.lifetime,
        ),
    )
    effects += node.receive(write(answer), 0.0)
    yield f"# when {link} has a carrier, router {ROUTER} advertises {VISITED},"
    yield "# and the home agent accepts the registration:"
    yield from _installed(effects)


def _installed(effects: list[Effect]) -> Iterator[str]:
    shown: set[State] = set()
    for effect in effects:
        if isinstance(effect, Install) and effect.state not in shown:
            shown.add(effect.state)
            if not (isinstance(effect.state, Tunnel) and effect.state.inbound_only):
                yield describe(effect.state)
