"""The direct way with real traffic between namespaces: nothing of it passes the home
agent, and what cannot take it does."""

import contextlib
import socket
import time
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from tests.support.namespaces import Namespace
from tests.support.roaming import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    MTU,
    OTHER_HOME_ADDRESS,
    Network,
    Node,
    be_correspondent,
    carry_home_address,
    direct,
    network,
    node,
    serve_home_address,
    tunnel,
    udp_socket,
)
from tests.support.traffic import ping, send_gso, transfer

from mip6.core.state import End
from mip6.linux.layout import Talk

pytestmark = pytest.mark.root

SECOND_ADDRESS = "2001:db8:c::3"
"""Of the correspondent, bound to nobody."""
ENDS = (End.MOBILE_NODE, End.CORRESPONDENT)


class Figure:
    """The figure "Mobile IP", its correspondent a node as well."""

    def __init__(self, net: Network, correspondent: Node) -> None:
        self.net = net
        self.correspondent = correspondent
        self.mobile_node, self.home_agent = net.mobile_node, net.home_agent
        self.nodes = (self.mobile_node, self.correspondent)

    def bind(self, lifetime: float = 300) -> None:
        self.net.register()
        for one, end in zip(self.nodes, ENDS, strict=True):
            one.data_plane.put(direct(end, lifetime=lifetime))

    def by_home_agent(self) -> int:
        """Packets that the home agent has tunnelled so far."""
        counters = self.home_agent.data_plane.counters()
        return counters["tunnel_in"] + counters["tunnel_out"]

    @contextlib.contextmanager
    def all_direct(self) -> Iterator[None]:
        before = self.by_home_agent()
        yield
        assert self.by_home_agent() == before
        for one in (*self.nodes, self.home_agent):
            dropped = one.data_plane.counters()
            assert dropped["dropped_header"] == dropped["dropped_malformed"] == 0

    @contextlib.contextmanager
    def all_by_home_agent(self) -> Iterator[None]:
        before = self.by_home_agent(), self.directly()
        yield
        assert self.by_home_agent() > before[0]
        assert self.directly() == before[1]

    def directly(self) -> int:
        return sum(one.counted("direct_out") for one in self.nodes)


@pytest.fixture(scope="module")
def one_figure() -> Iterator[Figure]:
    with network() as net, node(net.correspondent) as correspondent:
        be_correspondent(net.correspondent, HOME_ADDRESS)
        deprecated = "preferred_lft 0 nodad"  # else the kernel might prefer it
        net.correspondent.ip(f"address add {SECOND_ADDRESS}/64 dev eth0 {deprecated}")
        yield Figure(net, correspondent)


@pytest.fixture
def figure(one_figure: Figure) -> Figure:
    """Bound, neighbours known."""
    for one in one_figure.nodes:
        for state in list(one.data_plane.route_optimizations()):
            one.data_plane.drop(state)
    one_figure.bind()
    ping(one_figure.net.correspondent, HOME_ADDRESS, wait=5)
    return one_figure


def test_ping_both_ways(figure: Figure) -> None:
    mobile = figure.mobile_node.namespace
    with figure.all_direct():
        assert ping(figure.net.correspondent, HOME_ADDRESS, count=5) == 5
        assert ping(mobile, CORRESPONDENT, count=5) == 5


def test_first_packet_is_not_lost(figure: Figure) -> None:
    """# gotcha 1"""
    places = figure.net.correspondent, figure.mobile_node.namespace
    for place, to in zip(places, (HOME_ADDRESS, CORRESPONDENT), strict=True):
        for other in places:
            other.ip("neighbor flush dev eth0")
        time.sleep(0.11)  # what the program remembers
        with figure.all_direct():
            assert ping(place, to, wait=3) == 1


