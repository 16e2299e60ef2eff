"""Our rtnetlink, against ip(8)'s view of the same kernel."""

import errno
import time
from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.support.namespaces import Namespace

from mip6.linux import netlink_requests as requests
from mip6.linux.netlink import (
    AddressInfo,
    ForwardingInfo,
    LinkInfo,
    Listener,
    Netlink,
    NetlinkError,
    RouteInfo,
    RuleInfo,
)

pytestmark = pytest.mark.root

ADDRESS = IPv6Address("2001:db8::5")
ROUTER = IPv6Address("fe80::1")
DEFAULT = IPv6Network("::/0")


@pytest.fixture
def netlink(inside: Namespace) -> Iterator[Netlink]:
    made = Netlink()
    yield made
    made.close()


@pytest.fixture
def listener(inside: Namespace, netlink: Netlink) -> Iterator[Listener]:
    made = Listener(ignored=netlink.port)
    yield made
    made.close()


def index_of(netlink: Netlink, name: str) -> int:
    return next(link.index for link in netlink.links() if link.name == name)


def test_links_and_their_carrier(inside: Namespace, netlink: Netlink) -> None:
    before = {link.name: link for link in netlink.links()}
    assert before["v0"].is_up and before["v0"].hardware == 1
    assert len(before["v0"].link_layer_address) == 6 and before["v0"].mtu == 1500
    netlink.do(requests.link_settings(before["v0"].index, "v0", mtu=1400))
    netlink.do(requests.link_settings(before["v1"].index, "v1", up=False))
    after = {link.name: link for link in netlink.links()}
    assert not after["v0"].is_up and after["v0"].mtu == 1400
    assert after["v0"].carrier_changes > before["v0"].carrier_changes
    netlink.do(requests.link_removal(before["v0"].index, "v0"))
    assert "v1" not in inside.ip("link")


@pytest.mark.usefixtures("optimistic")
def test_an_optimistic_address(inside: Namespace, netlink: Netlink) -> None:
    inside.sysctl("v0.accept_dad=1", "v0.dad_transmits=1", "v0.optimistic_dad=1")
    index = index_of(netlink, "v0")
    add = requests.address(
        index,
        "v0",
        ADDRESS,
        64,
        flags=requests.OPTIMISTIC | requests.NOPREFIXROUTE,
    )
    netlink.do(add)
    [found] = [a for a in netlink.addresses() if a.address == ADDRESS]
    assert found.flags & requests.OPTIMISTIC and found.prefix_length == 64
    assert "optimistic" in inside.ip("addr show dev v0")
    assert "2001:db8::/64" not in inside.ip("route")
    with pytest.raises(NetlinkError, match=r"ip -6 addr add 2001:db8::5/64 dev v0"):
        netlink.do(add)
    netlink.do(add, unless=(errno.EEXIST,))
    netlink.do(requests.address(index, "v0", ADDRESS, 64, add=False))
    assert str(ADDRESS) not in inside.ip("addr")


def test_routes_replace_and_go(inside: Namespace, netlink: Netlink) -> None:
    index = index_of(netlink, "v0")
    netlink.do(requests.address(index, "v0", ADDRESS, 64, flags=requests.NODAD))
    for gateway in ("fe80::1", "fe80::2"):
        router = IPv6Address(gateway)
        netlink.do(requests.route(DEFAULT, index, "v0", gateway=router, source=ADDRESS))
    assert "via fe80::2 dev v0 proto 62 src 2001:db8::5" in inside.ip("route")
    assert "fe80::1" not in inside.ip("route")
    netlink.do(requests.route(DEFAULT, index, "v0", table=1000))
    found = [r for r in netlink.routes() if r.protocol == requests.PROTOCOL]
    assert {(r.table, r.gateway, r.source) for r in found} == {
        (254, IPv6Address("fe80::2"), ADDRESS),
        (1000, None, None),
    }
    netlink.do(requests.route(DEFAULT, index, "v0", table=1000, add=False))
    netlink.do(requests.route(DEFAULT, index, "v0", add=False))
    assert not [r for r in netlink.routes() if r.protocol == requests.PROTOCOL]
    with pytest.raises(NetlinkError) as caught:
        netlink.do(requests.route(DEFAULT, index, "v0", add=False))
    assert caught.value.errno == errno.ESRCH


def test_rules(inside: Namespace, netlink: Netlink) -> None:
    wanted = [
        requests.rule(999, 100, source=ADDRESS),
        requests.rule(1001, 254, suppress_default=True),
        requests.rule(1002, 1000),
    ]
    assert netlink.change(wanted) == [0, 0, 0]
    assert netlink.change(wanted) == [errno.EEXIST] * 3
    text = inside.ip("rule")
    assert "999:\tfrom 2001:db8::5 lookup 100 proto 62" in text
    assert "1001:\tfrom all lookup main suppress_prefixlength 0 proto 62" in text
    ours = [rule for rule in netlink.rules() if rule.protocol == requests.PROTOCOL]
    assert ours == [
        RuleInfo(999, 100, IPv6Network("2001:db8::5/128"), None, 62),
        RuleInfo(1001, 254, None, 0, 62),
        RuleInfo(1002, 1000, None, None, 62),
    ]
    gone = [
        requests.rule(999, 100, source=ADDRESS, add=False),
        requests.rule(1001, 254, suppress_default=True, add=False),
        requests.rule(1002, 1000, add=False),
    ]
    assert netlink.change(gone) == [0, 0, 0]
    assert "62" not in inside.ip("rule")


