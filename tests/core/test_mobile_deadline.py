"""When a mobile node has something to do, and what counts as the move's progress."""

from ipaddress import IPv6Address

from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import PREFIX_B, PREFIX_C, ROUTER_B, ROUTER_C, Roamer
from tests.core.test_adopted import AT_B, roamer_on
from tests.core.test_home_agents import told
from tests.core.test_mobile_node import (
    SECOND_LINK,
    installed,
    roamer_on_two_links,
)
from tests.core.test_mobile_node_ends import refuse
from tests.core.test_path_mtu import error, table_mtu
from tests.core.test_tentative_addresses import without_link_layer_address

from mip6.core.effects import Effect
from mip6.core.events import Phase, PhaseReached
from mip6.core.path_mtu import MTU_LIFETIME
from mip6.core.state import Tunnel


def reached(effects: list[Effect]) -> list[tuple[Phase, str]]:
    return [(event.phase, event.link) for event in told(effects, PhaseReached)]


def test_a_tunnel_that_cannot_be_changed_ends_in_time() -> None:
    """It is not the one that was granted last."""
    roamer = Roamer()
    roamer.register()
    [before] = roamer.standing(Tunnel)
    roamer.wait(300)
    effects = roamer.answer()
    while roamer.now < before.expires:
        if any(isinstance(state, Tunnel) for state in installed(effects)):
            refuse(roamer, effects, Tunnel)
        assert roamer.standing(Tunnel) == [before]
        assert roamer.node.deadline is not None
        roamer.now = roamer.node.deadline
        effects = roamer.do(roamer.node.tick(roamer.now))
    assert roamer.now == before.expires
    assert roamer.standing(Tunnel) == []


def test_stopping_after_the_tunnel_has_ended_is_no_endless_haste() -> None:
    """A binding may stand that was asked for since, so the home agent is told."""
    roamer = Roamer(lifetime=40)
    roamer.register()
    [tunnel] = roamer.standing(Tunnel)
    roamer.wait(tunnel.expires - 1.0 - roamer.now)
    assert roamer.mobile_node.registration.bound_until > tunnel.expires
    roamer.do(roamer.mobile_node.stop(roamer.now))
    roamer.wait(1.0)
    assert not roamer.mobile_node.stopped
    assert roamer.node.deadline is not None and roamer.node.deadline > roamer.now
    roamer.wait(2.0)
    assert roamer.mobile_node.stopped


def test_a_narrow_path_is_forgotten_by_a_deadline_of_its_own() -> None:
    roamer = Roamer(lifetime=4 * 600)
    roamer.register()
    here = roamer.mobile_node.care_of_address
    assert here is not None
    told_now = error(
        1400, source=here, destination=HOME_AGENT, inner_source=HOME_ADDRESS
    )
    roamer.do(roamer.mobile_node.receive(told_now, roamer.now))
    roamer.wait(MTU_LIFETIME - 0.1)
    assert table_mtu(roamer) == 1360
    roamer.wait(0.1)
    assert table_mtu(roamer) is None


# Progress.


def better_link(**more: object) -> Roamer:
    """Registered by the second link; the first has just come up."""
    roamer = roamer_on_two_links(**more)
    roamer.link_up(SECOND_LINK)
    roamer.hear(PREFIX_C, ROUTER_C, link=SECOND_LINK)
    roamer.wait(1.0)
    roamer.answer()
    assert roamer.mobile_node.link == SECOND_LINK
    roamer.link_up()
    return roamer


def test_a_move_to_a_better_link_is_told_while_the_other_one_works() -> None:
    roamer = better_link()
    effects = roamer.hear(PREFIX_B, ROUTER_B, valid=100, preferred=100)
    assert roamer.mobile_node.link == SECOND_LINK
    assert reached(effects) == [
        (Phase.ROUTER_ADVERTISEMENT, "eth0"),
        (Phase.CARE_OF_ADDRESS, "eth0"),
        (Phase.BINDING_UPDATE, "eth0"),
    ]
    assert roamer.updates[-1].update.lifetime == 100, "as long as the new address"


def test_a_refresh_by_the_old_link_is_no_progress_of_the_new_one() -> None:
    """The new address cannot be used before it is known to be unique."""
    roamer = better_link(optimistic=False)
    registration = roamer.mobile_node.registration
    roamer.wait(registration.deadline - 0.5 - roamer.now)
    octets = without_link_layer_address()
    effects = roamer.do(roamer.node.receive(octets, roamer.now, link="eth0"))
    assert (Phase.CARE_OF_ADDRESS, "eth0") in reached(effects)
    count = len(roamer.updates)
    roamer.now = registration.deadline
    effects = roamer.do(roamer.node.tick(roamer.now))
    assert len(roamer.updates) == count + 1
    assert roamer.updates[-1].packet.link in (None, SECOND_LINK)
    assert reached(effects) == []


def test_a_link_that_others_configure_makes_progress_too() -> None:
    roamer = roamer_on()
    roamer.hear(PREFIX_B, ROUTER_B)
    effects = roamer.do(
        roamer.mobile_node.configured("eth0", (AT_B,), (ROUTER_B,), roamer.now)
    )
    assert (Phase.BINDING_UPDATE, "eth0") in reached(effects)
    assert roamer.updates[-1].packet.source == IPv6Address("2001:db8:b::5")
