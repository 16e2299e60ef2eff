"""RFC 6275 §9 (with §5.2 and §6.1) at a correspondent, octets in and octets out."""

from dataclasses import replace
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
    acknowledgement,
    correspondent_node,
    dropped,
    one,
    optimized,
    sent,
    unreachable,
)

from mip6.core.node import Node
from mip6.core.packet import Packet, read, write
from mip6.core.return_routability import sign
from mip6.wire.checksum import checksum
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingRefreshRequest,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
)
from mip6.wire.options import BindingAuthorizationData, NonceIndices
from mip6.wire.packet import read_packet, write_packet

ENDS = (CORRESPONDENT, HOME_ADDRESS)


@pytest.fixture
def mobile_node() -> MobileNode:
    return MobileNode(node=correspondent_node())


@pytest.fixture(params=[False, True], ids=["unbound", "bound"])
def tested(request: pytest.FixtureRequest) -> MobileNode:
    """A mobile node with tokens, without and with a binding."""
    mobile_node = MobileNode(node=correspondent_node())
    if request.param:
        mobile_node.bind()
    return mobile_node.tested()


def status(mobile_node: MobileNode, packet: bytes, now: float = 0.0) -> int:
    return acknowledgement(mobile_node.node.receive(packet, now)).status


# §9.4, §5.2.5


@pytest.mark.rfc("9.4.1-3", "key and nonce are there when they are needed")
@pytest.mark.rfc("9.4.1-4", "made before the answer")
@pytest.mark.rfc("8.2-7", "the procedure is answered")
@pytest.mark.rfc("6.1-3", "a Home Test goes to the home address, bound or not")
def test_home_test(tested: MobileNode) -> None:
    message = HomeTestInit(home_init_cookie=b"a cookie")
    node = tested.node
    answer = one(node.receive(tested.packet(message, HOME_ADDRESS), 0.0))
    assert answer == Packet(
        source=CORRESPONDENT,
        destination=HOME_ADDRESS,
        message=HomeTest(
            home_nonce_index=tested.home.index,
            home_init_cookie=b"a cookie",
            home_keygen_token=tested.home.keygen,
        ),
    )


@pytest.mark.rfc("8.2-7", "the procedure is answered")
@pytest.mark.rfc("6.1-3", "a Care-of Test goes to the care-of address")
def test_care_of_test(tested: MobileNode) -> None:
    message = CareOfTestInit(care_of_init_cookie=b"a cookie")
    node = tested.node
    answer = one(node.receive(tested.packet(message, CARE_OF_ADDRESS), 0.0))
    assert answer == Packet(
        source=CORRESPONDENT,
        destination=CARE_OF_ADDRESS,
        message=CareOfTest(
            care_of_nonce_index=tested.care_of.index,
            care_of_init_cookie=b"a cookie",
            care_of_keygen_token=tested.care_of.keygen,
        ),
    )


@pytest.mark.rfc("5.2.5", "home and care-of tokens of one address differ")
def test_the_two_tokens_differ() -> None:
    node = correspondent_node()
    at_home = MobileNode(node=node, care_of_address=HOME_ADDRESS).tested()
    assert at_home.home.index == at_home.care_of.index
    assert at_home.home.keygen != at_home.care_of.keygen


# §9.5.1, §9.5.2


@pytest.mark.rfc("8.2-8", "a binding is made")
@pytest.mark.rfc("8.2-9", "and acknowledged")
@pytest.mark.rfc("8.2-10", "and kept")
@pytest.mark.rfc("9.5.1-7", "the tokens are computed again")
@pytest.mark.rfc("9.5.4-8", "the acknowledgement is signed")
@pytest.mark.rfc("6.1.8-1", "K is 0")
@pytest.mark.rfc("6.1.7-4", "whatever K of the update is")
@pytest.mark.parametrize("capability", [False, True])
def test_a_binding(mobile_node: MobileNode, capability: bool) -> None:
    answer = one(mobile_node.bind(key_management_mobility_capability=capability))
    message = answer.message
    assert isinstance(message, BindingAcknowledgement)
    assert mobile_node.believes(answer)
    assert answer == Packet(
        source=CORRESPONDENT,
        destination=CARE_OF_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=BindingAcknowledgement(
            status=0,
            sequence_number=1,
            lifetime=60,
            key_management_mobility_capability=False,
            options=message.options,
        ),
    )
    assert optimized(mobile_node.node) == {ENDS: CARE_OF_ADDRESS}


