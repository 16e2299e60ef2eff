"""The kernel state that a home agent's bindings stand for (§10.4.1, §10.4.2)."""

from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network

from .binding_cache import Binding
from .effects import Effect, Install, Remove, difference
from .groups import Groups
from .home_link import HomeLink, link_local_of
from .path_mtu import inner_mtu, outer_mtu
from .state import End, ProxyNeighbor, Route, State, Tunnel


class Interception:
    """What brings packets for home addresses here and into the tunnel.

    address: the home agent's.
    device: the mobility device that packets for home addresses are routed to.
    home_link: None when the prefix is routed here and no such link exists.
    groups: None when no multicast goes into the tunnels.
    """

    def __init__(
        self,
        address: IPv6Address,
        device: str,
        home_link: HomeLink | None,
        groups: Groups | None = None,
    ) -> None:
        self._address = address
        self._device = device
        self._home_link = home_link
        self._groups = groups

    def states(self, binding: Binding | None) -> Sequence[State]:
        """The states of one binding, in the order of installing."""
        if binding is None:
            return ()
        home_address = binding.home_address
        tunnel = self.tunnel(binding)
        home_link = self._home_link
        if self._has_tunnel_only(binding):
            return (tunnel,)
        route = Route(
            destination=IPv6Network((int(home_address), 128)),
            link=self._device,
            mtu=inner_mtu(binding.path_mtu),
        )
        if home_link is None:
            return (tunnel, route)
        return (
            tunnel,
            route,
            *(
                ProxyNeighbor(address=address, link=home_link.name)
                for address in self.intercepted(binding)
            ),
        )

    def _has_tunnel_only(self, *bindings: Binding) -> bool:
        """Whether there is nothing beside it: no home link, and no route of its own,
        as that of the prefix will do."""
        return self._home_link is None and all(b.path_mtu is None for b in bindings)

    def tunnel(self, binding: Binding) -> Tunnel:
        """The one of its states that all bindings have."""
        return Tunnel(
            end=End.HOME_AGENT,
            home_address=binding.home_address,
            care_of_address=binding.care_of_address,
            home_agent=self._address,
            expires=binding.expires,
            previous=binding.previous,
            previous_until=binding.previous_until,
            path_mtu=outer_mtu(binding.path_mtu),
        )

    def intercepted(self, binding: Binding) -> tuple[IPv6Address, ...]:
        """The addresses that are ours on the home link meanwhile."""
        home_address = binding.home_address
        if binding.link_local_address_compatibility:
            return (home_address, link_local_of(home_address))
        return (home_address,)

    def change(self, before: Binding | None, after: Binding | None) -> list[Effect]:
        """The effects that lead from one binding to the other."""
        if before is None or after is None or not self._has_tunnel_only(before, after):
            return self._held(before, after, self.states(before))
        # Almost all that ever happens: another tunnel under the same key.
        old, new = self.tunnel(before), self.tunnel(after)
        return [] if old == new else [Install(new)]

    def undo(
        self, before: Binding | None, after: Binding, refused: State
    ) -> list[Effect]:
        """The way back, when the kernel refused a state on the way to `after`."""
        standing = {state.key: state for state in self.states(before)}
        for wanted in self.states(after):
            if wanted == refused:
                break
            standing[wanted.key] = wanted
        return self._held(after, before, tuple(standing.values()))

    def home_address_of(self, state: State) -> IPv6Address | None:
        """Whose binding may want `state`; None: nobody's here.  For a link-local
        address it is the address itself: who shares it cannot be told."""
        match state:
            case Tunnel(end=End.HOME_AGENT):
                return state.home_address
            case Route():
                return state.destination.network_address
            case ProxyNeighbor():
                return state.address
            case _:
                return None

    def _held(
        self, before: Binding | None, after: Binding | None, standing: Sequence[State]
    ) -> list[Effect]:
        """From what stands to `after`; a link-local address stays as long as anybody
        needs it, and is there once."""
        effects = difference(standing, self.states(after))
        if self._groups is not None:
            self._groups.moved(before, after)
        home_link = self._home_link
        if home_link is None:
            return effects
        old, new = _link_local(before), _link_local(after)
        if old == new:
            return effects
        if new is not None and not home_link.hold(new):
            effects = [e for e in effects if not _is_about(e, new)]
        if old is not None and not home_link.let_go(old):
            effects = [e for e in effects if not _is_about(e, old)]
        return effects


def _link_local(binding: Binding | None) -> IPv6Address | None:
    if binding is None or not binding.link_local_address_compatibility:
        return None
    return link_local_of(binding.home_address)


def _is_about(effect: Effect, address: IPv6Address) -> bool:
    return isinstance(effect, Install | Remove) and (
        isinstance(effect.state, ProxyNeighbor) and effect.state.address == address
    )
