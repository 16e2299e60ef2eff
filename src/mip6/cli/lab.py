"""`mip6 lab`: the figure "Mobile IP" out of network namespaces."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from mip6.lab.lab import Lab
    from mip6.lab.report import Options, Report
    from mip6.lab.topology import Advertising

DEFAULT_NAME = "lab"


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    parser = subparsers.add_parser(
        "lab",
        help="a whole Mobile IPv6 network on this machine",
        description="Builds the figure 'Mobile IP' out of network namespaces. "
        "Needs root.",
    )
    commands = parser.add_subparsers(dest="lab_command", required=True)

    run_ = commands.add_parser("run", help="play a scenario, measured and explained")
    run_.add_argument(
        "scenario",
        nargs="?",
        default="handover",
        metavar="SCENARIO",
        help="see `mip6 lab scenarios`; default: handover",
    )
    run_.add_argument("--json", action="store_true", help="print one JSON document")
    run_.add_argument(
        "--moves",
        type=_positive,
        metavar="N",
        help="how many moves; handover: B ↔ C (daemon_killed has its own)",
    )
    _add_advertising(run_)
    run_.add_argument(
        "--pcap", type=Path, metavar="DIR", help="keep the captures of all nodes here"
    )
    run_.add_argument(
        "--step", action="store_true", help="wait for Enter before each step"
    )
    run_.add_argument(
        "--delay", type=float, default=0.0, metavar="MS", help="delay each core link"
    )
    run_.add_argument(
        "--loss", type=float, default=0.0, metavar="PERCENT", help="lose packets there"
    )
    _add_authentication(run_)
    run_.add_argument("--name", help="the lab's name; default: a new one")

    scenarios = commands.add_parser("scenarios", help="list the scenarios")
    scenarios.add_argument("--json", action="store_true")

    up = commands.add_parser("up", help="build the network and leave it up")
    _add_name(up)
    _add_advertising(up)
    up.add_argument("--virtual", action="store_true", help="without a home link")
    up.add_argument("--plain", action="store_true", help="without mip6 daemons")
    up.add_argument(
        "--correspondent",
        action="store_true",
        help="mip6 at the correspondent too: route optimization",
    )
    _add_authentication(up)

    move = commands.add_parser("move", help="move the mobile node's cable")
    move.add_argument("node", choices=["mn"], metavar="NODE", help="mn")
    move.add_argument("link", type=str.lower, metavar="LINK", help="home, b or c")
    _add_name(move)

    exec_ = commands.add_parser("exec", help="run a command at a node")
    exec_.add_argument("node", metavar="NODE", help="mn, ha, cn, core, b, c, links")
    exec_.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD")
    _add_name(exec_)

    status = commands.add_parser("status", help="which labs are up")
    status.add_argument("--json", action="store_true")

    down = commands.add_parser("down", help="take a lab down, and what was left behind")
    down.add_argument("--name", help="default: 'lab', and labs whose run was killed")


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default=DEFAULT_NAME, help="the lab; default: lab")


def _add_authentication(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--authentication",
        choices=["shared_key", "mn_ha", "none"],
        default="shared_key",
        help="what proves Binding Updates: ESP with a shared key (the default), the "
        "MN-HA option with one (RFC 4285), or nothing",
    )


def _add_advertising(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ra-interval",
        type=_advertising,
        default="30-70",
        metavar="MS",
        help="the longest interval of router advertisements, or SHORTEST-LONGEST; "
        "default: 30-70",
    )


def _advertising(text: str) -> "Advertising":
    from mip6.lab.topology import Advertising

    try:
        return Advertising.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0: fine, and for `run` that every check passed."""
    if arguments.lab_command == "scenarios":
        return _scenarios(arguments)
    if os.geteuid() != 0:
        print(
            "mip6 lab needs root: it builds network namespaces (sudo mip6 lab ...).\n"
            "Without root, `mip6 sim handover` plays the same protocol in a simulator.",
            file=sys.stderr,
        )
        return 1
    from mip6.lab.namespaces import LabError

    commands = {
        "run": _run,
        "up": _up,
        "move": _move,
        "exec": _exec,
        "status": _status,
        "down": _down,
    }
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        return commands[arguments.lab_command](arguments)
    except LabError as error:
        print(f"mip6 lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _leave(number: int, _frame: object) -> NoReturn:
    """Ends by an exception, so that the lab is taken down on the way out."""
    raise SystemExit(128 + number)


def _scenarios(arguments: argparse.Namespace) -> int:
    from mip6.lab.scenarios import SCENARIOS

    if arguments.json:
        print(json.dumps({name: s.summary for name, s in SCENARIOS.items()}))
        return 0
    for name, scenario in SCENARIOS.items():
        print(f"{name:22} {scenario.summary}")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from mip6.lab import scenarios
    from mip6.lab.lab import Lab
    from mip6.lab.namespaces import require_tools
    from mip6.lab.report import Options

    name = arguments.scenario
    if name not in scenarios.SCENARIOS:
        known = ", ".join(scenarios.SCENARIOS)
        print(f"mip6 lab: no scenario {name!r}; there are {known}", file=sys.stderr)
        return 2
    needs = scenarios.SCENARIOS[name].needs
    if needs is not None and arguments.authentication == "mn_ha":
        print(
            f"mip6 lab: {name} is about {needs}, which is off with mn_ha",
            file=sys.stderr,
        )
        return 2
    require_tools("ip", "nsenter", "radvd", "sysctl", "tc", "tcpdump", "ping")
    options = Options(
        moves=arguments.moves,
        advertising=arguments.ra_interval,
        captures=arguments.pcap,
        delay_ms=arguments.delay,
        loss_percent=arguments.loss,
        authentication=arguments.authentication,
    )
    lab = Lab(arguments.name or f"run{os.getpid()}")
    pause = _wait_for_enter if arguments.step else _go_on
    if arguments.json:
        report = scenarios.run(name, lab, options, tell=_go_on, pause=pause)
        print(json.dumps(report.document(), indent=2, ensure_ascii=False))
    else:
        report = _shown(name, lab, options, pause)
    return 0 if report.ok else 1


def _shown(
    name: str, lab: "Lab", options: "Options", pause: Callable[[str], None]
) -> "Report":
    """Runs a scenario and prints what happens while it does."""
    from rich.console import Console

    from mip6.lab import scenarios, show

    console = Console()
    scenario = scenarios.SCENARIOS[name]
    console.print(f"[bold]{name}[/]: {scenario.summary}\n", highlight=False)
    show.show_picture(console, virtual=scenario.virtual)
    begin = time.monotonic()

    def tell(text: str) -> None:
        elapsed = time.monotonic() - begin
        console.print(f"{elapsed:6.1f} s  {text}", markup=False, highlight=False)

    report = scenarios.run(name, lab, options, tell=tell, pause=pause)
    show.show_report(console, report)
    if options.captures:
        console.print(f"Captures: {options.captures}/*.pcap", highlight=False)
    return report


def _go_on(_text: str) -> None:
    """Says nothing and waits for nobody."""


def _wait_for_enter(text: str) -> None:
    print(f"Enter: {text} ", end="", file=sys.stderr, flush=True)
    sys.stdin.readline()


def _up(arguments: argparse.Namespace) -> int:
    from mip6.lab.lab import DAEMONS, Lab
    from mip6.lab.topology import CORRESPONDENT, HOME_ADDRESS

    lab = Lab(arguments.name)
    start = "b" if arguments.virtual else "home"
    lab.up(
        virtual=arguments.virtual,
        advertising=arguments.ra_interval,
        authentication=arguments.authentication,
    )
    try:
        lab.move(start)
        if not arguments.plain:
            peers = ["cn"] if arguments.correspondent else []
            lab.start_daemons(*DAEMONS, *peers)
    except BaseException:
        lab.down()
        raise
    option = "" if lab.name == DEFAULT_NAME else f" --name {lab.name}"
    print(f"The lab {lab.name!r} is up, the mobile node on link {start}.")
    if arguments.plain:
        return 0
    whose = "cn" if arguments.correspondent else "ha"
    print(
        "Try\n"
        f"  mip6 lab exec{option} cn -- ping {HOME_ADDRESS}\n"
        f"  mip6 lab move{option} mn c\n"
        f"  mip6 lab exec{option} mn -- ping {CORRESPONDENT}\n"
        f"  mip6 status --name {lab.instance('mn')}\n"
        f"  mip6 bindings --name {lab.instance(whose)}\n"
        f"  mip6 lab down{option}"
    )
    return 0


def _move(arguments: argparse.Namespace) -> int:
    from mip6.lab.lab import Lab

    lab = Lab.find(arguments.name)
    move = lab.move(arguments.link)
    unplugged_ms = (move.plugged_at - move.unplugged_at) * 1000
    print(
        f"the mobile node's cable went from link {move.origin} to link "
        f"{move.destination} ({unplugged_ms:.0f} ms unplugged); "
        f"mip6 trace --name {lab.instance('mn')} shows what it did"
    )
    return 0


def _exec(arguments: argparse.Namespace) -> int:
    from mip6.lab.lab import Lab

    argv = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
    if not argv:
        print("mip6 lab exec NODE -- CMD: which command?", file=sys.stderr)
        return 2
    command = Lab.find(arguments.name).command(arguments.node, argv)
    return subprocess.run(command).returncode


def _status(arguments: argparse.Namespace) -> int:
    from mip6.lab.lab import Lab

    labs = [lab for lab in Lab.all() if lab.complete]
    daemons = {lab.name: [lab.instance(r) for r in lab.answering] for lab in labs}
    if arguments.json:
        shown = [
            {
                "name": lab.name,
                "mobile_node_on": lab.link,
                "run": lab.owned,
                "daemons": daemons[lab.name],
            }
            for lab in labs
        ]
        print(json.dumps({"labs": shown}, indent=2))
        return 0
    for lab in labs:
        print(
            f"{lab.name:10} {'a running scenario' if lab.owned else 'up'}; "
            f"mobile node on link {lab.link}; "
            f"daemons: {', '.join(daemons[lab.name]) or 'none'}"
        )
    if not labs:
        print("no lab is up")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    """Without a name: the lab of that default name, and what killed runs left."""
    from mip6.lab.lab import Lab

    if arguments.name:
        labs = [Lab.find(arguments.name)]
    else:
        labs = [x for x in Lab.all() if x.name == DEFAULT_NAME or x.orphan]
    for lab in labs:
        lab.down()
        print(f"the lab {lab.name!r} is down")
    if not labs:
        print("no lab to take down")
    return 0
