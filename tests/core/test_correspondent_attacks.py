"""What an attacker can do to a correspondent, and to others by way of it (§15.4)."""

import sys
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest
from tests.support.correspondents import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    NEXT_CARE_OF_ADDRESS,
    OTHER_CORRESPONDENT,
    OTHER_HOME_ADDRESS,
    MobileNode,
    Token,
    acknowledgement,
    correspondent_node,
    dropped,
    one,
    optimized,
    sent,
    unreachable,
)

from mip6.core.effects import Effect, Send
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.wire.checksum import checksum
from mip6.wire.icmpv6 import PacketTooBig, ParameterProblem, UnknownIcmp, write_icmpv6
from mip6.wire.messages import (
    BindingError,
    BindingUpdate,
    CareOfTestInit,
    HomeTestInit,
    UnknownMessage,
)
from mip6.wire.options import NonceIndices
from mip6.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    read_packet,
    write_packet,
)

ENDS = (CORRESPONDENT, HOME_ADDRESS)
VICTIM = IPv6Address("2001:db8:666::1")
BOUND = {ENDS: CARE_OF_ADDRESS}


@pytest.fixture
def victim() -> MobileNode:
    """A mobile node that is bound."""
    mobile_node = MobileNode(node=correspondent_node())
    mobile_node.bind(lifetime=400)
    return mobile_node


def attacker(node: Node) -> MobileNode:
    """Elsewhere, with a home address and a care-of address of its own."""
    return MobileNode(
        node=node,
        home_address=OTHER_HOME_ADDRESS,
        care_of_address=NEXT_CARE_OF_ADDRESS,
    ).tested()


# Forged Binding Updates


def test_without_tokens(victim: MobileNode) -> None:
    """Nobody who has not seen both tests can bind a home address."""
    forged = MobileNode(node=victim.node, care_of_address=VICTIM, number=10)
    indices = NonceIndices(victim.home.index, victim.care_of.index)
    for lifetime in (60, 0):
        packet = forged.update(lifetime=lifetime, indices=indices)
        assert dropped(victim.node.receive(packet, 0.0)) == "authenticator"
    assert optimized(victim.node) == BOUND


def test_with_tokens_for_other_addresses(victim: MobileNode) -> None:
    own = attacker(victim.node)
    for home, care_of in (
        (own.home, own.care_of),  # somebody else's home address
        (victim.home, own.care_of),  # the care-of token was for another address
        (own.home, victim.care_of),
        (own.care_of, own.home),  # each where the other belongs
    ):
        forged = MobileNode(
            node=victim.node,
            care_of_address=VICTIM,
            number=10,
            home=home,
            care_of=care_of,
        )
        packet = forged.update()
        assert dropped(victim.node.receive(packet, 0.0)) == "authenticator"
    assert optimized(victim.node) == BOUND


def test_the_home_token_alone_moves_nothing(victim: MobileNode) -> None:
    """Who hears the home test only can delete, as at the home link it always could."""
    forged = MobileNode(
        node=victim.node, care_of_address=VICTIM, number=10, home=victim.home
    )
    indices = NonceIndices(victim.home.index, victim.care_of.index)
    packet = forged.update(key=forged.key(0), indices=indices)
    assert dropped(victim.node.receive(packet, 0.0)) == "authenticator"
    assert optimized(victim.node) == BOUND


def test_replayed(victim: MobileNode) -> None:
    first = victim.update(2)
    moved = MobileNode(
        node=victim.node, care_of_address=NEXT_CARE_OF_ADDRESS, home=victim.home
    ).test_care_of(1.0)
    assert acknowledgement(victim.node.receive(first, 1.0)).status == 0
    assert acknowledgement(victim.node.receive(moved.update(3), 1.0)).status == 0
    for packet in (first, moved.update(3)):
        assert acknowledgement(victim.node.receive(packet, 2.0)).status == 135
    assert optimized(victim.node) == {ENDS: NEXT_CARE_OF_ADDRESS}
    # Neither after the deletion, nor after all nonces are too old.
    deletion = moved.update(4, lifetime=0)
    assert acknowledgement(victim.node.receive(deletion, 3.0)).status == 0
    for now, status in ((4.0, 137), (300.0, 138)):
        assert acknowledgement(victim.node.receive(first, now)).status == status
    assert victim.node.installed == set()


