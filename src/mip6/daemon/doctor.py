"""`mip6 doctor`: what this machine lacks, and the line that fixes it.

Nothing is changed: programs are loaded and let go, attached they are nowhere.
"""

import contextlib
import platform
import re
import shutil
from collections.abc import Callable, Iterator
from enum import StrEnum
from ipaddress import IPv6Address
from pathlib import Path

from mip6.linux import bpf, elf, privileges, sysctl
from mip6.linux import netlink_requests as requests
from mip6.linux.netlink import LinkInfo, Netlink
from mip6.wire.record import record

from .configuration import Configuration
from .user import OWN_USER, own_user

KERNEL_MIN = (5, 10)
LAB_TOOLS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "radvd": "radvd",
    "tcpdump": "tcpdump",
    "ping": "iputils-ping",
}
"""What `mip6 lab` starts, and the Debian packages that bring it."""
ROOM_MTU = 1280 + 48
"""A link that carries the smallest packet that IPv6 promises in all our headers."""
_ENTRIES_MAX = 16
_NETWORKD = "etc/systemd/networkd.conf.d"


class Grade(StrEnum):
    FINE = "fine"
    LACKS = "lacks"
    """mip6 cannot do its work here."""
    NOTE = "note"
    """It can; something is less than it could be."""


@record
class Finding:
    """`fix`: the line for a shell that helps; "" where there is none."""

    check: str
    grade: Grade
    what: str
    fix: str = ""


def _loads() -> None:
    """Takes the data plane's programs by this kernel's verifier.  Raises OSError."""
    bpf.raise_memory_limit()
    objects = elf.shipped()
    with contextlib.ExitStack() as stack:
        maps = {}
        for name, definition in objects.maps.items():
            entries = definition.entries_max
            if definition.kind == bpf.HASH:
                entries = min(entries, _ENTRIES_MAX)
            maps[name] = bpf.Map.create(name, definition, entries)
            stack.callback(maps[name].close)
        for name in ("device_egress", "link_ingress"):
            program = objects.programs[name]
            bpf.Program.load(name, bpf.SCHED_CLS, program, maps).close()


@record(kw_only=True)
class Here:
    """Where the checks look; tests say something else."""

    netlink: Netlink
    root: Path = Path("/")
    kernel: str = platform.release()
    capable: Callable[[], bool] = lambda: not privileges.lacking()
    loads: Callable[[], None] = _loads
    which: Callable[[str], str | None] = shutil.which

    def setting(self, name: str) -> str | None:
        """A file below /proc/sys; None where there is no such."""
        try:
            return (self.root / "proc/sys" / name).read_text().strip()
        except OSError:
            return None


def examine(configuration: Configuration | None, here: Here) -> Iterator[Finding]:
    """configuration: what is to run; without, what every role needs, and the lab."""
    yield _kernel(here)
    yield _privileges(here)
    yield _ipv6(here)
    yield _tun(here)
    yield _programs(here)
    yield _rules(here)
    if configuration is None:
        yield _tools(here)
        yield from _networkd(here)
        return
    yield _user(configuration)
    links = {link.name: link for link in here.netlink.links()}
    if configuration.mobile_node is not None:
        yield from _networkd(here)
        for name in configuration.mobile_node.interfaces:
            yield _link(name, links, "interfaces in [mobile_node]")
        if configuration.mobile_node.manage:
            yield from _managed_by_others(configuration, links, here)
            yield _optimistic(here)
    home_agent = configuration.home_agent
    if home_agent is not None:
        yield _address(home_agent.address, here)
        yield _forwarding(here)
        if home_agent.home_link is not None:
            yield _link(home_agent.home_link, links, "home_link in [home_agent]")
    for name in configuration.router:
        yield _link(name, links, f"[router.{name}]")
    if configuration.authentication == "none":
        what = "it is off: whoever can send packets here can move or delete bindings"
        fix = 'mip6 keygen >/etc/mip6/laptop.key  # and authentication = "shared_key"'
        yield Finding("authentication", Grade.NOTE, what, fix)


def _kernel(here: Here) -> Finding:
    numbers = re.match(r"(\d+)\.(\d+)", here.kernel)
    version = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    if version >= KERNEL_MIN:
        return Finding("kernel", Grade.FINE, f"Linux {here.kernel}")
    wanted = ".".join(map(str, KERNEL_MIN))
    what = f"Linux {here.kernel} is older than {wanted}"
    return Finding("kernel", Grade.LACKS, what, "apt-get install linux-image-amd64")


def _privileges(here: Here) -> Finding:
    if here.capable():
        return Finding("privileges", Grade.FINE, "those that the daemon needs")
    what = "CAP_NET_ADMIN, CAP_NET_RAW or CAP_BPF is missing; eBPF was not tried"
    return Finding("privileges", Grade.LACKS, what, "sudo mip6 doctor")


def _ipv6(here: Here) -> Finding:
    setting = here.setting(sysctl.ipv6("all", "disable_ipv6"))
    if setting == "0":
        return Finding("IPv6", Grade.FINE, "there")
    if setting is None:
        fix = "remove ipv6.disable=1 from the kernel's command line"
        return Finding("IPv6", Grade.LACKS, "this kernel has none", f"# {fix}")
    fix = sysctl.line("net.ipv6.conf.all.disable_ipv6", 0)
    return Finding("IPv6", Grade.LACKS, "switched off", fix)


def _tun(here: Here) -> Finding:
    if (here.root / "dev/net/tun").exists():
        return Finding("TUN", Grade.FINE, "/dev/net/tun")
    return Finding("TUN", Grade.LACKS, "there is no /dev/net/tun", "modprobe tun")


