"""What survives the process, and that nothing is sent before it does."""

import stat
import subprocess
import sys
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from tests.support.security import BINDING_UPDATE, HOME_ADDRESS, KEY

from mip6.core.events import Dropped, Event, Problem
from mip6.core.packet import write
from mip6.core.state import End
from mip6.daemon.credentials import Credentials
from mip6.daemon.errors import SetupError
from mip6.daemon.outbox import Outbox
from mip6.daemon.protection import Protection
from mip6.daemon.store import Store, StoreError
from mip6.linux.executor import Counts
from mip6.security import mobility_association
from mip6.security.association import from_key
from mip6.security.esp import spi_and_sequence_number
from mip6.security.replay import RESERVED_AT_ONCE
from mip6.security.verdict import Mark, Protected, Refused, Rejected, Verified
from mip6.wire.messages import BindingAcknowledgement
from mip6.wire.packet import read_packet

HOME_AGENT = IPv6Address("2001:db8:a::1")
ESP = Credentials(associations=list(from_key(KEY, HOME_ADDRESS, HOME_AGENT)))
OPTION = Credentials(
    mobility=[mobility_association.from_key(KEY, HOME_ADDRESS, HOME_AGENT, "a@b")]
)
LARGE = Mark("a timestamp", 2**64 - 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mip6" / "state.sqlite"


def test_what_was_committed_is_there_again(path: Path) -> None:
    store = Store(path)
    assert (store.marks, store.sequences) == ({}, {})
    store.mark(LARGE, promised=False)
    store.mark(Mark("a counter", 256), promised=True)
    store.sequence(HOME_ADDRESS, 65535)
    store.commit()
    store.mark(Mark("a counter", 512), promised=True)
    store.close()
    again = Store(path)
    assert again.marks == {LARGE.name: LARGE.number, "a counter": 256}
    assert again.sequences == {HOME_ADDRESS: 65535}
    again.close()


def test_only_its_owner_may_look(path: Path) -> None:
    Store(path).close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_is_promised(path: Path) -> None:
    store = Store(path)
    store.mark(LARGE, promised=False)
    assert not store.promised
    store.sequence(HOME_ADDRESS, 7)
    assert store.promised
    store.commit()
    assert not store.promised
    store.sequence(HOME_ADDRESS, 7)
    assert not store.promised, "it is there already"
    store.close()


def test_a_killed_process_has_promised_nothing_in_vain(path: Path) -> None:
    """kill -9 right after a commit: it is there, and the file is whole."""
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from mip6.daemon.store import Store\n"
        "from mip6.security.verdict import Mark\n"
        "store = Store(Path(sys.argv[1]))\n"
        "for number in range(1, 21):\n"
        "    store.mark(Mark('a counter', number), promised=True)\n"
        "    store.commit()\n"
        "store.mark(Mark('a counter', 99), promised=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, path], check=False)
    store = Store(path)
    assert store.marks == {"a counter": 20}
    store.close()


def test_a_file_that_is_damaged_is_for_a_person_to_judge(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(SetupError, match="remembers which packets are replays"):
        Store(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(SetupError, match=r"state\.sqlite: "):
        Store(path)


def test_two_processes_do_not_share_it(path: Path) -> None:
    first = Store(path)
    with pytest.raises(SetupError, match="locked"):
        Store(path)
    first.close()


class Wire:
    """Takes packets, or refuses them."""

    def __init__(self, store: Store | None) -> None:
        self.packets: list[bytes] = []
        self.broken = False
        self._store = store

    def send(self, octets: bytes, index: int | None = None) -> None:
        assert self._store is None or not self._store.promised
        if self.broken:
            raise OSError(101, "Network is unreachable")
        self.packets.append(octets)

    def send_routed(self, octets: bytes) -> None:
        self.send(octets)

    def close(self) -> None:
        pass


class Side:
    """One end with its store and what it sends."""

    def __init__(
        self, end: End, path: Path | None, credentials: Credentials = ESP
    ) -> None:
        self.store = Store(path) if path else None
        self.protection = Protection(
            end, credentials, self.store.marks if self.store else {}
        )
        self.wire = Wire(self.store)
        self.events: list[Event] = []
        self.counts = Counts()
        self.outbox = Outbox(
            self.wire,  # type: ignore[arg-type]
            self.protection,
            self.store,
            self.events.append,
        )

    def send(self, octets: bytes) -> None:
        try:
            self.outbox.send(octets, 7)
            self.counts.sent += 1
        except OSError:
            self.counts.not_sent += 1

    def number(self) -> int:
        return spi_and_sequence_number(read_packet(self.wire.packets[-1]).payload)[1]


UPDATE = write(BINDING_UPDATE)


@pytest.fixture
def mobile(path: Path) -> Side:
    return Side(End.MOBILE_NODE, path)


def test_a_block_of_numbers_is_reserved_before_the_first_leaves(mobile: Side) -> None:
    mobile.send(UPDATE)
    assert mobile.wire.packets == []
    mobile.outbox.flush(mobile.counts)
    assert len(mobile.wire.packets) == 1
    # The rest of the block leaves at once.
    mobile.send(UPDATE)
    assert len(mobile.wire.packets) == 2
    assert mobile.counts.sent == 2
    [reserved] = mobile.store.marks.values()  # type: ignore[union-attr]
    assert mobile.number() < reserved


def test_numbers_go_on_behind_the_block_after_a_kill(path: Path, mobile: Side) -> None:
    mobile.send(UPDATE)
    mobile.outbox.flush(mobile.counts)
    used = mobile.number()
    mobile.store.close()  # type: ignore[union-attr]
    again = Side(End.MOBILE_NODE, path)
    again.send(UPDATE)
    again.outbox.flush(again.counts)
    assert again.number() == used + RESERVED_AT_ONCE


def test_what_cannot_be_promised_is_not_sent(
    mobile: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "commit", full)
        mobile.send(UPDATE)
        mobile.outbox.flush(mobile.counts)
        assert mobile.wire.packets == []
        assert (mobile.counts.sent, mobile.counts.not_sent) == (0, 1)
        [problem] = mobile.events
        assert isinstance(problem, Problem) and "No space left" in problem.what
    mobile.send(UPDATE)
    mobile.outbox.flush(mobile.counts)
    assert len(mobile.wire.packets) == 1


def test_numbers_reserved_at_the_start_let_the_first_packet_go(mobile: Side) -> None:
    assert mobile.store is not None
    for mark in mobile.protection.reserve():
        mobile.store.mark(mark, promised=True)
    mobile.store.commit()
    mobile.send(UPDATE)
    assert len(mobile.wire.packets) == 1
    assert mobile.protection.reserve() == []


def test_a_packet_that_cannot_leave_is_counted(mobile: Side) -> None:
    mobile.wire.broken = True
    mobile.send(UPDATE)
    mobile.outbox.flush(mobile.counts)
    mobile.send(UPDATE)
    assert (mobile.counts.sent, mobile.counts.not_sent) == (0, 2)


def test_exhausted_numbers_stop_it(path: Path) -> None:
    """2^32 packets are the end of a key (RFC 4303 §3.3.3)."""
    store = Store(path)
    for association in ESP.associations:
        store.mark(Mark(association.name, 2**32 - 1), promised=True)
    store.commit()
    store.close()
    mobile = Side(End.MOBILE_NODE, path)
    mobile.send(UPDATE)
    mobile.outbox.flush(mobile.counts)
    assert mobile.wire.packets == [] and mobile.counts.not_sent == 1
    [event] = mobile.events
    assert isinstance(event, Dropped) and event.reason == "sequence_numbers_exhausted"


def test_without_authentication_nothing_is_stored_or_changed() -> None:
    plain = Side(End.MOBILE_NODE, None, Credentials())
    plain.send(UPDATE)
    assert plain.wire.packets == [UPDATE]
    assert plain.protection.verify(UPDATE, 0.0) == Verified(UPDATE)
    assert plain.protection.spis == frozenset()


def test_both_ends_of_the_mn_ha_option(path: Path) -> None:
    mobile = Side(End.MOBILE_NODE, path, OPTION)
    agent = Protection(End.HOME_AGENT, OPTION, {})
    mobile.send(UPDATE)
    [sent] = mobile.wire.packets
    verdict = agent.verify(sent, 0.0)
    assert isinstance(verdict, Verified) and verdict.protected_for == HOME_ADDRESS
    assert verdict.mark is not None
    assert isinstance(agent.verify(UPDATE, 0.0), Rejected)
    # After a restart its timestamp is the last one accepted.
    again = Protection(End.HOME_AGENT, OPTION, dict([verdict.mark]))
    replayed = again.verify(sent, 0.0)
    assert isinstance(replayed, Refused)
    assert isinstance(replayed.acknowledgement.message, BindingAcknowledgement)


def test_a_mark_stops_replays_after_a_restart() -> None:
    mobile = Protection(End.MOBILE_NODE, ESP, {})
    agent = Protection(End.HOME_AGENT, ESP, {})
    sealed = mobile.protect(UPDATE)
    assert isinstance(sealed, Protected)
    first = agent.verify(sealed.octets, 0.0)
    assert isinstance(first, Verified) and first.mark is not None
    again = Protection(End.HOME_AGENT, ESP, dict([first.mark]))
    replayed = again.verify(sealed.octets, 0.0)
    assert isinstance(replayed, Rejected) and replayed.reason == "replayed"
