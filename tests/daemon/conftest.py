from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.abuse import away, is_binding_update
from tests.support.daemons import HOME_AGENT, World, small_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with small_world(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def heard(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[World, list[bytes]]]:
    """A mobile node away from home, and its Binding Updates as the path saw them; one
    for all the attacks of a module, as it takes seconds to build."""
    with away(tmp_path_factory.mktemp("abuse")) as (world, ear):
        yield world, [p for p in ear.esp(HOME_AGENT) if is_binding_update(p)]


@pytest.fixture
def attacked(heard: tuple[World, list[bytes]]) -> World:
    return heard[0]


@pytest.fixture
def recorded(heard: tuple[World, list[bytes]]) -> bytes:
    """A Binding Update that was accepted."""
    return heard[1][-1]
