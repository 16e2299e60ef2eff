"""The arithmetic of a move, on streams made by hand."""

import struct
from array import array
from pathlib import Path

import pytest

from mip6.lab.lab import Move
from mip6.lab.measure import Stream, figures

MS = 1_000_000


def stream(missing: range = range(0), late: dict[int, int] | None = None) -> Stream:
    """A packet each millisecond from 1 s on, there after 0.1 ms, but for `missing`
    numbers and the `late` ones (milliseconds more)."""
    sent = array("Q", [1000 * MS + n * MS for n in range(1000)])
    arrived = {
        n: sent[n] + MS // 10 + (late or {}).get(n, 0) * MS
        for n in range(1000)
        if n not in missing
    }
    return Stream(sent, arrived)


def test_a_stream_without_a_gap_has_no_outage() -> None:
    assert stream().outage_ms(1.1, 1.9) == 0.0
    assert stream().lost(1.1, 1.9) == 0


def test_the_outage_is_the_gap_less_the_interval() -> None:
    # Numbers 200-249 are missing: from 1.1991 to 1.2501 nothing comes.
    assert stream(range(200, 250)).outage_ms(1.1, 1.9) == pytest.approx(50.0)
    assert stream(range(200, 250)).lost(1.1, 1.9) == 50


def test_the_outage_is_counted_from_the_moment_the_cable_is_in() -> None:
    assert stream(range(200, 250)).outage_ms(1.230, 1.9) == pytest.approx(19.1)


def test_a_stream_that_never_comes_back_is_out_to_the_end() -> None:
    assert stream(range(200, 1000)).outage_ms(1.2, 1.9) == pytest.approx(699.0)


def test_the_largest_gap_counts_even_if_it_comes_later() -> None:
    missing = stream(range(600, 700))
    assert missing.outage_ms(1.1, 1.9) == pytest.approx(100.0)


def test_what_waited_and_arrived_is_not_lost_but_late() -> None:
    held = stream(late={n: 260 - n for n in range(200, 250)})
    assert held.lost(1.0, 2.0) == 0
    assert held.outage_ms(1.1, 1.9) == pytest.approx(50.0)


def test_only_what_was_sent_in_the_time_counts_as_lost() -> None:
    missing = stream(range(200, 250))
    assert missing.lost(1.0, 1.21) == 10
    assert missing.lost(1.24, 2.0) == 10


def test_the_files_of_the_probes_are_read_duplicates_counting_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "sent").write_bytes(struct.pack("=3Q", 10, 20, 30))
    (tmp_path / "in").write_bytes(struct.pack("=6Q", 0, 11, 2, 31, 0, 40))
    read = Stream.read(tmp_path / "sent", tmp_path / "in")
    assert list(read.sent) == [10, 20, 30]
    assert read.arrived == {0: 11, 2: 31}


def test_a_move_is_put_together() -> None:
    move = Move(origin="b", destination="c", unplugged_at=1.2, plugged_at=1.3)
    down = stream(range(200, 320))
    up = stream(range(200, 310))
    trace = [
        {"started_at": 0.9, "phases_ms": {"link_up": 0.0}},
        {"started_at": 1.302, "phases_ms": {"link_up": 0.0, "binding_update": 8.0}},
        {"started_at": 1.302, "phases_ms": {"link_up": 0.0, "binding_update": 8.5}},
        {"started_at": 1.5, "phases_ms": {"binding_update": 1.0}},
    ]
    (figure,) = figures([(move, 1.9)], down, up, trace, [{"binding_update": 1.25}])
    assert figure.phases_ms == pytest.approx(
        {
            "link_up": 2.0,
            "binding_update": 10.5,
            "first_packet_in": 20.1,
            "first_packet_out": 10.1,
        }
    )
    document = figure.document()
    assert document["from"] == "b" and document["to"] == "c"
    assert document["outage_ms"] == pytest.approx(19.1)
    assert document["outage_up_ms"] == pytest.approx(9.1)
    assert (document["lost"], document["lost_unplugged"]) == (120, 100)
    assert (document["lost_up"], document["lost_up_unplugged"]) == (110, 100)
    assert document["unplugged_ms"] == pytest.approx(100.0)
    assert document["wire_ms"] == {"binding_update": 1.25}
    assert (document["duplicates"], document["duplicates_up"]) == (0, 0)


def test_what_comes_again_is_a_duplicate_and_no_arrival(tmp_path: Path) -> None:
    sent = array("Q", [1000 * MS, 1001 * MS])
    pairs = array("Q", [0, 1001 * MS, 1, 1002 * MS, 0, 1050 * MS, 0, 1060 * MS])
    (tmp_path / "sent").write_bytes(sent.tobytes())
    (tmp_path / "received").write_bytes(pairs.tobytes())
    read = Stream.read(tmp_path / "sent", tmp_path / "received")
    assert read.arrived == {0: 1001 * MS, 1: 1002 * MS}
    assert read.duplicated(1.0, 1.1) == 2
    assert read.duplicated(1.0, 1.055) == 1
    assert read.arrived_in(1.0, 1.1) == 2


def test_a_move_nobody_gave_account_of_has_the_packets_only() -> None:
    move = Move(origin="b", destination="c", unplugged_at=1.2, plugged_at=1.3)
    (figure,) = figures([(move, 1.9)], stream(), stream(), [], [{}])
    assert set(figure.phases_ms) == {"first_packet_in", "first_packet_out"}
