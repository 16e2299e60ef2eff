"""Who may register and for how long, and bindings that the administrator ends."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
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

from mip6.core.binding_cache import EXPIRED_MAX
from mip6.core.effects import Effect, Remove
from mip6.core.events import BindingChanged, Change
from mip6.core.home_agent import HomeAgent
from mip6.core.network_table import NetworkTable
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.policy import Permission
from mip6.core.prefixes import HomePrefix
from mip6.wire.messages import BindingStatus
from mip6.wire.revocation import BindingRevocation, RevocationStatus


def reconfigure(
    role: HomeAgent, mobile_nodes: tuple[IPv6Network, ...], now: float, **more: Any
) -> list[Effect]:
    return role.configure(mobile_nodes, now, lifetime_max=600, grace=2.0, **more)


LISTED = (IPv6Network(HOME_ADDRESS),)


def permission(network: str, **more: Any) -> Permission:
    return Permission(network=IPv6Network(network), **more)


def test_the_longest_network_counts() -> None:
    table = NetworkTable(
        (IPv6Network(text), text)
        for text in ("2001:db8::/32", "2001:db8:a::/64", "2001:db8:a::100/128", "::/0")
    )
    for address, network in (
        ("2001:db8:a::100", "2001:db8:a::100/128"),
        ("2001:db8:a::101", "2001:db8:a::/64"),
        ("2001:db8:b::1", "2001:db8::/32"),
        ("2001:db9::1", "::/0"),
    ):
        assert table.find(IPv6Address(address)) == network
    empty: NetworkTable[str] = NetworkTable(())
    assert empty.find(HOME_ADDRESS) is None


# The access list.


@pytest.mark.rfc("10.3.1", "refused for a reason of our own: 129")
@pytest.mark.parametrize("home_link", [None, "eth1"])
@pytest.mark.parametrize(
    ("permissions", "refuse_others", "status"),
    [
        ((), False, 0),
        ((), True, 129),
        ((permission("2001:db8:a::/64", allowed=True),), True, 0),
        ((permission("2001:db8:a::100/128", allowed=False),), False, 129),
        (
            (
                permission("2001:db8:a::/64", allowed=False),
                permission("2001:db8:a::100/128", allowed=True),
            ),
            False,
            0,
        ),
        # What is said about lifetimes says nothing about this.
        ((permission("2001:db8:a::100/128", lifetime_max=40),), True, 129),
        ((permission("2001:db8:a::200/128", allowed=False),), False, 0),
    ],
)
def test_who_may_register(
    home_link: str | None,
    permissions: tuple[Permission, ...],
    refuse_others: bool,
    status: int,
) -> None:
    role = home_agent(
        home_link=home_link, permissions=permissions, refuse_others=refuse_others
    )
    assert acknowledgement(role.receive(binding_update(), 0.0)).status == status
    assert bool(role.installed) == (status == 0)


@pytest.mark.parametrize(
    ("mine", "granted"), [(None, 600), (1000, 600), (599.9, 596), (4, 4)]
)
def test_lifetimes_for_some(mine: float | None, granted: int) -> None:
    permissions = (permission("2001:db8:a::100/128", lifetime_max=mine),)
    role = home_agent(permissions=permissions, lifetime_max=600)
    answer = acknowledgement(role.receive(binding_update(lifetime=2000), 0.0))
    assert answer.lifetime == granted
    other = binding_update(lifetime=2000, home_address=OTHER_HOME_ADDRESS)
    assert acknowledgement(role.receive(other, 0.0)).lifetime == 600


def test_a_lifetime_that_could_only_delete_is_no_permission() -> None:
    with pytest.raises(ValueError, match="lifetime_max 3"):
        permission("::/0", lifetime_max=3)


def test_a_refused_node_may_still_deregister() -> None:
    role = home_agent()
    role.receive(binding_update(1), 0.0)
    reconfigure(role, (HOME_PREFIX,), 1.0, permissions=(), refuse_others=True)
    assert acknowledgement(role.receive(binding_update(2), 2.0)).status == 129
    assert acknowledgement(role.receive(from_home(3), 3.0)).status == 0
    assert role.tick(10.0) == []


# Changed while running.


def test_mobile_nodes_come_and_go() -> None:
    role = home_agent(mobile_nodes=LISTED)
    other = binding_update(home_address=OTHER_HOME_ADDRESS)
    assert discarded(role.receive(other, 0.0)) == ("not_listed", "10.3.1")
    kernel = Kernel(role)
    kernel.perform(role.receive(binding_update(1), 0.0), 0.0)
    both = (*LISTED, IPv6Network(OTHER_HOME_ADDRESS))
    assert reconfigure(role, both, 1.0, permissions=(), refuse_others=False) == []
    assert role.deadline == 1.0
    assert role.tick(1.0) == []
    assert acknowledgement(role.receive(other, 2.0)).status == 0
    reconfigure(role, both[1:], 3.0, permissions=(), refuse_others=False)
    assert [b.home_address for b in role.bindings] == [OTHER_HOME_ADDRESS]


def test_with_authentication_the_keys_say_who_there_is() -> None:
    role = home_agent(authentication_required=True)
    update = binding_update(alternate=CARE_OF_ADDRESS, protected_for=HOME_ADDRESS)
    role.receive(update, 0.0)
    reconfigure(role, (), 1.0, permissions=(), refuse_others=False)
    assert role.tick(1.0) == []


def test_a_review_of_many_is_done_a_part_at_a_time() -> None:
    count = EXPIRED_MAX + 1
    role = home_agent(bindings_max=count)
    for n in range(count):
        role.receive(binding_update(home_address=HOME_ADDRESS + n), 0.0)
    reconfigure(role, (HOME_PREFIX,), 1.0, permissions=(), refuse_others=True)
    assert len(sent(role.tick(1.0))) == EXPIRED_MAX
    assert role.deadline == 1.0
    # One that is gone meanwhile.
    role.receive(from_home(2), 1.0)
    assert sent(role.tick(1.0)) == []


def test_a_binding_that_is_gone_before_its_prefix_is_not_ended_again() -> None:
    role, elsewhere = home_agent(), IPv6Network("2001:db8:1a::/64")
    role.receive(binding_update(1), 0.0)
    [tunnel] = role.installed
    role.prefixes_changed((HomePrefix(network=elsewhere),), 1.0)
    role.failed(tunnel, 3.0)
    assert role.bindings_count == 0
    assert role.tick(3.0) == []


# Revocation (RFC 5846).


def revoked(**changes: Any) -> tuple[HomeAgent, Kernel, Packet]:
    """A home agent that has just said so."""
    role = home_agent(random=lambda count: bytes(range(1, count + 1)), **changes)
    kernel = Kernel(role)
    kernel.perform(role.receive(binding_update(1), 0.0), 0.0)
    effects = role.revoke(HOME_ADDRESS, 10.0)
    kernel.perform(effects, 10.0)
    [indication] = sent(effects)
    return role, kernel, indication


def answer(**changes: Any) -> Packet:
    """The mobile node's acknowledgement; `code`, `number` and `kind` are its own."""
    message = BindingRevocation(
        revocation_type=changes.pop("kind", 2),
        code=changes.pop("code", 0),
        sequence_number=changes.pop("number", 0x0102),
    )
    packet = Packet(
        source=CARE_OF_ADDRESS,
        destination=HOME_AGENT,
        home_address=HOME_ADDRESS,
        message=message,
    )
    return replace(packet, **changes)


