"""A mobile node on a kernel without optimistic addresses (RFC 4429): it looks for
duplicates itself, while the address is used (decision 0027)."""

from ipaddress import IPv6Address

import pytest
from tests.conformance.nodes import dropped
from tests.conformance.roamer import PREFIX_B, PREFIX_C, ROUTER_B, ROUTER_C, Roamer

from mip6.core.duplicates import RETRANS_TIMER
from mip6.core.effects import Install, Send
from mip6.core.events import Place
from mip6.core.packet import Packet, write
from mip6.core.state import CareOfAddress
from mip6.wire.neighbor_discovery import NeighborAdvertisement, NeighborSolicitation

CARE_OF_ADDRESS = IPv6Address("2001:db8:b::ff:fe00:5")
SOLICITED_NODE = IPv6Address("ff02::1:ff00:5")
UNSPECIFIED = IPv6Address("::")
ELSEWHERE = IPv6Address("fe80::99")


def questions(roamer: Roamer) -> list[Packet]:
    return [
        sent.packet
        for sent in roamer.sent
        if isinstance(sent.packet.message, NeighborSolicitation)
    ]


def at_b() -> Roamer:
    roamer = Roamer(optimistic=False)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    return roamer


def claim(target: IPv6Address = CARE_OF_ADDRESS) -> bytes:
    """Another node says that it has the address."""
    message = NeighborAdvertisement(target_address=target, override=True)
    return write(
        Packet(
            source=ELSEWHERE,
            destination=IPv6Address("ff02::1"),
            message=message,
            hop_limit=255,
        )
    )


def question(source: IPv6Address) -> bytes:
    return write(
        Packet(
            source=source,
            destination=SOLICITED_NODE,
            message=NeighborSolicitation(target_address=CARE_OF_ADDRESS),
            hop_limit=255,
        )
    )


@pytest.mark.rfc("11.7.1", "no Binding Update from an address that is still checked")
def test_it_is_asked_for_and_used_at_once() -> None:
    roamer = Roamer(optimistic=False)
    roamer.link_up()
    effects = roamer.hear(PREFIX_B, ROUTER_B)
    care_of_address = CareOfAddress(
        address=CARE_OF_ADDRESS, prefix_length=64, link="eth0", checked_by_kernel=False
    )
    [packet] = questions(roamer)
    assert effects.index(Install(care_of_address)) < next(
        index
        for index, effect in enumerate(effects)
        if isinstance(effect, Send) and effect.packet.message == packet.message
    )
    assert (packet.source, packet.destination) == (UNSPECIFIED, SOLICITED_NODE)
    assert (packet.hop_limit, packet.link) == (255, "eth0")
    assert packet.message == NeighborSolicitation(target_address=CARE_OF_ADDRESS)
    assert roamer.updates[0].care_of_address == CARE_OF_ADDRESS
    roamer.answer()
    assert roamer.mobile_node.place is Place.REGISTERED
    roamer.wait(30.0)
    assert len(questions(roamer)) == 1


def test_an_address_is_not_used_before_its_router_can_be_reached() -> None:
    """RFC 4429 §3.2: it could not ask for it; so it waits until it is ours alone."""
    roamer = Roamer(optimistic=False)
    roamer.link_up()
    roamer.do(
        roamer.node.receive(without_link_layer_address(), roamer.now, link="eth0")
    )
    assert len(questions(roamer)) == 1
    roamer.wait(RETRANS_TIMER - 0.1)
    assert not roamer.updates
    roamer.wait(0.2)
    assert roamer.updates[0].care_of_address == CARE_OF_ADDRESS


def without_link_layer_address() -> bytes:
    from mip6.wire.neighbor_discovery import RouterAdvertisement
    from mip6.wire.neighbor_options import PrefixInformation

    prefix = PrefixInformation(
        prefix=PREFIX_B.network_address,
        prefix_length=64,
        valid_lifetime=3600,
        preferred_lifetime=3600,
        autonomous_address_configuration=True,
    )
    message = RouterAdvertisement(router_lifetime=1800, options=(prefix,))
    return write(
        Packet(
            source=ROUTER_B,
            destination=IPv6Address("ff02::1"),
            message=message,
            hop_limit=255,
        )
    )


@pytest.mark.parametrize("said", [claim(), question(UNSPECIFIED)])
def test_an_address_that_another_has_is_given_up(said: bytes) -> None:
    """RFC 4862 §5.4.3, §5.4.4; and the next one is asked for."""
    roamer = at_b()
    roamer.receive(said, link="eth0")
    [other] = roamer.care_of_addresses
    assert other != CARE_OF_ADDRESS and other in PREFIX_B
    assert [p.message for p in questions(roamer)][1:] == [
        NeighborSolicitation(target_address=other)
    ]
    assert roamer.updates[-1].care_of_address == other


def test_who_looks_for_us_does_not_object() -> None:
    roamer = at_b()
    assert dropped(roamer.receive(question(ELSEWHERE), link="eth0"))
    assert dropped(roamer.receive(claim(IPv6Address("2001:db8:b::9")), link="eth0"))
    assert dropped(roamer.receive(claim(), link="eth1"))
    assert roamer.care_of_addresses == {CARE_OF_ADDRESS}


def test_objections_come_too_late() -> None:
    roamer = at_b()
    roamer.wait(RETRANS_TIMER)
    assert dropped(roamer.receive(claim(), link="eth0"))
    assert roamer.care_of_addresses == {CARE_OF_ADDRESS}


def test_the_kernel_that_checks_nothing_has_nothing_to_say() -> None:
    """It tells that the address stands, not that nobody has it."""
    roamer = at_b()
    node = roamer.mobile_node
    assert node.address_checked(CARE_OF_ADDRESS, "eth0", True, roamer.now) == []
    assert not node.attachments.up["eth0"]._unique


def test_another_link_is_another_question() -> None:
    roamer = at_b()
    roamer.wait(2.0)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    targets = [p.message for p in questions(roamer) if p.source == UNSPECIFIED]
    assert len(targets) == 2


def test_the_kernel_with_optimistic_addresses_is_left_to_it() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert not questions(roamer)
    assert dropped(roamer.receive(claim(), link="eth0"))
