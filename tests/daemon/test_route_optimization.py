"""Mobile node, home agent and correspondent as three daemons: the direct way."""

import json
import signal
import subprocess
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.attacker import listening, send
from tests.support.daemons import (
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    KEY,
    World,
    small_world,
    until,
)

from mip6.core.packet import Packet, write
from mip6.security.association import from_key
from mip6.security.keys import Purpose
from mip6.wire.icmpv6 import ParameterProblem
from mip6.wire.messages import BindingError, HomeTest
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import read_packet

pytestmark = pytest.mark.root

VISITED = IPv6Address("2001:db8:b::").packed[:6]
SCHEMAS = Path(__file__).parents[2] / "src/mip6/schema"


def correspondence(world: World) -> dict[str, Any]:
    """What the mobile node says of its way to the correspondent."""
    updates = world.mobile_node.read("updates")["updates"]
    found = [entry for entry in updates if entry["peer"] == CORRESPONDENT]
    return found[0] if found else {"way": None, "why": None}


def way(world: World) -> str:
    found = correspondence(world)
    return f"{found['way']}, {found['why']}"


def directly(world: World) -> bool:
    """Whether they talk directly, when there is something to say."""
    assert world.pings()
    return way(world) == "direct, registered"


def start(world: World) -> None:
    # Its echo through the tunnel is no packet of those that are counted here.
    with world.mobile_node.file.open("a") as file:
        file.write("probe_tunnel = false\n")
    for instance in (
        world.home_agent,
        world.mobile_node,
        world.correspondent_node,
    ):
        instance.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")
    until(lambda: directly(world), "direct")


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with small_world(tmp_path_factory.mktemp("direct")) as world:
        with (
            listening(world.router, "visited") as here,
            listening(world.router, "agent") as there,
        ):
            start(world)
            # An ear hears what comes in.
            world.heard = here.packets()
            world.heard += (p for p in there.packets() if p[24:30] == VISITED)
        yield world


def tunnelled(world: World) -> int:
    counters = world.home_agent.read("stats")["data_plane"]
    number: int = counters["tunnel_in"] + counters["tunnel_out"]
    return number


@pytest.mark.rfc(
    "11.3.1", "packets to a correspondent with a binding go to it directly"
)
@pytest.mark.rfc("9.3.2", "and from it, with a routing header")
def test_both_ends_talk_past_the_home_agent(direct: World) -> None:
    before = tunnelled(direct)
    command = f"ping -q -c 20 -i 0.02 -W 1 {HOME_ADDRESS}"
    assert " 20 received" in direct.correspondent.run(command)
    assert tunnelled(direct) == before
    [binding] = direct.correspondent_node.read("bindings")["bindings"]
    entry = correspondence(direct)
    assert binding["home_address"] == HOME_ADDRESS
    assert binding["care_of_address"] == entry["acknowledged_care_of_address"]
    assert 0 < entry["until_s"] <= 420

    for what in ("status", "updates", "bindings", "stats"):
        for instance in (direct.mobile_node, direct.correspondent_node):
            schema = json.loads((SCHEMAS / f"{what}.json").read_text())
            document = instance.read(what)
            jsonschema.Draft202012Validator(schema).validate(document)
    assert f"{CORRESPONDENT}: direct, for " in direct.mobile_node.call("status").stdout


@pytest.mark.rfc("10.4.6-4", "nothing of a home test is in plain on the visited link")
def test_the_home_test_is_in_esp_on_the_visited_link(direct: World) -> None:
    """What was heard there since before the mobile node came."""
    wanted = {
        association.spi
        for association in from_key(
            KEY, IPv6Address(HOME_ADDRESS), IPv6Address(HOME_AGENT)
        )
        if association.purpose is Purpose.RETURN_ROUTABILITY
    }
    spis, plain = set(), set()
    for octets in direct.heard:
        headers = read_packet(octets)
        if headers.next_header == NextHeader.ESP:
            spis.add(int.from_bytes(headers.payload[:4]))
        if headers.next_header == NextHeader.IPV6:
            headers = read_packet(headers.payload)
        if headers.next_header == NextHeader.MOBILITY:
            plain.add(headers.payload[2])
    assert len(wanted) == 2 and wanted <= spis
    assert plain and not plain & {1, 3}  # Home Test Init, Home Test


