"""The five steps, found in captures written by hand, octet by octet known."""

import struct
import time
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from mip6.lab.capture import Frame, read_pcap
from mip6.lab.lab import Move
from mip6.lab.story import (
    describe,
    directly_seen,
    five_steps,
    on_the_wire,
    tunnel_seen,
    unproved,
    updates,
)
from mip6.wire.icmpv6 import IcmpMessage, UnknownIcmp, write_icmpv6
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    Message,
    write_message,
)
from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborSolicitation,
    RouterAdvertisement,
    RouterSolicitation,
)
from mip6.wire.neighbor_options import PrefixInformation
from mip6.wire.next_header import NextHeader
from mip6.wire.options import (
    AlternateCareOfAddress,
    BindingAuthorizationData,
    NonceIndices,
)
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    write_packet,
)

HOME, AGENT, PEER, CARE_OF, ROUTER, NODE, ALL_NODES, ALL_ROUTERS = (
    IPv6Address(text)
    for text in (
        "2001:db8:a::100",
        "2001:db8:a::1",
        "2001:db8:e::2",
        "2001:db8:b::ff:fe00:64",
        "fe80::1",
        "fe80::ff:fe00:64",
        "ff02::1",
        "ff02::2",
    )
)
MOVE = Move(origin="home", destination="b", unplugged_at=99.9, plugged_at=100.0)


def icmp(source: IPv6Address, destination: IPv6Address, message: IcmpMessage) -> bytes:
    payload = write_icmpv6(message, source, destination)
    return _packet(source, destination, NextHeader.ICMPV6, payload)


def mobility(source: IPv6Address, destination: IPv6Address, message: Message) -> bytes:
    payload = write_message(message, source, destination)
    return _packet(source, destination, NextHeader.MOBILITY, payload)


def echo(
    source: IPv6Address, destination: IPv6Address, kind: int, number: int
) -> bytes:
    data = struct.pack("!HH", 77, number) + b"data"
    return icmp(source, destination, UnknownIcmp(type=kind, code=0, data=data))


def tunnel(source: IPv6Address, destination: IPv6Address, inner: bytes) -> bytes:
    return _packet(source, destination, NextHeader.IPV6, inner)


def _packet(
    source: IPv6Address, destination: IPv6Address, kind: int, payload: bytes
) -> bytes:
    return write_packet(
        IPv6Packet(
            source=source, destination=destination, next_header=kind, payload=payload
        )
    )


def capture(path: Path, packets: list[tuple[float, bytes]]) -> list[Frame]:
    """As tcpdump would have written it, at moments of the boot clock."""
    offset = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    octets = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for at, packet in packets:
        seconds, rest = divmod(at + offset, 1)
        frame = bytes(12) + b"\x86\xdd" + packet
        header = struct.pack(
            "=4I", int(seconds), int(rest * 1e6), len(frame), len(frame)
        )
        octets += header + frame
    path.write_bytes(octets)
    return list(read_pcap(path))


ADVERTISEMENT = RouterAdvertisement(
    router_lifetime=1800,
    options=(
        PrefixInformation(
            prefix=IPv6Address("2001:db8:b::1"),
            prefix_length=64,
            valid_lifetime=86400,
            preferred_lifetime=14400,
            autonomous_address_configuration=True,
            router_address=True,
        ),
    ),
)
UPDATE = BindingUpdate(
    sequence_number=7,
    lifetime=600,
    acknowledge=True,
    home_registration=True,
    options=(AlternateCareOfAddress(CARE_OF),),
)
ANSWER = BindingAcknowledgement(status=0, sequence_number=7, lifetime=600)


@pytest.fixture
def frames(tmp_path: Path) -> dict[str, list[Frame]]:
    request = [echo(PEER, HOME, 128, n) for n in (1, 2)]
    reply = [echo(HOME, PEER, 129, n) for n in (1, 2)]
    probe = NeighborSolicitation(target_address=CARE_OF)
    mn = [
        (99.0, mobility(CARE_OF, AGENT, UPDATE)),
        (100.001, icmp(NODE, ALL_ROUTERS, RouterSolicitation())),
        (100.002, icmp(ROUTER, ALL_NODES, ADVERTISEMENT)),
        (100.003, icmp(IPv6Address("::"), ALL_NODES, probe)),
        (100.004, mobility(CARE_OF, AGENT, UPDATE)),
        (100.005, mobility(AGENT, CARE_OF, ANSWER)),
        (100.010, tunnel(AGENT, CARE_OF, request[0])),
        (100.020, tunnel(AGENT, CARE_OF, request[1])),
        (100.021, tunnel(CARE_OF, AGENT, reply[1])),
    ]
    return {
        "mn": capture(tmp_path / "mn", mn),
        "ha": capture(tmp_path / "ha", [(100.009, request[0]), (100.019, request[1])]),
        "cn": capture(tmp_path / "cn", [(100.022, reply[1])]),
    }


