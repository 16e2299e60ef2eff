"""Packet Too Big from the path of a tunnel, at both ends (RFC 2473 §7.1, §8.1)."""

from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.conformance.roamer import PREFIX_C, ROUTER_C, Roamer
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    Kernel,
    binding_update,
    discarded,
    home_agent,
)

from mip6.core.home_agent import HomeAgent
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.path_mtu import MTU_LIFETIME, length_of, optimized, too_big
from mip6.core.state import Route, Tunnel
from mip6.wire.icmpv6 import PacketTooBig
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, write_packet

ROUTER = IPv6Address("2001:db8:f::1")
NARROW = 39
"""Too small for any packet, so that only the rest of a quote can be wrong."""


def tunnelled(
    source: IPv6Address,
    destination: IPv6Address,
    inner_source: IPv6Address,
    inner_destination: IPv6Address,
) -> bytes:
    """As routers quote it: the first 1232 octets."""
    inner = IPv6Packet(
        source=inner_source,
        destination=inner_destination,
        next_header=NextHeader.NO_NEXT_HEADER,
        payload=bytes(1400),
    )
    outer = IPv6Packet(
        source=source,
        destination=destination,
        next_header=NextHeader.IPV6,
        payload=write_packet(inner),
    )
    return write_packet(outer)[:1232]


def error(
    mtu: int,
    source: IPv6Address = HOME_AGENT,
    destination: IPv6Address = CARE_OF_ADDRESS,
    inner_source: IPv6Address = CORRESPONDENT,
    inner_destination: IPv6Address = HOME_ADDRESS,
) -> Packet:
    quote = tunnelled(source, destination, inner_source, inner_destination)
    message = PacketTooBig(mtu=mtu, packet=quote)
    return Packet(source=ROUTER, destination=source, message=message)


def registered(**changes: object) -> tuple[HomeAgent, Kernel]:
    agent = home_agent(**changes)
    kernel = Kernel(agent)
    kernel.perform(agent.receive(binding_update(lifetime=600), 0.0), 0.0)
    return agent, kernel


def mtus(kernel: Kernel) -> list[int | None]:
    return [state.mtu for state in kernel.states if isinstance(state, Route)]


@pytest.mark.parametrize("home_link", [None, "eth1"])
def test_the_route_into_the_tunnel_gets_what_fits(home_link: str | None) -> None:
    agent, kernel = registered(home_link=home_link)
    kernel.perform(Node(home_agent=agent).receive(write(error(1400)), 1.0), 1.0)
    assert mtus(kernel) == [1360]
    assert kernel.states == agent.installed


def test_no_sender_is_told_less_than_1280() -> None:
    agent, kernel = registered()
    kernel.perform(agent.receive(error(1280), 1.0), 1.0)
    assert mtus(kernel) == [1280]


def test_it_only_shrinks_until_it_is_forgotten() -> None:
    agent, kernel = registered()
    kernel.perform(agent.receive(error(1400), 1.0), 1.0)
    effects = agent.receive(error(1450), 2.0)
    assert discarded(effects) == ("mtu_not_smaller", "RFC 8201 4")
    kernel.perform(agent.receive(error(1380), 3.0), 3.0)
    assert mtus(kernel) == [1340]
    kernel.perform(agent.receive(binding_update(2, lifetime=600), 300.0), 300.0)
    assert mtus(kernel) == [1340]
    later = 3.0 + MTU_LIFETIME
    kernel.perform(agent.receive(binding_update(3), later), later)
    assert mtus(kernel) == []
    assert kernel.states == agent.installed


def test_the_very_moment_it_is_forgotten() -> None:
    """Then the same error is news."""
    agent, _ = registered()
    agent.receive(binding_update(2, lifetime=600), 10.0)
    agent.receive(error(1400), 0.0)
    agent.receive(binding_update(3, lifetime=600), 500.0)
    before, moment = (
        agent.receive(error(1400), 599.9),
        agent.receive(error(1400), 600.0),
    )
    assert discarded(before) == ("mtu_not_smaller", "RFC 8201 4")
    assert moment == [], "the route is as it was"


