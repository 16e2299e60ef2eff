"""RFC 6275 §11.5.5: finding the home agent on the home link, without a war for the
home address."""

from ipaddress import IPv6Address

import pytest

from mip6.core.effects import Effect, Notify
from mip6.core.events import Place, Problem
from mip6.core.home_neighbor import ASK_EVERY, PATIENCE
from mip6.core.link import Link
from mip6.core.neighbor_discovery import solicited_node
from mip6.core.packet import Packet, write
from mip6.core.state import HomeAddress, Neighbor
from mip6.wire.neighbor_discovery import NeighborAdvertisement, NeighborSolicitation
from mip6.wire.neighbor_options import TargetLinkLayerAddress, UnknownNeighborOption

from .nodes import HOME_ADDRESS, HOME_AGENT, HOME_PREFIX
from .roamer import ALL_NODES, PREFIX_B, ROUTER_B, ROUTER_HOME, Roamer

AGENT_OCTETS = bytes((2, 0, 0, 0, 9, 9))
OWN_OCTETS = bytes((2, 0, 0, 0, 0, 5))
UNSPECIFIED = IPv6Address("::")


def come_home(roamer: Roamer) -> list[Effect]:
    """The router of the home link is not the home agent."""
    roamer.link_down()
    roamer.link_up()
    return roamer.hear(HOME_PREFIX, ROUTER_HOME, home_agent=False)


def bound() -> Roamer:
    roamer = Roamer()
    roamer.register()
    come_home(roamer)
    return roamer


def questions(roamer: Roamer) -> list[Packet]:
    return [
        s.packet
        for s in roamer.sent
        if isinstance(s.packet.message, NeighborSolicitation)
        and s.packet.source == UNSPECIFIED
    ]


NONCE = UnknownNeighborOption(type=14, data=bytes(6))


def answer(
    roamer: Roamer,
    octets: bytes | None = AGENT_OCTETS,
    *,
    target: IPv6Address = HOME_ADDRESS,
    solicited: bool = False,
    link: str = "eth0",
) -> list[Effect]:
    """As the home agent's kernel answers: to all nodes, not solicited."""
    message = NeighborAdvertisement(
        target_address=target,
        solicited=solicited,
        # Some other option is of no interest.
        options=(TargetLinkLayerAddress(octets), NONCE) if octets else (NONCE,),
    )
    packet = Packet(
        source=IPv6Address("fe80::99"),
        destination=HOME_ADDRESS if solicited else ALL_NODES,
        message=message,
        hop_limit=255,
    )
    return roamer.receive(write(packet), link=link)


def address_is_on_link(roamer: Roamer) -> bool:
    return HomeAddress(address=HOME_ADDRESS, link="eth0") in roamer.standing(
        HomeAddress
    )


@pytest.mark.rfc(
    "11.5.5-5", "who has the home address is asked from nowhere, multicast"
)
@pytest.mark.rfc("11.5.5-6", "its target is the home address")
@pytest.mark.rfc("11.5.5-7", "it goes to the solicited-node group")
def test_the_question() -> None:
    roamer = bound()
    [question] = questions(roamer)
    assert question.source == UNSPECIFIED
    assert question.destination == solicited_node(HOME_ADDRESS)
    assert question.hop_limit == 255 and question.link == "eth0"
    assert isinstance(question.message, NeighborSolicitation)
    assert question.message.target_address == HOME_ADDRESS
    assert question.message.options == (), "nobody learns our address from it"
    assert len(roamer.updates) == 1, "the Binding Update waits for the answer"
    assert not address_is_on_link(roamer)
    assert roamer.mobile_node.place is Place.RETURNING


@pytest.mark.rfc("11.5.5-8", "what the home agent advertises is recorded")
def test_the_answer_is_recorded_and_the_binding_update_follows() -> None:
    roamer = bound()
    answer(roamer)
    [neighbor] = [n for n in roamer.standing(Neighbor) if n.address == HOME_AGENT]
    assert neighbor == Neighbor(
        address=HOME_AGENT, link="eth0", link_layer_address=AGENT_OCTETS
    )
    assert len(roamer.updates) == 2 and roamer.updates[-1].update.lifetime == 0
    assert address_is_on_link(roamer)
    roamer.answer()
    roamer.wait(5)
    assert roamer.mobile_node.place is Place.AT_HOME
    assert len(questions(roamer)) == 1
    assert address_is_on_link(roamer)
    roamer.link_down()
    assert not [n for n in roamer.standing(Neighbor) if n.address == HOME_AGENT]


