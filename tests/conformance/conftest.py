"""After a run with the conformance tests: the page is written, the counts printed."""

import pytest
from tests.conformance import ledger


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(ledger.write_page())
