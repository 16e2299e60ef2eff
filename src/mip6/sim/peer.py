"""A correspondent's machine in the simulator, with Mobile IPv6 or without."""

from ipaddress import IPv6Address

from mip6.core.icmp_error import QUOTED_MAX
from mip6.core.packet import Packet
from mip6.wire.buffer import WireError
from mip6.wire.icmpv6 import ParameterProblem
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import read_packet

from .party import Party

NEXT_HEADER_AT = 6
"""Of an IPv6 header."""


class Peer:
    """party: None for one that does not know Mobile IPv6."""

    def __init__(self, name: str, address: IPv6Address, party: Party | None) -> None:
        self.name = name
        self.address = address
        self.party = party

    def not_understood(self, octets: bytes) -> Packet | None:
        """What a kernel without Mobile IPv6 answers to a Mobility Header (§11.3.5)."""
        try:
            headers = read_packet(octets)
        except WireError:
            return None
        if headers.next_header != NextHeader.MOBILITY:
            return None
        return Packet(
            source=headers.destination,
            destination=headers.source,
            message=ParameterProblem(
                code=1, pointer=NEXT_HEADER_AT, packet=octets[:QUOTED_MAX]
            ),
        )
