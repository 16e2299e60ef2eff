"""Duplicate address detection by our own hand (RFC 4862 §5.4)."""

from ipaddress import IPv6Address
from math import inf

from tests.support.core import CARE_OF_ADDRESS, NEXT_CARE_OF_ADDRESS

from mip6.core.duplicates import RETRANS_TIMER, Duplicates
from mip6.core.packet import Packet
from mip6.wire.neighbor_discovery import NeighborAdvertisement


def claim(link: str, address: IPv6Address) -> tuple[Packet, NeighborAdvertisement]:
    message = NeighborAdvertisement(target_address=address)
    destination = IPv6Address("ff02::1")
    return Packet(
        source=address, destination=destination, message=message, link=link
    ), message


def test_a_link_that_goes_takes_only_its_own_along() -> None:
    checks = Duplicates()
    checks.check("eth0", CARE_OF_ADDRESS, 0.0)
    checks.check("eth1", NEXT_CARE_OF_ADDRESS, 0.5)
    checks.forget("eth0")
    assert checks.deadline == 0.5 + RETRANS_TIMER
    assert checks.objected(*claim("eth0", CARE_OF_ADDRESS)) is None
    assert checks.objected(*claim("eth1", CARE_OF_ADDRESS)) is None
    assert checks.objected(*claim("eth1", NEXT_CARE_OF_ADDRESS)) == NEXT_CARE_OF_ADDRESS
    assert checks.deadline == inf
    # On a link that comes back everything is asked again.
    assert len(checks.check("eth0", CARE_OF_ADDRESS, 9.0)) == 1


def test_what_nobody_objected_to_is_not_asked_again() -> None:
    checks = Duplicates()
    assert len(checks.check("eth0", CARE_OF_ADDRESS, 0.0)) == 1
    assert checks.ended(RETRANS_TIMER - 0.01) == []
    assert checks.ended(RETRANS_TIMER) == [("eth0", CARE_OF_ADDRESS)]
    assert checks.ended(RETRANS_TIMER) == []
    assert checks.check("eth0", CARE_OF_ADDRESS, 5.0) == []
    assert checks.deadline == inf
