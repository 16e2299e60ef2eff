"""Each state in the kernel, in the order the role said, as ip(8) shows it."""

import json
import socket
from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

import pytest
from tests.support.namespaces import Namespace

from mip6.core.effects import Effect, Forward, Install, Notify, Remove, Send
from mip6.core.events import Event, Problem
from mip6.core.packet import Packet, write
from mip6.core.state import (
    CareOfAddress,
    End,
    HomeAddress,
    Neighbor,
    ProxyNeighbor,
    Route,
    Rule,
    State,
    Tunnel,
)
from mip6.linux.cleanup import sweep
from mip6.linux.executor import Executor, describe
from mip6.linux.journal import Journal
from mip6.linux.netlink import Netlink
from mip6.linux.sockets import Sender
from mip6.wire.neighbor_discovery import RouterSolicitation

pytestmark = pytest.mark.root

HOME = IPv6Address("2001:db8:a::100")
CARE_OF = IPv6Address("2001:db8:b::100")
AGENT = IPv6Address("2001:db8:a::1")
ROUTER = IPv6Address("fe80::1")
TUNNEL = Tunnel(
    end=End.MOBILE_NODE,
    home_address=HOME,
    care_of_address=CARE_OF,
    home_agent=AGENT,
    expires=100.0,
)
STATES: list[State] = [
    HomeAddress(address=HOME, link="v0"),
    CareOfAddress(address=CARE_OF, prefix_length=64, link="v0"),
    Neighbor(address=ROUTER, link="v0", link_layer_address=bytes(range(6))),
    Route(destination=IPv6Network("2001:db8:b::/64"), link="v0"),
    Route(destination=IPv6Network("::/0"), link="v0", gateway=ROUTER),
    Route(destination=IPv6Network("::/0"), link="v0", source=HOME, table=100),
    Rule(priority=999, table=100, source=HOME),
    Rule(priority=1001, table=254, suppress_default=True),
    Rule(priority=998, table=6275, own_only=True),
    ProxyNeighbor(address=HOME, link="v0"),
    Rule(priority=1000, table=254, destination=IPv6Network("2001:db8:d::/48")),
]


class Maps:
    """The data plane's part, noted down."""

    def __init__(self) -> None:
        self.tunnels: dict[object, Tunnel] = {}
        self.diverted: set[IPv6Address] = set()

    def put(self, tunnel: Tunnel) -> None:
        self.tunnels[tunnel.key] = tunnel

    def drop(self, tunnel: Tunnel) -> None:
        self.tunnels.pop(tunnel.key, None)

    def divert(self, address: IPv6Address) -> None:
        self.diverted.add(address)

    def undivert(self, address: IPv6Address) -> None:
        self.diverted.discard(address)


class Bench:
    def __init__(self, directory: Path) -> None:
        self.events: list[Event] = []
        self.maps = Maps()
        self.netlink = Netlink()
        self.journal = Journal(directory / "restore.json", "mip0", links={"v0"})
        self.executor = Executor(
            netlink=self.netlink,
            tunnels=self.maps,
            sender=Sender(),
            record=self.journal,
            links={link.name: link for link in self.netlink.links()},
            report=self.events.append,
        )


@pytest.fixture
def bench(inside: Namespace, tmp_path: Path) -> Iterator[Bench]:
    inside.sysctl("v0.accept_dad=1", "v0.dad_transmits=1")
    optimistic = Path("/proc/sys/net/ipv6/conf/v0/optimistic_dad")
    if optimistic.exists():
        optimistic.write_text("1")
    else:
        inside.sysctl("v0.accept_dad=0")
    made = Bench(tmp_path)
    yield made
    made.netlink.close()
    made.executor.sender.close()


def everything(namespace: Namespace) -> str:
    queries = ("addr", "route show table all", "rule", "neigh", "neigh show proxy")
    text = "\n".join(namespace.ip(query) for query in queries)
    # On a slow machine duplicate address detection ends between two looks.
    return text.replace(" optimistic", "").replace(" tentative", "")