def test_what_is_no_answer() -> None:
    roamer = bound()
    answer(roamer, link="eth1")
    answer(roamer, target=ROUTER_HOME)
    answer(roamer, solicited=True)
    answer(roamer, OWN_OCTETS)
    answer(roamer, None)
    assert len(roamer.updates) == 1
    answer(roamer)
    assert len(roamer.updates) == 2


def test_a_home_agent_that_does_not_answer_is_asked_again_and_not_waited_for() -> None:
    roamer = bound()
    roamer.wait(2.5 * ASK_EVERY)
    assert len(questions(roamer)) == 3
    assert len(roamer.updates) == 1
    roamer.wait(PATIENCE)
    assert len(questions(roamer)) == 3
    assert len(roamer.updates) == 2
    answer(roamer)
    assert not [n for n in roamer.standing(Neighbor) if n.address == HOME_AGENT]


def test_an_advertisement_of_the_home_agent_ends_it() -> None:
    roamer = bound()
    roamer.hear(HOME_PREFIX, ROUTER_HOME, home_agent=True)
    assert len(roamer.updates) == 2
    roamer.wait(2)
    assert len(questions(roamer)) == 1


# With no binding left.


def unbound(check_time: float = 1.0) -> Roamer:
    roamer = Roamer(home_check_time=check_time)
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    return roamer


@pytest.mark.rfc(
    "11.5.5-10", "with no binding left the home address is checked at home"
)
def test_the_home_address_is_checked() -> None:
    roamer = unbound()
    [question] = questions(roamer)
    assert question.destination == solicited_node(HOME_ADDRESS)
    assert not address_is_on_link(roamer)
    assert roamer.mobile_node.place is Place.RETURNING
    roamer.wait(1.1)
    assert address_is_on_link(roamer)
    assert roamer.mobile_node.place is Place.AT_HOME
    assert roamer.updates == [] and len(questions(roamer)) == 1
    # It is ours now; who comes later does not take it.
    answer(roamer)
    assert address_is_on_link(roamer)


def test_somebody_else_has_it() -> None:
    roamer = unbound()
    effects = answer(roamer, None)
    [problem] = [
        e.event
        for e in effects
        if isinstance(e, Notify) and isinstance(e.event, Problem)
    ]
    assert isinstance(problem, Problem)
    assert problem.what == f"another node on the home link uses {HOME_ADDRESS}"
    roamer.wait(60)
    assert not address_is_on_link(roamer)
    # Somewhere else it is reachable again, and there is another try.
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer()
    assert roamer.mobile_node.place is Place.REGISTERED


@pytest.mark.rfc("11.5.5-9", "with a binding alive nobody is asked for duplicates")
def test_an_answer_while_the_binding_is_alive_is_no_duplicate() -> None:
    roamer = Roamer(home_check_time=1.0)
    roamer.register()
    come_home(roamer)
    effects = answer(roamer)
    assert not [
        e for e in effects if isinstance(e, Notify) and isinstance(e.event, Problem)
    ]
    roamer.answer()
    assert address_is_on_link(roamer)


def test_where_duplicates_are_not_looked_for_nothing_is_asked() -> None:
    roamer = unbound(0.0)
    assert questions(roamer) == [] and address_is_on_link(roamer)


def test_an_answer_of_another_length_of_address() -> None:
    """The option is padded on links other than Ethernet."""
    roamer = Roamer()
    link = Link("eth0", bytes(range(1, 9)), IPv6Address("fe80::8"))
    roamer.do(roamer.mobile_node.link_up(link, roamer.now))
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer()
    roamer.link_down()
    roamer.do(roamer.mobile_node.link_up(link, roamer.now))
    roamer.hear(HOME_PREFIX, ROUTER_HOME, home_agent=False)
    answer(roamer, bytes(range(11, 25)))
    [neighbor] = [n for n in roamer.standing(Neighbor) if n.address == HOME_AGENT]
    assert neighbor.link_layer_address == bytes(range(11, 19))
