"""Dynamic home agent address discovery, the mobile node's side (§11.4.1)."""

from ipaddress import IPv6Address
from math import inf
from typing import Any

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT, HOME_PREFIX
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    Roamer,
    Sent,
)
from tests.core.test_home_agents import SECOND, THIRD, asked, told
from tests.core.test_registration import reason

from mip6.core.agent_discovery import (
    APART,
    DHAAD_RETRIES,
    DISCOVERED_MAX,
    PAUSE,
    AgentDiscovery,
)
from mip6.core.effects import Effect
from mip6.core.events import HomeAgentsChanged, Place, Problem
from mip6.core.home_agents import HOME_AGENTS_MAX
from mip6.core.packet import Packet, write
from mip6.core.registration import RESPITE
from mip6.wire.icmpv6 import (
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
)

ANYCAST = IPv6Address("2001:db8:a:0:fdff:ffff:ffff:fffe")


def looking(*listed: IPv6Address, **more: Any) -> Roamer:
    roamer = Roamer(home_agents=listed, discover=True, **more)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    return roamer


def requests(roamer: Roamer) -> list[Sent]:
    kind = HomeAgentAddressDiscoveryRequest
    return [s for s in roamer.sent if isinstance(s.packet.message, kind)]


def identifier(roamer: Roamer) -> int:
    message = requests(roamer)[-1].packet.message
    assert isinstance(message, HomeAgentAddressDiscoveryRequest)
    return message.identifier


def reply(roamer: Roamer, *home_agents: IPv6Address, **changes: Any) -> list[Effect]:
    last = requests(roamer)[-1].packet
    message = HomeAgentAddressDiscoveryReply(
        identifier=changes.pop("identifier", identifier(roamer)),
        home_agent_addresses=home_agents,
    )
    fields: dict[str, Any] = {"source": SECOND, "destination": last.source, **changes}
    return roamer.receive(write(Packet(message=message, **fields)))


@pytest.mark.rfc("8.5-14", "and then it registers with the first that is named")
def test_the_home_link_is_asked() -> None:
    roamer = looking()
    [request] = requests(roamer)
    assert request.packet.destination == ANYCAST
    assert request.packet.source == roamer.mobile_node.care_of_address
    assert request.packet.home_address is None
    assert roamer.updates == []
    effects = reply(roamer, THIRD, SECOND)
    assert told(effects, HomeAgentsChanged) == [
        HomeAgentsChanged(THIRD, (THIRD, SECOND))
    ]
    assert asked(roamer) == [THIRD]
    roamer.answer()
    assert roamer.mobile_node.place is Place.REGISTERED
    roamer.wait(250)
    assert len(requests(roamer)) == 1


@pytest.mark.rfc("11.4.1-2", "the order of the reply is kept")
@pytest.mark.rfc("11.4.1-3", "for when the first one refuses")
def test_they_are_asked_in_the_order_of_the_reply() -> None:
    roamer = looking()
    reply(roamer, THIRD, HOME_AGENT, SECOND)
    roamer.answer(status=130)
    roamer.answer(status=130)
    assert asked(roamer) == [THIRD, HOME_AGENT, SECOND]


@pytest.mark.rfc("11.4.1-6", "3 s, 6 s, 12 s, 24 s, 48 s; then a pause")
def test_the_same_request_is_repeated() -> None:
    roamer = looking()
    first = requests(roamer)[0]
    effects: list[Effect] = []
    roamer.wait(92.9)
    times = [s.at - first.at for s in requests(roamer)]
    assert times == [0, 3, 9, 21, 45]
    assert len(times) == 1 + DHAAD_RETRIES
    assert {s.packet for s in requests(roamer)} == {first.packet}
    roamer.now = first.at + 93
    effects = roamer.do(roamer.node.tick(roamer.now))
    [problem] = told(effects, Problem)
    assert str(ANYCAST) in problem.what
    assert problem.advice
    roamer.wait(PAUSE - 0.1)
    assert len(requests(roamer)) == 5
    roamer.wait(0.2)
    assert len(requests(roamer)) == 6
    assert requests(roamer)[-1].packet != first.packet
    # It is told once.
    roamer.wait(93)
    reply_to_old = identifier(roamer)
    assert reason(reply(roamer, SECOND, identifier=reply_to_old)) == (
        "discovery_not_expected"
    )
    roamer.wait(PAUSE)
    reply(roamer, SECOND)
    assert asked(roamer) == [SECOND]


