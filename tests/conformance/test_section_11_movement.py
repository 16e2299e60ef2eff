"""RFC 6275 §11.5 and §7.3: the mobile node moves, and comes home."""

from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT, dropped
from tests.conformance.roamer import (
    ALL_NODES,
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    Roamer,
    Sent,
)

from mip6.core.effects import Install, Send
from mip6.core.packet import Packet, write
from mip6.core.state import HomeAddress, Neighbor, Route
from mip6.wire.messages import BindingUpdate
from mip6.wire.neighbor_discovery import NeighborAdvertisement, RouterSolicitation
from mip6.wire.neighbor_options import (
    AdvertisementInterval,
    HomeAgentInformation,
    NeighborOption,
    TargetLinkLayerAddress,
)

ANYWHERE = IPv6Network("::/0")


def rate(sent: list[Sent]) -> int:
    """The most of them in any second."""
    return max(
        sum(first.at <= other.at < first.at + 1 for other in sent) for first in sent
    )


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
    default = Route(destination=ANYWHERE, link="eth0", gateway=ROUTER_C, metric=512)
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
    roamer.go_home()
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
    effects = roamer.go_home()
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
    roamer.go_home()
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
    roamer.go_home()
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
