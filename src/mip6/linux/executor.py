"""Carries effects out, in order: the one place where the protocol meets the kernel."""

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Protocol

from mip6.core import packet as packets
from mip6.core.effects import Effect, Install, Notify, Remove, Send
from mip6.core.events import Event, Problem
from mip6.core.packet import Packet
from mip6.core.state import (
    CORRESPONDENT_TABLE,
    CareOfAddress,
    HomeAddress,
    Membership,
    Neighbor,
    ProxyNeighbor,
    Route,
    RouteOptimization,
    Rule,
    State,
    Tunnel,
)

from . import netlink_requests as requests
from .netlink import AddressInfo, LinkInfo, Netlink, NetlinkError
from .netlink_requests import Request

_GONE = (errno.ESRCH, errno.ENOENT, errno.ENODEV, errno.EADDRNOTAVAIL, errno.ENXIO)
"""What a deletion may answer when the state is gone already, alone or with its link."""

_TOUCHED_RULES = tuple(
    # Behind the kernel's own, and as true as the one in front of them.
    requests.rule(0x8000, CORRESPONDENT_TABLE, own_only=True, add=add)
    for add in (True, False)
)


class Tunnels(Protocol):
    """What the executor asks of the data plane."""

    def put(self, way: Tunnel | RouteOptimization) -> None: ...
    def drop(self, way: Tunnel | RouteOptimization) -> None: ...
    def divert(self, address: IPv6Address) -> None: ...
    def undivert(self, address: IPv6Address) -> None: ...


class Memberships(Protocol):
    """Who hears what is sent to groups; see `HomeLinkGroups`."""

    def join(self, group: IPv6Address, link: str) -> None: ...
    def leave(self, group: IPv6Address, link: str) -> None: ...


class Packets(Protocol):
    """What the executor asks of who sends packets; see `Sender`."""

    def send(self, octets: bytes, index: int | None = None) -> None: ...
    def send_frame(
        self, octets: bytes, index: int, link_layer_address: bytes
    ) -> None: ...
    def send_routed(self, octets: bytes, index: int | None = None) -> None: ...


class Record(Protocol):
    """What must be known to clean up after a daemon that was killed."""

    def address_added(self, address: IPv6Address, length: int, link: str) -> None: ...
    def address_removed(self, address: IPv6Address, length: int, link: str) -> None: ...
    def rule_added(self, priority: int) -> None: ...


@dataclass(slots=True)
class Counts:
    """What the executor did, for `mip6 stats`."""

    sent: int = 0
    not_sent: int = 0
    installed: int = 0
    removed: int = 0
    refused: int = 0
    repaired: int = 0