@pytest.mark.rfc("9.1-1", "one cache for each address of ours")
def test_each_address_has_its_own_cache() -> None:
    node = correspondent_node()
    other = MobileNode(node=node, correspondent=OTHER_CORRESPONDENT)
    MobileNode(node=node).bind()
    other.bind()
    other.care_of_address = NEXT_CARE_OF_ADDRESS
    other.bind()
    assert optimized(node) == {
        ENDS: CARE_OF_ADDRESS,
        (OTHER_CORRESPONDENT, HOME_ADDRESS): NEXT_CARE_OF_ADDRESS,
    }


@pytest.mark.rfc("6.1.7-13", "a binding in use lasts until the end of its lifetime")
@pytest.mark.rfc("9.1-3", "and makes no room for another")
@pytest.mark.rfc("9.5.2-4", "which is refused with status 130")
@pytest.mark.rfc("9.5.4-8", "and signed")
@pytest.mark.rfc("9.5.4-3", "even without A")
def test_full_of_bindings_in_use() -> None:
    node = correspondent_node(bindings_max=1)
    MobileNode(node=node).bind(lifetime=120)
    for now in range(10, 60, 10):
        node.talks_to(CORRESPONDENT, HOME_ADDRESS, now)
    other = MobileNode(node=node, home_address=OTHER_HOME_ADDRESS).tested(60.0)
    answer = one(node.receive(other.update(acknowledge=False), 60.0))
    assert isinstance(answer.message, BindingAcknowledgement)
    assert answer.message.status == 130
    assert other.believes(answer)
    node.tick(119.9)
    assert optimized(node) == {ENDS: CARE_OF_ADDRESS}


@pytest.mark.rfc("9.5.1-5", "Nonce Indices are needed")
def test_without_nonce_indices(tested: MobileNode) -> None:
    update = BindingUpdate(sequence_number=9, lifetime=60, acknowledge=True)
    signed = sign(update, tested.key(60), CARE_OF_ADDRESS, CORRESPONDENT)
    packet = tested.packet(signed, CARE_OF_ADDRESS, home_address=HOME_ADDRESS)
    before = tested.node.installed
    assert dropped(tested.node.receive(packet, 0.0)) == "nonce_indices_missing"
    assert tested.node.installed == before


@pytest.mark.rfc("9.5.1-8", "Binding Authorization Data is needed")
@pytest.mark.rfc("9.5.1-11", "as the last option")
@pytest.mark.parametrize("there", [False, True])
def test_without_authorization_data_at_the_end(tested: MobileNode, there: bool) -> None:
    indices = NonceIndices(tested.home.index, tested.care_of.index)
    data = (BindingAuthorizationData(bytes(12)),) if there else ()
    update = BindingUpdate(sequence_number=9, lifetime=60, options=(*data, indices))
    packet = tested.packet(update, CARE_OF_ADDRESS, home_address=HOME_ADDRESS)
    before = tested.node.installed
    reason = "binding_authorization_data_missing"
    assert dropped(tested.node.receive(packet, 0.0)) == reason
    assert tested.node.installed == before


@pytest.mark.rfc("9.5.1-12", "and nothing behind it, not even padding")
def test_padding_behind_the_authorization_data(tested: MobileNode) -> None:
    packet = read_packet(tested.update())
    payload = bytearray(packet.payload)
    payload += b"\1\6" + bytes(6)
    payload[1] += 1
    payload[4:6] = bytes(2)
    sum_ = checksum(HOME_ADDRESS, CORRESPONDENT, 135, bytes(payload))
    payload[4:6] = sum_.to_bytes(2)
    padded = write_packet(replace(packet, payload=bytes(payload)))
    assert isinstance(read(padded).message, BindingUpdate)
    assert dropped(tested.node.receive(padded, 0.0)) == "authenticator"


