"""Programs that the operator wants to be run when the mobile node gets somewhere."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from ipaddress import IPv6Address

from mip6.core.events import Event, Place, PlaceChanged, Problem

from .log import Log

HOOK_SECONDS_MAX = 10.0
"""After that a program is killed, with all that it has started."""
WAITING_MAX = 16
"""Programs that wait for those before them; more are left out, and that is logged."""

HANDOVER, REGISTERED, HOME, FAILURE = (
    "on_handover",
    "on_registered",
    "on_home",
    "on_failure",
)

HOOKS = (HANDOVER, REGISTERED, HOME, FAILURE)

Command = tuple[str, ...]


class Hooks:
    """Runs them one after another, in the order of the events, as the daemon's user.

    commands: by the name of the hook; a program and its arguments, no shell.
    name: of the instance.
    """

    def __init__(self, commands: Mapping[str, Command], name: str, log: Log) -> None:
        self._commands = {hook: words for hook, words in commands.items() if words}
        self._name = name
        self._log = log
        self._waiting: list[tuple[str, dict[str, str]]] = []
        self._running: asyncio.Task[None] | None = None
        self._registered_at: IPv6Address | None = None
        self._failures: set[str] = set()

    def event(self, event: Event) -> None:
        if not self._commands:
            return
        match event:
            case PlaceChanged(place=Place.REGISTERED):
                if event.care_of_address != self._registered_at:
                    self._registered_at = event.care_of_address
                    self._call(HANDOVER, _facts(event))
                self._failures.clear()
                self._call(REGISTERED, _facts(event))
            case PlaceChanged(place=Place.AT_HOME):
                self._registered_at = None
                self._failures.clear()
                self._call(HOME, _facts(event))
            case Problem() if event.what not in self._failures:
                if len(self._failures) < WAITING_MAX:
                    self._failures.add(event.what)
                facts = {"MIP6_PROBLEM": event.what, "MIP6_ADVICE": event.advice}
                self._call(FAILURE, facts)

    def _call(self, hook: str, facts: dict[str, str]) -> None:
        if hook not in self._commands:
            return
        if len(self._waiting) >= WAITING_MAX:
            self._log.line("warning", "hook", hook=hook, why="too many wait")
            return
        told = {"MIP6_EVENT": hook, "MIP6_NAME": self._name}
        self._waiting.append((hook, facts | told))
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._waiting:
            hook, facts = self._waiting.pop(0)
            if why := await _carried_out(self._commands[hook], facts):
                self._log.line("warning", "hook", hook=hook, why=why)
        self._running = None

    async def finish(self) -> None:
        """What was begun ends, within its time."""
        if self._running is not None:
            await self._running


async def _carried_out(command: Command, facts: dict[str, str]) -> str:
    """Runs a program; what went wrong, or ""."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), **facts}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    try:
        async with asyncio.timeout(HOOK_SECONDS_MAX):
            code = await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        return f"{command[0]} was killed after {HOOK_SECONDS_MAX:.0f} s"
    return f"{command[0]} exit {code}" if code else ""


def _facts(event: PlaceChanged) -> dict[str, str]:
    return {
        "MIP6_PLACE": str(event.place),
        "MIP6_HOME_ADDRESS": str(event.home_address),
        "MIP6_CARE_OF_ADDRESS": str(event.care_of_address or ""),
        "MIP6_LINK": event.link or "",
    }
