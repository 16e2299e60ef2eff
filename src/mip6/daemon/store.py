"""What has to survive the process: who is where, and numbers that tell replays.

    bindings  by home address, the sequence number of the last Binding Update (0007),
              and the binding if there is one
    marks     by name, what `security` has reserved or accepted (its `Mark`s)
    prefixes  of the home link (prefix_store.py)

/var/lib/mip6/NAME/state.sqlite, in write-ahead mode: one commit for all that a burst of
packets changed, on disk before the first answer to them leaves.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv6Address
from pathlib import Path
from typing import Protocol

from mip6.core.binding_cache import Binding
from mip6.core.prefixes import HomePrefix
from mip6.security.verdict import Mark
from mip6.wire.record import record

from .changes import Changes, Row
from .errors import SetupError
from .home_agent_section import HomeAgentSection
from .prefix_store import PrefixStore

_BINDINGS = (
    "home_address BLOB NOT NULL",
    "sequence_number INTEGER",
    "care_of_address BLOB",
    "lifetime REAL",
    "expires REAL",  # seconds of the wall clock
    "link_local_address_compatibility INTEGER",
    "previous BLOB",
    "previous_until REAL",
)
_MARKS = ("name TEXT NOT NULL", "number TEXT NOT NULL")
# The numbers of marks have 64 bits, one more than SQLite's integers.


class StoreError(SetupError):
    """The file cannot be written now."""


class Bindings(Protocol):
    """Who knows what is to be on disk: the home agent."""

    @property
    def known(self) -> int:
        """Of how many home addresses it knows something."""

    def binding(self, home_address: IPv6Address) -> Binding | None: ...
    def last_sequence_number(self, home_address: IPv6Address) -> int | None: ...


@record
class Stored:
    """What was on disk for one home address."""

    home_address: IPv6Address
    sequence_number: int | None
    binding: Binding | None
    """Its times are of the boot clock again; it may have ended meanwhile."""


class Store:
    """The file at `path`, made if it is missing.

    wall_clock: seconds that the wall clock is ahead of the boot clock.

    Raises SetupError for a file that cannot be used: to begin a new one would be to
    take recorded packets once more, which is for a person to decide.
    """

    def __init__(self, path: Path, wall_clock: Callable[[], float]) -> None:
        self.marks: dict[str, int]
        self.promised = False
        """Something must be committed before anything may be sent."""
        self._wall_clock = wall_clock
        self._bindings: Bindings | None = None
        self._changed: dict[IPv6Address, None] = {}
        self._marked: dict[str, None] = {}
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=1, isolation_level=None)
            # No other process has it open, and none needs a shared index.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            with self._database:
                self._database.execute("BEGIN")
                self._binding_changes = Changes(
                    self._database, "binding_changes", _BINDINGS
                )
                self._mark_changes = Changes(self._database, "mark_changes", _MARKS)
                self._take_over()
                self._prefixes = PrefixStore(self._database, wall_clock)
            self.marks = {name: int(n) for name, n in self._mark_changes.newest()}
        except OSError as error:
            raise SetupError(f"{path}: {error.strerror}") from error
        except (sqlite3.Error, ValueError) as error:
            raise SetupError(
                f"{path}: {error}; it remembers which packets are replays: restore it, "
                "or delete it and replace the keys"
            ) from error

    def _take_over(self) -> None:
        """The tables of version 0.1, which had one row for each key."""
        tables = self._database.execute("SELECT name FROM sqlite_master").fetchall()
        if ("marks",) in tables:
            rows = self._database.execute("SELECT name, number FROM marks").fetchall()
            self._mark_changes.append(rows, len(rows), lambda name: None)
            self._database.execute("DROP TABLE marks")
        if ("sequences",) in tables:
            rows = self._database.execute("SELECT * FROM sequences").fetchall()
            nothing = (None,) * (len(_BINDINGS) - 2)
            self._binding_changes.append(
                [(IPv6Address(text).packed, n, *nothing) for text, n in rows],
                len(rows),
                lambda key: None,
            )
            self._database.execute("DROP TABLE sequences")

    def stored(self) -> Iterator[Stored]:
        """What is on disk of each home address.  Raises SetupError."""
        offset = self._wall_clock()
        try:
            for row in self._binding_changes.newest():
                yield _stored(row, offset)
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise SetupError(f"the bindings in the state file: {error}") from error

    def follow(self, bindings: Bindings) -> None:
        """What is noted from now on is written as `bindings` has it at the commit."""
        self._bindings = bindings

    def mark(self, mark: Mark, *, promised: bool) -> None:
        """Note a mark; `promised`: to be on disk before anything is sent."""
        self.marks[mark.name] = mark.number
        self._marked[mark.name] = None
        self.promised |= promised

    def changed(self, home_address: IPv6Address) -> None:
        """Note that something changed about a home address, promised by the
        acknowledgement that waits."""
        self._changed[home_address] = None
        self.promised = True

    def commit(self) -> None:
        """Everything noted is on disk when this returns.

        Raises StoreError if it is not, and then it stays noted.
        """
        if not (self._marked or self._changed):
            return
        try:
            with self._database:
                self._database.execute("BEGIN")
                if self._changed:
                    self._write_bindings()
                if self._marked:
                    rows = [(name, str(self.marks[name])) for name in self._marked]
                    self._mark_changes.append(rows, len(self.marks), self._mark_row)
        except sqlite3.Error as error:
            raise StoreError(f"the state file cannot be written: {error}") from error
        self._marked.clear()
        self._changed.clear()
        self.promised = False

    def prefixes_said(self, wanted: HomeAgentSection, now: float) -> float | None:
        """See `PrefixStore.say`.  Raises StoreError."""
        try:
            return self._prefixes.say(wanted, now)
        except (sqlite3.Error, ValueError) as error:
            raise StoreError(f"the state file cannot be written: {error}") from error

    def prefixes_heard(self) -> tuple[HomePrefix, ...]:
        """Those that others advertise on the home link.  Raises SetupError."""
        try:
            return self._prefixes.heard()
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise SetupError(f"the prefixes in the state file: {error}") from error

    def keep_prefixes(self, heard: Iterable[HomePrefix]) -> None:
        """Raises StoreError."""
        try:
            self._prefixes.keep(heard)
        except sqlite3.Error as error:
            raise StoreError(f"the state file cannot be written: {error}") from error

    def close(self) -> None:
        self._database.close()

    def _write_bindings(self) -> None:
        bindings, offset = self._bindings, self._wall_clock()
        assert bindings is not None

        def current(key: bytes) -> Row | None:
            assert bindings is not None
            return _row(IPv6Address(key), bindings, offset)

        rows = [
            _row(home_address, bindings, offset)
            or (home_address.packed, *(None,) * (len(_BINDINGS) - 1))
            for home_address in self._changed
        ]
        self._binding_changes.append(rows, bindings.known, current)

    def _mark_row(self, name: str) -> Row:
        return name, str(self.marks[name])


def _row(home_address: IPv6Address, bindings: Bindings, offset: float) -> Row | None:
    """None where nothing is known that must last."""
    binding = bindings.binding(home_address)
    if binding is None:
        number = bindings.last_sequence_number(home_address)
        if number is None:
            return None
        return home_address.packed, number, None, None, None, None, None, None
    return (
        home_address.packed,
        binding.sequence_number,
        binding.care_of_address.packed,
        binding.lifetime,
        binding.expires + offset,
        binding.link_local_address_compatibility,
        binding.previous.packed if binding.previous else None,
        binding.previous_until + offset if binding.previous else None,
    )


def _stored(row: Row, offset: float) -> Stored:
    packed, number, care_of, lifetime, expires, compatible, previous, until = row
    home_address = IPv6Address(packed)
    if care_of is None:
        return Stored(home_address, number, None)
    binding = Binding(
        home_address=home_address,
        care_of_address=IPv6Address(care_of),
        home_registration=True,
        sequence_number=number,
        lifetime=lifetime,
        expires=expires - offset,
        link_local_address_compatibility=bool(compatible),
        previous=IPv6Address(previous) if previous else None,
        previous_until=until - offset if previous else 0.0,
    )
    return Stored(home_address, number, binding)
