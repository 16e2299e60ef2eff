"""Groups on a link: joined, heard, left."""

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest
from tests.support.namespaces import Namespace, connect, namespaces
from tests.support.octets import UDP, checksum

from mip6.core.effects import Install, Remove
from mip6.core.state import Membership
from mip6.linux.executor import Executor, describe, request
from mip6.linux.multicast import HomeLinkGroups, joined
from mip6.linux.netlink import Netlink

pytestmark = pytest.mark.root

GROUP, OTHER = IPv6Address("ff0e::1:1"), IPv6Address("ff0e::1:2")
STATE = Membership(group=GROUP, link="eth0")


@pytest.fixture
def places() -> Iterator[tuple[Namespace, Namespace]]:
    with namespaces("here", "there") as (here, there):
        connect(here, "eth0", there, "eth0")
        there.ip("address add 2001:db8::2/64 dev eth0 nodad")
        yield here, there


def send(place: Namespace, group: IPv6Address, octets: bytes) -> None:
    with place.entered():
        sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        link = socket.if_nametoindex("eth0")
    with sender:
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link)
        sender.sendto(octets, (str(group), 5000))


def test_what_is_sent_to_groups_is_heard(places: tuple[Namespace, Namespace]) -> None:
    here, there = places
    with here.entered():
        groups = HomeLinkGroups()
        groups.join(GROUP, "eth0")
        groups.join(GROUP, "eth0")
        groups.join(OTHER, "eth0")
        assert str(GROUP) in here.ip("maddr show dev eth0")
        send(there, IPv6Address("ff05::1"), b"of the site")
        send(there, GROUP, b"of the world")
        [packet] = groups.read()
        assert IPv6Address(packet[24:40]) == GROUP
        # Between two ends of a cable in one machine nobody else completes it.
        ends = str(IPv6Address(packet[8:24])), str(GROUP)
        assert checksum(*ends, UDP, packet[40:]) == 0
        assert packet.endswith(b"of the world")
        assert list(groups.read()) == []
        groups.leave(GROUP, "eth0")
        groups.leave(GROUP, "eth0")
        groups.leave(GROUP, "eth7")
        assert str(GROUP) not in here.ip("maddr show dev eth0")
        with pytest.raises(OSError, match="no interface"):
            groups.join(GROUP, "eth7")
        here.ip("link set eth0 down")
        assert list(groups.read()) == []
        groups.close()


def test_the_executor_joins_and_leaves(places: tuple[Namespace, Namespace]) -> None:
    here, _ = places
    with here.entered():
        groups, netlink = HomeLinkGroups(), Netlink()
        executor = Executor(
            netlink=netlink,
            tunnels=None,  # type: ignore[arg-type]
            sender=None,  # type: ignore[arg-type]
            record=None,  # type: ignore[arg-type]
            links={},
            report=pytest.fail,
            memberships=groups,
        )
        assert executor.perform([Install(STATE)]) is None
        assert executor.missing([STATE]) == []
        assert str(GROUP) in here.ip("maddr show dev eth0")
        assert executor.perform([Remove(STATE)]) is None
        assert str(GROUP) not in here.ip("maddr show dev eth0")
        groups.close()
        netlink.close()
    assert describe(STATE) == f"# listener of {GROUP} on eth0"
    with pytest.raises(TypeError):
        request(STATE, 1, add=True)


def test_what_processes_listen_to(places: tuple[Namespace, Namespace]) -> None:
    here, _ = places
    with here.entered():
        index = socket.if_nametoindex("eth0")
        before = joined(index)
        assert IPv6Address("ff02::1") in before and GROUP not in before
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as member:
            wanted = GROUP.packed + struct.pack("=i", index)
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, wanted)
            assert {*joined(index)} == {*before, GROUP}
            assert GROUP not in joined(socket.if_nametoindex("lo"))
