"""RFC 6275 §11: the mobile node and its home registration."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from itertools import pairwise

import pytest
from tests.conformance.nodes import (
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_PREFIX,
    dropped,
    octets,
)
from tests.conformance.roamer import (
    ALL_NODES,
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    ROUTER_HOME,
    Roamer,
    Sent,
)

from mip6.core.effects import Effect, Install, Notify, Remove, Send
from mip6.core.events import Problem
from mip6.core.packet import Packet, write
from mip6.core.state import HomeAddress, Neighbor, Route, Rule
from mip6.wire.icmpv6 import ParameterProblem
from mip6.wire.messages import (
    BindingError,
    BindingRefreshRequest,
    BindingUpdate,
    UnknownMessage,
)
from mip6.wire.neighbor_discovery import (
    AdvertisementInterval,
    HomeAgentInformation,
    NeighborAdvertisement,
    NeighborOption,
    RouterSolicitation,
    TargetLinkLayerAddress,
)
from mip6.wire.options import BindingRefreshAdvice, UnknownOption
from mip6.wire.packet import IPv6Packet, RoutingHeaderType2, write_packet

ANYWHERE = IPv6Network("::/0")


@pytest.fixture
def roamer() -> Roamer:
    """Registered from a visited link."""
    roamer = Roamer()
    roamer.register()
    return roamer


def go_home(roamer: Roamer) -> list[Effect]:
    roamer.link_down()
    roamer.link_up()
    return roamer.hear(HOME_PREFIX, ROUTER_HOME, home_agent=True)


def rate(sent: list[Sent]) -> int:
    """The most of them in any second."""
    return max(
        sum(first.at <= other.at < first.at + 1 for other in sent) for first in sent
    )


# §11.1 and the registration of §11.7.1


@pytest.mark.rfc("11.7.1-2", "H")
@pytest.mark.rfc("11.7.1-3", "A")
@pytest.mark.rfc("11.5.4-3", "H and A for a new care-of address")
@pytest.mark.rfc("11.7.1-4", "the home address in its option")
@pytest.mark.rfc("11.7.1-18", "so that the policy finds it")
@pytest.mark.rfc("11.7.2-10", "always, away from home")
@pytest.mark.rfc("11.7.1-5", "the care-of address as source")
@pytest.mark.rfc("11.7.1-6", "and in its option")
@pytest.mark.rfc("11.7.2-8", "so that it is told in any case")
@pytest.mark.rfc("11.7.2-4", "one that is in use")
@pytest.mark.rfc("6.1.7-10", "of the link that the packet leaves by")
@pytest.mark.rfc("11.7.1-10", "K is 0")
@pytest.mark.rfc("6.1.7-2", "K is 0 with keys that are configured")
@pytest.mark.rfc("11.7.1-11", "a lifetime")
def test_registration() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    (sent,) = roamer.updates
    packet, update = sent.packet, sent.update
    assert packet.destination == HOME_AGENT
    assert packet.home_address == HOME_ADDRESS
    assert packet.link == "eth0"
    assert packet.source in PREFIX_B
    assert sent.care_of_address == packet.source
    assert roamer.care_of_addresses == {packet.source}
    assert update.home_registration
    assert update.acknowledge
    assert not update.key_management_mobility_capability
    assert update.lifetime == 400


@pytest.mark.rfc("11.7.1-7", "L with the home address's interface identifier")
@pytest.mark.rfc("11.7.1-8", "and only with it")
@pytest.mark.parametrize(
    ("home_address", "compatible"),
    [("2001:db8:a::ff:fe00:5", True), ("2001:db8:a::1", False)],
)
def test_link_local_compatibility(home_address: str, compatible: bool) -> None:
    roamer = Roamer(home_address=IPv6Address(home_address))
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert roamer.updates[0].update.link_local_address_compatibility == compatible


@pytest.mark.rfc("11.7.1-25", "no longer than the care-of address stays valid")
@pytest.mark.parametrize(("valid", "asked"), [(86400, 400), (103, 100), (100, 100)])
def test_lifetime_ends_with_the_care_of_address(valid: int, asked: int) -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B, valid=valid, preferred=valid)
    assert roamer.updates[0].update.lifetime == asked


@pytest.mark.rfc("11.1-1", "what was registered where, and until when")
@pytest.mark.rfc("8.5-1", "a Binding Update List is kept")
@pytest.mark.rfc("11.7.1-19", "sending writes it")
@pytest.mark.rfc("11.7.3-7", "and the acknowledgement marks it")
@pytest.mark.rfc("11.7.1-1", "before, the care-of address is not the primary one")
def test_binding_update_list() -> None:
    roamer = Roamer()
    entry = roamer.mobile_node.registration
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    (sent,) = roamer.updates
    assert (entry.home_address, entry.home_agent) == (HOME_ADDRESS, HOME_AGENT)
    assert entry.sequence_number == sent.update.sequence_number
    assert entry.sent_at == roamer.now
    assert not entry.stands(sent.care_of_address, roamer.now)
    roamer.answer()
    assert entry.stands(sent.care_of_address, roamer.now)
    assert (entry.status, entry.expires) == (0, roamer.now + 400)
    assert roamer.tunnel is not None
    assert roamer.tunnel.care_of_address == sent.care_of_address


@pytest.mark.rfc("11.1-2", "the entry goes at the end of its lifetime")
@pytest.mark.rfc("11.7.1-22", "and then all begins as for a new home address")
@pytest.mark.rfc("11.8-2", "with 1.5 s for its first answer")
def test_binding_runs_out(roamer: Roamer) -> None:
    entry = roamer.mobile_node.registration
    roamer.wait(399)
    assert entry.alive(roamer.now)
    assert roamer.tunnel is not None
    roamer.wait(1)
    assert not entry.alive(roamer.now)
    assert roamer.tunnel is None
    roamer.link_down()
    roamer.wait(1000)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.wait(2)
    first, second = roamer.updates[-2:]
    assert second.at - first.at == pytest.approx(1.5)


@pytest.mark.rfc("11.1-3", "sequence numbers modulo 65536")
@pytest.mark.rfc("11.7.2-11", "each number greater than the one before")
@pytest.mark.rfc("11.8-7", "repetitions too")
@pytest.mark.rfc("11.7.2-13", "none twice")
def test_sequence_numbers() -> None:
    roamer = Roamer(seed=1)
    roamer.mobile_node.registration.sequence_number = 0xFFFD
    roamer.register()
    roamer.wait(250)
    roamer.answer()
    roamer.wait(250)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.wait(20)
    numbers = [sent.update.sequence_number for sent in roamer.updates]
    assert numbers == [(0xFFFE + n) % 0x10000 for n in range(len(numbers))]
    assert len(numbers) > 6


@pytest.mark.rfc("11.7.2-12", "the first number is random")
def test_first_sequence_number() -> None:
    numbers = set()
    for seed in range(5):
        roamer = Roamer(seed=seed)
        roamer.register()
        numbers.add(roamer.updates[0].update.sequence_number)
    assert len(numbers) == 5


# §11.2


@pytest.mark.rfc("11.2-1", "§9.2 at the mobile node: a wrong checksum")
@pytest.mark.rfc("8.5-8", "as §11.2 says")
def test_wrong_checksum(roamer: Roamer) -> None:
    packet = bytearray(roamer.acknowledgement())
    packet[-1] ^= 1
    assert dropped(roamer.receive(bytes(packet))) == "checksum"


@pytest.mark.rfc("11.2-1", "§9.2 at the mobile node: an unknown type")
@pytest.mark.rfc("6.1-2", "the answer has no Home Address option")
@pytest.mark.rfc("6.1-1", "and no routing header")
@pytest.mark.rfc("6.1-3", "whatever is bound")
@pytest.mark.parametrize("source", [HOME_AGENT, CORRESPONDENT], ids=str)
def test_unknown_type(roamer: Roamer, source: IPv6Address) -> None:
    (here,) = roamer.care_of_addresses
    message = UnknownMessage(99, bytes(10))
    roamer.receive(octets(message, source=source, destination=here))
    assert roamer.sent[-1].packet == Packet(
        source=here,
        destination=source,
        message=BindingError(status=2, home_address=IPv6Address("::")),
    )


# §11.3


@pytest.mark.rfc("11.3.1-1", "connections keep their home address through every move")
def test_home_address_never_goes() -> None:
    roamer = Roamer()
    device = HomeAddress(address=HOME_ADDRESS, link="mip0")
    moves: list[Callable[[], list[Effect]]] = [
        roamer.link_up,
        lambda: roamer.hear(PREFIX_B, ROUTER_B),
        roamer.answer,
        roamer.link_down,
        roamer.link_up,
        lambda: roamer.hear(PREFIX_C, ROUTER_C),
        roamer.answer,
        lambda: go_home(roamer),
        roamer.answer,
    ]
    for move in moves:
        assert Remove(device) not in move()
        assert device in roamer.mobile_node.installed
        roamer.wait(0.1)
    rule = Rule(priority=999, table=100, source=HOME_ADDRESS)
    assert rule not in roamer.mobile_node.installed  # at home, nothing special


@pytest.mark.rfc("11.3.1-2", "new connections take the home address")
@pytest.mark.rfc("11.3.1-4", "and go through the tunnel")
def test_home_address_by_default(roamer: Roamer) -> None:
    installed = roamer.mobile_node.installed
    way = Route(destination=ANYWHERE, link="mip0", source=HOME_ADDRESS, table=100)
    assert way in installed
    assert Rule(priority=999, table=100, source=HOME_ADDRESS) in installed
    assert Rule(priority=1002, table=100) in installed
    assert roamer.tunnel is not None
    assert roamer.tunnel.home_agent == HOME_AGENT


@pytest.mark.rfc("11.3.1-6", "Neighbor Discovery without a Home Address option")
@pytest.mark.rfc("11.5.3-4", "and from a link-local source, or none")
def test_neighbor_discovery_is_local() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.wait(3)
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer()
    roamer.link_down()
    roamer.link_up()
    roamer.wait(3)
    asked = [
        sent.packet
        for sent in roamer.sent
        if isinstance(sent.packet.message, RouterSolicitation)
    ]
    assert len(asked) >= 4
    assert all(packet.home_address is None for packet in asked)
    assert all(packet.source.is_link_local for packet in asked)


@pytest.mark.rfc("11.3.3-3", "a wrong routing header is dropped silently")
@pytest.mark.rfc("6.4-1", "an address that is not ours")
@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (RoutingHeaderType2(CORRESPONDENT), "routing_header_address"),
        pytest.param(
            RoutingHeaderType2(IPv6Address("fe80::1")),
            "routing_header_address",
            marks=[
                pytest.mark.rfc("6.4-2", "unicast routable"),
                pytest.mark.rfc("6.4-3", "and of no smaller scope"),
            ],
        ),
        pytest.param(
            RoutingHeaderType2(IPv6Address("ff0e::1")),
            "routing_header_address",
            marks=pytest.mark.rfc("6.4-2", "unicast routable"),
        ),
        (RoutingHeaderType2(HOME_ADDRESS, 0), "routing_header_segments_left"),
        (RoutingHeaderType2(HOME_ADDRESS, 2), "routing_header_segments_left"),
    ],
    ids=str,
)
def test_routing_header(
    roamer: Roamer, header: RoutingHeaderType2, reason: str
) -> None:
    (here,) = roamer.care_of_addresses
    packet = IPv6Packet(
        source=HOME_AGENT,
        destination=here,
        extensions=(header,),
        next_header=59,
        payload=b"",
    )
    assert dropped(roamer.receive(write_packet(packet))) == reason


@pytest.mark.rfc("11.3.3-3", "a routing header of another length, too")
def test_routing_header_length(roamer: Roamer) -> None:
    (here,) = roamer.care_of_addresses
    long = bytes((59, 4, 2, 1)) + bytes(4) + HOME_ADDRESS.packed * 2
    header = bytearray(octets(BindingError(status=1, home_address=here)))[:40]
    header[4:7] = len(long).to_bytes(2) + bytes((43,))
    header[24:40] = here.packed
    assert dropped(roamer.receive(bytes(header) + long)) == "routing_header_length"


@pytest.mark.rfc("6.1-1", "nothing but an acknowledgement behind a routing header")
def test_other_messages_behind_a_routing_header(roamer: Roamer) -> None:
    (here,) = roamer.care_of_addresses
    roamer.wait(10)
    packet = Packet(
        source=HOME_AGENT,
        destination=here,
        routing_address=HOME_ADDRESS,
        message=BindingError(status=1, home_address=HOME_ADDRESS),
    )
    assert dropped(roamer.receive(write(packet))) == "routing_header"


@pytest.mark.rfc("11.3.3-1", "out of the tunnel from the home agent, or not at all")
def test_tunnelled_by_others(roamer: Roamer) -> None:
    (here,) = roamer.care_of_addresses
    packet = Packet(
        source=CORRESPONDENT,
        destination=HOME_ADDRESS,
        message=BindingRefreshRequest(),
        tunnel=(CORRESPONDENT, here),
    )
    assert dropped(roamer.receive(write(packet))) == "tunnel_source"
    packet = replace(packet, tunnel=(HOME_AGENT, here))
    assert dropped(roamer.receive(write(packet))) == "not_in_binding_update_list"


@pytest.mark.rfc("8.5-4", "the right one is processed")
@pytest.mark.rfc("8.5-11", "and the acknowledgement behind it")
@pytest.mark.rfc("6.4.1-4", "and not turned round into the next packet's")
def test_acknowledgement_behind_a_routing_header() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer()
    assert roamer.tunnel is not None
    roamer.wait(399)
    assert len(roamer.updates) > 1
    assert all(sent.packet.routing_address is None for sent in roamer.updates)


@pytest.mark.rfc("11.3.5-4", "an ICMP error creates nothing")
def test_icmp_error_from_nowhere(roamer: Roamer) -> None:
    (here,) = roamer.care_of_addresses
    before = len(roamer.sent), roamer.mobile_node.installed, roamer.node.deadline
    quoted = octets(
        BindingUpdate(sequence_number=5, lifetime=400),
        source=here,
        destination=CORRESPONDENT,
    )
    message = ParameterProblem(code=1, pointer=6, packet=quoted)
    packet = Packet(source=CORRESPONDENT, destination=here, message=message)
    dropped(roamer.receive(write(packet)))
    assert (
        len(roamer.sent),
        roamer.mobile_node.installed,
        roamer.node.deadline,
    ) == before


@pytest.mark.rfc("11.3.6-1", "a Binding Error from a stranger is ignored")
@pytest.mark.rfc("11.3.6-4", "one about the type too, when no answer is expected")
@pytest.mark.parametrize(
    ("source", "status"), [(CORRESPONDENT, 1), (CORRESPONDENT, 2), (HOME_AGENT, 2)]
)
def test_binding_error_is_ignored(
    roamer: Roamer, source: IPv6Address, status: int
) -> None:
    (here,) = roamer.care_of_addresses
    roamer.wait(10)
    message = BindingError(status=status, home_address=HOME_ADDRESS)
    effects = roamer.receive(octets(message, source=source, destination=here))
    assert dropped(effects) in (
        "not_in_binding_update_list",
        "binding_error_not_expected",
    )
    assert roamer.tunnel is not None


@pytest.mark.rfc("11.3.6-2", "the home agent knows no binding: register again")
@pytest.mark.rfc("8.5-5", "a Binding Error is understood")
@pytest.mark.rfc("6.1.9-2", "with unknown options too")
def test_binding_error_from_the_home_agent(roamer: Roamer) -> None:
    (here,) = roamer.care_of_addresses
    roamer.wait(10)
    message = BindingError(
        status=1, home_address=HOME_ADDRESS, options=(UnknownOption(222, b"?"),)
    )
    roamer.receive(octets(message, source=HOME_AGENT, destination=here))
    assert len(roamer.updates) == 2
    assert roamer.updates[-1].update.lifetime == 400


# §11.5


@pytest.mark.rfc("7.5-1", "asked at link up, moved at the first advertisement")
@pytest.mark.rfc("11.5.3-1", "a new primary care-of address")
@pytest.mark.rfc("11.5.3-6", "without a delay for its uniqueness")
@pytest.mark.rfc("11.5.4-2", "registered with the home agent")
@pytest.mark.rfc("11.5.4-1", "of the router that is used")
@pytest.mark.rfc("11.5.4-6", "the old link's address is gone")
@pytest.mark.rfc("8.5-7", "movement detection, care-of addresses")
def test_move(roamer: Roamer) -> None:
    (old,) = roamer.care_of_addresses
    roamer.link_down()
    assert roamer.care_of_addresses == set()
    roamer.wait(0.5)
    roamer.link_up()
    assert isinstance(roamer.sent[-1].packet.message, RouterSolicitation)
    assert roamer.sent[-1].at == roamer.now
    roamer.wait(0.02)
    roamer.hear(PREFIX_C, ROUTER_C)
    (new,) = roamer.care_of_addresses
    assert old in PREFIX_B
    assert new in PREFIX_C
    assert roamer.updates[-1].at == roamer.now
    assert roamer.updates[-1].care_of_address == new
    default = Route(destination=ANYWHERE, link="eth0", gateway=ROUTER_C)
    assert default in roamer.mobile_node.installed


@pytest.mark.rfc("11.5.3-2", "a deprecated care-of address is replaced")
def test_deprecated_prefix(roamer: Roamer) -> None:
    roamer.hear(PREFIX_C, ROUTER_B)
    assert roamer.updates[-1].care_of_address in PREFIX_B
    roamer.hear(PREFIX_B, ROUTER_B, preferred=0)
    roamer.wait(1)
    assert roamer.updates[-1].care_of_address in PREFIX_C


@pytest.mark.rfc("11.5.3-3", "at most MAX_UPDATE_RATE new care-of addresses a second")
@pytest.mark.rfc("11.8-6", "and Binding Updates in all")
def test_update_rate() -> None:
    roamer = Roamer()
    for n in range(40):
        roamer.link_up()
        prefix, router = ((PREFIX_B, ROUTER_B), (PREFIX_C, ROUTER_C))[n % 2]
        roamer.hear(prefix, router)
        roamer.wait(0.05)
        if n % 3 == 0 and roamer.updates:
            roamer.answer()
        roamer.link_down()
    assert rate(roamer.updates) == 3


@pytest.mark.rfc("11.5.4-4", "the previous care-of address is kept a while")
@pytest.mark.rfc("11.5.4-5", "and packets to it still count")
def test_previous_care_of_address() -> None:
    roamer = Roamer(links=("cable", "radio"))
    roamer.link_up("radio")
    roamer.hear(PREFIX_B, ROUTER_B, link="radio")
    roamer.answer()
    (old,) = roamer.care_of_addresses
    roamer.link_up("cable")
    roamer.hear(PREFIX_C, ROUTER_C, link="cable")
    roamer.answer()
    assert roamer.tunnel is not None
    assert roamer.tunnel.care_of_address in PREFIX_C
    assert roamer.tunnel.previous == old
    assert roamer.tunnel.previous_until > roamer.now
    assert old in roamer.care_of_addresses
    roamer.wait(10)
    assert old not in roamer.care_of_addresses


# §11.5.5


@pytest.mark.rfc("11.5.5-1", "back home it de-registers")
@pytest.mark.rfc("11.5.5-3", "A, H, Lifetime 0, the home address as care-of address")
@pytest.mark.rfc("11.5.5-4", "and as source")
@pytest.mark.rfc("6.1.7-12", "Lifetime 0 deletes")
@pytest.mark.rfc("11.7.2-10", "without the option when the source says it")
@pytest.mark.rfc("8.5-7", "returning home")
def test_returning_home(roamer: Roamer) -> None:
    go_home(roamer)
    sent = roamer.updates[-1]
    assert sent.at == roamer.now
    assert sent.packet.source == HOME_ADDRESS
    assert sent.packet.home_address is None
    assert sent.packet.destination == HOME_AGENT
    assert sent.care_of_address == HOME_ADDRESS
    assert sent.update.lifetime == 0
    assert sent.update.acknowledge
    assert sent.update.home_registration


@pytest.mark.rfc("11.5.5-2", "before that the home address is not on the home link")
def test_home_address_waits_for_the_update(roamer: Roamer) -> None:
    effects = go_home(roamer)
    update = next(
        at
        for at, effect in enumerate(effects)
        if isinstance(effect, Send) and isinstance(effect.packet.message, BindingUpdate)
    )
    on_link = Install(HomeAddress(address=HOME_ADDRESS, link="eth0"))
    assert on_link not in effects[:update]
    assert on_link in effects[update:]


@pytest.mark.rfc("11.5.5-8", "the home agent's link-layer address, as it was heard")
def test_neighbor_at_home(roamer: Roamer) -> None:
    go_home(roamer)
    neighbor = Neighbor(
        address=HOME_AGENT, link="eth0", link_layer_address=bytes((2, 0, 0, 0, 1, 10))
    )
    assert neighbor in roamer.mobile_node.installed


@pytest.mark.rfc("11.5.5-13", "after the acknowledgement all nodes are told")
@pytest.mark.rfc("11.5.5-14", "about the home address")
@pytest.mark.rfc("11.5.5-15", "and its link-layer address")
@pytest.mark.rfc("11.5.5-16", "and about the link-local address")
@pytest.mark.rfc("11.5.5-17", "S is 0")
@pytest.mark.rfc("11.5.5-18", "O is 1")
@pytest.mark.rfc("11.5.5-19", "so that caches are overridden")
def test_announcement_at_home(roamer: Roamer) -> None:
    go_home(roamer)
    before = len(roamer.sent)
    roamer.answer()
    told = [sent.packet for sent in roamer.sent[before:]]
    targets = set()
    for packet in told:
        message = packet.message
        assert isinstance(message, NeighborAdvertisement)
        assert packet.destination == ALL_NODES
        assert packet.hop_limit == 255
        assert packet.link == "eth0"
        assert not message.solicited
        assert message.override
        (option,) = message.options
        assert isinstance(option, TargetLinkLayerAddress)
        assert option.link_layer_address == bytes((2, 0, 0, 0, 0, 5))
        targets.add(message.target_address)
    assert targets == {HOME_ADDRESS, IPv6Address("fe80::ff:fe00:5")}


# §7.3


@pytest.mark.rfc("7.3-4", "a router that falls silent is missed by its interval")
def test_advertisement_interval() -> None:
    asked_after = []
    for options in ((AdvertisementInterval(100),), ()):
        roamer = Roamer()
        roamer.link_up()
        roamer.hear(PREFIX_B, ROUTER_B, options=options)
        roamer.answer()
        heard = roamer.now
        roamer.wait(100)
        asked_after.append(
            min(
                sent.at - heard
                for sent in [*roamer.sent, Sent(heard + 100, roamer.sent[0].packet)]
                if isinstance(sent.packet.message, RouterSolicitation)
                and sent.at > heard
            )
        )
    assert asked_after[0] < 1
    assert asked_after[1] == 100


@pytest.mark.parametrize(
    "option",
    [
        pytest.param(
            AdvertisementInterval(10),
            marks=pytest.mark.rfc("7.3-5", "only in a Router Advertisement"),
        ),
        pytest.param(
            HomeAgentInformation(preference=9, lifetime=600),
            marks=pytest.mark.rfc("7.4-9", "only in a Router Advertisement"),
        ),
    ],
)
def test_options_of_other_messages(roamer: Roamer, option: NeighborOption) -> None:
    before = roamer.node.deadline
    message = NeighborAdvertisement(target_address=ROUTER_B, options=(option,))
    packet = Packet(
        source=ROUTER_B, destination=ALL_NODES, message=message, hop_limit=255
    )
    dropped(roamer.receive(write(packet), link="eth0"))
    assert roamer.node.deadline == before


# §11.7.1, §11.8: repetition


@pytest.mark.rfc("11.7.1-14", "repeated until acknowledged")
@pytest.mark.rfc("11.8-3", "until its answer comes")
@pytest.mark.rfc("11.8-2", "1.5 s for the first answer ever")
@pytest.mark.rfc("11.8-4", "doubling up to 32 s")
@pytest.mark.rfc("11.7.1-16", "and then at that rate")
def test_back_off() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.wait(200)
    times = [sent.at for sent in roamer.updates]
    gaps = [round(b - a, 3) for a, b in pairwise(times)]
    assert gaps[:7] == [1.5, 3, 6, 12, 24, 32, 32]
    assert set(gaps[7:]) == {32}
    roamer.answer()
    roamer.wait(100)
    assert len(roamer.updates) == len(times)


@pytest.mark.rfc("11.8-5", "another care-of address begins its own back-off")
def test_back_off_begins_anew() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.wait(30)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    moved = len(roamer.updates)
    assert roamer.updates[-1].at == roamer.now
    roamer.wait(4)
    first, second, *_ = roamer.updates[moved - 1 :]
    assert second.at - first.at <= 1.5


@pytest.mark.rfc("11.7.1-13", "stopped, it de-registers")
def test_stop(roamer: Roamer) -> None:
    roamer.do(roamer.mobile_node.stop(roamer.now))
    assert roamer.updates[-1].update.lifetime == 0
    assert not roamer.mobile_node.stopped
    roamer.answer()
    assert roamer.mobile_node.stopped
    assert roamer.mobile_node.installed == set()


# §11.7.3


@pytest.mark.rfc("11.7.3-1", "from the home agent, for us, to this very update")
@pytest.mark.rfc("11.7.3-5", "else ignored silently")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": CORRESPONDENT}, "not_from_home_agent"),
        ({"routing_address": None}, "not_for_home_address"),
        ({"sequence_number": 7}, "sequence_number"),
        ({"tunnel": (HOME_AGENT, HOME_AGENT)}, "not_from_home_agent"),
    ],
)
def test_other_acknowledgements(changes: dict[str, object], reason: str) -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert dropped(roamer.answer(**changes)) == reason
    assert roamer.mobile_node.registration.status is None
    roamer.wait(1.6)
    assert len(roamer.updates) == 2


@pytest.mark.rfc("11.7.3-5", "an unprotected one too, where protection is required")
def test_unprotected_acknowledgement() -> None:
    roamer = Roamer(authentication_required=True)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert dropped(roamer.answer()) == "unauthenticated"
    assert roamer.mobile_node.registration.status is None
    roamer.receive(roamer.acknowledgement(), protected_for=HOME_ADDRESS)
    assert roamer.tunnel is not None


@pytest.mark.rfc("11.7.3-8", "acknowledged, it is not repeated")
@pytest.mark.rfc("6.1.8-4", "unknown options or not")
def test_acknowledged() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer(options=(UnknownOption(222, b"?"),))
    roamer.wait(100)
    assert len(roamer.updates) == 1


@pytest.mark.rfc("11.7.3-9", "less granted than asked for")
def test_shorter_lifetime() -> None:
    roamer = Roamer(lifetime=400)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    sent = roamer.now
    roamer.wait(1)
    roamer.answer(lifetime=100)
    # 399 s of the 400 were left, less the 300 that were not granted.
    assert roamer.mobile_node.registration.expires == sent + 100
    assert roamer.tunnel is not None
    assert roamer.tunnel.expires == sent + 100


@pytest.mark.rfc("11.7.3-10", "refreshed well before the end")
def test_refresh(roamer: Roamer) -> None:
    roamer.wait(400 * 0.9)
    _, refresh, *_ = roamer.updates
    # Time for several losses: 1, 2, 4, 8, 16 and 32 s.
    assert roamer.updates[0].at + 200 < refresh.at < roamer.updates[0].at + 400 - 63


@pytest.mark.rfc("11.7.3-17", "refreshed when the home agent advises it")
@pytest.mark.rfc("10.3.1-32", "at the shorter interval")
@pytest.mark.rfc("6.2.4-1", "of the option")
def test_binding_refresh_advice() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer(options=(BindingRefreshAdvice(40),))
    roamer.wait(39)
    assert len(roamer.updates) == 1
    roamer.wait(1)
    assert len(roamer.updates) == 2


@pytest.mark.rfc("11.7.3-11", "135 sets the sequence number")
@pytest.mark.rfc("11.7.1-20", "and the next update follows it")
@pytest.mark.rfc("11.1-3", "compared modulo 65536")
@pytest.mark.parametrize(("own", "last"), [(10, 20000), (10, 11), (65000, 10)])
def test_sequence_number_out_of_window(own: int, last: int) -> None:
    roamer = Roamer()
    roamer.mobile_node.registration.sequence_number = own - 1
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer(status=135, sequence_number=last)
    assert roamer.updates[-1].update.sequence_number == last + 1
    assert roamer.updates[-1].at == roamer.now
    roamer.answer()
    assert roamer.tunnel is not None


@pytest.mark.rfc("11.7.3-12", "an unauthenticated 135 is ignored")
def test_unauthenticated_sequence_number() -> None:
    roamer = Roamer(authentication_required=True)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    before = roamer.mobile_node.registration.sequence_number
    packet = roamer.acknowledgement(status=135, sequence_number=before + 1000)
    assert dropped(roamer.receive(packet)) == "unauthenticated"
    assert roamer.mobile_node.registration.sequence_number == before
    roamer.receive(packet, protected_for=HOME_ADDRESS)
    assert roamer.mobile_node.registration.sequence_number == before + 1001


@pytest.mark.rfc("11.7.3-6", "every status leads somewhere")
@pytest.mark.rfc("11.7.3-14", "a refusal is remembered")
@pytest.mark.parametrize("status", [128, 129, 130, 131, 132, 133, 134, 139, 174, 255])
def test_refusals(status: int) -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    effects = roamer.answer(status=status)
    problems = [
        effect.event
        for effect in effects
        if isinstance(effect, Notify) and isinstance(effect.event, Problem)
    ]
    assert problems
    assert roamer.mobile_node.registration.refused
    assert roamer.tunnel is None
    roamer.wait(1000)
    later = [sent.at for sent in roamer.updates[1:]]
    if status == 134:
        assert later == []
    else:
        assert later
        assert min(later) >= 1000 + 30


@pytest.mark.rfc("11.7.1-23", "after 134 the home address is not tried again")
def test_duplicate_home_address() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer(status=134)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.wait(3600)
    assert len(roamer.updates) == 1
