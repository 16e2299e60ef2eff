"""What a machine lacks, check by check, and that the line that is given fixes it."""

import errno
import json
import subprocess
from collections.abc import Callable, Iterator
from importlib.resources import files
from ipaddress import IPv6Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from tests.support.daemons import MIP6
from tests.support.namespaces import Namespace, connect, namespaces

from mip6.cli.doctor import _text
from mip6.daemon import doctor
from mip6.daemon.configuration import Configuration, parse
from mip6.daemon.doctor import Finding, Grade, Here, examine
from mip6.linux import netlink_requests as requests
from mip6.linux.netlink import AddressInfo, LinkInfo

HOME_AGENT = """\
authentication = "none"
[home_agent]
address = "2001:db8:a::1"
home_prefix = "2001:db8:a::/64"
home_link = "eth1"
mobile_nodes = ["2001:db8:a::100"]
"""
MOBILE_NODE = """\
authentication = "none"
[mobile_node]
home_address = "2001:db8:a::100/64"
home_agent = "2001:db8:a::1"
interfaces = ["eth0", "wlan0"]
manage = true
"""
ROUTER = """\
[router.eth1]
addresses = ["2001:db8:b::1/64"]
"""


def link(index: int, name: str, mtu: int = 1500, flags: int = requests.UP) -> LinkInfo:
    return LinkInfo(index, name, flags, mtu, bytes(6), 1, 0, 0)


