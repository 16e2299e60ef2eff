"""`@record` is `@dataclass(frozen=True, slots=True)`, made faster (decision 0030)."""

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any, ClassVar

import pytest

from mip6.wire.record import record


def like_a_dataclass(made: Callable[[type], type]) -> type:
    class Value:
        """A value."""

        KIND: ClassVar[int] = 7

        first: int
        second: str = "two"
        third: bytes = field(default=b"3", repr=False, compare=False)
        fourth: int = field(default=4, kw_only=True)

        def __post_init__(self) -> None:
            if self.first < 0:
                raise ValueError("negative")

    return made(Value)


RECORD: Any = like_a_dataclass(record)
DATACLASS: Any = like_a_dataclass(dataclass(frozen=True, slots=True))


@record
class Plain:
    number: int


@record
class Derived(Plain):
    more: int = 0


@record
class Empty:
    pass


@record(kw_only=True)
class Named:
    number: int
    word: str = ""


@record(order=True)
class Ordered:
    number: int


def test_it_is_made_as_a_dataclass_is() -> None:
    assert inspect.signature(RECORD) == inspect.signature(DATACLASS)
    assert repr(RECORD(1)) == repr(DATACLASS(1))
    value = RECORD(1, "b", third=b"c", fourth=5)
    assert (value.first, value.second, value.third, value.fourth) == (1, "b", b"c", 5)
    value = RECORD(first=1)
    assert (value.second, value.third, value.fourth) == ("two", b"3", 4)
    assert [each.name for each in fields(value)] == [f.name for f in fields(DATACLASS)]


@pytest.mark.parametrize("made", [RECORD, DATACLASS])
def test_what_does_not_fit_is_refused(made: Any) -> None:
    for arguments, names in (
        ((), {}),
        ((1, "b", b"c", 4), {}),
        ((1,), {"other": 1}),
        ((1,), {"first": 1}),
    ):
        with pytest.raises(TypeError, match="__init__"):
            made(*arguments, **names)
    with pytest.raises(ValueError, match="negative"):
        made(-1)


def test_it_is_frozen_and_has_no_room_for_more() -> None:
    value = RECORD(1)
    with pytest.raises(FrozenInstanceError):
        value.first = 2
    with pytest.raises(FrozenInstanceError):
        del value.first
    with pytest.raises((FrozenInstanceError, TypeError)):
        value.other = 2
    assert not hasattr(value, "__dict__")
    assert value.first == 1


def test_it_is_equal_to_its_like_only() -> None:
    assert RECORD(1) == RECORD(1, third=b"not compared")
    assert hash(RECORD(1)) == hash(RECORD(1, third=b"not compared"))
    assert RECORD(1) != RECORD(1, fourth=5)
    assert Plain(1) != Ordered(1)
    assert Empty() == Empty()
    assert Ordered(1) < Ordered(2)


def test_it_can_be_copied_and_changed_in_the_copy() -> None:
    assert replace(RECORD(1), second="b") == RECORD(1, "b")
    with pytest.raises(ValueError, match="negative"):
        replace(RECORD(1), first=-1)
    assert copy.deepcopy(Plain(1)) == pickle.loads(pickle.dumps(Plain(1))) == Plain(1)


def test_fields_are_inherited_and_may_be_by_name_only() -> None:
    assert (Derived(1, 2).number, Derived(1, 2).more) == (1, 2)
    assert Named(number=1) == Named(number=1, word="")
    with pytest.raises(TypeError, match="positional"):
        Named(1)  # type: ignore[misc]


def test_a_default_that_must_be_made_is_not_for_a_value() -> None:
    with pytest.raises(AssertionError, match="numbers"):

        @record
        class Wrong:
            numbers: list[int] = field(default_factory=list)
