"""Several home addresses, and correspondents of each (decision 0034)."""

from ipaddress import IPv6Address

from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import (
    PREFIX_C,
)
from tests.core.renumbering import (
    BOTH,
    FOR_EVER,
    NEW_HOME_ADDRESS,
    answer,
    new,
    renumbered,
    tunnels,
)
from tests.core.test_prefix_solicitation import (
    CARE_OF_ADDRESS,
    advertise,
    information,
)
from tests.support.core import told
from tests.support.optimizing import Optimizer

from mip6.core.correspondent import Correspondent
from mip6.core.effects import Send
from mip6.core.events import (
    Dropped,
    WayChanged,
)
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.state import (
    End,
    RouteOptimization,
)
from mip6.wire.icmpv6 import ParameterProblem
from mip6.wire.messages import (
    CareOfTest,
    HomeTestInit,
)
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    write_packet,
)

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