@dataclass(slots=True)
class Executor:
    """`links` holds every link by name and is kept up to date by the daemon."""

    netlink: Netlink
    tunnels: Tunnels
    sender: Packets
    record: Record
    links: dict[str, LinkInfo]
    report: Callable[[Event], None]
    counts: Counts = field(default_factory=Counts)
    memberships: Memberships | None = None
    """Of a home agent that sends multicast into its tunnels."""
    stood: set[IPv6Address] = field(default_factory=set)
    """Care-of addresses that stood before they were installed (a restart), and so may
    have been checked already; whoever asks takes them out."""

    def perform(self, effects: Iterable[Effect]) -> State | None:
        """Carries effects out from left to right.  At the first state that the kernel
        refuses it stops and returns that state: nothing after it has happened."""
        for effect in effects:
            # In the order of how often; `match` takes three times as long.
            if isinstance(effect, Notify):
                self.report(effect.event)
            elif isinstance(effect, Send):
                self._send(effect.packet)
            elif isinstance(effect, Install):
                state = effect.state
                try:
                    self.install(state)
                except OSError as error:
                    self.counts.refused += 1
                    what = error.strerror or str(error)
                    self.report(
                        Problem(f"the kernel refused {describe(state)}: {what}")
                    )
                    return state
                self.counts.installed += 1
            elif isinstance(effect, Remove):
                self.remove(effect.state)
                self.counts.removed += 1
            else:
                self._forward(effect.octets, effect.link)
        return None

    def install(self, state: State) -> None:
        """Puts `state` in place of what stood under its key.  Raises OSError."""
        if isinstance(state, Tunnel | RouteOptimization):
            self.tunnels.put(state)
            return
        if isinstance(state, Membership):
            assert self.memberships is not None
            self.memberships.join(state.group, state.link)
            return
        if isinstance(state, CareOfAddress) and state.adopted:
            self.tunnels.divert(state.address)
            return
        request = self._request(state, add=True)
        if isinstance(state, HomeAddress | CareOfAddress):
            self._install_address(state, request)
        elif isinstance(state, Rule):
            self.record.rule_added(state.priority)
            self._install_rule(state, request)
        elif isinstance(state, Route) and state.table != requests.MAIN:
            self._install_route(request)
        else:
            self.netlink.do(request)

    def remove(self, state: State) -> None:
        """Removes `state`; that it is gone already is no error."""
        if isinstance(state, Tunnel | RouteOptimization):
            self.tunnels.drop(state)
            return
        if isinstance(state, Membership):
            assert self.memberships is not None
            self.memberships.leave(state.group, state.link)
            return
        if isinstance(state, CareOfAddress) and state.adopted:
            self.tunnels.undivert(state.address)
            return
        try:
            request = self._request(state, add=False)
        except NetlinkError:
            request = None  # the link is gone, and the state with it
        if isinstance(state, CareOfAddress):
            self.tunnels.undivert(state.address)
        if request is not None:
            self.netlink.do(request, unless=_GONE)
        if isinstance(state, HomeAddress | CareOfAddress):
            self.record.address_removed(state.address, _length(state), state.link)

    def missing(self, wanted: Iterable[State]) -> list[State]:
        """Those of `wanted` that the kernel's tables no longer hold.  Neighbours come
        and go by the kernel's own rules, and tunnels are nobody else's to touch."""
        names = {link.index: name for name, link in self.links.items()}
        addresses = {(a.address, names.get(a.index)) for a in self.netlink.addresses()}
        routes = {
            (r.table, r.destination, r.metric, names.get(r.index), r.gateway)
            for r in self.netlink.routes()
        }
        rules = {
            (r.priority, r.table, r.source and r.source.network_address, r.destination)
            for r in self.netlink.rules()
        }
        proxies = {
            (n.address, names.get(n.index)) for n in self.netlink.proxy_neighbors()
        }
        lost: list[State] = []
        for state in wanted:
            match state:
                case HomeAddress(address=address, link=link):
                    held = (address, link) in addresses
                case CareOfAddress(address=address, link=link):
                    held = state.adopted or (address, link) in addresses
                case Route():
                    key = (state.table, state.destination, state.metric)
                    held = (*key, state.link, state.gateway) in routes
                case Rule():
                    rule = (state.priority, state.table, state.source)
                    held = (*rule, state.destination) in rules
                case ProxyNeighbor(address=address, link=link):
                    held = (address, link) in proxies
                case Neighbor() | Tunnel() | RouteOptimization() | Membership():
                    held = True
            if not held:
                lost.append(state)
        # A route may name an address as its source, so addresses come first.
        lost.sort(key=lambda state: not isinstance(state, HomeAddress | CareOfAddress))
        return lost

    def _install_address(
        self, state: HomeAddress | CareOfAddress, request: Request
    ) -> None:
        # On record before it exists: a kill in between must not leave it behind.
        self.record.address_added(state.address, _length(state), state.link)
        if isinstance(state, CareOfAddress):
            self.tunnels.divert(state.address)
        # One that stands already (a restart) stays as it is, checked or not.
        [code] = self.netlink.change([request])
        if code == errno.EEXIST and isinstance(state, CareOfAddress):
            self.stood.add(state.address)
        elif code not in (0, errno.EEXIST):
            raise NetlinkError(code, f"{request.line}: {os.strerror(code)}")

    def _install_route(self, request: Request) -> None:
        """A connected socket keeps the way it found, and looks for another only when
        the table of that one changes, or the rules do: so the rules change for once."""
        [code, *_] = self.netlink.change([request, *_TOUCHED_RULES])
        if code:
            raise NetlinkError(code, f"{request.line}: {os.strerror(code)}")

    def _install_rule(self, state: Rule, request: Request) -> None:
        """Rules cannot be replaced: another one of ours under the key goes as soon as
        this one stands, so that no packet finds neither."""
        stale: list[Request] = []
        for found in self.netlink.rules():
            if found.priority != state.priority or found.protocol != requests.PROTOCOL:
                continue
            source = found.source.network_address if found.source else None
            if (source, found.destination) != (state.source, state.destination):
                continue
            suppressed = found.suppress_prefix_length == 0
            if found.table == state.table and suppressed == state.suppress_default:
                continue
            stale.append(
                requests.rule(
                    found.priority,
                    found.table,
                    source=source,
                    suppress_default=suppressed,
                    destination=found.destination,
                    add=False,
                )
            )
        self.netlink.do(request, unless=(errno.EEXIST,))
        for old in stale:
            self.netlink.do(old, unless=_GONE)

    def _request(self, state: State, *, add: bool) -> Request:
        if isinstance(state, Rule):
            return request(state, 0, add=add)
        assert not isinstance(state, Tunnel | RouteOptimization | Membership)
        link = self.links.get(state.link)
        if link is None:
            raise NetlinkError(errno.ENODEV, f"there is no link {state.link}")
        return request(state, link.index, add=add)

    def _send(self, packet: Packet) -> None:
        """A packet that cannot leave is a packet lost, as on any link."""
        octets, name = packets.write(packet), packet.link
        link = self.links.get(name) if name else None
        try:
            if name and link is None:
                raise OSError(errno.ENODEV, f"there is no link {name}")
            if link is not None and packet.link_layer_destination is not None:
                destination = packet.link_layer_destination
                self.sender.send_frame(octets, link.index, destination)
            else:
                self.sender.send(octets, link.index if link else None)
            self.counts.sent += 1
        except OSError:
            self.counts.not_sent += 1

    def _forward(self, octets: bytes, name: str | None) -> None:
        link = self.links.get(name) if name else None
        try:
            if name and link is None:
                raise OSError(errno.ENODEV, f"there is no link {name}")
            self.sender.send_routed(octets, link.index if link else None)
            self.counts.sent += 1
        except OSError:
            self.counts.not_sent += 1


