"""The errors by which a node answers (RFC 4443, RFC 6275 §9.3.3)."""

from ipaddress import IPv6Address

from mip6.wire.icmpv6 import DestinationUnreachable, ParameterProblem
from mip6.wire.messages import BindingError, BindingErrorStatus
from mip6.wire.packet import IPv6Packet

from .effects import Effect, Send
from .icmp_error import QUOTED_MAX, may_be_reported
from .neighbor_discovery import UNSPECIFIED
from .packet import Packet
from .rate import TokenBucket


class ErrorAnswers:
    """rate, burst: packets a second, and at once, of each kind.

    An answer is no effect or one: errors about some packets are not sent at all
    (RFC 4443 §2.4 (e)).
    """

    def __init__(self, rate: float, burst: int) -> None:
        # One each, so that a flood of one kind leaves the others their share.
        self._parameter_problems = TokenBucket(rate, burst)
        self._unreachables = TokenBucket(rate, burst)
        self._binding_errors = TokenBucket(rate, burst)

    def parameter_problem(
        self,
        headers: IPv6Packet,
        octets: bytes,
        pointer: int,
        link: str | None,
        now: float,
    ) -> list[Effect]:
        """Code 0: a field is wrong.  octets: the packet from its IPv6 header on."""
        if not may_be_reported(headers) or not self._parameter_problems.take(now):
            return []
        quoted = octets[:QUOTED_MAX]
        message = ParameterProblem(code=0, pointer=pointer, packet=quoted)
        return [_answer(headers, message, link)]

    def unreachable(
        self, headers: IPv6Packet, octets: bytes, source: IPv6Address, now: float
    ) -> list[Effect]:
        """Code 3, said by `source`: nobody has the packet's destination."""
        if not may_be_reported(headers) or not self._unreachables.take(now):
            return []
        message = DestinationUnreachable(code=3, packet=octets[:QUOTED_MAX])
        answer = Packet(source=source, destination=headers.source, message=message)
        return [Send(answer)]

    def binding_error(
        self,
        headers: IPv6Packet,
        home_address: IPv6Address | None,
        status: BindingErrorStatus,
        link: str | None,
        now: float,
    ) -> list[Effect]:
        """Straight to the source on the wire, past any binding (§9.3.3)."""
        if not may_be_reported(headers) or not self._binding_errors.take(now):
            return []
        message = BindingError(status=status, home_address=home_address or UNSPECIFIED)
        return [_answer(headers, message, link)]


def _answer(
    headers: IPv6Packet, message: BindingError | ParameterProblem, link: str | None
) -> Send:
    """Back to where a packet came from; by the same link if it is a link-local one."""
    return Send(
        Packet(
            source=headers.destination,
            destination=headers.source,
            message=message,
            link=link if headers.source.is_link_local else None,
        )
    )
