"""Groups that a mobile node listens to through its tunnel (§11.3.4)."""

from collections.abc import Iterable
from ipaddress import IPv6Address

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    Roamer,
)
from tests.support.core import dropped
from tests.support.mld import listener
from tests.support.octets import IPV6, ipv6

from mip6.core.effects import Effect, Forward
from mip6.core.events import Place
from mip6.core.groups import GROUPS_OF_ONE_MAX
from mip6.core.home_link import link_local_of
from mip6.core.listening import AGAIN, CHANGES_MAX
from mip6.core.state import Tunnel
from mip6.wire.multicast_listener import (
    IS_EXCLUDE,
    TO_EXCLUDE,
    TO_INCLUDE,
    general_query,
)
from mip6.wire.packet import read_packet

GROUP, OTHER = IPv6Address("ff0e::1:1"), IPv6Address("ff0e::1:2")
CARE_OF_ADDRESS = "2001:db8:b::ff:fe00:5"
NEXT_CARE_OF_ADDRESS = "2001:db8:c::ff:fe00:5"
QUERY = general_query(link_local_of(HOME_AGENT))


def ask(
    roamer: Roamer,
    query: bytes = QUERY,
    *,
    home_agent: str = str(HOME_AGENT),
    care_of_address: str = CARE_OF_ADDRESS,
) -> list[Effect]:
    """As the home agent does, through the tunnel."""
    return roamer.receive(ipv6(home_agent, care_of_address, IPV6, query))


def join(roamer: Roamer, *groups: IPv6Address) -> list[Effect]:
    return roamer.do(roamer.mobile_node.listens_to(groups, roamer.now))


def told(
    effects: Iterable[Effect],
    *,
    care_of_address: str = CARE_OF_ADDRESS,
    home_agent: IPv6Address = HOME_AGENT,
) -> list[list[tuple[int, str]]]:
    """What reports say: record types and groups, of each."""
    reports = []
    for effect in effects:
        if not isinstance(effect, Forward):
            continue
        outer = read_packet(effect.octets)
        assert outer.source == IPv6Address(care_of_address)
        assert outer.destination == home_agent
        inner = outer.payload
        message, records = inner[48:50] + bytes(2) + inner[52:], []
        for at in range(8, len(message), 20):
            assert message[at + 1 : at + 4] == bytes(3), "no sources"
            records.append((message[at], str(IPv6Address(message[at + 4 : at + 20]))))
        assert len(records) == int.from_bytes(message[6:8])
        source = str(link_local_of(HOME_ADDRESS))
        assert inner == listener(message, source=source)
        reports.append(records)
    return reports


def later(roamer: Roamer) -> list[Effect]:
    """What happens next, at the moment it is due."""
    assert roamer.node.deadline is not None
    roamer.now = roamer.node.deadline
    return roamer.do(roamer.node.tick(roamer.now))


def entries(roamer: Roamer) -> set[tuple[str, str]]:
    """What lets packets of groups come out of the tunnel."""
    found = [t for t in roamer.standing(Tunnel) if t.home_address.is_multicast]
    assert all(t.inbound_only and t.home_agent == HOME_AGENT for t in found)
    return {(str(t.home_address), str(t.care_of_address)) for t in found}


@pytest.mark.rfc("11.3.4-3", "nothing is said before the home agent has asked")
def test_nothing_is_said_before_the_home_agent_asks() -> None:
    roamer = Roamer()
    roamer.register()
    assert told(join(roamer, GROUP)) == []
    assert entries(roamer) == {(str(GROUP), CARE_OF_ADDRESS)}
    assert told(ask(roamer)) == [[(IS_EXCLUDE, str(GROUP))]]
    assert told(later(roamer)) == []


@pytest.mark.rfc("11.3.4-3", "nor without a binding")
def test_nothing_is_said_without_a_binding() -> None:
    roamer = Roamer()
    assert entries(roamer) == set()
    join(roamer, GROUP)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    # Its question may overtake its acknowledgement.
    assert told(ask(roamer)) == []
    assert told(roamer.answer()) == [[(IS_EXCLUDE, str(GROUP))]]


def test_a_change_is_told_twice() -> None:
    roamer = Roamer()
    roamer.register()
    assert told(ask(roamer)) == [], "nothing to say"
    assert told(join(roamer, GROUP)) == [[(TO_EXCLUDE, str(GROUP))]]
    start = roamer.now
    assert told(later(roamer)) == [[(TO_EXCLUDE, str(GROUP))]]
    assert roamer.now == start + AGAIN
    assert told(join(roamer, GROUP)) == [], "no change"
    assert told(join(roamer, OTHER)) == [
        [(TO_INCLUDE, str(GROUP)), (TO_EXCLUDE, str(OTHER))]
    ]
    assert entries(roamer) == {(str(OTHER), CARE_OF_ADDRESS)}
    # A question in between has its answer; the change is told when it is due.
    assert told(ask(roamer)) == [[(IS_EXCLUDE, str(OTHER))]]
    assert told(later(roamer)) == [[(TO_INCLUDE, str(GROUP)), (TO_EXCLUDE, str(OTHER))]]
    assert told(later(roamer)) == []


