"""Binding caches, a page at a time: they may hold a million.

The loop gets its turn after every few thousand that are looked at, so packets do not
wait for who wants to see a list.
"""

import asyncio
import heapq
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, IPv6Network
from itertools import chain
from typing import TYPE_CHECKING, Any

from mip6.core.binding_cache import Binding
from mip6.core.correspondent_cache import CorrespondentBinding
from mip6.core.state import End
from mip6.linux.layout import Traffic

from . import report

if TYPE_CHECKING:
    from .daemon import Daemon

LIMIT, LIMIT_MAX = 1000, 10_000
"""Bindings on a page, unless asked for otherwise; and however asked for."""
LOOKED_AT = 5000
"""In one go."""

Entry = Binding | CorrespondentBinding
Key = tuple[float, int, int]

ORDERS: dict[str, Callable[[Entry], float]] = {
    "home_address": lambda entry: 0,
    "care_of_address": lambda entry: int(entry.care_of_address),
    "expires": lambda entry: entry.expires,
}


class ListingError(ValueError):
    """A question that makes no sense; the text says why."""


async def page(daemon: "Daemon", query: Mapping[str, str]) -> dict[str, Any]:
    """The bindings of one page, in order, and where the next one begins.

    query: `limit`; `after`, the `next` of the page before; `prefix` of home addresses;
        `sort`, one of `ORDERS`; `counters`, for what went through each tunnel.  Raises
        ListingError.
    """
    limit = _limit(query.get("limit", str(LIMIT)))
    prefix = _prefix(query.get("prefix"))
    order = ORDERS.get(query.get("sort", "home_address"))
    if order is None:
        raise ListingError(f"sort is one of: {', '.join(ORDERS)}")
    after = _after(query.get("after"))
    entries: list[Entry] = []
    for role in (daemon.home_agent, daemon.correspondent):
        entries += role.bindings if role is not None else ()

    def key(entry: Entry) -> Key:
        ours = entry.correspondent if isinstance(entry, CorrespondentBinding) else 0
        return order(entry), int(entry.home_address), int(ours)

    def traffic(entry: Entry) -> Traffic | None:
        if isinstance(entry, CorrespondentBinding):
            return None  # it has no tunnel
        return daemon.machine.data_plane.traffic(End.HOME_AGENT, entry.home_address)

    counters = "counters" in query
    total = 0
    first: list[tuple[Key, Entry]] = []
    for start in range(0, len(entries), LOOKED_AT):
        wanted = [
            entry
            for entry in entries[start : start + LOOKED_AT]
            if prefix is None or entry.home_address in prefix
        ]
        total += len(wanted)
        keyed = ((key(entry), entry) for entry in wanted)
        later = (one for one in keyed if after is None or one[0] > after)
        first = heapq.nsmallest(limit + 1, chain(first, later), key=lambda one: one[0])
        await asyncio.sleep(0)
    now = daemon.now()
    shown = first[:limit]
    more = len(first) > limit
    return {
        "bindings": [
            report.binding(entry, now, traffic(entry) if counters else None)
            for _, entry in shown
        ],
        "total": total,
        "next": "/".join(map(str, shown[-1][0])) if more else None,
    }


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LIMIT_MAX:
        raise ListingError(f"limit is 1 to {LIMIT_MAX}")
    return int(text)


def _prefix(text: str | None) -> IPv6Network | None:
    try:
        return IPv6Network(text) if text is not None else None
    except ValueError as error:
        raise ListingError(f"prefix: {error}") from None


def _after(text: str | None) -> Key | None:
    """A home address stands for itself in the usual order."""
    if text is None:
        return None
    try:
        if ":" in text:
            return 0, int(IPv6Address(text)), (1 << 128) - 1
        value, home_address, ours = text.split("/")
        # An address is more than a float can hold.
        exact = int(value) if value.isdecimal() else float(value)
        return exact, int(home_address), int(ours)
    except ValueError:
        raise ListingError(
            "after is the next of the page before, or a home address"
        ) from None
