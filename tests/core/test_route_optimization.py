"""The mobile node and a correspondent: how packets come to take the direct way, and
what becomes of it when things go well."""

from ipaddress import IPv6Address, IPv6Network
from itertools import pairwise

import pytest
from tests.conformance.nodes import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import PREFIX_B, PREFIX_C, ROUTER_B
from tests.support.optimizing import Optimizer

from mip6.core.effects import Install, Remove, Send
from mip6.core.events import Place
from mip6.core.mobile_node import MobileNode
from mip6.core.packet import Packet, write
from mip6.core.return_routability_procedure import TOKENS_MAX
from mip6.core.route_optimization import (
    CorrespondentPolicy,
    Mode,
    Way,
    Why,
    policy_for,
)
from mip6.core.state import End, RouteOptimization
from mip6.wire.messages import (
    BindingRefreshRequest,
    BindingUpdate,
    CareOfTestInit,
    HomeTestInit,
)

NEXT_HOME_AGENT = IPv6Address("2001:db8:a::2")
EVERYBODY = IPv6Network("::/0")
NEVER = CorrespondentPolicy(EVERYBODY, Mode.NEVER)
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::ff:fe00:5")
NEXT_CARE_OF_ADDRESS = IPv6Address("2001:db8:c::ff:fe00:5")


def test_traffic_brings_both_tests_and_a_binding_update() -> None:
    roamer = Optimizer()
    roamer.register()
    roamer.talk()
    home, care_of = roamer.tests
    assert isinstance(home.packet.message, HomeTestInit)
    assert home.packet.tunnel == (CARE_OF_ADDRESS, HOME_AGENT)
    assert home.packet.source == HOME_ADDRESS
    assert isinstance(care_of.packet.message, CareOfTestInit)
    assert care_of.packet.tunnel is None
    assert care_of.packet.source == CARE_OF_ADDRESS
    assert home.packet.link == care_of.packet.link == "eth0"
    assert roamer.entry.why is Why.TESTING
    assert roamer.way is None
    roamer.exchange()
    [update] = roamer.peer_updates
    assert update.care_of_address == CARE_OF_ADDRESS
    assert update.packet.home_address == HOME_ADDRESS
    assert roamer.way == RouteOptimization(
        end=End.MOBILE_NODE,
        home_address=HOME_ADDRESS,
        correspondent=CORRESPONDENT,
        care_of_address=CARE_OF_ADDRESS,
        expires=roamer.now + 400,
    )
    entry = roamer.entry
    assert (entry.way, entry.why, entry.until) == (
        Way.DIRECT,
        Why.REGISTERED,
        roamer.now + 400,
    )
    binding = roamer.correspondent.correspondent
    assert binding is not None
    cached = binding.binding(CORRESPONDENT, HOME_ADDRESS)
    assert cached is not None
    assert cached.care_of_address == CARE_OF_ADDRESS


def test_nothing_begins_without_traffic_or_without_a_registration() -> None:
    roamer = Optimizer()
    roamer.talk()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert roamer.tests == []
    assert roamer.entry.why is Why.HOME_REGISTRATION
    roamer.answer_home()
    assert len(roamer.tests) == 2


def test_the_direct_way_is_open_inwards_before_the_update_leaves() -> None:
    """State before speech: packets may come as soon as the correspondent knows."""
    roamer = Optimizer()
    roamer.register()
    roamer.talk()
    home, care_of = (roamer.answers(test.packet) for test in roamer.tests)
    roamer.hear_from_peer(home[0])
    effects = roamer.hear_from_peer(care_of[0])
    installed, sent = effects
    assert isinstance(installed, Install)
    assert isinstance(installed.state, RouteOptimization)
    assert installed.state.inbound_only
    assert isinstance(sent, Send)
    assert isinstance(sent.packet.message, BindingUpdate)


def test_a_move_needs_one_test_and_nothing_by_way_of_the_home_agent() -> None:
    roamer = Optimizer()
    roamer.optimize()
    roamer.wait(20)
    tests = len(roamer.tests)
    roamer.move(answered=False)
    [test] = roamer.tests[tests:]
    assert isinstance(test.packet.message, CareOfTestInit)
    assert test.packet.source == NEXT_CARE_OF_ADDRESS
    way = roamer.way
    assert way is not None
    assert way.care_of_address == NEXT_CARE_OF_ADDRESS
    assert way.inbound_only
    assert way.previous == CARE_OF_ADDRESS
    assert roamer.entry.why is Why.HOME_REGISTRATION
    roamer.exchange()
    assert len(roamer.peer_updates) == 1, "only after the home agent's answer (§11.7.2)"
    roamer.answer_home()
    assert len(roamer.peer_updates) == 2
    assert not roamer.direct
    roamer.exchange()
    assert roamer.direct
    way = roamer.way
    assert way is not None
    assert way.care_of_address == NEXT_CARE_OF_ADDRESS
    assert (way.previous, way.previous_until) == (CARE_OF_ADDRESS, roamer.now + 2)
    roamer.wait(3)
    assert roamer.way is not None
    assert roamer.way.previous is None


