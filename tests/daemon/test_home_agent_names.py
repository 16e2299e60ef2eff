"""The home agents of a mobile node, as its configuration names them."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from tests.daemon.test_credentials import (
    HOME_ADDRESS,
    KEYS,
    MOBILE_NODE,
    put,
    read,
    written,
)

from mip6.core.state import End
from mip6.daemon import home_agent_names
from mip6.daemon.configuration import parse
from mip6.daemon.dry_run import lines
from mip6.daemon.errors import ConfigurationError
from mip6.daemon.home_agent_names import APART, NameLookup, look_up
from mip6.daemon.mobile_node_section import MobileNodeSection
from mip6.daemon.protection import Protection
from mip6.security.associations import Associations

FIRST = IPv6Address("2001:db8:a::1")
SECOND = IPv6Address("2001:db8:a::2")
THIRD = IPv6Address("2001:db8:a::3")
LINE = 'home_agent = "2001:db8:a::1"\n'
OPTION = 'authentication = "mn_ha"'


def section(wanted: str, text: str = MOBILE_NODE) -> MobileNodeSection:
    mobile_node = parse(text.replace(LINE, wanted), "f").mobile_node
    assert mobile_node is not None
    return mobile_node


@pytest.mark.parametrize(
    ("wanted", "addresses", "discovers", "fixed"),
    [
        (LINE, (FIRST,), False, True),
        ("", (), True, False),
        ('home_agent = "discover"\n', (), True, False),
        ('home_agent = "ha.example.com"\n', (), False, False),
        ('home_agent = "ha.example.com."\n', (), False, False),
        ('home_agent = "ha"\n', (), False, False),
        (
            'home_agent = ["2001:db8:a::2", "ha.example.com", "discover"]\n',
            (SECOND,),
            True,
            False,
        ),
        ('home_agent = ["2001:db8:a::2", "2001:db8:a::1"]\n', (SECOND, FIRST), 0, True),
    ],
)
def test_what_may_be_written(
    wanted: str, addresses: tuple[IPv6Address, ...], discovers: bool, fixed: bool
) -> None:
    mobile_node = section(wanted)
    assert mobile_node.home_agents == addresses
    assert mobile_node.discovers == discovers
    assert mobile_node.has_fixed_home_agents == fixed


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        ('"2001:db8:a::1x"', "4: [mobile_node]"),
        ('"fe80::1"', "fe80::1 is not a global unicast address"),
        ('"ff02::1"', "ff02::1 is not a global unicast address"),
        ('"::1"', "::1 is not a global unicast address"),
        ('"::"', ":: is not a global unicast address"),
        ('"192.0.2.1"', "192.0.2.1 is no IPv6 address"),
        ('"-x.example.com"', "neither an IPv6 address nor a name"),
        ('"a b"', "neither an IPv6 address nor a name"),
        ('""', "neither an IPv6 address nor a name"),
        ("[]", "must be an address, a name"),
        ("1", "must be an address, a name"),
        ("[1]", "must be a string"),
        (f'"{"abc." * 64}de"', "at most 253"),
        ('"2001:db8:a::100"', "is the home address itself"),
        (str([f"2001:db8:a::{n:x}" for n in range(1, 18)]), "at most 16"),
    ],
)
def test_what_may_not(wanted: str, what: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        section(f"home_agent = {wanted}\n")
    [line] = caught.value.lines
    assert line.startswith("f:4: ")
    assert what in line


def test_without_authentication_nobody_is_looked_for() -> None:
    """Whoever answered would be believed."""
    text = MOBILE_NODE.replace("shared_key", "none").replace('key = "laptop.key"\n', "")
    assert section('home_agent = ["2001:db8:a::1", "2001:db8:a::2"]\n', text)
    for wanted in ("", 'home_agent = "ha.example.com"\n'):
        with pytest.raises(ConfigurationError, match="must name addresses"):
            section(wanted, text)


@pytest.mark.parametrize("more", [', "2001:db8:a::2"', ', "discover"'])
def test_keys_made_by_hand_are_for_one_home_agent(more: str) -> None:
    text = MOBILE_NODE.replace('authentication = "shared_key"', OPTION)
    text += 'identifier = "laptop@example.com"\nmobility_spi = 1000\n'
    assert section(LINE, text)
    with pytest.raises(ConfigurationError, match="must be one address"):
        section(f'home_agent = ["2001:db8:a::1"{more}]\n', text)


def test_where_there_is_none_yet_a_dry_run_makes_one_up() -> None:
    configuration = parse(MOBILE_NODE.replace(LINE, ""), "f")
    shown = list(lines(configuration, "mip6"))
    assert "# its home agent is found at work; here it is 2001:db8:a::1" in shown


# Keys.


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    put(tmp_path, "laptop.key", written(KEYS[0]))
    return tmp_path


@pytest.mark.parametrize("kind", ["esp", "option"])
def test_keys_for_those_that_are_found_later(directory: Path, kind: str) -> None:
    """Each has keys of its own (RFC 6275 §5.1): what one knows is no use to others."""
    text = MOBILE_NODE.replace(LINE, "")
    if kind == "option":
        text = text.replace('authentication = "shared_key"', OPTION)
        text += 'identifier = "laptop@example.com"\n'
    loaded = read(directory, text)
    assert (loaded.by_esp, loaded.by_option) == (kind == "esp", kind == "option")
    assert loaded.associations == []
    assert loaded.mobility == []
    found = loaded.with_home_agents((FIRST, SECOND))
    assert found.fingerprints == loaded.fingerprints != {}
    both = [*found.associations, *found.mobility]
    assert [one.home_agent for one in both] == [FIRST, SECOND]
    assert {one.home_address for one in both} == {HOME_ADDRESS}
    secrets = [
        made.transform.integrity_key
        for one in found.associations
        for purpose in one.purposes
        for made in one.made(purpose)
    ] + [one.key for one in found.mobility]
    assert len(set(secrets)) == len(secrets) == (12 if kind == "esp" else 2)
    # As if they had been in the file.
    named = read(
        directory,
        text.replace(
            "interfaces", 'home_agent = ["2001:db8:a::1", "2001:db8:a::2"]\ninterfaces'
        ),
    )
    assert (named.associations, named.mobility) == (found.associations, found.mobility)
    assert found.with_home_agents(()).associations == []


def test_protection_is_there_before_any_home_agent_is_known(directory: Path) -> None:
    loaded = read(directory, MOBILE_NODE.replace(LINE, ""))
    protection = Protection(End.MOBILE_NODE, loaded, {})
    assert isinstance(protection._esp, Associations)
    assert protection.spis == frozenset()
    protection.replace(loaded.with_home_agents([SECOND]))
    assert len(protection.spis) == 3


def test_a_home_agent_has_keys_for_itself_alone(directory: Path) -> None:
    text = (
        'authentication = "shared_key"\n[home_agent]\naddress = "2001:db8:a::1"\n'
        'home_prefix = "2001:db8:a::/64"\n[home_agent.mobile_nodes]\n'
        '"2001:db8:a::100" = "laptop.key"\n'
    )
    loaded = read(directory, text)
    assert loaded.with_home_agents([SECOND]) is loaded


# Names.


class Names:
    """A resolver, and what came of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *entries: object) -> None:
        self.answers: dict[str, list[IPv6Address]] = {}
        self.lists: list[tuple[IPv6Address, ...]] = []
        self.missing: list[list[str]] = []
        self.asked = 0
        self.told = asyncio.Event()
        monkeypatch.setattr(home_agent_names, "look_up", self.look_up)
        self.lookup = NameLookup(entries, self.found, self.nobody)  # type: ignore[arg-type]
        self.looked_up: Callable[..., None] = self.lookup._looked_up
        monkeypatch.setattr(self.lookup, "_looked_up", self.done)

    def look_up(self, name: str) -> list[IPv6Address]:
        self.asked += 1
        return self.answers.get(name, [])

    def done(self, found: dict[str, list[IPv6Address]]) -> None:
        self.looked_up(found)
        self.told.set()

    def found(self, listed: tuple[IPv6Address, ...]) -> None:
        self.lists.append(listed)

    def nobody(self, names: list[str]) -> None:
        self.missing.append(names)

    async def again(self) -> None:
        """As when the time between two look-ups has passed."""
        self.told.clear()
        self.lookup._looked_at = 0.0
        self.lookup.wake()
        await asyncio.wait_for(self.told.wait(), 40)


