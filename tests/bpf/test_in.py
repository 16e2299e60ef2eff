"""Into a link: out of the tunnel, to the daemon, or untouched."""

import random
import time
from collections.abc import Callable

import pytest
from tests.support.bench import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    DROP,
    ETHERNET,
    HOME_ADDRESS,
    HOME_AGENT,
    LONG,
    PASS,
    REDIRECT,
    UNVERIFIED,
    Bench,
    Result,
)
from tests.support.octets import (
    DESTINATION_OPTIONS,
    FRAGMENT,
    HOP_BY_HOP,
    ICMPV6,
    IPV6,
    MOBILITY,
    NONE,
    ROUTING,
    TCP,
    UDP,
    home_address_option,
    ipv6,
    mobility,
    options,
    routing,
    udp,
)

from mip6.core.state import End
from mip6.linux import bpf, dataplane
from mip6.linux.layout import MARK, MARK_LONG

pytestmark = pytest.mark.root

OTHER = "2001:db8:e::1"
PREVIOUS = "2001:db8:d::100"
UP = ipv6(HOME_ADDRESS, CORRESPONDENT, UDP, udp(b"uplink"), hop_limit=63)
DOWN = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp(b"downlink"), hop_limit=62)


def at_home_agent(bench: Bench, **tunnel: object) -> None:
    bench.tunnel(End.HOME_AGENT, **tunnel)  # type: ignore[arg-type]
    bench.divert(HOME_AGENT)


def at_mobile_node(bench: Bench, **tunnel: object) -> None:
    bench.tunnel(End.MOBILE_NODE, **tunnel)  # type: ignore[arg-type]
    bench.divert(HOME_ADDRESS, CARE_OF_ADDRESS, PREVIOUS)


def up(
    inner: bytes = UP, *, source: str = CARE_OF_ADDRESS, to: str = HOME_AGENT
) -> bytes:
    return ipv6(source, to, IPV6, inner)


def down(
    inner: bytes = DOWN, *, source: str = HOME_AGENT, to: str = CARE_OF_ADDRESS
) -> bytes:
    return ipv6(source, to, IPV6, inner)


def assert_untouched(result: Result, packet: bytes) -> None:
    assert (result.verdict, result.packet, result.mark) == (PASS, packet, 0)


def assert_for_daemon(
    result: Result, packet: bytes, reason: str = "signalling"
) -> None:
    assert (result.verdict, result.packet) == (REDIRECT, packet)
    assert (result.mark, result.counted) == (MARK, {reason: 1})


def assert_dropped(result: Result, reason: str) -> None:
    assert (result.verdict, result.counted) == (DROP, {f"dropped_{reason}": 1})


def assert_taken_out(result: Result, inner: bytes) -> None:
    assert (result.verdict, result.packet, result.mark) == (REDIRECT, inner, 0)
    assert result.counted == {"tunnel_in": 1}


# Out of the tunnel


@pytest.mark.rfc("10.4.5", "the reverse tunnel ends at the home agent")
@pytest.mark.rfc("10.4.5-1", "reverse tunnelling")
@pytest.mark.rfc("8.4-4", "decapsulated at the home agent")
def test_home_agent_takes_out(bench: Bench) -> None:
    at_home_agent(bench)
    assert_taken_out(bench.arrive(up()), UP)


@pytest.mark.rfc("11.3.1", "the tunnel ends at the mobile node")
@pytest.mark.rfc("11.3.3-2", "decapsulated at the mobile node")
@pytest.mark.rfc("8.5-3", "decapsulation")
def test_mobile_node_takes_out(bench: Bench) -> None:
    at_mobile_node(bench)
    assert_taken_out(bench.arrive(down()), DOWN)


def test_inbound_only_tunnel_gives(bench: Bench) -> None:
    at_mobile_node(bench, inbound_only=True)
    assert_taken_out(bench.arrive(down()), DOWN)


@pytest.mark.parametrize("size", [0, 1, 8, 1400])
def test_inner_packets_of_any_size(bench: Bench, size: int) -> None:
    """# gotcha 14"""
    at_home_agent(bench)
    inner = ipv6(HOME_ADDRESS, CORRESPONDENT, NONE, bytes(size))
    assert_taken_out(bench.arrive(up(inner)), inner)


def test_ping_comes_out(bench: Bench) -> None:
    """ICMPv6 is looked at for discovery messages; everything else is data."""
    at_mobile_node(bench)
    inner = ipv6(CORRESPONDENT, HOME_ADDRESS, ICMPV6, bytes([129, 0]) + bytes(6))
    assert_taken_out(bench.arrive(down(inner)), inner)


