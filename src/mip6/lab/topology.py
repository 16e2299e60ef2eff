"""The figure "Mobile IP": who is where, under which address, and how it is built.

Seven network namespaces, joined by veth pairs, and two more where a scenario wants a
second correspondent or mobile node.  `links` holds the home link and the visited links
B and C as bridges; the mobile nodes' cables end there.
"""

import os
from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network

from mip6.wire.record import record

from .cable import LINKS
from .namespaces import LabError, inside, ip_batch, run, sysctl

ROLES = ("links", "core", "ha", "b", "c", "cn", "mn")
EXTRA = ("cn2", "mn2", "ha2")
"""Who is there only when a scenario wants it."""
ROUTERS = ("core", "ha", "b", "c")
ROUTER_OF = {"home": "ha", "b": "b", "c": "c"}

HOME_ADDRESS = IPv6Address("2001:db8:a::100")
HOME_AGENT = IPv6Address("2001:db8:a::1")
HOME_AGENTS = {"ha": HOME_AGENT, "ha2": IPv6Address("2001:db8:a::2")}
"""The second one is on the home link too; its way out is by the first."""
CORRESPONDENT = IPv6Address("2001:db8:e::2")
PREFIXES = {link: IPv6Network(f"2001:db8:{link}::/64") for link in ("b", "c")} | {
    "home": IPv6Network("2001:db8:a::/64")
}
RESOLVERS = {link: IPv6Address(f"2001:db8:{link}:53::53") for link in ("b", "c")}
"""The name servers of the visited networks, where a scenario has them; behind the
routers, as on the link itself a question would be native without `mip6`."""
NEW_PREFIX = IPv6Network("2001:db8:1a::/64")
"""What the home link is renumbered to, and what the mobile node is called then."""
NEW_HOME_ADDRESS = IPv6Address("2001:db8:1a::100")
MOBILE_NODES = {"mn": HOME_ADDRESS, "mn2": IPv6Address("2001:db8:a::200")}
"""The home address of each."""
CORRESPONDENTS = {"cn": CORRESPONDENT, "cn2": IPv6Address("2001:db8:e2::2")}
ADDRESS_OF = MOBILE_NODES | CORRESPONDENTS
"""By which the ends of a conversation know each other."""
INTERFACES = ("eth0", "eth1")
"""Of the mobile node; most labs have the first only."""
_MAC = {
    "to-mn": "02:00:00:00:00:64",
    "to-mn2": "02:00:00:00:00:65",
    "to-mn.eth1": "02:00:00:00:00:66",
}
_TRANSIT = {"ha": "f1", "b": "f2", "c": "f3", "cn": "e", "cn2": "e2"}
"""The net between the core router and each of these, 2001:db8:NET::/64."""

PICTURE = """\
                 cn  correspondent node, 2001:db8:e::2
                 │
               core  a router of the Internet
        ┌────────┼────────┐
       ha        b        c    access routers
        │        │        │
    home link  link B   link C
   2001:db8:   2001:db8:  2001:db8:
     a::/64     b::/64     c::/64
        └─ ─ ─ ─ ┴ ─ ─ ─ ─┘
                mn  mobile node, home address 2001:db8:a::100
"""

VIRTUAL_PICTURE = """\
                 cn  correspondent node, 2001:db8:e::2
                 │
               core  a router of the Internet
        ┌────────┼────────┐
       ha        b        c    access routers
  (no home link; │        │
   the prefix  link B   link C
   2001:db8:   2001:db8:  2001:db8:
   a::/64 is    b::/64     c::/64
   routed to     └─ ─ ┬ ─ ─┘
   ha)               mn  mobile node, home address 2001:db8:a::100
"""


