"""A small world of namespaces: home agent, one visited link, a correspondent, and a
mobile node whose cable can be put into either link.

    correspondent -- router -- agent -- [home]        [home], [visited]: bridges in
                        `----- [visited]              namespace `cables`
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.namespaces import Namespace, connect, namespaces

from mip6.cli.client import NotRunningError, ask
from mip6.security.keys import Secret, key_text

HOME_ADDRESS = "2001:db8:a::100"
OTHER_HOME_ADDRESS = "2001:db8:a::101"
HOME_AGENT = "2001:db8:a::1"
ELSEWHERE = "2001:db8:f::2"
"""The home agent's address where the home link is a virtual one."""
CORRESPONDENT = "2001:db8:e::2"
MIP6 = str(Path(sys.executable).with_name("mip6"))

HOME_AGENT_FILE = f"""
authentication = "shared_key"
log_level = "debug"
[home_agent]
address = "{HOME_AGENT}"
home_prefix = "2001:db8:a::/64"
home_link = "eth1"
[home_agent.mobile_nodes]
"{HOME_ADDRESS}" = "laptop.key"
"""
MOBILE_NODE_FILE = f"""
authentication = "shared_key"
log_level = "debug"
[mobile_node]
home_address = "{HOME_ADDRESS}/64"
home_agent = "{HOME_AGENT}"
key = "laptop.key"
interfaces = ["eth0"]
manage = true
"""
CORRESPONDENT_FILE = """
log_level = "debug"
[correspondent_node]
"""
KEY = Secret(bytes(range(32)))
OTHER_KEY = Secret(bytes(range(100, 132)))
RADVD_FILE = """
interface {link} {{
  AdvSendAdvert on; AdvIntervalOpt on; MinDelayBetweenRAs 0.03;
  MinRtrAdvInterval 0.03; MaxRtrAdvInterval 0.07;
  AdvSourceLLAddress on; AdvDefaultLifetime 1800; AdvHomeAgentFlag {home_agent};
  prefix {prefix} {{ AdvRouterAddr {home_agent}; }};
}};
"""


def until(true: Callable[[], Any], what: str, seconds: float = 40) -> Any:
    """What `true` returns once it is true.  Machines are slow at times."""
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return value


