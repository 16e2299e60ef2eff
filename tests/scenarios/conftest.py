"""Traces as text: what a scenario did when it was last looked at and found right."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def trace_is(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with `NAME.txt` next to the tests; with --rewrite write it."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / f"{name}.txt"
        if request.config.getoption("--rewrite"):
            path.write_text(text)
        assert path.exists(), f"no {path.name} yet: look at it with --rewrite"
        assert text == path.read_text(), (
            "not what it was; if this is better, pytest --rewrite tests/scenarios"
        )

    return compare
