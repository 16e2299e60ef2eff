"""examples/home_agent.nft: rules on the mobility device see inner packets."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.daemons import CORRESPONDENT, HOME_ADDRESS, World, until

EXAMPLE = Path(__file__).parents[2] / "examples/home_agent.nft"
SERVE = (
    "import socket,sys;s=socket.create_server((sys.argv[1],int(sys.argv[2])),"
    "family=socket.AF_INET6)\n"
    "while True: s.accept()[0].close()"
)
CONNECT = (
    "import socket,sys;socket.create_connection((sys.argv[2],int(sys.argv[3])),3,"
    "source_address=(sys.argv[1],0)).close()"
)

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("nft") is None, reason="there is no nft"),
]


def serve(world: World, place: str, address: str, *ports: int) -> None:
    namespace = getattr(world, place)
    for port in ports:
        command = [*namespace.inside("python3 -c").split(), SERVE, address, str(port)]
        process = subprocess.Popen(command, text=True)
        world.processes.append(process)


def connects(world: World, place: str, source: str, target: str, port: int) -> bool:
    namespace = getattr(world, place)
    words = [CONNECT, source, target, str(port)]
    command = [*namespace.inside("python3 -c").split(), *words]
    return subprocess.run(command, capture_output=True).returncode == 0


def test_the_example(world: World) -> None:
    # No direct ways: what is tested is the way through the home agent.
    file = world.mobile_node.file
    file.write_text(file.read_text() + "route_optimization = false\n")
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")
    serve(world, "mobile", HOME_ADDRESS, 22, 8080)
    serve(world, "correspondent", CORRESPONDENT, 25, 8080)

    def inward(port: int) -> bool:
        return connects(world, "correspondent", CORRESPONDENT, HOME_ADDRESS, port)

    def outward(port: int) -> bool:
        return connects(world, "mobile", HOME_ADDRESS, CORRESPONDENT, port)

    until(lambda: inward(22) and inward(8080), "the servers are up")
    until(lambda: outward(25) and outward(8080), "the servers are up")
    world.agent.run(f"nft -f {EXAMPLE}")
    assert inward(22) and not inward(8080)
    assert outward(8080) and not outward(25)
    assert world.pings()
    assert "counter packets 0 " not in world.agent.run("nft list table ip6 mip6")
    # A second time in place of the first, and away.
    world.agent.run(f"nft -f {EXAMPLE}")
    world.agent.run("nft delete table ip6 mip6")
    assert inward(8080) and outward(25)