def test_the_home_keygen_token_is_kept_fresh_while_there_is_traffic() -> None:
    roamer = Optimizer(lifetime=4000)
    roamer.optimize()
    for _ in range(20):
        roamer.live(30)
        roamer.talk()
        until = roamer.entry.home_token_until
        assert until is not None
        assert until > roamer.now + 20
    homes = roamer.to_peer(HomeTestInit)
    assert len(homes) <= 5
    assert all(later.at - one.at > 150 for one, later in pairwise(homes))


def test_without_traffic_the_binding_ends_and_so_does_the_entry() -> None:
    roamer = Optimizer()
    roamer.optimize()
    sent = len(roamer.to_peer())
    roamer.wait(301)
    roamer.answer_home()
    roamer.wait(98)
    assert roamer.direct
    assert len(roamer.to_peer()) == sent
    roamer.wait(2)
    assert roamer.way is None
    assert len(roamer.mobile_node.correspondents) == 0
    roamer.talk()
    assert len(roamer.to_peer()) == sent + 2


def test_it_is_refreshed_while_there_is_traffic() -> None:
    roamer = Optimizer(lifetime=4000)
    roamer.optimize()
    assert roamer.peer_updates[0].update.lifetime == 420
    for _ in range(32):
        roamer.live(10)
        roamer.talk()
    assert [sent.update.lifetime for sent in roamer.peer_updates] == [420, 420]
    refreshed = roamer.peer_updates[1]
    assert refreshed.at == pytest.approx(1315)
    assert roamer.entry.until == refreshed.at + 420


def test_a_refresh_that_would_gain_nothing_waits_for_the_home_registration() -> None:
    roamer = Optimizer(lifetime=20)
    roamer.optimize()
    assert roamer.peer_updates[0].update.lifetime == 20
    roamer.wait(14.5)
    roamer.talk()
    assert len(roamer.to_peer()) == 3
    roamer.wait(1)
    roamer.answer_home()
    roamer.exchange()
    assert len(roamer.peer_updates) == 2
    assert roamer.entry.until is not None
    assert roamer.entry.until > 1030


def test_a_binding_refresh_request_brings_new_tests_and_an_update() -> None:
    roamer = Optimizer(lifetime=4000)
    roamer.optimize()
    roamer.wait(20)
    before = len(roamer.to_peer())
    request = Packet(
        source=CORRESPONDENT,
        destination=HOME_ADDRESS,
        message=BindingRefreshRequest(),
        tunnel=(HOME_AGENT, CARE_OF_ADDRESS),
    )
    roamer.receive(write(request))
    assert roamer.direct
    roamer.exchange()
    kinds = [type(sent.packet.message) for sent in roamer.to_peer()[before:]]
    assert kinds == [HomeTestInit, CareOfTestInit, BindingUpdate]
    assert roamer.entry.until == roamer.now + 420


def test_home_again_the_correspondent_is_told_to_forget() -> None:
    roamer = Optimizer()
    roamer.optimize()
    roamer.go_home()
    assert len(roamer.peer_updates) == 1
    roamer.answer_home()
    [_, update] = roamer.peer_updates
    assert update.update.lifetime == 0
    assert update.packet.source == HOME_ADDRESS
    assert update.packet.home_address is None
    assert roamer.entry.why is Why.AT_HOME
    roamer.exchange()
    assert roamer.way is None
    correspondent = roamer.correspondent.correspondent
    assert correspondent is not None
    assert correspondent.binding(CORRESPONDENT, HOME_ADDRESS) is None


def test_home_again_without_a_token_only_the_home_test_runs() -> None:
    roamer = Optimizer()
    roamer.optimize()
    roamer.wait(300)
    roamer.go_home()
    roamer.answer_home()
    [test] = roamer.tests[2:]
    assert isinstance(test.packet.message, HomeTestInit)
    assert (test.packet.source, test.packet.tunnel) == (HOME_ADDRESS, None)
    roamer.exchange()
    assert roamer.peer_updates[-1].update.lifetime == 0
    assert roamer.way is None


