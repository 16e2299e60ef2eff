"""Into a link, directly from the other end: verified, and out of its headers."""

import time

import pytest
from tests.support.bench import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    DROP,
    HOME_ADDRESS,
    HOME_AGENT,
    PASS,
    REDIRECT,
    UNVERIFIED,
    Bench,
    Result,
)
from tests.support.octets import (
    AUTHENTICATION,
    DESTINATION_OPTIONS,
    ESP,
    FRAGMENT,
    HOP_BY_HOP,
    ICMPV6,
    IPV6,
    MOBILITY,
    NONE,
    ROUTING,
    UDP,
    home_address_option,
    ipv6,
    mobility,
    options,
    routing,
    udp,
)

from mip6.core.state import End
from mip6.linux.layout import MARK

pytestmark = pytest.mark.root

OTHER, PREVIOUS = "2001:db8:e::1", "2001:db8:d::100"
OTHER_HOME_ADDRESS = "2001:db8:c::200"
OTHER_CARE_OF_ADDRESS = "2001:db8:d::200"
DATA = udp(b"data")
UP = ipv6(HOME_ADDRESS, CORRESPONDENT, UDP, DATA)
DOWN = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, DATA)


def at_correspondent(bench: Bench, **of: object) -> None:
    bench.direct(End.CORRESPONDENT, **of)  # type: ignore[arg-type]
    bench.divert(CORRESPONDENT)


def at_mobile_node(bench: Bench, **of: object) -> None:
    bench.tunnel(End.MOBILE_NODE, **of)  # type: ignore[arg-type]
    bench.divert(HOME_ADDRESS, CARE_OF_ADDRESS, PREVIOUS)


def up(
    payload: bytes = DATA,
    next_header: int = UDP,
    *,
    source: str = CARE_OF_ADDRESS,
    to: str = CORRESPONDENT,
    home_address: str = HOME_ADDRESS,
) -> bytes:
    option = home_address_option(next_header, home_address)
    return ipv6(source, to, DESTINATION_OPTIONS, option + payload)


def down(
    payload: bytes = DATA,
    next_header: int = UDP,
    *,
    source: str = CORRESPONDENT,
    to: str = CARE_OF_ADDRESS,
    home_address: str = HOME_ADDRESS,
    **of: int,
) -> bytes:
    header = routing(next_header, home_address, **of)
    return ipv6(source, to, ROUTING, header + payload)


def assert_in(result: Result, packet: bytes, verdict: int = REDIRECT) -> None:
    """It arrives on the mobility device."""
    assert (result.verdict, result.packet, result.mark) == (verdict, packet, 0)
    assert result.counted == {"direct_in": 1}


def assert_on(result: Result, packet: bytes) -> None:
    """It goes on where it came."""
    assert_in(result, packet, PASS)


def assert_for_daemon(result: Result, packet: bytes, reason: str) -> None:
    assert (result.verdict, result.packet) == (REDIRECT, packet)
    assert (result.mark, result.counted) == (MARK, {reason: 1})


def assert_dropped(result: Result, reason: str = "routing_header") -> None:
    assert (result.verdict, result.counted) == (DROP, {f"dropped_{reason}": 1})


def assert_untouched(result: Result, packet: bytes) -> None:
    assert (result.verdict, result.packet, result.mark) == (PASS, packet, 0)


# At the correspondent


@pytest.mark.rfc("9.3.1-7", "the home address becomes the source, the option is gone")
def test_correspondent_takes_the_option_out(bench: Bench) -> None:
    at_correspondent(bench)
    assert_on(bench.arrive(up()), UP)


@pytest.mark.rfc("9.3.1", "without a binding with this care-of address: Binding Error")
@pytest.mark.parametrize(
    "packet",
    [
        up(source=OTHER),
        up(source=PREVIOUS),
        up(home_address=OTHER),
        up(home_address="::1"),
    ],
)
def test_option_that_no_binding_vouches_for(bench: Bench, packet: bytes) -> None:
    at_correspondent(bench)
    assert_for_daemon(bench.arrive(packet), packet, "unverified")


def test_binding_is_of_one_address_of_ours(bench: Bench) -> None:
    at_correspondent(bench)
    bench.divert(OTHER)
    packet = up(to=OTHER)
    assert_for_daemon(bench.arrive(packet), packet, "unverified")
    packet = up(to=HOME_AGENT)  # not ours at all
    assert_untouched(bench.arrive(packet), packet)


def test_binding_ends_while_nobody_looks(bench: Bench) -> None:
    at_correspondent(bench, lifetime=1)
    assert_on(bench.arrive(up()), UP)
    time.sleep(1.01)
    assert_for_daemon(bench.arrive(up()), up(), "unverified")