@pytest.mark.rfc("9.5.1-9", "the authenticator must be the one of these tokens")
def test_wrong_authenticator(tested: MobileNode) -> None:
    before = tested.node.installed
    for key in (b"", bytes(20), tested.key(0)):
        packet = tested.update(9, key=key or b"x")
        assert dropped(tested.node.receive(packet, 0.0)) == "authenticator"
    assert tested.node.installed == before


@pytest.mark.rfc("9.5.1-10", "the Alternate Care-of Address is what was tested")
@pytest.mark.rfc("9.5.1-21", "and what is bound")
def test_alternate_care_of_address(mobile_node: MobileNode) -> None:
    mobile_node.care_of_address = NEXT_CARE_OF_ADDRESS
    mobile_node.tested()
    packet = mobile_node.update(source=CARE_OF_ADDRESS, alternate=NEXT_CARE_OF_ADDRESS)
    answer = one(mobile_node.node.receive(packet, 0.0))
    assert answer.destination == CARE_OF_ADDRESS
    assert mobile_node.believes(answer)
    assert optimized(mobile_node.node) == {ENDS: NEXT_CARE_OF_ADDRESS}


@pytest.mark.rfc("9.5.1-10", "an alternate that was not tested does not count")
def test_alternate_care_of_address_that_was_not_tested(tested: MobileNode) -> None:
    packet = tested.update(9, alternate=NEXT_CARE_OF_ADDRESS)
    assert dropped(tested.node.receive(packet, 0.0)) == "authenticator"


@pytest.mark.rfc("9.5.1-6", "both indices must be known, in a deletion the home one")
@pytest.mark.rfc("9.5.1-17", "or else status 136, 137, 138")
@pytest.mark.rfc("9.5.1-20", "a deletion's care-of nonce index is not looked at")
@pytest.mark.rfc("9.5.4-3", "even without A")
@pytest.mark.rfc("9.5.4-7", "not signed")
@pytest.mark.parametrize("acknowledge", [False, True])
@pytest.mark.parametrize(
    ("home", "care_of", "lifetime", "expected"),
    [
        (False, False, 60, 138),
        (False, True, 60, 136),
        (True, False, 60, 137),
        (False, False, 0, 136),
        (False, True, 0, 136),
    ],
)
def test_nonce_indices_not_known(
    tested: MobileNode,
    home: bool,
    care_of: bool,
    lifetime: int,
    expected: int,
    acknowledge: bool,
) -> None:
    before = tested.node.installed
    wrong = tested.home.index + 1000
    indices = NonceIndices(
        tested.home.index if home else wrong,
        tested.care_of.index if care_of else wrong,
    )
    packet = tested.update(
        7, lifetime=lifetime, indices=indices, acknowledge=acknowledge
    )
    answer = one(tested.node.receive(packet, 0.0))
    assert answer == Packet(
        source=CORRESPONDENT,
        destination=CARE_OF_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=BindingAcknowledgement(status=expected, sequence_number=7, lifetime=0),
    )
    assert tested.node.installed == before


@pytest.mark.rfc("9.5.1-6", "nonces expire")
@pytest.mark.rfc("9.5.1-17", "each index has its status")
def test_nonces_that_are_too_old(mobile_node: MobileNode) -> None:
    mobile_node.test_home(0.0).test_care_of(100.0)
    assert status(mobile_node, mobile_node.update(lifetime=400), 239.9) == 0
    assert status(mobile_node, mobile_node.update(), 240.0) == 136
    mobile_node.test_home(240.0)
    assert status(mobile_node, mobile_node.update(), 240.0) == 0
    assert status(mobile_node, mobile_node.update(), 340.0) == 137
    assert status(mobile_node, mobile_node.update(), 1000.0) == 138


