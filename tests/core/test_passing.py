"""Return routability by way of the home agent, whose daemon takes it by the hand."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from tests.support.core import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    binding_update,
    discarded,
    home_agent,
)

from mip6.core.effects import Forward, Send
from mip6.core.node import Node
from mip6.core.packet import Packet, unwrap, write
from mip6.core.passing import into_tunnel, out_of_tunnel
from mip6.wire.messages import BindingError, HomeTest, HomeTestInit
from mip6.wire.packet import IPv6Packet, read_packet, write_packet

INIT = Packet(
    source=HOME_ADDRESS,
    destination=CORRESPONDENT,
    message=HomeTestInit(home_init_cookie=b"cookie 1"),
    tunnel=(CARE_OF_ADDRESS, HOME_AGENT),
)
TEST = Packet(
    source=CORRESPONDENT,
    destination=HOME_ADDRESS,
    message=HomeTest(
        home_nonce_index=7,
        home_init_cookie=b"cookie 1",
        home_keygen_token=b"token 12",
    ),
)


@pytest.fixture
def node() -> Node:
    made = Node(home_agent=home_agent())
    made.receive(write(binding_update(1)), 0.0)
    return made


def test_an_init_goes_on_to_the_correspondent(node: Node) -> None:
    """One hop further, as from any router (RFC 2473 §3.3)."""
    [effect] = node.receive(write(INIT), 1.0)
    onwards = replace(INIT, tunnel=None, hop_limit=63)
    assert effect == Forward(write(onwards))


def test_a_home_test_between_two_mobile_nodes_of_ours(node: Node) -> None:
    """Out of one tunnel and into the other by the same hand, so that it is protected in
    both (§10.4.6)."""
    other = binding_update(
        1, source=NEXT_CARE_OF_ADDRESS, home_address=OTHER_HOME_ADDRESS
    )
    node.receive(write(other), 0.5)
    inner = replace(TEST, source=OTHER_HOME_ADDRESS)
    outer = replace(inner, tunnel=(NEXT_CARE_OF_ADDRESS, HOME_AGENT))
    [effect] = node.receive(write(outer), 1.0)
    onwards = replace(inner, tunnel=(HOME_AGENT, CARE_OF_ADDRESS), hop_limit=63)
    assert effect == Send(onwards)


def test_an_init_to_the_home_agent_itself_is_no_transit(node: Node) -> None:
    here = replace(INIT, destination=HOME_AGENT)
    assert discarded(node.receive(write(here), 1.0)) == ("not_a_correspondent", "9")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tunnel": (NEXT_CARE_OF_ADDRESS, HOME_AGENT)}, ("tunnel_source", "10.4.5")),
        ({"source": IPv6Address("2001:db8:f::1")}, ("tunnel_source", "10.4.5")),
        ({"hop_limit": 1}, ("hop_limit", "RFC 2473 3.3")),
        ({"destination": IPv6Address("fe80::2")}, ("not_for_us", "RFC 8200 3")),
        (
            {"destination": IPv6Address("ff0e::2")},
            ("multicast", "10.4.3"),
        ),
    ],
)
def test_what_does_not_go_on(
    node: Node, changes: dict[str, object], reason: tuple[str, str]
) -> None:
    packet = replace(INIT, **changes)  # type: ignore[arg-type]
    assert discarded(node.receive(write(packet), 1.0)) == reason


def test_a_home_test_goes_into_the_tunnel(node: Node) -> None:
    [effect] = node.receive(write(TEST), 1.0)
    tunnel = (HOME_AGENT, CARE_OF_ADDRESS)
    assert effect == Send(replace(TEST, tunnel=tunnel)), "the kernel took the hop off"
    # After a move to where the mobile node is now.
    node.receive(write(binding_update(2, source=NEXT_CARE_OF_ADDRESS)), 2.0)
    [effect] = node.receive(write(TEST), 3.0)
    tunnel = (HOME_AGENT, NEXT_CARE_OF_ADDRESS)
    assert effect == Send(replace(TEST, tunnel=tunnel))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"destination": OTHER_HOME_ADDRESS}, ("not_for_us", "RFC 8200 3")),
        *(
            ({"source": IPv6Address(source)}, ("source_address", "RFC 4291 2.5.2"))
            for source in ("::", "fe80::7", "ff0e::1")
        ),
        (
            {"message": BindingError(status=1, home_address=HOME_ADDRESS)},
            ("not_for_us", "RFC 8200 3"),
        ),
    ],
)
def test_what_does_not_go_into_the_tunnel(
    node: Node, changes: dict[str, object], reason: tuple[str, str]
) -> None:
    packet = replace(TEST, **changes)  # type: ignore[arg-type]
    assert discarded(node.receive(write(packet), 1.0)) == reason


def test_a_damaged_home_test_goes_nowhere(node: Node) -> None:
    octets = bytearray(write(TEST))
    octets[-1] ^= 1
    assert discarded(node.receive(bytes(octets), 1.0)) == ("checksum", "9.2")


def test_who_is_no_home_agent_passes_nothing_on() -> None:
    node = Node([CORRESPONDENT])
    assert discarded(node.receive(write(TEST), 0.0)) == ("not_for_us", "RFC 8200 3")


def test_with_two_hops_left_it_passes(node: Node) -> None:
    [effect] = node.receive(write(replace(INIT, hop_limit=2)), 1.0)
    assert effect == Forward(write(replace(INIT, tunnel=None, hop_limit=1)))
    # Forwarded here, with as many hops left as the kernel says.
    [effect] = node.receive(write(replace(TEST, hop_limit=1)), 1.0)
    onwards = replace(TEST, tunnel=(HOME_AGENT, CARE_OF_ADDRESS), hop_limit=1)
    assert effect == Send(onwards)


def test_data_for_a_mobile_node_is_not_ours_to_pass(node: Node) -> None:
    assert node.home_agent is not None
    data = IPv6Packet(
        source=CORRESPONDENT, destination=HOME_ADDRESS, next_header=17, payload=bytes(8)
    )
    octets = write_packet(data)
    headers = read_packet(octets)
    assert into_tunnel(node.home_agent, headers, unwrap(headers), octets) is None


@pytest.mark.parametrize("to", [CORRESPONDENT, IPv6Address("ff0e::2")])
def test_a_stranger_in_a_tunnel_goes_nowhere(to: IPv6Address) -> None:
    octets = write(replace(INIT, destination=to, tunnel=None))
    headers = read_packet(octets)
    assert out_of_tunnel(home_agent(), headers, octets, 1.0) is None
