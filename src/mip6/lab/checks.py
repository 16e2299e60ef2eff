"""Questions to a lab whose answers must be right: what a person would look at."""

import time
from ipaddress import IPv6Address
from typing import Any

from .lab import Lab
from .namespaces import LabError
from .topology import HOME_ADDRESS, INTERFACES, PREFIXES, ROUTER_OF, plug

KERNEL_RULES = {0, 32766}
"""Priorities of the routing rules that every network namespace has."""
CORRESPONDENT_RULE = 998
"""Stands wherever `mip6` is a correspondent, as every mobile node is."""
AWAY_RULES = {999, 1000, 1001, 1002}
"""Those of a mobile node away from home (DESIGN §5)."""


def binding(lab: Lab) -> dict[str, Any] | None:
    """The home agent's binding of the mobile node, as `mip6 bindings --json` has it."""
    answer = lab.ask(lab.home_agent, "bindings") or {}
    for entry in answer.get("bindings", []):
        if IPv6Address(entry["home_address"]) == HOME_ADDRESS:
            return dict(entry)
    return None


def care_of_address(lab: Lab) -> IPv6Address | None:
    """Where the home agent's binding cache says the mobile node is."""
    found = binding(lab)
    return None if found is None else IPv6Address(found["care_of_address"])


def expires(lab: Lab) -> float | None:
    """When the home agent's binding ends, in seconds of the boot clock; `None`: never
    was, or has ended."""
    left = (binding(lab) or {}).get("expires_in_s")
    return None if left is None else time.clock_gettime(time.CLOCK_BOOTTIME) + left


def correspondence(lab: Lab, peer: IPv6Address, role: str = "mn") -> dict[str, Any]:
    """What the mobile node `role` says of its way to a correspondent, as `mip6 updates
    --json` has it; empty if it says nothing."""
    answer = lab.ask(role, "updates") or {}
    for entry in answer.get("updates", []):
        if entry["peer"] == str(peer) and not entry["home_registration"]:
            return dict(entry)
    return {}


def bound_at(lab: Lab, role: str) -> dict[IPv6Address, IPv6Address]:
    """The care-of addresses of the home addresses in a correspondent's cache."""
    answer = lab.ask(role, "bindings") or {}
    return {
        IPv6Address(entry["home_address"]): IPv6Address(entry["care_of_address"])
        for entry in answer.get("bindings", [])
        if not entry["home_registration"]
    }


def forwarded(lab: Lab) -> int:
    """Packets that the home agent has forwarded until now, in whatever direction."""
    counters = lab.run("ha", ["cat", "/proc/net/snmp6"])
    found = dict(line.split()[:2] for line in counters.splitlines())
    return int(found["Ip6OutForwDatagrams"])


def place(lab: Lab) -> str:
    """Where the mobile node says it is: a `core.events.Place`, or "silent"."""
    status: dict[str, Any] = lab.ask("mn", "status") or {}
    return str(status.get("mobile_node", {}).get("place", "silent"))


def agree(place: str, bound: IPv6Address | None, link: str) -> bool:
    """Whether mobile node (`place`) and home agent (the care-of address `bound`) both
    have it on `link`."""
    if link == "home":
        return place == "at_home" and bound is None
    return place == "registered" and bound is not None and bound in PREFIXES[link]


def answers_ping(lab: Lab, home_address: IPv6Address = HOME_ADDRESS) -> bool:
    """Whether the home address answers the correspondent."""
    command = ["ping", "-n", "-c", "3", "-i", "0.1", "-W", "2", str(home_address)]
    try:
        return " 0% packet loss" in lab.run("cn", command)
    except LabError:
        return False


def traces(lab: Lab, home_address: IPv6Address) -> list[str]:
    """What a home address that is over has left at mobile node and home agent."""
    gone = str(home_address)
    shown = [
        *(
            ("address", info.get("local"))
            for device in lab.ip("mn", "addr", "show")
            for info in device.get("addr_info", [])
        ),
        *(("rule for", rule["src"]) for rule in lab.ip("mn", "rule", "show")),
        *(("proxy", one["dst"]) for one in lab.ip("ha", "neigh", "show", "proxy")),
        *(
            ("route to", route["dst"])
            for route in lab.ip("ha", "route", "show", "dev", "mip0")
        ),
    ]
    return [f"{what} {found}" for what, found in shown if found == gone]


def leftovers(lab: Lab, link: str) -> list[str]:
    """What the mobile node on `link` has and should not, or lacks; empty is right."""
    return [
        *_address_leftovers(lab, link),
        *_route_leftovers(lab, link),
        *_rule_leftovers(lab, link),
    ]


def addresses(lab: Lab, interface: str) -> set[IPv6Address]:
    """The mobile node's global addresses on `interface`."""
    # `ip` shows {} for each address or device that its filter left out.
    return {
        IPv6Address(info["local"])
        for device in lab.ip("mn", "addr", "show", "dev", interface)
        for info in device.get("addr_info", [])
        if info.get("scope") == "global"
    }