def test_replayed_to_another_address_of_ours(victim: MobileNode) -> None:
    """The correspondent's address is part of what is signed."""
    packet = read_packet(victim.update())
    elsewhere = MobileNode(node=victim.node, correspondent=OTHER_CORRESPONDENT)
    elsewhere.home, elsewhere.care_of = victim.home, victim.care_of
    right = elsewhere.update(3)
    assert len(packet.payload) == len(read_packet(right).payload)
    assert acknowledgement(victim.node.receive(right, 0.0)).status == 0
    signed = victim.update(4)
    wrong = read_packet(signed)
    sum_ = write_packet(
        IPv6Packet(
            source=wrong.source,
            destination=OTHER_CORRESPONDENT,
            extensions=wrong.extensions,
            next_header=wrong.next_header,
            payload=_with_checksum(wrong.payload, OTHER_CORRESPONDENT),
        )
    )
    assert dropped(victim.node.receive(sum_, 0.0)) == "authenticator"


def _with_checksum(payload: bytes, destination: IPv6Address) -> bytes:
    octets = bytearray(payload)
    octets[4:6] = bytes(2)
    octets[4:6] = checksum(HOME_ADDRESS, destination, 135, bytes(octets)).to_bytes(2)
    return bytes(octets)


def test_with_old_nonces(victim: MobileNode) -> None:
    """Recorded tokens are of no use four minutes later."""
    now = 240.0
    victim.node.tick(now)
    assert acknowledgement(victim.node.receive(victim.update(), now)).status == 138
    # An index that is in use again names another nonce.
    fresh = MobileNode(node=victim.node).tested(now)
    stale = MobileNode(
        node=victim.node,
        home=Token(fresh.home.index, victim.home.keygen),
        care_of=Token(fresh.care_of.index, victim.care_of.keygen),
        number=10,
    )
    assert dropped(victim.node.receive(stale.update(), now)) == "authenticator"


def test_every_octet_is_protected() -> None:
    """But traffic class, flow label and hop limit, and padding of the option."""
    accepted = set()
    for at in range(40 + 24 + 32):
        node = correspondent_node()
        packet = bytearray(MobileNode(node=node).tested().update())
        assert len(packet) == 40 + 24 + 32
        packet[at] ^= 1
        node.receive(bytes(packet), 1.0)
        if optimized(node):
            assert optimized(node) == BOUND
            accepted.add(at)
    assert accepted == {0, 1, 2, 3, 7, 42, 44, 45}


# Floods


def memory(role: object) -> int:
    """Octets of everything that can be reached from a role."""
    seen: set[int] = set()

    def sizes(value: object) -> Iterator[int]:
        if id(value) in seen or isinstance(value, type | type(sys)):
            return
        seen.add(id(value))
        yield sys.getsizeof(value)
        if isinstance(value, dict):
            for pair in value.items():
                yield from sizes(pair)
        elif isinstance(value, list | tuple | set | frozenset):
            for one_of in value:
                yield from sizes(one_of)
        for name in getattr(type(value), "__slots__", ()):
            yield from sizes(getattr(value, name, None))
        yield from sizes(getattr(value, "__dict__", None))

    return sum(sizes(role))


def test_a_flood_of_tests_leaves_nothing_behind() -> None:
    node = correspondent_node(tests_rate=100_000, tests_burst=100_000)
    mobile_node = MobileNode(node=node)
    mobile_node.tested(0.0)
    before = memory(node.correspondent)
    for n in range(2000):
        source = IPv6Address("2001:db8:bad::") + n
        for message in (
            HomeTestInit(home_init_cookie=n.to_bytes(8)),
            CareOfTestInit(care_of_init_cookie=n.to_bytes(8)),
        ):
            packet = mobile_node.packet(message, source)
            (answer,) = sent(node.receive(packet, 0.0))
            assert answer.destination == source
            assert len(write(answer)) == len(packet) + 8
    assert memory(node.correspondent) - before < 1000
    assert node.installed == set()


