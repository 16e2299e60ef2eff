"""The home link's prefixes as the mobile node asks for them (§11.4.2, §11.4.3)."""

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT, HOME_PREFIX
from tests.conformance.roamer import (
    PREFIX_B,
    PREFIX_C,
    ROUTER_B,
    ROUTER_C,
    Roamer,
    Sent,
)
from tests.support.core import told
from tests.support.optimizing import Optimizer

from mip6.core.effects import Effect
from mip6.core.events import Dropped
from mip6.core.link import Prefix
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.prefix_solicitation import (
    APART,
    INITIAL_SOLICIT_TIMER,
    RESPITE,
    SHARE,
    TRIES,
)
from mip6.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from mip6.wire.messages import BindingStatus, BindingUpdate
from mip6.wire.neighbor_options import (
    INFINITE_LIFETIME,
    NeighborOption,
    PrefixInformation,
    SourceLinkLayerAddress,
)

CARE_OF_ADDRESS = IPv6Address("2001:db8:b::ff:fe00:5")
NEXT_CARE_OF_ADDRESS = IPv6Address("2001:db8:c::ff:fe00:5")
OTHER_PREFIX = IPv6Network("2001:db8:1a::/64")
CHANGES = BindingStatus.ACCEPTED_BUT_PREFIX_DISCOVERY_NECESSARY
NOT_RIGHT = ("unsolicited_advertisement", "11.4.3")


def information(
    valid: int = 10_000,
    preferred: int | None = None,
    network: IPv6Network = HOME_PREFIX,
    *,
    formed: bool = False,
) -> PrefixInformation:
    return PrefixInformation(
        prefix=network.network_address,
        prefix_length=network.prefixlen,
        valid_lifetime=valid,
        preferred_lifetime=valid if preferred is None else preferred,
        on_link=True,
        # No home address is formed in others: that is told elsewhere.
        autonomous_address_configuration=network == HOME_PREFIX or formed,
    )


def solicitations(roamer: Roamer) -> list[Sent]:
    kind = MobilePrefixSolicitation
    return [sent for sent in roamer.sent if isinstance(sent.packet.message, kind)]


def identifier(roamer: Roamer) -> int:
    """Of the last solicitation."""
    message = solicitations(roamer)[-1].packet.message
    assert isinstance(message, MobilePrefixSolicitation)
    return message.identifier


def advertise(
    roamer: Roamer,
    *options: NeighborOption,
    number: int | None = None,
    protected_for: IPv6Address | None = None,
    **changes: Any,
) -> list[Effect]:
    """The answer to the last solicitation, unless `changes` make it another."""
    fields: dict[str, Any] = {
        "source": HOME_AGENT,
        "destination": roamer.mobile_node.care_of_address,
        "routing_address": HOME_ADDRESS,
        **changes,
    }
    message = MobilePrefixAdvertisement(
        identifier=identifier(roamer) if number is None else number,
        options=options or (information(),),
    )
    packet = Packet(message=message, **fields)
    return roamer.receive(write(packet), protected_for=protected_for)


def reasons(effects: list[Effect]) -> list[tuple[str, str]]:
    events = told(effects)
    return [(e.reason, e.section) for e in events if isinstance(e, Dropped)]


def registered(**more: Any) -> Roamer:
    roamer = Roamer(prefix_discovery=True, **more)
    roamer.register()
    return roamer


def informed(*options: NeighborOption) -> Roamer:
    roamer = registered()
    assert advertise(roamer, *options) == []
    return roamer


def prefixes(roamer: Roamer) -> dict[IPv6Network, Prefix]:
    return {p.network: p for p in roamer.mobile_node.prefixes.prefixes}


# Asking.


@pytest.mark.rfc("6.7-1", "with a Home Address option")
@pytest.mark.rfc("11.4.2-2", "with a Home Address option")
def test_the_first_registration_brings_a_solicitation() -> None:
    roamer = registered()
    [sent] = solicitations(roamer)
    assert sent.packet.source == CARE_OF_ADDRESS
    assert sent.packet.destination == HOME_AGENT
    assert sent.packet.home_address == HOME_ADDRESS
    assert sent.packet.link == "eth0"


