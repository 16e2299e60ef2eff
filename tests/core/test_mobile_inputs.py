"""What happens to a mobile node, and what is none of its business."""

from ipaddress import IPv6Address

import pytest
from tests.conformance.nodes import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    Roamer,
)
from tests.core.renumbering import (
    NEW_HOME_ADDRESS,
    answer,
    data,
    new,
    updates,
)
from tests.core.test_home_agents import SECOND, away, told
from tests.core.test_mobile_node import SECOND_LINK, roamer_on_two_links
from tests.core.test_path_mtu import error
from tests.core.test_prefix_solicitation import advertise, information, reasons

from mip6.core.effects import Effect
from mip6.core.events import Dropped, Phase, PhaseReached, Place
from mip6.core.packet import Packet
from mip6.core.state import Tunnel
from mip6.wire.icmpv6 import MobilePrefixAdvertisement
from mip6.wire.messages import BindingStatus

DATA = data(HOME_ADDRESS)


def dropped(effects: list[Effect]) -> list[str]:
    return [event.reason for event in told(effects, Dropped)]


# Neighbours.


@pytest.mark.rfc("11.5.1", "only the loss of the router in use is a hint of movement")
def test_a_neighbor_that_is_no_router_of_ours_is_not_missed() -> None:
    """What is due by then is left to the tick."""
    roamer = Roamer()
    roamer.link_up()
    due = roamer.now + 1.0
    for address, link in ((ROUTER_B, SECOND_LINK), (ROUTER_C, "eth0")):
        assert roamer.mobile_node.neighbor_lost(address, link, due) == []
    assert len(roamer.mobile_node.tick(due)) == 1


# Handover.


def two_links() -> Roamer:
    """Registered by the first; the second has been up as long."""
    roamer = roamer_on_two_links()
    roamer.link_up(SECOND_LINK)
    roamer.hear(PREFIX_C, ROUTER_C, link=SECOND_LINK)
    roamer.register()
    assert roamer.mobile_node.link == "eth0"
    return roamer


def test_a_handover_to_another_link_is_a_move_of_its_own() -> None:
    roamer = two_links()
    effects = roamer.do(roamer.mobile_node.handover(SECOND_LINK, roamer.now))
    first, *others = told(effects, PhaseReached)
    assert first == PhaseReached(Phase.LINK_UP, SECOND_LINK)
    assert PhaseReached(Phase.BINDING_UPDATE, SECOND_LINK) in others
    effects = roamer.answer()
    acknowledged = PhaseReached(Phase.BINDING_ACKNOWLEDGEMENT, SECOND_LINK)
    assert told(effects, PhaseReached) == [acknowledged]


def test_a_handover_to_where_one_is_is_no_move() -> None:
    roamer = two_links()
    effects = roamer.mobile_node.handover("eth0", roamer.now)
    assert told(effects, PhaseReached) == []


def test_who_has_stopped_goes_nowhere() -> None:
    roamer = two_links()
    roamer.do(roamer.mobile_node.stop(roamer.now))
    roamer.answer()
    assert roamer.mobile_node.stopped
    assert roamer.mobile_node.handover(SECOND_LINK, roamer.now) == []


# Data without a tunnel.


def test_data_after_the_end_is_not_kept() -> None:
    roamer = Roamer()
    roamer.do(roamer.mobile_node.stop(roamer.now))
    assert roamer.mobile_node.unmatched(DATA, roamer.now) == []
    assert roamer.mobile_node.held == 0


@pytest.mark.rfc("11.7.1", "a home address that is a duplicate is not used any more")
def test_data_from_a_home_address_that_is_given_up_waits_nowhere() -> None:
    """Another link does not bring it back."""
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer(status=BindingStatus.DUPLICATE_ADDRESS_DETECTION_FAILED)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    effects = roamer.do(roamer.node.unmatched(DATA, roamer.now))
    assert dropped(effects) == ["registration_refused"]
    assert roamer.mobile_node.held == 0