def test_a_flood_of_tests_does_not_starve_updates() -> None:
    node = correspondent_node(tests_rate=10, tests_burst=10)
    mobile_node = MobileNode(node=node).tested()
    answered = 0
    for n in range(1000):
        packet = mobile_node.packet(
            HomeTestInit(home_init_cookie=bytes(8)), IPv6Address(2**125 + n)
        )
        answered += len(sent(node.receive(packet, 0.0)))
    assert answered == 9
    assert acknowledgement(node.receive(mobile_node.update(), 0.0)).status == 0
    # The other kind of test has its own share.
    mobile_node.test_care_of(0.0)


def test_a_flood_of_updates_leaves_nothing_behind(victim: MobileNode) -> None:
    before = memory(victim.node.correspondent)
    answers = 0
    for n in range(5000):
        forged = MobileNode(
            node=victim.node, home_address=IPv6Address("2001:db8:bad::") + n
        )
        answers += len(sent(victim.node.receive(forged.update(), 0.0)))
    assert answers == 100  # status 138, as many as the bucket holds
    assert memory(victim.node.correspondent) - before < 1000
    assert optimized(victim.node) == BOUND


def test_a_crowd_of_real_mobile_nodes_fills_the_cache_and_no_more(
    victim: MobileNode,
) -> None:
    """Somebody with a whole prefix passes any number of tests."""
    node = victim.node
    node.talks_to(CORRESPONDENT, HOME_ADDRESS, 0.0)
    statuses = []
    for n in range(50):
        crowd = MobileNode(
            node=node,
            home_address=IPv6Address("2001:db8:bad::") + n,
            care_of_address=IPv6Address("2001:db8:bad:1::") + n,
        ).tested()
        statuses.append(acknowledgement(node.receive(crowd.update(), 0.0)).status)
    assert statuses == [0] + [130] * 49
    assert len(optimized(node)) == 2
    assert optimized(node)[ENDS] == CARE_OF_ADDRESS


# By way of us, against others


def test_bombing_a_third_party(victim: MobileNode) -> None:
    """The care-of test stops whoever would have our traffic sent to somebody else."""
    own = attacker(victim.node)
    own.care_of_address = VICTIM
    # It asks for the test, but the answer goes to the victim: one packet for one.
    message = CareOfTestInit(care_of_init_cookie=bytes(8))
    answer = one(victim.node.receive(own.packet(message, VICTIM), 0.0))
    assert answer.destination == VICTIM
    for alternate in (None, VICTIM):
        packet = own.update(alternate=alternate, source=NEXT_CARE_OF_ADDRESS)
        if alternate is None:
            packet = own.update()
        assert dropped(victim.node.receive(packet, 0.0)) == "authenticator"
    assert VICTIM not in optimized(victim.node).values()


def answers(effects: list[Effect]) -> list[Packet]:
    return [effect.packet for effect in effects if isinstance(effect, Send)]