@pytest.mark.parametrize("setting", ["tso on tx on gro on", "tso off tx off"])
def test_tcp_both_ways(figure: Figure, setting: str) -> None:
    """# gotcha 2, 5"""
    mobile, other = figure.mobile_node.namespace, figure.net.correspondent
    with offloads(figure, setting), figure.all_direct():
        assert transfer(other, CORRESPONDENT, mobile, HOME_ADDRESS)
        assert transfer(mobile, HOME_ADDRESS, other, CORRESPONDENT)


@pytest.mark.parametrize("setting", ["tx on tso on", "tx off tso off"])
def test_udp_segmentation_both_ways(figure: Figure, setting: str) -> None:
    """# gotcha 4"""
    mobile, other = figure.mobile_node.namespace, figure.net.correspondent
    with offloads(figure, setting), figure.all_direct():
        assert send_gso(other, CORRESPONDENT, mobile, HOME_ADDRESS) == 20
        assert send_gso(mobile, HOME_ADDRESS, other, CORRESPONDENT) == 20


@contextlib.contextmanager
def offloads(figure: Figure, setting: str) -> Iterator[None]:
    for one in figure.nodes:
        one.namespace.run(f"ethtool -K eth0 {setting}")
    yield
    for one in figure.nodes:
        one.namespace.run("ethtool -K eth0 tso on tx on")


def test_fragments_pass(figure: Figure) -> None:
    with figure.all_direct():
        assert ping(figure.net.correspondent, HOME_ADDRESS, "-s 4000", count=3) == 3
        assert ping(figure.mobile_node.namespace, CORRESPONDENT, "-s 4000") == 1


def test_largest_packet(figure: Figure) -> None:
    """# gotcha 6"""
    size = f"-M do -s {MTU - 48}"
    with figure.all_direct():
        assert ping(figure.net.correspondent, HOME_ADDRESS, size) == 1
        assert ping(figure.mobile_node.namespace, CORRESPONDENT, size) == 1


def test_smallest_links(figure: Figure) -> None:
    """Of 1328 octets: the device has 1280, less than which no IPv6 link may have."""
    mobile, other = figure.mobile_node.namespace, figure.net.correspondent
    for one in figure.nodes:
        one.namespace.ip("link set eth0 mtu 1328")
        one.device_mtu(1280)
    try:
        with figure.all_direct():
            assert ping(other, HOME_ADDRESS, "-M do -s 1232") == 1
            assert transfer(other, CORRESPONDENT, mobile, HOME_ADDRESS, megabytes=5)
            assert transfer(mobile, HOME_ADDRESS, other, CORRESPONDENT, megabytes=5)
    finally:
        for one in figure.nodes:
            one.namespace.ip("link set eth0 mtu 1500")
            one.device_mtu(MTU)


def test_hop_limit_and_congestion_marks_are_the_packets_own(figure: Figure) -> None:
    mobile, other = figure.mobile_node.namespace, figure.net.correspondent
    with (
        figure.all_direct(),
        udp_socket(other, CORRESPONDENT) as sender,
        udp_socket(mobile, HOME_ADDRESS) as receiver,
    ):
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0xBA)
        sender.sendto(b"marked", receiver.getsockname())
        data, ancillary, _, source = receiver.recvmsg(100, 200)
    said = {kind: int.from_bytes(value, "little") for _, kind, value in ancillary}
    assert (data, source[0]) == (b"marked", CORRESPONDENT)
    assert said[socket.IPV6_TCLASS] == 0xBA
    assert said[socket.IPV6_HOPLIMIT] == 63  # one router


HOP_BY_HOP, OPTIONS = socket.IPV6_HOPOPTS, socket.IPV6_DSTOPTS
PADDING = bytes([0, 0, 1, 4, 0, 0, 0, 0])


