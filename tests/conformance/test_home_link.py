"""RFC 6275 §10.4.1, §11.5.5 where the kernel does it for us: Neighbor Discovery on a
real home link."""

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Self

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT
from tests.support.namespaces import Namespace, connect, namespaces

from mip6.core.state import HomeAddress, ProxyNeighbor, State
from mip6.linux.executor import request
from mip6.linux.netlink import Netlink
from mip6.wire.icmpv6 import IcmpMessage, read_icmpv6, write_icmpv6
from mip6.wire.neighbor_discovery import NeighborAdvertisement, NeighborSolicitation
from mip6.wire.neighbor_options import SourceLinkLayerAddress, TargetLinkLayerAddress

pytestmark = pytest.mark.root

Neighborly = NeighborSolicitation | NeighborAdvertisement

HOST = IPv6Address("2001:db8:a::2")
OTHER = IPv6Address("2001:db8:a::3")
IPV6_RECVPKTINFO, IPV6_PKTINFO = 49, 50
ANSWER_MAX = 1.5
"""Seconds for an answer on a cable of a busy machine."""


@dataclass(frozen=True, slots=True)
class HomeLink:
    """A node that is to be tested, and a host beside it."""

    node: Namespace
    host: Namespace
    link_layer_address: bytes
    """Of the node."""

    def install(self, state: State) -> None:
        """As the executor does."""
        with self.node.entered():
            netlink = Netlink()
            try:
                index = socket.if_nametoindex("eth0")
                netlink.do(request(state, index, add=True))
            finally:
                netlink.close()


@dataclass(frozen=True, slots=True)
class Heard:
    message: IcmpMessage
    destination: IPv6Address


