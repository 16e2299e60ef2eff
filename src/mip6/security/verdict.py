"""What `verify` and `protect` answer, whichever mechanism is in use."""

from dataclasses import field
from ipaddress import IPv6Address
from typing import NamedTuple

from mip6.core.packet import Packet
from mip6.wire.messages import BindingUpdate
from mip6.wire.record import record

HOME_REGISTRATION = 0x40
"""The H bit, in the first octet behind the sequence number (§6.1.7)."""


class Mark(NamedTuple):
    """A number that must outlive the process: see `stored` of whoever returned it."""

    name: str
    number: int


@record
class Verified:
    """A packet for the core, in plain octets."""

    octets: bytes = field(repr=False)
    protected_for: IPv6Address | None = None
    """The home address whose security association protected it; None if nothing did and
    nothing had to."""
    mark: Mark | None = None
    """What was accepted.  With it on disk, the packet is a replay after a restart too;
    the place for that is the commit of the binding that the packet changes."""


@record
class Rejected:
    """A packet that nobody may see; `reason` and `section` are those of a `Dropped`."""

    reason: str
    section: str
    source: IPv6Address | None = None


@record
class Refused:
    """An authenticated Binding Update, or one that claims to be, that RFC 4285 wants
    answered: `acknowledgement` is to be protected, at a limited rate, and sent."""

    reason: str
    section: str
    acknowledgement: Packet


@record
class Protected:
    """A packet for the wire."""

    octets: bytes = field(repr=False)
    mark: Mark | None = None
    """What has to be on disk before the packet leaves; mostly nothing."""


def is_home_registration(payload: bytes) -> bool:
    """Whether a Mobility Header is a Binding Update for a home agent."""
    return (
        len(payload) > 8
        and payload[2] == BindingUpdate.TYPE
        and bool(payload[8] & HOME_REGISTRATION)
    )