@dataclass
class Instance:
    """A daemon in a namespace, driven by its command as a person would."""

    namespace: Namespace
    file: Path
    name: str
    log: Path
    options: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = f"{MIP6} run -c {self.file} --name {self.name} {self.options}"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.namespace.inside(command).split(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            # Not by the command: one Python after the other would take the processor
            # from the one that starts.
            with contextlib.suppress(NotRunningError):
                return "name" in ask(self.name, "/status")
            return False

        until(ready, "the daemon answers")

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = self.namespace.inside(" ".join([MIP6, *words, "--name", self.name]))
        return subprocess.run(command.split(), capture_output=True, text=True)

    def read(self, what: str) -> dict[str, Any]:
        done = self.call(what, "--json")
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def place(self) -> str:
        place: str = self.read("status")["mobile_node"]["place"]
        return place

    def left(self) -> bool:
        """Whether anything of it is there that `mip6 down` would put back."""
        return Path("/sys/fs/bpf/mip6", self.name).exists() or any(
            Path("/run/mip6").glob(f"{self.name}.*")
        )

    def end(self, number: signal.Signals) -> int:
        """Ends the process by a signal; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)


@dataclass
class World:
    agent: Namespace
    router: Namespace
    cables: Namespace
    correspondent: Namespace
    mobile: Namespace
    directory: Path
    home_agent: Instance = field(init=False)
    mobile_node: Instance = field(init=False)
    correspondent_node: Instance = field(init=False)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    """What a test has listened to."""
    instances: list[Instance] = field(default_factory=list)
    """All that were made."""

    def __post_init__(self) -> None:
        self.key_file("laptop.key", KEY)
        self.home_agent = self.instance(self.agent, "ha", HOME_AGENT_FILE)
        self.mobile_node = self.instance(self.mobile, "mn", MOBILE_NODE_FILE)
        self.correspondent_node = self.instance(
            self.correspondent, "cn", CORRESPONDENT_FILE
        )

    def instance(self, namespace: Namespace, label: str, text: str) -> Instance:
        file = self.directory / f"{label}.toml"
        file.write_text(text)
        log = self.directory / f"{label}.log"
        made = Instance(namespace, file, namespace.name, log)
        self.instances.append(made)
        return made

    def key_file(self, name: str, *keys: Secret) -> None:
        """Puts a file with these keys beside the configurations."""
        file = self.directory / name
        file.write_text("".join(f"{key_text(key.reveal())}\n" for key in keys))
        file.chmod(0o600)

    def unprotected(self) -> None:
        """Configures both daemons without authentication."""
        for instance in (self.home_agent, self.mobile_node):
            text = instance.file.read_text().replace('"shared_key"', '"none"')
            text = text.replace('key = "laptop.key"\n', "")
            entry = f'[home_agent.mobile_nodes]\n"{HOME_ADDRESS}" = "laptop.key"'
            text = text.replace(entry, f'mobile_nodes = ["{HOME_ADDRESS}"]')
            instance.file.write_text(text)

    def virtual(self) -> None:
        """Configures both daemons for a virtual home link: the home prefix is routed to
        the home agent, whose address is elsewhere."""
        for instance in (self.home_agent, self.mobile_node):
            text = instance.file.read_text().replace('home_link = "eth1"\n', "")
            instance.file.write_text(text.replace(f'"{HOME_AGENT}"', f'"{ELSEWHERE}"'))
        self.agent.ip(f"addr del {HOME_AGENT}/64 dev eth1")

    @contextlib.contextmanager
    def another_mobile_node(self) -> Iterator[Instance]:
        """Of the home agent that the first one has in its file; on the visited link."""
        self.key_file("other.key", OTHER_KEY)
        with namespaces("other") as (machine,):
            connect(machine, "eth0", self.cables, "other")
            self.cables.ip("link set other master visited")
            machine.sysctl("eth0.accept_dad=1", "eth0.dad_transmits=1")
            text = self.mobile_node.file.read_text()
            text = text.replace(HOME_ADDRESS, OTHER_HOME_ADDRESS)
            text = text.replace("laptop.key", "other.key")
            instance = self.instance(machine, "mn2", text)
            try:
                yield instance
            finally:
                ended(instance)

    def plug(self, link: str) -> None:
        """Puts the mobile node's cable into another bridge: carrier down and up."""
        self.cables.ip("link set mobile down")
        self.cables.ip(f"link set mobile master {link}")
        self.cables.ip("link set mobile up")

    def pings(self, count: int = 3) -> bool:
        command = f"ping -q -c {count} -i 0.1 -W 1 {HOME_ADDRESS}"
        return f" {count} received" in self.correspondent.run(command, check=False)

    def radvd(self, namespace: Namespace, link: str, prefix: str, flag: str) -> None:
        file = self.directory / f"radvd-{link}.conf"
        text = RADVD_FILE.format(link=link, prefix=prefix, home_agent=flag)
        file.write_text(text)
        pid = self.directory / f"radvd-{link}.pid"
        process = namespace.spawn(f"radvd -n -m none -C {file} -p {pid}")
        self.processes.append(process)


def snapshot(namespace: Namespace) -> str:
    """All that a daemon may have changed and must put back."""
    queries = (
        "ip -6 addr",
        "ip -6 route show table all",
        "ip -6 rule",
        "ip -6 neigh show proxy",
        "tc qdisc",
        "sysctl -a --pattern ^net.ipv6.(conf|neigh)",
        "sysctl -a --pattern ^net.ipv4.conf",
    )
    text = "\n".join(namespace.run(query) for query in queries)
    # Lifetimes count down on their own, and the kernel notes what it heard.
    return "\n".join(line for line in text.splitlines() if "valid_lft" not in line)


@contextlib.contextmanager
def small_world(directory: Path) -> Iterator[World]:
    """All but the daemons, which the test starts.  Cleans up, whatever happens."""
    labels = ("agent", "router", "cables", "correspondent", "mobile")
    with namespaces(*labels) as parts, contextlib.ExitStack() as stack:
        agent, router, cables, correspondent, mobile = parts
        for bridge in ("home", "visited"):
            cables.ip(f"link add {bridge} type bridge mcast_snooping 0")
            cables.ip(f"link set {bridge} up")
        connect(agent, "eth0", router, "agent")
        connect(correspondent, "eth0", router, "corr")
        connect(agent, "eth1", cables, "home0")
        connect(router, "visited", cables, "visited0")
        connect(mobile, "eth0", cables, "mobile")
        cables.ip("link set home0 master home")
        cables.ip("link set visited0 master visited")
        cables.ip("link set mobile down")
        mobile.sysctl("eth0.accept_dad=1", "eth0.dad_transmits=1", "eth0.accept_ra=1")
        router.sysctl("all.forwarding=1")
        agent.sysctl("all.forwarding=1")
        for namespace, link, address in (
            (agent, "eth0", "2001:db8:f::2/64"),
            (agent, "eth1", f"{HOME_AGENT}/64"),
            (router, "agent", "2001:db8:f::1/64"),
            (router, "corr", "2001:db8:e::1/64"),
            (router, "visited", "2001:db8:b::1/64"),
            (correspondent, "eth0", f"{CORRESPONDENT}/64"),
        ):
            namespace.ip(f"addr add {address} dev {link} nodad")
        agent.ip("route add default via 2001:db8:f::1")
        correspondent.ip("route add default via 2001:db8:e::1")
        router.ip("route add 2001:db8:a::/64 via 2001:db8:f::2")
        made = World(agent, router, cables, correspondent, mobile, directory)
        made.radvd(agent, "eth1", "2001:db8:a::1/64", "on")
        made.radvd(router, "visited", "2001:db8:b::/64", "off")
        stack.callback(_end, made)
        yield made


def ended(instance: Instance) -> None:
    """Stops the daemon if it runs, and puts back what it has left."""
    process = instance.process
    if process is None:
        return
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    if instance.left():
        instance.call("down")


def _end(world: World) -> None:
    # While the home agent is there to answer its last words, the mobile node ends soon.
    for instance in (
        world.mobile_node,
        world.home_agent,
        world.correspondent_node,
    ):
        ended(instance)
    for instance in world.instances:
        shutil.rmtree(Path("/var/lib/mip6", instance.name), ignore_errors=True)
    for radvd in world.processes:
        radvd.terminate()
        radvd.wait(60)
