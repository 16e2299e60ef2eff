"""One entry of the correspondent: what a refusal gives back, what a deletion leaves,
what is found at the start; and the moments at which it changes."""

from ipaddress import IPv6Address

import pytest
from tests.support.core import home_agent
from tests.support.correspondents import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    OTHER_CORRESPONDENT,
    OTHER_HOME_ADDRESS,
    MobileNode,
    acknowledgement,
    correspondent,
    correspondent_node,
    dropped,
    optimized,
    sent,
)

from mip6.core.correspondent import REFUSAL_MAX
from mip6.core.effects import Effect, Notify
from mip6.core.events import BindingChanged, Change
from mip6.core.node import Node
from mip6.core.packet import Packet
from mip6.core.path_mtu import MTU_LIFETIME
from mip6.core.state import End, Route, RouteOptimization
from mip6.wire.icmpv6 import PacketTooBig
from mip6.wire.messages import BindingRefreshRequest

ENDS = (CORRESPONDENT, HOME_ADDRESS)
OTHER_ENDS = (CORRESPONDENT, OTHER_HOME_ADDRESS)


def optimization(node: Node, home_address: IPv6Address) -> RouteOptimization:
    (state,) = [
        state
        for state in node.installed
        if isinstance(state, RouteOptimization) and state.home_address == home_address
    ]
    return state


def changes(effects: list[Effect]) -> list[Change]:
    return [
        effect.event.change
        for effect in effects
        if isinstance(effect, Notify) and isinstance(effect.event, BindingChanged)
    ]


def test_the_state_of_one_is_refused_after_another_has_bound() -> None:
    node = correspondent_node()
    MobileNode(node=node).bind()
    MobileNode(node=node, home_address=OTHER_HOME_ADDRESS).bind()
    effects = node.failed(optimization(node, HOME_ADDRESS), 0.0)
    assert changes(effects) == [Change.DELETED]
    assert sent(effects) == []
    assert optimized(node) == {OTHER_ENDS: CARE_OF_ADDRESS}


@pytest.mark.parametrize(("late", "told"), [(0.0, 1), (0.01, 0)])
def test_how_late_a_refusal_is_one_of_the_update(late: float, told: int) -> None:
    node = correspondent_node()
    MobileNode(node=node).bind()
    effects = node.failed(optimization(node, HOME_ADDRESS), REFUSAL_MAX + late)
    assert len(sent(effects)) == told
    assert optimized(node) == {}


def test_a_state_is_refused_that_a_deleted_binding_had_too() -> None:
    node = correspondent_node()
    MobileNode(node=node, correspondent=OTHER_CORRESPONDENT).bind()
    mobile_node = MobileNode(node=node)
    mobile_node.bind()
    node.receive(mobile_node.update(lifetime=0), 0.0)
    (route,) = [state for state in node.installed if isinstance(state, Route)]
    effects = node.failed(route, 0.0)
    assert changes(effects) == [Change.DELETED]
    assert sent(effects) == []
    assert node.installed == set()


@pytest.mark.rfc("9.5.3", "an update of before does not undo the deletion")
def test_a_deletion_without_a_binding_spends_the_nonces_too() -> None:
    node = correspondent_node()
    mobile_node = MobileNode(node=node).tested()
    late = mobile_node.update()
    deletion = mobile_node.update(lifetime=0)
    assert acknowledgement(node.receive(deletion, 0.0)).status == 0
    assert acknowledgement(node.receive(late, 0.1)).status == 137
    assert optimized(node) == {}


@pytest.mark.rfc("9.5.5", "an update, even a wrong one, ends the requests")
def test_no_request_follows_an_update() -> None:
    node = correspondent_node()
    mobile_node = MobileNode(node=node)
    mobile_node.bind()
    node.talks_to(CORRESPONDENT, HOME_ADDRESS, 44.0)
    (request,) = sent(node.tick(45.0))
    assert isinstance(request.message, BindingRefreshRequest)
    packet = mobile_node.update(key=bytes(20))
    assert dropped(node.receive(packet, 46.0)) == "authenticator"
    node.talks_to(CORRESPONDENT, HOME_ADDRESS, 46.5)
    for now in range(47, 60):
        assert sent(node.tick(float(now))) == []


def test_a_full_cache_refuses_nobody_who_is_in_it() -> None:
    node = correspondent_node(bindings_max=1)
    mobile_node = MobileNode(node=node)
    mobile_node.bind(lifetime=400)
    assert changes(mobile_node.bind(1.0, lifetime=400)) == [Change.REFRESHED]
    # Not even one who is out of use, and could make room for others.
    assert changes(mobile_node.bind(100.0, lifetime=400)) == [Change.REFRESHED]


def test_the_shortest_lifetime() -> None:
    node = correspondent_node(lifetime_max=4)
    assert acknowledgement(MobileNode(node=node).bind(lifetime=60)).lifetime == 4


def test_an_error_must_come_to_who_sent_the_packet() -> None:
    node = correspondent_node()
    mobile_node = MobileNode(node=node)
    mobile_node.bind()
    error = PacketTooBig(mtu=1400, packet=mobile_node.data())
    packet = Packet(
        source=CARE_OF_ADDRESS, destination=OTHER_CORRESPONDENT, message=error
    )
    assert node.correspondent is not None
    assert dropped(node.correspondent.receive(packet, 0.0)) == "icmp_error_quote"


@pytest.mark.parametrize("early", [0.0, 0.01])
def test_a_path_mtu_is_forgotten_in_its_time(early: float) -> None:
    node = correspondent_node()
    mobile_node = MobileNode(node=node)
    mobile_node.bind(lifetime=400)

    def too_big(mtu: int) -> bytes:
        return mobile_node.error(PacketTooBig(mtu=mtu, packet=mobile_node.data()))

    node.receive(too_big(1400), 1.0)
    mobile_node.bind(300.0, lifetime=400)
    now = 1 + MTU_LIFETIME - early
    effects = node.receive(too_big(1420), now)
    if early:
        assert dropped(effects) == "mtu_not_smaller"
    (route,) = [state for state in node.installed if isinstance(state, Route)]
    assert route.mtu == (1376 if early else 1396)


FOUND = RouteOptimization(
    end=End.CORRESPONDENT,
    home_address=HOME_ADDRESS,
    correspondent=CORRESPONDENT,
    care_of_address=CARE_OF_ADDRESS,
    expires=1000.0,
)


def test_found_at_the_start_it_is_asked_for_before_its_end() -> None:
    role = correspondent(restored=[FOUND])
    assert role.deadline == 970.0
    # No home agent of ours serves this one.
    elsewhere = FOUND.home_address, IPv6Address("2001:db8:77::1")
    for home_address, count in zip(elsewhere, (0, 1), strict=True):
        state = RouteOptimization(
            end=End.CORRESPONDENT,
            home_address=home_address,
            correspondent=CORRESPONDENT,
            care_of_address=CARE_OF_ADDRESS,
            expires=1000.0,
        )
        role = correspondent(home_agent=home_agent(), restored=[state])
        assert len(optimized(Node(correspondent=role))) == count


def test_the_mobile_nodes_own_way_is_not_found() -> None:
    state = RouteOptimization(
        end=End.MOBILE_NODE,
        home_address=CORRESPONDENT,
        correspondent=CORRESPONDENT,
        care_of_address=CARE_OF_ADDRESS,
        expires=1000.0,
    )
    assert correspondent(restored=[state]).installed == set()
