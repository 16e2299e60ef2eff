"""The whole way of a registration: protected, verified, bound, acknowledged."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

import pytest
from tests.support import ipsec_captures as captures

from mip6.core.effects import Effect, Install, Notify, Send
from mip6.core.events import Dropped
from mip6.core.home_agent import HomeAgent
from mip6.core.node import Node
from mip6.core.packet import Packet, read, write
from mip6.core.state import End, Tunnel
from mip6.security.association import SecurityAssociation, from_key
from mip6.security.associations import Associations
from mip6.security.authentication_option import AuthenticationOptions
from mip6.security.keys import Secret
from mip6.security.verdict import Protected, Rejected, Verified
from mip6.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from mip6.wire.messages import BindingAcknowledgement, BindingUpdate
from mip6.wire.options import AlternateCareOfAddress
from mip6.wire.revocation import BindingRevocation, RevocationType

HOME_AGENT = captures.HOME_AGENT
HOME_ADDRESS = captures.HOME_ADDRESS
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::64")
BINDING_UPDATE = Packet(
    source=CARE_OF_ADDRESS,
    destination=HOME_AGENT,
    home_address=HOME_ADDRESS,
    message=BindingUpdate(
        sequence_number=7,
        lifetime=40,
        acknowledge=True,
        home_registration=True,
        options=(AlternateCareOfAddress(CARE_OF_ADDRESS),),
    ),
)
ONE_KEY = from_key(Secret(bytes(range(32))), HOME_ADDRESS, HOME_AGENT)

ends = pytest.mark.parametrize(
    "associations", [ONE_KEY, captures.ASSOCIATIONS], ids=["one key", "manual"]
)


def random() -> Callable[[int], bytes]:
    count = iter(range(1, 1000))
    return lambda n: next(count).to_bytes(n)


def home_agent() -> Node:
    role = HomeAgent(
        HOME_AGENT,
        IPv6Network("2001:db8:a::/64"),
        home_link=None,
        bindings_max=10,
        authentication_required=True,
    )
    return Node(home_agent=role)


@pytest.mark.rfc("11.7.1-17", "what is protected is believed")
@ends
def test_a_protected_registration_binds_and_is_acknowledged(
    associations: tuple[SecurityAssociation, ...],
) -> None:
    here = Associations(End.MOBILE_NODE, associations, random=random())
    there = Associations(End.HOME_AGENT, associations, random=random())
    sent = here.protect(write(BINDING_UPDATE))
    assert isinstance(sent, Protected)
    heard = there.verify(sent.octets)
    assert isinstance(heard, Verified)
    install, send, _ = home_agent().receive(
        heard.octets, 0.0, protected_for=heard.protected_for
    )
    assert isinstance(install, Install) and isinstance(install.state, Tunnel)
    assert install.state.care_of_address == CARE_OF_ADDRESS
    assert isinstance(send, Send)
    answer = there.protect(write(send.packet))
    assert isinstance(answer, Protected)
    acknowledged = here.verify(answer.octets)
    assert isinstance(acknowledged, Verified)
    packet = read(acknowledged.octets, protected_for=acknowledged.protected_for)
    assert packet.protected_for == HOME_ADDRESS
    assert isinstance(packet.message, BindingAcknowledgement)
    assert packet.message.status == 0


@pytest.mark.rfc("11.7.1-17", "what is not is no Binding Update of the mobile node")
@ends
def test_the_same_without_protection_binds_nothing(
    associations: tuple[SecurityAssociation, ...],
) -> None:
    there = Associations(End.HOME_AGENT, associations, random=random())
    assert isinstance(there.verify(write(BINDING_UPDATE)), Rejected)
    # A home address without association gets past `verify`, and no further.
    other = replace(BINDING_UPDATE, home_address=IPv6Address("2001:db8:a::101"))
    heard = there.verify(write(other))
    assert isinstance(heard, Verified) and heard.protected_for is None
    (effect,) = home_agent().receive(heard.octets, 0.0, protected_for=None)
    assert isinstance(effect, Notify) and isinstance(effect.event, Dropped)
    assert (effect.event.reason, effect.event.section) == ("unauthenticated", "5.1")


@pytest.mark.parametrize("octets", captures.esp_packets()[:1])
def test_another_implementation_registers_here(octets: bytes) -> None:
    there = Associations(End.HOME_AGENT, captures.ASSOCIATIONS, random=random())
    heard = there.verify(octets)
    assert isinstance(heard, Verified)
    effects = home_agent().receive(heard.octets, 0.0, protected_for=heard.protected_for)
    assert isinstance(effects[0], Install)
    (answer,) = (effect.packet for effect in effects if isinstance(effect, Send))
    assert isinstance(answer.message, BindingAcknowledgement)
    assert answer.message.status == 0
    protected = there.protect(write(answer))
    assert isinstance(protected, Protected)
    their = Associations(End.MOBILE_NODE, captures.ASSOCIATIONS, random=random())
    assert isinstance(their.verify(protected.octets), Verified)


@pytest.mark.rfc("6.7-3", "a solicitation, from the mobile node")
@pytest.mark.rfc("6.8-3", "prefix discovery is protected")
@pytest.mark.rfc("6.8-4", "wherever registrations are")
@pytest.mark.rfc("10.6.3-6", "both ways")
@pytest.mark.rfc("11.4.2-3", "the solicitation")
@pytest.mark.rfc("11.4.2-4", "wherever registrations are")
def test_prefix_discovery_and_revocation_are_protected() -> None:
    """By their own associations, and that of the registration (RFC 5846 §6.1)."""
    here = Associations(End.MOBILE_NODE, ONE_KEY, random=random())
    there = Associations(End.HOME_AGENT, ONE_KEY, random=random())
    node = home_agent()
    assert node.home_agent is not None
    node.receive(write(BINDING_UPDATE), 0.0, protected_for=HOME_ADDRESS)

    def exchange(packet: Packet, now: float) -> list[Effect]:
        """Say it to the home agent; without protection nothing comes of it."""
        assert isinstance(there.verify(write(packet)), Rejected)
        sent = here.protect(write(packet))
        assert isinstance(sent, Protected)
        heard = there.verify(sent.octets)
        assert isinstance(heard, Verified)
        assert heard.protected_for == HOME_ADDRESS
        return node.receive(heard.octets, now, protected_for=heard.protected_for)

    def told(effects: list[Effect]) -> Packet:
        """What the mobile node gets; it would not take it without protection."""
        (send,) = (effect for effect in effects if isinstance(effect, Send))
        assert isinstance(here.verify(write(send.packet)), Rejected)
        sent = there.protect(write(send.packet))
        assert isinstance(sent, Protected)
        heard = here.verify(sent.octets)
        assert isinstance(heard, Verified)
        assert heard.protected_for == HOME_ADDRESS
        return read(heard.octets)

    solicitation = replace(
        BINDING_UPDATE, message=MobilePrefixSolicitation(identifier=1)
    )
    answer = told(exchange(solicitation, 1.0))
    assert isinstance(answer.message, MobilePrefixAdvertisement)
    indication = told(node.home_agent.revoke(HOME_ADDRESS, 2.0))
    assert isinstance(indication.message, BindingRevocation)
    acknowledged = replace(
        indication.message, revocation_type=RevocationType.ACKNOWLEDGEMENT, code=0
    )
    exchange(replace(BINDING_UPDATE, message=acknowledged), 2.5)
    assert node.home_agent.binding(HOME_ADDRESS) is None


@pytest.mark.parametrize("kind", ["esp", "option"])
@pytest.mark.rfc("11.7.1-17", "also where there are no keys for a home agent")
def test_a_binding_update_does_not_leave_without_keys_for_its_home_agent(
    kind: str,
) -> None:
    """Such as to one that was discovered a moment ago."""
    protection: Associations | AuthenticationOptions
    if kind == "esp":
        protection = Associations(End.MOBILE_NODE, random=bytes)
    else:
        protection = AuthenticationOptions(End.MOBILE_NODE, (), random=bytes)
    for home_registration in (True, False):
        packet = Packet(
            source=CARE_OF_ADDRESS,
            destination=HOME_AGENT,
            home_address=HOME_ADDRESS,
            message=BindingUpdate(
                sequence_number=1,
                lifetime=40,
                acknowledge=True,
                home_registration=home_registration,
            ),
        )
        octets = write(packet)
        if isinstance(protection, Associations):
            verdict = protection.protect(octets)
        else:
            verdict = protection.protect(octets, 0)
        if home_registration:
            assert verdict == Rejected(
                "no_security_association", "5.1", CARE_OF_ADDRESS
            )
        else:  # to a correspondent
            assert verdict == Protected(octets)
