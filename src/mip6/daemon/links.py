"""What the kernel tells about links and addresses, turned into inputs for the node."""

from collections.abc import Iterator
from ipaddress import IPv6Address

from mip6.core.addresses import is_unicast_routable
from mip6.core.adopted import Adopted
from mip6.core.effects import Effect
from mip6.core.home_agent import HomeAgent
from mip6.core.link import NO_GATEWAY, Link
from mip6.core.mobile_node import MobileNode
from mip6.linux import netlink_requests as requests
from mip6.linux.executor import outcome
from mip6.linux.netlink import (
    AddressInfo,
    ForwardingInfo,
    LinkInfo,
    NeighborInfo,
    Notice,
    RouteInfo,
    RuleInfo,
)

from .machine import Machine

ETHERNET = 1
"""ARPHRD_ETHER."""


class Links:
    """Keeps `machine.links` true, tells the mobile node of its managed links and the
    home agent of its home link.

    `disturbed`: something of ours was removed by others since it was last cleared.
    `appeared`: links that need the ingress program, and have it not yet.
    """

    def __init__(
        self,
        machine: Machine,
        mobile_node: MobileNode | None,
        managed: tuple[str, ...] = (),
        home_agent: HomeAgent | None = None,
        *,
        adopts: bool = False,
    ) -> None:
        self.disturbed = False
        self.appeared: list[LinkInfo] = []
        self._machine = machine
        self._mobile_node = mobile_node
        self._home_agent = home_agent
        self._managed = managed
        self._adopts = adopts
        self._names = {link.index: name for name, link in machine.links.items()}
        self._told: dict[str, Link] = {}
        # What the mobile node was told of each managed link that is up.
        self._adopted: dict[str, object] = {}
        # What it was told of what others have configured there.
        self._link_locals: dict[str, IPv6Address] = {}
        self._attached = {link.name for link in machine.attachable()}

    def name(self, index: int) -> str | None:
        return self._names.get(index)

    def noticed(self, notice: Notice, now: float) -> list[Effect]:
        match notice.info:
            case LinkInfo():
                return self._link(notice.info, notice.gone, now)
            case AddressInfo():
                effects = self._address(notice.info, notice.gone, now)
                return effects + self._adopt(notice.info.index, now)
            case RouteInfo(destination=destination) if (
                self._adopts and not destination.prefixlen
            ):
                self.disturbed |= notice.gone
                return self._adopt(notice.info.index, now)
            case RouteInfo(protocol=protocol) | RuleInfo(protocol=protocol):
                if notice.gone and protocol == requests.PROTOCOL:
                    self.disturbed = True
            case ForwardingInfo(index=index, on=False):
                # Who switches it off for all links does so for the mobility device.
                if self._names.get(index) == self._machine.configuration.device:
                    self.disturbed = True
            case NeighborInfo():
                return self._neighbor(notice.info, now)
        return []

    def _adopt(self, index: int, now: float) -> list[Effect]:
        """What others have configured on a link, where we do not."""
        name = self._names.get(index, "")
        if not self._adopts or self._mobile_node is None or name not in self._told:
            return []
        netlink = self._machine.netlink
        home_addresses = self._mobile_node.home_addresses
        addresses = tuple(
            Adopted(
                address=info.address,
                prefix_length=info.prefix_length,
                preferred=not info.flags & requests.DEPRECATED,
                usable=bool(info.flags & requests.OPTIMISTIC)
                or not info.flags & requests.TENTATIVE,
            )
            for info in netlink.addresses()
            if info.index == index
            and is_unicast_routable(info.address)
            and info.address not in home_addresses
            and not info.flags & (requests.TEMPORARY | requests.DAD_FAILED)
        )
        link = self._machine.links.get(name)
        straight = link is not None and link.hardware != ETHERNET
        gateways = tuple(
            route.gateway or NO_GATEWAY
            for route in sorted(netlink.routes(), key=lambda route: route.metric)
            if route.index == index
            and route.table == requests.MAIN
            and not route.destination.prefixlen
            # A tunnel has another end, and no routers to choose from.
            and (route.gateway is not None or straight)
        )
        found = (addresses, gateways)
        if self._adopted.get(name) == found:
            return []
        self._adopted[name] = found
        return self._mobile_node.configured(name, addresses, gateways, now)

    def _neighbor(self, info: NeighborInfo, now: float) -> list[Effect]:
        """The kernel found a neighbour unreachable (RFC 4861 §7.3): it may be the
        router that we use."""
        name = self._names.get(info.index, "")
        if self._mobile_node is None or name not in self._managed:
            return []
        if info.proxy or not info.state & requests.FAILED:
            return []
        return self._mobile_node.neighbor_lost(info.address, name, now)

    def look(self, now: float) -> Iterator[list[Effect]]:
        """Looks at everything: at the start, and when notices were lost.  Each answer
        is to be performed before the next is asked for."""
        self.disturbed = True
        netlink = self._machine.netlink
        addresses = netlink.addresses()
        present = netlink.links()
        for name in self._machine.links.keys() - {link.name for link in present}:
            yield self._link(self._machine.links[name], True, now)
        self._link_locals.clear()
        for info in addresses:
            self._learn(info)
        for link in present:
            yield self._link(link, False, now)
        for info in addresses:
            yield self._address(info, False, now)
        for link in present:
            yield self._adopt(link.index, now)

    def _link(self, link: LinkInfo, gone: bool, now: float) -> list[Effect]:
        effects: list[Effect] = []
        former = self._machine.links.get(link.name)
        if former is not None and (gone or link.index != former.index):
            self._names.pop(former.index, None)
            self._attached.discard(link.name)
            self._link_locals.pop(link.name, None)
            effects += self._down(link.name, now)
        if gone:
            self._machine.links.pop(link.name, None)
            return effects
        if (old := self._names.get(link.index, link.name)) != link.name:
            self._machine.links.pop(old, None)  # it was renamed
            effects += self._down(old, now)
        self._machine.links[link.name] = link
        self._names[link.index] = link.name
        if link.name not in self._attached and link in self._machine.attachable():
            self._attached.add(link.name)
            self._machine.appeared(link)
            self.appeared.append(link)
        agent = self._home_agent
        if agent is not None and link.name == agent.home_link and link.is_up:
            effects += agent.link_up(Link(link.name, link.link_layer_address), now)
        if link.name in self._managed:
            effects += self._carrier(former, link, now)
        elif former is not None and link.is_up and not former.is_up:
            self.disturbed = True  # proxy neighbours vanish without a notice
        return effects

    def _carrier(
        self, former: LinkInfo | None, link: LinkInfo, now: float
    ) -> list[Effect]:
        """The carrier of a managed link; one that was lost and is back already shows
        only in the count."""
        known = link.name in self._told
        flapped = former is not None and former.carrier_changes != link.carrier_changes
        effects: list[Effect] = []
        if known and (flapped or not link.is_up):
            effects += self._down(link.name, now)
        if link.is_up:
            effects += self._up(link, now)
        return effects

    def _up(self, link: LinkInfo, now: float) -> list[Effect]:
        value = Link(
            name=link.name,
            link_layer_address=link.link_layer_address,
            link_local=self._link_locals.get(link.name),
            mtu=link.mtu,
        )
        if self._mobile_node is None or self._told.get(link.name) == value:
            return []
        self._told[link.name] = value
        effects = self._mobile_node.link_up(value, now)
        return effects + self._adopt(link.index, now)

    def _down(self, name: str, now: float) -> list[Effect]:
        if self._mobile_node is None or self._told.pop(name, None) is None:
            return []
        self._adopted.pop(name, None)
        return self._mobile_node.link_down(name, now)

    def _address(self, info: AddressInfo, gone: bool, now: float) -> list[Effect]:
        name = self._names.get(info.index)
        if name is None:
            return []
        if info.address.is_link_local:
            if gone and self._link_locals.get(name) == info.address:
                del self._link_locals[name]
            elif not gone and self._learn(info) and name in self._told:
                return self._up(self._machine.links[name], now)
            return []
        journal = self._machine.journal
        if (info.address, info.prefix_length, name) not in journal.addresses:
            return []
        unique = outcome(info)
        if gone:
            self.disturbed = True
        elif unique is not None and self._mobile_node and name in self._managed:
            return self._mobile_node.address_checked(info.address, name, unique, now)
        return []

    def _learn(self, info: AddressInfo) -> bool:
        """Whether this is a link-local address that is now ours for certain."""
        name = self._names.get(info.index)
        if name is None or not info.address.is_link_local or not outcome(info):
            return False
        self._link_locals[name] = info.address
        return True
