"""Out of the mobility device and directly to the other end, octet by octet."""

import time

import pytest
from tests.support.bench import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    DROP,
    HOME_ADDRESS,
    HOME_AGENT,
    PASS,
    REDIRECT,
    Bench,
)
from tests.support.octets import (
    AUTHENTICATION,
    DESTINATION_OPTIONS,
    ESP,
    FRAGMENT,
    HOP_BY_HOP,
    ICMPV6,
    IPV6,
    MOBILITY,
    NONE,
    ROUTING,
    TCP,
    UDP,
    home_address_option,
    ipv6,
    mobility,
    options,
    routing,
    udp,
)

from mip6.core.state import End
from mip6.linux.layout import MARK

pytestmark = pytest.mark.root

OTHER_HOME_ADDRESS = "2001:db8:c::200"
"""Of a mobile node that another mobile node talks to."""
OTHER_CARE_OF_ADDRESS = "2001:db8:b::200"
UP = ipv6(HOME_ADDRESS, CORRESPONDENT, UDP, udp(b"uplink"), hop_limit=63)
DOWN = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp(b"downlink"))
ACROSS = ipv6(HOME_ADDRESS, OTHER_HOME_ADDRESS, UDP, udp(b"across"), hop_limit=9)


def directly_up(payload: bytes, next_header: int = UDP, **of: int) -> bytes:
    option = home_address_option(next_header, HOME_ADDRESS) + payload
    return ipv6(CARE_OF_ADDRESS, CORRESPONDENT, DESTINATION_OPTIONS, option, **of)


def directly_down(payload: bytes, next_header: int = UDP, **of: int) -> bytes:
    header = routing(next_header, HOME_ADDRESS) + payload
    return ipv6(CORRESPONDENT, CARE_OF_ADDRESS, ROUTING, header, **of)


def two_mobile_nodes(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(End.MOBILE_NODE, correspondent=OTHER_HOME_ADDRESS)
    bench.direct(
        End.CORRESPONDENT,
        home_address=OTHER_HOME_ADDRESS,
        correspondent=HOME_ADDRESS,
        care_of_address=OTHER_CARE_OF_ADDRESS,
    )


@pytest.mark.rfc("11.3.1", "directly: Home Address option, from the care-of address")
def test_mobile_node_adds_the_option(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(End.MOBILE_NODE)
    result = bench.out(UP)
    assert result.packet == directly_up(udp(b"uplink"), hop_limit=63)
    assert result.verdict == REDIRECT
    assert result.counted == {"direct_out": 1}


@pytest.mark.rfc("8.2-2", "a type 2 routing header is added")
@pytest.mark.rfc("9.3.2-1", "the binding is looked for")
@pytest.mark.rfc("9.3.2-2", "type 2 routing header, to the care-of address")
def test_correspondent_adds_the_routing_header(bench: Bench) -> None:
    bench.direct(End.CORRESPONDENT)
    result = bench.out(DOWN)
    assert result.packet == directly_down(udp(b"downlink"))
    assert (result.verdict, result.counted) == (REDIRECT, {"direct_out": 1})


@pytest.mark.rfc("6.3", "the option stands behind the routing header")
def test_between_mobile_nodes_both(bench: Bench) -> None:
    two_mobile_nodes(bench)
    behind = home_address_option(UDP, HOME_ADDRESS) + udp(b"across")
    headers = routing(DESTINATION_OPTIONS, OTHER_HOME_ADDRESS) + behind
    wanted = ipv6(CARE_OF_ADDRESS, OTHER_CARE_OF_ADDRESS, ROUTING, headers, hop_limit=9)
    assert len(wanted) == len(ACROSS) + 48
    result = bench.out(ACROSS)
    assert result.packet == wanted
    assert (result.verdict, result.counted) == (REDIRECT, {"direct_out": 1})


@pytest.mark.rfc("11.3.1", "without a binding there, through the home agent")
def test_away_all_that_is_not_bound_there_goes_through_the_tunnel(bench: Bench) -> None:
    """A routing header alone would leave from the home address on a visited link."""
    two_mobile_nodes(bench)
    bench.data_plane.drop(
        bench.direct(End.MOBILE_NODE, correspondent=OTHER_HOME_ADDRESS)
    )
    assert bench.out(ACROSS).packet == ipv6(
        CARE_OF_ADDRESS, HOME_AGENT, IPV6, ACROSS, hop_limit=64
    )
    bench.tunnel(End.MOBILE_NODE, inbound_only=True)
    result = bench.out(ACROSS)
    assert (result.verdict, result.packet, result.counted) == (
        PASS,
        ACROSS,
        {"unmatched": 1},
    )


def test_at_home_the_other_mobile_node_is_reached_directly(bench: Bench) -> None:
    two_mobile_nodes(bench)
    bench.data_plane.drop(
        bench.direct(End.MOBILE_NODE, correspondent=OTHER_HOME_ADDRESS)
    )
    bench.data_plane.drop(bench.tunnel(End.MOBILE_NODE))
    headers = routing(UDP, OTHER_HOME_ADDRESS) + udp(b"across")
    assert bench.out(ACROSS).packet == ipv6(
        HOME_ADDRESS, OTHER_CARE_OF_ADDRESS, ROUTING, headers, hop_limit=9
    )


@pytest.mark.rfc("10.4.2", "the home agent's own packets: a routing header, no tunnel")
def test_home_agents_own_packets(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    packet = ipv6(HOME_AGENT, HOME_ADDRESS, UDP, udp(b"own"))
    wanted = ipv6(
        HOME_AGENT, CARE_OF_ADDRESS, ROUTING, routing(UDP, HOME_ADDRESS) + udp(b"own")
    )
    assert bench.out(packet).packet == wanted
    # The same where a role says so.
    bench.direct(End.CORRESPONDENT, correspondent=HOME_AGENT)
    assert bench.out(packet).packet == wanted
    assert bench.out(DOWN).packet == ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, DOWN)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 1400])
