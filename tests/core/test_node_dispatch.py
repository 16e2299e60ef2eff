"""The node: tunnels, data, and each packet to the role that it is for."""

from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.bare_nodes import (
    ACKNOWLEDGEMENT,
    HOME_ADDRESS_OPTION,
    LINK_LOCAL,
    MULTICAST,
    ONLY_PLAIN,
    UNSPECIFIED,
    UPDATE,
    Roamer,
    behind_routing_header,
    header,
    home_agent_node,
    raw,
    roaming,
)
from tests.support import strategies
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    acknowledgement,
    binding_update,
    discarded,
    dropped,
    home_agent,
    sent,
)

from mip6.core.effects import Effect, Install, Notify, Send
from mip6.core.node import Node
from mip6.core.packet import Packet, read, write
from mip6.core.state import End, HomeAddress, Tunnel
from mip6.wire.icmpv6 import (
    DestinationUnreachable,
    MobilePrefixAdvertisement,
    MobilePrefixSolicitation,
    PacketTooBig,
    UnknownIcmp,
    write_icmpv6,
)
from mip6.wire.messages import (
    BindingRefreshRequest,
    HomeTestInit,
    UnknownMessage,
)
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    FragmentHeader,
    read_packet,
    write_packet,
)

# Tunnels.


@pytest.mark.rfc("10.4.5", "the outer source is the care-of address, or it is dropped")
def test_tunnelled_signalling_must_come_from_the_care_of_address() -> None:
    node = home_agent_node(bound=True)

    def through(outer: IPv6Address, now: float) -> tuple[str, str]:
        inside = Packet(
            source=HOME_ADDRESS,
            destination=HOME_AGENT,
            message=HomeTestInit(home_init_cookie=bytes(8)),
            tunnel=(outer, HOME_AGENT),
        )
        return discarded(node.receive(write(inside), now))

    assert through(NEXT_CARE_OF_ADDRESS, 1.0) == ("tunnel_source", "10.4.5")
    assert through(CARE_OF_ADDRESS, 1.0) == ("not_a_correspondent", "9")
    # After a move the previous one counts for the grace (decision 0003).
    node.receive(write(binding_update(2, source=NEXT_CARE_OF_ADDRESS)), 2.0)
    assert through(NEXT_CARE_OF_ADDRESS, 3.0) == ("not_a_correspondent", "9")
    assert through(CARE_OF_ADDRESS, 3.9) == ("not_a_correspondent", "9")
    assert through(CARE_OF_ADDRESS, 4.0) == ("tunnel_source", "10.4.5")


@pytest.mark.rfc("11.3.3", "the outer source is our home agent, or it is dropped")
def test_a_mobile_node_takes_tunnelled_packets_from_its_home_agent_only() -> None:
    node, role = roaming()
    test = ONLY_PLAIN[3]
    for outer, heard in ((CORRESPONDENT, []), (HOME_AGENT, [test])):
        inside = Packet(
            source=CORRESPONDENT,
            destination=HOME_ADDRESS,
            message=test,
            tunnel=(outer, CARE_OF_ADDRESS),
        )
        node.receive(write(inside), 0.0)
        assert role.heard == heard


def test_a_tunnel_around_nonsense() -> None:
    node = home_agent_node(bound=True)
    data = raw(b"\x60nonsense", NextHeader.IPV6)
    assert discarded(node.receive(data, 0.0)) == ("truncated", "RFC 8200 4")
    inner = raw(b"", 59, source=HOME_ADDRESS, destination=CORRESPONDENT)
    data = raw(inner, NextHeader.IPV6)
    assert discarded(node.receive(data, 0.0)) == ("not_for_us", "RFC 8200 3")
    data = raw(inner, NextHeader.IPV6, source=CORRESPONDENT)
    assert discarded(node.receive(data, 0.0)) == ("tunnel_source", "10.4.5")


# To whom.


def test_a_home_agent_alone_takes_packets_to_its_addresses_only() -> None:
    node = Node([CORRESPONDENT], home_agent=home_agent())
    data = raw(
        header(UPDATE, target=OTHER_HOME_ADDRESS), destination=OTHER_HOME_ADDRESS
    )
    assert discarded(node.receive(data, 0.0)) == ("not_for_us", "RFC 8200 3")
    data = raw(header(ONLY_PLAIN[1], target=CORRESPONDENT), destination=CORRESPONDENT)
    assert discarded(node.receive(data, 0.0)) == ("not_a_correspondent", "9")


def test_messages_of_a_mobile_node_go_to_the_mobile_node() -> None:
    node, role = roaming()
    messages: list[Any] = [
        ACKNOWLEDGEMENT,
        BindingRefreshRequest(),
        ONLY_PLAIN[4],
        ONLY_PLAIN[5],
        PacketTooBig(mtu=1300, packet=bytes(40)),
        MobilePrefixAdvertisement(identifier=1),
    ]
    for message in messages:
        packet = Packet(source=HOME_AGENT, destination=CARE_OF_ADDRESS, message=message)
        assert node.receive(write(packet), 0.0) == []
    assert role.heard == messages


