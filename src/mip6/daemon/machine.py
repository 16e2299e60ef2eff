"""The machine the daemon runs on: made ready at the start, put back at the end."""

import contextlib
import errno
import os
import pwd
from collections.abc import Collection
from ipaddress import IPv6Address
from pathlib import Path

from mip6.core.home_link import CHECK_TIME
from mip6.core.packet import Packet, write
from mip6.core.state import (
    CORRESPONDENT_TABLE,
    Route,
    RouteOptimization,
    Rule,
    State,
    Tunnel,
)
from mip6.linux import attachment, privileges, sysctl
from mip6.linux import netlink_requests as requests
from mip6.linux.cleanup import sweep
from mip6.linux.dataplane import OPEN_RATE, DataPlane
from mip6.linux.journal import Journal
from mip6.linux.netlink import AddressInfo, LinkInfo, Netlink
from mip6.linux.sockets import Sender
from mip6.linux.tun import Device
from mip6.wire.neighbor_discovery import RouterSolicitation

from .configuration import Configuration
from .directories import RUN, STATE, opened_pins
from .errors import SetupError

ROOM = 48
"""Octets kept free for headers we add: a tunnel's 40, or 48 with route optimization."""
MTU_MIN = 1280
RULE = 998
"""Priority of the rule for a correspondent's routes: before a mobile node's."""

_ETHERNET, _POINT_TO_POINT, _NO_LINK_LAYER = 1, 512, 65534
_PERMANENT = 0x80
_PROTOCOL_KERNEL, _PROTOCOL_ADVERTISED = 2, 9

MANAGED = {
    "accept_ra": 0,
    "autoconf": 0,
    "router_solicitations": 0,
    "optimistic_dad": 1,
    "use_optimistic": 1,
}
"""On a link that mip6 manages the kernel neither solicits nor configures; care-of
addresses are used while they are checked (RFC 4429)."""


def socket_path(name: str) -> Path:
    return RUN / f"{name}.sock"


def store_path(name: str) -> Path:
    return STATE / name / "state.sqlite"


def journal_path(name: str) -> Path:
    return RUN / f"{name}.restore.json"


