"""The tests of one change after the other, each in a process of its own.

Everything is imported and collected once.  For each change the process forks, a
function gets other code (or a constant, a default another value), and those tests run
that come by the line, the likeliest first.  A change of what is done at import that no
test notices so is tried again with a new import, the tests collected anew.
"""

import ast
import gc
import json
import mmap
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from types import CodeType, FunctionType

import pytest
from _pytest.runner import runtestprotocol
from coverage import CoverageData

from .changes import Mutant

CORE = Path("src/mip6/core")
TESTS = ("tests/core", "tests/conformance")
NUMBERS = "tests/core/test_constants.py"
"""What is made at import, looked at by tests that come by no line of a function."""
# The ledger's test is of paperwork, not of the core; root's are of other processes.
QUIET = (
    "-q", "-x", "-s", "--assert=plain", "-p", "no:cacheprovider",
    "-m", "not root and not slow",
    "--ignore=tests/conformance/test_ledger.py",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",
)  # fmt: skip
PROFILE = "--hypothesis-profile=mutation"
CPU_MAX = 0.5
"""Seconds that a test may take beyond five times what it takes when nothing is changed:
a loop may have become endless."""
IMPORT_CPU_MAX = 60.0
"""Seconds that all of them may take."""
MEMORY_MAX = 2 << 30
RECENT = 8
"""So many tests that noticed something in a function last go first for the next."""


class Coverage:
    """Which test comes by which line."""

    def __init__(self) -> None:
        arguments = ("--cov=mip6.core", "--cov-context=test", "--cov-report=")
        command = [sys.executable, "-m", "pytest", *QUIET, *arguments, *TESTS]
        environment = {**os.environ, "PYTHONPATH": "src"}
        subprocess.run(
            command, check=True, env=environment, stdout=subprocess.DEVNULL, timeout=600
        )
        data = CoverageData(".coverage")
        data.read()
        # All of it now: after a fork there would be none.
        self._lines = {
            Path(file).name: {
                line: {test.split("|")[0] for test in tests} - {""}
                for line, tests in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }

        self._passed = {
            file: Counter(test for tests in lines.values() for test in tests)
            for file, lines in self._lines.items()
        }

    def passed(self, file: str, test: str) -> int:
        """By how many lines of a file the test comes."""
        return self._passed[file][test]

    def near(self, file: str) -> set[str]:
        """The files of the tests that come by this file of the core."""
        lines = self._lines[file].values()
        return {test.split("::")[0] for tests in lines for test in tests}

    def of(self, mutant: Mutant) -> set[str]:
        lines = self._lines[mutant.file]
        which = mutant.lines if mutant.is_inside else lines
        return {test for line in which for test in lines.get(line, ())}


class Imported:
    """A plugin of pytest: once all is collected, the trials take place of the tests."""

    def __init__(
        self, mutants: Sequence[Mutant], coverage: Coverage, seconds: float, to: int
    ) -> None:
        self._mutants = mutants
        self._seconds = seconds
        self._coverage = coverage
        self._to = to
        self._functions = Functions()
        self._recent: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._noticed = mmap.mmap(-1, 8)  # shared: which test, from 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """The first failure ends the process: nobody reads a report."""
        if call.excinfo and not call.excinfo.errisinstance(pytest.skip.Exception):
            os._exit(1)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items}
        self._functions.find()
        self._took = self._durations()
        gc.freeze()
        for mutant in self._mutants:
            line = json.dumps([*mutant.key, self._survives(mutant)]) + "\n"
            os.write(self._to, line.encode())
        return True

    def _durations(self) -> dict[str, float]:
        """Of every test; and that they all pass as long as nothing is changed."""
        ours, childs = os.pipe()
        if (child := os.fork()) == 0:
            os.close(ours)
            took = {}
            for nodeid, item in self._items.items():
                began = time.process_time()
                run(item)
                took[nodeid] = time.process_time() - began
            with os.fdopen(childs, "w") as file:
                json.dump(took, file)
            os._exit(0)
        os.close(childs)
        with os.fdopen(ours) as file:
            answer = file.read()
        assert os.waitpid(child, 0)[1] == 0, "they fail without any change"
        return json.loads(answer)

    def _survives(self, mutant: Mutant) -> bool:
        code = mutant.changed(lambda tree: compile(tree, mutant.file, "exec", 0, True))
        tests = self._tests(mutant)
        self._noticed[:] = bytes(8)
        if (child := os.fork()) == 0:
            try:
                limit()
                gc.disable()
                if mutant.is_inside:
                    self._functions.change(code, mutant)
                else:
                    change_names(code, f"mip6.core.{Path(mutant.file).stem}")
                for number, test in enumerate(tests, 1):
                    self._noticed[:] = number.to_bytes(8)
                    end_after(CPU_MAX + 5 * self._took[test])
                    run(self._items[test])
                os._exit(0)
            finally:
                os._exit(1)
        if os.waitpid(child, 0)[1] == 0:
            return True
        if number := int.from_bytes(self._noticed[:]):
            test, recent = tests[number - 1], self._recent[mutant.key[:2]]
            recent[:] = [test, *(one for one in recent if one != test)][:RECENT]
        return False

    def _tests(self, mutant: Mutant) -> list[str]:
        """The likeliest first, as many as the time allows."""
        recent = self._recent[mutant.key[:2]]
        own = f"test_{Path(mutant.file).stem.split('_')[0]}"
        left = self._seconds
        chosen = []
        for test in sorted(
            self._coverage.of(mutant),
            key=lambda test: (
                test not in recent,
                own not in test,
                self._took[test] > self._seconds / 10,
                -self._coverage.passed(mutant.file, test),
                self._took[test],
            ),
        ):
            if (left := left - self._took[test]) < 0 and chosen:
                break
            chosen.append(test)
        return chosen


