"""`docs/home-agent.md` names tests that there are, and says of none that it runs on
both kinds of home link if it does not."""

import ast
import re
from itertools import chain

from tests.conformance.ledger import TESTS

PAGE = TESTS.parent / "docs/home-agent.md"
COLUMNS = ["what", "§", "both", "no link", "real", "virtual"]
BY_THE_LINK = {"home_link", "link", "home_agent_node"}
"""Parameters that are of either kind."""
NODES = ("conformance/test_section_9.py::", "conformance/test_section_10.py::")
"""Where the fixture `node` is."""


def rows() -> list[list[str]]:
    """The cells of each row of its tables."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return [row for row in cells if row != COLUMNS and row[0] != "---"]


def parameters(name: str) -> set[str]:
    """Of the test with this name; KeyError if there is none."""
    file, _, function = name.partition("::")
    body = ast.parse((TESTS / file).read_text()).body
    found = {one.name: one for one in body if isinstance(one, ast.FunctionDef)}
    return {argument.arg for argument in found[function].args.args}


def test_every_row_names_tests_that_there_are() -> None:
    assert len(rows()) > 30
    for row in rows():
        assert len(row) == len(COLUMNS), row
        what, section, *shown = row
        names = [re.findall(r"`([^`]+)`", cell) for cell in shown]
        assert what and section and any(names), row
        both, *others = names
        for name in both:
            either = BY_THE_LINK | ({"node"} if name.startswith(NODES) else set())
            assert parameters(name) & either, f"{name} is of one kind"
        for name in chain(*others):
            assert parameters(name) is not None
