"""The addresses of this machine by which mobile nodes may know it (§9)."""

from collections.abc import Iterable
from ipaddress import IPv6Address

from mip6.core.addresses import is_unicast_routable
from mip6.linux.executor import outcome
from mip6.linux.netlink import AddressInfo, Notice

OWN_MAX = 512
"""More than these are left out; the data plane's map of addresses has room for 1024."""


class OwnAddresses:
    """Follows the kernel: every global unicast address that is not being checked."""

    def __init__(self, infos: Iterable[AddressInfo]) -> None:
        self._held: set[tuple[IPv6Address, int]] = set()
        self.look(infos)

    @property
    def current(self) -> frozenset[IPv6Address]:
        addresses = {address for address, _ in self._held}
        return frozenset(sorted(addresses)[:OWN_MAX])

    def look(self, infos: Iterable[AddressInfo]) -> None:
        """Everything anew: at the start, and when notices were lost."""
        self._held = {(i.address, i.index) for i in infos if _counts(i)}

    def noticed(self, notice: Notice) -> None:
        if isinstance(notice.info, AddressInfo):
            entry = (notice.info.address, notice.info.index)
            if notice.gone or not _counts(notice.info):
                self._held.discard(entry)
            else:
                self._held.add(entry)


def _counts(info: AddressInfo) -> bool:
    return is_unicast_routable(info.address) and outcome(info) is True
