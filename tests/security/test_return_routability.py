"""Home Test Init and Home Test between mobile node and home agent (§10.4.6, §11.6.3):
in ESP tunnel mode, encrypted, and never otherwise."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.support import ipsec_captures as captures

from mip6.core.effects import Forward, Send
from mip6.core.home_agent import HomeAgent
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.state import End
from mip6.security.association import SecurityAssociation, from_key
from mip6.security.associations import Associations
from mip6.security.keys import Purpose, Secret
from mip6.security.verdict import Protected, Rejected, Verified
from mip6.wire.messages import BindingUpdate, HomeTest, HomeTestInit
from mip6.wire.next_header import NextHeader
from mip6.wire.options import AlternateCareOfAddress
from mip6.wire.packet import read_packet

HOME_AGENT = captures.HOME_AGENT
HOME_ADDRESS = captures.HOME_ADDRESS
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::64")
NEXT_CARE_OF_ADDRESS = IPv6Address("2001:db8:c::64")
CORRESPONDENT = IPv6Address("2001:db8:e::2")
ONE_KEY = from_key(Secret(bytes(range(32))), HOME_ADDRESS, HOME_AGENT)
INIT = Packet(
    source=HOME_ADDRESS,
    destination=CORRESPONDENT,
    message=HomeTestInit(home_init_cookie=b"cookie 1"),
    tunnel=(CARE_OF_ADDRESS, HOME_AGENT),
)
TEST = Packet(
    source=CORRESPONDENT,
    destination=HOME_ADDRESS,
    message=HomeTest(
        home_nonce_index=7,
        home_init_cookie=b"cookie 1",
        home_keygen_token=b"token 12",
    ),
)

ends = pytest.mark.parametrize(
    "associations", [ONE_KEY, captures.ASSOCIATIONS], ids=["one key", "manual"]
)


def random() -> Callable[[int], bytes]:
    count = iter(range(1, 1000))
    return lambda n: next(count).to_bytes(n)


class Pair:
    """A mobile node's associations, and a home agent that has bound it."""

    def __init__(self, associations: tuple[SecurityAssociation, ...]) -> None:
        self.here = Associations(End.MOBILE_NODE, associations, random=random())
        self.there = Associations(End.HOME_AGENT, associations, random=random())
        role = HomeAgent(
            HOME_AGENT,
            IPv6Network("2001:db8:a::/64"),
            home_link=None,
            bindings_max=10,
            authentication_required=True,
        )
        self.node = Node(home_agent=role)
        self.sequence_number = 0

    def bind(self, care_of_address: IPv6Address) -> None:
        self.sequence_number += 1
        update = Packet(
            source=care_of_address,
            destination=HOME_AGENT,
            home_address=HOME_ADDRESS,
            message=BindingUpdate(
                sequence_number=self.sequence_number,
                lifetime=40,
                acknowledge=True,
                home_registration=True,
                options=(AlternateCareOfAddress(care_of_address),),
            ),
        )
        self.node.receive(write(update), 0.0, protected_for=HOME_ADDRESS)

    def answer(self, packet: Packet) -> bytes:
        """What the home agent sends when a Home Test comes by, as it is sent."""
        [effect] = self.node.receive(write(packet), 1.0)
        assert isinstance(effect, Send)
        sealed = self.there.protect(write(effect.packet))
        assert isinstance(sealed, Protected)
        return sealed.octets


