"""What the mobile node wants of the kernel, and in which order it asks (§11)."""

from ipaddress import IPv6Address, IPv6Network

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

from mip6.core.effects import Effect, Install, Notify, Remove, Send
from mip6.core.events import (
    Dropped,
    Phase,
    PhaseReached,
    Place,
    PlaceChanged,
)
from mip6.core.link import Link
from mip6.core.movement import ROUTERS_MAX
from mip6.core.state import (
    CareOfAddress,
    End,
    HomeAddress,
    Neighbor,
    Route,
    Rule,
    State,
    Tunnel,
)

CARE_OF_ADDRESS = IPv6Address("2001:db8:b::ff:fe00:5")
NEXT_CARE_OF_ADDRESS = IPv6Address("2001:db8:c::ff:fe00:5")
ROUTER_OCTETS = bytes((2, 0, 0, 0, 1, 0xB))
ANYWHERE = IPv6Network("::/0")
SECOND_LINK = "eth1"


def short(effects: list[Effect]) -> list[str]:
    """Verb and noun of each effect."""
    words = []
    for effect in effects:
        match effect:
            case Install(state) | Remove(state):
                words.append(f"{type(effect).__name__} {type(state).__name__}")
            case Send(packet):
                words.append(f"Send {type(packet.message).__name__}")
            case Notify(PhaseReached(phase=phase)):
                words.append(f"reached {phase}")
            case Notify(event):
                words.append(type(event).__name__)
            case _:
                words.append(type(effect).__name__)
    return words


def installed(effects: list[Effect]) -> list[State]:
    return [effect.state for effect in effects if isinstance(effect, Install)]


def events(effects: list[Effect], kind: type) -> list[object]:
    return [
        effect.event
        for effect in effects
        if isinstance(effect, Notify) and isinstance(effect.event, kind)
    ]


def roamer_on_two_links(**more: object) -> Roamer:
    return Roamer(links=("eth0", SECOND_LINK), **more)


# Coming to a link.


@pytest.mark.rfc("11.5.1", "a Router Solicitation leaves at once when a link comes up")
def test_link_up() -> None:
    roamer = Roamer()
    assert short(roamer.link_up()) == [
        "reached link_up",
        "Send RouterSolicitation",
        "reached router_solicitation",
        "Install HomeAddress",
        "Install Rule",
        "Install Route",
    ]
    assert roamer.mobile_node.place is Place.NOWHERE
    assert roamer.mobile_node.link is None


@pytest.mark.rfc(
    "11.7.1", "the care-of address stands before the Binding Update leaves"
)
def test_router_advertisement() -> None:
    roamer = Roamer()
    roamer.link_up()
    effects = roamer.hear(PREFIX_B, ROUTER_B)
    assert installed(effects) == [
        CareOfAddress(address=CARE_OF_ADDRESS, prefix_length=64, link="eth0"),
        Neighbor(address=ROUTER_B, link="eth0", link_layer_address=ROUTER_OCTETS),
        Route(destination=PREFIX_B, link="eth0", metric=512),
        Route(destination=ANYWHERE, link="eth0", gateway=ROUTER_B, metric=512),
        Rule(priority=1000, table=254, source=CARE_OF_ADDRESS),
        Tunnel(
            end=End.MOBILE_NODE,
            home_address=HOME_ADDRESS,
            care_of_address=CARE_OF_ADDRESS,
            home_agent=HOME_AGENT,
            expires=roamer.now + 400,
            inbound_only=True,
        ),
    ]
    words = short(effects)
    assert words[0] == "reached router_advertisement"
    assert words[-4:] == [
        "reached care_of_address",
        "Send BindingUpdate",
        "reached binding_update",
        "PlaceChanged",
    ]
    assert roamer.mobile_node.place is Place.REGISTERING
    assert roamer.mobile_node.care_of_address == CARE_OF_ADDRESS


def test_acknowledgement_opens_the_tunnel() -> None:
    """Decision 0005: out of it from the first moment, into it from now on."""
    roamer = Roamer()
    sent_at = roamer.now
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.now += 0.03
    effects = roamer.answer()
    assert installed(effects) == [
        Rule(priority=1001, table=254, suppress_default=True),
        Rule(priority=1002, table=100),
        Tunnel(
            end=End.MOBILE_NODE,
            home_address=HOME_ADDRESS,
            care_of_address=CARE_OF_ADDRESS,
            home_agent=HOME_AGENT,
            expires=sent_at + 400,
        ),
    ]
    assert short(effects)[0] == "reached binding_acknowledgement"
    assert roamer.mobile_node.place is Place.REGISTERED


