"""RFC 6275 §9 as far as every node that registers others has to keep it."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from tests.conformance.nodes import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    OTHER_CARE_OF_ADDRESS,
    Making,
    acknowledgement,
    binding_update,
    dropped,
    octets,
    sent,
    tunnels,
)

from mip6.core.effects import Effect
from mip6.core.node import Node
from mip6.core.packet import Packet
from mip6.wire.checksum import checksum
from mip6.wire.icmpv6 import ParameterProblem, UnknownIcmp, write_icmpv6
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingError,
    CareOfTestInit,
    HomeTestInit,
    UnknownMessage,
)
from mip6.wire.options import (
    BindingAuthorizationData,
    NonceIndices,
    Option,
    UnknownOption,
)
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    read_packet,
    write_packet,
)

NOT_UNICAST_ROUTABLE = [
    IPv6Address(text) for text in ("::", "::1", "fe80::1", "ff02::1", "ff0e::1")
]
UNKNOWN = UnknownMessage(99, bytes(10))


@pytest.fixture(params=[False, True], ids=["unbound", "bound"])
def node(request: pytest.FixtureRequest, home_agent_node: Making) -> Node:
    """A home agent, without and with a binding for the address under test."""
    node = home_agent_node()
    if request.param:
        acknowledgement(node.receive(binding_update(), 0))
    return node


def changed(packet: bytes, offset: int, value: int) -> bytes:
    """One octet of the upper layer changed, the checksum made right again."""
    headers = read_packet(packet)
    payload = bytearray(headers.payload)
    payload[offset] = value
    payload[4:6] = bytes(2)
    origin = headers.source
    for extension in headers.extensions:
        if isinstance(extension, DestinationOptions):
            (option,) = extension.options
            assert isinstance(option, HomeAddressOption)
            origin = option.home_address
    sum_ = checksum(origin, headers.destination, 135, bytes(payload))
    payload[4:6] = sum_.to_bytes(2)
    return write_packet(replace(headers, payload=bytes(payload)))


def with_home_address(
    home_address: IPv6Address, source: IPv6Address = CARE_OF_ADDRESS
) -> bytes:
    """An echo request, which needs a binding behind a Home Address option (§9.3.1)."""
    echo = UnknownIcmp(type=128, code=0, data=bytes(4))
    return write_packet(
        IPv6Packet(
            source=source,
            destination=HOME_AGENT,
            extensions=(DestinationOptions((HomeAddressOption(home_address),)),),
            next_header=58,
            payload=write_icmpv6(echo, home_address, HOME_AGENT),
        )
    )


def binding_error(effects: list[Effect]) -> Packet:
    (packet,) = sent(effects)
    assert isinstance(packet.message, BindingError)
    return packet


# §9.2


@pytest.mark.rfc("9.2-2", "a wrong checksum is dropped silently")
@pytest.mark.rfc("9.5.4-1", "and never acknowledged")
def test_wrong_checksum(node: Node) -> None:
    packet = bytearray(binding_update(sequence_number=2))
    packet[-1] ^= 1
    assert dropped(node.receive(bytes(packet), 1)) == "checksum"


@pytest.mark.rfc("9.2-3", "the type must be known")
@pytest.mark.rfc("9.2-4", "Binding Error with status 2")
@pytest.mark.rfc("9.3.3-2", "no home address without the option")
@pytest.mark.rfc("6.1-1", "the Binding Error has no routing header")
@pytest.mark.rfc("6.1-2", "and no Home Address option")
@pytest.mark.rfc("6.1-3", "and goes to the address it names, bound or not")
@pytest.mark.rfc("8.2-5", "Binding Errors can be sent")
@pytest.mark.rfc("10.2-1", "by the home agent too")
def test_unknown_type(node: Node) -> None:
    effects = node.receive(octets(UNKNOWN, source=HOME_ADDRESS), 1)
    assert binding_error(effects) == Packet(
        source=HOME_AGENT,
        destination=HOME_ADDRESS,
        message=BindingError(status=2, home_address=IPv6Address("::")),
    )


@pytest.mark.rfc("9.2-1", "the same checks whatever the type")
@pytest.mark.rfc("9.2-5", "Payload Proto must be 59")
@pytest.mark.rfc("9.2-6", "else it is dropped")
@pytest.mark.rfc("9.2-7", "Parameter Problem code 0 to the source on the wire")
@pytest.mark.rfc("9.2-8", "pointing at Payload Proto")
@pytest.mark.rfc("10.2-1", "by the home agent too")
@pytest.mark.rfc("8.4-6", "by the home agent too")
@pytest.mark.rfc("8.2-6", "and by any node")
@pytest.mark.parametrize(
    "packet",
    [
        binding_update(sequence_number=2),
        octets(HomeTestInit(home_init_cookie=bytes(8))),
        octets(CareOfTestInit(care_of_init_cookie=bytes(8))),
    ],
)
def test_payload_proto(node: Node, packet: bytes) -> None:
    before = node.installed
    packet = changed(packet, 0, 41)
    (problem,) = sent(node.receive(packet, 1))
    assert (problem.source, problem.destination) == (HOME_AGENT, CARE_OF_ADDRESS)
    assert (problem.home_address, problem.routing_address) == (None, None)
    assert isinstance(problem.message, ParameterProblem)
    assert problem.message.code == 0
    assert problem.message.pointer == read_packet(packet).payload_offset
    assert problem.message.packet == packet
    assert node.installed == before


@pytest.mark.rfc("9.2-1", "the same checks whatever the type")
@pytest.mark.rfc("9.2-9", "Header Len must cover the type's fields")
@pytest.mark.rfc("9.2-10", "else it is dropped")
@pytest.mark.rfc("9.2-11", "Parameter Problem code 0 to the source on the wire")
@pytest.mark.rfc("9.2-12", "pointing at Header Len")
@pytest.mark.parametrize("type_", [1, 2, 3, 4, 5, 6, 7])
def test_header_length_too_short(node: Node, type_: int) -> None:
    # 8 octets: enough for a Binding Refresh Request, for nothing else.
    packet = octets(UnknownMessage(99, bytes(2)))
    packet = changed(packet, 2, type_)
    (problem,) = sent(node.receive(packet, 1))
    assert (problem.source, problem.destination) == (HOME_AGENT, CARE_OF_ADDRESS)
    assert isinstance(problem.message, ParameterProblem)
    assert problem.message.code == 0
    assert problem.message.pointer == 40 + 1
    assert problem.message.packet == packet


# §9.3


@pytest.mark.rfc("9.3.1-1", "such a home address drops the packet")
@pytest.mark.rfc("10.3.1-10", "at the home agent too")
@pytest.mark.rfc("9.5.1-2", "and a Binding Update with it is dropped silently")
@pytest.mark.rfc("6.3-2", "only unicast routable ones")
@pytest.mark.parametrize("home_address", NOT_UNICAST_ROUTABLE, ids=str)
def test_home_address_that_is_not_unicast_routable(
    home_address: IPv6Address, home_agent_node: Making
) -> None:
    node = home_agent_node()
    packet = binding_update(home_address=home_address)
    assert dropped(node.receive(packet, 0)) == "home_address_option_address"
    effects = node.receive(with_home_address(home_address), 0)
    assert all(isinstance(p.message, BindingError) for p in sent(effects))
    assert node.installed == set()


@pytest.mark.rfc("9.3.1-2", "a Mobility Header needs no binding")
def test_mobility_header_needs_no_binding(home_agent_node: Making) -> None:
    assert acknowledgement(home_agent_node().receive(binding_update(), 0)).status == 0


@pytest.mark.rfc("9.3.1-3", "anything else needs one")
@pytest.mark.rfc("9.3.1-4", "for this home address at this care-of address")
@pytest.mark.rfc("9.3.1-5", "Binding Error with status 1")
@pytest.mark.rfc("9.3.3-2", "with the home address of the option")
@pytest.mark.rfc("8.2-5", "Binding Errors can be sent")
def test_home_address_option_without_a_binding(home_agent_node: Making) -> None:
    node = home_agent_node()
    acknowledgement(node.receive(binding_update(), 0))
    other = IPv6Address(int(HOME_ADDRESS) + 1)
    for home_address, source in (
        (other, CARE_OF_ADDRESS),
        (HOME_ADDRESS, OTHER_CARE_OF_ADDRESS),
        (other, HOME_ADDRESS),
    ):
        effects = node.receive(with_home_address(home_address, source), 1)
        assert binding_error(effects) == Packet(
            source=HOME_AGENT,
            destination=source,
            message=BindingError(status=1, home_address=home_address),
        )
    assert sent(node.receive(with_home_address(HOME_ADDRESS), 1)) == []


@pytest.mark.rfc("6.3-7", "a Home Address option leaves no trace")
@pytest.mark.rfc("9.1-4", "in the Binding Cache")
def test_home_address_option_changes_nothing(node: Node) -> None:
    before = node.installed, node.deadline
    node.receive(with_home_address(HOME_ADDRESS, OTHER_CARE_OF_ADDRESS), 1)
    node.receive(with_home_address(HOME_ADDRESS), 1)
    assert (node.installed, node.deadline) == before


@pytest.mark.rfc("9.3.1-6", "what follows sees the home address as source")
def test_checksum_covers_the_home_address(home_agent_node: Making) -> None:
    packet = bytearray(binding_update())
    at = packet.index(HOME_ADDRESS.packed)
    packet[at + 15] += 1  # the home address is not the one that was summed up
    assert dropped(home_agent_node().receive(bytes(packet), 0)) == "checksum"


@pytest.mark.rfc("9.3.3-1", "none about a source that is not unicast")
@pytest.mark.parametrize("source", ["::", "ff02::1", "ff0e::1"])
def test_no_binding_error_to_many(source: str, home_agent_node: Making) -> None:
    node = home_agent_node()
    packet = octets(UNKNOWN, source=IPv6Address(source))
    assert dropped(node.receive(packet, 0)) == "unknown_message"
    packet = with_home_address(HOME_ADDRESS, IPv6Address(source))
    assert dropped(node.receive(packet, 0)) == "home_address_option_without_binding"


@pytest.mark.rfc("9.3.3-3", "Binding Errors are rate-limited")
def test_binding_errors_are_rate_limited(home_agent_node: Making) -> None:
    node = home_agent_node()
    packets = [
        packet
        for n in range(1000)
        for packet in sent(node.receive(octets(UNKNOWN), n / 1000))
    ]
    # The token bucket of RFC 4443: 10 saved up, 10 a second.
    assert 10 <= len(packets) <= 20


@pytest.mark.rfc("8.2-3", "no home address of ours: dropped silently")
@pytest.mark.rfc("6.4-1", "another address than its own home address")
def test_routing_header_to_a_node_that_is_not_mobile(node: Node) -> None:
    for address in (HOME_AGENT, HOME_ADDRESS, CORRESPONDENT):
        packet = IPv6Packet(
            source=CORRESPONDENT,
            destination=HOME_AGENT,
            extensions=(RoutingHeaderType2(address),),
            next_header=59,
            payload=b"",
        )
        reason = dropped(node.receive(write_packet(packet), 1))
        assert reason == "routing_header_address"


# §9.4


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(
            HomeTestInit(home_init_cookie=bytes(8)),
            marks=[
                pytest.mark.rfc("9.4.1-1", "none behind a Home Address option"),
                pytest.mark.rfc("9.4.1-2", "else ignored silently"),
            ],
        ),
        pytest.param(
            CareOfTestInit(care_of_init_cookie=bytes(8)),
            marks=[
                pytest.mark.rfc("9.4.2-1", "none behind a Home Address option"),
                pytest.mark.rfc("9.4.2-2", "else ignored silently"),
            ],
        ),
    ],
)
def test_init_behind_a_home_address_option(
    node: Node, message: HomeTestInit | CareOfTestInit
) -> None:
    packet = octets(message, home_address=HOME_ADDRESS)
    assert dropped(node.receive(packet, 1)) == "home_address_option"


# §9.5


@pytest.mark.rfc("9.5.1-1", "the checks come first")
@pytest.mark.rfc("9.5.1-18", "whoever fails one is dropped silently")
@pytest.mark.rfc("9.5.4-1", "and not acknowledged")
@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        pytest.param(
            binding_update(sequence_number=2, care_of_address=address),
            "care_of_address",
            marks=[
                pytest.mark.rfc("6.1.7-9", "the care-of address is unicast routable"),
                pytest.mark.rfc("6.1.7-11", "or else the update is dropped silently"),
            ],
        )
        for address in NOT_UNICAST_ROUTABLE
    ]
    + [
        pytest.param(
            binding_update(sequence_number=2, source=address),
            "source_address",
            marks=[
                pytest.mark.rfc("9.5.4-9", "no acknowledgement to many"),
                pytest.mark.rfc("9.5.4-10", "dropped silently"),
            ],
        )
        for address in NOT_UNICAST_ROUTABLE
        if address != IPv6Address("::")
    ]
    + [
        pytest.param(
            binding_update(sequence_number=2, options=(NonceIndices(1, 1),)),
            "nonce_indices",
            marks=pytest.mark.rfc("9.5.1-13", "no Nonce Indices with H"),
        ),
        pytest.param(
            binding_update(sequence_number=2, home_address=None),
            "home_address_option_missing",
            marks=pytest.mark.rfc("10.3.1-9", "a registration has the option"),
        ),
    ],
)
def test_what_is_dropped_silently(node: Node, packet: bytes, reason: str) -> None:
    before = node.installed
    assert dropped(node.receive(packet, 1)) == reason
    assert node.installed == before


@pytest.mark.rfc("9.5.1-3", "without a binding any sequence number")
@pytest.mark.parametrize("number", [0, 1, 32767, 32768, 65535])
def test_first_sequence_number(number: int, home_agent_node: Making) -> None:
    effects = home_agent_node().receive(binding_update(sequence_number=number), 0)
    assert acknowledgement(effects).status == 0


@pytest.mark.rfc("9.5.1-4", "1 to 32767 ahead, modulo 65536")
@pytest.mark.rfc("9.1-2", "compared modulo 65536")
@pytest.mark.rfc("9.5.1-14", "else status 135 and the last number accepted")
@pytest.mark.rfc("9.5.4-3", "even without A")
@pytest.mark.rfc("9.5.4-6", "a refusal is 128 or more")
@pytest.mark.parametrize("acknowledge", [False, True])
@pytest.mark.parametrize(
    ("last", "number", "accepted"),
    [
        *((15, number, True) for number in (16, 17, 32767, 32782)),
        *((15, number, False) for number in (15, 14, 0, 32783, 32784, 65535)),
        *((32783, number, True) for number in (32784, 65535, 0, 14)),
        *((32783, number, False) for number in (32783, 32782, 16, 15)),
    ],
)
def test_sequence_numbers(
    last: int, number: int, accepted: bool, acknowledge: bool, home_agent_node: Making
) -> None:
    node = home_agent_node()
    acknowledgement(node.receive(binding_update(sequence_number=last), 0))
    packet = binding_update(
        sequence_number=number,
        acknowledge=acknowledge,
        source=OTHER_CARE_OF_ADDRESS,
    )
    answer = acknowledgement(node.receive(packet, 1))
    if accepted:
        assert (answer.status, answer.sequence_number) == (0, number)
        assert tunnels(node) == {HOME_ADDRESS: OTHER_CARE_OF_ADDRESS}
    else:
        assert (answer.status, answer.sequence_number) == (135, last)
        assert tunnels(node) == {HOME_ADDRESS: CARE_OF_ADDRESS}


@pytest.mark.rfc("10.3.1-13", "no other binding becomes a home registration")
@pytest.mark.parametrize(
    "options",
    [
        (),
        (NonceIndices(1, 1),),
        (NonceIndices(1, 1), BindingAuthorizationData(bytes(12))),
    ],
    ids=len,
)
def test_nothing_is_registered_without_h(
    options: tuple[Option, ...], home_agent_node: Making
) -> None:
    node = home_agent_node()
    packet = binding_update(home_registration=False, options=options)
    dropped(node.receive(packet, 0))
    assert node.installed == set()


@pytest.mark.rfc("9.5.1-15", "status 139")
@pytest.mark.rfc("9.5.1-16", "and the binding stays what it is")
def test_registration_type_change(home_agent_node: Making) -> None:
    node = home_agent_node()
    acknowledgement(node.receive(binding_update(), 0))
    before = node.installed
    packet = binding_update(
        sequence_number=2,
        home_registration=False,
        options=(NonceIndices(1, 1), BindingAuthorizationData(bytes(12))),
    )
    assert acknowledgement(node.receive(packet, 1)).status == 139
    assert node.installed == before
    assert (
        acknowledgement(node.receive(binding_update(sequence_number=3), 1)).status == 0
    )


@pytest.mark.rfc("9.5.1-21", "the Alternate Care-of Address, else the source")
@pytest.mark.rfc("9.5.1-22", "the home address is the option's")
@pytest.mark.rfc("9.5.2-1", "the binding is made, then changed")
@pytest.mark.rfc("6.1.7-8", "unknown options are skipped")
@pytest.mark.rfc("6.2.1-2", "and bring no answer")
def test_addresses_of_a_binding(home_agent_node: Making) -> None:
    node = home_agent_node()
    node.receive(binding_update(), 0)
    assert tunnels(node) == {HOME_ADDRESS: CARE_OF_ADDRESS}
    packet = binding_update(
        sequence_number=2,
        care_of_address=OTHER_CARE_OF_ADDRESS,
        options=(UnknownOption(222, b"?"),),
    )
    assert acknowledgement(node.receive(packet, 1)).status == 0
    assert tunnels(node) == {HOME_ADDRESS: OTHER_CARE_OF_ADDRESS}


@pytest.mark.rfc("9.5.1-22", "or the source, where there is no option")
@pytest.mark.rfc("9.5.3-1", "the deletion deletes")
@pytest.mark.rfc("6.1.7-7", "Lifetime 0 deletes")
@pytest.mark.rfc("9.5.4-12", "acknowledged to the home address")
@pytest.mark.rfc("9.5.4-13", "without a routing header")
@pytest.mark.rfc("9.5.4-11", "to where the update came from")
def test_deletion_from_the_home_address(home_agent_node: Making) -> None:
    node = home_agent_node()
    node.receive(binding_update(), 0)
    packet = binding_update(
        sequence_number=2, lifetime=0, source=HOME_ADDRESS, home_address=None
    )
    (answer,) = sent(node.receive(packet, 1))
    assert answer == Packet(
        source=HOME_AGENT,
        destination=HOME_ADDRESS,
        message=BindingAcknowledgement(status=0, sequence_number=2, lifetime=0),
    )
    assert node.installed == set()


@pytest.mark.rfc("9.5.3-2", "a deletion creates nothing")
@pytest.mark.parametrize("home_address", [None, HOME_ADDRESS])
def test_deletion_of_nothing(
    home_address: IPv6Address | None, home_agent_node: Making
) -> None:
    node = home_agent_node()
    packet = binding_update(
        lifetime=0,
        home_address=home_address,
        source=CARE_OF_ADDRESS if home_address else HOME_ADDRESS,
    )
    node.receive(packet, 0)
    assert node.installed == set()


@pytest.mark.rfc("9.5.2-2", "no longer than asked for")
@pytest.mark.rfc("9.5.2-3", "deleted at the end")
@pytest.mark.rfc("9.6-1", "of the lifetime in the latest update")
@pytest.mark.rfc("6.1.7-6", "counted in units of 4 s")
@pytest.mark.rfc("6.1.8-3", "and kept until then")
def test_lifetime(home_agent_node: Making) -> None:
    node = home_agent_node()
    packet = bytearray(binding_update(lifetime=400))
    assert (100).to_bytes(2) in packet
    assert acknowledgement(node.receive(bytes(packet), 1000)).lifetime == 400
    assert node.deadline == 1400
    packet = bytearray(binding_update(sequence_number=2, lifetime=40))
    assert acknowledgement(node.receive(bytes(packet), 1100)).lifetime == 40
    assert node.deadline == 1140
    node.tick(1139.9)
    assert tunnels(node) == {HOME_ADDRESS: CARE_OF_ADDRESS}
    node.tick(1140)
    assert node.installed == set()


@pytest.mark.rfc("9.5.4-2", "with A")
@pytest.mark.rfc("9.5.4-5", "a status below 128")
@pytest.mark.rfc("9.5.4-11", "to the source of the update, whatever the alternate says")
@pytest.mark.rfc("9.5.4-14", "with a routing header")
@pytest.mark.rfc("6.1-3", "past the binding just made or there before")
def test_acknowledgement(node: Node) -> None:
    packet = binding_update(sequence_number=7, care_of_address=OTHER_CARE_OF_ADDRESS)
    (answer,) = sent(node.receive(packet, 1))
    assert answer == Packet(
        source=HOME_AGENT,
        destination=CARE_OF_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=BindingAcknowledgement(status=0, sequence_number=7, lifetime=400),
    )