def test_names_are_looked_up_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        names = Names(monkeypatch, THIRD, "a.example", "discover")
        await names.again()
        assert names.missing == [["a.example"]]
        assert names.lists == []
        names.answers["a.example"] = [FIRST, SECOND]
        await names.again()
        assert names.lists == [(THIRD, FIRST, SECOND)]
        # The order of an answer means nothing, and no answer is no news.
        names.answers["a.example"] = [SECOND, FIRST]
        await names.again()
        names.answers["a.example"] = []
        await names.again()
        assert len(names.lists) == 1
        assert len(names.missing) == 1
        names.answers["a.example"] = [SECOND]
        await names.again()
        assert names.lists[1:] == [(THIRD, SECOND)]
        # Not all the time.
        asked = names.asked
        names.lookup._looked_at = asyncio.get_running_loop().time()
        names.lookup.wake()
        names.lookup.wake()
        assert names.asked == asked
        timer = names.lookup._timer
        assert timer is not None
        assert timer.when() <= asyncio.get_running_loop().time() + APART
        names.lookup.stop()
        assert timer.cancelled()
        names.lookup.wake()
        names.looked_up({"a.example": [FIRST]})
        assert len(names.lists) == 2

    asyncio.run(play())


def test_addresses_alone_are_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        names = Names(monkeypatch, FIRST, "discover")
        names.lookup.wake()
        names.lookup.stop()
        assert names.asked == 0

    asyncio.run(play())


def test_the_machines_own_resolver() -> None:
    assert look_up("no-such-name.invalid") == []
    assert look_up("::1") == [IPv6Address("::1")]
    assert look_up("x" * 300) == []
