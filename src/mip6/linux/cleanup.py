"""Removes what is ours in the kernel's tables and no longer wanted.

Routes, rules and proxy neighbours of ours bear a mark, addresses are in the journal; so
this works the same after a change of plans, at a stop, and after a daemon was killed.
"""

import errno
from collections.abc import Collection
from ipaddress import IPv6Address

from mip6.core.state import (
    CareOfAddress,
    HomeAddress,
    ProxyNeighbor,
    Route,
    Rule,
    State,
)

from . import netlink_requests as requests
from .journal import Journal
from .netlink import Netlink
from .netlink_requests import Request

_GONE = (errno.ESRCH, errno.ENOENT, errno.ENODEV, errno.EADDRNOTAVAIL, errno.ENXIO)


def sweep(netlink: Netlink, journal: Journal, wanted: Collection[State] = ()) -> int:
    """Removes every state of ours that is not `wanted`; how many there were."""
    names = {link.index: link.name for link in netlink.links()}
    stale = _rules(netlink, journal, wanted)
    stale += _routes(netlink, journal, wanted, names)
    stale += _proxies(netlink, journal, wanted, names)
    count = sum(code not in _GONE for code in netlink.change(stale))
    return count + _addresses(netlink, journal, wanted)


def _rules(
    netlink: Netlink, journal: Journal, wanted: Collection[State]
) -> list[Request]:
    keys = {
        (s.priority, s.table, s.source, s.destination)
        for s in wanted
        if isinstance(s, Rule)
    }
    stale: list[Request] = []
    for rule in netlink.rules():
        ours = (
            rule.protocol == requests.PROTOCOL and rule.priority in journal.priorities
        )
        source = rule.source.network_address if rule.source else None
        key = (rule.priority, rule.table, source, rule.destination)
        if ours and key not in keys:
            stale.append(
                requests.rule(
                    rule.priority,
                    rule.table,
                    source=source,
                    suppress_default=rule.suppress_prefix_length == 0,
                    destination=rule.destination,
                    add=False,
                )
            )
    return stale


def _routes(
    netlink: Netlink,
    journal: Journal,
    wanted: Collection[State],
    names: dict[int, str],
) -> list[Request]:
    keys = {
        (s.table, s.destination, s.metric, s.link)
        for s in wanted
        if isinstance(s, Route)
    }
    stale: list[Request] = []
    for route in netlink.routes():
        name = names.get(route.index, "")
        ours = route.protocol == requests.PROTOCOL and name in journal.links
        if ours and (route.table, route.destination, route.metric, name) not in keys:
            stale.append(
                requests.route(
                    route.destination,
                    route.index,
                    name,
                    table=route.table,
                    metric=route.metric,
                    gateway=route.gateway,
                    add=False,
                )
            )
    return stale


def _proxies(
    netlink: Netlink,
    journal: Journal,
    wanted: Collection[State],
    names: dict[int, str],
) -> list[Request]:
    keys = {(s.address, s.link) for s in wanted if isinstance(s, ProxyNeighbor)}
    stale: list[Request] = []
    for proxy in netlink.proxy_neighbors():
        name = names.get(proxy.index, "")
        ours = proxy.protocol == requests.PROTOCOL and name in journal.links
        if ours and (proxy.address, name) not in keys:
            request = requests.proxy_neighbor(
                proxy.index, name, proxy.address, add=False
            )
            stale.append(request)
    return stale


def _addresses(netlink: Netlink, journal: Journal, wanted: Collection[State]) -> int:
    keys: set[tuple[IPv6Address, str]] = {
        (s.address, s.link)
        for s in wanted
        if isinstance(s, HomeAddress | CareOfAddress)
    }
    indices = {link.name: link.index for link in netlink.links()}
    count = 0
    for address, length, name in sorted(journal.addresses):
        if (address, name) in keys:
            continue
        if name in indices:
            removal = requests.address(indices[name], name, address, length, add=False)
            count += netlink.change([removal])[0] == 0
        journal.address_removed(address, length, name)
    return count