def test_a_policy_switched_to_never_deletes_from_where_we_are() -> None:
    roamer = Optimizer()
    roamer.optimize()
    roamer.do(roamer.mobile_node.prefer((NEVER,), roamer.now))
    assert not roamer.direct
    assert roamer.entry.why is Why.POLICY
    update = roamer.peer_updates[-1]
    assert update.update.lifetime == 0
    assert update.packet.source == CARE_OF_ADDRESS
    roamer.exchange()
    assert roamer.way is None
    assert len(roamer.mobile_node.correspondents) == 0
    roamer.talk()
    assert len(roamer.mobile_node.correspondents) == 0


def test_the_longest_prefix_decides() -> None:
    policies = (
        NEVER,
        CorrespondentPolicy(IPv6Network("2001:db8::/32"), Mode.AUTO),
        CorrespondentPolicy(IPv6Network(CORRESPONDENT), Mode.ALWAYS),
    )
    assert policy_for(CORRESPONDENT, policies).mode is Mode.ALWAYS
    assert policy_for(IPv6Address("2001:db8::5"), policies).mode is Mode.AUTO
    assert policy_for(IPv6Address("2001:db9::5"), policies).mode is Mode.NEVER
    assert policy_for(CORRESPONDENT, ()).mode is Mode.AUTO


def test_always_begins_by_itself_and_goes_on_without_traffic() -> None:
    always = CorrespondentPolicy(IPv6Network(CORRESPONDENT), Mode.ALWAYS)
    roamer = Optimizer(policies=(always,), lifetime=4000)
    roamer.register()
    roamer.exchange()
    assert roamer.direct
    roamer.live(1000)
    assert roamer.direct


def test_off_means_no_tests() -> None:
    roamer = Optimizer(route_optimization=False)
    roamer.register()
    roamer.talk()
    assert roamer.to_peer() == []
    assert len(roamer.mobile_node.correspondents) == 0


@pytest.mark.parametrize(
    "peer",
    [HOME_AGENT, HOME_ADDRESS, CARE_OF_ADDRESS]
    + [IPv6Address(text) for text in ("fe80::1", "ff02::1", "ff0e::5", "::1")],
)
def test_destinations_that_are_never_optimized(peer: IPv6Address) -> None:
    roamer = Optimizer()
    roamer.register()
    sent = len(roamer.sent)
    roamer.talk(peer)
    assert len(roamer.sent) == sent


def test_traffic_of_other_addresses_of_ours_is_no_reason() -> None:
    roamer = Optimizer()
    roamer.register()
    assert roamer.node.talks_to(CARE_OF_ADDRESS, CORRESPONDENT, roamer.now) == []


def test_what_an_earlier_process_left_goes_on_and_is_tested_anew() -> None:
    way = RouteOptimization(
        end=End.MOBILE_NODE,
        home_address=HOME_ADDRESS,
        correspondent=CORRESPONDENT,
        care_of_address=CARE_OF_ADDRESS,
        expires=1300.0,
    )
    roamer = Optimizer(restored_ways=(way,))
    assert roamer.mobile_node.installed == {way}
    effects = roamer.link_up() + roamer.hear(PREFIX_B, ROUTER_B)
    assert Remove(way) not in effects, "not for a moment is it gone"
    assert roamer.way == way
    assert roamer.entry.why is Why.RESTORED
    roamer.answer_home()
    assert roamer.way == way
    assert len(roamer.tests) == 2
    roamer.exchange()
    assert roamer.direct
    assert roamer.entry.why is Why.REGISTERED
    assert roamer.way is not None
    assert roamer.way.expires == roamer.now + 400


def test_what_an_earlier_process_left_elsewhere_is_inbound_only() -> None:
    way = RouteOptimization(
        end=End.MOBILE_NODE,
        home_address=HOME_ADDRESS,
        correspondent=CORRESPONDENT,
        care_of_address=NEXT_CARE_OF_ADDRESS,
        expires=1300.0,
    )
    roamer = Optimizer(restored_ways=(way,))
    roamer.register()
    assert roamer.way is not None
    assert roamer.way.inbound_only
    assert roamer.way.care_of_address == CARE_OF_ADDRESS
    assert roamer.way.previous == NEXT_CARE_OF_ADDRESS
    roamer.exchange()
    assert roamer.direct


def test_what_had_expired_is_not_taken_over() -> None:
    way = RouteOptimization(
        end=End.MOBILE_NODE,
        home_address=HOME_ADDRESS,
        correspondent=CORRESPONDENT,
        care_of_address=CARE_OF_ADDRESS,
        expires=999.0,
    )
    roamer = Optimizer(restored_ways=(way,))
    roamer.register()
    assert roamer.way is None
    assert len(roamer.mobile_node.correspondents) == 0


