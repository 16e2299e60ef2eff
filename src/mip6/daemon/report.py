"""What the daemon tells about itself: the documents behind every `--json`."""

import os
import pwd
from collections.abc import Iterator
from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING, Any

from mip6 import __version__
from mip6.core.binding_cache import Binding
from mip6.core.conditions import Condition, condition
from mip6.core.correspondent_cache import CorrespondentBinding
from mip6.core.home_agents import Candidate
from mip6.core.link import Prefix
from mip6.core.mobile_node import MobileNode
from mip6.core.registration import Registration
from mip6.core.route_optimization import Way
from mip6.linux.layout import Traffic
from mip6.linux.netlink import LinkInfo
from mip6.linux.sockets import has_ipv4

if TYPE_CHECKING:
    from .daemon import Daemon

Document = dict[str, Any]


def process(name: str, uptime: float) -> Document:
    """What every instance can say of itself."""
    return {
        "name": name,
        "version": __version__,
        "pid": os.getpid(),
        "user": _user(),
        "uptime_s": round(uptime, 3),
    }


def link(info: LinkInfo) -> Document:
    return {"name": info.name, "up": info.is_up, "mtu": info.mtu}


def status(daemon: "Daemon", now: float) -> Document:
    configuration = daemon.configuration
    document: Document = {
        **process(daemon.name, now - daemon.started_at),
        "roles": list(configuration.roles),
        "device": configuration.device,
        "authentication": configuration.authentication,
        "took_over": daemon.took_over,
        "links": [link(found) for found in daemon.links_in_use()],
        "problems": list(daemon.problems),
    }
    home_agent = daemon.home_agent
    if home_agent is not None and configuration.home_agent is not None:
        document["home_agent"] = {
            "address": str(home_agent.address),
            "home_prefix": str(home_agent.home_prefix),
            "home_link": home_agent.home_link,
            "bindings": home_agent.bindings_count,
            "bindings_max": configuration.home_agent.bindings_max,
            "mobile_nodes": len(configuration.home_agent.mobile_nodes),
        }
    mobile_node = daemon.mobile_node
    if mobile_node is not None:
        registration = mobile_node.registration
        document["mobile_node"] = {
            "home_address": str(mobile_node.home_address),
            "further_home_addresses": [
                {
                    "home_address": str(home.home_address),
                    "expires_in_s": _left(home.registration.expires, now),
                }
                for home in mobile_node.homes.others
            ],
            "home_agent": _text(mobile_node.home_agent),
            "home_agents": [
                _candidate(one, now) for one in mobile_node.home_agents.candidates()
            ],
            "place": str(mobile_node.place),
            "link": mobile_node.link,
            "care_of_address": _text(mobile_node.care_of_address),
            "expires_in_s": _left(registration.expires, now),
            "revoked": _revoked(registration, now),
            "key_fingerprints": list(
                daemon.protection.fingerprints.get(mobile_node.home_address, ())
            ),
            "home_prefixes": [
                _prefix(prefix, now) for prefix in mobile_node.prefixes.prefixes
            ],
            "tunnel": str(mobile_node.probe.passage) if mobile_node.probe else None,
            "interfaces": [
                _interface(mobile_node, name, now) for name in mobile_node.links
            ],
            "native": [str(network) for network in mobile_node.native.prefixes],
            "name_servers": [str(one) for one in mobile_node.native.name_servers],
            "route_optimization": configuration.optimizes_routes,
            "correspondents": [
                {name: entry[name] for name in ("peer", "way", "why", "until_s")}
                for entry in _correspondences(mobile_node, now)
            ],
        }
    correspondent, limits = daemon.correspondent, configuration.correspondent
    if correspondent is not None and limits is not None:
        document["correspondent_node"] = {
            "addresses": [str(address) for address in sorted(correspondent.addresses)],
            "bindings": sum(1 for _ in correspondent.bindings),
            "bindings_max": limits.bindings_max,
        }
    return document


def _revoked(registration: Registration, now: float) -> Document | None:
    if registration.revoked_at is None:
        return None
    return {
        "for_s": round(now - registration.revoked_at, 3),
        "asks_again_in_s": _left(registration.deadline, now),
    }


def _prefix(prefix: Prefix, now: float) -> Document:
    return {
        "prefix": str(prefix.network),
        "valid_s": _lifetime(prefix.valid_until, now),
        "preferred_s": _lifetime(prefix.preferred_until, now),
    }


def _candidate(one: Candidate, now: float) -> Document:
    """A home agent that a mobile node knows."""
    failure = one.failure
    return {
        "address": str(one.address),
        "current": one.current,
        "failed": failure and ("silent" if failure.status is None else "refused"),
        "status": failure and failure.status,
        "failed_for_s": failure and round(now - failure.at, 3),
        "bound_for_s": _left(one.bound_until, now),
    }