def test_forged_answers_and_errors_change_nothing(direct: World) -> None:
    """A Home Test that is not in ESP; errors whose quotes are wrong."""
    before = direct.mobile_node.read("stats")["dropped"]
    [update] = direct.mobile_node.read("updates")["updates"][:1]
    care_of_address = IPv6Address(update["acknowledged_care_of_address"])
    peer, home_address = IPv6Address(CORRESPONDENT), IPv6Address(HOME_ADDRESS)
    test = Packet(
        source=peer,
        destination=home_address,
        message=HomeTest(
            home_nonce_index=1,
            home_init_cookie=bytes(8),
            home_keygen_token=bytes(8),
        ),
        tunnel=(IPv6Address(HOME_AGENT), care_of_address),
    )
    elsewhere = IPv6Address("2001:db8:e::77")
    errors: list[BindingError | ParameterProblem] = [
        BindingError(status=1, home_address=IPv6Address("2001:db8:a::999")),
        ParameterProblem(code=2, pointer=42, packet=bytes(60)),
        ParameterProblem(code=1, pointer=6, packet=write(test)[40:]),
    ]
    packets = [write(test)] + [
        write(Packet(source=source, destination=care_of_address, message=error))
        for source in (peer, elsewhere)
        for error in errors
    ]
    send(direct.router, packets)
    until(
        lambda: (
            direct.mobile_node.read("stats")["dropped"].get("unprotected", 0)
            > before.get("unprotected", 0)
        ),
        "the plain Home Test is counted",
    )
    assert way(direct) == "direct, registered"
    assert direct.pings()
    assert way(direct) == "direct, registered"


@pytest.mark.rfc("11.7.2", "whom the operator does not want to tell is told no more")
def test_the_policy_changes_while_it_runs(direct: World) -> None:
    file = direct.mobile_node.file
    text = file.read_text()
    stream = direct.correspondent.spawn(
        f"ping -q -c 1000 -i 0.01 -W 2 {HOME_ADDRESS}", output=subprocess.PIPE
    )
    file.write_text(f'{text}[mobile_node.correspondents]\n"{CORRESPONDENT}" = "never"')
    assert direct.mobile_node.call("reload").returncode == 0
    until(
        lambda: not direct.correspondent_node.read("bindings")["bindings"],
        "the correspondent has no binding any more",
    )
    assert way(direct).startswith(("home_agent", "None"))
    before = tunnelled(direct)
    until(lambda: tunnelled(direct) > before + 10, "by way of the home agent")
    file.write_text(text)
    assert direct.mobile_node.call("reload").returncode == 0
    until(lambda: directly(direct), "direct again")
    assert " 1000 received" in stream.communicate(timeout=120)[0]


def test_killed_the_direct_way_stands_and_is_taken_up(direct: World) -> None:
    """No packet is lost, neither without the daemons nor when they are back."""
    stream = direct.correspondent.spawn(
        f"ping -q -c 800 -i 0.01 -W 2 {HOME_ADDRESS}", output=subprocess.PIPE
    )
    before = tunnelled(direct)
    for instance in (direct.mobile_node, direct.correspondent_node):
        instance.end(signal.SIGKILL)
        instance.start()
    assert " 800 received" in stream.communicate(timeout=120)[0]
    assert tunnelled(direct) == before
    until(lambda: directly(direct), "registered anew")


def test_without_authentication_the_home_test_is_in_plain(world: World) -> None:
    world.unprotected()
    start(world)
    assert world.mobile_node.read("stats")["dropped"].get("unprotected") is None