def test_nobody_gets_more_than_was_sent_in_their_name(victim: MobileNode) -> None:
    """At most one packet for each, at most 8 octets larger, or else rate-limited."""
    node = victim.node
    sender = MobileNode(node=node, home_address=VICTIM, care_of_address=VICTIM)
    echo = write_icmpv6(UnknownIcmp(type=128, code=0, data=bytes(4)), VICTIM, VICTIM)
    echoed = write_packet(
        IPv6Packet(
            source=VICTIM,
            destination=CORRESPONDENT,
            extensions=(DestinationOptions((HomeAddressOption(HOME_ADDRESS),)),),
            next_header=58,
            payload=echo,
        )
    )
    tests: list[bytes] = [
        sender.packet(HomeTestInit(home_init_cookie=bytes(8)), VICTIM),
        sender.packet(CareOfTestInit(care_of_init_cookie=bytes(8)), VICTIM),
    ]
    limited = [
        sender.update(),
        sender.update(lifetime=0),
        sender.packet(
            BindingUpdate(sequence_number=1, lifetime=4, home_registration=True), VICTIM
        ),
        sender.packet(UnknownMessage(99, bytes(2)), VICTIM),
        echoed,
    ]
    for packet in tests * 3:
        (answer,) = answers(node.receive(packet, 0.0))
        assert answer.destination == VICTIM
        assert len(write(answer)) <= len(packet) + 8
    total = 0
    for _ in range(1000):
        for packet in limited:
            found = answers(node.receive(packet, 0.0))
            assert len(found) <= 1
            total += len(found)
    # Buckets of 100 acknowledgements that prove nothing and of 10 Binding Errors.
    assert total == 110


def test_routing_headers_are_not_followed(victim: MobileNode) -> None:
    """No packet goes where a routing header says: we are not mobile."""
    for address in (VICTIM, HOME_ADDRESS, CORRESPONDENT):
        packet = IPv6Packet(
            source=NEXT_CARE_OF_ADDRESS,
            destination=CORRESPONDENT,
            extensions=(RoutingHeaderType2(address),),
            next_header=17,
            payload=bytes(16),
        )
        reason = dropped(victim.node.receive(write_packet(packet), 0.0))
        assert reason == "routing_header_address"


def test_home_address_options_are_not_believed(victim: MobileNode) -> None:
    """Nobody else speaks for a home address; each such packet brings one small error
    to where it came from, rate-limited."""
    packet = write_packet(
        IPv6Packet(
            source=VICTIM,
            destination=CORRESPONDENT,
            extensions=(DestinationOptions((HomeAddressOption(HOME_ADDRESS),)),),
            next_header=17,
            payload=bytes(16),
        )
    )
    found = [p for _ in range(1000) for p in answers(victim.node.receive(packet, 0.0))]
    assert len(found) == 10
    assert {p.destination for p in found} == {VICTIM}
    assert all(len(write(p)) <= len(packet) for p in found)
    assert optimized(victim.node) == BOUND


# Forged errors


def test_forged_binding_errors_and_parameter_problems(victim: MobileNode) -> None:
    node = victim.node
    quoted = victim.data()
    before = node.installed
    for now in range(100):
        for source in (CARE_OF_ADDRESS, HOME_ADDRESS, VICTIM):
            for status in (1, 2):
                error = BindingError(status=status, home_address=HOME_ADDRESS)
                reason = dropped(node.receive(victim.packet(error, source), now))
                assert reason == "unexpected_message"
            for code in (0, 1, 2):
                problem = ParameterProblem(code=code, pointer=42, packet=quoted)
                reason = dropped(node.receive(victim.packet(problem, source), now))
                assert reason == "unexpected_message"
    assert node.installed == before


def test_one_forged_error_ends_nothing(victim: MobileNode) -> None:
    """Nor do a thousand at once."""
    error = victim.error(unreachable(victim.data()))
    for n in range(1000):
        reason = dropped(victim.node.receive(error, 1.0 + n / 200))
        assert reason == "not_persistent"
    assert optimized(victim.node) == BOUND


def test_errors_from_who_has_never_seen_a_packet(victim: MobileNode) -> None:
    """The quote must name all three addresses."""
    node = victim.node
    elsewhere = MobileNode(node=node, care_of_address=VICTIM)
    before = node.installed
    for now in range(100):
        node.receive(victim.error(unreachable(elsewhere.data())), now)
        node.receive(victim.error(PacketTooBig(mtu=1280, packet=elsewhere.data())), now)
    assert node.installed == before


def test_a_forged_size_never_goes_below_the_minimum(victim: MobileNode) -> None:
    error = victim.error(PacketTooBig(mtu=0, packet=victim.data()))
    victim.node.receive(error, 0.0)
    sizes = [getattr(state, "mtu", None) for state in victim.node.installed]
    assert 1280 in sizes
