"""The home link: duplicate address detection, advertisements, link-local addresses."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    Kernel,
    acknowledgement,
    binding_update,
    from_home,
    home_agent,
    sent,
    told,
)

from mip6.core.effects import Effect, Install, Notify, Remove, Send
from mip6.core.events import BindingChanged, Change, Problem, Refused
from mip6.core.home_agent import HomeAgent
from mip6.core.home_link import CHECKED_MAX
from mip6.core.link import Link
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.state import ProxyNeighbor, Route, Tunnel
from mip6.wire.messages import BindingAcknowledgement, BindingStatus
from mip6.wire.neighbor_discovery import NeighborAdvertisement, NeighborSolicitation
from mip6.wire.neighbor_options import TargetLinkLayerAddress

LINK = Link("eth1", bytes.fromhex("020000000001"))
LINK_LOCAL = IPv6Address("fe80::100")
ALL_NODES = IPv6Address("ff02::1")
UNSPECIFIED = IPv6Address("::")
# The same interface identifier in another prefix: the link-local address is shared.
PREFIXES = IPv6Network("2001:db8:a::/48")
TWIN = IPv6Address("2001:db8:a:1::100")


def on_a_link(**changes: Any) -> HomeAgent:
    role = home_agent(**{"check_time": 1.0, "home_link": "eth1", **changes})
    assert role.link_up(LINK, 0.0) == []
    return role


def solicited(effects: Iterable[Effect]) -> list[IPv6Address]:
    """What duplicate address detection asks for, as RFC 4862 §5.4.2 wants it."""
    targets = []
    for packet in sent(effects):
        assert isinstance(packet.message, NeighborSolicitation)
        target = packet.message.target_address
        low = int(target) & 0xFFFFFF
        assert packet.destination == IPv6Address(
            int(IPv6Address("ff02::1:ff00:0")) | low
        )
        assert (packet.source, packet.hop_limit) == (UNSPECIFIED, 255)
        assert (packet.link, packet.message.options) == ("eth1", ())
        targets.append(target)
    return targets


def advertised(effects: Iterable[Effect]) -> list[IPv6Address]:
    """The targets of the unsolicited advertisements, each as §10.4.1 wants it."""
    targets = []
    for packet in sent(effects):
        if isinstance(packet.message, NeighborAdvertisement):
            target = packet.message.target_address
            assert packet == Packet(
                source=HOME_AGENT,
                destination=ALL_NODES,
                hop_limit=255,
                link="eth1",
                message=NeighborAdvertisement(
                    target_address=target,
                    router=False,
                    solicited=False,
                    override=True,
                    options=(TargetLinkLayerAddress(LINK.link_layer_address),),
                ),
            )
            targets.append(target)
    return targets


def answers(effects: Iterable[Effect]) -> list[tuple[int, int]]:
    return [
        (packet.message.sequence_number, packet.message.status)
        for packet in sent(effects)
        if isinstance(packet.message, BindingAcknowledgement)
    ]


def objection(target: IPv6Address = HOME_ADDRESS, **changes: Any) -> Packet:
    """Another node says that it holds the address."""
    packet = Packet(
        source=target,
        destination=ALL_NODES,
        hop_limit=255,
        link="eth1",
        message=NeighborAdvertisement(target_address=target, override=True),
    )
    return replace(packet, **changes)


def probe(target: IPv6Address, **changes: Any) -> Packet:
    """Another node wants the address too, at the same time."""
    packet = Packet(
        source=UNSPECIFIED,
        destination=IPv6Address("ff02::1:ff00:100"),
        hop_limit=255,
        link="eth1",
        message=NeighborSolicitation(target_address=target),
    )
    return replace(packet, **changes)


# Duplicate address detection.


@pytest.mark.rfc("10.3.1-16", "nothing is promised before a second has passed")
@pytest.mark.rfc("10.4.1-2", "and nothing is intercepted")
@pytest.mark.rfc("10.4.1-3", "then all nodes of the home link are told")
@pytest.mark.rfc("10.4.1-5", "as the mobile node would")
@pytest.mark.rfc("10.4.1-6", "Target Address")
@pytest.mark.rfc("10.4.1-7", "Target Link-layer Address")
@pytest.mark.rfc("10.4.1-8", "R")
@pytest.mark.rfc("10.4.1-9", "S")
@pytest.mark.rfc("10.4.1-10", "O")
@pytest.mark.rfc("10.4.1-11", "so that it overrides")
@pytest.mark.rfc("10.4.1-12", "Source Address")
def test_a_first_registration_is_answered_after_duplicate_address_detection() -> None:
    role = on_a_link()
    effects = role.receive(binding_update(3, lifetime=60), 100.0)
    assert solicited(effects) == [HOME_ADDRESS]
    assert len(effects) == 1
    assert role.installed == set() and list(role.bindings) == []
    assert role.deadline == 101.0
    assert role.tick(100.999) == []
    effects = role.tick(101.0)
    assert [type(e) for e in effects] == [Install, Install, Install, Send, Send, Notify]
    assert advertised(effects) == [HOME_ADDRESS]
    assert answers(effects) == [(3, 0)]
    [binding] = role.bindings
    assert binding.expires == 161.0


def test_the_binding_counts_from_its_acknowledgement() -> None:
    role = on_a_link()
    role.receive(binding_update(1, lifetime=60), 0.0)
    role.tick(1.0)
    effects = role.receive(binding_update(2, lifetime=60), 2.0)
    assert answers(effects) == [(2, 0)] and advertised(effects) == []


@pytest.mark.rfc("10.3.1-17", "134 if somebody has the home address")
@pytest.mark.parametrize("make", [objection, probe])
def test_an_address_that_is_taken(make: Any) -> None:
    role = on_a_link()
    role.receive(binding_update(3), 100.0)
    effects = role.receive(make(HOME_ADDRESS), 100.5)
    [packet] = sent(effects)
    assert (packet.destination, packet.routing_address) == (
        CARE_OF_ADDRESS,
        HOME_ADDRESS,
    )
    assert packet.message.status == 134
    assert told(effects) == [Refused(HOME_ADDRESS, CARE_OF_ADDRESS, 134)]
    assert role.deadline is None
    assert role.tick(101.0) == []
    # It can try again.
    assert solicited(role.receive(binding_update(4), 102.0)) == [HOME_ADDRESS]


@pytest.mark.rfc("10.3.1-17", "134 also if it is the link-local address")
def test_a_link_local_address_that_is_taken() -> None:
    role = on_a_link()
    update = binding_update(3, link_local_address_compatibility=True)
    assert solicited(role.receive(update, 100.0)) == [HOME_ADDRESS, LINK_LOCAL]
    assert answers(role.receive(objection(LINK_LOCAL), 100.5)) == [(3, 134)]


@pytest.mark.parametrize(
    "packet",
    [
        objection(OTHER_HOME_ADDRESS),
        # A neighbour that wants to send something there.
        probe(HOME_ADDRESS, source=IPv6Address("fe80::7")),
        objection(
            HOME_ADDRESS,
            message=NeighborAdvertisement(
                target_address=HOME_ADDRESS,
                options=(TargetLinkLayerAddress(LINK.link_layer_address),),
            ),
        ),
    ],
    ids=["other address", "no probe", "our own"],
)
def test_what_is_no_objection(packet: Packet) -> None:
    role = on_a_link()
    role.receive(binding_update(3), 100.0)
    assert role.receive(packet, 100.5) == []
    assert answers(role.tick(101.0)) == [(3, 0)]


def test_neighbours_are_heard_on_the_home_link_only() -> None:
    role = on_a_link()
    node = Node(home_agent=role)
    node.receive(write(binding_update(3)), 100.0)
    octets = write(objection(HOME_ADDRESS))
    for link in ("eth0", None):
        [told_] = told(node.receive(octets, 100.5, link=link))
        assert told_.reason == "unexpected_message"  # type: ignore[union-attr]
    assert answers(node.receive(octets, 100.5, link="eth1")) == [(3, 134)]


def test_without_a_home_link_there_is_nobody_to_ask() -> None:
    role = home_agent()
    assert role.link_up(LINK, 0.0) == []
    assert answers(role.receive(binding_update(3), 100.0)) == [(3, 0)]
    assert role.receive(objection(HOME_ADDRESS), 100.5) == []


def test_a_newer_update_takes_the_place_of_the_one_that_waits() -> None:
    role = on_a_link()
    role.receive(binding_update(3), 100.0)
    old = role.receive(binding_update(3), 100.2)
    assert answers(old) == [(3, BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW)]
    update = binding_update(
        4, source=NEXT_CARE_OF_ADDRESS, link_local_address_compatibility=True
    )
    assert solicited(role.receive(update, 100.5)) == [LINK_LOCAL]
    effects = role.tick(101.0)
    assert answers(effects) == [(4, 0)]
    assert advertised(effects) == [HOME_ADDRESS, LINK_LOCAL]
    [binding] = role.bindings
    assert binding.care_of_address == NEXT_CARE_OF_ADDRESS


@pytest.mark.rfc("10.3.2-2", "a check is no binding")
def test_a_deregistration_ends_the_check() -> None:
    role = on_a_link()
    role.receive(binding_update(3), 100.0)
    effects = role.receive(from_home(4), 100.5)
    assert answers(effects) == [(4, BindingStatus.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE)]
    assert role.tick(101.0) == []
    assert list(role.bindings) == []


def test_checks_count_as_bindings_towards_the_limit() -> None:
    role = on_a_link(bindings_max=1)
    role.receive(binding_update(1), 100.0)
    effects = role.receive(binding_update(1, home_address=OTHER_HOME_ADDRESS), 100.1)
    assert answers(effects) == [(1, BindingStatus.INSUFFICIENT_RESOURCES)]
    assert role.receive(binding_update(2), 100.2) == []
    assert answers(role.tick(101.0)) == [(2, 0)]


def test_thousands_are_checked_in_the_same_second() -> None:
    count = CHECKED_MAX + 10
    role = on_a_link(bindings_max=count)
    addresses = [IPv6Address(int(HOME_ADDRESS) + n) for n in range(count)]
    for address in addresses:
        role.receive(binding_update(home_address=address), 100.0)
    assert len(answers(role.tick(101.0))) == CHECKED_MAX
    assert role.deadline == 101.0
    assert len(answers(role.tick(101.0))) == 10
    assert {binding.home_address for binding in role.bindings} == set(addresses)


# Advertising.


def test_the_advertisement_is_repeated_while_the_binding_stands() -> None:
    role = on_a_link(bindings_max=3)
    role.receive(binding_update(1), 100.0)
    role.tick(101.0)
    assert role.deadline == 102.0
    assert advertised(role.tick(102.0)) == [HOME_ADDRESS]
    assert advertised(role.tick(103.0)) == [HOME_ADDRESS]
    assert role.deadline == 161.0

    role.receive(binding_update(1, home_address=OTHER_HOME_ADDRESS), 110.0)
    role.tick(111.0)
    role.receive(from_home(2, source=OTHER_HOME_ADDRESS, destination=HOME_AGENT), 111.5)
    assert sent(role.tick(112.0)) == []


def test_repetitions_have_a_limit() -> None:
    role = on_a_link(bindings_max=1)
    role.receive(binding_update(1, link_local_address_compatibility=True), 100.0)
    assert advertised(role.tick(101.0)) == [HOME_ADDRESS, LINK_LOCAL]
    assert advertised(role.tick(102.0)) == [HOME_ADDRESS]


def test_many_repetitions_are_done_a_part_at_a_time() -> None:
    count = CHECKED_MAX + 1
    role = on_a_link(bindings_max=count)
    for n in range(count):
        address = IPv6Address(int(HOME_ADDRESS) + n)
        role.receive(binding_update(home_address=address), 100.0)
    role.tick(101.0)
    role.tick(101.0)
    assert len(advertised(role.tick(102.0))) == CHECKED_MAX
    assert len(advertised(role.tick(102.0))) == 1


def test_without_a_link_layer_address_nothing_is_advertised() -> None:
    role = home_agent(home_link="eth1", check_time=1.0)
    assert role.link_up(replace(LINK, name="eth0"), 0.0) == []
    role.receive(binding_update(1), 100.0)
    effects = role.tick(101.0)
    assert advertised(effects) == []
    assert answers(effects) == [(1, 0)]


# The link-local address (L=1).


@pytest.mark.rfc("10.4.1-4", "with L the link-local address too")
def test_the_link_local_address_is_intercepted_with_l() -> None:
    role = on_a_link()
    kernel = Kernel(role)
    update = binding_update(1, link_local_address_compatibility=True)
    kernel.perform(role.receive(update, 100.0), 100.0)
    effects = role.tick(101.0)
    assert advertised(effects) == [HOME_ADDRESS, LINK_LOCAL]
    kernel.perform(effects, 101.0)
    proxy = ProxyNeighbor(address=LINK_LOCAL, link="eth1")
    assert proxy in kernel.states and role.owns(proxy)
    assert not role.owns(replace(proxy, link="eth0"))
    kernel.perform(role.receive(from_home(2), 102.0), 102.0)
    assert kernel.states == role.installed == set()
    assert not role.owns(proxy)


def test_l_may_come_later_and_is_checked_then() -> None:
    role = on_a_link()
    kernel = Kernel(role)
    kernel.perform(role.receive(binding_update(1), 100.0), 100.0)
    kernel.perform(role.tick(101.0), 101.0)
    for now in (102.0, 103.0):
        kernel.perform(role.tick(now), now)
    update = binding_update(2, link_local_address_compatibility=True)
    effects = role.receive(update, 110.0)
    assert solicited(effects) == [LINK_LOCAL]
    assert len(kernel.states) == 3  # the binding stands meanwhile
    effects = role.tick(111.0)
    assert advertised(effects) == [LINK_LOCAL]
    kernel.perform(effects, 111.0)
    assert len(kernel.states) == 4
    # Without L again: its interception ends.
    effects = role.receive(binding_update(3), 112.0)
    assert Remove(ProxyNeighbor(address=LINK_LOCAL, link="eth1")) in effects
    kernel.perform(effects, 112.0)
    assert kernel.states == role.installed


def test_an_update_without_l_overtakes_the_one_that_waits_for_it() -> None:
    role = on_a_link()
    role.receive(binding_update(1), 100.0)
    role.tick(101.0)
    role.receive(binding_update(2, link_local_address_compatibility=True), 110.0)
    assert answers(role.receive(binding_update(3), 110.5)) == [(3, 0)]
    assert answers(role.tick(111.0)) == []
    [binding] = role.bindings
    assert binding.sequence_number == 3


def test_two_home_addresses_may_share_their_link_local_address() -> None:
    role = on_a_link(home_prefix=PREFIXES, mobile_nodes=(PREFIXES,))
    kernel = Kernel(role)
    for now, home_address in ((100.0, HOME_ADDRESS), (110.0, TWIN)):
        update = binding_update(
            1, home_address=home_address, link_local_address_compatibility=True
        )
        kernel.perform(role.receive(update, now), now)
        kernel.perform(role.tick(now + 1), now + 1)
        assert kernel.states == role.installed
    assert len(kernel.states) == 7
    for home_address in (HOME_ADDRESS, TWIN):
        packet = from_home(2, source=home_address)
        kernel.perform(role.receive(packet, 112.0), 112.0)
        assert kernel.states == role.installed
    assert not kernel.states


def test_an_address_that_two_wait_for_is_refused_to_both() -> None:
    role = on_a_link(home_prefix=PREFIXES, mobile_nodes=(PREFIXES,))
    for home_address in (HOME_ADDRESS, TWIN):
        update = binding_update(
            1, home_address=home_address, link_local_address_compatibility=True
        )
        role.receive(update, 100.0)
    assert answers(role.receive(objection(LINK_LOCAL), 100.5)) == [(1, 134), (1, 134)]


# What the kernel refuses.


@pytest.mark.parametrize("kind", [Tunnel, Route, ProxyNeighbor])
def test_a_refusal_of_one_does_not_stop_those_behind_it(kind: type) -> None:
    role = on_a_link()
    kernel = Kernel(role)
    for address in (HOME_ADDRESS, OTHER_HOME_ADDRESS):
        role.receive(binding_update(5, home_address=address), 100.0)
    effects = role.tick(101.0)
    [first] = [e.state for e in effects[:3] if isinstance(e.state, kind)]  # type: ignore[union-attr]
    done = []
    for effect in effects:
        if effect == Install(first):
            break
        done.append(effect)
    kernel.perform(done, 101.0)
    kernel.perform(role.failed(first, 101.0), 101.0)
    assert kernel.states == role.installed
    assert [b.home_address for b in role.bindings] == [OTHER_HOME_ADDRESS]
    assert [
        (p.routing_address, p.message.status) for p in kernel.sent if p.link is None
    ] == [(HOME_ADDRESS, 130), (OTHER_HOME_ADDRESS, 0)]


def test_a_refused_link_local_address_takes_the_binding_back() -> None:
    role = on_a_link()
    kernel = Kernel(role)
    update = binding_update(1, link_local_address_compatibility=True)
    role.receive(update, 100.0)
    effects = role.tick(101.0)
    refused = ProxyNeighbor(address=LINK_LOCAL, link="eth1")
    kernel.perform(effects[: effects.index(Install(refused))], 101.0)
    kernel.perform(role.failed(refused, 101.0), 101.0)
    assert kernel.states == role.installed == set()
    assert kernel.sent[-1].message.status == 130
    assert not role.owns(refused)


def test_a_link_local_address_refused_much_later_is_nobodys() -> None:
    role = on_a_link()
    role.receive(binding_update(1, link_local_address_compatibility=True), 100.0)
    role.tick(101.0)
    refused = ProxyNeighbor(address=LINK_LOCAL, link="eth1")
    assert role.failed(refused, 110.0) == []
    assert len(list(role.bindings)) == 1


def test_a_refusal_much_later_ends_the_binding() -> None:
    role = on_a_link()
    role.receive(binding_update(1), 100.0)
    role.tick(101.0)
    refused = ProxyNeighbor(address=HOME_ADDRESS, link="eth1")
    effects = role.failed(refused, 110.0)
    assert [type(e.state) for e in effects[:2]] == [Route, Tunnel]  # type: ignore[union-attr]
    changed, problem = told(effects)
    assert changed == BindingChanged(Change.DELETED, HOME_ADDRESS, CARE_OF_ADDRESS, 0)
    assert isinstance(problem, Problem)


@pytest.mark.rfc(
    "10.3.2-9", "a refusal for a node on the home link leaves by that link"
)
def test_a_refused_deregistration_is_answered_on_the_home_link() -> None:
    role = on_a_link()
    role.receive(binding_update(5), 100.0)
    role.tick(101.0)
    # By that link alone the kernel asks for the link-layer address, where routing would
    # take the packet into the tunnel, which stands.
    [packet] = sent(role.receive(from_home(4), 102.0))
    assert packet.message.status == 135
    assert (packet.destination, packet.routing_address) == (HOME_ADDRESS, None)
    assert packet.link == "eth1"
    assert acknowledgement(role.receive(from_home(6), 102.0)).status == 0


def test_who_corresponds_is_asked_before_a_registration() -> None:
    role = on_a_link()
    assert role.corresponds == ()
    role.corresponds = {HOME_ADDRESS}
    assert role.corresponds == {HOME_ADDRESS}
    assert acknowledgement(role.receive(binding_update(1), 0.0)).status == 139
