"""Route optimization at the mobile node, in words: what an operator wants for which
correspondents, and what became of each."""

from collections.abc import Iterable
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network

from mip6.wire.record import record

ASK_AGAIN = 300.0
"""Seconds after which a correspondent that took no part is asked again (§11.3.5)."""
ANYBODY = IPv6Network("::/0")


class Mode(StrEnum):
    """Whether traffic with a correspondent is to take the direct way."""

    AUTO = "auto"
    """While there is traffic."""
    ALWAYS = "always"
    """Once begun also without traffic; a single address from the start."""
    NEVER = "never"
    """All of it goes through the home agent, and the correspondent never learns where
    the mobile node is (§11.7.2)."""


@record
class CorrespondentPolicy:
    """What holds for the correspondents of one prefix; the longest prefix counts."""

    prefix: IPv6Network
    mode: Mode
    ask_again: float = ASK_AGAIN
    """Seconds."""


DEFAULT_POLICY = CorrespondentPolicy(ANYBODY, Mode.AUTO)


def policy_for(
    correspondent: IPv6Address, policies: Iterable[CorrespondentPolicy]
) -> CorrespondentPolicy:
    """The one with the longest prefix that holds the correspondent's address."""
    fitting = (policy for policy in policies if correspondent in policy.prefix)
    return max(
        fitting, key=lambda policy: policy.prefix.prefixlen, default=DEFAULT_POLICY
    )


class Way(StrEnum):
    """How packets from the home address get to a correspondent."""

    DIRECT = "direct"
    HOME_AGENT = "home_agent"


class Why(StrEnum):
    """Why they take that way."""

    REGISTERED = "registered"
    """The correspondent has acknowledged the care-of address."""
    RESTORED = "restored"
    """It had, to the process before this one."""
    TESTING = "testing"
    """Return routability is under way."""
    UPDATING = "updating"
    """A Binding Update waits for its acknowledgement."""
    HOME_REGISTRATION = "home_registration"
    """The home agent has to know the care-of address first."""
    AT_HOME = "at_home"
    POLICY = "policy"
    NO_ANSWER = "no_answer"
    NOT_UNDERSTOOD = "not_understood"
    """It does not know Mobile IPv6 (§11.3.5, §11.3.6)."""
    OPTION_NOT_UNDERSTOOD = "option_not_understood"
    """It takes part, and then refuses packets with a Home Address option (§11.3.5)."""
    UNREACHABLE = "unreachable"
    """Routers say that packets do not get there by the direct way."""
    PATH_TOO_NARROW = "path_too_narrow"
    """The direct way cannot carry 1280 octets and the headers of route optimization."""
    REFUSED = "refused"
    """By a status of 128 or more."""
    KERNEL = "kernel"
    """Our own kernel refused the state."""


@record(kw_only=True)
class Correspondence:
    """What `mip6 status` shows of one correspondent: the present state of its entry in
    the binding update list (§11.1)."""

    correspondent: IPv6Address
    way: Way
    why: Why
    until: float | None
    """Direct: when the binding ends.  Through the home agent: when it is asked again,
    if that is a matter of time."""
    care_of_address: IPv6Address | None
    """The one last acknowledged; None if that may not hold any more."""
    status: int | None
    """Of the last Binding Acknowledgement."""
    sequence_number: int | None
    """Of the last Binding Update sent."""
    lifetime: float
    """Seconds last granted."""
    awaiting: bool
    """Whether a Binding Update waits for its acknowledgement."""
    retransmissions: int
    home_token_until: float | None
    """Until then a move needs no packet by way of the home agent."""
    mtu: int | None
    """Octets of the largest packet for the direct way, if a router has told."""
