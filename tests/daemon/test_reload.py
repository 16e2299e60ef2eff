"""`mip6 reload` and SIGHUP: another configuration while traffic goes on."""

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.abuse import OTHER_HOME_ADDRESS, OTHER_KEY, bindings, registered
from tests.support.daemons import HOME_ADDRESS, KEY, Instance, World, until

from mip6.security.keys import Secret

pytestmark = pytest.mark.root

SCHEMA = Path(__file__).parents[2] / "src/mip6/schema/reload.json"
NEW = Secret(bytes(range(32, 64)))


def away(world: World) -> None:
    """With registrations that are refreshed every six seconds."""
    change(world.mobile_node, "manage = true", "manage = true\nlifetime = 8")
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    registered(world)


def change(instance: Instance, old: str, new: str) -> None:
    text = instance.file.read_text()
    assert old in text
    instance.file.write_text(text.replace(old, new))


def reload(instance: Instance, code: int = 0) -> dict[str, Any]:
    done = instance.call("reload", "--json")
    assert done.returncode == code, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    return document


def refreshed(world: World) -> None:
    """A Binding Update more is accepted."""
    before = bindings(world)[0]["sequence_number"]
    until(lambda: bindings(world)[0]["sequence_number"] != before, "it is refreshed")


def test_keys_are_replaced_under_traffic_and_no_packet_is_lost(world: World) -> None:
    """The four steps of docs/security.md, a reload each; then the old key is gone."""
    away(world)
    stream = world.correspondent.spawn(
        f"ping -q -c 4000 -i 0.005 -W 2 {HOME_ADDRESS}", output=subprocess.PIPE
    )

    shared, other = (KEY, NEW), (NEW, KEY)
    world.key_file("ha.key", KEY)
    world.key_file("mn.key", KEY)
    for instance, name in ((world.home_agent, "ha"), (world.mobile_node, "mn")):
        change(instance, "laptop.key", f"{name}.key")
        assert reload(instance)["changed"] == []
    expected = [f"keys of {HOME_ADDRESS} changed"]
    for instance, name, keys in (
        (world.home_agent, "ha.key", shared),
        (world.mobile_node, "mn.key", other),
    ):
        world.key_file(name, *keys)
        assert reload(instance)["changed"] == expected
    refreshed(world)
    for instance, name in ((world.home_agent, "ha.key"), (world.mobile_node, "mn.key")):
        world.key_file(name, NEW)
        assert reload(instance)["changed"] == expected
    refreshed(world)
    text = stream.communicate(timeout=240)[0]
    assert " 4000 received" in text, text
    assert world.mobile_node.place() == "registered"
    dropped = world.home_agent.read("stats")["dropped"]
    assert not {"spi_unknown", "authentication_failed", "unprotected"} & dropped.keys()
    # The old key is nobody's any more.
    world.key_file("mn.key", KEY)
    reload(world.mobile_node)
    stats = world.home_agent.read("stats")["data_plane"]
    until(
        lambda: (
            world.home_agent.read("stats")["data_plane"]["unknown_spi"]
            > stats["unknown_spi"]
        ),
        "nobody knows its SPI",
    )


def test_a_mobile_node_is_added_and_removed(world: World) -> None:
    away(world)
    change(world.home_agent, f'"{HOME_ADDRESS}"', f'"{OTHER_HOME_ADDRESS}"')
    world.key_file("laptop.key", OTHER_KEY)
    document = reload(world.home_agent)
    assert document["changed"] == [
        f"{OTHER_HOME_ADDRESS} added",
        f"{HOME_ADDRESS} removed",
    ]
    assert bindings(world) == []
    assert HOME_ADDRESS not in world.agent.ip("neigh show proxy")
    assert not world.pings(1)
    assert world.home_agent.read("status")["home_agent"]["mobile_nodes"] == 1
    # And back again, by a signal.
    change(world.home_agent, f'"{OTHER_HOME_ADDRESS}"', f'"{HOME_ADDRESS}"')
    world.key_file("laptop.key", KEY)
    assert world.home_agent.process is not None
    world.home_agent.process.send_signal(signal.SIGHUP)
    until(
        lambda: f"{HOME_ADDRESS} added" in world.home_agent.log.read_text(), "reloaded"
    )
    until(lambda: bindings(world), "a binding again")
    until(world.pings, "reached again")


def test_who_was_taken_out_while_the_daemon_was_away_has_no_binding(
    world: World,
) -> None:
    away(world)
    world.home_agent.end(signal.SIGKILL)
    change(world.home_agent, f'"{HOME_ADDRESS}"', f'"{OTHER_HOME_ADDRESS}"')
    world.key_file("laptop.key", OTHER_KEY)
    world.home_agent.start()
    assert bindings(world) == []
    assert not world.pings(1)
    # On disk neither: it does not come back with its key.
    world.home_agent.end(signal.SIGKILL)
    change(world.home_agent, f'"{OTHER_HOME_ADDRESS}"', f'"{HOME_ADDRESS}"')
    world.mobile_node.end(signal.SIGKILL)
    world.key_file("laptop.key", KEY)
    world.home_agent.start()
    assert bindings(world) == []


