"""What the home agent refuses, ignores, or takes back (§9.5.1, §10.3.1)."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from tests.core.test_sequence import ACCEPTED, REFUSED
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_PREFIX,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    Kernel,
    acknowledgement,
    binding_update,
    discarded,
    from_home,
    home_agent,
    sent,
    told,
)

from mip6.core.effects import Notify, Remove, Send
from mip6.core.events import BindingChanged, Change, Problem, Refused
from mip6.core.home_agent import HomeAgent
from mip6.core.joined import REFUSAL_MAX
from mip6.core.packet import Packet
from mip6.core.state import HomeAddress, ProxyNeighbor, Route, State, Tunnel
from mip6.wire.messages import BindingAcknowledgement, BindingStatus, HomeTestInit
from mip6.wire.options import BindingAuthorizationData, NonceIndices

BAD_ADDRESSES = [
    IPv6Address(text) for text in ("::", "::1", "fe80::1", "ff02::1", "ff0e::1")
]
RETURN_ROUTABILITY = (NonceIndices(1, 2), BindingAuthorizationData(bytes(12)))


def refusal(role: Any, packet: Packet, now: float = 0.0) -> BindingStatus:
    """The status of an answer that changed nothing."""
    before = role.installed
    effects = role.receive(packet, now)
    status = acknowledgement(effects).status
    assert [type(effect) for effect in effects] == [Send, Notify]
    [event] = told(effects)
    assert isinstance(event, Refused)
    assert (event.home_address, event.status) == (packet.origin, status)
    assert status >= 128
    assert role.installed == before
    return BindingStatus(status)


# Silently discarded: no answer, no state.


@pytest.mark.rfc("9.5.1", "the home address is unicast and routable")
@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_a_bad_home_address_is_silently_discarded(address: IPv6Address) -> None:
    role = home_agent(mobile_nodes=(IPv6Network("::/0"),))
    packet = binding_update(home_address=address)
    assert discarded(role.receive(packet, 0.0)) == ("home_address", "9.5.1")
    assert role.installed == set()


@pytest.mark.rfc("6.1.7", "a care-of address that is not unicast routable: silence")
@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_a_bad_care_of_address_is_silently_discarded(address: IPv6Address) -> None:
    role = home_agent()
    packet = binding_update(alternate=address)
    assert discarded(role.receive(packet, 0.0)) == ("care_of_address", "6.1.7")
    assert role.installed == set()


@pytest.mark.rfc("9.5.4", "a source that is not unicast is never answered")
@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_a_bad_source_is_silently_discarded(address: IPv6Address) -> None:
    packet = binding_update(source=address, alternate=CARE_OF_ADDRESS)
    effects = home_agent().receive(packet, 0.0)
    assert discarded(effects) == ("source_address", "9.5.4")


@pytest.mark.rfc("9.5.1", "Nonce Indices must not be there when H is set")
def test_nonce_indices_with_a_home_registration() -> None:
    packet = binding_update(options=RETURN_ROUTABILITY)
    effects = home_agent().receive(packet, 0.0)
    assert discarded(effects) == ("nonce_indices", "9.5.1")


@pytest.mark.rfc("10.3.1", "a registration has a Home Address option")
def test_a_registration_without_home_address_option() -> None:
    packet = from_home(lifetime=60, alternate=CARE_OF_ADDRESS)
    effects = home_agent().receive(packet, 0.0)
    assert discarded(effects) == ("home_address_option_missing", "10.3.1")


def test_an_update_to_another_address() -> None:
    packet = binding_update(destination=CORRESPONDENT)
    effects = home_agent().receive(packet, 0.0)
    assert discarded(effects) == ("not_for_us", "10.3.1")


def test_an_update_through_the_tunnel() -> None:
    role = home_agent()
    role.receive(binding_update(1), 0.0)
    packet = from_home(2, tunnel=(CARE_OF_ADDRESS, HOME_AGENT))
    assert discarded(role.receive(packet, 1.0)) == ("tunnelled", "11.7.1")
    assert len(list(role.bindings)) == 1


def test_any_other_message() -> None:
    message = HomeTestInit(home_init_cookie=bytes(8))
    packet = replace(binding_update(), message=message)
    effects = home_agent().receive(packet, 0.0)
    assert discarded(effects) == ("unexpected_message", "10")


# Authentication.


@pytest.mark.rfc("5.1", "unprotected: silence")
def test_an_unprotected_update_when_protection_is_required() -> None:
    role = home_agent(authentication_required=True)
    effects = role.receive(binding_update(), 0.0)
    assert discarded(effects) == ("unauthenticated", "5.1")
    assert role.installed == set()


@pytest.mark.rfc("5.1", "the security association belongs to this home address")
@pytest.mark.parametrize("required", [True, False])
def test_an_update_protected_for_another_home_address(required: bool) -> None:
    role = home_agent(authentication_required=required)
    packet = binding_update(protected_for=OTHER_HOME_ADDRESS)
    assert discarded(role.receive(packet, 0.0)) == ("unauthenticated", "5.1")


@pytest.mark.rfc("10.3.1", "protected for its home address: accepted, listed or not")
def test_a_protected_update() -> None:
    role = home_agent(authentication_required=True, mobile_nodes=())
    packet = binding_update(protected_for=HOME_ADDRESS, alternate=CARE_OF_ADDRESS)
    assert acknowledgement(role.receive(packet, 0.0)).status == 0


def test_without_authentication_only_listed_home_addresses_are_believed() -> None:
    listed = (IPv6Network("2001:db8:f::/48"), IPv6Network(HOME_ADDRESS))
    role = home_agent(mobile_nodes=listed)
    assert acknowledgement(role.receive(binding_update(), 0.0)).status == 0
    packet = binding_update(home_address=OTHER_HOME_ADDRESS)
    assert discarded(role.receive(packet, 0.0)) == ("not_listed", "10.3.1")
    role = home_agent(mobile_nodes=())
    assert discarded(role.receive(binding_update(), 0.0)) == ("not_listed", "10.3.1")


# Updates for a correspondent (H = 0).


def test_an_update_without_h_is_a_correspondents() -> None:
    packet = binding_update(home_registration=False, options=RETURN_ROUTABILITY)
    effects = home_agent().receive(packet, 0.0)
    assert discarded(effects) == ("not_a_correspondent", "9.5.1")


@pytest.mark.rfc("9.5.1", "Nonce Indices and, last, Binding Authorization Data")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "nonce_indices_missing"),
        (RETURN_ROUTABILITY[1:], "nonce_indices_missing"),
        (RETURN_ROUTABILITY[:1], "binding_authorization_data_missing"),
        (RETURN_ROUTABILITY[::-1], "binding_authorization_data_missing"),
    ],
)
def test_an_update_without_h_lacks_its_options(options: Any, reason: str) -> None:
    role = home_agent()
    role.receive(binding_update(1), 0.0)
    packet = binding_update(2, home_registration=False, options=options)
    assert discarded(role.receive(packet, 0.0)) == (reason, "9.5.1")


@pytest.mark.rfc("9.5.1", "H differs from the binding's: 139, stored flag unchanged")
@pytest.mark.parametrize("lifetime", [0, 60])
def test_the_registration_type_cannot_change(lifetime: int) -> None:
    role = home_agent()
    role.receive(binding_update(1), 0.0)
    packet = binding_update(
        2, lifetime=lifetime, home_registration=False, options=RETURN_ROUTABILITY
    )
    status = refusal(role, packet)
    assert status is BindingStatus.REGISTRATION_TYPE_CHANGE_DISALLOWED
    assert role.binding(HOME_ADDRESS).home_registration
    # The sequence number is judged before.
    status = refusal(
        role, replace(packet, message=replace(packet.message, sequence_number=1))
    )
    assert status is BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW


# Sequence numbers.


@pytest.mark.rfc("9.5.1", "accepted iff 1 <= (new - last) mod 2**16 <= 32767")
@pytest.mark.parametrize(
    ("last", "number"), [(last, n) for last, row in ACCEPTED.items() for n in row]
)
def test_sequence_numbers_accepted(last: int, number: int) -> None:
    role = home_agent()
    role.receive(binding_update(last), 0.0)
    effects = role.receive(binding_update(number), 1.0)
    assert acknowledgement(effects).status == 0
    assert role.binding(HOME_ADDRESS).sequence_number == number


@pytest.mark.rfc("9.5.1", "else 135 with the last number")
@pytest.mark.parametrize("lifetime", [0, 60])
@pytest.mark.parametrize("acknowledge", [True, False])
@pytest.mark.parametrize(
    ("last", "number"), [(last, n) for last, row in REFUSED.items() for n in row]
)
def test_sequence_numbers_refused(
    last: int, number: int, acknowledge: bool, lifetime: int
) -> None:
    role = home_agent()
    role.receive(binding_update(last), 0.0)
    packet = binding_update(number, acknowledge=acknowledge, lifetime=lifetime)
    answer = acknowledgement(role.receive(packet, 1.0))
    assert answer.status == BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW
    assert answer.sequence_number == last
    [binding] = role.bindings
    assert (binding.sequence_number, binding.expires) == (last, 60.0)


@pytest.mark.rfc("9.5.1", "without an entry any number is accepted")
@pytest.mark.parametrize("number", [0, 1, 32768, 65535])
def test_the_first_sequence_number_is_free(number: int) -> None:
    effects = home_agent().receive(binding_update(number), 0.0)
    assert acknowledgement(effects).sequence_number == number


# Refused with an answer.


@pytest.mark.rfc("10.3.1", "home address not on the home subnet: 132")
def test_a_home_address_off_the_home_subnet() -> None:
    elsewhere = IPv6Address("2001:db8:a:1::100")
    role = home_agent(mobile_nodes=(IPv6Network(elsewhere),))
    status = refusal(role, binding_update(home_address=elsewhere))
    assert status is BindingStatus.NOT_HOME_SUBNET


@pytest.mark.rfc("10.3.1", "an address that is taken on the home link: 134")
@pytest.mark.parametrize(
    "address", [HOME_AGENT, "2001:db8:a::", "2001:db8:a:0:fdff:ffff:ffff:fffe"]
)
def test_the_home_agents_own_addresses_are_nobodys_home_address(address: Any) -> None:
    packet = binding_update(home_address=IPv6Address(address))
    status = refusal(home_agent(), packet)
    assert status is BindingStatus.DUPLICATE_ADDRESS_DETECTION_FAILED


def test_a_home_agent_outside_its_prefix_is_no_care_of_address_either() -> None:
    elsewhere = IPv6Address("2001:db8:f::1")
    role = HomeAgent(
        elsewhere,
        HOME_PREFIX,
        home_link=None,
        bindings_max=2,
        authentication_required=False,
        mobile_nodes=(HOME_PREFIX,),
    )
    update = binding_update(destination=elsewhere, alternate=elsewhere)
    assert refusal(role, update) is BindingStatus.INVALID_CARE_OF_ADDRESS


@pytest.mark.rfc("10.3.1", "a care-of address here would tunnel into itself: 174")
@pytest.mark.parametrize("care_of", [HOME_ADDRESS, OTHER_HOME_ADDRESS, HOME_AGENT])
def test_a_care_of_address_that_is_a_home_address(care_of: IPv6Address) -> None:
    role = home_agent()
    role.receive(binding_update(1, home_address=OTHER_HOME_ADDRESS), 0.0)
    status = refusal(role, binding_update(alternate=care_of))
    assert status is BindingStatus.INVALID_CARE_OF_ADDRESS
    status = refusal(role, binding_update(source=care_of))
    assert status is BindingStatus.INVALID_CARE_OF_ADDRESS


@pytest.mark.rfc("10.3.1", "no resources: 130, and nothing half-installed")
def test_at_the_limit_new_bindings_are_refused_and_old_ones_stay() -> None:
    role = home_agent(bindings_max=1)
    role.receive(binding_update(1), 0.0)
    other = binding_update(1, home_address=OTHER_HOME_ADDRESS)
    assert refusal(role, other) is BindingStatus.INSUFFICIENT_RESOURCES
    # Those that are in go on: refresh, move, de-register; then there is room.
    moved = binding_update(2, source=NEXT_CARE_OF_ADDRESS)
    assert acknowledgement(role.receive(moved, 1.0)).status == 0
    assert acknowledgement(role.receive(from_home(3), 2.0)).status == 0
    assert acknowledgement(role.receive(other, 3.0)).status == 0


@pytest.mark.rfc("10.3.1", "no time: 130 for who has no binding, and only for it")
@pytest.mark.parametrize("home_link", [None, "eth0"])
def test_under_too_much_load_new_bindings_are_refused(home_link: str | None) -> None:
    role = home_agent(home_link=home_link, bindings_max=3)
    role.receive(binding_update(1), 0.0)
    assert role.overloaded(True, 1.0) == []
    other = binding_update(1, home_address=OTHER_HOME_ADDRESS)
    assert refusal(role, other, 1.0) is BindingStatus.INSUFFICIENT_RESOURCES
    moved = binding_update(2, source=NEXT_CARE_OF_ADDRESS)
    assert acknowledgement(role.receive(moved, 1.0)).status == 0
    assert acknowledgement(role.receive(from_home(3), 1.0)).status == 0
    again = binding_update(4)
    assert refusal(role, again, 1.0) is BindingStatus.INSUFFICIENT_RESOURCES
    role.overloaded(False, 2.0)
    assert acknowledgement(role.receive(other, 2.0)).status == 0


def test_an_address_that_is_being_checked_is_not_refused_meanwhile() -> None:
    role = home_agent(home_link="eth0", check_time=1.0)
    role.receive(binding_update(1), 0.0)
    role.overloaded(True, 0.5)
    assert sent(role.receive(binding_update(2), 0.5)) == []
    assert [p.message.status for p in sent(role.tick(2.0)) if _is_answer(p)] == [0]


def _is_answer(packet: Packet) -> bool:
    return isinstance(packet.message, BindingAcknowledgement)


@pytest.mark.rfc("11.8", "more than MAX_UPDATE_RATE is ignored, of each by itself")
def test_who_updates_too_often_is_ignored_until_the_next_second() -> None:
    role = home_agent(updates_max=2)
    for number in (1, 2):
        assert acknowledgement(role.receive(binding_update(number), 10.0)).status == 0
    moved = binding_update(3, source=NEXT_CARE_OF_ADDRESS)
    assert discarded(role.receive(moved, 10.9)) == ("update_rate", "11.8")
    assert next(role.bindings).care_of_address == CARE_OF_ADDRESS
    other = binding_update(1, home_address=OTHER_HOME_ADDRESS)
    assert acknowledgement(role.receive(other, 10.9)).status == 0
    assert acknowledgement(role.receive(moved, 11.0)).status == 0


def test_what_nobody_has_proved_does_not_count_as_an_update() -> None:
    role = home_agent(authentication_required=True, updates_max=1)
    for _ in range(3):
        effects = role.receive(binding_update(1), 10.0)
        assert discarded(effects) == ("unauthenticated", "5.1")
    proved = binding_update(1, protected_for=HOME_ADDRESS, alternate=CARE_OF_ADDRESS)
    assert acknowledgement(role.receive(proved, 10.0)).status == 0


# The kernel refuses.


@pytest.mark.parametrize("kind", [Tunnel, Route, ProxyNeighbor])
def test_a_new_binding_that_the_kernel_refuses(kind: type[State]) -> None:
    role = home_agent(home_link="eth1")
    kernel = Kernel(role, refuse=[kind])
    update = binding_update(7, alternate=NEXT_CARE_OF_ADDRESS)
    kernel.perform(role.receive(update, 0.0), 0.0)
    assert kernel.states == role.installed == set()
    assert list(role.bindings) == [] and role.deadline is None
    # Exactly one answer left, and it is no promise.
    [packet] = kernel.sent
    assert packet.message.status == BindingStatus.INSUFFICIENT_RESOURCES
    assert packet.message.sequence_number == 7
    assert packet.destination == CARE_OF_ADDRESS
    assert packet.routing_address == HOME_ADDRESS
    assert not any(isinstance(event, BindingChanged) for event in kernel.told)
    assert any(isinstance(event, Problem) for event in kernel.told)
    # And the kernel may have changed its mind the next time.
    kernel.refuse = ()
    kernel.perform(role.receive(binding_update(8), 1.0), 1.0)
    assert kernel.states == role.installed
    assert len(kernel.states) == 3


@pytest.mark.parametrize("source", [CARE_OF_ADDRESS, NEXT_CARE_OF_ADDRESS])
def test_a_refresh_or_move_that_the_kernel_refuses(source: IPv6Address) -> None:
    role = home_agent(home_link="eth1")
    kernel = Kernel(role)
    kernel.perform(role.receive(binding_update(1), 0.0), 0.0)
    before = kernel.states
    kernel.refuse = (Tunnel,)
    kernel.perform(role.receive(binding_update(2, source=source), 10.0), 10.0)
    assert kernel.states == role.installed == before
    assert role.deadline == 60.0
    packet = kernel.sent[-1]
    assert packet.message.status == BindingStatus.INSUFFICIENT_RESOURCES
    assert (packet.destination, packet.message.sequence_number) == (source, 2)
    # The update was valid, so its number is used up.
    status = refusal(role, binding_update(2), 11.0)
    assert status is BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW


def test_a_refusal_after_a_deregistration_leaves_nothing() -> None:
    role = home_agent(home_link="eth1")
    kernel = Kernel(role)
    kernel.perform(role.receive(binding_update(1), 0.0), 0.0)
    kernel.perform(role.receive(from_home(2), 1.0), 1.0)
    kernel.refuse = (ProxyNeighbor,)
    kernel.perform(role.receive(binding_update(3), 2.0), 2.0)
    assert kernel.states == role.installed == set()
    assert kernel.sent[-1].message.status == BindingStatus.INSUFFICIENT_RESOURCES


def test_a_state_refused_much_later_ends_the_binding_without_an_answer() -> None:
    role = home_agent(home_link="eth1")
    kernel = Kernel(role)
    kernel.perform(role.receive(binding_update(1), 0.0), 0.0)
    [refused] = [state for state in kernel.states if isinstance(state, Route)]
    kernel.standing.pop(refused.key)  # somebody removed it, and it cannot come back
    late = REFUSAL_MAX + 0.1
    effects = role.failed(refused, late)
    assert sent(effects) == []
    changed, problem = told(effects)
    assert changed == BindingChanged(Change.DELETED, HOME_ADDRESS, CARE_OF_ADDRESS, 0)
    assert isinstance(problem, Problem)
    kernel.perform(effects, late)
    assert kernel.states == role.installed == set()


def test_a_refusal_of_what_is_no_longer_wanted_takes_the_last_update_back() -> None:
    role = home_agent(home_link="eth1")
    kernel = Kernel(role)
    kernel.perform(role.receive(binding_update(1), 0.0), 0.0)
    [tunnel] = [state for state in kernel.states if isinstance(state, Tunnel)]
    effects = role.failed(replace(tunnel, expires=59.0), 0.1)
    assert acknowledgement(effects).status == BindingStatus.INSUFFICIENT_RESOURCES
    kernel.perform(effects, 0.1)
    assert kernel.states == role.installed == set()


def test_a_refusal_about_another_binding_is_not_mixed_up_with_the_last_update() -> None:
    role = home_agent()
    role.receive(binding_update(1, home_address=OTHER_HOME_ADDRESS), 0.0)
    [other] = role.installed
    role.receive(binding_update(1), 0.5)
    effects = role.failed(other, 0.6)
    assert sent(effects) == []
    assert [binding.home_address for binding in role.bindings] == [HOME_ADDRESS]


def test_a_refusal_that_is_nobodys_changes_nothing() -> None:
    role = home_agent()
    effects = role.receive(binding_update(1), 0.0)
    state = HomeAddress(address=HOME_ADDRESS, link="mip0")
    assert role.failed(state, 0.0) == []
    assert not role.owns(state)
    [tunnel] = role.installed
    assert role.owns(tunnel)
    assert not role.owns(replace(tunnel, care_of_address=NEXT_CARE_OF_ADDRESS))
    role.receive(from_home(2), 0.1)
    assert role.failed(tunnel, 0.1) == []
    assert not role.owns(tunnel)
    assert isinstance(effects[-1], Notify)


def test_states_are_removed_in_reverse_order() -> None:
    role = home_agent(home_link="eth1")
    role.receive(binding_update(1), 0.0)
    effects = role.tick(60.0)
    kinds = [type(e.state) for e in effects if isinstance(e, Remove)]
    assert kinds == [ProxyNeighbor, Route, Tunnel]