def test_without_prefix_discovery_nothing_is_asked_or_believed() -> None:
    roamer = Roamer()
    roamer.register()
    roamer.wait(100)
    assert solicitations(roamer) == []
    effects = advertise(roamer, number=7)
    assert reasons(effects) == [("prefix_discovery_off", "11.4.3")]
    assert prefixes(roamer) == {}


def test_nothing_is_asked_before_the_acknowledgement() -> None:
    roamer = Roamer(prefix_discovery=True)
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.wait(100)
    assert solicitations(roamer) == []


def test_nothing_is_asked_at_home() -> None:
    roamer = Roamer(prefix_discovery=True)
    roamer.go_home()
    roamer.wait(100)
    assert solicitations(roamer) == []


def test_nothing_is_asked_while_stopping() -> None:
    roamer = registered()
    roamer.mobile_node.stop(roamer.now)
    roamer.wait(INITIAL_SOLICIT_TIMER - 0.5)
    assert len(solicitations(roamer)) == 1


@pytest.mark.rfc("11.4.2-5", "another number each time")
def test_identifiers_are_random() -> None:
    """A retransmission is the same question and has the same number."""
    roamer = registered()
    first = identifier(roamer)
    roamer.wait(INITIAL_SOLICIT_TIMER)
    assert [identifier(roamer), len(solicitations(roamer))] == [first, 2]
    advertise(roamer)
    advertise(roamer, number=1)
    roamer.wait(APART)
    assert len(solicitations(roamer)) == 3
    assert identifier(roamer) != first
    others = {identifier(registered(seed=seed)) for seed in range(8)}
    assert len(others) == 8


@pytest.mark.rfc("11.8-1", "after 3 s, and then doubling up to 32 s")
def test_retransmissions_back_off_and_end() -> None:
    roamer = registered()
    # Long enough that no refresh comes in between.
    roamer.wait(150)
    moments = [sent.at - 1000 for sent in solicitations(roamer)]
    assert moments == [0, 3, 9, 21, 45, 77]
    assert len(moments) == TRIES


def test_silence_is_believed_for_an_hour() -> None:
    roamer = registered()
    end = roamer.now + RESPITE + 150
    while roamer.now < end:
        count = len(roamer.updates)
        roamer.hear(PREFIX_B, ROUTER_B)
        roamer.wait(100)
        if len(roamer.updates) > count:
            roamer.answer()
    moments = [sent.at - 1000 for sent in solicitations(roamer)]
    assert moments[TRIES] == 77 + 32 + RESPITE


def test_a_move_does_not_make_it_ask_more_often() -> None:
    roamer = registered()
    roamer.now += 1
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.wait(10)
    assert len(solicitations(roamer)) == 1  # not registered there yet
    roamer.answer()
    assert len(solicitations(roamer)) == 2
    assert solicitations(roamer)[-1].packet.source == NEXT_CARE_OF_ADDRESS
    advertise(roamer)
    assert set(prefixes(roamer)) == {HOME_PREFIX}


@pytest.mark.rfc("11.4.2-1", "when most of the lifetime has passed, and again")
def test_a_prefix_that_ends_is_asked_for_in_time() -> None:
    roamer = informed(information(200, 100))
    begin = roamer.now
    roamer.wait(100 * SHARE - 1)
    assert len(solicitations(roamer)) == 1
    roamer.wait(1)
    assert len(solicitations(roamer)) == 2
    advertise(roamer, information(125, 25))
    roamer.wait(25 * SHARE)
    assert len(solicitations(roamer)) == 3
    # Deprecated, its valid lifetime counts.
    advertise(roamer, information(100, 0))
    roamer.wait(100 * SHARE)
    assert len(solicitations(roamer)) == 4
    # Now it is over, and there is nothing more to ask.
    advertise(roamer, information(0))
    roamer.wait(100)
    assert len(solicitations(roamer)) == 4
    assert roamer.now > begin + 200


def test_a_prefix_about_to_end_is_not_asked_for_all_the_time() -> None:
    roamer = informed(information(2))
    roamer.wait(INITIAL_SOLICIT_TIMER - 0.1)
    assert len(solicitations(roamer)) == 1


