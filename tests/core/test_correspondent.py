"""The correspondent: tests answered, bindings made, kept and ended."""

import pytest
from tests.support.correspondents import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    MobileNode,
    acknowledgement,
    correspondent_node,
    dropped,
    one,
    optimized,
    sent,
)


@pytest.fixture
def mobile_node() -> MobileNode:
    return MobileNode(node=correspondent_node())


def test_a_binding(mobile_node: MobileNode) -> None:
    node = mobile_node.node
    effects = mobile_node.bind(1.0)
    answer = one(effects)
    assert mobile_node.believes(answer)
    assert answer.routing_address == HOME_ADDRESS
    assert optimized(node) == {(CORRESPONDENT, HOME_ADDRESS): CARE_OF_ADDRESS}
    assert (
        dropped(node.receive(mobile_node.update(key=bytes(20)), 2.0)) == "authenticator"
    )
    assert acknowledgement(node.receive(mobile_node.update(1), 2.0)).status == 135
    effects = node.receive(mobile_node.update(3, lifetime=0), 3.0)
    assert mobile_node.believes(one(effects), lifetime=0)
    assert node.installed == set()
    assert acknowledgement(node.receive(mobile_node.update(4), 4.0)).status == 137
    mobile_node.bind(5.0)
    node.talks_to(CORRESPONDENT, HOME_ADDRESS, 40.0)
    assert node.deadline == 50.0
    assert len(sent(node.tick(50.0))) == 1
