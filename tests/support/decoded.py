"""Lines of `mip6 decode --json` in the words of tshark, so that the two compare."""

from collections.abc import Callable
from typing import Any

from tests.support.tshark import Fields

from mip6.cli.decode import document
from mip6.cli.dissection import Keys, dissect
from mip6.wire import icmpv6, messages, neighbor_options

Line = dict[str, Any]

BY_NAME = {kind.__name__: kind for kind in messages.KNOWN.values()}
"""The messages of the Mobility Header."""

MESSAGES: dict[str, dict[str, str]] = {
    "BindingRefreshRequest": {},
    "HomeTestInit": {"home_init_cookie": "mip6.hoti.cookie"},
    "CareOfTestInit": {"care_of_init_cookie": "mip6.coti.cookie"},
    "HomeTest": {
        "home_nonce_index": "mip6.hot.nindex",
        "home_init_cookie": "mip6.hot.cookie",
        "home_keygen_token": "mip6.hot.token",
    },
    "CareOfTest": {
        "care_of_nonce_index": "mip6.cot.nindex",
        "care_of_init_cookie": "mip6.cot.cookie",
        "care_of_keygen_token": "mip6.hot.token",  # sic
    },
    "BindingUpdate": {
        "sequence_number": "mip6.bu.seqnr",
        "lifetime": "mip6.bu.lifetime",
        "acknowledge": "mip6.bu.a_flag",
        "home_registration": "mip6.bu.h_flag",
        "link_local_address_compatibility": "mip6.bu.l_flag",
        "key_management_mobility_capability": "mip6.bu.k_flag",
        "mobile_router": "mip6.nemo.bu.r_flag",
    },
    "BindingAcknowledgement": {
        "status": "mip6.ba.status",
        "sequence_number": "mip6.ba.seqnr",
        "lifetime": "mip6.ba.lifetime",
        "key_management_mobility_capability": "mip6.ba.k_flag",
        "mobile_router": "mip6.nemo.ba.r_flag",
    },
    "BindingError": {"status": "mip6.be.status", "home_address": "mip6.be.haddr"},
    "HomeAgentAddressDiscoveryRequest": {"identifier": "icmpv6.mip6.identifier"},
    "HomeAgentAddressDiscoveryReply": {
        "identifier": "icmpv6.mip6.identifier",
        "home_agent_addresses": "icmpv6.mip6.home_agent_address",
    },
    "MobilePrefixSolicitation": {"identifier": "icmpv6.mip6.identifier"},
    "MobilePrefixAdvertisement": {
        "identifier": "icmpv6.mip6.identifier",
        "managed_address_configuration": "icmpv6.mip6.flag.m",
        "other_stateful_configuration": "icmpv6.mip6.flag.o",
    },
    "RouterSolicitation": {},
    "RouterAdvertisement": {
        "cur_hop_limit": "icmpv6.nd.ra.cur_hop_limit",
        "managed_address_configuration": "icmpv6.nd.ra.flag.m",
        "other_configuration": "icmpv6.nd.ra.flag.o",
        "home_agent": "icmpv6.nd.ra.flag.h",
        "default_router_preference": "icmpv6.nd.ra.flag.prf",
        "proxy": "icmpv6.nd.ra.flag.p",
        "router_lifetime": "icmpv6.nd.ra.router_lifetime",
        "reachable_time": "icmpv6.nd.ra.reachable_time",
        "retrans_timer": "icmpv6.nd.ra.retrans_timer",
    },
    "NeighborSolicitation": {"target_address": "icmpv6.nd.ns.target_address"},
    "NeighborAdvertisement": {
        "target_address": "icmpv6.nd.na.target_address",
        "router": "icmpv6.nd.na.flag.r",
        "solicited": "icmpv6.nd.na.flag.s",
        "override": "icmpv6.nd.na.flag.o",
    },
    "UnknownIcmp": {},
    "DestinationUnreachable": {},
}
OPTIONS: dict[str, dict[str, str]] = {
    "BindingRefreshAdvice": {"refresh_interval": "mip6.bra.interval"},
    "AlternateCareOfAddress": {"care_of_address": "mip6.acoa.acoa"},
    "NonceIndices": {
        "home_nonce_index": "mip6.ni.hni",
        "care_of_nonce_index": "mip6.ni.cni",
    },
    "BindingAuthorizationData": {"authenticator": "mip6.bad.auth"},
    "MobileNetworkPrefix": {
        "prefix_length": "mip6.nemo.mnp.pfl",
        "mobile_network_prefix": "mip6.nemo.mnp.mnp",
    },
    "SourceLinkLayerAddress": {"link_layer_address": "icmpv6.opt.src_linkaddr"},
    "TargetLinkLayerAddress": {"link_layer_address": "icmpv6.opt.target_linkaddr"},
    "PrefixInformation": {
        "prefix": "icmpv6.opt.prefix",
        "prefix_length": "icmpv6.opt.prefix.length",
        "valid_lifetime": "icmpv6.opt.prefix.valid_lifetime",
        "preferred_lifetime": "icmpv6.opt.prefix.preferred_lifetime",
        "on_link": "icmpv6.opt.prefix.flag.l",
        "autonomous_address_configuration": "icmpv6.opt.prefix.flag.a",
        "router_address": "icmpv6.opt.prefix.flag.r",
    },
    "Mtu": {"mtu": "icmpv6.opt.mtu"},
    "AdvertisementInterval": {
        "advertisement_interval": "icmpv6.opt.advertisement_interval"
    },
    "HomeAgentInformation": {
        "preference": "icmpv6.opt.home_agent_preference",
        "lifetime": "icmpv6.opt.home_agent_lifetime",
    },
    "RecursiveDnsServers": {
        "lifetime": "icmpv6.opt.rdnss.lifetime",
        "addresses": "icmpv6.opt.rdnss",
    },
    "CaptivePortal": {},
    "UnknownNeighborOption": {},
}
"""The fields that are compared.  tshark 4.0 does not know the R flags of RFC 3963 in
ICMPv6, and what `UnknownIcmp` keeps is compared octet by octet elsewhere."""

