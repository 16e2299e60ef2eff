"""A correspondent's daemon, alone on its machine, and mobile nodes made by hand."""

import json
import signal
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.correspondents import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    MobileNode,
    acknowledgement,
)
from tests.support.daemons import CORRESPONDENT, World, snapshot, until
from tests.support.distant import Distant, distant
from tests.support.namespaces import connect

from mip6.wire.messages import HomeTestInit

pytestmark = pytest.mark.root

SCHEMAS = Path(__file__).parents[2] / "src/mip6/schema"
SECOND_ADDRESS = "2001:db8:e::22"


@pytest.fixture
def peer(world: World) -> Iterator[Distant]:
    world.correspondent_node.start()
    with distant(world.router, "corr") as made:
        yield made


def bindings(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.correspondent_node.read("bindings")["bindings"]
    return found


def way(world: World) -> str:
    """Of a connection to the home address; what has no ports goes elsewhere (0012)."""
    return world.correspondent.ip(f"route get {HOME_ADDRESS} ipproto tcp dport 22")


def test_one_line_of_configuration_makes_a_correspondent(
    world: World, peer: Distant
) -> None:
    status = world.correspondent_node.read("status")
    assert status["roles"] == ["correspondent_node"]
    assert status["authentication"] is None
    assert status["correspondent_node"]["addresses"] == [CORRESPONDENT]
    roamer = MobileNode(node=peer)
    roamer.bind()
    [binding] = bindings(world)
    assert binding["home_address"] == str(HOME_ADDRESS)
    assert binding["care_of_address"] == str(CARE_OF_ADDRESS)
    assert binding["correspondent"] == CORRESPONDENT
    assert not binding["home_registration"]
    assert "dev mip0" in way(world)
    # It moves, and goes home.
    roamer.care_of_address = NEXT_CARE_OF_ADDRESS
    roamer.bind()
    assert bindings(world)[0]["care_of_address"] == str(NEXT_CARE_OF_ADDRESS)
    assert acknowledgement(peer.receive(roamer.update(lifetime=0))).status == 0
    assert bindings(world) == []
    assert "dev mip0" not in way(world)

    for what in ("status", "bindings", "updates", "stats"):
        schema = json.loads((SCHEMAS / f"{what}.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        document = world.correspondent_node.read(what)
        jsonschema.Draft202012Validator(schema).validate(document)
        assert world.correspondent_node.call(what).stdout.strip()


def test_addresses_that_come_and_go(world: World, peer: Distant) -> None:
    """A new one is one to bind, and with one that goes its bindings end."""
    world.correspondent.ip(f"addr add {SECOND_ADDRESS}/64 dev eth0 nodad")

    def addresses() -> list[str]:
        status = world.correspondent_node.read("status")["correspondent_node"]
        found: list[str] = status["addresses"]
        return found

    until(lambda: SECOND_ADDRESS in addresses(), "the new address is known")
    roamer = MobileNode(node=peer, correspondent=IPv6Address(SECOND_ADDRESS))
    roamer.bind()
    MobileNode(node=peer, home_address=OTHER_HOME_ADDRESS).bind()
    assert len(bindings(world)) == 2
    world.correspondent.ip(f"addr del {SECOND_ADDRESS}/64 dev eth0")
    until(lambda: addresses() == [CORRESPONDENT], "the address is gone")
    [binding] = bindings(world)
    assert binding["home_address"] == str(OTHER_HOME_ADDRESS)


def test_a_killed_correspondent_takes_its_bindings_up_again(
    world: World, peer: Distant
) -> None:
    roamer = MobileNode(node=peer)
    roamer.bind()
    world.correspondent_node.end(signal.SIGKILL)
    assert "dev mip0" in way(world)
    world.correspondent_node.start()
    [binding] = bindings(world)
    assert binding["care_of_address"] == str(CARE_OF_ADDRESS)
    assert binding["sequence_number"] is None
    # Tokens of before are good for nothing, new ones are.
    assert acknowledgement(peer.receive(roamer.update())).status in (136, 137, 138)
    roamer.bind()


def test_a_stop_leaves_nothing(world: World) -> None:
    before = snapshot(world.correspondent)
    world.correspondent_node.start()
    with distant(world.router, "corr") as peer:
        MobileNode(node=peer).bind()
    assert snapshot(world.correspondent) != before
    assert world.correspondent_node.end(signal.SIGTERM) == 0
    assert snapshot(world.correspondent) == before
    assert not Path("/sys/fs/bpf/mip6", world.correspondent_node.name).exists()


def test_a_user_of_its_own_and_a_link_that_comes_later(world: World) -> None:
    """It follows addresses and links, and puts everything back, without being root."""
    before = snapshot(world.correspondent)
    file = world.correspondent_node.file
    file.write_text(f'user = "daemon"\n{file.read_text()}')
    world.correspondent_node.start()
    assert world.correspondent_node.read("status")["user"] == "daemon"
    # The attacker's side of a new cable has the router's place.
    connect(world.correspondent, "eth1", world.router, "corr1")
    world.router.ip("addr add 2001:db8:d::1/64 dev corr1 nodad")
    world.correspondent.ip("addr add 2001:db8:d::2/64 dev eth1 nodad")
    second = IPv6Address("2001:db8:d::2")

    def answers() -> bool:
        roamer = MobileNode(node=peer, correspondent=second)
        init = HomeTestInit(home_init_cookie=bytes(8))
        return bool(peer.receive(roamer.packet(init, HOME_ADDRESS)))

    # By the old link it answers with the new address, and by the new one.
    with distant(world.router, "corr") as peer:
        peer.silent = True
        until(answers, "it answers at the new address")
        MobileNode(node=peer, correspondent=second).bind()
    assert world.correspondent_node.end(signal.SIGTERM) == 0
    world.correspondent.ip("link del eth1")
    assert snapshot(world.correspondent) == before


def test_limits_and_access_list(world: World) -> None:
    world.correspondent_node.file.write_text(
        "[correspondent_node]\nbindings_max = 1\nlifetime_max = 40\n"
        f'allow = ["2001:db8:a::/64"]\nrefuse = ["{OTHER_HOME_ADDRESS}/128"]\n'
    )
    world.correspondent_node.start()
    with distant(world.router, "corr") as peer:
        MobileNode(node=peer).bind()
        [binding] = bindings(world)
        assert binding["lifetime_s"] == 40
        refused = {
            OTHER_HOME_ADDRESS: 129,
            IPv6Address("2001:db8:f::1"): 129,
            IPv6Address("2001:db8:a::300"): 130,
        }
        for home_address, status in refused.items():
            other = MobileNode(node=peer, home_address=home_address).tested()
            assert acknowledgement(peer.receive(other.update())).status == status
    assert world.correspondent_node.read("stats")["refused"] == {"129": 2, "130": 1}


def test_a_home_agent_that_is_a_correspondent_too(world: World) -> None:
    """It answers at all its addresses, by its own as home agent as well."""
    text = world.home_agent.file.read_text()
    world.home_agent.file.write_text(f"{text}[correspondent_node]\n")
    world.home_agent.start()
    status = world.home_agent.read("status")
    assert status["roles"] == ["home_agent", "correspondent_node"]
    addresses = status["correspondent_node"]["addresses"]
    assert addresses == ["2001:db8:a::1", "2001:db8:f::2"]
    elsewhere = IPv6Address("2001:db8:9::100")
    world.router.ip("route add 2001:db8:9::/64 dev lo")
    with distant(world.router, "agent") as peer:
        for address in addresses:
            roamer = MobileNode(
                node=peer, home_address=elsewhere, correspondent=IPv6Address(address)
            )
            roamer.bind()
        assert len(world.home_agent.read("bindings")["bindings"]) == 2