def test_previous_care_of_address_for_a_while(bench: Bench) -> None:
    at_correspondent(bench, previous=PREVIOUS, grace=1)
    assert_on(bench.arrive(up(source=PREVIOUS)), UP)
    time.sleep(1.01)
    late = up(source=PREVIOUS)
    assert_for_daemon(bench.arrive(late), late, "unverified")
    assert_on(bench.arrive(up()), UP)


def test_home_agent_is_a_correspondent_of_its_mobile_nodes(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT, previous=PREVIOUS, grace=60)
    bench.divert(HOME_AGENT, OTHER)
    inside = ipv6(HOME_ADDRESS, HOME_AGENT, UDP, DATA)
    assert_in(bench.arrive(up(to=HOME_AGENT)), inside)
    assert_in(bench.arrive(up(to=HOME_AGENT, source=PREVIOUS)), inside)
    for packet in (up(to=HOME_AGENT, source=OTHER), up(to=OTHER)):
        assert_for_daemon(bench.arrive(packet), packet, "unverified")
    bench.tunnel(End.HOME_AGENT, lifetime=-0.001)
    packet = up(to=HOME_AGENT)
    assert_for_daemon(bench.arrive(packet), packet, "unverified")


# At the mobile node


@pytest.mark.rfc("11.3.3", "the home address becomes the destination")
def test_mobile_node_takes_the_routing_header_out(bench: Bench) -> None:
    at_mobile_node(bench)
    assert_in(bench.arrive(down()), DOWN)
    bench.direct(End.MOBILE_NODE)
    assert_in(bench.arrive(down()), DOWN)


def test_from_whom_is_not_asked(bench: Bench) -> None:
    """The RFC asks for our home address only: who still has a binding may use it."""
    at_mobile_node(bench)
    inside = ipv6(OTHER, HOME_ADDRESS, UDP, DATA)
    assert_in(bench.arrive(down(source=OTHER)), inside)


def test_care_of_address_that_the_correspondent_knows(bench: Bench) -> None:
    """It is told of a move later than the home agent."""
    at_mobile_node(bench)
    bench.direct(End.MOBILE_NODE, care_of_address=PREVIOUS, inbound_only=True)
    assert_in(bench.arrive(down(to=PREVIOUS)), DOWN)
    assert_in(bench.arrive(down()), DOWN)
    assert_dropped(bench.arrive(down(to=PREVIOUS, source=OTHER)))
    bench.direct(End.MOBILE_NODE, care_of_address=PREVIOUS, lifetime=-0.001)
    assert_dropped(bench.arrive(down(to=PREVIOUS)))


@pytest.mark.rfc("11.3.3", "length 2, one segment left, our home address; else dropped")
@pytest.mark.rfc("6.4", "never forwarded")
@pytest.mark.parametrize(
    "packet",
    [
        down(left=0),
        down(left=2),
        down(home_address=OTHER),
        down(home_address="ff0e::1"),
        down(to=PREVIOUS),
        ipv6(
            CORRESPONDENT,
            CARE_OF_ADDRESS,
            ROUTING,
            routing(UDP, HOME_ADDRESS)[:1]
            + b"\4"
            + routing(UDP, HOME_ADDRESS)[2:]
            + bytes(16)
            + DATA,
        ),
    ],
)
def test_routing_header_that_is_not_ours(bench: Bench, packet: bytes) -> None:
    at_mobile_node(bench)
    assert_dropped(bench.arrive(packet))


def test_nobodys_routing_header(bench: Bench) -> None:
    """No mobile node: all are dropped.  Not to us at all: somebody else's."""
    bench.divert(CARE_OF_ADDRESS)
    assert_dropped(bench.arrive(down()))
    packet = down(to=OTHER)
    assert_untouched(bench.arrive(packet), packet)


def test_expired_registration(bench: Bench) -> None:
    at_mobile_node(bench, lifetime=-0.001)
    assert_dropped(bench.arrive(down()))


def test_inbound_only_gives(bench: Bench) -> None:
    at_mobile_node(bench, inbound_only=True)
    assert_in(bench.arrive(down()), DOWN)


# Between two mobile nodes


def both(
    payload: bytes = DATA, next_header: int = UDP, *, source: str = CARE_OF_ADDRESS
) -> bytes:
    """From the mobile node of the bench's names to the other one."""
    option = home_address_option(next_header, HOME_ADDRESS)
    header = routing(DESTINATION_OPTIONS, OTHER_HOME_ADDRESS)
    return ipv6(source, OTHER_CARE_OF_ADDRESS, ROUTING, header + option + payload)


ACROSS = ipv6(HOME_ADDRESS, OTHER_HOME_ADDRESS, UDP, DATA)


