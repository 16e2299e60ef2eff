"""The start of one instance: its keys, its recording, its user, and the main loop."""

import asyncio
import contextlib
import gc
import os
from pathlib import Path

from mip6.linux import privileges

from . import user
from .access_router import AccessRouter
from .configuration import Configuration
from .credentials import load as load_credentials
from .daemon import Daemon
from .errors import SetupError
from .log import Log
from .recording import Recorder, open_recording

COLLECTED_AFTER = (10_000, 50, 1_000_000)
"""Objects, young collections, middle ones: what lives long is left alone."""


def start(
    configuration: Configuration, name: str, recording: Path | None = None
) -> None:
    """Runs one instance until it is stopped, and records it where one asks for that.

    Raises SetupError; ConfigurationError for keys that cannot be used.
    """
    # Keys and bindings are no garbage and hold no cycles: to look through a million of
    # them again and again would stop the loop for a second.
    gc.set_threshold(*COLLECTED_AFTER)
    credentials = load_credentials(configuration)
    journal = "JOURNAL_STREAM" in os.environ
    log = Log(configuration.log_level, journal=journal)
    with contextlib.ExitStack() as stack:
        recorder = None
        if recording is not None:
            try:
                file = stack.enter_context(open_recording(recording))
            except OSError as error:
                raise SetupError(f"{recording}: {error.strerror}") from error
            recorder = Recorder(file)
        user.become(configuration, log)
        if configuration.roles == ("router",):
            asyncio.run(AccessRouter(configuration, name, log, recorder).run())
            return
        daemon = Daemon(configuration, name, log, recorder, credentials)
        privileges.reduce()
        asyncio.run(daemon.run())
