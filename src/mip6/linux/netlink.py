"""Batched rtnetlink: what happens per event or in bulk, at 10-30 µs a change.

The kernel carries a request out inside `send`; its answer waits when `send` returns,
so nothing here ever blocks, and all of it may be called from a running event loop.
pyroute2 costs 0.7 ms a call and shows no proxy neighbours; it is used for set-up only.
"""

import contextlib
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv6Address, IPv6Network

from mip6.wire.record import record

from .netlink_requests import (
    ADDRESS,
    ATTRIBUTE,
    LINK,
    LOWER_UP,
    NEIGHBOR,
    NEW_ADDRESS,
    NEW_LINK,
    NEW_NEIGHBOR,
    NEW_ROUTE,
    NEW_RULE,
    NTF_PROXY,
    ROUTE,
    RULE,
    UP,
    Request,
)

_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port

_NEXT_HOP = struct.Struct("=H2xi")  # length, flags and weight left out, link

# Link, neighbour, address, route, rule, settings
_GROUPS = 0x1 | 0x4 | 0x100 | 0x400 | 0x40000 | 0x1000000
_BATCH_MAX = 256
_BUFFER_SIZE = 1 << 20

_NEW_SETTINGS = 80
_FAMILY_SIZE = 4
"""`struct netconfmsg`, a family alone, with its padding."""
_NONE = b"\xff" * 4  # a rule that suppresses nothing

# Socket options that Python has no names for
_SO_RCVBUFFORCE, _SOL_NETLINK, _NETLINK_CAP_ACK = 33, 270, 10


class NetlinkError(OSError):
    """The kernel refused a request; `strerror` says which, in the words of ip(8)."""


@record
class LinkInfo:
    index: int
    name: str
    flags: int
    mtu: int
    link_layer_address: bytes
    hardware: int
    """ARPHRD_*: 1 is Ethernet, 65534 has no link layer."""
    master: int
    """Index of the bridge, bond or VRF that the link is a port of; 0: none."""
    carrier_changes: int
    """Counts every loss and return of the carrier, seen by us or not."""

    @property
    def is_up(self) -> bool:
        """Administratively up and with a carrier."""
        return bool(self.flags & UP) and bool(self.flags & LOWER_UP)


@record
class AddressInfo:
    index: int
    address: IPv6Address
    prefix_length: int
    flags: int


@record
class RouteInfo:
    destination: IPv6Network
    table: int
    metric: int
    index: int
    gateway: IPv6Address | None
    source: IPv6Address | None
    protocol: int


@record
class RuleInfo:
    priority: int
    table: int
    source: IPv6Network | None
    suppress_prefix_length: int | None
    protocol: int
    destination: IPv6Network | None = None


@record
class NeighborInfo:
    index: int
    address: IPv6Address
    link_layer_address: bytes
    state: int
    proxy: bool
    protocol: int


@record
class ForwardingInfo:
    """Whether a link forwards: `net.ipv6.conf.LINK.forwarding`."""

    index: int
    on: bool


Info = LinkInfo | AddressInfo | RouteInfo | RuleInfo | NeighborInfo | ForwardingInfo


@record
class Notice:
    """Something in the kernel's tables changed, by us or by others."""

    info: Info
    gone: bool


# Reading