class Machine:
    """One that lacks nothing, to begin with."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kernel = "6.1.0-13-amd64"
        self.capable = True
        self.refuses: OSError | None = None
        self.no_rules: OSError | None = None
        self.links = [link(1, "lo"), link(2, "eth0"), link(3, "eth1"), link(4, "wlan0")]
        self.addresses = [AddressInfo(3, IPv6Address("2001:db8:a::1"), 64, 0)]
        self.tools = set(doctor.LAB_TOOLS)
        self.write("dev/net/tun", "")
        self.write("proc/sys/net/ipv6/conf/all/disable_ipv6", "0\n")
        self.write("proc/sys/net/ipv6/conf/all/forwarding", "1\n")
        self.write("proc/sys/net/ipv6/conf/default/optimistic_dad", "0\n")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _loads(self) -> None:
        if self.refuses is not None:
            raise self.refuses

    def _rules(self) -> list[Any]:
        if self.no_rules is not None:
            raise self.no_rules
        return []

    def findings(self, text: str | None = None) -> dict[str, Finding]:
        netlink: Any = SimpleNamespace(
            links=lambda: self.links,
            addresses=lambda: self.addresses,
            rules=self._rules,
        )
        here = Here(
            netlink=netlink,
            root=self.root,
            kernel=self.kernel,
            capable=lambda: self.capable,
            loads=self._loads,
            which=lambda tool: tool if tool in self.tools else None,
        )
        configuration: Configuration | None = parse(text, "f") if text else None
        found = list(examine(configuration, here))
        assert len({finding.check for finding in found}) == len(found)
        return {finding.check: finding for finding in found}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("text", [None, HOME_AGENT, MOBILE_NODE, ROUTER])
def test_a_machine_that_lacks_nothing(machine: Machine, text: str | None) -> None:
    found = machine.findings(text)
    beside = {"authentication", "user"}  # of this configuration, and of this machine
    rest = {name: finding for name, finding in found.items() if name not in beside}
    assert {finding.grade for finding in rest.values()} == {Grade.FINE}
    assert not any(finding.fix for finding in rest.values())


def old_kernel(machine: Machine) -> None:
    machine.kernel = "5.4.0"


def strange_kernel(machine: Machine) -> None:
    machine.kernel = "unknown"


def no_capabilities(machine: Machine) -> None:
    machine.capable = False


def no_ipv6(machine: Machine) -> None:
    (machine.root / "proc/sys/net/ipv6/conf/all/disable_ipv6").unlink()


def ipv6_off(machine: Machine) -> None:
    machine.write("proc/sys/net/ipv6/conf/all/disable_ipv6", "1\n")


def no_tun(machine: Machine) -> None:
    (machine.root / "dev/net/tun").unlink()


def locked_down(machine: Machine) -> None:
    machine.refuses = PermissionError(errno.EPERM, "Operation not permitted")


def one_table(machine: Machine) -> None:
    machine.no_rules = OSError(errno.EOPNOTSUPP, "Operation not supported")


def no_tools(machine: Machine) -> None:
    machine.tools -= {"radvd", "ping"}


def networkd(machine: Machine) -> None:
    machine.write("run/systemd/netif/state", "")
    machine.write("etc/systemd/networkd.conf", "[Network]\n")


def networkd_half(machine: Machine) -> None:
    networkd(machine)
    text = "[Network]\nManageForeignRoutingPolicyRules = no\n"
    machine.write("etc/systemd/networkd.conf.d/60-mip6.conf", text)


def networkd_told(machine: Machine) -> None:
    networkd_half(machine)
    text = "[Network]\nManageForeignRoutes=no\n"
    machine.write("run/systemd/networkd.conf.d/x.conf", text)


def no_link(machine: Machine) -> None:
    machine.links = machine.links[:1]


def narrow(machine: Machine) -> None:
    machine.links[1] = link(2, "eth0", 1280)


def down(machine: Machine) -> None:
    machine.links[1] = link(2, "eth0", flags=0)


def network_manager(machine: Machine) -> None:
    text = "[device]\nmanaged=true\nconnection-uuid=1\n"
    machine.write("run/NetworkManager/devices/2", text)
    machine.write("run/NetworkManager/devices/4", "[device]\nmanaged=unmanaged\n")


def not_optimistic(machine: Machine) -> None:
    (machine.root / "proc/sys/net/ipv6/conf/default/optimistic_dad").unlink()


def no_address(machine: Machine) -> None:
    machine.addresses = []


def no_forwarding(machine: Machine) -> None:
    machine.write("proc/sys/net/ipv6/conf/all/forwarding", "0\n")


def nothing(machine: Machine) -> None:
    pass


@pytest.mark.parametrize(
    ("lose", "text", "check", "grade", "what", "fix"),
    [
        (old_kernel, None, "kernel", "lacks", "5.4.0 is older than 5.10", "apt-get"),
        (strange_kernel, None, "kernel", "lacks", "unknown is older", "apt-get"),
        (no_capabilities, None, "privileges", "lacks", "CAP_BPF", "sudo mip6 doctor"),
        (no_capabilities, None, "eBPF", "note", "not tried", ""),
        (no_ipv6, None, "IPv6", "lacks", "has none", "ipv6.disable=1"),
        (ipv6_off, None, "IPv6", "lacks", "switched off", "disable_ipv6=0"),
        (no_tun, None, "TUN", "lacks", "no /dev/net/tun", "modprobe tun"),
        (locked_down, None, "eBPF", "lacks", "not permitted", "CONFIG_BPF_SYSCALL"),
        (one_table, None, "routing rules", "lacks", "supported", "MULTIPLE_TABLES"),
        (no_tools, None, "mip6 lab", "note", "radvd, ping", "radvd iputils-ping"),
        (networkd, None, "systemd-networkd", "lacks", "removes rules", "no\\n"),
        (networkd_half, MOBILE_NODE, "systemd-networkd", "lacks", "Routes)", "no\\n"),
        (networkd_told, MOBILE_NODE, "systemd-networkd", "fine", "alone", ""),
        (
            no_link,
            MOBILE_NODE,
            "interface wlan0",
            "note",
            "here are none",
            "interfaces",
        ),
        (no_link, HOME_AGENT, "interface eth1", "note", "is none", "home_link"),
        (no_link, ROUTER, "interface eth1", "note", "is none", "[router.eth1]"),
        (narrow, MOBILE_NODE, "interface eth0", "note", "MTU of 1280", "mtu 1500"),
        (down, MOBILE_NODE, "interface eth0", "fine", "down for now", ""),
        (network_manager, MOBILE_NODE, "NetworkManager", "lacks", "eth0", "nmcli"),
        (not_optimistic, MOBILE_NODE, "optimistic addresses", "note", "itself", ""),
        (no_address, HOME_AGENT, "home agent's address", "lacks", "not an", "ip addr"),
        (no_forwarding, HOME_AGENT, "forwarding", "lacks", "is off", "forwarding=1"),
        (nothing, HOME_AGENT, "authentication", "note", "whoever", "mip6 keygen"),
    ],
)
def test_what_is_lacking(
    machine: Machine,
    lose: Callable[[Machine], None],
    text: str | None,
    check: str,
    grade: str,
    what: str,
    fix: str,
) -> None:
    lose(machine)
    finding = machine.findings(text)[check]
    assert finding.grade == grade
    assert what in finding.what
    assert fix in finding.fix and bool(fix) == bool(finding.fix)
    assert _text(finding).startswith(f"{grade:5}  {check}: ")
    # A line for a shell: one that it can read.
    subprocess.run(["sh", "-n", "-c", finding.fix], check=True)


def test_who_the_daemon_becomes(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "own_user", lambda _: None)
    user = machine.findings(MOBILE_NODE)["user"]
    assert user.grade == Grade.NOTE and user.fix.startswith("useradd ")
    somebody = SimpleNamespace(pw_name="mip6")
    monkeypatch.setattr(doctor, "own_user", lambda _: somebody)
    assert machine.findings(MOBILE_NODE)["user"].what == "mip6"


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    with namespaces("node", "other") as (node, other):
        connect(node, "eth1", other, "eth1")
        yield node


@pytest.mark.root
def test_the_lines_that_are_given_fix_it(namespace: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "home.toml"
    file.write_text(HOME_AGENT)

    def asked() -> tuple[int, list[dict[str, Any]]]:
        with namespace.entered():
            command = [MIP6, "doctor", str(file), "--json"]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        document = json.loads(done.stdout)
        schema = json.loads(files("mip6").joinpath("schema", "doctor.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(document, schema)
        assert document["ok"] == (done.returncode == 0)
        return done.returncode, document["findings"]

    code, findings = asked()
    lacking = {f["check"]: f for f in findings if f["grade"] == "lacks"}
    assert (code, set(lacking)) == (1, {"home agent's address", "forwarding"})
    for finding in lacking.values():
        with namespace.entered():
            subprocess.run(["sh", "-c", finding["fix"]], check=True)
    code, findings = asked()
    assert code == 0, findings
    assert {f["check"] for f in findings} >= {"eBPF", "TUN", "kernel"}


def test_a_configuration_that_is_wrong_is_not_examined(tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text("[home_agent]\n")
    done = subprocess.run([MIP6, "doctor", file], capture_output=True, text=True)
    assert done.returncode == 2 and "wrong.toml:1" in done.stderr


def test_anybody_may_ask() -> None:
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", MIP6, "doctor"]
        if doctor.privileges.lacking() is False
        else [MIP6, "doctor"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "sudo mip6 doctor" in done.stdout
