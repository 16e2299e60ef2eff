"""The network, its cable and its cleaning, with a mobile node that has no mip6."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mip6.lab import namespaces
from mip6.lab.checks import addresses
from mip6.lab.lab import Lab, wait_until
from mip6.lab.namespaces import LabError
from mip6.lab.topology import CORRESPONDENT, PREFIXES, Advertising

from .conftest import traces

pytestmark = pytest.mark.root


def test_up_is_complete_and_down_leaves_nothing(lab: Lab) -> None:
    lab.up()
    assert lab.complete
    assert traces(lab.name)
    lab.down()
    assert not traces(lab.name)


def test_every_router_and_the_correspondent_reach_each_other(lab: Lab) -> None:
    lab.up()
    for address in (PREFIXES["home"][1], PREFIXES["b"][1], PREFIXES["c"][1]):
        assert " 0% packet loss" in lab.run("cn", ["ping", "-c1", "-W2", str(address)])


def test_a_move_takes_the_carrier_and_gives_it_back(lab: Lab) -> None:
    lab.up()
    lab.move("b")
    log = lab.directory / "monitor.log"
    lab.spawn("mn", ["ip", "-o", "monitor", "link"], log=log)
    numbers = itertools.count()

    def watched() -> bool:
        lab.run("mn", ["ip", "link", "set", "lo", "alias", f"lo{next(numbers)}"])
        return "lo" in log.read_text()

    assert wait_until(watched, seconds=40)
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    move = lab.move("c", unplugged_ms=150)
    after = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert (move.origin, move.destination, lab.link) == ("b", "c", "c")
    assert before < move.unplugged_at < move.plugged_at < after
    assert move.plugged_at - move.unplugged_at >= 0.15

    def carrier() -> list[bool]:
        lines = [line for line in log.read_text().splitlines() if "eth0" in line]
        return ["NO-CARRIER" not in line for line in lines]

    def back() -> bool:
        return False in carrier() and carrier()[-1]

    assert wait_until(back, seconds=40), log.read_text()


def test_a_second_mobile_node_and_correspondent_where_they_are_wanted(lab: Lab) -> None:
    lab.up(extra=("cn2", "mn2"))
    assert lab.complete and lab.mobile_nodes == ["mn", "mn2"]
    ping = ["ping", "-c1", "-W2", "2001:db8:a::1"]
    assert " 0% packet loss" in lab.run("cn2", ping)
    lab.move("b")
    lab.move("c", role="mn2")
    moves = lab.move_together({"mn": "c", "mn2": "b"}, unplugged_ms=50)
    assert (lab.link, lab.link_of("mn2")) == ("c", "b")
    one, other = moves["mn"], moves["mn2"]
    assert (one.origin, other.origin) == ("b", "c")
    assert one.plugged_at == other.plugged_at >= one.unplugged_at + 0.05
    with pytest.raises(LabError, match="no mobile node 'cn'"):
        lab.move("b", role="cn")
    lab.down()
    assert not traces(lab.name)


def test_a_plain_node_hears_the_router_of_the_link_it_is_on(lab: Lab) -> None:
    lab.up()
    for link in ("b", "home"):
        lab.move(link)
        assert wait_until(
            lambda prefix=PREFIXES[link]: any(
                address in prefix for address in addresses(lab, "eth0")
            ),
            seconds=40,
        ), link


def test_a_virtual_home_link_is_no_link(lab: Lab) -> None:
    lab.up(virtual=True)
    with pytest.raises(LabError, match="no link 'home' here; there are b, c"):
        lab.move("home")
    ping = ["ping", "-c1", "-W2", str(PREFIXES["home"][1])]
    assert " 0% packet loss" in lab.run("cn", ping)


def test_a_cable_cannot_go_where_it_is(lab: Lab) -> None:
    lab.up()
    lab.move("b")
    with pytest.raises(LabError, match="on link b already"):
        lab.move("b")


def test_two_labs_do_not_disturb_each_other(new_lab: Callable[[], Lab]) -> None:
    first, second = new_lab(), new_lab()
    first.up()
    second.up()
    first.move("b")
    second.move("c")
    assert (first.link, second.link) == ("b", "c")
    first.down()
    assert not traces(first.name)
    assert second.complete
    ping = ["ping", "-c1", "-W2", str(CORRESPONDENT)]
    assert " 0% packet loss" in second.run("b", ping)


def test_a_name_is_taken_once(lab: Lab) -> None:
    lab.up()
    with pytest.raises(LabError, match="is up already"):
        Lab(lab.name).up()
    assert lab.complete


def test_what_fails_half_way_is_taken_down_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        assert namespaces.existing() & set(lab.namespaces.values())
        raise LabError("radvd will not start")

    monkeypatch.setattr(Lab, "_advertise", fail)
    with pytest.raises(LabError, match="radvd will not start"):
        lab.up()
    assert not traces(lab.name)


def test_a_process_that_ignores_sigterm_is_no_obstacle(
    lab: Lab, tmp_path: Path
) -> None:
    lab.up()
    stubborn = ["sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1; done"]
    process = lab.spawn("cn", stubborn, log=tmp_path / "log")
    lab.down()
    assert process.wait(60) == -9
    assert not traces(lab.name)


@pytest.mark.parametrize("name", ["", "A", "x-y", "a/b", "a" * 17, "../x"])
def test_a_name_that_would_reach_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="a lab's name"):
        Lab(name)


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(
        LabError, match=r"missing .*: ip, radvd .*install iproute2 radvd"
    ):
        namespaces.require_tools("ip", "radvd")


@pytest.mark.parametrize(
    ("text", "shortest", "longest"),
    [
        ("70", 30, 70),
        ("30-70", 30, 70),
        ("1000", 428, 1000),
        ("3000-10000", 3000, 10000),
    ],
)
def test_the_interval_of_advertisements(text: str, shortest: int, longest: int) -> None:
    assert Advertising.parse(text) == Advertising(shortest, longest)


@pytest.mark.parametrize("text", ["69", "10-70", "60-70", "", "-", "x", "30-2000000"])
@pytest.mark.rfc("7.5", "30 ms is the shortest, 70 ms the shortest longest interval")
def test_an_interval_that_no_router_may_have(text: str) -> None:
    with pytest.raises(ValueError):
        Advertising.parse(text)
