"""The home link as the kernel has it: what it does as a proxy, and what it tells us."""

import select
import time
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest
from tests.linux.test_sockets import index_of
from tests.support.namespaces import Namespace, connect, namespaces

from mip6.core.neighbor_discovery import solicited_node
from mip6.core.packet import Packet, read, write
from mip6.linux.sockets import IcmpListener, NeighborListener, Sender
from mip6.wire.icmpv6 import DestinationUnreachable, UnknownIcmp
from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborSolicitation,
    RouterSolicitation,
)
from mip6.wire.neighbor_options import SourceLinkLayerAddress, TargetLinkLayerAddress

pytestmark = pytest.mark.root

HOME_AGENT, NEIGHBOR = IPv6Address("2001:db8:a::1"), IPv6Address("2001:db8:a::2")
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
LINK_LOCAL = IPv6Address("fe80::100")
UNSPECIFIED = IPv6Address("::")
ALL_NODES = IPv6Address("ff02::1")


@pytest.fixture
def ends() -> Iterator[tuple[Namespace, Namespace]]:
    """A home agent, prepared as the daemon does it, and a host on the home link."""
    with namespaces("agent", "host") as (agent, host):
        connect(agent, "home", host, "eth0")
        agent.ip(f"addr add {HOME_AGENT}/64 dev home nodad")
        host.ip(f"addr add {NEIGHBOR}/64 dev eth0 nodad")
        for setting in (
            "conf/all/forwarding=1",
            "conf/all/proxy_ndp=1",
            "conf/home/proxy_ndp=1",
            "neigh/home/proxy_delay=0",
        ):
            agent.run(f"sysctl -qw net/ipv6/{setting}")
        yield agent, host


def heard(listener: NeighborListener, seconds: float = 2.0) -> list[Packet]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        select.select([listener], [], [], 0.1)
        if found := [read(octets) for octets in listener.read()]:
            return found
    return []


def listen(namespace: Namespace, link: str) -> NeighborListener:
    index = index_of(namespace, link)
    with namespace.entered():
        listener = NeighborListener()
        listener.follow(index)
        listener.follow(index)
    return listener


def solicitation(target: IPv6Address, source: IPv6Address) -> bytes:
    return write(
        Packet(
            source=source,
            destination=solicited_node(target),
            message=NeighborSolicitation(target_address=target),
            hop_limit=255,
        )
    )


@pytest.mark.rfc("10.3.1-16", "who objects is heard, and who asks at the same time")
def test_objections_are_heard_and_nothing_else(
    ends: tuple[Namespace, Namespace],
) -> None:
    agent, host = ends
    listener = listen(agent, "home")
    with host.entered():
        sender = Sender()
    index = index_of(host, "eth0")
    # To a group that the agent has not joined.
    probe = solicitation(HOME_ADDRESS, UNSPECIFIED)
    sender.send(probe, index)
    assert [packet.message for packet in heard(listener)] == [
        NeighborSolicitation(target_address=HOME_ADDRESS)
    ]
    objection = Packet(
        source=NEIGHBOR,
        destination=ALL_NODES,
        message=NeighborAdvertisement(target_address=HOME_ADDRESS, override=True),
        hop_limit=255,
    )
    sender.send(write(objection), index)
    [packet] = heard(listener)
    assert packet.message == objection.message
    assert packet.hop_limit == 255

    sender.send(solicitation(HOME_ADDRESS, NEIGHBOR), index)
    router_solicitation = Packet(
        source=NEIGHBOR,
        destination=ALL_NODES,
        message=RouterSolicitation(),
        hop_limit=255,
    )
    sender.send(write(router_solicitation), index)
    forwarded = bytearray(probe)
    forwarded[7] = 254
    sender.send(bytes(forwarded), index)
    assert heard(listener, 0.3) == []
    sender.close()
    listener.close()


@pytest.mark.rfc("10.4.1-16", "the kernel answers for the mobile node, R and O clear")
@pytest.mark.rfc("10.4.1-13", "and defends its address")
@pytest.mark.parametrize("source", [NEIGHBOR, UNSPECIFIED], ids=["resolution", "probe"])
def test_the_proxy_answers(
    source: IPv6Address, ends: tuple[Namespace, Namespace]
) -> None:
    agent, host = ends
    agent.ip(f"neigh add proxy {HOME_ADDRESS} dev home")
    listener = listen(host, "eth0")
    with host.entered():
        sender = Sender()
    index = index_of(host, "eth0")
    if source != UNSPECIFIED:
        octets = write(
            Packet(
                source=source,
                destination=solicited_node(HOME_ADDRESS),
                message=NeighborSolicitation(
                    target_address=HOME_ADDRESS,
                    options=(SourceLinkLayerAddress(bytes.fromhex("020000000009")),),
                ),
                hop_limit=255,
            )
        )
        host.ip("link set eth0 promisc on")
    else:
        octets = solicitation(HOME_ADDRESS, source)
    sender.send(octets, index)
    [answer] = [
        packet
        for packet in heard(listener)
        if isinstance(packet.message, NeighborAdvertisement)
    ]
    message = answer.message
    assert isinstance(message, NeighborAdvertisement)
    assert message.target_address == HOME_ADDRESS
    assert (message.router, message.override) == (False, False)
    assert message.solicited == (source != UNSPECIFIED)
    assert isinstance(message.options[0], TargetLinkLayerAddress)
    # And no longer than it is one.
    agent.ip(f"neigh del proxy {HOME_ADDRESS} dev home")
    sender.send(octets, index)
    assert heard(listener, 0.5) == []
    sender.close()
    listener.close()


@pytest.mark.rfc("10.4.2-2", "nothing for the link-local address enters a tunnel")
@pytest.mark.rfc("10.4.2-3", "it is dropped")
@pytest.mark.rfc("10.4.2-4", "Destination Unreachable, code 3")
def test_packets_to_the_link_local_address(ends: tuple[Namespace, Namespace]) -> None:
    agent, host = ends
    agent.ip(f"neigh add proxy {LINK_LOCAL} dev home")
    with host.entered():
        sender = Sender()
        listener = IcmpListener(advertisements=False)
    echo = Packet(
        source=NEIGHBOR,
        destination=LINK_LOCAL,
        message=UnknownIcmp(type=128, code=0, data=bytes(16)),
    )
    end = time.monotonic() + 3
    errors: list[Packet] = []
    while not errors and time.monotonic() < end:
        sender.send(write(echo), index_of(host, "eth0"))
        select.select([listener], [], [], 0.3)
        errors = [read(octets) for octets, _ in listener.read()]
    [error, *_] = errors
    assert isinstance(error.message, DestinationUnreachable)
    assert error.message.code == 3
    assert error.source != NEIGHBOR
    sender.close()
    listener.close()
