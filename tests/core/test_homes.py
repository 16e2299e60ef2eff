"""A home link that is renumbered while the mobile node is away (decision 0034)."""

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    ROUTER_HOME,
    Roamer,
    Sent,
)
from tests.core.test_prefix_solicitation import (
    CARE_OF_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
    advertise,
    information,
    registered,
)
from tests.support.core import told
from tests.support.optimizing import Optimizer

from mip6.core.adopted import Adopted
from mip6.core.correspondent import Correspondent
from mip6.core.effects import Effect, Forward, Send
from mip6.core.events import (
    Dropped,
    HomeAddressesChanged,
    Place,
    PlaceChanged,
    Problem,
    WayChanged,
)
from mip6.core.homes import HOMES_MAX
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.prefix_solicitation import APART
from mip6.core.registration import MAX_UPDATE_RATE
from mip6.core.route_optimization import ANYBODY, CorrespondentPolicy, Mode
from mip6.core.state import (
    End,
    HomeAddress,
    Route,
    RouteOptimization,
    Rule,
    Tunnel,
)
from mip6.wire.icmpv6 import PacketTooBig, ParameterProblem
from mip6.wire.messages import (
    BindingError,
    BindingErrorStatus,
    BindingStatus,
    CareOfTest,
    HomeTestInit,
)
from mip6.wire.neighbor_discovery import (
    INFINITE_LIFETIME,
    NeighborAdvertisement,
    PrefixInformation,
)
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    write_packet,
)

NEW_PREFIX = IPv6Network("2001:db8:1a::/64")
NEW_HOME_ADDRESS = IPv6Address("2001:db8:1a::1")
BOTH = (HOME_ADDRESS, NEW_HOME_ADDRESS)
FOR_EVER = INFINITE_LIFETIME


def new(valid: int = FOR_EVER, preferred: int | None = None) -> PrefixInformation:
    return information(valid, preferred, NEW_PREFIX, formed=True)


def updates(roamer: Roamer, home_address: IPv6Address) -> list[Sent]:
    """Binding Updates for one home address."""
    return [
        sent
        for sent in roamer.updates
        if home_address in (sent.packet.home_address, sent.packet.source)
    ]


def answer(roamer: Roamer, home_address: IPv6Address, **fields: Any) -> list[Effect]:
    """The home agent's answer to the last Binding Update for one home address."""
    last = updates(roamer, home_address)[-1]
    at_home = last.packet.home_address is None
    return roamer.answer(
        sequence_number=last.update.sequence_number,
        lifetime=fields.pop("lifetime", last.update.lifetime),
        destination=last.packet.source,
        routing_address=None if at_home else home_address,
        **fields,
    )


def tell(roamer: Roamer, *options: PrefixInformation) -> list[Effect]:
    """The prefixes once more: unsolicited, asked for, and answered."""
    first = roamer.mobile_node.home_address
    advertise(roamer, number=1, routing_address=first)
    roamer.wait(APART)
    return advertise(roamer, *options, routing_address=first)


def renumbered(*, accepted: bool = True, **more: Any) -> Roamer:
    """The new prefix was told, and perhaps registered; the old one is preferred."""
    roamer = registered(**more)
    advertise(roamer, information(FOR_EVER), new())
    if accepted:
        answer(roamer, NEW_HOME_ADDRESS)
    return roamer


def deprecated(valid: int = 100, **more: Any) -> Roamer:
    """The old prefix is not for new connections any more."""
    roamer = renumbered(**more)
    tell(roamer, information(valid, 0), new())
    return roamer


def tunnels(roamer: Roamer) -> dict[IPv6Address, Tunnel]:
    return {state.home_address: state for state in roamer.standing(Tunnel)}


def default_source(roamer: Roamer) -> IPv6Address | None:
    """Of connections that begin now."""
    [route] = (r for r in roamer.standing(Route) if r.link == "mip0")
    return route.source


def data(source: IPv6Address) -> bytes:
    to = IPv6Address("2001:db8:e::2")
    return write_packet(
        IPv6Packet(source=source, destination=to, next_header=17, payload=bytes(8))
    )


