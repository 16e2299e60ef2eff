"""The configuration file: ten lines of TOML for each role, all errors told at once."""

import difflib
import re
import tomllib
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from mip6.core.route_optimization import ANYBODY, CorrespondentPolicy, Mode
from mip6.security.keys import Direction, Purpose

from .errors import ConfigurationError
from .file_lines import line_of, lines_of
from .home_agent_names import wrong_home_agents
from .home_agent_section import LIST, TABLE, HomeAgentSection
from .mobile_node_section import MobileNodeSection
from .route_optimization import CorrespondentNodeSection
from .router import Routers, RouterSection, problems
from .section import LinkName, Section
from .trust import Mechanism, OneWay, Pair, Trust, contradictions

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"


class Configuration(Section):
    """The whole file."""

    authentication: Mechanism | None = None
    """How a home agent knows who sends a Binding Update; a correspondent alone has no
    use for it."""
    name: Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")] = "mip6"
    """The instance: names the control socket and the pins."""
    device: LinkName = "mip0"
    log_level: Literal["debug", "info", "warning"] = "info"
    user: Annotated[str | None, Field(min_length=1)] = None
    """Who the daemon is once it is set up; None: mip6, where there is such a user."""
    group: Annotated[str | None, Field(min_length=1)] = None
    """Whose members may read status and counters, beside root."""
    home_agent: HomeAgentSection | None = None
    mobile_node: MobileNodeSection | None = None
    correspondent_node: CorrespondentNodeSection | None = None
    router: Routers = Field(default_factory=dict)
    """By interface; with nothing else this machine is an access router."""

    _file: Path = PrivateAttr(default=Path("-"))
    _lines: dict[tuple[str, ...], int] = PrivateAttr(default_factory=dict)

    @property
    def file(self) -> Path:
        """Where it was read."""
        return self._file

    @property
    def directory(self) -> Path:
        """What the paths in the file are relative to."""
        return self._file.parent

    def where(self, *keys: str) -> str:
        """The place of a key in the file, for an error: file:line."""
        return f"{self._file}:{line_of(self._lines, keys)}"

    @property
    def correspondent(self) -> CorrespondentNodeSection | None:
        """What this node is as a correspondent, if it is one: by its own section, and a
        mobile node always unless that is switched off (§8.2)."""
        wanted = self.correspondent_node
        if wanted is None and self.mobile_node is not None:
            wanted = CorrespondentNodeSection()
        return wanted if wanted is not None and wanted.enabled else None

    @property
    def optimizes_routes(self) -> bool:
        """Whether the mobile node can test its home address without giving the token
        away on the visited link (§10.4.6): not with the MN-HA option (RFC 4285 §2),
        and with manual associations if one is made for it."""
        mobile_node = self.mobile_node
        if mobile_node is None or self.authentication == "mn_ha":
            return False
        manual = self.authentication == "manual"
        return not manual or bool(mobile_node.return_routability)

    @property
    def discovers_prefixes(self) -> bool:
        """Whether the mobile node asks for the prefixes of its home link: not with the
        MN-HA option (RFC 4285 §2), and with manual associations if one is made for
        it."""
        mobile_node = self.mobile_node
        if mobile_node is None or self.authentication == "mn_ha":
            return False
        return self.authentication != "manual" or bool(mobile_node.prefix_discovery)

    @property
    def policies(self) -> tuple[CorrespondentPolicy, ...]:
        """With whom the mobile node talks directly."""
        if self.mobile_node is None or not self.optimizes_routes:
            return (CorrespondentPolicy(ANYBODY, Mode.NEVER),)
        return self.mobile_node.policies

    @property
    def authenticates(self) -> bool:
        """Whether home registrations are proved; false too where there are none."""
        return self.authentication not in (None, "none")

    @property
    def derives_keys(self) -> bool:
        """Whether one key is good for all home addresses of a mobile node."""
        return self.authentication == "shared_key"

    @property
    def known(self) -> frozenset[IPv6Address]:
        """Who sends Binding Updates or Acknowledgements without ESP, by its address;
        prefixes that may are not among them."""
        if self.authentication not in ("mn_ha", "none"):
            return frozenset()
        if self.mobile_node is not None:
            return frozenset(self.mobile_node.home_agents)
        networks = self.home_agent.home_networks if self.home_agent else ()
        return frozenset(n.network_address for n in networks if n.prefixlen == 128)

    @property
    def roles(self) -> tuple[str, ...]:
        """In the words of the file: home_agent, mobile_node, correspondent_node,
        router."""
        parts = {
            "home_agent": self.home_agent,
            "mobile_node": self.mobile_node,
            "correspondent_node": self.correspondent,
            "router": self.router or None,
        }
        return tuple(name for name, part in parts.items() if part is not None)

    def trusts(self) -> Iterator[tuple[tuple[str, ...], IPv6Address, Trust]]:
        """What each home address shares with its home agent, and the keys that lead
        to it in the file: the same for all home addresses of a mobile node."""
        if self.mobile_node is not None:
            home_address = self.mobile_node.home_address.ip
            yield ("mobile_node",), home_address, self.mobile_node
        mobile_nodes = self.home_agent.mobile_nodes if self.home_agent else ()
        if isinstance(mobile_nodes, dict) and self.home_agent is not None:
            for home_address, trust in mobile_nodes.items():
                keys = ("home_agent", "mobile_nodes", str(home_address))
                yield keys, home_address, trust
            # Keys are derived for a home address; others are made for one by hand.
            derived = self.home_agent.formed if self.derives_keys else ()
            for home_address, other in derived:
                keys = ("home_agent", "mobile_nodes", str(home_address))
                yield keys, other, mobile_nodes[home_address]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.roles:
            raise ValueError(
                "a section [home_agent], [mobile_node], [correspondent_node] or "
                "[router.INTERFACE] must say the role"
            )
        if self.home_agent is not None and self.mobile_node is not None:
            raise ValueError(
                "[home_agent] and [mobile_node] need a file and an instance each"
            )
        return self


