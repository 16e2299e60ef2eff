"""`@record` is `@dataclass(frozen=True, slots=True)` that is made faster (decision
0030)."""

import inspect
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any, ClassVar

import pytest

from mip6.wire import record as records
from mip6.wire.options import NonceIndices
from mip6.wire.record import record


def value(made: Any) -> Any:
    class Plain:
        KIND: ClassVar[int] = 7

        first: int
        second: str = "two"
        third: bytes = field(default=b"3", repr=False, compare=False)
        fourth: int = field(default=4, kw_only=True)

        def __post_init__(self) -> None:
            if self.first < 0:
                raise ValueError("negative")

    return made(Plain)


DATACLASS = value(dataclass(frozen=True, slots=True))


@pytest.fixture(params=[True, False], ids=["frozen", "as in use"])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same as a record, in the tests' way and in the program's."""
    monkeypatch.setattr(records, "FROZEN", request.param)
    return value(record)


def test_it_is_made_as_a_dataclass_is(made: Any) -> None:
    assert inspect.signature(made) == inspect.signature(DATACLASS)
    assert repr(made(1)) == repr(DATACLASS(1))
    whole = made(1, "b", third=b"c", fourth=5)
    assert (whole.first, whole.second, whole.third, whole.fourth) == (1, "b", b"c", 5)
    assert [each.name for each in fields(made)] == [f.name for f in fields(DATACLASS)]
    with pytest.raises(ValueError, match="negative"):
        made(-1)


def test_it_has_slots_and_no_room_for_more(made: Any) -> None:
    assert not hasattr(made(1), "__dict__")


def test_it_is_equal_by_its_fields_and_class(made: Any) -> None:
    assert made(1) == made(1, third=b"not compared")
    assert hash(made(1)) == hash(made(1, third=b"not compared")) == hash(DATACLASS(1))
    assert made(1) != made(1, fourth=5)
    assert made(1) != DATACLASS(1)
    assert replace(made(1), second="b") == made(1, "b")


def test_fields_by_name_only_and_an_order() -> None:
    @record(kw_only=True)
    class Named:
        number: int

    @record(order=True)
    class Ordered:
        number: int

    with pytest.raises(TypeError, match="positional"):
        Named(1)  # type: ignore[misc]
    assert Ordered(1) < Ordered(2)


def test_in_the_tests_nothing_changes_a_record() -> None:
    indices: Any = NonceIndices(1, 2)
    with pytest.raises(FrozenInstanceError):
        indices.home_nonce_index = 3
    with pytest.raises(FrozenInstanceError):
        del indices.home_nonce_index
