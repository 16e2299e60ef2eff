"""Router Advertisements of our own, and the same by radvd."""

import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from tests.support.attacker import listening
from tests.support.daemons import HOME_AGENT, MIP6, Instance, World, until
from tests.support.namespaces import Namespace

from mip6.cli.main import main
from mip6.core.packet import read
from mip6.daemon.configuration import parse
from mip6.daemon.dry_run import lines
from mip6.daemon.errors import ConfigurationError
from mip6.wire.buffer import WireError
from mip6.wire.neighbor_discovery import RouterAdvertisement, RouterSolicitation
from mip6.wire.neighbor_options import HomeAgentInformation, PrefixInformation

ROUTER = """
[router.visited]
addresses = ["2001:db8:b::1/64"]
interval_min = 0.03
interval_max = 0.07
lifetime = 1800
"""
HOME_LINK = f"""
[router.eth1]
addresses = ["{HOME_AGENT}/64"]
interval_min = 0.03
interval_max = 0.07
lifetime = 1800
home_agent_preference = 7
"""
HOME_AGENT_FILE = f"""
authentication = "none"
[home_agent]
address = "{HOME_AGENT}"
home_prefix = "2001:db8:a::/64"
home_link = "eth1"
mobile_nodes = ["2001:db8:a::100"]
"""


# The configuration.


def test_a_router_alone_needs_no_authentication() -> None:
    configuration = parse(ROUTER, "f")
    assert configuration.roles == ("router",)
    shown = "\n".join(lines(configuration, "mip6"))
    assert "advertised on visited: 2001:db8:b::1/64" in shown
    assert "mip0" not in shown


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (ROUTER.replace("0.03", "0.01"), "f:4: interval_min is 0.03 seconds"),
        (ROUTER.replace("interval_min", "intervall_min"), "mean .interval_min"),
        (ROUTER + "home_agent_preference = 7\n", "f:7: visited is not the home_link"),
        (
            HOME_AGENT_FILE + HOME_LINK.replace("a::1/64", "a::2/64"),
            "f:10: must hold the home agent's 2001:db8:a::1",
        ),
        ("[router.visited]\n", 'lacks "addresses"'),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, error: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "f")
    [line] = caught.value.lines
    assert error.replace(".", "") in line.replace('"', "").replace(".", "") or (
        error in line
    )


def radvd_config(text: str, directory: Path) -> subprocess.CompletedProcess[str]:
    file = directory / "mip6.toml"
    file.write_text(text)
    return subprocess.run(
        [MIP6, "radvd-config", str(file)], capture_output=True, text=True
    )


@pytest.mark.parametrize("text", [ROUTER, HOME_AGENT_FILE, HOME_AGENT_FILE + HOME_LINK])
def test_radvd_understands_what_is_printed(text: str, tmp_path: Path) -> None:
    done = radvd_config(text, tmp_path)
    assert done.returncode == 0, done.stderr
    at_home = "AdvHomeAgentFlag on;" in done.stdout
    assert at_home == ("home_agent" in text)
    if shutil.which("radvd") is None:
        pytest.skip("there is no radvd")
    file = tmp_path / "radvd.conf"
    file.write_text(done.stdout)
    command = ["radvd", "--configtest", "-C", str(file)]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def prefix_lines(text: str, directory: Path) -> dict[str, str]:
    """What radvd is told of the one prefix."""
    lines = radvd_config(text, directory).stdout.partition("\tprefix ")[2].splitlines()
    pairs = (line.strip().rstrip(";").split(" ") for line in lines if ";" in line)
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


@pytest.mark.parametrize("more", ["", HOME_LINK], ids=["radvd", "router"])
def test_the_home_agents_prefixes_are_one_source_of_truth(
    more: str, tmp_path: Path
) -> None:
    def said(value: str) -> dict[str, str]:
        table = f'[home_agent.prefixes]\n"2001:db8:a::/64" = {{ {value} }}\n'
        return prefix_lines(HOME_AGENT_FILE + table + more, tmp_path)

    own = prefix_lines(HOME_AGENT_FILE + more, tmp_path)
    assert own["AdvValidLifetime"] == "2592000"
    found = said("valid_lifetime = 900, preferred_lifetime = 0")
    assert (found["AdvValidLifetime"], found["AdvPreferredLifetime"]) == ("900", "0")
    assert "DecrementLifetimes" not in found
    found = said("preferred_until = 2020-01-01T00:00:00Z")
    assert (found["AdvValidLifetime"], found["AdvPreferredLifetime"]) == (
        "infinity",
        "0",
    )
    assert found["DecrementLifetimes"] == "on"


def test_nothing_to_advertise(tmp_path: Path) -> None:
    text = HOME_AGENT_FILE.replace('home_link = "eth1"\n', "")
    assert radvd_config(text, tmp_path).returncode == 1
    assert radvd_config("[home_agent]\n", tmp_path).returncode == 2


# On links.


def advertised(place: Namespace, link: str) -> RouterAdvertisement:
    """The next one on a link."""
    found: list[RouterAdvertisement] = []
    with listening(place, link) as ear:

        def heard() -> bool:
            for octets in ear.packets():
                try:
                    packet = read(octets)
                except WireError:
                    continue
                if isinstance(packet.message, RouterAdvertisement):
                    assert packet.hop_limit == 255
                    found.append(packet.message)
            return bool(found)

        until(heard, f"an advertisement on {link}")
    return found[-1]


def end_radvd(world: World) -> None:
    for process in world.processes:
        process.terminate()
        process.wait(60)
    world.processes.clear()


