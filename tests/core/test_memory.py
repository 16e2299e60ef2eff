"""Back on a link seen before (RFC 6059, Simple DNA)."""

from dataclasses import replace
from ipaddress import IPv6Address
from math import inf

import pytest
from tests.conformance.nodes import dropped
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    ROUTER_HOME,
    Roamer,
)

from mip6.core.effects import Notify
from mip6.core.events import Phase, PhaseReached, Place
from mip6.core.link import Link, Prefix, Router
from mip6.core.memory import PLACES_MAX, Memory, probe
from mip6.core.memory import Place as Seen
from mip6.core.movement import ROUTERS_MAX
from mip6.core.packet import Packet, write
from mip6.wire.neighbor_discovery import NeighborAdvertisement, NeighborSolicitation
from mip6.wire.neighbor_options import SourceLinkLayerAddress, TargetLinkLayerAddress

LINK_LOCAL = IPv6Address("fe80::ff:fe00:5")
OCTETS = bytes((2, 0, 0, 0, 0, 5))
LINK = Link("eth0", OCTETS, LINK_LOCAL)


def octets_of(router: IPv6Address) -> bytes:
    return bytes((2, 0, 0, 0, 1, router.packed[15]))


def been_at_b() -> Roamer:
    """Registered at B, then at C, and the cable is out."""
    roamer = Roamer()
    roamer.register()
    roamer.wait(5.0)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.answer()
    roamer.wait(5.0)
    roamer.link_down()
    roamer.sent.clear()
    return roamer


def here(router: IPv6Address = ROUTER_B, **changes: object) -> bytes:
    fields: dict[str, object] = {
        "target_address": router,
        "router": True,
        "solicited": True,
        "override": True,
        "options": (TargetLinkLayerAddress(octets_of(router)),),
        **changes,
    }
    source = fields.pop("source", router)
    assert isinstance(source, IPv6Address)
    return write(
        Packet(
            source=source,
            destination=LINK_LOCAL,
            message=NeighborAdvertisement(**fields),  # type: ignore[arg-type]
            hop_limit=255,
        )
    )


def probes(roamer: Roamer) -> list[Packet]:
    return [
        sent.packet
        for sent in roamer.sent
        if isinstance(sent.packet.message, NeighborSolicitation)
    ]


def test_the_routers_seen_before_are_asked_at_once() -> None:
    roamer = been_at_b()
    effects = roamer.link_up()
    asked = [e.packet for e in effects if hasattr(e, "packet")]
    assert [p.link_layer_destination for p in asked] == [
        octets_of(ROUTER_C),
        octets_of(ROUTER_B),
        None,  # the Router Solicitation, in parallel
    ]
    [to_c, _] = probes(roamer)
    assert (to_c.source, to_c.destination) == (LINK_LOCAL, ROUTER_C)
    assert to_c.hop_limit == 255
    assert to_c.message == NeighborSolicitation(
        target_address=ROUTER_C, options=(SourceLinkLayerAddress(OCTETS),)
    )


def test_the_address_is_used_the_moment_its_router_answers() -> None:
    roamer = been_at_b()
    roamer.link_up()
    effects = roamer.receive(here(), link="eth0")
    [update] = roamer.updates
    assert update.care_of_address in PREFIX_B
    told = [e.event for e in effects if isinstance(e, Notify)]
    assert PhaseReached(Phase.ROUTER_ADVERTISEMENT, "eth0") in told
    roamer.answer()
    assert roamer.mobile_node.place is Place.REGISTERED
    # The advertisement is still asked for, and counts more.
    roamer.wait(0.6)
    solicitations = [s for s in roamer.sent if s.packet.destination.is_multicast]
    assert len(solicitations) == 2
    roamer.hear(PREFIX_B, ROUTER_B, valid=0, preferred=0)
    assert roamer.mobile_node.place is Place.NOWHERE


def test_an_advertisement_that_was_heard_counts_more() -> None:
    """RFC 6059 §5.7.3.1: the router says that its prefix is another now."""
    roamer = been_at_b()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_B)
    assert dropped(roamer.receive(here(), link="eth0")) == "neighbor_message"
    address = roamer.mobile_node.care_of_address
    assert address is not None and address in PREFIX_C


@pytest.mark.parametrize(
    "changes",
    [
        {"options": (TargetLinkLayerAddress(octets_of(ROUTER_C)),)},
        {"solicited": False},
        {"source": ROUTER_C},
        {"router": ROUTER_HOME},
    ],
)
def test_both_addresses_must_match(changes: dict[str, object]) -> None:
    """RFC 6059 §5.7.1: an answer to our question, by the router that we know."""
    roamer = been_at_b()
    roamer.link_up()
    router = changes.pop("router", ROUTER_B)
    assert isinstance(router, IPv6Address)
    assert (
        dropped(roamer.receive(here(router, **changes), link="eth0"))
        == "neighbor_message"
    )
    assert roamer.updates == []


def test_an_answer_without_a_link_layer_address() -> None:
    """RFC 4861 §7.2.4: nobody else got the question."""
    roamer = been_at_b()
    roamer.link_up()
    roamer.receive(here(options=()), link="eth0")
    assert len(roamer.updates) == 1


