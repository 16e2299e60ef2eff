"""The Binding Cache of a correspondent (§9.1): one for each address of ours, so it is
keyed by that address and the home address."""

from collections import OrderedDict
from collections.abc import Iterator, Set
from enum import Enum
from ipaddress import IPv6Address
from math import inf
from typing import ClassVar

from mip6.wire.record import record

from .nonces import Ends, ends_of
from .timers import Timers

IDLE = 30.0
"""Seconds without traffic after which a binding may be replaced (§9.6).  Traffic is
told every 10 seconds while it goes on."""
REFRESH_LEAD_MAX = 30.0
"""Seconds before its end that a binding in use is asked to be refreshed; no more than a
quarter of its lifetime."""
REFRESH_WAIT = 2.0
"""Seconds until a Binding Refresh Request is repeated; doubles."""
REFRESH_REQUESTS_MAX = 3
UNREACHABLE_MIN = 4
"""Errors that make a destination persistently unreachable (§9.3.4) …"""
UNREACHABLE_SPAN = 10.0
"""… if they went on for so many seconds …"""
UNREACHABLE_GAP_MAX = 30.0
"""… with no more than these between two."""
EXPIRED_MAX = 1000
"""Bindings that end in one go: packets must not wait for all of them."""


@record(kw_only=True)
class CorrespondentBinding:
    """One entry: packets from `correspondent` to the home address go to the care-of
    address."""

    correspondent: IPv6Address
    """An address of ours."""
    home_address: IPv6Address
    care_of_address: IPv6Address
    home_registration: ClassVar[bool] = False
    sequence_number: int | None
    """Of the last valid Binding Update; None when a restart has lost it, and any number
    is accepted once: the nonces from before do not count any more."""
    lifetime: float
    """Seconds granted by the last Binding Update."""
    expires: float
    """When the entry ends, in seconds of the boot clock."""
    nonce_serial: int = -1
    """Of the newest nonce that one of its Binding Updates was signed with."""
    previous: IPv6Address | None = None
    """The care-of address before this one: packets under way still count (decision
    0003)."""
    previous_until: float = 0.0
    path_mtu: int | None = None
    """Octets of the largest packet on the path, with the headers added, where a router
    has told (RFC 8201)."""
    path_mtu_until: float = 0.0
    overhead: int = 0
    """Octets of those headers, in the packet that it told about."""

    @property
    def ends(self) -> Ends:
        return ends_of(self.correspondent, self.home_address)

    def is_at(self, care_of_address: IPv6Address, now: float) -> bool:
        """Whether packets from this address may carry the home address (§9.3.1)."""
        return care_of_address == self.care_of_address or (
            care_of_address == self.previous and now < self.previous_until
        )


class Due(Enum):
    """What a deadline of the cache is about."""

    END = 1
    REFRESH = 2


class _Entry:
    __slots__ = (
        "binding",
        "error_last",
        "errors",
        "errors_began",
        "requests",
        "talked",
        "used",
    )

    def __init__(self, binding: CorrespondentBinding, now: float) -> None:
        self.binding = binding
        self.used = now
        self.talked = -inf
        self.requests = 0
        self.errors = 0
        self.errors_began = self.error_last = now

    @property
    def refresh_at(self) -> float:
        binding = self.binding
        lead = binding.lifetime / 4 or REFRESH_LEAD_MAX  # 0: found at the start
        return binding.expires - min(lead, REFRESH_LEAD_MAX)


