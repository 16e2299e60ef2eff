"""A name server that knows no names, and somebody who asks it.

Run inside a namespace as `python -m mip6.lab.resolver`.  It is there to note down whom
it sees; that somebody is answered shows that the way back works, too.
"""

import argparse
import contextlib
import itertools
import json
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PORT = 53
WAIT_S = 0.2
"""For an answer, before the next question."""
HEADER = struct.Struct("!HHHHHH")
"""Identifier, flags, and how many of what follows (RFC 1035 §4.1.1)."""
ASKED, ANSWERED = 0x0100, 0x8180
"""Flags: recursion is desired; that is an answer, without an error."""
NAME = b"\x07visited\x07example\x00" + struct.pack("!HH", 28, 1)  # AAAA, IN


def question(number: int) -> bytes:
    return HEADER.pack(number, ASKED, 1, 0, 0, 0) + NAME


def answer(asked: bytes) -> bytes:
    """There is no such record: an answer with nothing in it."""
    return HEADER.pack(int.from_bytes(asked[:2]), ANSWERED, 1, 0, 0, 0) + asked[12:]


def serve(addresses: list[str], record: Path) -> None:
    """Answers at all of `addresses`, and adds who asked to `record`, a line each."""
    doors = []
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        doors.append(socket.socket(family, socket.SOCK_DGRAM))
        doors[-1].bind((address, PORT))
    with record.open("w", encoding="utf-8", buffering=1) as lines:
        print("ready", file=lines)
        while True:
            for door in select.select(doors, [], [])[0]:
                asked, client = door.recvfrom(512)
                print(client[0], file=lines)
                # The way back may just have gone.
                with contextlib.suppress(OSError):
                    door.sendto(answer(asked), client)


def _once(server: str, number: int) -> str | None:
    """The address that a question came from, if it was answered.

    Each has a socket of its own, as with the resolvers of C libraries.
    """
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as out:
        out.settimeout(WAIT_S)
        out.connect((server, PORT))
        out.send(question(number))
        if out.recv(512) != answer(question(number)):
            return None
        return str(out.getsockname()[0])


def ask(server: str) -> Iterator[str | None]:
    """One question after the other: where it came from, or None without an answer."""
    for number in itertools.count():
        try:
            yield _once(server, number & 0xFFFF)
        except OSError:  # unreachable, or no answer in time
            time.sleep(WAIT_S / 4)
            yield None


def main() -> int:
    parser = argparse.ArgumentParser(prog="mip6.lab.resolver")
    kinds = parser.add_subparsers(dest="kind", required=True)
    server = kinds.add_parser("serve")
    server.add_argument("record", type=Path)
    server.add_argument("addresses", nargs="+")
    once = kinds.add_parser("ask", help="until there is an answer")
    once.add_argument("server")
    once.add_argument("seconds", type=float)
    kinds.add_parser("keep-asking", help="until SIGTERM").add_argument("server")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    match wanted.kind:
        case "serve":
            serve(wanted.addresses, wanted.record)
        case "ask":
            end = time.monotonic() + wanted.seconds
            for source in ask(wanted.server):
                if source or time.monotonic() > end:
                    print(json.dumps(source))
                    break
        case "keep-asking":
            for _ in ask(wanted.server):
                time.sleep(WAIT_S / 10)
    return 0


if __name__ == "__main__":
    sys.exit(main())
