"""Raw IPv6: whole packets out, Router Advertisements and ICMPv6 errors in, whole."""

import contextlib
import errno
import fcntl
import socket
import struct
import sys
from collections.abc import Iterator
from ipaddress import IPv6Address

from .packet_sockets import (
    ADD_MEMBERSHIP,
    EQUAL,
    ETH_P_IPV6,
    LOAD_8,
    LOAD_16,
    LOAD_32,
    PACKET_SIZE_MAX,
    READ_MAX,
    RETURN,
    SOL_PACKET,
    attach_filter,
    packet_socket,
    waiting,
)

_IN6_PKTINFO = struct.Struct("=16si")
_ICMP6_FILTER = 1
_ERRORS = (1, 2, 3, 4)
"""Destination Unreachable, Packet Too Big, Time Exceeded, Parameter Problem."""
_ECHO_REPLY = 129
_ROUTER_SOLICITATION, _ROUTER_ADVERTISEMENT = 133, 134
_NEIGHBOR_SOLICITATION, _NEIGHBOR_ADVERTISEMENT = 135, 136
_IPV6_RECVTCLASS, _IPV6_TCLASS = 66, 67
_IPV6_FREEBIND = 78


class Sender:
    """Sends whole IPv6 packets as they are, header included (raw(7), IPPROTO_RAW)."""

    def __init__(self) -> None:
        self._socket = _raw(socket.IPPROTO_RAW)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        # Sources that are not ours: of packets that we forward, and of what is sent
        # right before the address of the source stands.
        self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        # This machine would object to its own question who has its address.
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        self._frames = socket.socket(
            socket.AF_PACKET,
            socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
            0,  # of no protocol: it only sends
        )

    def close(self) -> None:
        self._socket.close()
        self._frames.close()

    def send(self, octets: bytes, index: int | None = None) -> None:
        """Sends a packet; by the link `index` where given, else by the routing rules,
        source included: from a home address into the tunnel, from a care-of address
        past it.  Raises OSError."""
        self._send(octets, bytes(16) if index else octets[8:24], index or 0)

    def send_frame(self, octets: bytes, index: int, link_layer_address: bytes) -> None:
        """Sends a packet by the link `index` in a frame to this address, whatever the
        neighbour cache says.  Raises OSError."""
        name = socket.if_indextoname(index)
        self._frames.sendto(octets, (name, ETH_P_IPV6, 0, 0, link_layer_address))

    def send_routed(self, octets: bytes, index: int | None = None) -> None:
        """Sends a packet by the routing rules, source included, be it this machine's or
        one that it forwards; to a group by the link `index`.  Raises OSError."""
        self._send(octets, octets[8:24], index or 0)

    def _send(self, octets: bytes, source: bytes, index: int) -> None:
        information = _IN6_PKTINFO.pack(source, index)
        ancillary = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, information)]
        destination = socket.inet_ntop(socket.AF_INET6, octets[24:40])
        self._socket.sendmsg([octets], ancillary, 0, (destination, 0, 0, index))


