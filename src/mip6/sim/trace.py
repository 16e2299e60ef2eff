"""What happened, in the order it did: for people, for comparison of two runs."""

from mip6.wire.record import record

MOBILE_NODE = "mn"
ROUTER = "router"
HOME_AGENT = "ha"
OTHER_HOME_AGENT = "ha2"
CORRESPONDENT = "cn"
OTHER_CORRESPONDENT = "cn2"
OTHER_MOBILE_NODE = "mn2"

STEPS = (
    "The mobile node comes to a foreign link, hears its router and makes itself a "
    "care-of address of that link.",
    "It registers the care-of address with its home agent: a Binding Update, and its "
    "acknowledgement.",
    "The correspondent knows nothing of this and sends to the home address; the home "
    "agent intercepts.",
    "The home agent tunnels the packet to the care-of address.",
    "The mobile node answers from its home address: back through the home agent, or, "
    "once the correspondent has a binding too, both talk directly.",
)
"""The five steps of Mobile IP."""


@record
class Arrow:
    """A packet sent at `at` (seconds) from one column to another."""

    at: float
    source: str
    target: str
    label: str
    fate: str = ""
    """Why it did not arrive; empty if it did."""
    step: int = 0
    """Which of the `STEPS` of Mobile IP it is part of; 0 for none."""


@record
class Note:
    """Something that happened in one place."""

    at: float
    place: str
    text: str
    step: int = 0


Entry = Arrow | Note
