"""Whose turn it is when more signalling comes than can be answered.

Who has a binding comes first: a refresh that is late costs a mobile node its
connections, a first registration only time.  What finds no room is dropped and counted,
and sent again by who sent it, later each time.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv6Address

BATCH = 256
"""Packets that are answered together, by one commit."""
WAITING_MAX = 4096
"""Packets that wait, of either kind."""
_OPTION, _ADDRESS = slice(46, 48), slice(48, 64)
_HOME_ADDRESS_OPTION = bytes((0xC9, 16))
"""Where a Home Address option stands when it is the first header and aligned (§6.3), as
everybody sends it.  Elsewhere it is not looked for: that packet waits a little more."""


class Admission:
    """is_bound: whether there is a binding for a home address."""

    def __init__(self, is_bound: Callable[[IPv6Address], bool]) -> None:
        self._is_bound = is_bound
        self._bound: deque[bytes] = deque()
        self._others: deque[bytes] = deque()

    def __len__(self) -> int:
        return len(self._bound) + len(self._others)

    def take(self, packets: Iterable[bytes]) -> tuple[int, int]:
        """How many came, and how many of them found no room."""
        count = dropped = 0
        for octets in packets:
            count += 1
            queue = self._bound if self._comes_first(octets) else self._others
            if len(queue) < WAITING_MAX:
                queue.append(octets)
            else:
                dropped += 1
        return count, dropped

    def turn(self) -> Iterator[bytes]:
        """Those that are looked at now, in the order of their coming in either kind."""
        for _ in range(BATCH):
            queue = self._bound or self._others
            if not queue:
                return
            yield queue.popleft()

    def _comes_first(self, octets: bytes) -> bool:
        return (
            octets[_OPTION] == _HOME_ADDRESS_OPTION
            and len(octets) >= _ADDRESS.stop
            and self._is_bound(IPv6Address(octets[_ADDRESS]))
        )