def test_the_five_steps_are_found_in_order(frames: dict[str, list[Frame]]) -> None:
    steps = five_steps(frames, MOVE, 101.0)
    # Times are known to a microsecond or so: the two clocks are read apart.
    assert [[line.split("ms  ")[1] for line in step.lines] for step in steps] == [
        [
            "mn → all routers  Router Solicitation",
            "router → all nodes  Router Advertisement, prefix 2001:db8:b::/64",
            ":: → all nodes  Neighbor Solicitation: "
            "does anybody else have 2001:db8:b::ff:fe00:64?",
        ],
        [
            "mn on B → ha  Binding Update, sequence 7, lifetime 600 s, care-of address "
            "2001:db8:b::ff:fe00:64, acknowledge, home registration",
            "ha → mn on B  Binding Acknowledgement, status 0 (accepted), sequence 7, "
            "lifetime 600 s",
        ],
        ["cn → home address  Echo Request 2"],
        ["ha → mn on B  tunnel [ cn → home address  Echo Request 2 ]"],
        [
            "mn on B → ha  tunnel [ home address → cn  Echo Reply 2 ]",
            "home address → cn  Echo Reply 2",
        ],
    ]
    assert steps[1].lines[0].split()[0] == "4.0"


def test_a_move_on_the_wire_counts_from_carrier_up(
    frames: dict[str, list[Frame]],
) -> None:
    assert on_the_wire(frames, MOVE, 101.0) == {
        "router_solicitation": pytest.approx(1.0, abs=0.01),
        "router_word": pytest.approx(2.0, abs=0.01),
        "binding_update": pytest.approx(4.0, abs=0.01),
        "binding_acknowledgement": pytest.approx(5.0, abs=0.01),
    }
    assert on_the_wire(frames, MOVE, 100.0015) == {
        "router_solicitation": pytest.approx(1.0, abs=0.01)
    }
    assert on_the_wire({}, MOVE, 101.0) == {}


def test_a_router_that_answers_has_spoken_a_node_has_not(tmp_path: Path) -> None:
    """And what is heard after the Binding Update did not bring it about."""
    node = NeighborAdvertisement(target_address=NODE, solicited=True)
    router = NeighborAdvertisement(target_address=ROUTER, router=True, solicited=True)
    sent = [
        (100.001, icmp(NODE, ROUTER, node)),
        (100.002, icmp(ROUTER, NODE, router)),
        (100.003, icmp(ROUTER, NODE, ADVERTISEMENT)),
        (100.004, mobility(CARE_OF, AGENT, UPDATE)),
        (100.005, icmp(NODE, ALL_ROUTERS, RouterSolicitation())),
    ]
    seen = on_the_wire({"mn": capture(tmp_path / "mn", sent)}, MOVE, 101.0)
    assert seen == {
        "router_word": pytest.approx(2.0, abs=0.01),
        "binding_update": pytest.approx(4.0, abs=0.01),
    }


def test_a_step_that_was_not_seen_is_empty(frames: dict[str, list[Frame]]) -> None:
    del frames["cn"]
    frames["mn"] = frames["mn"][:5]
    steps = five_steps(frames, MOVE, 101.0)
    assert [len(step.lines) for step in steps] == [3, 1, 1, 0, 0]


def test_what_is_outside_the_move_is_no_step(frames: dict[str, list[Frame]]) -> None:
    assert not any(step.lines for step in five_steps(frames, MOVE, 100.0))


def test_the_tunnel_counts_only_if_it_carried_both_ways(
    frames: dict[str, list[Frame]],
) -> None:
    assert tunnel_seen(frames, MOVE, 101.0)
    assert not tunnel_seen(frames, MOVE, 100.0205)
    elsewhere = Move(origin="b", destination="c", unplugged_at=99.9, plugged_at=100.0)
    assert not tunnel_seen(frames, elsewhere, 101.0)


# The direct way

TO_PEER = BindingUpdate(
    sequence_number=8,
    lifetime=420,
    acknowledge=True,
    home_registration=False,
    options=(NonceIndices(1, 1), BindingAuthorizationData(bytes(12))),
)
FROM_PEER = BindingAcknowledgement(
    status=0,
    sequence_number=8,
    lifetime=420,
    options=(BindingAuthorizationData(bytes(12)),),
)


def from_home(packet: Message | IcmpMessage) -> bytes:
    """From the care-of address, with the Home Address option."""
    option = HomeAddressOption(HOME)
    return wrapped(CARE_OF, PEER, packet, HOME, PEER, DestinationOptions((option,)))


def to_home(packet: Message | IcmpMessage) -> bytes:
    """To the care-of address, with the type 2 routing header."""
    return wrapped(PEER, CARE_OF, packet, PEER, HOME, RoutingHeaderType2(HOME))


def wrapped(
    source: IPv6Address,
    destination: IPv6Address,
    message: Message | IcmpMessage,
    origin: IPv6Address,
    target: IPv6Address,
    extension: DestinationOptions | RoutingHeaderType2,
) -> bytes:
    if isinstance(message, UnknownIcmp):
        kind, payload = NextHeader.ICMPV6, write_icmpv6(message, origin, target)
    else:
        assert isinstance(message, BindingUpdate | BindingAcknowledgement)
        kind, payload = NextHeader.MOBILITY, write_message(message, origin, target)
    return write_packet(
        IPv6Packet(
            source=source,
            destination=destination,
            extensions=(extension,),
            next_header=kind,
            payload=payload,
        )
    )


