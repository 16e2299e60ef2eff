"""What a role is, and which messages are for which."""

from typing import Protocol

from mip6.wire.icmpv6 import (
    DestinationUnreachable,
    ErrorMessage,
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
    MobilePrefixAdvertisement,
    MobilePrefixSolicitation,
    PacketTooBig,
)
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingError,
    BindingRefreshRequest,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
)
from mip6.wire.neighbor_discovery import NeighborMessage
from mip6.wire.revocation import BindingRevocation

from .effects import Effect
from .packet import Packet
from .state import State

FOR_HOME_AGENT = (
    BindingUpdate | MobilePrefixSolicitation | HomeAgentAddressDiscoveryRequest
)
FOR_MOBILE_NODE = (
    BindingAcknowledgement
    | BindingError
    | BindingRefreshRequest
    | HomeTest
    | CareOfTest
    | BindingRevocation
    | MobilePrefixAdvertisement
    | HomeAgentAddressDiscoveryReply
    | NeighborMessage
    | ErrorMessage
)
FOR_CORRESPONDENT = BindingUpdate | HomeTestInit | CareOfTestInit
FROM_AWAY = BindingUpdate | BindingRevocation
TO_AWAY = BindingAcknowledgement | BindingRevocation
"""What may carry a Home Address option, and a type 2 routing header (§6.1; RFC 5846 §7
for the revocation of a binding, which its acknowledgement follows in the other
direction)."""
ABOUT_THE_WAY = DestinationUnreachable | PacketTooBig
"""What a router says about the way to a care-of address."""


class Role(Protocol):
    """A part that a node plays in the protocol (DESIGN §3)."""

    @property
    def deadline(self) -> float | None: ...
    @property
    def installed(self) -> set[State]: ...
    def receive(self, packet: Packet, now: float) -> list[Effect]: ...
    def tick(self, now: float) -> list[Effect]: ...
    def failed(self, state: State, now: float) -> list[Effect]: ...