def test_refresh_moves_only_the_expiry() -> None:
    """Decision 0002: one map entry, nothing else."""
    roamer = Roamer()
    roamer.register()
    roamer.wait(400 * 0.75)
    effects = roamer.answer()
    [tunnel] = installed(effects)
    assert isinstance(tunnel, Tunnel)
    assert tunnel.expires == roamer.now + 400
    assert not [e for e in effects if isinstance(e, Remove)]


def test_without_fallback_everything_begins_at_the_home_address() -> None:
    roamer = Roamer(fallback=False)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert {rule.priority for rule in roamer.standing(Rule)} == {999, 1000, 1001, 1002}


def test_with_fallback_only_while_registered() -> None:
    roamer = Roamer()
    roamer.register()
    assert 1002 in {rule.priority for rule in roamer.standing(Rule)}
    roamer.wait(401)
    assert 1002 not in {rule.priority for rule in roamer.standing(Rule)}
    assert roamer.mobile_node.place is Place.REGISTERING


def test_link_down_takes_away_what_was_on_the_link() -> None:
    roamer = Roamer()
    roamer.register()
    roamer.link_down()
    assert roamer.mobile_node.place is Place.NOWHERE
    assert roamer.mobile_node.care_of_address is None
    links = {
        state.link
        for state in roamer.mobile_node.installed
        if isinstance(state, CareOfAddress | Route | Neighbor | HomeAddress)
    }
    assert links == {"mip0"}
    # The binding stands at the home agent: packets wait, a next process must know.
    [tunnel] = roamer.standing(Tunnel)
    assert tunnel.inbound_only
    assert {rule.priority for rule in roamer.standing(Rule)} == {999, 1001, 1002}


def test_links_that_are_not_managed_are_left_alone() -> None:
    roamer = Roamer()
    assert roamer.link_up("wlan0") == []
    assert roamer.link_down("wlan0") == []
    roamer.link_up()
    [event] = events(roamer.hear(PREFIX_B, ROUTER_B, link="wlan0"), Dropped)
    assert event == Dropped("link_not_managed", "11.5.1", ROUTER_B)


def test_a_lifetime_that_the_wire_cannot_say() -> None:
    for lifetime in (0, 3, 401):
        with pytest.raises(ValueError, match="multiple of 4"):
            Roamer(lifetime=lifetime)


def test_link_that_is_up_already_is_looked_at_again() -> None:
    """Nothing changed but a hint: who is there?  The registration stays (§11.5.1)."""
    roamer = Roamer()
    roamer.register()
    roamer.now += 10
    assert short(roamer.link_up()) == ["Send RouterSolicitation"]
    assert roamer.tunnel is not None


def test_link_local_address_becomes_usable() -> None:
    """No reason to ask who is there."""
    roamer = Roamer()
    roamer.register()
    roamer.now += 10
    link = Link("eth0", bytes((2, 0, 0, 0, 0, 5)), IPv6Address("fe80::99"))
    assert roamer.do(roamer.mobile_node.link_up(link, roamer.now)) == []
    assert roamer.tunnel is not None


def test_another_card_under_the_same_name() -> None:
    """Another link-layer address: nothing learned on the old one holds."""
    roamer = Roamer()
    roamer.register()
    link = Link("eth0", bytes((2, 0, 0, 0, 0, 99)), IPv6Address("fe80::99"))
    effects = roamer.do(roamer.mobile_node.link_up(link, roamer.now))
    assert "Send RouterSolicitation" in short(effects)
    assert roamer.mobile_node.place is Place.NOWHERE
    roamer.hear(PREFIX_B, ROUTER_B)
    assert roamer.care_of_addresses == {IPv6Address("2001:db8:b::ff:fe00:63")}


def test_more_routers_than_there_is_room_for() -> None:
    roamer = Roamer()
    roamer.link_up()
    for number in range(ROUTERS_MAX):
        roamer.hear(PREFIX_B, IPv6Address(f"fe80::{number + 1:x}"))
    [event] = events(roamer.hear(PREFIX_B, IPv6Address("fe80::ffff")), Dropped)
    assert isinstance(event, Dropped)
    assert (event.reason, event.section) == ("too_many_routers", "11.5.1")


