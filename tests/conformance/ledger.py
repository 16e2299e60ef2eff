"""The conformance ledger: each MUST and SHOULD of RFC 6275 §6-§11, joined to our tests.

`docs/rfc6275.toml` has the rules in our own words, `occurrences.toml` says where the
RFC uses the words, and tests claim rules by `@pytest.mark.rfc("9.5.1-3", "what")`.  A
mark may name a whole section instead; that documents the test, but covers no rule.

    python -m tests.conformance.ledger                       write docs/conformance.md
    python -m tests.conformance.ledger occurrences RFC.txt   count the words anew
"""

import ast
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

TESTS = Path(__file__).parent.parent
RULES = TESTS.parent / "docs/rfc6275.toml"
PAGE = TESTS.parent / "docs/conformance.md"
OCCURRENCES = Path(__file__).parent / "occurrences.toml"

LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT")
ROLES = ("any", "router", "home_agent", "mobile_node", "correspondent")
SECTION = re.compile(r"\d+(\.\d+)*")


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """One use of a word: its line in the RFC's paginated text, counted from 1."""

    line: int
    section: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of `docs/rfc6275.toml`."""

    id: str
    section: str
    level: str
    role: str
    lines: tuple[int, ...]
    rule: str
    exception: str = ""
    later: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """One `rfc` mark: what it names, and the test that carries it."""

    name: str
    test: str


def count(text: str) -> Iterator[Occurrence]:
    """The occurrences in the RFC's text, which we do not keep.

    The rule: each whole word MUST or SHOULD between the headings of §6 and §12; it is
    a NOT if NOT is the next word, even across a line or page break.  REQUIRED,
    RECOMMENDED, MAY and lower case do not count.  Gives 415 MUST and 141 SHOULD, 53
    and 10 of them NOT.
    """
    section = ""
    words = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(("Perkins, et al.", "RFC 6275  ")):
            continue
        if heading := re.match(r"(\d+(\.\d+)*)\.  ", line):
            section = heading[1]
        if section.split(".")[0] in {"6", "7", "8", "9", "10", "11"}:
            words += [(number, section, word) for word in re.findall(r"\w+", line)]
    for (number, section, word), (_, _, following) in pairwise([*words, (0, "", "")]):
        if word in {"MUST", "SHOULD"}:
            level = f"{word} NOT" if following == "NOT" else word
            yield Occurrence(number, section, level)


def stored_occurrences() -> list[Occurrence]:
    return [
        Occurrence(int(line), section, level)
        for section, entries in tomllib.loads(OCCURRENCES.read_text()).items()
        for line, level in (entry.split(" ", 1) for entry in entries)
    ]


def rules() -> list[Rule]:
    """The ledger's rows, in its order; TypeError for a key that is wrong or missing."""
    rows = tomllib.loads(RULES.read_text())["rule"]
    return [Rule(**{**row, "lines": tuple(row["lines"])}) for row in rows]


def marks(tests: Path = TESTS) -> list[Mark]:
    """Every `rfc` mark in the tests, read from their source: nothing is imported."""
    return [
        mark
        for path in sorted(tests.rglob("test_*.py"))
        for mark in marks_of(
            ast.parse(path.read_text()).body, path.relative_to(tests).as_posix()
        )
    ]


def marks_of(
    body: Iterable[ast.stmt], place: str, outer: tuple[str, ...] = ()
) -> Iterator[Mark]:
    """The marks of the tests in `body`; a class passes its own on to its tests."""
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        names = outer + tuple(
            name for decorator in node.decorator_list for name in named(decorator)
        )
        test = f"{place}::{node.name}"
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from marks_of(node.body, test, names)
        elif node.name.startswith("test_"):
            yield from (Mark(name, test) for name in names)


def named(decorator: ast.expr) -> Iterator[str]:
    """First arguments of the `rfc` marks in a decorator, `pytest.param` marks too."""
    for call in ast.walk(decorator):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("mark.rfc"):
            yield str(ast.literal_eval(call.args[0]))


def tests_by_rule(found: Iterable[Mark]) -> dict[str, list[str]]:
    claimed: defaultdict[str, list[str]] = defaultdict(list)
    for mark in found:
        if mark.test not in claimed[mark.name]:
            claimed[mark.name].append(mark.test)
    return dict(claimed)


