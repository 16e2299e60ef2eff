"""The mobile node: addresses of others, refusals of the kernel, a kill, the end."""

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT, HOME_PREFIX
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    ROUTER_HOME,
    Roamer,
)
from tests.core.test_mobile_node import (
    CARE_OF_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
    SECOND_LINK,
    events,
    installed,
    roamer_on_two_links,
    short,
)

from mip6.core.effects import Effect, Install, Remove
from mip6.core.events import (
    Place,
    PlaceChanged,
    Problem,
)
from mip6.core.link import Link
from mip6.core.mobile_node import MobileNode
from mip6.core.movement import CONFLICTS_MAX
from mip6.core.state import (
    CareOfAddress,
    End,
    Neighbor,
    Route,
    State,
    Tunnel,
)

# Duplicate addresses.


@pytest.mark.rfc("11.5.3", "a care-of address that is not unique is given up")
def test_duplicate_address() -> None:
    roamer = Roamer()
    roamer.register()
    mobile_node = roamer.mobile_node
    roamer.now += 1.0
    effects = roamer.do(
        mobile_node.address_checked(CARE_OF_ADDRESS, "eth0", False, roamer.now)
    )
    [problem] = events(effects, Problem)
    assert isinstance(problem, Problem)
    assert str(CARE_OF_ADDRESS) in problem.what
    duplicate = CareOfAddress(address=CARE_OF_ADDRESS, prefix_length=64, link="eth0")
    assert Remove(duplicate) in effects
    [address] = roamer.care_of_addresses
    assert address != CARE_OF_ADDRESS
    assert address in PREFIX_B
    assert roamer.updates[-1].care_of_address == address
    assert mobile_node.place is Place.REGISTERING


def test_unique_address_changes_nothing() -> None:
    roamer = Roamer()
    roamer.register()
    checked = roamer.mobile_node.address_checked
    assert checked(CARE_OF_ADDRESS, "eth0", True, roamer.now) == []
    assert checked(CARE_OF_ADDRESS, "wlan0", False, roamer.now) == []
    assert (
        checked(NEXT_CARE_OF_ADDRESS.__class__("2001:db8::1"), "eth0", False, 0) == []
    )


def test_duplicate_of_an_address_that_is_not_in_use() -> None:
    """Another address with the identifier of the link: the next one is random, where
    we are stays where we are until then."""
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    effects = roamer.do(
        roamer.mobile_node.address_checked(CARE_OF_ADDRESS, "eth0", False, roamer.now)
    )
    assert short(effects) == ["Problem"]
    assert roamer.mobile_node.place is Place.AT_HOME


def test_the_last_duplicate_ends_it() -> None:
    """IDGEN_RETRIES of RFC 7217: somebody answers for every address."""
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    advice = []
    for _ in range(CONFLICTS_MAX):
        address = roamer.mobile_node.care_of_address
        assert address is not None
        effects = roamer.mobile_node.address_checked(address, "eth0", False, roamer.now)
        [problem] = events(roamer.do(effects), Problem)
        assert isinstance(problem, Problem)
        advice.append("left alone" in problem.advice)
    assert advice == [False, False, True]
    assert roamer.mobile_node.care_of_address is None


# The kernel refuses.


def refuse(roamer: Roamer, effects: list[Effect], kind: type[State]) -> State:
    """The executor stops at the first state of this kind; the state."""
    state = next(state for state in installed(effects) if isinstance(state, kind))
    roamer.do(roamer.mobile_node.failed(state, roamer.now))
    return state


def test_what_nobody_was_told_is_told_again() -> None:
    """The executor stopped before the end of the list, where the news stood."""
    roamer = Roamer()
    roamer.link_up()
    effects = roamer.hear(HOME_PREFIX, ROUTER_HOME)
    assert short(effects)[-1] == "PlaceChanged"
    neighbor = next(s for s in installed(effects) if isinstance(s, Neighbor))
    effects = roamer.mobile_node.failed(neighbor, roamer.now)
    assert events(effects, PlaceChanged) == [
        PlaceChanged(Place.AT_HOME, HOME_ADDRESS, None, "eth0")
    ]


