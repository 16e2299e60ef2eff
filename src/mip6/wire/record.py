"""`@record`: what values are made of here, in place of `@dataclass(frozen=True,
slots=True)`, because that takes four times as long to make one (decision 0030)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform, overload

Value = TypeVar("Value")

FROZEN = False
"""Whether records made from now on refuse to be changed while the program runs.  mypy
refuses it always; the tests set this before anything else is imported."""


@overload
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[Value], /) -> type[Value]: ...


@overload
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(
    *, kw_only: bool = False, order: bool = False
) -> Callable[[type[Value]], type[Value]]: ...


def record(
    cls: type[Value] | None = None, /, *, kw_only: bool = False, order: bool = False
) -> type[Value] | Callable[[type[Value]], type[Value]]:
    """A value: fields in slots, equality and hash by them, and never changed.

    A frozen dataclass sets each of its fields by `object.__setattr__`, which looks its
    name up; one that is not stores it.
    """
    made = dataclass(
        frozen=FROZEN, unsafe_hash=not FROZEN, slots=True, kw_only=kw_only, order=order
    )
    return made if cls is None else made(cls)