def load(path: Path) -> Configuration:
    """Reads and checks a file; ConfigurationError holds every error found."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise ConfigurationError([f"{path}: {reason}"]) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Configuration:
    """As `load`, from a string; `name` stands for the file in errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", str(error))
        last = str(len(text.splitlines()) or 1)
        what, line = (found[1], found[2]) if found else (str(error), last)
        what = what.removesuffix(" (at end of document)")
        raise ConfigurationError([f"{name}:{line}: {what}"]) from None
    lines = lines_of(text)
    errors: list[tuple[int, str]] = []
    if "authentication" not in document and document.keys() & _PROVED:
        errors.append((1, f'"authentication" is missing{_MISSING["authentication"]}'))
    configuration = None
    try:
        configuration = Configuration.model_validate(document)
    except ValidationError as error:
        errors += [_told(detail, lines) for detail in error.errors()]
    if configuration is not None and not errors:
        errors += _contradictions(configuration, lines)
        if (mobile_node := configuration.mobile_node) is not None:
            line = line_of(lines, ("mobile_node", "home_agent"))
            home_agents = wrong_home_agents(
                mobile_node.home_agent,
                mobile_node.home_address.ip,
                any_key=configuration.authentication in ("shared_key", "mn_ha")
                and mobile_node.mobility_spi is None,
                authenticates=configuration.authenticates,
            )
            errors += ((line, f"[mobile_node] home_agent {w}") for w in home_agents)
        wrong = problems(configuration.router, configuration.home_agent)
        errors += ((line_of(lines, keys), what) for keys, what in wrong)
    if errors:
        raise ConfigurationError(
            [f"{name}:{line}: {what}" for line, what in sorted(errors)]
        )
    assert configuration is not None
    configuration._file, configuration._lines = Path(name), lines
    return configuration


