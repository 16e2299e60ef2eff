"""The correspondent beside the rules of the RFC: limits, effects, refusals, rates."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from tests.support.core import Kernel
from tests.support.correspondents import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
    OTHER_CORRESPONDENT,
    OTHER_HOME_ADDRESS,
    MobileNode,
    acknowledgement,
    correspondent,
    correspondent_node,
    dropped,
    one,
    optimized,
    sent,
)

from mip6.core.correspondent import Correspondent
from mip6.core.effects import Effect, Install, Notify, Remove, Send
from mip6.core.events import BindingChanged, Change, Refused
from mip6.core.node import Node
from mip6.core.packet import Packet
from mip6.core.state import (
    CORRESPONDENT_TABLE,
    End,
    Route,
    RouteOptimization,
)
from mip6.wire.icmpv6 import ParameterProblem
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingError,
    BindingRefreshRequest,
    BindingUpdate,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
)

ENDS = (CORRESPONDENT, HOME_ADDRESS)
ROUTE = Route(
    destination=IPv6Network(HOME_ADDRESS), link="mip0", table=CORRESPONDENT_TABLE
)


@pytest.fixture
def mobile_node() -> MobileNode:
    return MobileNode(node=correspondent_node())


def role(node: Node) -> Correspondent:
    assert node.correspondent is not None
    return node.correspondent


def route_optimization(**changes: Any) -> RouteOptimization:
    arguments: dict[str, Any] = {
        "end": End.CORRESPONDENT,
        "home_address": HOME_ADDRESS,
        "correspondent": CORRESPONDENT,
        "care_of_address": CARE_OF_ADDRESS,
        "expires": 60.0,
    }
    return RouteOptimization(**{**arguments, **changes})


def changes(effects: list[Effect]) -> list[tuple[Change, float]]:
    return [
        (effect.event.change, effect.event.lifetime)
        for effect in effects
        if isinstance(effect, Notify) and isinstance(effect.event, BindingChanged)
    ]


# Arguments


@pytest.mark.parametrize("lifetime", [3.9, 420.1])
def test_lifetime_max_must_be_possible(lifetime: float) -> None:
    with pytest.raises(ValueError, match="4 to 420 s"):
        correspondent(lifetime_max=lifetime)


def test_lifetime_max() -> None:
    node = correspondent_node(lifetime_max=42.5)
    assert acknowledgement(MobileNode(node=node).bind(lifetime=60)).lifetime == 40


@pytest.mark.parametrize(
    ("home_address", "status"), [(HOME_ADDRESS, 0), (OTHER_HOME_ADDRESS, 129)]
)
def test_who_may_have_bindings(home_address: IPv6Address, status: int) -> None:
    node = correspondent_node(
        allowed=(IPv6Network("2001:db8:1::/48"), IPv6Network(HOME_ADDRESS))
    )
    mobile_node = MobileNode(node=node, home_address=home_address).tested()
    answer = one(node.receive(mobile_node.update(), 0.0))
    assert mobile_node.believes(answer)
    assert isinstance(answer.message, BindingAcknowledgement)
    assert answer.message.status == status
    # Whoever has one, from before, may end it.
    assert (
        acknowledgement(node.receive(mobile_node.update(lifetime=0), 0.0)).status == 0
    )


# Effects


def test_states_stand_before_the_acknowledgement(mobile_node: MobileNode) -> None:
    effects = mobile_node.bind(1.0)
    install, route, answer, news = effects
    assert install == Install(route_optimization(expires=61.0))
    assert route == Install(ROUTE)
    assert isinstance(answer, Send)
    changed = BindingChanged(
        Change.CREATED, HOME_ADDRESS, CARE_OF_ADDRESS, 60, CORRESPONDENT
    )
    assert news == Notify(changed)
    assert mobile_node.node.installed == {install.state, ROUTE}
    binding = role(mobile_node.node).binding(*ENDS)
    assert binding is not None
    assert list(role(mobile_node.node).bindings) == [binding]
    assert (binding.sequence_number, binding.lifetime, binding.expires) == (1, 60, 61)


def test_a_refresh(mobile_node: MobileNode) -> None:
    mobile_node.bind(1.0)
    effects = mobile_node.node.receive(mobile_node.update(), 11.0)
    assert effects[0] == Install(route_optimization(expires=71.0))
    assert len(effects) == 3
    assert changes(effects) == [(Change.REFRESHED, 60)]


@pytest.mark.parametrize("grace", [2.0, 0.0])
def test_a_move(grace: float) -> None:
    node = correspondent_node(grace=grace)
    mobile_node = MobileNode(node=node)
    mobile_node.bind(1.0)
    mobile_node.care_of_address = NEXT_CARE_OF_ADDRESS
    effects = mobile_node.bind(11.0)
    moved = route_optimization(care_of_address=NEXT_CARE_OF_ADDRESS, expires=71.0)
    if grace:
        moved = replace(moved, previous=CARE_OF_ADDRESS, previous_until=13.0)
    assert effects[0] == Install(moved)
    assert changes(effects) == [(Change.MOVED, 60)]
    # A refresh in between does not end the grace.
    effects = node.receive(mobile_node.update(), 12.0)
    assert effects[0] == Install(replace(moved, expires=72.0))


def test_a_deletion(mobile_node: MobileNode) -> None:
    mobile_node.bind()
    effects = mobile_node.node.receive(mobile_node.update(lifetime=0), 1.0)
    assert effects[:2] == [Remove(ROUTE), Remove(route_optimization())]
    assert isinstance(effects[2], Send)
    assert changes(effects) == [(Change.DELETED, 0)]
    effects = mobile_node.node.receive(mobile_node.update(lifetime=0), 1.0)
    assert len(effects) == 1


def test_expiry(mobile_node: MobileNode) -> None:
    mobile_node.bind()
    assert mobile_node.node.deadline == 45.0
    mobile_node.node.tick(45.0)
    assert mobile_node.node.deadline == 60.0
    effects = mobile_node.node.tick(60.0)
    assert changes(effects) == [(Change.EXPIRED, 0)]
    # Nonces are discarded too.
    assert mobile_node.node.deadline == 240.0
    mobile_node.node.tick(240.0)
    assert mobile_node.node.deadline is None


def test_eviction() -> None:
    node = correspondent_node(bindings_max=1)
    MobileNode(node=node).bind(lifetime=400)
    other = MobileNode(node=node, home_address=OTHER_HOME_ADDRESS)
    effects = other.bind(30.0)
    assert effects[:2] == [Remove(ROUTE), Remove(route_optimization(expires=400.0))]
    assert changes(effects) == [(Change.EVICTED, 0), (Change.CREATED, 60)]


def test_traffic_near_the_end_brings_a_request_at_once(mobile_node: MobileNode) -> None:
    node = mobile_node.node
    mobile_node.bind()
    assert node.tick(45.0) == []
    effects = node.talks_to(CORRESPONDENT, HOME_ADDRESS, 50.0)
    assert isinstance(one(effects).message, BindingRefreshRequest)
    assert node.talks_to(CORRESPONDENT, HOME_ADDRESS, 51.0) == []
    assert node.talks_to(CORRESPONDENT, OTHER_HOME_ADDRESS, 51.0) == []


def test_bindings_of_one_home_address_share_the_route() -> None:
    node = correspondent_node()
    first = MobileNode(node=node)
    second = MobileNode(node=node, correspondent=OTHER_CORRESPONDENT)
    first.bind()
    assert Install(ROUTE) not in second.bind()
    effects = node.receive(first.update(lifetime=0), 1.0)
    assert effects[0] == Remove(route_optimization())
    assert ROUTE in node.installed
    assert Remove(ROUTE) in node.receive(second.update(lifetime=0), 1.0)


def test_both_bindings_of_a_home_address_change_places() -> None:
    """The one that goes and the one that comes have the same route."""
    node = correspondent_node(bindings_max=1)
    MobileNode(node=node).bind(lifetime=400)
    kernel = Kernel(node)
    kernel.standing = {state.key: state for state in node.installed}
    second = MobileNode(node=node, correspondent=OTHER_CORRESPONDENT)
    kernel.perform(second.bind(30.0), 30.0)
    assert set(kernel.standing.values()) == node.installed
    assert optimized(node) == {(OTHER_CORRESPONDENT, HOME_ADDRESS): CARE_OF_ADDRESS}


# What is not answered, or refused


@pytest.mark.parametrize(
    "message",
    [
        HomeTestInit(home_init_cookie=bytes(8)),
        CareOfTestInit(care_of_init_cookie=bytes(8)),
    ],
    ids=lambda message: type(message).__name__,
)
def test_tests_that_are_not_answered(message: HomeTestInit | CareOfTestInit) -> None:
    reasons = []
    for source, destination in (
        (CARE_OF_ADDRESS, IPv6Address("2001:db8:e::9")),
        (CARE_OF_ADDRESS, IPv6Address("ff02::1")),
        (IPv6Address("fe80::1"), CORRESPONDENT),
        (IPv6Address("ff02::1"), CORRESPONDENT),
        (IPv6Address("::"), CORRESPONDENT),
    ):
        packet = Packet(source=source, destination=destination, message=message)
        reasons.append(dropped(correspondent().receive(packet, 0.0)))
    assert reasons == ["not_for_us"] * 2 + ["source_address"] * 3


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"destination": IPv6Address("2001:db8:e::9")}, "not_for_us"),
        ({"source": IPv6Address("fe80::1")}, "source_address"),
        ({"home_address": IPv6Address("ff0e::1")}, "home_address"),
        ({"home_address": OTHER_CORRESPONDENT}, "home_address"),
    ],
)
def test_updates_that_are_not_answered(changed: Any, reason: str) -> None:
    packet = Packet(
        source=CARE_OF_ADDRESS,
        destination=CORRESPONDENT,
        home_address=HOME_ADDRESS,
        message=BindingUpdate(sequence_number=1, lifetime=60, home_registration=True),
    )
    assert dropped(correspondent().receive(replace(packet, **changed), 0.0)) == reason


@pytest.mark.parametrize("address", ["fe80::1", "ff0e::1", "::", "::1"])
def test_care_of_addresses_that_are_not_answered(address: str) -> None:
    node = correspondent_node()
    mobile_node = MobileNode(node=node).tested()
    packet = mobile_node.update(alternate=IPv6Address(address))
    assert dropped(node.receive(packet, 0.0)) == "care_of_address"


@pytest.mark.parametrize("care_of_address", [HOME_ADDRESS, OTHER_CORRESPONDENT])
def test_care_of_addresses_that_lead_nowhere(care_of_address: IPv6Address) -> None:
    """The home address itself, as RFC 3775 had it for a deletion; and our own."""
    node = correspondent_node()
    mobile_node = MobileNode(node=node, care_of_address=care_of_address).tested()
    at_home = care_of_address == HOME_ADDRESS
    answer = one(node.receive(mobile_node.update(at_home=at_home), 0.0))
    assert mobile_node.believes(answer)
    assert isinstance(answer.message, BindingAcknowledgement)
    assert answer.message.status == 174
    assert node.installed == set()


@pytest.mark.parametrize(
    "message",
    [
        BindingError(status=1, home_address=HOME_ADDRESS),
        HomeTest(
            home_nonce_index=1, home_init_cookie=bytes(8), home_keygen_token=bytes(8)
        ),
        ParameterProblem(code=2, pointer=40, packet=bytes(40)),
    ],
    ids=lambda message: type(message).__name__,
)
def test_messages_for_others(message: Any) -> None:
    packet = Packet(source=CARE_OF_ADDRESS, destination=CORRESPONDENT, message=message)
    assert dropped(correspondent().receive(packet, 0.0)) == "unexpected_message"


def test_a_refusal_is_told(mobile_node: MobileNode) -> None:
    mobile_node.bind()
    effects = mobile_node.node.receive(mobile_node.update(1), 0.0)
    assert effects[1:] == [Notify(Refused(HOME_ADDRESS, CARE_OF_ADDRESS, 135))]


# Rates


def test_tests_have_a_rate_each() -> None:
    node = correspondent_node(tests_rate=10, tests_burst=5)
    mobile_node = MobileNode(node=node)
    home = mobile_node.packet(HomeTestInit(home_init_cookie=bytes(8)), HOME_ADDRESS)
    care_of = mobile_node.packet(
        CareOfTestInit(care_of_init_cookie=bytes(8)), CARE_OF_ADDRESS
    )
    for packet in (home, care_of):
        assert [len(sent(node.receive(packet, 0.0))) for _ in range(7)] == [1] * 5 + [
            0,
            0,
        ]
        assert dropped(node.receive(packet, 0.0)) == "rate"
        assert len(sent(node.receive(packet, 1.0))) == 1


def test_refusals_have_a_rate_of_their_own() -> None:
    node = correspondent_node(refusals_rate=10, refusals_burst=2)
    stranger, mobile_node = MobileNode(node=node), MobileNode(node=node).tested()
    for _ in range(2):
        assert acknowledgement(node.receive(stranger.update(), 0.0)).status == 138
    assert dropped(node.receive(stranger.update(), 0.0)) == "rate"
    assert acknowledgement(node.receive(mobile_node.update(), 0.0)).status == 0
    assert acknowledgement(node.receive(mobile_node.update(1), 0.0)).status == 135
