"""Destinations that are reached from the care-of address, not through the tunnel."""

from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT, HOME_PREFIX
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    Roamer,
)
from tests.support.core import Kernel, dropped, sent

from mip6.core.adopted import Adopted
from mip6.core.effects import Forward
from mip6.core.events import Place
from mip6.core.link import NAME_SERVERS_MAX
from mip6.core.packet import Packet, write
from mip6.core.state import CareOfAddress, Route, Rule
from mip6.wire.icmpv6 import DestinationUnreachable, UnknownIcmp
from mip6.wire.neighbor_options import INFINITE_LIFETIME, RecursiveDnsServers

FAR = IPv6Network("2001:db8:f::/48")
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::ff:fe00:5")
NEXT_CARE_OF_ADDRESS = IPv6Address("2001:db8:c::ff:fe00:5")
SERVER = IPv6Address("2001:db8:b::53")
FAR_SERVER = IPv6Address("2001:db8:d::53")


def told_of(*servers: IPv6Address, lifetime: int = 600) -> RecursiveDnsServers:
    return RecursiveDnsServers(lifetime, servers)


def native_routes(roamer: Roamer) -> dict[str, tuple[str, IPv6Address | None]]:
    """Gateway and source of the routes with a source in the main table."""
    return {
        str(route.destination): (str(route.gateway), route.source)
        for route in roamer.standing(Route)
        if route.table == 254 and route.source is not None
    }


def native_rules(roamer: Roamer) -> set[tuple[int, int, str]]:
    return {
        (rule.priority, rule.table, str(rule.destination))
        for rule in roamer.standing(Rule)
        if rule.destination is not None
    }


def test_a_prefix_goes_out_from_the_care_of_address_also_after_a_move() -> None:
    roamer = Roamer(native=(FAR,))
    rules = {(1000, 254, str(FAR))}
    roamer.link_up()
    assert native_routes(roamer) == {}
    assert native_rules(roamer) == rules, "by another link, if there is one"
    roamer.hear(PREFIX_B, ROUTER_B)
    assert native_routes(roamer) == {str(FAR): (str(ROUTER_B), CARE_OF_ADDRESS)}
    roamer.answer()
    roamer.link_down()
    assert native_routes(roamer) == {}
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    assert native_routes(roamer) == {str(FAR): (str(ROUTER_C), NEXT_CARE_OF_ADDRESS)}
    assert native_rules(roamer) == rules
    roamer.go_home()
    assert native_routes(roamer) == {} and native_rules(roamer) == set()


def test_the_address_stands_before_the_route_that_it_is_the_source_of() -> None:
    roamer = Roamer(native=(FAR,))
    roamer.link_up()
    kernel = Kernel(roamer.mobile_node)
    effects = roamer.hear(PREFIX_B, ROUTER_B)
    kernel.perform([e for e in effects if "Install" in type(e).__name__], roamer.now)
    order = [type(state) for state in kernel.standing.values()]
    native = next(
        i
        for i, state in enumerate(kernel.standing.values())
        if isinstance(state, Route) and state.destination == FAR
    )
    assert order.index(CareOfAddress) < native


def test_it_is_switched_while_it_runs() -> None:
    roamer = Roamer()
    roamer.register()
    assert native_routes(roamer) == {} and native_rules(roamer) == set()
    node = roamer.mobile_node
    roamer.do(node.configure(400, roamer.now, fallback=True, native=(FAR,)))
    assert set(native_routes(roamer)) == {str(FAR)}
    roamer.do(node.configure(400, roamer.now, fallback=True))
    assert native_routes(roamer) == {} and native_rules(roamer) == set()
    assert roamer.tunnel is not None


def test_nothing_waits_for_a_tunnel_that_is_not_for_it() -> None:
    """With no link the home address is all that the kernel finds as a source."""
    roamer = Roamer(native=(FAR,))
    roamer.register()
    roamer.do(roamer.mobile_node.name_servers((FAR_SERVER,), roamer.now))
    roamer.link_down()
    for destination in ("2001:db8:f::1", str(FAR_SERVER)):
        octets = octets_to(IPv6Address(destination))
        effects = roamer.node.unmatched(octets, roamer.now)
        assert dropped(effects) == ("native", "11.3.1")
        [error] = sent(effects)
        assert isinstance(error.message, DestinationUnreachable)
    assert roamer.mobile_node.held == 0
    assert (
        roamer.node.unmatched(octets_to(IPv6Address("2001:db8:e::1")), roamer.now) == []
    )
    assert roamer.mobile_node.held == 1
    roamer.go_home()
    roamer.answer()
    effects = roamer.node.unmatched(octets_to(FAR_SERVER), roamer.now)
    assert effects == [Forward(octets_to(FAR_SERVER))], "at home it is as all others"


def octets_to(destination: IPv6Address) -> bytes:
    message = UnknownIcmp(type=128, code=0, data=bytes(4))
    return write(Packet(source=HOME_ADDRESS, destination=destination, message=message))


def test_on_the_visited_link_itself_no_router_is_needed() -> None:
    part = IPv6Network("2001:db8:b:0:8000::/66")
    roamer = Roamer(native=(PREFIX_B, part))
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert native_routes(roamer) == {str(part): ("None", CARE_OF_ADDRESS)}
    [route] = [r for r in roamer.standing(Route) if r.destination == PREFIX_B]
    assert route.source is None, "the route of the link is as ever"


