"""A home prefix that is deprecated and ends, and the home link of several."""

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_PREFIX
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    ROUTER_HOME,
    Roamer,
)
from tests.core.renumbering import (
    BOTH,
    FOR_EVER,
    NEW_HOME_ADDRESS,
    NEW_PREFIX,
    answer,
    default_source,
    deprecated,
    new,
    renumbered,
    tell,
    tunnels,
    updates,
)
from tests.core.test_prefix_solicitation import (
    CARE_OF_ADDRESS,
    advertise,
    information,
    registered,
)
from tests.support.core import told

from mip6.core.adopted import Adopted
from mip6.core.effects import Send
from mip6.core.events import (
    HomeAddressesChanged,
    Place,
    PlaceChanged,
)
from mip6.core.prefix_solicitation import APART
from mip6.core.state import (
    HomeAddress,
    Rule,
)
from mip6.wire.messages import (
    BindingStatus,
)
from mip6.wire.neighbor_discovery import NeighborAdvertisement

# Deprecated.


def test_new_connections_begin_at_the_preferred_one() -> None:
    roamer = renumbered()
    effects = tell(roamer, information(100, 0), new())
    turned = (NEW_HOME_ADDRESS, HOME_ADDRESS)
    events = told(effects)
    assert HomeAddressesChanged(turned) in events
    place = PlaceChanged(Place.REGISTERED, NEW_HOME_ADDRESS, CARE_OF_ADDRESS, "eth0")
    assert place in events
    assert roamer.mobile_node.home_address == NEW_HOME_ADDRESS
    assert default_source(roamer) == NEW_HOME_ADDRESS
    assert set(tunnels(roamer)) == set(BOTH)
    assert roamer.open


def test_the_tunnel_is_tried_from_the_preferred_one() -> None:
    roamer = renumbered(probe_tunnel=True)
    assert roamer.mobile_node.probe is not None
    assert roamer.mobile_node.probe.home_address == HOME_ADDRESS
    tell(roamer, information(100, 0), new())
    assert roamer.mobile_node.probe.home_address == NEW_HOME_ADDRESS


def test_a_preferred_lifetime_that_passes_is_as_good_as_told() -> None:
    roamer = registered()
    advertise(roamer, information(200, 20), new())
    answer(roamer, NEW_HOME_ADDRESS)
    roamer.wait(19)
    assert roamer.mobile_node.home_address == HOME_ADDRESS
    roamer.wait(1)
    assert roamer.mobile_node.home_address == NEW_HOME_ADDRESS


def test_what_works_is_used_until_the_new_one_is_registered() -> None:
    roamer = renumbered(accepted=False)
    tell(roamer, information(100, 0), new())
    assert roamer.mobile_node.home_address == HOME_ADDRESS
    answer(roamer, NEW_HOME_ADDRESS)
    assert roamer.mobile_node.home_address == NEW_HOME_ADDRESS


def test_where_all_are_deprecated_nothing_changes() -> None:
    roamer = renumbered()
    tell(roamer, information(100, 0), new(100, 0))
    assert roamer.mobile_node.home_addresses == BOTH


def test_the_old_one_is_refreshed_until_its_prefix_ends() -> None:
    roamer = deprecated(390)
    asked = len(updates(roamer, HOME_ADDRESS))
    roamer.wait(299)
    assert len(updates(roamer, HOME_ADDRESS)) == asked + 1
    last = updates(roamer, HOME_ADDRESS)[-1]
    assert last.update.lifetime <= 390 - 298
    assert last.update.lifetime > 80


@pytest.mark.rfc("11.4.3-9", "when its prefix is over, so is the address")
def test_the_old_one_goes_with_its_prefix() -> None:
    roamer = deprecated(100)
    roamer.wait(99)
    assert set(tunnels(roamer)) == set(BOTH)
    roamer.wait(1)
    assert set(tunnels(roamer)) == {NEW_HOME_ADDRESS}
    addresses = {state.address for state in roamer.standing(HomeAddress)}
    assert addresses == {NEW_HOME_ADDRESS}
    count = len(updates(roamer, HOME_ADDRESS))
    roamer.wait(100)
    assert len(updates(roamer, HOME_ADDRESS)) == count
    assert roamer.mobile_node.home_addresses == (NEW_HOME_ADDRESS,)


@pytest.mark.rfc("11.4.3-9", "a valid lifetime of 0 takes a prefix back")
def test_the_old_one_goes_at_once_when_its_prefix_is_taken_back() -> None:
    """Though it was for ever when it was told last."""
    roamer = deprecated(FOR_EVER)
    tell(roamer, information(0), new())
    assert roamer.mobile_node.home_addresses == (NEW_HOME_ADDRESS,)
    assert set(tunnels(roamer)) == {NEW_HOME_ADDRESS}
    assert {p.network for p in roamer.mobile_node.prefixes.prefixes} == {
        HOME_PREFIX,
        NEW_PREFIX,
    }
    tell(roamer, new())
    assert [p.network for p in roamer.mobile_node.prefixes.prefixes] == [NEW_PREFIX]


