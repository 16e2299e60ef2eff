"""The home link: finding out whether an address is free there, and taking it over for a
mobile node that is away (§10.3.1, §10.4.1)."""

from collections import Counter, deque
from ipaddress import IPv6Address

from mip6.wire.messages import BindingUpdate
from mip6.wire.neighbor_discovery import NeighborAdvertisement, NeighborSolicitation
from mip6.wire.neighbor_options import TargetLinkLayerAddress
from mip6.wire.record import record

from .effects import Effect, Send
from .neighbor_discovery import ALL_NODES, HOP_LIMIT, UNSPECIFIED, solicited_node
from .packet import Packet
from .timers import Timers, earliest

CHECK_TIME = 1.0
"""Seconds that a holder of the address has to object (RFC 4862 §5.4: one solicitation,
RetransTimer)."""
CHECKED_MAX = 250
"""Checks that end in one go, so that packets need not wait for thousands."""
ADVERTISED_TIMES = 3
"""MAX_NEIGHBOR_ADVERTISEMENT (RFC 4861 §10): multicast is not reliable."""
ADVERTISED_EVERY = 1.0
"""RetransTimer (RFC 4861 §10), seconds."""
LINK_LOCAL = int(IPv6Address("fe80::"))


def link_local_of(home_address: IPv6Address) -> IPv6Address:
    """The link-local address with the home address's interface identifier (§10.3.1)."""
    return IPv6Address(LINK_LOCAL | int(home_address) & 0xFFFF_FFFF_FFFF_FFFF)


@record
class Waiting:
    """A Binding Update that is answered when its addresses are checked."""

    packet: Packet
    update: BindingUpdate
    addresses: tuple[IPv6Address, ...]


