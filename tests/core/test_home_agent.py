"""The home agent: registration, refresh, movement, de-registration, expiry (§10.3)."""

from dataclasses import replace
from ipaddress import IPv6Network

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

from mip6.core.effects import Install, Remove, Send
from mip6.core.events import BindingChanged, Change
from mip6.core.node import Node
from mip6.core.state import End, ProxyNeighbor, Route, Tunnel
from mip6.wire.messages import BindingStatus
from mip6.wire.options import UnknownOption

TUNNEL = Tunnel(
    end=End.HOME_AGENT,
    home_address=HOME_ADDRESS,
    care_of_address=CARE_OF_ADDRESS,
    home_agent=HOME_AGENT,
    expires=160.0,
)


@pytest.mark.rfc("10.3.1", "state stands before the acknowledgement that promises it")
def test_registration_makes_a_tunnel_and_then_answers() -> None:
    role = home_agent()
    tunnel, send, notify = role.receive(binding_update(1, lifetime=60), 100.0)
    assert tunnel == Install(TUNNEL)
    assert isinstance(send, Send)
    assert told([notify]) == [
        BindingChanged(Change.CREATED, HOME_ADDRESS, CARE_OF_ADDRESS, 60)
    ]
    assert role.installed == {TUNNEL}
    assert role.deadline == 160.0


@pytest.mark.rfc("10.4.1", "on a real home link packets are intercepted by proxy")
def test_with_a_home_link_the_home_address_is_intercepted_there() -> None:
    role = home_agent(home_link="eth1", device="mip7")
    states = [
        TUNNEL,
        Route(destination=IPv6Network(HOME_ADDRESS), link="mip7", metric=1024),
        ProxyNeighbor(address=HOME_ADDRESS, link="eth1"),
    ]
    effects = role.receive(binding_update(lifetime=60), 100.0)
    assert effects[:3] == [Install(state) for state in states]
    assert role.installed == set(states)
    effects = role.receive(from_home(), 110.0)
    assert effects[:3] == [Remove(state) for state in reversed(states)]


@pytest.mark.rfc("10.3.1", "acknowledged whatever the A flag says")
@pytest.mark.parametrize("acknowledge", [True, False])
def test_a_registration_is_always_acknowledged(acknowledge: bool) -> None:
    answer = acknowledgement(
        home_agent().receive(binding_update(9, acknowledge=acknowledge), 0.0)
    )
    assert answer.status == BindingStatus.ACCEPTED
    assert answer.sequence_number == 9
    assert answer.lifetime == 60
    assert answer.options == ()


@pytest.mark.rfc("9.5.4", "to the source address, by a type 2 routing header")
def test_the_acknowledgement_goes_to_where_the_update_came_from() -> None:
    role = home_agent()
    update = binding_update(source=CARE_OF_ADDRESS, alternate=NEXT_CARE_OF_ADDRESS)
    [packet] = sent(role.receive(update, 0.0))
    assert packet.source == HOME_AGENT
    assert packet.destination == CARE_OF_ADDRESS
    assert packet.routing_address == HOME_ADDRESS
    assert packet.home_address is None
    assert packet.tunnel is None


@pytest.mark.rfc("9.5.1", "the Alternate Care-of Address is the care-of address")
def test_the_alternate_care_of_address_is_bound() -> None:
    role = home_agent()
    role.receive(binding_update(alternate=NEXT_CARE_OF_ADDRESS), 0.0)
    [binding] = role.bindings
    assert binding.care_of_address == NEXT_CARE_OF_ADDRESS
    assert binding.home_registration


@pytest.mark.rfc("6.1.7", "options not understood are skipped")
def test_an_unknown_option_is_skipped_and_those_behind_it_are_read() -> None:
    role = home_agent()
    options = (UnknownOption(200, b"anything"), UnknownOption(201, b""))
    update = binding_update(alternate=NEXT_CARE_OF_ADDRESS)
    message = replace(update.message, options=options + update.message.options)
    role.receive(replace(update, message=message), 0.0)
    assert role.binding(HOME_ADDRESS).care_of_address == NEXT_CARE_OF_ADDRESS


