"""Every mistake in a configuration is told at once, with its line."""

from datetime import UTC, datetime
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

import pytest

from mip6.core.policy import Permission
from mip6.core.prefixes import HomePrefix
from mip6.core.route_optimization import Mode
from mip6.daemon.configuration import load, parse
from mip6.daemon.errors import ConfigurationError
from mip6.linux import clock

EXAMPLES = Path(__file__).parents[2] / "examples"

HOME_AGENT = """\
authentication = "none"
[home_agent]
address = "2001:db8:a::1"
home_prefix = "2001:db8:a::/64"
home_link = "eth1"
mobile_nodes = ["2001:db8:a::100"]
"""
MOBILE_NODE = """\
authentication = "none"
[mobile_node]
home_address = "2001:db8:a::100/64"
home_agent = "2001:db8:a::1"
interfaces = ["eth0"]
manage = true
"""


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "f")
    return caught.value.lines


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda p: p.name)
def test_the_examples_are_right_and_short(path: Path) -> None:
    configuration = load(path)
    assert configuration.roles[0] == path.stem.removesuffix("_virtual")
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    assert len([line for line in lines if not line.startswith("#")]) <= 10


def test_what_is_not_said_has_a_default() -> None:
    home_agent = parse(HOME_AGENT, "f").home_agent
    assert home_agent is not None
    assert home_agent.address == IPv6Address("2001:db8:a::1")
    assert home_agent.mobile_nodes == (IPv6Network("2001:db8:a::100/128"),)
    assert (home_agent.lifetime_max, home_agent.grace) == (3600, 2.0)
    assert home_agent.updates_max == 10
    configuration = parse(MOBILE_NODE, "f")
    mobile_node = configuration.mobile_node
    assert mobile_node is not None
    assert (configuration.name, configuration.device) == ("mip6", "mip0")
    assert mobile_node.home_address.network == IPv6Network("2001:db8:a::/64")
    assert (mobile_node.lifetime, mobile_node.table) == (600, 100)
    assert mobile_node.fallback is True


def test_a_correspondent_needs_nothing_but_its_section() -> None:
    configuration = parse("[correspondent_node]", "f")
    assert configuration.roles == ("correspondent_node",)
    assert configuration.authentication is None and not configuration.authenticates
    wanted = configuration.correspondent
    assert wanted is not None
    assert (wanted.bindings_max, wanted.lifetime_max) == (4096, 420)
    assert wanted.allow == wanted.refuse == ()
    assert list(configuration.trusts()) == []


@pytest.mark.rfc("8.2-11", "a section of the configuration switches it on and off")
def test_which_nodes_are_correspondents() -> None:
    """A home agent where it says so, a mobile node where it does not say otherwise."""
    correspondent = "[correspondent_node]\n"
    assert parse(HOME_AGENT, "f").roles == ("home_agent",)
    roles = parse(HOME_AGENT + correspondent, "f").roles
    assert roles == ("home_agent", "correspondent_node")
    roles = parse(MOBILE_NODE, "f").roles
    assert roles == ("mobile_node", "correspondent_node")
    limited = parse(MOBILE_NODE + correspondent + "bindings_max = 7", "f")
    assert limited.correspondent and limited.correspondent.bindings_max == 7
    off = parse(MOBILE_NODE + correspondent + "enabled = false", "f")
    assert off.roles == ("mobile_node",) and off.correspondent is None


def test_a_mobile_nodes_wishes_by_correspondent() -> None:
    default = parse(MOBILE_NODE, "f").mobile_node
    assert default is not None
    assert (default.route_optimization, default.ask_again_after) == (True, 300)
    text = MOBILE_NODE + (
        "route_optimization = false\n[mobile_node.correspondents]\n"
        '"2001:db8:e::/48" = "always"\n"2001:db8:e::2" = "never"\n"::/0" = 60\n'
    )
    mobile_node = parse(text, "f").mobile_node
    assert mobile_node is not None and not mobile_node.route_optimization
    assert mobile_node.correspondents == {
        IPv6Network("2001:db8:e::/48"): "always",
        IPv6Network("2001:db8:e::2/128"): "never",
        IPv6Network("::/0"): 60,
    }


