"""Several links: the better one is tried while the other works (decision 0017)."""

from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.conformance.nodes import HOME_AGENT
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    Roamer,
)

from mip6.core.effects import Effect, Notify
from mip6.core.events import Place, PlaceChanged, Problem
from mip6.core.movement import ROUTERS_MAX
from mip6.core.packet import Packet, write
from mip6.core.reputation import (
    DISTRUST_FIRST,
    DISTRUST_MAX,
    WAYS_MAX,
    Reputation,
)
from mip6.core.state import CareOfAddress, Route, Rule, Tunnel
from mip6.wire.icmpv6 import ParameterProblem
from mip6.wire.messages import BindingStatus
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import PrefixInformation

OTHER = "wlan0"
BETTER = "eth0"


def on_the_other() -> Roamer:
    """Registered on the link that is not preferred."""
    roamer = Roamer(links=(BETTER, OTHER))
    roamer.link_up(OTHER)
    roamer.hear(PREFIX_B, ROUTER_B, link=OTHER)
    roamer.answer()
    assert roamer.mobile_node.link == OTHER
    return roamer


def tried() -> Roamer:
    """And the preferred link is there, too."""
    roamer = on_the_other()
    roamer.link_up(BETTER)
    roamer.hear(PREFIX_C, ROUTER_C, link=BETTER)
    return roamer


def ways_out(roamer: Roamer) -> list[tuple[str, int]]:
    """The default routes of the main table, the one that counts first."""
    routes = [
        (route.metric, route.link)
        for route in roamer.standing(Route)
        if route.table == 254 and route.gateway
    ]
    return [(link, metric) for metric, link in sorted(routes)]


def source_rules(roamer: Roamer) -> dict[IPv6Address | None, int]:
    rules = roamer.standing(Rule)
    return {rule.source: rule.table for rule in rules if rule.priority == 1000}


# Make before break.


@pytest.mark.rfc(
    "11.5.4", "the old care-of address is used until the new is registered"
)
def test_the_link_that_works_is_used_until_the_better_is_registered() -> None:
    roamer = tried()
    node = roamer.mobile_node
    assert (node.link, node.place) == (OTHER, Place.REGISTERED)
    old = node.care_of_address
    [update] = roamer.updates[1:]
    new = update.care_of_address
    assert (update.packet.link, new in PREFIX_C) == (BETTER, True)
    [tunnel] = roamer.standing(Tunnel)
    assert (tunnel.care_of_address, tunnel.previous) == (old, new)
    assert tunnel.previous_until == tunnel.expires
    assert not tunnel.inbound_only
    assert roamer.care_of_addresses == {old, new}
    assert ways_out(roamer) == [(OTHER, 512), (BETTER, 513)]
    assert source_rules(roamer) == {old: 254}


def test_the_acknowledgement_moves_everything() -> None:
    roamer = tried()
    old = roamer.mobile_node.care_of_address
    new = roamer.updates[-1].care_of_address
    effects = roamer.answer()
    told = [e.event for e in effects if isinstance(e, Notify)]
    places = [event.place for event in told if isinstance(event, PlaceChanged)]
    assert places == [Place.REGISTERED]
    node = roamer.mobile_node
    assert (node.link, node.care_of_address) == (BETTER, new)
    [tunnel] = roamer.standing(Tunnel)
    assert (tunnel.care_of_address, tunnel.previous) == (new, old)
    assert tunnel.previous_until == roamer.now + 2.0
    # What left a moment ago with the old source still goes by the old link.
    assert ways_out(roamer) == [(BETTER, 512)]
    assert source_rules(roamer) == {old: 101, new: 254}
    [way] = [r for r in roamer.standing(Route) if r.table == 101]
    assert way.link == OTHER
    roamer.wait(2.0)
    assert roamer.care_of_addresses == {new}
    assert source_rules(roamer) == {new: 254}
    assert not [r for r in roamer.standing(Route) if r.table == 101]


def test_packets_never_wait_while_the_other_link_works() -> None:
    roamer = tried()
    assert roamer.open
    roamer.answer()
    assert roamer.open


