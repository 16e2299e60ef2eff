"""Targets: everything that reads octets of strangers.

Any octets are read or refused in the one way that is agreed on; and what was read says
the same when it is written and read again.
"""

import contextlib
import io
from functools import cache

from fuzz.choices import Choices
from fuzz.packets import CARE_OF_ADDRESS, HOME_ADDRESS, HOME_AGENT, repaired
from mip6.cli.decode import document, text
from mip6.cli.dissection import Keys, dissect
from mip6.core.packet import Packet, read, write
from mip6.core.state import End
from mip6.daemon.recording import RecordingError, replay
from mip6.security.association import SecurityAssociation, from_key
from mip6.security.associations import Associations
from mip6.security.keys import Direction, Purpose, Secret
from mip6.security.verdict import Protected, Rejected, Verified
from mip6.wire.buffer import WireError
from mip6.wire.capture import ipv6_in, read_capture
from mip6.wire.icmpv6 import read_icmpv6, write_icmpv6
from mip6.wire.messages import read_message, write_message
from mip6.wire.packet import (
    EXTENSION_LENGTH_MAX,
    DestinationOptions,
    Extension,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    read_packet,
    write_packet,
)


def chain(octets: bytes) -> None:
    """The IPv6 header and its extension headers; in an ICMPv6 error too."""
    with contextlib.suppress(WireError):
        read_packet(octets, quoted=True)
    try:
        packet = read_packet(octets)
    except WireError as error:
        assert 0 <= error.offset <= len(octets), error
        return
    try:
        written = write_packet(packet)
    except ValueError:
        # Options out of their alignment need more room when they stand as they should.
        assert len(octets) > EXTENSION_LENGTH_MAX
        return
    assert read_packet(written) == packet


def signalling(octets: bytes) -> None:
    """A whole packet as the core sees it, its checksum made right."""
    try:
        packet = read(repaired(octets))
    except WireError as error:
        assert 0 <= error.offset <= len(octets), error
        return
    assert isinstance(packet, Packet)
    try:
        written = write(packet)
    except ValueError:
        assert len(octets) > EXTENSION_LENGTH_MAX
        return
    again = read(written)
    assert (again.origin, again.target) == (packet.origin, packet.target)
    assert again.message == packet.message


def mobility(octets: bytes) -> None:
    """A Mobility Header."""
    try:
        message = read_message(octets)
    except WireError as error:
        assert 0 <= error.offset <= len(octets), error
        return
    try:
        written = write_message(message, HOME_ADDRESS, HOME_AGENT)
    except ValueError:
        assert len(octets) > EXTENSION_LENGTH_MAX - 256
        return
    assert read_message(written) == message


def icmpv6(octets: bytes) -> None:
    """An ICMPv6 message, Neighbor Discovery too."""
    try:
        message = read_icmpv6(octets)
    except WireError as error:
        assert 0 <= error.offset <= len(octets), error
        return
    assert read_icmpv6(write_icmpv6(message, HOME_ADDRESS, HOME_AGENT)) == message


def capture(octets: bytes) -> None:
    """A pcap or pcapng file, and what `mip6 decode` says about it."""
    keys = Keys()
    try:
        for frame in read_capture(octets):
            packet = ipv6_in(frame)
            if packet is None:
                continue
            line = document(frame.number, dissect(packet, keys))
            assert text(line, frame.at)
    except WireError as error:
        assert 0 <= error.offset <= len(octets), error


KEY = Secret(bytes(range(32)))
EXTENSIONS: tuple[tuple[Extension, ...], ...] = (
    (),
    (DestinationOptions((HomeAddressOption(HOME_ADDRESS),)),),
    (RoutingHeaderType2(HOME_ADDRESS),),
    (
        RoutingHeaderType2(HOME_ADDRESS),
        DestinationOptions((HomeAddressOption(HOME_ADDRESS),)),
    ),
)


@cache
def _associations() -> tuple[SecurityAssociation, ...]:
    return from_key(KEY, HOME_ADDRESS, HOME_AGENT)


def esp(octets: bytes) -> None:
    """Packets in ESP: of somebody who has the key, and then changed on the way."""
    choices = Choices(octets)
    end = choices.one_of(list(End))
    to_home_agent = end is End.HOME_AGENT
    inward = Direction.TO_HOME_AGENT if to_home_agent else Direction.TO_MOBILE_NODE
    purpose = choices.one_of(list(Purpose))
    [association] = (
        found
        for found in _associations()
        if found.purpose is purpose and found.direction is inward
    )
    changed = choices.flag()
    source, destination = CARE_OF_ADDRESS, HOME_AGENT
    if not to_home_agent:
        source, destination = destination, source
    transform = association.transform
    extensions = choices.one_of(EXTENSIONS)
    number, next_header = choices.number(2), choices.number()
    payload = choices.octets(choices.number(2) % 1024)
    sealed = write_packet(
        IPv6Packet(
            source=source,
            destination=destination,
            extensions=extensions,
            next_header=50,
            payload=transform.seal(
                association.spi,
                number,
                next_header,
                payload,
                bytes(transform.iv_length),
            ),
        )
    )
    receiver = Associations(end, _associations(), random=bytes)
    verdict = receiver.verify(choices.changed(sealed) if changed else sealed)
    assert isinstance(verdict, Verified | Rejected)
    if isinstance(verdict, Verified) and verdict.protected_for is not None:
        assert verdict.protected_for == HOME_ADDRESS
        assert verdict.mark is not None
        # ESP does not cover the header before it, but all that it carried is as sent.
        opened = read_packet(verdict.octets)
        assert changed or (opened.source, opened.extensions) == (source, extensions)
        assert opened.payload == payload[: len(opened.payload)]
        # The same once more is a replay.
        assert isinstance(receiver.verify(sealed), Rejected)


def unprotected(octets: bytes) -> None:
    """What comes, and what is to be sent, where there are keys."""
    choices = Choices(octets)
    node = Associations(choices.one_of(list(End)), _associations(), random=bytes)
    packet = repaired(choices.octets(len(octets)))
    verdict = node.verify(packet)
    if isinstance(verdict, Verified):
        assert (verdict.octets, verdict.protected_for) == (packet, None)
    try:
        protected = node.protect(packet)
    except WireError:
        return
    assert isinstance(protected, Protected | Rejected)


def recording(octets: bytes) -> None:
    """What `mip6 replay` is given."""
    try:
        for step in replay(io.StringIO(octets.decode(errors="replace"))):
            assert not step.raised or not step.same or step.line
    except RecordingError as error:
        assert str(error).startswith("line ")