@pytest.mark.rfc("9.5.1-20", "a deletion needs no care-of nonce")
@pytest.mark.rfc("9.5.3-1", "and deletes")
@pytest.mark.rfc("9.5.4-8", "and is acknowledged, signed")
@pytest.mark.rfc("9.5.4-13", "at home without a routing header")
@pytest.mark.parametrize("at_home", [False, True])
def test_deletion(mobile_node: MobileNode, at_home: bool) -> None:
    mobile_node.bind()
    indices = NonceIndices(mobile_node.home.index, 0)
    packet = mobile_node.update(lifetime=0, indices=indices, at_home=at_home)
    answer = one(mobile_node.node.receive(packet, 0.0))
    assert mobile_node.believes(answer, lifetime=0)
    assert answer.routing_address == (None if at_home else HOME_ADDRESS)
    assert answer.destination == (HOME_ADDRESS if at_home else CARE_OF_ADDRESS)
    assert isinstance(answer.message, BindingAcknowledgement)
    assert (answer.message.status, answer.message.lifetime) == (0, 0)
    assert mobile_node.node.installed == set()


@pytest.mark.rfc("5.2.5", "what deletes is signed with the home keygen token alone")
def test_deletion_signed_with_both_tokens(mobile_node: MobileNode) -> None:
    mobile_node.bind()
    packet = mobile_node.update(lifetime=0, key=mobile_node.key(60))
    assert dropped(mobile_node.node.receive(packet, 0.0)) == "authenticator"
    assert optimized(mobile_node.node) == {ENDS: CARE_OF_ADDRESS}


@pytest.mark.rfc("9.5.3-2", "a deletion creates nothing")
def test_deletion_of_nothing(mobile_node: MobileNode) -> None:
    mobile_node.tested()
    assert status(mobile_node, mobile_node.update(lifetime=0)) == 0
    assert mobile_node.node.installed == set()


@pytest.mark.rfc("9.5.3-3", "the same nonces cannot make the binding again")
@pytest.mark.parametrize("number", [1, 2, 3, 40000])
def test_after_a_deletion(mobile_node: MobileNode, number: int) -> None:
    mobile_node.bind()
    assert status(mobile_node, mobile_node.update(lifetime=0)) == 0
    assert status(mobile_node, mobile_node.update(number)) == 137
    assert mobile_node.node.installed == set()
    # Who passes a new test may, whatever its number (§9.5.1).
    mobile_node.test_care_of(1.0)
    assert status(mobile_node, mobile_node.update(number), 1.0) == 0


@pytest.mark.rfc("9.5.3-3", "nor can an earlier update that comes late")
def test_a_deletion_that_overtakes(mobile_node: MobileNode) -> None:
    mobile_node.tested()
    late = mobile_node.update()
    assert status(mobile_node, mobile_node.update(lifetime=0)) == 0
    assert status(mobile_node, late) == 137
    assert mobile_node.node.installed == set()


@pytest.mark.rfc("9.6-2", "after eviction the same nonces do not count")
def test_after_eviction() -> None:
    node = correspondent_node(bindings_max=1)
    mobile_node = MobileNode(node=node)
    mobile_node.bind(0.0, lifetime=400)
    replayed = mobile_node.update(1, lifetime=400)
    other = MobileNode(node=node, home_address=OTHER_HOME_ADDRESS)
    other.bind(40.0, lifetime=400)
    assert optimized(node) == {(CORRESPONDENT, OTHER_HOME_ADDRESS): CARE_OF_ADDRESS}
    assert status(mobile_node, replayed, 80.0) == 137
    mobile_node.bind(80.0)
    assert optimized(node) == {ENDS: CARE_OF_ADDRESS}