class IcmpListener:
    """ICMPv6 errors, and where they are wanted advertisements of routers and neighbours
    and the questions of the latter, as whole packets with their link.

    of_hosts: the questions for routers instead, and nothing else.
    echo_identifier: answers to echo requests with this identifier, too.
    """

    def __init__(
        self,
        *,
        advertisements: bool,
        solicitations: bool = False,
        of_hosts: bool = False,
        echo_identifier: int | None = None,
    ) -> None:
        self._socket = _raw(socket.IPPROTO_ICMPV6)
        blocked = [0xFFFFFFFF] * 8
        told = (_ROUTER_ADVERTISEMENT, _NEIGHBOR_ADVERTISEMENT) * advertisements
        asked = (_NEIGHBOR_SOLICITATION,) * solicitations
        echoes = (_ECHO_REPLY,) * (echo_identifier is not None)
        usual = (*_ERRORS, *told, *asked, *echoes)
        for kind in (_ROUTER_SOLICITATION,) if of_hosts else usual:
            blocked[kind // 32] &= ~(1 << kind % 32)
        if echo_identifier is not None:
            self._only_echoes_of(echo_identifier)
        packed = struct.pack("=8I", *blocked)
        self._socket.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, packed)
        for option in (
            socket.IPV6_RECVPKTINFO,
            socket.IPV6_RECVHOPLIMIT,
            _IPV6_RECVTCLASS,
        ):
            self._socket.setsockopt(socket.IPPROTO_IPV6, option, 1)

    def _only_echoes_of(self, identifier: int) -> None:
        """Those of others, a `ping -f` perhaps, do not even wake us."""
        echoes = (
            (LOAD_8, 0, 0, 0),
            (EQUAL, 0, 2, _ECHO_REPLY),
            (LOAD_16, 0, 0, 4),
            (EQUAL, 0, 1, identifier),
            (RETURN, 0, 0, 0xFFFF),
            (RETURN, 0, 0, 0),
        )
        attach_filter(self._socket, echoes)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def join(self, index: int) -> None:
        """Hear what is said to all routers of a link; twice is fine."""
        group = socket.inet_pton(socket.AF_INET6, "ff02::2") + struct.pack("=i", index)
        with contextlib.suppress(OSError):  # it has gone, or is joined
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)

    def read(self) -> Iterator[tuple[bytes, int]]:
        """The packets that wait, each with the index of the link it came by.

        The kernel gives a raw ICMPv6 socket no IPv6 header; it is put together again
        from what the kernel tells beside the packet, so that all packets look alike.
        """
        for _ in range(READ_MAX):
            try:
                payload, ancillary, _, sender = self._socket.recvmsg(
                    PACKET_SIZE_MAX, 256
                )
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.ENETDOWN, errno.EHOSTUNREACH):
                    continue  # an error of the socket's past, not of this packet
                raise
            destination, index, hop_limit, traffic_class = bytes(16), 0, 0, 0
            for _, kind, data in ancillary:
                if kind == socket.IPV6_PKTINFO:
                    destination, index = _IN6_PKTINFO.unpack(data)
                elif kind == socket.IPV6_HOPLIMIT:
                    hop_limit = int.from_bytes(data, sys.byteorder)
                elif kind == _IPV6_TCLASS:
                    traffic_class = int.from_bytes(data, sys.byteorder)
            first = 6 << 28 | traffic_class << 20
            source = socket.inet_pton(socket.AF_INET6, sender[0].partition("%")[0])
            length = len(payload)
            header = struct.pack(
                ">IHBB", first, length, socket.IPPROTO_ICMPV6, hop_limit
            )
            yield header + source + destination + payload, index


_PACKET_MR_ALLMULTI = 2
_JOIN_ANYCAST = 27
_FILTER = (
    # Hop limit 255, ICMPv6; a Neighbor Advertisement, or a Neighbor Solicitation from
    # the unspecified address.
    (LOAD_8, 0, 0, 7),
    (EQUAL, 0, 14, 255),
    (LOAD_8, 0, 0, 6),
    (EQUAL, 0, 12, socket.IPPROTO_ICMPV6),
    (LOAD_8, 0, 0, 40),
    (EQUAL, 9, 0, 136),
    (EQUAL, 0, 9, 135),
    (LOAD_32, 0, 0, 8),
    (EQUAL, 0, 7, 0),
    (LOAD_32, 0, 0, 12),
    (EQUAL, 0, 5, 0),
    (LOAD_32, 0, 0, 16),
    (EQUAL, 0, 3, 0),
    (LOAD_32, 0, 0, 20),
    (EQUAL, 0, 1, 0),
    (RETURN, 0, 0, 0xFFFF),
    (RETURN, 0, 0, 0),
)


class NeighborListener:
    """What nodes of one link say about addresses that are being checked: Neighbor
    Advertisements, and the probes of others, which go to groups that this machine has
    not joined, so that the kernel keeps them to itself (RFC 4862 §5.4)."""

    def __init__(self) -> None:
        self._socket = packet_socket(_FILTER)
        self._index = 0
        self._anycast = socket.socket(
            socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
        )
        self._answered: set[IPv6Address] = set()

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()
        self._anycast.close()

    def answer_for(self, address: IPv6Address) -> None:
        """Have the kernel answer for an anycast address on that link, as long as this
        listens (§10.5: the home agents').  Raises OSError."""
        if self._index and address not in self._answered:
            wanted = address.packed + struct.pack("=i", self._index)
            self._anycast.setsockopt(socket.IPPROTO_IPV6, _JOIN_ANYCAST, wanted)
            self._answered.add(address)

    def follow(self, index: int) -> None:
        """Listen to the link with this index from now on.  Raises OSError."""
        if index == self._index:
            return
        self._socket.bind((socket.if_indextoname(index), ETH_P_IPV6))
        wanted = struct.pack("=iHH8s", index, _PACKET_MR_ALLMULTI, 0, b"")
        self._socket.setsockopt(SOL_PACKET, ADD_MEMBERSHIP, wanted)
        self._index = index
        self._answered.clear()

    def read(self) -> Iterator[bytes]:
        """The packets that wait, whole."""
        return waiting(self._socket)


def _raw(protocol: int) -> socket.socket:
    return socket.socket(
        socket.AF_INET6,
        socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
        protocol,
    )


_SIOCGIFADDR = 0x8915


def has_ipv4(link: str) -> bool:
    """Whether a link has an IPv4 address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        request = struct.pack("=16s24x", link.encode())
        try:
            fcntl.ioctl(asking, _SIOCGIFADDR, request)
        except OSError:
            return False
    return True
