"""Which Neighbor Discovery messages are valid (RFC 4861 §6.1, §7.1)."""

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest
from tests.support.core import CARE_OF_ADDRESS, HOME_ADDRESS, HOME_AGENT

from mip6.core.neighbor_discovery import invalid_neighbor_message
from mip6.core.packet import Packet
from mip6.wire.icmpv6 import MobilePrefixSolicitation
from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborSolicitation,
    RouterAdvertisement,
    RouterSolicitation,
)
from mip6.wire.neighbor_options import SourceLinkLayerAddress

ROUTER = IPv6Address("fe80::1")
UNSPECIFIED = IPv6Address("::")
ALL_NODES = IPv6Address("ff02::1")
SOLICITED_NODE = IPv6Address("ff02::1:ff00:100")
LINK_LAYER_ADDRESS = (SourceLinkLayerAddress(bytes(6)),)


def message(kind: Any, **changes: Any) -> Packet:
    fields = {name: changes.pop(name) for name in list(changes) if name in FIELDS}
    return Packet(
        **{
            "source": ROUTER,
            "destination": ALL_NODES,
            "hop_limit": 255,
            "message": kind(**fields),
            **changes,
        }
    )


FIELDS = {"router_lifetime", "target_address", "solicited", "options"}

VALID = {
    "router_advertisement": message(RouterAdvertisement, router_lifetime=30),
    "router_solicitation": message(
        RouterSolicitation, options=LINK_LAYER_ADDRESS, destination="ff02::2"
    ),
    "router_solicitation_unspecified": message(RouterSolicitation, source=UNSPECIFIED),
    "neighbor_solicitation": message(
        NeighborSolicitation,
        target_address=HOME_ADDRESS,
        destination=HOME_ADDRESS,
        options=LINK_LAYER_ADDRESS,
    ),
    "duplicate_address_detection": message(
        NeighborSolicitation,
        target_address=HOME_ADDRESS,
        source=UNSPECIFIED,
        destination=SOLICITED_NODE,
    ),
    "neighbor_advertisement": message(
        NeighborAdvertisement, target_address=HOME_ADDRESS
    ),
    "solicited_advertisement": message(
        NeighborAdvertisement,
        target_address=HOME_ADDRESS,
        solicited=True,
        destination=HOME_ADDRESS,
    ),
}


@pytest.mark.parametrize("packet", VALID.values(), ids=VALID)
def test_valid(packet: Packet) -> None:
    assert invalid_neighbor_message(packet) is None


@pytest.mark.parametrize("packet", VALID.values(), ids=VALID)
def test_what_came_from_another_link_is_invalid(packet: Packet) -> None:
    assert invalid_neighbor_message(replace(packet, hop_limit=254)) == "hop_limit"
    for wrapping in (
        {"tunnel": (HOME_AGENT, CARE_OF_ADDRESS)},
        {"home_address": HOME_ADDRESS},
        {"routing_address": HOME_ADDRESS},
    ):
        wrapped = replace(packet, **wrapping)  # type: ignore[arg-type]
        assert invalid_neighbor_message(wrapped) == "not_on_link"


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("router_advertisement", {"source": CARE_OF_ADDRESS}, "source_address"),
        (
            "router_solicitation",
            {"source": UNSPECIFIED},
            "source_link_layer_address",
        ),
        (
            "duplicate_address_detection",
            {"destination": HOME_ADDRESS},
            "destination_address",
        ),
        ("solicited_advertisement", {"destination": ALL_NODES}, "solicited_flag"),
    ],
)
def test_invalid(name: str, changes: dict[str, Any], reason: str) -> None:
    assert invalid_neighbor_message(replace(VALID[name], **changes)) == reason


def test_a_solicitation_from_nowhere_has_no_link_layer_address() -> None:
    packet = message(
        NeighborSolicitation,
        target_address=HOME_ADDRESS,
        source=UNSPECIFIED,
        destination=SOLICITED_NODE,
        options=LINK_LAYER_ADDRESS,
    )
    assert invalid_neighbor_message(packet) == "source_link_layer_address"


@pytest.mark.parametrize("kind", [NeighborSolicitation, NeighborAdvertisement])
def test_nobody_has_a_multicast_address(kind: Any) -> None:
    packet = message(kind, target_address=ALL_NODES)
    assert invalid_neighbor_message(packet) == "target_address"


def test_other_messages_are_not_its_business() -> None:
    solicitation = MobilePrefixSolicitation(identifier=1)
    packet = replace(VALID["router_advertisement"], message=solicitation, hop_limit=3)
    assert invalid_neighbor_message(packet) is None
