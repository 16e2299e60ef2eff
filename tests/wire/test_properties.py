"""What holds for all values and all octets."""

from collections.abc import Callable
from ipaddress import IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.strategies import (
    icmp_messages,
    mobility_messages,
    mutated,
    packets,
)

from mip6.wire.buffer import WireError
from mip6.wire.icmpv6 import IcmpMessage, read_icmpv6, write_icmpv6
from mip6.wire.messages import Message, read_message, write_message
from mip6.wire.packet import IPv6Packet, read_packet, write_packet

SOURCE = IPv6Address("2001:db8:b::64")
DESTINATION = IPv6Address("2001:db8:a::1")

Read = Callable[[bytes], Message | IcmpMessage | IPv6Packet]


def reads_or_refuses(read: Read, octets: bytes) -> None:
    """Octets decode to a value that means itself, or raise a WireError inside them."""
    try:
        value = read(octets)
    except WireError as error:
        assert 0 <= error.offset <= len(octets)
        assert error.reason.replace("_", "").isalnum() and error.reason.islower()
        return
    try:
        again = written(value)
    except ValueError:  # options at odd places can outgrow the header when aligned
        assert len(octets) > 1500
        return
    assert read(again) == value


def written(value: Message | IcmpMessage | IPv6Packet) -> bytes:
    if isinstance(value, IPv6Packet):
        return write_packet(value)
    if isinstance(value, Message):
        return write_message(value, SOURCE, DESTINATION)
    return write_icmpv6(value, SOURCE, DESTINATION)


@given(mobility_messages())
def test_every_mobility_message_comes_back(message: Message) -> None:
    octets = write_message(message, SOURCE, DESTINATION)
    assert len(octets) % 8 == 0
    assert read_message(octets) == message


@given(icmp_messages())
def test_every_icmp_message_comes_back(message: IcmpMessage) -> None:
    assert read_icmpv6(write_icmpv6(message, SOURCE, DESTINATION)) == message


@given(packets())
def test_every_packet_comes_back(packet: IPv6Packet) -> None:
    octets = write_packet(packet)
    read = read_packet(octets)
    assert read == packet
    assert octets.endswith(packet.payload)
    assert read.payload_offset == len(octets) - len(packet.payload)


READERS = pytest.mark.parametrize("read", [read_message, read_icmpv6, read_packet])


@READERS
@given(st.data())
def test_any_octets(read: Read, data: st.DataObject) -> None:
    reads_or_refuses(read, data.draw(st.binary(max_size=120)))


@READERS
@settings(max_examples=300)
@given(st.data())
def test_mutations(read: Read, data: st.DataObject) -> None:
    values = {
        read_message: mobility_messages(),
        read_icmpv6: icmp_messages(),
        read_packet: packets(),
    }[read]
    octets = written(data.draw(values))  # type: ignore[arg-type]
    reads_or_refuses(read, data.draw(mutated(octets)))


@READERS
@given(st.data())
def test_every_cut_of_a_whole_one(read: Read, data: st.DataObject) -> None:
    """Cut anywhere, a Mobility Header or a packet is refused, never misread."""
    if read is read_icmpv6:  # its end is the end of the packet: nothing tells a cut
        octets = written(data.draw(icmp_messages()))
        for cut in range(len(octets)):
            reads_or_refuses(read, octets[:cut])
        return
    values = mobility_messages() if read is read_message else packets()
    octets = written(data.draw(values))
    for cut in range(len(octets)):
        with pytest.raises(WireError):
            read(octets[:cut])
