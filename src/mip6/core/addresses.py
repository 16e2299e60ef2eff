"""What kind of address it is: the questions Mobile IPv6 asks."""

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network


def is_unicast_routable(address: IPv6Address) -> bool:
    """Whether a home or care-of address may be `address` (§6.1.7, §6.3, §6.4).

    Not: multicast, link-local, unspecified, loopback and the other addresses of ::/96,
    IPv4-mapped addresses.
    """
    value = int(address)
    return (
        value >> 120 != 0xFF
        and value >> 118 != 0xFE80 >> 6
        and value >> 32 not in (0, 0xFFFF)
    )


def is_router_anycast(address: IPv6Address, prefix: IPv6Network) -> bool:
    """Whether the routers of `prefix` share `address`: the Subnet-Router anycast
    address (RFC 4291 §2.6.1), or one of the 128 of RFC 2526, such as the home agents'.
    """
    value = int(address)
    if value == int(prefix.network_address):
        return True
    interface_identifier = value & 0xFFFF_FFFF_FFFF_FFFF
    return interface_identifier >> 7 == 0xFDFF_FFFF_FFFF_FF80 >> 7


class Networks:
    """Some networks.  Whether an address is in one of them takes one look-up for each
    length of prefix, so a thousand listed addresses are one."""

    def __init__(self, networks: Iterable[IPv6Network]) -> None:
        self._listed: dict[int, set[int]] = {}
        for network in networks:
            bits = 128 - network.prefixlen
            prefixes = self._listed.setdefault(bits, set())
            prefixes.add(int(network.network_address) >> bits)

    def __contains__(self, address: IPv6Address) -> bool:
        value = int(address)
        return any(value >> bits in listed for bits, listed in self._listed.items())
