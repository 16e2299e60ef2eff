"""What tunnel and direct way cost, beside the kernel's own ways over the same hops.

    python -m bench.dataplane [--json] [--pairs N] [--seconds S] [--uml]

correspondent - router - home agent - router - mobile node, all namespaces of this
machine.  Sides, interleaved pair by pair:

    plain    nothing but forwarding
    tunnel   the eBPF programs of mip6 at home agent and mobile node
    seg6     the kernel's segment routing tunnel (encap.red, End.DT6), where it has it
    ip6tnl   the kernel's tunnel device, where it has it

and correspondent - router - mobile node:

    straight nothing but forwarding
    direct   the eBPF programs of mip6 at correspondent and mobile node, which is away
    xfrm     the kernel's route optimization, where it has it

Figures are per second of processor time of sender, receiver and ksoftirqd: TCP in Mbit,
UDP in thousands of 84-octet frames that arrived.  `--uml`: on the second kernel
(scripts/uml).  Needs root.
"""

import argparse
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.support.namespaces import Namespace, connect, namespaces
from tests.support.roaming import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    MTU,
    be_correspondent,
    carry_home_address,
    direct,
    network,
    node,
    places,
    serve_home_address,
)

from mip6.core.state import End

from . import load
from .measure import PAIRS, interleaved, ratio, report, show

SECONDS = 1.0
FRAME = 84
"""Octets of a UDP frame: Ethernet 14, IPv6 40, UDP 8, and the data."""
DATA = FRAME - 14 - 40 - 8
DELIVERED_MIN = 0.5
"""Who loses more has not been measured but flooded."""
PLAIN, TUNNEL = "plain", "tunnel"
STRAIGHT, DIRECT = "straight", "direct"
AGENT_SEGMENT, MOBILE_SEGMENT = "2001:db8:a:5::1", "2001:db8:b:5::1"


class UnsupportedError(Exception):
    """This kernel does not have what a side needs."""


