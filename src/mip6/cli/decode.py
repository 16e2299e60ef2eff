"""`mip6 decode FILE|HEX`: what is in these packets."""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mip6.wire.record import record

from .client import FAILED, FINE, USAGE

if TYPE_CHECKING:
    from mip6.core.packet import Packet, Wrapping

    from .dissection import Dissected, Keys

DESCRIPTION = """\
What is in these packets: a line for each Mobile IPv6 packet, that is each Mobility
Header, each ICMPv6 message 144 to 147 and each Router Advertisement, be it tunnelled
or, with --key, in ESP."""

PACKETS_HELP = """\
a capture, pcap or pcapng, or - for standard input; or one packet in hexadecimal
digits, beginning with its IPv6 header"""

KEY_HELP = """\
open ESP with INTEGRITY:HEX[,ENCRYPTION:HEX], such as hmac-sha1-96:HEX,aes-cbc:HEX, or
with a line of `mip6 keygen`; can be repeated, whichever fits is used"""

HEX = re.compile(r"(?:0x)?[0-9a-fA-F\s:]+")

WIDTH = 25
"""Characters of MobilePrefixAdvertisement; only discovery has longer names."""

OCTETS_MAX = 32
"""Of a field's octets that people are shown."""

LEFT_OUT_AT_ZERO = {"default_router_preference", "reachable_time", "retrans_timer"}

UNITS = {
    "lifetime": "s",
    "refresh_interval": "s",
    "router_lifetime": "s",
    "valid_lifetime": "s",
    "preferred_lifetime": "s",
    "advertisement_interval": "ms",
    "reachable_time": "ms",
    "retrans_timer": "ms",
}


@record
class Captured:
    """One IPv6 packet, and where it comes from."""

    frame: int
    at: float
    """Seconds since the first frame."""
    octets: bytes
    cut: bool


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    parser = subparsers.add_parser(
        "decode", help="what is in these packets", description=DESCRIPTION
    )
    parser.add_argument("packets", metavar="FILE|HEX", help=PACKETS_HELP)
    parser.add_argument(
        "--all",
        action="store_true",
        help="every IPv6 packet: other ICMPv6 messages and data too, as for HEX",
    )
    parser.add_argument(
        "--key", action="append", default=[], metavar="KEY", help=KEY_HELP
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object per packet"
    )


def run(arguments: argparse.Namespace) -> int:
    from mip6.wire.buffer import WireError

    from .dissection import Keys

    try:
        keys = Keys(arguments.key)
    except ValueError as error:
        return _complain(f"--key {error}", USAGE)
    try:
        packets, everything = _packets(arguments.packets)
    except OSError as error:
        return _complain(f"{arguments.packets}: {error.strerror}", FAILED)
    except ValueError as error:
        return _complain(str(error), USAGE)
    counts: Counter[str] = Counter()
    code = FINE
    everything = everything or arguments.all
    try:
        for captured, found in _found(packets, keys, counts, everything=everything):
            line = document(captured.frame, found)
            print(json.dumps(line) if arguments.json else text(line, captured.at))
    except WireError as error:
        code = _complain(f"{arguments.packets}: {error}", FAILED)
    sys.stdout.flush()
    if counts["closed"]:
        _complain(f"ESP that no --key opened: {counts['closed']} packets", FINE)
    if counts["decoded"]:
        return FINE
    if counts["malformed"]:
        return FAILED
    if code == FINE:
        _complain("no Mobile IPv6 packets", FINE)
    return code


def _complain(what: str, code: int) -> int:
    print(f"mip6 decode: {what}", file=sys.stderr)
    return code


def _packets(argument: str) -> tuple[Iterator[Captured], bool]:
    """The packets that are meant, and whether all of them are to be shown.

    Raises `OSError` for a file that cannot be read, `ValueError` for odd digits.
    """
    if argument == "-":
        return _in_capture(sys.stdin.buffer.read()), False
    path = Path(argument)
    if HEX.fullmatch(argument) and not _exists(path):
        digits = re.sub(r"[\s:]", "", argument).removeprefix("0x")
        if len(digits) % 2:
            raise ValueError(f"{len(digits)} hexadecimal digits: one is missing")
        return iter([Captured(1, 0.0, bytes.fromhex(digits), False)]), True
    return _in_capture(path.read_bytes()), False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than names can be
        return False


def _in_capture(octets: bytes) -> Iterator[Captured]:
    from mip6.wire.capture import ipv6_in, read_capture

    began: float | None = None
    for frame in read_capture(octets):
        began = frame.at if began is None else began
        packet = ipv6_in(frame)
        if packet is not None:
            yield Captured(frame.number, frame.at - began, packet, frame.cut)


