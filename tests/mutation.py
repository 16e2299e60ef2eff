"""Whether the tests of the core notice when the core is changed.

    python -m tests.mutation [--minutes 25] [--file registration.py] [--list]

Changes one thing at a time in a copy of src/mip6/core (a comparison, a condition, a
number, a removed statement), and runs those tests of tests/core and tests/conformance
that reach the line.  Prints every change that no test noticed; docs/mutation.md keeps
the figures, and those that make no difference.
"""

import argparse
import ast
import importlib
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from coverage import CoverageData
from hypothesis import Phase, settings

ROOT = Path(__file__).parent.parent
CORE = Path("src/mip6/core")
TESTS = ("tests/core", "tests/conformance")
LEDGER = "--ignore=tests/conformance/test_ledger.py"  # of paperwork, not of the core
QUIET = ("-q", "-x", "-p", "no:cacheprovider", LEDGER)
IMPORTED = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # hypothesis, before
CPU_MAX = 60
"""Seconds that the tests of one change may take: it may have made a loop endless."""
NODES_MAX = 100
"""More tests than that are named by their files."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    file: str
    line: int
    lines: frozenset[int]
    """Where the tests must come by to notice."""
    what: str
    tree: ast.Module
    parent: ast.AST
    name: str
    at: int | None
    old: ast.AST
    new: ast.AST

    @property
    def source(self) -> str:
        """The whole file, changed."""
        self._put(self.new)
        try:
            return ast.unparse(ast.fix_missing_locations(self.tree))
        finally:
            self._put(self.old)

    def _put(self, node: ast.AST) -> None:
        if self.at is None:
            setattr(self.parent, self.name, node)
        else:
            getattr(self.parent, self.name)[self.at] = node


def expressions(node: ast.AST) -> Iterator[ast.expr]:
    """What could stand in place of an expression."""
    match node:
        case ast.Compare(left, [operator], [right]):
            yield ast.Compare(left, [COMPARISONS[type(operator)]()], [right])
        case ast.BoolOp(operator, values):
            for at in range(len(values)):
                rest = values[:at] + values[at + 1 :]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest)
            other = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield ast.BoolOp(other, values)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """What could stand in place of a statement."""
    match node:
        case ast.If(test, body, orelse) | ast.While(test, body, orelse):
            yield type(node)(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Expr(ast.Constant()):  # a docstring
            return
        case ast.Return() | ast.Expr() | ast.AugAssign() | ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Assign([ast.Attribute() | ast.Subscript() | ast.Tuple()]):
            yield ast.Pass()


def places(
    node: ast.AST, line: int
) -> Iterator[tuple[ast.AST, str, int | None, ast.AST, int]]:
    """Every child that may be changed: its parent, where it is there, itself, and the
    line of its statement.  Types, decorators and assertions are not the core's doing.
    """
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        children = list(enumerate(value)) if isinstance(value, list) else [(-1, value)]
        for at, child in children:
            if isinstance(child, ast.Assert) or not isinstance(child, ast.AST):
                continue
            here = child.lineno if isinstance(child, ast.stmt) else line
            yield node, name, at if at >= 0 else None, child, here
            yield from places(child, here)


def mutants(file: Path) -> Iterator[Mutant]:
    tree = ast.parse(file.read_text())
    for parent, name, at, node, line in list(places(tree, 0)):
        first, last = getattr(node, "lineno", line), getattr(node, "end_lineno", line)
        if isinstance(node, ast.If | ast.While):
            last = node.test.end_lineno
        lines = frozenset({line, *range(first, last + 1)})
        for new in (*expressions(node), *statements(node)):
            old, other = (
                ast.unparse(ast.fix_missing_locations(which)).split("\n")[0]
                for which in (node, new)
            )
            what = f"{old}  =>  {other}"
            yield Mutant(
                file.name, first, lines, what, tree, parent, name, at, node, new
            )


def copied(to: Path) -> None:
    for name in ("src", "tests", "docs", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, to / name)
    # In place of the checkout, which is installed, too.
    sys.path[:] = [str(to), str(to / "src"), *(p for p in sys.path if p != str(ROOT))]
    os.chdir(to)
    for module in (to / "src/mip6/wire").glob("*.py"):  # what does not change
        importlib.import_module(f"mip6.wire.{module.stem}")


def reached() -> CoverageData:
    """Which test comes by which line."""
    arguments = ("--cov=mip6.core", "--cov-context=test", "--cov-report=")
    command = [sys.executable, "-m", "pytest", *QUIET, *arguments, *TESTS]
    environment = {**os.environ, "PYTHONPATH": "src"}
    subprocess.run(
        command, check=True, env=environment, stdout=subprocess.DEVNULL, timeout=600
    )
    data = CoverageData(".coverage")
    data.read()
    return data


def tests_of(mutant: Mutant, data: CoverageData) -> list[str]:
    contexts = data.contexts_by_lineno(str((CORE / mutant.file).resolve()))
    found = {test for line in mutant.lines for test in contexts.get(line, ())}
    nodes = sorted({test.split("|")[0] for test in found} - {""})
    if not nodes or "" in found:  # at import, so for everybody
        nodes = list(TESTS)
    elif len(nodes) > NODES_MAX:
        nodes = sorted({node.split("::")[0] for node in nodes})
    return sorted(nodes, key=lambda node: f"test_{Path(mutant.file).stem}" not in node)


def passes(tests: list[str]) -> bool:
    """In a process of its own, which has not imported the core yet."""
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_MAX, CPU_MAX))
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            # Two changes of one second and size would share their bytecode.
            sys.dont_write_bytecode = True
            os._exit(int(pytest.main([*QUIET, *IMPORTED, *tests])))
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def survives(mutant: Mutant, tests: list[str]) -> bool:
    file = CORE / mutant.file
    original = file.read_text()
    file.write_text(mutant.source)
    try:
        return passes(tests)
    finally:
        file.write_text(original)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--file", help="only this one of src/mip6/core")
    parser.add_argument("--list", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    files = sorted((ROOT / CORE).glob(arguments.file or "*.py"))
    every = [mutant for file in files for mutant in mutants(file)]
    # Any beginning of the list is an even sample of all.
    random.Random(0).shuffle(every)
    if arguments.list:
        for mutant in every:
            print(f"{mutant.file}:{mutant.line}: {mutant.what}")
        return 0
    settings.register_profile(
        "mutation", derandomize=True, database=None, deadline=None,
        phases=(Phase.explicit, Phase.generate),
    )  # fmt: skip
    settings.load_profile("mutation")
    tried: Counter[str] = Counter()
    survived: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mip6-mutation-") as directory:
        copied(Path(directory))
        data = reached()
        assert passes(list(TESTS)), "they fail without any change"
        end = time.monotonic() + arguments.minutes * 60
        for mutant in every:
            if time.monotonic() > end:
                break
            tried[mutant.file] += 1
            if survives(mutant, tests_of(mutant, data)):
                survived[mutant.file] += 1
                print(f"{mutant.file}:{mutant.line}: {mutant.what}", flush=True)
        os.chdir(ROOT)
    for name in sorted(tried):
        print(f"{name:24} {tried[name]:5} tried {survived[name]:4} survived")
    print(f"{tried.total()} of {len(every)} tried, {survived.total()} survived")
    return 0


if __name__ == "__main__":
    sys.exit(main())