def _interfaces(lab: Lab, link: str) -> tuple[list[str], list[str]]:
    """The mobile node's interfaces that are on `link`, and the others.

    Its router makes a link what it is, and may have come to another one.
    """
    names = INTERFACES[: lab.settings["interfaces"]]
    where = lab.link_of(ROUTER_OF[link])
    used = [name for name in names if lab.link_of(plug(name)) == where]
    return used, [name for name in names if name not in used]


def _address_leftovers(lab: Lab, link: str) -> list[str]:
    wrong = []
    used, others = _interfaces(lab, link)
    for name in used:
        have = addresses(lab, name)
        wrong += [f"address {a} on {name}" for a in have if a not in PREFIXES[link]]
        if (HOME_ADDRESS in have) != (link == "home"):
            has = "has" if HOME_ADDRESS in have else "lacks"
            wrong.append(f"{name} {has} the home address")
    for name in others:
        wrong += [f"address {a} on {name}" for a in addresses(lab, name)]
    return wrong


def _route_leftovers(lab: Lab, link: str) -> list[str]:
    """Routes into other links, by whatever table."""
    prefixes = [prefix for name, prefix in PREFIXES.items() if name != link]
    used, others = _interfaces(lab, link)
    wrong = []
    for route in lab.ip("mn", "route", "show", "table", "all"):
        if route.get("table") == "local" or route["dst"].startswith(("fe80", "ff")):
            continue
        destination = route["dst"].partition("/")[0].replace("default", "::")
        elsewhere = any(IPv6Address(destination) in prefix for prefix in prefixes)
        source = IPv6Address(route.get("prefsrc", "::"))
        elsewhere |= any(source in prefix for prefix in prefixes)
        if route.get("dev") in others or (route.get("dev") in used and elsewhere):
            wrong.append(f"route to {route['dst']} by {route['dev']}")
    defaults = lab.ip("mn", "route", "show", "default")
    if len(defaults) != 1:
        wrong.append(f"{len(defaults)} default routes in the main table")
    return wrong


def _rule_leftovers(lab: Lab, link: str) -> list[str]:
    shown = lab.ip("mn", "rule", "show")
    # Name servers, of the visited network or of this machine's own (decision 0035).
    native = [rule["dst"] for rule in shown if "dst" in rule]
    rules = [rule for rule in shown if "dst" not in rule]
    wanted = KERNEL_RULES | {CORRESPONDENT_RULE}
    wanted |= set() if link == "home" else AWAY_RULES
    have = [rule["priority"] for rule in rules]
    wrong = [f"rule {priority}" for priority in have if priority not in wanted]
    wrong += [f"rule {priority} missing" for priority in wanted - set(have)]
    wrong += [
        f"rule {rule['priority']} for {rule['src']}"
        for rule in rules
        if rule["priority"] == 1000 and IPv6Address(rule["src"]) not in PREFIXES[link]
    ]
    if link == "home":
        wrong += [f"rule for {to}" for to in native]
    wrong += [f"rule for {to} twice" for to in set(native) if native.count(to) > 1]
    return wrong + [f"rule {p} twice" for p in set(have) if have.count(p) > 1]


def intercepts(lab: Lab, link: str) -> list[str]:
    """What is wrong with how the home agent attracts packets for a mobile node on
    `link`; empty is right.

    On a home link it answers for the home address while that is away (§10.4.1), and
    only then.  Without one, the prefix is routed to it.
    """
    wanted = link != "home" and not lab.settings["virtual"]
    at = lab.home_agent
    shown = lab.ip(at, "neigh", "show", "proxy")
    proxied = any(IPv6Address(entry["dst"]) == HOME_ADDRESS for entry in shown)
    routed = bool(lab.ip(at, "route", "show", f"{HOME_ADDRESS}/128", "dev", "mip0"))
    answers = (("proxy neighbour", proxied), ("route into mip0", routed))
    return [
        f"{what} {'is missing' if wanted else 'stands'}"
        for what, have in answers
        if have != wanted
    ]


def remains(lab: Lab, role: str) -> list[str]:
    """What a daemon that has stopped left behind at `role`.

    An address from a router's advertisement is the kernel's own again, and no remains.
    """
    wrong = [
        f"rule {rule['priority']}"
        for rule in lab.ip(role, "rule", "show")
        if rule["priority"] not in KERNEL_RULES
    ]
    if role == "mn" and HOME_ADDRESS in addresses(lab, "eth0"):
        wrong.append("the home address on eth0")
    for device in lab.ip(role, "link", "show"):
        if device["ifname"] == "mip0":
            wrong.append("the device mip0")
    for route in lab.ip(role, "route", "show", "table", "all"):
        if route.get("table", "main") not in ("local", "main"):
            wrong.append(f"route to {route['dst']} in table {route['table']}")
    for proxy in lab.ip(role, "neigh", "show", "proxy"):
        wrong.append(f"proxy neighbour {proxy['dst']}")
    return wrong
