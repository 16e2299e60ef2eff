"""What people tell a mobile node, and what it tells them while it moves."""

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest
from tests.support.daemons import MIP6, World, until

pytestmark = pytest.mark.root

SCHEMA = Path(__file__).parents[2] / "src/mip6/schema/watch.json"


def test_watch_and_handover(world: World) -> None:
    world.home_agent.start()
    world.mobile_node.start()
    follower = subprocess.Popen(
        [MIP6, "watch", "--json", "--name", world.mobile_node.name],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert follower.stdout is not None
        told = [json.loads(follower.stdout.readline())]
        assert told[0]["place"] == "nowhere"
        world.plug("visited")
        for line in follower.stdout:
            told.append(json.loads(line))
            if told[-1].get("place") == "registered":
                break
        schema = json.loads(SCHEMA.read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        for event in told:
            jsonschema.validate(event, schema)
        phases = [event["phase"] for event in told if event["event"] == "phase_reached"]
        assert phases[0] == "link_up" and phases[-1] == "binding_acknowledgement"
        # To where it is already: nothing happens, and nothing is wrong.
        assert world.mobile_node.call("handover", "eth0").returncode == 0
        done = world.mobile_node.call("handover", "eth9")
        assert done.returncode == 1 and "eth9 is not one of interfaces" in done.stderr
        done = world.home_agent.call("handover", "eth0")
        assert done.returncode == 1 and "only a mobile node moves" in done.stderr
        world.cables.ip("link set mobile down")
        until(lambda: world.mobile_node.place() == "nowhere", "nowhere")
        done = world.mobile_node.call("handover", "eth0")
        assert done.returncode == 1 and "eth0 is down" in done.stderr
        # A stop does not wait for who follows.
        assert world.mobile_node.call("down").returncode == 0
        assert follower.wait(60) == 0
    finally:
        follower.kill()
        follower.communicate()


def test_nobody_to_tell() -> None:
    for words in (("watch",), ("handover", "eth0")):
        done = subprocess.run([MIP6, *words, "--name", "nobody"], capture_output=True)
        assert done.returncode == 3
