"""What attackers send, with real packets: nothing of it changes a binding, all of it is
counted, and the mobile node goes on being reached.

An attacker is anywhere (any source address), holds a key of its own (another mobile
node), or has listened on the path: here with Binding Updates of all kinds.
"""

import random
import struct
import time
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from tests.support.abuse import (
    OTHER_HOME_ADDRESS,
    OTHER_KEY,
    OURS,
    THEIRS,
    VICTIM,
    attack,
    away,
    bindings,
    care_of_address,
    counted,
    harmless,
    registered,
)
from tests.support.attacker import (
    binding_update,
    listening,
    sealed,
)
from tests.support.daemons import (
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    KEY,
    World,
    small_world,
    until,
)
from tests.support.octets import (
    DESTINATION_OPTIONS,
    ESP,
    MOBILITY,
    UDP,
    checksum,
    home_address_option,
    ipv6,
    options,
    udp,
)

from mip6.core.packet import write

pytestmark = pytest.mark.root


# Binding Updates


@pytest.mark.rfc("5.1", "nothing unauthenticated changes a binding")
@pytest.mark.parametrize("lifetime", [400, 0], ids=["steal", "delete"])
def test_unprotected(attacked: World, lifetime: int) -> None:
    """What fake-binding tools send, from the attacker's and from spoofed sources."""
    with harmless(attacked, unprotected=3):
        attack(
            attacked,
            *(
                write(
                    binding_update(
                        HOME_ADDRESS,
                        CORRESPONDENT,
                        HOME_AGENT,
                        source=source,
                        sequence_number=number,
                        lifetime=lifetime,
                    )
                )
                for number, source in enumerate(
                    (CORRESPONDENT, VICTIM, care_of_address(attacked)), 30000
                )
            ),
        )


def test_unprotected_for_an_address_without_key(attacked: World) -> None:
    with harmless(attacked, unauthenticated=1):
        packet = binding_update("2001:db8:a::abc", CORRESPONDENT, HOME_AGENT)
        attack(attacked, write(packet))


def test_a_deregistration_as_if_from_home(attacked: World) -> None:
    """From the home address, without option: only ESP tells that it is not there."""
    with harmless(attacked, unprotected=1):
        packet = binding_update(
            HOME_ADDRESS, HOME_ADDRESS, HOME_AGENT, lifetime=0, sequence_number=40000
        )
        bare = write(packet)
        assert bare[6] == DESTINATION_OPTIONS
        attack(attacked, ipv6(HOME_ADDRESS, HOME_AGENT, MOBILITY, bare[64:]))


@pytest.mark.rfc("5.1", "the home address tells which association must be used")
def test_with_another_mobile_nodes_key(attacked: World) -> None:
    packet = binding_update(HOME_ADDRESS, VICTIM, HOME_AGENT)
    number = int(time.time()) + 1000
    with harmless(attacked, home_address_mismatch=1, authentication_failed=1):
        attack(attacked, sealed(packet, THEIRS, number))
        attack(attacked, sealed(packet, THEIRS, number, spi=OURS.spi))


def test_changed_on_the_path(attacked: World, recorded: bytes) -> None:
    """Each octet of the ESP header and payload, one after the other."""
    start = recorded.index(OURS.spi.to_bytes(4))
    changed = []
    for at in range(start + 4, len(recorded), 5):
        octets = bytearray(recorded)
        octets[at] ^= 0x10
        changed.append(bytes(octets))
    # Numbers before the last one are replays before anybody looks at their proof.
    with harmless(attacked, authentication_failed=5):
        attack(attacked, *changed)


def test_replayed(attacked: World, recorded: bytes) -> None:
    moved = recorded[:8] + IPv6Address(VICTIM).packed + recorded[24:]
    with harmless(attacked, replayed=3):
        attack(attacked, recorded, recorded, moved)


def test_unknown_spis_never_reach_the_daemon(attacked: World, recorded: bytes) -> None:
    """With a care-of address that is the right one they are the kernel's as any packet
    of the mobile node to its home agent is, without the option (§10.4.2)."""
    right = recorded.replace(OURS.spi.to_bytes(4), (0x6ABC_DEF0).to_bytes(4))
    wrong = right[:8] + IPv6Address(VICTIM).packed + right[24:]
    before = counted(attacked.home_agent)
    with harmless(attacked, unknown_spi=20, direct_in=20):
        attack(attacked, *[wrong, right] * 20)
    after = counted(attacked.home_agent)
    for reason in ("spi_unknown", "unverified"):
        assert after.get(reason, 0) == before.get(reason, 0)


# Malformed packets


def test_truncated_everything(attacked: World, recorded: bytes) -> None:
    """Each length of an open and of a protected Binding Update, lengths put right."""
    whole = write(binding_update(HOME_ADDRESS, VICTIM, HOME_AGENT))
    packets = []
    for packet in (whole, recorded):
        for end in range(40, len(packet)):
            length = struct.pack("!H", end - 40)
            packets.append(packet[:4] + length + packet[6:end])
    with harmless(
        attacked,
        header_length_beyond_packet=10,
        truncated=5,
        unprotected=10,
        authentication_failed=10,
    ):
        attack(attacked, *packets)


