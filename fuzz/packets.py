"""Packets to start from: any message there is, between addresses that matter."""

from ipaddress import IPv6Address, IPv6Network

from fuzz.choices import Choices
from mip6.core.packet import Packet, unwrap, write
from mip6.wire.buffer import WireError
from mip6.wire.checksum import checksum
from mip6.wire.icmpv6 import (
    DestinationUnreachable,
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
    IcmpMessage,
    MobilePrefixAdvertisement,
    MobilePrefixSolicitation,
    PacketTooBig,
    ParameterProblem,
    TimeExceeded,
    UnknownIcmp,
)
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingError,
    BindingRefreshRequest,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    Message,
    UnknownMessage,
)
from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborSolicitation,
    RouterAdvertisement,
    RouterSolicitation,
)
from mip6.wire.neighbor_options import (
    AdvertisementInterval,
    HomeAgentInformation,
    Mtu,
    NeighborOption,
    PrefixInformation,
    SourceLinkLayerAddress,
)
from mip6.wire.next_header import NextHeader
from mip6.wire.options import (
    AlternateCareOfAddress,
    BindingAuthorizationData,
    BindingRefreshAdvice,
    MobileNetworkPrefix,
    MobileNodeIdentifier,
    MobilityMessageAuthentication,
    MobilityMessageReplayProtection,
    NonceIndices,
    Option,
    UnknownOption,
)
from mip6.wire.packet import read_packet

HOME_PREFIX = IPv6Network("2001:db8:a::/64")
HOME_AGENT = IPv6Address("2001:db8:a::1")
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
HOME_ADDRESSES = tuple(HOME_ADDRESS + n for n in range(6))
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::ff:fe00:64")
CORRESPONDENT = IPv6Address("2001:db8:e::2")
ROUTERS = (IPv6Address("fe80::1"), IPv6Address("fe80::2"))
ADDRESSES = (
    HOME_AGENT,
    *HOME_ADDRESSES,
    CARE_OF_ADDRESS,
    IPv6Address("2001:db8:c::ff:fe00:64"),
    CORRESPONDENT,
    *ROUTERS,
    IPv6Address("2001:db8:a::"),
    IPv6Address("2001:db8:f::100"),
    IPv6Address("ff02::1"),
    IPv6Address("::"),
    IPv6Address("::1"),
)
PREFIXES = (
    HOME_PREFIX,
    *(IPv6Network(f"2001:db8:{name}::/64") for name in "bc"),
    IPv6Network("fe80::/64"),
    IPv6Network("2001:db8::/48"),
)
LIFETIMES = (0, 4, 60, 600, 3600, 0xFFFF * 4)
LINKS = ("eth0", "eth1", "eth2")
LINK_LAYER_ADDRESSES = (
    bytes.fromhex("020000000064"),
    bytes.fromhex("020000000065"),
    bytes(14),
    bytes(8),
    b"",
)


def option(choices: Choices) -> Option:
    """One mobility option."""
    match choices.number() % 10:
        case 0:
            return AlternateCareOfAddress(choices.one_of(ADDRESSES))
        case 1:
            return BindingRefreshAdvice(choices.one_of(LIFETIMES))
        case 2:
            return NonceIndices(choices.number(2), choices.number(2))
        case 3:
            return BindingAuthorizationData(bytes(12))
        case 4:
            prefix = choices.one_of(PREFIXES)
            return MobileNetworkPrefix(prefix.prefixlen, prefix.network_address)
        case 5:
            return MobileNodeIdentifier(choices.number(), b"laptop@example.org")
        case 6:
            return MobilityMessageAuthentication(choices.number(), 256, bytes(12))
        case 7:
            return MobilityMessageReplayProtection(choices.number(8))
        case _:
            return UnknownOption(99, choices.octets(choices.number() % 16))


def options(choices: Choices) -> tuple[Option, ...]:
    return tuple(option(choices) for _ in range(choices.one_of((0, 0, 1, 2, 3))))


def mobility_message(choices: Choices, sequence_number: int) -> Message:
    """Any; a Binding Update or Acknowledgement with a number close to the given one."""
    number = (sequence_number + choices.one_of((0, 1, 0xFFFF, 2, 0x8000))) % 0x10000
    match choices.number() % 12:
        case 0 | 1 | 2:
            return BindingUpdate(
                sequence_number=number,
                lifetime=choices.one_of(LIFETIMES),
                acknowledge=choices.flag(),
                home_registration=not choices.flag(),
                options=options(choices),
            )
        case 3 | 4:
            return BindingAcknowledgement(
                status=choices.one_of((0, 1, 128, 130, 133, 134, 135, 144, 174, 255)),
                sequence_number=number,
                lifetime=choices.one_of(LIFETIMES),
                options=options(choices),
            )
        case 5:
            address = choices.one_of(ADDRESSES)
            return BindingError(status=choices.number() % 4, home_address=address)
        case 6:
            return BindingRefreshRequest(options=options(choices))
        case 7:
            return HomeTestInit(home_init_cookie=bytes(8))
        case 8:
            return CareOfTestInit(care_of_init_cookie=bytes(8))
        case 9:
            return HomeTest(
                home_nonce_index=1,
                home_init_cookie=bytes(8),
                home_keygen_token=bytes(8),
            )
        case 10:
            return CareOfTest(
                care_of_nonce_index=1,
                care_of_init_cookie=bytes(8),
                care_of_keygen_token=bytes(8),
            )
        case _:
            return UnknownMessage(200, bytes(2))


