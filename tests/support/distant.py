"""A correspondent's daemon as tests of the core have a node: octets in, effects out."""

import contextlib
import time
from collections.abc import Iterator

from tests.support.attacker import Ear, listening, send
from tests.support.namespaces import Namespace

from mip6.core.effects import Effect, Send
from mip6.core.packet import Packet, read
from mip6.wire.buffer import WireError
from mip6.wire.messages import KnownMessage

ANSWERED_S = 20.0
"""Within which an answer comes, however busy the machine is."""
SILENT_S = 0.3
"""After which no answer has come."""


class Distant:
    """Sends what it receives from `place`, where the answers pass too."""

    def __init__(self, place: Namespace, ear: Ear) -> None:
        self._place = place
        self._ear = ear
        self.silent = False
        """No answer is waited for in earnest."""

    def receive(self, octets: bytes, now: float = 0.0) -> list[Effect]:
        """The first signalling that the destination of `octets` sends then."""
        self._ear.packets()
        send(self._place, [octets])
        answers = self.heard(octets[24:40])
        end = time.monotonic() + (SILENT_S if self.silent else ANSWERED_S)
        while not answers and time.monotonic() < end:
            time.sleep(0.005)
            answers = self.heard(octets[24:40])
        return [Send(answer) for answer in answers]

    def heard(self, source: bytes) -> list[Packet]:
        """The signalling from an address that has passed and was not told yet."""
        found = []
        for octets in self._ear.packets():
            with contextlib.suppress(WireError):
                packet = read(octets)
                ours = packet.source.packed == source
                if ours and isinstance(packet.message, KnownMessage):
                    found.append(packet)
        return found


@contextlib.contextmanager
def distant(place: Namespace, link: str) -> Iterator[Distant]:
    """`link`: of `place`, towards the correspondent."""
    with listening(place, link) as ear:
        yield Distant(place, ear)