# Forming.


@pytest.mark.rfc("8.5-13", "a home address in the new prefix, and it is registered")
@pytest.mark.rfc("11.4.3-9", "an address is formed in a prefix for autoconfiguration")
def test_a_new_prefix_brings_a_new_home_address() -> None:
    roamer = registered()
    effects = advertise(roamer, information(FOR_EVER), new())
    assert HomeAddressesChanged(BOTH) in told(effects)
    [update] = updates(roamer, NEW_HOME_ADDRESS)
    assert update.packet.source == CARE_OF_ADDRESS
    assert update.care_of_address == CARE_OF_ADDRESS
    assert update.packet.destination == HOME_AGENT
    # The keys for it are to be there before it is sent.
    kinds = [type(effect) for effect in effects]
    assert effects.index(next(e for e in effects if told([e]))) < kinds.index(Send)
    assert tunnels(roamer)[NEW_HOME_ADDRESS].inbound_only
    answer(roamer, NEW_HOME_ADDRESS)
    assert set(tunnels(roamer)) == set(BOTH)
    assert not any(tunnel.inbound_only for tunnel in tunnels(roamer).values())
    devices = {s.address for s in roamer.standing(HomeAddress) if s.link == "mip0"}
    assert devices == set(BOTH)
    rules = {s.source for s in roamer.standing(Rule) if s.priority == 999}
    assert rules == set(BOTH)
    assert default_source(roamer) == HOME_ADDRESS


@pytest.mark.parametrize(
    "option",
    [
        information(FOR_EVER, network=NEW_PREFIX),
        new(100, 0),
        information(network=IPv6Network("2001:db8:1a::/72"), formed=True),
    ],
    ids=["not autonomous", "deprecated", "no room for an identifier"],
)
def test_prefixes_in_which_no_address_is_formed(option: PrefixInformation) -> None:
    roamer = registered()
    effects = advertise(roamer, information(FOR_EVER), option)
    assert told(effects) == []
    assert roamer.mobile_node.home_addresses == (HOME_ADDRESS,)


def test_a_home_address_without_an_interface_identifier_is_the_only_one() -> None:
    roamer = Roamer(prefix_discovery=True)
    other = IPv6Network("2001:db8:a::/72")
    roamer.mobile_node = MobileNode(
        HOME_ADDRESS,
        other,
        (HOME_AGENT,),
        random=bytes,
        authentication_required=False,
        prefix_discovery=True,
    )
    roamer.node = Node(mobile_node=roamer.mobile_node)
    roamer.register()
    advertise(roamer, new())
    assert roamer.mobile_node.home_addresses == (HOME_ADDRESS,)


def test_with_keys_for_one_home_address_no_other_is_formed() -> None:
    roamer = registered(renumbering=False)
    advertise(roamer, information(FOR_EVER), new())
    assert roamer.mobile_node.home_addresses == (HOME_ADDRESS,)


def test_a_home_agent_can_make_it_form_a_few_only() -> None:
    roamer = registered()
    networks = (IPv6Network(f"2001:db8:{n:x}::/64") for n in range(0x20, 0x40))
    options = [information(FOR_EVER, network=n, formed=True) for n in networks]
    advertise(roamer, information(FOR_EVER), *options[:30])
    assert len(roamer.mobile_node.homes) == HOMES_MAX
    assert len(roamer.mobile_node.home_addresses) == HOMES_MAX


@pytest.mark.rfc("11.8", "the rate is for all home addresses together")
def test_the_rate_of_binding_updates() -> None:
    roamer = renumbered()
    begin = roamer.now = roamer.now + 10
    for prefix, router in 4 * ((PREFIX_C, ROUTER_C), (PREFIX_B, ROUTER_B)):
        roamer.now += 0.05
        roamer.link_down()
        roamer.link_up()
        roamer.hear(prefix, router)
    roamer.wait(begin + 1 - roamer.now)
    late = [sent for sent in roamer.updates if sent.at >= begin]
    assert len(late) == MAX_UPDATE_RATE


