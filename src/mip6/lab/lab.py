"""One lab: its namespaces, routers, daemons and cable, registered under /run.

`Lab.up` registers before it builds and `Lab.down` takes away by name, so that whatever
happens in between, and whoever is killed, `mip6 lab down` finds everything.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Self

from mip6.security.association import SecurityAssociation, from_key
from mip6.security.keys import parse_keys
from mip6.wire.record import record

from . import namespaces, topology
from .configuration import (
    AUTHENTICATIONS,
    LIFETIME_S,
    configured,
    key_file,
    mobile_nodes,
)
from .namespaces import LabError
from .topology import (
    HOME_AGENT,
    HOME_AGENTS,
    MOBILE_NODES,
    PREFIXES,
    ROLES,
    Advertising,
)

REGISTRY = Path("/run/mip6-lab")
DAEMONS = ("ha", "mn")
"""The roles that always run `mip6`."""
_MAY_RUN = ("ha", "ha2", "mn", "mn2", "cn", "cn2")

UNPLUGGED_MS = 100.0
"""How long the cable is in nobody's socket during a move: a quick hand, but long
enough that the kernel reports the carrier's going."""
READY_S = 90.0
STOPPED_S = 60.0


@record(kw_only=True)
class Move:
    """One move of a mobile node's cable; times are seconds of the boot clock."""

    origin: str | None
    """The link it came from; `None` if it was not plugged in."""
    destination: str
    unplugged_at: float
    plugged_at: float