def test_messages_that_nobody_here_takes() -> None:
    node, role = roaming()
    for message, reason in (
        (UPDATE, "not_a_correspondent"),
        (ONLY_PLAIN[1], "not_a_correspondent"),
        (ONLY_PLAIN[2], "not_a_correspondent"),
        (UnknownIcmp(type=128, code=0, data=bytes(4)), "unexpected_message"),
        (MobilePrefixSolicitation(identifier=1), "unexpected_message"),
    ):
        packet = Packet(source=HOME_AGENT, destination=CARE_OF_ADDRESS, message=message)
        assert discarded(node.receive(write(packet), 0.0))[0] == reason
    assert role.heard == []
    packet = Packet(
        source=CARE_OF_ADDRESS, destination=HOME_AGENT, message=ACKNOWLEDGEMENT
    )
    effects = home_agent_node().receive(write(packet), 0.0)
    assert discarded(effects) == ("unexpected_message", "9.2")


def test_router_advertisements_are_valid_or_dropped() -> None:
    node, role = roaming()
    message = RouterAdvertisement(router_lifetime=30)

    def hear(source: IPv6Address, hop_limit: int) -> list[Effect]:
        payload = write_icmpv6(message, source, MULTICAST)
        data = raw(
            payload,
            NextHeader.ICMPV6,
            source=source,
            destination=MULTICAST,
            hop_limit=hop_limit,
        )
        return node.receive(data, 0.0, link="eth0")

    section = "RFC 4861 6.1"
    assert discarded(hear(LINK_LOCAL, 254)) == ("hop_limit", section)
    assert discarded(hear(CARE_OF_ADDRESS, 255)) == ("source_address", section)
    assert role.heard == []
    assert hear(LINK_LOCAL, 255) == []
    assert role.heard == [message]


def test_a_wrong_icmp_checksum_is_dropped() -> None:
    payload = write_icmpv6(
        MobilePrefixSolicitation(identifier=1), CARE_OF_ADDRESS, CORRESPONDENT
    )
    data = raw(payload, NextHeader.ICMPV6)
    effects = home_agent_node().receive(data, 0.0)
    assert discarded(effects) == ("checksum", "RFC 4443 2.4")


def test_protection_is_passed_on() -> None:
    node = home_agent_node(authentication_required=True)
    data = write(binding_update(alternate=CARE_OF_ADDRESS))
    assert discarded(node.receive(data, 0.0)) == ("unauthenticated", "5.1")
    effects = node.receive(data, 0.0, protected_for=HOME_ADDRESS)
    assert acknowledgement(effects).status == 0


# Data without a tunnel.


def test_data_to_a_home_address_without_binding_is_unreachable() -> None:
    node = home_agent_node(bound=True)
    data = raw(bytes(8), 17, source=CORRESPONDENT, destination=OTHER_HOME_ADDRESS)
    effects = node.unmatched(data, 1.0)
    assert dropped(effects) == ("no_binding", "10.4.1")
    message = DestinationUnreachable(code=3, packet=data)
    assert sent(effects) == [
        Packet(source=HOME_AGENT, destination=CORRESPONDENT, message=message)
    ]


@pytest.mark.parametrize(
    "data",
    [
        # A binding has come meanwhile, or it is no home address at all.
        raw(bytes(8), 17, source=CORRESPONDENT, destination=HOME_ADDRESS),
        raw(bytes(8), 17, source=CORRESPONDENT, destination=CARE_OF_ADDRESS),
        # RFC 4443 §2.4 (e).
        raw(bytes(8), 17, source=MULTICAST, destination=OTHER_HOME_ADDRESS),
        raw(bytes(8), 17, source=UNSPECIFIED, destination=OTHER_HOME_ADDRESS),
        raw(bytes(8), 17, source=IPv6Address("::1"), destination=OTHER_HOME_ADDRESS),
        raw(b"\x01\x03" + bytes(6), 58, destination=OTHER_HOME_ADDRESS),
        raw(b"\x7f\x00" + bytes(6), 58, destination=OTHER_HOME_ADDRESS),
        raw(b"\x89\x00" + bytes(6), 58, destination=OTHER_HOME_ADDRESS),
        raw(b"", 58, destination=OTHER_HOME_ADDRESS),
        raw(
            bytes(8),
            58,
            FragmentHeader(offset=8, more=False, identification=1),
            destination=OTHER_HOME_ADDRESS,
        ),
    ],
)
def test_data_that_is_dropped_without_an_error(data: bytes) -> None:
    effects = home_agent_node(bound=True).unmatched(data, 1.0)
    assert discarded(effects) == ("no_binding", "10.4.1")