def test_a_refusal_is_told_and_asked_about_seldom() -> None:
    roamer = renumbered(accepted=False)
    status = BindingStatus.ADMINISTRATIVELY_PROHIBITED
    effects = answer(roamer, NEW_HOME_ADDRESS, status=status, lifetime=0)
    [problem] = [e for e in told(effects) if isinstance(e, Problem)]
    assert "129" in problem.what
    count = len(updates(roamer, NEW_HOME_ADDRESS))
    roamer.wait(31.5)
    assert len(updates(roamer, NEW_HOME_ADDRESS)) == count
    roamer.wait(1)
    assert len(updates(roamer, NEW_HOME_ADDRESS)) == count + 1
    assert roamer.mobile_node.place is Place.REGISTERED
    refused = roamer.do(
        roamer.mobile_node.unmatched(data(NEW_HOME_ADDRESS), roamer.now)
    )
    assert any(isinstance(e, Dropped) for e in told(refused))


def test_a_refusal_that_is_about_the_link_is_no_fault_of_the_home_agent() -> None:
    roamer = renumbered(accepted=False)
    status = BindingStatus.INVALID_CARE_OF_ADDRESS
    answer(roamer, NEW_HOME_ADDRESS, status=status, lifetime=0)
    assert roamer.mobile_node.place is Place.REGISTERED
    assert not roamer.mobile_node.attachments.here.distrusted_at > 0  # type: ignore[union-attr]


# Two at the same time.


def test_both_are_registered_after_a_move() -> None:
    roamer = renumbered()
    roamer.wait(2)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    for home_address in BOTH:
        assert updates(roamer, home_address)[-1].care_of_address == NEXT_CARE_OF_ADDRESS
        answer(roamer, home_address)
    for tunnel in tunnels(roamer).values():
        assert tunnel.care_of_address == NEXT_CARE_OF_ADDRESS
        assert not tunnel.inbound_only


def test_packets_of_each_wait_for_their_own_tunnel() -> None:
    roamer = renumbered(accepted=False)
    octets = data(NEW_HOME_ADDRESS)
    assert roamer.do(roamer.node.unmatched(octets, roamer.now)) == []
    assert roamer.mobile_node.held == 1
    effects = answer(roamer, NEW_HOME_ADDRESS)
    assert Forward(octets) in effects
    # It was only slow to come here.
    assert roamer.node.unmatched(octets, roamer.now) == [Forward(octets)]
    roamer.wait(2)
    assert Forward(octets) not in roamer.node.unmatched(octets, roamer.now)
    first = data(HOME_ADDRESS)
    assert Forward(first) not in roamer.node.unmatched(first, roamer.now)


def test_both_are_refreshed_as_configured() -> None:
    roamer = renumbered()
    roamer.do(roamer.mobile_node.configure(40, roamer.now, fallback=True))
    roamer.wait(301)
    assert {updates(roamer, a)[-1].update.lifetime for a in BOTH} == {40}
    roamer.do(roamer.mobile_node.home_agents_found((HOME_AGENT,), roamer.now))
    assert all(h.home_agents.listed == (HOME_AGENT,) for h in roamer.mobile_node.homes)


def test_a_new_one_is_as_the_first_is_configured_by_then() -> None:
    roamer = registered()
    never = (CorrespondentPolicy(ANYBODY, Mode.NEVER),)
    roamer.do(roamer.mobile_node.configure(40, roamer.now, fallback=True))
    roamer.do(roamer.mobile_node.prefer(never, roamer.now))
    advertise(roamer, information(FOR_EVER), new())
    assert updates(roamer, NEW_HOME_ADDRESS)[-1].update.lifetime == 40
    [home] = roamer.mobile_node.homes.others
    assert home.correspondents.policies == never