def test_without_a_protected_home_test_nothing_is_optimized() -> None:
    """Who reads the Home Test on the visited link could bind the home address."""
    manual = ROAMING.replace('"shared_key"', '"manual"').replace("key =", "#")
    pair = """
to_home_agent = { spi = 1001, key = "a" }
to_mobile_node = { spi = 1002, key = "b" }
"""
    manual += f"[mobile_node.binding]{pair}"
    mn_ha = ROAMING.replace('"shared_key"', '"mn_ha"') + 'identifier = "a@b"\n'
    for text, expected in (
        (ROAMING, True),
        (MOBILE_NODE, True),  # without authentication nothing is protected anyway
        (mn_ha, False),
        (manual, False),
        (f"{manual}[mobile_node.return_routability]{pair}", True),
        (PROTECTED, False),
    ):
        configuration = parse(text, "f")
        assert configuration.optimizes_routes is expected
        never = [policy.mode for policy in configuration.policies] == [Mode.NEVER]
        assert never is not expected


def test_the_policies_of_the_core() -> None:
    text = MOBILE_NODE + (
        "route_optimization = false\nask_again_after = 77\n"
        '[mobile_node.correspondents]\n"2001:db8:e::/48" = "always"\n'
        '"2001:db8:f::/48" = 60\n"2001:db8:d::/48" = "auto"\n'
    )
    policies = {str(p.prefix): p for p in parse(text, "f").policies}
    assert {k: (p.mode, p.ask_again) for k, p in policies.items()} == {
        "::/0": (Mode.NEVER, 77),
        "2001:db8:e::/48": (Mode.ALWAYS, 77),
        "2001:db8:f::/48": (Mode.AUTO, 60),
        "2001:db8:d::/48": (Mode.AUTO, 77),
    }


CORRESPONDENTS = MOBILE_NODE + "[mobile_node.correspondents]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[correspondent_node]\nlifetime_max = 424",
            'f:2: [correspondent_node] "lifetime_max" must be less than or equal to',
        ),
        (
            "[correspondent_node]\nbinding_max = 1",
            'f:2: [correspondent_node] unknown key "binding_max": did you mean '
            '"bindings_max"?',
        ),
        (
            '[correspondent_node]\nallow = ["2001:db8::1/64"]',
            'f:2: [correspondent_node] "allow" 2001:db8::1/64 has host bits set',
        ),
        (
            "[correspondent_node]\nenabled = false",
            "f:1: a section [home_agent], [mobile_node], [correspondent_node] or",
        ),
        (CORRESPONDENTS + '"2001:db8::/32" = "maybe"', 'f:8: [mobile_node] "2001:db8:'),
        (CORRESPONDENTS + '"2001:db8::/32" = true', 'f:8: [mobile_node] "2001:db8:'),
        (CORRESPONDENTS + '"2001:db8::/32" = 0', 'f:8: [mobile_node] "2001:db8::/3'),
        (CORRESPONDENTS + '"laptop" = 60', 'f:8: [mobile_node] "laptop" '),
    ],
)
def test_a_mistake_about_route_optimization(text: str, expected: str) -> None:
    [line] = errors(text)
    assert line.startswith(expected), line


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HOME_AGENT.replace('authentication = "none"', ""), 'f:1: "authentication" is'),
        (
            changed(HOME_AGENT, '"none"', '"psk"'),
            "f:1: \"authentication\" must be 'shared_key', 'manual', 'mn_ha' or 'none'",
        ),
        (
            changed(HOME_AGENT, 'mobile_nodes = ["2001:db8:a::100"]', ""),
            'f:2: authentication = "none" needs the home addresses',
        ),
        (
            changed(HOME_AGENT, '["2001:db8:a::100"]', '["2001:db8:b::1"]'),
            "f:6: 2001:db8:b::1/128 is not in home_prefix 2001:db8:a::/64",
        ),
        (
            changed(HOME_AGENT, '["2001:db8:a::100"]', '["2001:db8:a::/64"]'),
            "f:6: 2001:db8:a::/64 holds the home agent's own address",
        ),
        (
            changed(HOME_AGENT, '"2001:db8:a::1"', '"2001:db8:b::1"'),
            "f:3: must be in home_prefix 2001:db8:a::/64 on a home link",
        ),
        (
            changed(HOME_AGENT, "home_link", "home_lnk"),
            'f:5: [home_agent] unknown key "home_lnk": did you mean "home_link"?',
        ),
        (HOME_AGENT + "x = 1", 'f:7: [home_agent] unknown key "x"'),
        (
            changed(HOME_AGENT, "[home_agent]", "[home_agnt]"),
            'f:2: unknown key "home_agnt": did you mean "home_agent"?',
        ),
        (
            changed(HOME_AGENT, '"2001:db8:a::/64"', '"2001:db8:a::1/64"'),
            'f:4: [home_agent] "home_prefix" 2001:db8:a::1/64 has host bits set',
        ),
        (
            changed(HOME_AGENT, '"2001:db8:a::1"', "1"),
            'f:3: [home_agent] "address" must be a string such as "2001:db8:a::1"',
        ),
        (
            changed(HOME_AGENT, '"2001:db8:a::1"', '"fe80::1"'),
            'f:3: [home_agent] "address" fe80::1 is not a global unicast address',
        ),
        (HOME_AGENT + "lifetime_max = 6", 'f:7: [home_agent] "lifetime_max" must be a'),
        (HOME_AGENT + "updates_max = 0", 'f:7: [home_agent] "updates_max" must be'),
        (
            HOME_AGENT + "bindings_max = 0",
            'f:7: [home_agent] "bindings_max" must be gr',
        ),
        (
            changed(MOBILE_NODE, "manage = true", ""),
            'f:2: [mobile_node] lacks "manage": write manage = true',
        ),
        (
            changed(MOBILE_NODE, "true", "7"),
            'f:6: [mobile_node] "manage" must be',
        ),
        (
            changed(MOBILE_NODE, "100/64", "100"),
            'f:3: [mobile_node] "home_address" wri',
        ),
        (
            changed(MOBILE_NODE, '"2001:db8:a::1"', '"2001:db8:a::100"'),
            "f:4: [mobile_node] home_agent is the home address itself",
        ),
        (
            changed(MOBILE_NODE, '["eth0"]', "[]"),
            'f:5: [mobile_node] "interfaces" must',
        ),
        (
            changed(MOBILE_NODE, '["eth0"]', '["e/0"]'),
            'f:5: [mobile_node] "interfaces"',
        ),
        (MOBILE_NODE + "table = 254", 'f:7: [mobile_node] "table" is one of the kern'),
        (
            MOBILE_NODE + HOME_AGENT.partition("\n")[2],
            "f:1: [home_agent] and [mobile_n",
        ),
        (
            'authentication = "none"',
            "f:1: a section [home_agent], [mobile_node], [correspondent_node] or",
        ),
        ("a = = 1", "f:1: Invalid value"),
        ("\n\n[x", "f:3: "),
    ],
)
def test_one_mistake(text: str, expected: str) -> None:
    [line] = errors(text)
    assert line.startswith(expected), line
    assert "\n" not in line


