"""rtnetlink requests: each a value that knows the ip(8) line that would do the same."""

import socket
import struct
from ipaddress import IPv6Address, IPv6Network

from mip6.wire.record import record

PROTOCOL = 62
"""Marks our routes, rules and proxy neighbours (`proto 62` in ip), so that they can be
told from others' and cleaned up after a daemon that was killed."""

MAIN = 254
"""The number of the table that everybody uses."""

# Address flags (linux/if_addr.h)
NODAD, OPTIMISTIC, DAD_FAILED, TENTATIVE = 0x02, 0x04, 0x08, 0x40
TEMPORARY, DEPRECATED = 0x01, 0x20
NOPREFIXROUTE = 0x200
# Link flags (linux/if.h)
UP, LOWER_UP = 0x1, 0x10000
# Neighbour states and flags (linux/neighbour.h)
REACHABLE, STALE, FAILED = 0x02, 0x04, 0x20
NTF_PROXY = 0x08

NEW_LINK, NEW_ADDRESS, NEW_ROUTE, NEW_NEIGHBOR, NEW_RULE = 16, 20, 24, 28, 32
"""Message types; one more deletes, two more dumps (linux/rtnetlink.h)."""

REPLACE, EXCLUSIVE, CREATE = 0x100, 0x200, 0x400

ATTRIBUTE = struct.Struct("=HH")
_INTEGER = struct.Struct("=HHI")
LINK = struct.Struct("=BxHiII")  # family, type, index, flags, change
ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
ROUTE = struct.Struct("=BBBBBBBBI")  # family … table, protocol, scope, type, flags
NEIGHBOR = struct.Struct("=BxxxiHBB")  # family, index, state, flags, type
RULE = struct.Struct("=BBBBBBBBI")  # family … table, -, -, action, flags


@record
class Request:
    """One change, ready to be sent; `line` is the ip(8) command that would do it."""

    line: str
    type: int
    flags: int
    body: bytes


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def _integer(kind: int, value: int) -> bytes:
    return _INTEGER.pack(8, kind, value)


def _request(line: str, add: bool, new_type: int, flags: int, body: bytes) -> Request:
    verb = new_type if add else new_type + 1
    return Request(line, verb, flags if add else 0, body)


def link_settings(
    index: int, name: str, *, up: bool | None = None, mtu: int | None = None
) -> Request:
    flags = UP if up else 0
    change = 0 if up is None else UP
    body = LINK.pack(socket.AF_UNSPEC, 0, index, flags, change)
    words = ["ip link set", name]
    if mtu is not None:
        body += _integer(4, mtu)
        words.append(f"mtu {mtu}")
    if up is not None:
        words.append("up" if up else "down")
    return Request(" ".join(words), NEW_LINK, 0, body)


def link_removal(index: int, name: str) -> Request:
    body = LINK.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    return Request(f"ip link del {name}", NEW_LINK + 1, 0, body)


def address(
    index: int,
    name: str,
    value: IPv6Address,
    prefix_length: int,
    *,
    flags: int = 0,
    add: bool = True,
) -> Request:
    """An address; an existing one is an error EEXIST, never changed silently: replacing
    would give a checked address the optimistic mark for ever."""
    octets = value.packed
    body = ADDRESS.pack(socket.AF_INET6, prefix_length, flags & 0xFF, 0, index)
    body += _attribute(2, octets) + _attribute(1, octets)
    if add:
        body += _integer(8, flags)
    verb = "add" if add else "del"
    words = (
        " nodad" if flags & NODAD else "",
        " optimistic" if flags & OPTIMISTIC else "",
        " noprefixroute" if flags & NOPREFIXROUTE else "",
    )
    line = f"ip -6 addr {verb} {value}/{prefix_length} dev {name}"
    line += "".join(words) if add else ""
    return _request(line, add, NEW_ADDRESS, CREATE | EXCLUSIVE, body)


