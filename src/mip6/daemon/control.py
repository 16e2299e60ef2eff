"""The control socket: HTTP on a Unix socket, for the owner and the group only."""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import socket
import struct
import traceback
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from mip6.core.events import PlaceChanged

from . import listing, report
from .errors import SetupError
from .feed import described
from .log import Log
from .reload import reload

if TYPE_CHECKING:
    from .daemon import Daemon

Routes = dict[tuple[str, str], Callable[[web.Request], Awaitable[web.StreamResponse]]]
"""By method and path."""

_READS: dict[str, Callable[["Daemon", float], dict[str, Any]]] = {
    "/status": report.status,
    "/agents": report.agents,
    "/updates": report.updates,
    "/stats": report.stats,
    "/trace": report.trace,
}


_KEEPALIVE = 15.0
"""Seconds after which a silent stream of events says that it is alive."""
_CREDENTIALS = struct.Struct("=3i")
"""Process, user and group of the peer: unix(7), SO_PEERCRED."""


def listen(path: Path, group: str | None = None) -> socket.socket:
    """The socket, bound; `group` may read what the daemon tells, as its owner may.

    Raises SetupError if another daemon answers on it, or there is no such group.
    """
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        control.connect(str(path))
    except OSError:
        control.close()
    else:
        control.close()
        raise SetupError(f"another mip6 runs under this name ({path} answers)")
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
    if group is not None:
        try:
            shutil.chown(path, group=group)
        except (LookupError, OSError) as error:
            control.close()
            path.unlink(missing_ok=True)
            raise SetupError(f"group {group} of {path}: {error}") from error
    control.listen()
    return control


def _may_change(request: web.Request) -> bool:
    """Whether it is root who asks: not even another daemon of the same user's may."""
    peer: socket.socket | None = request.get_extra_info("socket")
    if peer is None:
        return False
    octets = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    user: int
    _, user, _ = _CREDENTIALS.unpack(octets)
    return user == 0


@web.middleware
async def _guard(
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """The group reads; what changes anything is for root."""
    if request.method not in ("GET", "HEAD") and not _may_change(request):
        return web.json_response({"error": "not allowed"}, status=403)
    return await handler(request)


async def _bindings(daemon: "Daemon", request: web.Request) -> web.StreamResponse:
    try:
        return web.json_response(await listing.page(daemon, request.query))
    except listing.ListingError as error:
        return web.json_response({"error": str(error)}, status=400)


async def _metrics(daemon: "Daemon", request: web.Request) -> web.StreamResponse:
    from . import metrics  # only where somebody asks: it is some megabytes

    body = metrics.text(daemon)
    if "bindings" in request.query:
        try:
            body += await metrics.tunnels(daemon, request.query)
        except listing.ListingError as error:
            return web.json_response({"error": str(error)}, status=400)
    return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE})


async def _stream(daemon: "Daemon", request: web.Request) -> web.StreamResponse:
    """Events as they happen (server-sent events), until the reader or we end it."""
    queue = daemon.feed.follow()
    if queue is None:
        return web.json_response({"error": "too many followers"}, status=503)
    if (mobile_node := daemon.mobile_node) is not None:
        # Where it is, before what changes.
        at = PlaceChanged(
            mobile_node.place,
            mobile_node.home_address,
            mobile_node.care_of_address,
            mobile_node.link,
        )
        queue.put_nowait(described(at, daemon.now()))
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    try:
        await response.prepare(request)
        while not daemon.stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KEEPALIVE):
                    document = await queue.get()
                text = json.dumps(document)
                await response.write(f"data: {text}\n\n".encode())
                continue
            await response.write(b":\n\n")  # tells us when the reader has gone
    except ConnectionError:
        pass
    finally:
        daemon.feed.leave(queue)
    return response


class _Complaints(logging.Handler):
    """What aiohttp has to say: junk in a line for who looks for it, a mistake of ours
    as one."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        line = self._log.line
        if isinstance(error, HttpProcessingError | ConnectionError):
            line("debug", "control", what=repr(error))
        else:
            trace = "".join(traceback.format_exception(error)) if error else ""
            line("warning", "bug", what=record.getMessage(), trace=trace)


_ANSWERS: dict[
    str, Callable[["Daemon", web.Request], Awaitable[web.StreamResponse]]
] = {"/bindings": _bindings, "/metrics": _metrics, "/events": _stream}
_CHANGES: dict[str, Callable[["Daemon", Mapping[str, str]], str]] = {
    "/handover": lambda daemon, query: daemon.handover(query.get("interface", "")),
    "/revoke": lambda daemon, query: daemon.revoke(query.get("home_address", "")),
}
"""They say what is wrong with it, or ""."""


async def serve(daemon: "Daemon", control: socket.socket) -> web.AppRunner:
    """Answers on `control` until the runner's `cleanup`."""

    def reader(
        document: Callable[["Daemon", float], dict[str, Any]],
    ) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            return web.json_response(document(daemon, daemon.now()))

        return answer

    async def down(request: web.Request) -> web.Response:
        daemon.stop("down", keep="keep" in request.query)
        return web.json_response({"stopping": True})

    def changer(
        change: Callable[["Daemon", Mapping[str, str]], str],
    ) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            if error := change(daemon, request.query):
                return web.json_response({"error": error}, status=409)
            return web.json_response({"accepted": True})

        return answer

    async def reloaded(request: web.Request) -> web.Response:
        return web.json_response(await reload(daemon))

    routes: Routes = {("GET", path): reader(_READS[path]) for path in _READS}
    for path, answered in _ANSWERS.items():
        routes["GET", path] = partial(answered, daemon)
    for path, change in _CHANGES.items():
        routes["POST", path] = changer(change)
    routes["POST", "/down"] = down
    routes["POST", "/reload"] = reloaded
    return await _answer(routes, control, daemon.log)


async def serve_router(
    control: socket.socket,
    log: Log,
    status: Callable[[], dict[str, Any]],
    stop: Callable[[], None],
) -> web.AppRunner:
    """The same of an access router, which has less to tell."""

    async def told(request: web.Request) -> web.Response:
        return web.json_response(status())

    async def down(request: web.Request) -> web.Response:
        stop()
        return web.json_response({"stopping": True})

    routes: Routes = {("GET", "/status"): told, ("POST", "/down"): down}
    return await _answer(routes, control, log)


async def _unknown(request: web.Request) -> web.StreamResponse:
    return web.json_response({"error": "there is nothing of this name"}, status=404)


async def _expected(request: web.Request) -> None:
    """Nobody here sends a request in two parts, so an Expect header means nothing;
    aiohttp's own answer to one it does not know is a mistake where it is no text."""


async def _answer(routes: Routes, control: socket.socket, log: Log) -> web.AppRunner:
    application = web.Application(middlewares=[_guard])
    add = application.router.add_route
    for (method, path), handler in routes.items():
        add(method, path, handler, expect_handler=_expected)
    add("*", "/{unknown:.*}", _unknown, expect_handler=_expected)
    logger = logging.Logger("mip6.control", logging.WARNING)
    logger.addHandler(_Complaints(log))
    # Who follows events when the daemon stops is not waited for.
    runner = web.AppRunner(
        application,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=0.1,
        logger=logger,
    )
    await runner.setup()
    await web.SockSite(runner, control).start()
    return runner
