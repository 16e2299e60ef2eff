"""bpf/layout.h in Python: what the maps hold, octet by octet."""

import struct
from enum import IntFlag
from ipaddress import IPv6Address

from mip6.core.state import End, RouteOptimization, Tunnel
from mip6.wire.record import record

LAYOUT_VERSION = 5
MARK = 0x6D697036
MARK_LONG = 0x6D697037

COUNTERS = (
    "tunnel_out",
    "tunnel_in",
    "direct_out",
    "direct_in",
    "indirect",
    "native",
    "signalling",
    "unverified",
    "unmatched",
    "long_out",
    "long_in",
    "multicast",
    "nested_tunnel",
    "fragment",
    "too_many_headers",
    "unknown_tunnel",
    "unknown_spi",
    "dropped_signalling",
    "dropped_esp",
    "dropped_unverified",
    "dropped_unmatched",
    "dropped_long",
    "dropped_multicast",
    "dropped_expired",
    "dropped_care_of_address",
    "dropped_home_agent",
    "dropped_routing_header",
    "dropped_congestion",
    "dropped_route",
    "dropped_forwarding",
    "dropped_loop",
    "dropped_size",
    "dropped_link_scope",
    "dropped_header",
    "dropped_malformed",
)
"""The reasons that are counted, in the order of `enum counter`."""

_TUNNEL = struct.Struct("=16s16s16sQQII")
_TRAFFIC = struct.Struct("=QQQQ")
_DIRECT = struct.Struct("=16s16sQQIIQ")
_SETTINGS = struct.Struct("=IIQQQQQQQQQQQQQ")
_TALK = struct.Struct("=16s16s")
_FIRST_PACKET = struct.Struct("=16s16sQQ")
_NO_ADDRESS = bytes(16)
_FIRST_OUT = 1
_INBOUND_ONLY = 1
_NANOSECONDS = 1_000_000_000
_NEVER = (1 << 64) - 1
_NEVER_S = _NEVER / _NANOSECONDS


class Use(IntFlag):
    """What a node does at all: `enum use`."""

    BINDINGS = 1
    REGISTRATIONS = 2
    CORRESPONDENTS = 4
    MOBILE_NODES = 8
    PROTECTED_HOME_TESTS = 16
    MULTICAST = 32


TUNNEL_MAPS = {End.HOME_AGENT: "bindings", End.MOBILE_NODE: "registrations"}
DIRECT_MAPS = {End.MOBILE_NODE: "correspondents", End.CORRESPONDENT: "mobile_nodes"}
"""Which map holds the states of which end."""


@record
class Traffic:
    """What went through a tunnel since it stands, in packets and in octets of those
    inside (`struct traffic`)."""

    packets_in: int
    octets_in: int
    packets_out: int
    octets_out: int


NO_TRAFFIC = bytes(_TRAFFIC.size)


def write(state: Tunnel | RouteOptimization) -> tuple[str, bytes, bytes]:
    """Its map, key and value; times to the nanosecond."""
    if isinstance(state, Tunnel):
        return TUNNEL_MAPS[state.end], *write_tunnel(state)
    return DIRECT_MAPS[state.end], *write_direct(state)


def _nanoseconds(seconds: float) -> int:
    if not 0 < seconds < _NEVER_S:
        return _NEVER if seconds > 0 else 0
    return round(seconds * _NANOSECONDS)


def write_tunnel(tunnel: Tunnel) -> tuple[bytes, bytes]:
    """Key and value (`struct entry`, nothing counted); times to the nanosecond."""
    previous = tunnel.previous
    value = _TUNNEL.pack(
        tunnel.care_of_address.packed,
        tunnel.home_agent.packed,
        previous.packed if previous is not None else _NO_ADDRESS,
        _nanoseconds(tunnel.expires),
        _nanoseconds(tunnel.previous_until) if previous is not None else 0,
        _INBOUND_ONLY if tunnel.inbound_only else 0,
        tunnel.path_mtu or 0,
    )
    return tunnel.home_address.packed, value + NO_TRAFFIC


def with_traffic(value: bytes, old: bytes) -> bytes:
    """`struct entry` with what was counted in the one before it."""
    return value[: _TUNNEL.size] + old[_TUNNEL.size :]