@dataclass(frozen=True, slots=True)
class Side:
    """The two ends between which one side is measured."""

    correspondent: Namespace
    mobile_node: Namespace

    def warm_up(self) -> None:
        """Neighbours known, and the way proved."""
        self.correspondent.run(f"ping -n -c 3 -i 0.2 -W 2 {HOME_ADDRESS}")

    def tcp(self, seconds: float) -> float:
        """Mbit per second of processor time."""
        with self.mobile_node.entered():
            listener = socket.create_server(
                (HOME_ADDRESS, 0), family=socket.AF_INET6, backlog=1
            )
        with self.correspondent.entered():
            sender = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        with listener, sender:
            sender.settimeout(10)
            sender.connect(listener.getsockname()[:2])
            receiver, _ = listener.accept()
            with receiver:
                sender.settimeout(None)
                cost = load.tcp_cost(sender, receiver, seconds)
        return cost.received * 8 / 1e6 / cost.cpu_seconds

    def udp(self, seconds: float) -> float:
        """Thousands of frames that arrive per second of processor time."""
        ends = []
        for place, address in (
            (self.correspondent, CORRESPONDENT),
            (self.mobile_node, HOME_ADDRESS),
        ):
            with place.entered():
                ends.append(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            ends[-1].bind((address, 0))
        sender, receiver = ends
        with sender, receiver:
            sender.connect(receiver.getsockname())
            receiver.connect(sender.getsockname())
            cost = load.udp_cost(sender, receiver, size=DATA, seconds=seconds)
        if cost.received < DELIVERED_MIN * cost.sent:
            raise SystemExit(f"{cost.received} of {cost.sent} datagrams arrived")
        return cost.received / 1e3 / cost.cpu_seconds


def plain() -> contextlib.AbstractContextManager[Side]:
    """As many hops in a line, so that no rule is needed to go by the home agent."""
    return in_line("correspondent", "router", "agent", "router", "mobile")


def straight() -> contextlib.AbstractContextManager[Side]:
    return in_line("correspondent", "router", "mobile")


@contextlib.contextmanager
def in_line(*labels: str) -> Iterator[Side]:
    with namespaces(*labels) as line:
        for number, (here, there) in enumerate(pairwise(line)):
            connect(here, "right", there, "left")
            here.ip(f"address add 2001:db8:{number}::1/64 dev right nodad")
            there.ip(f"address add 2001:db8:{number}::2/64 dev left nodad")
            here.ip(f"route add {HOME_ADDRESS} via 2001:db8:{number}::2")
            there.ip(f"route add {CORRESPONDENT} via 2001:db8:{number}::1")
        for router in line[1:-1]:
            router.sysctl("all.forwarding=1")
        correspondent, mobile = line[0], line[-1]
        correspondent.ip(f"address add {CORRESPONDENT}/128 dev right nodad")
        mobile.ip(f"address add {HOME_ADDRESS}/128 dev left nodad")
        yield Side(correspondent, mobile)


@contextlib.contextmanager
def tunnel() -> Iterator[Side]:
    with network() as made:
        made.register(lifetime=3600)
        yield Side(made.correspondent, made.mobile_node.namespace)


@contextlib.contextmanager
def direct_way() -> Iterator[Side]:
    with network() as made, node(made.correspondent) as correspondent:
        be_correspondent(made.correspondent, HOME_ADDRESS)
        made.register(lifetime=3600)
        for one, end in (
            (made.mobile_node, End.MOBILE_NODE),
            (correspondent, End.CORRESPONDENT),
        ):
            one.data_plane.put(direct(end, lifetime=3600))
        yield Side(made.correspondent, made.mobile_node.namespace)


@contextlib.contextmanager
def xfrm() -> Iterator[Side]:
    """States and policies for this one binding, as a daemon would set them."""
    up, down = (
        f"src {HOME_ADDRESS} dst {CORRESPONDENT}",
        (f"src {CORRESPONDENT} dst {HOME_ADDRESS}"),
    )
    with places() as (correspondent, _, _, mobile):
        mobile.ip(f"address add {HOME_ADDRESS}/128 dev lo nodad home")
        for place, outward, inward in (
            (mobile, "out", "in"),
            (correspondent, "in", "out"),
        ):
            for selector, kind, way in ((up, "hao", outward), (down, "route2", inward)):
                with _if_possible("xfrm"):
                    place.ip(
                        f"xfrm state add {selector} proto {kind} mode ro "
                        f"coa {CARE_OF_ADDRESS} sel {selector}"
                    )
                place.ip(
                    f"xfrm policy add {selector} dir {way} priority 2 "
                    f"tmpl {selector} proto {kind} mode ro"
                )
        yield Side(correspondent, mobile)


@contextlib.contextmanager
def seg6() -> Iterator[Side]:
    """A segment at each end; the mobile node has the rules that a mobile node needs."""
    with places() as (correspondent, router, agent, mobile):
        for place, outer, own, table in (
            (agent, HOME_AGENT, AGENT_SEGMENT, "main"),
            (mobile, CARE_OF_ADDRESS, MOBILE_SEGMENT, "local"),
        ):
            router.ip(f"route add {own} via {outer}")
            place.run(f"ip sr tunsrc set {outer}")
            action = f"encap seg6local action End.DT6 table {table}"
            with _if_possible("seg6"):
                place.ip(f"route add {own} {action} dev eth0")
        into = "encap seg6 mode encap.red segs"
        agent.ip(f"neighbor add proxy {HOME_ADDRESS} dev eth0")
        agent.ip(f"route add {HOME_ADDRESS} {into} {MOBILE_SEGMENT} dev eth0")
        connect(mobile, "mip0", mobile, "nobody")  # where the home address lives
        carry_home_address(mobile, HOME_ADDRESS, CARE_OF_ADDRESS)
        mobile.ip(f"route replace default {into} {AGENT_SEGMENT} dev eth0 table 100")
        yield Side(correspondent, mobile)


@contextlib.contextmanager
def ip6tnl() -> Iterator[Side]:
    """The same routes and rules as ours, into a tunnel device at each end."""
    with places() as (correspondent, _, agent, mobile):
        for place, own, peer in (
            (agent, HOME_AGENT, CARE_OF_ADDRESS),
            (mobile, CARE_OF_ADDRESS, HOME_AGENT),
        ):
            with _if_possible("ip6tnl"):
                place.ip(
                    f"link add mip0 type ip6tnl mode ip6ip6 local {own} remote {peer} "
                    "encaplimit none dev eth0"
                )
            place.ip(f"link set mip0 up mtu {MTU}")
        serve_home_address(agent, HOME_ADDRESS)
        carry_home_address(mobile, HOME_ADDRESS, CARE_OF_ADDRESS)
        yield Side(correspondent, mobile)


@contextlib.contextmanager
def _if_possible(what: str) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        raise UnsupportedError(f"{what}: {error}") from None


SIDES: dict[str, Callable[[], contextlib.AbstractContextManager[Side]]] = {
    PLAIN: plain,
    TUNNEL: tunnel,
    "seg6": seg6,
    "ip6tnl": ip6tnl,
    STRAIGHT: straight,
    DIRECT: direct_way,
    "xfrm": xfrm,
}
RATIOS = {
    TUNNEL: (PLAIN, "seg6", "ip6tnl"),
    DIRECT: (STRAIGHT, "xfrm"),
}
"""What is held against what."""


def measure(
    pairs: int, seconds: float, names: Sequence[str] = tuple(SIDES)
) -> list[dict[str, Any]]:
    """One document for TCP and one for UDP."""
    with contextlib.ExitStack() as stack:
        sides = {}
        for name in names:
            make = SIDES[name]
            try:
                sides[name] = stack.enter_context(make())
            except UnsupportedError as reason:
                print(f"left out: {reason}", file=sys.stderr)
                continue
            sides[name].warm_up()
        runs: dict[str, Callable[[], float]] = {}
        for name, side in sides.items():
            runs[f"TCP {name}"] = partial(side.tcp, seconds)
            runs[f"UDP {name}"] = partial(side.udp, seconds)
        figures = interleaved(runs, pairs)
    documents = []
    for kind, unit in (("TCP", "Mbit"), ("UDP", "k frames of 84 octets")):
        mine = {name: figures[f"{kind} {name}"] for name in sides}
        ratios = {
            f"{ours} ÷ {name}": ratio(mine, ours, name)
            for ours, others in RATIOS.items()
            for name in others
            if ours in sides and name in sides
        }
        documents.append(
            report(f"dataplane {kind}", mine, f"{unit} per CPU-second", ratios)
        )
    return documents


def second_kernel(arguments: list[str]) -> list[dict[str, Any]]:
    """The same, measured inside user-mode-linux."""
    command = ["scripts/uml", sys.executable, "-m", __spec__.name, "--json"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    documents = [line for line in done.stdout.splitlines() if line.startswith("[")]
    return list(json.loads(documents[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument(
        "--sides", default=",".join(SIDES), help="some of them, by commas"
    )
    parser.add_argument("--uml", action="store_true", help="on the second kernel")
    arguments = parser.parse_args()
    pairs, seconds = arguments.pairs, arguments.seconds
    if arguments.uml:
        documents = second_kernel(
            [
                f"--pairs={pairs}",
                f"--seconds={seconds}",
                f"--sides={arguments.sides}",
            ]
        )
    else:
        documents = measure(pairs, seconds, arguments.sides.split(","))
    show(documents, as_json=arguments.json)


if __name__ == "__main__":
    main()