def test_every_state_is_as_its_line_says(bench: Bench, inside: Namespace) -> None:
    """What is installed and what `--dry-run` prints is the same: ip(8) agrees."""
    assert bench.executor.perform([Install(state) for state in STATES]) is None
    by_us = everything(inside)
    assert bench.executor.missing(STATES) == []
    assert sweep(bench.netlink, bench.journal) == len(STATES) - 1  # not the neighbour
    bench.executor.remove(STATES[2])
    for state in STATES:
        inside.run(describe(state))
    by_hand = everything(inside)
    assert without_marks(by_hand) == without_marks(by_us)


@pytest.mark.second_kernel
def test_connected_sockets_take_the_new_way(bench: Bench, inside: Namespace) -> None:
    """They keep the way that they have found, and a route in another table alone does
    not make them look again: a server's connection would never become direct."""
    inside.ip("link add w0 type veth peer name w1")
    bench.executor.links |= {link.name: link for link in bench.netlink.links()}
    for name in ("w0", "w1"):
        inside.ip(f"link set {name} up")
    inside.ip(f"neighbor add {ROUTER} lladdr 02:00:00:00:00:01 dev v0")
    inside.ip(f"neighbor add {HOME} lladdr 02:00:00:00:00:02 dev w0")
    before = [
        HomeAddress(address=CARE_OF, link="v0"),
        Route(destination=IPv6Network("::/0"), link="v0", gateway=ROUTER),
        Rule(priority=998, table=6275, own_only=True),
    ]
    bench.executor.perform([Install(state) for state in before])
    rules = inside.ip("rule")
    way = Route(destination=IPv6Network(HOME), link="w0", table=6275)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.connect((str(HOME), 9))

        def sent_by(link: str) -> int:
            [found] = json.loads(inside.ip(f"-s -j link show dev {link}"))
            return int(found["stats64"]["tx"]["packets"])

        def leaves_by(link: str) -> bool:
            counted = sent_by(link)
            for _ in range(50):
                sender.send(b"of the same connection")
            return sent_by(link) >= counted + 50

        assert leaves_by("v0")
        bench.executor.install(way)
        assert leaves_by("w0")
        bench.executor.remove(way)
        assert leaves_by("v0")
    assert inside.ip("rule") == rules


def without_marks(text: str) -> str:
    """ip(8) cannot mark proxies, and neighbours of the kernel's own come and go."""
    lines = [line for line in text.splitlines() if "ff02::" not in line]
    lines = [line.replace("proxy proto 62", "proxy").strip() for line in lines]
    return "\n".join(line for line in lines if "valid_lft" not in line)


def test_installing_twice_changes_nothing(bench: Bench, inside: Namespace) -> None:
    effects: list[Effect] = [Install(state) for state in STATES]
    bench.executor.perform(effects)
    before = everything(inside)
    assert bench.executor.stood == set()
    assert bench.executor.perform(effects) is None
    assert everything(inside) == before
    assert bench.executor.stood == {CARE_OF}


def test_a_state_replaces_the_one_of_its_key(bench: Bench, inside: Namespace) -> None:
    other = IPv6Address("fe80::2")
    bench.executor.perform(
        [
            *(Install(state) for state in STATES),
            Install(Route(destination=IPv6Network("::/0"), link="v0", gateway=other)),
            Install(Rule(priority=999, table=200, source=HOME)),
            Install(Neighbor(address=ROUTER, link="v0", link_layer_address=b"\2" * 6)),
        ]
    )
    assert "via fe80::2" in inside.ip("route") and "fe80::1" not in inside.ip("route")
    assert "lookup 200" in inside.ip("rule")
    assert "from 2001:db8:a::100 lookup 100" not in inside.ip("rule")
    assert "02:02:02:02:02:02" in inside.ip("neigh")


