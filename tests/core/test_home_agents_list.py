"""The Home Agents List, and the answers from it (§7.4, §10.1, §10.5)."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from random import Random

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_AGENT,
    HOME_PREFIX,
    discarded,
    home_agent,
    sent,
)

from mip6.core.home_agent import DISCOVERY_RATE, HomeAgent
from mip6.core.home_agents_list import (
    ADDRESSES_MAX,
    HOME_AGENTS_MAX,
    REPLIED_MAX,
    home_agents_anycast,
)
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.prefixes import HomePrefix
from mip6.wire.icmpv6 import (
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
)
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import (
    HomeAgentInformation,
    NeighborOption,
    PrefixInformation,
)

ANYCAST = IPv6Address("2001:db8:a:0:fdff:ffff:ffff:fffe")
OTHER = IPv6Address("fe80::2")
ADDRESS = IPv6Address("2001:db8:a::2")


def role(**changes: object) -> HomeAgent:
    return home_agent(home_link="eth1", random=Random(5).randbytes, **changes)


def prefix(address: IPv6Address, *, router_address: bool = True) -> PrefixInformation:
    return PrefixInformation(
        prefix=address,
        prefix_length=64,
        valid_lifetime=3600,
        preferred_lifetime=3600,
        on_link=True,
        router_address=router_address,
    )


def advertisement(
    *options: NeighborOption,
    source: IPv6Address = OTHER,
    home: bool = True,
    router_lifetime: int = 1800,
    link: str = "eth1",
) -> Packet:
    return Packet(
        source=source,
        destination=IPv6Address("ff02::1"),
        hop_limit=255,
        link=link,
        message=RouterAdvertisement(
            router_lifetime=router_lifetime, home_agent=home, options=options
        ),
    )


def information(preference: int, lifetime: int, **more: bool) -> HomeAgentInformation:
    return HomeAgentInformation(preference=preference, lifetime=lifetime, **more)


def request(**changes: object) -> Packet:
    packet = Packet(
        source=CARE_OF_ADDRESS,
        destination=ANYCAST,
        message=HomeAgentAddressDiscoveryRequest(identifier=77),
    )
    return replace(packet, **changes)  # type: ignore[arg-type]


def reply(home: HomeAgent, now: float = 0.0, packet: Packet | None = None) -> list[str]:
    """The addresses that a reply names."""
    [answer] = sent(home.receive(packet or request(), now))
    assert isinstance(answer.message, HomeAgentAddressDiscoveryReply)
    return [str(address) for address in answer.message.home_agent_addresses]


# Hearing.


@pytest.mark.rfc("8.4-8", "of the link served")
@pytest.mark.rfc("10.1-1", "beside the Binding Cache")
@pytest.mark.rfc("10.5.1-3", "for the lifetime advertised")
@pytest.mark.rfc("10.5.1-4", "and no longer")
@pytest.mark.rfc("10.1-3", "expired entries are deleted")
def test_a_home_agent_is_listed_for_its_lifetime() -> None:
    home = role()
    heard = advertisement(
        information(7, 600, mobile_router_support=True), prefix(ADDRESS)
    )
    assert home.receive(heard, 100.0) == []
    [listed] = home.home_agents
    assert (listed.link_local, listed.preference) == (OTHER, 7)
    assert (listed.addresses, listed.expires) == ((ADDRESS,), 700.0)
    assert listed.mobile_router_support
    assert home.deadline == 700.0
    home.tick(699.9)
    assert len(home.home_agents) == 1
    home.tick(700.0)
    assert home.home_agents == ()


@pytest.mark.rfc("7.4-3", "no preference is preference 0")
@pytest.mark.rfc("10.5.1-1", "in the list")
@pytest.mark.rfc("7.4-7", "no lifetime is the router's")
@pytest.mark.rfc("10.5.1-2", "in the list")
def test_without_home_agent_information() -> None:
    home = role()
    home.receive(advertisement(prefix(ADDRESS), router_lifetime=90), 100.0)
    [listed] = home.home_agents
    assert (listed.preference, listed.expires) == (0, 190.0)


def test_a_later_advertisement_replaces_what_was_said() -> None:
    home = role()
    home.receive(advertisement(information(7, 600), prefix(ADDRESS)), 100.0)
    another = ADDRESS + 1
    home.receive(advertisement(information(3, 300), prefix(another)), 200.0)
    [listed] = home.home_agents
    assert (listed.preference, listed.expires) == (3, 500.0)
    # The addresses add up (§10.5.1).
    assert listed.addresses == (ADDRESS, another)


@pytest.mark.parametrize(
    "ending",
    [
        advertisement(information(7, 0), prefix(ADDRESS)),
        advertisement(router_lifetime=0),
        advertisement(information(7, 600), prefix(ADDRESS), home=False),
    ],
    ids=["lifetime", "router lifetime", "H"],
)
def test_what_takes_a_home_agent_from_the_list(ending: Packet) -> None:
    home = role()
    home.receive(ending, 50.0)  # of nobody that is listed
    home.receive(advertisement(information(7, 600), prefix(ADDRESS)), 100.0)
    assert home.home_agents
    home.receive(ending, 200.0)
    assert home.home_agents == ()
    assert home.deadline is None or home.deadline > 3600


@pytest.mark.parametrize(
    "option",
    [
        prefix(ADDRESS, router_address=False),
        prefix(IPv6Address("fe80::2")),
        information(0, 1),
    ],
    ids=["no R", "link-local", "no prefix"],
)
def test_what_is_no_address_of_a_home_agent(option: NeighborOption) -> None:
    home = role()
    home.receive(advertisement(option, router_lifetime=60), 0.0)
    [listed] = home.home_agents
    assert listed.addresses == ()


def test_our_own_advertisements_list_nobody() -> None:
    home = role()
    home.receive(advertisement(prefix(HOME_AGENT)), 0.0)
    assert home.home_agents == ()


def test_advertisements_count_on_the_home_link_only() -> None:
    home = role()
    node = Node(home_agent=home)
    node.receive(write(advertisement(prefix(ADDRESS))), 0.0, link="eth0")
    assert home.home_agents == ()
    node.receive(write(advertisement(prefix(ADDRESS))), 0.0, link="eth1")
    assert len(home.home_agents) == 1


def test_the_list_has_a_limit() -> None:
    home = role()
    for n in range(HOME_AGENTS_MAX + 1):
        home.receive(advertisement(source=OTHER + n, router_lifetime=60), 0.0)
    assert len(home.home_agents) == HOME_AGENTS_MAX
    # Who is listed may still say something else.
    home.receive(advertisement(information(9, 60)), 1.0)
    assert 9 in [listed.preference for listed in home.home_agents]


def test_the_addresses_of_one_have_a_limit_and_the_newest_stay() -> None:
    home = role()
    options = [prefix(ADDRESS + n) for n in range(ADDRESSES_MAX + 1)]
    home.receive(advertisement(*options), 0.0)
    [listed] = home.home_agents
    assert listed.addresses == tuple(o.prefix for o in options[1:])


@pytest.mark.rfc("10.1-2", "an address goes with its prefix")
def test_an_address_goes_with_its_prefix() -> None:
    home = role(prefixes=(HomePrefix(network=HOME_PREFIX, valid_until=100.0),))
    elsewhere = IPv6Address("2001:db8:f::2")
    home.receive(advertisement(prefix(ADDRESS), prefix(elsewhere)), 0.0)
    home.tick(100.0)
    [listed] = home.home_agents
    assert listed.addresses == (elsewhere,)


def test_an_address_is_listed_once() -> None:
    home = role()
    for now in (0.0, 1.0):
        home.receive(advertisement(information(7, 600), prefix(ADDRESS)), now)
    [listed] = home.home_agents
    assert listed.addresses == (ADDRESS,)
    assert listed.mobile_router_support is False


@pytest.mark.parametrize(
    ("network", "anycast"),
    [
        ("2001:db8:a::/64", "2001:db8:a:0:fdff:ffff:ffff:fffe"),
        ("2001:db8::/32", "2001:db8::fdff:ffff:ffff:fffe"),
        ("2001:db8:a::/65", "2001:db8:a:0:7fff:ffff:ffff:fffe"),
    ],
)
def test_the_address_that_home_agents_share(network: str, anycast: str) -> None:
    assert home_agents_anycast(IPv6Network(network)) == IPv6Address(anycast)


# Answering.


@pytest.mark.rfc("8.4-9", "to the anycast address of the subnet")
@pytest.mark.rfc("8.4-10", "answered")
@pytest.mark.rfc("10.5.1-5", "by who serves the subnet")
@pytest.mark.rfc("6.5-2", "to who asked")
@pytest.mark.parametrize("home_link", [None, "eth1"])
def test_a_request_is_answered(home_link: str | None) -> None:
    node = Node(home_agent=home_agent(home_link=home_link))
    [answer] = sent(node.receive(write(request()), 0.0))
    assert answer == Packet(
        source=HOME_AGENT,
        destination=CARE_OF_ADDRESS,
        message=HomeAgentAddressDiscoveryReply(
            identifier=77, home_agent_addresses=(HOME_AGENT,)
        ),
    )


@pytest.mark.parametrize(
    ("prefix_", "anycast"),
    [
        ("2001:db8:a::/64", "2001:db8:a::fdff:ffff:ffff:fffe"),
        ("2001:db8:a::/48", "2001:db8:a::fdff:ffff:ffff:fffe"),
        ("2001:db8:a::/96", "2001:db8:a::ffff:fffe"),
    ],
)
def test_the_anycast_address(prefix_: str, anycast: str) -> None:
    assert home_agents_anycast(IPv6Network(prefix_)) == IPv6Address(anycast)


def test_requests_to_others_are_not_answered() -> None:
    home = home_agent()
    assert discarded(home.receive(request(destination=HOME_AGENT), 0.0)) == (
        "not_for_us",
        "10.5.1",
    )
    source = IPv6Address("fe80::9")
    assert discarded(home.receive(request(source=source), 0.0)) == (
        "source_address",
        "10.5.1",
    )
    node = Node(home_agent=home)
    elsewhere = IPv6Address("2001:db8:f:0:fdff:ffff:ffff:fffe")
    effects = node.receive(write(request(destination=elsewhere)), 0.0)
    assert discarded(effects) == ("not_for_us", "RFC 8200 3")


def test_answers_are_rare() -> None:
    home = home_agent()
    for _ in range(DISCOVERY_RATE):
        reply(home)
    assert discarded(home.receive(request(), 0.0)) == ("rate", "10.5.1")
    reply(home, now=1.0)


@pytest.mark.rfc("10.5.1-6", "all addresses of all home agents")
@pytest.mark.rfc("10.5.1-7", "the most preferred first")
@pytest.mark.rfc("10.5.1-8", "equals in an order drawn each time")
@pytest.mark.rfc("10.5.1-9", "and the addresses of one too")
def test_the_order_of_a_reply() -> None:
    home = role(preference=5)
    assert home.preference == 5
    first, second, equal = OTHER, OTHER + 1, OTHER + 2
    for source, preference, addresses in (
        (first, 9, ("2001:db8:a::91", "2001:db8:a::92")),
        (second, -0, ("2001:db8:a::3",)),
        (equal, 5, ("2001:db8:a::5",)),
    ):
        options = [prefix(IPv6Address(address)) for address in addresses]
        heard = advertisement(information(preference, 60), *options, source=source)
        home.receive(heard, 0.0)
    replies = {tuple(reply(home, now=float(n))) for n in range(40)}
    assert {tuple(sorted(r[:2])) for r in replies} == {
        ("2001:db8:a::91", "2001:db8:a::92")
    }
    assert {frozenset(r[2:4]) for r in replies} == {
        frozenset(("2001:db8:a::1", "2001:db8:a::5"))
    }
    assert {r[4:] for r in replies} == {("2001:db8:a::3",)}
    assert len({r[0] for r in replies}) == 2
    assert len({r[2] for r in replies}) == 2


@pytest.mark.rfc("10.5.1-10", "within 1280 octets")
@pytest.mark.rfc("10.5.1-11", "the least preferred are left out")
def test_a_reply_fits_the_minimum_mtu() -> None:
    home = role(preference=0xFFFF)
    for n in range(HOME_AGENTS_MAX):
        options = [prefix(ADDRESS + 16 * n + m) for m in range(2)]
        heard = advertisement(information(n, 60), *options, source=OTHER + n)
        home.receive(heard, 0.0)
    [answer] = sent(home.receive(request(), 0.0))
    assert 1280 - 16 < len(write(answer)) <= 1280
    named = reply(home)
    assert len(named) == REPLIED_MAX == 77
    assert named[0] == str(HOME_AGENT)
    # 38 home agents with two addresses each.
    least = min(int(IPv6Address(text)) for text in named[1:])
    assert least == int(ADDRESS) + 16 * (HOME_AGENTS_MAX - 38)


def test_home_agents_for_mobile_routers() -> None:
    """RFC 3963 §7.2."""
    home = role()
    asked = request(
        message=HomeAgentAddressDiscoveryRequest(
            identifier=1, mobile_router_support=True
        )
    )
    [answer] = sent(home.receive(asked, 0.0))
    assert not answer.message.mobile_router_support
    assert reply(home, packet=asked) == [str(HOME_AGENT)]
    support = information(0, 60, mobile_router_support=True)
    home.receive(advertisement(support, prefix(ADDRESS)), 0.0)
    assert reply(home, packet=asked) == [str(ADDRESS)]
    [answer] = sent(home.receive(asked, 0.0))
    assert answer.message.mobile_router_support
    assert len(reply(home)) == 2