@pytest.mark.parametrize(
    "changes",
    [
        {"identifier": 0x10000},
        {"destination": HOME_ADDRESS},
        {"tunnel": (SECOND, IPv6Address("2001:db8:b::ff:fe00:5"))},
    ],
)
def test_replies_that_are_none(changes: dict[str, Any]) -> None:
    roamer = looking()
    if "identifier" in changes:
        changes = {"identifier": identifier(roamer) ^ 1}
    effects = reply(roamer, SECOND, **changes)
    assert reason(effects) in ("discovery_not_expected", "tunnel_source")
    assert roamer.updates == []


def test_a_reply_to_a_request_that_came_through_the_tunnel() -> None:
    """Anybody can send to the home address, and the home agent tunnels it."""
    roamer = looking(HOME_AGENT)
    roamer.answer(status=130)
    agents = roamer.mobile_node.home_agents
    assert agents.discovery is not None
    message = HomeAgentAddressDiscoveryReply(
        identifier=identifier(roamer), home_agent_addresses=(SECOND,)
    )
    source = requests(roamer)[-1].packet.source
    packet = Packet(
        source=SECOND,
        destination=source,
        message=message,
        tunnel=(HOME_AGENT, source),
    )
    assert agents.replied(packet, message, roamer.now) == "discovery_not_expected"


def test_nobody_asked() -> None:
    roamer = Roamer()
    roamer.register()
    source = roamer.mobile_node.care_of_address
    assert source is not None
    message = HomeAgentAddressDiscoveryReply(identifier=1)
    packet = Packet(source=SECOND, destination=source, message=message)
    assert reason(roamer.receive(write(packet))) == "discovery_not_expected"


def test_a_reply_without_an_address_stands_for_its_sender() -> None:
    roamer = looking()
    reply(roamer, source=THIRD)
    assert asked(roamer) == [THIRD]


def test_addresses_that_no_home_agent_has() -> None:
    roamer = looking()
    source = requests(roamer)[-1].packet.source
    nobody = (IPv6Address("ff02::1"), IPv6Address("::1"), source)
    effects = reply(roamer, *nobody)
    assert reason(effects) == "discovery_without_home_agent"
    assert roamer.updates == []
    reply(roamer, *nobody, HOME_ADDRESS, SECOND, SECOND)
    assert asked(roamer) == [SECOND]
    assert roamer.mobile_node.home_agents.known == (SECOND,)


def test_what_is_taken_from_a_reply_is_limited() -> None:
    many = [IPv6Address(f"2001:db8:a::1:{n:x}") for n in range(77)]
    roamer = looking()
    reply(roamer, *many)
    agents = roamer.mobile_node.home_agents
    assert agents.discovered == tuple(many[:DISCOVERED_MAX])
    listed = [IPv6Address(f"2001:db8:a::2:{n:x}") for n in range(HOME_AGENTS_MAX - 2)]
    roamer = looking(*listed)
    for _ in listed:
        roamer.answer(status=130)
    reply(roamer, *many)
    assert roamer.mobile_node.home_agents.discovered == tuple(many[:2])


def test_listed_ones_come_first() -> None:
    roamer = looking(HOME_AGENT)
    assert requests(roamer) == []
    assert asked(roamer) == [HOME_AGENT]
    roamer.answer(status=133)
    assert len(requests(roamer)) == 1
    reply(roamer, HOME_AGENT, SECOND)
    assert asked(roamer) == [HOME_AGENT, SECOND]
    roamer.answer()
    assert roamer.mobile_node.home_agents.known == (HOME_AGENT, SECOND)


def test_again_when_all_of_them_have_failed() -> None:
    """But not at once: it has just answered."""
    roamer = looking()
    reply(roamer, SECOND)
    roamer.answer(status=130)
    assert len(requests(roamer)) == 1
    roamer.wait(RESPITE)
    assert len(requests(roamer)) == 2
    reply(roamer, THIRD)
    assert asked(roamer)[-1] == THIRD


