"""What is said about a home registration beside its acknowledgement: errors and a
revocation (§11.3.5, §11.3.6, RFC 5846 §10); and the answer to a discovery (§11.4.1)."""

from mip6.wire.buffer import WireError
from mip6.wire.icmpv6 import (
    DestinationUnreachable,
    HomeAgentAddressDiscoveryReply,
    ParameterProblem,
    TimeExceeded,
)
from mip6.wire.messages import (
    BindingError,
    BindingErrorStatus,
    BindingUpdate,
)
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import read_packet
from mip6.wire.revocation import BindingRevocation

from .binding_update_list import UNRECOGNIZED_NEXT_HEADER
from .direct_errors import quote
from .effects import Effect, Notify, Send
from .events import Dropped, Problem
from .home_agents import HomeAgents
from .packet import Packet
from .registration import Registration

HomeSignalling = (
    BindingError
    | BindingRevocation
    | ParameterProblem
    | DestinationUnreachable
    | TimeExceeded
    | HomeAgentAddressDiscoveryReply
)


def heard(
    home_agents: HomeAgents, packet: Packet, message: HomeSignalling, now: float
) -> list[Effect] | Dropped | None:
    """What it brings, before everything is settled anew; why it is ignored; or None if
    it is not about a home agent at all."""
    registration = home_agents.find(packet.source)
    match message:
        case HomeAgentAddressDiscoveryReply():
            reason = home_agents.replied(packet, message, now)
            return Dropped(reason, "11.4.1", packet.source) if reason else []
        case BindingError() if registration is None:
            return None
        case BindingError():
            assert registration is not None
            return _binding_error(registration, packet, message, now)
        case BindingRevocation():
            registration = registration or home_agents.current
            answer = registration.revoked(packet, message, now)
            if isinstance(answer, str):
                return Dropped(answer, "RFC 5846 10", packet.source)
            # Before what stands for the binding goes.
            return [Send(answer)]
        case DestinationUnreachable() | TimeExceeded():
            return _on_the_way(home_agents, packet, message, now)
    return _parameter_problem(home_agents, packet, message, now)


def _binding_error(
    registration: Registration, packet: Packet, message: BindingError, now: float
) -> list[Effect] | Dropped:
    """The home agent knows no binding of ours (§11.3.6)."""
    if (
        message.status != BindingErrorStatus.UNKNOWN_BINDING
        or message.home_address != registration.home_address
    ):
        return Dropped("binding_error_not_expected", "11.3.6", packet.source)
    if not registration.renew(now):
        return Dropped("binding_error_too_soon", "11.3.6", packet.source)
    return []


def _on_the_way(
    home_agents: HomeAgents,
    packet: Packet,
    message: DestinationUnreachable | TimeExceeded,
    now: float,
) -> list[Effect] | Dropped | None:
    """A router says that the tunnel leads nowhere (RFC 2473 §8): where it goes on to,
    the home agent is asked.  If it is not there, its silence tells, and sooner than the
    next refresh would."""
    try:
        outer = read_packet(message.packet, quoted=True)
    except WireError:
        return None
    registration = home_agents.find(outer.destination)
    if registration is None or outer.next_header != NextHeader.IPV6:
        return None
    if not registration.stands(outer.source, now):
        return Dropped("icmp_error_quote", "RFC 2473 8.1", packet.source)
    if not home_agents.errors.again(now) or not registration.renew(now):
        return Dropped("icmp_error_alone", "RFC 2473 8", packet.source)
    return []


def _parameter_problem(
    home_agents: HomeAgents, packet: Packet, message: ParameterProblem, now: float
) -> list[Effect] | Dropped | None:
    """§11.3.5: code 1 for a Binding Update means no home agent lives there."""
    quoted = quote(message.packet)
    if quoted is None:
        return Dropped("icmp_error_quote", "11.3.5", packet.source)
    registration = home_agents.find(quoted.destination)
    if registration is None:
        return None
    update = quoted.message
    if (
        message.code != UNRECOGNIZED_NEXT_HEADER
        or not isinstance(update, BindingUpdate)
        or not registration.not_understood(update.sequence_number, now)
    ):
        return Dropped("icmp_error", "11.3.5", packet.source)
    if registration is home_agents.current:
        home_agents.failed(now)
    problem = Problem(
        f"{registration.home_agent} does not know Mobile IPv6",
        "check that home_agent names a home agent, and that it runs",
    )
    return [Notify(problem)]