def access_router(world: World, options: str = "") -> Instance:
    instance = world.instance(world.router, "access", ROUTER)
    instance.options = options
    instance.start()
    assert instance.process is not None
    world.processes.append(instance.process)  # type: ignore[arg-type]
    return instance


@pytest.mark.root
def test_they_are_those_of_radvd(world: World, tmp_path: Path) -> None:
    end_radvd(world)
    instance = access_router(world)
    ours = advertised(world.cables, "visited")
    assert instance.read("status")["roles"] == ["router"]
    assert "router" in instance.call("status").stdout
    assert instance.call("down").returncode == 0
    assert instance.process is not None and instance.process.wait(60) == 0
    config = tmp_path / "radvd.conf"
    config.write_text(radvd_config(ROUTER, tmp_path).stdout)
    world.processes.append(
        world.router.spawn(f"radvd -n -m none -C {config} -p {tmp_path}/pid")
    )
    theirs = advertised(world.cables, "visited")
    assert set(ours.options) == set(theirs.options)
    assert ours.router_lifetime == theirs.router_lifetime
    assert ours.home_agent == theirs.home_agent


@pytest.mark.root
def test_a_mobile_node_roams_by_them_alone(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And recordings of the routers, alone and beside the home agent, are replayed."""
    end_radvd(world)
    file = world.home_agent.file
    file.write_text(file.read_text() + HOME_LINK)
    recordings = [tmp_path / "alone", tmp_path / "beside"]
    world.home_agent.options = f"--record {recordings[1]}"
    world.home_agent.start()
    router = access_router(world, f"--record {recordings[0]}")
    at_home = advertised(world.cables, "home")
    assert at_home.home_agent
    [information] = [
        option for option in at_home.options if isinstance(option, HomeAgentInformation)
    ]
    assert (information.preference, information.lifetime) == (7, 1800)
    world.mobile_node.start()
    world.plug("visited")
    until(lambda: world.mobile_node.place() == "registered", "registered")
    assert world.pings()
    world.plug("home")
    until(lambda: world.mobile_node.place() == "at_home", "at home")
    assert world.pings()
    # Its last words.
    with listening(world.cables, "visited") as ear:
        assert router.end(signal.SIGTERM) == 0
        last = read([p for p in ear.packets() if p[40] == 134][-1]).message
    assert isinstance(last, RouterAdvertisement) and last.router_lifetime == 0
    assert world.home_agent.end(signal.SIGTERM) == 0
    for recording in recordings:
        assert main(["replay", str(recording)]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        assert said.out.count("send RouterAdvertisement") >= 3
    assert "Node2.tick" in said.out


@pytest.mark.root
def test_a_solicitation_is_answered_where_nothing_is_sent_unasked(
    world: World,
) -> None:
    end_radvd(world)
    text = ROUTER + "unsolicited = false\n"
    instance = world.instance(world.router, "quiet", text)
    instance.start()
    with listening(world.cables, "visited") as ear:
        world.mobile_node.start()
        world.plug("visited")  # and solicits
        messages = []

        def answered() -> bool:
            for octets in ear.packets():
                message = read(octets).message if octets[6] == 58 else None
                messages.append(type(message))
            return RouterAdvertisement in messages

        until(answered, "an answer")
    first = messages.index(RouterAdvertisement)
    assert RouterSolicitation in messages[:first]
    assert instance.end(signal.SIGTERM) == 0


@pytest.mark.root
def test_a_link_that_comes_later(world: World) -> None:
    end_radvd(world)
    text = ROUTER.replace("visited", "later")
    instance = world.instance(world.router, "later", text)
    instance.start()
    [problem] = instance.read("status")["problems"]
    assert "there is no interface later yet" in problem
    world.router.ip("link add later type veth peer name other")
    world.router.ip("link set other up")
    world.router.ip("link set later up")
    assert advertised(world.router, "other").router_lifetime == 1800
    world.router.ip("link del later")
    assert instance.end(signal.SIGTERM) == 0


@pytest.mark.root
def test_the_home_link_hears_of_its_renumbering_as_mobile_nodes_away_do(
    world: World,
) -> None:
    """Those of `[home_agent.prefixes]`, also when they change while it runs."""
    end_radvd(world)
    file = world.home_agent.file
    text = file.read_text()
    new = "2001:db8:1a::1"
    routing = HOME_LINK.replace("/64", f'/64", "{new}/64')

    def said(*entries: str) -> None:
        table = f"prefixes = {{ {', '.join(entries)} }}\n"
        added = text.replace("[home_agent]\n", f"[home_agent]\n{table}")
        file.write_text(added + routing)

    def told(address: str) -> tuple[int, int]:
        [option] = [
            option
            for option in advertised(world.cables, "home").options
            if isinstance(option, PrefixInformation) and str(option.prefix) == address
        ]
        return option.valid_lifetime, option.preferred_lifetime

    said('"2001:db8:1a::/64" = { valid_lifetime = 900, preferred_lifetime = 600 }')
    world.home_agent.start()
    assert told(new) == (900, 600)
    assert told(HOME_AGENT) == (2_592_000, 604_800)  # as [router] has it
    said('"2001:db8:1a::/64" = {}', '"2001:db8:a::/64" = { preferred_lifetime = 0 }')
    assert world.home_agent.call("reload").returncode == 0
    for_ever = 0xFFFF_FFFF
    until(lambda: told(HOME_AGENT) == (for_ever, 0), "the old one is deprecated")
    assert told(new) == (for_ever, for_ever)
    # Taken out it is over, whatever [router] says of others.
    said()
    assert world.home_agent.call("reload").returncode == 0
    until(lambda: told(new) == (0, 0), "it is over")
    assert told(HOME_AGENT) == (2_592_000, 604_800)