def test_oversize_and_options_a_thousand_times(attacked: World) -> None:
    """1000 options of one octet, and as many of two as fit into a Mobility Header; a
    thousand before it."""
    source, head = CORRESPONDENT, struct.pack("!HHH", 7, 0xC000, 100)

    def mobility(payload: bytes) -> bytes:
        payload += bytes(-(6 + len(payload)) % 8)
        length = (6 + len(payload)) // 8 - 1
        start = struct.pack("!BBBB", 59, length, 5, 0)
        sum_ = checksum(source, HOME_AGENT, MOBILITY, start + bytes(2) + payload)
        return start + struct.pack("!H", sum_) + payload

    many = [
        ipv6(source, HOME_AGENT, MOBILITY, mobility(head + bytes(1000))),
        ipv6(source, HOME_AGENT, MOBILITY, mobility(head + b"\1\0" * 1000)),
        ipv6(source, HOME_AGENT, MOBILITY, mobility(head + b"\xfe\0" * 1000)),
        ipv6(source, HOME_AGENT, MOBILITY, mobility(bytes(6))[:8] + bytes(8000)),
    ]
    for option in (b"\0", b"\1\0", b"\x1e\0"):
        padded = bytes([MOBILITY, 255]) + (option * 2046)[:2046]
        many.append(
            ipv6(source, HOME_AGENT, DESTINATION_OPTIONS, padded + many[0][40:])
        )
    with harmless(
        attacked,
        home_address_option_missing=4,
        octets_behind_mobility_header=1,
        too_many_options=2,
    ):
        attack(attacked, *many)


def test_extension_header_bombs(attacked: World) -> None:
    update = write(binding_update(HOME_ADDRESS, VICTIM, HOME_AGENT))
    header = update[64:]
    hao = home_address_option(DESTINATION_OPTIONS, HOME_ADDRESS)
    bombs = [
        options(DESTINATION_OPTIONS) * 100 + options(MOBILITY) + header,
        hao * 50 + home_address_option(MOBILITY, HOME_ADDRESS) + header,
        options(DESTINATION_OPTIONS, blocks=256) * 4 + options(UDP) + udp(),
    ]
    with harmless(attacked, too_many_headers=2, unverified=1):
        for bomb in bombs:
            attack(attacked, ipv6(CORRESPONDENT, HOME_AGENT, DESTINATION_OPTIONS, bomb))
    few = home_address_option(DESTINATION_OPTIONS, HOME_ADDRESS) * 2
    few += home_address_option(MOBILITY, HOME_ADDRESS) + header
    with harmless(attacked, home_address_option_repeated=1):
        attack(attacked, ipv6(CORRESPONDENT, HOME_AGENT, DESTINATION_OPTIONS, few))


def test_random_octets_behind_our_spi(attacked: World) -> None:
    chance = random.Random(6275)
    start = home_address_option(ESP, HOME_ADDRESS) + OURS.spi.to_bytes(4)
    packets = [
        ipv6(
            VICTIM,
            HOME_AGENT,
            DESTINATION_OPTIONS,
            start + b"\xff\xff" + chance.randbytes(chance.randrange(200)),
        )
        for _ in range(40)
    ]
    with harmless(attacked, authentication_failed=10):
        attack(attacked, *packets)


# Floods


def test_a_flood_of_bad_binding_updates_from_everywhere(attacked: World) -> None:
    """The budget of unprotected signalling; what is protected has another."""
    flood = [
        write(
            binding_update(
                HOME_ADDRESS,
                f"2001:db8:e::{n:x}",
                HOME_AGENT,
                sequence_number=n,
            )
        )
        for n in range(1, 3001)
    ]
    with harmless(attacked, dropped_signalling=100, unprotected=100):
        attack(attacked, *flood)


def test_a_flood_behind_our_spi(attacked: World, recorded: bytes) -> None:
    """Its budget is one mobile node's; another still registers beside it."""
    number = int(time.time())
    stop = time.monotonic() + 1.5
    packet = binding_update(OTHER_HOME_ADDRESS, VICTIM, HOME_AGENT)
    before = counted(attacked.home_agent)
    attack(attacked, *[recorded] * 200)
    attack(attacked, sealed(packet, THEIRS, number))
    while time.monotonic() < stop:
        attack(attacked, *[recorded] * 100)
    until(lambda: len(bindings(attacked)) == 2, "the other one is bound")
    after = counted(attacked.home_agent)
    assert after["dropped_esp"] > before["dropped_esp"]
    assert after["replayed"] > before["replayed"]
    # Away with it: the tests around want one binding.
    end = binding_update(
        OTHER_HOME_ADDRESS, VICTIM, HOME_AGENT, sequence_number=2, lifetime=0
    )
    attack(attacked, sealed(end, THEIRS, number + 1))
    until(lambda: len(bindings(attacked)) == 1, "and de-registered")


