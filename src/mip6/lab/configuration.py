"""What the daemons of a lab are told: their configuration files."""

import json
from collections.abc import Sequence

from .topology import CORRESPONDENTS, HOME_AGENTS, INTERFACES, MOBILE_NODES, PREFIXES

LIFETIME_S = 600
"""What the mobile node asks for where nothing else is wanted."""

_HOME_AGENT = """\
authentication = "{authentication}"
[home_agent]
address = "{home_agent}"
home_prefix = "{home_prefix}"
{home_link}{prefixes}{trust}
"""
_PREFIXES = """\
prefix_interval_min = 0.1
prefix_interval_max = 2.0
prefixes = {{ {} }}
"""
"""Told at once, by the measure of a person who watches."""
_MOBILE_NODE = """\
authentication = "{authentication}"
[mobile_node]
home_address = "{home_address}/64"
home_agent = {home_agents}
interfaces = {interfaces}
manage = true
lifetime = {lifetime}
{trust}
"""
_ADVERTISING = """
[router.eth1]
addresses = ["{address}/64"]
interval_max = 4.0
lifetime = 0
home_agent_lifetime = 600
"""
"""Of a home agent that is no router of the home link; nobody else speaks for it."""
DISCOVER = "discover"
_CORRESPONDENT = "[correspondent_node]\n"

AUTHENTICATIONS = ("shared_key", "mn_ha", "none")
"""What a lab can be asked to prove Binding Updates with; the first by default."""


def key_file(mobile_node: str) -> str:
    return f"{mobile_node}.key"


def mobile_nodes(extra: Sequence[str]) -> list[str]:
    """The roles of the mobile nodes in a lab with these `extra` ones."""
    return [role for role in MOBILE_NODES if role == "mn" or role in extra]


def configured(
    role: str,
    *,
    virtual: bool,
    authentication: str,
    lifetime: int,
    extra: Sequence[str] = (),
    interfaces: int = 1,
    home_agents: Sequence[str] = ("ha",),
    prefixes: Sequence[str] = (),
) -> str:
    """The file for the daemon at `role`; `lifetime` in seconds, `home_agents`: what the
    mobile nodes are told, roles or `DISCOVER`; `prefixes`: entries of the home agent's
    table."""
    if role in CORRESPONDENTS:
        return _CORRESPONDENT
    if role in HOME_AGENTS:
        # The first one is named first, where mobile nodes ask.
        more = "preference = 10\n" if role == "ha" else ""
        text = _HOME_AGENT.format(
            authentication=authentication,
            home_agent=HOME_AGENTS[role],
            home_prefix=PREFIXES["home"],
            home_link=more + ("" if virtual else 'home_link = "eth1"\n'),
            prefixes=_PREFIXES.format(", ".join(prefixes)) if prefixes else "",
            trust=_trusted(authentication, mobile_nodes(extra)),
        )
        if role == "ha":
            return text
        return text + _ADVERTISING.format(address=HOME_AGENTS[role])
    return _MOBILE_NODE.format(
        authentication=authentication,
        home_agents=json.dumps(
            [str(HOME_AGENTS.get(entry, entry)) for entry in home_agents]
        ),
        home_address=MOBILE_NODES[role],
        lifetime=lifetime,
        interfaces=json.dumps(INTERFACES[: interfaces if role == "mn" else 1]),
        trust="\n".join(_trust(authentication, role)),
    )


def _trust(authentication: str, mobile_node: str) -> list[str]:
    """What a mobile node shares with its home agent, as keys of TOML."""
    key = f'key = "{key_file(mobile_node)}"'
    identifier = f'identifier = "{mobile_node}@lab.example"'
    return {"none": [], "shared_key": [key], "mn_ha": [key, identifier]}[authentication]


def _trusted(authentication: str, roles: Sequence[str]) -> str:
    """The home agent's side of it."""
    if authentication == "none":
        listed = ", ".join(f'"{MOBILE_NODES[role]}"' for role in roles)
        return f"mobile_nodes = [{listed}]"
    entries = [
        f'"{MOBILE_NODES[role]}" = {{ {", ".join(_trust(authentication, role))} }}'
        for role in roles
    ]
    return "\n".join(["[home_agent.mobile_nodes]", *entries])
