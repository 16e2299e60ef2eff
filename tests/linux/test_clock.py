import select
import time

from mip6.linux.clock import Timer, now


def readable(timer: Timer, seconds: float) -> bool:
    return bool(select.select([timer], [], [], seconds)[0])


def test_now_is_the_boot_clock() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= now() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_it_fires_at_its_deadline_and_once() -> None:
    timer = Timer()
    deadline = now() + 0.03
    timer.arm(deadline)
    assert not readable(timer, 0)
    assert readable(timer, 2)
    assert timer.fired() >= deadline
    assert not readable(timer, 0.01)
    timer.arm(deadline)  # the same one again: it has been reached, so at once
    assert readable(timer, 1)
    timer.close()


def test_a_past_deadline_fires_at_once_and_none_never() -> None:
    timer = Timer()
    timer.arm(0.0)
    assert readable(timer, 1)
    timer.arm(None)
    assert not readable(timer, 0.01)
    assert timer.fired() >= 0
    timer.close()
