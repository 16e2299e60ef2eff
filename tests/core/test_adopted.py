"""Links that others configure: what they make of them is taken as it is."""

from ipaddress import IPv6Address

import pytest
from tests.conformance.nodes import HOME_PREFIX
from tests.conformance.roamer import PREFIX_B, PREFIX_C, ROUTER_B, ROUTER_C, Roamer

from mip6.core.adopted import ADDRESSES_MAX, DOUBTS, Adopted, AdoptedLink
from mip6.core.events import Place
from mip6.core.state import CareOfAddress, HomeAddress, Neighbor, Route, Rule

AT_B = Adopted(address=IPv6Address("2001:db8:b::5"), prefix_length=64)
AT_C = Adopted(address=IPv6Address("2001:db8:c::5"), prefix_length=64)
ALONE = Adopted(address=IPv6Address("2001:db8:b::77"), prefix_length=128)


def roamer_on(link: str = "eth0", **more: object) -> Roamer:
    roamer = Roamer(links=("eth0", "wlan0"), managed=False, **more)
    roamer.link_up(link)
    return roamer


def configure(
    roamer: Roamer,
    *addresses: Adopted,
    link: str = "eth0",
    gateways: tuple[IPv6Address, ...] = (ROUTER_B,),
) -> None:
    node = roamer.mobile_node
    roamer.do(node.configured(link, addresses, gateways, roamer.now))


def registered_at_b() -> Roamer:
    roamer = roamer_on()
    roamer.hear(PREFIX_B, ROUTER_B)
    configure(roamer, AT_B)
    roamer.answer()
    return roamer


def test_an_address_of_others_is_registered() -> None:
    roamer = registered_at_b()
    [update] = roamer.updates
    assert update.care_of_address == AT_B.address
    assert roamer.mobile_node.place is Place.REGISTERED
    assert not [s for s in roamer.sent if s.packet.destination.is_multicast]
    roamer.wait(300.0)
    assert not [s for s in roamer.sent if s.packet.destination.is_multicast]


def test_nothing_of_the_link_is_touched() -> None:
    """Only what leads packets of the care-of address out by its own link."""
    roamer = registered_at_b()
    [address] = roamer.standing(CareOfAddress)
    assert address.adopted
    assert not roamer.standing(Neighbor)
    rules = {rule.source: rule.table for rule in roamer.standing(Rule)}
    assert rules[AT_B.address] == 102
    routes = roamer.standing(Route)
    assert {route.table for route in routes} == {100, 102}
    [way] = [route for route in routes if route.table == 102]
    assert (way.link, way.gateway) == ("eth0", ROUTER_B)


def test_an_address_that_vanishes() -> None:
    roamer = registered_at_b()
    configure(roamer)
    assert roamer.mobile_node.place is Place.NOWHERE
    configure(roamer, AT_B)
    assert roamer.mobile_node.place is Place.REGISTERED


def test_no_default_route_no_way() -> None:
    roamer = registered_at_b()
    configure(roamer, AT_B, gateways=())
    assert roamer.mobile_node.place is Place.NOWHERE


def test_a_deprecated_address_makes_way() -> None:
    """§11.5.3: for one of the same link that is preferred."""
    roamer = registered_at_b()
    other = Adopted(address=IPv6Address("2001:db8:b::9"), prefix_length=64)
    configure(roamer, other, AT_B)
    assert roamer.mobile_node.care_of_address == AT_B.address, "the one in use stays"
    old = Adopted(address=AT_B.address, prefix_length=64, preferred=False)
    configure(roamer, old, other)
    assert roamer.mobile_node.care_of_address == other.address
    configure(roamer, old)
    assert roamer.mobile_node.care_of_address == old.address, "better than none"


def test_a_tentative_address_waits() -> None:
    roamer = roamer_on()
    roamer.hear(PREFIX_B, ROUTER_B)
    tentative = Adopted(address=AT_B.address, prefix_length=64, usable=False)
    configure(roamer, tentative)
    assert not roamer.updates
    configure(roamer, AT_B)
    assert len(roamer.updates) == 1


def test_what_the_kernel_keeps_of_the_link_before() -> None:
    """The carrier was away, and nobody has removed anything."""
    roamer = registered_at_b()
    roamer.link_down()
    roamer.link_up()
    configure(roamer, AT_B)
    roamer.hear(PREFIX_C, ROUTER_C)
    assert len(roamer.updates) == 1
    configure(roamer, AT_B, AT_C, gateways=(ROUTER_B, ROUTER_C))
    assert roamer.updates[-1].care_of_address == AT_C.address