def test_packets_of_any_size(bench: Bench, size: int) -> None:
    """# gotcha 14"""
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(End.MOBILE_NODE)
    packet = ipv6(HOME_ADDRESS, CORRESPONDENT, NONE, bytes(size))
    assert bench.out(packet).packet == directly_up(bytes(size), NONE)


@pytest.mark.parametrize("traffic_class", [0, 1, 2, 3, 0xB8, 0xBB])
def test_traffic_class_and_flow_label_stay(bench: Bench, traffic_class: int) -> None:
    of = {"traffic_class": traffic_class, "flow_label": 0xABCDE, "hop_limit": 7}
    bench.direct(End.CORRESPONDENT)
    packet = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp(), **of)
    assert bench.out(packet).packet == directly_down(udp(), **of)


# Not directly


@pytest.mark.parametrize("of", [{"lifetime": -0.001}, {"inbound_only": True}])
def test_closed_way_of_a_mobile_node_is_the_tunnel(
    bench: Bench, of: dict[str, float]
) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(End.MOBILE_NODE, **of)  # type: ignore[arg-type]
    assert bench.out(UP).packet == ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, UP)


def test_way_ends_while_nobody_looks(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(End.MOBILE_NODE, lifetime=1)
    assert bench.out(UP).counted == {"direct_out": 1}
    time.sleep(1.01)
    assert bench.out(UP).counted == {"tunnel_out": 1}


def test_other_pairs_are_not_meant(bench: Bench) -> None:
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(End.MOBILE_NODE, correspondent=OTHER_HOME_ADDRESS)
    bench.direct(End.MOBILE_NODE, home_address=CORRESPONDENT)
    bench.direct(End.CORRESPONDENT)
    assert bench.out(UP).counted == {"tunnel_out": 1}


@pytest.mark.rfc("9.3.2", "without a binding, normally")
@pytest.mark.parametrize("end", [b"", b"1" * 1400])
def test_correspondent_without_a_binding_sends_normally(
    bench: Bench, end: bytes
) -> None:
    """From another address of its own, or when the entry has just gone: by the routes
    that do not lead to the device."""
    bench.direct(End.CORRESPONDENT, lifetime=-0.001)
    result = bench.out(DOWN)
    assert (result.verdict, result.packet) == (REDIRECT, DOWN)
    assert result.counted == {"native": 1}
    other = ipv6("2001:db8:1::2", HOME_ADDRESS, UDP, udp(end))
    result = bench.out(other)
    assert (result.packet, result.counted) == (other, {"native": 1})


def test_when_all_routes_lead_back_the_daemon_gets_it(bench: Bench) -> None:
    bench.direct(End.CORRESPONDENT, home_address="2001:db8:f::100")
    bench.namespace.ip("route add 2001:db8:f::/64 dev mip0")
    packet = ipv6(CORRESPONDENT, "2001:db8:f::101", UDP, udp())
    result = bench.out(packet)
    bench.namespace.ip("route del 2001:db8:f::/64 dev mip0")
    assert (result.verdict, result.packet) == (PASS, packet)
    assert result.counted == {"unmatched": 1}


@pytest.mark.rfc("11.3.1", "no option with link-local peers")
def test_link_scope_stays(bench: Bench) -> None:
    bench.direct(End.MOBILE_NODE, correspondent="fe80::1")
    packet = ipv6(HOME_ADDRESS, "fe80::1", UDP, udp())
    assert bench.out(packet).counted == {"dropped_link_scope": 1}


# What may already be there

BESIDE = {
    "esp": (ESP, bytes(24)),
    "fragment": (FRAGMENT, bytes([UDP, 0, 0, 1]) + bytes(12)),
    "ping": (ICMPV6, bytes([128, 0]) + bytes(6)),
    "discovery request": (ICMPV6, bytes([144, 0]) + bytes(6)),
    "tunnel": (IPV6, UP),
    "icmp without anything": (ICMPV6, b""),
}


@pytest.mark.rfc("9.3.2-5", "ESP was made, for the home address, before the header")
@pytest.mark.parametrize("what", BESIDE)
def test_what_stands_behind_our_headers(bench: Bench, what: str) -> None:
    next_header, payload = BESIDE[what]
    bench.direct(End.CORRESPONDENT)
    packet = ipv6(CORRESPONDENT, HOME_ADDRESS, next_header, payload)
    assert bench.out(packet).packet == directly_down(payload, next_header)


@pytest.mark.parametrize("blocks", [1, 2, 8])
def test_hop_by_hop_options_stay_in_front(bench: Bench, blocks: int) -> None:
    two_mobile_nodes(bench)
    before = options(UDP, blocks=blocks)
    packet = ipv6(HOME_ADDRESS, OTHER_HOME_ADDRESS, HOP_BY_HOP, before + udp(b"x"))
    behind = home_address_option(UDP, HOME_ADDRESS) + udp(b"x")
    headers = routing(DESTINATION_OPTIONS, OTHER_HOME_ADDRESS) + behind
    before = options(ROUTING, blocks=blocks)
    assert bench.out(packet).packet == ipv6(
        CARE_OF_ADDRESS, OTHER_CARE_OF_ADDRESS, HOP_BY_HOP, before + headers
    )
    bench.direct(End.CORRESPONDENT)
    packet = ipv6(CORRESPONDENT, HOME_ADDRESS, HOP_BY_HOP, options(TCP) + bytes(20))
    headers = options(ROUTING) + routing(TCP, HOME_ADDRESS) + bytes(20)
    assert bench.out(packet).packet == ipv6(
        CORRESPONDENT, CARE_OF_ADDRESS, HOP_BY_HOP, headers
    )


NEVER = {
    "mobility": (MOBILITY, mobility(kind=3)),
    "options": (DESTINATION_OPTIONS, options(UDP) + udp()),
    "home address option": (
        DESTINATION_OPTIONS,
        home_address_option(UDP, HOME_ADDRESS) + udp(),
    ),
    "routing header": (ROUTING, routing(UDP, HOME_ADDRESS) + udp()),
    "source route": (ROUTING, routing(UDP, HOME_ADDRESS, kind=4) + udp()),
    "authentication": (AUTHENTICATION, bytes(24)),
    "hop by hop and mobility": (HOP_BY_HOP, options(MOBILITY) + mobility()),
    "hop by hop twice": (HOP_BY_HOP, options(HOP_BY_HOP) + options(UDP) + udp()),
    "long hop by hop": (HOP_BY_HOP, options(UDP, blocks=9) + udp()),
    **{
        f"neighbor discovery {kind}": (ICMPV6, bytes([kind, 0]) + bytes(22))
        for kind in range(133, 138)
    },
}


@pytest.mark.rfc("11.3.1", "no option for Neighbor Discovery")
@pytest.mark.rfc("9.3.2-3", "no routing header for Neighbor Discovery, nor in 6.1")
@pytest.mark.parametrize("what", NEVER)
def test_what_never_goes_directly(bench: Bench, what: str) -> None:
    """It takes the way through the home agent, and is counted."""
    next_header, payload = NEVER[what]
    bench.tunnel(End.MOBILE_NODE)
    bench.direct(End.MOBILE_NODE)
    bench.direct(End.CORRESPONDENT)
    packet = ipv6(HOME_ADDRESS, CORRESPONDENT, next_header, payload)
    result = bench.out(packet)
    assert result.packet == ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, packet)
    assert result.counted == {"indirect": 1, "tunnel_out": 1}
    packet = ipv6(CORRESPONDENT, HOME_ADDRESS, next_header, payload)
    result = bench.out(packet)
    assert (result.verdict, result.packet) == (REDIRECT, packet)
    assert result.counted == {"indirect": 1, "native": 1}


