"""Targets: a node and the kernel below it, told arbitrary things in arbitrary order.

What must hold is in the design, section "Tests": what the node believes stands is what
stands, nothing raises, one packet brings at most one, every table has its limit, and
nobody without the key changes anything.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from fuzz.choices import Choices
from fuzz.packets import (
    ADDRESSES,
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_ADDRESSES,
    HOME_AGENT,
    HOME_PREFIX,
    LIFETIMES,
    LINK_LAYER_ADDRESSES,
    LINKS,
    ROUTERS,
    mobility_message,
    packet,
    router_advertisement,
)
from mip6.core.effects import Effect, Send
from mip6.core.events import Dropped, Event
from mip6.core.home_agent import HomeAgent
from mip6.core.link import Link
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.prefixes import HomePrefix
from mip6.core.state import State, Tunnel
from mip6.sim.party import Party
from mip6.wire.icmpv6 import (
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
)
from mip6.wire.messages import BindingUpdate
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import IPv6Packet, write_packet

BINDINGS_MAX = 3
HELD_MAX = 4
STATES_MAX = 64
STEPS_MAX = 200
OTHER_PREFIX = IPv6Network("2001:db8:1a::/64")
TICKS_MAX = 64
"""After so many a laptop has slept: all the rest in one go."""
UPDATES_MAX = 3
"""Binding Updates in a second (MAX_UPDATE_RATE, RFC 6275 §12)."""
UDP = 17
MOMENTS = (0.0, 0.001, 0.02, 0.5, 1.0, 5.0, 11.0, 40.0, 700.0, 100000.0)


class World:
    """One node, a kernel that may refuse what it is told, and what happens to them."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.now = 1000.0
        self.updates: dict[IPv6Address, list[float]] = {}
        self.identifier = 0
        """Of the last discovery."""
        self.quoted = b""
        """The last packet that was sent, for errors to be about."""
        self._refuses = 0
        self.party = Party(
            "node",
            self.begin(None),
            refuses=self._refuse,
            send=self._send,
            forward=lambda octets: None,
            changed=lambda state, stands: None,
            told=self._told,
        )

    def begin(self, tunnel: Tunnel | None) -> Node:
        """A new process, which finds this."""
        raise NotImplementedError

    def run(self, steps: Sequence[Callable[[Any], None]]) -> None:
        for _ in range(STEPS_MAX):
            if not self.choices.left:
                break
            self.choices.one_of(steps)(self)

    def perform(self, effects: list[Effect]) -> None:
        self.party.perform(effects, self.now)
        assert self.party.owned == self.party.node.installed
        assert len(self.party.ledger) <= STATES_MAX

    def receive(
        self, octets: bytes, link: str | None, protected_for: IPv6Address | None
    ) -> None:
        effects = self.party.node.receive(
            octets, self.now, link=link, protected_for=protected_for
        )
        source = IPv6Address(octets[8:24]) if len(octets) >= 24 else None
        answers = (effect.packet for effect in effects if isinstance(effect, Send))
        assert sum(answer.destination == source for answer in answers) <= 1
        self.perform(effects)

    # Steps of every node

    def wait(self) -> None:
        """Time passes; deadlines are kept, as the loop of a daemon keeps them."""
        end = self.now + self.choices.one_of(MOMENTS)
        node = self.party.node
        for _ in range(TICKS_MAX):
            deadline = node.deadline
            if deadline is None or deadline > end:
                break
            self.now = max(self.now, deadline)
            self.perform(node.tick(self.now))
            again = node.deadline
            assert again is None or again > self.now, "a loop that never sleeps"
        self.now = end
        self.perform(node.tick(end))
        for state in self.party.owned:
            assert not isinstance(state, Tunnel) or state.expires > self.now

    def refuse(self) -> None:
        """The kernel refuses some of what comes next."""
        self._refuses = self.choices.number()

    def restart(self) -> None:
        """Killed and started again, seldom."""
        if self.choices.number():
            return
        tunnels = [s for s in self.party.ledger.values() if isinstance(s, Tunnel)]
        self.party.restart(self.begin(tunnels[0] if tunnels else None))
        self.updates.clear()  # nobody remembers them

    def _send(self, packet: Packet) -> None:
        self.quoted = write(packet)
        if isinstance(packet.message, BindingUpdate):
            updates = self.updates.setdefault(packet.destination, [])
            recent = updates[-UPDATES_MAX:]
            assert len(recent) < UPDATES_MAX or self.now - recent[0] >= 1.0
            updates.append(self.now)
        elif isinstance(packet.message, HomeAgentAddressDiscoveryRequest):
            self.identifier = packet.message.identifier

    def _refuse(self, state: State) -> bool:
        self._refuses, bits = self._refuses >> 1, self._refuses
        return bits & 1 == 1

    def _told(self, event: Event) -> None:
        assert str(event)
        assert not isinstance(event, Dropped) or (event.reason and event.section)