def test_another_care_of_address_is_another_path() -> None:
    agent, kernel = registered()
    kernel.perform(agent.receive(error(1400), 1.0), 1.0)
    moved = binding_update(2, source=NEXT_CARE_OF_ADDRESS)
    kernel.perform(agent.receive(moved, 2.0), 2.0)
    assert mtus(kernel) == []


@pytest.mark.parametrize(
    "forged",
    [
        error(1300, source=OTHER_HOME_ADDRESS),
        error(1300, destination=NEXT_CARE_OF_ADDRESS),
        error(1300, inner_destination=OTHER_HOME_ADDRESS),
        Packet(
            source=ROUTER,
            destination=HOME_AGENT,
            message=PacketTooBig(mtu=NARROW, packet=bytes(100)),
        ),
        Packet(
            source=ROUTER,
            destination=HOME_AGENT,
            message=PacketTooBig(mtu=NARROW, packet=write(binding_update())),
        ),
        Packet(
            source=ROUTER,
            destination=HOME_AGENT,
            # Found by fuzzing: octets behind a Mobility Header, once an exception.
            message=PacketTooBig(
                mtu=NARROW,
                packet=write_packet(
                    IPv6Packet(
                        source=HOME_AGENT,
                        destination=ROUTER,
                        next_header=NextHeader.NO_NEXT_HEADER,
                        payload=bytes(24),
                    )
                ).replace(b"\x00\x18\x3b", b"\x00\x18\x87", 1),
            ),
        ),
    ],
    ids=["not ours", "elsewhere", "no binding", "no packet", "no tunnel", "excess"],
)
def test_an_error_that_does_not_quote_our_tunnel_changes_nothing(
    forged: Packet,
) -> None:
    agent, kernel = registered()
    effects = agent.receive(forged, 1.0)
    assert discarded(effects) == ("icmp_error_quote", "RFC 2473 8.1")
    assert kernel.states == agent.installed


ANYWHERE = IPv6Network("::/0")


def table_mtu(roamer: Roamer) -> int | None:
    [route] = (
        state
        for state in roamer.mobile_node.installed
        if isinstance(state, Route) and state.table == 100
    )
    assert route.destination == ANYWHERE
    return route.mtu


def test_the_mobile_node_narrows_its_way_home() -> None:
    roamer = Roamer()
    roamer.register()
    mobile_node = roamer.mobile_node
    here = mobile_node.care_of_address
    assert here is not None
    assert table_mtu(roamer) is None
    roamer.do(
        mobile_node.receive(
            error(
                1400,
                source=here,
                destination=mobile_node.home_agent,
                inner_source=mobile_node.home_address,
                inner_destination=CORRESPONDENT,
            ),
            roamer.now,
        )
    )
    assert table_mtu(roamer) == 1360
    again = error(
        1450,
        source=here,
        destination=mobile_node.home_agent,
        inner_source=mobile_node.home_address,
    )
    effects = mobile_node.receive(again, roamer.now)
    assert discarded(effects) == ("mtu_not_smaller", "RFC 8201 4")
    forged = error(1300, source=NEXT_CARE_OF_ADDRESS)
    effects = mobile_node.receive(forged, roamer.now)
    assert discarded(effects) == ("icmp_error_quote", "RFC 2473 8.1")
    roamer.do(mobile_node.tick(roamer.now + MTU_LIFETIME))
    assert table_mtu(roamer) is None


def narrowed() -> Roamer:
    roamer = Roamer()
    roamer.register()
    here = roamer.mobile_node.care_of_address
    assert here is not None
    told = error(
        1400,
        source=here,
        destination=roamer.mobile_node.home_agent,
        inner_source=roamer.mobile_node.home_address,
        inner_destination=CORRESPONDENT,
    )
    roamer.do(roamer.mobile_node.receive(told, roamer.now))
    assert table_mtu(roamer) == 1360
    return roamer


def test_elsewhere_the_way_home_is_another_one() -> None:
    roamer = narrowed()
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    assert table_mtu(roamer) is None


