"""What is recorded of a node comes out of `mip6 replay` again, effect by effect."""

import inspect
import io
import json
import os
import signal
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from tests.conformance.nodes import CORRESPONDENT
from tests.conformance.nodes import HOME_ADDRESS as ROAMER
from tests.conformance.nodes import HOME_AGENT as ROAMERS_HOME_AGENT
from tests.conformance.nodes import HOME_PREFIX as ROAMERS_PREFIX
from tests.conformance.roamer import (
    PREFIX_C,
    ROUTER_C,
    Roamer,
)
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_PREFIX,
    NEXT_CARE_OF_ADDRESS,
    binding_update,
)
from tests.support.correspondents import CORRESPONDENT as PEER
from tests.support.correspondents import OTHER_CORRESPONDENT as OTHER_PEER
from tests.support.correspondents import MobileNode as ByHand
from tests.support.daemons import HOME_ADDRESS as WORLD_HOME_ADDRESS
from tests.support.daemons import HOME_AGENT as WORLD_AGENT
from tests.support.daemons import KEY, World, until

from mip6.cli.main import main
from mip6.core.adopted import Adopted
from mip6.core.correspondent import Correspondent
from mip6.core.effects import Effect, Send
from mip6.core.home_agent import HomeAgent
from mip6.core.link import Link
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.policy import Permission
from mip6.core.prefixes import HomePrefix
from mip6.core.route_optimization import CorrespondentPolicy, Mode
from mip6.core.router import Advertising, AdvertisingRouter
from mip6.core.state import End, Tunnel
from mip6.daemon.recording import (
    INPUTS,
    Recorder,
    RecordingError,
    decode,
    encode,
    open_recording,
    replay,
)
from mip6.security.association import SecurityAssociation, from_key
from mip6.security.keys import Secret
from mip6.wire.neighbor_discovery import RouterSolicitation

ROUTER = IPv6Interface("2001:db8:1::1/64")
AWAY = b"`" + bytes(3) + b"\0\0\x3b\x40" + ROAMER.packed + HOME_AGENT.packed
"""A packet of the mobile node that carries nothing."""


class RecordedRoamer(Roamer):
    """A mobile node on links that tests make up, recorded."""

    def __init__(self, file: io.StringIO, *, seed: int = 1) -> None:
        super().__init__(seed=seed)
        recorder = Recorder(file)
        self.mobile_node = recorder.new(
            MobileNode,
            ROAMER,
            ROAMERS_PREFIX,
            (ROAMERS_HOME_AGENT,),
            lifetime=400,
            random=Random(seed).randbytes,
            authentication_required=False,
        )
        self.node = recorder.new(Node, mobile_node=self.mobile_node)


def roam(file: io.StringIO) -> RecordedRoamer:
    """Registered at B, moved to C, a packet held, another router, stopped."""
    roamer = RecordedRoamer(file)
    roamer.register()
    roamer.do(roamer.node.talks_to(ROAMER, CORRESPONDENT, roamer.now))
    never = CorrespondentPolicy(IPv6Network("::/0"), Mode.NEVER)
    roamer.do(roamer.mobile_node.prefer((never,), roamer.now))
    roamer.do(roamer.mobile_node.listens_to((IPv6Address("ff0e::1"),), roamer.now))
    roamer.do(roamer.node.addresses_changed((ROAMER,), roamer.now))
    roamer.link_down()
    roamer.link_up()
    roamer.do(roamer.node.unmatched(AWAY, roamer.now))
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.wait(1.2)
    roamer.answer()
    address = roamer.mobile_node.care_of_address
    assert address is not None
    roamer.do(roamer.mobile_node.address_checked(address, "eth0", False, roamer.now))
    roamer.wait(3)
    tunnel = roamer.tunnel or next(iter(roamer.standing(Tunnel)))
    roamer.do(roamer.node.failed(tunnel, roamer.now))
    roamer.wait(2)
    roamer.do(roamer.mobile_node.configure(200, roamer.now, fallback=False))
    roamer.do(roamer.mobile_node.handover("eth0", roamer.now))
    roamer.do(roamer.mobile_node.name_servers((IPv6Address("2001::53"),), roamer.now))
    other = Adopted(address=PREFIX_C[7], prefix_length=64)
    roamer.do(roamer.mobile_node.configured("eth0", (other,), (ROUTER_C,), roamer.now))
    agents = (ROAMERS_HOME_AGENT, ROAMERS_PREFIX[0xB])
    roamer.do(roamer.mobile_node.home_agents_found(agents, roamer.now))
    roamer.do(roamer.mobile_node.neighbor_lost(ROUTER_C, "eth0", roamer.now))
    roamer.do(roamer.mobile_node.stop(roamer.now))
    roamer.wait(5)
    roamer.receive(b"nonsense")
    return roamer


