"""Timers: one deadline per key, cheap for a million of them."""

from hypothesis import given
from hypothesis import strategies as st

from mip6.core.timers import GARBAGE_MIN, Timers


def test_nothing_is_due_in_an_empty_table() -> None:
    timers: Timers[str] = Timers()
    assert timers.deadline is None
    assert timers.expire(1e9) == []
    assert len(timers) == 0


def test_keys_expire_in_the_order_of_their_deadlines() -> None:
    timers: Timers[str] = Timers()
    timers.set("late", 3.0)
    timers.set("soon", 1.0)
    timers.set("later", 4.0)
    assert timers.deadline == 1.0
    assert timers.expire(0.999) == []
    assert timers.expire(3.0) == ["soon", "late"]
    assert timers.deadline == 4.0
    assert len(timers) == 1


def test_ties_expire_in_the_order_of_setting_and_keys_need_no_order() -> None:
    timers: Timers[object] = Timers()
    keys: list[object] = [object(), "text", 1, None]
    for key in keys:
        timers.set(key, 5.0)
    assert timers.expire(5.0) == keys


def test_a_deadline_that_was_moved_or_stopped_no_longer_counts() -> None:
    timers: Timers[str] = Timers()
    timers.set("moved", 1.0)
    timers.set("stopped", 1.0)
    timers.set("moved", 9.0)
    timers.stop("stopped")
    timers.stop("never set")
    assert timers.deadline == 9.0
    assert timers.expire(8.0) == []
    assert timers.expire(9.0) == ["moved"]


def test_a_key_set_again_to_the_same_deadline_expires_once() -> None:
    timers: Timers[str] = Timers()
    timers.set("twice", 1.0)
    timers.set("twice", 1.0)
    assert timers.expire(1.0) == ["twice"]
    assert timers.expire(1.0) == []


def test_many_that_are_set_at_once_expire_as_if_one_by_one() -> None:
    timers: Timers[object] = Timers()
    timers.set("before", 3.0)
    timers.set("again", 1.0)
    tied = object()
    timers.set_many([("late", 4.0), (tied, 2.0), ("again", 5.0), ("soon", 2.0)])
    timers.set("behind", 2.0)
    assert len(timers) == 6
    assert timers.deadline == 2.0
    assert timers.expire(3.0) == [tied, "soon", "behind", "before"]
    assert timers.expire(4.0) == ["late"]
    assert timers.expire(5.0) == ["again"]
    assert timers.deadline is None


def test_no_more_keys_expire_than_asked_for() -> None:
    timers: Timers[int] = Timers()
    for key in range(5):
        timers.set(key, 1.0)
    assert timers.expire(2.0, 3) == [0, 1, 2]
    assert timers.deadline == 1.0
    assert timers.expire(2.0, 3) == [3, 4]
    assert timers.expire(2.0, 3) == []


def test_garbage_is_bounded_however_often_deadlines_move() -> None:
    timers: Timers[int] = Timers()
    for at in range(10_000):
        for key in range(10):
            timers.set(key, float(at))
        assert len(timers._heap) <= 2 * len(timers) + GARBAGE_MIN + 1
    for key in range(10):
        timers.stop(key)
    assert len(timers._heap) <= GARBAGE_MIN + 1


steps = st.one_of(
    st.tuples(st.just("set"), st.integers(0, 5), st.integers(0, 20)),
    st.tuples(st.just("stop"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("expire"), st.just(0), st.integers(0, 20)),
)


@given(st.lists(steps, max_size=200))
def test_it_behaves_as_a_dict_that_is_searched(
    script: list[tuple[str, int, int]],
) -> None:
    timers: Timers[int] = Timers()
    model: dict[int, int] = {}
    for step, key, at in script:
        if step == "set":
            timers.set(key, at)
            model[key] = at
        elif step == "stop":
            timers.stop(key)
            model.pop(key, None)
        else:
            due = {key for key, when in model.items() if when <= at}
            expired = timers.expire(at)
            assert len(expired) == len(due) and set(expired) == due
            assert [model[key] for key in expired] == sorted(model[k] for k in due)
            for key in due:
                del model[key]
        assert timers.deadline == min(model.values(), default=None)
        assert len(timers) == len(model)


def test_deadlines_that_are_brought_forward_leave_no_rubbish() -> None:
    timers: Timers[str] = Timers()
    others = [str(n) for n in range(GARBAGE_MIN)]
    for other in others:
        timers.set(other, 2000.0)
    for n in range(10 * GARBAGE_MIN):
        timers.set("a", 1000.0 - n)
        assert len(timers._heap) <= 2 * len(timers) + GARBAGE_MIN
    assert timers.deadline == 1000.0 - 10 * GARBAGE_MIN + 1
    assert timers.expire(2000.0) == ["a", *others]


def test_keys_that_are_stopped_leave_no_rubbish() -> None:
    timers: Timers[int] = Timers()
    for key in range(10 * GARBAGE_MIN):
        timers.set(key, 1.0)
    for key in range(10 * GARBAGE_MIN):
        timers.stop(key)
        assert len(timers._heap) <= 2 * len(timers) + GARBAGE_MIN
