"""Links, routers, prefixes, care-of addresses (§11.5)."""

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network
from math import inf
from random import Random

import pytest

from mip6.core.link import Link, interface_identifier
from mip6.core.movement import (
    CONFLICTS_MAX,
    ManagedLink,
)
from mip6.core.packet import Packet
from mip6.wire.neighbor_discovery import RouterAdvertisement, RouterSolicitation
from mip6.wire.neighbor_options import (
    INFINITE_LIFETIME,
    AdvertisementInterval,
    NeighborOption,
    PrefixInformation,
    SourceLinkLayerAddress,
)

HOME_PREFIX = IPv6Network("2001:db8:a::/64")
HOME_AGENT = IPv6Address("2001:db8:a::1")
B = IPv6Network("2001:db8:b::/64")
C = IPv6Network("2001:db8:c::/64")
ROUTER = IPv6Address("fe80::b")
OTHER_ROUTER = IPv6Address("fe80::c")
LINK_LOCAL = IPv6Address("fe80::ff:fe00:64")
OCTETS = bytes.fromhex("020000000064")
LINK = Link("eth0", OCTETS, LINK_LOCAL)


def managed(link: Link = LINK) -> ManagedLink:
    return ManagedLink(link, HOME_PREFIX, HOME_AGENT, Random(1).randbytes, 0.0)


def prefix(
    network: IPv6Network = B,
    *,
    valid: int = 86400,
    preferred: int = 14400,
    autonomous: bool = True,
    router_address: IPv6Address | None = None,
) -> PrefixInformation:
    return PrefixInformation(
        prefix=router_address or network.network_address,
        prefix_length=network.prefixlen,
        valid_lifetime=valid,
        preferred_lifetime=preferred,
        on_link=True,
        autonomous_address_configuration=autonomous,
        router_address=router_address is not None,
    )


def hear(
    link: ManagedLink,
    now: float,
    *prefixes: NeighborOption,
    router: IPv6Address = ROUTER,
    lifetime: int = 1800,
    octets: bytes | None = b"\x02\x00\x00\x00\x00\x0b",
    interval_ms: int | None = None,
    preference: int = 0,
    home_agent: bool = False,
) -> str:
    options: list[NeighborOption] = list(prefixes)
    if octets is not None:
        options.append(SourceLinkLayerAddress(octets))
    if interval_ms is not None:
        options.append(AdvertisementInterval(interval_ms))
    message = RouterAdvertisement(
        router_lifetime=lifetime,
        default_router_preference=preference,
        home_agent=home_agent,
        options=tuple(options),
    )
    packet = Packet(source=router, destination=IPv6Address("ff02::1"), message=message)
    link.update(now)
    reason = link.heard(packet, message, now)
    link.update(now)
    link.attachment(now)
    return reason


def address(link: ManagedLink, now: float) -> IPv6Address | None:
    at = link.attachment(now)
    return at.care_of_address if at else None


def solicited(link: ManagedLink, until: float) -> list[float]:
    """When solicitations leave, called at its own deadlines."""
    moments = []
    now = 0.0
    while now <= until:
        if link.update(now):
            moments.append(round(now, 6))
        link.attachment(now)
        now = link.deadline
    return moments


# Solicitations.


def test_solicits_at_once_and_backs_off() -> None:
    """§11.5.1 allows no delay; RFC 4861 §6.3.7 the back-off."""
    times = solicited(managed(), 100.0)
    assert times == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5, 95.5]


def test_an_answer_ends_soliciting() -> None:
    link = managed()
    assert link.update(0.0)
    hear(link, 0.1, prefix())
    assert link.deadline == 1800.1
    assert not link.update(0.5)


@pytest.mark.rfc("11.5.3", "address autoconfiguration never uses the home address")
def test_solicitation_source() -> None:
    packet = managed().solicitation()
    assert packet.source == LINK_LOCAL
    assert packet.message == RouterSolicitation(
        options=(SourceLinkLayerAddress(OCTETS),)
    )
    assert (packet.hop_limit, packet.link) == (255, "eth0")