@pytest.mark.rfc("10.3.1", "lifetime granted: no more than asked, no more than ours")
@pytest.mark.parametrize(
    ("asked", "lifetime_max", "granted"),
    [
        (60, 600, 60),
        (600, 600, 600),
        (604, 600, 600),
        (65535 * 4, 600, 600),
        (4, 600, 4),
        # Ours is floored to the unit of 4 seconds that the wire has.
        (60, 10, 8),
        (60, 7.9, 4),
        (60, 4, 4),
    ],
)
def test_the_lifetime_granted(asked: int, lifetime_max: float, granted: int) -> None:
    role = home_agent(lifetime_max=lifetime_max)
    effects = role.receive(binding_update(lifetime=asked), 100.0)
    assert acknowledgement(effects).lifetime == granted
    [binding] = role.bindings
    assert binding.lifetime == granted
    assert binding.expires == role.deadline == 100.0 + granted


def test_a_lifetime_that_could_only_delete_is_refused() -> None:
    with pytest.raises(ValueError, match="lifetime_max 3"):
        home_agent(lifetime_max=3)


@pytest.mark.rfc("10.3.1", "K is cleared: nothing here moves security associations")
def test_k_is_never_granted() -> None:
    update = binding_update(key_management_mobility_capability=True)
    answer = acknowledgement(home_agent().receive(update, 0.0))
    assert not answer.key_management_mobility_capability


def test_a_refresh_is_one_install_with_a_later_expiry() -> None:
    role = home_agent(home_link="eth1")
    role.receive(binding_update(1, lifetime=60), 100.0)
    install, _, notify = role.receive(binding_update(2, lifetime=60), 110.0)
    assert install == Install(replace(TUNNEL, expires=170.0))
    assert told([notify]) == [
        BindingChanged(Change.REFRESHED, HOME_ADDRESS, CARE_OF_ADDRESS, 60)
    ]
    assert role.deadline == 170.0


def test_a_move_is_one_install_and_keeps_the_previous_address_for_the_grace() -> None:
    role = home_agent(home_link="eth1", grace=2.0)
    role.receive(binding_update(1, lifetime=60), 100.0)
    update = binding_update(2, source=NEXT_CARE_OF_ADDRESS)
    install, send, notify = role.receive(update, 110.0)
    assert install == Install(
        replace(
            TUNNEL,
            care_of_address=NEXT_CARE_OF_ADDRESS,
            expires=170.0,
            previous=CARE_OF_ADDRESS,
            previous_until=112.0,
        )
    )
    assert sent([send])[0].destination == NEXT_CARE_OF_ADDRESS
    assert told([notify]) == [
        BindingChanged(Change.MOVED, HOME_ADDRESS, NEXT_CARE_OF_ADDRESS, 60)
    ]


def test_a_refresh_after_a_move_does_not_prolong_the_grace() -> None:
    role = home_agent(grace=2.0)
    role.receive(binding_update(1), 100.0)
    role.receive(binding_update(2, source=NEXT_CARE_OF_ADDRESS), 110.0)
    role.receive(binding_update(3, source=NEXT_CARE_OF_ADDRESS), 111.0)
    [binding] = role.bindings
    assert (binding.previous, binding.previous_until) == (CARE_OF_ADDRESS, 112.0)


def test_the_grace_never_outlives_the_lifetime_of_the_previous_address() -> None:
    role = home_agent(grace=2.0)
    role.receive(binding_update(1, lifetime=8), 100.0)
    role.receive(binding_update(2, source=NEXT_CARE_OF_ADDRESS), 107.0)
    assert role.binding(HOME_ADDRESS).previous_until == 108.0


def test_without_grace_the_previous_address_ends_at_once() -> None:
    role = home_agent(grace=0)
    role.receive(binding_update(1), 100.0)
    role.receive(binding_update(2, source=NEXT_CARE_OF_ADDRESS), 110.0)
    [binding] = role.bindings
    assert (binding.previous, binding.previous_until) == (None, 0.0)


@pytest.mark.rfc("10.3.1", "two mobile nodes have a binding each")
def test_mobile_nodes_do_not_disturb_each_other() -> None:
    role = home_agent()
    role.receive(binding_update(5), 0.0)
    role.receive(binding_update(1, home_address=OTHER_HOME_ADDRESS), 1.0)
    assert role.bindings_count == 2
    assert role.is_bound(int(HOME_ADDRESS))
    role.receive(from_home(6), 2.0)
    assert not role.is_bound(int(HOME_ADDRESS))
    assert [binding.home_address for binding in role.bindings] == [OTHER_HOME_ADDRESS]
    assert role.bindings_count == 1


