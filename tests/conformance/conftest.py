"""A home agent of either kind for §9 and §10, a roamer for §11; and after a run the
page is written, the counts printed."""

from functools import partial

import pytest
from tests.conformance import ledger, nodes
from tests.conformance.nodes import Making
from tests.conformance.roamer import Roamer


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(ledger.write_page())


@pytest.fixture(params=["home", None], ids=["real", "virtual"])
def home_agent_node(request: pytest.FixtureRequest) -> Making:
    """Makes home agents, on a real home link and on a virtual one."""
    return partial(nodes.home_agent_node, home_link=request.param)


@pytest.fixture
def roamer() -> Roamer:
    """A mobile node that is registered from a visited link."""
    roamer = Roamer()
    roamer.register()
    return roamer
