"""Whether packets get through the tunnel, and not only the signalling that made it.

Some networks let ESP and the Mobility Header pass and drop IPv6 in IPv6 (protocol 41):
a mobile node there is registered and reaches nobody.  After each registration the home
agent is asked for an echo (RFC 4443 §4.1) through the tunnel; and, where that is not
answered, beside it as well, from the care-of address.  Only who answers those, and
never the others, is behind something that drops protocol 41: a link that loses packets
loses both kinds.
"""

from collections.abc import Callable
from enum import StrEnum
from ipaddress import IPv6Address
from math import inf
from struct import Struct
from typing import TypeGuard

from mip6.wire.icmpv6 import UnknownIcmp

from .link import Attachment
from .packet import Packet

Way = tuple[str, IPv6Address]
"""A link and its router."""

ECHO_REQUEST, ECHO_REPLY = 128, 129
INTERVAL = 0.25
"""Seconds between questions at first."""
QUICK = 24
"""Questions that are asked that often; then one a second."""
INTERVAL_SLOW = 1.0
TRIES_MAX = 60
"""Questions after which nothing more is asked: nobody answers echo requests."""
DECIDING = 8
"""Answers beside the tunnel without one through it that tell it is blocked.  Of a link
that loses half of the packets each way that is wrong in one of ten million cases."""
DECIDED_AFTER = 3.0
"""Seconds that the first answer through the tunnel has at least."""
AGAIN = 30.0
"""Seconds after which a blocked tunnel is tried again."""

WAYS_MAX = 64
"""Blocked ways that are remembered."""

_CONTENT = Struct(">HHBxxxI")
"""Identifier, sequence number, which way it was sent, and since which registration."""
_THROUGH, _BESIDE = 1, 0


class Passage(StrEnum):
    """What is known of the tunnel of the present care-of address."""

    UNTESTED = "untested"
    OPEN = "open"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    """Nobody answers echo requests, neither through the tunnel nor beside it."""


def is_echo_reply(message: object) -> TypeGuard[UnknownIcmp]:
    return isinstance(message, UnknownIcmp) and message.type == ECHO_REPLY


class TunnelProbe:
    """The questions to the home agent that has accepted.

    identifier: of all of them; what else is on the way does not know it.
    """

    def __init__(
        self, home_address: IPv6Address, random: Callable[[int], bytes]
    ) -> None:
        self.passage = Passage.UNTESTED
        self.identifier = int.from_bytes(random(2))
        self.home_address = home_address
        self._home_agent: IPv6Address | None = None
        self._blocked: dict[Way, None] = {}
        self._way: Way | None = None
        self._care_of_address: IPv6Address | None = None
        self._link: str | None = None
        self._began = -inf
        self._ask_at = inf
        self._asked = 0
        self._beside = 0
        self._turn = 0

    def begin(self, at: Attachment, home_agent: IPv6Address, now: float) -> None:
        """The home agent has accepted this care-of address, anew or again."""
        self._home_agent = home_agent
        if at.care_of_address != self._care_of_address:
            self.passage = Passage.UNTESTED
        elif self.passage is Passage.BLOCKED:
            return  # asked again in its own time
        self._care_of_address = at.care_of_address
        self._way = (at.link, at.router)
        self._link = None if at.adopted else at.link
        self._restart(now)

    def attached(self, here: Attachment | None) -> None:
        """Where we are now: of another care-of address nothing is known yet."""
        if here is None or here.care_of_address != self._care_of_address:
            self.passage = Passage.UNTESTED
            self._care_of_address = None
            self._ask_at = inf

    def is_blocked(self, at: Attachment) -> bool:
        """Whether the last tunnel there was blocked."""
        return (at.link, at.router) in self._blocked

    def judge(self, now: float) -> Passage | None:
        """What has turned out just now: BLOCKED or UNKNOWN."""
        if now < self._ask_at or self._way is None:
            return None
        if self._beside >= DECIDING and now >= self._began + DECIDED_AFTER:
            self.passage = Passage.BLOCKED
            if len(self._blocked) == WAYS_MAX:
                del self._blocked[next(iter(self._blocked))]
            self._blocked[self._way] = None
            self._restart(now + AGAIN)
            return self.passage
        if self._asked >= TRIES_MAX:
            self.passage = Passage.UNKNOWN
            self._blocked.pop(self._way, None)
            self._ask_at = inf
            return self.passage
        return None

    @property
    def deadline(self) -> float:
        """When `judge` and `questions` have something to do; inf for never."""
        return self._ask_at

    def questions(self, now: float) -> list[Packet]:
        """What is to be asked now, once the answers to the last ones are judged."""
        if now < self._ask_at or not (self._care_of_address and self._home_agent):
            return []
        interval = INTERVAL if self._asked < QUICK else INTERVAL_SLOW
        self._asked += 1
        self._ask_at = now + interval
        through = Packet(
            source=self.home_address,
            destination=self._home_agent,
            message=self._question(_THROUGH),
            tunnel=(self._care_of_address, self._home_agent),
            link=self._link,
        )
        if self._asked == 1:
            return [through]
        beside = Packet(
            source=self._care_of_address,
            destination=self._home_agent,
            message=self._question(_BESIDE),
            link=self._link,
        )
        return [through, beside]

    def answered(self, packet: Packet, message: UnknownIcmp) -> str:
        """Take an echo reply in; the reason if it is none of ours, or ""."""
        if len(message.data) != _CONTENT.size or packet.source != self._home_agent:
            return "echo_reply"
        identifier, number, way, turn = _CONTENT.unpack(message.data)
        through = way == _THROUGH
        expected = self.home_address if through else self._care_of_address
        if (
            (identifier, turn) != (self.identifier, self._turn)
            or packet.destination != expected
            or not 0 < number <= self._asked
        ):
            return "echo_reply"
        if through and self._way is not None:
            self.passage = Passage.OPEN
            self._blocked.pop(self._way, None)
            self._ask_at = inf
        elif self._ask_at < inf:
            self._beside += 1
        return ""

    def _restart(self, at: float) -> None:
        self._began = self._ask_at = at
        self._asked = self._beside = 0
        self._turn = (self._turn + 1) % 2**32

    def _question(self, way: int) -> UnknownIcmp:
        content = _CONTENT.pack(self.identifier, self._asked, way, self._turn)
        return UnknownIcmp(type=ECHO_REQUEST, code=0, data=content)
