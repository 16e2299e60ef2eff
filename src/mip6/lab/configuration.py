"""What the daemons of a lab are told: their configuration files."""

from .topology import HOME_ADDRESS, HOME_AGENT, PREFIXES

LIFETIME_S = 600
"""What the mobile node asks for where nothing else is wanted."""
KEY_FILE = "mn.key"

_CONFIGURATION = {
    "ha": """\
authentication = "{authentication}"
[home_agent]
address = "{home_agent}"
home_prefix = "{home_prefix}"
{home_link}{trust}
""",
    "mn": """\
authentication = "{authentication}"
[mobile_node]
home_address = "{home_address}/64"
home_agent = "{home_agent}"
interfaces = ["eth0"]
manage = true
lifetime = {lifetime}
{trust}
""",
}
_OPTION = f'key = "{KEY_FILE}", identifier = "mn@lab.example"'
_TRUST = {
    ("ha", "none"): f'mobile_nodes = ["{HOME_ADDRESS}"]',
    ("mn", "none"): "",
    ("ha", "shared_key"): f'[home_agent.mobile_nodes]\n"{HOME_ADDRESS}" = "{KEY_FILE}"',
    ("mn", "shared_key"): f'key = "{KEY_FILE}"',
    ("ha", "mn_ha"): f'[home_agent.mobile_nodes]\n"{HOME_ADDRESS}" = {{ {_OPTION} }}',
    ("mn", "mn_ha"): _OPTION.replace(", ", "\n"),
}
AUTHENTICATIONS = ("shared_key", "mn_ha", "none")
"""What a lab can be asked to prove Binding Updates with; the first by default."""


def configured(role: str, *, virtual: bool, authentication: str, lifetime: int) -> str:
    """The file for the daemon at `role`; `lifetime` in seconds."""
    return _CONFIGURATION[role].format(
        home_agent=HOME_AGENT,
        home_address=HOME_ADDRESS,
        home_prefix=PREFIXES["home"],
        home_link="" if virtual else 'home_link = "eth1"\n',
        lifetime=lifetime,
        authentication=authentication,
        trust=_TRUST[role, authentication],
    )