def test_another_care_of_address_asks_anew() -> None:
    roamer = looking()
    roamer.wait(1)
    first = identifier(roamer)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    assert len(requests(roamer)) == 2
    assert identifier(roamer) != first
    assert requests(roamer)[1].packet.source in PREFIX_C
    # The answer to the first one comes too late.
    source = requests(roamer)[0].packet.source
    effects = reply(roamer, SECOND, destination=source, identifier=first)
    assert reason(effects) == "discovery_not_expected"


def test_another_link_asks_anew() -> None:
    """Not more often than once a second, though."""
    discovery = AgentDiscovery(HOME_PREFIX, bytes)
    discovery.want(True, 0)
    assert discovery.request(PREFIX_B[5], "eth0", 0)
    assert discovery.request(PREFIX_C[5], "eth1", 0.5) is None
    assert discovery.deadline == APART
    packet = discovery.request(PREFIX_C[5], "eth1", APART)
    assert packet is not None
    assert (packet.source, packet.link) == (PREFIX_C[5], "eth1")


def test_at_home_nobody_is_asked() -> None:
    roamer = looking()
    roamer.go_home()
    assert roamer.mobile_node.place is Place.AT_HOME
    before = len(requests(roamer))
    roamer.wait(100)
    assert len(requests(roamer)) == before
    # Away again, it begins anew; after the pause, as it did not end well.
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    assert len(requests(roamer)) == before + 1


def test_on_an_adopted_link_the_rules_lead_it_out() -> None:
    roamer = Roamer(home_agents=(), discover=True)
    agents = roamer.mobile_node.home_agents
    assert agents.discovery is not None
    agents.discovery.want(True, 0)
    source = IPv6Address("2001:db8:b::5")
    packet = agents.discovery.request(source, None, 0)
    assert packet is not None
    assert packet.link is None


# By itself.


def discovering() -> AgentDiscovery:
    return AgentDiscovery(HOME_PREFIX, lambda octets: b"\xff" * octets)


def answered(discovery: AgentDiscovery, now: float) -> tuple[IPv6Address, ...] | str:
    message = HomeAgentAddressDiscoveryReply(identifier=0xFFFF)
    packet = Packet(source=SECOND, destination=PREFIX_B[5], message=message)
    return discovery.replied(packet, message, now)


def test_nothing_is_asked_before_it_is_wanted() -> None:
    discovery = discovering()
    assert (discovery.running, discovery.deadline, discovery.failures) == (
        False,
        inf,
        0,
    )
    assert discovery.request(PREFIX_B[5], "eth0", 0) is None
    assert answered(discovery, 0) == "discovery_not_expected"


def test_identifiers_have_sixteen_bits() -> None:
    discovery = discovering()
    discovery.want(True, 0)
    packet = discovery.request(PREFIX_B[5], "eth0", 0)
    assert packet is not None
    assert packet.message == HomeAgentAddressDiscoveryRequest(identifier=0xFFFF)


def test_what_is_not_wanted_any_more_is_broken_off() -> None:
    discovery = discovering()
    discovery.want(True, 0)
    assert discovery.request(PREFIX_B[5], "eth0", 0)
    assert discovery.running
    discovery.want(False, 0.25)
    assert not discovery.running
    assert answered(discovery, 0.5) == "discovery_not_expected"
    discovery.want(True, 0.75)
    assert discovery.deadline == APART
    assert discovery.request(PREFIX_B[5], "eth0", APART)


def test_a_discovery_has_failed_when_the_last_wait_is_over() -> None:
    discovery = discovering()
    for now in (0, 3, 9, 21, 45):
        discovery.want(True, now)
        assert discovery.request(PREFIX_B[5], "eth0", now)
    discovery.want(True, 92.9)
    assert (discovery.running, discovery.failures) == (True, 0)
    discovery.want(True, 93)
    assert (discovery.running, discovery.failures) == (False, 1)
    assert discovery.deadline == 93 + PAUSE
    assert discovery.request(PREFIX_B[5], "eth0", 93 + PAUSE)
    assert answered(discovery, 94 + PAUSE) == (SECOND,)
    assert discovery.failures == 0
    assert discovery.deadline == 94 + 2 * PAUSE