def at_other_mobile_node(bench: Bench) -> None:
    here = {
        "home_address": OTHER_HOME_ADDRESS,
        "care_of_address": OTHER_CARE_OF_ADDRESS,
    }
    bench.tunnel(End.MOBILE_NODE, **here)  # type: ignore[arg-type]
    bench.direct(End.CORRESPONDENT, correspondent=OTHER_HOME_ADDRESS)
    bench.divert(OTHER_HOME_ADDRESS, OTHER_CARE_OF_ADDRESS)


@pytest.mark.rfc("6.3", "the option behind the routing header is for the home address")
def test_both_headers_are_taken_out(bench: Bench) -> None:
    at_other_mobile_node(bench)
    assert_in(bench.arrive(both()), ACROSS)


def test_both_headers_and_no_binding(bench: Bench) -> None:
    at_other_mobile_node(bench)
    packet = both(source=OTHER)
    assert_for_daemon(bench.arrive(packet), packet, "unverified")


def test_option_that_came_through_the_home_agent(bench: Bench) -> None:
    """From who is bound here, and does not know where we are."""
    at_other_mobile_node(bench)

    def tunnelled(inner: bytes) -> bytes:
        return ipv6(HOME_AGENT, OTHER_CARE_OF_ADDRESS, IPV6, inner)

    result = bench.arrive(tunnelled(up(to=OTHER_HOME_ADDRESS)))
    assert (result.verdict, result.packet, result.mark) == (REDIRECT, ACROSS, 0)
    assert result.counted == {"tunnel_in": 1}
    behind = options(DESTINATION_OPTIONS) + home_address_option(UDP, HOME_ADDRESS)
    inner = ipv6(CARE_OF_ADDRESS, OTHER_HOME_ADDRESS, HOP_BY_HOP, behind + DATA)
    result = bench.arrive(tunnelled(inner))
    skipped = behind[:14] + b"\x1e" + behind[15:]
    assert result.packet == ipv6(
        HOME_ADDRESS, OTHER_HOME_ADDRESS, HOP_BY_HOP, skipped + DATA
    )
    packet = tunnelled(up(to=OTHER_HOME_ADDRESS, source=OTHER))
    assert_for_daemon(bench.arrive(packet), packet, "unverified")
    packet = tunnelled(down(to=OTHER_HOME_ADDRESS, home_address=OTHER_HOME_ADDRESS))
    assert_dropped(bench.arrive(packet))


def test_option_in_the_tunnel_that_the_home_agent_forwards(bench: Bench) -> None:
    bench.tunnel(End.HOME_AGENT)
    bench.divert(HOME_AGENT)
    inner = ipv6(HOME_ADDRESS, OTHER, DESTINATION_OPTIONS, up()[40:])
    result = bench.arrive(ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, inner))
    assert (result.verdict, result.packet) == (REDIRECT, inner)


# What else is around


@pytest.mark.parametrize("size", [0, 1, 8, 1400])
def test_packets_of_any_size(bench: Bench, size: int) -> None:
    at_correspondent(bench)
    inside = ipv6(HOME_ADDRESS, CORRESPONDENT, NONE, bytes(size))
    assert_on(bench.arrive(up(bytes(size), NONE)), inside)


@pytest.mark.parametrize("mark", range(4))
def test_traffic_class_and_flow_label_stay(bench: Bench, mark: int) -> None:
    at_correspondent(bench)
    of = {"traffic_class": 0xB8 | mark, "flow_label": 0x12345, "hop_limit": 3}
    option = home_address_option(UDP, HOME_ADDRESS) + DATA
    packet = ipv6(CARE_OF_ADDRESS, CORRESPONDENT, DESTINATION_OPTIONS, option, **of)
    assert_on(bench.arrive(packet), ipv6(HOME_ADDRESS, CORRESPONDENT, UDP, DATA, **of))


@pytest.mark.parametrize(
    ("next_header", "payload"),
    [
        (ESP, bytes(24)),
        (FRAGMENT, bytes([UDP, 0, 0, 1]) + bytes(12)),
        (ICMPV6, bytes([129, 0]) + bytes(6)),
        (DESTINATION_OPTIONS, options(UDP) + DATA),
        (IPV6, UP),
    ],
)
def test_what_stands_behind_the_headers(
    bench: Bench, next_header: int, payload: bytes
) -> None:
    at_other_mobile_node(bench)
    inside = ipv6(HOME_ADDRESS, OTHER_HOME_ADDRESS, next_header, payload)
    assert_in(bench.arrive(both(payload, next_header)), inside)


PADDED = {
    "behind Pad1": bytes([UDP, 2, 0, 0, 0, 0]),
    "behind two of padding": bytes([UDP, 2, 0, 1, 1, 0]),
}


@pytest.mark.parametrize("name", PADDED)
def test_option_in_other_padding(bench: Bench, name: str) -> None:
    at_correspondent(bench)
    option = PADDED[name] + home_address_option(UDP, HOME_ADDRESS)[6:]
    packet = ipv6(CARE_OF_ADDRESS, CORRESPONDENT, DESTINATION_OPTIONS, option + DATA)
    assert_on(bench.arrive(packet), UP)


