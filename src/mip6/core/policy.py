"""What the administrator allows to whom at a home agent."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from mip6.wire.options import TIME_UNIT

from .network_table import NetworkTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What holds for the home addresses of `network`, unless a longer one says more."""

    network: IPv6Network
    allowed: bool = True
    lifetime_max: float | None = None
    """Seconds; None: as for everybody."""

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
        self._all_permissions = permissions
        self._permissions = NetworkTable((p.network, p) for p in permissions)
        self._refuse_others = refuse_others
        self.lifetime_max = lifetime_in_units(lifetime_max)

    def changed(
        self, mobile_nodes: Iterable[IPv6Network], lifetime_max: float
    ) -> "Policy":
        """The same but for these."""
        return Policy(
            mobile_nodes=mobile_nodes,
            permissions=self._all_permissions,
            refuse_others=self._refuse_others,
            lifetime_max=lifetime_max,
        )

    def is_listed(self, home_address: IPv6Address) -> bool:
        return self._listed.find(home_address) is not None

    def allows(self, home_address: IPv6Address) -> bool:
        permission = self._permission(home_address)
        return not self._refuse_others if permission is None else permission.allowed

    def lifetime(self, home_address: IPv6Address) -> int:
        """Seconds that a binding may last, a multiple of 4."""
        permission = self._permission(home_address)
        if permission is None or permission.lifetime_max is None:
            return self.lifetime_max
        return min(self.lifetime_max, lifetime_in_units(permission.lifetime_max))

    def _permission(self, home_address: IPv6Address) -> Permission | None:
        permissions = self._permissions
        return permissions.find(home_address) if permissions else None