def test_a_phase_that_nobody_was_told_is_told_when_it_comes() -> None:
    roamer = Roamer()
    roamer.link_up()
    effects = roamer.hear(PREFIX_B, ROUTER_B)
    assert "reached binding_update" in short(effects)
    refuse(roamer, effects, CareOfAddress)
    roamer.now += 1.0
    again = roamer.do(roamer.node.tick(roamer.now))
    assert "reached care_of_address" in short(again)
    assert "reached binding_update" in short(again)


@pytest.mark.parametrize("kind", [CareOfAddress, Route, Tunnel])
def test_refused_state_is_tried_again(kind: type[State]) -> None:
    roamer = Roamer()
    roamer.link_up()
    state = refuse(roamer, roamer.hear(PREFIX_B, ROUTER_B), kind)
    assert roamer.mobile_node.place is Place.NOWHERE
    assert state not in roamer.mobile_node.installed
    assert roamer.care_of_addresses == set()
    roamer.wait(1.0)
    assert state.key in {standing.key for standing in roamer.mobile_node.installed}
    assert roamer.mobile_node.place is Place.REGISTERING


def test_a_tunnel_that_cannot_be_changed_stays_as_it_is() -> None:
    """It tells the next process that there is a binding to update or to delete."""
    roamer = Roamer()
    roamer.register()
    [before] = roamer.standing(Tunnel)
    roamer.wait(400 * 0.75)
    refuse(roamer, roamer.answer(), Tunnel)
    assert roamer.standing(Tunnel) == [before]
    roamer.wait(1.0)
    roamer.answer()
    [after] = roamer.standing(Tunnel)
    assert after.expires > before.expires


def test_refusals_back_off() -> None:
    roamer = Roamer()
    roamer.link_up()
    effects = roamer.hear(PREFIX_B, ROUTER_B)
    waits = []
    for _ in range(8):
        refuse(roamer, effects, CareOfAddress)
        before = roamer.now
        while not roamer.care_of_addresses:
            assert roamer.node.deadline is not None
            roamer.now = roamer.node.deadline
            effects = roamer.do(roamer.node.tick(roamer.now))
        waits.append(round(roamer.now - before, 6))
    assert waits == [1, 2, 4, 8, 16, 32, 32, 32]


def test_back_off_begins_anew_after_a_registration() -> None:
    roamer = Roamer()
    roamer.link_up()
    refuse(roamer, roamer.hear(PREFIX_B, ROUTER_B), CareOfAddress)
    roamer.wait(1.0)
    for answered, seconds in ((False, 2.0), (True, 1.0)):
        if answered:
            roamer.answer()
        [address] = roamer.standing(CareOfAddress)
        roamer.now += 0.5
        roamer.do(roamer.mobile_node.failed(address, roamer.now))
        roamer.wait(seconds - 0.01)
        assert roamer.care_of_addresses == set()
        roamer.wait(0.01)
        assert roamer.care_of_addresses == {CARE_OF_ADDRESS}


def test_the_node_hands_a_refusal_to_its_mobile_node() -> None:
    roamer = Roamer()
    roamer.register()
    [tunnel] = roamer.standing(Tunnel)
    roamer.do(roamer.node.failed(tunnel, roamer.now))
    assert roamer.tunnel is None