def test_the_old_link_goes_before_the_acknowledgement() -> None:
    """Then there is nothing to fall back to: the aim is the same, but it is all."""
    roamer = tried()
    new = roamer.updates[-1].care_of_address
    roamer.link_down(OTHER)
    node = roamer.mobile_node
    assert (node.link, node.place) == (BETTER, Place.REGISTERING)
    assert len(roamer.updates) == 2, "it was asked for already"
    [tunnel] = roamer.standing(Tunnel)
    assert (tunnel.care_of_address, tunnel.inbound_only) == (new, True)
    # The old link is back, but the home agent may have the new address.
    roamer.link_up(OTHER)
    roamer.link_down(BETTER)
    roamer.hear(PREFIX_B, ROUTER_B, link=OTHER)
    assert (node.link, node.place) == (OTHER, Place.REGISTERING)
    assert len(roamer.updates) == 3


def test_the_better_link_goes_before_the_acknowledgement() -> None:
    """The home agent may have been told: it is told again where we are."""
    roamer = tried()
    old = roamer.mobile_node.care_of_address
    roamer.link_down(BETTER)
    node = roamer.mobile_node
    assert (node.link, node.place) == (OTHER, Place.REGISTERED)
    assert roamer.updates[-1].care_of_address == old
    assert len(roamer.updates) == 3
    roamer.answer()
    roamer.link_up(BETTER)
    roamer.hear(PREFIX_C, ROUTER_C, link=BETTER)
    roamer.link_down(BETTER)
    roamer.wait(5.0)
    assert len(roamer.updates) == 3, "the rate kept it from being told anything"


def test_a_link_whose_address_is_not_ours_yet_is_waited_for() -> None:
    """Its router's link-layer address is not known, so it cannot be used optimistically
    (RFC 4429 §3.2)."""
    roamer = on_the_other()
    node = roamer.mobile_node
    [first] = roamer.care_of_addresses
    roamer.link_up(BETTER)
    prefix = PrefixInformation(
        prefix=PREFIX_C.network_address,
        prefix_length=64,
        valid_lifetime=3600,
        preferred_lifetime=3600,
        autonomous_address_configuration=True,
    )
    message = RouterAdvertisement(router_lifetime=1800, options=(prefix,))
    nodes = IPv6Address("ff02::1")
    packet = Packet(source=ROUTER_C, destination=nodes, message=message, hop_limit=255)
    roamer.receive(write(packet), link=BETTER)
    assert len(roamer.updates) == 1
    assert node.registration.aim is not None
    assert node.registration.aim.care_of_address == first
    [new] = roamer.care_of_addresses - {first}
    roamer.do(node.address_checked(new, BETTER, True, roamer.now))
    assert roamer.updates[-1].care_of_address == new


def test_a_link_on_trial_whose_address_another_node_has() -> None:
    roamer = tried()
    new = roamer.updates[-1].care_of_address
    node = roamer.mobile_node
    roamer.do(node.address_checked(new, BETTER, False, roamer.now))
    assert node.link == OTHER
    assert roamer.updates[-1].care_of_address not in (new, node.care_of_address)


# Links that do not lead to the home agent.


def test_a_link_that_does_not_reach_the_home_agent_is_left() -> None:
    roamer = Roamer(links=(BETTER, OTHER))
    roamer.link_up(BETTER)
    roamer.hear(PREFIX_C, ROUTER_C, link=BETTER)
    roamer.link_up(OTHER)
    roamer.hear(PREFIX_B, ROUTER_B, link=OTHER)
    roamer.wait(10.4)
    assert [u.packet.link for u in roamer.updates] == [BETTER] * 3
    roamer.wait(0.2)
    assert roamer.mobile_node.link == OTHER
    assert roamer.updates[-1].packet.link == OTHER
    roamer.answer()
    assert roamer.mobile_node.place is Place.REGISTERED


def test_a_trial_that_fails_ends_where_it_began() -> None:
    roamer = tried()
    old = roamer.mobile_node.care_of_address
    roamer.wait(7.1)
    links = [u.packet.link for u in roamer.updates]
    assert links == [OTHER, BETTER, BETTER, BETTER, OTHER]
    assert roamer.updates[-1].care_of_address == old
    roamer.answer()
    assert roamer.care_of_addresses == {old}
    assert roamer.mobile_node.attachments.trial is None
    # And some time later once more.
    roamer.wait(DISTRUST_FIRST)
    assert roamer.updates[-1].packet.link == BETTER
    roamer.answer()
    assert roamer.mobile_node.link == BETTER
    assert roamer.mobile_node.attachments.up[BETTER].deadline > roamer.now + 100