def test_from_a_link_that_is_not_ours() -> None:
    roamer = been_at_b()
    assert dropped(roamer.receive(here(), link="eth0")) == "neighbor_message"
    roamer.link_up()
    assert dropped(roamer.receive(here(), link="eth7")) == "neighbor_message"


def test_no_more_than_once_a_second() -> None:
    """RFC 6059 §5.11."""
    roamer = been_at_b()
    for _ in range(4):
        roamer.link_up()
        roamer.wait(0.2)
        roamer.link_down()
    assert len(probes(roamer)) == 2
    roamer.wait(0.3)
    roamer.link_up()
    assert len(probes(roamer)) == 4


def test_without_a_link_local_address_there_is_nobody_to_answer() -> None:
    roamer = been_at_b()
    roamer.do(roamer.mobile_node.link_up(replace(LINK, link_local=None), roamer.now))
    assert probes(roamer) == []
    roamer.wait(0.5)
    roamer.do(roamer.mobile_node.link_up(LINK, roamer.now))
    assert len(probes(roamer)) == 2


def test_another_card_has_been_nowhere() -> None:
    roamer = been_at_b()
    other = replace(LINK, link_layer_address=bytes((2, 0, 0, 0, 0, 9)))
    roamer.do(roamer.mobile_node.link_up(other, roamer.now))
    assert probes(roamer) == []
    roamer.link_down()
    roamer.link_up()
    assert probes(roamer) == [], "the other card's places are not ours"


def test_what_has_expired_is_not_asked_for() -> None:
    roamer = been_at_b()
    roamer.wait(1800.0)
    roamer.link_up()
    assert probes(roamer) == []


def test_a_router_that_was_silent_is_not_remembered() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.wait(1.0)
    roamer.link_up()
    roamer.wait(5.0)
    roamer.link_down()
    roamer.link_up()
    assert probes(roamer) == []


def test_no_room_for_one_more() -> None:
    roamer = been_at_b()
    roamer.link_up()
    for number in range(ROUTERS_MAX):
        roamer.hear(PREFIX_C, IPv6Address(f"fe80::1:{number:x}"))
    assert dropped(roamer.receive(here(), link="eth0")) == "neighbor_message"


def test_duplicates_are_not_looked_for_twice() -> None:
    """RFC 6059 §5.8."""
    roamer = Roamer(optimistic=False)
    roamer.register()
    roamer.wait(2.0)
    roamer.link_down()
    roamer.link_up()
    roamer.receive(here(), link="eth0")
    assert roamer.mobile_node.place is Place.REGISTERED
    asked = [p for p in probes(roamer) if p.source == IPv6Address("::")]
    assert len(asked) == 1


# The table itself.


def seen(number: int, *, expires: float = 1800.0, valid: float = inf) -> Seen:
    prefix = Prefix(
        network=PREFIX_B, autonomous=True, valid_until=valid, preferred_until=inf
    )
    router = Router(
        address=IPv6Address(f"fe80::{number:x}"),
        link_layer_address=bytes((2, 0, 0, 0, 2, number)),
        home_agent=False,
        addresses=(),
        preference=0,
        expires=expires,
        quiet_at=3.0,
        prefixes=(prefix,),
        silent=True,
    )
    return Seen(router, bytes(8), frozenset(), proven=True)


def test_places_max() -> None:
    memory = Memory()
    for number in range(PLACES_MAX + 3):
        memory.keep(LINK, [seen(number)])
    found = memory.recall(LINK, 0.0)
    assert len(found) == PLACES_MAX == 6, "RFC 6059 §5.5.3"
    assert found[0] == seen(PLACES_MAX + 2)
    memory.keep(LINK, [seen(5)])
    assert len(set(memory.recall(LINK, 1.0))) == PLACES_MAX


def test_another_card_has_other_places() -> None:
    memory = Memory()
    memory.keep(LINK, [seen(1)])
    other = replace(LINK, link_layer_address=bytes(6))
    memory.keep(other, [seen(2)])
    assert memory.recall(other, 0.0) == (seen(2),)
    assert memory.recall(LINK, 5.0) == ()


def test_what_holds() -> None:
    memory = Memory()
    memory.keep(LINK, [seen(1, expires=10.0), seen(2, valid=10.0), seen(3)])
    assert memory.recall(LINK, 10.0) == (seen(3),)
    again = seen(3).again(5.0)
    assert (again.silent, again.quiet_at) == (False, inf)
    assert seen(2, valid=10.0).again(10.0).prefixes == ()


def test_a_link_without_room_for_its_address() -> None:
    link = Link("ppp0", bytes(8), LINK_LOCAL)
    message = probe(seen(1), link).message
    assert message == NeighborSolicitation(target_address=IPv6Address("fe80::1"))


def test_a_longer_link_layer_address_that_fills_the_option() -> None:
    octets = bytes(range(14))
    message = probe(seen(1), Link("ib0", octets, LINK_LOCAL)).message
    assert isinstance(message, NeighborSolicitation)
    assert message.options == (SourceLinkLayerAddress(octets),)


def test_a_router_that_was_in_use_and_proved_nothing() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.wait(1.0)
    roamer.link_down()
    roamer.link_up()
    roamer.receive(here(), link="eth0")
    address = roamer.mobile_node.care_of_address
    assert address is not None and address in PREFIX_B
