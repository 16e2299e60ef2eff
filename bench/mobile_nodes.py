"""A million mobile nodes on one link: their Binding Updates, and who hears the answers.

Each has a home address and a care-of address of its own, in no order.  Packets are made
before the clock runs; nothing is timed but sending, and waiting for acknowledgements.
"""

import os
import select
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path

from mip6.core.packet import Packet, write
from mip6.core.state import End
from mip6.security.association import SharedKey
from mip6.security.associations import Associations
from mip6.security.keys import Direction, Secret
from mip6.security.verdict import Protected, Verified
from mip6.wire.messages import BindingUpdate
from mip6.wire.options import AlternateCareOfAddress

HOME_PREFIX = "2001:db8:a::/64"
HOME_AGENT = IPv6Address("2001:db8:f::2")
LIFETIME = 3600
LOST_S = 2.0
"""After so long without an acknowledgement the rest of a batch is given up."""
WINDOW = 512
"""Updates under way at once, when the rate is what is measured."""

_HOME = int(IPv6Address("2001:db8:a::"))
_VISITED = int(IPv6Address("2001:db8:c000::"))
_ETHERTYPE = 0x86DD
_IGNORE_OUTGOING = 23
_SCATTER = 0x9E3779B97F4A7C15
"""Odd, so that i * _SCATTER are distinct modulo 2^64 and in no order."""
_ROUTING_ADDRESS = slice(14 + 48, 14 + 64)
"""Home address in an acknowledgement's type 2 routing header."""
_STATUS = 14 + 40 + 24 + 6


def home_address(number: int) -> IPv6Address:
    return IPv6Address(_HOME + ((number + 1) * _SCATTER & (1 << 63) - 1 | 1 << 62))


def care_of_address(number: int, move: int) -> IPv6Address:
    scattered = (number + 1) * _SCATTER & 0xFFFF_FFFF_FFFF_FFFF
    return IPv6Address(_VISITED + (move << 88) + ((number & 0xFFFFF) << 64) + scattered)


def key(number: int) -> Secret:
    return Secret(number.to_bytes(32))


@dataclass(slots=True)
class Batch:
    """What came of some Binding Updates."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds, of those that were acknowledged."""
    statuses: dict[int, int] = field(default_factory=dict)
    lost: int = 0


