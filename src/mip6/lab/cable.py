"""Moves cables to other links: run inside the namespace `links`.

`python -m mip6.lab.cable UNPLUGGED_MS PORT LINK [PORT LINK ...]` sets each PORT down
(the machine at the other end sees its carrier go), makes it a port of the bridge LINK
and sets them up again.
Prints the moments, in seconds of the boot clock, as JSON.  Plain ioctls, because
starting `ip` costs more than what is to be measured.
"""

import contextlib
import fcntl
import json
import socket
import struct
import sys
import time

LINKS = ("home", "b", "c")

SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
SIOCBRADDIF = 0x89A2
SIOCBRDELIF = 0x89A3
IFF_UP = 1


def _request(control: socket.socket, number: int, name: str, value: int) -> int:
    """One `struct ifreq` ioctl whose argument is an int."""
    request = struct.pack("16si20x", name.encode(), value)
    answer = fcntl.ioctl(control, number, request)
    return int(struct.unpack_from("H", answer, 16)[0])


def _set_up(control: socket.socket, port: str, up: bool) -> float:
    flags = _request(control, SIOCGIFFLAGS, port, 0) & ~IFF_UP
    moment = time.clock_gettime(time.CLOCK_BOOTTIME)
    _request(control, SIOCSIFFLAGS, port, flags | (IFF_UP if up else 0))
    return moment


def move(plugs: dict[str, str], unplugged: float) -> tuple[float, float]:
    """Moves each port to its bridge, `unplugged` seconds without a carrier.

    Answers when the first carrier went and when the last came back.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        gone = min(_set_up(control, port, False) for port in plugs)
        for port, link in plugs.items():
            index = socket.if_nametoindex(port)
            for bridge in LINKS:
                # Only one of them has the port; the others say EINVAL.
                with contextlib.suppress(OSError):
                    _request(control, SIOCBRDELIF, bridge, index)
            _request(control, SIOCBRADDIF, link, index)
        time.sleep(unplugged)
        return gone, max(_set_up(control, port, True) for port in plugs)


if __name__ == "__main__":
    wanted = dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))
    gone_at, back_at = move(wanted, float(sys.argv[1]) / 1000)
    print(json.dumps({"unplugged_at": gone_at, "plugged_at": back_at}))