def test_option_among_others_becomes_one_that_is_skipped(bench: Bench) -> None:
    """What cannot be taken out in one piece stays, and says nothing any more."""
    at_correspondent(bench)
    start = bytes([UDP, 3, 0x1F, 8]) + bytes(8) + b"\1\0"
    option = home_address_option(UDP, HOME_ADDRESS)[6:]
    packet = ipv6(
        CARE_OF_ADDRESS, CORRESPONDENT, DESTINATION_OPTIONS, start + option + DATA
    )
    assert_on(
        bench.arrive(packet),
        ipv6(
            HOME_ADDRESS,
            CORRESPONDENT,
            DESTINATION_OPTIONS,
            start + b"\x1e" + option[1:] + DATA,
        ),
    )


def test_headers_behind_hop_by_hop_options_are_skipped(bench: Bench) -> None:
    at_other_mobile_node(bench)
    packet = both()
    behind = options(ROUTING) + packet[40:]
    result = bench.arrive(
        ipv6(CARE_OF_ADDRESS, OTHER_CARE_OF_ADDRESS, HOP_BY_HOP, behind)
    )
    skipped = bytearray(behind)
    skipped[8 + 2 : 8 + 4] = bytes([253, 0])
    skipped[8 + 24 + 6] = 0x1E
    assert_in(
        result, ipv6(HOME_ADDRESS, OTHER_HOME_ADDRESS, HOP_BY_HOP, bytes(skipped))
    )


OPTION = home_address_option(UDP, HOME_ADDRESS)
ODD = {
    "option twice": home_address_option(DESTINATION_OPTIONS, HOME_ADDRESS) + OPTION,
    "option before the routing header": home_address_option(ROUTING, HOME_ADDRESS)
    + routing(UDP, OTHER_HOME_ADDRESS),
    "option of another length": OPTION[:7] + b"\x0e" + OPTION[8:],
    "authentication": home_address_option(AUTHENTICATION, HOME_ADDRESS) + bytes(16),
    "too many": home_address_option(DESTINATION_OPTIONS, HOME_ADDRESS)
    + options(DESTINATION_OPTIONS) * 3
    + options(UDP),
}


@pytest.mark.rfc("6.3", "the option stands once, behind the routing header")
@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_the_daemons_to_judge(bench: Bench, name: str) -> None:
    at_other_mobile_node(bench)
    bench.direct(End.CORRESPONDENT, correspondent=OTHER_CARE_OF_ADDRESS)
    packet = ipv6(
        CARE_OF_ADDRESS, OTHER_CARE_OF_ADDRESS, DESTINATION_OPTIONS, ODD[name] + DATA
    )
    assert_for_daemon(bench.arrive(packet), packet, "unverified")


def test_routing_header_twice(bench: Bench) -> None:
    at_mobile_node(bench)
    header = routing(ROUTING, HOME_ADDRESS) + routing(UDP, HOME_ADDRESS)
    packet = ipv6(CORRESPONDENT, CARE_OF_ADDRESS, ROUTING, header + DATA)
    assert_for_daemon(bench.arrive(packet), packet, "unverified")


def test_payload_length_that_lies(bench: Bench) -> None:
    """Shorter than the headers: nothing is taken out, and the kernel drops it."""
    at_correspondent(bench)
    packet = up()[:4] + b"\0\7" + up()[6:]
    result = bench.arrive(packet)
    assert result.packet[4:6] == b"\0\7"
    assert len(result.packet) == len(packet)


# Signalling stays whole, also where everything verifies


@pytest.mark.parametrize(
    ("next_header", "payload"),
    [(MOBILITY, mobility()), (ICMPV6, bytes([146, 0]) + bytes(6))],
)
def test_signalling_is_whole(bench: Bench, next_header: int, payload: bytes) -> None:
    at_other_mobile_node(bench)
    at_correspondent(bench)
    for packet in (up(payload, next_header), both(payload, next_header)):
        assert_for_daemon(bench.arrive(packet), packet, "signalling")


def test_esp_of_ours_is_whole(bench: Bench) -> None:
    at_correspondent(bench)
    bench.data_plane.divert_esp({0x100})
    packet = up(bytes([0, 0, 1, 0]) + bytes(20), ESP)
    assert_for_daemon(bench.arrive(packet), packet, "signalling")


def test_unverified_are_limited(bench: Bench) -> None:
    at_correspondent(bench)
    bench.full_again(UNVERIFIED, at=time.clock_gettime(time.CLOCK_BOOTTIME) + 60)
    assert_dropped(bench.arrive(up(source=OTHER)), "unverified")
    assert_on(bench.arrive(up()), UP)