@pytest.mark.rfc("10.3.1", "the binding is deleted when its lifetime is over")
def test_expiry_takes_everything_away() -> None:
    role = home_agent(home_link="eth1")
    kernel = Kernel(role)
    kernel.perform(role.receive(binding_update(lifetime=60), 100.0), 100.0)
    assert len(kernel.states) == 3
    kernel.perform(role.tick(159.999), 159.999)
    assert len(kernel.states) == 3
    kernel.perform(role.tick(160.0), 160.0)
    assert kernel.states == role.installed == set()
    assert list(role.bindings) == []
    assert role.deadline is None
    assert kernel.told[-1] == BindingChanged(
        Change.EXPIRED, HOME_ADDRESS, CARE_OF_ADDRESS, 0
    )


# De-registration.


@pytest.mark.rfc("10.3.2", "from abroad: lifetime 0, answered with a routing header")
def test_deregistration_from_abroad() -> None:
    role = home_agent()
    role.receive(binding_update(1), 100.0)
    update = binding_update(2, lifetime=0)
    remove, send, notify = role.receive(update, 110.0)
    assert remove == Remove(TUNNEL)
    [packet] = sent([send])
    assert packet.destination == CARE_OF_ADDRESS
    assert packet.routing_address == HOME_ADDRESS
    assert packet.message.status == BindingStatus.ACCEPTED
    assert packet.message.lifetime == 0
    assert packet.message.sequence_number == 2
    assert packet.message.options == ()
    assert told([notify]) == [
        BindingChanged(Change.DELETED, HOME_ADDRESS, CARE_OF_ADDRESS, 0)
    ]
    assert role.installed == set()


@pytest.mark.rfc("9.5.4", "to the home address itself there is no routing header")
@pytest.mark.parametrize("home_address", [None, HOME_ADDRESS])
def test_deregistration_from_the_home_link(home_address: object) -> None:
    role = home_agent(home_link="eth1")
    role.receive(binding_update(1), 100.0)
    effects = role.receive(from_home(2, home_address=home_address), 110.0)
    [packet] = sent(effects)
    assert packet.destination == HOME_ADDRESS
    assert packet.routing_address is None
    assert packet.message.status == BindingStatus.ACCEPTED
    # It can be delivered only because interception has stopped before.
    assert [type(effect) for effect in effects[:4]] == [Remove, Remove, Remove, Send]
    assert role.installed == set()


@pytest.mark.rfc("10.3.2", "from home with an Alternate Care-of Address, as others do")
def test_deregistration_from_home_may_name_the_home_address_as_alternate() -> None:
    role = home_agent()
    role.receive(binding_update(1), 100.0)
    effects = role.receive(from_home(2, alternate=HOME_ADDRESS), 110.0)
    assert acknowledgement(effects).status == BindingStatus.ACCEPTED
    assert list(role.bindings) == []


@pytest.mark.rfc("10.3.2", "no home registration: 133")
def test_deregistration_of_an_unknown_binding() -> None:
    effects = home_agent().receive(from_home(2), 0.0)
    answer = acknowledgement(effects)
    assert answer.status == BindingStatus.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE
    assert answer.sequence_number == 2


@pytest.mark.rfc("10.3.2", "a late older update gets 135 while the entry is marked")
def test_an_update_that_was_delayed_cannot_bring_the_binding_back() -> None:
    role = home_agent()
    role.receive(binding_update(1), 100.0)
    role.receive(from_home(3), 110.0)
    effects = role.receive(binding_update(2), 119.9)
    answer = acknowledgement(effects)
    assert answer.status == BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW
    assert answer.sequence_number == 3
    assert role.installed == set()


@pytest.mark.rfc("10.3.2", "a repeated de-registration gets 0 while it is marked")
def test_a_repeated_deregistration_succeeds_again() -> None:
    role = home_agent()
    role.receive(binding_update(1), 100.0)
    role.receive(from_home(2), 110.0)
    effects = role.receive(from_home(3), 119.0)
    assert acknowledgement(effects).status == BindingStatus.ACCEPTED
    assert told(effects) == []
    assert role.deadline == 129.0