class CorrespondentCache:
    """At most `bindings_max` bindings, the least recently used first."""

    def __init__(self, bindings_max: int) -> None:
        if bindings_max < 1:
            raise ValueError(f"bindings_max {bindings_max} allows no binding")
        self.bindings_max = bindings_max
        self._entries: OrderedDict[Ends, _Entry] = OrderedDict()
        self._homes: dict[IPv6Address, list[Ends]] = {}
        self._timers: Timers[Ends] = Timers()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[CorrespondentBinding]:
        return (entry.binding for entry in self._entries.values())

    @property
    def deadline(self) -> float | None:
        return self._timers.deadline

    @property
    def home_addresses(self) -> Set[IPv6Address]:
        """A view: it changes with the cache."""
        return self._homes.keys()

    @property
    def full(self) -> bool:
        return len(self._entries) >= self.bindings_max

    def find(self, ends: Ends) -> CorrespondentBinding | None:
        entry = self._entries.get(ends)
        return entry.binding if entry else None

    def between(
        self, correspondent: IPv6Address, home_address: IPv6Address
    ) -> CorrespondentBinding | None:
        return self.find(ends_of(correspondent, home_address))

    def of(self, home_address: IPv6Address) -> list[CorrespondentBinding]:
        """All bindings of one home address, whichever address of ours they are with."""
        homes = self._homes.get(home_address, ())
        return [self._entries[ends].binding for ends in homes]

    def idle(self, now: float) -> CorrespondentBinding | None:
        """The one to be replaced: the least recently used, if it is out of use."""
        entry = next(iter(self._entries.values()))
        return entry.binding if now - entry.used >= IDLE else None

    def put(self, binding: CorrespondentBinding, now: float) -> None:
        """Add an entry, or give the one between the same ends a new beginning.

        It is the caller's to ask `full` before adding one.
        """
        ends = binding.ends
        entry = self._entries.get(ends)
        if entry is None:
            assert not self.full
            self._entries[ends] = entry = _Entry(binding, now)
            self._homes.setdefault(binding.home_address, []).append(ends)
        else:
            entry.binding = binding
            entry.used = max(entry.used, now)
            entry.requests = entry.errors = 0
            self._entries.move_to_end(ends)
        self._timers.set(ends, entry.refresh_at)

    def change(self, binding: CorrespondentBinding) -> None:
        """Put something else into an entry, without a Binding Update."""
        self._entries[binding.ends].binding = binding

    def drop(self, ends: Ends) -> None:
        home_address = self._entries.pop(ends).binding.home_address
        self._timers.stop(ends)
        others = self._homes[home_address]
        others.remove(ends)
        if not others:
            del self._homes[home_address]

    def talked(self, ends: Ends, now: float) -> None:
        """There was traffic.  A binding near its end is asked to be refreshed, if it
        was not before."""
        entry = self._entries.get(ends)
        if entry is None:
            return
        entry.used = entry.talked = now
        self._entries.move_to_end(ends)
        if entry.requests == 0 and entry.refresh_at <= now:
            self._timers.set(ends, now)

    def updated(self, ends: Ends) -> None:
        """A Binding Update has come, whatever becomes of it: no more requests for this
        one (§9.5.5)."""
        entry = self._entries.get(ends)
        if entry is not None and entry.requests:
            self._timers.set(ends, entry.binding.expires)

    def unreachable(self, ends: Ends, now: float) -> bool:
        """A router says so; whether that is persistent by now (§9.3.4)."""
        entry = self._entries[ends]
        if not entry.errors or now - entry.error_last > UNREACHABLE_GAP_MAX:
            entry.errors, entry.errors_began = 0, now
        entry.errors += 1
        entry.error_last = now
        return (
            entry.errors >= UNREACHABLE_MIN
            and now - entry.errors_began >= UNREACHABLE_SPAN
        )

    def due(self, now: float) -> list[tuple[Due, CorrespondentBinding]]:
        """The bindings whose time is over, which are still to be dropped, and those to
        be asked for.  With more than EXPIRED_MAX, `deadline` stays due."""
        found = []
        for ends in self._timers.expire(now, EXPIRED_MAX):
            entry = self._entries[ends]
            binding = entry.binding
            if binding.expires <= now:
                found.append((Due.END, binding))
                continue
            again = binding.expires
            if now - entry.talked < IDLE and entry.requests < REFRESH_REQUESTS_MAX:
                found.append((Due.REFRESH, binding))
                again = min(again, now + REFRESH_WAIT * 2**entry.requests)
                entry.requests += 1
            self._timers.set(ends, again)
        return found
