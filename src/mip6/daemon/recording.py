"""What went into the core and what came out, as NDJSON: bug reports become tests.

The first line says what this is; a line with "new" makes a part of the node, one with
"input" calls it.  A second part of one kind has a name of its own, "as": a router that
advertises itself beside other roles is a node for itself.  Chance is recorded as the
octets that were drawn, so the same inputs give the same effects; of a correspondent
only the keygen tokens that it made.  Packets are recorded as the core gets them, behind
`security`: there are no keys in them, and none in the arguments of the parts.  What is
in them is where people were and whom they talked to, so a recording is not for
everybody.
"""

import inspect
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from typing import Any, ParamSpec, TextIO, TypeVar, get_type_hints

from mip6 import __version__
from mip6.core.adopted import Adopted
from mip6.core.binding_cache import Binding
from mip6.core.correspondent import Correspondent
from mip6.core.effects import Effect
from mip6.core.home_agent import HomeAgent
from mip6.core.link import Link
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.policy import Permission
from mip6.core.prefixes import HomePrefix
from mip6.core.return_routability import TOKEN_LENGTH, keygen_token
from mip6.core.route_optimization import CorrespondentPolicy
from mip6.core.router import Advertising, AdvertisingRouter
from mip6.core.state import (
    CareOfAddress,
    HomeAddress,
    Membership,
    Neighbor,
    ProxyNeighbor,
    Route,
    RouteOptimization,
    Rule,
    Tunnel,
)
from mip6.wire.record import record

FORMAT = 1

INPUTS: dict[type, tuple[str, ...]] = {
    Node: ("receive", "unmatched", "tick", "failed", "talks_to", "addresses_changed"),
    AdvertisingRouter: ("link_up", "link_down", "renumber", "stop"),
    Correspondent: ("configure",),
    HomeAgent: (
        "link_up",
        "overloaded",
        "configure",
        "prefixes_changed",
        "prefixes_restored",
        "revoke",
        "multicast",
    ),
    MobileNode: (
        "configure",
        "link_up",
        "link_down",
        "address_checked",
        "configured",
        "handover",
        "home_agents_found",
        "listens_to",
        "name_servers",
        "neighbor_lost",
        "prefer",
        "stop",
    ),
}
"""The parts of a node, and the methods by which the daemon tells them things."""

PARTS = {kind.__name__: kind for kind in INPUTS}
VALUES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Adopted,
        Advertising,
        Binding,
        Link,
        CareOfAddress,
        CorrespondentPolicy,
        HomeAddress,
        HomePrefix,
        Membership,
        Neighbor,
        Permission,
        ProxyNeighbor,
        Route,
        RouteOptimization,
        Rule,
        Tunnel,
    )
}
"""What arguments are made of, beside what Python has itself."""

RANDOM = "random"
"""The argument that is a source of chance."""
TOKEN = "token"
"""The argument that makes keygen tokens.  What it makes is in packets that are recorded
anyway; the node key and the nonces that it is given would make them for everybody, so
where it is asked for, chance is a secret and is not recorded."""

Wanted = ParamSpec("Wanted")
Part = TypeVar("Part")


class RecordingError(ValueError):
    """A recording that cannot be replayed; the message names the line."""


class Recorder:
    """Makes the parts of the node, and writes down what happens to them.

    file: None records nothing.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file
        self._drawn: list[str] = []
        self._names: dict[int, str] = {}
        self._line({"recording": FORMAT, "version": __version__})

    def new(
        self,
        kind: Callable[Wanted, Part],
        *arguments: Wanted.args,
        **named: Wanted.kwargs,
    ) -> Part:
        """`kind(*arguments, **named)`, recorded from now on."""
        if self._file is None:
            return kind(*arguments, **named)
        bound = inspect.signature(kind).bind(*arguments, **named)
        said = {
            name: self._value(value)
            for name, value in bound.arguments.items()
            if name not in (RANDOM, TOKEN)
        }
        watched = RANDOM
        if TOKEN in inspect.signature(kind).parameters:
            bound.arguments.setdefault(TOKEN, keygen_token)
            watched = TOKEN
        if watched in bound.arguments:
            bound.arguments[watched] = self._watched(bound.arguments[watched])
        part = kind(*bound.args, **bound.kwargs)
        assert isinstance(kind, type)
        part_name = self._names[id(part)] = self._unused(kind.__name__)
        line = {"new": kind.__name__, "arguments": said, **self._chance()}
        if part_name != kind.__name__:
            line["as"] = part_name
        self._line(line)
        for name in INPUTS[kind]:
            method = getattr(part, name)
            setattr(part, name, self._recorded(f"{part_name}.{name}", method))
        return part

    def _unused(self, name: str) -> str:
        used = sum(taken.startswith(name) for taken in self._names.values())
        return f"{name}{used + 1}" if used else name

    def _recorded(
        self, name: str, method: Callable[..., list[Effect]]
    ) -> Callable[..., list[Effect]]:
        signature = inspect.signature(method)

        def recorded(*arguments: Any, **named: Any) -> list[Effect]:
            said = signature.bind(*arguments, **named).arguments
            line = {"input": name, "arguments": encode(said)}
            try:
                effects = method(*arguments, **named)
            except Exception as error:
                self._line({**line, **self._chance(), "raised": repr(error)})
                raise
            self._line({**line, **self._chance(), "effects": encode(effects)})
            return effects

        return recorded

    def _watched(self, source: Callable[..., bytes]) -> Callable[..., bytes]:
        def watched(*arguments: Any) -> bytes:
            octets = source(*arguments)
            self._drawn.append(octets.hex())
            return octets

        return watched

    def _chance(self) -> dict[str, Any]:
        drawn, self._drawn = self._drawn, []
        return {RANDOM: drawn} if drawn else {}

    def _value(self, value: Any) -> Any:
        part = self._names.get(id(value))
        return {"part": part} if part else encode(value)

    def _line(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")


def open_recording(path: Path) -> TextIO:
    """A new file that only its owner can read; each line is on its way at once."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(descriptor, "w", buffering=1)