def route(
    destination: IPv6Network,
    index: int,
    name: str,
    *,
    table: int = MAIN,
    metric: int = 1024,
    gateway: IPv6Address | None = None,
    source: IPv6Address | None = None,
    mtu: int | None = None,
    add: bool = True,
) -> Request:
    scope = 0  # RT_SCOPE_UNIVERSE; IPv6 knows no other
    protocol = PROTOCOL if add else 0
    prefix_length = destination.prefixlen
    head = (socket.AF_INET6, prefix_length, 0, 0, table if table < 256 else 0)
    body = ROUTE.pack(*head, protocol, scope, 1 if add else 0, 0)
    body += _attribute(1, destination.network_address.packed)
    body += _integer(4, index) + _integer(6, metric) + _integer(15, table)
    if gateway is not None:
        body += _attribute(5, gateway.packed)
    if source is not None and add:
        body += _attribute(7, source.packed)
    if mtu is not None and add:
        body += _attribute(8, _integer(2, mtu))
    words = [f"ip -6 route {'replace' if add else 'del'} {destination}"]
    words += [f"via {gateway}"] if gateway else []
    words += [f"dev {name}"]
    words += [f"src {source}"] if source and add else []
    words += [f"table {table}"] if table != MAIN else []
    words += [f"mtu {mtu}"] if mtu is not None and add else []
    words += [f"metric {metric}"] + ([f"proto {PROTOCOL}"] if add else [])
    return _request(" ".join(words), add, NEW_ROUTE, CREATE | REPLACE, body)


def rule(
    priority: int,
    table: int,
    *,
    source: IPv6Address | None = None,
    suppress_default: bool = False,
    own_only: bool = False,
    destination: IPv6Network | None = None,
    add: bool = True,
) -> Request:
    to_length = 0 if destination is None else destination.prefixlen
    from_length = 0 if source is None else 128
    head = (socket.AF_INET6, to_length, from_length, 0, table if table < 256 else 0)
    body = RULE.pack(*head, 0, 0, 1, 0)  # action 1: look the table up
    if destination is not None:
        body += _attribute(1, destination.network_address.packed)
    if source is not None:
        body += _attribute(2, source.packed)
    if own_only:
        body += _attribute(3, b"lo\0") + _attribute(24, struct.pack("=HH", 1, 0xFFFE))
    body += _integer(6, priority) + _integer(15, table)
    if suppress_default:
        body += _integer(14, 0)
    body += _attribute(21, bytes([PROTOCOL]))
    line = f"ip -6 rule {'add' if add else 'del'} priority {priority}"
    line += f" from {source}" if source else ""
    line += f" to {destination}" if destination else ""
    line += " iif lo dport 1-65534" if own_only else ""
    line += f" lookup {'main' if table == MAIN else table}"
    line += " suppress_prefixlength 0" if suppress_default else ""
    line += f" protocol {PROTOCOL}" if add else ""
    return _request(line, add, NEW_RULE, CREATE | EXCLUSIVE, body)


def neighbor(
    index: int,
    name: str,
    value: IPv6Address,
    link_layer_address: bytes,
    *,
    add: bool = True,
) -> Request:
    """A neighbour whose link-layer address is known; the kernel verifies it in use
    (state STALE: usable at once, checked after the first packets)."""
    body = NEIGHBOR.pack(socket.AF_INET6, index, STALE, 0, 0) + _attribute(
        1, value.packed
    )
    if add:
        body += _attribute(2, link_layer_address)
    line = f"ip -6 neigh {'replace' if add else 'del'} {value} dev {name}"
    line += f" lladdr {link_layer_address.hex(':')} nud stale" if add else ""
    return _request(line, add, NEW_NEIGHBOR, CREATE | REPLACE, body)


def proxy_neighbor(
    index: int, name: str, value: IPv6Address, *, add: bool = True
) -> Request:
    body = NEIGHBOR.pack(socket.AF_INET6, index, 0, NTF_PROXY, 0)
    body += _attribute(1, value.packed) + _attribute(12, bytes([PROTOCOL]))
    line = f"ip -6 neigh {'add' if add else 'del'} proxy {value} dev {name}"
    return _request(line, add, NEW_NEIGHBOR, CREATE | REPLACE, body)