def exchange(figure: Figure, header: int) -> None:
    """A datagram each way, with padding in an extension header."""
    ends = [
        (figure.net.correspondent, CORRESPONDENT),
        (figure.mobile_node.namespace, HOME_ADDRESS),
    ]
    for (here, own), (there, other) in (ends, ends[::-1]):
        with udp_socket(here, own) as sender, udp_socket(there, other) as receiver:
            sender.setsockopt(socket.IPPROTO_IPV6, header, PADDING)
            sender.sendto(b"beside", receiver.getsockname())
            data, source = receiver.recvfrom(100)
            assert (data, source[0]) == (b"beside", own)


def test_hop_by_hop_options(figure: Figure) -> None:
    with figure.all_direct():
        exchange(figure, HOP_BY_HOP)


def test_packets_with_other_headers_go_by_the_home_agent(figure: Figure) -> None:
    with figure.all_by_home_agent():
        exchange(figure, OPTIONS)
    assert all(one.counted("indirect") for one in figure.nodes)


# What has no direct way


def test_another_address_of_the_correspondent(figure: Figure) -> None:
    """Bound is one; the other is reached as if there were no binding."""
    mobile, other = figure.mobile_node.namespace, figure.net.correspondent
    with figure.all_by_home_agent():
        assert ping(other, HOME_ADDRESS, f"-I {SECOND_ADDRESS}", count=5, wait=3) == 5
        assert transfer(other, SECOND_ADDRESS, mobile, HOME_ADDRESS, megabytes=5)
        assert send_gso(other, SECOND_ADDRESS, mobile, HOME_ADDRESS) == 20
    assert figure.correspondent.counted("native")
    assert figure.correspondent.counted("unmatched") == 0


def test_socket_that_is_not_bound(figure: Figure) -> None:
    """Connects from whatever address the kernel takes, and stays with it."""
    mobile = figure.mobile_node.namespace
    with mobile.entered():
        listener = socket.create_server((HOME_ADDRESS, 0), family=socket.AF_INET6)
    with figure.net.correspondent.entered():
        talker = socket.create_connection(listener.getsockname()[:2], 5)
    with listener, talker, listener.accept()[0] as heard:
        talker.sendall(b"hello")
        heard.settimeout(2)
        assert heard.recv(100) == b"hello"
        heard.sendall(b"hello yourself")
        talker.settimeout(2)
        assert talker.recv(100) == b"hello yourself"


@pytest.mark.parametrize("gone", ["dropped", "expired"])
def test_entry_that_has_just_gone(figure: Figure, gone: str) -> None:
    """Before the routes follow, or with nobody there to make them follow."""
    if gone == "expired":
        figure.correspondent.data_plane.put(direct(End.CORRESPONDENT, lifetime=-1))
    else:
        figure.correspondent.data_plane.drop(direct(End.CORRESPONDENT))
    figure.mobile_node.data_plane.drop(direct(End.MOBILE_NODE))
    with figure.all_by_home_agent():
        assert ping(figure.net.correspondent, HOME_ADDRESS, count=5) == 5
        assert ping(figure.mobile_node.namespace, CORRESPONDENT, count=5) == 5


def test_one_end_is_not_yet_bound(figure: Figure) -> None:
    """The mobile node waits for the acknowledgement, the correspondent has sent it."""
    way = direct(End.MOBILE_NODE, inbound_only=True)
    figure.mobile_node.data_plane.put(way)
    before = figure.by_home_agent()
    assert ping(figure.net.correspondent, HOME_ADDRESS, count=5) == 5
    assert figure.by_home_agent() == before + 5  # the answers


