"""What fuzzing found worth keeping, once more: each input is a line of fuzz/corpus.

`make fuzz` looks for more; its findings become lines there.
"""

import pytest
from fuzz.targets import NEEDS_ROOT, TARGETS, corpus, target

INPUTS = [
    pytest.param(
        name,
        number,
        octets,
        id=f"{name}-{number}",
        marks=[pytest.mark.root] if name in NEEDS_ROOT else [],
    )
    for name in TARGETS
    for number, octets in enumerate(corpus(name), 1)
]


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_an_input_too(name: str) -> None:
    if name not in NEEDS_ROOT:
        target(name)(b"")


@pytest.mark.parametrize(("name", "number", "octets"), INPUTS)
def test_nothing_is_wrong(name: str, number: int, octets: bytes) -> None:
    target(name)(octets)
