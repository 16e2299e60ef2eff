"""What is in one IPv6 packet: the innermost message, out of tunnels and out of ESP."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv6Address

from mip6.core.packet import PLAIN, Packet, Wrapping, decode, unwrap
from mip6.security.association import SecurityAssociation, from_key
from mip6.security.esp import (
    EspError,
    Transform,
    encryption_named,
    integrity_named,
    spi_and_sequence_number,
)
from mip6.security.keys import KeyTextError, Secret, parse_key, parse_octets
from mip6.wire.buffer import WireError
from mip6.wire.icmpv6 import (
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
    MobilePrefixAdvertisement,
    MobilePrefixSolicitation,
)
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.next_header import NextHeader
from mip6.wire.packet import (
    HEADER,
    FragmentHeader,
    IPv6Packet,
    read_packet,
    write_packet,
)
from mip6.wire.record import record

LAYERS_MAX = 8
"""Tunnels and ESP around one message; nobody needs this many."""
PAIRS_MAX = 1024
"""Mobile nodes of one capture whose derived keys are remembered."""

OURS = {
    bytes([kind.TYPE])
    for kind in (
        RouterAdvertisement,
        HomeAgentAddressDiscoveryRequest,
        HomeAgentAddressDiscoveryReply,
        MobilePrefixSolicitation,
        MobilePrefixAdvertisement,
    )
}
"""First octets of the ICMPv6 that Mobile IPv6 is made of (§6.5 to §6.8, §7)."""

Tunnel = tuple[IPv6Address, IPv6Address]


@record
class Esp:
    """The ESP header that a message was taken out of."""

    spi: int
    sequence_number: int


@record
class Signalling:
    """A Mobility Header or an ICMPv6 message, decoded."""

    packet: Packet
    esp: Esp | None
    ours: bool
    """Whether Mobile IPv6 is made of such messages, and does not merely carry them."""


@record
class Data:
    """A packet of something else, though it may travel the way of Mobile IPv6."""

    headers: IPv6Packet
    wrapping: Wrapping
    tunnel: Tunnel | None
    esp: Esp | None

    @property
    def closed(self) -> bool:
        """Whether it is ESP that no key opens."""
        return self.headers.next_header == NextHeader.ESP


@record
class Malformed:
    """What no sender may produce.  `offset` counts from the outermost IPv6 header; for
    a fault inside ESP, as if the packet had been sent without."""

    reason: str
    offset: int
    ours: bool = True


Dissected = Signalling | Data | Malformed


class Keys:
    """The keys that ESP is opened with: whichever fits, as its check value tells.

    A key that is shared with a home agent stands for keys derived for one home address
    and one home agent.  They are found in the packets; where encryption hides the home
    address, those of a packet opened before are tried.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        """`words`: `INTEGRITY:HEX[,ENCRYPTION:HEX]` or a line of `mip6 keygen`.

        Raises `ValueError`, which never quotes what stands where a key belongs.
        """
        self._shared: list[Secret] = []
        self._transforms: list[Transform] = []
        self._pairs: dict[tuple[IPv6Address, IPv6Address], None] = {}
        for word in words:
            if word.lower().startswith("mip6-key-"):
                self._shared.append(parse_key(word))
            else:
                self._transforms.append(_transform(word))

    def open(self, headers: IPv6Packet, wrapping: Wrapping) -> tuple[int, bytes] | None:
        """Next Header and payload of the ESP in a packet; None if no key fits.

        Raises `EspError` for what is authentic and makes no sense all the same.
        """
        esp = headers.payload
        for transform in self._transforms:
            if transform.authentic(esp):
                return transform.open(esp)
        spi, _ = spi_and_sequence_number(esp)
        origin = wrapping.home_address or headers.source
        target = wrapping.routing_address or headers.destination
        here = ((origin, headers.destination), (target, headers.source))
        for key in self._shared:
            for pair in (*here, *self._pairs):
                for association in _associations(key, *pair):
                    transform = association.transform
                    if association.spi == spi and transform.authentic(esp):
                        if len(self._pairs) < PAIRS_MAX:
                            self._pairs[pair] = None
                        return transform.open(esp)
        return None


