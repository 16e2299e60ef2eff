"""A home link that is renumbered while the mobile node is away (decision 0034)."""

from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    Roamer,
)
from tests.core.renumbering import (
    BOTH,
    FOR_EVER,
    NEW_HOME_ADDRESS,
    NEW_PREFIX,
    answer,
    data,
    default_source,
    new,
    renumbered,
    tunnels,
    updates,
)
from tests.core.test_prefix_solicitation import (
    CARE_OF_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
    advertise,
    information,
    registered,
)
from tests.support.core import told

from mip6.core.effects import Forward, Send
from mip6.core.events import (
    Dropped,
    HomeAddressesChanged,
    Place,
    Problem,
)
from mip6.core.homes import HOMES_MAX
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.registration import MAX_UPDATE_RATE
from mip6.core.route_optimization import ANYBODY, CorrespondentPolicy, Mode
from mip6.core.state import (
    HomeAddress,
    Route,
    Rule,
)
from mip6.wire.icmpv6 import PacketTooBig, ParameterProblem
from mip6.wire.messages import (
    BindingError,
    BindingErrorStatus,
    BindingStatus,
)
from mip6.wire.neighbor_options import PrefixInformation
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    IPv6Packet,
    write_packet,
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
