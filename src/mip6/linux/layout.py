"""bpf/layout.h in Python: what the maps hold, octet by octet."""

import struct
from ipaddress import IPv6Address

from mip6.core.state import End, Tunnel

LAYOUT_VERSION = 2
MARK = 0x6D697036

COUNTERS = (
    "tunnel_out",
    "tunnel_in",
    "signalling",
    "unverified",
    "unmatched",
    "fragment",
    "too_many_headers",
    "unknown_tunnel",
    "unknown_spi",
    "dropped_signalling",
    "dropped_esp",
    "dropped_unverified",
    "dropped_unmatched",
    "dropped_expired",
    "dropped_care_of_address",
    "dropped_home_agent",
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

_TUNNEL = struct.Struct("=16s16s16sQQQ")
_SETTINGS = struct.Struct("=IIQQQQQQQQ")
_INBOUND_ONLY = 1
_NANOSECONDS = 1_000_000_000
_NEVER = (1 << 64) - 1


def _nanoseconds(seconds: float) -> int:
    if seconds >= _NEVER / _NANOSECONDS:
        return _NEVER
    return max(0, round(seconds * _NANOSECONDS))


def write_tunnel(tunnel: Tunnel) -> tuple[bytes, bytes]:
    """Key and value (`struct tunnel`); times to the nanosecond."""
    previous = tunnel.previous.packed if tunnel.previous else bytes(16)
    return tunnel.home_address.packed, _TUNNEL.pack(
        tunnel.care_of_address.packed,
        tunnel.home_agent.packed,
        previous,
        _nanoseconds(tunnel.expires),
        _nanoseconds(tunnel.previous_until) if tunnel.previous else 0,
        _INBOUND_ONLY if tunnel.inbound_only else 0,
    )


def read_tunnel(end: End, key: bytes, value: bytes) -> Tunnel:
    care_of_address, home_agent, previous, expires, until, flags = _TUNNEL.unpack(value)
    return Tunnel(
        end=end,
        home_address=IPv6Address(key),
        care_of_address=IPv6Address(care_of_address),
        home_agent=IPv6Address(home_agent),
        expires=expires / _NANOSECONDS,
        previous=IPv6Address(previous) if any(previous) else None,
        previous_until=until / _NANOSECONDS,
        inbound_only=bool(flags & _INBOUND_ONLY),
    )


def write_settings(
    device: int,
    *,
    unmatched_rate: float,
    unmatched_burst: int,
    unverified_rate: float,
    unverified_burst: int,
    open_rate: float | None,
    open_burst: int,
    esp_rate: float,
    esp_burst: int,
) -> bytes:
    """`struct settings`.  Rates are packets a second, None: any; for each CPU, but
    `esp_rate` for each SPI."""

    def bucket(rate: float | None, burst: int) -> tuple[int, int]:
        if rate is None:
            return 0, 0
        interval = round(_NANOSECONDS / rate)
        return interval, interval * (burst - 1)

    return _SETTINGS.pack(
        device,
        0,
        *bucket(unmatched_rate, unmatched_burst),
        *bucket(unverified_rate, unverified_burst),
        *bucket(open_rate, open_burst),
        *bucket(esp_rate, esp_burst),
    )
