"""What goes out natively: some destinations, and questions to name servers."""

import errno
import select
import shutil
import socket
from pathlib import Path

import pytest
from tests.support.daemons import CORRESPONDENT, HOME_ADDRESS, Instance, World, until
from tests.support.namespaces import Namespace, connect

from mip6.daemon.name_servers import NameServers, name_servers

SERVER = "2001:db8:b::53"
OTHER_SERVER = "2001:db8:c::53"
IPV6_ADDR_PREFERENCES = 72
PREFER_SRC_COA = 0x0004
"""RFC 5014 §3; Python has no names for them."""


def open_socket(place: Namespace, address: str = "::") -> socket.socket:
    with place.entered():
        made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        made.settimeout(10)
        made.bind((address, 0))
    return made


def seen_from(world: World, place: Namespace, server: str, source: str = "::") -> str:
    """Whom a server sees that the mobile node asks; the answer has come back too."""
    with open_socket(place, server) as there, open_socket(world.mobile, source) as here:
        here.sendto(b"?", there.getsockname())
        _, client = there.recvfrom(100)
        there.sendto(b"!", client)
        assert here.recv(100) == b"!"
        return str(client[0])


def is_unreachable(world: World, server: str) -> bool:
    """Whether who asks it is told so, and at once: no question waits for a tunnel."""
    with open_socket(world.mobile) as asking:
        asking.setsockopt(socket.IPPROTO_IPV6, 25, 1)  # IPV6_RECVERR
        asking.connect((server, 53))
        asking.send(b"?")
        try:
            asking.recv(100)
        except OSError as error:
            return error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH)
    return False


def change(instance: Instance, old: str, new: str) -> None:
    text = instance.file.read_text()
    assert old in text
    instance.file.write_text(text.replace(old, new))


def care_of_address(world: World, prefix: str = "2001:db8:b:") -> str:
    """Of the registration, once there is one."""

    def registered() -> str:
        status = world.mobile_node.read("status")["mobile_node"]
        address = str(status["care_of_address"])
        away = status["place"] == "registered" and address.startswith(prefix)
        return address if away else ""

    return str(until(registered, f"registered from {prefix}"))


def another_link(world: World) -> None:
    """Link C beside the visited one, at the same router."""
    world.cables.ip("link add other type bridge mcast_snooping 0")
    world.cables.ip("link set other up")
    connect(world.router, "other", world.cables, "other0")
    world.cables.ip("link set other0 master other")
    world.router.ip("addr add 2001:db8:c::1/64 dev other nodad")
    world.radvd(world.router, "other", "2001:db8:c::/64", "off")


def advertise(world: World, link: str, servers: str) -> None:
    """The router there tells of name servers, too (RFC 8106)."""
    file = world.directory / f"radvd-{link}.conf"
    more = f"}};\n  RDNSS {servers} {{ AdvRDNSSLifetime 600; }};\n}};"
    file.write_text(file.read_text().replace("};\n};", more))
    [process] = [p for p in world.processes if str(file) in p.args]
    process.terminate()
    process.wait(60)
    pid = world.directory / f"radvd-{link}.pid"
    again = world.router.spawn(f"radvd -n -m none -C {file} -p {pid}")
    world.processes[world.processes.index(process)] = again


def name_servers_in_use(world: World) -> list[str]:
    found: list[str] = world.mobile_node.read("status")["mobile_node"]["name_servers"]
    return found


@pytest.mark.root
def test_some_destinations_go_out_from_the_care_of_address(world: World) -> None:
    native = f'native = ["{CORRESPONDENT}/128", "2001:db8:f:0:8000::/65"]'
    change(world.mobile_node, "manage = true", f"manage = true\n{native}")
    another_link(world)
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    address = care_of_address(world)

    def seen(source: str = "::") -> str:
        return seen_from(world, world.correspondent, CORRESPONDENT, source)

    assert seen() == address
    assert seen(HOME_ADDRESS) == HOME_ADDRESS, "a connection from home stays"
    assert seen(address) == address
    document = world.mobile_node.read("status")["mobile_node"]
    assert document["native"] == [f"{CORRESPONDENT}/128", "2001:db8:f:0:8000::/65"]
    shown = world.mobile_node.call("status").stdout
    assert f"{CORRESPONDENT}/128, 2001:db8:f:0:8000::/65" in shown
    # Everything else takes the tunnel.
    world.router.ip("addr add 2001:db8:d::1/128 dev lo nodad")
    assert seen_from(world, world.router, "2001:db8:d::1") == HOME_ADDRESS
    # Switched off and on while it runs.
    change(world.mobile_node, native, "")
    assert world.mobile_node.call("reload").returncode == 0
    assert seen() == HOME_ADDRESS
    # A program of its own will asks by its address.  The kernels that were tried take
    # IPV6_PREFER_SRC_COA and do not look at it (decision 0035).
    assert seen(address) == address
    with open_socket(world.mobile) as asking:
        asking.setsockopt(socket.IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, PREFER_SRC_COA)
        asking.connect((CORRESPONDENT, 53))
        assert asking.getsockname()[0] == HOME_ADDRESS
    change(world.mobile_node, "manage = true", f"manage = true\n{native}")
    assert world.mobile_node.call("reload").returncode == 0
    assert seen() == address
    world.plug("other")
    address = care_of_address(world, "2001:db8:c:")
    assert seen() == address
    # Nowhere nothing waits to go out through the tunnel later.
    world.cables.ip("link set mobile down")
    until(lambda: world.mobile_node.place() == "nowhere", "nowhere")
    assert is_unreachable(world, CORRESPONDENT)
    world.plug("home")
    until(lambda: world.mobile_node.place() == "at_home", "at home")
    assert seen() == HOME_ADDRESS
    world.mobile_node.call("down")
    rules = world.mobile.ip("rule").splitlines()
    assert len(rules) == 2, rules
    assert "proto 62" not in world.mobile.ip("route show table all")