def test_back_where_the_previous_care_of_address_is() -> None:
    """The address in use is not also the one before it."""
    roamer = roamer_on_two_links()
    roamer.link_up(SECOND_LINK)
    roamer.hear(PREFIX_B, ROUTER_B, link=SECOND_LINK)
    roamer.answer()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.answer()
    assert roamer.tunnel is not None
    first = roamer.tunnel.previous
    assert first in PREFIX_B
    roamer.now += 0.5
    roamer.link_down()
    [tunnel] = roamer.standing(Tunnel)
    assert (tunnel.care_of_address, tunnel.previous) == (first, None)


def test_almost_home_and_back_again() -> None:
    """The care-of address in use was also the one before home."""
    roamer = roamer_on_two_links()
    roamer.link_up(SECOND_LINK)
    roamer.hear(PREFIX_B, ROUTER_B, link=SECOND_LINK)
    roamer.answer()
    address = roamer.mobile_node.care_of_address
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    assert roamer.mobile_node.place is Place.RETURNING
    roamer.link_down()
    [tunnel] = roamer.standing(Tunnel)
    assert (tunnel.care_of_address, tunnel.previous) == (address, None)


# At home.


def test_starting_at_home() -> None:
    """No binding, no Binding Update, no rules: an ordinary host."""
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    assert roamer.mobile_node.place is Place.AT_HOME
    assert roamer.updates == []
    assert {a.link for a in roamer.standing(HomeAddress)} == {"mip0", "eth0"}
    assert not roamer.standing(Rule)
    assert not roamer.standing(Tunnel)
    assert roamer.care_of_addresses == set()


@pytest.mark.rfc("11.5.5", "the home address joins the link after the Binding Update")
def test_returning_home() -> None:
    roamer = Roamer()
    roamer.register()
    roamer.link_down()
    roamer.link_up()
    words = short(roamer.hear(HOME_PREFIX, ROUTER_HOME))
    assert words.index("Send BindingUpdate") < words.index("Install HomeAddress")
    assert words.count("Install HomeAddress") == 1
    assert roamer.mobile_node.place is Place.RETURNING
    assert not roamer.standing(Rule)
    roamer.answer()
    assert roamer.mobile_node.place is Place.AT_HOME
    assert not roamer.standing(Tunnel)


def test_home_agent_that_is_the_router_needs_no_solicitation() -> None:
    """§11.5.5: its link-layer address was in the advertisement."""
    roamer = Roamer()
    roamer.register()
    roamer.link_down()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME, home_agent=True)
    assert {n.address for n in roamer.standing(Neighbor)} == {ROUTER_HOME, HOME_AGENT}


def test_leaving_home() -> None:
    """The home address leaves the link before the Binding Update from away."""
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    assert "Remove HomeAddress" in short(roamer.link_down())
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert len(roamer.updates) == 1
    assert {a.link for a in roamer.standing(HomeAddress)} == {"mip0"}


def test_expired_binding_needs_no_deregistration() -> None:
    roamer = Roamer()
    roamer.register()
    roamer.link_down()
    sent = len(roamer.updates)
    roamer.wait(401)
    assert not roamer.standing(Tunnel)
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    assert roamer.mobile_node.place is Place.AT_HOME
    assert len(roamer.updates) == sent


def test_returning_ends_with_the_binding() -> None:
    """A home agent that is gone cannot keep us from home."""
    roamer = Roamer(lifetime=40)
    roamer.register()
    roamer.link_down()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    roamer.wait(41)
    assert roamer.mobile_node.place is Place.AT_HOME


def test_the_very_moment_a_binding_ends() -> None:
    """It is over then, on the way home and at home."""
    roamer = Roamer(lifetime=40)
    roamer.register()
    end = roamer.mobile_node.registration.bound_until
    roamer.go_home()
    roamer.wait(end - roamer.now)
    assert roamer.mobile_node.place is Place.AT_HOME
    roamer = Roamer(lifetime=40)
    roamer.register()
    roamer.link_down()
    roamer.now = roamer.mobile_node.registration.bound_until
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    assert roamer.mobile_node.place is Place.AT_HOME
    assert {a.link for a in roamer.standing(HomeAddress)} == {"mip0", "eth0"}


def test_home_agent_that_is_not_the_router_has_to_be_found() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME, home_agent=False)
    assert {n.address for n in roamer.standing(Neighbor)} == {ROUTER_HOME}