class MobileNodes:
    """All of them, behind the interface `link` of the namespace this is made in.

    protected: Binding Updates are in ESP.
    """

    def __init__(self, link: str, agent: bytes, *, protected: bool) -> None:
        self._protected = protected
        kind = socket.htons(_ETHERTYPE)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, kind)
        self._socket.setsockopt(263, _IGNORE_OUTGOING, 1)  # SOL_PACKET
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self._socket.setsockopt(socket.SOL_SOCKET, 32, 16 << 20)  # SO_SNDBUFFORCE
        self._socket.bind((link, _ETHERTYPE))
        self._socket.setblocking(False)
        own = Path(f"/sys/class/net/{link}/address")
        mac = self._socket.getsockname()[4] or bytes.fromhex(
            own.read_text().strip().replace(":", "")
        )
        self._ethernet = agent + mac + struct.pack("!H", _ETHERTYPE)
        self._seal: dict[int, Associations] = {}
        self._numbers: dict[bytes, int] = {}

    def close(self) -> None:
        self._socket.close()

    def update(
        self, number: int, move: int, sequence_number: int, lifetime: int = LIFETIME
    ) -> tuple[bytes, bytes]:
        """The home address, and the frame with the Binding Update."""
        home, care_of = home_address(number), care_of_address(number, move)
        octets = write(
            Packet(
                source=care_of,
                destination=HOME_AGENT,
                home_address=home,
                message=BindingUpdate(
                    sequence_number=sequence_number,
                    lifetime=lifetime,
                    acknowledge=True,
                    home_registration=True,
                    link_local_address_compatibility=False,
                    key_management_mobility_capability=False,
                    options=(AlternateCareOfAddress(care_of),),
                ),
            )
        )
        if self._protected:
            verdict = self._mobile_node(number).protect(octets)
            assert isinstance(verdict, Protected)
            octets = verdict.octets
        return home.packed, self._ethernet + octets

    def _mobile_node(self, number: int) -> Associations:
        if number not in self._seal:
            self._numbers[home_address(number).packed] = number
            shared = SharedKey.at(
                Direction.TO_MOBILE_NODE,
                key(number),
                home_address(number),
                HOME_AGENT,
            )
            self._seal[number] = Associations(
                End.MOBILE_NODE, [shared], random=os.urandom, first=1
            )
        return self._seal[number]

    def send(
        self,
        updates: Iterable[tuple[bytes, bytes]],
        *,
        window: int = WINDOW,
        interval: float = 0.0,
        verify: int | None = None,
    ) -> Batch:
        """Send them and wait for the answers: at most `window` at once, one each
        `interval` seconds at most.  `verify`: this one's answer must be authentic."""
        batch = Batch()
        sent_at: dict[bytes, float] = {}
        waiting = iter(updates)
        begin = heard = time.perf_counter()
        ended, due = False, begin
        while not ended or sent_at:
            now = time.perf_counter()
            while not ended and len(sent_at) < window and now >= due:
                found = next(waiting, None)
                if found is None:
                    ended = True
                    break
                home, frame = found
                self._put(frame)
                now = sent_at[home] = time.perf_counter()
                due += interval
                heard = max(heard, now)
            if not sent_at:
                time.sleep(max(0.0, min(due - now, 0.001)))
                continue
            patience = min(due - now, LOST_S) if not ended and interval else 0.05
            if not select.select([self._socket], [], [], max(patience, 0.0))[0]:
                if time.perf_counter() - heard > LOST_S:
                    batch.lost += len(sent_at)
                    sent_at.clear()
                continue
            heard = self._hear(sent_at, batch, verify)
        batch.seconds = heard - begin
        return batch

    def _put(self, frame: bytes) -> None:
        while True:
            try:
                self._socket.send(frame)
                return
            except (BlockingIOError, OSError):  # the queue of the link is full
                time.sleep(0.0002)

    def _hear(
        self, sent_at: dict[bytes, float], batch: Batch, verify: int | None
    ) -> float:
        while True:
            try:
                frame = self._socket.recv(2048)
            except BlockingIOError:
                return time.perf_counter()
            sent = sent_at.pop(frame[_ROUTING_ADDRESS], None)
            if sent is None:
                continue
            batch.latencies.append(time.perf_counter() - sent)
            if not self._protected:
                status = frame[_STATUS]
                batch.statuses[status] = batch.statuses.get(status, 0) + 1
            elif verify is not None and (
                frame[_ROUTING_ADDRESS] == home_address(verify).packed
            ):
                self._check(verify, frame)

    def _check(self, number: int, frame: bytes) -> None:
        verdict = self._mobile_node(number).verify(frame[14:])
        assert isinstance(verdict, Verified) and verdict.protected_for
        assert verdict.octets[_STATUS - 14] == 0

    def flood(
        self,
        refreshes: Sequence[tuple[bytes, bytes]],
        others: Iterable[tuple[bytes, bytes]],
        *,
        rate: float,
        seconds: float,
    ) -> tuple[Batch, Batch, float]:
        """`others` at `rate` a second, who stop when they are answered, and `refreshes`
        evenly among them; what came of either within `LOST_S` of the end, and how many
        a second were sent."""
        ours, theirs = Batch(seconds), Batch(seconds)
        refreshed_at: dict[bytes, float] = {}
        asked_at: dict[bytes, float] = {}
        answered: list[tuple[Batch, bytes]] = []
        done: set[bytes] = set()
        waiting = iter(others)
        count, next_refresh = 0, 0
        begin = time.perf_counter()
        while (now := time.perf_counter()) < begin + seconds:
            due = int((now - begin) * rate)
            for _ in range(min(due - count, 64)):
                found = next(waiting, None)
                if found is None:
                    break
                home, frame = found
                if home not in done:
                    asked_at[home] = now
                    self._put(frame)
                    count += 1
            if next_refresh < len(refreshes) * (now - begin) / seconds:
                home, frame = refreshes[next_refresh]
                refreshed_at[home] = now
                self._put(frame)
                next_refresh += 1
            self._sort(refreshed_at, ours, asked_at, theirs, answered, done)
        offered = (count + next_refresh) / (time.perf_counter() - begin)
        end = time.perf_counter() + LOST_S
        while time.perf_counter() < end:
            select.select([self._socket], [], [], 0.1)
            self._sort(refreshed_at, ours, asked_at, theirs, answered, done)
        for batch, frame in answered:
            status = self._status(frame)
            batch.statuses[status] = batch.statuses.get(status, 0) + 1
        ours.lost, theirs.lost = len(refreshed_at), len(asked_at)
        return ours, theirs, offered

    def _sort(
        self,
        refreshed_at: dict[bytes, float],
        ours: Batch,
        asked_at: dict[bytes, float],
        theirs: Batch,
        answered: list[tuple[Batch, bytes]],
        done: set[bytes],
    ) -> None:
        while True:
            try:
                frame = self._socket.recv(2048)
            except BlockingIOError:
                return
            home, now = frame[_ROUTING_ADDRESS], time.perf_counter()
            if (sent := refreshed_at.pop(home, None)) is not None:
                batch = ours
            elif (sent := asked_at.pop(home, None)) is not None:
                batch = theirs
                done.add(home)
            else:
                continue
            batch.latencies.append(now - sent)
            answered.append((batch, frame))

    def _status(self, frame: bytes) -> int:
        if not self._protected:
            return frame[_STATUS]
        number = self._numbers[frame[_ROUTING_ADDRESS]]
        verdict = self._mobile_node(number).verify(frame[14:])
        assert isinstance(verdict, Verified) and verdict.protected_for
        return verdict.octets[_STATUS - 14]