def test_solicitation_before_the_link_local_address_is_ours() -> None:
    """RFC 4861 §4.1, RFC 4429 §3.2: then no link-layer address option either."""
    packet = managed(Link("eth0", OCTETS)).solicitation()
    assert packet.source == IPv6Address("::")
    assert packet.message == RouterSolicitation()


def test_solicitation_of_a_link_without_room_for_its_address() -> None:
    packet = managed(Link("ppp0", bytes(8), LINK_LOCAL)).solicitation()
    assert packet.message == RouterSolicitation()


# Care-of addresses.


@pytest.mark.parametrize(
    ("octets", "identifier"),
    [
        ("020000000064", "000000fffe000064"),
        ("0a08265887 59".replace(" ", ""), "080826fffe588759"),
        ("0011223344556677", "0211223344556677"),
    ],
)
def test_interface_identifier(octets: str, identifier: str) -> None:
    """RFC 4291 appendix A; the first as the captures have it."""
    assert interface_identifier(bytes.fromhex(octets)).hex() == identifier


def test_interface_identifier_of_another_length() -> None:
    with pytest.raises(ValueError, match="4 octets"):
        interface_identifier(bytes(4))


def test_care_of_address() -> None:
    link = managed()
    hear(link, 0.0, prefix())
    assert address(link, 0.0) == IPv6Address("2001:db8:b::ff:fe00:64")


def test_a_link_without_link_layer_addresses_gets_a_random_identifier() -> None:
    link = managed(Link("tun0", b""))
    hear(link, 0.0, prefix(), octets=None)
    formed = address(link, 0.0)
    assert formed is not None
    assert formed in B
    assert formed != B.network_address


@pytest.mark.parametrize(
    "useless",
    [
        prefix(autonomous=False),
        prefix(IPv6Network("2001:db8:b::/48")),
        prefix(valid=0, preferred=0),
        prefix(preferred=0),
        prefix(valid=10, preferred=11),
        prefix(IPv6Network("fe80::/64")),
        prefix(IPv6Network("ff0e::/64")),
    ],
    ids=["A=0", "not /64", "valid 0", "deprecated", "preferred > valid", "ll", "mc"],
)
def test_prefixes_that_give_no_care_of_address(useless: PrefixInformation) -> None:
    link = managed()
    hear(link, 0.0, useless)
    assert address(link, 0.0) is None
    hear(link, 0.0, useless, prefix(C))
    formed = address(link, 0.0)
    assert formed is not None
    assert formed in C


@pytest.mark.rfc("11.5.4", "the care-of prefix is one of the current router's")
def test_prefix_is_of_the_router_in_use() -> None:
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 0.1, prefix(C), router=OTHER_ROUTER)
    at = link.attachment(0.1)
    assert at is not None
    assert (at.router, at.prefix) == (ROUTER, B)


def test_prefix_stays_while_it_is_preferred() -> None:
    link = managed()
    hear(link, 0.0, prefix(C), prefix())
    assert address(link, 0.0) in list_of(C)
    hear(link, 1.0, prefix(), prefix(C))
    assert address(link, 1.0) in list_of(C)


def list_of(network: IPv6Network) -> Iterable[IPv6Address]:
    return [network[int.from_bytes(interface_identifier(OCTETS))]]


def test_deprecated_prefix_makes_way() -> None:
    """§11.5.3: a new care-of address when the current one is deprecated."""
    link = managed()
    hear(link, 0.0, prefix(preferred=100), prefix(C))
    assert address(link, 0.0) in list_of(B)
    link.update(100.0)
    assert address(link, 100.0) in list_of(C)


def test_deprecated_prefix_is_kept_while_there_is_no_other() -> None:
    link = managed()
    hear(link, 0.0, prefix(preferred=100, valid=200))
    assert link.deadline == 100.0
    link.update(100.0)
    assert address(link, 100.0) in list_of(B)
    assert link.deadline == 200.0
    link.update(200.0)
    assert address(link, 200.0) is None