def test_both_fail_and_are_tried_in_turn_and_seldom() -> None:
    roamer = Roamer(links=(BETTER, OTHER))
    for link, prefix, router in (
        (BETTER, PREFIX_C, ROUTER_C),
        (OTHER, PREFIX_B, ROUTER_B),
    ):
        roamer.link_up(link)
        roamer.hear(prefix, router, link=link)
    roamer.wait(22.0)
    seen = len(roamer.updates)
    assert [u.packet.link for u in roamer.updates[:6]] == [BETTER] * 3 + [OTHER] * 3
    roamer.wait(600.0)
    later = roamer.updates[seen:]
    assert {u.packet.link for u in later} == {BETTER, OTHER}
    assert len(later) < 60


def test_a_refusal_on_trial_ends_the_trial() -> None:
    roamer = tried()
    roamer.answer(status=BindingStatus.ADMINISTRATIVELY_PROHIBITED, lifetime=0)
    node = roamer.mobile_node
    assert (node.link, node.attachments.trial) == (OTHER, None)
    assert roamer.updates[-1].packet.link == OTHER


def test_a_care_of_address_that_is_refused_makes_way_for_another_link() -> None:
    roamer = Roamer(links=(BETTER, OTHER))
    roamer.link_up(BETTER)
    roamer.hear(PREFIX_C, ROUTER_C, link=BETTER)
    roamer.link_up(OTHER)
    roamer.hear(PREFIX_B, ROUTER_B, link=OTHER)
    roamer.answer(status=BindingStatus.INVALID_CARE_OF_ADDRESS, lifetime=0)
    assert roamer.mobile_node.link == OTHER


# What a person wants.


def test_handover() -> None:
    roamer = Roamer(links=(BETTER, OTHER))
    roamer.link_up(BETTER)
    roamer.hear(PREFIX_C, ROUTER_C, link=BETTER)
    roamer.answer()
    roamer.link_up(OTHER)
    roamer.hear(PREFIX_B, ROUTER_B, link=OTHER)
    node = roamer.mobile_node
    assert node.link == BETTER
    roamer.do(node.handover(OTHER, roamer.now))
    roamer.answer()
    assert node.link == OTHER
    # It is not wanted any longer once it has gone.
    roamer.link_down(OTHER)
    roamer.link_up(OTHER)
    roamer.hear(PREFIX_B, ROUTER_B, link=OTHER)
    assert (node.link, node.attachments.trial) == (BETTER, None)


def test_handover_to_a_link_that_failed() -> None:
    roamer = tried()
    roamer.wait(8.0)
    assert roamer.mobile_node.attachments.trial is None
    roamer.do(roamer.mobile_node.handover(BETTER, roamer.now))
    assert roamer.updates[-1].packet.link == BETTER


def test_handover_to_a_link_that_is_down_or_unknown() -> None:
    roamer = on_the_other()
    assert roamer.mobile_node.handover(BETTER, roamer.now) == []
    assert roamer.mobile_node.handover("eth7", roamer.now) == []
    assert roamer.mobile_node.attachments.wanted == BETTER


# Routers that lie.


def test_a_forged_goodbye_and_a_flood_of_routers() -> None:
    """The home agent answered by the real one: it counts more than all that come."""
    roamer = Roamer()
    roamer.register()
    real = roamer.mobile_node.care_of_address
    roamer.hear(PREFIX_B, ROUTER_B, router_lifetime=0)
    for number in range(ROUTERS_MAX + 4):
        prefix = IPv6Network(f"2001:db8:bad:{number:x}::/64")
        roamer.hear(prefix, IPv6Address(f"fe80::bad:{number:x}"))
    assert roamer.mobile_node.care_of_address != real
    # It was asked for, and answers.
    roamer.hear(PREFIX_B, ROUTER_B)
    assert roamer.mobile_node.care_of_address == real
    roamer.wait(0.1)
    roamer.answer()
    assert roamer.mobile_node.place is Place.REGISTERED


