"""Which role a message is for, and whose tunnel it came by."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from tests.core.test_router import HOST, LINK, advertising
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
    acknowledgement,
    binding_update,
    discarded,
    dropped,
    home_agent,
)

from mip6.core.effects import Forward
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.router import AdvertisingRouter
from mip6.wire.messages import HomeTestInit
from mip6.wire.neighbor_discovery import NeighborAdvertisement, RouterSolicitation

SOLICITATION = Packet(
    source=HOST,
    destination=IPv6Address("ff02::2"),
    message=RouterSolicitation(),
    hop_limit=255,
)


def node(**changes: object) -> Node:
    made = Node(home_agent=home_agent(**changes))
    made.receive(write(binding_update(1)), 0.0)
    made.receive(write(binding_update(2, source=NEXT_CARE_OF_ADDRESS)), 10.0)
    return made


@pytest.mark.rfc("10.4.5", "the outer source is the registered care-of address")
@pytest.mark.parametrize(
    ("source", "now", "ours"),
    [
        (NEXT_CARE_OF_ADDRESS, 10.5, True),
        (CARE_OF_ADDRESS, 10.5, True),
        (CARE_OF_ADDRESS, 11.99, True),
        (CARE_OF_ADDRESS, 12.0, False),
        (IPv6Address("2001:db8:d::64"), 10.5, False),
        (IPv6Address("2001:db8:d::64"), 20.0, False),
    ],
)
def test_whose_tunnel_it_is_within_the_grace(
    source: IPv6Address, now: float, ours: bool
) -> None:
    made = node(grace=2.0)
    init = Packet(
        source=HOME_ADDRESS,
        destination=IPv6Address("2001:db8:e::2"),
        message=HomeTestInit(home_init_cookie=bytes(8)),
        tunnel=(source, HOME_AGENT),
    )
    effects = made.receive(write(init), now)
    if ours:
        assert [type(effect) for effect in effects] == [Forward]
    else:
        assert dropped(effects) == ("tunnel_source", "10.4.5")


def test_a_router_that_is_a_home_agent_hears_both() -> None:
    router = AdvertisingRouter([advertising(unsolicited=False)], random=bytes)
    router.link_up(LINK, 0.0)
    made = Node(home_agent=home_agent(), router=router)
    effects = made.receive(write(binding_update(1)), 1.0)
    assert acknowledgement(effects).status == 0
    assert router.deadline is None
    assert made.receive(write(SOLICITATION), 2.0, link="eth1") == []
    assert router.deadline == 2.0


def test_who_is_no_router_answers_no_solicitation() -> None:
    made = Node(home_agent=home_agent())
    effects = made.receive(write(SOLICITATION), 2.0, link="eth1")
    assert discarded(effects) == ("unexpected_message", "9.2")


@pytest.mark.parametrize(("home_link", "link"), [(None, None), ("eth1", "eth0")])
def test_neighbors_of_other_links_are_no_home_agents_business(
    home_link: str | None, link: str | None
) -> None:
    made = Node(home_agent=home_agent(home_link=home_link))
    message = NeighborAdvertisement(target_address=HOME_ADDRESS)
    packet = replace(SOLICITATION, message=message, destination=IPv6Address("ff02::1"))
    effects = made.receive(write(packet), 2.0, link=link)
    assert discarded(effects) == ("unexpected_message", "9.2")