def test_several_mistakes_at_once_in_the_order_of_the_file() -> None:
    text = """
[home_agent]
adress = "2001:db8:a::1"
home_prefix = "2001:db8:a::/129"
lifetime_max = "long"
"""
    found = errors(text)
    assert [line.split()[0] for line in found] == [
        "f:1:",
        "f:2:",
        "f:3:",
        "f:4:",
        "f:5:",
    ]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigurationError, match=f"{path}: "):
            load(path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        load(binary)


PROTECTED = """\
authentication = "shared_key"
[home_agent]
address = "2001:db8:a::1"
home_prefix = "2001:db8:a::/64"
[home_agent.mobile_nodes]
"2001:db8:a::100" = "laptop.key"
"2001:DB8:a::0101" = ["new.key", "old.key"]
"""
ROAMING = """\
authentication = "shared_key"
[mobile_node]
home_address = "2001:db8:a::100/64"
home_agent = "2001:db8:a::1"
interfaces = ["eth0"]
manage = true
key = "laptop.key"
"""
SHARED, MN_HA = '"shared_key"', '"mn_ha"'


def test_who_shares_what() -> None:
    first, second = parse(PROTECTED, "f").trusts()
    assert (str(first[1]), first[2].key) == ("2001:db8:a::100", ("laptop.key",))
    assert (str(second[1]), second[2].key) == (
        "2001:db8:a::101",
        ("new.key", "old.key"),
    )
    assert parse(PROTECTED, "f").where(*second[0], "key") == "f:7"
    [(keys, home_address, trust)] = parse(ROAMING, "dir/f").trusts()
    assert (str(home_address), trust.key) == ("2001:db8:a::100", ("laptop.key",))
    assert parse(ROAMING, "dir/f").where(*keys, "key") == "dir/f:7"
    assert parse(ROAMING, "dir/f").directory == Path("dir")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            ROAMING.replace('key = "laptop.key"\n', ""),
            'f:2: authentication = "shared_key" needs key = "laptop.key" (mip6 keygen',
        ),
        (
            changed(ROAMING, SHARED, MN_HA),
            'f:2: authentication = "mn_ha" needs identifier = "',
        ),
        (
            changed(ROAMING, SHARED, '"none"'),
            'f:7: "key" is not for authentication = "none"',
        ),
        (
            ROAMING + 'identifier = "a@b"',
            'f:8: "identifier" is not for authentication = "shared_key"',
        ),
        (changed(ROAMING, '"laptop.key"', '""'), 'f:7: [mobile_node] "key" '),
        (changed(ROAMING, '"laptop.key"', "7"), 'f:7: [mobile_node] "key" '),
        (
            changed(PROTECTED, SHARED, '"none"').replace('"laptop.key"', '"a"'),
            None,
        ),
        (
            changed(HOME_AGENT, '"none"', SHARED),
            'f:6: authentication = "shared_key" needs a table [home_agent.mob',
        ),
        (
            HOME_AGENT.replace('"none"', SHARED).rpartition("mobile_nodes")[0],
            'f:2: authentication = "shared_key" needs a table [home_agent.mob',
        ),
        (
            changed(PROTECTED, '"2001:DB8:a::0101"', '"2001:db8:a::100"'),
            "f:7: ",  # TOML itself has no key twice
        ),
        (
            changed(PROTECTED, '"2001:DB8:a::0101"', '"2001:db8:A::100"'),
            'f:5: [home_agent] "mobile_nodes" has 2001:db8:a::100 twice',
        ),
        (
            changed(PROTECTED, '"2001:DB8:a::0101"', '"laptop"'),
            'f:7: [home_agent] "laptop"',
        ),
        (
            changed(PROTECTED, '"2001:DB8:a::0101"', '"2001:db8:b::1"'),
            "f:5: 2001:db8:b::1/128 is not in home_prefix 2001:db8:a::/64",
        ),
        (
            changed(PROTECTED, '"laptop.key"', '{ kee = "laptop.key" }'),
            'f:6: [home_agent] unknown key "kee": did you mean "key"?',
        ),
        (
            changed(PROTECTED, '["new.key", "old.key"]', '{ identifier = "a@b" }'),
            'f:7: "identifier" is not for authentication = "shared_key"',
        ),
    ],
)
def test_a_mistake_about_who_may_bind(text: str, expected: str | None) -> None:
    found = errors(text)
    if expected is None:
        assert len(found) == 3 and "needs the home addresses" in found[0]
    else:
        assert found[0].startswith(expected), found