class HomeAgentWorld(World):
    def begin(self, tunnel: Tunnel | None) -> Node:
        if tunnel is None:
            self._options: dict[str, Any] = {
                "authentication_required": self.choices.flag(),
                "home_link": self.choices.one_of((None, "eth0")),
                "grace": self.choices.one_of((2.0, 0.0)),
                "lifetime_max": self.choices.one_of((600.0, 4.0, 262140.0)),
                "check_time": self.choices.one_of((1.0, 0.0)),
                "refuse_others": self.choices.number() % 8 == 0,
            }
        self.role = HomeAgent(
            HOME_AGENT,
            HOME_PREFIX,
            bindings_max=BINDINGS_MAX,
            mobile_nodes=(HOME_PREFIX,),
            restored=(tunnel,) if tunnel else (),
            **self._options,
        )
        return Node(home_agent=self.role)

    def data(self) -> None:
        octets = packet(self.choices, quoted=self.quoted)
        self.perform(self.party.node.unmatched(octets, self.now))

    def update(self) -> None:
        """A Binding Update as a mobile node sends it."""
        choices = self.choices
        home_address = choices.one_of(HOME_ADDRESSES)
        care_of_address = choices.one_of((CARE_OF_ADDRESS, CARE_OF_ADDRESS + 1))
        at_home = choices.number() % 8 == 7
        message = BindingUpdate(
            sequence_number=choices.number(),
            lifetime=0 if at_home else choices.one_of(LIFETIMES),
            acknowledge=True,
            home_registration=True,
        )
        self._hear(
            write(
                Packet(
                    source=home_address if at_home else care_of_address,
                    destination=HOME_AGENT,
                    home_address=None if at_home else home_address,
                    message=message,
                )
            )
        )

    def administer(self) -> None:
        """What the administrator may say while it runs."""
        choices, role = self.choices, self.role
        match choices.number() % 3:
            case 0:
                effects = role.revoke(choices.one_of(HOME_ADDRESSES), self.now)
            case 1:
                prefix = HomePrefix(
                    network=choices.one_of((HOME_PREFIX, OTHER_PREFIX)),
                    valid_until=self.now + choices.one_of(LIFETIMES),
                )
                effects = role.prefixes_changed((prefix,), self.now)
            case _:
                effects = role.configure(
                    (HOME_PREFIX,),
                    self.now,
                    lifetime_max=600,
                    grace=2.0,
                    refuse_others=choices.flag(),
                )
        self.perform(effects)

    def anything(self) -> None:
        number = self.role.last_sequence_number(HOME_ADDRESS) or 0
        self._hear(packet(self.choices, sequence_number=number, quoted=self.quoted))

    def _hear(self, octets: bytes) -> None:
        protected_for = self.choices.one_of((None, *HOME_ADDRESSES))
        before = self._agreed()
        self.receive(octets, self.choices.one_of((None, *LINKS)), protected_for)
        now = self._agreed()
        assert len(now) <= BINDINGS_MAX
        if self.role.authentication_required:
            changed = {a for a in {*before, *now} if before.get(a) != now.get(a)}
            assert changed <= {protected_for}, "changed by somebody else"

    def _agreed(self) -> dict[IPv6Address, tuple[object, ...]]:
        """What only the mobile node may change."""
        return {
            binding.home_address: (
                binding.care_of_address,
                binding.expires,
                binding.sequence_number,
            )
            for binding in self.role.bindings
        }


def home_agent(octets: bytes) -> None:
    """A home agent."""
    world = HomeAgentWorld(Choices(octets))
    world.run(
        (
            World.wait,
            World.refuse,
            World.restart,
            HomeAgentWorld.data,
            HomeAgentWorld.update,
            HomeAgentWorld.update,
            HomeAgentWorld.anything,
            HomeAgentWorld.anything,
            HomeAgentWorld.administer,
        )
    )


