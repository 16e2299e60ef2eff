"""One run of a scenario: the lab, what was done in it, what was found."""

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from . import checks, story, topology
from .account import Account
from .capture import Capture, Frame
from .lab import Lab, Move
from .measure import (
    INTERVAL_MS,
    PACED_RATE,
    PING_MS,
    MoveFigures,
    Probes,
    Result,
    figures,
)
from .report import Check, Options, Report

SETTLE_S = 1.5
"""Left in peace after a move: asking the daemons takes the time that is measured, and
duplicate address detection is over by then."""
REGISTERED_S = 60.0
OUTAGE_MAX_MS = 1500.0
"""Above this a move counts as failed, however busy the machine is."""


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
        self._account = Account()
        self._where: str | None = None
        self._astray = False
        """Mobile node and home agent disagree: what follows would tell nothing."""
        self._probes: list[Probes] = []
        self._results: list[Result] = []
        """Of the probes, once they have stopped."""
        self._peer = "cn"
        """Whom the mobile node talks to."""
        self._capture: Capture | None = None

    def check(self, name: str, ok: bool, detail: str = "") -> None:
        """Something that must be so."""
        self.report.checks.append(Check(name, ok, detail))
        if not ok:
            self.tell(f"FAILED: {name}")

    def start(
        self,
        link: str,
        *,
        tcp_rate: int = PACED_RATE,
        also: Mapping[str, str | None] = MappingProxyType({}),
        peers: Sequence[str] = ("cn",),
        ping_ms: float = PING_MS,
    ) -> None:
        """Plugs the mobile node in at `link`, starts the daemons and all probes.

        `tcp_rate`: octets a second, 0 for as many as go.  `also`: who else runs `mip6`,
        mobile nodes with the link that they are on.  `peers`: whom the mobile node
        talks to, the first one measured.
        """
        options = self.options
        if options.delay_ms or options.loss_percent:
            topology.disturb(
                self.lab.name,
                delay_ms=options.delay_ms,
                loss_percent=options.loss_percent,
            )
        self._capture = Capture(
            self.lab,
            options.captures or self.lab.directory / "captures",
            everything=options.captures is not None,
        )
        roles = ("ha", "mn", *also)
        self.lab.start_daemons(*(r for r in roles if r not in self.lab.daemons))
        self.lab.move(link)
        for role, there in also.items():
            if there is not None:
                self.lab.move(there, role=role)
        self._where = link
        self._settle(f"started {_on(link)}", link)
        self.tell(f"home agent and mobile node run; the mobile node is {_on(link)}")
        self._peer = peers[0]
        self._probes = [
            Probes(
                self.lab,
                tcp_rate=tcp_rate,
                peer=peer,
                ping_ms=ping_ms,
                # Two streams of a packet each millisecond are what a machine can bear.
                interval_ms=INTERVAL_MS if peer == peers[0] else 10.0,
            )
            for peer in peers
        ]
        self.tell(
            "running through all that follows: ping, "
            f"{1000 / INTERVAL_MS:.0f} packets/s each way, TCP"
        )
        time.sleep(1.0)

    def move(self, link: str, *, stay: float | None = None) -> None:
        """Moves the mobile node's cable, then looks whether all is as it should be;
        with `stay`, only lets it be there for so many seconds.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        self._pause(f"move the mobile node's cable to {the(link)}")
        move = self.lab.move(link)
        name = self._moved(move)
        self.tell(f"{name}: the cable is in")
        if stay is not None:
            self._account.hurried.add(move)
            time.sleep(stay)
            return
        time.sleep(SETTLE_S)
        self._arrive(name, link)

    @property
    def where(self) -> str | None:
        """The link that the mobile node should be on."""
        return self._where

    def _moved(self, move: Move) -> str:
        self._where = move.destination
        return self._account.moved(move)

    def _arrive(self, name: str, link: str) -> None:
        self._settle(name, link)
        self._look_back()

    def _look_back(self) -> None:
        """Now, because a daemon that is killed takes its account with it."""
        self._account.trace += (self.lab.ask("mn", "trace") or {}).get("moves", [])

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
        self._account.quiet.append((f"{role}'s daemon dead", begin, between))
        self.lab.start_daemons(role)
        self.tell(f"{role}'s daemon runs again")
        time.sleep(SETTLE_S)
        self._settle(f"{role}'s daemon started again", link)
        self._account.quiet.append(
            (f"{role}'s daemon takes over", between, boot_time())
        )
        status = self.lab.ask(role, "status") or {}
        took_over = bool(status.get("took_over"))
        self.check(f"{role}'s daemon says that it took over", took_over)
        if role == "mn":
            after = checks.binding(self.lab) or {}
            numbers = [x.get("sequence_number") for x in (before, after)]
            detail = f"sequence numbers {numbers[0]}, {numbers[1]}"
            self.check("mn's daemon registers anew", numbers[0] != numbers[1], detail)

    def restart_daemon(self, role: str, link: str) -> None:
        """`mip6 down`, and a new start that knows nothing of what was.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        self._pause(f"stop and start the daemon of {role}")
        self._account.cuts.append(boot_time())
        self._stop_daemon(role)
        self.tell(f"{role}'s daemon has stopped")
        if role == "mn":
            gone = checks.binding(self.lab) is None
            self.check("mn's daemon de-registered when it stopped", gone)
        self.lab.start_daemons(role)
        begin = boot_time()
        self.tell(f"{role}'s daemon runs again")
        self._settle(f"{role}'s daemon started anew", link)
        took_over = (self.lab.ask(role, "status") or {}).get("took_over")
        self.check(f"{role}'s daemon took nothing over", took_over is False)
        lifetime = self.lab.settings["lifetime"]
        took = boot_time() - begin
        self.check(
            f"registered again within the lifetime of {lifetime} s",
            took < lifetime,
            f"{took:.1f} s",
        )

    def outlive(self, seconds: float) -> None:
        """Stays where it is for longer than the lifetime of a registration: it must be
        refreshed, and traffic must not notice.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        lifetime = self.lab.settings["lifetime"]
        assert seconds > lifetime
        self.tell(f"staying for {seconds:.0f} s; a registration lasts {lifetime} s")
        before, begin = checks.expires(self.lab), boot_time()
        time.sleep(seconds)
        end, after = boot_time(), checks.expires(self.lab)
        self._account.quiet.append((f"{seconds:.0f} s on a link", begin, end))
        # Each is sent before the one in front of it has ended, and not much sooner.
        least = int(seconds // lifetime)
        most = int(seconds / lifetime * 2)
        name = f"the registration of {lifetime} s is refreshed"
        self._account.updates.append((name, begin, end, range(least, most + 1)))
        moved = (after or 0.0) - (before or 0.0)
        self.check(
            "the binding's end moves on",
            before is not None and after is not None and moved > seconds - lifetime,
            f"by {moved:.1f} s in {seconds:.0f} s",
        )

    def stop_probes(self) -> None:
        """What happens from now on is no move's doing."""
        self._account.cuts.append(boot_time())
        self._results = [probes.stop() for probes in self._probes]

    def finish(self) -> None:
        """Stops the probes, works out the figures and checks them."""
        assert self._probes and self._capture is not None
        end = boot_time()
        if not self._results:
            self.stop_probes()
        results = self._results
        result = self.report.result = results[0]
        frames = self._capture.stop()
        moves = self._account.spans(end)
        seen = [story.on_the_wire(frames, move, last) for move, last in moves]
        trace = self._account.trace
        self.report.moves = figures(moves, result.down, result.up, trace, seen)
        for number, figure in enumerate(self.report.moves, 1):
            if figure.move not in self._account.hurried:
                self._check_move(number, figure, frames, moves[number - 1][1])
        self._account.check_without(result, self.lab.settings["lifetime"], self.check)
        self._check_quiet(results)
        self._check_updates(frames)
        for each in results:
            total = each.tcp_received["bytes"]
            self.check("TCP not reset", not each.tcp_reset, f"{total} octets")
            self.check("TCP octets arrived intact", each.tcp_intact)
        self._tell_steps(frames, moves)
        self._check_proof(frames)
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
        self.check(
            f"{name}: outage below {bound:.0f} ms", worst < bound, f"{worst:.1f} ms"
        )
        if move.destination == "home":
            return
        self._check_way(name, move, frames, last)

    def _check_way(
        self, name: str, move: Move, frames: dict[str, list[Frame]], last: float
    ) -> None:
        """How the packets go after a move to a foreign link."""
        seen = story.tunnel_seen(frames, move, last)
        self.check(f"{name}: the tunnel carries both ways", seen)

    def _check_quiet(self, results: list[Result]) -> None:
        self._account.check_quiet(results, self.check)

    def _check_updates(self, frames: dict[str, list[Frame]]) -> None:
        self._account.check_updates(frames, self.check)

    def _check_proof(self, frames: dict[str, list[Frame]]) -> None:
        mechanism = self.lab.settings["authentication"]
        if mechanism != "none":
            name = "ESP" if mechanism == "shared_key" else "the MN-HA option"
            wrong = story.unproved(frames, mechanism)
            what = f"every Binding Update and Acknowledgement is proved by {name}"
            self.check(what, not wrong, _list(wrong[:3]))

    def _tell_steps(
        self, frames: dict[str, list[Frame]], moves: list[tuple[Move, float]]
    ) -> None:
        """The five steps, by the packets of the first move to a foreign link that was
        waited for."""
        for move, last in moves:
            if move.destination != "home" and move not in self._account.hurried:
                self.report.steps = story.five_steps(frames, move, last)
                break
        for number, step in enumerate(self.report.steps, 1):
            seen = bool(step.lines) or step.fleeting
            self.check(f"step {number} seen on the wire", seen)

    def _stop_daemons(self) -> None:
        for role in sorted(self.lab.daemons, key="ha".__eq__):
            self._stop_daemon(role)

    def _stop_daemon(self, role: str) -> None:
        """`mip6 down` puts everything back."""
        stopped = self.lab.stop_daemon(role)
        self.check(f"{role}'s daemon stops when asked", stopped)
        wrong = checks.remains(self.lab, role)
        self.check(f"{role}'s daemon leaves nothing", not wrong, _list(wrong))


def _on(link: str) -> str:
    return "at home" if link == "home" else f"on {the(link)}"


def the(link: str) -> str:
    return "the home link" if link == "home" else f"link {link.upper()}"


def _list(wrong: list[str]) -> str:
    return "; ".join(wrong)
