"""Golden octets of the Neighbor Discovery messages and options."""

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from mip6.wire.buffer import WireError
from mip6.wire.icmpv6 import IcmpMessage, read_icmpv6, write_icmpv6
from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborSolicitation,
    RouterAdvertisement,
    RouterSolicitation,
)
from mip6.wire.neighbor_options import (
    INFINITE_LIFETIME,
    OPTIONS_MAX,
    AdvertisementInterval,
    CaptivePortal,
    HomeAgentInformation,
    Mtu,
    PrefixInformation,
    RecursiveDnsServers,
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
    UnknownNeighborOption,
)

SOURCE = IPv6Address("2001:db8:a::100")
DESTINATION = IPv6Address("2001:db8:a::1")

GOLDEN = [
    pytest.param(
        RouterSolicitation(
            options=(SourceLinkLayerAddress(bytes.fromhex("020000000064")),)
        ),
        "85 00 1ac9"  # Type, Code, Checksum
        "00000000"  # Reserved
        "01 01 020000000064",  # Source Link-Layer Address
        id="Router Solicitation",
    ),
    pytest.param(
        RouterAdvertisement(
            router_lifetime=1800,
            cur_hop_limit=64,
            managed_address_configuration=True,
            home_agent=True,
            default_router_preference=-1,
            reachable_time=30000,
            retrans_timer=1000,
            options=(
                SourceLinkLayerAddress(bytes.fromhex("02000000000a")),
                Mtu(1500),
                PrefixInformation(
                    prefix=DESTINATION,
                    prefix_length=64,
                    valid_lifetime=INFINITE_LIFETIME,
                    preferred_lifetime=14400,
                    on_link=True,
                    autonomous_address_configuration=True,
                    router_address=True,
                ),
                AdvertisementInterval(70),
                HomeAgentInformation(preference=0x1234, lifetime=1800),
                UnknownNeighborOption(222, bytes(6)),
            ),
        ),
        "86 00 9db6"
        "40"  # Cur Hop Limit
        "b8"  # M, H, Prf low
        "0708"  # Router Lifetime
        "00007530"  # Reachable Time
        "000003e8"  # Retrans Timer
        "01 01 02000000000a"  # Source Link-Layer Address
        "05 01 0000 000005dc"  # MTU
        "03 04 40"  # Prefix Information, 64 bits
        "e0"  # L, A, R
        "ffffffff"  # Valid Lifetime
        "00003840"  # Preferred Lifetime
        "00000000"  # Reserved2
        "20010db8000a00000000000000000001"  # Prefix: the router's address
        "07 01 0000 00000046"  # Advertisement Interval, 70 ms
        "08 01 0000 1234 0708"  # Home Agent Information
        "de 01 000000000000",  # an option not known here
        id="Router Advertisement of a home agent",
        marks=[
            pytest.mark.rfc("7.1", "the H flag"),
            pytest.mark.rfc("7.2", "the R flag; the prefix field holds an address"),
            pytest.mark.rfc("7.3", "format of the Advertisement Interval option"),
            pytest.mark.rfc("7.4", "format of the Home Agent Information option"),
        ],
    ),
    pytest.param(
        RouterAdvertisement(
            router_lifetime=1800,
            home_agent=True,
            options=(
                HomeAgentInformation(
                    preference=0x1234, lifetime=1800, mobile_router_support=True
                ),
            ),
        ),
        "86 00 74c0 00"
        "20"  # H
        "0708 00000000 00000000"
        "08 01"  # Home Agent Information
        "8000"  # R
        "1234"  # Home Agent Preference
        "0708",  # Home Agent Lifetime
        id="Router Advertisement of a home agent for mobile routers",
    ),
    pytest.param(
        RouterAdvertisement(
            router_lifetime=0,
            other_configuration=True,
            default_router_preference=1,
            proxy=True,
        ),
        "86 00 1ce2 00"
        "4c"  # O, Prf high, P
        "0000 00000000 00000000",
        id="Router Advertisement, other flags",
    ),
    pytest.param(
        RouterAdvertisement(
            router_lifetime=1800,
            options=(
                RecursiveDnsServers(600, (SOURCE, DESTINATION)),
                CaptivePortal(b"https://a/b"),
            ),
        ),
        "86 00 3689 00 00 0708 00000000 00000000"
        "19 05 0000"  # Recursive DNS Servers, 40 octets, Reserved
        "00000258"  # Lifetime
        "20010db8000a00000000000000000100"
        "20010db8000a00000000000000000001"
        "25 02"  # Captive Portal
        "68747470733a2f2f612f62 000000",  # the URI, padded
        id="Router Advertisement of a network that wants one to log in",
    ),
    pytest.param(
        NeighborSolicitation(target_address=SOURCE),
        "87 00 ed62"
        "00000000"  # Reserved
        "20010db8000a00000000000000000100",  # Target Address
        id="Neighbor Solicitation",
    ),
    pytest.param(
        NeighborAdvertisement(
            target_address=SOURCE,
            router=True,
            override=True,
            options=(TargetLinkLayerAddress(bytes.fromhex("02000000000a")),),
        ),
        "88 00 484f"
        "a0000000"  # R, O
        "20010db8000a00000000000000000100"  # Target Address
        "02 01 02000000000a",  # Target Link-Layer Address
        id="Neighbor Advertisement",
    ),
    pytest.param(
        NeighborAdvertisement(target_address=SOURCE, solicited=True),
        "88 00 ac62"
        "40000000"  # S
        "20010db8000a00000000000000000100",
        id="Neighbor Advertisement, solicited",
    ),
]


