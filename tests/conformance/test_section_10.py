"""RFC 6275 §10: the home agent's registrations."""

from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.conformance.nodes import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    OTHER_CARE_OF_ADDRESS,
    Making,
    acknowledgement,
    binding_update,
    dropped,
    sent,
    tunnels,
)

from mip6.core.effects import Effect, Install, Remove, Send
from mip6.core.node import Node
from mip6.core.packet import Packet
from mip6.core.state import ProxyNeighbor, Route, State, Tunnel
from mip6.wire.messages import BindingAcknowledgement
from mip6.wire.options import BindingRefreshAdvice
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    write_packet,
)

NEIGHBOR = IPv6Address("2001:db8:a::2")


@pytest.fixture
def node(home_agent_node: Making) -> Node:
    return home_agent_node()


def gone(node: Node) -> list[tuple[type[Effect], type[State]]]:
    """All of a binding, interception before the tunnel.  To a virtual home link nobody
    is attached whose packets would have to be intercepted."""
    assert node.home_agent is not None
    if node.home_agent.home_link is None:
        return [(Remove, Tunnel)]
    return [(Remove, ProxyNeighbor), (Remove, Route), (Remove, Tunnel)]


def verbs(effects: list[Effect]) -> list[tuple[type[Effect], type[State]]]:
    """What becomes of which state, in order."""
    return [
        (type(effect), type(effect.state))
        for effect in effects
        if isinstance(effect, Install | Remove)
    ]


# §10.3.1


@pytest.mark.rfc("10.3.1-1", "§9.5.1 first: nothing comes of an old sequence number")
@pytest.mark.rfc("10.3.1-3", "and the home subnet is checked only then")
def test_order_of_checks(node: Node) -> None:
    acknowledgement(node.receive(binding_update(sequence_number=5), 0))
    packet = binding_update(sequence_number=5, care_of_address=HOME_AGENT)
    assert acknowledgement(node.receive(packet, 0)).status == 135


@pytest.mark.rfc("10.3.1-2", "authenticated, and for this home address")
@pytest.mark.parametrize("protected_for", [None, NEIGHBOR], ids=str)
def test_authentication(
    protected_for: IPv6Address | None, home_agent_node: Making
) -> None:
    node = home_agent_node(authentication_required=True)
    packet = binding_update(care_of_address=CARE_OF_ADDRESS)
    effects = node.receive(packet, 0, protected_for=protected_for)
    assert dropped(effects) == "unauthenticated"
    assert node.installed == set()
    effects = node.receive(packet, 0, protected_for=HOME_ADDRESS)
    assert acknowledgement(effects).status == 0


@pytest.mark.rfc("10.3.1-6", "off the home subnet is refused")
@pytest.mark.rfc("10.3.1-7", "with status 132")
@pytest.mark.rfc("9.5.4-6", "a refusal is 128 or more")
def test_not_home_subnet(node: Node) -> None:
    packet = binding_update(home_address=IPv6Address("2001:db8:e::1"))
    assert acknowledgement(node.receive(packet, 0)).status == 132
    assert node.installed == set()


@pytest.mark.rfc("10.3.1-8", "status 130 when there is no room")
@pytest.mark.rfc("10.3.1-14", "no registration gives way to another")
@pytest.mark.rfc("10.3.1-15", "and all stay until their lifetime ends")
@pytest.mark.rfc("9.5.4-3", "even without A")
@pytest.mark.parametrize("acknowledge", [False, True])
def test_insufficient_resources(acknowledge: bool, home_agent_node: Making) -> None:
    node = home_agent_node(bindings_max=2)
    addresses = [IPv6Address(int(HOME_ADDRESS) + n) for n in range(3)]
    for address in addresses[:2]:
        acknowledgement(node.receive(binding_update(home_address=address), 0))
    before = node.installed
    packet = binding_update(home_address=addresses[2], acknowledge=acknowledge)
    assert acknowledgement(node.receive(packet, 1)).status == 130
    assert node.installed == before
    node.tick(399.9)
    assert node.installed == before
    node.tick(400)
    assert acknowledgement(node.receive(packet, 400)).status == 0


