"""Events for those who follow (`mip6 watch`): few, each with a short queue."""

import asyncio
import re
import time
from dataclasses import fields
from enum import Enum
from typing import Any

from mip6.core.events import Event

FOLLOWERS_MAX = 16
WAITING_MAX = 256
"""Events that wait for a follower who reads slowly; those beyond are left out."""

Document = dict[str, Any]


class Feed:
    """What the daemon reports, to all who follow."""

    def __init__(self) -> None:
        self._followers: set[asyncio.Queue[Document]] = set()

    def follow(self) -> asyncio.Queue[Document] | None:
        """A queue of events from now on; None if there are too many followers."""
        if len(self._followers) >= FOLLOWERS_MAX:
            return None
        queue: asyncio.Queue[Document] = asyncio.Queue(WAITING_MAX)
        self._followers.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[Document]) -> None:
        self._followers.discard(queue)

    def event(self, event: Event, now: float) -> None:
        if not self._followers:
            return
        document = described(event, now)
        for queue in self._followers:
            if not queue.full():
                queue.put_nowait(document)


def described(event: Event, now: float) -> Document:
    """One event as JSON has it; `at` is in seconds of the boot clock."""
    words = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    document: Document = {
        "at": round(now, 6),
        "time": round(time.time(), 3),
        "event": words,
    }
    for field in fields(event):
        document[field.name] = _plain(getattr(event, field.name))
    return document


def _plain(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | float():
            return value
        case tuple():
            return ", ".join(map(str, value))
    return str(value)
