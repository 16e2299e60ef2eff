"""What must be so at the end of a run, held against streams and captures by hand."""

from array import array
from typing import Any

from mip6.lab.account import Account
from mip6.lab.lab import Move
from mip6.lab.measure import Result, Stream

S = 1_000_000_000


def result(down: Stream, up: Stream) -> Result:
    told: dict[str, Any] = {"bytes": 0, "sha256": "", "reset": False, "ended": True}
    return Result(
        down=down, up=up, tcp_sent=told, tcp_received=told, pings=0, pings_answered=0
    )


def checked(*streams: Stream) -> dict[str, tuple[bool, str]]:
    account = Account(quiet=[("a night", 1.0, 2.0)])
    found: dict[str, tuple[bool, str]] = {}

    def check(name: str, ok: bool, detail: str) -> None:
        found[name] = (ok, detail)

    account.check_quiet([result(*streams)], check)
    return found


WHOLE = Stream(array("Q", [S + S // 2]), {0: S + S // 2 + 1})
LOST = Stream(array("Q", [S + S // 2]), {})
TWICE = Stream(array("Q", [S + S // 2]), {0: S + S // 2 + 1}, (S + S // 2 + 2,))


def test_in_quiet_times_nothing_is_lost_and_nothing_comes_twice() -> None:
    fine = {
        "a night: no packet lost": (True, "lost 0 down, 0 up"),
        "a night: none came twice": (True, "0"),
    }
    assert checked(WHOLE, WHOLE) == fine
    lost = (False, "lost 0 down, 1 up")
    assert checked(WHOLE, LOST) == fine | {"a night: no packet lost": lost}
    twice = (False, "1")
    assert checked(TWICE, WHOLE) == fine | {"a night: none came twice": twice}


def test_a_move_counts_until_the_next_or_a_cut_or_the_end() -> None:
    account = Account(cuts=[25.0])
    first, second, third = (
        Move(origin="b", destination="c", unplugged_at=at, plugged_at=at + 0.1)
        for at in (10.0, 20.0, 30.0)
    )
    assert account.moved(first) == "move 1 b → c"
    account.moved(second)
    account.moved(third)
    assert account.spans(40.0) == [(first, 20.0), (second, 25.0), (third, 40.0)]
