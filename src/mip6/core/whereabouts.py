"""Where a mobile node is, as far as correspondents are concerned (§11.7.2)."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from math import inf

from .link import Attachment
from .registration import Registration


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where the mobile node is, as far as correspondents are concerned."""

    link: str | None = None
    care_of_address: IPv6Address | None = None
    """One that may be a source now; None on the home link and nowhere."""
    at_home: bool = False
    """On the home link."""
    told: bool = False
    """A Binding Update for here was sent to the home agent."""
    confirmed: bool = False
    """And it was acknowledged: the tunnel stands, or at home the home agent has let
    go."""
    until: float = inf
    """The end of the home registration, of the care-of address or of the home address,
    the earliest: no correspondent is told a later one (§11.4.2, §11.7.2)."""
    stopping: bool = False


def whereabouts(
    here: Attachment | None,
    registration: Registration,
    stopping: bool,
    now: float,
    *,
    valid_until: float = inf,
) -> Whereabouts:
    """From where it is attached, and what the home agent knows of it.

    valid_until: the end of the home address.
    """
    if here is None:
        return Whereabouts()
    stands = registration.stands(here.care_of_address, now)
    gone = here.at_home and now >= registration.bound_until
    return Whereabouts(
        link=here.link,
        care_of_address=here.care_of_address if here.usable else None,
        at_home=here.at_home,
        told=registration.sent or stands,
        confirmed=stands or gone,
        until=min(
            registration.expires if stands else inf, here.valid_until, valid_until
        ),
        stopping=stopping,
    )
