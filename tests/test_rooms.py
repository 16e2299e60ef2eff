"""The rooms import one way (DESIGN, docs/decisions/0001)."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "mip6"
ROOMS = {
    "wire": set(),
    "core": {"wire"},
    "security": {"wire", "core"},
    "sim": {"wire", "core", "security"},
    "linux": {"wire", "core", "security"},
    "daemon": {"wire", "core", "security", "linux"},
    # Captures are opened with the lab's key; everything else by the installed command.
    "lab": {"wire", "security"},
    "cli": {"wire", "core", "security", "sim", "linux", "daemon", "lab"},
}
FORBIDDEN = {"os", "time", "random", "socket", "asyncio", "logging", "secrets"}
"""No clock, no socket, no chance: they are arguments (wire and core)."""


def imports(path: Path) -> list[str]:
    """Full names of everything a file imports, wherever in the file it does."""
    names: list[str] = []
    package = ("mip6", *path.relative_to(SOURCE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join((*base, *([node.module] if node.module else ())))
            names += [f"{stem}.{alias.name}" for alias in node.names]
    return names


FILES = [
    pytest.param(path, id=str(path.relative_to(SOURCE)))
    for room in ROOMS
    for path in sorted((SOURCE / room).rglob("*.py"))
]


@pytest.mark.parametrize("path", FILES)
def test_a_room_imports_only_rooms_below_it(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "mip6" and len(parts) > 1 and parts[1] in ROOMS:
            assert parts[1] in ROOMS[room] | {room}, f"{room} must not import {name}"


@pytest.mark.parametrize("path", FILES)
def test_wire_and_core_see_no_clock_no_socket_no_chance(path: Path) -> None:
    if path.relative_to(SOURCE).parts[0] in {"wire", "core"}:
        assert not FORBIDDEN & {name.split(".")[0] for name in imports(path)}


def test_every_folder_is_a_known_room() -> None:
    folders = {p.name for p in SOURCE.iterdir() if (p / "__init__.py").exists()}
    assert folders == set(ROOMS)
