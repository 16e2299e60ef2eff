"""A trace as a ladder: one column for each node, time downwards, an arrow a packet."""

from collections.abc import Iterable

from . import trace

COLUMNS = {
    trace.MOBILE_NODE: "mobile node",
    trace.ROUTER: "router",
    trace.HOME_AGENT: "home agent",
    trace.CORRESPONDENT: "correspondent",
}
CIRCLED = " ①②③④⑤"
"""The number of the step, on the very left."""
MARGIN = 11
"""Characters before the first rung, where the time stands."""
WIDTH = 31
"""Characters from one rung to the next."""


def ladder(entries: Iterable[trace.Entry]) -> list[str]:
    """The lines; times are milliseconds."""
    heading = " " * MARGIN
    for position, name in zip(_rungs(), COLUMNS.values(), strict=True):
        heading = heading.ljust(position - len(name) // 2) + name
    lines = ["ms".rjust(MARGIN - 3) + heading[MARGIN - 3 :].rstrip()]
    shown = ""
    # Packets are put down when it is known that they arrived: back to their time.
    for entry in sorted(entries, key=lambda entry: entry.at):
        clock = f"{entry.at * 1000:.1f}"
        time = "" if clock == shown else clock
        shown = clock
        drawn = _arrow(entry) if isinstance(entry, trace.Arrow) else _note(entry)
        step = CIRCLED[entry.step]
        lines.append(f"{step}{time:>{MARGIN - 4}}{drawn[MARGIN - 3 :]}".rstrip())
    return lines


def _rungs() -> list[int]:
    return [MARGIN + WIDTH * number for number in range(len(COLUMNS))]


def _rung(place: str) -> int:
    return MARGIN + WIDTH * list(COLUMNS).index(place)


def _empty() -> list[str]:
    line = [" "] * (_rungs()[-1] + 1)
    for position in _rungs():
        line[position] = "│"
    return line


def _put(line: list[str], position: int, text: str) -> None:
    line.extend(" " * (position + len(text) - len(line)))
    line[position : position + len(text)] = text


def _note(note: trace.Note) -> str:
    line = _empty()
    _put(line, _rung(note.place), f"● {note.text}")
    return "".join(line)


def _arrow(arrow: trace.Arrow) -> str:
    line = _empty()
    left, right = sorted((_rung(arrow.source), _rung(arrow.target)))
    room = right - left - 1
    label = f" {arrow.label} "
    body = label.center(room - 2, "─") if len(label) < room - 2 else label
    rightward = _rung(arrow.source) == left
    if len(body) > room - 2:
        body = body[: room - 3] + "…"
    head = "✗" if arrow.fate else ("▶" if rightward else "◀")
    drawn = f"─{body}{head}" if rightward else f"{head}{body}─"
    _put(line, left + 1, drawn)
    if arrow.fate:
        _put(line, _rungs()[-1] + 2, arrow.fate)
    return "".join(line)
