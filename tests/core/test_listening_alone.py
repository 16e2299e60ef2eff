"""What is told to the home agent of groups, and when, by itself (§11.3.4; RFC 3810)."""

from ipaddress import IPv6Address
from math import inf

from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT
from tests.core.test_listening import CARE_OF_ADDRESS, GROUP, OTHER, QUERY, told

from mip6.core.groups import GROUPS_OF_ONE_MAX
from mip6.core.listening import AGAIN, CHANGES_MAX, Listening, is_of_group
from mip6.core.state import End, Tunnel
from mip6.wire.multicast_listener import IS_EXCLUDE, TO_EXCLUDE, TO_INCLUDE
from mip6.wire.packet import IPv6Packet, read_packet

TUNNEL = Tunnel(
    end=End.MOBILE_NODE,
    home_address=HOME_ADDRESS,
    care_of_address=IPv6Address(CARE_OF_ADDRESS),
    home_agent=HOME_AGENT,
    expires=400.0,
)


def ask(listening: Listening) -> None:
    outer = IPv6Packet(
        source=HOME_AGENT,
        destination=TUNNEL.care_of_address,
        next_header=41,
        payload=QUERY,
    )
    inner = read_packet(QUERY)
    assert not listening.asked(outer, inner, TUNNEL.care_of_address)


def said(
    listening: Listening, now: float, tunnel: Tunnel | None = TUNNEL
) -> list[list[tuple[int, str]]]:
    return told(listening.reports(tunnel, HOME_AGENT, now))


def listening(*groups: IPv6Address) -> Listening:
    """The home agent has asked, and was answered."""
    made = Listening()
    made.joined(groups, 0.0)
    ask(made)
    assert said(made, 0.0) == (
        [[(IS_EXCLUDE, str(g)) for g in groups]] if groups else []
    )
    assert made.deadline == inf
    return made


def test_what_was_joined_already_is_no_change() -> None:
    made = listening(GROUP)
    made.joined([GROUP], 1.0)
    assert made.deadline == inf
    assert said(made, 1.0) == []


def test_who_only_leaves_has_something_to_tell() -> None:
    made = listening(GROUP, OTHER)
    made.joined([OTHER], 1.0)
    assert made.deadline == 1.0
    assert said(made, 1.0) == [[(TO_INCLUDE, str(GROUP))]]


def test_a_change_is_told_at_once_though_another_is_to_be_repeated() -> None:
    made = listening()
    made.joined([GROUP], 1.0)
    assert said(made, 1.0) == [[(TO_EXCLUDE, str(GROUP))]]
    made.joined([GROUP, OTHER], 1.5)
    assert said(made, 1.5) == [[(TO_EXCLUDE, str(GROUP)), (TO_EXCLUDE, str(OTHER))]]
    assert made.deadline == 1.5 + AGAIN
    assert said(made, 2.5) == [[(TO_EXCLUDE, str(OTHER))]]
    assert made.deadline == inf


def test_of_too_many_changes_the_oldest_are_left_out() -> None:
    """One that changes once more is among the latest."""
    ones = [IPv6Address(f"ff0e::3:{n:x}") for n in range(GROUPS_OF_ONE_MAX)]
    others = [IPv6Address(f"ff0e::2:{n:x}") for n in range(GROUPS_OF_ONE_MAX)]
    made = listening()
    made.joined(ones, 1.0)
    made.joined(others, 1.0)
    made.joined([*others[1:], ones[0]], 1.0)
    made.joined([*others[2:], ones[0], GROUP], 1.0)
    [records] = said(made, 1.0)
    assert len(records) == CHANGES_MAX == 2 * GROUPS_OF_ONE_MAX
    assert (TO_EXCLUDE, str(ones[0])) in records
    assert str(ones[1]) not in {group for _, group in records}


def test_without_a_tunnel_nothing_is_due() -> None:
    """What was to be repeated is told when it stands again."""
    made = listening()
    made.joined([GROUP], 1.0)
    assert len(said(made, 1.0)) == 1
    assert said(made, 1.5, None) == []
    assert made.deadline == 2.0
    assert said(made, 2.0, None) == []
    assert made.deadline == inf
    assert said(made, 3.0) == [[(TO_EXCLUDE, str(GROUP))]]


def test_with_the_binding_what_was_to_be_told_is_void() -> None:
    """Who asks then hears all, once."""
    made = listening()
    made.joined([GROUP], 1.0)
    assert len(said(made, 1.0)) == 1
    assert made.reports(TUNNEL, None, 1.5) == []
    assert made.asker is None
    assert made.deadline == inf
    ask(made)
    assert said(made, 1.6) == [[(IS_EXCLUDE, str(GROUP))]]
    assert made.deadline == inf


def test_which_states_are_of_groups() -> None:
    [state] = listening(GROUP).states(TUNNEL)
    assert is_of_group(state)
    assert not is_of_group(TUNNEL)
    end = Tunnel(
        end=End.HOME_AGENT,
        home_address=GROUP,
        care_of_address=TUNNEL.care_of_address,
        home_agent=HOME_AGENT,
        expires=400.0,
    )
    assert not is_of_group(end)
