"""What attackers send, with real packets: nothing of it changes a binding, all of it is
counted, and the mobile node goes on being reached.

An attacker is anywhere, knows all addresses and can forge any, or is on the visited
link: here with tunnels, errors and advertisements.
"""

import contextlib
import struct
import time
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from tests.support.abuse import (
    OTHER_HOME_ADDRESS,
    VICTIM,
    attack,
    bindings,
    care_of_address,
    harmless,
    registered,
)
from tests.support.attacker import (
    binding_update,
    listening,
    send_on_link,
)
from tests.support.daemons import (
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    World,
    until,
)
from tests.support.octets import (
    ICMPV6,
    IPV6,
    MOBILITY,
    UDP,
    checksum,
    ipv6,
    udp,
)

from mip6.core.packet import write

pytestmark = pytest.mark.root

STRANGER = "2001:db8:e::77"
"""To whom the mobile node has never said anything."""


# Tunnels

MARKER = b"not from there"
INNER = ipv6(HOME_ADDRESS, CORRESPONDENT, UDP, udp(MARKER))


@contextlib.contextmanager
def nothing_arrives(attacked: World) -> Iterator[None]:
    """Nothing of `INNER` comes out at the correspondent, where it also went in."""
    with listening(attacked.correspondent, "eth0") as ear:
        yield
        time.sleep(0.3)
        assert not [p for p in ear.packets() if p[6] == UDP and MARKER in p]


@pytest.mark.rfc("15.7", "the outer source must be the registered care-of address")
@pytest.mark.parametrize("source", [CORRESPONDENT, VICTIM, HOME_ADDRESS])
def test_into_the_tunnel_from_elsewhere(attacked: World, source: str) -> None:
    with harmless(attacked, dropped_care_of_address=1), nothing_arrives(attacked):
        attack(attacked, ipv6(source, HOME_AGENT, IPV6, INNER))


def test_into_the_tunnel_to_the_mobile_node(attacked: World) -> None:
    """Only the home agent may: its address, to the care-of address."""
    inner = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp())
    where = care_of_address(attacked)
    with harmless(attacked, attacked.mobile_node, dropped_home_agent=2):
        attack(
            attacked,
            ipv6(CORRESPONDENT, where, IPV6, inner),
            ipv6("2001:db8:a::2", where, IPV6, inner),
        )


def test_inner_sources_that_are_not_the_home_address(attacked: World) -> None:
    """Who can forge the care-of address gets no other name by it."""
    where = care_of_address(attacked)
    inner = [
        ipv6(source, CORRESPONDENT, UDP, udp(MARKER))
        for source in ("2001:db8:a::abc", OTHER_HOME_ADDRESS, VICTIM, where, "::1")
    ]
    with harmless(attacked, unknown_tunnel=len(inner)), nothing_arrives(attacked):
        attack(attacked, *(ipv6(where, HOME_AGENT, IPV6, each) for each in inner))


def test_nested_tunnels(attacked: World) -> None:
    where = care_of_address(attacked)
    nested = ipv6(HOME_ADDRESS, HOME_AGENT, IPV6, INNER)
    with (
        harmless(attacked, dropped_care_of_address=1, tunnel_in=1, nested_tunnel=1),
        nothing_arrives(attacked),
    ):
        attack(attacked, ipv6(VICTIM, HOME_AGENT, IPV6, nested))
        # One that begins as it should is taken off once, and its inside is nobody's.
        attack(attacked, ipv6(where, HOME_AGENT, IPV6, nested))


def test_binding_update_in_a_tunnel(attacked: World) -> None:
    packet = write(binding_update(HOME_ADDRESS, VICTIM, HOME_AGENT))
    where = care_of_address(attacked)
    with harmless(attacked, tunnel_source=1):
        attack(attacked, ipv6(VICTIM, HOME_AGENT, IPV6, packet))
        attack(attacked, ipv6(where, HOME_AGENT, IPV6, packet))


# Errors from nowhere


def icmp(source: str, destination: str, kind: int, code: int, body: bytes) -> bytes:
    payload = bytes([kind, code, 0, 0]) + body
    sum_ = checksum(source, destination, ICMPV6, payload)
    payload = payload[:2] + struct.pack("!H", sum_) + payload[4:]
    return ipv6(source, destination, ICMPV6, payload, hop_limit=255)


