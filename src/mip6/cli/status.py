"""`mip6 status`: where this node is, and what it knows."""

import argparse
from typing import Any

from .client import add_reader, facts, seconds, show
from .ways import PLACES, way

SHOWN_MAX = 5
"""Correspondents, those that talked last."""

_TUNNELS = {
    "open": "open: data gets through",
    "blocked": "tunnel blocked (protocol 41): the network drops it, data is lost",
}
_CONDITIONS = {
    "down": "down",
    "waiting": "up, waits for a router",
    "no_router": "no router answers: no IPv6 there, or one has to log in first",
    "ipv4_only": "IPv4 only: there is an address of IPv4 and no router of IPv6",
    "untried": "a router answers",
    "works": "reaches the home agent",
    "home": "the home link",
    "silent": "its router does not answer any more",
    "broken": "broken: the home agent does not answer what goes out there",
    "captive": "captive: one has to log in on this network first",
    "tunnel_blocked": "tunnel blocked (protocol 41): registering works, data does not",
}
_NATIVE = {
    "native": "not tunnelled",
    "name_servers": "name servers, natively",
}
_MECHANISMS = {
    "shared_key": "ESP with a shared key",
    "manual": "ESP with manual keys",
    "mn_ha": "MN-HA option (RFC 4285) with a shared key",
    "none": "none",
}


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    add_reader(subparsers, "status", "Where this node is, and what it knows.")


def run(arguments: argparse.Namespace) -> int:
    return show(arguments, "/status", _text)


def _text(document: dict[str, Any]) -> str:
    roles = " and ".join(role.replace("_", " ") for role in document["roles"])
    title = f"mip6 {document['name']}: {roles}, up {seconds(document['uptime_s'])}"
    lines: list[tuple[str, str]] = []
    if mobile_node := document.get("mobile_node"):
        lines += [
            ("place", PLACES.get(mobile_node["place"], mobile_node["place"])),
            ("home address", mobile_node["home_address"]),
            *_further(mobile_node),
            ("care-of address", mobile_node["care_of_address"] or "-"),
            ("link", mobile_node["link"] or "-"),
            ("home agent", mobile_node["home_agent"] or "looked for"),
            ("registered for", seconds(mobile_node["expires_in_s"])),
        ]
        lines += _revoked(mobile_node)
        lines += _home_agents(mobile_node)
        lines += _home_prefixes(mobile_node)
        if words := _TUNNELS.get(mobile_node.get("tunnel")):
            lines.append(("tunnel", words))
        lines += [
            ("interface", f"{each['name']}: {_CONDITIONS[each['condition']]}")
            for each in mobile_node.get("interfaces", ())
        ]
        for key in ("native", "name_servers"):
            if found := mobile_node.get(key):
                words = ", ".join(found)
                lines.append((_NATIVE[key], words))
        lines += _correspondents(mobile_node)
    if home_agent := document.get("home_agent"):
        count = f"{home_agent['bindings']} of at most {home_agent['bindings_max']}"
        link = home_agent["home_link"] or "virtual (the prefix is routed here)"
        lines += [
            ("address", home_agent["address"]),
            ("home prefix", home_agent["home_prefix"]),
            ("home link", link),
            ("bindings", count),
        ]
    if correspondent := document.get("correspondent_node"):
        count = (
            f"{correspondent['bindings']} of at most {correspondent['bindings_max']}"
        )
        lines += [
            ("correspondent at", ", ".join(correspondent["addresses"]) or "-"),
            ("direct with", f"{count} mobile nodes"),
        ]
    links = (
        f"{link['name']} {'up' if link['up'] else 'down'}" for link in document["links"]
    )
    lines += [
        ("links", ", ".join(links) or "-"),
        ("authentication", _authentication(document)),
    ]
    if document["user"] == "root":
        lines.append(
            ("user", "root: there is no user mip6, or the configuration says so")
        )
    lines += [("problem", problem) for problem in document["problems"]]
    return title + "\n" + facts(lines)


def _revoked(mobile_node: dict[str, Any]) -> list[tuple[str, str]]:
    revoked = mobile_node["revoked"]
    if revoked is None:
        return []
    words = f"by the home agent, {seconds(revoked['for_s'])} ago"
    if (again := revoked["asks_again_in_s"]) is not None:
        words += f"; it is asked again in {seconds(again)}"
    return [("revoked", words)]


def _home_agents(mobile_node: dict[str, Any]) -> list[tuple[str, str]]:
    """Where there are several, what came of each."""
    found = mobile_node["home_agents"]
    lines = []
    for agent in found if len(found) > 1 else ():
        words = "asked now" if agent["current"] else "not needed"
        if agent["current"] and mobile_node["place"] in ("registered", "at_home"):
            words = "in use"
        if agent["failed"] is not None:
            ago = seconds(agent["failed_for_s"])
            status = agent["status"]
            words = f"silent, {ago} ago" if status is None else f"refused: {status}"
        elif agent["bound_for_s"] is not None and not agent["current"]:
            words = (
                f"told to let go, may hold a binding {seconds(agent['bound_for_s'])}"
            )
        lines.append(("known", f"{agent['address']}: {words}"))
    return lines


def _further(mobile_node: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("", f"{one['home_address']}, registered for {seconds(one['expires_in_s'])}")
        for one in mobile_node["further_home_addresses"]
    ]


def _home_prefixes(mobile_node: dict[str, Any]) -> list[tuple[str, str]]:
    lines = []
    for prefix in mobile_node["home_prefixes"]:
        valid, preferred = prefix["valid_s"], prefix["preferred_s"]
        words = "" if valid is None else f", valid for {seconds(valid)}"
        if preferred == 0:
            words += ", not for new connections"
        elif preferred is not None:
            words += f", for new connections for {seconds(preferred)}"
        lines.append(("home prefix", prefix["prefix"] + words))
    return lines


def _correspondents(mobile_node: dict[str, Any]) -> list[tuple[str, str]]:
    """The last of them; `mip6 updates` shows all."""
    if not mobile_node["route_optimization"]:
        return [("correspondents", "all via the home agent, route optimization is off")]
    found = mobile_node["correspondents"]
    lines = [
        ("correspondent", f"{entry['peer']}: {way(entry)}")
        for entry in reversed(found[-SHOWN_MAX:])
    ]
    if more := found[:-SHOWN_MAX]:
        direct = sum(entry["way"] == "direct" for entry in more)
        lines.append(("", f"and {len(more)} more, {direct} of them direct"))
    return lines


def _authentication(document: dict[str, Any]) -> str:
    words = _MECHANISMS.get(document["authentication"], "not needed")
    fingerprints = document.get("mobile_node", {}).get("key_fingerprints")
    if fingerprints:
        words += f" (fingerprint {', '.join(fingerprints)})"
    return words
