"""Key files: which are taken, and what people are told about the others."""

import os
import pickle
import pwd
import re
from ipaddress import IPv6Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mip6.daemon import credentials
from mip6.daemon.configuration import Configuration, load
from mip6.daemon.credentials import Credentials
from mip6.daemon.errors import ConfigurationError
from mip6.daemon.reload import _no_room
from mip6.security.association import SharedKey
from mip6.security.esp import Encryption, Integrity
from mip6.security.keys import Direction, Purpose, Secret, fingerprint, key_text

HOME_ADDRESS = IPv6Address("2001:db8:a::100")
HOME_AGENT = """\
authentication = "shared_key"
[home_agent]
address = "2001:db8:a::1"
home_prefix = "2001:db8:a::/64"
[home_agent.mobile_nodes]
"2001:db8:a::100" = "laptop.key"
"""
MOBILE_NODE = """\
authentication = "shared_key"
[mobile_node]
home_address = "2001:db8:a::100/64"
home_agent = "2001:db8:a::1"
interfaces = ["eth0"]
manage = true
key = "laptop.key"
"""
KEYS = [Secret(bytes([n]) * 32) for n in range(5)]
TWO = HOME_AGENT + '"2001:db8:a::101" = "phone.key"\n'


def written(key: Secret) -> str:
    return key_text(key.reveal()) + "\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    put(tmp_path, "laptop.key", written(KEYS[0]))
    return tmp_path


def put(directory: Path, name: str, text: str, mode: int = 0o600) -> None:
    (directory / name).write_text(text)
    (directory / name).chmod(mode)


def configured(directory: Path, text: str) -> Configuration:
    path = directory / "mip6.toml"
    path.write_text(text)
    return load(path)


def read(directory: Path, text: str) -> Credentials:
    return credentials.load(configured(directory, text))


def errors(directory: Path, text: str) -> list[str]:
    """What is told, after the directory; no key is ever among it."""
    with pytest.raises(ConfigurationError) as caught:
        read(directory, text)
    told = str(caught.value)
    for file in filter(Path.is_file, directory.glob("*.key")):
        for word in re.findall(r"[0-9a-z]{6,}", file.read_text()):
            assert word not in told
    return [line.removeprefix(f"{directory}/") for line in caught.value.lines]


def test_one_key_on_both_sides(directory: Path) -> None:
    """From it both derive the same three pairs, and people compare eight digits."""
    here, there = read(directory, HOME_AGENT), read(directory, MOBILE_NODE)
    assert here.associations == there.associations
    [one], [other] = here.associations, there.associations
    assert isinstance(one, SharedKey) and isinstance(other, SharedKey)
    assert one.spis == other.spis_of(Direction.TO_HOME_AGENT)
    assert other.spis == one.spis_of(Direction.TO_MOBILE_NODE)
    assert len({*one.spis, *other.spis}) == len(Purpose) * len(Direction)
    assert here.fingerprints == there.fingerprints
    assert here.fingerprints == {HOME_ADDRESS: [fingerprint(KEYS[0])]}
    assert not here.mobility