def test_prefix_withdrawn() -> None:
    link = managed()
    hear(link, 0.0, prefix())
    assert link.knows(B)
    hear(link, 1.0, prefix(valid=0, preferred=0))
    assert not link.knows(B)
    assert address(link, 1.0) is None


def test_prefixes_left_out_of_an_advertisement_stay() -> None:
    """RFC 4861 §6.2.3: a router need not repeat all of them."""
    link = managed()
    hear(link, 0.0, prefix())
    hear(link, 1.0)
    assert address(link, 1.0) in list_of(B)


def test_infinite_lifetimes() -> None:
    link = managed()
    hear(link, 0.0, prefix(valid=INFINITE_LIFETIME, preferred=INFINITE_LIFETIME))
    at = link.attachment(0.0)
    assert at is not None
    assert at.valid_until == inf
    assert link.deadline == 1800.0


def test_no_address_before_its_router_can_be_reached() -> None:
    """RFC 4429 §3.2: an optimistic address cannot ask for the router's link-layer
    address; so it waits until it is known to be unique."""
    link = managed()
    hear(link, 0.0, prefix(), octets=None)
    at = link.attachment(0.0)
    assert at is not None
    assert not at.usable
    assert at.care_of_address is not None
    assert not link.checked(at.care_of_address, True)
    again = link.attachment(1.0)
    assert again is not None
    assert again.usable


def test_conflicts() -> None:
    link = managed()
    hear(link, 0.0, prefix())
    seen = set()
    for _ in range(CONFLICTS_MAX):
        formed = address(link, 0.0)
        assert formed is not None
        assert link.checked(formed, False)
        assert not link.checked(formed, False), "only the one in use counts"
        seen.add(formed)
    assert len(seen) == CONFLICTS_MAX
    assert address(link, 0.0) is None


# Home.


@pytest.mark.rfc("11.5.2", "the home link is where the home prefix is advertised")
@pytest.mark.parametrize(
    "advertised",
    [
        prefix(HOME_PREFIX),
        prefix(HOME_PREFIX, autonomous=False),
        prefix(HOME_PREFIX, router_address=HOME_AGENT),
    ],
    ids=["plain", "A=0", "R=1"],
)
def test_home_link(advertised: PrefixInformation) -> None:
    link = managed()
    hear(link, 0.0, prefix(), router=OTHER_ROUTER)
    hear(link, 0.0, advertised)
    at = link.attachment(0.0)
    assert at is not None
    assert at.at_home
    assert at.usable
    assert at.router == ROUTER


@pytest.mark.parametrize(
    "other", ["2001:db8:a::/63", "2001:db8:a::/65", "2001:db8:a:1::/64"]
)
def test_another_prefix_is_not_home(other: str) -> None:
    link = managed()
    hear(link, 0.0, prefix(IPv6Network(other)))
    at = link.attachment(0.0)
    assert at is None or not at.at_home


def test_never_return_home() -> None:
    """Whoever advertises the home prefix lies, or this machine stays away from it."""
    link = ManagedLink(
        LINK,
        HOME_PREFIX,
        HOME_AGENT,
        Random(1).randbytes,
        0.0,
        never_return_home=True,
    )
    hear(link, 0.0, prefix(HOME_PREFIX))
    assert link.attachment(0.0) is None
    hear(link, 0.0, prefix())
    assert address(link, 0.0) in list_of(B)


def test_home_agent_on_the_home_link() -> None:
    """Only a router that is one, or that says so in the prefix (§7.2), has the home
    agent's link-layer address."""
    for known, option, flag in (
        (False, prefix(HOME_PREFIX), False),
        (True, prefix(HOME_PREFIX), True),
        (True, prefix(HOME_PREFIX, router_address=HOME_AGENT), False),
    ):
        link = managed()
        hear(link, 0.0, option, home_agent=flag)
        at = link.attachment(0.0)
        assert at is not None
        assert at.home_agent_here is known