def _programs(here: Here) -> Finding:
    if not here.capable():
        return Finding("eBPF", Grade.NOTE, "not tried without privileges")
    try:
        here.loads()
    except OSError as error:
        what = f"the kernel does not take our programs: {error.strerror or error}"
        fix = "# a kernel with CONFIG_BPF_SYSCALL=y, not locked down"
        return Finding("eBPF", Grade.LACKS, what, fix)
    return Finding("eBPF", Grade.FINE, "the data plane loads")


def _rules(here: Here) -> Finding:
    try:
        here.netlink.rules()
    except OSError as error:
        what = f"no routing rules: {error.strerror or error}"
        fix = "# a kernel with CONFIG_IPV6_MULTIPLE_TABLES=y"
        return Finding("routing rules", Grade.LACKS, what, fix)
    return Finding("routing rules", Grade.FINE, "there")


def _tools(here: Here) -> Finding:
    missing = [tool for tool in LAB_TOOLS if here.which(tool) is None]
    if not missing:
        return Finding("mip6 lab", Grade.FINE, "has its tools")
    packages = " ".join(LAB_TOOLS[tool] for tool in missing)
    what = f"cannot start {', '.join(missing)}"
    return Finding("mip6 lab", Grade.NOTE, what, f"apt-get install {packages}")


def _networkd(here: Here) -> Iterator[Finding]:
    """systemd-networkd removes rules and routes that are not its own."""
    if not (here.root / "run/systemd/netif/state").exists():
        return
    told: dict[str, str] = {}
    for directory in ("usr/lib/systemd", "etc/systemd", "run/systemd"):
        base = here.root / directory
        parts = sorted((base / "networkd.conf.d").glob("*.conf"))
        for file in (base / "networkd.conf", *parts):
            with contextlib.suppress(OSError):
                told |= re.findall(
                    r"^\s*(ManageForeign\w+)\s*=\s*(\w+)",
                    file.read_text(),
                    re.MULTILINE,
                )
    wanted = ("ManageForeignRoutingPolicyRules", "ManageForeignRoutes")
    missing = [
        key for key in wanted if told.get(key, "yes") not in ("no", "false", "0")
    ]
    if not missing:
        yield Finding("systemd-networkd", Grade.FINE, "leaves rules of others alone")
        return
    lines = "".join(f"{key}=no\\n" for key in wanted)
    fix = (
        f"mkdir -p /{_NETWORKD} && printf '[Network]\\n{lines}' "
        f">/{_NETWORKD}/60-mip6.conf && systemctl restart systemd-networkd"
    )
    what = f"removes rules and routes of others ({', '.join(missing)})"
    yield Finding("systemd-networkd", Grade.LACKS, what, fix)


def _user(configuration: Configuration) -> Finding:
    user = own_user(configuration)
    if user is not None:
        return Finding("user", Grade.FINE, user.pw_name)
    what = f"there is no user {OWN_USER}: the daemon stays root"
    fix = f"useradd --system --shell /usr/sbin/nologin {OWN_USER}"
    return Finding("user", Grade.NOTE, what, fix)


def _link(name: str, links: dict[str, LinkInfo], where: str) -> Finding:
    link = links.get(name)
    if link is None:
        there = ", ".join(n for n in sorted(links) if n != "lo") or "none"
        what = f"there is none; here are {there}"
        fix = f"# plug it in, or correct {where}"
        return Finding(f"interface {name}", Grade.NOTE, what, fix)
    if link.mtu < ROOM_MTU:
        what = f"its MTU of {link.mtu} makes tunnel packets of 1280 octets fragments"
        fix = f"ip link set {name} mtu 1500"
        return Finding(f"interface {name}", Grade.NOTE, what, fix)
    if not link.flags & requests.UP:
        return Finding(f"interface {name}", Grade.FINE, "there, down for now")
    return Finding(f"interface {name}", Grade.FINE, "there")


def _managed_by_others(
    configuration: Configuration, links: dict[str, LinkInfo], here: Here
) -> Iterator[Finding]:
    """Two who configure one interface undo what the other does."""
    assert configuration.mobile_node is not None
    for name in configuration.mobile_node.interfaces:
        link = links.get(name)
        if link is None:
            continue
        file = here.root / "run/NetworkManager/devices" / str(link.index)
        with contextlib.suppress(OSError):
            if (
                "managed=true" in file.read_text()
                or "connection-uuid=" in file.read_text()
            ):
                what = f"configures {name}, and so does mip6 (manage = true)"
                fix = f"nmcli device set {name} managed no  # or manage = false"
                yield Finding("NetworkManager", Grade.LACKS, what, fix)


def _optimistic(here: Here) -> Finding:
    if here.setting(sysctl.ipv6("default", "optimistic_dad")) is not None:
        return Finding("optimistic addresses", Grade.FINE, "there (RFC 4429)")
    what = (
        "not in this kernel (CONFIG_IPV6_OPTIMISTIC_DAD): mip6 checks addresses itself"
    )
    return Finding("optimistic addresses", Grade.NOTE, what)


def _address(address: IPv6Address, here: Here) -> Finding:
    if any(held.address == address for held in here.netlink.addresses()):
        return Finding("home agent's address", Grade.FINE, str(address))
    what = f"{address} is not an address of this machine"
    fix = f"ip address add {address}/128 dev lo"
    return Finding("home agent's address", Grade.LACKS, what, fix)


def _forwarding(here: Here) -> Finding:
    if here.setting(sysctl.ipv6("all", "forwarding")) == "1":
        return Finding("forwarding", Grade.FINE, "on")
    what = "IPv6 forwarding is off: nothing reaches the mobile nodes"
    fix = sysctl.line("net.ipv6.conf.all.forwarding", 1)
    return Finding("forwarding", Grade.LACKS, what, fix)
