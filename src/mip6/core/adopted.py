"""Links that others configure: NetworkManager, systemd-networkd, a DHCPv6 client, the
kernel itself.  Their addresses and default routes are taken as they are found."""

from ipaddress import IPv6Address, IPv6Network
from math import inf

from mip6.wire.record import record

from .link import Attachment
from .memory import Place
from .movement import ManagedLink
from .packet import Packet

DOUBTS = 1.0
"""Seconds after the link has come up in which an address counts only if a router
advertises its prefix: it may be left from the link before."""
UNHEARD_TIME = 3.5
"""Seconds for who configures a link to find its routers."""
ADDRESSES_MAX = 64
"""Of one link; routers with many prefixes could make the kernel hold more."""


@record(kw_only=True)
class Adopted:
    """A global address that somebody configured.  Temporary ones are left out: they
    come and go, and each time would be a move."""

    address: IPv6Address
    prefix_length: int
    preferred: bool = True
    """Not deprecated (RFC 4862 §5.5.4)."""
    usable: bool = True
    """Not tentative, or optimistic (RFC 4429)."""

    @property
    def network(self) -> IPv6Network:
        return IPv6Network((self.address, self.prefix_length), strict=False)


class AdoptedLink(ManagedLink):
    """One link that is up, and what others have made of it.

    Nothing is solicited there and nothing configured.  Advertisements only tell which
    of the addresses are of this link: the kernel keeps those of the one before.
    """

    _gateways: tuple[IPv6Address, ...] = ()
    _addresses: tuple[Adopted, ...] = ()
    _in_use: IPv6Address | None = None
    _since: float = inf

    def configured(
        self, addresses: tuple[Adopted, ...], gateways: tuple[IPv6Address, ...]
    ) -> None:
        """These are all the addresses now, and the routers of the default routes, the
        best first."""
        self._addresses = addresses[:ADDRESSES_MAX]
        self._gateways = gateways

    def hint(self, now: float) -> None:
        """Who configures the link looks after it."""

    def checked(self, address: IPv6Address, unique: bool) -> bool:
        return False

    def lost(self, address: IPv6Address, now: float) -> bool:
        return False

    def probes(self) -> list[Packet]:
        return []

    def deserted(self, now: float) -> bool:
        """Whether nobody has configured it, though there was time to."""
        return not self._gateways and now >= self._since + UNHEARD_TIME

    def distrusts(self, router: IPv6Address, now: float) -> bool:
        return self._reputation.distrusted_at((router, None), now) > -inf

    def places(self) -> list[Place]:
        return []

    def update(self, now: float) -> bool:
        """Never anything to be sent."""
        super().update(now)
        self._ask_at = self._answer_by = inf
        self._since = min(self._since, now)
        return False

    @property
    def deadline(self) -> float:
        moments = [*self._reputation.moments(), self._since + DOUBTS]
        return min((at for at in moments if at > self._now), default=inf)

    def knows(self, network: IPv6Network) -> bool:
        return any(one.network == network for one in self._addresses)

    def reached(self, router: IPv6Address, now: float, *, answered: bool) -> None:
        if answered:
            self._reputation.answered((router, None))
        else:
            self._reputation.failed((router, None), now)

    def attachment(self, now: float) -> Attachment | None:
        """At home with an address of the home prefix; else the address in use while it
        is preferred, or the first that is."""
        if not self._gateways:
            return None
        # One that advertised since the link came up is no leftover either.
        heard = (router for router in self._gateways if router in self.routers)
        gateway = next(heard, self._gateways[0])
        best: Adopted | None = None
        for one in self._addresses:
            if self._is_home(one) and (
                self._never_return_home or not self._advertised(one)
            ):
                continue  # left from home, perhaps, and that would be worth a message
            if best is None or self._rank(one) > self._rank(best):
                best = one
        if best is None:
            return None
        self._in_use = best.address
        way = (gateway, None)
        certain = self._advertised(best) or now >= self._since + DOUBTS
        return Attachment(
            link=self.link.name,
            router=gateway,
            router_link_layer_address=None,
            home_agent_here=False,
            prefix=best.network,
            care_of_address=None if self._is_home(best) else best.address,
            silent=False,
            distrusted_at=self._reputation.distrusted_at(way, now),
            valid_until=inf,
            unique=True,
            usable=best.usable and certain,
            adopted=True,
        )

    def _is_home(self, one: Adopted) -> bool:
        return any(one.address in prefix for prefix in self.home_prefixes)

    def _advertised(self, one: Adopted) -> bool:
        """Whether a router said since the link came up that this address is of here;
        one from DHCPv6 is alone, without the prefix it was taken from."""
        prefixes = (p for router in self.routers.values() for p in router.prefixes)
        return any(one.address in prefix.network for prefix in prefixes)

    def _rank(self, one: Adopted) -> tuple[bool, ...]:
        return (
            self._advertised(one),
            self._is_home(one),
            one.preferred,
            one.address == self._in_use,
        )