def _found(
    packets: Iterator[Captured],
    keys: "Keys",
    counts: Counter[str],
    *,
    everything: bool,
) -> "Iterator[tuple[Captured, Dissected]]":
    """What is to be shown; `counts` the "decoded", the "malformed", the "closed"."""
    from .dissection import Data, Malformed, dissect

    for captured in packets:
        found = dissect(captured.octets, keys, cut=captured.cut)
        if isinstance(found, Data):
            counts["closed"] += found.closed
            wanted = everything
        else:
            wanted = everything or found.ours
        if wanted:
            counts["malformed" if isinstance(found, Malformed) else "decoded"] += 1
            yield captured, found


def document(frame: int, found: "Dissected") -> dict[str, Any]:
    """What `--json` prints for one packet; see `schema/decode.json`."""
    from .dissection import Data, Malformed

    if isinstance(found, Malformed):
        return {"frame": frame, "error": found.reason, "offset": found.offset}
    if isinstance(found, Data):
        headers = found.headers
        addresses = (headers.source, headers.destination)
        wrapping: Wrapping | Packet = found.wrapping
        tunnel = found.tunnel
        name = None
        content = {
            "next_header": headers.next_header,
            "length": len(headers.payload),
        }
    else:
        wrapping = packet = found.packet
        addresses = (packet.source, packet.destination)
        tunnel = packet.tunnel
        name = type(packet.message).__name__
        content = _fields(packet.message)
    line: dict[str, Any] = {
        "frame": frame,
        **_ends(addresses),
        "home_address": _plain(wrapping.home_address),
        "routing_address": _plain(wrapping.routing_address),
        "message": name,
        "fields": content,
    }
    if tunnel is not None:
        line["tunnel"] = _ends(tunnel)
    if found.esp is not None:
        line["esp"] = _fields(found.esp)
    return line


def _ends(addresses: tuple[IPv6Address, IPv6Address]) -> dict[str, str]:
    source, destination = addresses
    return {"source": str(source), "destination": str(destination)}


def _fields(value: Any) -> dict[str, Any]:
    """The fields of a message or an option, by their names."""
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain(value: Any) -> Any:
    """A field's value as JSON has it; octets are hexadecimal."""
    match value:
        case None | bool():
            return value
        case int():
            return int(value)  # not the name, where it has one
        case bytes():
            return value.hex()
        case IPv6Address():
            return str(value)
        case tuple():
            return [_plain(item) for item in value]
        case _:  # options are what is left
            return {"option": type(value).__name__, **_fields(value)}


def text(line: dict[str, Any], at: float) -> str:
    """One line for people."""
    return f"{line['frame']:>5} {at:>11.6f}  {content_text(line, WIDTH)}"


def content_text(line: dict[str, Any], width: int = 0) -> str:
    """What is in a packet, the name of the message `width` characters wide."""
    if "error" in line:
        return f"malformed: {line['error']} at octet {line['offset']}"
    parts = [f"{line['source']} → {line['destination']}"]
    for name in ("home_address", "routing_address"):
        if line[name] is not None:
            parts.append(f"{name} {line[name]}")
    if "tunnel" in line:
        outer = line["tunnel"]
        parts.append(f"tunnel {outer['source']} → {outer['destination']}")
    if "esp" in line:
        parts.append(f"esp {line['esp']['spi']:#x}")
    parts += _words(line["message"], line["fields"])
    name = line["message"] or "data"
    return f"{name:<{width}}  {', '.join(parts)}"


def _words(message: str | None, content: dict[str, Any]) -> list[str]:
    words = []
    for name, value in content.items():
        if name == "options":
            for option in value:
                inside = ", ".join(_words(None, option)[1:])
                words.append(f"{option['option']}({inside})")
        elif value is True:
            words.append(name)
        elif name == "status":
            words.append(f"status {value}{_status(message, value)}")
        elif isinstance(value, list):
            words += [f"{name} {item}" for item in value]
        elif value is not False and (value or name not in LEFT_OUT_AT_ZERO):
            unit = UNITS.get(name, "")
            words.append(f"{name} {_short(value)} {unit}".rstrip())
    return words


def _short(value: Any) -> Any:
    """All but octets in hexadecimal is short enough."""
    long = isinstance(value, str) and len(value) > OCTETS_MAX * 2
    return value[: OCTETS_MAX * 2] + "…" if long else value


def _status(message: str | None, value: int) -> str:
    """The name of a status, in brackets, where it has one."""
    from mip6.wire.messages import BindingErrorStatus, BindingStatus

    kind = BindingErrorStatus if message == "BindingError" else BindingStatus
    try:
        return f" ({kind(value).name.lower()})"
    except ValueError:
        return ""
