"""An access router that plays no other part: no device, no data plane, no store."""

import asyncio
import signal
from collections import deque
from typing import Any

from mip6.core.events import Event, Problem
from mip6.linux import clock, privileges

from . import control, directories, report
from .advertiser import advertiser
from .configuration import Configuration
from .errors import SetupError
from .log import Log
from .notify import notify
from .recording import Recorder

_PROBLEMS_MAX = 20


class AccessRouter:
    """One instance, by the configuration's `[router]`.  Raises SetupError."""

    def __init__(
        self,
        configuration: Configuration,
        name: str,
        log: Log,
        recorder: Recorder | None = None,
    ) -> None:
        self._configuration = configuration
        self._name = name
        self._log = log
        self._started_at = clock.now()
        self._problems: deque[str] = deque(maxlen=_PROBLEMS_MAX)
        try:
            directories.share(directories.RUN)
        except OSError as error:
            raise SetupError(f"{error.filename}: {error.strerror}") from error
        self._path = directories.RUN / f"{name}.sock"
        self._control = control.listen(self._path, configuration.group)
        try:
            role = advertiser(configuration, self._report, recorder or Recorder())
        except OSError as error:
            self._end()
            raise SetupError(error.strerror or str(error)) from error
        assert role is not None, "there is [router], or this would be somebody else"
        self._role = role
        privileges.reduce()

    async def run(self) -> None:
        """Until SIGTERM, SIGINT or `mip6 down`."""
        loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        runner = await control.serve_router(
            self._control, self._log, self._status, self._stopping.set
        )
        self._role.start(loop)
        self._log.line("info", "ready", name=self._name, role="router")
        notify("READY=1")
        await self._stopping.wait()
        notify("STOPPING=1")
        self._role.stop(loop)
        await runner.cleanup()
        self._end()
        self._log.line("info", "stopped", name=self._name)

    def _status(self) -> dict[str, Any]:
        return {
            **report.process(self._name, clock.now() - self._started_at),
            "roles": ["router"],
            "device": None,
            "authentication": None,
            "took_over": False,
            "links": [report.link(link) for link in self._role.links],
            "problems": list(self._problems),
        }

    def _report(self, event: Event) -> None:
        if isinstance(event, Problem):
            self._problems.append(f"{event.what}: {event.advice}".removesuffix(": "))
        self._log.event(event, clock.now())

    def _end(self) -> None:
        self._control.close()
        self._path.unlink(missing_ok=True)