def test_junk_data_does_not_get_in_the_way_of_signalling(attacked: World) -> None:
    """Data for home addresses without a binding has a queue and a budget of its own."""
    attacked.agent.ip("route add 2001:db8:a:0:ffff::/80 dev mip0")
    junk = [
        ipv6(CORRESPONDENT, f"2001:db8:a:0:ffff::{n:x}", UDP, udp(bytes(1000)))
        for n in range(3000)
    ]
    before = counted(attacked.home_agent)["dropped_unmatched"]
    for link, place in (("home", "at_home"), ("visited", "registered")):
        attack(attacked, *junk)
        attacked.plug(link)
        attack(attacked, *junk)
        until(lambda place=place: attacked.mobile_node.place() == place, place)  # type: ignore[misc]
    assert counted(attacked.home_agent)["dropped_unmatched"] - before > 1000
    assert attacked.pings()


# After a restart


def changeless(world: World) -> list[tuple[str, str, int]]:
    """What of a binding only a Binding Update changes."""
    return [
        (b["home_address"], b["care_of_address"], b["sequence_number"])
        for b in bindings(world)
    ]


def test_replayed_after_restarts(tmp_path: Path) -> None:
    """Killed or stopped, the binding stays as it was: all that is sent is a replay."""
    with away(tmp_path) as (world, ear):
        updates = ear.esp(HOME_AGENT)
        world.mobile_node.end(9)
        for how in (9, 15):
            world.home_agent.end(how)
            world.home_agent.start()
            before = changeless(world)
            assert len(before) == 1
            attack(world, *updates)
            until(
                lambda: counted(world.home_agent).get("replayed", 0) >= len(updates),
                "counted as replays",
            )
            assert changeless(world) == before
        # The mobile node itself is let in.
        world.mobile_node.start()
        registered(world)
        assert world.pings()


MANUAL = """
integrity = "hmac-sha1-96"
encryption = "null"
to_home_agent = { spi = 1001, key = "out.key" }
to_mobile_node = { spi = 1002, key = "in.key" }
"""


def test_manual_keys_and_a_replay_after_the_end(tmp_path: Path) -> None:
    """Without ESP's own protection the sequence number of the Binding Update stops it,
    also when the binding is gone and the home agent was started again (0007)."""
    with small_world(tmp_path) as world, listening(world.router, "visited") as ear:
        for name, octet in (("out.key", "0a"), ("in.key", "0b")):
            (tmp_path / name).write_text(octet * 20)
            (tmp_path / name).chmod(0o600)
        for instance, table in (
            (world.home_agent, f'[home_agent.mobile_nodes."{HOME_ADDRESS}".binding]'),
            (world.mobile_node, "[mobile_node.binding]"),
        ):
            text = instance.file.read_text().replace('"shared_key"', '"manual"')
            text = text.replace('key = "laptop.key"\n', "")
            text = text.replace("[home_agent.mobile_nodes]\n", "")
            text = text.replace(f'"{HOME_ADDRESS}" = "laptop.key"\n', "")
            instance.file.write_text(text + table + MANUAL)
        world.home_agent.start()
        world.mobile_node.start()
        world.plug("visited")
        registered(world)
        assert world.pings()
        updates = ear.esp(HOME_AGENT)
        assert world.mobile_node.end(15) == 0
        assert bindings(world) == []
        world.home_agent.end(15)
        world.home_agent.start()
        attack(world, *updates)
        until(
            lambda: counted(world.home_agent).get("status 135", 0) >= len(updates),
            "answered by 135",
        )
        assert bindings(world) == []
        world.mobile_node.start()
        registered(world)
        assert world.pings()


def test_keys_are_nowhere_to_be_seen(attacked: World) -> None:
    """Logs, answers, the state file, the command line."""
    letters = [
        word
        for file in Path(attacked.directory).glob("*.key")
        for word in file.read_text().strip().partition(":")[2].split("-")
    ]
    octets = [KEY.reveal(), OTHER_KEY.reveal(), KEY.reveal().hex().encode()]
    assert len(letters) > 10
    for instance in (attacked.home_agent, attacked.mobile_node):
        assert instance.process is not None
        seen = [
            instance.log.read_bytes(),
            Path(f"/proc/{instance.process.pid}/cmdline").read_bytes(),
            *(p.read_bytes() for p in Path("/var/lib/mip6", instance.name).iterdir()),
            *(p.read_bytes() for p in Path("/run/mip6").glob(f"{instance.name}*json")),
        ]
        for what in ("status", "bindings", "updates", "stats", "trace"):
            seen.append(instance.call(what, "--json").stdout.encode())
            seen.append(instance.call(what).stdout.encode())
        for text in seen:
            assert not any(word.encode() in text for word in letters)
            assert not any(secret in text for secret in octets)
