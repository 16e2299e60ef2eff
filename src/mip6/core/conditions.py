"""What a link is worth to a mobile node, in the words of `mip6 status`."""

from enum import StrEnum

from .attachments import Attachments
from .registration import Registration
from .tunnel_probe import TunnelProbe


class Condition(StrEnum):
    DOWN = "down"
    WAITING = "waiting"
    """Up, and no router known yet."""
    NO_ROUTER = "no_router"
    """None answers: no IPv6 there, or one has to log in first."""
    UNTRIED = "untried"
    """It has a router, and nothing was sent to the home agent that way lately."""
    WORKS = "works"
    HOME = "home"
    SILENT = "silent"
    """The router that was used does not answer any more."""
    BROKEN = "broken"
    """The home agent does not answer what is sent that way."""
    CAPTIVE = "captive"
    """The same, and the network says that one has to log in (RFC 8910)."""
    TUNNEL_BLOCKED = "tunnel_blocked"
    """Registering works, but what is tunnelled is dropped (protocol 41)."""


def condition(
    name: str,
    attachments: Attachments,
    registration: Registration,
    probe: TunnelProbe | None,
    now: float,
) -> Condition:
    """Of the link with this name."""
    up, offer = attachments.up.get(name), attachments.offers.get(name)
    if up is None:
        return Condition.DOWN
    if offer is None:
        return Condition.NO_ROUTER if up.deserted(now) else Condition.WAITING
    if offer.at_home:
        return Condition.HOME
    if probe is not None and probe.is_blocked(offer):
        return Condition.TUNNEL_BLOCKED
    if registration.stands(offer.care_of_address, now):
        return Condition.WORKS
    if up.distrusts(offer.router, now):
        portal = up.captive_portal
        return Condition.CAPTIVE if portal else Condition.BROKEN
    if offer.silent:
        return Condition.SILENT
    return Condition.UNTRIED