def test_stopping_lets_the_correspondents_know() -> None:
    roamer = Optimizer()
    roamer.optimize()
    roamer.do(roamer.mobile_node.stop(roamer.now))
    assert [sent.update.lifetime for sent in roamer.peer_updates] == [400, 0]
    assert not roamer.direct
    roamer.answer_home()
    assert roamer.mobile_node.stopped
    assert roamer.mobile_node.installed == set()
    assert roamer.talk() == []


def test_by_default_it_is_on() -> None:
    keywords = MobileNode.__init__.__kwdefaults__
    assert keywords is not None
    assert keywords["route_optimization"] is True


def test_on_no_link_nothing_leaves_by_the_direct_way() -> None:
    roamer = Optimizer()
    roamer.optimize()
    roamer.link_down()
    assert roamer.way is not None
    assert roamer.way.inbound_only
    sent = len(roamer.to_peer())
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert roamer.direct, "back on the same link: nothing has changed"
    assert len(roamer.to_peer()) == sent


def test_back_to_a_care_of_address_of_a_moment_ago() -> None:
    """Its keygen token is still good: not even a test (§11.6.1)."""
    roamer = Optimizer()
    roamer.optimize()
    roamer.move()
    roamer.exchange()
    assert roamer.direct
    tests = len(roamer.tests)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer_home()
    roamer.exchange()
    assert roamer.direct
    assert len(roamer.tests) == tests
    assert roamer.way is not None
    assert roamer.way.care_of_address in PREFIX_B
    assert roamer.way.previous in PREFIX_C


def test_an_acknowledgement_of_the_try_before() -> None:
    """The binding may last longer there: the last one may still be on its way."""
    roamer = Optimizer(lifetime=4000)
    roamer.register()
    roamer.talk()
    for test in list(roamer.tests):
        [answer] = roamer.answers(test.packet)
        roamer.hear_from_peer(answer)
    [acknowledgement] = roamer.answers(roamer.peer_updates[0].packet)
    roamer.wait(1)
    assert len(roamer.peer_updates) == 2
    roamer.hear_from_peer(acknowledgement)
    assert roamer.direct
    assert roamer.entry.until == 1420
    sent = len(roamer.to_peer())
    roamer.wait(419.5)
    assert roamer.way is not None
    assert roamer.way.inbound_only
    assert roamer.way.expires == 1421
    assert len(roamer.to_peer()) == sent


def test_few_care_of_addresses_are_remembered() -> None:
    roamer = Optimizer(lifetime=4000)
    roamer.optimize()
    for number in range(8):
        roamer.link_down()
        roamer.link_up()
        roamer.hear(IPv6Network(f"2001:db8:f{number}::/64"), ROUTER_B)
        roamer.answer_home()
        roamer.exchange()
        roamer.live(2)
        assert roamer.direct
    entry = roamer.mobile_node.correspondents.find(CORRESPONDENT)
    assert entry is not None
    assert len(entry.procedure._care_of_tokens) == TOKENS_MAX


def test_the_home_agent_is_no_correspondent_while_we_are_nowhere() -> None:
    """What it sent may be told late, when the link is gone.  Its acknowledgements would
    be taken for a correspondent's, and the mobile node would never be home."""
    roamer = Optimizer()
    roamer.register()
    roamer.link_down()
    roamer.talk(HOME_AGENT)
    assert roamer.mobile_node.correspondents.find(HOME_AGENT) is None
    roamer.go_home()
    roamer.answer(lifetime=0)
    assert roamer.mobile_node.place is Place.AT_HOME


def test_a_correspondent_that_becomes_the_home_agent_answers_as_such() -> None:
    """§11.7.3: its acknowledgement is that of the home registration."""
    roamer = Optimizer(home_agents=(HOME_AGENT, NEXT_HOME_AGENT))
    roamer.register()
    roamer.talk(NEXT_HOME_AGENT)
    assert roamer.mobile_node.correspondents.find(NEXT_HOME_AGENT) is not None
    roamer.move(answered=False)
    roamer.answer_home(status=130, lifetime=0)
    [update] = [s for s in roamer.updates if s.packet.destination == NEXT_HOME_AGENT]
    roamer.sent = [update]
    roamer.answer()
    assert roamer.mobile_node.home_agent == NEXT_HOME_AGENT
    assert roamer.mobile_node.place is Place.REGISTERED
