"""What attackers send to a correspondent's daemon, with real packets.

They may forge any source, and are not on the path of the home test.  All they send is
counted, the binding that there is stays as it is, and no memory grows.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.support.abuse import counted
from tests.support.attacker import send
from tests.support.correspondents import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
    OTHER_HOME_ADDRESS,
    MobileNode,
    Token,
    acknowledgement,
)
from tests.support.daemons import CORRESPONDENT, World, small_world, until
from tests.support.distant import Distant, distant
from tests.support.octets import UDP, ipv6, udp

from mip6.core.packet import Packet, write
from mip6.wire.icmpv6 import DestinationUnreachable, PacketTooBig, ParameterProblem
from mip6.wire.messages import (
    BindingError,
    CareOfTestInit,
    HomeTestInit,
)
from mip6.wire.options import NonceIndices
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    write_packet,
)

pytestmark = pytest.mark.root

PEER = IPv6Address(CORRESPONDENT)
VICTIM = IPv6Address("2001:db8:9::66")
DISCARD = 9
NUMBERS = count(0, 1000)
"""Of the victim's last Binding Update before each test: they only grow, or the
correspondent remembers a later one."""


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[World, Distant]]:
    """One for all these attacks, as it takes seconds to build."""
    with small_world(tmp_path_factory.mktemp("abuse")) as world:
        world.router.ip("route add 2001:db8:9::/64 dev lo")
        world.correspondent_node.start()
        with distant(world.router, "corr") as peer:
            yield world, peer


@pytest.fixture
def world(place: tuple[World, Distant]) -> World:
    return place[0]


@pytest.fixture
def peer(place: tuple[World, Distant]) -> Distant:
    place[1].silent = False
    return place[1]


@pytest.fixture
def victim(peer: Distant) -> MobileNode:
    """A mobile node that is bound."""
    mobile_node = MobileNode(node=peer, number=next(NUMBERS))
    mobile_node.bind(lifetime=400)
    return mobile_node


def bindings(world: World) -> dict[str, Any]:
    found = world.correspondent_node.read("bindings")["bindings"]
    return {binding["home_address"]: binding for binding in found}


@contextlib.contextmanager
def harmless(world: World, **expected: int) -> Iterator[None]:
    """Afterwards the victim is bound as before, nobody else is, and at least so many
    packets more are counted."""
    instance = world.correspondent_node
    before, bound = counted(instance), bindings(world)
    yield

    def grown() -> bool:
        now = counted(instance)
        return all(now.get(k, 0) - before.get(k, 0) >= n for k, n in expected.items())

    until(grown, f"counted {expected}")
    after = bindings(world)
    for home_address in {*bound, *after}:
        for name in ("care_of_address", "sequence_number"):
            assert after[home_address][name] == bound[home_address][name]


def attacker(peer: Distant) -> MobileNode:
    """Elsewhere, with a home address and a care-of address of its own."""
    return MobileNode(
        node=peer,
        home_address=OTHER_HOME_ADDRESS,
        care_of_address=NEXT_CARE_OF_ADDRESS,
    ).tested()


# Forged Binding Updates


def test_without_tokens(world: World, peer: Distant, victim: MobileNode) -> None:
    forged = MobileNode(node=peer, care_of_address=VICTIM, number=victim.number)
    indices = NonceIndices(victim.home.index, victim.care_of.index)
    with harmless(world, authenticator=2):
        peer.silent = True
        for lifetime in (60, 0):
            assert peer.receive(forged.update(lifetime=lifetime, indices=indices)) == []


def test_with_tokens_for_other_addresses(
    world: World, peer: Distant, victim: MobileNode
) -> None:
    own = attacker(peer)
    with harmless(world, authenticator=3):
        peer.silent = True
        for home, care_of in (
            (own.home, own.care_of),  # somebody else's home address
            (victim.home, own.care_of),  # the care-of token was for another address
            (own.home, victim.care_of),
        ):
            forged = MobileNode(
                node=peer,
                care_of_address=VICTIM,
                home=home,
                care_of=care_of,
                number=victim.number,
            )
            assert peer.receive(forged.update()) == []


def test_replayed_after_the_binding_is_gone(world: World, peer: Distant) -> None:
    """Who recorded a mobile node's update sends it again when that is home again."""
    roamer = MobileNode(node=peer, home_address=IPv6Address("2001:db8:a::300"))
    roamer.tested()
    update = roamer.update(acknowledge=True)
    assert acknowledgement(peer.receive(update)).status == 0
    assert acknowledgement(peer.receive(update)).status == 135, "while it stands"
    assert acknowledgement(peer.receive(roamer.update(lifetime=0))).status == 0
    with harmless(world):
        assert acknowledgement(peer.receive(update)).status in (136, 137, 138)


def test_old_nonces(world: World, peer: Distant, victim: MobileNode) -> None:
    """An index that nobody has is told so, unsigned, and not to everybody."""
    old = Token(victim.home.index ^ 0x8000, victim.home.keygen)
    with harmless(world, rate=1):
        forged = MobileNode(node=peer, home=old, care_of=old, number=victim.number)
        packet = forged.update()
        assert acknowledgement(peer.receive(packet)).status == 138
        send(world.router, [packet] * 400)