@pytest.mark.rfc("10.3.1-11", "behind IPsec it needs no binding")
@pytest.mark.rfc("9.3.1-2", "nor for any other")
@pytest.mark.parametrize("next_header", [50, 51])
def test_home_address_option_before_ipsec(node: Node, next_header: int) -> None:
    packet = IPv6Packet(
        source=CARE_OF_ADDRESS,
        destination=HOME_AGENT,
        extensions=(DestinationOptions((HomeAddressOption(HOME_ADDRESS),)),),
        next_header=50,
        payload=bytes(32),
    )
    # It is for IPsec, which is not the core's; a Binding Error would be wrong.
    octets = bytearray(write_packet(packet))
    octets[40] = next_header
    octets[64:66] = bytes((59, 2))
    assert dropped(node.receive(bytes(octets), 0)) in (
        "not_signalling",
        "authentication_header",
    )


@pytest.mark.rfc("10.3.1-30", "no Binding Refresh Advice: bindings outlive a restart")
def test_no_binding_refresh_advice(node: Node) -> None:
    assert acknowledgement(node.receive(binding_update(), 0)).options == ()


@pytest.mark.rfc("10.3.1-12", "the binding is made, then changed")
@pytest.mark.rfc("10.3.1-13", "as a home registration")
@pytest.mark.rfc("8.4-1", "one for each mobile node")
def test_binding(node: Node) -> None:
    home_agent = node.home_agent
    assert home_agent is not None
    addresses = [IPv6Address(int(HOME_ADDRESS) + n) for n in range(3)]
    for address in addresses:
        node.receive(binding_update(home_address=address), 0)
    packet = binding_update(sequence_number=2, source=OTHER_CARE_OF_ADDRESS)
    node.receive(packet, 1)
    assert tunnels(node) == {
        addresses[0]: OTHER_CARE_OF_ADDRESS,
        addresses[1]: CARE_OF_ADDRESS,
        addresses[2]: CARE_OF_ADDRESS,
    }
    assert all(binding.home_registration for binding in home_agent.bindings)


@pytest.mark.rfc("10.3.1-18", "granted no more than asked for")
@pytest.mark.rfc("10.3.1-22", "gone at the end of what policy granted")
@pytest.mark.rfc("10.3.1-29", "the acknowledgement says what was granted")
@pytest.mark.parametrize(("asked", "granted"), [(40, 40), (100, 100), (104, 100)])
def test_lifetime(asked: int, granted: int, home_agent_node: Making) -> None:
    node = home_agent_node(lifetime_max=100)
    packet = binding_update(lifetime=asked)
    assert acknowledgement(node.receive(packet, 50)).lifetime == granted
    node.tick(50 + granted - 0.1)
    assert tunnels(node) == {HOME_ADDRESS: CARE_OF_ADDRESS}
    node.tick(50 + granted)
    assert node.installed == set()


@pytest.mark.rfc("10.3.1-23", "whether A is set or not")
@pytest.mark.rfc("10.3.1-24", "a status of success")
@pytest.mark.rfc("10.3.1-26", "which is 0")
@pytest.mark.rfc("10.3.1-28", "the sequence number")
@pytest.mark.rfc("8.4-7", "a Binding Update is answered")
@pytest.mark.rfc("9.5.4-14", "by a routing header")
@pytest.mark.parametrize("acknowledge", [False, True])
def test_acknowledgement(node: Node, acknowledge: bool) -> None:
    packet = binding_update(sequence_number=77, acknowledge=acknowledge)
    assert sent(node.receive(packet, 0)) == [
        Packet(
            source=HOME_AGENT,
            destination=CARE_OF_ADDRESS,
            routing_address=HOME_ADDRESS,
            message=BindingAcknowledgement(status=0, sequence_number=77, lifetime=400),
        )
    ]