class MobileNodeWorld(World):
    def begin(self, tunnel: Tunnel | None) -> Node:
        if tunnel is None:
            count = iter(range(2**32))
            self._options: dict[str, Any] = {
                "authentication_required": self.choices.flag(),
                "optimistic": not self.choices.flag(),
                "discover": self.choices.flag(),
                "fallback": not self.choices.flag(),
                "random": lambda n: next(count).to_bytes(8)[-n:],
            }
        self.role = MobileNode(
            HOME_ADDRESS,
            HOME_PREFIX,
            (HOME_AGENT,) if not self._options["discover"] else (),
            links=LINKS[:2],
            restored=tunnel,
            held_max=HELD_MAX,
            **self._options,
        )
        return Node(mobile_node=self.role)

    def link_up(self) -> None:
        link = Link(
            self.choices.one_of(LINKS),
            self.choices.one_of(LINK_LAYER_ADDRESSES),
            self.choices.one_of((IPv6Address("fe80::64"), None)),
        )
        self.perform(self.role.link_up(link, self.now))

    def link_down(self) -> None:
        self.perform(self.role.link_down(self.choices.one_of(LINKS), self.now))

    def advertisement(self) -> None:
        octets = write(
            Packet(
                source=self.choices.one_of(ROUTERS),
                destination=IPv6Address("ff02::1"),
                message=router_advertisement(self.choices),
                hop_limit=255,
            )
        )
        self.receive(octets, self.choices.one_of(LINKS), None)

    def answer(self) -> None:
        """From the home agent, or somebody who says so."""
        registration = self.role.registration
        octets = write(
            Packet(
                source=HOME_AGENT,
                destination=self.role.care_of_address or HOME_ADDRESS,
                routing_address=HOME_ADDRESS if self.role.care_of_address else None,
                message=mobility_message(
                    self.choices, registration.sequence_number or 0
                ),
            )
        )
        protected_for = self.choices.one_of((HOME_ADDRESS, None))
        before = registration.expires
        self.receive(octets, self.role.link, protected_for)
        if registration.expires > before and self._options["authentication_required"]:
            assert protected_for == HOME_ADDRESS, "believed without a key"

    def checked(self) -> None:
        """Duplicate address detection has ended."""
        address = self.role.care_of_address or self.choices.one_of(ADDRESSES)
        link, unique = self.choices.one_of(LINKS), not self.choices.flag()
        self.perform(self.role.address_checked(address, link, unique, self.now))

    def data(self) -> None:
        """What found no tunnel."""
        octets = write_packet(
            IPv6Packet(
                source=self.choices.one_of((HOME_ADDRESS, CORRESPONDENT)),
                destination=self.choices.one_of(ADDRESSES),
                next_header=self.choices.one_of((UDP, NextHeader.ICMPV6)),
                payload=self.choices.octets(16),
            )
        )
        self.perform(self.party.node.unmatched(octets, self.now))
        assert self.role.held <= HELD_MAX

    def home_agents(self) -> None:
        """A name has other addresses now."""
        found = tuple(
            self.choices.one_of(ADDRESSES) for _ in range(self.choices.number() % 4)
        )
        self.perform(self.role.home_agents_found(found, self.now))

    def discovered(self) -> None:
        """The answer to a discovery, or what somebody makes of one."""
        message = HomeAgentAddressDiscoveryReply(
            identifier=1 if self.choices.flag() else self.identifier,
            home_agent_addresses=tuple(
                self.choices.one_of(ADDRESSES) for _ in range(self.choices.number() % 4)
            ),
        )
        octets = write(
            Packet(
                source=HOME_AGENT,
                destination=self.role.care_of_address or HOME_ADDRESS,
                message=message,
            )
        )
        self.receive(octets, self.role.link, None)

    def stop(self) -> None:
        if not self.choices.number():
            self.perform(self.role.stop(self.now))

    def anything(self) -> None:
        number = self.role.registration.sequence_number or 0
        octets = packet(self.choices, sequence_number=number, quoted=self.quoted)
        protected_for = self.choices.one_of((None, HOME_ADDRESS, CORRESPONDENT))
        self.receive(octets, self.choices.one_of((None, *LINKS)), protected_for)


def mobile_node(octets: bytes) -> None:
    """A mobile node."""
    world = MobileNodeWorld(Choices(octets))
    world.run(
        (
            World.wait,
            World.wait,
            World.refuse,
            World.restart,
            MobileNodeWorld.link_up,
            MobileNodeWorld.link_up,
            MobileNodeWorld.link_down,
            MobileNodeWorld.advertisement,
            MobileNodeWorld.advertisement,
            MobileNodeWorld.advertisement,
            MobileNodeWorld.answer,
            MobileNodeWorld.answer,
            MobileNodeWorld.checked,
            MobileNodeWorld.data,
            MobileNodeWorld.stop,
            MobileNodeWorld.home_agents,
            MobileNodeWorld.discovered,
            MobileNodeWorld.anything,
        )
    )