def _contradictions(
    configuration: Configuration, lines: dict[tuple[str, ...], int]
) -> list[tuple[int, str]]:
    """What each value alone cannot tell."""
    found: list[tuple[int, str]] = []

    def wrong(section: str, key: str, what: str) -> None:
        found.append((line_of(lines, (section, key)), what))

    home_agent = configuration.home_agent
    mechanism = configuration.authentication or "none"
    for keys, _, trust in configuration.trusts():
        for key, what in contradictions(mechanism, trust):
            found.append((line_of(lines, (*keys, key)), what))
    if home_agent is not None:
        listed = isinstance(home_agent.mobile_nodes, tuple)
        if mechanism == "none" and not (listed and home_agent.mobile_nodes):
            wrong(
                "home_agent",
                "mobile_nodes",
                'authentication = "none" needs the home addresses that may register: '
                'mobile_nodes = ["2001:db8:a::100"]',
            )
        elif mechanism != "none" and (listed or not home_agent.mobile_nodes):
            wrong(
                "home_agent",
                "mobile_nodes",
                f'authentication = "{mechanism}" needs a table '
                f"[home_agent.mobile_nodes]: {_ENTRIES[mechanism]}",
            )
        for network in home_agent.home_networks:
            if not any(network.subnet_of(p.network) for p in home_agent.home_prefixes):
                wrong(
                    "home_agent",
                    "mobile_nodes",
                    f"{network} is not in home_prefix {home_agent.home_prefix}",
                )
            elif home_agent.address in network:
                wrong(
                    "home_agent",
                    "mobile_nodes",
                    f"{network} holds the home agent's own address",
                )
        if home_agent.home_link is not None and (
            home_agent.address not in home_agent.home_prefix
        ):
            wrong(
                "home_agent",
                "address",
                f"must be in home_prefix {home_agent.home_prefix} on a home link",
            )
    return found


def _told(detail: Any, lines: dict[tuple[str, ...], int]) -> tuple[int, str]:
    """One error of pydantic's, as a line number and words for people."""
    where = tuple(
        str(part)
        for part in detail["loc"]
        if not isinstance(part, int) and part not in (LIST, TABLE, "[key]")
    )
    key = where[-1] if where else ""
    section = f"[{where[0]}] " if len(where) > 1 else ""
    kind = detail["type"]
    if kind == "missing":
        what = f'{section}lacks "{key}"' if section else f'"{key}" is missing'
        what += _MISSING.get(key, "")
    elif kind == "extra_forbidden":
        what = f'{section}unknown key "{key}"'
        close = difflib.get_close_matches(key, _known(where[:-1]), 1)
        what += f': did you mean "{close[0]}"?' if close else ""
    else:
        message = re.sub(r"^(Value error|Assertion failed), ", "", detail["msg"])
        if kind != "value_error" and not message.startswith("must"):
            message = message.removeprefix("Input ").replace("should", "must", 1)
        what = f'{section}"{key}" {message}' if key else message
        if kind == "value_error" and " is not permitted" in message:
            what = f'{section}"{key}": {message}'
    return line_of(lines, where), what


_PROVED = {"home_agent", "mobile_node"}
"""The sections that say whom to believe."""
_ENTRIES = {
    "shared_key": '"2001:db8:a::100" = "laptop.key"',
    "mn_ha": '"2001:db8:a::100" = '
    '{ key = "laptop.key", identifier = "laptop@example.com" }',
    "manual": '[home_agent.mobile_nodes."2001:db8:a::100".binding]',
}
_MISSING = {
    "authentication": ': write authentication = "shared_key", and make a key with '
    '"mip6 keygen" ("none": anyone can register the home addresses you list)',
    "manage": ": write manage = true, and mip6 configures these interfaces in place of "
    "the kernel and NetworkManager; or manage = false, and it takes what they make",
}


def _known(where: tuple[str, ...]) -> list[str]:
    """The keys that a table may have."""
    tables: dict[str, type[Section]] = {
        "home_agent": HomeAgentSection,
        "mobile_node": MobileNodeSection,
        "correspondent_node": CorrespondentNodeSection,
        **dict.fromkeys(Purpose, Pair),
        **dict.fromkeys(Direction, OneWay),
    }
    model: type[Section] = Configuration
    if where[:1] == ("router",):
        model = RouterSection
    elif where:
        model = tables.get(where[-1], Trust if "mobile_nodes" in where else Section)
    return list(model.model_fields)
