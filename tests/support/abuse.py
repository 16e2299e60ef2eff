"""A mobile node away from home whom somebody attacks, and what shows that in vain."""

import contextlib
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from tests.support.attacker import (
    Ear,
    listening,
    send,
)
from tests.support.daemons import (
    HOME_ADDRESS,
    HOME_AGENT,
    KEY,
    OTHER_HOME_ADDRESS,
    OTHER_KEY,
    Instance,
    World,
    small_world,
    until,
)

from mip6.security.association import SecurityAssociation, from_key
from mip6.security.keys import Direction, Purpose, Secret
from mip6.wire.packet import read_packet

VICTIM = "2001:db8:e::66"
MTU = 9000


def binding_association(key: Secret, home_address: str) -> SecurityAssociation:
    """By which a mobile node with this key sends its Binding Updates."""
    [found] = [
        one
        for one in from_key(key, IPv6Address(home_address), IPv6Address(HOME_AGENT))
        if (one.purpose, one.direction) == (Purpose.BINDING, Direction.TO_HOME_AGENT)
    ]
    return found


OURS = binding_association(KEY, HOME_ADDRESS)
THEIRS = binding_association(OTHER_KEY, OTHER_HOME_ADDRESS)


def is_binding_update(octets: bytes) -> bool:
    """Of our mobile node: a Home Test Init goes to the home agent in ESP too."""
    return read_packet(octets).payload[:4] == OURS.spi.to_bytes(4)


def with_two_mobile_nodes(world: World) -> None:
    world.key_file("other.key", OTHER_KEY)
    text = world.home_agent.file.read_text()
    world.home_agent.file.write_text(f'{text}"{OTHER_HOME_ADDRESS}" = "other.key"\n')


def registered(world: World) -> None:
    until(lambda: world.mobile_node.place() == "registered", "registered")


@contextlib.contextmanager
def away(directory: Path) -> Iterator[tuple[World, Ear]]:
    with small_world(directory) as world, listening(world.router, "visited") as ear:
        for place, link in (
            (world.correspondent, "eth0"),
            (world.router, "corr"),
            (world.router, "agent"),
            (world.agent, "eth0"),
        ):
            place.ip(f"link set {link} mtu {MTU}")
        with_two_mobile_nodes(world)
        world.home_agent.start()
        world.mobile_node.start()
        world.plug("visited")
        registered(world)
        yield world, ear


def bindings(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.home_agent.read("bindings")["bindings"]
    return found


def counted(instance: Instance) -> dict[str, int]:
    document = instance.read("stats")
    return {
        **document["data_plane"],
        **document["dropped"],
        **{f"status {k}": n for k, n in document["refused"].items()},
    }


def care_of_address(world: World) -> str:
    [binding] = bindings(world)
    found: str = binding["care_of_address"]
    return found


@contextlib.contextmanager
def harmless(
    world: World, instance: Instance | None = None, **expected: int
) -> Iterator[None]:
    """Afterwards the one binding is as before, the mobile node is reached, and at least
    so many packets more are counted at `instance` (the home agent)."""
    place = instance or world.home_agent
    before, [binding] = counted(place), bindings(world)
    yield

    def grown() -> bool:
        now = counted(place)
        return all(now.get(k, 0) - before.get(k, 0) >= n for k, n in expected.items())

    until(grown, f"counted {expected}")
    [after] = bindings(world)
    for name in ("home_address", "care_of_address", "sequence_number"):
        assert after[name] == binding[name]
    assert world.mobile_node.place() == "registered"
    assert world.pings()


def attack(world: World, *packets: bytes) -> None:
    send(world.correspondent, packets)
