"""The last steps of a packet of ours: protected, and what it promises on disk."""

import errno
from collections.abc import Callable

from mip6.core.events import Dropped, Event, Problem
from mip6.linux.executor import Counts
from mip6.linux.sockets import Sender
from mip6.security.verdict import Rejected

from .protection import Protection
from .store import Store, StoreError


class Outbox:
    """Sends like a `Sender`, but what must not leave before a commit waits for `flush`.

    store: None where there is nothing to remember.
    hold: every packet waits, since what it promises is known only when all that came
        with it has been looked at (a home agent's acknowledgements).
    """

    def __init__(
        self,
        sender: Sender,
        protection: Protection,
        store: Store | None,
        report: Callable[[Event], None],
        *,
        hold: bool = False,
    ) -> None:
        self._sender = sender
        self._protection = protection
        self._store = store
        self._report = report
        self._hold = hold
        self._waiting: list[tuple[bytes, int | None]] = []

    def close(self) -> None:
        self._sender.close()

    def send(self, octets: bytes, index: int | None = None) -> None:
        """As `Sender.send`.  A packet that cannot be protected is not sent: OSError."""
        verdict = self._protection.protect(octets)
        if isinstance(verdict, Rejected):
            self._report(Dropped(verdict.reason, verdict.section, verdict.source))
            raise OSError(errno.EKEYREVOKED, verdict.reason)
        if verdict.mark is not None and self._store is not None:
            self._store.mark(verdict.mark, promised=True)
        if self._hold or (self._store is not None and self._store.promised):
            self._waiting.append((verdict.octets, index))
            return
        self._sender.send(verdict.octets, index)

    def send_frame(self, octets: bytes, index: int, link_layer_address: bytes) -> None:
        """As `Sender.send_frame`: Neighbor Discovery, which is not protected."""
        self._sender.send_frame(octets, index, link_layer_address)

    def send_routed(self, octets: bytes, index: int | None = None) -> None:
        """As `Sender.send_routed`: packets of applications, which are not protected."""
        self._sender.send_routed(octets, index)

    def flush(self, counts: Counts) -> None:
        """Commits and sends what waits.  What cannot be promised is not sent, and asked
        for again by the mobile node."""
        waiting, self._waiting = self._waiting, []
        unsent = 0
        try:
            if self._store is not None and self._store.promised:
                self._store.commit()
        except StoreError as error:
            self._report(Problem(str(error), "make room on its disk"))
            unsent, waiting = len(waiting), []
        for octets, index in waiting:
            try:
                self._sender.send(octets, index)
            except OSError:
                unsent += 1
        counts.sent -= unsent
        counts.not_sent += unsent