def _interface(mobile_node: MobileNode, name: str, now: float) -> Document:
    """What an interface is worth to the mobile node."""
    attachments = mobile_node.attachments
    word = str(
        condition(name, attachments, mobile_node.registration, mobile_node.probe, now)
    )
    if word == Condition.NO_ROUTER and has_ipv4(name):
        word = "ipv4_only"
    up = attachments.up.get(name)
    portal = up.captive_portal.decode(errors="replace") if up else ""
    return {"name": name, "condition": word, "captive_portal": portal or None}


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def binding(
    binding: Binding | CorrespondentBinding, now: float, traffic: Traffic | None
) -> Document:
    """`correspondent`: by which of our addresses the mobile node knows us.  `traffic`:
    what went through its tunnel, where that is asked for."""
    ours = binding.correspondent if isinstance(binding, CorrespondentBinding) else None
    return {
        "home_address": str(binding.home_address),
        "care_of_address": str(binding.care_of_address),
        "home_registration": binding.home_registration,
        "correspondent": _text(ours),
        "sequence_number": binding.sequence_number,
        "lifetime_s": round(binding.lifetime, 3),
        "expires_in_s": _left(binding.expires, now),
        "traffic": asdict(traffic) if traffic else None,
    }


def agents(daemon: "Daemon", now: float) -> Document:
    """The Home Agents List (§10.1), this home agent first."""
    home_agent, wanted = daemon.home_agent, daemon.configuration.home_agent
    if home_agent is None or wanted is None:
        return {"agents": []}
    listed = [
        {
            "link_local": str(other.link_local),
            "addresses": [str(address) for address in other.addresses],
            "preference": other.preference,
            "expires_in_s": _left(other.expires, now),
        }
        for other in home_agent.home_agents
    ]
    ourselves = {
        "link_local": None,
        "addresses": [str(home_agent.address)],
        "preference": home_agent.preference,
        "expires_in_s": None,
    }
    return {"agents": [ourselves, *listed]}


def updates(daemon: "Daemon", now: float) -> Document:
    """The binding update list (§11.1): the home registration, then correspondents."""
    if daemon.mobile_node is None:
        return {"updates": []}
    mobile_node = daemon.mobile_node
    registrations = [
        _registration(home.registration, now) for home in mobile_node.homes
    ]
    return {"updates": [*registrations, *_correspondences(mobile_node, now)]}


def _registration(registration: Registration, now: float) -> Document:
    aim = registration.aim
    return {
        "home_address": str(registration.home_address),
        "peer": _text(registration.home_agent),
        "home_registration": True,
        "care_of_address": _text(aim.care_of_address if aim else None),
        "acknowledged_care_of_address": _text(registration.care_of_address),
        "deregistration": aim is not None and aim.delete,
        "sequence_number": registration.sequence_number,
        "status": registration.status,
        "awaiting": registration.awaiting,
        "retransmissions": registration.retransmissions,
        "lifetime_s": registration.granted,
        "expires_in_s": _left(registration.expires, now),
        "way": None,
        "why": None,
        "until_s": None,
        "mtu": None,
    }


def _correspondences(mobile_node: MobileNode, now: float) -> Iterator[Document]:
    """One entry for each correspondent, who talked last at the end."""
    care_of_address = _text(mobile_node.care_of_address)
    found = (
        (home, one)
        for home in reversed(list(mobile_node.homes))
        for one in home.correspondents.correspondences(now)
    )
    for home, one in found:
        until = None if one.until is None else _left(one.until, now)
        yield {
            "home_address": str(home.home_address),
            "peer": str(one.correspondent),
            "home_registration": False,
            "care_of_address": care_of_address,
            "acknowledged_care_of_address": _text(one.care_of_address),
            "deregistration": False,
            "sequence_number": one.sequence_number,
            "status": one.status,
            "awaiting": one.awaiting,
            "retransmissions": one.retransmissions,
            "lifetime_s": one.lifetime,
            "expires_in_s": until if one.way is Way.DIRECT else None,
            "way": str(one.way),
            "why": str(one.why),
            "until_s": until,
            "mtu": one.mtu,
        }


def stats(daemon: "Daemon", now: float) -> Document:
    counts = daemon.executor.counts
    return {
        "data_plane": daemon.machine.data_plane.counters(),
        "dropped": dict(sorted(daemon.drops.items())),
        "refused": {str(k): v for k, v in sorted(daemon.refused.items())},
        "signalling": {
            "received": daemon.received,
            "sent": counts.sent,
            "not_sent": counts.not_sent,
        },
        "kernel": {
            "installed": counts.installed,
            "removed": counts.removed,
            "refused": counts.refused,
            "repaired": counts.repaired,
        },
    }


def trace(daemon: "Daemon", now: float) -> Document:
    """The last moves with their phases, newest last."""
    return {
        "moves": [
            {
                "link": move.link,
                "started_at": round(move.started_at, 6),
                "phases_ms": {str(k): v for k, v in move.phases_ms.items()},
            }
            for move in daemon.timeline.moves
        ]
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _lifetime(until: float, now: float) -> float | None:
    """Seconds that are left, 0 when it is over; None for ever."""
    return None if until == inf else round(max(0.0, until - now), 3)


def _left(expires: float, now: float) -> float | None:
    """Seconds that are left; None when nothing stands."""
    return round(expires - now, 3) if expires > now else None