def serve(file: io.StringIO) -> None:
    """A home agent: taken over, refreshed, moved, configured anew, expired."""
    recorder = Recorder(file)
    before = Tunnel(
        end=End.HOME_AGENT,
        home_address=HOME_ADDRESS,
        care_of_address=CARE_OF_ADDRESS,
        home_agent=HOME_AGENT,
        expires=130.0,
    )
    home_agent = recorder.new(
        HomeAgent,
        HOME_AGENT,
        HOME_PREFIX,
        home_link="eth1",
        bindings_max=5,
        authentication_required=False,
        mobile_nodes=(HOME_PREFIX,),
        restored=[before],
    )
    node = recorder.new(Node, home_agent=home_agent)
    node.receive(write(binding_update(7)), 101.5)
    node.receive(
        write(binding_update(8, source=NEXT_CARE_OF_ADDRESS)),
        102.25,
        protected_for=HOME_ADDRESS,
    )
    home_agent.configure((HOME_PREFIX,), 103.0, lifetime_max=100, grace=1.0)
    node.tick(200.0)
    home_agent.link_up(Link("eth1", bytes.fromhex("020000000001")), 201.0)
    home_agent.prefixes_changed(
        (HomePrefix(network=HOME_PREFIX, valid_until=1000.0),), 202.0
    )
    permission = Permission(network=HOME_PREFIX, lifetime_max=40)
    home_agent.configure(
        (HOME_PREFIX,), 203.0, lifetime_max=100, grace=1.0, permissions=(permission,)
    )
    home_agent.overloaded(False, 203.5)
    home_agent.revoke(HOME_ADDRESS, 204.0)
    home_agent.multicast(b"", 204.0)
    heard = HomePrefix(network=IPv6Network("2001:db8:1a::/64"), valid_until=900.0)
    home_agent.prefixes_restored((heard,), 205.0, changed=True)


def correspond(file: io.StringIO) -> list[bytes]:
    """A correspondent: two tests, a binding, traffic, an update whose authenticator is
    wrong, an address that goes.  Returns what is secret."""
    secrets: list[bytes] = []

    def random(count: int) -> bytes:
        secrets.append(os.urandom(count))
        return secrets[-1]

    recorder = Recorder(file)
    correspondent = recorder.new(
        Correspondent,
        (PEER, OTHER_PEER),
        random=random,
        first_nonce=65535,
        home_agent=None,
    )
    node = recorder.new(Node, correspondent=correspondent)
    roamer = ByHand(node=node)
    roamer.bind(100.0)
    node.talks_to(PEER, roamer.home_address, 130.0)
    node.tick(150.0)
    node.receive(roamer.update(key=bytes(20)), 151.0)
    roamer.bind(152.0)
    correspondent.configure(
        152.5, lifetime_max=40, allowed=(IPv6Network("::/0"),), refused=()
    )
    node.addresses_changed((OTHER_PEER,), 153.0)
    return secrets


def advertise(file: io.StringIO) -> None:
    """A router beside a correspondent: its link comes, somebody asks, the home prefix
    is renumbered, the link goes and comes, it stops."""
    recorder = Recorder(file)
    correspondent = recorder.new(
        Correspondent, (PEER,), random=os.urandom, first_nonce=1, home_agent=None
    )
    recorder.new(Node, correspondent=correspondent)
    link = Link("eth1", bytes(6), link_local=IPv6Address("fe80::1"), mtu=1500)
    advertising = Advertising(
        link="eth1",
        addresses=(ROUTER,),
        interval_max=4.0,
        home_agent=True,
        home_prefixes=(HomePrefix(network=HOME_PREFIX),),
    )
    router = recorder.new(AdvertisingRouter, (advertising,), random=os.urandom)
    node = recorder.new(Node, router=router)
    router.link_up(link, 1.0)
    node.tick(1.0)
    asked = Packet(
        source=IPv6Address("fe80::2"),
        destination=IPv6Address("ff02::2"),
        message=RouterSolicitation(),
        hop_limit=255,
    )
    node.receive(write(asked), 1.5, link="eth1")
    node.tick(5.5)
    router.renumber((HomePrefix(network=HOME_PREFIX, valid_until=1000.0),), 6.0)
    router.link_down("eth1", 7.0)
    router.link_up(link, 8.0)
    router.stop(9.0)