def test_encapsulation_limit_goes_with_the_tunnel(bench: Bench) -> None:
    """Destination options between outer and inner header (RFC 2473 §4.1.1)."""
    at_mobile_node(bench)
    for blocks in (1, 2, 30):
        between = options(IPV6, blocks=blocks) + DOWN
        packet = ipv6(HOME_AGENT, CARE_OF_ADDRESS, DESTINATION_OPTIONS, between)
        assert_taken_out(bench.arrive(packet), DOWN)


def test_mobile_node_to_mobile_node(bench: Bench) -> None:
    """Both ends are ours: the source decides at their home agent.  # gotcha 3"""
    other = "2001:db8:a::200"
    at_home_agent(bench)
    bench.tunnel(End.HOME_AGENT, home_address=other, care_of_address=OTHER)
    inner = ipv6(HOME_ADDRESS, other, UDP, udp())
    assert_taken_out(bench.arrive(up(inner)), inner)
    assert_dropped(bench.arrive(up(inner, source=OTHER)), "care_of_address")


# Refused: nothing that claims a home address of ours gets by as if it were fine


@pytest.mark.rfc("10.4.5", "outer source must be the current care-of address")
@pytest.mark.rfc("10.4.5-2", "else the packet is dropped")
@pytest.mark.rfc("8.4-5", "the registered location")
def test_home_agent_refuses_another_care_of_address(bench: Bench) -> None:
    at_home_agent(bench)
    assert_dropped(bench.arrive(up(source=OTHER)), "care_of_address")


def test_home_agent_refuses_another_home_agent(bench: Bench) -> None:
    at_home_agent(bench)
    bench.divert(OTHER)
    assert_dropped(bench.arrive(up(to=OTHER)), "home_agent")


@pytest.mark.rfc("11.3.1", "outer source must be the home agent")
@pytest.mark.rfc("11.3.3-1", "else the packet is dropped")
def test_mobile_node_refuses_another_home_agent(bench: Bench) -> None:
    at_mobile_node(bench)
    assert_dropped(bench.arrive(down(source=OTHER)), "home_agent")


def test_mobile_node_refuses_another_care_of_address(bench: Bench) -> None:
    at_mobile_node(bench)
    assert_dropped(bench.arrive(down(to=PREVIOUS)), "care_of_address")


def test_expired_tunnel_gives_nothing(bench: Bench) -> None:
    at_home_agent(bench, lifetime=-0.001)
    assert_dropped(bench.arrive(up()), "expired")
    bench.clear()
    at_mobile_node(bench, lifetime=-0.001)
    assert_dropped(bench.arrive(down()), "expired")


def test_tunnel_ends_while_nobody_looks(bench: Bench) -> None:
    at_home_agent(bench, lifetime=1)
    assert_taken_out(bench.arrive(up()), UP)
    time.sleep(1.01)
    assert_dropped(bench.arrive(up()), "expired")


def test_previous_care_of_address_for_a_while(bench: Bench) -> None:
    """Late packets of the old link still count, until the grace ends.  # gotcha 19"""
    at_home_agent(bench, previous=PREVIOUS, grace=1)
    assert_taken_out(bench.arrive(up(source=PREVIOUS)), UP)
    assert_taken_out(bench.arrive(up()), UP)
    time.sleep(1.01)
    assert_dropped(bench.arrive(up(source=PREVIOUS)), "care_of_address")
    assert_taken_out(bench.arrive(up()), UP)


def test_previous_care_of_address_at_the_mobile_node(bench: Bench) -> None:
    at_mobile_node(bench, previous=PREVIOUS, grace=60)
    assert_taken_out(bench.arrive(down(to=PREVIOUS)), DOWN)


def test_grace_is_not_for_expired_tunnels(bench: Bench) -> None:
    at_home_agent(bench, previous=PREVIOUS, grace=60, lifetime=-0.001)
    assert_dropped(bench.arrive(up(source=PREVIOUS)), "expired")


def test_no_previous_means_none(bench: Bench) -> None:
    at_home_agent(bench)
    assert_dropped(bench.arrive(up(source="::")), "care_of_address")


# RFC 6040 figure 4: what becomes of the congestion marks