def test_answers_of_one_moment_may_be_one_list() -> None:
    """Carrier lost and back: the daemon performs both answers together, and the kernel
    refuses something of the first."""
    roamer = roamer_on_two_links()
    roamer.link_up(SECOND_LINK)
    roamer.hear(PREFIX_B, ROUTER_B, link=SECOND_LINK)
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.answer()
    roamer.now += 5
    standing = {state.key: state for state in roamer.mobile_node.installed}
    effects = roamer.link_down() + roamer.link_up()
    route = next(s for s in installed(effects) if isinstance(s, Route))
    for effect in effects[: effects.index(Install(route))]:
        match effect:
            case Install(state):
                standing[state.key] = state
            case Remove(state):
                del standing[state.key]
    for effect in roamer.mobile_node.failed(route, roamer.now):
        match effect:
            case Install(state):
                standing[state.key] = state
            case Remove(state):
                assert standing.pop(state.key) == state, "it does not stand"
    assert set(standing.values()) == roamer.mobile_node.installed


def test_a_repair_that_is_refused() -> None:
    """Somebody removed our route, and the kernel will not have it back."""
    roamer = Roamer()
    roamer.register()
    [route] = [r for r in roamer.standing(Route) if r.destination == PREFIX_B]
    effects = roamer.mobile_node.failed(route, roamer.now)
    assert Remove(route) not in effects, "it does not stand"
    assert roamer.mobile_node.place is Place.NOWHERE
    roamer.wait(1.0)
    assert route in roamer.mobile_node.installed
    assert roamer.mobile_node.place is Place.REGISTERED


def test_a_refused_neighbor_is_done_without() -> None:
    """The kernel can find that out itself."""
    roamer = Roamer()
    roamer.link_up()
    refuse(roamer, roamer.hear(PREFIX_B, ROUTER_B), Neighbor)
    assert roamer.mobile_node.place is Place.REGISTERING
    assert not roamer.standing(Neighbor)
    assert roamer.care_of_addresses == {CARE_OF_ADDRESS}


# After a kill.


def left_behind(**changes: object) -> Tunnel:
    fields: dict[str, object] = {
        "end": End.MOBILE_NODE,
        "home_address": HOME_ADDRESS,
        "care_of_address": CARE_OF_ADDRESS,
        "home_agent": HOME_AGENT,
        "expires": 1100.0,
    }
    return Tunnel(**{**fields, **changes})  # type: ignore[arg-type]


def test_restored_tunnel_stays_until_the_acknowledgement() -> None:
    tunnel = left_behind()
    roamer = Roamer(restored=tunnel)
    assert roamer.mobile_node.installed == {tunnel}
    roamer.link_up()
    effects = roamer.hear(PREFIX_B, ROUTER_B)
    assert not [s for s in installed(effects) if isinstance(s, Tunnel)]
    assert roamer.standing(Tunnel) == [tunnel]
    assert len(roamer.updates) == 1
    roamer.answer()
    [after] = roamer.standing(Tunnel)
    assert after.expires == roamer.now + 400
    assert roamer.mobile_node.place is Place.REGISTERED


def test_restored_tunnel_of_another_place_is_replaced() -> None:
    roamer = Roamer(restored=left_behind())
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    [tunnel] = roamer.standing(Tunnel)
    assert (tunnel.care_of_address, tunnel.inbound_only) == (NEXT_CARE_OF_ADDRESS, True)


def test_restored_tunnel_expires() -> None:
    roamer = Roamer(restored=left_behind())
    roamer.wait(100.0)
    assert not roamer.standing(Tunnel)


def test_started_again_at_home_with_a_tunnel_left() -> None:
    """There is a binding to delete."""
    roamer = Roamer(restored=left_behind())
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    assert roamer.mobile_node.place is Place.RETURNING
    assert roamer.updates[-1].update.lifetime == 0


def test_restored_tunnel_is_over_once_it_was_registered_again() -> None:
    """What stands then is what was granted, also when the link goes away."""
    roamer = Roamer(restored=left_behind())
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer()
    roamer.link_down()
    [tunnel] = roamer.standing(Tunnel)
    assert (tunnel.expires, tunnel.inbound_only) == (roamer.now + 400, True)