def test_removing_leaves_nothing_and_may_be_repeated(
    bench: Bench, inside: Namespace
) -> None:
    before = everything(inside)
    bench.executor.perform([Install(state) for state in STATES])
    assert bench.maps.diverted == {CARE_OF}
    gone: list[Effect] = [Remove(state) for state in reversed(STATES)]
    assert bench.executor.perform(gone) is None
    assert everything(inside) == before
    assert bench.maps.diverted == set() and bench.journal.addresses == set()
    assert bench.executor.perform(gone) is None


def test_tunnels_go_to_the_data_plane(bench: Bench) -> None:
    bench.executor.perform([Install(TUNNEL)])
    assert list(bench.maps.tunnels.values()) == [TUNNEL]
    bench.executor.perform([Remove(TUNNEL)])
    assert bench.maps.tunnels == {}


def test_it_stops_at_the_first_refusal(bench: Bench, inside: Namespace) -> None:
    """State before speech: nothing after the refused state happens."""
    refused = Route(destination=IPv6Network("::/0"), link="none")
    after = Rule(priority=999, table=100, source=HOME)
    event = Problem("after")
    effects = [Install(STATES[0]), Install(refused), Install(after), Notify(event)]
    assert bench.executor.perform(effects) == refused
    assert str(HOME) in inside.ip("addr")
    assert "999" not in inside.ip("rule")
    [problem] = bench.events
    assert isinstance(problem, Problem) and "dev none" in problem.what
    assert bench.executor.counts.refused == 1


def test_the_kernels_own_refusal(bench: Bench, inside: Namespace) -> None:
    inside.sysctl("v0.disable_ipv6=1")
    assert bench.executor.perform([Install(STATES[0])]) == STATES[0]


def test_missing_finds_what_others_removed(bench: Bench, inside: Namespace) -> None:
    bench.executor.perform([Install(state) for state in STATES])
    for command in (
        "rule del priority 999",
        "route del default table 100",
        f"addr del {HOME}/128 dev v0",
        f"neigh del proxy {HOME} dev v0",
    ):
        inside.ip(command)
    lost = bench.executor.missing(STATES)
    assert lost[0] == STATES[0], "addresses first: a route names one"
    assert set(lost) == {STATES[0], STATES[5], STATES[6], STATES[9]}
    assert bench.executor.perform([Install(state) for state in lost]) is None
    assert bench.executor.missing(STATES) == []


def test_sends_that_fail_are_counted(bench: Bench) -> None:
    message = RouterSolicitation()
    unreachable = Packet(source=HOME, destination=AGENT, message=message)
    no_link = Packet(source=HOME, destination=AGENT, message=message, link="none")
    good = Packet(
        source=IPv6Address("::"),
        destination=IPv6Address("ff02::2"),
        message=message,
        hop_limit=255,
        link="v0",
    )
    effects = [
        Send(unreachable),
        Send(no_link),
        Forward(write(unreachable)),
        Forward(write(good), link="none"),
        Send(good),
        Forward(write(good), link="v0"),
    ]
    assert bench.executor.perform(effects) is None
    assert (bench.executor.counts.sent, bench.executor.counts.not_sent) == (2, 4)


def test_sweep_keeps_what_is_wanted_and_what_is_not_ours(
    bench: Bench, inside: Namespace
) -> None:
    inside.ip("rule add priority 500 lookup 7")
    inside.ip("route add 2001:db8:77::/64 dev v0")
    inside.ip("addr add 2001:db8:77::1/64 dev v0 nodad")
    inside.ip("neigh add proxy 2001:db8:77::2 dev v0")
    others = everything(inside)
    bench.executor.perform([Install(state) for state in STATES])
    wanted = {STATES[1], STATES[3], STATES[6], STATES[9]}
    sweep(bench.netlink, bench.journal, wanted)
    assert set(STATES) - set(bench.executor.missing(STATES)) == wanted | {STATES[2]}
    sweep(bench.netlink, bench.journal)
    bench.executor.remove(STATES[2])
    assert everything(inside) == others