def _attributes(octets: bytes, offset: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while offset + 4 <= len(octets):
        length, kind = ATTRIBUTE.unpack_from(octets, offset)
        if length < 4:
            break
        found[kind & 0x3FFF] = octets[offset + 4 : offset + length]
        offset += length + -length % 4
    return found


def _number(octets: bytes | None, otherwise: int = 0) -> int:
    return otherwise if octets is None else int.from_bytes(octets, sys.byteorder)


def _read_link(octets: bytes) -> LinkInfo:
    _, hardware, index, flags, _ = LINK.unpack_from(octets)
    found = _attributes(octets, LINK.size)
    name = found.get(3, b"\0").rstrip(b"\0").decode(errors="replace")
    return LinkInfo(
        index=index,
        name=name,
        flags=flags,
        mtu=_number(found.get(4)),
        link_layer_address=found.get(1, b""),
        hardware=hardware,
        master=_number(found.get(10)),
        carrier_changes=_number(found.get(35)),
    )


def _read_address(octets: bytes) -> AddressInfo | None:
    family, prefix_length, flags, _, index = ADDRESS.unpack_from(octets)
    found = _attributes(octets, ADDRESS.size)
    value = found.get(2, found.get(1))
    if family != socket.AF_INET6 or value is None:
        return None
    flags = _number(found.get(8), flags)
    return AddressInfo(index, IPv6Address(value), prefix_length, flags)


def _read_routes(octets: bytes) -> Iterator[RouteInfo]:
    """One for each way: the kernel tells routes of one destination and metric, such as
    NetworkManager's and networkd's to two routers of a link, as one."""
    family, prefix_length, _, _, table, protocol, *_ = ROUTE.unpack_from(octets)
    if family != socket.AF_INET6:
        return
    found = _attributes(octets, ROUTE.size)
    source = found.get(7)
    ways = [(_number(found.get(4)), found.get(5))]
    if 9 in found:
        ways = list(_next_hops(found[9]))
    for index, gateway in ways:
        yield RouteInfo(
            destination=IPv6Network((found.get(1, bytes(16)), prefix_length)),
            table=_number(found.get(15), table),
            metric=_number(found.get(6)),
            index=index,
            gateway=None if gateway is None else IPv6Address(gateway),
            source=None if source is None else IPv6Address(source),
            protocol=protocol,
        )


def _next_hops(octets: bytes) -> Iterator[tuple[int, bytes | None]]:
    """Link and gateway of each (RTA_MULTIPATH)."""
    offset = 0
    while offset + _NEXT_HOP.size <= len(octets):
        length, index = _NEXT_HOP.unpack_from(octets, offset)
        if length < _NEXT_HOP.size:
            break
        within = octets[offset : offset + length]
        yield index, _attributes(within, _NEXT_HOP.size).get(5)
        offset += length + -length % 4


def _read_rule(octets: bytes) -> RuleInfo | None:
    family, to_length, from_length, _, table, *_ = RULE.unpack_from(octets)
    if family != socket.AF_INET6:
        return None
    found = _attributes(octets, RULE.size)
    destination, source = found.get(1), found.get(2)
    suppress = found.get(14)
    return RuleInfo(
        priority=_number(found.get(6)),
        table=_number(found.get(15), table),
        source=None if source is None else IPv6Network((source, from_length)),
        suppress_prefix_length=None if suppress in (None, _NONE) else _number(suppress),
        protocol=_number(found.get(21)),
        destination=IPv6Network((destination, to_length)) if destination else None,
    )


def _read_neighbor(octets: bytes) -> NeighborInfo | None:
    family, index, state, flags, _ = NEIGHBOR.unpack_from(octets)
    found = _attributes(octets, NEIGHBOR.size)
    if family != socket.AF_INET6 or 1 not in found:
        return None
    proxy = bool(flags & NTF_PROXY)
    value, protocol = IPv6Address(found[1]), _number(found.get(12))
    return NeighborInfo(index, value, found.get(2, b""), state, proxy, protocol)


def _read_settings(octets: bytes) -> ForwardingInfo | None:
    found = _attributes(octets, _FAMILY_SIZE)
    if octets[0] != socket.AF_INET6 or 2 not in found:
        return None
    return ForwardingInfo(index=_number(found.get(1)), on=bool(_number(found[2])))


_READERS: dict[int, Callable[[bytes], Info | None]] = {
    NEW_LINK: _read_link,
    NEW_ADDRESS: _read_address,
    NEW_NEIGHBOR: _read_neighbor,
    NEW_RULE: _read_rule,
    _NEW_SETTINGS: _read_settings,
}


def _read(kind: int, body: bytes) -> Iterator[Info]:
    if kind == NEW_ROUTE:
        yield from _read_routes(body)
    elif kind in _READERS and (info := _READERS[kind](body)) is not None:
        yield info


def _messages(octets: bytes, ignored: int = -1) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence number and body of each message of one datagram, without those
    that the socket `ignored` brought about."""
    offset = 0
    while offset + _HEADER.size <= len(octets):
        length, kind, _, sequence, port = _HEADER.unpack_from(octets, offset)
        if length < _HEADER.size:
            break
        if port != ignored:
            yield kind, sequence, octets[offset + _HEADER.size : offset + length]
        offset += length + -length % 4


# Sockets


class Netlink:
    """The requests' socket.  Not for two threads at once."""

    def __init__(self) -> None:
        self._socket = _open(0)
        self._sequence = 0
        self.port: int = self._socket.getsockname()[0]

    def close(self) -> None:
        self._socket.close()

    def change(self, requests: Sequence[Request]) -> list[int]:
        """Carries out all requests, in order; an errno for each, 0 for done."""
        outcome: list[int] = []
        for start in range(0, len(requests), _BATCH_MAX):
            outcome += self._change(requests[start : start + _BATCH_MAX])
        return outcome

    def do(self, request: Request, *, unless: Iterable[int] = ()) -> None:
        """One request; raises NetlinkError unless it is done or fails with one of
        `unless` (a deletion of what is gone, say)."""
        [code] = self._change([request])
        if code and code not in unless:
            raise NetlinkError(code, f"{request.line}: {os.strerror(code)}")

    def _change(self, requests: Sequence[Request]) -> list[int]:
        first = self._sequence + 1
        parts: list[bytes] = []
        for request in requests:
            self._sequence += 1
            length = _HEADER.size + len(request.body)
            flags = _REQUEST | _ACK | request.flags
            parts.append(_HEADER.pack(length, request.type, flags, self._sequence, 0))
            parts.append(request.body)
            parts.append(bytes(-length % 4))
        self._socket.send(b"".join(parts))
        outcome: list[int] = [errno.EIO] * len(requests)
        waiting = len(requests)
        while waiting:
            for kind, sequence, body in _messages(self._socket.recv(_BUFFER_SIZE)):
                if kind == _ERROR and first <= sequence < first + len(requests):
                    (code,) = struct.unpack_from("=i", body)
                    outcome[sequence - first] = -code
                    waiting -= 1
        return outcome

    def links(self) -> list[LinkInfo]:
        body = LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        return [x for x in self._dump(NEW_LINK + 2, body) if isinstance(x, LinkInfo)]

    def addresses(self) -> list[AddressInfo]:
        body = ADDRESS.pack(socket.AF_INET6, 0, 0, 0, 0)
        return [
            x for x in self._dump(NEW_ADDRESS + 2, body) if isinstance(x, AddressInfo)
        ]

    def routes(self) -> list[RouteInfo]:
        """Every route of every table (a home agent's may be many)."""
        body = ROUTE.pack(socket.AF_INET6, *[0] * 8)
        return [x for x in self._dump(NEW_ROUTE + 2, body) if isinstance(x, RouteInfo)]

    def rules(self) -> list[RuleInfo]:
        body = RULE.pack(socket.AF_INET6, *[0] * 8)
        return [x for x in self._dump(NEW_RULE + 2, body) if isinstance(x, RuleInfo)]

    def neighbors(self) -> list[NeighborInfo]:
        return self._neighbors(0)

    def proxy_neighbors(self) -> list[NeighborInfo]:
        return self._neighbors(NTF_PROXY)

    def _neighbors(self, flags: int) -> list[NeighborInfo]:
        body = NEIGHBOR.pack(socket.AF_INET6, 0, 0, flags, 0)
        found = self._dump(NEW_NEIGHBOR + 2, body)
        return [x for x in found if isinstance(x, NeighborInfo)]

    def _dump(self, request: int, body: bytes) -> Iterator[Info]:
        self._sequence += 1
        length = _HEADER.size + len(body)
        header = _HEADER.pack(length, request, _REQUEST | _DUMP, self._sequence, 0)
        self._socket.send(header + body)
        while True:
            for kind, sequence, content in _messages(self._socket.recv(_BUFFER_SIZE)):
                if sequence != self._sequence:
                    continue  # left over from a dump that was given up
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    (code,) = struct.unpack_from("=i", content)
                    raise NetlinkError(-code, f"netlink dump: {os.strerror(-code)}")
                yield from _read(kind, content)


class Listener:
    """Hears every change of links, addresses, routes, rules and neighbours, except
    routes and rules that the socket `ignored` changed (a home agent's are many)."""

    def __init__(self, ignored: int = -1) -> None:
        self._socket = _open(_GROUPS)
        self._socket.setblocking(False)
        self._ignored = ignored

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def read(self) -> list[Notice] | None:
        """What has changed since; None when notices were lost (look at everything)."""
        notices: list[Notice] = []
        lost = False
        while True:
            try:
                octets = self._socket.recv(_BUFFER_SIZE)
            except BlockingIOError:
                return None if lost else notices
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True  # and read on: an overrun socket hears nothing till empty
                continue
            for kind, _, body in _messages(octets, self._ignored):
                gone = bool(kind & 1)
                notices += [Notice(info, gone) for info in _read(kind & ~1, body)]


def _open(groups: int) -> socket.socket:
    netlink = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    try:
        netlink.bind((0, groups))
        # Answers to a full batch must fit; FORCE because the usual limit is 212 kB.
        with contextlib.suppress(PermissionError):  # who may only read needs less
            netlink.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
        netlink.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
    except OSError:
        netlink.close()
        raise
    return netlink
