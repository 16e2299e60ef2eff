"""What kind of address it is."""

from ipaddress import IPv6Address, IPv6Network

import pytest

from mip6.core.addresses import Networks, is_router_anycast, is_unicast_routable


@pytest.mark.rfc("6.3", "a home address is a unicast routable address")
@pytest.mark.parametrize(
    ("text", "routable"),
    [
        ("2001:db8:a::100", True),
        ("fd00::1", True),
        ("64:ff9b::1", True),
        ("::", False),
        ("::1", False),
        ("::192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("fe80::1", False),
        ("febf::1", False),
        ("ff02::1", False),
        ("ff0e::1", False),
    ],
)
def test_unicast_routable(text: str, routable: bool) -> None:
    assert is_unicast_routable(IPv6Address(text)) is routable


@pytest.mark.parametrize(
    ("text", "anycast"),
    [
        ("2001:db8:a::", True),
        ("2001:db8:a:0:fdff:ffff:ffff:fffe", True),
        ("2001:db8:a:0:fdff:ffff:ffff:ff80", True),
        ("2001:db8:a:0:fdff:ffff:ffff:ff7f", False),
        ("2001:db8:a:0:fcff:ffff:ffff:fffe", False),
        ("2001:db8:a::1", False),
    ],
)
def test_router_anycast(text: str, anycast: bool) -> None:
    prefix = IPv6Network("2001:db8:a::/64")
    assert is_router_anycast(IPv6Address(text), prefix) is anycast


def test_networks_end_where_they_end() -> None:
    networks = Networks(map(IPv6Network, ("2001:db8:0:1::/64", "2001:db8:f::/48")))
    for inside in ("2001:db8:0:1::", "2001:db8:0:1:ffff::1", "2001:db8:f:ffff::1"):
        assert IPv6Address(inside) in networks
    for outside in ("2001:db8::1", "2001:db8:0:2::1", "2001:db8:e::1", "::"):
        assert IPv6Address(outside) not in networks
    assert IPv6Address("::1") not in Networks(())
