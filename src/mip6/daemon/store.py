"""What has to survive the process: numbers by which replays are told.

    marks      by name, what `security` has reserved or accepted (its `Mark`s)
    sequences  by home address, the sequence number of the last Binding Update (0007)

/var/lib/mip6/NAME/state.sqlite, in write-ahead mode: one commit for all that a burst of
packets changed, on disk before the first answer to them leaves.
"""

import sqlite3
from ipaddress import IPv6Address
from pathlib import Path

from mip6.security.verdict import Mark

from .errors import SetupError

_TABLES = """
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, number TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sequences
    (home_address TEXT PRIMARY KEY, number INTEGER NOT NULL);
"""
# The numbers of marks have 64 bits, one more than SQLite's integers.


class StoreError(SetupError):
    """The file cannot be written now."""


class Store:
    """The file at `path`, made if it is missing.

    Raises SetupError for one that cannot be used: to begin a new one would be to take
    recorded packets once more, which is for a person to decide.
    """

    def __init__(self, path: Path) -> None:
        self.marks: dict[str, int]
        self.sequences: dict[IPv6Address, int]
        self.promised = False
        """Something must be committed before anything may be sent."""
        self._marks: dict[str, int] = {}
        self._sequences: dict[IPv6Address, int] = {}
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=1, isolation_level=None)
            # No other process has it open, and none needs a shared index.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_TABLES)
            marks = self._database.execute("SELECT name, number FROM marks")
            self.marks = {name: int(number) for name, number in marks}
            rows = self._database.execute("SELECT home_address, number FROM sequences")
            self.sequences = {IPv6Address(address): n for address, n in rows}
        except OSError as error:
            raise SetupError(f"{path}: {error.strerror}") from error
        except (sqlite3.Error, ValueError) as error:
            raise SetupError(
                f"{path}: {error}; it remembers which packets are replays: restore it, "
                "or delete it and replace the keys"
            ) from error

    def mark(self, mark: Mark, *, promised: bool) -> None:
        """Note a mark; `promised`: to be on disk before anything is sent."""
        self.marks[mark.name] = self._marks[mark.name] = mark.number
        self.promised |= promised

    def sequence(self, home_address: IPv6Address, number: int) -> None:
        """Note a sequence number, promised by the acknowledgement that waits."""
        if self.sequences.get(home_address) != number:
            self.sequences[home_address] = self._sequences[home_address] = number
            self.promised = True

    def commit(self) -> None:
        """Everything noted is on disk when this returns.

        Raises StoreError if it is not, and then it stays noted.
        """
        if not (self._marks or self._sequences):
            return
        marks = [(name, str(number)) for name, number in self._marks.items()]
        sequences = [(str(address), n) for address, n in self._sequences.items()]
        try:
            with self._database:
                self._database.execute("BEGIN")
                self._database.executemany(
                    "INSERT OR REPLACE INTO marks VALUES (?, ?)", marks
                )
                self._database.executemany(
                    "INSERT OR REPLACE INTO sequences VALUES (?, ?)", sequences
                )
        except sqlite3.Error as error:
            raise StoreError(f"the state file cannot be written: {error}") from error
        self._marks.clear()
        self._sequences.clear()
        self.promised = False

    def close(self) -> None:
        self._database.close()