@record
class Advertising:
    """How often the routers of the links advertise, in milliseconds (§7.5)."""

    interval_min_ms: int = 30
    interval_max_ms: int = 70
    resolvers: bool = False
    """Whether those of visited links tell of a name server (RFC 8106)."""

    @classmethod
    def parse(cls, text: str) -> "Advertising":
        """From "70" (the longest interval) or "30-70".  Raises `ValueError`."""
        shortest, dash, longest = text.partition("-")
        if not dash:
            longest = shortest
            shortest = str(max(30, int(longest) * 3 // 7))
        answer = cls(int(shortest), int(longest))
        # §7.5 and RFC 4861 §6.2.1: 0.03 s at least, 0.07 s for the longest.
        if answer.interval_min_ms < 30 or answer.interval_max_ms < 70:
            raise ValueError(
                "at least 30 ms, the longest at least 70 ms (RFC 6275 §7.5)"
            )
        if answer.interval_min_ms > 0.75 * answer.interval_max_ms:
            raise ValueError("the shortest is at most 3/4 of the longest (RFC 4861)")
        if answer.interval_max_ms > 1_800_000:
            raise ValueError("at most 1800 s (RFC 4861)")
        return answer

    def configuration(self, link: str) -> str:
        """radvd's configuration for the router of `link`, on its `eth1`."""
        home = link == "home"
        home_agent = (
            "  AdvHomeAgentFlag on; AdvHomeAgentInfo on;\n"
            "  HomeAgentPreference 10; HomeAgentLifetime 1800;\n"
        )
        resolver = ""
        if self.resolvers and not home:
            resolver = f"  RDNSS {RESOLVERS[link]} {{ AdvRDNSSLifetime 3600; }};\n"
        # With AdvRouterAddr (the R bit, §7.2) the whole address is what is sent.
        router = HOME_AGENT if home else PREFIXES[link][1]
        return (
            "interface eth1 {\n"
            "  AdvSendAdvert on; AdvIntervalOpt on; AdvDefaultLifetime 1800;\n"
            f"  MinRtrAdvInterval {self.interval_min_ms / 1000};\n"
            f"  MaxRtrAdvInterval {self.interval_max_ms / 1000};\n"
            "  MinDelayBetweenRAs 0.03;\n"
            f"{home_agent if home else ''}"
            f"  prefix {router}/64 {{\n"
            "    AdvOnLink on; AdvAutonomous on; AdvRouterAddr on;\n"
            "  };\n"
            f"{resolver}"
            "};\n"
        )


def namespaces(name: str) -> dict[str, str]:
    """The network namespace of each role in the lab `name`."""
    return {role: f"mip6-{name}-{role}" for role in (*ROLES, *EXTRA)}


def plug(interface: str) -> str:
    """The cable of one of the mobile node's interfaces; that of eth0 has its name."""
    return "mn" if interface == "eth0" else f"mn.{interface}"


def port(plug: str) -> str:
    """The far end of a mobile node's cable, in `links`."""
    return f"to-{plug}"


def build(
    name: str, *, virtual: bool, extra: Sequence[str] = (), interfaces: int = 1
) -> None:
    """Makes namespaces, links, addresses and routes; the mobile nodes are unplugged.

    `virtual`: there is no home link, the home prefix is routed to the home agent.
    `extra`: which of `EXTRA` are there too.  `interfaces`: how many the mobile node
    has.
    """
    space = namespaces(name)
    roles = (*ROLES, *extra)
    links = LINKS[1:] if virtual else LINKS
    around = [role for role in _TRANSIT if role in roles]
    ip_batch(f"netns add {space[role]}" for role in roles)
    sysctl(space["links"], disable_ipv6=1)
    for role in ("core", *around):
        # Nobody can take these addresses: duplicate address detection would only cost
        # two seconds.  The mobile nodes' namespaces stay as the kernel comes.
        forwarding = int(role in ROUTERS)
        sysctl(space[role], forwarding=forwarding, accept_dad=0, dad_transmits=0)
    cables = [("core", role, "eth0") for role in around]
    cables += [("links", ROUTER_OF[link], "eth1") for link in links]
    if "ha2" in roles:
        cables.append(("links", "ha2", "eth1"))
    cables += [("links", role, "eth0") for role in MOBILE_NODES if role in roles]
    mine = INTERFACES[1:interfaces]
    cables += [("links", "mn", interface) for interface in mine]
    ip_batch(_wiring(space, cables))
    ip_batch(_switch(links), namespace=space["links"])
    for role, lines in _addressing(virtual, around).items():
        ip_batch(lines, namespace=space[role])
    if "ha2" in roles:
        sysctl(space["ha2"], forwarding=1, accept_dad=0, dad_transmits=0)
        links_to = ["link set dev to-ha2 master home up"]
        ip_batch(links_to, namespace=space["links"])
        ip_batch(
            [
                "link set lo up",
                "link set eth1 up",
                f"addr add {HOME_AGENTS['ha2']}/64 dev eth1 nodad",
                f"route add default via {HOME_AGENT}",
            ],
            namespace=space["ha2"],
        )
    for role in MOBILE_NODES:
        if role in roles:
            ip_batch(["link set lo up", "link set eth0 up"], namespace=space[role])
    ip_batch([f"link set {name} up" for name in mine], namespace=space["mn"])


def _wiring(space: dict[str, str], cables: list[tuple[str, str, str]]) -> list[str]:
    """The `ip link add` lines.  Interface indexes are given, all different: a veth pair
    whose ends happen to have the same index in their namespaces is taken for one device
    without a peer, and the kernel may report its carrier up to a second late."""
    lines = []
    for number, (near, far, interface) in enumerate(cables):
        end = f"to-{far}"
        if near == "links" and far == "mn":
            end = port(plug(interface))
        address = f"address {_MAC[end]} " if end in _MAC else ""
        lines.append(
            f"link add name {interface} index {100 + 2 * number} {address}"
            f"netns {space[far]} type veth peer name {end} "
            f"index {101 + 2 * number} netns {space[near]}"
        )
    return lines


def _switch(links: tuple[str, ...]) -> list[str]:
    """Each link is a bridge that forwards at once and floods all multicast."""
    bridge = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
    return [
        line
        for link in links
        for line in (
            f"link add name {link} {bridge}",
            f"link set dev {link} up",
            f"link set dev to-{ROUTER_OF[link]} master {link} up",
        )
    ]


def _addressing(virtual: bool, around: list[str]) -> dict[str, list[str]]:
    """Addresses and routes of the core router and all `around` it, as `ip -6` lines."""
    core = ["link set lo up"]
    lines = {"core": core}
    for role in around:
        net = _TRANSIT[role]
        core += [
            f"link set to-{role} up",
            f"addr add 2001:db8:{net}::1/64 dev to-{role} nodad",
        ]
        lines[role] = [
            "link set lo up",
            "link set eth0 up",
            f"addr add 2001:db8:{net}::2/64 dev eth0 nodad",
            f"route add default via 2001:db8:{net}::1",
        ]
    for link, prefix in PREFIXES.items():
        role = ROUTER_OF[link]
        core.append(f"route add {prefix} via 2001:db8:{_TRANSIT[role]}::2")
        if link == "home" and virtual:
            lines[role].append(f"addr add {HOME_AGENT}/128 dev lo nodad")
        else:
            lines[role] += [
                "link set eth1 up",
                f"addr add {prefix[1]}/64 dev eth1 nodad",
            ]
    return lines


def add_prefix(name: str) -> None:
    """Has the home link have `NEW_PREFIX` too."""
    there = f"2001:db8:{_TRANSIT['ha']}::2"
    ip_batch(
        [f"route add {NEW_PREFIX} via {there}"], namespace=namespaces(name)["core"]
    )
    address = f"addr add {NEW_PREFIX[1]}/64 dev eth1 nodad"
    ip_batch([address], namespace=namespaces(name)["ha"])


def renew(name: str, link: str) -> None:
    """Has the router of `link` be another one there, with the same prefix."""
    octets = bytes((2, 0)) + os.urandom(4)
    lines = [
        "link set eth1 down",
        f"link set eth1 address {octets.hex(':')}",
        "link set eth1 up",
        f"addr add {PREFIXES[link][1]}/64 dev eth1 nodad",
    ]
    ip_batch(lines, namespace=namespaces(name)[ROUTER_OF[link]])


def add_resolvers(name: str) -> None:
    """Gives the visited networks the addresses of their name servers."""
    space = namespaces(name)
    for link, address in RESOLVERS.items():
        role = ROUTER_OF[link]
        there = f"2001:db8:{_TRANSIT[role]}::2"
        ip_batch([f"addr add {address}/128 dev lo nodad"], namespace=space[role])
        ip_batch([f"route add {address}/128 via {there}"], namespace=space["core"])


def disturb(name: str, *, delay_ms: float, loss_percent: float) -> None:
    """Delays and loses packets on every cable out of the core router, with netem.

    Raises `LabError` where the kernel has no netem.
    """
    command = ["tc", "qdisc", "add", "root", "netem"]
    command += ["delay", f"{delay_ms}ms"] if delay_ms else []
    command += ["loss", f"{loss_percent}%"] if loss_percent else []
    for role in ("ha", "b", "c", "cn"):
        where = ["dev", f"to-{role}"]
        try:
            run(inside(namespaces(name)["core"], [*command[:3], *where, *command[3:]]))
        except LabError as error:
            raise LabError(
                f"this kernel cannot delay or lose packets (netem): {error}"
            ) from None
