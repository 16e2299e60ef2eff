"""The control socket: HTTP on a Unix socket, for the owner and the group only."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from . import report
from .errors import SetupError

if TYPE_CHECKING:
    from .daemon import Daemon

_READS: dict[str, Callable[["Daemon", float], dict[str, Any]]] = {
    "/status": report.status,
    "/bindings": report.bindings,
    "/updates": report.updates,
    "/stats": report.stats,
    "/trace": report.trace,
}


def listen(path: Path) -> socket.socket:
    """The socket, bound.  Raises SetupError if another daemon answers on it."""
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        control.connect(str(path))
    except OSError:
        control.close()
    else:
        control.close()
        raise SetupError(f"another mip6 runs under this name ({path} answers)")
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    # The mode must be right from the first moment, not only after a chmod.
    former = os.umask(0o117)
    try:
        control.bind(str(path))
    except OSError as error:
        control.close()
        raise SetupError(f"{path}: {error.strerror}") from error
    finally:
        os.umask(former)
    control.listen()
    return control


async def serve(daemon: "Daemon", control: socket.socket) -> web.AppRunner:
    """Answers on `control` until the runner's `cleanup`."""
    application = web.Application()

    def reader(
        document: Callable[["Daemon", float], dict[str, Any]],
    ) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            return web.json_response(document(daemon, daemon.now()))

        return answer

    async def down(request: web.Request) -> web.Response:
        daemon.stop("down")
        return web.json_response({"stopping": True})

    for path, document in _READS.items():
        application.router.add_get(path, reader(document))
    application.router.add_post("/down", down)
    runner = web.AppRunner(application, access_log=None, handle_signals=False)
    await runner.setup()
    await web.SockSite(runner, control).start()
    return runner
