"""Of a key nothing is derived before it is needed, and that nobody can tell."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from tests.support.security import (
    ACKNOWLEDGEMENT,
    BINDING_UPDATE,
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_TEST_INIT,
    KEY,
    OTHER_HOME_ADDRESS,
    OTHER_KEY,
    both_ways,
    chance,
    from_key,
    node,
    protected,
    reason,
)

from mip6.core.packet import Packet, write
from mip6.core.state import End
from mip6.security import associations
from mip6.security.association import SecurityAssociation, SharedKey, Source
from mip6.security.associations import Associations
from mip6.security.keys import Direction, Purpose, Secret
from mip6.security.verdict import Protected, Verified

INWARD = {
    End.HOME_AGENT: Direction.TO_HOME_AGENT,
    End.MOBILE_NODE: Direction.TO_MOBILE_NODE,
}


def key_of(
    end: End, key: Secret = KEY, home_address: IPv6Address = HOME_ADDRESS
) -> SharedKey:
    return SharedKey.at(INWARD[end], key, home_address, HOME_AGENT)


def keyed(
    end: End, *keys: Source, stored: dict[str, int] | None = None
) -> Associations:
    return Associations(end, keys or (key_of(end),), random=chance(), stored=stored)


@pytest.fixture
def derived(monkeypatch: pytest.MonkeyPatch) -> list[Purpose]:
    """What associations were derived for, in turn."""
    found: list[Purpose] = []
    made = SharedKey.made

    def noted(self: SharedKey, purpose: Purpose) -> tuple[SecurityAssociation, ...]:
        found.append(purpose)
        return made(self, purpose)

    monkeypatch.setattr(SharedKey, "made", noted)
    return found


@both_ways
def test_a_key_does_what_its_associations_do(
    sender: End, receiver: End, packet: Packet
) -> None:
    """Also with an end that has all of them."""
    for here, there in (
        (keyed(sender), keyed(receiver)),
        (node(sender), keyed(receiver)),
        (keyed(sender), node(receiver)),
    ):
        octets = protected(here, packet)
        verdict = there.verify(octets)
        assert isinstance(verdict, Verified) and verdict.octets == write(packet)
        assert verdict.protected_for == HOME_ADDRESS
        assert reason(there.verify(octets)) == "replayed"
        assert reason(there.verify(write(packet))) == "unprotected"
    assert keyed(receiver).spis == node(receiver).spis


@pytest.mark.parametrize("end", list(INWARD))
def test_the_spis_of_both_directions(end: End) -> None:
    shared = key_of(end)
    every = from_key(KEY, HOME_ADDRESS, HOME_AGENT)
    for direction in Direction:
        spis = tuple(one.spi for one in every if one.direction is direction)
        assert shared.spis_of(direction) == spis
    assert [shared.purpose_of(spi) for spi in shared.spis] == list(Purpose)
    assert shared.purpose_of(0x100) is None


def test_only_what_is_needed_is_derived(derived: list[Purpose]) -> None:
    home_agent = keyed(End.HOME_AGENT)
    assert derived == []
    first = protected(node(End.MOBILE_NODE), BINDING_UPDATE)
    assert isinstance(home_agent.verify(first), Verified)
    assert derived == [Purpose.BINDING]
    protected(home_agent, ACKNOWLEDGEMENT)
    assert derived == [Purpose.BINDING], "both directions at once, and once"
    init = protected(node(End.MOBILE_NODE), HOME_TEST_INIT)
    assert isinstance(home_agent.verify(init), Verified)
    assert derived == [Purpose.BINDING, Purpose.RETURN_ROUTABILITY]


def test_what_anybody_can_send_derives_nothing(derived: list[Purpose]) -> None:
    home_agent = keyed(End.HOME_AGENT)
    assert reason(home_agent.verify(write(BINDING_UPDATE))) == "unprotected"
    stranger = replace(BINDING_UPDATE, home_address=OTHER_HOME_ADDRESS)
    assert isinstance(home_agent.verify(write(stranger)), Verified)
    esp = bytearray(protected(node(End.MOBILE_NODE), BINDING_UPDATE))
    at = esp.index(HOME_ADDRESS.packed)  # in the Home Address option
    esp[at : at + 16] = OTHER_HOME_ADDRESS.packed
    assert reason(home_agent.verify(bytes(esp))) == "home_address_mismatch"
    assert derived == []


def test_two_keys_while_one_replaces_the_other() -> None:
    """What is sent is protected by the first, both are accepted."""
    both = [key_of(End.HOME_AGENT, key) for key in (OTHER_KEY, KEY)]
    home_agent = keyed(End.HOME_AGENT, *both)
    old, new = node(End.MOBILE_NODE), node(End.MOBILE_NODE, OTHER_KEY)
    for mobile_node in (old, new):
        verdict = home_agent.verify(protected(mobile_node, BINDING_UPDATE))
        assert isinstance(verdict, Verified)
    octets = protected(home_agent, ACKNOWLEDGEMENT)
    assert reason(old.verify(octets)) == "spi_unknown"
    assert isinstance(new.verify(octets), Verified)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([KEY, KEY], "has SPI 0x[0-9a-f]+ to_home_agent twice"),
        ([KEY, OTHER_KEY, Secret(bytes(32))], "more than 2 security associations"),
    ],
)
@pytest.mark.parametrize("end", list(INWARD))
def test_keys_that_cannot_stand_side_by_side(
    end: End, keys: list[Secret], says: str
) -> None:
    working = keyed(end)
    with pytest.raises(ValueError, match=says):
        working.replace(key_of(end, key) for key in keys)
    assert working.spis == frozenset(key_of(end).spis)


def test_beside_associations_by_hand() -> None:
    """They are held against each other as if all had been made by hand."""
    by_hand = from_key(KEY, HOME_ADDRESS, HOME_AGENT)
    with pytest.raises(ValueError, match="to_home_agent twice"):
        keyed(End.HOME_AGENT, key_of(End.HOME_AGENT), *by_hand)


# More mobile nodes than are at work.


def many(count: int) -> list[tuple[Secret, IPv6Address]]:
    return [(Secret(bytes([n]) * 32), HOME_ADDRESS + n) for n in range(1, count + 1)]


@pytest.mark.parametrize("noted", [True, False], ids=["stored", "not_stored"])
def test_numbers_outlast_what_is_at_work(
    monkeypatch: pytest.MonkeyPatch, noted: bool
) -> None:
    """RFC 4303 §3.4.3, §3.3.3: no packet counts twice and no number is used twice, also
    where the mark of a packet never came to be stored."""
    monkeypatch.setattr(associations, "AT_WORK_MAX", 2)
    nodes = many(5)
    stored: dict[str, int] = {}
    home_agent = keyed(
        End.HOME_AGENT, *(key_of(End.HOME_AGENT, *one) for one in nodes), stored=stored
    )
    mobile_nodes = [
        keyed(End.MOBILE_NODE, key_of(End.MOBILE_NODE, *one)) for one in nodes
    ]
    sent: list[bytes] = []
    for _ in range(3):
        for (_, home_address), mobile_node in zip(nodes, mobile_nodes, strict=True):
            update = replace(BINDING_UPDATE, home_address=home_address)
            octets = protected(mobile_node, update)
            verdict = home_agent.verify(octets)
            assert isinstance(verdict, Verified) and verdict.mark is not None
            sent.append(octets)
            answer = replace(ACKNOWLEDGEMENT, routing_address=home_address)
            sealed = home_agent.protect(write(answer))
            assert isinstance(sealed, Protected)
            assert isinstance(mobile_node.verify(sealed.octets), Verified)
            if noted:
                stored.update(m for m in (verdict.mark, sealed.mark) if m is not None)
            assert len(home_agent._at_work) <= 2
    for octets in sent:
        assert reason(home_agent.verify(octets)) == "replayed"
    assert len(home_agent._at_work) == 2
    if noted:
        assert not home_agent._counted, "once is enough"


def test_a_mobile_node_reserves_for_all_that_it_sends(derived: list[Purpose]) -> None:
    mobile_node = keyed(End.MOBILE_NODE)
    assert len(mobile_node.reserve()) == len(Purpose)
    assert derived == list(Purpose)
    assert mobile_node.reserve() == []
    verdict = mobile_node.protect(write(BINDING_UPDATE))
    assert isinstance(verdict, Protected) and verdict.mark is None


def test_what_protects_binding_updates_is_reserved_first(
    derived: list[Purpose], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as there is room."""
    both = (
        key_of(End.HOME_AGENT),
        key_of(End.HOME_AGENT, OTHER_KEY, OTHER_HOME_ADDRESS),
    )
    for room, expected in ((1, 1), (2, 2), (3, 2)):
        monkeypatch.setattr(associations, "AT_WORK_MAX", room)
        derived.clear()
        home_agent = keyed(End.HOME_AGENT, *both)
        assert len(home_agent.reserve()) == room
        assert derived[:expected] == [Purpose.BINDING] * expected
        assert len(derived) == len(home_agent._at_work) == room
