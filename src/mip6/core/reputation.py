"""Which ways lead to the home agent, and which did not when it was tried.

A Router Advertisement proves nothing: the network behind the router may be broken, and
anybody can send one.  Only the home agent's answer proves that a way leads to it.
"""

from dataclasses import replace
from ipaddress import IPv6Address
from math import inf

from mip6.wire.record import record

DISTRUST_FIRST = 30.0
DISTRUST_MAX = 600.0
"""Seconds for which a way that failed comes last, doubling with each failure."""
WAYS_MAX = 64

Way = tuple[IPv6Address, bytes | None]
"""A router's address and link-layer address; the first alone is not unique."""


@record
class Record:
    proven: bool = False
    failures: int = 0
    failed_at: float = -inf
    until: float = -inf


UNKNOWN = Record()


class Reputation:
    """The records of one link's routers."""

    def __init__(self) -> None:
        self._records: dict[Way, Record] = {}

    def answered(self, way: Way) -> None:
        """The home agent answered what was sent this way."""
        self._keep(way, Record(proven=True))

    def failed(self, way: Way, now: float) -> None:
        """It did not, several times."""
        before = self._records.get(way, UNKNOWN)
        seconds = min(DISTRUST_FIRST * 2**before.failures, DISTRUST_MAX)
        failures = min(before.failures + 1, 16)
        until = now + seconds
        self._keep(way, replace(before, failures=failures, failed_at=now, until=until))

    def proven(self, way: Way) -> bool:
        """Whether the home agent was ever reached this way."""
        return self._records.get(way, UNKNOWN).proven

    def distrusted_at(self, way: Way, now: float) -> float:
        """When it failed, if that is not long ago; else -inf."""
        record = self._records.get(way, UNKNOWN)
        return record.failed_at if now < record.until else -inf

    def moments(self) -> list[float]:
        """When failures are forgiven."""
        return [record.until for record in self._records.values()]

    def _keep(self, way: Way, record: Record) -> None:
        self._records.pop(way, None)
        if len(self._records) == WAYS_MAX:
            # The oldest that nobody will miss.
            forgettable = (w for w, r in self._records.items() if not r.proven)
            del self._records[next(forgettable, next(iter(self._records)))]
        self._records[way] = record
