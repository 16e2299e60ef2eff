"""What every test shares: a test that cannot run here says why, never silently."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.support.skips import expected_skips

from mip6.wire import record

record.FROZEN = True  # before any is made: nothing changes a value

# How long an example takes says something of the machine's load, nothing of the code.
settings.register_profile(
    "mip6", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mip6")

EXPECTED_SKIPS = Path(__file__).parent / "expected_skips.txt"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite",
        action="store_true",
        help="write the traces in tests/scenarios anew instead of comparing them",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root (network namespaces)"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI every test is expected to run; a skip that is not listed is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or reporter is None:
        return
    allowed = expected_skips(EXPECTED_SKIPS.read_text(), os.uname().release)
    for report in reporter.stats.get("skipped", []):
        if not report.nodeid.startswith(tuple(allowed)):
            reporter.write_line(f"UNEXPECTED SKIP {report.nodeid}", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
