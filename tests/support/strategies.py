"""Hypothesis strategies for everything that `mip6.wire` can say.

`mobility_messages()`, `icmp_messages()`, `mobility_options()`, `neighbor_options()` and
`packets()` give values; `mutated(octets)` gives octets with a few of them changed.
"""

from dataclasses import fields as dataclass_fields
from functools import cache
from ipaddress import IPv6Address
from typing import Any

from hypothesis import strategies as st

from mip6.wire import icmpv6, messages, options, packet
from mip6.wire import neighbor_options as nd
from mip6.wire.next_header import NextHeader

type_numbers = st.integers(0, 0xFF)
u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
u64 = st.binary(min_size=8, max_size=8)
lifetimes = st.integers(0, 0xFFFF).map(lambda units: units * 4)
"""Seconds, as mobility messages can say them."""

addresses = st.one_of(
    st.sampled_from(
        [
            IPv6Address("::"),
            IPv6Address("::1"),
            IPv6Address("fe80::1"),
            IPv6Address("ff02::1"),
            IPv6Address("2001:db8:a::100"),
            IPv6Address("2001:db8:b::ff:fe00:64"),
        ]
    ),
    st.binary(min_size=16, max_size=16).map(IPv6Address),
)


def sized(unit: int, remainder: int, units_max: int = 4) -> st.SearchStrategy[bytes]:
    """Octets whose count is `remainder` and a multiple of `unit`."""
    return st.integers(0, units_max).flatmap(
        lambda n: st.binary(
            min_size=n * unit + remainder, max_size=n * unit + remainder
        )
    )


@cache
def mobility_options() -> st.SearchStrategy[options.Option]:
    return st.one_of(
        st.builds(options.BindingRefreshAdvice, lifetimes),
        st.builds(options.AlternateCareOfAddress, addresses),
        st.builds(options.NonceIndices, u16, u16),
        st.builds(
            options.BindingAuthorizationData, st.binary(min_size=12, max_size=12)
        ),
        st.builds(options.MobileNetworkPrefix, u8, addresses),
        st.builds(options.MobileNodeIdentifier, u8, st.binary(max_size=20)),
        st.builds(
            options.MobilityMessageAuthentication, u8, u32, st.binary(max_size=20)
        ),
        st.builds(options.MobilityMessageReplayProtection, st.integers(0, 2**64 - 1)),
        st.builds(
            options.UnknownOption,
            type_numbers.filter(lambda n: n > 1 and n not in options.KNOWN),
            st.binary(max_size=20),
        ),
    )


@cache
def messages_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Messages of one class of `mip6.wire.messages`."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "options": st.lists(mobility_options(), max_size=5).map(tuple),
        "sequence_number": u16,
        "lifetime": lifetimes,
        "status": u8,
        "home_address": addresses,
        **dict.fromkeys(("home_nonce_index", "care_of_nonce_index"), u16),
        **dict.fromkeys(("home_init_cookie", "care_of_init_cookie"), u64),
        **dict.fromkeys(("home_keygen_token", "care_of_keygen_token"), u64),
    }
    wanted = [field.name for field in dataclass_fields(kind)]
    return st.builds(
        kind,
        **{name: fields.get(name, st.booleans()) for name in wanted},
    )


unknown_messages = st.builds(
    messages.UnknownMessage,
    type_numbers.filter(lambda n: n not in messages.KNOWN),
    sized(8, 2),
)


@cache
def mobility_messages() -> st.SearchStrategy[messages.Message]:
    return st.one_of(*map(messages_of, messages.KNOWN.values()), unknown_messages)


@cache
def neighbor_options() -> st.SearchStrategy[nd.NeighborOption]:
    return st.one_of(
        st.builds(nd.SourceLinkLayerAddress, sized(8, 6, 2)),
        st.builds(nd.TargetLinkLayerAddress, sized(8, 6, 2)),
        st.builds(
            nd.PrefixInformation,
            prefix=addresses,
            prefix_length=st.integers(0, 128),
            valid_lifetime=u32,
            preferred_lifetime=u32,
            on_link=st.booleans(),
            autonomous_address_configuration=st.booleans(),
            router_address=st.booleans(),
        ),
        st.builds(nd.Mtu, u32),
        st.builds(nd.AdvertisementInterval, u32),
        st.builds(
            nd.HomeAgentInformation,
            preference=u16,
            lifetime=u16,
            mobile_router_support=st.booleans(),
        ),
        st.builds(
            nd.RecursiveDnsServers, u32, st.lists(addresses, max_size=4).map(tuple)
        ),
        st.builds(
            nd.CaptivePortal, st.binary(max_size=40).map(lambda b: b.rstrip(b"\0"))
        ),
        st.builds(
            nd.UnknownNeighborOption,
            type_numbers.filter(lambda n: n not in nd.KNOWN_OPTIONS),
            sized(8, 6),
        ),
    )