@pytest.mark.parametrize(
    "options",
    [
        (information(INFINITE_LIFETIME),),
        (information(network=OTHER_PREFIX),),
        (SourceLinkLayerAddress(bytes(6)),),
    ],
    ids=["for ever", "of another prefix", "nothing said"],
)
def test_nothing_more_is_asked_where_nothing_ends(
    options: tuple[NeighborOption, ...],
) -> None:
    roamer = informed(*options)
    roamer.wait(200)
    assert len(solicitations(roamer)) == 1


@pytest.mark.rfc("11.7.3-13", "status 1 brings a solicitation, one for each")
def test_status_1() -> None:
    roamer = informed(information(INFINITE_LIFETIME))
    roamer.wait(300)
    roamer.answer(status=CHANGES)
    assert len(solicitations(roamer)) == 2
    roamer.answer(status=CHANGES)
    assert len(solicitations(roamer)) == 2


def test_status_1_while_it_is_asking() -> None:
    roamer = registered(lifetime=8)
    roamer.wait(7)  # a refresh, and a retransmission
    count = len(solicitations(roamer))
    number = identifier(roamer)
    roamer.answer(status=CHANGES)
    assert (len(solicitations(roamer)), identifier(roamer)) == (count, number)


# Answers.


@pytest.mark.rfc("11.4.3-9", "lifetimes count from when it came")
def test_an_answer_is_kept() -> None:
    roamer = registered()
    roamer.now += 1
    assert advertise(roamer, information(200, 100)) == []
    assert prefixes(roamer) == {
        HOME_PREFIX: Prefix(
            network=HOME_PREFIX,
            autonomous=True,
            valid_until=roamer.now + 200,
            preferred_until=roamer.now + 100,
        )
    }


@pytest.mark.rfc("11.4.3-9", "a valid lifetime of 0 takes a prefix back")
@pytest.mark.parametrize("lifetime", [200, INFINITE_LIFETIME])
def test_prefixes_that_are_over_are_forgotten(lifetime: int) -> None:
    other = information(lifetime, network=OTHER_PREFIX)
    roamer = informed(information(200), other)
    advertise(roamer, number=1)
    roamer.wait(APART)
    advertise(roamer, information(50), information(0, network=OTHER_PREFIX))
    assert set(prefixes(roamer)) == {HOME_PREFIX}


@pytest.mark.rfc("11.4.3-9", "its own, too; when that was is remembered")
def test_the_home_address_s_own_is_taken_back() -> None:
    roamer = informed(information(INFINITE_LIFETIME))
    advertise(roamer, number=1)
    roamer.wait(APART)
    advertise(roamer, information(0))
    assert set(prefixes(roamer)) == {HOME_PREFIX}
    assert roamer.mobile_node.prefixes.valid_until(HOME_ADDRESS) == roamer.now


def test_the_home_address_s_own_is_kept_when_it_is_over() -> None:
    """Somebody may ask how long it was good for."""
    roamer = informed(information(20))
    roamer.wait(60)
    advertise(roamer, information(10, network=OTHER_PREFIX), number=1)
    roamer.wait(APART)
    advertise(roamer, information(10, network=OTHER_PREFIX))
    assert set(prefixes(roamer)) == {HOME_PREFIX, OTHER_PREFIX}
    assert roamer.mobile_node.prefixes.valid_until(HOME_ADDRESS) < roamer.now


@pytest.mark.rfc("11.4.3-1", "each check of §11.4.3")
@pytest.mark.rfc("11.4.3-2", "the one in the configuration")
@pytest.mark.rfc("11.4.3-4", "a type 2 routing header")
@pytest.mark.rfc("11.4.3-8", "nothing is sent, nothing is kept")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": IPv6Address("2001:db8:a::bad")}, "not_from_home_agent"),
        ({"tunnel": (HOME_AGENT, CARE_OF_ADDRESS)}, "not_for_home_address"),
        ({"routing_address": None}, "not_for_home_address"),
        (
            {"routing_address": None, "destination": HOME_ADDRESS},
            "no_routing_header",
        ),
        ({"number": 0x10000 - 1}, "unsolicited_advertisement"),
    ],
    ids=["source", "tunnel", "no header", "to the home address", "identifier"],
)
def test_what_is_ignored(changes: dict[str, Any], reason: str) -> None:
    roamer = registered()
    if "tunnel" in changes:
        changes = {**changes, "source": HOME_AGENT}
        reason = "not_from_home_agent"
    effects = advertise(roamer, **changes)
    assert reasons(effects) == [(reason, "11.4.3")]
    assert len(effects) == 1
    assert prefixes(roamer) == {}


