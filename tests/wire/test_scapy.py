"""Scapy's dissector reads what we write: a second opinion, never an oracle for building
(its default option lengths are wrong)."""

import warnings
from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given, settings
from tests.support.strategies import packets

from mip6.wire.icmpv6 import (
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
    IcmpMessage,
    MobilePrefixAdvertisement,
    MobilePrefixSolicitation,
    ParameterProblem,
    write_icmpv6,
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
    write_message,
)
from mip6.wire.neighbor_discovery import RouterAdvertisement
from mip6.wire.neighbor_options import (
    AdvertisementInterval,
    HomeAgentInformation,
    Mtu,
    PrefixInformation,
    SourceLinkLayerAddress,
)
from mip6.wire.options import (
    AlternateCareOfAddress,
    BindingAuthorizationData,
    BindingRefreshAdvice,
    NonceIndices,
)
from mip6.wire.packet import (
    DestinationOptions,
    Extension,
    HomeAddressOption,
    IPv6Packet,
    RoutingHeaderType2,
    write_packet,
)

with warnings.catch_warnings():  # not our code: what it imports is deprecated
    warnings.simplefilter("ignore")
    from scapy.layers import inet6

HOME_ADDRESS = IPv6Address("2001:db8:a::100")
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::64")
HOME_AGENT = IPv6Address("2001:db8:a::1")
COOKIE = bytes(range(8))
TOKEN = bytes(range(8, 16))


def dissected(
    source: IPv6Address,
    destination: IPv6Address,
    extensions: tuple[Extension, ...],
    next_header: int,
    payload: bytes,
) -> Any:
    octets = write_packet(
        IPv6Packet(
            source=source,
            destination=destination,
            extensions=extensions,
            next_header=next_header,
            payload=payload,
        )
    )
    return inet6.IPv6(octets)


def mobility(message: Message) -> Any:
    payload = write_message(message, HOME_ADDRESS, HOME_AGENT)
    packet = dissected(HOME_ADDRESS, HOME_AGENT, (), 135, payload)
    assert inet6.in6_chksum(135, packet, payload) == 0
    return packet.lastlayer()


def icmp(message: IcmpMessage) -> Any:
    payload = write_icmpv6(message, HOME_ADDRESS, HOME_AGENT)
    packet = dissected(HOME_ADDRESS, HOME_AGENT, (), 58, payload)
    assert inet6.in6_chksum(58, packet, payload) == 0
    return packet.payload


def fields(layer: Any, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(layer, name) for name in names)


def test_binding_refresh_request() -> None:
    layer = mobility(BindingRefreshRequest())
    assert isinstance(layer, inet6.MIP6MH_BRR)
    assert fields(layer, "nh", "len", "res", "res2") == (59, 0, 0, 0)


def test_return_routability() -> None:
    layer = mobility(HomeTestInit(home_init_cookie=COOKIE))
    assert isinstance(layer, inet6.MIP6MH_HoTI)
    assert fields(layer, "len", "cookie") == (1, COOKIE)
    layer = mobility(CareOfTestInit(care_of_init_cookie=COOKIE))
    assert isinstance(layer, inet6.MIP6MH_CoTI)
    assert fields(layer, "len", "cookie") == (1, COOKIE)
    layer = mobility(
        HomeTest(home_nonce_index=7, home_init_cookie=COOKIE, home_keygen_token=TOKEN)
    )
    assert isinstance(layer, inet6.MIP6MH_HoT)
    assert fields(layer, "len", "index", "cookie", "token") == (2, 7, COOKIE, TOKEN)
    layer = mobility(
        CareOfTest(
            care_of_nonce_index=7,
            care_of_init_cookie=COOKIE,
            care_of_keygen_token=TOKEN,
        )
    )
    assert isinstance(layer, inet6.MIP6MH_CoT)
    assert fields(layer, "len", "index", "cookie", "token") == (2, 7, COOKIE, TOKEN)


@pytest.mark.parametrize("flag", ["A", "H", "L", "K"])
def test_flags_of_a_binding_update(flag: str) -> None:
    layer = mobility(
        BindingUpdate(
            sequence_number=0x1234,
            lifetime=420,
            acknowledge=flag == "A",
            home_registration=flag == "H",
            link_local_address_compatibility=flag == "L",
            key_management_mobility_capability=flag == "K",
        )
    )
    assert isinstance(layer, inet6.MIP6MH_BU)
    assert fields(layer, "seq", "mhtime", "flags") == (0x1234, 105, flag)


def test_options() -> None:
    authenticator = bytes(range(1, 13))
    layer = mobility(
        BindingUpdate(
            sequence_number=1,
            lifetime=4,
            options=(
                AlternateCareOfAddress(CARE_OF_ADDRESS),
                NonceIndices(3, 4),
                BindingAuthorizationData(authenticator),
            ),
        )
    )
    alternate, nonces, authorization = (
        option for option in layer.options if option.otype > 1
    )
    assert fields(alternate, "olen", "acoa") == (16, str(CARE_OF_ADDRESS))
    assert fields(nonces, "olen", "hni", "coni") == (4, 3, 4)
    assert authorization.olen == 12
    assert int(authorization.authenticator) == int.from_bytes(authenticator)


