"""The captured mobile node against our correspondent, with the captured tokens."""

import pytest
from tests.interop.test_replay import Replay
from tests.support.captures import (
    AT_B,
    AT_C,
    CORRESPONDENT,
    HOME_ADDRESS,
    Captured,
    messages,
    packets,
)

from mip6.core.correspondent import Correspondent
from mip6.core.node import Node
from mip6.core.nonces import Nonce
from mip6.core.packet import Packet, read, write
from mip6.core.state import End, RouteOptimization
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingRefreshRequest,
    CareOfTest,
    HomeTest,
    HomeTestInit,
)
from mip6.wire.options import BindingAuthorizationData

PHASES = ("rr-cnbind", "refresh", "movement", "return-home")
TELL = 10.0
"""Seconds between two words of the data plane about the same traffic."""


@pytest.fixture(autouse=True)
def captured_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows the node key of then; our nonces have the indices of then, 1 and 2,
    as a new one is made for the first test after 30 seconds."""
    home, care_of = {}, {}
    for message in (m.packet for phase in PHASES for m in messages(f"{phase}-cn")):
        match message.message:
            case HomeTest() as test:
                found = message.destination, test.home_nonce_index
                home[found] = test.home_keygen_token
            case CareOfTest() as test:
                found = message.destination, test.care_of_nonce_index
                care_of[found] = test.care_of_keygen_token
    monkeypatch.setattr(Nonce, "home_keygen_token", lambda n, a: home[a, n.index])
    monkeypatch.setattr(Nonce, "care_of_keygen_token", lambda n, a: care_of[a, n.index])


def correspondent(*restored: RouteOptimization) -> Node:
    return Node(
        correspondent=Correspondent((CORRESPONDENT,), random=bytes, restored=restored)
    )


def replay_to(node: Node, *phases: str) -> Replay:
    replay = Replay(node, End.CORRESPONDENT, protected=False)
    replay.standing = {state.key: state for state in node.installed}
    told = 0.0
    every: list[Captured] = [c for phase in phases for c in packets(f"{phase}-cn")]
    for captured in every:
        if captured.octets[24:40] != CORRESPONDENT.packed:
            continue
        replay.receive(captured)
        if captured.at >= told + TELL:
            effects = node.talks_to(CORRESPONDENT, HOME_ADDRESS, captured.at)
            replay.do(effects, captured.at)
            told = captured.at
    return replay


def said(*phases: str) -> list[Packet]:
    """What the captured correspondent said of these things, in order."""
    return [
        message.packet
        for phase in phases
        for message in messages(f"{phase}-cn")
        if message.packet.source == CORRESPONDENT
        and isinstance(
            message.packet.message, HomeTest | CareOfTest | BindingAcknowledgement
        )
    ]


def answers(replay: Replay) -> list[Packet]:
    """What ours said, as it is read."""
    return [
        read(write(packet))
        for _, packet in replay.sent
        if not isinstance(packet.message, BindingRefreshRequest)
    ]


def ways(replay: Replay) -> list[RouteOptimization]:
    return [s for s in replay.standing.values() if isinstance(s, RouteOptimization)]


@pytest.mark.rfc("5.2.5", "tests and acknowledgement are those of another's")
def test_tests_and_binding() -> None:
    replay = replay_to(correspondent(), "rr-cnbind")
    expected = said("rr-cnbind")
    assert [type(p.message) for p in expected] == [
        HomeTest,
        CareOfTest,
        BindingAcknowledgement,
    ]
    assert answers(replay) == expected
    # Octet by octet, authenticator and checksum included.
    assert [p.payload for p in answers(replay)] == [p.payload for p in expected]
    (way,) = ways(replay)
    assert way.care_of_address == AT_B
    # Data with the Home Address option got in.
    assert "home_address_option_without_binding" not in replay.dropped


def test_refresh_and_wrong_deletions() -> None:
    """They are signed with both tokens, where the home token alone belongs."""
    replay = replay_to(correspondent(), "rr-cnbind", "refresh")
    requests = [
        (at, packet)
        for at, packet in replay.sent
        if isinstance(packet.message, BindingRefreshRequest)
    ]
    # Theirs asks once, two seconds before the end; ours from seven seconds on.
    (theirs,) = [
        message
        for message in messages("refresh-cn")
        if isinstance(message.packet.message, BindingRefreshRequest)
    ]
    assert [write(packet) for _, packet in requests] == [
        write(Packet(**_fields(theirs.packet)))
    ] * len(requests)
    assert 0 < theirs.at - requests[0][0] < 7
    assert replay.dropped.count("authenticator") == 5
    assert answers(replay) == said("rr-cnbind")
    # It ended when it should, and they sent nothing by it from then on.
    assert ways(replay) == []


def _fields(packet: Packet) -> dict[str, object]:
    return {
        "source": packet.source,
        "destination": packet.destination,
        "message": packet.message,
    }


def test_movement() -> None:
    """The home token is used again; only the care-of test is new."""
    replay = replay_to(correspondent(), "rr-cnbind", "refresh", "movement")
    assert answers(replay) == said("rr-cnbind", "movement")
    (way,) = ways(replay)
    assert way.care_of_address == AT_C
    expected = said("movement")[-1]
    assert answers(replay)[-1].payload == expected.payload
    assert isinstance(expected.message, BindingAcknowledgement)
    assert isinstance(expected.message.options[-1], BindingAuthorizationData)


def bound_at_b() -> RouteOptimization:
    return RouteOptimization(
        end=End.CORRESPONDENT,
        home_address=HOME_ADDRESS,
        correspondent=CORRESPONDENT,
        care_of_address=AT_B,
        expires=packets("return-home-cn")[0].at + 30,
    )


def test_return_home() -> None:
    """The update before, number 47264 from B again, was not captured; the home token is
    still that of the first test, two minutes ago."""
    node = correspondent(bound_at_b())
    (test,) = [
        message
        for message in messages("rr-cnbind-cn")
        if isinstance(message.packet.message, HomeTestInit)
    ]
    node.receive(test.packet.octets, test.at)
    replay = replay_to(node, "return-home")
    assert answers(replay) == said("return-home")
    assert [p.payload for p in answers(replay)] == [
        p.payload for p in said("return-home")
    ]
    # The mobile node's data got in until then, and no routing header is used after.
    assert "home_address_option_without_binding" not in replay.dropped
    assert replay.standing == {}


def test_return_home_after_a_restart() -> None:
    """What was found in the kernel stands; but nobody can delete it without new tests,
    as the nonces are gone."""
    before = bound_at_b()
    replay = replay_to(correspondent(before), "return-home")
    (refusal,) = answers(replay)
    assert isinstance(refusal.message, BindingAcknowledgement)
    assert refusal.message.status == 136
    assert ways(replay) == [before]
    assert "home_address_option_without_binding" not in replay.dropped