def test_stopping_deletes_both() -> None:
    roamer = renumbered()
    roamer.wait(2)
    roamer.do(roamer.mobile_node.stop(roamer.now))
    for home_address in BOTH:
        assert updates(roamer, home_address)[-1].update.lifetime == 0
        assert not roamer.mobile_node.stopped
        answer(roamer, home_address)
    assert roamer.mobile_node.stopped
    assert roamer.mobile_node.installed == set()


@pytest.mark.rfc("11.3.6", "the home address in it says which binding")
def test_a_binding_error_is_about_one_of_them() -> None:
    roamer = renumbered()
    roamer.wait(5)
    before = [len(updates(roamer, address)) for address in BOTH]
    error = BindingError(
        status=BindingErrorStatus.UNKNOWN_BINDING, home_address=NEW_HOME_ADDRESS
    )
    packet = Packet(source=HOME_AGENT, destination=CARE_OF_ADDRESS, message=error)
    roamer.receive(write(packet))
    after = [len(updates(roamer, address)) for address in BOTH]
    assert [b - a for a, b in zip(before, after, strict=True)] == [0, 1]


def test_a_parameter_problem_is_about_one_of_them() -> None:
    roamer = renumbered(accepted=False)
    quoted = write(updates(roamer, NEW_HOME_ADDRESS)[-1].packet)
    for octets in (quoted, b"nothing"):
        message = ParameterProblem(code=1, pointer=40, packet=octets)
        packet = Packet(source=HOME_AGENT, destination=CARE_OF_ADDRESS, message=message)
        effects = roamer.receive(write(packet))
        found = [e for e in told(effects) if isinstance(e, Problem)]
        assert bool(found) == (octets is quoted)


def test_a_narrow_path_of_one_is_narrow_for_both() -> None:
    roamer = renumbered()
    for home_address, mtu in zip(BOTH, (1400, 1360), strict=True):
        inner = data(home_address) + bytes(1400)
        outer = IPv6Packet(
            source=CARE_OF_ADDRESS,
            destination=HOME_AGENT,
            next_header=NextHeader.IPV6,
            payload=inner[:4] + (1408).to_bytes(2) + inner[6:],
        )
        message = PacketTooBig(mtu=mtu, packet=write_packet(outer)[:1200])
        packet = Packet(source=ROUTER_B, destination=CARE_OF_ADDRESS, message=message)
        roamer.receive(write(packet))
        [route] = (r for r in roamer.standing(Route) if r.link == "mip0")
        assert route.mtu == mtu - 40
    stranger = data(IPv6Address("2001:db8:2a::1")) + bytes(1400)
    outer = IPv6Packet(
        source=CARE_OF_ADDRESS,
        destination=HOME_AGENT,
        next_header=NextHeader.IPV6,
        payload=stranger,
    )
    message = PacketTooBig(mtu=1300, packet=write_packet(outer)[:1200])
    packet = Packet(source=ROUTER_B, destination=CARE_OF_ADDRESS, message=message)
    effects = roamer.receive(write(packet))
    assert [e.reason for e in told(effects) if isinstance(e, Dropped)] == [
        "icmp_error_quote"
    ]


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


# Correspondents.


def test_each_has_correspondents_of_its_own() -> None:
    """What was direct by the old address stays so, until it ends."""
    roamer = Optimizer(prefix_discovery=True)
    roamer.optimize()
    advertise(roamer, information(FOR_EVER), new())
    answer(roamer, NEW_HOME_ADDRESS)
    effects = roamer.do(roamer.node.talks_to(NEW_HOME_ADDRESS, roamer.peer, roamer.now))
    assert effects
    assert roamer.node.talks_to(PREFIX_C[1], roamer.peer, roamer.now) == []
    tests = [s for s in roamer.sent if isinstance(s.packet.message, HomeTestInit)]
    assert tests[-1].packet.source == NEW_HOME_ADDRESS
    # The Care-of Test says by its cookie whose it is.
    for sent in roamer.tests[-2:]:
        for reply in roamer.answers(sent.packet):
            tunnelled = reply
            if reply.destination == NEW_HOME_ADDRESS:
                tunnelled = Packet(
                    source=reply.source,
                    destination=reply.destination,
                    message=reply.message,
                    tunnel=(HOME_AGENT, CARE_OF_ADDRESS),
                )
            roamer.receive(write(tunnelled), protected_for=NEW_HOME_ADDRESS)
    [update] = [s for s in roamer.peer_updates if s.packet.home_address != HOME_ADDRESS]
    assert update.packet.home_address == NEW_HOME_ADDRESS
    for reply in roamer.answers(update.packet):
        roamer.receive(write(reply))
    ways = {s.home_address: s for s in roamer.standing(RouteOptimization)}
    assert set(ways) == set(BOTH)
    assert not any(way.inbound_only for way in ways.values())
    failed = roamer.do(roamer.node.failed(ways[NEW_HOME_ADDRESS], roamer.now))
    [event] = [e for e in told(failed) if isinstance(e, WayChanged)]
    assert not event.direct
    assert not {s.home_address for s in roamer.standing(RouteOptimization)} - {
        HOME_ADDRESS
    }