@pytest.mark.rfc("11.4.3-5", "unprotected it is ignored where there are keys")
def test_protection() -> None:
    roamer = Roamer(prefix_discovery=True, authentication_required=True)
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.receive(roamer.acknowledgement(), protected_for=HOME_ADDRESS)
    effects = advertise(roamer)
    assert reasons(effects) == [("unauthenticated", "11.4.3")]
    assert advertise(roamer, protected_for=HOME_ADDRESS) == []
    assert set(prefixes(roamer)) == {HOME_PREFIX}


@pytest.mark.rfc("11.4.3-3", "whoever sends it")
def test_without_a_home_agent_none_is_believed() -> None:
    roamer = Roamer(prefix_discovery=True)
    roamer.mobile_node = MobileNode(
        HOME_ADDRESS,
        HOME_PREFIX,
        (),
        discover=True,
        random=bytes,
        authentication_required=False,
        prefix_discovery=True,
    )
    roamer.node = Node(mobile_node=roamer.mobile_node)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    effects = advertise(roamer, number=0)
    assert reasons(effects) == [("not_from_home_agent", "11.4.3")]
    assert prefixes(roamer) == {}


@pytest.mark.rfc("11.4.3-6", "the same answer again counts as unsolicited")
def test_an_answer_counts_once() -> None:
    roamer = registered()
    number = identifier(roamer)
    advertise(roamer, information(200))
    effects = advertise(roamer, information(100), number=number)
    assert reasons(effects) == [NOT_RIGHT]
    assert prefixes(roamer)[HOME_PREFIX].valid_until == roamer.now + 200


@pytest.mark.rfc("11.4.3-7", "a question, when the home agent may answer")
def test_an_unsolicited_advertisement_brings_a_question() -> None:
    roamer = informed(information(INFINITE_LIFETIME))
    for _ in range(3):
        effects = advertise(roamer, information(100), number=3)
        assert reasons(effects) == [NOT_RIGHT]
    assert len(solicitations(roamer)) == 1
    roamer.wait(APART)
    assert len(solicitations(roamer)) == 2
    roamer.wait(INITIAL_SOLICIT_TIMER)
    assert len(solicitations(roamer)) == 3


def test_nobody_else_can_make_it_ask() -> None:
    roamer = informed(information(INFINITE_LIFETIME))
    advertise(roamer, number=3, source=IPv6Address("2001:db8:a::bad"))
    roamer.wait(200)
    assert len(solicitations(roamer)) == 1


# What follows from lifetimes.


@pytest.mark.rfc("11.7.1-12", "not beyond the home prefix's valid lifetime")
@pytest.mark.rfc("11.4.2-7", "of the home registration")
def test_a_registration_ends_with_the_home_prefix() -> None:
    roamer = informed(information(150, 100))
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    assert roamer.updates[-1].update.lifetime == 148


@pytest.mark.rfc("11.4.2-7", "of a binding at a correspondent")
def test_a_correspondent_is_told_no_longer_lifetime() -> None:
    roamer = Optimizer(prefix_discovery=True)
    roamer.register()
    advertise(roamer, information(150, 100))
    roamer.talk()
    roamer.exchange()
    assert roamer.peer_updates[-1].update.lifetime == 148


@pytest.mark.rfc("11.4.2-8", "a Binding Update, though nothing else is new")
def test_a_shortened_lifetime_is_passed_on_to_correspondents() -> None:
    roamer = Optimizer(prefix_discovery=True)
    roamer.optimize()
    before = roamer.peer_updates
    assert before[-1].update.lifetime == 400
    advertise(roamer, information(397))
    assert roamer.peer_updates == before  # less than a unit is no news
    advertise(roamer, number=1)
    roamer.wait(APART)
    advertise(roamer, information(100, 50))
    message = roamer.sent[-1].packet.message
    assert isinstance(message, BindingUpdate)
    assert message.lifetime == 100
    roamer.exchange()
    assert roamer.way is not None
    assert roamer.way.expires == roamer.now + 100
    count = len(roamer.peer_updates)
    roamer.wait(5)
    assert len(roamer.peer_updates) == count