def wait_until(met: Callable[[], bool], *, seconds: float, every: float = 0.05) -> bool:
    """Whether `met` came true within `seconds`."""
    end = time.monotonic() + seconds
    while not met():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals that would end this process wait, for a moment, for nothing."""
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ending}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def mip6_command() -> str:
    """The installed `mip6` of this Python, or else of the PATH."""
    beside = Path(sys.executable).with_name("mip6")
    found = str(beside) if beside.exists() else shutil.which("mip6")
    if found is None:
        raise LabError("the command mip6 is not installed beside this Python")
    return found


class Lab:
    """A lab that is up, or what is left of one."""

    def __init__(self, name: str) -> None:
        if not re.fullmatch(r"[a-z0-9]{1,16}", name):
            raise LabError(f"a lab's name is 1 to 16 of a-z and 0-9, not {name!r}")
        self.name = name
        self.directory = REGISTRY / name
        self.namespaces = topology.namespaces(name)
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.routers: dict[str, subprocess.Popen[bytes]] = {}
        """The radvd of each link."""
        self._spawned: list[subprocess.Popen[bytes]] = []
        self._lock: int | None = None
        self.home_agent = "ha"
        """The role of the one that holds the mobile node's binding, or should."""

    # Registered labs

    @classmethod
    def all(cls) -> list[Self]:
        """Every registered lab."""
        if not REGISTRY.is_dir():
            return []
        return [cls(path.name) for path in sorted(REGISTRY.iterdir())]

    @classmethod
    def find(cls, name: str) -> Self:
        """The registered lab `name`.  Raises `LabError` if there is none."""
        lab = cls(name)
        if not lab.directory.is_dir():
            raise LabError(f"no lab {name!r} is up; `mip6 lab up` builds one")
        return lab

    @property
    def owned(self) -> bool:
        """Whether a living `mip6 lab run` holds this lab."""
        try:
            owner = os.open(self.directory / "owner", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(owner)
        return False

    @property
    def orphan(self) -> bool:
        """Whether the `mip6 lab run` that held this lab is gone."""
        return (self.directory / "owner").exists() and not self.owned

    @property
    def complete(self) -> bool:
        """Whether all its namespaces are there: neither half built nor half gone."""
        wanted = {self.namespaces[role] for role in self.roles}
        return wanted <= namespaces.existing()

    @property
    def roles(self) -> list[str]:
        """Who is in it."""
        return [*ROLES, *self.settings["extra"]]

    @property
    def mobile_nodes(self) -> list[str]:
        return mobile_nodes(self.settings["extra"])

    @property
    def answering(self) -> list[str]:
        """The roles whose daemon answers."""
        return [
            role
            for role in _MAY_RUN
            if Path("/run/mip6", f"{self.instance(role)}.sock").exists()
            and self.ask(role, "status") is not None
        ]

    @property
    def settings(self) -> dict[str, Any]:
        """What `up` was asked for."""
        answer: dict[str, Any] = json.loads(
            (self.directory / "lab.json").read_text(encoding="utf-8")
        )
        return answer

    # Up and down

    def up(
        self,
        *,
        virtual: bool = False,
        advertising: Advertising | None = None,
        lifetime: int = LIFETIME_S,
        authentication: str = AUTHENTICATIONS[0],
        extra: Sequence[str] = (),
        interfaces: int = 1,
        home_agents: Sequence[str] = ("ha",),
        prefixes: Sequence[str] = (),
        owned: bool = False,
    ) -> None:
        """Builds the network and starts the routers' radvd; no daemons yet.

        `lifetime`: of the mobile nodes' registrations, in seconds.  `extra`: which of
        the second correspondent and mobile node there are.  `interfaces`: how many the
        first mobile node has.  `prefixes`: what the home agent's file says of them at
        first.  `owned`: the lab belongs to this process and is an
        orphan once that is gone.
        On failure what was built is taken down again.
        """
        namespaces.require_tools("ip", "nsenter", "radvd", "sysctl", "tc")
        try:
            self.directory.mkdir(parents=True)
        except FileExistsError:
            raise LabError(
                f"the lab {self.name!r} is up already; "
                f"`mip6 lab down --name {self.name}` takes it down"
            ) from None
        try:
            if owned:
                owner = self.directory / "owner"
                self._lock = os.open(owner, os.O_RDWR | os.O_CREAT)
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            settings = {
                "virtual": virtual,
                "lifetime": lifetime,
                "authentication": authentication,
                "extra": list(extra),
                "interfaces": interfaces,
                "home_agents": list(home_agents),
                "prefixes": list(prefixes),
            }
            self._remember(settings)
            for role in self.mobile_nodes:
                self._make_key(key_file(role))
            topology.build(
                self.name, virtual=virtual, extra=extra, interfaces=interfaces
            )
            for link in PREFIXES:
                if not (virtual and link == "home"):
                    self._advertise(link, advertising or Advertising())
        except BaseException:
            self.down()
            raise

    def _remember(self, settings: Mapping[str, Any]) -> None:
        text = json.dumps(settings)
        (self.directory / "lab.json").write_text(text, encoding="utf-8")

    def _make_key(self, name: str) -> None:
        """One file for both daemons, as if it had been copied."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(self.directory / name, flags, 0o600), "w") as file:
            file.write(namespaces.run([mip6_command(), "keygen"]))

    @property
    def associations(self) -> tuple[SecurityAssociation, ...]:
        """Those of ESP, for looking into captures; none where nothing is in ESP."""
        if self.settings["authentication"] != "shared_key":
            return ()
        found: list[SecurityAssociation] = []
        for role in self.mobile_nodes:
            file = self.directory / key_file(role)
            [key] = parse_keys(file.read_text(encoding="utf-8"))
            homes = [MOBILE_NODES[role]]
            if role == "mn" and self.settings["prefixes"]:
                homes.append(topology.NEW_HOME_ADDRESS)
            for home_address, home_agent in product(homes, HOME_AGENTS.values()):
                found += from_key(key, home_address, home_agent)
        return tuple(found)

    def _advertise(self, link: str, advertising: Advertising) -> None:
        configuration = self.directory / f"radvd-{link}.conf"
        configuration.write_text(advertising.configuration(link), encoding="utf-8")
        self._start_router(link)

    def _start_router(self, link: str) -> None:
        configuration = self.directory / f"radvd-{link}.conf"
        command = ["radvd", "-n", "-C", str(configuration), "-m", "stderr"]
        command += ["-p", str(configuration.with_suffix(".pid"))]
        log = configuration.with_suffix(".log")
        self.routers[link] = self.spawn(topology.ROUTER_OF[link], command, log=log)

    def renew(self, link: str) -> None:
        """Another router instead of the link's own: with another link-layer address,
        another link-local one, and the same prefix."""
        self.routers[link].terminate()
        self.routers[link].wait()
        topology.renew(self.name, link)
        self._start_router(link)

    def down(self) -> None:
        """Takes away all that carries this lab's name; absent things are fine.

        A second Ctrl-C does not interrupt it.
        """
        with _undisturbed():
            self._down()

    def _down(self) -> None:
        namespaces.delete(self.namespaces.values())
        for instance in (self.instance(role) for role in _MAY_RUN):
            shutil.rmtree(Path("/sys/fs/bpf/mip6", instance), ignore_errors=True)
            shutil.rmtree(Path("/var/lib/mip6", instance), ignore_errors=True)
            for path in Path("/run/mip6").glob(f"{instance}.*"):
                path.unlink(missing_ok=True)
        for process in self._spawned:
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # What a person does in it

    @property
    def link(self) -> str | None:
        """The link that the mobile node's cable is in."""
        return self.link_of("mn")

    def link_of(self, plug: str) -> str | None:
        """The link that a mobile node's or a router's cable is in; see
        `topology.plug`."""
        where = ["ip", "-n", self.namespaces["links"], "-json"]
        port = topology.port(plug)
        shown = namespaces.run([*where, "link", "show", "dev", port])
        master = json.loads(shown)[0].get("master")
        return None if master is None else str(master)

    def move(
        self, link: str, *, unplugged_ms: float = UNPLUGGED_MS, role: str = "mn"
    ) -> Move:
        """Puts a mobile node's cable into another link."""
        return self.move_together({role: link}, unplugged_ms=unplugged_ms)[role]

    def move_together(
        self, links: Mapping[str, str], *, unplugged_ms: float = UNPLUGGED_MS
    ) -> dict[str, Move]:
        """Puts the cables of several mobile nodes into other links, at one moment."""
        origins = {role: self._free(role, link) for role, link in links.items()}
        command = [sys.executable, "-m", "mip6.lab.cable", str(unplugged_ms)]
        for role, link in links.items():
            command += [topology.port(role), link]
        moments = json.loads(self.run("links", command))
        return {
            role: Move(origin=origins[role], destination=link, **moments)
            for role, link in links.items()
        }

    def _free(self, role: str, link: str) -> str | None:
        """Where a cable that may go to `link` is now."""
        known = [x for x in PREFIXES if x != "home" or not self.settings["virtual"]]
        if link not in known:
            raise LabError(f"no link {link!r} here; there are {', '.join(known)}")
        if role.partition(".")[0] not in self.mobile_nodes:
            there = ", ".join(self.mobile_nodes)
            raise LabError(f"no mobile node {role!r} here; there are {there}")
        origin = self.link_of(role)
        if origin == link:
            raise LabError(f"the mobile node is on link {link} already")
        return origin

    def unplug(self, plug: str = "mn") -> float:
        """Takes a mobile node's cable out; when, in seconds of the boot clock."""
        moment = time.clock_gettime(time.CLOCK_BOOTTIME)
        where = ["ip", "-n", self.namespaces["links"]]
        port = topology.port(plug)
        namespaces.run([*where, "link", "set", port, "nomaster", "down"])
        return moment

    def cut(self, router: str, *, cut: bool = True) -> None:
        """The router loses its way to the home agent, or gets it back; it goes on
        advertising its link, and says nothing."""
        where = ["ip", "-6", "-n", self.namespaces[router], "route"]
        verb = "add" if cut else "del"
        namespaces.run([*where, verb, "blackhole", str(HOME_AGENT), "metric", "1"])

    def lose(self, role: str) -> float:
        """The machine of a second home agent is gone, all at once; when."""
        moment = time.clock_gettime(time.CLOCK_BOOTTIME)
        where = ["ip", "-n", self.namespaces["links"]]
        namespaces.run([*where, "link", "set", f"to-{role}", "nomaster", "down"])
        self.kill_daemon(role)
        return moment

    def handover(self, interface: str) -> float:
        """`mip6 handover` at the mobile node; when it was asked for."""
        command = [mip6_command(), "handover", interface, "--name", self.instance("mn")]
        moment = time.clock_gettime(time.CLOCK_BOOTTIME)
        namespaces.run(self.command("mn", command))
        return moment

    def cut_off(self, correspondent: str, *, cut: bool = True) -> None:
        """The core router drops what is for a correspondent, or no more; what that
        sends gets through."""
        where = ["ip", "-6", "-n", self.namespaces["core"], "route"]
        address = str(topology.CORRESPONDENTS[correspondent])
        verb = "add" if cut else "del"
        namespaces.run([*where, verb, "blackhole", address, "metric", "1"])

    def add_prefix(self) -> None:
        """The home link and the way to it have another prefix."""
        topology.add_prefix(self.name)

    def wire(self, router: str, link: str) -> None:
        """Puts the router's end of its own link into `link` instead."""
        where = ["ip", "-n", self.namespaces["links"]]
        namespaces.run([*where, "link", "set", f"to-{router}", "master", link])

    def unwire(self, router: str) -> None:
        """Takes the router's cable out of the links."""
        where = ["ip", "-n", self.namespaces["links"]]
        namespaces.run([*where, "link", "set", f"to-{router}", "down"])

    def command(self, role: str, command: list[str]) -> list[str]:
        """`command` as it is run at `role`."""
        if role not in self.roles:
            raise LabError(f"no node {role!r}; there are {', '.join(self.roles)}")
        return namespaces.inside(self.namespaces[role], command)

    def run(self, role: str, command: list[str]) -> str:
        return namespaces.run(self.command(role, command))

    def spawn(
        self, role: str, command: list[str], *, log: Path, **options: Any
    ) -> subprocess.Popen[bytes]:
        """Starts `command` at `role`; it ends with the lab at the latest."""
        space = self.namespaces[role]
        process = namespaces.spawn(space, command, log=log, **options)
        self._spawned.append(process)
        return process

    def ip(self, role: str, *words: str) -> list[dict[str, Any]]:
        """What `ip -6 -json WORDS` shows at `role`."""
        where = ["ip", "-6", "-n", self.namespaces[role], "-json"]
        answer: list[dict[str, Any]] = json.loads(
            namespaces.run([*where, *words]) or "[]"
        )
        return answer

    # The daemons

    def instance(self, role: str) -> str:
        """The instance name of the daemon at `role`."""
        return f"{self.name}-{role}"

    def log(self, role: str) -> Path:
        return self.directory / f"{role}.log"

    def start_daemons(self, *roles: str) -> None:
        """Starts `mip6 run` at each of `roles` and waits until all are ready."""
        with contextlib.ExitStack() as stack:
            ears = {role: stack.enter_context(self._ear(role)) for role in roles}
            for role in roles:
                self._launch(role)
            for role, ear in ears.items():
                self._await(role, ear)

    def _ear(self, role: str) -> socket.socket:
        """Hears the daemon say that it is ready, as systemd would (sd_notify(3)):
        asking it again and again would take the processor it needs to start."""
        path = self._ear_path(role)
        path.unlink(missing_ok=True)
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ear.bind(str(path))
        path.chmod(0o666)  # the daemon has a user of its own by then
        ear.settimeout(0.05)
        return ear

    def _ear_path(self, role: str) -> Path:
        return self.directory / f"{role}.notify"

    def _configure(self, role: str) -> Path:
        file = self.directory / f"{role}.toml"
        file.write_text(configured(role, **self.settings), encoding="utf-8")
        return file

    def _launch(self, role: str) -> None:
        configuration = self._configure(role)
        command = [mip6_command(), "run", "-c", str(configuration)]
        command += ["--name", self.instance(role)]
        told = {"NOTIFY_SOCKET": str(self._ear_path(role))}
        self.daemons[role] = self.spawn(
            role, command, log=self.log(role), env=os.environ | told
        )

    def _await(self, role: str, ear: socket.socket) -> None:
        process = self.daemons[role]

        def ready() -> bool:
            with contextlib.suppress(TimeoutError):
                return ear.recv(256) == b"READY=1"
            return process.poll() is not None

        if (
            not wait_until(ready, seconds=READY_S, every=0)
            or process.poll() is not None
        ):
            raise LabError(
                f"the daemon at {role} did not start:\n{self.last_words(role)}"
            )

    def say_prefixes(self, *entries: str) -> None:
        """Has the home agent's file say that these are the prefixes, and the home agent
        read it again."""
        self._remember({**self.settings, "prefixes": entries})
        self._configure("ha")
        namespaces.run([mip6_command(), "reload", "--name", self.instance("ha")])

    def kill_daemon(self, role: str) -> None:
        """Kills it as kill -9 does: it has no chance to tidy up."""
        process = self.daemons.pop(role)
        process.kill()
        process.wait()

    def forget(self, role: str) -> None:
        """What a reboot takes, and a lost disk: all that its daemon, killed before,
        knew."""
        command = [mip6_command(), "down", "--name", self.instance(role)]
        subprocess.run(command, capture_output=True)
        shutil.rmtree(Path("/var/lib/mip6", self.instance(role)), ignore_errors=True)

    def stop_daemon(self, role: str) -> bool:
        """Asks it to stop, as a person does; whether it did."""
        command = [mip6_command(), "down", "--name", self.instance(role)]
        subprocess.run(command, capture_output=True)
        try:
            return self.daemons.pop(role).wait(STOPPED_S) == 0
        except subprocess.TimeoutExpired:
            return False

    def ask(self, role: str, what: str) -> dict[str, Any] | None:
        """What `mip6 WHAT --json` says of the daemon at `role`; `None`: no answer."""
        command = [mip6_command(), what, "--json", "--name", self.instance(role)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return None
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def last_words(self, role: str, *, lines: int = 8) -> str:
        """The end of the daemon's log."""
        try:
            text = self.log(role).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:]) or "(an empty log)"
