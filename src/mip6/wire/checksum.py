"""The checksum of upper layers over IPv6 (RFC 8200 §8.1, RFC 6275 §6.1.1)."""

from ipaddress import IPv6Address


def checksum(
    source: IPv6Address, destination: IPv6Address, next_header: int, octets: bytes
) -> int:
    """The Internet checksum of `octets` behind the pseudo-header.

    Over a message whose checksum field is zero it is the value to send; over a whole
    message as received it is 0 exactly when the checksum is right.  The addresses are
    those the upper layer sees: home addresses where there is a Home Address option or a
    type 2 routing header.
    """
    # A one's complement sum of 16-bit words is a remainder modulo 0xFFFF, and as 2^16
    # leaves 1, so is any longer word: the whole message is one big number.
    total = int.from_bytes(octets) << (8 * (len(octets) & 1))
    total += int(source) + int(destination) + len(octets) + next_header
    return -total % 0xFFFF
