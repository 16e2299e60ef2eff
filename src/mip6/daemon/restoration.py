"""What a home agent knows again when it starts: from disk, and what the maps hold."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address

from mip6.core.binding_cache import Binding
from mip6.core.home_agent import HomeAgent
from mip6.core.state import End, Tunnel
from mip6.linux.dataplane import DataPlane

from .home_agent_section import HomeAgentSection
from .store import Store


@dataclass(slots=True)
class Restored:
    bindings: list[Binding | Tunnel] = field(default_factory=list)
    sequence_numbers: list[tuple[IPv6Address, int]] = field(default_factory=list)


def restore(
    store: Store,
    data_plane: DataPlane,
    home_agent: IPv6Address,
    now: float,
    *,
    numbers: bool,
) -> Restored:
    """What is on disk counts; a tunnel that is not there counts as it stands.

    numbers: sequence numbers that outlive their bindings are wanted too.

    Such a tunnel is one that a process installed and was killed before it could
    acknowledge it, or whose file is lost.  Raises SetupError.
    """
    found = Restored()
    known = set()
    standing = _any_stands(data_plane)
    for stored in store.stored():
        if standing:
            known.add(stored.home_address.packed)
        if numbers and stored.sequence_number is not None:
            found.sequence_numbers.append((stored.home_address, stored.sequence_number))
        binding = stored.binding
        if binding is not None and binding.expires > now:
            # Should the wall clock have been put back, nobody gets more than once.
            latest = now + binding.lifetime
            if binding.expires > latest > now:
                binding = replace(binding, expires=latest)
            found.bindings.append(binding)
    found.bindings += (
        tunnel
        for tunnel in data_plane.tunnels(known)
        if tunnel.end == End.HOME_AGENT
        and tunnel.home_agent == home_agent
        and tunnel.expires > now
    )
    return found


def _any_stands(data_plane: DataPlane) -> bool:
    return any(True for _ in data_plane.tunnels())


def restore_prefixes(
    store: Store, home_agent: HomeAgent, wanted: HomeAgentSection, now: float
) -> None:
    """What was known of the home link's prefixes; who has a binding is told what is new
    since, or was new so lately that perhaps not all were told.  Raises SetupError."""
    age = store.prefixes_said(wanted, now)
    changed = age is not None and age < wanted.prefix_interval_max
    home_agent.prefixes_restored(store.prefixes_heard(), now, changed=changed)


def bring_up(data_plane: DataPlane, tunnels: Iterator[Tunnel]) -> None:
    """Makes exactly these tunnels stand; what stands as it should is not disturbed.

    Raises OSError.
    """
    if not _any_stands(data_plane):  # nothing can be left over
        data_plane.put_many(tunnels)
        return
    wanted: dict[End, set[bytes]] = {end: set() for end in End}

    def noted() -> Iterator[Tunnel]:
        for tunnel in tunnels:
            wanted[tunnel.end].add(tunnel.home_address.packed)
            yield tunnel

    data_plane.put_many(noted())
    for tunnel in data_plane.tunnels(wanted[End.HOME_AGENT]):
        if tunnel.home_address.packed not in wanted[tunnel.end]:
            data_plane.drop(tunnel)
