"""A roamer for §11; and after a run the page is written, the counts printed."""

import pytest
from tests.conformance import ledger
from tests.conformance.roamer import Roamer


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(ledger.write_page())


@pytest.fixture
def roamer() -> Roamer:
    """A mobile node that is registered from a visited link."""
    roamer = Roamer()
    roamer.register()
    return roamer
