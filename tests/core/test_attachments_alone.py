"""The links of a mobile node by themselves, without what a move brings (§11.5)."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from random import Random

import pytest
from tests.conformance.nodes import dropped
from tests.conformance.roamer import PREFIX_B, ROUTER_B, Roamer
from tests.core.test_memory import been_at_b
from tests.core.test_movement import (
    HOME_AGENT,
    HOME_PREFIX,
    LINK,
    OTHER_ROUTER,
    ROUTER,
    B,
    C,
    hear,
    prefix,
)

from mip6.core.attachments import GRACE, Attachments
from mip6.core.link import Link
from mip6.core.packet import Packet, write
from mip6.core.registration import Aim, Registration
from mip6.wire.neighbor_discovery import NeighborSolicitation

OTHER = Link("wlan0", bytes.fromhex("020000000065"), IPv6Address("fe80::ff:fe00:65"))
HOME_ADDRESS = HOME_PREFIX[0x100]
D = IPv6Network("2001:db8:d::/64")
RENUMBERED = (HOME_PREFIX, C)


def attachments() -> Attachments:
    return Attachments(
        ("eth0", "wlan0"), HOME_PREFIX, Random(1).randbytes, optimistic=True
    )


def on_the_other() -> Attachments:
    """Attached by the link that is not preferred, and registered."""
    made = attachments()
    made.link_up(OTHER, 0.0)
    hear(made.up["wlan0"], 0.0, prefix(B))
    made.choose(0.0, possible=True, stands=False)
    return made


def better(made: Attachments, now: float = 1.0) -> None:
    """The preferred link is there, too."""
    made.link_up(LINK, now)
    hear(made.up["eth0"], now, prefix(C), router=OTHER_ROUTER)


def moved() -> Attachments:
    """From one link to the other, which is up yet."""
    made = on_the_other()
    better(made)
    made.choose(1.0, possible=True, stands=False)
    assert made.here is not None and made.here.link == "eth0"
    assert made.previous is not None
    return made


# Links.


def test_another_card_of_that_name_is_another_link() -> None:
    made = attachments()
    assert made.link_up(LINK, 0.0) is True
    made.want("eth0")
    before = made.up["eth0"]
    assert made.link_up(replace(LINK, mtu=1400), 0.0) is False
    assert made.up["eth0"] is before and made.wanted == "eth0"
    assert made.link_up(replace(LINK, link_layer_address=bytes(6)), 0.0) is True
    assert made.up["eth0"] is not before
    assert made.wanted is None, "it was wanted of the one that has gone"


@pytest.mark.parametrize("up_first", [False, True])
def test_what_every_link_is_told(up_first: bool) -> None:
    """Those that are up, and those that come up later."""
    made = attachments()
    if up_first:
        made.link_up(LINK, 0.0)
    made.look_for(HOME_AGENT)
    made.renumbered(RENUMBERED)
    made.link_up(LINK, 0.0)
    assert made.up["eth0"].home_agent == HOME_AGENT
    assert made.up["eth0"].home_prefixes == RENUMBERED


def test_a_link_that_goes_while_its_address_is_checked() -> None:
    roamer = Roamer(optimistic=False)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.link_down()
    roamer.wait(5.0)
    # Nobody has answered for the address there: it is asked for again.
    roamer.sent.clear()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert [s for s in roamer.sent if s.packet.source == IPv6Address("::")]


def test_a_question_is_no_answer_of_a_router_seen_before() -> None:
    roamer = been_at_b()
    roamer.link_up()
    packet = Packet(
        source=ROUTER_B,
        destination=IPv6Address("fe80::ff:fe00:5"),
        message=NeighborSolicitation(target_address=ROUTER_B),
        hop_limit=255,
    )
    effects = roamer.receive(write(packet), link="eth0")
    assert dropped(effects) == "neighbor_message"


def test_a_link_that_does_not_reach_the_home_agent_is_told_of_once() -> None:
    """When a fourth Binding Update would be due without an answer to three."""
    made = attachments()
    registration = Registration(
        HOME_ADDRESS, HOME_AGENT, lifetime=400, authentication_required=False
    )
    registration.take_aim(Aim(B[5], "eth0"), 0.0)
    told = []
    for now in (0.0, 1.4, 1.5, 4.4, 4.5, 10.4, 10.5, 22.4, 22.5):
        if made.problems(registration, now):
            told.append(now)
        registration.update(now, 1e6)
    assert registration.retransmissions == 4
    assert told == [10.5]


# Where to be.


def test_a_better_link_is_tried_while_the_other_stands() -> None:
    made = on_the_other()
    better(made)
    made.choose(1.0, possible=True, stands=True)
    assert made.here is not None and made.here.link == "wlan0"
    assert made.trial is not None and made.trial.link == "eth0"
    assert made.way_of(made.trial.care_of_address or B[0]) is made.trial
    assert made.way_of(made.here.care_of_address or B[0]) is made.here
    assert made.way_of(B[77]) is None


def test_it_is_not_tried_when_the_old_address_has_gone() -> None:
    made = on_the_other()
    better(made)
    hear(made.up["wlan0"], 1.0, prefix(B, valid=0), prefix(D))
    made.choose(1.0, possible=True, stands=True)
    assert made.here is not None and made.here.link == "eth0"
    assert made.trial is None


def test_it_is_not_tried_when_nobody_answers_on_the_old() -> None:
    made = on_the_other()
    better(made)
    made.link_up(OTHER, 1.0)
    made.up["wlan0"].update(6.0)
    made.choose(6.0, possible=True, stands=True)
    assert made.offers["wlan0"].silent
    assert made.here is not None and made.here.link == "eth0"
    assert made.trial is None


@pytest.mark.rfc("11.5.4", "the old care-of address is kept while packets may come")
def test_the_address_before_is_kept_for_a_while() -> None:
    made = moved()
    made.registered(2.0)
    made.choose(2 + GRACE - 0.01, possible=True, stands=True)
    assert made.previous is not None
    made.choose(2 + GRACE, possible=True, stands=True)
    assert made.previous is None


def test_the_address_before_goes_with_its_prefix() -> None:
    made = moved()
    hear(made.up["wlan0"], 1.0, prefix(B, valid=0))
    made.choose(1.0, possible=True, stands=True)
    assert made.previous is None


def test_the_address_before_goes_with_its_link() -> None:
    made = moved()
    made.link_down("wlan0")
    made.choose(1.0, possible=True, stands=True)
    assert made.previous is None


def test_nowhere_there_is_no_address_before() -> None:
    made = moved()
    made.choose(1.0, possible=False, stands=False)
    assert (made.here, made.previous) == (None, None)


def test_an_answer_by_a_link_that_has_gone() -> None:
    made = on_the_other()
    address = made.care_of_address
    assert address is not None
    made.reached(B[77], 0.0, answered=False)
    assert not made.up["wlan0"].distrusts(ROUTER, 0.0)
    made.reached(address, 0.0, answered=False)
    assert made.up["wlan0"].distrusts(ROUTER, 0.0)
    made.link_down("wlan0")
    made.reached(address, 0.0, answered=True)
    assert made.up == {}


# What the home agent is to know.


def test_aims() -> None:
    made = attachments()
    assert made.aim(HOME_ADDRESS, stopping=False) is None
    made = on_the_other()
    aim = made.aim(HOME_ADDRESS, stopping=False)
    assert aim == Aim(made.care_of_address or B[0], "wlan0")
    stopping = made.aim(HOME_ADDRESS, stopping=True)
    assert stopping is not None and stopping.delete is True
    made = attachments()
    made.link_up(LINK, 0.0)
    hear(made.up["eth0"], 0.0, prefix(HOME_PREFIX))
    made.choose(0.0, possible=True, stands=False)
    assert made.at_home
    assert made.aim(HOME_ADDRESS, stopping=False) == Aim(HOME_ADDRESS, "eth0", True)


def test_an_address_that_is_no_source_yet_is_not_said() -> None:
    """RFC 4429 §3.2: the router's link-layer address is not known."""
    made = attachments()
    made.link_up(LINK, 0.0)
    hear(made.up["eth0"], 0.0, prefix(B), octets=None)
    made.choose(0.0, possible=True, stands=False)
    address = made.care_of_address
    assert address is not None
    assert made.aim(HOME_ADDRESS, stopping=False) is None
    made.up["eth0"].checked(address, True)
    made.choose(0.0, possible=True, stands=False)
    assert made.aim(HOME_ADDRESS, stopping=False) == Aim(address, "eth0")