@pytest.mark.parametrize(
    "data",
    [
        raw(b"\x80\x00" + bytes(6), 58, destination=OTHER_HOME_ADDRESS),
        raw(
            bytes(8),
            17,
            FragmentHeader(offset=0, more=True, identification=1),
            destination=OTHER_HOME_ADDRESS,
        ),
    ],
)
def test_data_that_is_reported(data: bytes) -> None:
    assert len(sent(home_agent_node().unmatched(data, 0.0))) == 1


def test_data_from_the_home_address_is_the_mobile_nodes() -> None:
    node, role = roaming()
    data = raw(bytes(8), 17, source=HOME_ADDRESS, destination=CORRESPONDENT)
    assert node.unmatched(data, 0.0) == []
    assert role.heard == [data]
    other = raw(bytes(8), 17, source=CARE_OF_ADDRESS, destination=CORRESPONDENT)
    assert discarded(node.unmatched(other, 0.0)) == ("no_binding", "10.4.1")
    assert role.heard == [data]


def test_data_that_is_no_packet() -> None:
    effects = home_agent_node().unmatched(b"\x45\x00", 0.0)
    assert discarded(effects) == ("truncated", "RFC 8200 4")


# Two roles in one node.


def test_a_node_with_two_roles_is_both() -> None:
    role: Any = Roamer()
    node = Node(home_agent=home_agent(), mobile_node=role)
    assert node.deadline is None
    effects = node.receive(write(binding_update(lifetime=60)), 0.0)
    assert node.deadline == 60.0
    role.deadline = 10.0
    assert node.deadline == 10.0
    [tunnel] = [effect.state for effect in effects if isinstance(effect, Install)]
    address = HomeAddress(address=HOME_ADDRESS, link="mip0")
    role.installed = {address}
    assert node.installed == {tunnel, address}
    # A refused state goes back to the role that wanted it.
    assert node.failed(address, 0.0) == []
    assert role.heard == [address]
    assert acknowledgement(node.failed(tunnel, 0.0)).status == 130
    assert role.heard == [address]
    assert node.tick(60.0) == []
    assert role.heard == [address, 60.0]


def test_a_refused_state_that_is_nobodys() -> None:
    tunnel = Tunnel(
        end=End.MOBILE_NODE,
        home_address=HOME_ADDRESS,
        care_of_address=CARE_OF_ADDRESS,
        home_agent=HOME_AGENT,
        expires=1.0,
    )
    assert home_agent_node(bound=True).failed(tunnel, 0.0) == []


def test_a_node_without_roles_does_nothing() -> None:
    node = Node()
    assert node.deadline is None
    assert node.installed == set()
    assert node.tick(1.0) == []
    data = raw(header(UPDATE))
    assert discarded(node.receive(data, 0.0)) == ("not_for_us", "RFC 8200 3")
    data = raw(header(UPDATE, target=MULTICAST), destination=MULTICAST)
    assert discarded(node.receive(data, 0.0)) == ("not_a_correspondent", "9")
    inner = raw(b"", 59, source=HOME_ADDRESS)
    data = raw(inner, NextHeader.IPV6, destination=MULTICAST)
    assert discarded(node.receive(data, 0.0)) == ("tunnel_source", "10.4.5")


# Whatever comes.

GOOD = [
    write(binding_update(1)),
    write(binding_update(2, alternate=NEXT_CARE_OF_ADDRESS)),
    behind_routing_header(HOME_ADDRESS),
    raw(header(UnknownMessage(100, bytes(2)))),
    raw(bytes(20), 6, HOME_ADDRESS_OPTION),
    raw(raw(b"", 59), NextHeader.IPV6),
]


@settings(max_examples=150)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=100),
            strategies.packets().map(write_packet),
            st.sampled_from(GOOD).flatmap(strategies.mutated),
        ),
        max_size=5,
    )
)
def test_no_octets_raise_and_one_packet_brings_at_most_one(script: list[bytes]) -> None:
    role: Any = Roamer()
    for node in (
        home_agent_node(mobile_nodes=()),
        home_agent_node(bound=True),
        Node(mobile_node=role),
    ):
        for at, octets in enumerate(script):
            for effects in (
                node.receive(octets, float(at), link="eth0"),
                node.unmatched(octets, float(at)),
            ):
                assert all(isinstance(e, Send | Install | Notify) for e in effects)
                packets = sent(effects)
                assert len(packets) <= 1
                for packet in packets:
                    assert not packet.destination.is_multicast
                    outer = packet.tunnel[0] if packet.tunnel else packet.source
                    assert read_packet(write(packet)).source == outer


def test_what_leaves_can_be_read() -> None:
    effects = home_agent_node().receive(write(binding_update()), 0.0)
    [packet] = sent(effects)
    assert read(write(packet)) == packet
