"""Where a mobile node is, as far as correspondents are concerned (§11.7.2)."""

from ipaddress import IPv6Address
from math import inf

from mip6.wire.record import record

from .home_agents import HomeAgents
from .link import Attachment


@record(kw_only=True)
class Whereabouts:
    """Where the mobile node is, as far as correspondents are concerned."""

    link: str | None = None
    care_of_address: IPv6Address | None = None
    """One that may be a source now; None on the home link and nowhere."""
    home_agent: IPv6Address | None = None
    """At the other end of the tunnel, or asked next where there is none."""
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

    @property
    def tunnel(self) -> tuple[IPv6Address, IPv6Address] | None:
        """Source and destination of what goes into it; None where there is none."""
        if self.care_of_address is None or self.home_agent is None:
            return None
        return self.care_of_address, self.home_agent


def whereabouts(
    here: Attachment | None,
    home_agents: HomeAgents,
    stopping: bool,
    now: float,
    *,
    valid_until: float = inf,
) -> Whereabouts:
    """From where it is attached, and what a home agent knows of it.

    valid_until: the end of the home address.
    """
    current = home_agents.current
    if here is None:
        return Whereabouts(home_agent=current.home_agent)
    standing = home_agents.standing(here.care_of_address, now)
    gone = here.at_home and now >= current.bound_until
    return Whereabouts(
        link=here.link,
        care_of_address=here.care_of_address if here.usable else None,
        home_agent=(standing or current).home_agent,
        at_home=here.at_home,
        told=current.sent or standing is not None,
        confirmed=standing is not None or gone,
        until=min(standing.expires if standing else inf, here.valid_until, valid_until),
        stopping=stopping,
    )