@pytest.mark.root
def test_the_resolver_of_the_visited_network_sees_the_care_of_address(
    world: World,
) -> None:
    another_link(world)
    advertise(world, "visited", SERVER)
    advertise(world, "other", OTHER_SERVER)
    world.router.ip(f"addr add {SERVER}/64 dev visited nodad")
    world.router.ip(f"addr add {OTHER_SERVER}/64 dev other nodad")
    world.home_agent.start()
    world.mobile_node.start()
    world.plug("visited")
    address = care_of_address(world)
    until(lambda: name_servers_in_use(world) == [SERVER], "its router told of it")
    assert seen_from(world, world.router, SERVER) == address
    assert seen_from(world, world.correspondent, CORRESPONDENT) == HOME_ADDRESS
    assert SERVER in world.mobile_node.call("status").stdout
    world.cables.ip("link set mobile down")
    until(lambda: world.mobile_node.place() == "nowhere", "nowhere")
    assert is_unreachable(world, SERVER)
    world.plug("other")
    address = care_of_address(world, "2001:db8:c:")
    both = [OTHER_SERVER, SERVER]
    until(lambda: name_servers_in_use(world) == both, "the other one too")
    assert seen_from(world, world.router, OTHER_SERVER) == address
    assert seen_from(world, world.router, SERVER) == address
    # And not, if that is what somebody wants.
    change(world.mobile_node, "manage", "native_name_servers = false\nmanage")
    assert world.mobile_node.call("reload").returncode == 0
    assert seen_from(world, world.router, SERVER) == HOME_ADDRESS


@pytest.mark.root
def test_name_servers_that_others_have_configured(world: World) -> None:
    """A machine with an /etc of its own, as NetworkManager keeps it."""
    etc = world.directory / "etc"
    etc.mkdir()
    for name in ("passwd", "group", "nsswitch.conf"):
        if Path("/etc", name).exists():
            shutil.copy(Path("/etc", name), etc)
    (etc / "resolv.conf").write_text(f"nameserver {CORRESPONDENT}\n")
    world.home_agent.start()  # where the maps are pinned is mounted by now
    command = world.mobile.inside

    class Own(Namespace):
        """The same place, with this /etc."""

        def __init__(self) -> None:
            self.name = world.mobile.name

        def inside(self, words: str) -> str:
            return f"{command('unshare -m')} {world.directory}/own {words}"

    script = world.directory / "own"
    script.write_text(f'#!/bin/sh\nmount --bind {etc} /etc && exec "$@"\n')
    script.chmod(0o755)
    world.mobile_node.namespace = Own()
    world.mobile_node.start()
    world.plug("visited")
    address = care_of_address(world)
    assert seen_from(world, world.correspondent, CORRESPONDENT) == address

    assert name_servers_in_use(world) == [CORRESPONDENT]
    new = etc / "resolv.conf.new"
    new.write_text("nameserver 192.0.2.53\nnameserver 2001:db8:d::53\n")
    new.rename(etc / "resolv.conf")
    until(
        lambda: name_servers_in_use(world) == ["2001:db8:d::53"],
        "the change is noticed",
    )
    assert seen_from(world, world.correspondent, CORRESPONDENT) == HOME_ADDRESS


def test_what_a_resolver_is_configured_to_ask(tmp_path: Path) -> None:
    first, second = tmp_path / "resolv.conf", tmp_path / "another"
    first.write_bytes(
        b"# nameserver 2001:db8::1\nsearch example.org\nnameserver\n"
        b"nameserver 192.0.2.1\nnameserver 127.0.0.53\n\xff\n"
        b" nameserver 2001:db8::2 # this one\nnameserver 2001:db8::2\n"
        b"nameserver fe80::1%eth0\n"
    )
    second.write_text("nameserver 2001:db8::3")
    missing = tmp_path / "none"
    found = name_servers((first, missing, second))
    assert [str(one) for one in found] == ["2001:db8::2", "fe80::1%eth0", "2001:db8::3"]


def test_changes_of_a_file_behind_a_link_are_noticed(tmp_path: Path) -> None:
    etc, run = tmp_path / "etc", tmp_path / "run"
    etc.mkdir()
    file = etc / "resolv.conf"
    file.symlink_to(run / "resolv.conf")
    told: list[list[str]] = []
    watch = NameServers(lambda found: told.append([str(one) for one in found]), (file,))
    try:
        watch.read()
        assert told == []
        run.mkdir()
        (run / "resolv.conf").write_text("nameserver 2001:db8::1\n")
        watch.read()  # nobody told of a directory that was not there; a start reads it
        assert told == [["2001:db8::1"]]
        (run / "new").write_text("nameserver 2001:db8::2\n")
        (run / "new").rename(run / "resolv.conf")
        assert _is_readable(watch)
        watch.read()
        watch.read()
        assert told == [["2001:db8::1"], ["2001:db8::2"]]
        file.unlink()
        file.write_text("")
        assert _is_readable(watch)
        watch.read()
        assert told[-1] == []
    finally:
        watch.close()


def _is_readable(watch: NameServers) -> bool:
    return bool(select.select([watch], [], [], 10)[0])
