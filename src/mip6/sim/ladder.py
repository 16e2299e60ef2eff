"""A trace as a ladder: one column for each node, time downwards, an arrow a packet."""

from collections.abc import Iterable

from . import trace

COLUMNS = {
    trace.MOBILE_NODE: "mobile node",
    trace.ROUTER: "router",
    trace.HOME_AGENT: "home agent",
    trace.CORRESPONDENT: "correspondent",
    trace.OTHER_HOME_AGENT: "other home agent",
    trace.OTHER_CORRESPONDENT: "other correspondent",
    trace.OTHER_MOBILE_NODE: "other mobile node",
}
ALWAYS = 4
"""Columns that are there even if nothing happens in them."""
CIRCLED = " ①②③④⑤"
"""The number of the step, on the very left."""
MARGIN = 11
"""Characters before the first rung, where the time stands."""
WIDTH = 31
"""Characters from one rung to the next."""


def ladder(entries: Iterable[trace.Entry]) -> list[str]:
    """The lines; times are milliseconds."""
    entries = list(entries)
    seen = {place for entry in entries for place in _places(entry)}
    columns = [c for n, c in enumerate(COLUMNS) if n < ALWAYS or c in seen]
    heading = " " * MARGIN
    for column in columns:
        name, position = COLUMNS[column], _rung(columns, column)
        heading = heading.ljust(position - len(name) // 2) + name
    lines = ["ms".rjust(MARGIN - 3) + heading[MARGIN - 3 :].rstrip()]
    shown = ""
    # Packets are put down when it is known that they arrived: back to their time.
    for entry in sorted(entries, key=lambda entry: entry.at):
        clock = f"{entry.at * 1000:.1f}"
        time = "" if clock == shown else clock
        shown = clock
        if isinstance(entry, trace.Arrow):
            drawn = _arrow(columns, entry)
        else:
            drawn = _note(columns, entry)
        step = CIRCLED[entry.step]
        lines.append(f"{step}{time:>{MARGIN - 4}}{drawn[MARGIN - 3 :]}".rstrip())
    return lines


def _places(entry: trace.Entry) -> tuple[str, ...]:
    if isinstance(entry, trace.Arrow):
        return entry.source, entry.target
    return (entry.place,)


def _rung(columns: list[str], place: str) -> int:
    return MARGIN + WIDTH * columns.index(place)


def _empty(columns: list[str]) -> list[str]:
    line = [" "] * (_rung(columns, columns[-1]) + 1)
    for column in columns:
        line[_rung(columns, column)] = "│"
    return line


def _put(line: list[str], position: int, text: str) -> None:
    line.extend(" " * (position + len(text) - len(line)))
    line[position : position + len(text)] = text


def _note(columns: list[str], note: trace.Note) -> str:
    line = _empty(columns)
    _put(line, _rung(columns, note.place), f"● {note.text}")
    return "".join(line)


def _arrow(columns: list[str], arrow: trace.Arrow) -> str:
    line = _empty(columns)
    left, right = sorted((_rung(columns, arrow.source), _rung(columns, arrow.target)))
    room = right - left - 1
    label = f" {arrow.label} "
    body = label.center(room - 2, "─") if len(label) < room - 2 else label
    rightward = _rung(columns, arrow.source) == left
    if len(body) > room - 2:
        body = body[: room - 3] + "…"
    head = "✗" if arrow.fate else ("▶" if rightward else "◀")
    drawn = f"─{body}{head}" if rightward else f"{head}{body}─"
    _put(line, left + 1, drawn)
    if arrow.fate:
        _put(line, _rung(columns, columns[-1]) + 2, arrow.fate)
    return "".join(line)