IN_UNITS_OF_4_SECONDS = {"mip6.bu.lifetime", "mip6.ba.lifetime", "mip6.bra.interval"}
NUMBERS_IN_HEX = ("cookie", "token")
LINK_LAYER = ("linkaddr",)


def in_words_of_tshark(line: Line, *, quoted: bool = False) -> Fields:
    """What tshark must say about the packet of this line.

    quoted: it stands in an ICMPv6 error, where tshark checks no checksum.
    """
    fields: Fields = {}

    def put(name: str, value: object) -> None:
        fields.setdefault(name, []).append(str(value))

    _addresses(line, put)
    name, content = line["message"], line["fields"]
    if name in BY_NAME:
        put("mip6.mhtype", BY_NAME[name].TYPE)
    else:
        kind = getattr(icmpv6, name)
        put("icmpv6.type", content["type"] if name == "UnknownIcmp" else kind.TYPE)
        put("icmpv6.code", content.get("code", 0))
        put("icmpv6.checksum.status", 2 if quoted else 1)
    for field, theirs in MESSAGES[name].items():
        value = content[field]
        for one in value if isinstance(value, list) else [value]:
            put(theirs, _value(theirs, one))
    for option in content.get("options", ()):
        if name not in BY_NAME:
            kind = getattr(neighbor_options, option["option"])
            put("icmpv6.opt.type", option.get("type") or kind.TYPE)
        for field, theirs in OPTIONS[option["option"]].items():
            put(theirs, _value(theirs, option[field]))
    if name == "DestinationUnreachable":
        inside = document(1, dissect(bytes.fromhex(content["packet"]), Keys()))
        for field, values in in_words_of_tshark(inside, quoted=True).items():
            for value in values:
                put(field, value)
    return fields


def _addresses(line: Line, put: Callable[[str, object], None]) -> None:
    for end, name in (("source", "ipv6.src"), ("destination", "ipv6.dst")):
        if "tunnel" in line:
            put(name, line["tunnel"][end])
        put(name, line[end])
    if line["home_address"]:
        put("ipv6.opt.mipv6.home_address", line["home_address"])
    if line["routing_address"]:
        put("ipv6.routing.mipv6.home_address", line["routing_address"])
    if "esp" in line:
        put("esp.spi", line["esp"]["spi"])
        put("esp.sequence", line["esp"]["sequence_number"])


def _value(theirs: str, value: Any) -> object:
    if isinstance(value, bool):
        return int(value)
    if theirs in IN_UNITS_OF_4_SECONDS:
        return value // 4
    if theirs.endswith(NUMBERS_IN_HEX):
        return int(value, 16)
    if theirs.endswith(LINK_LAYER):
        return bytes.fromhex(value).hex(":")
    if theirs.endswith(".prf"):
        return value & 3
    return value
