"""How fast a Binding Update with three options is read, checked and built.

    python -m bench.wire [--json] [--pairs N]

Rates are per second of processor time on one core, beside scapy's in the same run.
"""

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address
from typing import Any

from mip6.core import packet as core_packet
from mip6.core.packet import Packet
from mip6.wire.checksum import checksum
from mip6.wire.messages import BindingUpdate, read_message, write_message
from mip6.wire.next_header import NextHeader
from mip6.wire.options import (
    AlternateCareOfAddress,
    BindingAuthorizationData,
    NonceIndices,
)

from .measure import PAIRS, interleaved, rate, ratio, report, show

HOME = IPv6Address("2001:db8:a::100")
CARE_OF = IPv6Address("2001:db8:b::ff:fe00:64")
PEER = IPv6Address("2001:db8:a::1")
UPDATE = BindingUpdate(
    sequence_number=7,
    lifetime=600,
    acknowledge=True,
    home_registration=True,
    options=(
        AlternateCareOfAddress(CARE_OF),
        NonceIndices(3, 4),
        BindingAuthorizationData(bytes(range(12))),
    ),
)


def sides() -> dict[str, Callable[[], object]]:
    """One call of each side: checksum and decode, or encode with checksum."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scapy.layers.inet6 import MIP6MH_BU, IPv6, in6_chksum

    octets = write_message(UPDATE, HOME, PEER)
    whole = core_packet.write(
        Packet(source=CARE_OF, destination=PEER, home_address=HOME, message=UPDATE)
    )

    def parse() -> object:
        if checksum(HOME, PEER, NextHeader.MOBILITY, octets):
            raise AssertionError("checksum")
        return read_message(octets)

    pseudo = IPv6(src=str(HOME), dst=str(PEER))

    def scapy_parse() -> object:
        if in6_chksum(NextHeader.MOBILITY, pseudo, octets):  # type: ignore[no-untyped-call]
            raise AssertionError("checksum")
        return MIP6MH_BU(octets)

    parsed = MIP6MH_BU(octets)

    def scapy_build() -> object:
        built = parsed.copy()
        built.cksum = None
        return bytes(pseudo / built)

    def build() -> object:
        return write_message(UPDATE, HOME, PEER)

    return {
        "parse": parse,
        "scapy parse": scapy_parse,
        "build": build,
        "scapy build": scapy_build,
        "parse and build": lambda: (parse(), build()),
        "scapy parse and build": lambda: (scapy_parse(), scapy_build()),
        "whole packet parse": lambda: core_packet.read(whole),
    }


def measure(pairs: int) -> list[dict[str, Any]]:
    work = sides()
    figures = interleaved(
        {name: partial(rate, call) for name, call in work.items()}, pairs
    )
    ratios = {
        "parse ÷ scapy": ratio(figures, "parse", "scapy parse"),
        "build ÷ scapy": ratio(figures, "build", "scapy build"),
        "both ÷ scapy": ratio(figures, "parse and build", "scapy parse and build"),
    }
    return [report("wire", figures, "per CPU-second", ratios)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    arguments = parser.parse_args()
    show(measure(arguments.pairs), as_json=arguments.json)


if __name__ == "__main__":
    main()
