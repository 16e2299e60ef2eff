"""A mobile node whose home agent revokes its binding (RFC 5846 §10)."""

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest
from tests.conformance.nodes import HOME_ADDRESS, HOME_AGENT
from tests.conformance.roamer import Roamer
from tests.support.core import dropped

from mip6.core.packet import Packet, write
from mip6.core.state import Tunnel
from mip6.wire.messages import BindingUpdate
from mip6.wire.revocation import BindingRevocation


def indication(roamer: Roamer, **changes: Any) -> Packet:
    care_of_address = roamer.mobile_node.registration.care_of_address
    assert care_of_address is not None
    packet = Packet(
        source=HOME_AGENT,
        destination=care_of_address,
        routing_address=HOME_ADDRESS,
        message=BindingRevocation(revocation_type=1, code=1, sequence_number=77),
    )
    return replace(packet, **changes)


def registered(**more: Any) -> Roamer:
    roamer = Roamer(**more)
    roamer.register()
    return roamer


def test_it_acknowledges_and_stays_away_for_a_while() -> None:
    roamer = registered()
    before = len(roamer.sent)
    packet = indication(roamer)
    roamer.receive(write(packet))
    [answer] = roamer.sent[before:]
    assert answer.packet.link == "eth0"
    assert replace(answer.packet, link=None) == Packet(
        source=packet.destination,
        destination=HOME_AGENT,
        home_address=HOME_ADDRESS,
        message=BindingRevocation(revocation_type=2, code=0, sequence_number=77),
    )
    # Nothing goes into the tunnel any more.
    tunnels = [s for s in roamer.mobile_node.installed if isinstance(s, Tunnel)]
    assert all(tunnel.inbound_only for tunnel in tunnels)
    problem = roamer.mobile_node.registration.problem
    assert problem is not None and "revoked" in problem.what
    assert roamer.mobile_node.registration.revoked_at == roamer.now
    # Said again it is about nothing.
    effects = roamer.receive(write(packet))
    assert dropped(effects) == ("revocation_of_no_binding", "RFC 5846 10")
    # Later it asks again, and may be allowed.
    deadline = roamer.mobile_node.registration.deadline
    assert deadline > roamer.now + 10
    roamer.wait(deadline - roamer.now)
    assert isinstance(roamer.sent[-1].packet.message, BindingUpdate)
    roamer.answer()
    assert roamer.mobile_node.registration.revoked_at is None
    assert roamer.mobile_node.registration.alive(roamer.now)


@pytest.mark.parametrize(
    ("flags", "status"),
    [({"proxy_binding": True}, 135), ({"ipv4_home_address_only": True}, 129)],
)
def test_what_it_cannot_do_it_refuses(flags: dict[str, bool], status: int) -> None:
    roamer = registered()
    packet = indication(roamer)
    message = replace(packet.message, **flags)  # type: ignore[type-var]
    roamer.receive(write(replace(packet, message=message)))
    answer = roamer.sent[-1].packet.message
    assert isinstance(answer, BindingRevocation)
    assert answer.code == status
    assert answer.proxy_binding == flags.get("proxy_binding", False)
    assert roamer.mobile_node.registration.alive(roamer.now)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": IPv6Address("2001:db8:f::1")}, "not_from_home_agent"),
        (
            {
                "message": BindingRevocation(
                    revocation_type=3, code=0, sequence_number=1
                )
            },
            "unexpected_message",
        ),
        (
            {"destination": HOME_ADDRESS, "routing_address": None},
            "revocation_of_no_binding",
        ),
    ],
)
def test_what_it_ignores(changes: dict[str, Any], reason: str) -> None:
    roamer = registered()
    effects = roamer.receive(write(indication(roamer, **changes)))
    assert dropped(effects) == (reason, "RFC 5846 10")
    assert roamer.mobile_node.registration.alive(roamer.now)


def test_it_must_be_protected() -> None:
    roamer = registered()
    roamer.mobile_node.registration._authentication_required = True
    packet = indication(roamer)
    effects = roamer.receive(write(packet))
    assert dropped(effects) == ("unauthenticated", "RFC 5846 10")
    roamer.receive(write(packet), protected_for=HOME_ADDRESS)
    assert isinstance(roamer.sent[-1].packet.message, BindingRevocation)