class HomeLink:
    """One home link, seen by one home agent.

    name: of the interface.
    address: the home agent's on it.
    waiting_max: addresses that are checked at a time, and that are advertised again.
    check_time: seconds that a holder of an address has to object; 0: nobody is asked
        (DupAddrDetectTransmits, RFC 4862 §5.1).
    """

    def __init__(
        self,
        name: str,
        address: IPv6Address,
        waiting_max: int,
        check_time: float = CHECK_TIME,
    ) -> None:
        self.name = name
        self.link_layer_address: bytes | None = None
        """Of our interface; unsolicited advertisements need it."""
        self._address = address
        self._waiting_max = waiting_max
        self.check_time = check_time
        self._waiting: dict[IPv6Address, Waiting] = {}
        self._timers: Timers[IPv6Address] = Timers()
        # Which home addresses wait for an address; the link-local one may be shared.
        self._wanted_by: dict[IPv6Address, list[IPv6Address]] = {}
        self._link_locals: Counter[IPv6Address] = Counter()
        # When, what, how many times more: in order of time, as all wait equally long.
        self._repeats: deque[tuple[float, IPv6Address, int]] = deque()

    @property
    def waiting(self) -> int:
        """How many Binding Updates wait for duplicate address detection."""
        return len(self._waiting)

    @property
    def deadline(self) -> float | None:
        repeated = self._repeats[0][0] if self._repeats else None
        return earliest(self._timers.deadline, repeated)

    # Duplicate address detection (RFC 4862 §5.4).

    @property
    def asked(self) -> tuple[IPv6Address, ...]:
        """The home addresses whose first answer waits."""
        return tuple(self._waiting)

    def find(self, home_address: IPv6Address) -> Waiting | None:
        return self._waiting.get(home_address)

    def check(
        self,
        packet: Packet,
        update: BindingUpdate,
        addresses: tuple[IPv6Address, ...],
        now: float,
    ) -> list[Effect]:
        """Ask for `addresses`, all at once; a Binding Update that waits already gives
        way to the newer one, and its time goes on."""
        home_address = packet.origin
        former = self._waiting.get(home_address)
        asked = former.addresses if former else ()
        addresses = (*asked, *(a for a in addresses if a not in asked))
        self._waiting[home_address] = Waiting(packet, update, addresses)
        if former is None:
            self._timers.set(home_address, now + self.check_time)
        effects: list[Effect] = []
        for address in addresses[len(asked) :]:
            self._wanted_by.setdefault(address, []).append(home_address)
            effects.append(self._solicit(address))
        return effects

    def stop(self, home_address: IPv6Address) -> Waiting | None:
        """Nobody waits for this any more."""
        waiting = self._waiting.pop(home_address, None)
        if waiting is not None:
            self._timers.stop(home_address)
            for address in waiting.addresses:
                wanted_by = self._wanted_by[address]
                wanted_by.remove(home_address)
                if not wanted_by:
                    del self._wanted_by[address]
        return waiting

    def taken(self, packet: Packet) -> list[Waiting]:
        """Who waits in vain, if `packet` shows that somebody has the address or asks
        for it at the same time (RFC 4862 §5.4.3, §5.4.4)."""
        message = packet.message
        match message:
            case NeighborAdvertisement():
                own = TargetLinkLayerAddress(self.link_layer_address or bytes(6))
                if own in message.options:
                    return []  # our own, come back
            case NeighborSolicitation() if packet.source == UNSPECIFIED:
                pass
            case _:
                return []
        wanted_by = tuple(self._wanted_by.get(message.target_address, ()))
        return [w for home_address in wanted_by if (w := self.stop(home_address))]

    def checked(self, now: float) -> list[Waiting]:
        """Those nobody objected to; beyond CHECKED_MAX of them `deadline` stays due."""
        due = self._timers.expire(now, CHECKED_MAX)
        return [w for home_address in due if (w := self.stop(home_address))]

    def _solicit(self, address: IPv6Address) -> Send:
        return Send(
            Packet(
                source=UNSPECIFIED,
                destination=solicited_node(address),
                message=NeighborSolicitation(target_address=address),
                hop_limit=HOP_LIMIT,
                link=self.name,
            )
        )

    # Interception (§10.4.1).

    def serves(self, link_local: IPv6Address) -> bool:
        """Whether a binding with L stands for this link-local address."""
        return link_local in self._link_locals

    def hold(self, link_local: IPv6Address) -> bool:
        """One binding more stands for it; True if it is the first."""
        self._link_locals[link_local] += 1
        return self._link_locals[link_local] == 1

    def let_go(self, link_local: IPv6Address) -> bool:
        """One binding less stands for it; True if it was the last."""
        self._link_locals[link_local] -= 1
        if self._link_locals[link_local]:
            return False
        del self._link_locals[link_local]
        return True

    def advertise(
        self, address: IPv6Address, now: float, times: int = ADVERTISED_TIMES
    ) -> list[Effect]:
        """Tell all nodes that packets for `address` come to us; and again, while there
        is room to remember that."""
        if self.link_layer_address is None:
            return []
        if times > 1 and len(self._repeats) < self._waiting_max:
            self._repeats.append((now + ADVERTISED_EVERY, address, times - 1))
        message = NeighborAdvertisement(
            target_address=address,
            override=True,
            options=(TargetLinkLayerAddress(self.link_layer_address),),
        )
        return [
            Send(
                Packet(
                    source=self._address,
                    destination=ALL_NODES,
                    message=message,
                    hop_limit=HOP_LIMIT,
                    link=self.name,
                )
            )
        ]

    def repeats(self, now: float) -> list[tuple[IPv6Address, int]]:
        """The addresses that are to be advertised again now, and how many times more;
        beyond CHECKED_MAX of them `deadline` stays due."""
        due: list[tuple[IPv6Address, int]] = []
        while self._repeats and self._repeats[0][0] <= now and len(due) < CHECKED_MAX:
            _, address, times = self._repeats.popleft()
            due.append((address, times))
        return due
