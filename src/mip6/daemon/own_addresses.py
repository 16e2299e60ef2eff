"""The addresses of this machine by which mobile nodes may know it (§9)."""

from collections.abc import Iterable
from ipaddress import IPv6Address

from mip6.core.addresses import is_unicast_routable
from mip6.linux.executor import outcome
from mip6.linux.netlink import AddressInfo, Notice

OWN_MAX = 512
"""More than these are left out; the data plane's map of addresses has room for 1024."""


class OwnAddresses:
    """Follows the kernel: every global unicast address that has been checked once.

    One that is checked again, because its link was down for a moment, stays.
    """

    def __init__(self, infos: Iterable[AddressInfo]) -> None:
        self._held: set[tuple[IPv6Address, int]] = set()
        self.look(infos)

    @property
    def current(self) -> tuple[IPv6Address, ...]:
        """In order; no more than OWN_MAX."""
        return tuple(sorted({address for address, _ in self._held})[:OWN_MAX])

    def look(self, infos: Iterable[AddressInfo]) -> None:
        """Everything anew: at the start, and when notices were lost."""
        self._held = {entry for info in infos if (entry := self._entry(info))}

    def noticed(self, notice: Notice) -> None:
        if not isinstance(notice.info, AddressInfo):
            return
        entry = None if notice.gone else self._entry(notice.info)
        if entry is not None:
            self._held.add(entry)
        else:
            self._held.discard((notice.info.address, notice.info.index))

    def _entry(self, info: AddressInfo) -> tuple[IPv6Address, int] | None:
        if not is_unicast_routable(info.address):
            return None
        entry = info.address, info.index
        unique = outcome(info)
        held = unique is True or (unique is None and entry in self._held)
        return entry if held else None