@ends
@pytest.mark.rfc("10.4.2-9", "what the policy protects is sealed before it leaves")
@pytest.mark.rfc("10.4.6-1", "Home Test Init and Home Test travel in ESP tunnel mode")
@pytest.mark.rfc("10.4.6-2", "encrypted and authentic: neither cookie nor token shows")
@pytest.mark.rfc("6.1.3-3", "the Init leaves so from the mobile node")
@pytest.mark.rfc("8.4-15", "and the Test from the home agent")
@pytest.mark.rfc("11.6.3-1", "the mobile node seals the one and opens the other")
def test_the_way_by_the_home_agent_and_back(
    associations: tuple[SecurityAssociation, ...],
) -> None:
    pair = Pair(associations)
    pair.bind(CARE_OF_ADDRESS)
    sealed = pair.here.protect(write(INIT))
    assert isinstance(sealed, Protected)
    headers = read_packet(sealed.octets)
    assert headers.next_header == NextHeader.ESP and not headers.extensions
    assert b"cookie 1" not in sealed.octets
    heard = pair.there.verify(sealed.octets)
    assert isinstance(heard, Verified) and heard.protected_for == HOME_ADDRESS
    [effect] = pair.node.receive(heard.octets, 1.0, protected_for=heard.protected_for)
    assert effect == Forward(write(replace(INIT, tunnel=None, hop_limit=63)))

    octets = pair.answer(TEST)
    headers = read_packet(octets)
    assert headers.next_header == NextHeader.ESP and not headers.extensions
    assert b"token 12" not in octets and b"cookie 1" not in octets
    opened = pair.here.verify(octets)
    assert isinstance(opened, Verified) and opened.protected_for == HOME_ADDRESS
    tunnel = (HOME_AGENT, CARE_OF_ADDRESS)
    assert opened.octets == write(replace(TEST, tunnel=tunnel))


@pytest.mark.rfc("10.4.6-3", "the tunnel ends where the last Binding Update came from")
@pytest.mark.rfc("11.6.3-2", "and begins there on the way to the home agent")
def test_the_tunnel_follows_the_care_of_address() -> None:
    pair = Pair(ONE_KEY)
    for care_of_address in (CARE_OF_ADDRESS, NEXT_CARE_OF_ADDRESS):
        pair.bind(care_of_address)
        headers = read_packet(pair.answer(TEST))
        assert (headers.source, headers.destination) == (HOME_AGENT, care_of_address)
        sent = replace(INIT, tunnel=(care_of_address, HOME_AGENT))
        sealed = pair.here.protect(write(sent))
        assert isinstance(sealed, Protected)
        headers = read_packet(sealed.octets)
        assert (headers.source, headers.destination) == (care_of_address, HOME_AGENT)


@ends
@pytest.mark.rfc("10.4.6-4", "where there are associations nothing else is accepted")
def test_without_protection_they_are_dropped_at_both_ends(
    associations: tuple[SecurityAssociation, ...],
) -> None:
    pair = Pair(associations)
    plain = replace(TEST, tunnel=(HOME_AGENT, CARE_OF_ADDRESS))
    for end, packet in ((pair.there, INIT), (pair.here, plain)):
        verdict = end.verify(write(packet))
        assert isinstance(verdict, Rejected) and verdict.reason == "unprotected"


@pytest.mark.rfc("10.4.6-5", "a test to the home agent itself, not tunnelled, is plain")
def test_only_what_enters_the_tunnel_is_protected() -> None:
    pair = Pair(ONE_KEY)
    direct = replace(INIT, destination=HOME_AGENT, tunnel=None)
    for end, packet in (
        (pair.here, direct),
        (pair.there, replace(TEST, source=HOME_AGENT)),
    ):
        octets = write(packet)
        assert end.protect(octets) == Protected(octets)
        assert end.verify(octets) == Verified(octets)


def test_without_an_association_for_them_they_are_plain() -> None:
    """Manual associations for registrations alone: the configuration's choice."""
    pair = Pair(
        tuple(x for x in ONE_KEY if x.purpose is not Purpose.RETURN_ROUTABILITY)
    )
    pair.bind(CARE_OF_ADDRESS)
    octets = pair.answer(TEST)
    assert read_packet(octets).next_header == NextHeader.IPV6


def test_who_is_inside_must_be_whose_association_it_is() -> None:
    """With a key of its own a mobile node cannot send as another (§10.4.5)."""
    pair = Pair(ONE_KEY)
    other = IPv6Address("2001:db8:a::101")
    stolen = [
        replace(x, home_address=other)
        for x in ONE_KEY
        if x.purpose is Purpose.RETURN_ROUTABILITY
    ]
    here = Associations(End.MOBILE_NODE, stolen, random=random())
    sealed = here.protect(write(replace(INIT, source=other)))
    assert isinstance(sealed, Protected)
    verdict = pair.there.verify(sealed.octets)
    assert isinstance(verdict, Rejected) and verdict.reason == "selector_mismatch"
