"""A mobile node and a home agent with one key, and one packet of each kind."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from ipaddress import IPv6Address

import pytest

from mip6.core.packet import Packet, write
from mip6.core.state import End
from mip6.security import association as security_association
from mip6.security.associations import Associations
from mip6.security.keys import Secret
from mip6.security.verdict import Protected, Rejected, Verified
from mip6.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    HomeTest,
    HomeTestInit,
)
from mip6.wire.options import AlternateCareOfAddress

KEY, OTHER_KEY = Secret(bytes(range(32))), Secret(bytes(range(1, 33)))
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
OTHER_HOME_ADDRESS = IPv6Address("2001:db8:a::101")
HOME_AGENT = IPv6Address("2001:db8:a::1")
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::64")
CORRESPONDENT = IPv6Address("2001:db8:e::2")
FLAGS = {"acknowledge": True, "home_registration": True}

from_key = cache(security_association.from_key)

Random = Callable[[int], bytes]


def chance() -> Random:
    """Octets that are never the same twice."""
    count = iter(range(1, 2**32))
    return lambda n: next(count).to_bytes(n) if n else b""


def node(end: End, *keys: Secret, **options: object) -> Associations:
    associations = [
        association
        for key in keys or (KEY,)
        for association in from_key(key, HOME_ADDRESS, HOME_AGENT)
    ]
    return Associations(end, associations, random=chance(), **options)  # type: ignore[arg-type]


BINDING_UPDATE = Packet(
    source=CARE_OF_ADDRESS,
    destination=HOME_AGENT,
    home_address=HOME_ADDRESS,
    message=BindingUpdate(
        sequence_number=7,
        lifetime=40,
        options=(AlternateCareOfAddress(CARE_OF_ADDRESS),),
        **FLAGS,
    ),
)
AT_HOME = replace(BINDING_UPDATE, source=HOME_ADDRESS, home_address=None)
ACKNOWLEDGEMENT = Packet(
    source=HOME_AGENT,
    destination=CARE_OF_ADDRESS,
    routing_address=HOME_ADDRESS,
    message=BindingAcknowledgement(status=0, sequence_number=7, lifetime=40),
)
SOLICITATION = replace(BINDING_UPDATE, message=MobilePrefixSolicitation(identifier=1))
ADVERTISEMENT = replace(
    ACKNOWLEDGEMENT, message=MobilePrefixAdvertisement(identifier=1)
)
HOME_TEST_INIT = Packet(
    source=HOME_ADDRESS,
    destination=CORRESPONDENT,
    tunnel=(CARE_OF_ADDRESS, HOME_AGENT),
    message=HomeTestInit(home_init_cookie=b"cookie!!"),
)
HOME_TEST = Packet(
    source=CORRESPONDENT,
    destination=HOME_ADDRESS,
    tunnel=(HOME_AGENT, CARE_OF_ADDRESS),
    message=HomeTest(
        home_nonce_index=1, home_init_cookie=b"cookie!!", home_keygen_token=b"token..."
    ),
)
TO_HOME_AGENT = [BINDING_UPDATE, AT_HOME, SOLICITATION, HOME_TEST_INIT]
TO_MOBILE_NODE = [ACKNOWLEDGEMENT, ADVERTISEMENT, HOME_TEST]


def name(packet: Packet) -> str:
    return type(packet.message).__name__


BOTH_WAYS = [
    *((End.MOBILE_NODE, End.HOME_AGENT, packet) for packet in TO_HOME_AGENT),
    *((End.HOME_AGENT, End.MOBILE_NODE, packet) for packet in TO_MOBILE_NODE),
]
both_ways = pytest.mark.parametrize(
    ("sender", "receiver", "packet"), BOTH_WAYS, ids=[name(p) for *_, p in BOTH_WAYS]
)


def protected(node: Associations, packet: Packet | bytes) -> bytes:
    octets = packet if isinstance(packet, bytes) else write(packet)
    verdict = node.protect(octets)
    assert isinstance(verdict, Protected)
    assert verdict.octets != octets
    return verdict.octets


def reason(verdict: Verified | Rejected) -> str:
    assert isinstance(verdict, Rejected), verdict
    return verdict.reason