def test_a_path_is_relative_to_the_configuration(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = configured(directory, MOBILE_NODE)
    monkeypatch.chdir("/")
    assert credentials.load(configuration).associations


@pytest.mark.parametrize(
    "keys", ['["new.key", "laptop.key"]', '"both.key"'], ids=["files", "lines"]
)
def test_two_keys_while_one_replaces_the_other(directory: Path, keys: str) -> None:
    put(directory, "new.key", written(KEYS[1]))
    put(directory, "both.key", written(KEYS[1]) + "# the old one\n" + written(KEYS[0]))
    for text in (HOME_AGENT, MOBILE_NODE):
        found = read(directory, text.replace('"laptop.key"', keys))
        assert len(found.associations) == 2
        wanted = [fingerprint(KEYS[1]), fingerprint(KEYS[0])]
        assert found.fingerprints[HOME_ADDRESS] == wanted


def test_the_mn_ha_option(directory: Path) -> None:
    entry = '{ key = "laptop.key", identifier = "laptop@example.com" }'
    text = HOME_AGENT.replace('"shared_key"', '"mn_ha"').replace('"laptop.key"', entry)
    [here] = read(directory, text).mobility
    text = MOBILE_NODE.replace('"shared_key"', '"mn_ha"')
    [there] = read(directory, text + 'identifier = "laptop@example.com"\n').mobility
    assert here == there
    assert here.network_access_identifier == "laptop@example.com"


def test_the_mn_ha_option_with_another_implementation(directory: Path) -> None:
    put(directory, "hex.key", "0x" + "0f" * 16 + "\n")
    text = MOBILE_NODE.replace('"shared_key"', '"mn_ha"').replace(
        "laptop.key", "hex.key"
    )
    text += 'identifier = "laptop@example.com"\nmobility_spi = 1000\n'
    [one] = read(directory, text).mobility
    assert (one.mobility_spi, one.key) == (1000, Secret(b"\x0f" * 16))
    put(directory, "hex.key", "0f" * 15)
    assert errors(directory, text) == ["mip6.toml:7: MN-HA needs a key of 16 octets"]


MANUAL = """\
authentication = "manual"
[mobile_node]
home_address = "2001:db8:a::100/64"
home_agent = "2001:db8:a::1"
interfaces = ["eth0"]
manage = true
[mobile_node.binding]
integrity = "hmac-sha1-96"
encryption = "null"
to_home_agent = { spi = 1001, key = "out.key" }
to_mobile_node = { spi = 1002, key = "in.key" }
"""


@pytest.fixture
def manual(directory: Path) -> Path:
    put(directory, "out.key", "# integrity\n" + "0a" * 20)
    put(directory, "in.key", "0x" + "0b" * 20)
    return directory


def test_manual_associations(manual: Path) -> None:
    out, back = read(manual, MANUAL).associations
    assert (out.spi, out.direction) == (1001, Direction.TO_HOME_AGENT)
    assert (back.spi, back.direction) == (1002, Direction.TO_MOBILE_NODE)
    assert out.transform.integrity is Integrity.HMAC_SHA1_96
    assert out.transform.encryption is Encryption.NULL
    assert not out.anti_replay, "the other side's counter begins anew (RFC 4303 3.3.3)"


def test_manual_associations_with_encryption(manual: Path) -> None:
    for name in ("out.key", "in.key"):
        integrity = "0c" if name == "out.key" else "0d"
        put(manual, name, f"{integrity * 32}\n{'0e' * 16}\n")
    text = MANUAL.replace('integrity = "hmac-sha1-96"\nencryption = "null"\n', "")
    out, _ = read(manual, text).associations
    assert out.transform.integrity is Integrity.HMAC_SHA2_256_128
    assert out.transform.encryption is Encryption.AES_CBC


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            '"null"',
            '"aes-cbc"',
            "mip6.toml:10: out.key: hmac-sha1-96 with aes-cbc needs 2 ",
        ),
        (
            '"hmac-sha1-96"',
            '"hmac-sha2-256-128"',
            "mip6.toml:10: out.key: hmac-sha2-25",
        ),
        ("out.key", "gone.key", "mip6.toml:10: gone.key: No such file"),
        ("out.key", "laptop.key", "mip6.toml:10: laptop.key: is not hexadecimal"),
        ("1002", "1001", None),
        ("mobile_node.binding", "mobile_node.return_routability", None),
    ],
)
def test_a_mistake_in_a_manual_association(
    manual: Path, old: str, new: str, expected: str | None
) -> None:
    text = MANUAL.replace(old, new)
    if expected is None and "1001" in new:
        assert len(read(manual, text).associations) == 2, "one SPI each way is no clash"
    elif expected is None:
        with pytest.raises(ConfigurationError, match="needs a table binding"):
            configured(manual, text)
    else:
        assert errors(manual, text)[0].startswith(expected)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o644])
def test_a_key_that_others_can_read_is_refused(directory: Path, mode: int) -> None:
    put(directory, "laptop.key", written(KEYS[0]), mode)
    [line] = errors(directory, HOME_AGENT)
    assert line == (
        f"mip6.toml:6: laptop.key can be read by others: "
        f"chmod 600 {directory}/laptop.key"
    )


