"""What every bench shares: interleaved pairs, spread, and where it was measured."""

import contextlib
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PAIRS = 15
"""Interleaved runs of each side; the ratio is the median of the pairs' ratios."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median and maximum of the runs, in the unit of the figure."""

    minimum: float
    median: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(min(values), statistics.median(values), max(values))

    def __str__(self) -> str:
        return f"{self.minimum:.4g} / {self.median:.4g} / {self.maximum:.4g}"


def hurry() -> None:
    """Has the scheduler take this process and what it starts before all others, where
    that is allowed: what else the machine is busy with is not what is measured."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def machine() -> dict[str, str]:
    """Where the figures come from; `load` is that of the last minute, the bench's own
    included."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}",
        "date": time.strftime("%Y-%m-%d"),
    }


def rate(work: Callable[[], object], seconds: float = 0.2) -> float:
    """Calls of `work` per second of processor time, over about `seconds`."""
    calls = 1
    while True:
        begin = time.process_time()
        for _ in range(calls):
            work()
        spent = time.process_time() - begin
        if spent >= seconds / 4:
            return calls / spent
        calls *= 4


def interleaved(
    sides: dict[str, Callable[[], float]], pairs: int = PAIRS
) -> dict[str, list[float]]:
    """Run every side in turn, `pairs` times: noise of the machine meets all alike."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(pairs):
        for name, run in sides.items():
            figures[name].append(run())
    return figures


def ratio(figures: dict[str, list[float]], side: str, base: str) -> Spread:
    """Of the ratios pair by pair."""
    pairs = zip(figures[side], figures[base], strict=True)
    return Spread.of([a / b for a, b in pairs])


def report(
    title: str, figures: dict[str, list[float]], unit: str, ratios: dict[str, Spread]
) -> dict[str, Any]:
    """One document of a bench; `--json` prints a list of them."""
    return {
        "bench": title,
        "machine": machine(),
        "unit": unit,
        "figures": {k: asdict(Spread.of(v)) for k, v in figures.items()},
        "ratios": {k: asdict(v) for k, v in ratios.items()},
    }


def lines(document: dict[str, Any]) -> Iterator[tuple[str, str, Spread]]:
    """Name, unit and spread of every figure and every ratio of a document."""
    for name, spread in document["figures"].items():
        yield name, document["unit"], Spread(**spread)
    for name, spread in document["ratios"].items():
        yield name, "", Spread(**spread)


def show(documents: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """What a bench prints."""
    if as_json:
        print(json.dumps(documents, ensure_ascii=False))
        return
    for document in documents:
        print(f"{document['bench']} (min / median / max)")
        for name, unit, spread in lines(document):
            print(f"  {name:38} {spread}  {unit}")
