"""Packets that wait for a tunnel (decision 0005)."""

from ipaddress import IPv6Address

from tests.conformance.nodes import CORRESPONDENT, HOME_ADDRESS
from tests.conformance.roamer import PREFIX_B, ROUTER_B, Roamer

from mip6.core.effects import Effect, Forward, Notify, Send
from mip6.core.events import Dropped
from mip6.wire.icmpv6 import DestinationUnreachable
from mip6.wire.packet import IPv6Packet, write_packet


def data(number: int = 0, *, next_header: int = 17, first: int = 0) -> bytes:
    return write_packet(
        IPv6Packet(
            source=HOME_ADDRESS,
            destination=CORRESPONDENT,
            next_header=next_header,
            payload=bytes((first, *bytes(7))) + number.to_bytes(4),
        )
    )


def forwarded(effects: list[Effect]) -> list[bytes]:
    return [effect.octets for effect in effects if isinstance(effect, Forward)]


def reasons(effects: list[Effect]) -> list[str]:
    return [
        effect.event.reason
        for effect in effects
        if isinstance(effect, Notify) and isinstance(effect.event, Dropped)
    ]


def errors(effects: list[Effect]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send)]


def registering(**more: object) -> Roamer:
    roamer = Roamer(**more)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    return roamer


def test_packets_wait_and_leave_in_order() -> None:
    roamer = registering()
    packets = [data(number) for number in range(10)]
    for packet in packets:
        assert roamer.node.unmatched(packet, roamer.now) == []
    assert roamer.mobile_node.held == 10
    effects = roamer.answer()
    assert forwarded(effects) == packets
    assert all(isinstance(effect, Forward) for effect in effects[-10:]), (
        "behind the tunnel that they need"
    )
    assert roamer.mobile_node.held == 0


def test_they_wait_also_without_a_link() -> None:
    roamer = Roamer()
    roamer.register()
    roamer.link_down()
    assert roamer.node.unmatched(data(), roamer.now) == []
    roamer.link_up()
    # The home agent knows this care-of address: the tunnel stands at once.
    assert forwarded(roamer.hear(PREFIX_B, ROUTER_B)) == [data()]


def test_held_max() -> None:
    """At the limit; the sender of the one too many is told."""
    roamer = registering(held_max=3)
    for number in range(3):
        assert roamer.node.unmatched(data(number), roamer.now) == []
    effects = roamer.node.unmatched(data(3), roamer.now)
    assert reasons(effects) == ["held_max"]
    [error] = errors(effects)
    assert error.packet.destination == HOME_ADDRESS
    assert error.packet.message == DestinationUnreachable(code=3, packet=data(3))
    assert roamer.mobile_node.held == 3


def test_errors_are_rate_limited() -> None:
    roamer = registering(held_max=0)
    sent = sum(
        len(errors(roamer.node.unmatched(data(), roamer.now))) for _ in range(100)
    )
    assert sent == 10
    roamer.now += 0.095
    assert len(errors(roamer.node.unmatched(data(), roamer.now))) == 0
    roamer.now += 0.006
    assert len(errors(roamer.node.unmatched(data(), roamer.now))) == 1
    assert len(errors(roamer.node.unmatched(data(), roamer.now))) == 0


def test_no_error_about_an_error() -> None:
    """RFC 4443 §2.4 (e)."""
    roamer = registering(held_max=0)
    unmatched = roamer.mobile_node.unmatched
    assert errors(unmatched(data(next_header=58, first=1), roamer.now)) == []
    assert errors(unmatched(data(next_header=58, first=128), roamer.now)) != []
    assert errors(unmatched(b"no packet at all", roamer.now)) == []


def test_old_packets_are_not_worth_sending() -> None:
    roamer = registering()
    roamer.node.unmatched(data(0), roamer.now)
    roamer.now += 2.999
    assert roamer.node.unmatched(data(1), roamer.now) == []
    roamer.now += 0.001
    effects = roamer.node.unmatched(data(2), roamer.now)
    assert reasons(effects) == ["held_too_long"]
    assert len(errors(effects)) == 1
    roamer.now += 1.5
    assert forwarded(roamer.answer()) == [data(1), data(2)]


def test_refused_registration() -> None:
    roamer = registering()
    roamer.answer(status=129)
    effects = roamer.node.unmatched(data(), roamer.now)
    assert reasons(effects) == ["registration_refused"]
    assert len(errors(effects)) == 1


def test_a_packet_that_was_only_slow() -> None:
    """It missed the tunnel a moment before it stood, and reaches us after that."""
    roamer = Roamer()
    roamer.register()
    assert roamer.node.unmatched(data(), roamer.now + 0.1) == [Forward(data())]
    effects = roamer.node.unmatched(data(), roamer.now + 1.0)
    assert reasons(effects) == ["no_tunnel"]


def test_no_packet_goes_in_circles() -> None:
    """Forwarded and back again: that ends."""
    roamer = Roamer(held_max=5)
    roamer.register()
    effects: list[Effect] = [Forward(data())]
    rounds = 0
    while forwarded(effects):
        rounds += 1
        effects = roamer.node.unmatched(data(), roamer.now)
    assert rounds == 6
    assert reasons(effects) == ["no_tunnel"]


def test_only_the_home_address_waits() -> None:
    roamer = registering()
    other = write_packet(
        IPv6Packet(
            source=IPv6Address("2001:db8:b::1"),
            destination=CORRESPONDENT,
            next_header=17,
            payload=bytes(8),
        )
    )
    assert reasons(roamer.node.unmatched(other, roamer.now)) == ["no_binding"]
    assert roamer.mobile_node.held == 0
