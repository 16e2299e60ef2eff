"""A mobile node's machine in the simulator: its cables, its process, its kernel."""

from collections import defaultdict
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from mip6.core.effects import Effect
from mip6.core.link import Link, interface_identifier
from mip6.core.mobile_node import MobileNode
from mip6.core.packet import Packet
from mip6.core.state import CareOfAddress, End, RouteOptimization, Tunnel

from .network import HOME, link_of
from .party import Party

if TYPE_CHECKING:
    from .world import World

CHECK_TIME = 1.0
"""Seconds the kernel takes for duplicate address detection."""


class Mobile:
    """party: its process, and the ledger that stands for its kernel."""

    def __init__(
        self,
        world: "World",
        party: Party,
        address: IPv6Address,
        link_layer_address: bytes,
        links: tuple[str, ...],
    ) -> None:
        self.world = world
        self.party = party
        self.address = address
        """Its home address."""
        self.link_layer_address = link_layer_address
        self.identifier = interface_identifier(link_layer_address)
        self.links = links
        self.plugged: dict[str, str | None] = dict.fromkeys(links)
        """The link each interface is on; None without carrier."""
        self._checked_once: set[str] = set()
        """Interfaces whose link-local address is known to be unique."""
        self.told_by: set[str] = set()
        """Interfaces that have heard their router."""
        self.asleep = False
        """Its process is stopped, and goes on later."""
        self._news: list[Callable[[float], list[Effect]]] = []
        """What the kernel has to tell a process that sleeps."""
        self.sent: dict[tuple[type, IPv6Address], list[float]] = defaultdict(list)
        """When its process sent messages, by kind and destination; a new one has no
        idea of what the one before it sent."""

    @property
    def name(self) -> str:
        return self.party.name

    @property
    def role(self) -> MobileNode:
        role = self.party.node.mobile_node
        assert isinstance(role, MobileNode)
        return role

    # What people do.

    def plug(self, link: str, interface: str) -> None:
        self.plugged[interface] = link
        self.told_by.discard(interface)
        self.world.note(self.name, f"{interface} comes to {place(link)}")
        # A link-local address that was found unique once stays, as the kernel has it.
        self.link_up(interface, known=interface in self._checked_once)
        if self.party.running or self.asleep:
            world = self.world
            world.at(world.now + CHECK_TIME, lambda: self._link_local(interface, link))

    def unplug(self, interface: str) -> None:
        if self.plugged[interface] is None:
            return
        self.world.note(self.name, f"{interface} loses its carrier")
        self.plugged[interface] = None
        self._tell(lambda now: self.role.link_down(interface, now))

    def sleep(self) -> None:
        """The process stops; the kernel keeps what it has to tell it."""
        self.world.note(self.name, "falls asleep")
        self.asleep, self.party.running = True, False

    def wake(self) -> None:
        self.world.note(self.name, "wakes up")
        self.asleep, self.party.running = False, True
        news, self._news = self._news, []
        for call in news:
            self.world.perform(self.party, call)

    # What the kernel knows and tells.

    def link_up(self, interface: str, *, known: bool = False) -> None:
        link_local = None
        if known:
            link_local = IPv6Address(b"\xfe\x80" + bytes(6) + self.identifier)
        link = Link(interface, self.link_layer_address, link_local)
        self._tell(lambda now: self.role.link_up(link, now))

    def _tell(self, call: Callable[[float], list[Effect]]) -> None:
        if self.party.running:
            self.world.perform(self.party, call)
        elif self.asleep:
            self._news.append(call)

    def _link_local(self, interface: str, link: str) -> None:
        """The link-local address is checked too, and may be used now."""
        if self.plugged[interface] == link and (self.party.running or self.asleep):
            self._checked_once.add(interface)
            self.link_up(interface, known=True)

    def checked(self, state: CareOfAddress) -> None:
        """Duplicate address detection ends, if the address is still there."""
        if self.party.ledger.get(state.key) == state:
            unique = state.address not in self.world.taken
            self._tell(
                lambda now: self.role.address_checked(
                    state.address, state.link, unique, now
                ),
            )

    def interface_on(self, link: str) -> str | None:
        """The interface that is plugged into `link`."""
        return next((i for i, at in self.plugged.items() if at == link), None)

    def holder(self, address: IPv6Address) -> str | None:
        """The interface by which a care-of address is reached, and sends."""
        link = link_of(address)
        works = link not in self.world.silenced | self.world.severed
        interface = self.interface_on(link) if link and works else None
        key = (CareOfAddress, address, interface)
        return interface if key in self.party.ledger else None

    @property
    def tunnel(self) -> Tunnel | None:
        """The one that packets from the home address take now."""
        now = self.world.now
        tunnel = self.party.tunnel(End.MOBILE_NODE, self.address, now)
        return None if tunnel is None or tunnel.inbound_only else tunnel

    def way(self, correspondent: IPv6Address) -> RouteOptimization | None:
        """The direct one to a correspondent, also if it is inbound only."""
        return self.party.way(
            End.MOBILE_NODE, self.address, correspondent, self.world.now
        )

    def noted(self, packet: Packet) -> None:
        """Its process sends a message."""
        key = (type(packet.message), packet.destination)
        self.sent[key].append(self.world.now)


def place(link: str) -> str:
    return "the home link" if link == HOME else f"link {link}"