def encode(value: Any) -> Any:
    """A value of the core as JSON has it; a packet is its octets."""
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return {"octets": value.hex()}
        case IPv6Interface():  # an address too, so first
            return {"interface": str(value)}
        case IPv6Address():
            return {"address": str(value)}
        case IPv6Network():
            return {"network": str(value)}
        case Packet():
            return {"packet": write(value).hex(), "link": value.link}
        case dict():
            return {name: encode(inside) for name, inside in value.items()}
        case list() | tuple():
            return [encode(inside) for inside in value]
    # Nothing of `security`, where the keys are, has any business here.
    assert is_dataclass(value) and type(value).__module__.startswith("mip6.core.")
    # Defaults are left out: a recording outlives the fields that come after it.
    inside = {
        field.name: encode(getattr(value, field.name))
        for field in fields(value)
        if getattr(value, field.name) != field.default
    }
    return {"is": type(value).__name__, **inside}


def decode(value: Any) -> Any:
    """The argument that `encode` was given; a list is a tuple.

    Raises `KeyError`, `TypeError` or `ValueError` for what it did not write.
    """
    match value:
        case {"is": name, **inside}:
            arguments = {
                str(field): decode(content) for field, content in inside.items()
            }
            return _value_of(VALUES[name], arguments)
        case {"octets": octets}:
            return bytes.fromhex(octets)
        case {"address": address}:
            return IPv6Address(address)
        case {"interface": interface}:
            return IPv6Interface(interface)
        case {"network": network}:
            return IPv6Network(network)
        case list():
            return tuple(map(decode, value))
    return value


def _value_of(kind: type[Any], arguments: dict[str, Any]) -> Any:
    hints = get_type_hints(kind)
    for name, value in arguments.items():
        hint = hints[name]
        if isinstance(hint, type) and issubclass(hint, Enum):
            arguments[name] = hint(value)
    return kind(**arguments)


@record
class Step:
    """One input, replayed."""

    line: int
    at: float
    name: str
    """Such as "Node.receive"."""
    arguments: dict[str, Any]
    effects: list[Effect]
    raised: str
    """The exception that crossed the core: a bug; "" mostly."""
    same: bool
    """Whether this is what happened when it was recorded."""


class _Chance:
    """The octets that were drawn.  Where the core draws otherwise than it did then,
    it goes on with others, the same in every replay."""

    def __init__(self) -> None:
        self.recorded: deque[bytes] = deque()
        self._count = 0

    def __call__(self, count: int) -> bytes:
        if self.recorded and len(self.recorded[0]) == count:
            return self.recorded.popleft()
        self._count += 1
        seed = self._count.to_bytes(8)
        return (sha256(seed).digest() * (count // 32 + 1))[:count]


def replay(lines: Iterable[str]) -> Iterator[Step]:
    """Run a recording through the core as it is now; ends behind an exception.

    Raises `RecordingError`.
    """
    chance = _Chance()
    parts: dict[str, Any] = {}
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
            if number == 1:
                _check_format(line)
                continue
            chance.recorded = deque(map(bytes.fromhex, line.get(RANDOM, ())))
            if "new" in line:
                part = _new(line["new"], line["arguments"], parts, chance)
                parts[line.get("as", line["new"])] = part
                continue
            step = _step(number, line, parts)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordingError(f"line {number}: {error!r}") from error
        yield step
        if step.raised:
            return


def _check_format(line: Any) -> None:
    if not isinstance(line, dict) or line.get("recording") != FORMAT:
        raise ValueError(f"not a recording of format {FORMAT}")


def _new(
    name: str, said: dict[str, Any], parts: dict[str, Any], chance: _Chance
) -> Any:
    kind = PARTS[name]
    arguments = {
        argument: parts[value["part"]]
        if isinstance(value, dict) and "part" in value
        else decode(value)
        for argument, value in said.items()
    }
    parameters = inspect.signature(kind).parameters
    if TOKEN in parameters:
        arguments[RANDOM] = _Chance()
        arguments[TOKEN] = lambda *_: chance(TOKEN_LENGTH)
    elif RANDOM in parameters:
        arguments[RANDOM] = chance
    return kind(**arguments)


def _step(number: int, line: dict[str, Any], parts: dict[str, Any]) -> Step:
    part, _, name = line["input"].partition(".")
    if name not in INPUTS[type(parts[part])]:
        raise ValueError(f"{line['input']} is no input")
    method = getattr(parts[part], name)
    arguments = {key: decode(value) for key, value in line["arguments"].items()}
    inspect.signature(method).bind(**arguments)
    effects: list[Effect] = []
    raised = ""
    try:
        effects = method(**arguments)
    except Exception as error:
        raised = repr(error)
    then = (line.get("effects", []), line.get("raised", ""))
    # Through JSON, so that numbers compare as they were written.
    now = (json.loads(json.dumps(encode(effects))), raised)
    return Step(
        line=number,
        at=arguments["now"],
        name=line["input"],
        arguments=arguments,
        effects=effects,
        raised=raised,
        same=then == now,
    )
