"""The configuration file: ten lines of TOML for each role, all errors told at once."""

import difflib
import re
import tomllib
from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mip6.core.policy import Permission
from mip6.core.prefix_delivery import INTERVAL_MAX, INTERVAL_MIN
from mip6.core.prefixes import HomePrefix
from mip6.core.route_optimization import ANYBODY, CorrespondentPolicy, Mode
from mip6.security.keys import Direction, Purpose

from .errors import ConfigurationError
from .home_agent_names import wrong_home_agents
from .home_prefixes import PrefixSection, elsewhere, home_prefix
from .mobile_node_section import MobileNodeSection
from .route_optimization import CorrespondentNodeSection
from .router import Routers, RouterSection, problems
from .section import Address, Lifetime, LinkName, Network, Section, usable
from .trust import Mechanism, OneWay, Pair, Trust, contradictions

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"


def _trust(value: object) -> object:
    """A key file alone stands for the table that names it."""
    return {"key": value} if isinstance(value, str | list) else value


def _each_once(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError('must be a table: "2001:db8:a::100" = "laptop.key"')
    known: set[IPv6Address] = set()
    for text in value:
        try:
            address = IPv6Address(text)
        except ValueError:
            continue  # told where the addresses are read
        if address in known:
            raise ValueError(f"has {address} twice")
        known.add(address)
    return value


_LIST, _TABLE = "(list)", "(table)"
"""Tags of the two forms; they stand in pydantic's locations."""

MobileNodes = Annotated[
    Annotated[tuple[Network, ...], Field(strict=False), Tag(_LIST)]
    | Annotated[
        dict[Address, Annotated[Trust, BeforeValidator(_trust)]],
        BeforeValidator(_each_once),
        Tag(_TABLE),
    ],
    Discriminator(lambda value: _LIST if isinstance(value, list | tuple) else _TABLE),
]


class HomeAgentSection(Section):
    """`[home_agent]` (§10)."""

    address: Address
    home_prefix: Network
    home_link: LinkName | None = None
    """None: a virtual home link, its prefix is routed to this machine."""
    mobile_nodes: MobileNodes = ()
    """Which home addresses may register: a table with the key of each, or, without
    authentication, a list of addresses and prefixes."""
    lifetime_max: Lifetime = 3600
    """Seconds that a registration is granted at most."""
    bindings_max: Annotated[int, Field(ge=1, le=4_000_000)] = 16384
    grace: Annotated[float, Field(ge=0, le=60)] = 2.0
    """Seconds that packets from the previous care-of address still count; 0: none."""
    updates_max: Annotated[int, Field(ge=1, le=1000)] = 10
    """Binding Updates of one mobile node in a second; the others are ignored.  It sends
    three at most (MAX_UPDATE_RATE, §12), but they may get here together."""

    allow: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    """Home addresses and prefixes that may register; without any all may.  Of several
    entries that hold a home address the longest counts."""
    refuse: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    """Those that may not: they are answered by status 129."""
    lifetimes: dict[Network, Lifetime] = Field(default_factory=dict)
    """Seconds that these are granted at most, where it is less than `lifetime_max`."""
    prefix_interval_min: Annotated[float, Field(gt=0, le=86_400)] = INTERVAL_MIN
    """Seconds that mobile nodes wait at least for what is new about the prefixes, so
    that not all are told at once; and at most (MinMobPfxAdvInterval and
    MaxMobPfxAdvInterval, §13)."""
    prefix_interval_max: Annotated[float, Field(gt=0, le=86_400)] = INTERVAL_MAX
    preference: Annotated[int, Field(ge=0, le=65535)] = 0
    """Among the home agents of the home link; the highest is named first (§10.5.1)."""

    multicast: bool = False
    """Packets for groups of global scope on the home link are sent to mobile nodes that
    are away and listen to them (§10.4.2, §10.4.3); what these send to groups of more
    than the link is sent on there (§11.3.4)."""
    prefixes: Annotated[dict[Network, PrefixSection], Field(max_length=32)] = Field(
        default_factory=dict
    )
    """Prefixes of the home link beside `home_prefix`, or what its lifetimes are.  To
    renumber the home link add the new one, deprecate the old one, then remove it."""

    _address = field_validator("address")(usable)

    @field_validator("multicast")
    @classmethod
    def _multicast(cls, value: bool, information: ValidationInfo) -> bool:
        if value and information.data.get("home_link") is None:
            raise ValueError("needs home_link: no multicast gets to a virtual one")
        return value

    @field_validator("prefix_interval_max")
    @classmethod
    def _prefix_interval_max(cls, value: float, information: ValidationInfo) -> float:
        if value < information.data.get("prefix_interval_min", INTERVAL_MIN):
            raise ValueError("is less than prefix_interval_min")
        return value

    @property
    def home_prefixes(self) -> tuple[HomePrefix, ...]:
        said = {self.home_prefix: PrefixSection(), **self.prefixes}
        return tuple(home_prefix(network, one) for network, one in said.items())

    @property
    def prefixes_said(self) -> tuple[HomePrefix, ...]:
        """Those whose lifetimes are in `prefixes`."""
        return tuple(
            home_prefix(network, one) for network, one in self.prefixes.items()
        )

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """`allow`, `refuse` and `lifetimes`; what is both allowed and refused is
        refused."""
        return (
            *(Permission(network=n, allowed=True) for n in self.allow),
            *(Permission(network=n, allowed=False) for n in self.refuse),
            *(
                Permission(network=n, lifetime_max=seconds)
                for n, seconds in self.lifetimes.items()
            ),
        )

    @property
    def home_networks(self) -> tuple[IPv6Network, ...]:
        """The home addresses that may register."""
        listed = tuple(IPv6Network(entry) for entry in self.mobile_nodes)
        return (*listed, *(other for _, other in self._elsewhere(listed)))

    @property
    def formed(self) -> Iterator[tuple[IPv6Address, IPv6Address]]:
        """Home addresses of the table, and those that the same mobile nodes have in the
        other prefixes of the home link (decision 0034)."""
        listed = tuple(IPv6Network(entry) for entry in self.mobile_nodes)
        for network, other in self._elsewhere(listed):
            yield network.network_address, other.network_address

    def _elsewhere(
        self, listed: tuple[IPv6Network, ...]
    ) -> Iterator[tuple[IPv6Network, IPv6Network]]:
        """With their originals.  What is listed itself has a key of its own."""
        prefixes = {self.home_prefix, *self.prefixes}
        if len(prefixes) == 1:
            return
        known = set(listed)
        for network in listed:
            for other in elsewhere(network, prefixes):
                if other not in known and self.address not in other:
                    yield network, other


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
        return f"{self._file}:{_line(self._lines, keys)}"

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
    lines = _lines(text)
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
            line = _line(lines, ("mobile_node", "home_agent"))
            home_agents = wrong_home_agents(
                mobile_node.home_agent,
                mobile_node.home_address.ip,
                any_key=configuration.authentication in ("shared_key", "mn_ha")
                and mobile_node.mobility_spi is None,
                authenticates=configuration.authenticates,
            )
            errors += ((line, f"[mobile_node] home_agent {w}") for w in home_agents)
        wrong = problems(configuration.router, configuration.home_agent)
        errors += ((_line(lines, keys), what) for keys, what in wrong)
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
        found.append((_line(lines, (section, key)), what))

    home_agent = configuration.home_agent
    mechanism = configuration.authentication or "none"
    for keys, _, trust in configuration.trusts():
        for key, what in contradictions(mechanism, trust):
            found.append((_line(lines, (*keys, key)), what))
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
        if not isinstance(part, int) and part not in (_LIST, _TABLE, "[key]")
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
    return _line(lines, where), what


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


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """The line of each table and key.  Good for the plain files we document: a key
    inside an inline table is told at the line of the table."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(rf"\s*\[+\s*({_KEY})\s*\]+", line):
            table = _parts(header[1])
            found.setdefault(table, number)
        elif key := re.match(rf"\s*({_KEY})\s*=", line):
            found.setdefault((*table, *_parts(key[1])), number)
    return found


_WORD = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_KEY = rf"{_WORD}(?:\s*\.\s*{_WORD})*"


def _parts(key: str) -> tuple[str, ...]:
    """The words of a dotted key; an address in the spelling that we use."""
    return tuple(_plain(part.strip("\"'")) for part in re.findall(_WORD, key))


def _plain(word: str) -> str:
    try:
        return str(IPv6Address(word))
    except ValueError:
        return word


def _line(lines: dict[tuple[str, ...], int], where: tuple[str, ...]) -> int:
    while where and where not in lines:
        where = where[:-1]
    return lines.get(where, 1)