class Machine:
    """Device, data plane and settings of one instance.  Raises SetupError where this
    machine cannot be made ready, having put back what it had changed."""

    def __init__(
        self,
        configuration: Configuration,
        name: str,
        *,
        spis: Collection[int] = (),
    ) -> None:
        """`spis`: of the ESP that the daemon opens, everything else is the kernel's."""
        self.configuration = configuration
        self._spis = spis
        self.netlink = Netlink()
        self.links = {link.name: link for link in self.netlink.links()}
        former = Journal.load(journal_path(name))
        self.took_over = former is not None
        """An earlier daemon was killed; its tunnels may still carry traffic."""
        self.optimistic = True
        """Whether this kernel has optimistic addresses (RFC 4429)."""
        self.not_attached: dict[str, str] = {}
        """Links that would not take our program, and why."""
        self.journal = former or Journal(journal_path(name), configuration.device)
        self._resources = contextlib.ExitStack()
        self._pins = self._resources.enter_context(opened_pins()) / name
        try:
            # First, since it is refused when another instance holds it: then nothing
            # has been touched yet.
            self.device = Device.open(configuration.device, mtu=self._mtu())
        except OSError as error:
            self.netlink.close()
            self._resources.close()
            raise SetupError(error.strerror or str(error)) from error
        try:
            self._prepare()
        except OSError as error:
            self.device.close()
            if not self.took_over:
                put_back(self.journal, self._pins, self.netlink)
            self.netlink.close()
            self._resources.close()
            raise SetupError(error.strerror or str(error)) from error

    def _prepare(self) -> None:
        name = self.configuration.device
        self.journal.links |= {name, *self.wanted_links()}
        self.journal.save()
        for wanted in self.wanted_links():
            if wanted in self.links:
                self.prepare_link(wanted)
        self._refresh_links()
        index = self.links[name].index
        home_agent = self.configuration.home_agent
        correspondent = self.configuration.correspondent
        self.data_plane = DataPlane.open(
            self._pins,
            device=index,
            bindings_max=home_agent.bindings_max if home_agent else 16,
            # A home agent's own packets to its mobile nodes go directly, too (§10.4.2).
            mobile_nodes_max=(correspondent.bindings_max if correspondent else 16)
            + (home_agent.bindings_max if home_agent else 0),
            spis=self._spis,
            # Without ESP there is nothing to protect them with.
            protect_home_tests=home_agent is not None and bool(self._spis),
            multicast=home_agent is not None and home_agent.multicast,
            known=self.configuration.known,
            # What anybody sends must not be in the way of whom we know.
            open_rate=OPEN_RATE
            if self.configuration.authenticates or self.configuration.known
            else None,
        )
        self.data_plane.load()
        self.data_plane.attach_device(index)
        if not self.took_over:
            # What the kernel said before the program was there: nobody's packets.
            for _ in self.device.read(self.device.data):
                pass
        for link in self.attachable():
            self.note(link.name)
            try:
                self.attach(link)
            except OSError as error:
                if link.name in self.wanted_links():
                    raise
                self.not_attached[link.name] = error.strerror or str(error)

    @property
    def own_states(self) -> set[State]:
        """State that stands as long as the daemon: the route of a virtual home link,
        the rule by which a correspondent's own packets see its mobile nodes."""
        configuration = self.configuration
        states: set[State] = set()
        home_agent = configuration.home_agent
        if home_agent is not None and home_agent.home_link is None:
            states.add(
                Route(destination=home_agent.home_prefix, link=configuration.device)
            )
        if configuration.correspondent is not None:
            states.add(Rule(priority=RULE, table=CORRESPONDENT_TABLE, own_only=True))
        return states

    def wanted_links(self) -> list[str]:
        """The links that the configuration names; they may not exist yet."""
        mobile_node = self.configuration.mobile_node
        if mobile_node is not None:
            return list(mobile_node.interfaces)
        home_agent = self.configuration.home_agent
        link = home_agent.home_link if home_agent else None
        return [link] if link else []

    def prepare_link(self, name: str) -> None:
        """Settings of a link that the role is about, before it is used."""
        if self.configuration.mobile_node is None:
            # The second makes the kernel refuse packets to link-local addresses of
            # mobile nodes that are away, and tell their senders (§10.4.2).
            self._set(sysctl.ipv6(name, "proxy_ndp"), 1)
            self._set(sysctl.ipv6("all", "proxy_ndp"), 1)
            self._set(f"net/ipv6/neigh/{name}/proxy_delay", 0)
            return
        if not self.configuration.mobile_node.manage:
            return  # others see to it
        for setting, value in MANAGED.items():
            try:
                self._set(sysctl.ipv6(name, setting), value)
            except FileNotFoundError:
                if not setting.endswith(("optimistic", "optimistic_dad")):
                    raise
                self.optimistic = False
        self._forget_advertised(name)
        link = self.links[name]
        if not link.flags & requests.UP:
            self.journal.raised.add(name)
            self.journal.save()
            self.netlink.do(requests.link_settings(link.index, name, up=True))

    def _forget_advertised(self, name: str) -> None:
        """What the kernel configured from advertisements until now would go stale."""
        index = self.links[name].index
        ours = {address for address, _, link in self.journal.addresses if link == name}
        advertised: list[AddressInfo] = []
        by_hand: list[AddressInfo] = []
        for address in self.netlink.addresses():
            if address.index == index and address.address not in ours:
                kept = address.flags & _PERMANENT or address.address.is_link_local
                (by_hand if kept else advertised).append(address)
        stale = [
            requests.address(index, name, a.address, a.prefix_length, add=False)
            for a in advertised
        ]
        for route in self.netlink.routes():
            if route.index != index or route.table != requests.MAIN:
                continue
            # The kernel marks the prefixes it heard of like those of addresses.
            heard = route.protocol == _PROTOCOL_KERNEL and not any(
                a.address in route.destination for a in by_hand
            )
            if heard or route.protocol == _PROTOCOL_ADVERTISED:
                stale.append(
                    requests.route(
                        route.destination,
                        index,
                        name,
                        metric=route.metric,
                        gateway=route.gateway,
                        add=False,
                    )
                )
        self.netlink.change(stale)

    def attachable(self) -> list[LinkInfo]:
        """The links whose packets our ingress program should see: the managed ones, or
        at a home agent all that are no part of a bridge or bond."""
        mobile_node = self.configuration.mobile_node
        if mobile_node is not None:
            names = [n for n in mobile_node.interfaces if n in self.links]
            return [self.links[name] for name in names]
        kinds = (_ETHERNET, _POINT_TO_POINT, _NO_LINK_LAYER)
        return [
            link
            for link in self.links.values()
            if link.hardware in kinds
            and not link.master
            and link.name != self.configuration.device
        ]

    def appeared(self, link: LinkInfo) -> None:
        """A link that came after the start, before anything is done with it.  What
        cannot be set is left: the link may be gone again."""
        self.note(link.name)
        if link.name in self.wanted_links():
            with contextlib.suppress(OSError):
                self.prepare_link(link.name)

    def note(self, name: str) -> None:
        """A link that `put_back` must look at too."""
        if name not in self.journal.links:
            self.journal.links.add(name)
            self.journal.save()

    def attach(self, link: LinkInfo) -> None:
        """Puts the ingress program on a link.  Takes milliseconds, and touches nothing
        but the data plane: it may run in a thread.  Raises OSError."""
        self.data_plane.attach_link(link.index, layer3=link.hardware != _ETHERNET)

    def _mtu(self) -> int:
        mtus = [link.mtu for link in self.attachable()]
        return max(MTU_MIN, min(mtus, default=1500) - ROOM)

    def adjust_mtu(self) -> None:
        """Follows the links in use; called when one comes, goes or changes."""
        device, mtu = self.links.get(self.configuration.device), self._mtu()
        if device is not None and device.mtu != mtu:
            settings = requests.link_settings(device.index, device.name, mtu=mtu)
            self.netlink.do(settings, unless=(errno.ENODEV,))

    def tunnels(self) -> list[Tunnel]:
        return list(self.data_plane.tunnels())

    def ways(self) -> list[RouteOptimization]:
        return list(self.data_plane.route_optimizations())

    def has_address(self) -> bool:
        """Whether the home agent's address is one of this machine's."""
        home_agent = self.configuration.home_agent
        held = {a.address for a in self.netlink.addresses()}
        return home_agent is None or home_agent.address in held

    def check_time(self) -> float:
        """Seconds that a home agent looks for duplicates on its home link: as long as
        this machine does for its own addresses there (DupAddrDetectTransmits, RFC 4862
        §5.1), so 0 where the administrator has switched that off."""
        home_agent = self.configuration.home_agent
        link = home_agent.home_link if home_agent else None
        if link is None or link not in self.links:
            return CHECK_TIME
        return int(sysctl.read(sysctl.ipv6(link, "dad_transmits"))) * CHECK_TIME

    def forward_again(self) -> str:
        """Switches the mobility device's forwarding on where somebody has switched it
        off, by which nothing goes into a tunnel; what was to do, or ""."""
        name = sysctl.ipv6(self.configuration.device, "forwarding")
        with contextlib.suppress(OSError):
            if sysctl.read(name) == "0":
                sysctl.write(name, "1")
                return sysctl.line(name, 1)
        return ""

    def home_check_time(self) -> float:
        """The same at a mobile node, for its home address back on the home link."""
        mobile_node = self.configuration.mobile_node
        if mobile_node is None:
            return 0.0
        settings = [
            int(sysctl.read(sysctl.ipv6(name, "dad_transmits")))
            for name in mobile_node.interfaces
            if name in self.links
        ]
        return max(settings, default=1) * CHECK_TIME

    def forwards(self) -> bool:
        return sysctl.read(sysctl.ipv6("all", "forwarding")) != "0"

    def _refresh_links(self) -> None:
        self.links.clear()
        self.links.update((link.name, link) for link in self.netlink.links())

    def _set(self, name: str, value: int) -> None:
        former, wanted = sysctl.read(name), str(value)
        if former == wanted:
            return
        if name not in self.journal.originals:
            self.journal.originals[name] = former
            self.journal.save()
        sysctl.write(name, wanted)

    def close(self) -> None:
        """Ends this process's part and leaves everything working, as a kill would."""
        self.data_plane.close()
        self.device.close()
        self.netlink.close()
        self._resources.close()

    def put_back(self) -> None:
        """Removes every trace of this instance."""
        self.data_plane.close()
        self.device.close()
        put_back(self.journal, self._pins, self.netlink)
        self.netlink.close()
        self._resources.close()