NOT_ECT, ECT_1, ECT_0, CE = range(4)
MERGED = {
    (NOT_ECT, NOT_ECT): NOT_ECT,
    (NOT_ECT, ECT_0): NOT_ECT,
    (NOT_ECT, ECT_1): NOT_ECT,
    (NOT_ECT, CE): None,
    (ECT_0, NOT_ECT): ECT_0,
    (ECT_0, ECT_0): ECT_0,
    (ECT_0, ECT_1): ECT_1,
    (ECT_0, CE): CE,
    (ECT_1, NOT_ECT): ECT_1,
    (ECT_1, ECT_0): ECT_1,
    (ECT_1, ECT_1): ECT_1,
    (ECT_1, CE): CE,
    (CE, NOT_ECT): CE,
    (CE, ECT_0): CE,
    (CE, ECT_1): CE,
    (CE, CE): CE,
}


@pytest.mark.parametrize(("inner", "outer"), MERGED)
def test_congestion_marks(bench: Bench, inner: int, outer: int) -> None:
    at_home_agent(bench)

    def packet(mark: int) -> bytes:
        return ipv6(
            HOME_ADDRESS,
            CORRESPONDENT,
            UDP,
            udp(),
            traffic_class=0xB8 | mark,
            flow_label=0x12345,
        )

    tunnelled = ipv6(
        CARE_OF_ADDRESS,
        HOME_AGENT,
        IPV6,
        packet(inner),
        traffic_class=0x60 | outer,
        flow_label=0xFFFFF,
    )
    merged = MERGED[inner, outer]
    result = bench.arrive(tunnelled)
    if merged is None:
        assert_dropped(result, "congestion")
    else:
        assert_taken_out(result, packet(merged))


# To the daemon, whole

WRAPPED = {
    "bare": (MOBILITY, mobility()),
    "home address option": (
        DESTINATION_OPTIONS,
        home_address_option(MOBILITY, HOME_ADDRESS) + mobility(),
    ),
    "routing header": (ROUTING, routing(MOBILITY, HOME_ADDRESS) + mobility()),
    "both": (
        ROUTING,
        routing(DESTINATION_OPTIONS, HOME_ADDRESS)
        + home_address_option(MOBILITY, OTHER)
        + mobility(),
    ),
    "hop by hop": (HOP_BY_HOP, options(MOBILITY) + mobility()),
    "four headers": (
        HOP_BY_HOP,
        options(DESTINATION_OPTIONS)
        + options(ROUTING)
        + routing(DESTINATION_OPTIONS, HOME_ADDRESS)
        + home_address_option(MOBILITY, OTHER)
        + mobility(),
    ),
}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_mobility_header_in_any_wrapping(bench: Bench, wrapping: str) -> None:
    """Nothing is stripped: the daemon sees what was sent.  # gotcha 12"""
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, *WRAPPED[wrapping])
    assert_untouched(bench.arrive(packet), packet)
    at_home_agent(bench)
    assert_for_daemon(bench.arrive(packet), packet)


@pytest.mark.parametrize("kind", range(9))
def test_every_mobility_message(bench: Bench, kind: int) -> None:
    bench.divert(HOME_AGENT)
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, MOBILITY, mobility(kind))
    assert_for_daemon(bench.arrive(packet), packet)


@pytest.mark.parametrize("kind", [143, 144, 145, 146, 147, 148, 128, 134, 1, 2])
def test_icmpv6_of_mobility(bench: Bench, kind: int) -> None:
    bench.divert(HOME_AGENT)
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, ICMPV6, bytes([kind, 0]) + bytes(6))
    if 144 <= kind <= 147:
        assert_for_daemon(bench.arrive(packet), packet)
    else:
        assert_untouched(bench.arrive(packet), packet)


def test_mobility_message_in_the_tunnel_keeps_its_outer_header(bench: Bench) -> None:
    """A Home Test counts only if it came through the tunnel (§11.6.2)."""
    at_mobile_node(bench)
    inner = ipv6(CORRESPONDENT, HOME_ADDRESS, MOBILITY, mobility(kind=3))
    assert_for_daemon(bench.arrive(down(inner)), down(inner))
    # Who sent it is the daemon's to judge.
    other = down(inner, source=OTHER)
    assert_for_daemon(bench.arrive(other), other)


def test_mobility_message_that_passes_through_the_home_agent(bench: Bench) -> None:
    """A Home Test Init is for the correspondent: data to the home agent."""
    at_home_agent(bench)
    inner = ipv6(HOME_ADDRESS, CORRESPONDENT, MOBILITY, mobility(kind=1))
    assert_taken_out(bench.arrive(up(inner)), inner)