@lru_cache(maxsize=4 * PAIRS_MAX)
def _associations(
    key: Secret, home_address: IPv6Address, home_agent: IPv6Address
) -> tuple[SecurityAssociation, ...]:
    return from_key(key, home_address, home_agent)


def _transform(word: str) -> Transform:
    parts = [part.partition(":") for part in word.split(",")]
    if len(parts) > 2 or not all(colon for _, colon, _ in parts):
        raise KeyTextError("is neither INTEGRITY:HEX[,ENCRYPTION:HEX] nor mip6-key-…")
    name, _, digits = parts[0]
    algorithm, key = integrity_named(name), parse_octets(digits)
    if len(parts) == 1:
        return Transform(integrity=algorithm, integrity_key=key)
    name, _, digits = parts[1]
    return Transform(
        integrity=algorithm,
        integrity_key=key,
        encryption=encryption_named(name),
        encryption_key=parse_octets(digits),
    )


def dissect(octets: bytes, keys: Keys, *, cut: bool = False) -> Dissected:
    """Decode one IPv6 packet: of whatever is in it, the innermost message.

    cut: its end was not captured.  That is a fault only where it hides a message.
    """
    found = _dissect(octets, keys)
    if cut and isinstance(found, Malformed) and len(octets) >= HEADER.size:
        # What would it be if the end were there?
        _, length, *_ = HEADER.unpack_from(octets)
        missing = max(0, HEADER.size + length - len(octets))
        whole = _dissect(octets + bytes(missing), keys)
        return whole if isinstance(whole, Data) else replace(found, ours=whole.ours)
    return found


def _dissect(octets: bytes, keys: Keys) -> Dissected:
    start = 0
    tunnel: Tunnel | None = None
    esp: Esp | None = None
    ours = True
    try:
        for _ in range(LAYERS_MAX):
            headers = read_packet(octets)
            fragment = _is_fragment(headers)
            if headers.next_header == NextHeader.IPV6 and not fragment:
                tunnel = (headers.source, headers.destination)
                start += headers.payload_offset
                octets = headers.payload
            elif headers.next_header == NextHeader.ESP and not fragment:
                wrapping = _wrapping(headers)
                esp = Esp(*spi_and_sequence_number(headers.payload))
                opened = keys.open(headers, wrapping)
                if opened is None:
                    return Data(headers, wrapping, tunnel, esp)
                octets = _without_esp(headers, *opened)
            else:
                break
        else:
            return Malformed("too_many_layers", start)
        mobility = headers.next_header == NextHeader.MOBILITY
        icmp = headers.next_header == NextHeader.ICMPV6 and not fragment
        if not mobility and not icmp:
            return Data(headers, _wrapping(headers), tunnel, esp)
        ours = mobility or headers.payload[:1] in OURS
        packet = decode(headers, unwrap(headers), octets, tunnel=tunnel)
    except WireError as error:
        return Malformed(error.reason, start + error.offset, ours)
    except EspError as error:
        return Malformed(error.reason, start + headers.payload_offset)
    return Signalling(packet, esp, ours)


def _without_esp(headers: IPv6Packet, next_header: int, payload: bytes) -> bytes:
    """The packet as it would have been without ESP.

    Raises `EspError` for a payload that cannot stand there: "esp_contents".
    """
    try:
        return write_packet(replace(headers, next_header=next_header, payload=payload))
    except ValueError:
        raise EspError("esp_contents", "RFC 4303 2.6") from None


def _is_fragment(headers: IPv6Packet) -> bool:
    return any(
        isinstance(extension, FragmentHeader) and (extension.offset or extension.more)
        for extension in headers.extensions
    )


def _wrapping(headers: IPv6Packet) -> Wrapping:
    """As far as it makes sense: data is not judged."""
    try:
        return unwrap(headers)
    except WireError:
        return PLAIN