@pytest.mark.rfc("9.6-2", "after expiry neither")
def test_after_expiry(mobile_node: MobileNode) -> None:
    mobile_node.bind(0.0, lifetime=4)
    mobile_node.node.tick(4.0)
    assert mobile_node.node.installed == set()
    assert status(mobile_node, mobile_node.update(1, lifetime=4), 5.0) == 137


@pytest.mark.rfc("9.5.1-4", "1 to 32767 ahead, modulo 65536")
@pytest.mark.rfc("9.5.1-14", "else status 135 and the last number accepted")
@pytest.mark.rfc("9.5.4-3", "even without A")
@pytest.mark.rfc("9.5.4-8", "signed")
@pytest.mark.parametrize(
    ("last", "number", "accepted"),
    [
        *((15, number, True) for number in (16, 17, 32767, 32782)),
        *((15, number, False) for number in (15, 14, 0, 32783, 32784, 65535)),
        *((32783, number, True) for number in (32784, 65535, 0, 14)),
        *((32783, number, False) for number in (32783, 32782, 16, 15)),
    ],
)
def test_sequence_numbers(
    mobile_node: MobileNode, last: int, number: int, accepted: bool
) -> None:
    mobile_node.bind(number=last)
    packet = mobile_node.update(number, acknowledge=accepted)
    answer = one(mobile_node.node.receive(packet, 1.0))
    assert mobile_node.believes(answer)
    message = answer.message
    assert isinstance(message, BindingAcknowledgement)
    expected = (0, number) if accepted else (135, last)
    assert (message.status, message.sequence_number) == expected


@pytest.mark.rfc("9.5.4-4", "accepted without A: no acknowledgement")
@pytest.mark.parametrize("lifetime", [0, 60])
def test_nobody_asked_for_an_acknowledgement(
    mobile_node: MobileNode, lifetime: int
) -> None:
    mobile_node.bind()
    packet = mobile_node.update(lifetime=lifetime, acknowledge=False)
    assert sent(mobile_node.node.receive(packet, 1.0)) == []
    assert bool(optimized(mobile_node.node)) == bool(lifetime)


@pytest.mark.rfc("5.2.6", "no more than MAX_RR_BINDING_LIFETIME")
@pytest.mark.rfc("9.5.2-2", "nor than asked for")
@pytest.mark.parametrize(("asked", "granted"), [(4, 4), (420, 420), (600, 420)])
def test_lifetime(mobile_node: MobileNode, asked: int, granted: int) -> None:
    effects = mobile_node.bind(100.0, lifetime=asked)
    assert acknowledgement(effects).lifetime == granted
    mobile_node.node.tick(100.0 + granted - 0.1)
    assert mobile_node.node.installed
    mobile_node.node.tick(100.0 + granted)
    assert mobile_node.node.installed == set()


@pytest.mark.rfc("10.3.1-4", "no home registration without a home agent")
@pytest.mark.rfc("10.3.1-5", "status 131")
@pytest.mark.parametrize("acknowledge", [False, True])
def test_home_registration(acknowledge: bool) -> None:
    node = correspondent_node()
    message = BindingUpdate(
        sequence_number=3,
        lifetime=60,
        acknowledge=acknowledge,
        home_registration=True,
    )
    mobile_node = MobileNode(node=node)
    packet = mobile_node.packet(message, CARE_OF_ADDRESS, home_address=HOME_ADDRESS)
    assert one(node.receive(packet, 0.0)) == Packet(
        source=CORRESPONDENT,
        destination=CARE_OF_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=BindingAcknowledgement(status=131, sequence_number=3, lifetime=0),
    )
    assert node.installed == set()


@pytest.mark.rfc("9.5.1-13", "no Nonce Indices with H")
def test_home_registration_with_nonce_indices(tested: MobileNode) -> None:
    packet = tested.update(9, home_registration=True)
    assert dropped(tested.node.receive(packet, 0.0)) == "nonce_indices"


# §9.3


