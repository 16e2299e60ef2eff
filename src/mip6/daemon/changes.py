"""A table of a database that only grows at one end and shrinks at the other.

What a key stands for changes often, and a row for each key would be somewhere else in
the file each time: a page of it for each change.  So changes are written one behind the
other, the last one of a key counts, and the oldest go when they are too many.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

SLACK = 4096
"""Rows beyond twice the number of keys before old ones are thrown out."""
CLEANED = 4
"""Old rows looked at for each new one, when it is time."""

Row = tuple[Any, ...]
"""The key, what tells one value of it from another, the rest."""


class Changes:
    """The table `name`; its first column is the key, its second tells values apart.

    Raises `sqlite3.Error`, as does every method.
    """

    def __init__(
        self, database: sqlite3.Connection, name: str, columns: Sequence[str]
    ) -> None:
        self._database = database
        names = ", ".join(columns)
        database.execute(
            f"CREATE TABLE IF NOT EXISTS {name} (place INTEGER PRIMARY KEY, {names})"
        )
        marks = ", ".join("?" * (len(columns) + 1))
        fields = ", ".join(column.split()[0] for column in columns)
        self._insert = f"INSERT INTO {name} VALUES ({marks})"
        self._newest = f"SELECT {fields} FROM {name} ORDER BY place DESC"
        self._oldest = f"SELECT {fields} FROM {name} WHERE place < ? ORDER BY place"
        self._delete = f"DELETE FROM {name} WHERE place < ?"
        ends = f"SELECT min(place), max(place) FROM {name}"
        first, last = database.execute(ends).fetchone()
        self._first: int = first or 1
        self._next: int = (last or 0) + 1

    def __len__(self) -> int:
        return self._next - self._first

    def newest(self) -> Iterator[Row]:
        """The row that counts of each key, in no order that matters."""
        seen = set()
        for row in self._database.execute(self._newest):
            if row[0] not in seen:
                seen.add(row[0])
                yield row

    def append(
        self, rows: Sequence[Row], keys: int, current: Callable[[Any], Row | None]
    ) -> None:
        """Write rows; of the oldest ones those that still count are written again, and
        the others are gone.

        keys: how many there are, at least about.
        current: the row that counts for a key now; None when none is needed any more.
        """
        self._write(rows)
        surplus = len(self) - 2 * keys - SLACK
        if surplus <= 0:
            return
        end = self._first + min(surplus, CLEANED * len(rows))
        kept: dict[Any, Row] = {}
        for old in self._database.execute(self._oldest, (end,)):
            row = current(old[0])
            # One that is told apart by nothing may be written twice; none is lost.
            if row is not None and row[1] == old[1]:
                kept[old[0]] = row
        self._write(list(kept.values()))
        self._database.execute(self._delete, (end,))
        self._first = end

    def _write(self, rows: Sequence[Row]) -> None:
        placed = ((place, *row) for place, row in enumerate(rows, self._next))
        self._database.executemany(self._insert, placed)
        self._next += len(rows)