def faults(
    ledger: list[Rule], words: list[Occurrence], found: list[Mark]
) -> Iterator[str]:
    """What is wrong with the ledger, one sentence each; nothing when it holds."""
    ids = Counter(rule.id for rule in ledger)
    yield from (f"{name}: stands there {n} times" for name, n in ids.items() if n > 1)
    claimed = tests_by_rule(found)
    for rule in ledger:
        yield from (f"{rule.id}: {fault}" for fault in faults_of(rule, words, claimed))
    covered = {(line, rule.level) for rule in ledger for line in rule.lines}
    for word in words:
        if (word.line, word.level) not in covered:
            yield f"line {word.line} (§{word.section}, {word.level}) has no rule"
    for mark in found:
        if mark.name not in ids and not SECTION.fullmatch(mark.name):
            yield f"{mark.test}: there is no rule {mark.name!r}"


def faults_of(
    rule: Rule, words: list[Occurrence], claimed: Mapping[str, list[str]]
) -> Iterator[str]:
    if not re.fullmatch(rf"{re.escape(rule.section)}-\d+", rule.id):
        yield f"the id does not begin with its section {rule.section}"
    if rule.role not in ROLES:
        yield f"there is no role {rule.role!r}"
    if rule.level not in LEVELS:
        yield f"there is no level {rule.level!r}"
    if not rule.rule or not rule.lines:
        yield "says nothing, or of no line"
    for line in rule.lines:
        if Occurrence(line, rule.section, rule.level) not in words:
            yield f"line {line} has no {rule.level} in §{rule.section}"
    shown = [bool(claimed.get(rule.id)), bool(rule.exception), bool(rule.later)]
    if sum(shown) == 0:
        yield "has no test, no exception and no later"
    if sum(shown) > 1:
        yield "has more than one of tests, exception and later"


def summary(ledger: list[Rule], words: list[Occurrence], found: list[Mark]) -> str:
    """The counts, on one line."""
    names = {mark.name for mark in found}
    tested = sum(rule.id in names for rule in ledger)
    exceptions = sum(bool(rule.exception) for rule in ledger)
    later = sum(bool(rule.later) for rule in ledger)
    return (
        f"RFC 6275 §6-§11: {len(ledger)} rules for {len(words)} occurrences; "
        f"{tested} tested, {exceptions} excepted, {later} later"
    )


def page(ledger: list[Rule], words: list[Occurrence], found: list[Mark]) -> str:
    """`docs/conformance.md`: what holds, section by section, and what shows it."""
    missing = Counter(rule.later for rule in ledger if rule.later)
    lines = [
        "# Conformance to RFC 6275",
        "",
        "Written by `make test` from [rfc6275.toml](rfc6275.toml) and the tests' "
        "marks; do not edit.  The rules are in our own words; the RFC's count.",
        "",
        summary(ledger, words, found) + ".",
        "",
        "| missing | rules |",
        "|---|---|",
        *(f"| {what} | {n} |" for what, n in missing.most_common()),
    ]
    claimed = tests_by_rule(found)
    section = ""
    for rule in ledger:
        if rule.section != section:
            section = rule.section
            link = f"https://www.rfc-editor.org/rfc/rfc6275#section-{section}"
            lines += ["", f"## [§{section}]({link})", ""]
            lines += ["| id | | role | rule | shown by |", "|---|---|---|---|---|"]
        shown = ", ".join(f"`{test}`" for test in claimed.get(rule.id, ()))
        if rule.exception:
            shown = f"*exception:* {rule.exception}"
        elif rule.later:
            shown = f"*later:* {rule.later}"
        role = rule.role.replace("_", " ")
        lines.append(f"| {rule.id} | {rule.level} | {role} | {rule.rule} | {shown} |")
    return "\n".join(lines) + "\n"


def write_page() -> str:
    """Writes `docs/conformance.md` and returns the counts."""
    ledger, words, found = rules(), stored_occurrences(), marks()
    PAGE.write_text(page(ledger, words, found))
    return summary(ledger, words, found)


def main(arguments: list[str]) -> None:
    if arguments:
        by_section: defaultdict[str, list[str]] = defaultdict(list)
        for word in count(Path(arguments[1]).read_text()):
            by_section[word.section].append(f'"{word.line} {word.level}"')
        for section, entries in by_section.items():
            print(f'"{section}" = [{", ".join(entries)}]')
        return
    print(write_page())


if __name__ == "__main__":
    main(sys.argv[1:])
