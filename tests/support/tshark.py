"""tshark's opinion of a capture: some fields of each frame, as text."""

import subprocess
from functools import cache
from pathlib import Path

from mip6.wire.capture import read_capture

PCAP = Path(__file__).parent.parent / "interop" / "pcap"
CAPTURES = sorted(path.stem for path in PCAP.glob("*.pcap"))

HEADER_OCTETS = 24
"""Of a pcap file; they are the same in all of them."""

ESP_KEYS = (
    "hmac-sha1-96:0102030405060708090a0b0c0d0e0f1011121314"
    ",aes-cbc:000102030405060708090a0b0c0d0e0f"
)
"""What opens the ESP of all captures, as `mip6 decode --key` takes it."""
_SECURITY_ASSOCIATION = (
    'uat:esp_sa:"IPv6","*","*","*",'
    '"AES-CBC [RFC3602]","0x000102030405060708090a0b0c0d0e0f",'
    '"HMAC-SHA-1-96 [RFC2404]","0x0102030405060708090a0b0c0d0e0f1011121314"'
)

FLAGS = (
    "mip6.bu.a_flag",
    "mip6.bu.h_flag",
    "mip6.bu.l_flag",
    "mip6.bu.k_flag",
    "mip6.nemo.bu.r_flag",
    "mip6.ba.k_flag",
    "mip6.nemo.ba.r_flag",
    "icmpv6.mip6.flag.m",
    "icmpv6.mip6.flag.o",
    "icmpv6.nd.ra.flag.m",
    "icmpv6.nd.ra.flag.o",
    "icmpv6.nd.ra.flag.h",
    "icmpv6.nd.ra.flag.p",
    "icmpv6.nd.na.flag.r",
    "icmpv6.nd.na.flag.s",
    "icmpv6.nd.na.flag.o",
    "icmpv6.opt.prefix.flag.l",
    "icmpv6.opt.prefix.flag.a",
    "icmpv6.opt.prefix.flag.r",
)
FIELDS = (
    "ipv6.src",
    "ipv6.dst",
    "ipv6.opt.mipv6.home_address",
    "ipv6.routing.mipv6.home_address",
    "esp.spi",
    "esp.sequence",
    "mip6.mhtype",
    "mip6.hoti.cookie",
    "mip6.coti.cookie",
    "mip6.hot.nindex",
    "mip6.hot.cookie",
    "mip6.hot.token",
    "mip6.cot.nindex",
    "mip6.cot.cookie",
    "mip6.bu.seqnr",
    "mip6.bu.lifetime",
    "mip6.ba.status",
    "mip6.ba.seqnr",
    "mip6.ba.lifetime",
    "mip6.be.status",
    "mip6.be.haddr",
    "mip6.bra.interval",
    "mip6.acoa.acoa",
    "mip6.ni.hni",
    "mip6.ni.cni",
    "mip6.bad.auth",
    "mip6.nemo.mnp.pfl",
    "mip6.nemo.mnp.mnp",
    "icmpv6.type",
    "icmpv6.code",
    "icmpv6.checksum.status",
    "icmpv6.mip6.identifier",
    "icmpv6.mip6.home_agent_address",
    "icmpv6.nd.ra.cur_hop_limit",
    "icmpv6.nd.ra.flag.prf",
    "icmpv6.nd.ra.router_lifetime",
    "icmpv6.nd.ra.reachable_time",
    "icmpv6.nd.ra.retrans_timer",
    "icmpv6.nd.ns.target_address",
    "icmpv6.nd.na.target_address",
    "icmpv6.opt.type",
    "icmpv6.opt.src_linkaddr",
    "icmpv6.opt.target_linkaddr",
    "icmpv6.opt.prefix",
    "icmpv6.opt.prefix.length",
    "icmpv6.opt.prefix.valid_lifetime",
    "icmpv6.opt.prefix.preferred_lifetime",
    "icmpv6.opt.mtu",
    "icmpv6.opt.advertisement_interval",
    "icmpv6.opt.home_agent_preference",
    "icmpv6.opt.home_agent_lifetime",
    *FLAGS,
)

Fields = dict[str, list[str]]
"""By tshark's name, the values of a field in the order of the packet."""


@cache
def dissected() -> dict[str, list[Fields]]:
    """Every frame of every capture; a field that is not in a frame is not in its dict.

    All in one run, since a start of tshark takes longer than the captures do.
    """
    captures = {name: (PCAP / f"{name}.pcap").read_bytes() for name in CAPTURES}
    header = next(iter(captures.values()))[:HEADER_OCTETS]
    frames = [octets[HEADER_OCTETS:] for octets in captures.values()]
    command = ["tshark", "-n", "-r", "-", "-T", "fields"]
    command += ["-o", "esp.enable_encryption_decode:TRUE", "-o", _SECURITY_ASSOCIATION]
    command += ["-E", "occurrence=a", "-E", "separator=/t", "-E", "aggregator=,"]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(
        command, input=b"".join((header, *frames)), capture_output=True, check=True
    )
    lines = iter(done.stdout.decode().splitlines())
    return {
        name: [_fields(next(lines)) for _ in read_capture(octets)]
        for name, octets in captures.items()
    }


def _fields(line: str) -> Fields:
    return {
        field: [_same_in_all_versions(field, value) for value in values.split(",")]
        for field, values in zip(FIELDS, line.split("\t"), strict=True)
        if values
    }


def _same_in_all_versions(field: str, value: str) -> str:
    if field in FLAGS:
        return {"True": "1", "False": "0"}.get(value, value)
    return str(int(value, 16)) if value.startswith("0x") else value