@pytest.mark.parametrize("home_link", [None, "eth1"])
def test_a_binding_is_revoked(home_link: str | None) -> None:
    role, kernel, indication = revoked(home_link=home_link)
    assert indication == Packet(
        source=HOME_AGENT,
        destination=CARE_OF_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=BindingRevocation(revocation_type=1, code=1, sequence_number=0x0102),
    )
    # It stands until the mobile node knows.
    assert kernel.states == role.installed != set()
    effects = Node(home_agent=role).receive(write(answer()), 10.5)
    assert told(effects) == [
        BindingChanged(Change.DELETED, HOME_ADDRESS, CARE_OF_ADDRESS, 0)
    ]
    kernel.perform(effects, 10.5)
    assert kernel.states == role.installed == set()
    assert role.tick(20.0) == []
    # A delayed Binding Update does not bring it back; a new one does.
    assert acknowledgement(role.receive(binding_update(1), 10.6)).status == 135
    assert acknowledgement(role.receive(binding_update(2), 10.7)).status == 0


@pytest.mark.parametrize("status", [1, *RevocationStatus, 255])
def test_whatever_the_answer_the_binding_ends(status: int) -> None:
    role, _, _ = revoked()
    role.receive(answer(code=status), 10.5)
    assert not list(role.bindings)


