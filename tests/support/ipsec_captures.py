"""The captures `ipsec-*` of another implementation with manual security associations:
its keys, its SPIs, and the packets it protected."""

import struct
from ipaddress import IPv6Address
from pathlib import Path

from mip6.security.association import SecurityAssociation
from mip6.security.esp import Encryption, Integrity, Transform
from mip6.security.keys import Direction, Purpose, Secret

PCAP = Path(__file__).parent.parent / "interop" / "pcap"
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
HOME_AGENT = IPv6Address("2001:db8:a::1")

TRANSFORM = Transform(
    integrity=Integrity.HMAC_SHA1_96,
    integrity_key=Secret(bytes(range(1, 21))),
    encryption=Encryption.AES_CBC,
    encryption_key=Secret(bytes(range(16))),
)
SPIS = {
    0x2000: (Purpose.BINDING, Direction.TO_HOME_AGENT),
    0x2001: (Purpose.BINDING, Direction.TO_MOBILE_NODE),
    0x2002: (Purpose.PREFIX_DISCOVERY, Direction.TO_HOME_AGENT),
    0x2003: (Purpose.PREFIX_DISCOVERY, Direction.TO_MOBILE_NODE),
    0x2004: (Purpose.RETURN_ROUTABILITY, Direction.TO_HOME_AGENT),
    0x2005: (Purpose.RETURN_ROUTABILITY, Direction.TO_MOBILE_NODE),
}
ASSOCIATIONS = tuple(
    SecurityAssociation(
        purpose=purpose,
        direction=direction,
        spi=spi,
        home_address=HOME_ADDRESS,
        home_agent=HOME_AGENT,
        transform=TRANSFORM,
        anti_replay=False,
    )
    for spi, (purpose, direction) in SPIS.items()
)


def packets(name: str) -> list[bytes]:
    """All IPv6 packets of one capture, in order."""
    octets = (PCAP / f"{name}.pcap").read_bytes()
    found = []
    at = 24
    while at < len(octets):
        (length,) = struct.unpack_from("<I", octets, at + 8)
        frame = octets[at + 16 : at + 16 + length]
        if frame[12:14] == b"\x86\xdd":
            found.append(frame[14:])
        at += 16 + length
    return found


def esp_packets() -> list[bytes]:
    """The packets that carry ESP, of all captures, each once."""
    return [
        packet
        for path in sorted(PCAP.glob("ipsec-*.pcap"))
        for packet in packets(path.stem)
        if 50 in (packet[6], packet[40])
    ]
