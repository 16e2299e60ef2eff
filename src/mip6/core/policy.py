"""What the administrator allows to whom at a home agent."""

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network

from mip6.wire.options import TIME_UNIT
from mip6.wire.record import record

from .network_table import NetworkTable


@record(kw_only=True)
class Permission:
    """What holds for the home addresses of `network`; of several that say something
    about it the longest counts."""

    network: IPv6Network
    allowed: bool | None = None
    lifetime_max: float | None = None
    """Seconds."""

    def __post_init__(self) -> None:
        if self.lifetime_max is not None:
            lifetime_in_units(self.lifetime_max)


def lifetime_in_units(lifetime_max: float) -> int:
    """Seconds, in the units of the wire.  Raises ValueError for what would be 0."""
    if lifetime_max < TIME_UNIT:
        raise ValueError(f"lifetime_max {lifetime_max} s would delete bindings")
    return int(lifetime_max) // TIME_UNIT * TIME_UNIT


class Policy:
    """mobile_nodes: who is believed without authentication.

    permissions: the access list.
    refuse_others: whether who is on no list is refused (status 129).
    lifetime_max: seconds, at least 4; no binding is granted more.
    """

    def __init__(
        self,
        *,
        mobile_nodes: Iterable[IPv6Network],
        permissions: Iterable[Permission],
        refuse_others: bool,
        lifetime_max: float,
    ) -> None:
        permissions = tuple(permissions)
        self._listed = NetworkTable((network, True) for network in mobile_nodes)
        self._allowed = NetworkTable(
            (p.network, p.allowed) for p in permissions if p.allowed is not None
        )
        self._lifetimes = NetworkTable(
            (p.network, lifetime_in_units(p.lifetime_max))
            for p in permissions
            if p.lifetime_max is not None
        )
        self._refuse_others = refuse_others
        self.lifetime_max = lifetime_in_units(lifetime_max)

    def is_listed(self, home_address: IPv6Address) -> bool:
        return self._listed.find(home_address) is not None

    def allows(self, home_address: IPv6Address) -> bool:
        allowed = self._allowed.find(home_address) if self._allowed else None
        return not self._refuse_others if allowed is None else allowed

    def lifetime(self, home_address: IPv6Address) -> int:
        """Seconds that a binding may last, a multiple of 4."""
        lifetime = self._lifetimes.find(home_address) if self._lifetimes else None
        return (
            self.lifetime_max if lifetime is None else min(self.lifetime_max, lifetime)
        )