def test_home_agents_own_packets_need_no_tunnel(figure: Figure) -> None:
    agent, mobile = figure.home_agent, figure.mobile_node
    before = agent.counted("direct_out"), mobile.counted("direct_in")
    assert ping(agent.namespace, HOME_ADDRESS, count=5) == 5
    after = agent.counted("direct_out"), mobile.counted("direct_in")
    assert after == (before[0] + 5, before[1] + 5)
    # And the other way, where the mobile node is told to.
    for one, end in ((mobile, End.MOBILE_NODE), (agent, End.CORRESPONDENT)):
        one.data_plane.put(direct(end, correspondent=HOME_AGENT))
    with figure.all_direct():
        assert ping(mobile.namespace, HOME_AGENT, count=5) == 5
    for one, end in ((mobile, End.MOBILE_NODE), (agent, End.CORRESPONDENT)):
        one.data_plane.drop(direct(end, correspondent=HOME_AGENT))
    assert ping(mobile.namespace, HOME_AGENT, count=5) == 5


@pytest.mark.rfc(
    "9.3.2-5", "by home address: what is said of the care-of address is not meant"
)
def test_policy_of_ipsec_sees_home_addresses(figure: Figure) -> None:
    other = figure.net.correspondent
    policy = "xfrm policy {} dst {} dir out action block"
    for address, answers in ((HOME_ADDRESS, 0), (CARE_OF_ADDRESS, 1)):
        if words := other.run(f"ip {policy.format('add', address)}", check=False):
            pytest.skip(f"this kernel has no IPsec: {words.strip()}")
        try:
            assert ping(other, HOME_ADDRESS) == answers
        finally:
            other.run(
                f"ip {policy.format('del', address).removesuffix(' action block')}"
            )


def test_strict_reverse_path_filter(figure: Figure, tmp_path: Path) -> None:
    """Packets arrive where the filter finds the route to their source.  # gotcha 10"""
    rules = tmp_path / "rules.nft"
    rules.write_text(
        """
        table ip6 strict {
          chain prerouting {
            type filter hook prerouting priority -290;
            fib saddr . iif oif missing counter drop
          }
        }
        """
    )
    places = [one.namespace for one in figure.nodes]
    for place in places:
        if words := place.run(f"nft -f {rules}", check=False):
            pytest.skip(f"this kernel's nftables cannot do it: {words.strip()}")
    try:
        with figure.all_direct():
            assert ping(figure.net.correspondent, HOME_ADDRESS, count=3) == 3
            assert ping(figure.mobile_node.namespace, CORRESPONDENT, count=3) == 3
        # By the home agent too: after every move there are some.
        with figure.all_by_home_agent():
            source = f"-I {SECOND_ADDRESS}"
            assert ping(figure.net.correspondent, HOME_ADDRESS, source, count=3) == 3
    finally:
        for place in places:
            place.run("nft flush ruleset")


# Two mobile nodes


@pytest.fixture
def two(figure: Figure) -> Iterator[Namespace]:
    """The correspondent is a mobile node too, away from the same home link."""
    here, agent = figure.net.correspondent, figure.home_agent
    carry_home_address(here, OTHER_HOME_ADDRESS, CORRESPONDENT)
    serve_home_address(agent.namespace, OTHER_HOME_ADDRESS)
    both = {"home_address": OTHER_HOME_ADDRESS, "care_of_address": CORRESPONDENT}
    agent.data_plane.put(tunnel(End.HOME_AGENT, **both))
    figure.correspondent.data_plane.put(tunnel(End.MOBILE_NODE, **both))
    be_correspondent(figure.mobile_node.namespace, OTHER_HOME_ADDRESS)
    for one, addresses in zip(
        figure.nodes,
        ((HOME_ADDRESS, CARE_OF_ADDRESS), (OTHER_HOME_ADDRESS, CORRESPONDENT)),
        strict=True,
    ):
        for address in addresses:
            one.data_plane.divert(IPv6Address(address))
    yield here
    agent.data_plane.drop(tunnel(End.HOME_AGENT, **both))
    figure.correspondent.data_plane.drop(tunnel(End.MOBILE_NODE, **both))
    agent.namespace.ip(f"route del {OTHER_HOME_ADDRESS}/128 dev mip0")
    agent.namespace.ip(f"neighbor del proxy {OTHER_HOME_ADDRESS} dev eth0")
    here.ip(f"address del {OTHER_HOME_ADDRESS}/128 dev mip0")
    here.ip("route flush table 100")
    figure.mobile_node.namespace.ip("rule del priority 998")
    for priority in (999, 1000, 1001, 1002):
        here.ip(f"rule del priority {priority}")