@pytest.mark.rfc("11.3.5", "no ICMP error alone moves anything")
def test_forged_icmp_errors(attacked: World, recorded: bytes) -> None:
    where = care_of_address(attacked)
    open_update = write(
        binding_update(HOME_ADDRESS, where, HOME_AGENT, sequence_number=7)
    )
    packets = [
        icmp(source, destination, kind, code, bytes(4) + quoted[:1200])
        for source in (HOME_AGENT, VICTIM)
        for destination in (where, HOME_ADDRESS)
        for kind, code in ((1, 0), (1, 3), (2, 0), (3, 0), (4, 1), (4, 2))
        for quoted in (recorded, open_update, b"")
    ]
    with harmless(attacked, attacked.mobile_node, icmp_error=20, icmp_error_quote=10):
        attack(attacked, *packets)
    toward = [
        icmp(VICTIM, HOME_AGENT, kind, 0, bytes(4) + recorded) for kind in (1, 2, 3, 4)
    ]
    # Of a tunnel they would be told to the inner sender; they are not about one.
    with harmless(attacked, icmp_error=3, icmp_error_quote=1):
        attack(attacked, *toward)


def test_forged_packet_too_big_at_the_home_agent(attacked: World) -> None:
    """Who knows care-of address and home address, and forges a quote of their tunnel,
    makes it narrow, 1280 octets at the least; all else is counted and forgotten."""
    where = care_of_address(attacked)

    def error(destination: str, inner: bytes, mtu: int) -> bytes:
        outer = ipv6(HOME_AGENT, destination, IPV6, inner)
        return icmp(STRANGER, HOME_AGENT, 2, 0, struct.pack("!I", mtu) + outer[:1200])

    large = udp(bytes(1390))
    ours = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, large)
    wrong = [
        error(VICTIM, ours, 1300),
        error(where, ipv6(CORRESPONDENT, OTHER_HOME_ADDRESS, UDP, large), 1300),
        error(where, ipv6(CORRESPONDENT, VICTIM, UDP, large), 1300),
        error(where, ours[:60], 1300),
        # One that would have fitted: whoever says so has not seen it.
        error(where, ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, udp()), 1300),
        error(where, ours, 9000),
        icmp(STRANGER, HOME_AGENT, 2, 0, struct.pack("!I", 1300) + ours[:1200]),
    ]
    with harmless(attacked, icmp_error_quote=len(wrong)):
        attack(attacked, *wrong)
    assert "mtu" not in attacked.agent.ip(f"route show {HOME_ADDRESS}")
    with harmless(attacked, mtu_not_smaller=2):
        attack(attacked, *(error(where, ours, mtu) for mtu in (68, 0, 1280)))
    assert "mtu 1280" in attacked.agent.ip(f"route show {HOME_ADDRESS}")


@pytest.mark.rfc("11.3.6", "a Binding Error costs one registration at most")
def test_forged_binding_errors(attacked: World) -> None:
    where = care_of_address(attacked)

    def error(source: str, status: int) -> bytes:
        head = struct.pack("!BBBB", 59, 2, 7, 0)
        rest = struct.pack("!BB", status, 0) + IPv6Address(HOME_ADDRESS).packed
        sum_ = checksum(source, where, MOBILITY, head + bytes(2) + rest)
        return ipv6(source, where, MOBILITY, head + struct.pack("!H", sum_) + rest)

    with harmless(attacked, attacked.mobile_node, not_in_binding_update_list=20):
        attack(attacked, *[error(STRANGER, 1)] * 10, *[error(STRANGER, 2)] * 10)
    before = bindings(attacked)[0]["sequence_number"]
    start = time.monotonic()
    for _ in range(20):
        attack(attacked, *[error(HOME_AGENT, 1)] * 10)
        assert attacked.mobile_node.place() == "registered"
    sent = (bindings(attacked)[0]["sequence_number"] - before) % 65536
    assert 1 <= sent <= 2 + (time.monotonic() - start)
    assert attacked.pings()


