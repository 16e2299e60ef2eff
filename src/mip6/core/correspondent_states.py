"""The kernel state that the bindings of a correspondent stand for (decision 0012)."""

from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network

from .correspondent_cache import CorrespondentBinding, CorrespondentCache
from .path_mtu import inner_mtu, outer_mtu
from .state import CORRESPONDENT_TABLE, End, Route, RouteOptimization, State


def states_of(
    cache: CorrespondentCache,
    binding: CorrespondentBinding | None,
    home_address: IPv6Address,
    device: str,
) -> Sequence[State]:
    """For a pair of ends, in the order of installing; None: they have no binding.
    Bindings of one home address share the route to it, by `device`."""
    states: list[State] = []
    if binding is not None:
        states.append(
            RouteOptimization(
                end=End.CORRESPONDENT,
                home_address=home_address,
                correspondent=binding.correspondent,
                care_of_address=binding.care_of_address,
                expires=binding.expires,
                previous=binding.previous,
                previous_until=binding.previous_until,
                path_mtu=outer_mtu(binding.path_mtu, binding.overhead),
            )
        )
    bindings = cache.of(home_address)
    if bindings:
        mtus = [inner_mtu(b.path_mtu, b.overhead) for b in bindings]
        states.append(
            Route(
                # Of a number, as an address would be written and read again.
                destination=IPv6Network(int(home_address)),
                link=device,
                table=CORRESPONDENT_TABLE,
                mtu=min((mtu for mtu in mtus if mtu), default=None),
            )
        )
    return states


def bindings_about(
    cache: CorrespondentCache, state: State
) -> Sequence[CorrespondentBinding]:
    """The bindings that may want `state`."""
    match state:
        case RouteOptimization(end=End.CORRESPONDENT):
            binding = cache.between(state.correspondent, state.home_address)
            return (binding,) if binding else ()
        case Route():
            return cache.of(state.destination.network_address)
    return ()


def found_in_kernel(state: RouteOptimization) -> CorrespondentBinding:
    """The binding that this was installed for by an earlier process."""
    return CorrespondentBinding(
        correspondent=state.correspondent,
        home_address=state.home_address,
        care_of_address=state.care_of_address,
        sequence_number=None,
        lifetime=0,
        expires=state.expires,
        previous=state.previous,
        previous_until=state.previous_until,
    )