def test_a_router_that_leads_nowhere_makes_room() -> None:
    roamer = Roamer()
    roamer.link_up()
    for number in range(ROUTERS_MAX):
        prefix = IPv6Network(f"2001:db8:bad:{number:x}::/64")
        roamer.hear(prefix, IPv6Address(f"fe80::bad:{number:x}"))
    roamer.hear(PREFIX_B, ROUTER_B)
    link = roamer.mobile_node.attachments.up["eth0"]
    assert ROUTER_B not in link.routers
    roamer.wait(12.0)
    roamer.hear(PREFIX_B, ROUTER_B)
    assert ROUTER_B in link.routers
    assert len(link.routers) == ROUTERS_MAX


def test_an_answer_by_a_router_that_has_gone() -> None:
    link = on_the_other().mobile_node.attachments.up[OTHER]
    link.reached(ROUTER_C, 0.0, answered=True)
    assert ROUTER_C not in link.routers


# Reputation.


def test_distrust_doubles_and_ends() -> None:
    reputation = Reputation()
    way = (ROUTER_B, None)
    now, lengths = 0.0, []
    for _ in range(7):
        reputation.failed(way, now)
        assert reputation.distrusted_at(way, now) == now
        [until] = reputation.moments()
        lengths.append(until - now)
        now = until
        assert reputation.distrusted_at(way, now) < 0
    assert lengths == [30, 60, 120, 240, 480, DISTRUST_MAX, DISTRUST_MAX]
    reputation.answered(way)
    assert reputation.proven(way)
    reputation.failed(way, now)
    assert reputation.proven(way), "it was once"
    assert reputation.moments() == [now + 30]


def test_ways_max() -> None:
    reputation = Reputation()
    reputation.answered((HOME_AGENT, None))
    for number in range(WAYS_MAX + 5):
        reputation.failed((IPv6Address(number), None), 0.0)
    assert len(reputation.moments()) == WAYS_MAX
    assert reputation.proven((HOME_AGENT, None))
    for number in range(WAYS_MAX + 5):
        reputation.answered((IPv6Address(number), b""))
    assert len(reputation.moments()) == WAYS_MAX


def test_care_of_addresses_are_states() -> None:
    """All of the links in play, none of the others."""
    roamer = tried()
    assert {s.link for s in roamer.standing(CareOfAddress)} == {BETTER, OTHER}


# What an operator is told.


def problems(effects: list[Effect]) -> list[str]:
    told = [e.event for e in effects if isinstance(e, Notify)]
    return [event.what for event in told if isinstance(event, Problem)]


def told_within(roamer: Roamer, seconds: float) -> list[str]:
    end, told = roamer.now + seconds, []
    while (at := roamer.node.deadline) is not None and at <= end:
        roamer.now = at
        told += problems(roamer.do(roamer.node.tick(at)))
    return told


def test_a_network_without_routers_is_named() -> None:
    """IPv4 only, or captive: once, and again after the link was down."""
    roamer = Roamer()
    roamer.link_up()
    assert told_within(roamer, 3.4) == []
    assert told_within(roamer, 100.0) == ["no router answers on eth0"]
    roamer.link_down()
    roamer.link_up()
    assert told_within(roamer, 4.0) == ["no router answers on eth0"]
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert "no router answers on eth0" not in told_within(roamer, 20.0)


def test_a_network_that_does_not_reach_the_home_agent_is_named() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert told_within(roamer, 10.4) == []
    assert told_within(roamer, 200.0) == ["the home agent does not answer by eth0"]


@pytest.mark.rfc("11.3.5", "a home agent that is started again is not given up")
def test_a_home_agent_that_is_started_again() -> None:
    """Its kernel answers meanwhile that it knows no Mobility Header: code 1."""
    roamer = Roamer()
    roamer.register()
    roamer.wait(300.0)
    refresh = roamer.updates[-1]
    quote = write(refresh.packet)
    error = Packet(
        source=HOME_AGENT,
        destination=refresh.packet.source,
        message=ParameterProblem(code=1, pointer=40, packet=quote),
    )
    assert problems(roamer.receive(write(error), link="eth0")) == []
    seen = len(roamer.updates)
    roamer.wait(2.0)
    assert len(roamer.updates) > seen, "it is asked again at once, not in 32 seconds"
