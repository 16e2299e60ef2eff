"""A mobile node on links that tests make up; time passes by its own deadlines."""

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from random import Random
from typing import Any, TypeVar

from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT, HOME_PREFIX

from mip6.core.effects import Effect, Send
from mip6.core.link import Link
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.packet import Packet, read, write
from mip6.core.state import CareOfAddress, State, Tunnel
from mip6.wire.messages import BindingAcknowledgement, BindingUpdate
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import (
    NeighborOption,
    PrefixInformation,
    SourceLinkLayerAddress,
)
from mip6.wire.options import AlternateCareOfAddress, Option

PREFIX_B = IPv6Network("2001:db8:b::/64")
PREFIX_C = IPv6Network("2001:db8:c::/64")
ROUTER_B = IPv6Address("fe80::b")
ROUTER_C = IPv6Address("fe80::c")
ROUTER_HOME = IPv6Address("fe80::a")
ALL_NODES = IPv6Address("ff02::1")

AnyState = TypeVar("AnyState", bound=State)


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that left, and when."""

    at: float
    packet: Packet

    @property
    def update(self) -> BindingUpdate:
        assert isinstance(self.packet.message, BindingUpdate)
        return self.packet.message

    @property
    def care_of_address(self) -> IPv6Address:
        for option in self.update.options:
            if isinstance(option, AlternateCareOfAddress):
                return option.care_of_address
        return self.packet.source


class Roamer:
    """The mobile node, everything it sent, and the moment it is."""

    def __init__(
        self, *, seed: int = 1, home_address: IPv6Address = HOME_ADDRESS, **more: Any
    ) -> None:
        arguments = {"lifetime": 400, "authentication_required": False, **more}
        home_agents = arguments.pop("home_agents", (HOME_AGENT,))
        self.mobile_node = MobileNode(
            home_address,
            HOME_PREFIX,
            home_agents,
            random=Random(seed).randbytes,
            **arguments,
        )
        self.node = Node(mobile_node=self.mobile_node)
        self.now = 1000.0
        self.sent: list[Sent] = []

    def do(self, effects: list[Effect]) -> list[Effect]:
        """Note what leaves, through its octets."""
        for effect in effects:
            if isinstance(effect, Send):
                packet = read(write(effect.packet), link=effect.packet.link)
                self.sent.append(Sent(self.now, packet))
        return effects

    def link_up(self, name: str = "eth0") -> list[Effect]:
        number = 1 + len(name)
        link = Link(
            name,
            bytes((2, 0, 0, 0, 0, number)),
            IPv6Address(f"fe80::ff:fe00:{number}"),
        )
        return self.do(self.mobile_node.link_up(link, self.now))

    def link_down(self, name: str = "eth0") -> list[Effect]:
        return self.do(self.mobile_node.link_down(name, self.now))

    def hear(
        self,
        prefix: IPv6Network,
        router: IPv6Address,
        *,
        link: str = "eth0",
        valid: int = 86400,
        preferred: int = 86400,
        router_lifetime: int = 1800,
        home_agent: bool | None = None,
        options: tuple[NeighborOption, ...] = (),
    ) -> list[Effect]:
        """A Router Advertisement; on the home link the home agent is the router, if
        nothing else is said."""
        if home_agent is None:
            home_agent = prefix == HOME_PREFIX
        message = RouterAdvertisement(
            router_lifetime=router_lifetime,
            home_agent=home_agent,
            options=(
                SourceLinkLayerAddress(bytes((2, 0, 0, 0, 1, router.packed[15]))),
                PrefixInformation(
                    prefix=prefix.network_address,
                    prefix_length=64,
                    valid_lifetime=valid,
                    preferred_lifetime=preferred,
                    on_link=True,
                    autonomous_address_configuration=True,
                ),
                *options,
            ),
        )
        packet = Packet(
            source=router, destination=ALL_NODES, message=message, hop_limit=255
        )
        return self.receive(write(packet), link=link)

    def receive(self, octets: bytes, **more: Any) -> list[Effect]:
        return self.do(self.node.receive(octets, self.now, **more))

    def wait(self, seconds: float) -> None:
        """Let time pass, from deadline to deadline."""
        end = self.now + seconds
        calls = 0
        while (at := self.node.deadline) is not None and at <= end:
            assert at >= self.now
            calls = calls + 1 if at == self.now else 0
            assert calls < 100, "it is called again and again"
            self.now = at
            self.do(self.node.tick(self.now))
        self.now = end

    def acknowledgement(
        self,
        *,
        status: int = 0,
        lifetime: int | None = None,
        sequence_number: int | None = None,
        options: tuple[Option, ...] = (),
        **changes: Any,
    ) -> bytes:
        """The answer to the last Binding Update, unless `changes` make it another."""
        last = self.updates[-1]
        number = last.update.sequence_number
        at_home = last.packet.home_address is None
        message = BindingAcknowledgement(
            status=status,
            sequence_number=number if sequence_number is None else sequence_number,
            lifetime=last.update.lifetime if lifetime is None else lifetime,
            options=options,
        )
        fields: dict[str, Any] = {
            "source": last.packet.destination,
            "destination": last.packet.source,
            "routing_address": None if at_home else HOME_ADDRESS,
        }
        return write(Packet(message=message, **{**fields, **changes}))

    def answer(self, **fields: Any) -> list[Effect]:
        return self.receive(self.acknowledgement(**fields))

    def register(self) -> None:
        """On a visited link, and the home agent knows."""
        self.link_up()
        self.hear(PREFIX_B, ROUTER_B)
        self.answer()
        assert self.tunnel is not None

    def go_home(self) -> list[Effect]:
        """The cable is put into the home link, and the home agent advertises."""
        self.link_down()
        self.link_up()
        return self.hear(HOME_PREFIX, ROUTER_HOME, home_agent=True)

    @property
    def updates(self) -> list[Sent]:
        return [s for s in self.sent if isinstance(s.packet.message, BindingUpdate)]

    @property
    def tunnel(self) -> Tunnel | None:
        """The tunnel that packets from the home address take now."""
        for tunnel in self.standing(Tunnel):
            if tunnel.expires > self.now and not tunnel.inbound_only:
                return tunnel
        return None

    @property
    def open(self) -> bool:
        """Whether packets from the home address have a way out."""
        first = self.mobile_node.homes.first
        return first.open(self.mobile_node.attachments, self.now)

    @property
    def care_of_addresses(self) -> set[IPv6Address]:
        return {state.address for state in self.standing(CareOfAddress)}

    def standing(self, kind: type[AnyState]) -> list[AnyState]:
        return [s for s in self.mobile_node.installed if isinstance(s, kind)]