def test_option_without_a_binding(bench: Bench) -> None:
    at_home_agent(bench)
    for next_header, payload in (
        (DESTINATION_OPTIONS, home_address_option(UDP, OTHER) + udp()),
        (DESTINATION_OPTIONS, home_address_option(IPV6, OTHER) + UP),
        (DESTINATION_OPTIONS, home_address_option(FRAGMENT, OTHER) + bytes(16)),
    ):
        packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, next_header, payload)
        assert_for_daemon(bench.arrive(packet), packet, "unverified")


def test_unverified_packets_are_limited_and_signalling_is_not(bench: Bench) -> None:
    bench.divert(HOME_AGENT)
    junk = home_address_option(UDP, OTHER) + udp()
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, DESTINATION_OPTIONS, junk)
    start = time.monotonic()
    passed = sum(bench.arrive(packet).verdict == REDIRECT for _ in range(500))
    seconds = time.monotonic() - start
    # A test run may change the CPU, and each has its own budget.
    limit = dataplane.UNVERIFIED_BURST + dataplane.UNVERIFIED_RATE * seconds + 1
    assert dataplane.UNVERIFIED_BURST <= passed <= bpf.possible_cpus() * limit
    bench.full_again(UNVERIFIED, at=time.clock_gettime(time.CLOCK_BOOTTIME) + 60)
    assert_dropped(bench.arrive(packet), "unverified")
    update = ipv6(CARE_OF_ADDRESS, HOME_AGENT, *WRAPPED["home address option"])
    assert_for_daemon(bench.arrive(update), update)


# Untouched: not ours


STRANGE = "tunnel of others that ends here"
NOT_OURS = {
    "tcp": ipv6(OTHER, HOME_AGENT, TCP, bytes(20)),
    "udp": ipv6(OTHER, HOME_AGENT, UDP, udp()),
    "nothing": ipv6(OTHER, HOME_AGENT, NONE),
    "esp": ipv6(OTHER, HOME_AGENT, 50, bytes(24)),
    "options": ipv6(OTHER, HOME_AGENT, DESTINATION_OPTIONS, options(UDP) + udp()),
    "source route": ipv6(OTHER, HOME_AGENT, ROUTING, routing(UDP, OTHER, kind=0)),
    "segment routing": ipv6(OTHER, HOME_AGENT, ROUTING, routing(UDP, OTHER, kind=4)),
    STRANGE: ipv6(OTHER, HOME_AGENT, IPV6, ipv6(OTHER, OTHER, NONE)),
    "tunnel with nothing in it": ipv6(OTHER, HOME_AGENT, IPV6),
    "tunnel with little in it": ipv6(OTHER, HOME_AGENT, IPV6, UP[:39]),
    "tunnel with another version": ipv6(OTHER, HOME_AGENT, IPV6, b"E" + UP[1:]),
    "transit tunnel from a home address": up(to=OTHER),
    "transit tunnel to another agent": up(source=OTHER, to=CORRESPONDENT),
    "transit signalling": ipv6(OTHER, CORRESPONDENT, MOBILITY, mobility()),
    "transit option": ipv6(
        OTHER,
        CORRESPONDENT,
        DESTINATION_OPTIONS,
        home_address_option(UDP, HOME_ADDRESS) + udp(),
    ),
    "options that end too early": ipv6(OTHER, HOME_AGENT, DESTINATION_OPTIONS, b"\x3b"),
    "plain from the home address": UP,
}


@pytest.mark.parametrize("what", NOT_OURS)
def test_untouched(bench: Bench, what: str) -> None:
    at_home_agent(bench)
    result = bench.arrive(NOT_OURS[what])
    assert_untouched(result, NOT_OURS[what])
    assert result.counted == ({"unknown_tunnel": 1} if what == STRANGE else {})


def fragment(kind: int, *, offset: int = 0) -> bytes:
    head = bytes([kind, 0]) + (offset | 1).to_bytes(2) + bytes(4)
    return head + UP


@pytest.mark.parametrize("offset", [0, 1232])
@pytest.mark.parametrize("at", [at_home_agent, at_mobile_node])
def test_fragments_of_tunnels_go_to_the_daemon(
    bench: Bench, at: Callable[[Bench], None], offset: int
) -> None:
    """Programs cannot put packets together; what is in them shows only then."""
    at(bench)
    ends = (CARE_OF_ADDRESS, HOME_AGENT)
    source, destination = ends if at is at_home_agent else ends[::-1]
    packet = ipv6(source, destination, FRAGMENT, fragment(IPV6, offset=offset))
    result = bench.arrive(packet)
    assert (result.verdict, result.packet) == (REDIRECT, packet)
    assert (result.mark, result.counted) == (MARK_LONG, {"long_in": 1})


