"""RFC 6275 §11.2, §11.3: what a mobile node away from home receives and sends."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.conformance.nodes import (
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    dropped,
    octets,
)
from tests.conformance.roamer import PREFIX_B, PREFIX_C, ROUTER_B, ROUTER_C, Roamer

from mip6.core.effects import Effect, Remove
from mip6.core.packet import Packet, write
from mip6.core.state import HomeAddress, Route, Rule
from mip6.wire.icmpv6 import ParameterProblem
from mip6.wire.messages import (
    BindingError,
    BindingRefreshRequest,
    BindingUpdate,
    UnknownMessage,
)
from mip6.wire.neighbor_discovery import RouterSolicitation
from mip6.wire.options import UnknownOption
from mip6.wire.packet import IPv6Packet, RoutingHeaderType2, write_packet

ANYWHERE = IPv6Network("::/0")


# §11.2


@pytest.mark.rfc("11.2-1", "§9.2 at the mobile node: a wrong checksum")
@pytest.mark.rfc("8.5-8", "as §11.2 says")
def test_wrong_checksum(roamer: Roamer) -> None:
    packet = bytearray(roamer.acknowledgement())
    packet[-1] ^= 1
    assert dropped(roamer.receive(bytes(packet))) == "checksum"


@pytest.mark.rfc("11.2-1", "§9.2 at the mobile node: an unknown type")
@pytest.mark.rfc("6.1-2", "the answer has no Home Address option")
@pytest.mark.rfc("6.1-1", "and no routing header")
@pytest.mark.rfc("6.1-3", "whatever is bound")
@pytest.mark.parametrize("source", [HOME_AGENT, CORRESPONDENT], ids=str)
def test_unknown_type(roamer: Roamer, source: IPv6Address) -> None:
    (here,) = roamer.care_of_addresses
    message = UnknownMessage(99, bytes(10))
    roamer.receive(octets(message, source=source, destination=here))
    assert roamer.sent[-1].packet == Packet(
        source=here,
        destination=source,
        message=BindingError(status=2, home_address=IPv6Address("::")),
    )


# §11.3


@pytest.mark.rfc("11.3.1-1", "connections keep their home address through every move")
def test_home_address_never_goes() -> None:
    roamer = Roamer()
    device = HomeAddress(address=HOME_ADDRESS, link="mip0")
    moves: list[Callable[[], list[Effect]]] = [
        roamer.link_up,
        lambda: roamer.hear(PREFIX_B, ROUTER_B),
        roamer.answer,
        roamer.link_down,
        roamer.link_up,
        lambda: roamer.hear(PREFIX_C, ROUTER_C),
        roamer.answer,
        lambda: roamer.go_home(),
        roamer.answer,
    ]
    for move in moves:
        assert Remove(device) not in move()
        assert device in roamer.mobile_node.installed
        roamer.wait(0.1)
    rule = Rule(priority=999, table=100, source=HOME_ADDRESS)
    assert rule not in roamer.mobile_node.installed  # at home, nothing special


@pytest.mark.rfc("11.3.1-2", "new connections take the home address")
@pytest.mark.rfc("11.3.1-4", "and go through the tunnel")
def test_home_address_by_default(roamer: Roamer) -> None:
    installed = roamer.mobile_node.installed
    way = Route(destination=ANYWHERE, link="mip0", source=HOME_ADDRESS, table=100)
    assert way in installed
    assert Rule(priority=999, table=100, source=HOME_ADDRESS) in installed
    assert Rule(priority=1002, table=100) in installed
    assert roamer.tunnel is not None
    assert roamer.tunnel.home_agent == HOME_AGENT


@pytest.mark.rfc("11.3.1-6", "Neighbor Discovery without a Home Address option")
@pytest.mark.rfc("11.5.3-4", "and from a link-local source, or none")
def test_neighbor_discovery_is_local() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.wait(3)
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer()
    roamer.link_down()
    roamer.link_up()
    roamer.wait(3)
    asked = [
        sent.packet
        for sent in roamer.sent
        if isinstance(sent.packet.message, RouterSolicitation)
    ]
    assert len(asked) >= 4
    assert all(packet.home_address is None for packet in asked)
    assert all(packet.source.is_link_local for packet in asked)


@pytest.mark.rfc("11.3.3-3", "a wrong routing header is dropped silently")
@pytest.mark.rfc("6.4-1", "an address that is not ours")
@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (RoutingHeaderType2(CORRESPONDENT), "routing_header_address"),
        pytest.param(
            RoutingHeaderType2(IPv6Address("fe80::1")),
            "routing_header_address",
            marks=[
                pytest.mark.rfc("6.4-2", "unicast routable"),
                pytest.mark.rfc("6.4-3", "and of no smaller scope"),
            ],
        ),
        pytest.param(
            RoutingHeaderType2(IPv6Address("ff0e::1")),
            "routing_header_address",
            marks=pytest.mark.rfc("6.4-2", "unicast routable"),
        ),
        (RoutingHeaderType2(HOME_ADDRESS, 0), "routing_header_segments_left"),
        (RoutingHeaderType2(HOME_ADDRESS, 2), "routing_header_segments_left"),
    ],
    ids=str,
)
def test_routing_header(
    roamer: Roamer, header: RoutingHeaderType2, reason: str
) -> None:
    (here,) = roamer.care_of_addresses
    packet = IPv6Packet(
        source=HOME_AGENT,
        destination=here,
        extensions=(header,),
        next_header=59,
        payload=b"",
    )
    assert dropped(roamer.receive(write_packet(packet))) == reason


@pytest.mark.rfc("11.3.3-3", "a routing header of another length, too")
def test_routing_header_length(roamer: Roamer) -> None:
    (here,) = roamer.care_of_addresses
    long = bytes((59, 4, 2, 1)) + bytes(4) + HOME_ADDRESS.packed * 2
    header = bytearray(octets(BindingError(status=1, home_address=here)))[:40]
    header[4:7] = len(long).to_bytes(2) + bytes((43,))
    header[24:40] = here.packed
    assert dropped(roamer.receive(bytes(header) + long)) == "routing_header_length"


@pytest.mark.rfc("6.1-1", "nothing but an acknowledgement behind a routing header")
def test_other_messages_behind_a_routing_header(roamer: Roamer) -> None:
    (here,) = roamer.care_of_addresses
    roamer.wait(10)
    packet = Packet(
        source=HOME_AGENT,
        destination=here,
        routing_address=HOME_ADDRESS,
        message=BindingError(status=1, home_address=HOME_ADDRESS),
    )
    assert dropped(roamer.receive(write(packet))) == "routing_header"


@pytest.mark.rfc("11.3.3-1", "out of the tunnel from the home agent, or not at all")
def test_tunnelled_by_others(roamer: Roamer) -> None:
    (here,) = roamer.care_of_addresses
    packet = Packet(
        source=CORRESPONDENT,
        destination=HOME_ADDRESS,
        message=BindingRefreshRequest(),
        tunnel=(CORRESPONDENT, here),
    )
    assert dropped(roamer.receive(write(packet))) == "tunnel_source"
    packet = replace(packet, tunnel=(HOME_AGENT, here))
    assert dropped(roamer.receive(write(packet))) == "not_in_binding_update_list"


@pytest.mark.rfc("8.5-4", "the right one is processed")
@pytest.mark.rfc("8.5-11", "and the acknowledgement behind it")
@pytest.mark.rfc("6.4.1-4", "and not turned round into the next packet's")
def test_acknowledgement_behind_a_routing_header() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer()
    assert roamer.tunnel is not None
    roamer.wait(399)
    assert len(roamer.updates) > 1
    assert all(sent.packet.routing_address is None for sent in roamer.updates)


@pytest.mark.rfc("11.3.5-4", "an ICMP error creates nothing")
def test_icmp_error_from_nowhere(roamer: Roamer) -> None:
    (here,) = roamer.care_of_addresses
    before = len(roamer.sent), roamer.mobile_node.installed, roamer.node.deadline
    quoted = octets(
        BindingUpdate(sequence_number=5, lifetime=400),
        source=here,
        destination=CORRESPONDENT,
    )
    message = ParameterProblem(code=1, pointer=6, packet=quoted)
    packet = Packet(source=CORRESPONDENT, destination=here, message=message)
    dropped(roamer.receive(write(packet)))
    assert (
        len(roamer.sent),
        roamer.mobile_node.installed,
        roamer.node.deadline,
    ) == before


@pytest.mark.rfc("11.3.6-1", "a Binding Error from a stranger is ignored")
@pytest.mark.rfc("11.3.6-4", "one about the type too, when no answer is expected")
@pytest.mark.parametrize(
    ("source", "status"), [(CORRESPONDENT, 1), (CORRESPONDENT, 2), (HOME_AGENT, 2)]
)
def test_binding_error_is_ignored(
    roamer: Roamer, source: IPv6Address, status: int
) -> None:
    (here,) = roamer.care_of_addresses
    roamer.wait(10)
    message = BindingError(status=status, home_address=HOME_ADDRESS)
    effects = roamer.receive(octets(message, source=source, destination=here))
    assert dropped(effects) in (
        "not_in_binding_update_list",
        "binding_error_not_expected",
    )
    assert roamer.tunnel is not None


@pytest.mark.rfc("11.3.6-2", "the home agent knows no binding: register again")
@pytest.mark.rfc("8.5-5", "a Binding Error is understood")
@pytest.mark.rfc("6.1.9-2", "with unknown options too")
def test_binding_error_from_the_home_agent(roamer: Roamer) -> None:
    (here,) = roamer.care_of_addresses
    roamer.wait(10)
    message = BindingError(
        status=1, home_address=HOME_ADDRESS, options=(UnknownOption(222, b"?"),)
    )
    roamer.receive(octets(message, source=HOME_AGENT, destination=here))
    assert len(roamer.updates) == 2
    assert roamer.updates[-1].update.lifetime == 400
