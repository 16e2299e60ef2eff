"""Duplicate address detection by our own hand (RFC 4862 §5.4), where the kernel cannot
do it while an address is used (RFC 4429; decision 0027)."""

from ipaddress import IPv6Address
from math import inf

from mip6.wire.neighbor_discovery import NeighborAdvertisement, NeighborSolicitation

from .neighbor_discovery import HOP_LIMIT, UNSPECIFIED, solicited_node
from .packet import Packet

RETRANS_TIMER = 1.0
"""Seconds that the others have to object (RFC 4861 §10)."""

Where = tuple[str, IPv6Address]
"""A link and an address on it."""


class Duplicates:
    """The addresses that are being checked, and those that have been."""

    def __init__(self) -> None:
        self._until: dict[Where, float] = {}

    def check(self, link: str, address: IPv6Address, now: float) -> list[Packet]:
        """Ask whether another node has the address, unless that was asked already."""
        if (link, address) in self._until:
            return []
        self._until[link, address] = now + RETRANS_TIMER
        return [
            Packet(
                source=UNSPECIFIED,
                destination=solicited_node(address),
                message=NeighborSolicitation(target_address=address),
                hop_limit=HOP_LIMIT,
                link=link,
            )
        ]

    def ended(self, now: float) -> list[Where]:
        """Those to which nobody has objected in time."""
        over = [where for where, until in self._until.items() if until <= now]
        for where in over:
            self._until[where] = inf  # not to be asked for again
        return over

    def objected(
        self, packet: Packet, message: NeighborAdvertisement | NeighborSolicitation
    ) -> IPv6Address | None:
        """The address that another node has, or is about to take."""
        address = message.target_address
        asks = isinstance(message, NeighborSolicitation)
        if asks and packet.source != UNSPECIFIED:
            return None  # it looks for us
        until = self._until.get((packet.link or "", address), inf)
        if until == inf:
            return None
        del self._until[packet.link or "", address]
        return address

    def forget(self, link: str) -> None:
        """The link is gone: what was found out there holds no longer."""
        for where in [where for where in self._until if where[0] == link]:
            del self._until[where]

    @property
    def deadline(self) -> float:
        return min(self._until.values(), default=inf)