def put_back(journal: Journal, pins: Path, netlink: Netlink) -> None:
    """As `Machine.put_back`, from the journal alone: after a daemon that was killed."""
    DataPlane.remove(pins)
    sweep(netlink, journal)
    links = {link.name: link for link in netlink.links()}
    if device := links.get(journal.device):
        removal = requests.link_removal(device.index, device.name)
        netlink.do(removal, unless=(errno.ENODEV,))
    for name in journal.raised & links.keys():
        netlink.do(requests.link_settings(links[name].index, name, up=False))
    sysctl.restore(journal.originals)
    for name in links.keys() & journal.links:
        if journal.originals.get(sysctl.ipv6(name, "accept_ra"), "0") != "0":
            _solicit(links[name])
    journal.forget()


def _solicit(link: LinkInfo) -> None:
    """The kernel configures the link again; without this it would wait, minutes
    perhaps, for the next advertisement."""
    solicitation = Packet(
        source=IPv6Address("::"),
        destination=IPv6Address("ff02::2"),
        message=RouterSolicitation(),
        hop_limit=255,
    )
    sender = Sender()
    with contextlib.suppress(OSError):  # no carrier: it solicits when there is one
        sender.send(write(solicitation), link.index)
    sender.close()


def clean(name: str) -> bool:
    """Puts back what a killed daemon left; False if there was nothing.

    With no more rights than that daemon had, and for good: what it left, somebody who
    had broken into it may have written.
    """
    path = journal_path(name)
    journal = Journal.load(path)
    if journal is None:
        return False
    with opened_pins() as pins:
        owner = path.stat().st_uid
        if owner != os.geteuid():
            attachment.prepare_to_detach(pins / name)
            privileges.become(pwd.getpwuid(owner))
        privileges.reduce()
        netlink = Netlink()
        try:
            put_back(journal, pins / name, netlink)
        finally:
            netlink.close()
    socket_path(name).unlink(missing_ok=True)
    return True
