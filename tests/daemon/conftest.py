from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.daemons import World, small_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with small_world(tmp_path) as made:
        yield made
