"""One run of a scenario: the lab, what was done in it, what was found."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import checks, story
from .capture import Capture, Frame
from .lab import Lab, Move
from .measure import PACED_RATE, MoveFigures, Probes, Result, figures
from .report import Check, Options, Report
from .topology import disturb

SETTLE_S = 1.5
"""Left in peace after a move: asking the daemons takes the time that is measured, and
duplicate address detection is over by then."""
REGISTERED_S = 20.0
OUTAGE_MAX_MS = 1500.0
"""Above this a move counts as failed, however busy the machine is."""
DETECTION_MAX_MS = 3500.0
"""What duplicate address detection adds where the kernel has no optimistic addresses:
the router's questions for the care-of address stay unanswered meanwhile."""
OPTIMISTIC = Path("/proc/sys/net/ipv6/conf/all/optimistic_dad")


def boot_time() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Session:
    """What a scenario is written with.

    `tell` shows a line of progress, `pause` waits for the person between steps.
    """

    def __init__(
        self,
        lab: Lab,
        report: Report,
        options: Options,
        *,
        tell: Callable[[str], None],
        pause: Callable[[str], None],
    ) -> None:
        self.lab = lab
        self.report = report
        self.options = options
        self.tell = tell
        self._pause = pause
        self._moves: list[Move] = []
        self._quiet: list[tuple[str, float, float]] = []
        self._trace: list[dict[str, Any]] = []
        self._astray = False
        """Mobile node and home agent disagree: what follows would tell nothing."""
        self._probes: Probes | None = None
        self._capture: Capture | None = None

    def check(self, name: str, ok: bool, detail: str = "") -> None:
        """Something that must be so."""
        self.report.checks.append(Check(name, ok, detail))
        if not ok:
            self.tell(f"FAILED: {name}")

    def start(self, link: str, *, tcp_rate: int = PACED_RATE) -> None:
        """Plugs the mobile node in at `link`, starts the daemons and all probes.

        `tcp_rate`: octets a second, 0 for as many as go.
        """
        if not OPTIMISTIC.exists():
            self.tell(
                "this kernel has no optimistic addresses (CONFIG_IPV6_OPTIMISTIC_DAD): "
                "a move to a link takes seconds longer, RFC 4429"
            )
        options = self.options
        if options.delay_ms or options.loss_percent:
            disturb(
                self.lab.name,
                delay_ms=options.delay_ms,
                loss_percent=options.loss_percent,
            )
        self._capture = Capture(
            self.lab,
            options.captures or self.lab.directory / "captures",
            everything=options.captures is not None,
        )
        self.lab.move(link)
        self.lab.start_daemon("ha")
        self.lab.start_daemon("mn")
        self._settle(f"started {_on(link)}", link)
        self.tell(f"home agent and mobile node run; the mobile node is {_on(link)}")
        self._probes = Probes(self.lab, tcp_rate=tcp_rate)
        self.tell(
            "running through all that follows: ping, 1000 packets/s each way, TCP"
        )
        time.sleep(1.0)

    def move(self, link: str) -> None:
        """Moves the mobile node's cable, then looks whether all is as it should be.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        self._pause(f"move the mobile node's cable to {_the(link)}")
        move = self.lab.move(link)
        self._moves.append(move)
        name = f"move {len(self._moves)} {move.origin} → {link}"
        self.tell(f"{name}: the cable is in")
        time.sleep(SETTLE_S)
        self._settle(name, link)
        # Now, because a daemon that is killed takes its account with it.
        self._trace += (self.lab.ask("mn", "trace") or {}).get("moves", [])

    def _settle(self, name: str, link: str) -> None:
        """Waits until both ends agree on `link` and checks the mobile node."""
        end = time.monotonic() + REGISTERED_S
        while True:
            place = checks.place(self.lab)
            bound = checks.care_of_address(self.lab)
            agreed = checks.agree(place, bound, link)
            if agreed or time.monotonic() > end:
                break
            time.sleep(0.1)
        self._astray = not agreed
        what = "at home, no binding" if link == "home" else "registered"
        detail = f"the home agent's binding: {bound or 'none'}"
        self.tell(detail)
        if not agreed:
            detail += f"; the mobile node: {place}"
            for role in ("mn", "ha"):
                detail += f"\n{role}'s log ends:\n{self.lab.last_words(role)}"
        self.check(f"{name}: {what}", agreed, detail)
        self.check(f"{name}: ping answered", checks.answers_ping(self.lab))
        wrong = checks.leftovers(self.lab, link)
        self.check(f"{name}: nothing stale on the mobile node", not wrong, _list(wrong))
        wrong = checks.intercepts(self.lab, link)
        self.check(f"{name}: home agent intercepts rightly", not wrong, _list(wrong))

    def kill_daemon(self, role: str, link: str) -> None:
        """kill -9 of a daemon, two seconds without it, and its second start.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        self._pause(f"kill -9 the daemon of {role}")
        before = checks.binding(self.lab) or {}
        begin = boot_time()
        self.lab.kill_daemon(role)
        self.tell(f"{role}'s daemon is killed (-9); the streams go on")
        time.sleep(2.0)
        between = boot_time()
        self._quiet.append((f"{role}'s daemon dead", begin, between))
        self.lab.start_daemon(role)
        self.tell(f"{role}'s daemon runs again")
        time.sleep(SETTLE_S)
        self._settle(f"{role}'s daemon started again", link)
        self._quiet.append((f"{role}'s daemon takes over", between, boot_time()))
        status = self.lab.ask(role, "status") or {}
        took_over = bool(status.get("took_over"))
        self.check(f"{role}'s daemon says that it took over", took_over)
        if role == "mn":
            after = checks.binding(self.lab) or {}
            numbers = [x.get("sequence_number") for x in (before, after)]
            detail = f"sequence numbers {numbers[0]}, {numbers[1]}"
            self.check("mn's daemon registers anew", numbers[0] != numbers[1], detail)

    def finish(self) -> None:
        """Stops the probes, works out the figures and checks them."""
        assert self._probes is not None and self._capture is not None
        end = boot_time()
        result = self.report.result = self._probes.stop()
        frames = self._capture.stop()
        # The time of a move ends with the next one.
        ends = [*(move.unplugged_at for move in self._moves[1:]), end]
        moves = list(zip(self._moves, ends, strict=True))
        self.report.moves = figures(moves, result.down, result.up, self._trace)
        for number, figure in enumerate(self.report.moves, 1):
            self._check_move(number, figure, frames, ends[number - 1])
        self._check_quiet(result)
        total = result.tcp_received["bytes"]
        self.check("TCP not reset", not result.tcp_reset, f"{total} octets")
        self.check("TCP octets arrived intact", result.tcp_intact)
        self._tell_steps(frames, moves)
        self._stop_daemons()

    def _check_move(
        self,
        number: int,
        figure: MoveFigures,
        frames: dict[str, list[Frame]],
        last: float,
    ) -> None:
        move = figure.move
        name = f"move {number} {move.origin} → {move.destination}"
        worst = max(figure.outage_ms, figure.outage_up_ms)
        bound = OUTAGE_MAX_MS + 3 * self.options.advertising.interval_max_ms
        bound += 0 if OPTIMISTIC.exists() else DETECTION_MAX_MS
        self.check(
            f"{name}: outage below {bound:.0f} ms", worst < bound, f"{worst:.1f} ms"
        )
        if move.destination == "home":
            return
        seen = story.tunnel_seen(frames, move, last)
        self.check(f"{name}: the tunnel carries both ways", seen)

    def _check_quiet(self, result: Result) -> None:
        for name, begin, end in self._quiet:
            lost = result.down.lost(begin, end), result.up.lost(begin, end)
            detail = f"lost {lost[0]} down, {lost[1]} up"
            self.check(f"{name}: no packet lost", lost == (0, 0), detail)

    def _tell_steps(
        self, frames: dict[str, list[Frame]], moves: list[tuple[Move, float]]
    ) -> None:
        """The five steps, by the packets of the first move to a foreign link."""
        for move, last in moves:
            if move.destination != "home":
                self.report.steps = story.five_steps(frames, move, last)
                break
        for number, step in enumerate(self.report.steps, 1):
            self.check(f"step {number} seen on the wire", bool(step.lines))

    def _stop_daemons(self) -> None:
        """`mip6 down` puts everything back."""
        for role in ("mn", "ha"):
            stopped = self.lab.stop_daemon(role)
            self.check(f"{role}'s daemon stops when asked", stopped)
            wrong = checks.remains(self.lab, role)
            self.check(f"{role}'s daemon leaves nothing", not wrong, _list(wrong))


def _on(link: str) -> str:
    return "at home" if link == "home" else f"on {_the(link)}"


def _the(link: str) -> str:
    return "the home link" if link == "home" else f"link {link.upper()}"


def _list(wrong: list[str]) -> str:
    return "; ".join(wrong)