def to_other(figure: Figure) -> None:
    """The other mobile node has bound the first one to its home address."""
    figure.mobile_node.data_plane.put(
        direct(End.MOBILE_NODE, correspondent=OTHER_HOME_ADDRESS)
    )
    figure.correspondent.data_plane.put(
        direct(End.CORRESPONDENT, correspondent=OTHER_HOME_ADDRESS)
    )


def from_other(figure: Figure) -> None:
    here = {
        "home_address": OTHER_HOME_ADDRESS,
        "care_of_address": CORRESPONDENT,
        "correspondent": HOME_ADDRESS,
    }
    figure.mobile_node.data_plane.put(direct(End.CORRESPONDENT, **here))
    figure.correspondent.data_plane.put(direct(End.MOBILE_NODE, **here))


def test_two_mobile_nodes(figure: Figure, two: Namespace) -> None:
    to_other(figure)
    from_other(figure)
    mobile = figure.mobile_node.namespace
    source = f"-I {OTHER_HOME_ADDRESS}"
    with figure.all_direct():
        assert ping(two, HOME_ADDRESS, source, count=5) == 5
        assert ping(two, HOME_ADDRESS, f"{source} -M do -s {MTU - 48}") == 1
        assert transfer(two, OTHER_HOME_ADDRESS, mobile, HOME_ADDRESS)
        assert transfer(mobile, HOME_ADDRESS, two, OTHER_HOME_ADDRESS)
        assert send_gso(two, OTHER_HOME_ADDRESS, mobile, HOME_ADDRESS) == 20
        assert send_gso(mobile, HOME_ADDRESS, two, OTHER_HOME_ADDRESS) == 20


def test_two_mobile_nodes_of_which_one_is_bound(figure: Figure, two: Namespace) -> None:
    """Its packets carry the option, and find the other through its home agent; that
    one's answers take both tunnels."""
    to_other(figure)
    mobile = figure.mobile_node.namespace
    directly = figure.mobile_node.counted("direct_out")
    # What the tunnel at the end of the way takes away, a daemon learns from the errors.
    with narrowed(figure.mobile_node, MTU - 24):
        assert ping(mobile, OTHER_HOME_ADDRESS, count=5) == 5
        assert figure.mobile_node.counted("direct_out") == directly + 5
        assert transfer(two, OTHER_HOME_ADDRESS, mobile, HOME_ADDRESS, megabytes=5)
        assert transfer(mobile, HOME_ADDRESS, two, OTHER_HOME_ADDRESS, megabytes=5)
        assert send_gso(mobile, HOME_ADDRESS, two, OTHER_HOME_ADDRESS) == 20


@contextlib.contextmanager
def narrowed(one: Node, mtu: int) -> Iterator[None]:
    one.device_mtu(mtu)
    try:
        yield
    finally:
        one.device_mtu(MTU)


# Told


def test_talk_is_told(figure: Figure) -> None:
    assert ping(figure.net.correspondent, HOME_ADDRESS) == 1
    for one in figure.nodes:
        one.data_plane.notices.read()
        one.data_plane.configure(told_interval=0)
    assert ping(figure.net.correspondent, HOME_ADDRESS) == 1
    for one, talk in zip(
        figure.nodes,
        ((HOME_ADDRESS, CORRESPONDENT), (CORRESPONDENT, HOME_ADDRESS)),
        strict=True,
    ):
        told = one.data_plane.notices.read()
        talks = {notice for notice in told if isinstance(notice, Talk)}
        assert talks == {Talk(*map(IPv6Address, talk))}
        one.data_plane.configure(told_interval=10)