@pytest.mark.parametrize(("message", "golden"), GOLDEN)
def test_golden_octets(message: IcmpMessage, golden: str) -> None:
    octets = bytes.fromhex(golden)
    assert write_icmpv6(message, SOURCE, DESTINATION).hex(" ", 2) == octets.hex(" ", 2)
    assert read_icmpv6(octets) == message


@pytest.mark.rfc("7.2", "the prefix is the leading bits, with the R flag or without")
@pytest.mark.parametrize("router_address", [True, False])
def test_the_network_of_a_prefix(router_address: bool) -> None:
    option = PrefixInformation(
        prefix=IPv6Address("2001:db8:a::1"),
        prefix_length=64,
        valid_lifetime=1,
        preferred_lifetime=1,
        router_address=router_address,
    )
    assert option.network == IPv6Network("2001:db8:a::/64")


@pytest.mark.parametrize("length", [0, 1, 127, 128])
def test_every_prefix_length(length: int) -> None:
    option = PrefixInformation(
        prefix=SOURCE, prefix_length=length, valid_lifetime=1, preferred_lifetime=1
    )
    message = RouterAdvertisement(router_lifetime=1, options=(option,))
    assert read_icmpv6(write_icmpv6(message, SOURCE, DESTINATION)) == message


def advertised(options: str) -> Any:
    message = read_icmpv6(
        bytes.fromhex("86 00 0000 00000000 00000000 00000000" + options)
    )
    assert isinstance(message, RouterAdvertisement)
    return message.options


def test_reserved_bits_are_ignored() -> None:
    assert advertised(
        "03 04 40 1f 00000001 00000001 ffffffff 20010db8000a00000000000000000000"
        "05 01 ffff 00000500"
        "07 01 ffff 00000500"
        "08 01 7fff 0000 0001"
    ) == (
        PrefixInformation(
            prefix=IPv6Address("2001:db8:a::"),
            prefix_length=64,
            valid_lifetime=1,
            preferred_lifetime=1,
        ),
        Mtu(1280),
        AdvertisementInterval(1280),
        HomeAgentInformation(preference=0, lifetime=1),
    )
    message = read_icmpv6(bytes.fromhex("86 00 0000 00 03 0000") + bytes(8))
    assert message == RouterAdvertisement(router_lifetime=0)