def test_who_has_stopped_begins_nothing_with_a_correspondent() -> None:
    roamer = Roamer()
    roamer.register()
    roamer.do(roamer.mobile_node.stop(roamer.now))
    roamer.answer()
    talk = roamer.mobile_node.talks_to(HOME_ADDRESS, CORRESPONDENT, roamer.now)
    assert (talk, len(roamer.mobile_node.correspondents)) == ([], 0)


# Stopping.


def test_stopping_without_a_link_waits_for_nobody() -> None:
    """Nobody can be told, although there is a binding."""
    roamer = Roamer()
    roamer.register()
    roamer.link_down()
    assert roamer.now < roamer.mobile_node.registration.bound_until
    roamer.do(roamer.mobile_node.stop(roamer.now))
    assert roamer.mobile_node.stopped
    assert not roamer.standing(Tunnel)


def test_who_has_stopped_asks_for_no_router() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.do(roamer.mobile_node.stop(roamer.now))
    assert roamer.mobile_node.tick(roamer.now + 60.0) == []


# Errors about the tunnel.


@pytest.mark.parametrize(
    "changes",
    [
        {"source": IPv6Address("2001:db8:c::64")},
        {"destination": CORRESPONDENT},
        {"inner_source": CORRESPONDENT},
    ],
)
def test_the_quote_is_of_our_tunnel_in_every_address(
    changes: dict[str, IPv6Address],
) -> None:
    roamer = Roamer()
    roamer.register()
    here = roamer.mobile_node.care_of_address
    assert here is not None
    fields = {"source": here, "destination": HOME_AGENT, "inner_source": HOME_ADDRESS}
    forged = error(1400, **{**fields, **changes})
    effects = roamer.mobile_node.receive(forged, roamer.now)
    assert dropped(effects) == ["icmp_error_quote"]
    assert roamer.mobile_node.homes.first.path.mtu(here, roamer.now) is None
    assert roamer.mobile_node.receive(error(1400, **fields), roamer.now)
    assert roamer.mobile_node.homes.first.path.mtu(here, roamer.now) == 1400


# Several home agents, several home addresses.


def test_a_former_home_agent_may_tell_the_prefixes() -> None:
    """It is another one on the home link; that the answer comes from the one that was
    asked is what the identifier says (§11.4.3)."""
    roamer = away(HOME_AGENT, SECOND, prefix_discovery=True)
    roamer.answer(status=BindingStatus.REASON_UNSPECIFIED)
    assert roamer.mobile_node.registration.home_agent == SECOND
    packet = Packet(
        source=HOME_AGENT,
        destination=roamer.mobile_node.care_of_address or HOME_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=MobilePrefixAdvertisement(identifier=7, options=(information(),)),
    )
    effects = roamer.mobile_node.receive(packet, roamer.now)
    assert reasons(effects) == [("unsolicited_advertisement", "11.4.3")]
    stranger = IPv6Address("2001:db8:a::d")
    packet = Packet(
        source=stranger,
        destination=packet.destination,
        routing_address=HOME_ADDRESS,
        message=packet.message,
    )
    effects = roamer.mobile_node.receive(packet, roamer.now)
    assert reasons(effects) == [("not_from_home_agent", "11.4.3")]


def test_another_home_address_is_registered_where_the_first_one_is() -> None:
    """First of all with the home agent that serves it now, whatever the list says."""
    roamer = Roamer(home_agents=(HOME_AGENT, SECOND), prefix_discovery=True)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer(status=BindingStatus.REASON_UNSPECIFIED)
    roamer.answer()
    assert roamer.mobile_node.home_agent == SECOND
    advertise(roamer, information(), new(10_000), source=SECOND)
    [update] = updates(roamer, NEW_HOME_ADDRESS)
    assert update.packet.destination == SECOND
    answer(roamer, NEW_HOME_ADDRESS)
    assert roamer.mobile_node.place is Place.REGISTERED
