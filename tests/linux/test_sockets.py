"""Whole packets out and in, over a cable."""

import json
import select
import time
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest
from tests.support.namespaces import Namespace, connect, namespaces

from mip6.core.packet import Packet, write
from mip6.linux.netlink import Netlink
from mip6.linux.sockets import IcmpListener, Sender
from mip6.wire.icmpv6 import DestinationUnreachable
from mip6.wire.neighbor_discovery import NeighborSolicitation, RouterAdvertisement
from mip6.wire.packet import read_packet

pytestmark = pytest.mark.root

HERE, THERE = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")


@pytest.fixture
def ends() -> Iterator[tuple[Namespace, Namespace]]:
    with namespaces("here", "there") as (here, there):
        connect(here, "v0", there, "v1")
        here.ip(f"addr add {HERE}/64 dev v0 nodad")
        there.ip(f"addr add {THERE}/64 dev v1 nodad")
        yield here, there


def index_of(namespace: Namespace, name: str) -> int:
    with namespace.entered():
        netlink = Netlink()
        found = {link.name: link.index for link in netlink.links()}
        netlink.close()
    return found[name]


def heard(listener: IcmpListener, seconds: float = 40) -> list[tuple[bytes, int]]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        select.select([listener], [], [], 0.1)
        if found := list(listener.read()):
            return found
    return []


def test_what_is_sent_is_heard_octet_for_octet(
    ends: tuple[Namespace, Namespace],
) -> None:
    here, there = ends
    with there.entered():
        listener = IcmpListener(advertisements=True)
    with here.entered():
        sender = Sender()
    index = index_of(here, "v0")
    advertisement = Packet(
        source=IPv6Address("fe80::77"),
        destination=IPv6Address("ff02::1"),
        message=RouterAdvertisement(router_lifetime=9),
        hop_limit=255,
    )
    sender.send(write(advertisement), index)
    [(octets, came_by)] = heard(listener)
    assert octets == write(advertisement)
    assert came_by == index_of(there, "v1")
    # From an address that nobody has, to a unicast address, hop limit and all.
    error = Packet(
        source=IPv6Address("2001:db8::99"),
        destination=THERE,
        message=DestinationUnreachable(code=3, packet=bytes(40)),
        hop_limit=33,
    )
    sender.send(write(error), index)
    [(octets, _)] = heard(listener)
    assert octets == write(error)
    assert read_packet(octets).hop_limit == 33
    # Nothing else is heard but advertisements: this would be noise to the core.
    time.sleep(0.2)
    list(listener.read())
    solicitation = Packet(
        source=HERE,
        destination=THERE,
        message=NeighborSolicitation(target_address=THERE),
        hop_limit=255,
    )
    sender.send(write(solicitation), index)
    said = [read_packet(octets).payload[0] for octets, _ in heard(listener, 0.3)]
    assert 135 not in said
    listener.close()
    sender.close()


def test_a_frame_goes_to_whom_it_is_for(ends: tuple[Namespace, Namespace]) -> None:
    """RFC 6059 §5.5.2: and to nobody else, whatever the neighbour cache says."""
    here, there = ends
    with there.entered():
        listener = IcmpListener(advertisements=True, solicitations=True)
    with here.entered():
        sender = Sender()
        index = index_of(here, "v0")
        probe = Packet(
            source=HERE,
            destination=THERE,
            message=NeighborSolicitation(target_address=THERE),
            hop_limit=255,
        )
        shown = json.loads(there.ip("-j link show dev v1"))
        octets = bytes.fromhex(shown[0]["address"].replace(":", ""))
        time.sleep(0.2)
        list(listener.read())
        sender.send_frame(write(probe), index, bytes.fromhex("02ffffffffff"))
        wrong = [o for o, _ in heard(listener, 0.3) if o == write(probe)]
        sender.send_frame(write(probe), index, octets)
        right = [o for o, _ in heard(listener) if o == write(probe)]
    assert (wrong, right) == ([], [write(probe)])
    listener.close()
    sender.close()


def test_the_link_decides_not_the_rules(ends: tuple[Namespace, Namespace]) -> None:
    """A Binding Update must not enter the tunnel it is about (gotcha 17)."""
    here, there = ends
    here.ip("link add decoy type veth peer name decoy1")
    here.ip("link set decoy up")
    here.ip("link set decoy1 up")
    here.ip("addr add 2001:db8:d::1/128 dev decoy nodad")
    here.ip("rule add priority 999 lookup 100")
    here.ip("route add default dev decoy table 100")
    with there.entered():
        listener = IcmpListener(advertisements=True)
    with here.entered():
        sender = Sender()
    packet = Packet(
        source=HERE,
        destination=THERE,
        message=DestinationUnreachable(code=0, packet=bytes(40)),
    )
    sender.send(write(packet))
    assert heard(listener, 0.3) == [], "by the rules it goes astray"
    sender.send(write(packet), index_of(here, "v0"))
    assert heard(listener)
    sender.close()
    listener.close()


@pytest.mark.parametrize("source", [HERE, IPv6Address("2001:db8:f::99")])
def test_without_a_link_the_rules_decide_by_the_source(
    source: IPv6Address, ends: tuple[Namespace, Namespace]
) -> None:
    """Of an address of ours, and of somebody whose packet is forwarded."""
    here, there = ends
    here.ip("link add decoy type veth peer name decoy1")
    here.ip("link set decoy up")
    here.ip("link set decoy1 up")
    here.ip("rule add priority 999 lookup 100")
    here.ip("route add default dev decoy table 100")
    with there.entered():
        listener = IcmpListener(advertisements=True)
    with here.entered():
        sender = Sender()
    error = DestinationUnreachable(code=0, packet=bytes(40))
    packet = write(Packet(source=source, destination=THERE, message=error))
    for send in (sender.send, sender.send_routed):
        here.ip(f"rule add priority 998 from {source} lookup main")
        send(packet)
        assert heard(listener)
        here.ip(f"rule del priority 998 from {source} lookup main")
        send(packet)
        assert heard(listener, 0.3) == []
    sender.close()
    listener.close()


@pytest.mark.usefixtures("optimistic")
def test_an_optimistic_address_may_send(ends: tuple[Namespace, Namespace]) -> None:
    here, there = ends
    here.sysctl("v0.optimistic_dad=1", "v0.use_optimistic=1")
    here.sysctl("v0.accept_dad=1", "v0.dad_transmits=3")
    here.ip("addr add 2001:db8::5/64 dev v0 optimistic")
    with there.entered():
        listener = IcmpListener(advertisements=True)
    with here.entered():
        sender = Sender()
    here.run("ping -c 1 -W 1 2001:db8::2")  # its link-layer address is known now
    packet = Packet(
        source=IPv6Address("2001:db8::5"),
        destination=THERE,
        message=DestinationUnreachable(code=0, packet=bytes(40)),
    )
    assert "optimistic" in here.ip("addr show dev v0")
    sender.send(write(packet), index_of(here, "v0"))
    assert heard(listener)
    sender.close()
    listener.close()
