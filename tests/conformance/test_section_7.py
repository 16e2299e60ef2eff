"""RFC 6275 §7: what Neighbor Discovery says more, as octets."""

from ipaddress import IPv6Address

import pytest

from mip6.wire.buffer import WireError
from mip6.wire.icmpv6 import read_icmpv6, write_icmpv6
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import (
    AdvertisementInterval,
    HomeAgentInformation,
    NeighborOption,
)

ROUTER = IPv6Address("fe80::1")
ALL_NODES = IPv6Address("ff02::1")


def advertised(option: NeighborOption) -> bytearray:
    """A Router Advertisement's octets; the option is the last 8 of them."""
    message = RouterAdvertisement(router_lifetime=1800, options=(option,))
    return bytearray(write_icmpv6(message, ROUTER, ALL_NODES))


@pytest.mark.parametrize(
    ("option", "type_"),
    [
        pytest.param(
            AdvertisementInterval(70),
            7,
            marks=[
                pytest.mark.rfc("7.3-1", "one unit of 8 octets"),
                pytest.mark.rfc("7.3-2", "Reserved"),
            ],
        ),
        pytest.param(
            HomeAgentInformation(preference=3, lifetime=600),
            8,
            marks=[
                pytest.mark.rfc("7.4-1", "one unit of 8 octets"),
                pytest.mark.rfc("7.4-2", "Reserved"),
            ],
        ),
    ],
)
def test_new_options(option: NeighborOption, type_: int) -> None:
    octets = advertised(option)
    assert octets[-8:-4] == bytes((type_, 1, 0, 0))
    octets[-6:-4] = b"\x7f\xff"  # the first bit is RFC 3963's R
    message = read_icmpv6(bytes(octets))
    assert isinstance(message, RouterAdvertisement)
    assert message.options == (option,)

    octets[-7] = 2
    with pytest.raises(WireError, match="option_length"):
        read_icmpv6(bytes(octets) + bytes(8))