def test_the_reserved_preference_reads_as_medium() -> None:
    message = read_icmpv6(bytes.fromhex("86 00 0000 00 10 0000") + bytes(8))
    assert message == RouterAdvertisement(router_lifetime=0)


@pytest.mark.parametrize(
    ("options", "reason", "offset"),
    [
        ("de 00 000000000000", "option_length", 17),  # a length of 0
        ("de01000000000000 de 02 000000000000", "option_length", 25),  # beyond
        ("05 02 0000 000005dc 0000000000000000", "option_length", 17),  # MTU of 16
        ("03 03 40 c0" + "00" * 20, "truncated", 40),  # a prefix without its end
        ("03 04 81 c0" + "00" * 28, "prefix_length", 18),
        ("de", "truncated", 17),
    ],
)
def test_options_nobody_may_send(options: str, reason: str, offset: int) -> None:
    with pytest.raises(WireError) as caught:
        advertised(options)
    assert (caught.value.reason, caught.value.offset) == (reason, offset)


def test_name_servers_without_a_whole_address_are_left_out() -> None:
    none = "19 01 0000 00000001"
    half = "19 04 0000 00000001" + SOURCE.packed.hex() + "00" * 8
    assert advertised(none + half) == (
        RecursiveDnsServers(1, ()),
        RecursiveDnsServers(1, (SOURCE,)),
    )


def test_the_limit_of_options() -> None:
    option = "de 01 000000000000"
    assert len(advertised(option * OPTIONS_MAX)) == OPTIONS_MAX
    with pytest.raises(WireError, match="too_many_options at octet 1040"):
        advertised(option * (OPTIONS_MAX + 1))


def test_link_layer_addresses_of_other_links() -> None:
    address = bytes(range(14))
    assert advertised("01 02" + address.hex()) == (SourceLinkLayerAddress(address),)


PREFIX = {"prefix": SOURCE, "valid_lifetime": 1, "preferred_lifetime": 1}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (SourceLinkLayerAddress, {"link_layer_address": bytes(7)}),
        (TargetLinkLayerAddress, {"link_layer_address": b""}),
        (TargetLinkLayerAddress, {"link_layer_address": bytes(2046)}),
        (PrefixInformation, {**PREFIX, "prefix_length": 129}),
        (PrefixInformation, {**PREFIX, "prefix_length": 64, "valid_lifetime": -1}),
        (
            PrefixInformation,
            {**PREFIX, "prefix_length": 64, "preferred_lifetime": 1 << 32},
        ),
        (Mtu, {"mtu": 1 << 32}),
        (AdvertisementInterval, {"advertisement_interval": -1}),
        (HomeAgentInformation, {"preference": 0x10000, "lifetime": 1}),
        (HomeAgentInformation, {"preference": 0, "lifetime": 0x10000}),
        (RecursiveDnsServers, {"lifetime": 1 << 32, "addresses": ()}),
        (RecursiveDnsServers, {"lifetime": 1, "addresses": (SOURCE,) * 128}),
        (CaptivePortal, {"uri": b"https://a\0"}),
        (CaptivePortal, {"uri": b"a" * 2039}),
        (UnknownNeighborOption, {"type": 3, "data": bytes(30)}),
        (UnknownNeighborOption, {"type": 256, "data": bytes(6)}),
        (UnknownNeighborOption, {"type": 222, "data": bytes(8)}),
        (UnknownNeighborOption, {"type": 222, "data": bytes(2046)}),
        (RouterAdvertisement, {"router_lifetime": 0x10000}),
        (RouterAdvertisement, {"router_lifetime": 1, "cur_hop_limit": 256}),
        (RouterAdvertisement, {"router_lifetime": 1, "reachable_time": 1 << 32}),
        (RouterAdvertisement, {"router_lifetime": 1, "retrans_timer": -1}),
        (RouterAdvertisement, {"router_lifetime": 1, "default_router_preference": 2}),
    ],
)
def test_nonsense_is_not_constructed(kind: type[Any], fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        kind(**fields)
    assert not isinstance(caught.value, WireError)
