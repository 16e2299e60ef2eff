"""What was asked of a run and what it found."""

import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mip6.wire.record import record

from .measure import MoveFigures, Result
from .story import Step
from .topology import Advertising


@record(kw_only=True)
class Options:
    """What `mip6 lab run` was asked for."""

    moves: int | None = None
    advertising: Advertising = Advertising()
    captures: Path | None = None
    """Where the captures are kept, with all that was on the wires."""
    delay_ms: float = 0.0
    loss_percent: float = 0.0
    authentication: str = "shared_key"


@record
class Check:
    name: str
    ok: bool
    detail: str = ""


@dataclass(slots=True)
class Report:
    """What a run found; `document` is what `--json` prints."""

    scenario: str
    checks: list[Check] = field(default_factory=list)
    moves: list[MoveFigures] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    result: Result | None = None

    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)

    def document(self) -> dict[str, Any]:
        result = self.result
        return {
            "scenario": self.scenario,
            "ok": self.ok,
            "kernel": platform.release(),
            "moves": [move.document() for move in self.moves],
            "tcp": {
                "bytes": result.tcp_received["bytes"] if result else 0,
                "reset": result.tcp_reset if result else False,
            },
            "checks": [
                {"name": check.name, "ok": check.ok, "detail": check.detail}
                for check in self.checks
            ],
            "steps": [{"title": s.title, "packets": s.lines} for s in self.steps],
        }
