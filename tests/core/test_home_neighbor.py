"""What is found out on the home link before the home address is used there
(§11.5.5)."""

from dataclasses import replace
from ipaddress import IPv6Address
from math import inf

import pytest
from tests.support.core import HOME_ADDRESS, HOME_AGENT, HOME_PREFIX

from mip6.core.home_neighbor import HomeNeighbor
from mip6.core.link import Attachment
from mip6.core.packet import Packet
from mip6.core.state import Neighbor
from mip6.wire.neighbor_discovery import NeighborAdvertisement
from mip6.wire.neighbor_options import TargetLinkLayerAddress

OWN = bytes((2, 0, 0, 0, 0, 5))
OTHER = bytes((2, 0, 0, 0, 9, 9))
NEIGHBOR = Neighbor(address=HOME_AGENT, link="eth0", link_layer_address=OTHER)
AT_HOME = Attachment(
    link="eth0",
    router=IPv6Address("fe80::a"),
    router_link_layer_address=None,
    home_agent_here=False,
    prefix=HOME_PREFIX,
    care_of_address=None,
    silent=False,
    valid_until=inf,
    usable=True,
)
AWAY = replace(AT_HOME, care_of_address=IPv6Address("2001:db8:b::64"))


def heard(
    neighbor: HomeNeighbor, *, link: str = "eth0", octets: bytes | None = OTHER
) -> bool:
    """Whether an answer to the question brings a problem."""
    options = () if octets is None else (TargetLinkLayerAddress(octets),)
    message = NeighborAdvertisement(target_address=HOME_ADDRESS, options=options)
    packet = Packet(
        source=IPv6Address("fe80::99"),
        destination=IPv6Address("ff02::1"),
        message=message,
        hop_limit=255,
        link=link,
    )
    return neighbor.answered(packet, message, OWN) is not None


def returning(now: float = 10.0) -> HomeNeighbor:
    """The home agent may hold a binding."""
    neighbor = HomeNeighbor(HOME_ADDRESS)
    neighbor.attached(AT_HOME, True, now)
    return neighbor


def alone(now: float = 10.0) -> HomeNeighbor:
    """It holds none."""
    neighbor = HomeNeighbor(HOME_ADDRESS, check_time=1.0)
    neighbor.attached(AT_HOME, False, now)
    return neighbor


def test_nowhere_nothing_is_known() -> None:
    neighbor = HomeNeighbor(HOME_ADDRESS)
    assert not neighbor.conflict and not neighbor.waiting
    assert neighbor.neighbor(HOME_AGENT) == []
    assert (neighbor.deadline, neighbor.questions(0.0)) == (inf, [])


def test_without_a_time_to_object_nobody_is_asked() -> None:
    neighbor = HomeNeighbor(HOME_ADDRESS)
    neighbor.attached(AT_HOME, False, 10.0)
    assert not neighbor.waiting and neighbor.deadline == inf


def test_the_home_agent_has_a_second_to_answer() -> None:
    neighbor = returning()
    neighbor.attached(AT_HOME, True, 10.99)
    assert neighbor.waiting
    neighbor.attached(AT_HOME, True, 11.0)
    assert not neighbor.waiting and neighbor.deadline == inf


@pytest.mark.rfc("11.5.5-8", "what the home agent advertises is recorded")
def test_the_home_agent_is_known_by_its_answer_while_we_are_there() -> None:
    neighbor = returning()
    assert neighbor.neighbor(HOME_AGENT) == []
    assert not heard(neighbor)
    assert neighbor.neighbor(HOME_AGENT) == [NEIGHBOR]
    assert neighbor.neighbor(None) == []
    neighbor.attached(AWAY, True, 20.0)
    assert neighbor.neighbor(HOME_AGENT) == []


def test_on_another_home_link_it_is_looked_for_anew() -> None:
    neighbor = returning()
    for _ in range(3):
        assert len(neighbor.questions(neighbor.deadline)) == 1
    heard(neighbor)
    elsewhere = replace(AT_HOME, link="eth1")
    neighbor.attached(elsewhere, True, 20.0)
    assert neighbor.waiting and neighbor.neighbor(HOME_AGENT) == []
    asked = [neighbor.questions(neighbor.deadline) for _ in range(3)]
    assert [[packet.link for packet in packets] for packets in asked] == [["eth1"]] * 3
    assert neighbor.deadline == 21.0


def test_an_answer_counts_on_its_link_and_while_it_is_waited_for() -> None:
    neighbor = alone()
    assert not heard(neighbor, link="eth1")
    assert neighbor.waiting and not neighbor.conflict
    neighbor.attached(AT_HOME, False, 11.0)
    assert not heard(neighbor)
    assert not neighbor.conflict


def test_who_else_has_the_home_address_is_not_the_home_agent() -> None:
    neighbor = alone()
    assert heard(neighbor)
    assert neighbor.conflict and not neighbor.waiting
    assert neighbor.neighbor(HOME_AGENT) == []


def test_a_conflict_ends_when_we_leave() -> None:
    neighbor = alone()
    assert heard(neighbor)
    neighbor.attached(None, False, 20.0)
    assert not neighbor.conflict
    neighbor.attached(AT_HOME, False, 30.0)
    assert neighbor.waiting and not neighbor.conflict
    assert heard(neighbor)
    # By another link it is another question.
    neighbor.attached(replace(AT_HOME, link="eth1"), False, 40.0)
    assert neighbor.waiting and not neighbor.conflict


def test_only_who_looks_for_duplicates_asks_on_a_link_that_others_configure() -> None:
    """They find the home agent (§11.5.5) as any neighbour."""
    adopted = replace(AT_HOME, adopted=True)
    neighbor = HomeNeighbor(HOME_ADDRESS, check_time=1.0)
    neighbor.attached(adopted, True, 10.0)
    assert not neighbor.waiting
    neighbor.attached(None, True, 11.0)
    neighbor.attached(adopted, False, 12.0)
    assert neighbor.waiting
