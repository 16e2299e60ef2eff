"""Another configuration for a daemon that runs: all of it, or nothing.

`mip6 reload` and SIGHUP read the file and its keys again.  A file with an error changes
nothing; one that wants what only a start can give changes nothing either, and the
answer names that.
"""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mip6.security.keys import Direction

from .configuration import Configuration, load
from .credentials import Credentials
from .credentials import load as load_credentials
from .errors import ConfigurationError
from .home_agent_section import HomeAgentSection
from .route_optimization import RouteOptimizationSection
from .trust import Trust

if TYPE_CHECKING:
    from .daemon import Daemon

RELOADED: dict[str, frozenset[str]] = {
    "": frozenset({"log_level"}),
    "home_agent": frozenset(
        {
            "mobile_nodes",
            "lifetime_max",
            "grace",
            "updates_max",
            "allow",
            "refuse",
            "lifetimes",
            "prefixes",
        }
    ),
    "mobile_node": frozenset(
        {
            "lifetime",
            "fallback",
            "native",
            "native_name_servers",
            *Trust.model_fields,
            *RouteOptimizationSection.model_fields,
        }
    ),
    "correspondent_node": frozenset({"lifetime_max", "allow", "refuse"}),
}
"""The keys of the file, by section, that a daemon can change while it runs; all others
need a start.  Whoever adds one says in `roles.configure` what it means there."""


async def reload(daemon: "Daemon") -> dict[str, Any]:
    """What became of it: `errors` in the file, what needs a `restart`, and what has
    `changed`; only one of the three holds anything."""
    async with daemon.reloading:
        answer: dict[str, Any] = {"errors": [], "restart": [], "changed": []}
        try:
            # Thousands of keys take a while, and packets must not wait for them.
            wanted, credentials = await asyncio.to_thread(_read, daemon.configuration)
        except ConfigurationError as error:
            answer["errors"] = error.lines
            daemon.log.line("warning", "not_reloaded", why="; ".join(error.lines))
            return answer
        answer["restart"] = [
            *_fixed(daemon.configuration, wanted),
            *_no_room(daemon, wanted, credentials),
        ]
        if answer["restart"]:
            why = f"needs a start: {', '.join(answer['restart'])}"
            daemon.log.line("warning", "not_reloaded", why=why)
            return answer
        answer["changed"] = list(_changes(daemon, wanted, credentials))
        daemon.configure(wanted, credentials)
        daemon.log.line("info", "reloaded", changed="; ".join(answer["changed"]))
        return answer


def _read(present: Configuration) -> tuple[Configuration, Credentials]:
    wanted = load(present.file)
    return wanted, load_credentials(wanted)


def _fixed(present: Configuration, wanted: Configuration) -> Iterator[str]:
    """What differs and cannot be changed now, in the words of the file."""
    for name in Configuration.model_fields:
        old, new = getattr(present, name), getattr(wanted, name)
        reloaded = RELOADED.get(name, frozenset())
        if old == new or name in RELOADED[""]:
            continue
        if old is None or new is None or not reloaded:
            yield f"[{name}]" if hasattr(old or new, "model_fields") else name
            continue
        for key in type(old).model_fields:
            if key not in reloaded and getattr(old, key) != getattr(new, key):
                yield f"[{name}] {key}"


def _no_room(
    daemon: "Daemon", wanted: Configuration, credentials: Credentials
) -> Iterator[str]:
    """The maps of the data plane have room for twice as many as at the start."""
    data_plane = daemon.machine.data_plane
    at_home_agent = wanted.home_agent is not None
    inward = Direction.TO_HOME_AGENT if at_home_agent else Direction.TO_MOBILE_NODE
    spis = {spi for one in credentials.associations for spi in one.spis_of(inward)}
    if len(spis) > data_plane.spis_max:
        yield f"room for {len(spis)} SPIs, and not {data_plane.spis_max}"
    if len(wanted.known) > data_plane.known_max:
        yield f"room for {len(wanted.known)} peers, and not {data_plane.known_max}"


def _changes(
    daemon: "Daemon", wanted: Configuration, credentials: Credentials
) -> Iterator[str]:
    """What will be different, for people and the log."""
    present = daemon.configuration
    for section, keys in RELOADED.items():
        old = getattr(present, section) if section else present
        new = getattr(wanted, section) if section else wanted
        for key in sorted(keys - {"mobile_nodes", *Trust.model_fields}):
            if old is not None and (value := getattr(new, key)) != getattr(old, key):
                yield f"{f'[{section}] ' if section else ''}{key} = {value}"
    before, after = _nodes(present.home_agent), _nodes(wanted.home_agent)
    yield from (f"{node} added" for node in sorted(after - before))
    yield from (f"{node} removed" for node in sorted(before - after))
    old_keys, new_keys = daemon.credentials.by_home_address, credentials.by_home_address
    for home_address in sorted(old_keys.keys() & new_keys.keys()):
        if old_keys[home_address] != new_keys[home_address]:
            yield f"keys of {home_address} changed"


def _nodes(home_agent: HomeAgentSection | None) -> set[str]:
    nodes = home_agent.mobile_nodes if home_agent is not None else ()
    return {str(node) for node in nodes}