def test_fragments_of_tunnels_have_a_budget(bench: Bench) -> None:
    at_home_agent(bench)
    bench.full_again(LONG, at=time.clock_gettime(time.CLOCK_BOOTTIME) + 60)
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, FRAGMENT, fragment(IPV6))
    result = bench.arrive(packet)
    assert (result.verdict, result.counted) == (DROP, {"dropped_long": 1})


def test_fragments_of_tunnels_of_others(bench: Bench) -> None:
    """Through here, or to a node that has no tunnels."""
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, FRAGMENT, fragment(IPV6))
    bench.divert(HOME_AGENT)
    assert_untouched(bench.arrive(packet), packet)
    bench.tunnel(End.HOME_AGENT)
    packet = ipv6(CARE_OF_ADDRESS, OTHER, FRAGMENT, fragment(IPV6))
    assert_untouched(bench.arrive(packet), packet)


@pytest.mark.parametrize(
    ("first", "headers"),
    [
        (FRAGMENT, fragment(UDP)),
        (FRAGMENT, fragment(MOBILITY)),
        (DESTINATION_OPTIONS, options(FRAGMENT) + fragment(IPV6)),
    ],
)
def test_other_fragments_are_the_kernels(
    bench: Bench, first: int, headers: bytes
) -> None:
    at_home_agent(bench)
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, first, headers)
    result = bench.arrive(packet)
    assert_untouched(result, packet)
    assert result.counted == {"fragment": 1}


def test_a_tunnel_in_the_tunnel_is_counted(bench: Bench) -> None:
    """It is taken off once; the inner one is the kernel's."""
    at_home_agent(bench)
    nested = ipv6(HOME_ADDRESS, HOME_AGENT, IPV6, UP)
    result = bench.arrive(ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, nested))
    assert (result.verdict, result.packet) == (REDIRECT, nested)
    assert result.counted == {"tunnel_in": 1, "nested_tunnel": 1}


def test_more_headers_than_anybody_needs(bench: Bench) -> None:
    bench.divert(HOME_AGENT)
    chain = options(DESTINATION_OPTIONS) * 4 + options(MOBILITY) + mobility()
    packet = ipv6(OTHER, HOME_AGENT, DESTINATION_OPTIONS, chain)
    result = bench.arrive(packet)
    assert_untouched(result, packet)
    assert result.counted == {"too_many_headers": 1}


def test_frames_for_another_station(bench: Bench) -> None:
    """A link in promiscuous mode shows what is not for this node."""
    at_home_agent(bench)
    frame = bytes.fromhex("020000000009") + ETHERNET[6:] + up()
    outcome = bench.data_plane.program("link_ingress").run(frame)
    assert (outcome.verdict, outcome.packet) == (PASS, frame)


@pytest.mark.parametrize("kind", [0x0800, 0x0806, 0x8100])
def test_what_is_not_ipv6(bench: Bench, kind: int) -> None:
    at_home_agent(bench)
    frame = ETHERNET[:12] + kind.to_bytes(2) + b"\x45" + up()[1:]
    outcome = bench.data_plane.program("link_ingress").run(frame)
    assert outcome.verdict == PASS
    assert outcome.packet == frame


def test_garbage_passes_or_is_whole(bench: Bench) -> None:
    """Whatever the octets, a packet goes on as it came, or is dropped for a reason."""
    at_home_agent(bench)
    at_mobile_node(bench)
    chance = random.Random(6275)
    seeds = [up(), down(), *NOT_OURS.values()]
    seeds += [ipv6(CARE_OF_ADDRESS, HOME_AGENT, *w) for w in WRAPPED.values()]
    for _ in range(3000):
        packet = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(4)):
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        cut = chance.choice([len(packet), chance.randrange(40, len(packet) + 1)])
        octets = bytes(packet[:cut])
        result = bench.arrive(octets)
        if result.verdict == PASS or result.mark == MARK:
            assert result.packet == octets
        elif result.verdict == DROP:
            assert any(reason.startswith("dropped_") for reason in result.counted)
        else:
            assert result.counted == {"tunnel_in": 1}
            assert octets.endswith(result.packet[2:])
