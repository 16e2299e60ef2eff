"""What changes around us, as the kernel tells: links, a correspondent's addresses."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from mip6.linux.multicast import HomeLinkGroups, joined
from mip6.linux.netlink import LinkInfo, Notice
from mip6.linux.sockets import NeighborListener

from .links import Links
from .name_servers import NameServers
from .own_addresses import OwnAddresses
from .standing import Standing

if TYPE_CHECKING:
    from .daemon import Daemon


class Surroundings:
    """Follows them, and tells the node; what others removed of ours is repaired.

    own_addresses: of a correspondent.  neighbors: of a home agent with a home link.
    groups: of one that sends multicast into its tunnels.
    """

    def __init__(
        self,
        daemon: "Daemon",
        links: Links,
        own_addresses: OwnAddresses | None,
        neighbors: NeighborListener | None,
        groups: HomeLinkGroups | None,
        standing: Standing,
    ) -> None:
        self._daemon = daemon
        self._links = links
        self._own_addresses = own_addresses
        self._neighbors = neighbors
        self._groups = groups
        self._standing = standing
        self._tasks: set[asyncio.Task[None]] = set()
        self._resolver = NameServers(self._asks) if daemon.mobile_node else None

    def readers(self) -> dict[int, Callable[[], None]]:
        """What tells of changes, beside the kernel's notices."""
        readers: dict[int, Callable[[], None]] = {}
        if self._resolver is not None:
            readers[self._resolver.fileno()] = self._resolver.read
        if self._groups is not None:
            readers[self._groups.fileno()] = self._multicast
        return readers

    def close(self) -> None:
        if self._resolver is not None:
            self._resolver.close()
        if self._groups is not None:
            self._groups.close()

    def _multicast(self) -> None:
        """What is sent to groups on the home link (§10.4.2)."""
        daemon = self._daemon
        assert daemon.home_agent is not None and self._groups is not None
        for octets in self._groups.read():
            daemon.perform(daemon.home_agent.multicast(octets, daemon.now()))
        daemon.finish()

    def noticed(self, notices: list[Notice] | None) -> None:
        """None: some were lost."""
        if notices is None:
            self.look()
            return
        for notice in notices:
            self._daemon.perform(self._links.noticed(notice, self._daemon.now()))
        if self._own_addresses is not None:
            before = self._own_addresses.current
            for notice in notices:
                self._own_addresses.noticed(notice)
            self._follow_addresses(before)
        self.follow_links()

    def look(self) -> None:
        """Looks at everything: at the start, and when notices were lost."""
        if self._resolver is not None:
            self._resolver.read()
        self.look_for_groups()
        for effects in self._links.look(self._daemon.now()):
            self._daemon.perform(effects)
        if self._own_addresses is not None:
            before = self._own_addresses.current
            self._own_addresses.look(self._daemon.machine.netlink.addresses())
            self._follow_addresses(before)
        self.follow_links()

    def look_for_groups(self) -> None:
        """What processes listen to on the mobility device (§11.3.4)."""
        daemon = self._daemon
        if daemon.mobile_node is not None and not daemon.stopping:
            groups = joined(daemon.machine.device.index)
            daemon.perform(daemon.mobile_node.listens_to(groups, daemon.now()))

    def _asks(self, servers: tuple[IPv6Address, ...]) -> None:
        """Whom this machine's resolver asks has changed."""
        daemon = self._daemon
        assert daemon.mobile_node is not None
        daemon.perform(daemon.mobile_node.name_servers(servers, daemon.now()))
        daemon.finish()

    def _follow_addresses(self, before: tuple[IPv6Address, ...]) -> None:
        """A correspondent's addresses may have changed: their bindings end with them.
        What is still diverted for a moment is nobody's, and dropped."""
        assert self._own_addresses is not None
        daemon = self._daemon
        current = self._own_addresses.current
        if current == before:
            return
        diverted = self._standing.diverted()
        for address in diverted - set(before):
            daemon.machine.data_plane.divert(address)
        daemon.perform(daemon.node.addresses_changed(current, daemon.now()))
        for address in set(before) - diverted:
            daemon.machine.data_plane.undivert(address)

    def follow_links(self) -> None:
        """What is to happen now that `links` knows more."""
        daemon = self._daemon
        if self._neighbors is not None and daemon.home_agent is not None:
            link = daemon.machine.links.get(daemon.home_agent.home_link or "")
            if link is not None:
                self._neighbors.follow(link.index)
                for address in daemon.home_agent.anycast_addresses:
                    self._neighbors.answer_for(address)
        for link in self._links.appeared:
            task = asyncio.get_running_loop().create_task(self._attach(link))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._links.appeared.clear()
        if self._links.disturbed:
            self._links.disturbed = False
            self._standing.repair_soon()
        daemon.finish()

    async def _attach(self, link: LinkInfo) -> None:
        """Puts our program on a link that came after the start."""
        try:
            await asyncio.to_thread(self._daemon.machine.attach, link)
            self._daemon.machine.adjust_mtu()
        except OSError as error:
            reason = error.strerror or str(error)
            self._daemon.log.line(
                "warning", "not_attached", link=link.name, reason=reason
            )