@pytest.mark.rfc("11.3.4-4", "it holds after a move, as long as the binding")
def test_after_a_move_it_goes_on() -> None:
    roamer = Roamer()
    roamer.register()
    join(roamer, GROUP)
    ask(roamer)
    roamer.link_down()
    assert told(join(roamer, OTHER, GROUP)) == []
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    there = {
        (str(GROUP), NEXT_CARE_OF_ADDRESS),
        (str(OTHER), NEXT_CARE_OF_ADDRESS),
    }
    assert entries(roamer) == there, "what the home agent sends comes out at once"
    effects = roamer.answer()
    assert told(effects, care_of_address=NEXT_CARE_OF_ADDRESS) == [
        [(TO_EXCLUDE, str(OTHER))]
    ]
    assert told(later(roamer), care_of_address=NEXT_CARE_OF_ADDRESS) == [
        [(TO_EXCLUDE, str(OTHER))]
    ]


def test_what_was_due_on_the_way_is_told_at_the_end() -> None:
    roamer = Roamer()
    roamer.register()
    ask(roamer)
    join(roamer, GROUP)
    roamer.link_down()
    roamer.wait(AGAIN)
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    effects = roamer.answer()
    assert told(effects, care_of_address=NEXT_CARE_OF_ADDRESS) == [
        [(TO_EXCLUDE, str(GROUP))]
    ]


@pytest.mark.rfc("11.3.4-4", "and no longer")
def test_with_the_binding_it_ends() -> None:
    roamer = Roamer(lifetime=40)
    roamer.register()
    ask(roamer)
    join(roamer, GROUP)
    roamer.link_down()
    roamer.wait(50)
    assert entries(roamer) == set()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert told(roamer.answer()) == []
    assert told(join(roamer, GROUP, OTHER)) == []


def test_at_home_nothing_goes_through_a_tunnel() -> None:
    roamer = Roamer()
    roamer.register()
    ask(roamer)
    join(roamer, GROUP)
    roamer.go_home()
    roamer.answer(lifetime=0)
    assert roamer.mobile_node.place is Place.AT_HOME
    assert entries(roamer) == set()
    assert told(join(roamer, GROUP, OTHER)) == []


def test_another_home_agent_has_to_ask_first() -> None:
    other = IPv6Address("2001:db8:a::2")
    roamer = Roamer(home_agents=(HOME_AGENT, other))
    roamer.register()
    ask(roamer)
    roamer.wait(AGAIN)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.answer(status=130)
    assert roamer.updates[-1].packet.destination == other
    roamer.answer()
    assert roamer.mobile_node.home_agent == other
    assert told(join(roamer, GROUP), care_of_address=NEXT_CARE_OF_ADDRESS) == []
    effects = ask(roamer, home_agent=str(other), care_of_address=NEXT_CARE_OF_ADDRESS)
    [records] = told(effects, care_of_address=NEXT_CARE_OF_ADDRESS, home_agent=other)
    assert (IS_EXCLUDE, str(GROUP)) in records


def test_questions_that_do_not_count() -> None:
    roamer = Roamer()
    roamer.register()
    join(roamer, GROUP)
    elsewhere = ask(roamer, care_of_address="2001:db8:b::77")
    assert dropped(elsewhere) == ("tunnel_destination", "11.3.3")
    stranger = ask(roamer, home_agent="2001:db8:e::1")
    assert dropped(stranger) == ("tunnel_source", "10.4.5")
    far = general_query(IPv6Address("2001:db8:a::1"))
    assert dropped(ask(roamer, far)) == ("source_address", "RFC 3810 6.2")
    hops = QUERY[:7] + b"\2" + QUERY[8:]
    assert dropped(ask(roamer, hops)) == ("hop_limit", "RFC 3810 6.2")
    assert told(join(roamer, GROUP, OTHER)) == []


def test_only_groups_of_global_scope_and_not_too_many() -> None:
    roamer = Roamer()
    roamer.register()
    ask(roamer)
    many = [IPv6Address(f"ff0e::{n:x}") for n in range(1, GROUPS_OF_ONE_MAX + 2)]
    few = [IPv6Address("ff02::fb"), IPv6Address("ff05::1"), many[-1]]
    join(roamer, *few)
    assert entries(roamer) == {(str(many[-1]), CARE_OF_ADDRESS)}
    join(roamer, *many)
    assert len(entries(roamer)) == GROUPS_OF_ONE_MAX
    assert (str(many[-1]), CARE_OF_ADDRESS) in entries(roamer), "who was first stays"


def test_no_more_changes_wait_than_fit_a_packet() -> None:
    roamer = Roamer()
    roamer.register()
    ask(roamer)
    roamer.link_down()
    for n in range(1, CHANGES_MAX + 10):
        join(roamer, IPv6Address(f"ff0e::{n:x}"))
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    # On the same link as before the binding stands.
    [records] = told(later(roamer)) or told(roamer.answer())
    assert len(records) == CHANGES_MAX
    assert (TO_EXCLUDE, f"ff0e::{CHANGES_MAX + 9:x}") in records


def test_a_refused_entry_does_not_cost_the_link() -> None:
    roamer = Roamer()
    roamer.register()
    join(roamer, GROUP)
    [entry] = [t for t in roamer.standing(Tunnel) if t.home_address == GROUP]
    roamer.do(roamer.mobile_node.failed(entry, roamer.now))
    assert entries(roamer) == set()
    assert roamer.tunnel is not None and roamer.mobile_node.link == "eth0"


def test_a_stopped_node_says_nothing() -> None:
    roamer = Roamer()
    roamer.register()
    ask(roamer)
    roamer.do(roamer.mobile_node.stop(roamer.now))
    roamer.answer(lifetime=0)
    assert roamer.mobile_node.stopped
    assert told(join(roamer, GROUP)) == [] and entries(roamer) == set()
