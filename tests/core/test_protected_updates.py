"""Binding Updates that are authentic: what they still must have, what is remembered."""

from dataclasses import replace

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
    binding_update,
    from_home,
    home_agent,
    sent,
    told,
)

from mip6.core.effects import Effect
from mip6.core.events import Problem
from mip6.core.home_agent import HomeAgent
from mip6.core.packet import Packet
from mip6.wire.messages import BindingAcknowledgement, BindingStatus
from mip6.wire.options import MobilityMessageAuthentication

PROOF = MobilityMessageAuthentication(
    MobilityMessageAuthentication.MN_HA, 256, bytes(12)
)


def protecting(**changes: object) -> HomeAgent:
    return home_agent(authentication_required=True, mobile_nodes=(), **changes)


def update(sequence_number: int, **changes: object) -> Packet:
    changes = {"alternate": CARE_OF_ADDRESS, **changes}
    packet = binding_update(sequence_number, **changes)  # type: ignore[arg-type]
    return replace(packet, protected_for=HOME_ADDRESS)


def answer(effects: list[Effect]) -> tuple[BindingStatus, int]:
    [packet] = sent(effects)
    assert isinstance(packet.message, BindingAcknowledgement)
    return BindingStatus(packet.message.status), packet.message.sequence_number


OUT_OF_WINDOW = BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW


@pytest.mark.rfc("11.7.1", "ESP does not protect the source: an option is wanted")
def test_without_alternate_care_of_address_it_is_refused() -> None:
    role = protecting()
    effects = role.receive(update(1, alternate=None), 0.0)
    assert answer(effects) == (BindingStatus.REASON_UNSPECIFIED, 1)
    assert role.installed == set()
    assert any(isinstance(event, Problem) for event in told(effects))
    # It does not count as the last one either.
    assert answer(role.receive(update(1), 0.0)) == (BindingStatus.ACCEPTED, 1)


@pytest.mark.rfc("11.7.1", "the option says where, not the source")
def test_a_source_that_was_changed_on_the_way_changes_nothing() -> None:
    role = protecting()
    role.receive(update(1, source=NEXT_CARE_OF_ADDRESS), 0.0)
    [binding] = role.bindings
    assert binding.care_of_address == CARE_OF_ADDRESS


def test_the_mn_ha_option_covers_the_source() -> None:
    role = protecting()
    packet = update(1, alternate=None, options=(PROOF,))
    assert answer(role.receive(packet, 0.0)) == (BindingStatus.ACCEPTED, 1)


def test_an_end_needs_no_care_of_address() -> None:
    role = protecting()
    role.receive(update(1), 0.0)
    packet = replace(from_home(2), protected_for=HOME_ADDRESS)
    assert answer(role.receive(packet, 1.0)) == (BindingStatus.ACCEPTED, 2)
    role.receive(update(3), 2.0)
    away = update(4, alternate=None, lifetime=0)
    assert answer(role.receive(away, 3.0)) == (BindingStatus.ACCEPTED, 4)


def test_a_replay_after_expiry_gets_135() -> None:
    role = protecting()
    role.receive(update(7, lifetime=60), 0.0)
    role.tick(60.0)
    assert list(role.bindings) == []
    assert answer(role.receive(update(7), 61.0)) == (OUT_OF_WINDOW, 7)
    assert answer(role.receive(update(6), 61.0)) == (OUT_OF_WINDOW, 7)
    assert role.installed == set()
    assert answer(role.receive(update(8), 62.0)) == (BindingStatus.ACCEPTED, 8)


def test_a_replay_long_after_the_end_gets_135() -> None:
    role = protecting()
    role.receive(update(7), 0.0)
    role.receive(replace(from_home(8), protected_for=HOME_ADDRESS), 1.0)
    role.tick(1000.0)
    assert answer(role.receive(update(7), 1000.0)) == (OUT_OF_WINDOW, 8)
    assert answer(role.receive(update(9), 1001.0)) == (BindingStatus.ACCEPTED, 9)


def test_a_replay_after_a_restart_gets_135() -> None:
    first = protecting()
    first.receive(update(7), 0.0)
    number = first.last_sequence_number(HOME_ADDRESS)
    assert number == 7
    again = protecting(sequence_numbers=[(HOME_ADDRESS, number)])
    assert answer(again.receive(update(7), 10.0)) == (OUT_OF_WINDOW, 7)
    assert answer(again.receive(update(8), 11.0)) == (BindingStatus.ACCEPTED, 8)


def test_a_tunnel_that_was_restored_has_its_number_again() -> None:
    first = protecting()
    first.receive(update(7), 0.0)
    again = protecting(
        restored=first.installed,
        sequence_numbers=[(HOME_ADDRESS, 7)],
    )
    assert [binding.care_of_address for binding in again.bindings] == [CARE_OF_ADDRESS]
    assert answer(again.receive(update(7), 10.0)) == (OUT_OF_WINDOW, 7)


def test_nothing_is_remembered_of_what_nobody_proved() -> None:
    """Else anybody could shut out a mobile node of a home agent without protection."""
    role = home_agent()
    role.receive(binding_update(7), 0.0)
    role.tick(1000.0)
    assert role.last_sequence_number(HOME_ADDRESS) is None
    assert answer(role.receive(binding_update(3), 1000.0))[0] is BindingStatus.ACCEPTED
