"""Nodes for tests of what each does before any role sees a packet."""

from ipaddress import IPv6Address
from typing import Any

from tests.support.core import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    acknowledgement,
    binding_update,
    home_agent,
    sent,
)

from mip6.core.effects import Effect
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.wire.checksum import checksum
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingError,
    BindingRefreshRequest,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    Message,
    write_message,
)
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    write_packet,
)

UNSPECIFIED = IPv6Address("::")
MULTICAST = IPv6Address("ff02::1")
LINK_LOCAL = IPv6Address("fe80::1")
HOME_ADDRESS_OPTION = DestinationOptions((HomeAddressOption(HOME_ADDRESS),))
ACKNOWLEDGEMENT = BindingAcknowledgement(status=0, sequence_number=1, lifetime=60)


class Roamer:
    """A mobile node that only notes what it is handed."""

    home_address = HOME_ADDRESS
    home_addresses = (HOME_ADDRESS,)
    home_agent = HOME_AGENT

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.deadline: float | None = None
        self.installed: set[Any] = set()

    def receive(self, packet: Packet, now: float) -> list[Effect]:
        self.heard.append(packet.message)
        return []

    def unmatched(self, octets: bytes, now: float) -> list[Effect]:
        self.heard.append(octets)
        return []

    def failed(self, state: Any, now: float) -> list[Effect]:
        self.heard.append(state)
        return []

    def tick(self, now: float) -> list[Effect]:
        self.heard.append(now)
        return []


def roaming() -> tuple[Node, Roamer]:
    role: Any = Roamer()
    return Node(mobile_node=role), role


def home_agent_node(*, bound: bool = False, **changes: Any) -> Node:
    node = Node(home_agent=home_agent(**changes))
    if bound:
        effects = node.receive(write(binding_update(1)), 0.0)
        assert acknowledgement(effects).status == 0
    return node


def raw(
    payload: bytes = b"",
    next_header: int = NextHeader.MOBILITY,
    *extensions: Any,
    source: IPv6Address = CARE_OF_ADDRESS,
    destination: IPv6Address = HOME_AGENT,
    hop_limit: int = 64,
) -> bytes:
    return write_packet(
        IPv6Packet(
            source=source,
            destination=destination,
            hop_limit=hop_limit,
            extensions=extensions,
            next_header=next_header,
            payload=payload,
        )
    )


def header(
    message: Message,
    *,
    origin: IPv6Address = CARE_OF_ADDRESS,
    target: IPv6Address = HOME_AGENT,
    fix_checksum: bool = True,
    **octets: int,
) -> bytes:
    """A Mobility Header with some octets set: `payload_proto`, `header_length`,
    `reserved`."""
    at = {"payload_proto": 0, "header_length": 1, "reserved": 3}
    data = bytearray(write_message(message, origin, target))
    for name, value in octets.items():
        data[at[name]] = value
    if fix_checksum:
        data[4:6] = bytes(2)
        sum_ = checksum(origin, target, NextHeader.MOBILITY, bytes(data))
        data[4:6] = sum_.to_bytes(2)
    return bytes(data)


UPDATE: Any = binding_update(1).message


def the_binding_error(effects: list[Effect]) -> tuple[int, IPv6Address]:
    [packet] = sent(effects)
    assert isinstance(packet.message, BindingError)
    assert packet.routing_address is None and packet.home_address is None
    return packet.message.status, packet.message.home_address


ONLY_PLAIN: list[Message] = [
    BindingRefreshRequest(),
    HomeTestInit(home_init_cookie=bytes(8)),
    CareOfTestInit(care_of_init_cookie=bytes(8)),
    HomeTest(home_nonce_index=1, home_init_cookie=bytes(8), home_keygen_token=bytes(8)),
    CareOfTest(
        care_of_nonce_index=1,
        care_of_init_cookie=bytes(8),
        care_of_keygen_token=bytes(8),
    ),
    BindingError(status=1, home_address=HOME_ADDRESS),
]


def behind_routing_header(address: IPv6Address, segments_left: int = 1) -> bytes:
    return raw(
        header(ACKNOWLEDGEMENT, origin=HOME_AGENT, target=address),
        NextHeader.MOBILITY,
        RoutingHeaderType2(address, segments_left),
        source=HOME_AGENT,
        destination=CARE_OF_ADDRESS,
    )
