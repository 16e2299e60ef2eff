"""The scenarios, each as a person would tell it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice

from .lab import Lab
from .namespaces import LabError
from .report import Check, Options, Report
from .session import Session

BULK_RATE = 40_000_000
"""Octets a second: more than any access link, and still leaves the daemons a core."""


@dataclass(frozen=True, slots=True)
class Scenario:
    summary: str
    play: Callable[[Session], None]
    virtual: bool = False
    """Without a home link."""


def _handover(session: Session) -> None:
    _roam(session)


def _tcp_handover(session: Session) -> None:
    _roam(session, tcp_rate=BULK_RATE)


def _roam(session: Session, **start: int) -> None:
    """home → B → C → B → home; with `--moves` B ↔ C that many times."""
    if session.options.moves is None:
        session.start("home", **start)
        links = ["b", "c", "b", "home"]
    else:
        session.start("b", **start)
        links = list(islice(cycle("cb"), session.options.moves))
    for link in links:
        session.move(link)


def _virtual_home_link(session: Session) -> None:
    session.start("b")
    for link in islice(cycle("cb"), session.options.moves or 2):
        session.move(link)


def _return_home(session: Session) -> None:
    session.start("home")
    for link in islice(cycle(("b", "home")), session.options.moves or 2):
        session.move(link)


def _daemon_killed(session: Session) -> None:
    session.start("home")
    session.move("b")
    session.kill_daemon("mn", "b")
    session.kill_daemon("ha", "b")
    session.move("c")


SCENARIOS = {
    "handover": Scenario(
        "home → B → C → B → home while ping, a stream each way and TCP run",
        _handover,
    ),
    "tcp_handover": Scenario(
        "the same moves under bulk TCP: never reset, every octet arrives",
        _tcp_handover,
    ),
    "virtual_home_link": Scenario(
        "no home link, its prefix is routed to the home agent: B → C → B",
        _virtual_home_link,
        virtual=True,
    ),
    "return_home": Scenario(
        "home → B → home: the binding goes, nothing stays behind",
        _return_home,
    ),
    "daemon_killed": Scenario(
        "kill -9 of each daemon under traffic: no packet lost, then they take over",
        _daemon_killed,
    ),
}


def run(
    name: str,
    lab: Lab,
    options: Options,
    *,
    tell: Callable[[str], None],
    pause: Callable[[str], None],
) -> Report:
    """Builds `lab`, plays the scenario `name` in it and takes the lab down.

    `tell` shows a line of progress, `pause` waits for the person between steps.  What
    goes wrong is a failed check of the report, never an exception.
    """
    scenario = SCENARIOS[name]
    report = Report(name)
    begin = time.monotonic()
    try:
        lab.up(virtual=scenario.virtual, advertising=options.advertising, owned=True)
    except LabError as error:
        report.checks.append(Check("the network", False, str(error)))
        return report
    try:
        tell(f"the network is built ({time.monotonic() - begin:.2f} s)")
        session = Session(lab, report, options, tell=tell, pause=pause)
        scenario.play(session)
        session.finish()
    except LabError as error:
        report.checks.append(Check("the lab", False, str(error)))
    finally:
        lab.down()
    return report
