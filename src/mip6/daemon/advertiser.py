"""Sends Router Advertisements on the links that `[router]` names.

A part of its own, beside the other roles or alone: it shares nothing with them but the
clock, and a home agent with a million bindings does not keep it waiting longer than one
batch of packets.
"""

import asyncio
import os
from collections.abc import Callable, Iterable

from mip6.core.effects import Effect, Notify, Send
from mip6.core.events import Event, Problem
from mip6.core.link import Link
from mip6.core.node import Node
from mip6.core.packet import write
from mip6.core.router import Advertising, AdvertisingRouter
from mip6.linux import clock, sysctl
from mip6.linux.executor import outcome
from mip6.linux.netlink import AddressInfo, LinkInfo, Listener, Netlink
from mip6.linux.sockets import IcmpListener, Sender

from .configuration import Configuration
from .home_link import HomeLinked
from .recording import Recorder
from .router import advertisings, renumbered


class Advertiser:
    """One router at work, from `start` to `stop`.  Raises OSError."""

    def __init__(
        self,
        advertising: Iterable[Advertising],
        report: Callable[[Event], None],
        recorder: Recorder,
    ) -> None:
        advertising = tuple(advertising)
        self._home_prefixes = next(
            (one.home_prefixes for one in advertising if one.home_agent), ()
        )
        self.sent = 0
        self.not_sent = 0
        self._report = report
        self._role = recorder.new(AdvertisingRouter, advertising, random=os.urandom)
        self._node = recorder.new(Node, router=self._role)
        self._netlink = Netlink()
        self._notices = Listener(ignored=self._netlink.port)
        self._icmp = IcmpListener(advertisements=False, of_hosts=True)
        self._sender = Sender()
        self._timer = clock.Timer()
        self._links: dict[str, LinkInfo] = {}
        self._names: dict[int, str] = {}

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.add_reader(self._timer.fileno(), self._tick)
        loop.add_reader(self._notices.fileno(), self._noticed)
        loop.add_reader(self._icmp.fileno(), self._heard)
        self._look()
        for name in self._role.links:
            if name not in self._links:
                self._report(
                    Problem(
                        f"there is no interface {name} yet",
                        "it is used as soon as it appears; or correct its name",
                    )
                )
        if sysctl.read(sysctl.ipv6("all", "forwarding")) == "0":
            self._report(
                Problem(
                    "IPv6 forwarding is off: what is advertised here is no router",
                    "sysctl -w net.ipv6.conf.all.forwarding=1",
                )
            )

    def renumber(self, home: HomeLinked) -> None:
        """The home agent's file was read again."""
        self._home_prefixes = renumbered(self._home_prefixes, home)
        self._perform(self._role.renumber(self._home_prefixes, clock.now()))

    def stop(self, loop: asyncio.AbstractEventLoop, *, silently: bool = False) -> None:
        """Says that it is no router any more; `silently`: another goes on with it."""
        if not silently:
            self._perform(self._role.stop(clock.now()))
        for resource in (self._timer, self._notices, self._icmp):
            loop.remove_reader(resource.fileno())
            resource.close()
        self._sender.close()
        self._netlink.close()

    @property
    def links(self) -> list[LinkInfo]:
        """Those that it advertises on and that are there."""
        return [self._links[name] for name in self._role.links if name in self._links]

    def _look(self) -> None:
        """What is true of the links now."""
        now = clock.now()
        self._links = {link.name: link for link in self._netlink.links()}
        self._names = {link.index: name for name, link in self._links.items()}
        link_locals = {
            info.index: info.address
            for info in self._netlink.addresses()
            if info.address.is_link_local and outcome(info)
        }
        for name in self._role.links:
            link = self._links.get(name)
            if link is None or not link.is_up:
                self._perform(self._role.link_down(name, now))
                continue
            self._icmp.join(link.index)
            value = Link(
                name=name,
                link_layer_address=link.link_layer_address,
                link_local=link_locals.get(link.index),
                mtu=link.mtu,
            )
            self._perform(self._role.link_up(value, now))

    def _noticed(self) -> None:
        notices = self._notices.read()
        if notices is None or any(
            isinstance(notice.info, LinkInfo | AddressInfo) for notice in notices
        ):
            self._look()

    def _heard(self) -> None:
        for octets, index in self._icmp.read():
            link = self._names.get(index)
            self._perform(self._node.receive(octets, clock.now(), link=link))

    def _tick(self) -> None:
        self._perform(self._node.tick(self._timer.fired()))

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(packet):
                    self._send(write(packet), packet.link)
                case Notify(event):
                    self._report(event)
        self._timer.arm(self._node.deadline)

    def _send(self, octets: bytes, name: str | None) -> None:
        link = self._links.get(name or "")
        try:
            self._sender.send(octets, link.index if link else None)
            self.sent += 1
        except OSError:  # the link has just gone
            self.not_sent += 1


def advertiser(
    configuration: Configuration,
    report: Callable[[Event], None],
    recorder: Recorder,
) -> Advertiser | None:
    """That of a configuration; None if nothing is to be advertised."""
    wanted = advertisings(configuration.router, configuration.home_agent)
    return Advertiser(wanted, report, recorder) if wanted else None