def recording(scene: Callable[[io.StringIO], Any]) -> list[str]:
    file = io.StringIO()
    scene(file)
    return file.getvalue().splitlines(keepends=True)


def test_what_router_advertisements_came_of_is_replayed() -> None:
    """As its own node, beside that of the other roles."""
    steps = list(replay(recording(advertise)))
    assert all(step.same for step in steps)
    sends = [step.name for step in steps for e in step.effects if isinstance(e, Send)]
    assert sends == ["Node2.tick", "Node2.tick", "AdvertisingRouter.stop"]


@pytest.mark.parametrize("scene", [roam, serve, correspond])
def test_a_replay_gives_what_was_recorded(scene: Callable[[io.StringIO], Any]) -> None:
    lines = recording(scene)
    steps = list(replay(lines))
    parts = 1 + 2
    assert len(steps) == len(lines) - parts
    assert all(step.same for step in steps)
    for step, text in zip(steps, lines[parts:], strict=True):
        line = json.loads(text)
        assert line["input"] == step.name
        assert line["arguments"]["now"] == step.at
        assert line["effects"] == json.loads(json.dumps(encode(step.effects)))
    assert any(step.effects for step in steps)


def test_no_node_key_and_no_nonce_is_recorded() -> None:
    """Who had them could bind any home address at the correspondent."""
    file = io.StringIO()
    secrets = [octets for octets in correspond(file) if len(octets) > 2]
    assert len(secrets) >= 2
    assert not any(octets.hex() in file.getvalue() for octets in secrets)


def test_every_input_was_in_these_recordings() -> None:
    scenes = (roam, serve, correspond, advertise)
    lines = [line for scene in scenes for line in recording(scene)]
    seen = {json.loads(line).get("input") for line in lines}
    assert {name for name in seen - {None} if not name.startswith("Node2.")} == {
        f"{kind.__name__}.{name}" for kind, names in INPUTS.items() for name in names
    }


def test_every_input_is_recorded() -> None:
    """Whatever answers with effects is one, or is called by the node only."""
    by_the_node = {
        "receive",
        "tick",
        "failed",
        "unmatched",
        "talks_to",
        "addresses_changed",
        "sent_to_group",
        "asked_for_groups",
    }
    for kind, names in INPUTS.items():
        answering = {
            name
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if inspect.signature(method).return_annotation == list[Effect]
            and not name.startswith("_")
        }
        assert answering - by_the_node == set(names) - by_the_node, kind


def test_recording_changes_nothing() -> None:
    recorded, plain = roam(io.StringIO()), Roamer(seed=1)
    plain.register()
    assert recorded.sent[: len(plain.sent)] == plain.sent


def test_without_a_file_nothing_is_touched() -> None:
    node = Recorder().new(Node)
    assert "receive" not in vars(node)
    assert isinstance(node, Node)


def test_another_core_is_noticed() -> None:
    lines = recording(serve)
    line = json.loads(lines[3])
    line["effects"].pop()
    lines[3] = json.dumps(line)
    same = [step.same for step in replay(lines)]
    assert same == [False] + [True] * (len(same) - 1)


def test_chance_that_was_not_recorded_is_the_same_each_time() -> None:
    lines = [
        json.dumps({k: v for k, v in json.loads(line).items() if k != "random"})
        for line in recording(roam)
    ]
    first, second = list(replay(lines)), list(replay(lines))
    assert [step.effects for step in first] == [step.effects for step in second]
    assert not all(step.same for step in first)


class BrokenNode(Node):
    def tick(self, now: float) -> Any:
        raise ZeroDivisionError("a bug")


def test_a_bug_is_recorded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Node, "tick", BrokenNode.tick)
    file = io.StringIO()
    node = Recorder(file).new(Node)
    with pytest.raises(ZeroDivisionError):
        node.tick(1.0)
    node.receive(b"", 2.0)
    lines = file.getvalue().splitlines()
    (step,) = replay(lines)  # behind an exception nothing is certain
    assert (step.raised, step.same) == ("ZeroDivisionError('a bug')", True)
    monkeypatch.undo()
    assert [step.same for step in replay(lines)] == [False, True]


def test_only_values_of_the_core_are_recorded() -> None:
    with pytest.raises(AssertionError):
        encode(Secret(b"key"))
    with pytest.raises(AssertionError):
        encode({"a": [SimpleNamespace()]})