@pytest.mark.parametrize(
    ("mode", "fine"), [(0o640, True), (0o644, False), (0o660, False), (0o650, False)]
)
def test_the_daemons_own_group_may_read_a_key(
    directory: Path, mode: int, fine: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not write it; then a reload can read it too, and only root changes it."""
    user = ("somebody", "x", 4711, (directory / "laptop.key").stat().st_gid or 1)
    if os.geteuid() == 0:
        os.chown(directory / "laptop.key", 0, user[3])
    found = pwd.struct_passwd((*user, "", "/", "/bin/false"))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: found)
    (directory / "laptop.key").chmod(mode)
    if fine:
        assert read(directory, HOME_AGENT).associations
    else:
        assert "can be read by others" in errors(directory, HOME_AGENT)[0]


def test_a_key_that_is_not_there(directory: Path) -> None:
    (directory / "laptop.key").unlink()
    [line] = errors(directory, MOBILE_NODE)
    assert line == (
        f"mip6.toml:7: laptop.key: No such file or directory "
        f"(mip6 keygen > {directory}/laptop.key)"
    )


def test_a_key_that_is_no_file(directory: Path) -> None:
    (directory / "laptop.key").unlink()
    (directory / "laptop.key").mkdir(mode=0o700)
    [line] = errors(directory, MOBILE_NODE)
    assert line == "mip6.toml:7: laptop.key: Is a directory"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "there is no key in it"),
        ("mip6-key-1:aaaa", "line 1: the key "),
        ("secret1 password", "line 1: the key "),
        ("\0\xff", "line 1: the key "),
        (written(KEYS[0])[:-3] + "aa\n", "line 1: the key "),
        (written(KEYS[0]) * 2, "line 2: the same key again"),
        ("".join(map(written, KEYS[:3])), "more than 2 keys"),
    ],
)
def test_a_key_file_that_cannot_be_used(
    directory: Path, text: str, expected: str
) -> None:
    put(directory, "laptop.key", text)
    [line] = errors(directory, HOME_AGENT)
    assert line.startswith(f"mip6.toml:6: laptop.key: {expected}")


@pytest.mark.rfc("5.1", "keys are unique for different mobile nodes")
def test_one_key_for_two_mobile_nodes(directory: Path) -> None:
    put(directory, "phone.key", written(KEYS[1]) + written(KEYS[0]))
    assert errors(directory, TWO) == [
        "mip6.toml:7: 2001:db8:a::100 and 2001:db8:a::101 have the same key; each "
        "mobile node needs its own (RFC 6275 5.1)"
    ]


def test_several_mistakes_at_once(directory: Path) -> None:
    put(directory, "laptop.key", "x")
    found = errors(directory, TWO)
    assert [line.split(": ")[:2] for line in found] == [
        ["mip6.toml:6", "laptop.key"],
        ["mip6.toml:7", "phone.key"],
    ]


def test_too_many_keys_in_several_files(directory: Path) -> None:
    put(directory, "more.key", written(KEYS[1]) + written(KEYS[2]))
    text = HOME_AGENT.replace('"laptop.key"', '["laptop.key", "more.key"]')
    assert errors(directory, text) == [
        "mip6.toml:6: more than 2 keys of 2001:db8:a::100"
    ]
    text = HOME_AGENT.replace('"laptop.key"', '["laptop.key", "laptop.key"]')
    assert errors(directory, text) == [
        "mip6.toml:6: the same key twice for 2001:db8:a::100"
    ]


def test_keys_do_not_show(directory: Path) -> None:
    found = read(directory, HOME_AGENT)
    letters = written(KEYS[0]).partition(":")[2][:8]
    for shown in (repr(found), str(found), str(found.associations[0])):
        assert letters not in shown and "Secret(…)" in shown
    with pytest.raises(TypeError, match="neither copied nor stored"):
        pickle.dumps(found)


RENUMBERED = HOME_AGENT.replace(
    "[home_agent.mobile_nodes]",
    'prefixes = { "2001:db8:1a::/64" = {} }\n[home_agent.mobile_nodes]',
)
NEW_HOME_ADDRESS = IPv6Address("2001:db8:1a::100")


def test_one_key_is_good_in_all_prefixes_of_the_home_link(directory: Path) -> None:
    found = credentials.load(configured(directory, RENUMBERED))
    assert set(found.by_home_address) == {HOME_ADDRESS, NEW_HOME_ADDRESS}
    old, new = (found.by_home_address[a] for a in (HOME_ADDRESS, NEW_HOME_ADDRESS))
    assert len(old) == len(new) == 1
    assert isinstance(old[0], SharedKey) and isinstance(new[0], SharedKey)
    assert not {*old[0].spis} & {*new[0].spis}
    assert found.fingerprints[NEW_HOME_ADDRESS] == found.fingerprints[HOME_ADDRESS]


def test_who_is_listed_has_a_key_of_its_own_there(directory: Path) -> None:
    """And not that of another one with the same identifier."""
    put(directory, "phone.key", written(KEYS[1]))
    text = RENUMBERED + '"2001:db8:1a::100" = "phone.key"\n'
    found = credentials.load(configured(directory, text))
    assert found.fingerprints[NEW_HOME_ADDRESS] == [fingerprint(KEYS[1])]
    assert len(found.associations) == 2
    [error] = errors(directory, text.replace("phone", "laptop"))
    assert "have the same key" in error


def test_without_authentication_nothing_is_protected(directory: Path) -> None:
    text = MOBILE_NODE.replace('"shared_key"', '"none"').replace("key =", "# key =")
    found = credentials.load(configured(directory, text))
    assert found.shared is None
    assert not found.by_esp and not found.by_option


def test_a_reload_has_room_for_twice_as_many_as_the_start(directory: Path) -> None:
    """The SPIs that a home agent receives by take room, and no others."""
    put(directory, "phone.key", written(KEYS[1]))
    text = HOME_AGENT + '"2001:db8:a::101" = "phone.key"\n'
    wanted = configured(directory, text)
    data_plane = SimpleNamespace(spis_max=6, known_max=0)
    daemon: Any = SimpleNamespace(machine=SimpleNamespace(data_plane=data_plane))
    found = credentials.load(wanted)
    assert list(_no_room(daemon, wanted, found)) == []
    data_plane.spis_max = 5
    assert list(_no_room(daemon, wanted, found)) == ["room for 6 SPIs, and not 5"]
