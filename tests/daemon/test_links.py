"""What the kernel tells reaches the mobile node: no move missed, none invented."""

from ipaddress import IPv6Address
from typing import Any

import pytest

from mip6.core.effects import Effect
from mip6.core.link import Link
from mip6.daemon.links import Links
from mip6.linux import netlink_requests as requests
from mip6.linux.netlink import (
    AddressInfo,
    LinkInfo,
    NeighborInfo,
    Notice,
    RouteInfo,
    RuleInfo,
)

LINK_LOCAL = IPv6Address("fe80::1")
CARE_OF = IPv6Address("2001:db8:b::1")
UP = requests.UP | requests.LOWER_UP


class MobileNode:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def link_up(self, link: Link, now: float) -> list[Effect]:
        self.told.append(link)
        return []

    def link_down(self, name: str, now: float) -> list[Effect]:
        self.told.append(name)
        return []

    def address_checked(
        self, address: IPv6Address, link: str, unique: bool, now: float
    ) -> list[Effect]:
        self.told.append((address, link, unique))
        return []

    def neighbor_lost(
        self, address: IPv6Address, link: str, now: float
    ) -> list[Effect]:
        self.told.append((address, link))
        return []

    def heard(self) -> list[Any]:
        told, self.told = self.told, []
        return told


class Netlink:
    def __init__(self) -> None:
        self.present: list[LinkInfo] = []
        self.held: list[AddressInfo] = []

    def links(self) -> list[LinkInfo]:
        return self.present

    def addresses(self) -> list[AddressInfo]:
        return self.held


class Journal:
    def __init__(self) -> None:
        self.addresses = {(CARE_OF, 64, "eth0")}


class Machine:
    def __init__(self) -> None:
        self.links: dict[str, LinkInfo] = {}
        self.netlink = Netlink()
        self.journal = Journal()
        self.prepared: list[str] = []

    def attachable(self) -> list[LinkInfo]:
        return [link for name, link in self.links.items() if name.startswith("eth")]

    def appeared(self, link: LinkInfo) -> None:
        self.prepared.append(link.name)


def info(
    flags: int = UP, *, index: int = 2, name: str = "eth0", changes: int = 1
) -> LinkInfo:
    return LinkInfo(index, name, flags, 1500, b"\2\0\0\0\0\1", 1, 0, changes)


def address(value: IPv6Address, flags: int = 0) -> AddressInfo:
    return AddressInfo(2, value, 64, flags)


class Bench:
    def __init__(self) -> None:
        self.machine: Any = Machine()
        self.machine.links["eth0"] = info(requests.UP, changes=0)
        self.mobile_node: Any = MobileNode()
        self.links = Links(self.machine, self.mobile_node, ("eth0",))

    def notice(self, what: Any, *, gone: bool = False) -> list[Any]:
        self.links.noticed(Notice(what, gone), 1.0)
        heard: list[Any] = self.mobile_node.heard()
        return heard


@pytest.fixture
def bench() -> Bench:
    return Bench()


def link(link_local: IPv6Address | None = None) -> Link:
    return Link("eth0", b"\2\0\0\0\0\1", link_local, 1500)


def test_carrier_comes_and_goes(bench: Bench) -> None:
    assert bench.notice(info()) == [link()]
    assert bench.notice(info()) == [], "said once"
    assert bench.notice(info(requests.UP, changes=2)) == ["eth0"]
    assert bench.notice(info(requests.UP, changes=2)) == []
    assert bench.notice(info(changes=3)) == [link()]
    assert bench.machine.links["eth0"] == info(changes=3)


def test_a_move_that_only_the_count_shows(bench: Bench) -> None:
    """The kernel may tell of a loss and a return of the carrier in one notice."""
    bench.notice(info(changes=1))
    assert bench.notice(info(changes=3)) == ["eth0", link()]


def test_the_link_local_address_is_told_once_it_is_certain(bench: Bench) -> None:
    bench.notice(info())
    tentative = address(LINK_LOCAL, requests.TENTATIVE | requests.OPTIMISTIC)
    assert bench.notice(tentative) == []
    assert bench.notice(address(LINK_LOCAL)) == [link(LINK_LOCAL)]
    assert bench.notice(address(LINK_LOCAL)) == []
    bench.notice(info(requests.UP, changes=2))
    assert bench.notice(info(changes=3)) == [link(LINK_LOCAL)], "it is kept"
    bench.notice(address(LINK_LOCAL), gone=True)
    bench.notice(info(requests.UP, changes=4))
    assert bench.notice(info(changes=5)) == [link()]


