"""What survives the process, and that nothing is sent before it does."""

import contextlib
import itertools
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from math import inf
from pathlib import Path

import pytest
from tests.support.security import BINDING_UPDATE, HOME_ADDRESS, KEY

from mip6.core.binding_cache import Binding
from mip6.core.events import Dropped, Event, Problem
from mip6.core.packet import write
from mip6.core.prefixes import HomePrefix
from mip6.core.state import End
from mip6.daemon import changes
from mip6.daemon.credentials import Credentials
from mip6.daemon.errors import SetupError
from mip6.daemon.home_agent_section import HomeAgentSection
from mip6.daemon.home_prefixes import PrefixSection
from mip6.daemon.outbox import Outbox
from mip6.daemon.protection import Protection
from mip6.daemon.store import Store, Stored, StoreError
from mip6.linux.executor import Counts
from mip6.security import mobility_association
from mip6.security.association import from_key
from mip6.security.esp import spi_and_sequence_number
from mip6.security.replay import RESERVED_AT_ONCE
from mip6.security.verdict import Mark, Protected, Refused, Rejected, Verified
from mip6.wire.messages import BindingAcknowledgement
from mip6.wire.packet import read_packet

CARE_OF_ADDRESS = IPv6Address("2001:db8:b::8")
HOME_AGENT = IPv6Address("2001:db8:a::1")
ESP = Credentials(associations=list(from_key(KEY, HOME_ADDRESS, HOME_AGENT)))
OPTION = Credentials(
    mobility=[mobility_association.from_key(KEY, HOME_ADDRESS, HOME_AGENT, "a@b")]
)
LARGE = Mark("a timestamp", 2**64 - 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mip6" / "state.sqlite"


def opened(path: Path, ahead: float = 0.0) -> Store:
    return Store(path, lambda: ahead)


class Cache:
    """What a home agent knows."""

    def __init__(self) -> None:
        self.bindings: dict[IPv6Address, Binding] = {}
        self.numbers: dict[IPv6Address, int] = {}

    @property
    def known(self) -> int:
        return len(self.bindings) + len(self.numbers)

    def binding(self, home_address: IPv6Address) -> Binding | None:
        return self.bindings.get(home_address)

    def last_sequence_number(self, home_address: IPv6Address) -> int | None:
        binding = self.binding(home_address)
        if binding is not None:
            return binding.sequence_number
        return self.numbers.get(home_address)

    def bind(self, store: Store, **changes: object) -> Binding:
        binding = replace(BINDING, **changes)  # type: ignore[arg-type]
        self.bindings[binding.home_address] = binding
        store.changed(binding.home_address)
        return binding


BINDING = Binding(
    home_address=HOME_ADDRESS,
    care_of_address=IPv6Address("2001:db8:b::7"),
    home_registration=True,
    sequence_number=7,
    lifetime=600,
    expires=1600.0,
)


def test_what_was_committed_is_there_again(path: Path) -> None:
    store, cache = opened(path), Cache()
    store.follow(cache)
    assert store.marks == {} and list(store.stored()) == []
    store.mark(LARGE, promised=False)
    store.mark(Mark("a counter", 256), promised=True)
    cache.bind(store)
    store.commit()
    store.mark(Mark("a counter", 512), promised=True)
    cache.bind(store, sequence_number=8)
    store.close()
    again = opened(path)
    assert again.marks == {LARGE.name: LARGE.number, "a counter": 256}
    assert list(again.stored()) == [Stored(HOME_ADDRESS, 7, BINDING)]
    again.close()


def test_every_part_of_a_binding_that_lasts(path: Path) -> None:
    store, cache = opened(path), Cache()
    store.follow(cache)
    binding = cache.bind(
        store,
        sequence_number=None,
        link_local_address_compatibility=True,
        previous=IPv6Address("2001:db8:c::7"),
        previous_until=1002.5,
    )
    store.commit()
    store.close()
    again = opened(path)
    assert [stored.binding for stored in again.stored()] == [binding]
    again.close()


def test_after_a_reboot_a_binding_has_what_was_left(path: Path) -> None:
    """The boot clock begins anew; the wall clock is what goes on."""
    store, cache = opened(path, ahead=5000.0), Cache()
    store.follow(cache)
    cache.bind(store, previous=CARE_OF_ADDRESS, previous_until=1001.0)
    store.commit()
    store.close()
    again = opened(path, ahead=6500.0)
    [stored] = again.stored()
    assert stored.binding is not None
    assert (stored.binding.expires, stored.binding.previous_until) == (100.0, -499.0)
    again.close()


def test_what_is_forgotten_is_gone(path: Path) -> None:
    """A binding without authentication leaves nothing behind; with it, its number."""
    store, cache = opened(path), Cache()
    store.follow(cache)
    other = HOME_ADDRESS + 1
    cache.bind(store)
    cache.bind(store, home_address=other)
    store.commit()
    cache.bindings.clear()
    cache.numbers[other] = 9
    store.changed(HOME_ADDRESS)
    store.changed(other)
    store.commit()
    store.close()
    again = opened(path)
    found = {stored.home_address: stored for stored in again.stored()}
    assert found == {
        HOME_ADDRESS: Stored(HOME_ADDRESS, None, None),
        other: Stored(other, 9, None),
    }
    again.close()


def test_old_rows_go_and_nothing_that_counts_with_them(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SLACK", 40)
    store, cache = opened(path), Cache()
    store.follow(cache)
    quiet = cache.bind(store, home_address=HOME_ADDRESS + 1)
    store.mark(LARGE, promised=True)
    numbers = itertools.cycle(range(2**16))
    for _ in range(300):
        last = cache.bind(store, sequence_number=next(numbers))
        store.mark(Mark("a counter", last.sequence_number or 0), promised=True)
        store.commit()
        assert len(store._binding_changes) <= 2 * cache.known + 42
        assert len(store._mark_changes) <= 2 * len(store.marks) + 42
    store.close()
    again = opened(path)
    assert {stored.binding for stored in again.stored()} == {quiet, last}
    assert again.marks[LARGE.name] == LARGE.number
    again.close()


def test_a_file_of_version_0_1_is_taken_over(path: Path) -> None:
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.executescript(
            "CREATE TABLE marks (name TEXT PRIMARY KEY, number TEXT NOT NULL);"
            "CREATE TABLE sequences"
            " (home_address TEXT PRIMARY KEY, number INTEGER NOT NULL);"
            f"INSERT INTO marks VALUES ('{LARGE.name}', '{LARGE.number}');"
            f"INSERT INTO sequences VALUES ('{HOME_ADDRESS}', 77);"
        )
    for _ in range(2):
        store = opened(path)
        assert store.marks == {LARGE.name: LARGE.number}
        assert list(store.stored()) == [Stored(HOME_ADDRESS, 77, None)]
        store.close()


def test_rows_that_make_no_sense_are_for_a_person_to_judge(path: Path) -> None:
    store, cache = opened(path), Cache()
    store.follow(cache)
    cache.bind(store)
    store.commit()
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE binding_changes SET care_of_address = x'00'")
    again = opened(path)
    with pytest.raises(SetupError, match="the bindings in the state file"):
        list(again.stored())
    again.close()


def test_only_its_owner_may_look(path: Path) -> None:
    opened(path).close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_is_promised(path: Path) -> None:
    store, cache = opened(path), Cache()
    store.follow(cache)
    store.mark(LARGE, promised=False)
    assert not store.promised
    cache.bind(store)
    assert store.promised
    store.commit()
    assert not store.promised
    store.close()


def test_a_killed_process_has_promised_nothing_in_vain(path: Path) -> None:
    """kill -9 right after a commit: it is there, and the file is whole."""
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from mip6.daemon.store import Store\n"
        "from mip6.security.verdict import Mark\n"
        "store = Store(Path(sys.argv[1]), lambda: 0.0)\n"
        "for number in range(1, 21):\n"
        "    store.mark(Mark('a counter', number), promised=True)\n"
        "    store.commit()\n"
        "store.mark(Mark('a counter', 99), promised=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, path], check=False)
    store = opened(path)
    assert store.marks == {"a counter": 20}
    store.close()


def test_a_file_that_is_damaged_is_for_a_person_to_judge(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(SetupError, match="remembers which packets are replays"):
        opened(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(SetupError, match=r"state\.sqlite: "):
        opened(path)


def test_two_processes_do_not_share_it(path: Path) -> None:
    first = opened(path)
    with pytest.raises(SetupError, match="locked"):
        opened(path)
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

    def send_routed(self, octets: bytes, index: int | None = None) -> None:
        self.send(octets)

    def close(self) -> None:
        pass


class Side:
    """One end with its store and what it sends."""

    def __init__(
        self, end: End, path: Path | None, credentials: Credentials = ESP
    ) -> None:
        self.store = opened(path) if path else None
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
    store = opened(path)
    for association in from_key(KEY, HOME_ADDRESS, HOME_AGENT):
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


# The prefixes of the home link.


HEARD = HomePrefix(
    network=IPv6Network("2001:db8:2a::/64"),
    valid_until=900.0,
    preferred_until=inf,
    autonomous_address_configuration=False,
)


def section(**prefixes: PrefixSection) -> HomeAgentSection:
    return HomeAgentSection.model_construct(
        home_prefix=IPv6Network("2001:db8:a::/64"),
        prefixes={IPv6Network(f"2001:db8:{k}::/64"): v for k, v in prefixes.items()},
    )


def test_lifetimes_of_prefixes_count_down_over_a_restart(path: Path) -> None:
    store = opened(path, ahead=1000.0)
    assert store.prefixes_heard() == ()
    store.keep_prefixes((HEARD, replace(HEARD, network=IPv6Network("2001:db8::/64"))))
    store.keep_prefixes((HEARD,))
    store.close()
    # It was off for 100 s, of which the boot clock knows nothing.
    store = opened(path, ahead=1500.0)
    assert store.prefixes_heard() == (replace(HEARD, valid_until=400.0),)
    store.close()


def test_since_when_prefixes_are_what_they_are(path: Path) -> None:
    store = opened(path)
    assert store.prefixes_said(section(), 1000.0) is None  # nothing was said before
    age = store.prefixes_said(section(), 1001.0)
    assert age is not None and age > 900  # for all that anybody knows
    deprecated = section(a=PrefixSection(preferred_lifetime=0))
    assert store.prefixes_said(deprecated, 1002.0) == 0
    store.close()
    store = opened(path)
    assert store.prefixes_said(deprecated, 1007.0) == 5
    assert store.prefixes_said(section(), 1008.0) == 0
    store.close()


def test_prefixes_that_cannot_be_read_or_written(path: Path) -> None:
    store = opened(path)
    with contextlib.closing(sqlite3.connect(":memory:")) as empty:
        empty.execute("CREATE TABLE prefixes_heard (a, b, c, d)")
        empty.execute("INSERT INTO prefixes_heard VALUES (?, 1, 1, 1)", ("no network",))
        store._prefixes._database = empty
        with pytest.raises(SetupError, match="prefixes in the state file"):
            store.prefixes_heard()
    with pytest.raises(StoreError):
        store.keep_prefixes((HEARD,))
    with pytest.raises(StoreError):
        store.prefixes_said(section(), 1000.0)
    store.close()