def test_without_an_advertisement_it_is_believed_after_a_while() -> None:
    """DHCPv6, or by hand: addresses whose prefix nobody advertises."""
    roamer = roamer_on()
    configure(roamer, ALONE)
    assert not roamer.updates
    roamer.wait(DOUBTS)
    assert roamer.updates[0].care_of_address == ALONE.address


def test_a_leased_address_is_of_the_prefix_that_is_advertised() -> None:
    """DHCPv6 gives it alone, whatever the link's prefix is long."""
    roamer = roamer_on()
    roamer.hear(PREFIX_B, ROUTER_B)
    configure(roamer, ALONE)
    assert roamer.updates[0].care_of_address == ALONE.address, "no doubt"
    roamer.answer()
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    leased = Adopted(address=PREFIX_C[0x77], prefix_length=128)
    configure(roamer, ALONE, leased, gateways=(ROUTER_B, ROUTER_C))
    assert roamer.updates[-1].care_of_address == leased.address, "not the one before"


@pytest.mark.parametrize("length", [64, 128])
@pytest.mark.parametrize("never", [False, True])
def test_an_address_of_the_home_prefix_means_home(never: bool, length: int) -> None:
    roamer = roamer_on(never_return_home=never)
    at_home = Adopted(address=HOME_PREFIX[0x55], prefix_length=length)
    configure(roamer, at_home)
    roamer.wait(2 * DOUBTS)
    assert roamer.mobile_node.place is Place.NOWHERE, "left from the last time at home"
    roamer.hear(HOME_PREFIX, ROUTER_B)
    place = roamer.mobile_node.place
    assert place is (Place.NOWHERE if never else Place.AT_HOME)
    on_link = {state.link for state in roamer.standing(HomeAddress)}
    assert on_link == ({"mip0"} if never else {"mip0", "eth0"})
    assert not [r for r in roamer.standing(Route) if r.table == 254]


def test_between_two_links_that_work() -> None:
    roamer = roamer_on("wlan0")
    roamer.hear(PREFIX_B, ROUTER_B, link="wlan0")
    configure(roamer, AT_B, link="wlan0")
    roamer.answer()
    roamer.link_up("eth0")
    roamer.hear(PREFIX_C, ROUTER_C, link="eth0")
    configure(roamer, AT_C, link="eth0", gateways=(ROUTER_B, ROUTER_C))
    assert roamer.mobile_node.link == "wlan0"
    assert roamer.updates[-1].care_of_address == AT_C.address
    rules = {rule.source: rule.table for rule in roamer.standing(Rule)}
    assert (rules[AT_B.address], rules[AT_C.address]) == (102, 103)
    assert roamer.updates[-1].packet.link is None, "the rules lead it out"
    roamer.answer()
    assert roamer.mobile_node.link == "eth0"
    rules = {rule.source: rule.table for rule in roamer.standing(Rule)}
    assert (rules[AT_B.address], rules[AT_C.address]) == (101, 102)


def test_a_link_that_leads_nowhere_is_left() -> None:
    roamer = roamer_on("eth0")
    roamer.hear(PREFIX_B, ROUTER_B)
    configure(roamer, AT_B)
    roamer.link_up("wlan0")
    roamer.hear(PREFIX_C, ROUTER_C, link="wlan0")
    configure(roamer, AT_C, link="wlan0", gateways=(ROUTER_B, ROUTER_C))
    roamer.wait(11.0)
    assert roamer.mobile_node.link == "wlan0"


def test_what_does_not_concern_it() -> None:
    roamer = registered_at_b()
    node = roamer.mobile_node
    node.configured("eth7", (AT_C,), (ROUTER_C,), roamer.now)
    assert node.neighbor_lost(ROUTER_B, "eth0", roamer.now) == []
    node.address_checked(AT_B.address, "eth0", False, roamer.now)
    assert node.care_of_address == AT_B.address
    roamer.link_up()
    assert not [s for s in roamer.sent if s.packet.destination.is_multicast]
    managed = Roamer()
    managed.register()
    before = managed.mobile_node.care_of_address
    managed.mobile_node.configured("eth0", (AT_C,), (ROUTER_C,), managed.now)
    assert managed.mobile_node.care_of_address == before


def test_addresses_max() -> None:
    roamer = roamer_on()
    many = [
        Adopted(address=PREFIX_B[n + 1], prefix_length=64)
        for n in range(ADDRESSES_MAX + 5)
    ]
    configure(roamer, *many)
    link = roamer.mobile_node.attachments.up["eth0"]
    assert isinstance(link, AdoptedLink)
    assert len(link._addresses) == ADDRESSES_MAX
    assert link.knows(PREFIX_B) and not link.knows(PREFIX_C)
