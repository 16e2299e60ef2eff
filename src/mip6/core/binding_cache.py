"""The Binding Cache (§9.1): who is where, until when."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address

from mip6.wire.record import record

from .timers import Timers

MAX_DELETE_BCE_TIMEOUT = 10.0
"""Seconds that a deleted entry is remembered (§12)."""

EXPIRED_MAX = 1000
"""Entries that end in one go: a million may be due after a long sleep, and packets
must not wait for all of them.  The data plane forwards for none of them any more."""


@record(kw_only=True)
class Binding:
    """One entry: packets for the home address go to the care-of address."""

    home_address: IPv6Address
    care_of_address: IPv6Address
    home_registration: bool
    sequence_number: int | None
    """Of the last valid Binding Update; None when a restart has lost it, and any
    number is accepted once, unless it is remembered."""
    lifetime: float
    """Seconds granted by the last Binding Update."""
    expires: float
    """When the entry ends, in seconds of the boot clock."""
    link_local_address_compatibility: bool = False
    previous: IPv6Address | None = None
    """The care-of address before this one: packets under way still count (decision
    0003)."""
    previous_until: float = 0.0
    path_mtu: int | None = None
    """Octets of the largest packet on the tunnel's path, outer header included, where a
    router has told (RFC 2473 §7.1)."""
    path_mtu_until: float = 0.0


class BindingCache:
    """At most `bindings_max` bindings, and the memory of as many deleted ones.

    A deleted binding forwards nothing.  Its sequence number is remembered for
    MAX_DELETE_BCE_TIMEOUT, so that an older Binding Update that was delayed cannot
    bring it back (§10.3.2).

    remembered: sequence numbers that outlive their bindings, by home address (decision
        0007).
    """

    def __init__(
        self,
        bindings_max: int,
        remembered: Iterable[tuple[IPv6Address, int]] = (),
    ) -> None:
        if bindings_max < 1:
            raise ValueError(f"bindings_max {bindings_max} allows no binding")
        self.bindings_max = bindings_max
        # By the numbers of home addresses, which are much quicker to hash and compare.
        self._bindings: dict[int, Binding] = {}
        # The number, and whether there was a binding; in the order of deletion, which
        # is also the order of being forgotten.
        self._deleted: dict[int, tuple[int, bool]] = {}
        self._timers: Timers[int] = Timers()
        self._remembered = {int(address): number for address, number in remembered}

    def __len__(self) -> int:
        return len(self._bindings)

    def __iter__(self) -> Iterator[Binding]:
        return iter(self._bindings.values())

    @property
    def known(self) -> int:
        """Bindings and remembered numbers: as many home addresses at the most."""
        return len(self._bindings) + len(self._remembered)

    @property
    def deadline(self) -> float | None:
        return self._timers.deadline

    @property
    def full(self) -> bool:
        return len(self._bindings) >= self.bindings_max

    def find(self, home_address: IPv6Address) -> Binding | None:
        return self._bindings.get(int(home_address))

    def holds(self, home_address: int) -> bool:
        """Whether there is an entry for the home address with this number."""
        return home_address in self._bindings

    def was_deleted(self, home_address: IPv6Address) -> bool:
        """Whether a binding for `home_address` was deleted a short while ago."""
        return self._deleted.get(int(home_address), (0, False))[1]

    def last_sequence_number(self, home_address: IPv6Address) -> int | None:
        """The number that the next Binding Update has to follow; None: any will do."""
        key = int(home_address)
        binding = self._bindings.get(key)
        if binding is None:
            number, _ = self._deleted.get(key, (None, False))
        else:
            number = binding.sequence_number
        return self._remembered.get(key) if number is None else number

    def remember(self, home_address: IPv6Address, sequence_number: int) -> None:
        """Keep the number of a valid Binding Update for good.

        Only for authenticated ones: they are as many as the configuration has keys.
        """
        self._remembered[int(home_address)] = sequence_number

    def put(self, binding: Binding) -> None:
        """Add an entry, or replace the one for the same home address.

        It is the caller's to ask `full` before adding one.
        """
        key = int(binding.home_address)
        assert not self.full or key in self._bindings
        if self._deleted:
            self._deleted.pop(key, None)
        self._bindings[key] = binding
        self._timers.set(key, binding.expires)

    def restore(self, bindings: Iterable[Binding]) -> None:
        """What an earlier process had, into an empty cache: as many as it may hold, and
        the first for each home address."""
        entries = self._bindings
        for binding in bindings:
            key = int(binding.home_address)
            if key not in entries and len(entries) < self.bindings_max:
                entries[key] = binding
        self._timers.set_many((key, entry.expires) for key, entry in entries.items())

    def drop(self, home_address: IPv6Address) -> None:
        """Remove an entry without a memory of it."""
        key = int(home_address)
        del self._bindings[key]
        self._timers.stop(key)

    def delete(
        self, home_address: IPv6Address, sequence_number: int, now: float
    ) -> None:
        """Remove an entry, if there is one, and remember the sequence number of the
        Binding Update that asked for it."""
        key = int(home_address)
        bound = self._bindings.pop(key, None) is not None
        _, bound_before = self._deleted.pop(key, (0, False))
        while len(self._deleted) >= self.bindings_max:
            oldest = next(iter(self._deleted))
            del self._deleted[oldest]
            self._timers.stop(oldest)
        self._deleted[key] = (sequence_number, bound or bound_before)
        self._timers.set(key, now + MAX_DELETE_BCE_TIMEOUT)

    def expire(self, now: float) -> list[Binding]:
        """Remove the entries whose time is over, and return them; forget the deleted
        ones whose time is over.  With more than EXPIRED_MAX, `deadline` stays due."""
        expired = []
        for key in self._timers.expire(now, EXPIRED_MAX):
            binding = self._bindings.pop(key, None)
            if binding is not None:
                expired.append(binding)
            else:
                del self._deleted[key]
        return expired