def test_an_indication_that_nobody_answers() -> None:
    role, _, indication = revoked()
    assert role.deadline == 11.0
    assert sent(role.tick(11.0)) == [indication]
    assert role.deadline == 13.0
    effects = role.tick(13.0)
    assert [type(effect) for effect in effects[:-1]] == [Remove]
    assert sent(effects) == [] and not list(role.bindings)
    # An answer that comes now is to nothing.
    assert discarded(role.receive(answer(), 13.1)) == (
        "revocation_unknown",
        "RFC 5846 6.2.2",
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"number": 0x0103}, "revocation_unknown"),
        ({"home_address": OTHER_HOME_ADDRESS}, "revocation_unknown"),
        ({"kind": 1}, "unexpected_message"),
        ({"kind": 3}, "unexpected_message"),
        ({"protected_for": OTHER_HOME_ADDRESS}, "unauthenticated"),
    ],
)
def test_what_is_no_answer(changes: dict[str, Any], reason: str) -> None:
    role, _, _ = revoked()
    assert discarded(role.receive(answer(**changes), 10.5))[0] == reason
    assert list(role.bindings)


def test_an_answer_must_be_protected() -> None:
    role = home_agent(
        authentication_required=True, random=lambda count: bytes(range(1, count + 1))
    )
    update = binding_update(alternate=CARE_OF_ADDRESS, protected_for=HOME_ADDRESS)
    role.receive(update, 0.0)
    role.revoke(HOME_ADDRESS, 10.0)
    assert discarded(role.receive(answer(), 10.1))[0] == "unauthenticated"
    role.receive(answer(protected_for=HOME_ADDRESS), 10.2)
    assert not list(role.bindings)


def test_while_it_is_revoked_a_binding_is_not_renewed() -> None:
    role, _, _ = revoked()
    update = binding_update(2, source=NEXT_CARE_OF_ADDRESS)
    answered = acknowledgement(role.receive(update, 10.5))
    assert answered.status == BindingStatus.ADMINISTRATIVELY_PROHIBITED
    assert role.revoke(HOME_ADDRESS, 10.6) == []
    # It may say itself that it is over.
    assert acknowledgement(role.receive(from_home(3), 10.7)).status == 0
    assert role.tick(20.0) == []


def test_a_binding_that_expires_meanwhile() -> None:
    role = home_agent()
    role.receive(binding_update(1, lifetime=8), 0.0)
    role.revoke(HOME_ADDRESS, 7.5)
    [removed, _] = role.tick(8.0)
    assert isinstance(removed, Remove)
    assert role.deadline is None


def test_a_binding_that_the_kernel_ends_meanwhile() -> None:
    role, kernel, _ = revoked()
    [state] = kernel.states
    role.failed(state, 10.5)
    assert role.tick(11.0) == []
    assert role.deadline is None


def test_there_must_be_a_binding_to_revoke() -> None:
    assert home_agent().revoke(HOME_ADDRESS, 0.0) == []


def test_a_restored_binding_has_no_number_and_is_revoked_all_the_same() -> None:
    role, _, _ = revoked()
    restored = home_agent(restored=role.installed)
    restored.revoke(HOME_ADDRESS, 11.0)
    restored.tick(12.0)
    restored.tick(14.0)
    assert not list(restored.bindings)
