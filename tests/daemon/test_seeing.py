"""What a home agent lets others see, and what an administrator ends."""

import http.client
import json
import signal
import socket
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.daemons import HOME_ADDRESS, HOME_AGENT, World, until

pytestmark = pytest.mark.root

SCHEMAS = Path(__file__).parents[2] / "src/mip6/schema"


@pytest.fixture
def away(world: World) -> World:
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")
    return world


def metrics(world: World, query: str = "") -> dict[str, float]:
    connection = http.client.HTTPConnection("mip6")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(f"/run/mip6/{world.home_agent.name}.sock")
    connection.request("GET", f"/metrics{query}")
    response = connection.getresponse()
    assert response.headers["Content-Type"].startswith("text/plain")
    lines = response.read().decode().splitlines()
    connection.close()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def test_what_prometheus_reads(away: World) -> None:
    found = metrics(away)
    assert found["mip6_bindings"] == 1 and found["mip6_bindings_max"] == 16384
    assert found['mip6_binding_changes_total{change="created"}'] == 1
    assert found['mip6_signalling_total{what="received"}'] >= 1
    assert found['mip6_data_plane_packets_total{what="signalling"}'] >= 1
    assert away.pings()
    again = metrics(away)
    for what in ("tunnel_in", "tunnel_out"):
        name = f'mip6_data_plane_packets_total{{what="{what}"}}'
        assert again[name] >= found[name] + 3


def test_what_went_through_each_tunnel(away: World) -> None:
    home_agent = away.home_agent
    labels = f'home_address="{HOME_ADDRESS}",direction='
    assert not any(labels in name for name in metrics(away))
    before = metrics(away, "?bindings=1")

    def grown(now: dict[str, float], unit: str, way: str) -> float:
        name = f'mip6_tunnel_{unit}_total{{{labels}"{way}"}}'
        return now[name] - before[name]

    assert away.pings(3)
    after = metrics(away, "?bindings=1")
    for way in ("in", "out"):
        assert grown(after, "packets", way) >= 3
        assert grown(after, "octets", way) >= 3 * (40 + 64)
    assert metrics(away, "?bindings=1&prefix=2001:db8:b::/64").keys() == (
        metrics(away).keys()
    )
    # The same from the command, and across a restart.
    schema = json.loads((SCHEMAS / "bindings.json").read_text())

    def listed() -> dict[str, int]:
        document = json.loads(
            home_agent.call("bindings", "--json", "--counters").stdout
        )
        jsonschema.Draft202012Validator(schema).validate(document)
        traffic: dict[str, int] = document["bindings"][0]["traffic"]
        return traffic

    assert listed()["packets_in"] >= 3
    assert home_agent.read("bindings")["bindings"][0]["traffic"] is None
    assert "OCTETS OUT" in home_agent.call("bindings", "--counters").stdout
    assert "OCTETS OUT" not in home_agent.call("bindings").stdout
    counted = listed()
    home_agent.end(signal.SIGKILL)
    home_agent.start()
    assert all(listed()[name] >= number for name, number in counted.items())


def test_lists_and_an_end(away: World) -> None:
    home_agent = away.home_agent
    schema = json.loads((SCHEMAS / "agents.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = home_agent.read("agents")
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["agents"][0]["addresses"] == [HOME_AGENT]
    assert HOME_AGENT in home_agent.call("agents").stdout

    def listed(*words: str) -> dict[str, Any]:
        done = home_agent.call("bindings", "--json", *words)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    assert listed("--prefix", "2001:db8:a::/64")["total"] == 1
    assert listed("--prefix", "2001:db8:b::/64")["bindings"] == []
    assert listed("--after", HOME_ADDRESS)["bindings"] == []
    assert home_agent.call("bindings", "--sort", "age").returncode == 2

    def unregistered() -> int:
        return away.mobile_node.log.read_text().count("place=registering")

    before = unregistered()
    assert home_agent.call("revoke", "2001:db8:a::999").returncode == 1
    assert home_agent.call("revoke", "laptop").returncode == 1
    assert away.mobile_node.call("revoke", HOME_ADDRESS).returncode == 1
    assert home_agent.call("revoke", HOME_ADDRESS).returncode == 0
    until(lambda: listed()["total"] == 0, "the binding is gone")

    until(lambda: unregistered() > before, "the mobile node has been told")
    revoked = away.mobile_node.read("status")["mobile_node"]["revoked"]
    assert revoked["for_s"] >= 0 and revoked["asks_again_in_s"] <= 32
    assert "by the home agent, " in away.mobile_node.call("status").stdout