def test_algorithms_that_static_keys_forbid() -> None:
    text = """\
authentication = "manual"
[mobile_node]
home_address = "2001:db8:a::100/64"
home_agent = "2001:db8:a::1"
interfaces = ["eth0"]
manage = true
[mobile_node.binding]
integrity = "none"
encryption = "aes-gcm"
to_home_agent = { spi = 1, key = "a" }
to_mobile_node = { spi = 1002, key = "b" }
"""
    integrity, encryption, spi = errors(text)
    assert "f:8: " in integrity and "protects nothing (RFC 6275 5.1)" in integrity
    assert "f:9: " in encryption and "must not be used with static keys" in encryption
    assert "f:10: " in spi and "256" in spi


def test_the_access_list_of_a_home_agent() -> None:
    text = HOME_AGENT + (
        'allow = ["2001:db8:a::/96"]\n'
        'refuse = ["2001:db8:a::100"]\n'
        'lifetimes = { "2001:db8:a::200" = 40 }\n'
        "preference = 7\n"
    )
    wanted = parse(text, "f").home_agent
    assert wanted is not None
    assert wanted.preference == 7
    assert wanted.permissions == (
        Permission(network=IPv6Network("2001:db8:a::/96"), allowed=True),
        Permission(network=IPv6Network("2001:db8:a::100"), allowed=False),
        Permission(network=IPv6Network("2001:db8:a::200"), lifetime_max=40),
    )
    assert errors(text.replace("= 40", "= 3"))


def test_the_prefixes_of_the_home_link() -> None:
    text = HOME_AGENT + (
        'prefixes = { "2001:db8:1a::/64" = {}, '
        '"2001:db8:a::/64" = { valid_lifetime = 900, preferred_lifetime = 0 } }\n'
    )
    wanted = parse(text.replace("a::100", "1a::100"), "f").home_agent
    assert wanted is not None
    assert wanted.home_prefixes == (
        HomePrefix(
            network=IPv6Network("2001:db8:a::/64"),
            valid_lifetime=900,
            preferred_lifetime=0,
        ),
        HomePrefix(network=IPv6Network("2001:db8:1a::/64")),
    )
    alone = parse(HOME_AGENT, "f").home_agent
    assert alone is not None
    assert alone.home_prefixes == (HomePrefix(network=IPv6Network("2001:db8:a::/64")),)
    assert errors(HOME_AGENT.replace("a::100", "1a::100"))