def test_restored_tunnel_of_another_place_does_not_come_back() -> None:
    """Once it was replaced, the home agent may have moved the binding too."""
    roamer = Roamer(restored=left_behind())
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    [tunnel] = roamer.standing(Tunnel)
    assert (tunnel.care_of_address, tunnel.inbound_only) == (CARE_OF_ADDRESS, True)


def test_a_home_address_that_is_given_up_has_no_tunnel() -> None:
    """Status 134: there is no binding, and there will be none."""
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert roamer.standing(Tunnel)
    roamer.answer(status=134)
    assert not roamer.standing(Tunnel)


# Stopping.


def test_stop_at_home_or_nowhere_is_done_at_once() -> None:
    for at_home in (True, False):
        roamer = Roamer()
        roamer.link_up()
        if at_home:
            roamer.hear(HOME_PREFIX, ROUTER_HOME)
        roamer.do(roamer.mobile_node.stop(roamer.now))
        assert roamer.mobile_node.stopped
        assert roamer.mobile_node.installed == set()
        assert roamer.mobile_node.deadline is None
        assert roamer.updates == []


def test_stop_away_keeps_the_tunnel_until_deregistered() -> None:
    roamer = Roamer()
    roamer.register()
    tunnel = roamer.tunnel
    roamer.do(roamer.mobile_node.stop(roamer.now))
    assert roamer.updates[-1].update.lifetime == 0
    assert roamer.mobile_node.registration.care_of_address is None, "not for certain"
    assert roamer.tunnel == tunnel
    assert not roamer.mobile_node.stopped
    roamer.answer()
    assert roamer.mobile_node.stopped
    assert roamer.mobile_node.installed == set()


def test_stop_waits_three_seconds() -> None:
    """For a home agent that does not answer, and by a deadline of its own."""
    roamer = Roamer()
    roamer.register()
    roamer.do(roamer.mobile_node.stop(roamer.now))
    roamer.wait(2.9)
    assert not roamer.mobile_node.stopped
    assert roamer.node.deadline == pytest.approx(roamer.now + 0.1)
    roamer.wait(0.1)
    assert roamer.mobile_node.stopped
    assert roamer.mobile_node.installed == set()


def test_stop_ends_by_a_deadline_of_its_own() -> None:
    """Nothing is left to be sent, and still it must end."""
    roamer = Roamer()
    roamer.register()
    roamer.do(roamer.mobile_node.stop(roamer.now))
    roamer.answer(status=128)
    assert roamer.node.deadline == roamer.now + 3


def test_stop_ends_with_the_binding() -> None:
    roamer = Roamer(lifetime=40)
    roamer.register()
    roamer.now = roamer.mobile_node.registration.bound_until - 1
    roamer.do(roamer.node.tick(roamer.now))
    bound_until = roamer.mobile_node.registration.bound_until
    roamer.now = bound_until - 1
    roamer.do(roamer.mobile_node.stop(roamer.now))
    assert not roamer.mobile_node.stopped
    roamer.now = bound_until
    roamer.do(roamer.node.tick(roamer.now))
    assert roamer.mobile_node.stopped


def test_nothing_is_sent_once_stopped() -> None:
    """A laptop that slept over both moments, that of a retransmission too."""
    roamer = Roamer()
    roamer.register()
    roamer.do(roamer.mobile_node.stop(roamer.now))
    sent = len(roamer.sent)
    roamer.now += 60
    roamer.do(roamer.node.tick(roamer.now))
    assert roamer.mobile_node.stopped
    assert len(roamer.sent) == sent


def test_nothing_happens_after_stopping() -> None:
    roamer = Roamer()
    roamer.do(roamer.mobile_node.stop(roamer.now))
    mobile_node: MobileNode = roamer.mobile_node
    link = Link("eth0", bytes(6))
    assert mobile_node.link_up(link, 1.0) == []
    assert mobile_node.tick(1.0) == []
    assert mobile_node.stop(1.0) == []
    assert mobile_node.unmatched(b"", 1.0) == []