def test_back_home_while_the_other_link_still_works() -> None:
    """The home agent may still tunnel to the care-of address there."""
    roamer = roamer_on_two_links()
    roamer.link_up(SECOND_LINK)
    roamer.hear(PREFIX_B, ROUTER_B, link=SECOND_LINK)
    roamer.answer()
    address = roamer.mobile_node.care_of_address
    roamer.link_up()
    roamer.hear(HOME_PREFIX, ROUTER_HOME)
    assert roamer.mobile_node.place is Place.RETURNING
    [tunnel] = roamer.standing(Tunnel)
    assert (tunnel.care_of_address, tunnel.inbound_only) == (address, True)
    roamer.answer()
    assert roamer.care_of_addresses == set()
    assert not roamer.standing(Tunnel)


# Moving.


def test_previous_care_of_address_is_kept_for_a_while() -> None:
    roamer = Roamer()
    roamer.register()
    old = roamer.mobile_node.care_of_address
    roamer.hear(PREFIX_B, ROUTER_B, preferred=0)
    roamer.hear(PREFIX_C, ROUTER_B)
    new = roamer.mobile_node.care_of_address
    assert roamer.care_of_addresses == {old, new}
    [tunnel] = roamer.standing(Tunnel)
    assert (tunnel.care_of_address, tunnel.previous) == (new, old)
    assert tunnel.previous_until == tunnel.expires
    roamer.answer()
    [tunnel] = roamer.standing(Tunnel)
    assert tunnel.previous_until == roamer.now + 2.0
    roamer.wait(2.0)
    assert roamer.care_of_addresses == {new}
    assert roamer.standing(Tunnel)[0].previous is None


def test_preferred_link_wins_and_the_other_takes_over() -> None:
    roamer = roamer_on_two_links()
    roamer.link_up(SECOND_LINK)
    roamer.hear(PREFIX_B, ROUTER_B, link=SECOND_LINK)
    assert roamer.mobile_node.link == SECOND_LINK
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    assert roamer.mobile_node.link == "eth0"
    roamer.link_down()
    assert roamer.mobile_node.link == SECOND_LINK
    assert roamer.updates[-1].packet.link == SECOND_LINK


@pytest.mark.rfc("11.5.1", "a router that cannot be reached any more is movement")
def test_the_router_is_unreachable() -> None:
    """The kernel found out (RFC 4861 §7.3): it is asked, and then out of favour."""
    roamer = Roamer()
    roamer.register()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.wait(0.6)
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.wait(10.0)
    roamer.sent.clear()
    node = roamer.mobile_node
    assert node.neighbor_lost(ROUTER_C, "eth0", roamer.now) == []
    assert node.neighbor_lost(ROUTER_B, "eth7", roamer.now) == []
    assert roamer.do(node.neighbor_lost(ROUTER_B, "eth0", roamer.now))
    assert roamer.sent, "a Router Solicitation"
    assert node.care_of_address == CARE_OF_ADDRESS
    roamer.wait(5.0)
    assert node.care_of_address == NEXT_CARE_OF_ADDRESS
    assert node.neighbor_lost(ROUTER_B, "eth0", roamer.now) == []


def test_phases_are_of_the_link_that_came_up() -> None:
    roamer = roamer_on_two_links()
    roamer.link_up(SECOND_LINK)
    roamer.link_up()
    reached = events(roamer.hear(PREFIX_B, ROUTER_B, link=SECOND_LINK), PhaseReached)
    assert reached == []
    reached = events(roamer.hear(PREFIX_C, ROUTER_C), PhaseReached)
    assert reached == [
        PhaseReached(Phase.ROUTER_ADVERTISEMENT, "eth0"),
        PhaseReached(Phase.CARE_OF_ADDRESS, "eth0"),
        PhaseReached(Phase.BINDING_UPDATE, "eth0"),
    ]
    # And each once in a move.
    assert events(roamer.hear(PREFIX_C, ROUTER_C), PhaseReached) == []


def test_place_is_told_when_it_changes() -> None:
    roamer = Roamer()
    roamer.link_up()
    [told] = events(roamer.hear(PREFIX_B, ROUTER_B), PlaceChanged)
    assert told == PlaceChanged(
        Place.REGISTERING, HOME_ADDRESS, CARE_OF_ADDRESS, "eth0"
    )
    assert events(roamer.hear(PREFIX_B, ROUTER_B), PlaceChanged) == []