def test_limits_and_the_level_of_the_log(world: World) -> None:
    away(world)
    change(world.home_agent, "[home_agent]\n", "[home_agent]\nlifetime_max = 4\n")
    change(world.home_agent, '"debug"', '"info"')
    change(world.mobile_node, "manage = true", "manage = true\nfallback = false")
    assert reload(world.home_agent)["changed"] == [
        "log_level = info",
        "[home_agent] lifetime_max = 4",
    ]
    assert reload(world.mobile_node)["changed"] == ["[mobile_node] fallback = False"]
    refreshed(world)
    assert bindings(world)[0]["lifetime_s"] == 4
    assert "1002:" in world.mobile.ip("rule")


WRONG = [
    ("[home_agent]", "[home_agent]\nlifetime_max = 3", r"ha\.toml:5: .*multiple"),
    ("[home_agent]", "[home_agent]\ncolour = 1", r'ha\.toml:5: .*unknown key "col'),
    ("[home_agent]", "[home_agent", r"ha\.toml:4: "),
    ('"laptop.key"', '"none.key"', r"ha\.toml:9: none\.key: No such file"),
]


def test_a_wrong_file_changes_nothing(world: World) -> None:
    away(world)
    whole = world.home_agent.file.read_text()
    before = bindings(world)
    for old, new, expected in WRONG:
        world.home_agent.file.write_text(whole)
        change(world.home_agent, old, new)
        change(world.home_agent, '"debug"', '"warning"')
        document = reload(world.home_agent, 2)
        assert document["changed"] == document["restart"] == []
        assert any(re.search(expected, line) for line in document["errors"]), document
        done = world.home_agent.call("reload")
        assert done.stderr.splitlines() == document["errors"]
    assert bindings(world)[0]["care_of_address"] == before[0]["care_of_address"]
    refreshed(world)
    # Neither has the level of the log.
    assert "change=refreshed" in world.home_agent.log.read_text()
    assert world.pings()


def test_what_needs_a_start_is_named_and_nothing_is_changed(world: World) -> None:
    away(world)
    change(world.home_agent, '"eth1"', '"eth0"')
    change(
        world.home_agent,
        "[home_agent]\n",
        "device = 'mip1'\n[home_agent]\nbindings_max = 7\nlifetime_max = 4\n",
    )
    document = reload(world.home_agent, 1)
    assert document["restart"] == [
        "device",
        "[home_agent] home_link",
        "[home_agent] bindings_max",
    ]
    assert document["changed"] == document["errors"] == []
    assert "needs a restart" in world.home_agent.call("reload").stderr
    refreshed(world)
    assert bindings(world)[0]["lifetime_s"] == 8


def test_of_two_pairs_of_manual_associations_both_are_valid(world: World) -> None:
    """SPIs and keys are replaced like shared ones: the second pair, then first."""

    def pair(number: int) -> str:
        for name in ("out", "in"):
            file = world.directory / f"{name}{number}.key"
            octet = f"{number}{'a' if name == 'out' else 'b'}"
            file.write_text(f"{octet * 32}\n{octet * 16}\n")
            file.chmod(0o600)
        return (
            f'to_home_agent = {{ spi = {1001 + number}, key = "out{number}.key" }}\n'
            f'to_mobile_node = {{ spi = {2001 + number}, key = "in{number}.key" }}\n'
        )

    one, two = pair(1), pair(2)
    tables = {
        "ha": f'[[home_agent.mobile_nodes."{HOME_ADDRESS}".binding]]\n',
        "mn": "[[mobile_node.binding]]\n",
    }
    heads = {
        "ha": world.home_agent.file.read_text().partition("[home_agent.mobile_no")[0],
        "mn": world.mobile_node.file.read_text().replace(
            'key = "laptop.key"\n', "lifetime = 8\n"
        ),
    }
    instances = {"ha": world.home_agent, "mn": world.mobile_node}

    def write(name: str, *pairs: str) -> None:
        head = heads[name].replace('"shared_key"', '"manual"')
        tail = "".join(tables[name] + each for each in pairs)
        instances[name].file.write_text(head + tail)

    write("ha", one)
    write("mn", one)
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    registered(world)
    for name, *pairs in (("ha", one, two), ("mn", two, one), ("ha", two), ("mn", two)):
        write(name, *pairs)
        assert reload(instances[name])["changed"] == [f"keys of {HOME_ADDRESS} changed"]
        refreshed(world)
        assert world.pings()
    write("ha", one, two, pair(3))
    assert "at most 2 items" in " ".join(reload(world.home_agent, 2)["errors"])


def test_only_root_reloads_and_a_daemon_that_is_not_there_is_told(
    world: World,
) -> None:
    assert world.home_agent.call("reload").returncode == 3


def test_the_home_prefix_is_deprecated(world: World) -> None:
    away(world)
    prefixes = (
        'prefixes = { "2001:db8:1a::/64" = {}, '
        '"2001:db8:a::/64" = { preferred_lifetime = 0 } }'
    )
    change(world.home_agent, "[home_agent]\n", f"[home_agent]\n{prefixes}\n")
    assert reload(world.home_agent)["restart"] == []
    refreshed(world)

    def told() -> bool:
        # Beside this one it has registered another in the new prefix, sooner or later.
        return any(
            (one["home_address"], one["status"]) == (HOME_ADDRESS, 1)
            for one in world.mobile_node.read("updates")["updates"]
        )

    until(told, "told that its prefix is deprecated")