def test_bombing_a_third_party(world: World, peer: Distant) -> None:
    """A victim's address as care-of address takes the token that went there."""
    own = attacker(peer)
    aimed = MobileNode(
        node=peer,
        home_address=own.home_address,
        care_of_address=VICTIM,
        home=own.home,
        care_of=own.care_of,
    )
    with harmless(world, authenticator=1):
        peer.silent = True
        assert peer.receive(aimed.update()) == []
    assert acknowledgement(peer.receive(own.update())).status == 0, "but its own may"
    assert acknowledgement(peer.receive(own.update(lifetime=0))).status == 0


# Floods


def resident_kilobytes(world: World) -> int:
    process = world.correspondent_node.process
    assert process is not None
    [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(
        encoding="ascii"
    ).split() or [str(process.pid)]
    text = Path(f"/proc/{child}/status").read_text(encoding="ascii")
    [line] = [line for line in text.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])


@pytest.mark.parametrize(
    "ask",
    [
        lambda cookie: HomeTestInit(home_init_cookie=cookie),
        lambda cookie: CareOfTestInit(care_of_init_cookie=cookie),
    ],
    ids=["home", "care-of"],
)
def test_a_flood_of_tests(
    world: World,
    peer: Distant,
    victim: MobileNode,
    ask: Callable[[bytes], HomeTestInit | CareOfTestInit],
) -> None:
    """One answer for each, eight octets larger, no more than the budget has; nothing is
    kept, and who is honest gets bound meanwhile."""

    def asked(number: int) -> bytes:
        packet = Packet(
            source=IPv6Address("2001:db8:9::") + number,
            destination=PEER,
            message=ask(number.to_bytes(8)),
        )
        return write(packet)

    flood = [asked(number) for number in range(1, 6001)]
    send(world.router, flood[:1000])
    before = resident_kilobytes(world)
    peer.heard(PEER.packed)
    answers: list[Packet] = []

    def answered() -> bool:
        time.sleep(1.0)
        found = peer.heard(PEER.packed)
        answers.extend(found)
        return bool(answers) and not found

    with harmless(world):
        for begin in range(0, len(flood), 500):
            send(world.router, flood[begin : begin + 500])
            time.sleep(0.01)
        until(answered, "no answer comes any more")
    assert len(answers) <= len(flood)
    assert all(len(a.octets) == len(flood[0]) + 8 for a in answers)
    assert resident_kilobytes(world) - before < 4096
    victim.bind(lifetime=400)


def test_reflection_by_the_home_address_option(
    world: World, peer: Distant, victim: MobileNode
) -> None:
    """Without a binding from there it is dropped: a Binding Error to the wire's source,
    a few a second, and nothing ever to the address in the option."""
    packet = write_packet(
        IPv6Packet(
            source=NEXT_CARE_OF_ADDRESS,
            destination=PEER,
            extensions=(DestinationOptions((HomeAddressOption(VICTIM),)),),
            next_header=UDP,
            payload=udp(b"who is that"),
        )
    )
    with harmless(world, unverified=1, home_address_option_without_binding=1):
        begin = time.monotonic()
        [answer] = [effect.packet for effect in peer.receive(packet)]  # type: ignore[union-attr]
        assert isinstance(answer.message, BindingError)
        assert answer.destination == NEXT_CARE_OF_ADDRESS
        send(world.router, [packet] * 300)
        time.sleep(0.5)
        answers = peer.heard(PEER.packed)
        seconds = time.monotonic() - begin
    assert len(answers) <= 10 + 10 * seconds
    assert {a.destination for a in answers} <= {NEXT_CARE_OF_ADDRESS}


def test_reflection_by_routing_headers(world: World, peer: Distant) -> None:
    """This is no mobile node: all are discarded, none is forwarded."""
    world.correspondent.sysctl("eth0.forwarding=1")
    packet = write_packet(
        IPv6Packet(
            source=NEXT_CARE_OF_ADDRESS,
            destination=PEER,
            extensions=(RoutingHeaderType2(VICTIM),),
            next_header=UDP,
            payload=udp(b"pass it on"),
        )
    )
    with harmless(world, dropped_routing_header=1):
        peer.silent = True
        assert peer.receive(packet) == []
    world.correspondent.sysctl("eth0.forwarding=0")


# Errors that nobody has a right to


def test_forged_errors(world: World, peer: Distant, victim: MobileNode) -> None:
    """Binding Errors are for mobile nodes; errors about what was never sent, and one
    Unreachable alone even if the quote is right, change nothing."""
    sent = ipv6(CORRESPONDENT, str(CARE_OF_ADDRESS), UDP, udp(b"never sent"))
    router = IPv6Address("2001:db8:e::1")
    errors = [
        BindingError(status=1, home_address=HOME_ADDRESS),
        DestinationUnreachable(code=0, packet=sent),
        PacketTooBig(mtu=1280, packet=sent),
        ParameterProblem(code=2, pointer=42, packet=sent),
    ]
    packets = [
        write(Packet(source=router, destination=PEER, message=message))
        for message in errors
    ]
    guessed = write_packet(
        IPv6Packet(
            source=PEER,
            destination=CARE_OF_ADDRESS,
            extensions=(RoutingHeaderType2(HOME_ADDRESS),),
            next_header=UDP,
            payload=udp(b"as it is sent"),
        )
    )
    alone = DestinationUnreachable(code=0, packet=guessed)
    packets.append(write(Packet(source=router, destination=PEER, message=alone)))
    with harmless(world, unexpected_message=4, not_persistent=1):
        send(world.router, packets)
    way = world.correspondent.ip(f"route get {HOME_ADDRESS} ipproto udp dport 7")
    assert "dev mip0" in way
    assert "mtu" not in way