def test_a_recording_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    with open_recording(path) as file:
        Recorder(file)
        assert json.loads(path.read_text())["recording"] == 1  # at once
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ('{"recording": 2}', 1),
        ("[]", 1),
        ("", 1),
        ('{"new": "Secret", "arguments": {}}', 2),
        ('{"new": "Node", "arguments": {"x": 1}}', 2),
        ('{"input": "Node.receive", "arguments": {"now": 1}}', 2),
        ('{"input": "Node.__init__", "arguments": {"now": 1}}', 2),
        ('{"input": "Node.tick"}', 2),
        ('{"input": 1, "arguments": {}}', 2),
        ('{"random": ["x"]}', 2),
        ("{", 2),
    ],
)
def test_what_is_no_recording(line: str, number: int) -> None:
    lines = [line] if number == 1 else ['{"recording": 1}', line]
    with pytest.raises(RecordingError, match=f"line {number}: "):
        list(replay(lines))


def test_values_come_back() -> None:
    tunnel = Tunnel(
        end=End.MOBILE_NODE,
        home_address=HOME_ADDRESS,
        care_of_address=CARE_OF_ADDRESS,
        home_agent=HOME_AGENT,
        expires=0.1 + 0.2,
    )
    value = decode(
        json.loads(json.dumps(encode((tunnel, b"\1", None, HOME_PREFIX, ROUTER))))
    )
    assert value == (tunnel, b"\1", None, HOME_PREFIX, ROUTER)
    assert value[0].end is End.MOBILE_NODE


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recording"
    lines = recording(serve)
    path.write_text("".join(lines))
    assert main(["replay", str(path)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    trace = said.out.splitlines()
    assert trace[0] == (
        "    101.500000   Node.receive BindingUpdate  2001:db8:b::64 → 2001:db8:a::1, "
        "home_address 2001:db8:a::100, sequence_number 7, lifetime 60 s, acknowledge, "
        "home_registration"
    )
    assert "install Tunnel(end home_agent, home_address 2001:db8:a::100" in trace[1]
    assert "send BindingAcknowledgement  2001:db8:a::1 → 2001:db8:b::64" in trace[2]
    assert "notify BindingChanged(change refreshed" in trace[3]

    line = json.loads(lines[3])
    line["effects"].pop()
    path.write_text("".join([*lines[:3], json.dumps(line) + "\n", *lines[4:]]))
    assert main(["replay", str(path)]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("    101.500000 ! Node.receive")
    assert said.err == (
        "mip6 replay: not what was recorded: 1 inputs, the first in line 4\n"
    )

    path.write_text("[]")
    assert main(["replay", str(path)]) == 1
    assert "line 1: " in capsys.readouterr().err
    assert main(["replay", str(tmp_path / "missing")]) == 1
    assert "No such file" in capsys.readouterr().err


def test_the_command_shows_whatever_happened(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "recording"
    path.write_text("".join(recording(roam)))
    assert main(["replay", str(path)]) == 0
    trace = capsys.readouterr().out
    assert f"forward data  {ROAMER} → {HOME_AGENT}, next_header 59, length 0\n" in trace
    assert "Node.receive malformed: truncated at octet 8\n" in trace
    assert "MobileNode.link_down name eth0\n" in trace

    monkeypatch.setattr(Node, "tick", BrokenNode.tick)
    assert main(["replay", str(path)]) == 1
    trace = capsys.readouterr().out
    assert trace.endswith("raised ZeroDivisionError('a bug')\n")


def keys_of(association: SecurityAssociation) -> tuple[Secret, Secret]:
    transform = association.transform
    return transform.integrity_key, transform.encryption_key


@pytest.mark.root
def test_two_daemons_recorded(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Away, home and away again; then each recording alone gives the same."""
    derived = from_key(KEY, IPv6Address(WORLD_HOME_ADDRESS), IPv6Address(WORLD_AGENT))
    files = {}
    for instance in (world.home_agent, world.mobile_node):
        files[instance.name] = tmp_path / instance.name
        instance.options = f"--record {files[instance.name]}"
        instance.start()
    for link, place in (
        ("visited", "registered"),
        ("home", "at_home"),
        ("visited", "registered"),
    ):
        world.plug(link)
        until(lambda place=place: world.mobile_node.place() == place, place)
    assert world.mobile_node.end(signal.SIGTERM) == 0
    assert world.home_agent.end(signal.SIGTERM) == 0
    for file in files.values():
        assert main(["replay", str(file)]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        assert said.out.count("BindingUpdate") >= 4
        assert said.out.count("BindingAcknowledgement") >= 4
        # Neither the shared key nor one that is derived from it.
        secrets = [KEY, *(s for a in derived for s in keys_of(a))]
        recorded = file.read_text()
        assert not any(secret.reveal().hex() in recorded for secret in secrets)
