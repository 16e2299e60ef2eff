"""What a home agent passes on by hand between mobile nodes and correspondents.

Return routability relies on nobody but the home agent and the mobile node to read a
Home Test (§10.4.6).  So these messages leave and enter the tunnel at the daemon, which
puts them into ESP; all other packets pass the data plane.
"""

from dataclasses import replace

from mip6.wire.buffer import WireError
from mip6.wire.messages import HomeTest
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet

from .addresses import is_unicast_routable
from .effects import Effect, Forward, Notify, Send
from .events import Dropped
from .home_agent import HomeAgent
from .packet import Wrapping, decode, unwrap

HOP_LIMIT_AT = 7
"""Of an IPv6 header."""


def out_of_tunnel(
    home_agent: HomeAgent, headers: IPv6Packet, octets: bytes, now: float
) -> list[Effect] | None:
    """What came through a mobile node's tunnel and goes on from here; None: this does
    not.  A Home Test for another mobile node of ours goes into the tunnel of that one,
    what is to a group on to the home link.

    headers, octets: of the packet inside.
    """
    if headers.destination.is_multicast and home_agent.binding(headers.source):
        return home_agent.sent_to_group(octets, now)
    if (
        headers.next_header != NextHeader.MOBILITY
        or not is_unicast_routable(headers.destination)
        or home_agent.binding(headers.source) is None
    ):
        return None
    if headers.hop_limit <= 1:
        return [Notify(Dropped("hop_limit", "RFC 2473 3.3", headers.source))]
    at, hop_limit = HOP_LIMIT_AT, headers.hop_limit - 1
    octets = octets[:at] + bytes([hop_limit]) + octets[at + 1 :]
    headers = replace(headers, hop_limit=hop_limit)
    passed = into_tunnel(home_agent, headers, unwrap(headers), octets)
    return [Forward(octets)] if passed is None else passed


def into_tunnel(
    home_agent: HomeAgent, headers: IPv6Packet, wrapping: Wrapping, octets: bytes
) -> list[Effect] | None:
    """A Home Test on its way to a mobile node of ours; None: this is none.  Who
    forwarded it here has taken a hop off it (RFC 2473 §3.1)."""
    binding = home_agent.binding(headers.destination)
    if binding is None or headers.next_header != NextHeader.MOBILITY:
        return None
    try:
        packet = decode(headers, wrapping, octets)
    except WireError as error:
        return [Notify(Dropped(error.reason, "9.2", headers.source))]
    if not isinstance(packet.message, HomeTest):
        return None
    if not is_unicast_routable(packet.source):
        return [Notify(Dropped("source_address", "RFC 4291 2.5.2", packet.source))]
    tunnel = (home_agent.address, binding.care_of_address)
    return [Send(replace(packet, tunnel=tunnel, octets=b""))]
