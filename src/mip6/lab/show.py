"""A report as people read it.  `rich` is imported only here, only when printing."""

import textwrap

from rich.console import Console
from rich.table import Table

from .measure import INTERVAL_MS, MoveFigures
from .report import Report
from .topology import PICTURE, VIRTUAL_PICTURE

_PHASES = {
    "router_advertisement": "router\nheard",
    "care_of_address": "care-of\naddress",
    "binding_update": "update\nsent",
    "binding_acknowledgement": "acknow-\nledged",
    "first_packet_in": "first\nin",
    "first_packet_out": "first\nout",
}


_LEGEND = f"""\
Outage: the longest silence of a stream of {1000 / INTERVAL_MS:.0f} packets/s, from the
moment the cable is in.  Lost: its packets that never arrived (of these while
unplugged).
"""


def show_picture(console: Console, *, virtual: bool) -> None:
    console.print(VIRTUAL_PICTURE if virtual else PICTURE, highlight=False)


def show_report(console: Console, report: Report) -> None:
    """The five steps, what each move cost, what was checked."""
    if report.steps:
        console.print(
            "\n[bold]The five steps of Mobile IP[/], and the packets that made"
        )
        console.print("them (milliseconds since the cable was in the new link):\n")
        for number, step in enumerate(report.steps, 1):
            title = textwrap.fill(step.title, 76, subsequent_indent="   ")
            console.print(f"{number}. {title}", highlight=False)
            for line in step.lines or ["(not seen)"]:
                wrapped = textwrap.fill(line, 79, subsequent_indent=" " * 17)
                console.print(wrapped, markup=False, highlight=False)
    if report.moves:
        console.print()
        console.print(_costs(report.moves))
        console.print(_LEGEND, highlight=False, soft_wrap=True)
        console.print(_phases(report.moves))
    if report.result:
        total = report.result.tcp_received["bytes"]
        broken = "reset" if report.result.tcp_reset else "never reset"
        answered = f"{report.result.pings_answered} of {report.result.pings}"
        console.print(
            f"TCP: one connection, {total / 1e6:.1f} MB, {broken}.  "
            f"Ping: {answered} answered.",
            highlight=False,
        )
    failed = [check for check in report.checks if not check.ok]
    console.print()
    for check in failed:
        console.print(f"FAILED  {check.name}", style="red", highlight=False)
        if check.detail:
            console.print(f"        {check.detail}", markup=False, highlight=False)
    passed = len(report.checks) - len(failed)
    verdict = "ok" if report.ok else "FAILED"
    console.print(
        f"{report.scenario}: {verdict}, {passed} of {len(report.checks)} checks passed",
        style="bold green" if report.ok else "bold red",
        highlight=False,
    )


def _costs(moves: list[MoveFigures]) -> Table:
    table = Table(title="What each move cost")
    for name in ("move", "outage\ndown ms", "outage\nup ms", "lost\ndown", "lost\nup"):
        table.add_column(name, justify="left" if name == "move" else "right")
    for figure in moves:
        table.add_row(
            f"{figure.move.origin} → {figure.move.destination}",
            f"{figure.outage_ms:.1f}",
            f"{figure.outage_up_ms:.1f}",
            f"{figure.lost} ({figure.lost_unplugged})",
            f"{figure.lost_up} ({figure.lost_up_unplugged})",
        )
    return table


def _phases(moves: list[MoveFigures]) -> Table:
    table = Table(title="When each step was reached (ms)")
    table.add_column("move")
    for name in _PHASES.values():
        table.add_column(name, justify="right")
    for figure in moves:
        phases = figure.phases_ms
        table.add_row(
            f"{figure.move.origin} → {figure.move.destination}",
            *(f"{phases[p]:.1f}" if p in phases else "-" for p in _PHASES),
        )
    return table
