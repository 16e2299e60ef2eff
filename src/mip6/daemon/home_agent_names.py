"""How a configuration names the home agents of a mobile node: by address, by a DNS
name, or not at all, and then they are discovered (RFC 6275 §11.4.1)."""

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv6Address
from typing import Annotated

from pydantic import BeforeValidator, Field

from .section import usable

DISCOVER = "discover"
"""In place of a name: ask the home link, when those before it have failed."""
ENTRIES_MAX = 16
NAME_LENGTH_MAX = 253
INTERVAL = 300.0
"""Seconds after which names are looked up again;"""
MISSING_INTERVAL = 30.0
"""or those that nobody knew."""
APART = 10.0
"""Seconds between two look-ups, whatever the reason."""

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"


def _entries(value: object) -> object:
    """One entry or a list of them."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple) or not listed:
        raise ValueError(
            'must be an address, a name, "discover", or a list of these: '
            '["2001:db8:a::1", "discover"]'
        )
    return tuple(_entry(one) for one in listed)


def _entry(value: object) -> IPv6Address | str:
    if not isinstance(value, str):
        raise ValueError('must be a string such as "2001:db8:a::1"')
    if ":" in value:
        return usable(IPv6Address(value))
    name = value.removesuffix(".")
    if not re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", name):
        raise ValueError(f'"{value}" is neither an IPv6 address nor a name')
    if re.fullmatch(r"[0-9.]+", name):
        raise ValueError(f"{value} is no IPv6 address")
    if len(name) > NAME_LENGTH_MAX:
        raise ValueError(f"a name has at most {NAME_LENGTH_MAX} letters")
    return value


HomeAgentEntries = Annotated[
    tuple[IPv6Address | str, ...],
    Field(max_length=ENTRIES_MAX),
    BeforeValidator(_entries),
]
"""In the order in which they are asked."""


def wrong_home_agents(
    entries: tuple[IPv6Address | str, ...],
    home_address: IPv6Address,
    *,
    any_key: bool,
    authenticates: bool,
) -> Iterator[str]:
    """What of `entries` goes badly with the rest of the configuration.

    any_key: whether there are keys for whatever home agent is found.
    """
    fixed = all(isinstance(entry, IPv6Address) for entry in entries)
    if home_address in entries:
        yield "is the home address itself"
    if not authenticates and not fixed:
        yield (
            'must name addresses: with authentication = "none" whoever answers for a '
            "name, or to a discovery, would be believed"
        )
    elif authenticates and not any_key and not (fixed and len(entries) == 1):
        yield (
            "must be one address: keys made by hand are for one home agent "
            '(RFC 6275 5.1); authentication = "shared_key" makes some for each'
        )


def look_up(name: str) -> list[IPv6Address]:
    """The addresses of a name, as the machine's resolver has them; none if it has not.
    Takes as long as that does: seconds."""
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET6, socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return []
    return [IPv6Address(str(where[0]).partition("%")[0]) for *_, where in found]


class NameLookup:
    """Keeps the list of home agents what the names in it say.

    entries: addresses and names.
    found: told the whole list when it changes, in the event loop.
    missing: told the names that nobody knows, each time.
    """

    def __init__(
        self,
        entries: Iterable[IPv6Address | str],
        found: Callable[[tuple[IPv6Address, ...]], None],
        missing: Callable[[list[str]], None],
    ) -> None:
        self._entries = tuple(entry for entry in entries if entry != DISCOVER)
        self._found = found
        self._missing = missing
        self._known: dict[str, list[IPv6Address]] = {}
        self._listed = tuple(e for e in self._entries if isinstance(e, IPv6Address))
        self._busy = False
        self._looked_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def names(self) -> list[str]:
        return [entry for entry in self._entries if isinstance(entry, str)]

    def wake(self) -> None:
        """There is reason to look again: another network, a home agent that failed."""
        if not self.names or self._busy:
            return
        loop = asyncio.get_running_loop()
        wait = self._looked_at + APART - loop.time()
        if self._looked_at and wait > 0:
            self._later(wait)
            return
        self._busy, self._looked_at = True, loop.time()
        # Not one of asyncio's threads: a stop would wait for it.
        thread = threading.Thread(target=self._look_up, args=(loop,), daemon=True)
        thread.start()

    def stop(self) -> None:
        self._entries = ()
        if self._timer is not None:
            self._timer.cancel()

    def _later(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.wake)

    def _look_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread."""
        found = {name: look_up(name) for name in self.names}
        try:
            loop.call_soon_threadsafe(self._looked_up, found)
        except RuntimeError:
            return  # the daemon has ended meanwhile

    def _looked_up(self, found: dict[str, list[IPv6Address]]) -> None:
        self._busy = False
        if not self._entries:
            return
        for name, addresses in found.items():
            # Resolvers like to turn the order round; and what nobody knows any more
            # may be known again tomorrow.
            before = self._known.get(name, [])
            stayed = [address for address in before if address in addresses]
            came = sorted(address for address in {*addresses} - {*before})
            self._known[name] = stayed + came or before
        missing = [name for name in self.names if not self._known[name]]
        self._later(MISSING_INTERVAL if missing else INTERVAL)
        if missing:
            self._missing(missing)
        listed: list[IPv6Address] = []
        for entry in self._entries:
            listed += self._known[entry] if isinstance(entry, str) else [entry]
        if (now := tuple(dict.fromkeys(listed))) != self._listed:
            self._listed = now
            self._found(now)