def request(state: State, index: int, *, add: bool) -> Request:
    """The netlink request for a state other than a tunnel."""
    match state:
        case HomeAddress(address=address, link=link):
            flags = requests.NODAD | requests.NOPREFIXROUTE
            return requests.address(index, link, address, 128, flags=flags, add=add)
        case CareOfAddress(address=address, prefix_length=length, link=link):
            # The prefix route is the role's own, with the others.
            flags = requests.OPTIMISTIC if state.checked_by_kernel else requests.NODAD
            flags |= requests.NOPREFIXROUTE
            return requests.address(index, link, address, length, flags=flags, add=add)
        case ProxyNeighbor(address=address, link=link):
            return requests.proxy_neighbor(index, link, address, add=add)
        case Neighbor(address=address, link=link, link_layer_address=octets):
            return requests.neighbor(index, link, address, octets, add=add)
        case Route():
            return requests.route(
                state.destination,
                index,
                state.link,
                table=state.table,
                metric=state.metric,
                gateway=state.gateway,
                source=state.source,
                mtu=state.mtu,
                add=add,
            )
        case Rule():
            return requests.rule(
                state.priority,
                state.table,
                source=state.source,
                suppress_default=state.suppress_default,
                own_only=state.own_only,
                destination=state.destination,
                add=add,
            )
        case Tunnel() | RouteOptimization() | Membership():
            raise TypeError("that is no state of the kernel's tables")


def describe(state: State) -> str:
    """The state as the command that would install it, for people and `--dry-run`."""
    if isinstance(state, Tunnel):
        return (
            f"# tunnel of {state.home_address}: "
            f"{state.home_agent} <-> {state.care_of_address} ({state.end})"
        )
    if isinstance(state, RouteOptimization):
        return (
            f"# direct way of {state.home_address}: "
            f"{state.care_of_address} <-> {state.correspondent} ({state.end})"
        )
    if isinstance(state, Membership):
        return f"# listener of {state.group} on {state.link}"
    return request(state, 0, add=True).line


def outcome(info: AddressInfo) -> bool | None:
    """What the kernel's duplicate address detection found: True unique, False taken,
    None not known yet."""
    if info.flags & requests.DAD_FAILED:
        return False
    return None if info.flags & (requests.TENTATIVE | requests.OPTIMISTIC) else True


def _length(state: HomeAddress | CareOfAddress) -> int:
    return state.prefix_length if isinstance(state, CareOfAddress) else 128