def ping(kind: int) -> UnknownIcmp:
    return UnknownIcmp(type=kind, code=0, data=struct.pack("!HH", 77, 9) + b"data")


COOKIE, TOKEN = b"cookie 1", b"token 12"
HOME_INIT = HomeTestInit(home_init_cookie=COOKIE)
CARE_OF_INIT = CareOfTestInit(care_of_init_cookie=COOKIE)
HOME_TEST = HomeTest(
    home_nonce_index=1, home_init_cookie=COOKIE, home_keygen_token=TOKEN
)
CARE_OF_TEST = CareOfTest(
    care_of_nonce_index=1, care_of_init_cookie=COOKIE, care_of_keygen_token=TOKEN
)


@pytest.fixture
def optimized(frames: dict[str, list[Frame]], tmp_path: Path) -> dict[str, list[Frame]]:
    request, reply = to_home(ping(128)), from_home(ping(129))
    mn = [
        (
            100.030,
            tunnel(CARE_OF, AGENT, mobility(HOME, PEER, HOME_INIT)),
        ),
        (100.031, mobility(CARE_OF, PEER, CARE_OF_INIT)),
        (100.032, mobility(PEER, CARE_OF, CARE_OF_TEST)),
        (
            100.033,
            tunnel(AGENT, CARE_OF, mobility(PEER, HOME, HOME_TEST)),
        ),
        (100.034, from_home(TO_PEER)),
        (100.035, to_home(FROM_PEER)),
        (100.041, request),
        (100.042, reply),
    ]
    frames["mn"] += capture(tmp_path / "mn2", mn)
    frames["cn"] += capture(tmp_path / "cn2", [(100.040, request), (100.043, reply)])
    return frames


def test_the_fifth_step_is_the_direct_way(optimized: dict[str, list[Frame]]) -> None:
    *_, third, fourth, last = five_steps(optimized, MOVE, 101.0)
    assert [line.split("ms  ")[1] for line in last.lines] == [
        "mn on B → ha  tunnel [ home address → cn  Home Test Init ]",
        "mn on B → cn  Care-of Test Init",
        "cn → mn on B  Care-of Test",
        "ha → mn on B  tunnel [ cn → home address  Home Test ]",
        "mn on B → cn  direct [ home address → cn  Binding Update, sequence 8, "
        "lifetime 420 s, care-of address 2001:db8:b::ff:fe00:64, acknowledge ]",
        "cn → mn on B  direct [ cn → home address  Binding Acknowledgement, status 0 "
        "(accepted), sequence 8, lifetime 420 s ]",
        "cn → mn on B  direct [ cn → home address  Echo Request 9 ]",
        "mn on B → cn  direct [ home address → cn  Echo Reply 9 ]",
    ]
    assert third.fleeting and fourth.fleeting
    assert directly_seen(optimized, 100.0, 101.0)
    assert not directly_seen(optimized, 100.0, 100.0415)


def test_who_is_told_what_in_which_updates(optimized: dict[str, list[Frame]]) -> None:
    assert updates(optimized, 99.5, 101.0) == [7]
    assert updates(optimized, 99.5, 101.0, home=False) == [8]


def test_each_update_has_its_own_proof(
    optimized: dict[str, list[Frame]], tmp_path: Path
) -> None:
    """In ESP to the home agent, signed to a correspondent."""
    wrong = unproved(optimized, "shared_key")
    assert len(wrong) == 3 and not any("sequence 8" in line for line in wrong)
    bare = replace(TO_PEER, options=(NonceIndices(1, 1),))
    forged = capture(tmp_path / "forged", [(1.0, from_home(bare))])
    assert len(unproved({"mn": forged}, "shared_key")) == 1
    keyless = BindingAcknowledgement(status=136, sequence_number=8, lifetime=0)
    unsigned = capture(tmp_path / "unsigned", [(1.0, to_home(keyless))])
    assert unproved({"mn": unsigned}, "shared_key") == []


def test_what_is_cut_or_no_ipv6_is_left_out(tmp_path: Path) -> None:
    whole = echo(PEER, HOME, 128, 1)
    frames = capture(tmp_path / "x", [(1.0, whole[:-1]), (2.0, b"\x45"), (3.0, whole)])
    assert [frame.at for frame in frames] == [pytest.approx(3.0, abs=0.01)]


def test_an_unknown_status_is_told_as_such(tmp_path: Path) -> None:
    refusal = BindingAcknowledgement(status=177, sequence_number=1, lifetime=0)
    (frame,) = capture(tmp_path / "x", [(1.0, mobility(AGENT, CARE_OF, refusal))])
    assert "status 177 (unknown), sequence 1" in describe(frame)