def test_the_only_one_stays_when_its_prefix_is_over() -> None:
    """There is nothing better: the home agent may be asked."""
    roamer = registered()
    advertise(roamer, information(20))
    roamer.wait(60)
    assert roamer.mobile_node.home_addresses == (HOME_ADDRESS,)


def test_a_prefix_that_the_home_agent_has_no_more() -> None:
    """It was for ever when it was told last, and is not in the list any more."""
    roamer = deprecated(FOR_EVER)
    roamer.wait(2)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    refused = {"status": BindingStatus.NOT_HOME_SUBNET, "lifetime": 0}
    answer(roamer, HOME_ADDRESS, **refused)
    assert roamer.mobile_node.home_addresses == (NEW_HOME_ADDRESS, HOME_ADDRESS)
    answer(roamer, NEW_HOME_ADDRESS)
    assert roamer.mobile_node.home_addresses == (NEW_HOME_ADDRESS,)
    # And it is not formed again before somebody tells of it.
    roamer.wait(10)
    assert roamer.mobile_node.home_addresses == (NEW_HOME_ADDRESS,)
    tell(roamer, information(FOR_EVER), new())
    assert set(roamer.mobile_node.home_addresses) == set(BOTH)


def test_the_new_one_asks_for_prefixes() -> None:
    roamer = deprecated(100)
    roamer.wait(100)
    advertise(roamer, number=1, routing_address=NEW_HOME_ADDRESS)
    roamer.wait(APART)
    assert roamer.sent[-1].packet.home_address == NEW_HOME_ADDRESS


@pytest.mark.rfc("11.4.3-7", "the home address that it was sent to asks")
def test_an_advertisement_for_each_of_them_is_acknowledged() -> None:
    roamer = renumbered()
    for home_address in (NEW_HOME_ADDRESS, HOME_ADDRESS):
        roamer.wait(5)
        advertise(roamer, number=1, routing_address=home_address)
        roamer.wait(APART)
        assert roamer.sent[-1].packet.home_address == home_address
        # A second one finds it asking, and is repeated.
        advertise(roamer, number=1, routing_address=HOME_ADDRESS)
        assert advertise(roamer, new(), routing_address=home_address) == []


def test_one_that_ended_meanwhile_asks_no_more() -> None:
    roamer = deprecated(10)
    roamer.wait(9.5)
    advertise(roamer, number=1, routing_address=HOME_ADDRESS)
    roamer.wait(APART)
    assert roamer.mobile_node.home_addresses == (NEW_HOME_ADDRESS,)
    assert roamer.sent[-1].packet.home_address == NEW_HOME_ADDRESS


# At home.


def test_any_of_the_prefixes_means_home() -> None:
    roamer = renumbered()
    roamer.wait(2)
    roamer.link_down()
    roamer.link_up()
    effects = roamer.hear(NEW_PREFIX, ROUTER_HOME, home_agent=True)
    assert roamer.mobile_node.place is Place.RETURNING
    for home_address in BOTH:
        last = updates(roamer, home_address)[-1]
        assert (last.update.lifetime, last.packet.source) == (0, home_address)
    assert effects
    answer(roamer, NEW_HOME_ADDRESS)
    effects = answer(roamer, HOME_ADDRESS)
    assert roamer.mobile_node.place is Place.AT_HOME
    on_link = {s.address for s in roamer.standing(HomeAddress) if s.link == "eth0"}
    assert on_link == set(BOTH)
    said = [
        e.packet.message.target_address
        for e in effects
        if isinstance(e, Send) and isinstance(e.packet.message, NeighborAdvertisement)
    ]
    assert set(BOTH) <= set(said)


def test_a_link_that_comes_later_knows_the_prefixes_too() -> None:
    roamer = renumbered(links=("eth0", "eth1"))
    roamer.link_up("eth1")
    roamer.hear(NEW_PREFIX, ROUTER_HOME, link="eth1", home_agent=True)
    up = roamer.mobile_node.attachments.up["eth1"]
    attachment = up.attachment(roamer.now)
    assert attachment is not None and attachment.at_home


def test_at_home_on_a_link_that_others_configure() -> None:
    roamer = Roamer(prefix_discovery=True, managed=False)
    roamer.link_up()
    other = Adopted(address=PREFIX_B[7], prefix_length=64)
    node = roamer.mobile_node
    roamer.do(node.configured("eth0", (other,), (ROUTER_B,), roamer.now))
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer()
    advertise(roamer, information(FOR_EVER), new())
    answer(roamer, NEW_HOME_ADDRESS)
    roamer.link_down()
    roamer.link_up()
    mine = Adopted(address=NEW_PREFIX[7], prefix_length=64)
    roamer.do(node.configured("eth0", (mine,), (ROUTER_HOME,), roamer.now))
    roamer.hear(NEW_PREFIX, ROUTER_HOME, home_agent=True)
    for home_address in BOTH:
        answer(roamer, home_address)
    assert node.place is Place.AT_HOME
    rules = {s.source for s in roamer.standing(Rule) if s.priority == 1000}
    assert rules == set(BOTH)