def test_binding_acknowledgement_behind_a_routing_header() -> None:
    message = BindingAcknowledgement(
        status=135,
        sequence_number=0x1234,
        lifetime=40,
        key_management_mobility_capability=True,
        options=(BindingRefreshAdvice(20),),
    )
    payload = write_message(message, HOME_AGENT, HOME_ADDRESS)
    routing = (RoutingHeaderType2(HOME_ADDRESS),)
    packet = dissected(HOME_AGENT, CARE_OF_ADDRESS, routing, 135, payload)
    header = packet[inet6.IPv6ExtHdrRouting]
    assert fields(header, "len", "type", "segleft") == (2, 2, 1)
    assert header.addresses == [str(HOME_ADDRESS)]
    layer = packet[inet6.MIP6MH_BA]
    assert fields(layer, "status", "seq", "mhtime", "flags") == (135, 0x1234, 10, "K")
    assert layer.options[0].rinter == 5
    # It takes the home address of the routing header for the checksum, as we must.
    assert inet6.in6_chksum(135, layer.underlayer, payload) == 0


def test_home_address_option() -> None:
    options = (DestinationOptions((HomeAddressOption(HOME_ADDRESS),)),)
    packet = dissected(CARE_OF_ADDRESS, HOME_AGENT, options, 59, b"")
    padding, option = packet[inet6.IPv6ExtHdrDestOpt].options
    assert fields(padding, "otype", "optlen") == (1, 2)
    assert fields(option, "otype", "optlen", "hoa") == (0xC9, 16, str(HOME_ADDRESS))


def test_binding_error() -> None:
    layer = mobility(BindingError(status=2, home_address=HOME_ADDRESS))
    assert isinstance(layer, inet6.MIP6MH_BE)
    assert fields(layer, "len", "status", "ha") == (2, 2, str(HOME_ADDRESS))


def test_the_four_mobility_messages_of_icmpv6() -> None:
    layer = icmp(HomeAgentAddressDiscoveryRequest(identifier=0x1234))
    assert isinstance(layer, inet6.ICMPv6HAADRequest)
    assert layer.id == 0x1234
    layer = icmp(
        HomeAgentAddressDiscoveryReply(
            identifier=0x1234, home_agent_addresses=(HOME_AGENT, HOME_ADDRESS)
        )
    )
    assert isinstance(layer, inet6.ICMPv6HAADReply)
    assert fields(layer, "id", "addresses") == (
        0x1234,
        [str(HOME_AGENT), str(HOME_ADDRESS)],
    )
    layer = icmp(MobilePrefixSolicitation(identifier=0x1234))
    assert isinstance(layer, inet6.ICMPv6MPSol)
    assert layer.id == 0x1234
    layer = icmp(
        MobilePrefixAdvertisement(identifier=0x1234, managed_address_configuration=True)
    )
    assert isinstance(layer, inet6.ICMPv6MPAdv)
    assert fields(layer, "id", "flags") == (0x1234, 2)  # M of the two bits M and O


def test_parameter_problem() -> None:
    quoted = bytes.fromhex("60000000 0000 3b 40") + bytes(32)
    layer = icmp(ParameterProblem(code=0, pointer=41, packet=quoted))
    assert isinstance(layer, inet6.ICMPv6ParamProblem)
    assert fields(layer, "code", "ptr") == (0, 41)
    assert bytes(layer.payload) == quoted


def test_router_advertisement() -> None:
    layer = icmp(
        RouterAdvertisement(
            router_lifetime=1800,
            cur_hop_limit=64,
            other_configuration=True,
            home_agent=True,
            default_router_preference=1,
            reachable_time=30000,
            retrans_timer=1000,
            options=(
                SourceLinkLayerAddress(bytes.fromhex("02000000000a")),
                Mtu(1500),
                PrefixInformation(
                    prefix=HOME_AGENT,
                    prefix_length=64,
                    valid_lifetime=86400,
                    preferred_lifetime=14400,
                    on_link=True,
                    router_address=True,
                ),
                AdvertisementInterval(70),
                HomeAgentInformation(preference=9, lifetime=1801),
            ),
        )
    )
    assert isinstance(layer, inet6.ICMPv6ND_RA)
    assert fields(layer, "chlim", "M", "O", "H", "prf", "P") == (64, 0, 1, 1, 1, 0)
    assert fields(layer, "routerlifetime", "reachabletime", "retranstimer") == (
        1800,
        30000,
        1000,
    )
    assert layer[inet6.ICMPv6NDOptSrcLLAddr].lladdr == "02:00:00:00:00:0a"
    assert layer[inet6.ICMPv6NDOptMTU].mtu == 1500
    prefix = layer[inet6.ICMPv6NDOptPrefixInfo]
    assert fields(prefix, "prefixlen", "L", "A", "R") == (64, 1, 0, 1)
    assert fields(prefix, "validlifetime", "preferredlifetime") == (86400, 14400)
    assert prefix.prefix == str(HOME_AGENT)
    assert layer[inet6.ICMPv6NDOptAdvInterval].advint == 70
    assert fields(layer[inet6.ICMPv6NDOptHAInfo], "pref", "lifetime") == (9, 1801)


@settings(max_examples=50)
@given(packets())
def test_any_header(packet: IPv6Packet) -> None:
    octets = write_packet(packet)
    header = inet6.IPv6(octets)
    assert fields(header, "version", "tc", "fl", "hlim") == (
        6,
        packet.traffic_class,
        packet.flow_label,
        packet.hop_limit,
    )
    assert (IPv6Address(header.src), IPv6Address(header.dst)) == (
        packet.source,
        packet.destination,
    )
    assert header.plen == len(octets) - 40