class Ears:
    """All ICMPv6 that reaches the host, also what goes to `groups`."""

    def __init__(self, host: Namespace, *groups: IPv6Address) -> None:
        self.link_layer_address = link_layer_address(host)
        with host.entered():
            self.index = socket.if_nametoindex("eth0")
            self.raw = socket.socket(
                socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6
            )
        self.raw.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        self.raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        for group in groups:
            self.raw.setsockopt(
                socket.IPPROTO_IPV6,
                socket.IPV6_JOIN_GROUP,
                group.packed + self.index.to_bytes(4, "little"),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.raw.close()

    def ask(self, target: IPv6Address) -> None:
        message = NeighborSolicitation(
            target_address=target,
            options=(SourceLinkLayerAddress(self.link_layer_address),),
        )
        group = solicited_node(target)
        octets = write_icmpv6(message, HOST, group)
        self.raw.sendto(octets, (str(group), 0, 0, self.index))

    def answer(self, about: IPv6Address) -> Heard | None:
        """What a solicitation is answered; asked twice, since a cable that was just
        plugged in may lose the first."""
        for _ in range(2):
            self.ask(about)
            if heard := self.hear(NeighborAdvertisement, about):
                return heard
        return None

    def hear(self, kind: type[Neighborly], about: IPv6Address) -> Heard | None:
        """The first message of that kind about that address; None if there is none."""
        end = time.monotonic() + ANSWER_MAX
        while (left := end - time.monotonic()) > 0:
            self.raw.settimeout(left)
            try:
                octets, ancillary, *_ = self.raw.recvmsg(2048, 64)
            except TimeoutError:
                break
            message = read_icmpv6(octets)
            if isinstance(message, kind) and message.target_address == about:
                (to,) = (data for _, type_, data in ancillary if type_ == IPV6_PKTINFO)
                return Heard(message, IPv6Address(to[:16]))
        return None


def link_layer_address(node: Namespace) -> bytes:
    with node.entered():
        netlink = Netlink()
        found = {link.name: link.link_layer_address for link in netlink.links()}
        netlink.close()
    return found["eth0"]


def state_of(node: Namespace, address: IPv6Address) -> str:
    """What duplicate address detection says of it, in the words of ip(8)."""
    text = node.ip(f"address show to {address}")
    (flags,) = re.findall(r"scope global\b(.*)", text)
    return str(flags).strip()


def solicited_node(address: IPv6Address) -> IPv6Address:
    return IPv6Address(
        bytes.fromhex("ff0200000000000000000001ff") + address.packed[13:]
    )


@pytest.fixture
def home_link() -> Iterator[HomeLink]:
    with namespaces("node", "host") as (node, host):
        connect(node, "eth0", host, "eth0")
        host.ip(f"address add {HOST}/64 dev eth0 nodad")
        yield HomeLink(node, host, link_layer_address(node))


@pytest.fixture
def home_agent(home_link: HomeLink) -> HomeLink:
    """The node serves the home address."""
    home_link.node.ip(f"address add {HOME_AGENT}/64 dev eth0 nodad")
    home_link.node.sysctl("all.forwarding=1", "eth0.proxy_ndp=1")
    home_link.node.run("sysctl -qw net.ipv6.neigh.eth0.proxy_delay=0")
    home_link.install(ProxyNeighbor(address=HOME_ADDRESS, link="eth0"))
    return home_link


@pytest.mark.rfc("8.4-2", "by proxy Neighbor Discovery on the home link")
@pytest.mark.rfc("10.4.1-1", "its packets come to the home agent")
@pytest.mark.rfc("10.4.1-13", "solicitations for a mobile node are answered")
@pytest.mark.rfc("10.4.1-15", "with the home agent's link-layer address")
@pytest.mark.rfc("10.4.1-16", "R is 0")
def test_proxy_answer(home_agent: HomeLink) -> None:
    with Ears(home_agent.host) as ears:
        heard = ears.answer(HOME_ADDRESS)
    assert heard is not None
    assert not heard.destination.is_multicast
    assert heard.message == NeighborAdvertisement(
        target_address=HOME_ADDRESS,
        router=False,
        solicited=True,
        override=False,
        options=(TargetLinkLayerAddress(home_agent.link_layer_address),),
    )


@pytest.mark.rfc("10.4.1-14", "only for the addresses of mobile nodes")
def test_no_proxy_answer_for_others(home_agent: HomeLink) -> None:
    with Ears(home_agent.host) as ears:
        assert ears.answer(OTHER) is None


@pytest.mark.rfc("10.4.1-13", "so nobody on the link can take the home address")
def test_proxy_defends_the_home_address(home_agent: HomeLink) -> None:
    host = home_agent.host
    host.sysctl("all.accept_dad=1", "eth0.accept_dad=1", "eth0.dad_transmits=1")
    for address in (HOME_ADDRESS, OTHER):
        host.ip(f"address add {address}/64 dev eth0")
    end = time.monotonic() + 5
    while "tentative" in (state_of(host, OTHER), state_of(host, HOME_ADDRESS)):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert state_of(host, OTHER) == ""
    assert state_of(host, HOME_ADDRESS) == "dadfailed tentative"


@pytest.mark.rfc("11.5.5-9", "no duplicate address detection of the home address")
def test_home_address_without_duplicate_address_detection(home_link: HomeLink) -> None:
    node = home_link.node
    node.sysctl("all.accept_dad=1", "eth0.accept_dad=1", "eth0.dad_transmits=1")
    groups = solicited_node(HOME_ADDRESS), solicited_node(OTHER)
    with Ears(home_link.host, *groups) as ears:
        home_link.install(HomeAddress(address=HOME_ADDRESS, link="eth0"))
        assert state_of(node, HOME_ADDRESS) == "nodad noprefixroute"
        assert ears.hear(NeighborSolicitation, HOME_ADDRESS) is None
        # The same ears hear it of an address that is checked.
        node.ip(f"address add {OTHER}/64 dev eth0")
        assert ears.hear(NeighborSolicitation, OTHER) is not None


@pytest.mark.rfc("11.5.5-11", "back home, solicitations for the home address")
@pytest.mark.rfc("11.5.5-12", "are answered to the asker alone")
def test_answer_at_home(home_link: HomeLink) -> None:
    node = home_link.node
    node.ip("route add 2001:db8:a::/64 dev eth0")
    home_link.install(HomeAddress(address=HOME_ADDRESS, link="eth0"))
    with Ears(home_link.host) as ears:
        heard = ears.answer(HOME_ADDRESS)
    assert heard is not None
    assert not heard.destination.is_multicast
    assert isinstance(heard.message, NeighborAdvertisement)
    (option,) = heard.message.options
    assert option == TargetLinkLayerAddress(home_link.link_layer_address)
