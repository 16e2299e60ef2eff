"""What a home agent remembers of its home link's prefixes over a restart: those that
others advertise there, and what it said of its own."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from ipaddress import IPv6Network

from mip6.core.prefixes import HomePrefix

from .home_agent_section import HomeAgentSection

_HEARD = """
CREATE TABLE IF NOT EXISTS prefixes_heard (
    network TEXT PRIMARY KEY,
    valid_until REAL NOT NULL,
    preferred_until REAL NOT NULL,
    autonomous INTEGER NOT NULL
)"""
_SAID = """
CREATE TABLE IF NOT EXISTS prefixes_said (
    said TEXT NOT NULL,
    since REAL NOT NULL
)"""
# Moments are seconds of the wall clock.


class PrefixStore:
    """Two tables of the state file.  Raises `sqlite3.Error`, as does every method.

    wall_clock: seconds that the wall clock is ahead of the boot clock.
    """

    def __init__(
        self, database: sqlite3.Connection, wall_clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._wall_clock = wall_clock
        database.execute(_HEARD)
        database.execute(_SAID)

    def heard(self) -> tuple[HomePrefix, ...]:
        """By the boot clock; what is over may be among them."""
        offset = self._wall_clock()
        rows = self._database.execute("SELECT * FROM prefixes_heard")
        return tuple(
            HomePrefix(
                network=IPv6Network(network),
                valid_until=valid_until - offset,
                preferred_until=preferred_until - offset,
                autonomous_address_configuration=bool(autonomous),
            )
            for network, valid_until, preferred_until, autonomous in rows
        )

    def keep(self, heard: Iterable[HomePrefix]) -> None:
        """These are all of them now; on disk when this returns."""
        offset = self._wall_clock()
        rows = [
            (
                str(prefix.network),
                prefix.valid_until + offset,
                prefix.preferred_until + offset,
                prefix.autonomous_address_configuration,
            )
            for prefix in heard
        ]
        with self._database:
            self._database.execute("BEGIN")
            self._database.execute("DELETE FROM prefixes_heard")
            insert = "INSERT INTO prefixes_heard VALUES (?, ?, ?, ?)"
            self._database.executemany(insert, rows)

    def say(self, wanted: HomeAgentSection, now: float) -> float | None:
        """What is configured counts from now on: how many seconds ago it changed, 0 if
        it is new to the file; None where there was nothing before."""
        words = {str(n): p.model_dump(mode="json") for n, p in wanted.prefixes.items()}
        said = json.dumps([str(wanted.home_prefix), words], sort_keys=True)
        wall = now + self._wall_clock()
        row = self._database.execute("SELECT said, since FROM prefixes_said").fetchone()
        if row is not None and row[0] == said:
            return max(0.0, wall - float(row[1]))
        # Nobody was told otherwise before the first time.
        since = 0.0 if row is None else wall
        with self._database:
            self._database.execute("BEGIN")
            self._database.execute("DELETE FROM prefixes_said")
            self._database.execute(
                "INSERT INTO prefixes_said VALUES (?, ?)", (said, since)
            )
        return None if row is None else 0.0
