"""The ledger holds, and would say so if it did not."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conformance import ledger
from tests.conformance.ledger import Mark, Occurrence, Rule

WORDS = [Occurrence(10, "6.1", "MUST"), Occurrence(11, "6.1", "SHOULD NOT")]
FIRST = Rule(
    id="6.1-1", section="6.1", level="MUST", role="any", lines=(10,), rule="One."
)
SECOND = replace(FIRST, id="6.1-2", level="SHOULD NOT", lines=(11,), later="the rest")
MARKS = [Mark("6.1-1", "test_a.py::test_one"), Mark("6.1", "test_a.py::test_two")]


def test_the_ledger_holds() -> None:
    found = ledger.faults(ledger.rules(), ledger.stored_occurrences(), ledger.marks())
    assert "\n".join(found) == ""


def test_the_stored_occurrences_are_as_many_as_the_rfc_has() -> None:
    stored = Counter(word.level for word in ledger.stored_occurrences())
    assert stored == {"MUST": 362, "MUST NOT": 53, "SHOULD": 131, "SHOULD NOT": 10}


def test_a_good_ledger_has_no_faults() -> None:
    assert list(ledger.faults([FIRST, SECOND], WORDS, MARKS)) == []


@pytest.mark.parametrize(
    ("rules", "marks", "fault"),
    [
        ([FIRST], MARKS, "line 11 (§6.1, SHOULD NOT) has no rule"),
        ([FIRST, SECOND], [], "6.1-1: has no test, no exception and no later"),
        ([FIRST, SECOND], MARKS[1:], "6.1-1: has no test, no exception and no later"),
        (
            [FIRST, replace(SECOND, exception="why")],
            MARKS,
            "6.1-2: has more than one of tests, exception and later",
        ),
        (
            [FIRST, SECOND],
            [*MARKS, Mark("6.1-2", "test_a.py::test_two")],
            "6.1-2: has more than one of tests, exception and later",
        ),
        (
            [FIRST, SECOND],
            [*MARKS, Mark("6.1-3", "test_a.py::test_two")],
            "test_a.py::test_two: there is no rule '6.1-3'",
        ),
        (
            [FIRST, SECOND, replace(SECOND, lines=(11,))],
            MARKS,
            "6.1-2: stands there 2 times",
        ),
        (
            [FIRST, SECOND, replace(SECOND, id="6.2-1")],
            MARKS,
            "6.2-1: the id does not begin with its section 6.1",
        ),
        (
            [FIRST, replace(SECOND, lines=(11, 12))],
            MARKS,
            "6.1-2: line 12 has no SHOULD NOT in §6.1",
        ),
        ([FIRST, replace(SECOND, role="x")], MARKS, "6.1-2: there is no role 'x'"),
        ([FIRST, replace(SECOND, level="x")], MARKS, "6.1-2: there is no level 'x'"),
        (
            [FIRST, replace(SECOND, rule="")],
            MARKS,
            "6.1-2: says nothing, or of no line",
        ),
    ],
)
def test_a_fault_is_named(rules: list[Rule], marks: list[Mark], fault: str) -> None:
    assert fault in list(ledger.faults(rules, WORDS, marks))


def test_words_are_counted_over_line_and_page_breaks() -> None:
    text = (
        "5.9.  Before\nMUST\n"
        "6.  One\nA node MUST\n\nPerkins, et al.  [Page 9]\n\f\nRFC 6275  Mobility\n\n"
        "   NOT shout, and SHOULD whisper; must, MAY, REQUIRED.\n"
        "11.8.  Last\nIt SHOULD NOT and MUST, MUST.\n"
        "12.  After\nMUST\n"
    )
    assert list(ledger.count(text)) == [
        Occurrence(4, "6", "MUST NOT"),
        Occurrence(10, "6", "SHOULD"),
        Occurrence(12, "11.8", "SHOULD NOT"),
        Occurrence(12, "11.8", "MUST"),
        Occurrence(12, "11.8", "MUST"),
    ]


def test_marks_are_found_on_tests_classes_and_parameters(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core/test_a.py").write_text(
        "import pytest\n"
        '@pytest.mark.rfc("6.1-1", "x")\n@pytest.mark.rfc("6.1", "y")\n'
        "def test_one(): ...\n"
        '@pytest.mark.rfc("6.1-2", "x")\n'
        "class TestAll:\n"
        "    @pytest.mark.parametrize('n',\n"
        '        [pytest.param(1, marks=pytest.mark.rfc("6.1-3", "x"))])\n'
        "    def test_two(self, n): ...\n"
        '@pytest.mark.rfc("6.1-4", "a helper shows nothing")\n'
        "def helper(): ...\n"
    )
    (tmp_path / "helper.py").write_text(
        'import pytest\n@pytest.mark.rfc("6.1-5", "x")\ndef test_three(): ...\n'
    )
    assert ledger.marks(tmp_path) == [
        Mark("6.1-1", "core/test_a.py::test_one"),
        Mark("6.1", "core/test_a.py::test_one"),
        Mark("6.1-2", "core/test_a.py::TestAll::test_two"),
        Mark("6.1-3", "core/test_a.py::TestAll::test_two"),
    ]


def test_the_page_says_what_shows_each_rule() -> None:
    excepted = replace(SECOND, id="6.1-3", later="", exception="too loud")
    text = ledger.page([FIRST, SECOND, excepted], WORDS, MARKS)
    assert "| 6.1-1 | MUST | any | One. | `test_a.py::test_one` |" in text
    assert "| 6.1-2 | SHOULD NOT | any | One. | *later:* the rest |" in text
    assert "| 6.1-3 | SHOULD NOT | any | One. | *exception:* too loud |" in text
    assert "| the rest | 1 |" in text
    assert "3 rules for 2 occurrences; 1 tested, 1 excepted, 1 later" in text
