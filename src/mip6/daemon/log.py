"""One line an event: `event key=value …`, for people, journald and grep alike."""

import json
import sys
from collections import Counter
from ipaddress import IPv6Address
from typing import TextIO

from mip6.core.events import (
    BindingChanged,
    Dropped,
    Event,
    HomeAddressesChanged,
    HomeAgentsChanged,
    PhaseReached,
    PlaceChanged,
    PrefixesTold,
    Problem,
    Refused,
    WayChanged,
)
from mip6.core.rate import TokenBucket

LEVELS = ("debug", "info", "warning")
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4}
_REPEAT_AFTER = 10.0
BINDINGS_RATE, BINDINGS_BURST = 20, 200
"""Lines about bindings, a second and at once; at the level debug all are written."""


class Log:
    """Writes to `stream`; drops of one reason at most once in ten seconds, and a few
    bindings a second, with the number left out.  `journal`: put the priority in front,
    as sd-daemon(3) says."""

    def __init__(
        self,
        level: str = "info",
        *,
        stream: TextIO | None = None,
        journal: bool = False,
    ) -> None:
        self._threshold = LEVELS.index(level)
        self._stream = stream or sys.stderr
        self._journal = journal
        self._quiet_until: dict[str, float] = {}
        self._left_out: Counter[str] = Counter()
        self._bindings = TokenBucket(BINDINGS_RATE, BINDINGS_BURST)

    def change_level(self, level: str) -> None:
        self._threshold = LEVELS.index(level)

    def line(self, level: str, event: str, **values: object) -> None:
        if LEVELS.index(level) < self._threshold:
            return
        words = [event]
        words += [f"{k}={_word(v)}" for k, v in values.items() if v not in (None, "")]
        priority = f"<{_PRIORITIES[level]}>" if self._journal else ""
        try:
            print(priority + " ".join(words), file=self._stream, flush=True)
        except OSError:
            return  # nobody reads it any more; the protocol goes on

    def event(self, event: Event, now: float) -> None:
        """Logs what a role reports, at the level that it deserves."""
        match event:
            case Dropped():
                self._dropped(event, now)
            case BindingChanged():
                self._binding(event, now)
            case Refused():
                self.line(
                    "info",
                    "refused",
                    home_address=event.home_address,
                    care_of_address=event.care_of_address,
                    status=event.status,
                )
            case PhaseReached():
                self.line("debug", "phase", phase=event.phase, link=event.link)
            case PlaceChanged():
                self.line(
                    "info",
                    "place",
                    place=event.place,
                    home_address=event.home_address,
                    care_of_address=event.care_of_address,
                    link=event.link,
                    detail=event.detail,
                )
            case HomeAddressesChanged():
                formed = ",".join(map(str, event.home_addresses))
                self.line("info", "home_addresses", home_addresses=formed)
            case HomeAgentsChanged():
                self.line(
                    "info",
                    "home_agents",
                    current=event.current,
                    known=",".join(map(str, event.known)),
                )
            case WayChanged():
                self.line(
                    "info",
                    "way",
                    correspondent=event.correspondent,
                    way="direct" if event.direct else "home_agent",
                    why=event.why,
                )
            case PrefixesTold():
                told = ",".join(map(str, event.prefixes))
                self.line("info", "prefixes_told", prefixes=told)
            case Problem():
                self.line("warning", "problem", what=event.what, advice=event.advice)

    def _binding(self, event: BindingChanged, now: float) -> None:
        """A line for each is for a few: a thousand in one second are not read, and cost
        more than the bindings."""
        level = "debug" if event.change == "refreshed" else "info"
        if LEVELS.index(level) < self._threshold:
            return
        if self._threshold and not self._bindings.take(now):
            self._left_out["binding"] += 1
            return
        left_out = self._left_out.pop("binding", None)
        self.line(
            level,
            "binding",
            change=event.change,
            home_address=event.home_address,
            care_of_address=event.care_of_address,
            lifetime_s=event.lifetime,
            left_out=left_out,
        )

    def _dropped(self, event: Dropped, now: float) -> None:
        if now < self._quiet_until.get(event.reason, 0.0):
            self._left_out[event.reason] += 1
            return
        self._quiet_until[event.reason] = now + _REPEAT_AFTER
        self.line(
            "info",
            "dropped",
            reason=event.reason,
            section=event.section,
            source=event.source,
            detail=event.detail,
            left_out=self._left_out.pop(event.reason, None),
        )


def _word(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    text = str(value)
    plain = isinstance(value, IPv6Address) or (
        text.isprintable() and not any(c in text for c in ' "=')
    )
    return text if plain else json.dumps(text)