class Functions:
    """All of the core, by where they are written."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, int], list[FunctionType]] = {}

    def find(self) -> None:
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and "mip6.core." in (one.__module__ or ""):
                self._found.setdefault(place(one.__code__), []).append(one)

    def change(self, module: CodeType, mutant: Mutant) -> None:
        """A getter and its setter have one name: the last before the line counts."""
        name, line = mutant.place.function, mutant.line
        *_, code = (
            one
            for one in codes(module)
            if one.co_qualname == name
            and one.co_firstlineno <= line
            and place(one) in self._found
        )
        for function in self._found[place(code)]:
            function.__code__ = code


def change_names(code: CodeType, name: str) -> None:
    """What the changed module makes at import is put in place of what it has made:
    numbers and addresses, wherever they were imported, and defaults of arguments.
    """
    module = sys.modules[name]
    namespace = {"__name__": name, "__package__": module.__package__}
    exec(code, namespace)
    for key, new in namespace.items():
        old = vars(module).get(key)
        if plain(new) and new != old:
            for other in list(sys.modules.values()):
                if getattr(other, key, None) == old:
                    setattr(other, key, new)
        elif isinstance(new, type | FunctionType) and new.__module__ == name:
            put_defaults(old, new)


def put_defaults(old: object, new: object) -> None:
    if isinstance(new, FunctionType) and isinstance(old, FunctionType):
        if new.__defaults__ and old.__defaults__:
            pairs = zip(old.__defaults__, new.__defaults__, strict=True)
            old.__defaults__ = tuple(b if plain(b) else a for a, b in pairs)
        for key, value in (new.__kwdefaults__ or {}).items():
            if plain(value):
                old.__kwdefaults__[key] = value
    elif isinstance(new, type) and isinstance(old, type):
        for key, value in vars(new).items():
            if plain(value) and value != vars(old)[key] and key[:2] != "__":
                setattr(old, key, value)
            else:
                put_defaults(vars(old).get(key), value)


def plain(value: object) -> bool:
    if isinstance(value, tuple | frozenset):
        return all(map(plain, value))
    return isinstance(value, int | float | IPv6Address | IPv6Network)


def place(code: CodeType) -> tuple[str, str, int]:
    return Path(code.co_filename).name, code.co_qualname, code.co_firstlineno


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def run(item: pytest.Item) -> None:
    runtestprotocol(item, log=False, nextitem=None)


def limit() -> None:
    """Of a process that is about to run a change: silent, and not large."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def end_after(cpu: float) -> None:
    """The process, when it has run for so many seconds."""
    signal.setitimer(signal.ITIMER_PROF, cpu)


def imported(
    mutants: Sequence[Mutant], coverage: Coverage, seconds: float
) -> Iterator[tuple[Mutant, bool]]:
    """Each, with whether no test notices; those of a change may take so many seconds in
    all, if it changes nothing."""
    ours, childs = os.pipe()
    if (child := os.fork()) == 0:
        os.close(ours)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        plugin = Imported(mutants, coverage, seconds, childs)
        os._exit(int(pytest.main([*QUIET, PROFILE, *TESTS], [plugin])))
    os.close(childs)
    with os.fdopen(ours) as file:
        for mutant, line in zip(mutants, file, strict=True):
            *key, survived = json.loads(line)
            assert tuple(key) == mutant.key
            yield mutant, survived
    assert os.waitpid(child, 0)[1] == 0


def survives_import(mutant: Mutant, coverage: Coverage) -> bool:
    """In a process that has not imported the core yet."""
    file = CORE / mutant.file
    original = file.read_text()
    file.write_text(mutant.changed(ast.unparse))
    try:
        near = sorted(
            coverage.near(file.name), key=lambda name: f"test_{file.stem}" not in name
        )
        return not fails([NUMBERS, *near] if near else TESTS)
    finally:
        file.write_text(original)


def fails(tests: Sequence[str]) -> bool:
    if (child := os.fork()) == 0:
        limit()
        end_after(IMPORT_CPU_MAX)
        # Two changes of one second and size would share their bytecode.
        sys.dont_write_bytecode = True
        os._exit(int(pytest.main([*QUIET, PROFILE, *tests])))
    return os.waitpid(child, 0)[1] != 0
