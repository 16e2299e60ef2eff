"""Coming home without a war for the home address (§11.5.5).

While the home agent holds a binding it answers for the home address on the home link.
Who wants to know the home agent's link-layer address there must not ask as a node with
that address; so all nodes are asked, from nowhere, who has the home address, and who
answers is the home agent.  With no binding left the same question finds out whether
somebody else has it by now.
"""

from ipaddress import IPv6Address
from math import inf

from mip6.wire.neighbor_discovery import NeighborAdvertisement, NeighborSolicitation
from mip6.wire.neighbor_options import TargetLinkLayerAddress

from .events import Problem
from .link import Attachment
from .neighbor_discovery import HOP_LIMIT, UNSPECIFIED, solicited_node
from .packet import Packet
from .state import Neighbor

ASK_EVERY = 0.3
"""Seconds; the question or its answer may be lost."""
ASKS_MAX = 3
PATIENCE = 1.0
"""Seconds that the home agent has to answer; then the kernel may find it its own way,
which does not ask from the home address either."""


class HomeNeighbor:
    """What is to be found out on the home link before the home address is used there.

    check_time: seconds that another holder of the home address has to object; 0:
        nobody is asked (DupAddrDetectTransmits, RFC 4862 §5.1).
    """

    def __init__(self, home_address: IPv6Address, *, check_time: float = 0.0) -> None:
        self.conflict = False
        """Somebody else has the home address."""
        self.home_address = home_address
        self._check_time = check_time
        self._link: str | None = None
        self._bound = False
        self._found: bytes | None = None
        self._asked = 0
        self._ask_at = self._until = inf

    def attached(self, here: Attachment | None, bound: bool, now: float) -> None:
        """Where we are now.

        bound: whether the home agent may hold a binding.
        """
        if here is None or not here.at_home:
            self._link, self.conflict = None, False
            self._ask_at = self._until = inf
            return
        if here.link != self._link:
            self._link, self._bound = here.link, bound
            self._found, self.conflict, self._asked = None, False, 0
            seconds = PATIENCE if bound else self._check_time
            self._until = now + seconds if seconds else inf
            self._ask_at = now if seconds else inf
        if self._bound and (here.home_agent_here or here.adopted):
            # It is known already, or others configure the link and find it.
            self._ask_at = self._until = inf
        if self._until <= now:
            self._ask_at = self._until = inf

    @property
    def waiting(self) -> bool:
        """Whether an answer is waited for: nothing is said from the home address."""
        return self._until < inf

    @property
    def deadline(self) -> float:
        """When `attached` or `questions` have something to do; inf for never."""
        return min(self._ask_at, self._until)

    def questions(self, now: float) -> list[Packet]:
        """Who has the home address?"""
        if now < self._ask_at:
            return []
        self._asked += 1
        # Duplicates are asked for once (RFC 4862 §5.4).
        again = self._bound and self._asked < ASKS_MAX
        self._ask_at = now + ASK_EVERY if again else inf
        return [
            Packet(
                source=UNSPECIFIED,
                destination=solicited_node(self.home_address),
                message=NeighborSolicitation(target_address=self.home_address),
                hop_limit=HOP_LIMIT,
                link=self._link,
            )
        ]

    def answered(
        self, packet: Packet, message: NeighborAdvertisement, own: bytes
    ) -> Problem | None:
        """Who has it says so; what an operator should know of that.

        own: our link-layer address on that link.
        """
        if (
            not self.waiting
            or packet.link != self._link
            or message.target_address != self.home_address
            or message.solicited
        ):
            return None
        for option in message.options:
            if isinstance(option, TargetLinkLayerAddress):
                octets = option.link_layer_address[: len(own)]
                if octets == own:
                    return None
                self._found = octets
        if self._bound and self._found is None:
            return None  # it does not say where it is
        self._ask_at = self._until = inf
        if self._bound:
            return None
        self.conflict = True
        what = f"another node on the home link uses {self.home_address}"
        return Problem(what, "find that node; this one leaves the address alone there")

    def neighbor(self, home_agent: IPv6Address | None) -> list[Neighbor]:
        """The home agent's link-layer address, if that is how we know it."""
        if self._link is None or home_agent is None or not self._bound:
            return []
        if self._found is None:
            return []
        return [
            Neighbor(
                address=home_agent, link=self._link, link_layer_address=self._found
            )
        ]