def test_neighbors_and_proxies(inside: Namespace, netlink: Netlink) -> None:
    index = index_of(netlink, "v0")
    lladdr = bytes.fromhex("020000000001")
    netlink.do(requests.neighbor(index, "v0", ROUTER, lladdr))
    netlink.do(requests.proxy_neighbor(index, "v0", ADDRESS))
    [known] = [n for n in netlink.neighbors() if n.address == ROUTER]
    assert known.link_layer_address == lladdr and known.state == requests.STALE
    [proxy] = netlink.proxy_neighbors()
    assert (proxy.address, proxy.index, proxy.protocol) == (ADDRESS, index, 62)
    assert "2001:db8::5 dev v0 proxy" in inside.ip("neigh show proxy")
    netlink.do(requests.neighbor(index, "v0", ROUTER, b"", add=False))
    netlink.do(requests.proxy_neighbor(index, "v0", ADDRESS, add=False))
    assert netlink.proxy_neighbors() == []


def test_many_changes_are_one_batch_with_an_answer_each(
    inside: Namespace, netlink: Netlink
) -> None:
    """The figure to hold is 30 µs a route; the bound allows for user-mode-linux."""
    index = index_of(netlink, "v0")
    base = int(IPv6Address("2001:db8:1::"))
    count = 3000
    wanted = [
        requests.route(IPv6Network((base + i, 128)), index, "v0") for i in range(count)
    ]
    wanted.insert(1500, requests.route(DEFAULT, 99999, "none"))
    start = time.process_time()
    outcome = netlink.change(wanted)
    elapsed_us = (time.process_time() - start) / count * 1e6
    assert outcome[1500] == errno.ENODEV
    assert outcome[:1500] + outcome[1501:] == [0] * count
    routes = [r for r in netlink.routes() if r.protocol == requests.PROTOCOL]
    assert len(routes) == count
    assert elapsed_us < 1000


def test_the_listener_hears_others_not_ourselves(
    inside: Namespace, netlink: Netlink, listener: Listener
) -> None:
    index = index_of(netlink, "v0")
    assert listener.read() == []
    netlink.do(requests.route(DEFAULT, index, "v0", table=100))
    netlink.do(requests.rule(999, 100))
    assert listener.read() == []
    inside.ip("route del default table 100")
    inside.ip("rule del priority 999")
    inside.ip("link set v0 mtu 1300")
    inside.ip("addr add 2001:db8::9/64 dev v0 nodad")
    notices = listener.read()
    assert notices is not None
    gone = {notice.info for notice in notices if notice.gone}
    assert RuleInfo(999, 100, None, None, 62) in gone
    route = RouteInfo(DEFAULT, 100, 1024, index, None, None, 62)
    assert route in gone
    kinds = {type(notice.info) for notice in notices if not notice.gone}
    assert {LinkInfo, AddressInfo} <= kinds


def test_a_route_with_several_next_hops_is_several(
    inside: Namespace, netlink: Netlink, listener: Listener
) -> None:
    """As the kernel makes of two routers' default routes with one metric."""
    index = index_of(netlink, "v0")
    hops = "nexthop via fe80::1 dev v0 nexthop via fe80::2 dev v0 weight 3"
    inside.ip(f"route add default proto ra metric 100 {hops}")
    wanted = {
        RouteInfo(DEFAULT, 254, 100, index, IPv6Address(router), None, 9)
        for router in ("fe80::1", "fe80::2")
    }
    assert {r for r in netlink.routes() if r.protocol == 9} == wanted
    notices = listener.read()
    assert notices is not None
    assert wanted <= {notice.info for notice in notices if not notice.gone}


def test_lost_notices_are_told(inside: Namespace, netlink: Netlink) -> None:
    listener = Listener()
    try:
        # A tiny buffer instead of a flood of changes.
        listener._socket.setsockopt(1, 33, 2048)
        index = index_of(netlink, "v0")
        for number in range(100):
            prefix = IPv6Network(((int(ADDRESS) >> 64) + number << 64, 64))
            netlink.do(requests.route(prefix, index, "v0"))
        assert listener.read() is None
        listener._socket.setsockopt(1, 33, 1 << 20)
        inside.ip("link set v0 mtu 1301")
        notices = listener.read()
        assert notices is not None
        assert any(isinstance(n.info, LinkInfo) for n in notices)
    finally:
        listener.close()


def test_forwarding_that_is_switched(
    inside: Namespace, netlink: Netlink, listener: Listener
) -> None:
    """For one link, or for all: each is told."""
    index = index_of(netlink, "v0")
    found = []
    for setting in ("v0.forwarding=1", "all.forwarding=0"):
        listener.read()
        inside.sysctl(setting)
        notices = listener.read()
        assert notices is not None
        found.append({n.info for n in notices if isinstance(n.info, ForwardingInfo)})
    assert ForwardingInfo(index=index, on=True) in found[0]
    assert ForwardingInfo(index=index, on=False) in found[1]