def test_hop_by_hop_options_that_are_not_there(bench: Bench) -> None:
    bench.direct(End.CORRESPONDENT)
    for rest in (b"", b"\x11", b"\x11\x03" + bytes(6)):
        packet = ipv6(CORRESPONDENT, HOME_ADDRESS, HOP_BY_HOP, rest)
        assert bench.out(packet).verdict == DROP


# Size


def test_too_large_for_the_link(bench: Bench) -> None:
    """# gotcha 6"""
    two_mobile_nodes(bench)
    fits = ipv6(HOME_ADDRESS, OTHER_HOME_ADDRESS, UDP, bytes(1500 - 40 - 48))
    assert bench.out(fits).verdict == REDIRECT
    larger = ipv6(HOME_ADDRESS, OTHER_HOME_ADDRESS, UDP, bytes(1500 - 40 - 47))
    assert bench.out(larger).counted == {"dropped_size": 1}


# Home Tests at the home agent


@pytest.mark.rfc("10.4.6", "a Home Test leaves protected, so the daemon has it")
def test_home_test_goes_to_the_daemon(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    bench.data_plane.configure(protect_home_tests=True)
    test = ipv6(CORRESPONDENT, HOME_ADDRESS, MOBILITY, mobility(kind=3))
    behind = ipv6(
        CORRESPONDENT, HOME_ADDRESS, HOP_BY_HOP, options(MOBILITY) + mobility(kind=3)
    )
    for packet in (test, behind):
        result = bench.out(packet)
        assert (result.verdict, result.packet, result.mark) == (PASS, packet, MARK)
        assert result.counted == {"signalling": 1}
    other = ipv6(CORRESPONDENT, HOME_ADDRESS, MOBILITY, mobility(kind=4))
    assert bench.out(other).counted == {"tunnel_out": 1}
    bench.data_plane.configure(protect_home_tests=False)
    assert bench.out(test).packet == ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, test)