@pytest.mark.rfc("10.3.2", "an update older than a refused de-registration: 135")
def test_deregistration_that_overtook_the_registration() -> None:
    """Found by the soak (seed 55688): the update that came late bound a home address
    whose mobile node had gone home."""
    agent = home_agent()
    agent.receive(from_home(3), 1.0)
    late = acknowledgement(agent.receive(binding_update(2), 2.0))
    assert late.status == BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW
    again = acknowledgement(agent.receive(from_home(4), 3.0))
    assert again.status == BindingStatus.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE
    fresh = acknowledgement(agent.receive(binding_update(5), 4.0))
    assert fresh.status == BindingStatus.ACCEPTED


@pytest.mark.rfc("10.3.2", "after MAX_DELETE_BCE_TIMEOUT the entry is gone: 133")
def test_the_mark_ends_after_ten_seconds() -> None:
    role = home_agent()
    role.receive(binding_update(1), 100.0)
    role.receive(from_home(2), 110.0)
    assert role.deadline == 120.0
    assert role.tick(120.0) == []
    effects = role.receive(from_home(3), 120.0)
    status = acknowledgement(effects).status
    assert status == BindingStatus.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE


def test_a_marked_entry_becomes_a_binding_again_by_a_newer_update() -> None:
    role = home_agent(home_link="eth1")
    kernel = Kernel(role)
    for at, packet in enumerate((binding_update(1), from_home(2), binding_update(3))):
        kernel.perform(role.receive(packet, float(at)), float(at))
    assert kernel.states == role.installed
    assert len(kernel.states) == 3
    # The care-of address before the de-registration is no longer anybody's.
    assert role.binding(HOME_ADDRESS).previous is None
    assert role.tick(50.0) == []


# Restart.


@pytest.mark.rfc("10.3.1", "bindings live on for what is left of their lifetime")
def test_bindings_restored_from_the_kernel() -> None:
    tunnel = replace(TUNNEL, previous=NEXT_CARE_OF_ADDRESS, previous_until=101.0)
    role = home_agent(restored=[tunnel])
    assert role.installed == {tunnel}
    [binding] = role.bindings
    assert binding.sequence_number is None
    assert binding.lifetime == 0, "what was granted is not known"
    assert not binding.link_local_address_compatibility
    assert role.deadline == 160.0
    # Any number is accepted, once.
    effects = role.receive(binding_update(40000), 110.0)
    assert acknowledgement(effects).status == BindingStatus.ACCEPTED
    effects = role.receive(binding_update(40000), 111.0)
    status = acknowledgement(effects).status
    assert status == BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW


def test_bindings_restored_from_disk_know_their_sequence_number() -> None:
    first = home_agent()
    first.receive(binding_update(7), 100.0)
    role = home_agent(restored=[*first.bindings, TUNNEL])
    assert list(role.bindings) == list(first.bindings), "what is on disk counts"
    assert role.known == 1
    effects = role.receive(binding_update(7), 110.0)
    status = acknowledgement(effects).status
    assert status == BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW


@pytest.mark.parametrize("home_link", [None, "eth1"])
def test_the_states_beside_tunnels(home_link: str | None) -> None:
    """What is compared with the kernel's tables, without a million tunnels."""
    role = home_agent(home_link=home_link)
    role.receive(binding_update(1), 100.0)
    beside = set(role.states_beside_tunnels())
    assert beside == {s for s in role.installed if not isinstance(s, Tunnel)}
    assert set(Node(home_agent=role).states_beside_tunnels()) == beside


def test_a_restored_binding_can_be_deregistered_and_expires() -> None:
    role = home_agent(restored=[TUNNEL])
    assert acknowledgement(role.receive(from_home(77), 110.0)).status == 0
    role = home_agent(restored=[TUNNEL])
    assert Remove(TUNNEL) in role.tick(160.0)
    assert role.installed == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"end": End.MOBILE_NODE},
        {"home_agent": OTHER_HOME_ADDRESS},
        {"home_address": CARE_OF_ADDRESS},
    ],
)
def test_tunnels_that_are_not_this_home_agents_are_not_restored(
    changes: dict[str, object],
) -> None:
    role = home_agent(restored=[replace(TUNNEL, **changes)])  # type: ignore[arg-type]
    assert role.installed == set()


def test_no_more_is_restored_than_the_limit_allows() -> None:
    other = replace(TUNNEL, home_address=OTHER_HOME_ADDRESS)
    role = home_agent(bindings_max=1, restored=[TUNNEL, other])
    assert role.installed == {TUNNEL}