def test_a_moment_at_which_a_prefix_ends() -> None:
    """By the wall clock, so a restart does not make it longer."""
    text = (
        HOME_AGENT + 'prefixes = { "2001:db8:a::/64" = '
        "{ preferred_until = 2100-01-01T00:00:00Z, "
        "valid_until = 2100-01-01T00:01:00+00:00 } }\n"
    )
    wanted = parse(text, "f").home_agent
    assert wanted is not None
    [prefix] = wanted.home_prefixes
    assert prefix.valid_until - prefix.preferred_until == 60
    wall = prefix.valid_until + clock.wall_ahead()
    assert abs(wall - datetime(2100, 1, 1, 0, 1, tzinfo=UTC).timestamp()) < 2
    assert wanted.home_prefixes == (prefix,)
    [error] = errors(text.replace("00:00Z", "00:00"))
    assert "preferred_until needs a time zone: 2100-01-01T00:00:00Z" in error


def test_the_intervals_of_prefix_advertisements() -> None:
    wanted = parse(HOME_AGENT + "prefix_interval_min = 1\n", "f").home_agent
    assert wanted is not None
    assert (wanted.prefix_interval_min, wanted.prefix_interval_max) == (1, 86400)
    [error] = errors(HOME_AGENT + "prefix_interval_max = 599\n")
    assert '"prefix_interval_max" is less than prefix_interval_min' in error
    assert errors(HOME_AGENT + "prefix_interval_min = 0\n")


@pytest.mark.parametrize(
    ("listed", "prefixes", "more"),
    [
        ("2001:db8:a::100", '"2001:db8:1a::/64" = {}', ["2001:db8:1a::100/128"]),
        ("2001:db8:a:0:1::/80", '"2001:db8:1a::/64" = {}', ["2001:db8:1a:0:1::/80"]),
        # Prefixes of other lengths leave other room for an identifier.
        ("2001:db8:a::100", '"2001:db8:1a::/48" = {}', []),
        # Somebody else is there already, or the home agent itself.
        ('2001:db8:a::100", "2001:db8:1a::100', '"2001:db8:1a::/64" = {}', []),
        ("2001:db8:1a::1", '"2001:db8:1a::/64" = {}', []),
    ],
)
def test_home_addresses_in_all_prefixes(
    listed: str, prefixes: str, more: list[str]
) -> None:
    """A mobile node has the same identifier in each (decision 0034)."""
    text = HOME_AGENT.replace("2001:db8:a::100", listed)
    text += f"prefixes = {{ {prefixes} }}\n"
    wanted = parse(text, "f").home_agent
    assert wanted is not None
    networks = [str(network) for network in wanted.home_networks]
    assert networks[len(wanted.mobile_nodes) :] == more


def test_multicast_needs_a_home_link() -> None:
    text = HOME_AGENT + "multicast = true\n"
    wanted = parse(text, "f").home_agent
    assert wanted is not None and wanted.multicast
    [error] = errors(text.replace('home_link = "eth1"\n', ""))
    assert '"multicast" needs home_link' in error


FORMED = MOBILE_NODE.replace(
    'home_address = "2001:db8:a::100/64"',
    'home_prefix = "2001:db8:a::/64"\ninterface_identifier = "::100"',
)


def test_a_home_address_formed_of_its_parts() -> None:
    wanted = parse(FORMED, "f").mobile_node
    plain = parse(MOBILE_NODE, "f").mobile_node
    assert wanted is not None and plain is not None
    assert wanted.home_address == plain.home_address
    assert wanted.home_prefix == IPv6Network("2001:db8:a::/64")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('interface_identifier = "::100"', "", 'lacks "interface_identifier"'),
        ('home_prefix = "2001:db8:a::/64"', "", 'lacks "home_prefix"'),
        ("manage", 'home_address = "2001:db8:a::1/64"\nmanage', "not both"),
        ("a::/64", "a::/63", "2001:db8:a::/63 is no /64"),
        ("a::/64", "a::g/64", "home_prefix and interface_identifier: "),
        ('"::100"', '"::1:0:0:0:100"', "is not one of 64 bits"),
        ('"::100"', '"::"', "is not one of 64 bits"),
        ('"::100"', "100", "must be a string"),
    ],
)
def test_parts_of_no_home_address(old: str, new: str, expected: str) -> None:
    assert any(expected in error for error in errors(FORMED.replace(old, new)))
