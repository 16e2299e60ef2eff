"""Dynamic home agent address discovery, the mobile node's side (§11.4.1).

Nobody vouches for the answer (§5.3): an address from it is only worth a registration,
which is proved as any other.  So a forged answer costs time, and never a binding.
"""

from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.icmpv6 import (
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
)

from .addresses import is_unicast_routable
from .home_agents_list import home_agents_anycast
from .packet import Packet

INITIAL_DHAAD_TIMEOUT = 3.0
"""Seconds (§12)."""
DHAAD_RETRIES = 4
"""Retransmissions (§12), each after twice the time of the one before."""
PAUSE = 32.0
"""Seconds from the end of one discovery to the next."""
APART = 1.0
"""Seconds between requests from different places: 20 moves in a second are no reason to
ask 20 times."""
DISCOVERED_MAX = 8
"""Home agents that are taken from an answer, the first ones; it may hold 77."""


class AgentDiscovery:
    """Asks the home agents of the home link who they are.

    random: that many random octets, for identifiers.
    """

    def __init__(
        self, home_prefix: IPv6Network, random: Callable[[int], bytes]
    ) -> None:
        self.anycast = home_agents_anycast(home_prefix)
        self.failures = 0
        """Discoveries in a row that nobody answered."""
        self._random = random
        self._wanted = False
        self._source: IPv6Address | None = None
        self._identifier = -1
        self._sent = 0
        self._due = -inf
        # When to ask, once more or anew.
        self._asked_at = -inf

    @property
    def running(self) -> bool:
        """Whether an answer is waited for."""
        return self._source is not None

    @property
    def deadline(self) -> float:
        """When `request` has something to send; inf for never."""
        return self._due if self._wanted else inf

    def want(self, wanted: bool, now: float) -> None:
        """Whether more home agents are needed."""
        self._wanted = wanted
        if not wanted and self.running:
            self._break_off()
        elif self.running and self._sent > DHAAD_RETRIES and now >= self._due:
            self.failures += 1
            self._end(now)

    def request(
        self, source: IPv6Address, link: str | None, now: float
    ) -> Packet | None:
        """The request that is due, from a care-of address; it is the same each time, as
        long as that is (§11.4.1)."""
        if not self._wanted:
            return None
        if self.running and source != self._source:
            self._break_off()
        if now < self._due:
            return None
        if not self.running:
            self._source, self._sent = source, 0
            self._identifier = int.from_bytes(self._random(2))
        self._asked_at = now
        self._due = now + INITIAL_DHAAD_TIMEOUT * 2**self._sent
        self._sent += 1
        return Packet(
            source=source,
            destination=self.anycast,
            message=HomeAgentAddressDiscoveryRequest(identifier=self._identifier),
            link=link,
        )

    def replied(
        self, packet: Packet, message: HomeAgentAddressDiscoveryReply, now: float
    ) -> tuple[IPv6Address, ...] | str:
        """The home agents in the order of the answer (§11.4.1); or why it is ignored.

        An answer without any stands for who sent it.
        """
        expected = packet.destination == self._source and packet.tunnel is None
        if not expected or message.identifier != self._identifier:
            return "discovery_not_expected"
        offered = message.home_agent_addresses or (packet.source,)
        found = [
            address
            for address in dict.fromkeys(offered)
            if is_unicast_routable(address) and address != self._source
        ]
        if not found:
            return "discovery_without_home_agent"
        self.failures = 0
        self._end(now)
        return tuple(found[:DISCOVERED_MAX])

    def _break_off(self) -> None:
        """The question is for another place, or for nobody any more."""
        self._source = None
        self._due = self._asked_at + APART

    def _end(self, now: float) -> None:
        self._source = None
        self._due = now + PAUSE