def neighbor_option(choices: Choices) -> NeighborOption:
    match choices.number() % 8:
        case 0 | 1 | 2:
            prefix = choices.one_of(PREFIXES)
            address = prefix.network_address
            return PrefixInformation(
                prefix=choices.one_of((address, address + 1)),
                prefix_length=prefix.prefixlen,
                valid_lifetime=choices.one_of((1800, 2, 0, 0xFFFFFFFF)),
                preferred_lifetime=choices.one_of((600, 1, 0, 0xFFFFFFFF)),
                on_link=True,
                autonomous_address_configuration=not choices.flag(),
                router_address=choices.flag(),
            )
        case 3 | 4:
            return SourceLinkLayerAddress(choices.one_of(LINK_LAYER_ADDRESSES[:3]))
        case 5:
            return AdvertisementInterval(choices.one_of((1500, 0, 30, 0xFFFFFFFF)))
        case 6:
            return HomeAgentInformation(preference=0, lifetime=1800)
        case _:
            return Mtu(choices.one_of((1500, 1280, 0)))


def neighbor_options(choices: Choices) -> tuple[NeighborOption, ...]:
    return tuple(neighbor_option(choices) for _ in range(choices.number() % 6))


def router_advertisement(choices: Choices) -> RouterAdvertisement:
    return RouterAdvertisement(
        cur_hop_limit=64,
        router_lifetime=choices.one_of((1800, 3, 0, 0xFFFF)),
        home_agent=choices.flag(),
        default_router_preference=choices.one_of((0, 1, -1)),
        options=neighbor_options(choices),
    )


def icmp_message(choices: Choices, quoted: bytes) -> IcmpMessage:
    """Any; errors quote these octets."""
    address = choices.one_of(ADDRESSES)
    match choices.number() % 12:
        case 0 | 1 | 2:
            return router_advertisement(choices)
        case 3:
            return RouterSolicitation(options=neighbor_options(choices))
        case 4:
            options = neighbor_options(choices)
            return NeighborSolicitation(target_address=address, options=options)
        case 5:
            options = neighbor_options(choices)
            return NeighborAdvertisement(target_address=address, options=options)
        case 6:
            return MobilePrefixSolicitation(identifier=choices.number(2))
        case 7:
            options = neighbor_options(choices)
            return MobilePrefixAdvertisement(identifier=1, options=options)
        case 8:
            return HomeAgentAddressDiscoveryRequest(identifier=choices.number(2))
        case 9:
            addresses = (HOME_AGENT, address)
            return HomeAgentAddressDiscoveryReply(
                identifier=1, home_agent_addresses=addresses
            )
        case _:
            return icmp_error(choices, choices.changed(quoted)[:1232])


def icmp_error(choices: Choices, quoted: bytes) -> IcmpMessage:
    match choices.number() % 5:
        case 0:
            mtu = choices.one_of((1400, 1280, 0, 1500, 0xFFFFFFFF))
            return PacketTooBig(mtu=mtu, packet=quoted)
        case 1:
            code, pointer = choices.number() % 3, choices.number()
            return ParameterProblem(code=code, pointer=pointer, packet=quoted)
        case 2:
            return DestinationUnreachable(code=choices.number(), packet=quoted)
        case 3:
            return TimeExceeded(code=0, packet=quoted)
        case _:
            return UnknownIcmp(type=200, code=0, data=quoted)


def maybe(choices: Choices, address: IPv6Address) -> IPv6Address | None:
    return choices.one_of((None, address, choices.one_of(ADDRESSES)))


def packet(choices: Choices, *, sequence_number: int = 0, quoted: bytes = b"") -> bytes:
    """A whole packet, mostly as somebody could send it, then perhaps changed."""
    made = Packet(
        source=choices.one_of(ADDRESSES),
        destination=choices.one_of(ADDRESSES),
        message=mobility_message(choices, sequence_number)
        if choices.flag()
        else icmp_message(choices, quoted),
        home_address=maybe(choices, HOME_ADDRESS),
        routing_address=maybe(choices, HOME_ADDRESS),
        tunnel=choices.one_of(
            (None, None, None, (choices.one_of(ADDRESSES), choices.one_of(ADDRESSES)))
        ),
        hop_limit=choices.one_of((255, 64)),
    )
    octets = choices.changed(write(made))
    return octets if choices.number() == 0xFF else repaired(octets)


def repaired(octets: bytes) -> bytes:
    """The same with the payload length and checksum that its sender would have put in,
    where it can be told."""
    changed = bytearray(octets)
    if len(octets) < 40:
        return octets
    changed[4:6] = min(len(octets) - 40, 0xFFFF).to_bytes(2)
    try:
        headers = read_packet(bytes(changed))
        wrapping = unwrap(headers)
    except WireError:
        return bytes(changed)
    start = headers.payload_offset
    if headers.next_header == NextHeader.IPV6:
        changed[start:] = repaired(bytes(changed[start:]))
        return bytes(changed)
    places = {int(NextHeader.MOBILITY): 4, int(NextHeader.ICMPV6): 2}
    place = places.get(headers.next_header)
    if place is None or len(headers.payload) < place + 2:
        return bytes(changed)
    payload = bytearray(headers.payload)
    payload[place : place + 2] = bytes(2)
    source = wrapping.home_address or headers.source
    destination = wrapping.routing_address or headers.destination
    value = checksum(source, destination, headers.next_header, bytes(payload))
    payload[place : place + 2] = value.to_bytes(2)
    changed[start:] = payload
    return bytes(changed)
