"""A mobile node on a kernel without optimistic addresses (RFC 4429)."""

from ipaddress import IPv6Address

import pytest
from tests.conformance.roamer import PREFIX_B, ROUTER_B, Roamer

from mip6.core.effects import Install
from mip6.core.events import Place
from mip6.core.state import CareOfAddress

CARE_OF_ADDRESS = IPv6Address("2001:db8:b::ff:fe00:5")


@pytest.mark.rfc("11.7.1", "no Binding Update from an address that is still checked")
def test_a_tentative_address_sends_nothing() -> None:
    roamer = Roamer(optimistic=False)
    roamer.link_up()
    effects = roamer.hear(PREFIX_B, ROUTER_B)
    care_of_address = CareOfAddress(
        address=CARE_OF_ADDRESS, prefix_length=64, link="eth0"
    )
    assert Install(care_of_address) in effects
    roamer.wait(3.0)
    assert not roamer.updates
    assert roamer.mobile_node.place is Place.REGISTERING
    checked = roamer.mobile_node.address_checked(
        CARE_OF_ADDRESS, "eth0", True, roamer.now
    )
    roamer.do(checked)
    [update] = roamer.updates
    assert (update.at, update.care_of_address) == (roamer.now, CARE_OF_ADDRESS)
    roamer.answer()
    assert roamer.mobile_node.place is Place.REGISTERED


def test_a_tentative_address_that_another_has_is_never_registered() -> None:
    roamer = Roamer(optimistic=False)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    effects = roamer.mobile_node.address_checked(
        CARE_OF_ADDRESS, "eth0", False, roamer.now
    )
    roamer.do(effects)
    [other] = roamer.care_of_addresses
    assert other != CARE_OF_ADDRESS and other in PREFIX_B
    assert not roamer.updates
    roamer.do(roamer.mobile_node.address_checked(other, "eth0", True, roamer.now))
    assert [sent.care_of_address for sent in roamer.updates] == [other]
