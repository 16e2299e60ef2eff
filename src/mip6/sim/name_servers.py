"""Questions to the name servers of visited networks: by which way they go, and whom the
servers see (decision 0035)."""

from ipaddress import IPv6Address, IPv6Network
from typing import TYPE_CHECKING

from mip6.core.effects import Effect, Notify
from mip6.core.events import Dropped
from mip6.core.native import MAIN_TABLE
from mip6.core.state import Route, Rule
from mip6.wire.packet import IPv6Packet, write_packet

from . import trace
from .data_path import UDP
from .network import LINK_DELAY, NAME_SERVERS

if TYPE_CHECKING:
    from .world import World

HEADER = bytes(8)
"""Of UDP; nobody looks at it."""


class NameServers:
    def __init__(self, world: "World") -> None:
        self._world = world
        self.seen: list[tuple[str, IPv6Address]] = []
        """The network of each server that was asked, and whom it saw, or will see when
        the tunnel is open."""

    def ask(self, network: str) -> None:
        """An application of the mobile node asks the name server of a visited network,
        as the kernel's rules and routes have it."""
        world, mobile = self._world, self._world.mobile
        server = NAME_SERVERS[network]
        source = self._source(server)
        if source is None:
            self._from_home_address(network, server)
            return
        world.note(mobile.name, f"asks {server} from {source}")
        if mobile.holder(source) is None:
            return  # the address is not of this link: there is no way back
        self.seen.append((network, source))
        self._arrow(mobile.name, trace.ROUTER, "question")
        world.at(
            world.now + 2 * LINK_DELAY,
            lambda: self._arrow(trace.ROUTER, mobile.name, "answer"),
        )

    def _source(self, server: IPv6Address) -> IPv6Address | None:
        """The care-of address, if there is a rule for the server and a route to it."""
        network, ledger = IPv6Network(server), self._world.mobile.party.ledger
        if (Rule, 1000, None, network) not in ledger:
            return None
        for state in ledger.values():
            if isinstance(state, Route) and state.destination == network:
                return state.source if state.table == MAIN_TABLE else None
        return None

    def _from_home_address(self, network: str, server: IPv6Address) -> None:
        """The kernel finds no other source, and no way but the tunnel."""
        world, mobile = self._world, self._world.mobile
        packet = IPv6Packet(
            source=mobile.address,
            destination=server,
            next_header=UDP,
            payload=HEADER,
        )
        octets = write_packet(packet)

        def unmatched(now: float) -> list[Effect]:
            effects = mobile.party.node.unmatched(octets, now)
            if any(
                isinstance(effect, Notify)
                and isinstance(effect.event, Dropped)
                and effect.event.reason == "native"
                for effect in effects
            ):
                world.note(
                    mobile.name, f"asks {server}: is told that it is unreachable"
                )
            else:
                self.seen.append((network, mobile.address))
            return effects

        if mobile.tunnel is None:
            world.perform(mobile.party, unmatched)
        else:
            self.seen.append((network, mobile.address))

    def _arrow(self, source: str, target: str, label: str) -> None:
        self._world.trace.append(trace.Arrow(self._world.now, source, target, label))