def test_a_kernel_that_refuses_it_stops_nothing_else() -> None:
    roamer = Roamer(native=(FAR,))
    roamer.register()
    for kind in (Route, Rule):
        [refused] = [s for s in roamer.standing(kind) if s.destination == FAR]
        roamer.do(roamer.mobile_node.failed(refused, roamer.now))
        assert roamer.mobile_node.place is Place.REGISTERED
        assert refused not in roamer.standing(kind)
        roamer.wait(2)
        assert refused in roamer.standing(kind), "it is tried again"


def test_name_servers_of_the_visited_link_are_asked_natively() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B, options=(told_of(SERVER, FAR_SERVER),))
    assert native_routes(roamer) == {
        f"{SERVER}/128": ("None", CARE_OF_ADDRESS),
        f"{FAR_SERVER}/128": (str(ROUTER_B), CARE_OF_ADDRESS),
    }
    roamer.answer()
    roamer.link_down()
    assert native_routes(roamer) == {}
    assert len(native_rules(roamer)) == 2
    roamer.link_up()
    other = IPv6Address("2001:db8:c::53")
    roamer.hear(PREFIX_C, ROUTER_C, options=(told_of(other),))
    assert set(native_routes(roamer)) == {
        f"{one}/128" for one in (other, SERVER, FAR_SERVER)
    }, "those of the link before, while somebody may still ask them"
    assert roamer.mobile_node.native.name_servers[0] == other
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert set(roamer.mobile_node.native.name_servers) == {other}


def test_a_name_server_is_forgotten_when_its_lifetime_ends() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(
        PREFIX_B,
        ROUTER_B,
        options=(
            told_of(SERVER, lifetime=60),
            told_of(FAR_SERVER, lifetime=INFINITE_LIFETIME),
        ),
    )
    roamer.answer()
    roamer.wait(59)
    assert len(roamer.mobile_node.native.name_servers) == 2
    roamer.wait(2)
    assert roamer.mobile_node.native.name_servers == (FAR_SERVER,)
    assert set(native_routes(roamer)) == {f"{FAR_SERVER}/128"}
    roamer.hear(PREFIX_B, ROUTER_B, options=(told_of(FAR_SERVER, lifetime=0),))
    assert roamer.mobile_node.native.name_servers == ()


@pytest.mark.parametrize(
    "server", ["fe80::53", "ff02::53", "::1", "::", "2001:db8:a::53"]
)
def test_what_is_no_name_server_of_a_visited_link(server: str) -> None:
    """Nobody's advertisement takes what is for the home network out of the tunnel."""
    roamer = Roamer()
    roamer.link_up()
    servers = (IPv6Address(server), HOME_AGENT)
    roamer.hear(PREFIX_B, ROUTER_B, options=(told_of(*servers),))
    roamer.do(roamer.mobile_node.name_servers(servers, roamer.now))
    assert native_routes(roamer) == {} and native_rules(roamer) == set()
    assert IPv6Address("2001:db8:a::53") in HOME_PREFIX


def test_the_limits_of_what_routers_tell() -> None:
    roamer = Roamer()
    roamer.link_up()
    many = [IPv6Address(f"2001:db8:d::{n}") for n in range(1, 30)]
    for first in (0, 10, 20):
        roamer.hear(PREFIX_B, ROUTER_B, options=(told_of(*many[first : first + 10]),))
    link = roamer.mobile_node.attachments.up["eth0"]
    [router] = link.routers.values()
    assert len(router.name_servers) == NAME_SERVERS_MAX
    another = IPv6Address("fe80::1:b")
    roamer.hear(PREFIX_B, another, options=(told_of(*many[:8]),))
    assert len(tuple(link.name_servers(roamer.now))) == 2 * NAME_SERVERS_MAX
    assert len(native_routes(roamer)) == NAME_SERVERS_MAX
    roamer.do(roamer.mobile_node.name_servers(tuple(many), roamer.now))
    assert len(roamer.mobile_node.native.name_servers) <= 2 * NAME_SERVERS_MAX


def test_name_servers_that_the_machine_is_configured_to_ask() -> None:
    roamer = Roamer()
    roamer.register()
    roamer.do(roamer.mobile_node.name_servers((FAR_SERVER,), roamer.now))
    assert set(native_routes(roamer)) == {f"{FAR_SERVER}/128"}
    node = roamer.mobile_node
    roamer.do(node.configure(400, roamer.now, fallback=True, native_name_servers=False))
    assert native_routes(roamer) == {} and native_rules(roamer) == set()
    roamer.do(node.configure(400, roamer.now, fallback=True))
    roamer.do(node.name_servers((), roamer.now))
    assert native_routes(roamer) == {}


def test_on_a_link_that_others_configure() -> None:
    roamer = Roamer(managed=False, native=(FAR,))
    address = IPv6Address("2001:db8:b::77")
    roamer.link_up()
    tentative = Adopted(address=address, prefix_length=64, usable=False)
    configure = roamer.mobile_node.configured
    roamer.do(configure("eth0", (tentative,), (ROUTER_B,), roamer.now))
    roamer.hear(PREFIX_B, ROUTER_B, options=(told_of(SERVER),))
    assert native_routes(roamer) == {}, "a tentative address is no source"
    adopted = Adopted(address=address, prefix_length=64)
    roamer.do(configure("eth0", (adopted,), (ROUTER_B,), roamer.now))
    assert native_routes(roamer) == {
        str(FAR): (str(ROUTER_B), address),
        f"{SERVER}/128": ("None", address),
    }