def test_what_nobody_asked_for_is_told_once() -> None:
    roamer = renumbered()
    message = CareOfTest(
        care_of_nonce_index=1,
        care_of_init_cookie=bytes(8),
        care_of_keygen_token=bytes(8),
    )
    packet = Packet(
        source=IPv6Address("2001:db8:d::1"),
        destination=CARE_OF_ADDRESS,
        message=message,
    )
    [event] = told(roamer.receive(write(packet)))
    assert isinstance(event, Dropped)
    assert event.reason == "not_in_binding_update_list"


def test_a_way_of_nobody_is_nothing_to_give_up() -> None:
    roamer = renumbered()
    way = RouteOptimization(
        end=End.MOBILE_NODE,
        home_address=PREFIX_C[1],
        correspondent=PREFIX_C[2],
        care_of_address=CARE_OF_ADDRESS,
        expires=roamer.now + 10,
    )
    roamer.do(roamer.node.failed(way, roamer.now))
    assert set(tunnels(roamer)) == set(BOTH)


def test_as_a_correspondent_it_answers_by_the_tunnel_of_the_address_asked() -> None:
    roamer = renumbered()
    correspondent = Correspondent(BOTH, random=bytes, first_nonce=1)
    node = Node(mobile_node=roamer.mobile_node, correspondent=correspondent)
    peer = IPv6Address("2001:db8:d::1")
    init = HomeTestInit(home_init_cookie=bytes(8))
    packet = Packet(
        source=peer,
        destination=NEW_HOME_ADDRESS,
        message=init,
        tunnel=(HOME_AGENT, CARE_OF_ADDRESS),
    )
    effects = node.receive(write(packet), roamer.now)
    [reply] = [e.packet for e in effects if isinstance(e, Send)]
    assert reply.source == NEW_HOME_ADDRESS
    assert reply.tunnel == (CARE_OF_ADDRESS, HOME_AGENT)


def test_a_routing_header_may_name_each() -> None:
    roamer = renumbered()
    for address, ours in ((NEW_HOME_ADDRESS, True), (PREFIX_C[1], False)):
        effects = advertise(roamer, number=5, routing_address=address)
        [event] = [e for e in told(effects) if isinstance(e, Dropped)]
        assert (event.reason == "routing_header_address") is not ours


def test_a_home_address_option_says_whose_packet_is_quoted() -> None:
    """§11.3.5: of two home addresses the quoted one is meant."""
    roamer = renumbered()
    option = DestinationOptions((HomeAddressOption(NEW_HOME_ADDRESS),))
    quoted = write_packet(
        IPv6Packet(
            source=CARE_OF_ADDRESS,
            destination=HOME_AGENT,
            extensions=(option,),
            next_header=17,
            payload=bytes(8),
        )
    )
    message = ParameterProblem(code=2, pointer=40, packet=quoted)
    packet = Packet(source=HOME_AGENT, destination=CARE_OF_ADDRESS, message=message)
    [event] = told(roamer.receive(write(packet)))
    assert isinstance(event, Dropped)