@pytest.mark.rfc("11.5.2", "the kernel's duplicate address detection is listened to")
def test_the_outcome_of_duplicate_address_detection(bench: Bench) -> None:
    bench.notice(info())
    pending = requests.TENTATIVE | requests.OPTIMISTIC
    assert bench.notice(address(CARE_OF, pending)) == []
    assert bench.notice(address(CARE_OF)) == [(CARE_OF, "eth0", True)]
    failed = requests.TENTATIVE | requests.DAD_FAILED
    assert bench.notice(address(CARE_OF, failed)) == [(CARE_OF, "eth0", False)]
    assert bench.notice(address(IPv6Address("2001:db8:c::1"))) == [], "not ours"
    assert not bench.links.disturbed
    assert bench.notice(address(CARE_OF), gone=True) == []
    assert bench.links.disturbed


def test_what_others_take_away_is_noticed(bench: Bench) -> None:
    def route(protocol: int) -> RouteInfo:
        network = requests.IPv6Network("::/0")
        return RouteInfo(network, 100, 1024, 2, None, None, protocol)

    bench.notice(route(2), gone=True)
    bench.notice(route(requests.PROTOCOL))
    assert not bench.links.disturbed
    bench.notice(route(requests.PROTOCOL), gone=True)
    assert bench.links.disturbed
    bench.links.disturbed = False
    bench.notice(RuleInfo(999, 100, None, None, requests.PROTOCOL), gone=True)
    assert bench.links.disturbed


def test_an_interface_that_vanishes_and_another_of_its_name(bench: Bench) -> None:
    bench.notice(info())
    assert bench.notice(info(), gone=True) == ["eth0"]
    assert "eth0" not in bench.machine.links and bench.links.name(2) is None
    assert bench.notice(info(index=7, changes=5)) == [link()]
    assert bench.links.name(7) == "eth0"
    assert bench.machine.prepared == ["eth0"]
    assert [new.index for new in bench.links.appeared] == [7]
    # Replaced without a notice of the end of the old one.
    assert bench.notice(info(index=9, changes=5)) == ["eth0", link()]
    assert bench.links.name(7) is None


def test_a_renamed_interface(bench: Bench) -> None:
    bench.notice(info())
    assert bench.notice(info(name="wlan0")) == ["eth0"]
    assert set(bench.machine.links) == {"wlan0"}


def test_other_links_are_none_of_its_business(bench: Bench) -> None:
    assert bench.notice(info(index=3, name="eth1")) == []
    assert [new.name for new in bench.links.appeared] == ["eth1"]
    bench.notice(info(requests.UP, index=3, name="eth1"))
    assert not bench.links.disturbed
    bench.notice(info(index=3, name="eth1"))
    assert bench.links.disturbed, "its proxy neighbours went without a notice"


def test_looking_at_everything_finds_all_of_it(bench: Bench) -> None:
    bench.machine.links["eth9"] = info(index=9, name="eth9")
    bench.machine.netlink.present = [info()]
    bench.machine.netlink.held = [address(LINK_LOCAL), address(CARE_OF)]
    for _ in bench.links.look(1.0):
        pass
    assert bench.mobile_node.heard() == [link(LINK_LOCAL), (CARE_OF, "eth0", True)]
    assert set(bench.machine.links) == {"eth0"}
    assert bench.links.disturbed


def test_a_router_that_does_not_answer(bench: Bench) -> None:
    """The kernel's own neighbour unreachability detection (RFC 4861 §7.3)."""

    def neighbor(state: int, *, index: int = 2, proxy: bool = False) -> NeighborInfo:
        return NeighborInfo(index, LINK_LOCAL, b"", state, proxy, 0)

    bench.notice(info())
    assert bench.notice(neighbor(requests.STALE)) == []
    assert bench.notice(neighbor(requests.FAILED, index=9)) == []
    assert bench.notice(neighbor(requests.FAILED, proxy=True)) == []
    assert bench.notice(neighbor(requests.FAILED)) == [(LINK_LOCAL, "eth0")]