def test_forged_acknowledgements(attacked: World) -> None:
    """They need the association, and a Binding Update that waits."""
    where = care_of_address(attacked)
    head = struct.pack("!BBBB", 59, 1, 6, 0)
    packets = []
    for status in (0, 128, 134, 135, 146):
        rest = struct.pack("!BBHH", status, 0, 7, 10) + b"\1\2\0\0"
        sum_ = checksum(HOME_AGENT, HOME_ADDRESS, MOBILITY, head + bytes(2) + rest)
        message = head + struct.pack("!H", sum_) + rest
        routing = bytes([MOBILITY, 2, 2, 1]) + bytes(4)
        routing += IPv6Address(HOME_ADDRESS).packed
        packets.append(ipv6(HOME_AGENT, where, 43, routing + message))
    with harmless(attacked, attacked.mobile_node, unprotected=len(packets)):
        attack(attacked, *packets)


# The visited link


def advertisement(
    source: str,
    *prefixes: str,
    hop_limit: int = 255,
    lifetime: int = 1800,
    prefix_lifetime: int = 3600,
    code: int = 0,
) -> bytes:
    body = struct.pack("!BBHII", 64, 0, lifetime, 0, 0)
    for prefix in prefixes:
        body += struct.pack(
            "!BBBBIII", 3, 4, 64, 0xC0, prefix_lifetime, prefix_lifetime, 0
        )
        body += IPv6Address(prefix).packed
    payload = bytes([134, code, 0, 0]) + body
    sum_ = checksum(source, "ff02::1", ICMPV6, payload)
    payload = payload[:2] + struct.pack("!H", sum_) + payload[4:]
    return ipv6(source, "ff02::1", ICMPV6, payload, hop_limit=hop_limit)


def cut_short(source: str) -> bytes:
    """One that ends inside an option, with a checksum that is right."""
    payload = bytes([134, 0, 0, 0]) + bytes(12) + bytes([3, 4]) + bytes(6)
    sum_ = checksum(source, "ff02::1", ICMPV6, payload)
    payload = payload[:2] + struct.pack("!H", sum_) + payload[4:]
    return ipv6(source, "ff02::1", ICMPV6, payload, hop_limit=255)


def test_advertisements_that_did_not_begin_on_this_link(attacked: World) -> None:
    bad = [
        advertisement("fe80::bad", "2001:db8:bad::", hop_limit=254),
        advertisement("fe80::bad", "2001:db8:bad::", hop_limit=64),
        advertisement("2001:db8:b::bad", "2001:db8:bad::"),
        advertisement("fe80::bad", "2001:db8:bad::", code=1),
        cut_short("fe80::bad"),
    ]
    with harmless(
        attacked,
        attacked.mobile_node,
        hop_limit=10,
        source_address=5,
        icmp_code=5,
        option_length=5,
    ):
        send_on_link(attacked.cables, "visited", bad * 5)
    assert "2001:db8:bad" not in attacked.mobile.ip("addr")


def test_thousands_of_prefixes(attacked: World) -> None:
    """Memory and addresses stay within limits."""
    process = attacked.mobile_node.process
    assert process is not None

    def resident_kb() -> int:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    before = resident_kb()
    flood = (
        advertisement(
            f"fe80::bad:{router:x}",
            *(f"2001:db8:{0x1000 + router:x}:{n:x}::" for n in range(40)),
        )
        for router in range(250)
    )
    send_on_link(attacked.cables, "visited", flood)
    registered(attacked)
    until(lambda: attacked.pings(), "reached again")
    assert attacked.mobile.ip("addr").count("2001:db8:1") <= 4
    assert resident_kb() - before < 8 << 10
    # What it believed of that link ends with the link.
    attacked.plug("visited")
    registered(attacked)
    until(lambda: len(bindings(attacked)) == 1, "bound")


def test_a_router_that_takes_itself_back(attacked: World) -> None:
    """Who owns the link can deny service there; when it ends, so does the harm."""
    link_local = next(
        line.split()[1].partition("/")[0]
        for line in attacked.router.ip("addr show dev visited scope link").splitlines()
        if "inet6" in line
    )
    forged = [
        advertisement(link_local, "2001:db8:b::", lifetime=0, prefix_lifetime=0),
        advertisement(link_local, lifetime=0),
    ]
    for _ in range(5):
        send_on_link(attacked.cables, "visited", forged)
        time.sleep(0.05)
    registered(attacked)
    until(lambda: attacked.pings(), "reached again")