@pytest.mark.parametrize(
    "quote", [bytes(100), b"", write(binding_update())], ids=["noise", "", "no tunnel"]
)
def test_a_quote_of_nothing_of_ours_narrows_nothing(quote: bytes) -> None:
    roamer = Roamer()
    roamer.register()
    message = PacketTooBig(mtu=1300, packet=quote)
    packet = Packet(source=ROUTER, destination=HOME_AGENT, message=message)
    effects = roamer.mobile_node.receive(packet, roamer.now)
    assert discarded(effects) == ("icmp_error_quote", "RFC 8201 4")
    assert table_mtu(roamer) is None


@pytest.mark.parametrize("mtu", [1480, 9000, 2**32 - 1])
def test_a_packet_that_would_have_fitted_was_never_too_big(mtu: int) -> None:
    """1400 octets, and 40 of each header: who says 1480 has not seen it fail."""
    agent, kernel = registered()
    effects = agent.receive(error(mtu), 1.0)
    assert discarded(effects) == ("icmp_error_quote", "RFC 2473 8.1")
    kernel.perform(agent.receive(error(1479), 1.0), 1.0)
    assert mtus(kernel) == [1439]


# Where 1280 octets do not fit with an outer header: in fragments


def tunnel_mtus(kernel: Kernel) -> list[int | None]:
    return [state.path_mtu for state in kernel.states if isinstance(state, Tunnel)]


@pytest.mark.parametrize(
    ("told", "inside", "outside"),
    [
        (1400, 1360, None),
        (1321, 1281, None),
        (1320, 1280, None),
        (1319, 1280, 1319),
        (1280, 1280, 1280),
        (500, 1280, 1280),
    ],
)
def test_the_data_plane_knows_where_the_smallest_packets_do_not_fit(
    told: int, inside: int, outside: int | None
) -> None:
    """RFC 2473 §7.1 (b); no path is narrower than 1280."""
    agent, kernel = registered()
    kernel.perform(agent.receive(error(told), 1.0), 1.0)
    assert mtus(kernel) == [inside]
    assert tunnel_mtus(kernel) == [outside]
    assert kernel.states == agent.installed


def test_a_path_shrinks_below_what_senders_are_told() -> None:
    agent, kernel = registered()
    for told in (1320, 1310, 1300):
        kernel.perform(agent.receive(error(told), 1.0), 1.0)
    effects = agent.receive(error(1310), 1.0)
    assert discarded(effects) == ("mtu_not_smaller", "RFC 8201 4")
    assert (mtus(kernel), tunnel_mtus(kernel)) == ([1280], [1300])


def test_the_mobile_nodes_data_plane_knows_it_too() -> None:
    roamer = Roamer()
    roamer.register()
    mobile_node = roamer.mobile_node
    here = mobile_node.care_of_address
    assert here is not None
    narrow = error(
        1300,
        source=here,
        destination=mobile_node.home_agent,
        inner_source=mobile_node.home_address,
    )
    roamer.do(mobile_node.receive(narrow, roamer.now))

    def path_mtu() -> int | None:
        [tunnel] = [s for s in mobile_node.installed if isinstance(s, Tunnel)]
        return tunnel.path_mtu

    assert (table_mtu(roamer), path_mtu()) == (1280, 1300)
    roamer.do(mobile_node.tick(roamer.now + MTU_LIFETIME))
    assert path_mtu() is None


def test_the_quote_is_of_a_tunnel_or_of_none() -> None:
    """Octets that could be a packet are one only if the header before says so."""
    octets = bytearray(
        tunnelled(HOME_AGENT, CARE_OF_ADDRESS, CORRESPONDENT, HOME_ADDRESS)
    )
    assert too_big(PacketTooBig(mtu=1400, packet=bytes(octets))) is not None
    octets[6] = 17
    assert too_big(PacketTooBig(mtu=1400, packet=bytes(octets))) is None


def test_the_length_is_in_the_header_whatever_the_flow_label() -> None:
    octets = tunnelled(HOME_AGENT, CARE_OF_ADDRESS, CORRESPONDENT, HOME_ADDRESS)
    labelled = octets[:1] + b"\xff\xff\xff" + octets[4:]
    assert length_of(labelled) == length_of(octets) == 40 + 40 + 1400


def test_a_packet_without_a_routing_header_took_no_direct_way() -> None:
    octets = tunnelled(HOME_AGENT, CARE_OF_ADDRESS, CORRESPONDENT, HOME_ADDRESS)
    assert optimized(octets) is None