@pytest.mark.rfc("11.3.5-5", "who answers tests understands the option")
@pytest.mark.rfc("8.2-1", "the cache is asked about a Home Address option")
@pytest.mark.rfc("9.3.1-4", "its care-of address is the source")
def test_home_address_option(mobile_node: MobileNode) -> None:
    node = mobile_node.node
    message = unreachable(b"")

    # An ICMPv6 error brings no error: what is asked here is whether it got in.
    def taken(source: IPv6Address, destination: IPv6Address, now: float) -> bool:
        packet = Packet(
            source=source,
            destination=destination,
            home_address=HOME_ADDRESS,
            message=message,
        )
        reason = dropped(node.receive(write(packet), now))
        assert reason in ("home_address_option_without_binding", "unexpected_message")
        return reason == "unexpected_message"

    assert not taken(CARE_OF_ADDRESS, CORRESPONDENT, 0.0)
    mobile_node.bind()
    assert taken(CARE_OF_ADDRESS, CORRESPONDENT, 0.0)
    assert not taken(NEXT_CARE_OF_ADDRESS, CORRESPONDENT, 0.0)
    assert not taken(CARE_OF_ADDRESS, OTHER_CORRESPONDENT, 0.0)
    mobile_node.care_of_address = NEXT_CARE_OF_ADDRESS
    mobile_node.bind(10.0)
    assert taken(NEXT_CARE_OF_ADDRESS, CORRESPONDENT, 10.0)
    # Packets under way still count (decision 0003).
    assert taken(CARE_OF_ADDRESS, CORRESPONDENT, 11.9)
    assert not taken(CARE_OF_ADDRESS, CORRESPONDENT, 12.0)


@pytest.mark.rfc("9.3.4-2", "persistent Destination Unreachable ends the binding")
@pytest.mark.rfc("8.2-4", "errors about a care-of address are understood")
def test_persistently_unreachable(mobile_node: MobileNode) -> None:
    node = mobile_node.node
    mobile_node.bind()
    error = mobile_node.error(unreachable(mobile_node.data()))
    for now in (1.0, 2.0, 5.0):
        assert dropped(node.receive(error, now)) == "not_persistent"
    node.receive(error, 11.0)
    assert node.installed == set()


# §9.5.5


@pytest.mark.rfc("9.5.5-1", "no more requests after an update")
@pytest.mark.rfc("6.1-1", "a Binding Refresh Request has no routing header")
@pytest.mark.rfc("6.1-3", "and goes to the home address")
@pytest.mark.parametrize("number", [1, 2], ids=["refused", "accepted"])
def test_binding_refresh_request(mobile_node: MobileNode, number: int) -> None:
    node = mobile_node.node
    mobile_node.bind(lifetime=60)
    node.talks_to(CORRESPONDENT, HOME_ADDRESS, 40.0)
    request = Packet(
        source=CORRESPONDENT,
        destination=HOME_ADDRESS,
        message=BindingRefreshRequest(),
    )
    assert sent(node.tick(45.0)) == [request]
    assert sent(node.tick(46.9)) == []
    assert sent(node.tick(47.0)) == [request]
    node.receive(mobile_node.update(number), 48.0)
    assert sent(node.tick(51.0)) == []
    assert sent(node.tick(59.9)) == []


# Which nodes take part


@pytest.mark.rfc("8.1-2", "wholly or not at all")
def test_a_node_that_is_no_correspondent(mobile_node: MobileNode) -> None:
    update = mobile_node.tested().update()
    node = Node((CORRESPONDENT,))
    for packet in (
        mobile_node.packet(HomeTestInit(home_init_cookie=bytes(8)), HOME_ADDRESS),
        mobile_node.packet(CareOfTestInit(care_of_init_cookie=bytes(8)), HOME_ADDRESS),
        update,
    ):
        assert dropped(node.receive(packet, 0.0)) == "not_a_correspondent"
        assert len(sent(mobile_node.node.receive(packet, 0.0))) == 1
    assert node.talks_to(CORRESPONDENT, HOME_ADDRESS, 0.0) == []
    assert node.addresses_changed((), 0.0) == []