def read_traffic(value: bytes) -> Traffic:
    """Of a `struct entry`."""
    return Traffic(*_TRAFFIC.unpack_from(value, _TUNNEL.size))


def read_tunnel(end: End, key: bytes, value: bytes) -> Tunnel:
    care_of_address, home_agent, previous, expires, until, flags, path_mtu = (
        _TUNNEL.unpack_from(value)
    )
    return Tunnel(
        end=end,
        home_address=IPv6Address(key),
        care_of_address=IPv6Address(care_of_address),
        home_agent=IPv6Address(home_agent),
        expires=expires / _NANOSECONDS,
        previous=IPv6Address(previous) if any(previous) else None,
        previous_until=until / _NANOSECONDS,
        inbound_only=bool(flags & _INBOUND_ONLY),
        path_mtu=path_mtu or None,
    )


def write_direct(direct: RouteOptimization) -> tuple[bytes, bytes]:
    """Key (`struct pair`) and value (`struct direct`)."""
    previous = direct.previous.packed if direct.previous else bytes(16)
    key = direct.home_address.packed + direct.correspondent.packed
    return key, _DIRECT.pack(
        direct.care_of_address.packed,
        previous,
        _nanoseconds(direct.expires),
        _nanoseconds(direct.previous_until) if direct.previous else 0,
        _INBOUND_ONLY if direct.inbound_only else 0,
        direct.path_mtu or 0,
        0,
    )


def read_direct(end: End, key: bytes, value: bytes) -> RouteOptimization:
    care_of_address, previous, expires, until, flags, path_mtu, _ = _DIRECT.unpack(
        value
    )
    return RouteOptimization(
        end=end,
        home_address=IPv6Address(key[:16]),
        correspondent=IPv6Address(key[16:]),
        care_of_address=IPv6Address(care_of_address),
        expires=expires / _NANOSECONDS,
        previous=IPv6Address(previous) if any(previous) else None,
        previous_until=until / _NANOSECONDS,
        inbound_only=bool(flags & _INBOUND_ONLY),
        path_mtu=path_mtu or None,
    )


@record
class Talk:
    """An address of this node, and whom it talks to."""

    local: IPv6Address
    peer: IPv6Address


@record
class FirstPacket:
    """The first packet of a home address that went by this care-of address."""

    home_address: IPv6Address
    care_of_address: IPv6Address
    at: float
    """Seconds of the boot clock."""
    out: bool
    """From the home address; else to it."""


def read_notice(octets: bytes) -> Talk | FirstPacket:
    """What the ring brings: `struct talk`, or the longer `struct first_packet`."""
    if len(octets) == _TALK.size:
        return Talk(*map(IPv6Address, _TALK.unpack(octets)))
    home_address, care_of_address, at, way = _FIRST_PACKET.unpack(octets)
    return FirstPacket(
        IPv6Address(home_address),
        IPv6Address(care_of_address),
        at / _NANOSECONDS,
        way == _FIRST_OUT,
    )


def write_settings(
    device: int,
    *,
    uses: Use,
    protect_home_tests: bool,
    multicast: bool,
    told_interval: float,
    unmatched_rate: float,
    unmatched_burst: int,
    unverified_rate: float,
    unverified_burst: int,
    open_rate: float | None,
    open_burst: int,
    notice_rate: float,
    notice_burst: int,
    esp_rate: float,
    esp_burst: int,
    long_rate: float,
    long_burst: int,
) -> bytes:
    """`struct settings`.  Rates are packets a second, None: any; for each CPU, but
    `esp_rate` for each SPI.  `told_interval`: seconds between two notices of a pair."""

    def bucket(rate: float | None, burst: int) -> tuple[int, int]:
        if rate is None:
            return 0, 0
        interval = round(_NANOSECONDS / rate)
        return interval, interval * (burst - 1)

    return _SETTINGS.pack(
        device,
        uses
        | (Use.PROTECTED_HOME_TESTS if protect_home_tests else 0)
        | (Use.MULTICAST if multicast else 0),
        *bucket(unmatched_rate, unmatched_burst),
        *bucket(unverified_rate, unverified_burst),
        *bucket(open_rate, open_burst),
        *bucket(notice_rate, notice_burst),
        *bucket(esp_rate, esp_burst),
        *bucket(long_rate, long_burst),
        _nanoseconds(told_interval),
    )
