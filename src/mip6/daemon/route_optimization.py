"""What the configuration says about route optimization, at either end of it."""

from collections.abc import Mapping
from ipaddress import IPv6Network
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mip6.core.route_optimization import ANYBODY, CorrespondentPolicy, Mode

from .section import Network, Section

RR_LIFETIME_MAX = 420
"""Seconds: MAX_RR_BINDING_LIFETIME (§12)."""

Networks = Annotated[tuple[Network, ...], Field(strict=False)]


class CorrespondentNodeSection(Section):
    """`[correspondent_node]` (§9): mobile nodes may talk to this machine directly.

    The header of the table is all that is needed: who a mobile node is shows return
    routability, so there are no keys.
    """

    enabled: bool = True
    """False: a mobile node, which is a correspondent of others by default, is none."""
    bindings_max: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    lifetime_max: Annotated[int, Field(ge=4, le=RR_LIFETIME_MAX, multiple_of=4)] = (
        RR_LIFETIME_MAX
    )
    """Seconds that a binding is granted at most."""
    tests_max: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Tests of return routability answered in a second, of either kind; a mobile node
    whose test was one too many asks again."""
    allow: Networks = ()
    """The home addresses that may have a binding; none named: all."""
    refuse: Networks = ()
    """Those that may not, also of the allowed."""


SECONDS_MAX = 86400
Seconds = Annotated[int, Field(ge=1, le=SECONDS_MAX)]

_MODES = ("auto", "always", "never")


def _wish(value: object) -> object:
    if value in _MODES:
        return value
    if isinstance(value, int) and value is not True and 1 <= value <= SECONDS_MAX:
        return value
    raise ValueError(
        'must be "auto", "always", "never", or the seconds (at most '
        f"{SECONDS_MAX}) after which to ask again"
    )


Wish = Annotated[Literal["auto", "always", "never"] | int, BeforeValidator(_wish)]
"""Of a mobile node, with the correspondents of a prefix: directly while there is
traffic, always, or never.  Seconds: "auto", asked again after so many."""


class RouteOptimizationSection(Section):
    """Of `[mobile_node]`: whom it talks to directly (§11.6)."""

    route_optimization: bool = True
    """Whether correspondents that `correspondents` does not name are asked to take part
    in it."""
    ask_again_after: Seconds = 300
    """Seconds for which a correspondent that does not take part is left in peace."""
    correspondents: Mapping[Network, Wish] = Field(default_factory=dict)
    """By prefix, the longest counts."""

    @property
    def policies(self) -> tuple[CorrespondentPolicy, ...]:
        """The same as the core wants it."""
        rest = Mode.AUTO if self.route_optimization else Mode.NEVER
        wishes: dict[IPv6Network, Literal["auto", "always", "never"] | int] = {
            ANYBODY: rest.value,
            **self.correspondents,
        }
        return tuple(
            CorrespondentPolicy(prefix, Mode.AUTO, wish)
            if isinstance(wish, int)
            else CorrespondentPolicy(prefix, Mode(wish), self.ask_again_after)
            for prefix, wish in wishes.items()
        )