@cache
def icmp_messages_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Messages of one class of `mip6.wire.icmpv6` or `neighbor_discovery`."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "options": st.lists(neighbor_options(), max_size=4).map(tuple),
        "identifier": u16,
        "home_agent_addresses": st.lists(addresses, max_size=4).map(tuple),
        "target_address": addresses,
        "cur_hop_limit": u8,
        "router_lifetime": u16,
        "default_router_preference": st.sampled_from([-1, 0, 1]),
        **dict.fromkeys(("reachable_time", "retrans_timer", "mtu", "pointer"), u32),
        "code": u8,
        "packet": st.binary(max_size=80),
    }
    wanted = [field.name for field in dataclass_fields(kind)]
    return st.builds(
        kind,
        **{name: fields.get(name, st.booleans()) for name in wanted},
    )


unknown_icmp_messages = st.builds(
    icmpv6.UnknownIcmp,
    type=type_numbers.filter(
        lambda n: n not in icmpv6.MESSAGES and n not in icmpv6.ERRORS
    ),
    code=u8,
    data=st.binary(max_size=40),
)


@cache
def icmp_messages() -> st.SearchStrategy[icmpv6.IcmpMessage]:
    kinds = [*icmpv6.ERRORS.values(), *icmpv6.MESSAGES.values()]
    return st.one_of(*map(icmp_messages_of, kinds), unknown_icmp_messages)


@cache
def destination_options() -> st.SearchStrategy[packet.DestinationOption]:
    return st.one_of(
        st.builds(packet.HomeAddressOption, addresses),
        st.builds(
            packet.UnknownDestinationOption,
            type_numbers.filter(lambda n: n > 1 and n not in packet.KNOWN_OPTIONS),
            st.binary(max_size=20),
        ),
    )


@cache
def extensions() -> st.SearchStrategy[packet.Extension]:
    """Extension headers behind which the chain goes on."""
    several = st.lists(destination_options(), max_size=4).map(tuple)
    return st.one_of(
        st.builds(packet.HopByHopOptions, several),
        st.builds(packet.DestinationOptions, several),
        st.builds(packet.RoutingHeaderType2, addresses, u8),
        st.builds(
            packet.UnknownRoutingHeader,
            type_numbers.filter(lambda n: n != packet.RoutingHeaderType2.TYPE),
            u8,
            sized(8, 4),
        ),
        fragment_headers(st.just(0)),
        st.builds(packet.AuthenticationHeader, sized(4, 6)),
    )


def fragment_headers(
    offsets: st.SearchStrategy[int],
) -> st.SearchStrategy[packet.FragmentHeader]:
    return st.builds(
        packet.FragmentHeader, offset=offsets, more=st.booleans(), identification=u32
    )


later_fragments = fragment_headers(st.integers(1, 0x1FFF).map(lambda units: units * 8))


@cache
def packets() -> st.SearchStrategy[packet.IPv6Packet]:
    """Whole packets: any chain, a Mobility Header, ICMPv6, a fragment or noise on top.

    Checksums are over the packet's own addresses.
    """
    return _packets()


@st.composite
def _packets(draw: st.DrawFn) -> packet.IPv6Packet:
    source, destination = draw(addresses), draw(addresses)
    chain = draw(st.lists(extensions(), max_size=4))
    what = draw(st.sampled_from(["mobility", "icmpv6", "other", "fragment"]))
    if what == "mobility":
        message = draw(mobility_messages())
        next_header = int(NextHeader.MOBILITY)
        payload = messages.write_message(message, source, destination)
    elif what == "icmpv6":
        next_header = int(NextHeader.ICMPV6)
        payload = icmpv6.write_icmpv6(draw(icmp_messages()), source, destination)
    else:
        next_header = draw(type_numbers)
        payload = draw(st.binary(max_size=64))
        if what == "fragment":
            chain.append(draw(later_fragments))
        elif next_header in packet.READ or next_header == NextHeader.MOBILITY:
            next_header = int(NextHeader.NO_NEXT_HEADER)
    return packet.IPv6Packet(
        source=source,
        destination=destination,
        hop_limit=draw(u8),
        traffic_class=draw(u8),
        flow_label=draw(st.integers(0, 0xFFFFF)),
        extensions=tuple(chain),
        next_header=next_header,
        payload=payload,
    )


@st.composite
def mutated(draw: st.DrawFn, octets: bytes) -> bytes:
    """`octets` with up to three of them changed, then perhaps cut or lengthened."""
    changed = bytearray(octets)
    for _ in range(draw(st.integers(1, 3))):
        if changed:
            at = draw(st.integers(0, len(changed) - 1))
            changed[at] = draw(st.one_of(u8, st.sampled_from([0, 1, 0xFF])))
    cut = draw(st.integers(0, len(changed)))
    if draw(st.booleans()):
        return bytes(changed[:cut])
    return bytes(changed) + draw(st.binary(max_size=9))