@pytest.mark.rfc("10.3.1-34", "interception begins with the registration")
@pytest.mark.rfc("10.4.1-1", "on the home link")
@pytest.mark.rfc("8.4-2", "by proxy Neighbor Discovery")
@pytest.mark.rfc("8.4-3", "into the tunnel")
@pytest.mark.rfc("10.4.2-1", "to the care-of address")
def test_interception(node: Node) -> None:
    assert node.home_agent is not None
    tunnel, *rest = node.receive(binding_update(), 0)
    assert isinstance(tunnel, Install)
    assert isinstance(tunnel.state, Tunnel)
    assert tunnel.state.home_address == HOME_ADDRESS
    assert tunnel.state.care_of_address == CARE_OF_ADDRESS
    assert tunnel.state.home_agent == HOME_AGENT
    if node.home_agent.home_link is not None:
        route, proxy, *rest = rest
        way = Route(destination=IPv6Network(HOME_ADDRESS), link="mip0")
        assert route == Install(way)
        assert proxy == Install(ProxyNeighbor(address=HOME_ADDRESS, link="home"))
    # Nobody is told before it stands.
    assert isinstance(rest[0], Send)


@pytest.mark.rfc("10.3.1-35", "what comes from the new care-of address is accepted")
def test_movement(node: Node) -> None:
    node.receive(binding_update(), 0)
    packet = binding_update(sequence_number=2, source=OTHER_CARE_OF_ADDRESS)
    effects = node.receive(packet, 1)
    # One change, so that no packet meets a moment without a tunnel.
    assert verbs(effects) == [(Install, Tunnel)]
    assert tunnels(node) == {HOME_ADDRESS: OTHER_CARE_OF_ADDRESS}


@pytest.mark.rfc("10.3.1-34", "as long as it serves the mobile node")
@pytest.mark.rfc("6.1.7-6", "expired with its lifetime")
def test_expiry_ends_interception(node: Node) -> None:
    node.receive(binding_update(), 0)
    assert verbs(node.tick(400)) == gone(node)


# §10.3.2


@pytest.mark.rfc("10.3.2-1", "the check comes first")
@pytest.mark.rfc("10.3.2-2", "without a binding it is refused")
@pytest.mark.rfc("10.3.2-3", "with status 133")
@pytest.mark.rfc("9.5.3-2", "and makes none")
def test_deregistration_of_nothing(node: Node) -> None:
    assert acknowledgement(node.receive(binding_update(lifetime=0), 0)).status == 133
    assert node.installed == set()


@pytest.mark.rfc("10.3.2-4", "acknowledged, with A or without")
@pytest.mark.rfc("10.3.2-5", "status 0")
@pytest.mark.rfc("10.3.2-6", "the sequence number")
@pytest.mark.rfc("10.3.2-7", "Lifetime 0")
@pytest.mark.rfc("10.3.2-8", "no Binding Refresh Advice")
@pytest.mark.rfc("10.3.2-12", "and interception is over at once")
@pytest.mark.parametrize("acknowledge", [False, True])
@pytest.mark.parametrize("at_home", [False, True])
def test_deregistration(node: Node, acknowledge: bool, at_home: bool) -> None:
    node.receive(binding_update(sequence_number=10), 0)
    packet = binding_update(
        sequence_number=11,
        lifetime=0,
        acknowledge=acknowledge,
        source=HOME_ADDRESS if at_home else CARE_OF_ADDRESS,
        home_address=None if at_home else HOME_ADDRESS,
    )
    effects = node.receive(packet, 5)
    answer = acknowledgement(effects)
    assert answer == BindingAcknowledgement(status=0, sequence_number=11, lifetime=0)
    assert not any(isinstance(o, BindingRefreshAdvice) for o in answer.options)
    assert verbs(effects) == gone(node)
    assert node.installed == set()


@pytest.mark.rfc("10.3.2-10", "something stays of the entry")
@pytest.mark.rfc("10.3.2-11", "so that a delayed older update gets 135")
def test_late_binding_update(node: Node) -> None:
    node.receive(binding_update(sequence_number=10), 0)
    packet = binding_update(
        sequence_number=12, lifetime=0, source=HOME_ADDRESS, home_address=None
    )
    node.receive(packet, 5)
    late = binding_update(sequence_number=11)
    answer = acknowledgement(node.receive(late, 14.9))
    assert (answer.status, answer.sequence_number) == (135, 12)
    assert node.installed == set()
    # MAX_DELETE_BCE_TIMEOUT is 10 s.
    node.tick(15)
    assert acknowledgement(node.receive(late, 15)).status == 0
